#include "backup/stores/s3_upload.h"

#include "backup/stores/s3_multipart.h"
#include "backup/stream/thread.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_ANSWER ((size_t)64 << 10)

#define PARTS_EQUAL  4000
#define PARTS_A_STEP 1000

struct s3_upload {
	struct upload base;
	struct s3_client *client;
	struct transfer_client *http; /* the sending thread's own */
	char *key;
	char *id;      /* of the multipart upload, NULL: none was begun */
	bool doubtful; /* another one of that key may be open */
	bool done;     /* the object is there, whole */
	bool tried;    /* it may be there */
	struct note *note;
	struct s3_parts parts;
	struct buf filling, sending;

	/* Of the thread, while it runs. */
	pthread_t thread;
	bool running;
	atomic_bool stop;
	bool sent;
	char *etag;
	struct err err;
};

int64_t s3_part_size(int64_t first, size_t number)
{
	int64_t size = first;

	for (size_t n = PARTS_EQUAL; n < number && size < S3_PART_MAX; n += PARTS_A_STEP)
		size *= 2;
	return size < S3_PART_MAX ? size : S3_PART_MAX;
}

static int64_t part_limit(const struct s3_upload *u)
{
	return s3_part_size(s3_client_config(u->client)->part_size, u->parts.etags.n + 1 + u->running);
}

bool s3_upload_begin(struct s3_client *c, const char *key, struct upload **out, struct err *err)
{
	struct transfer_client *http = NULL;

	if (!transfer_client_new(&http, err))
		return err_recode(err, ERR_BACKUP);
	struct s3_upload *u = mem_new0(sizeof(*u));
	u->client = c;
	u->http = http;
	u->key = mem_strdup(key);
	u->filling.max = u->sending.max = (size_t)S3_PART_MAX;
	*out = &u->base;
	return true;
}

/* ------------------------------------------------------------------ small objects */

bool s3_put(struct s3_client *c, const char *key, const void *data, size_t len, struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	cleanup_strv struct strv headers = STRV_INIT;
	const struct s3_call call = {
		.method = "PUT", .key = key, .headers = &headers, .body = data ? data : "", .body_len = len
	};

	strv_add(&headers, "Content-Type: application/octet-stream");
	return s3_send(c, NULL, &call, &answer, err);
}

bool s3_remove(struct s3_client *c, const char *key, struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	const struct s3_call call = { .method = "DELETE", .key = key, .despite_cancel = true };
	struct err why = ERR_INIT;

	if (s3_send(c, NULL, &call, &answer, &why) ||
	    (answer.http.status == 404 && strcmp(answer.code, "NoSuchBucket") != 0))
		return true;
	*err = why;
	return false;
}

/* ------------------------------------------------------------------ one part */

static bool send_part(struct s3_upload *u, struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	cleanup_free char *number = mem_fmt("%zu", u->parts.etags.n + 1);
	cleanup_strv struct strv query = STRV_INIT;
	const struct s3_call call = { .method = "PUT",
		                      .key = u->key,
		                      .query = &query,
		                      .body = buf_text(&u->sending),
		                      .body_len = u->sending.len,
		                      .stop = &u->stop };

	strv_add(&query, "partNumber");
	strv_add(&query, number);
	strv_add(&query, "uploadId");
	strv_add(&query, u->id);
	if (!s3_send(u->client, u->http, &call, &answer, err))
		return false;
	const char *etag = transfer_header_in(&answer.http.headers, "ETag");
	if (!etag || !*etag)
		return err_set(err, ERR_BACKUP, "%s: the server gave part %s no ETag", u->key, number);
	u->etag = mem_strdup(etag);
	return true;
}

static void *send_in_thread(void *arg)
{
	struct s3_upload *u = arg;

	u->sent = send_part(u, &u->err);
	return NULL;
}

static void note_part(struct s3_upload *u)
{
	struct s3_parts *p = &u->parts;
	size_t n = p->etags.n;

	p->md5 = mem_grow(p->md5, n + 1, sizeof(*p->md5));
	p->sizes = mem_grow(p->sizes, n + 1, sizeof(*p->sizes));
	md5_of(buf_text(&u->sending), u->sending.len, p->md5[n]);
	p->sizes[n] = (int64_t)u->sending.len;
	p->total += (int64_t)u->sending.len;
	strv_add(&p->etags, u->etag);
	free(u->etag);
	u->etag = NULL;
}

/* Waits for the part that is being sent, if one is. */
static bool wait_part(struct s3_upload *u, struct err *err)
{
	if (!u->running)
		return true;
	pthread_join(u->thread, NULL);
	u->running = false;
	if (!u->sent) {
		*err = u->err;
		return false;
	}
	note_part(u);
	u->sending.len = 0; /* the memory is used again */
	return true;
}

static bool begin_multipart(struct s3_upload *u, struct err *err)
{
	if (u->id)
		return true;
	if (!note_begin(&s3_client_config(u->client)->notes, u->key, &u->note, err))
		return false;
	u->doubtful = true;
	return s3_multipart_begin(u->client, u->key, &u->id, &u->doubtful, err) &&
	       note_add(u->note, u->id, err);
}

static bool start_part(struct s3_upload *u, struct err *err)
{
	if (!begin_multipart(u, err) || !wait_part(u, err))
		return false;
	if (u->parts.etags.n == S3_PARTS_MAX)
		return err_set(err, ERR_BACKUP, "%s has more than %d parts; raise part_size", u->key,
		               S3_PARTS_MAX);
	struct buf full = u->filling;
	u->filling = u->sending;
	u->sending = full;
	u->err = (struct err)ERR_INIT;
	u->running = thread_start(&u->thread, send_in_thread, u, err);
	return u->running;
}

/* ------------------------------------------------------------------ the object */

/* A full part is sent when more follows: what fits into one part is a single PUT. */
bool s3_upload_write(struct upload *upload, const void *data, size_t len, struct err *err)
{
	struct s3_upload *u = (struct s3_upload *)upload;
	const char *p = data;

	while (len > 0) {
		if (u->filling.len == (size_t)part_limit(u) && !start_part(u, err))
			return false;
		size_t room = (size_t)part_limit(u) - u->filling.len, n = len < room ? len : room;
		buf_add(&u->filling, p, n);
		p += n;
		len -= n;
	}
	return true;
}

/* An upload of this key that nobody knows the id of must not stay behind. */
static void settle_note(struct s3_upload *u)
{
	struct err ignored = ERR_INIT;
	bool settled = !u->doubtful || s3_multipart_abort_all(u->client, u->key, &ignored);

	note_end(u->note, settled);
	u->note = NULL;
}

bool s3_upload_finish(struct upload *upload, struct err *err)
{
	struct s3_upload *u = (struct s3_upload *)upload;

	if (!u->id) {
		u->tried = true;
		u->done = s3_put(u->client, u->key, buf_text(&u->filling), u->filling.len, err);
		return u->done;
	}
	if (!start_part(u, err) || !wait_part(u, err))
		return false;
	u->tried = true;
	u->done = s3_multipart_complete(u->client, u->key, u->id, &u->parts, err);
	if (u->done)
		settle_note(u);
	return u->done;
}

static void take_back(struct s3_upload *u)
{
	struct err ignored = ERR_INIT;
	bool settled = !u->id || s3_multipart_abort(u->client, u->key, u->id, &ignored);

	if (u->tried)
		settled = s3_remove(u->client, u->key, &ignored) && settled;
	if (u->doubtful)
		settled = s3_multipart_abort_all(u->client, u->key, &ignored) && settled;
	note_end(u->note, settled);
}

void s3_upload_discard(struct upload *upload)
{
	struct s3_upload *u = (struct s3_upload *)upload;

	if (u->running) {
		atomic_store(&u->stop, true);
		pthread_join(u->thread, NULL);
	}
	if (!u->done)
		take_back(u);
	transfer_client_free(u->http);
	free(u->key);
	free(u->id);
	free(u->etag);
	strv_clear(&u->parts.etags);
	free(u->parts.md5);
	free(u->parts.sizes);
	buf_clear(&u->filling);
	buf_clear(&u->sending);
	free(u);
}
