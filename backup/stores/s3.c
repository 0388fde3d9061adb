/*
 * s3.c - a bucket of Amazon S3, or of a server that speaks its protocol, as a store.
 *
 * An object is seen by nobody before its PUT or its CompleteMultipartUpload: the server makes both atomic.
 * Reading goes by ranges, each whole before anybody sees it and tried again by itself, pinned to the object's ETag: a
 * reader that is slow (pg_restore building an index) holds no connection open.
 */
#include "backup/stores/store.h"

#include "backup/stores/s3_config.h"
#include "backup/stores/s3_list.h"
#include "backup/stores/s3_multipart.h"
#include "backup/stores/s3_request.h"
#include "backup/stores/s3_upload.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* A range: large enough that a request's round trip does not show, small enough for memory. */
#define PIECE ((int64_t)8 << 20)
/* The first one: manifests and marks fit, and whoever reads on goes on with whole pieces. */
#define FIRST_PIECE ((int64_t)1 << 20)

/* DATABASE/BACKUP/OBJECT, as in a folder: a bucket may hold other things. */
#define LIST_DEPTH 3

struct s3_store {
	struct store base;
	struct s3_config config;
	struct s3_client *client;
	bool swept;
};

struct s3_download {
	struct download base;
	struct s3_client *client;
	char *key, *etag;      /* owned; etag NULL: the server gives none */
	int64_t offset, total; /* of the next piece; total -1: not known yet */
	struct buf piece;
	size_t at; /* in the piece */
};

static char *full_key(const struct store *s, const char *key)
{
	return mem_fmt("%s%s", ((const struct s3_store *)s)->config.prefix, key);
}

static struct store *s3_open(const struct store_config *c, struct err *err)
{
	struct s3_store *self = mem_new0(sizeof(*self));

	self->base.ops = &store_s3_ops;
	if (s3_config_read(c, &self->config, err) && s3_client_new(&self->config, &self->client, err))
		return &self->base;
	s3_config_clear(&self->config);
	free(self);
	return NULL;
}

static void s3_close(struct store *s)
{
	struct s3_store *self = (struct s3_store *)s;

	s3_client_free(self->client);
	s3_config_clear(&self->config);
	free(self);
}

/* ------------------------------------------------------------------ writing */

/* What died before us is swept before the first upload. */
static bool s3_begin(struct store *s, const char *key, struct upload **out, struct err *err)
{
	struct s3_store *self = (struct s3_store *)s;
	cleanup_free char *full = full_key(s, key);

	if (!self->swept)
		s3_multipart_sweep(self->client);
	self->swept = true;
	return s3_upload_begin(self->client, full, out, err);
}

static bool s3_put_object(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	cleanup_free char *full = full_key(s, key);

	return s3_put(((struct s3_store *)s)->client, full, data, len, err);
}

static bool s3_remove_object(struct store *s, const char *key, struct err *err)
{
	cleanup_free char *full = full_key(s, key);

	return s3_remove(((struct s3_store *)s)->client, full, err);
}

/* ------------------------------------------------------------------ reading */

/* "bytes FIRST-LAST/TOTAL" must be what was asked for: an answer about other bytes is no answer. */
static bool check_range(struct s3_download *d, const struct transfer_result *answer, struct err *err)
{
	const char *text = transfer_header_in(&answer->headers, "Content-Range");
	cleanup_free char *range = mem_strdup(text ? text : "");
	char *slash = strchr(range, '/');
	int64_t total = -1;
	int64_t last = d->offset + (int64_t)answer->body.len - 1;

	if (slash)
		*slash = '\0';
	cleanup_free char *wanted = mem_fmt("bytes %lld-%lld", (long long)d->offset, (long long)last);
	if (!slash || !text_to_int64(slash + 1, &total) || strcmp(range, wanted) != 0 || last >= total ||
	    answer->body.len == 0 || (d->total >= 0 && d->total != total))
		return err_set(err, ERR_BACKUP,
		               "%s: the server answered with other bytes than were asked for", d->key);
	d->total = total;
	return true;
}

/* The status says which: a range, the whole object because the server has no ranges, or nothing at that place. */
static bool take_answer(struct s3_download *d, struct s3_answer *answer, struct err *err)
{
	const char *etag = transfer_header_in(&answer->http.headers, "ETag");

	if (answer->http.status == 206) {
		if (!check_range(d, &answer->http, err))
			return false;
	} else if (d->offset == 0) {
		d->total = (int64_t)answer->http.body.len;
	} else {
		return err_set(err, ERR_BACKUP, "%s: the server cannot read from byte %lld on", d->key,
		               (long long)d->offset);
	}
	if (!d->etag && etag)
		d->etag = mem_strdup(etag);
	d->offset += (int64_t)answer->http.body.len;
	buf_clear(&d->piece);
	d->piece = answer->http.body;
	answer->http.body = (struct buf)BUF_INIT(0);
	d->at = 0;
	return true;
}

static bool not_readable(struct s3_download *d, const struct s3_answer *answer, const struct err *why,
                         struct err *err)
{
	if (answer->http.status == 416 && d->total < 0) { /* behind the end, or of an empty object */
		d->total = d->offset;
		return true;
	}
	*err = *why;
	if (answer->http.status == 412)
		err_hint(err, "the object was replaced while it was read");
	return false;
}

static bool fetch(struct s3_download *d, struct err *err)
{
	int64_t ask = d->total < 0 ? FIRST_PIECE : PIECE;
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT((size_t)ask);
	cleanup_free char *range =
		mem_fmt("%lld-%lld", (long long)d->offset, (long long)(d->offset + ask - 1));
	cleanup_strv struct strv headers = STRV_INIT;
	const struct s3_call call = { .method = "GET", .key = d->key, .headers = &headers, .range = range };
	struct err why = ERR_INIT;

	if (d->etag)
		strv_fmt(&headers, "If-Match: %s", d->etag);
	if (!s3_send(d->client, NULL, &call, &answer, &why))
		return not_readable(d, &answer, &why, err);
	return take_answer(d, &answer, err);
}

static void s3_end_read(struct download *download)
{
	struct s3_download *d = (struct s3_download *)download;

	buf_clear(&d->piece);
	free(d->key);
	free(d->etag);
	free(d);
}

static bool s3_get(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err)
{
	struct s3_download *d = mem_new0(sizeof(*d));

	d->client = ((struct s3_store *)s)->client;
	d->key = full_key(s, key);
	d->offset = offset;
	d->total = -1;
	if (!fetch(d, err)) {
		s3_end_read(&d->base);
		return false;
	}
	*out = &d->base;
	return true;
}

static bool s3_read(struct download *download, void *data, size_t cap, size_t *got, struct err *err)
{
	struct s3_download *d = (struct s3_download *)download;

	if (d->at == d->piece.len && d->offset < d->total && !fetch(d, err))
		return false;
	size_t have = d->piece.len - d->at;
	*got = have < cap ? have : cap;
	if (*got > 0)
		memcpy(data, d->piece.data + d->at, *got);
	d->at += *got;
	return true;
}

static bool is_shallow(const char *key)
{
	int parts = 1;

	for (const char *p = key; *p; p++)
		parts += *p == '/';
	return *key && parts <= LIST_DEPTH && !text_ends(key, "/");
}

static bool s3_list(struct store *s, struct strv *keys, struct err *err)
{
	const struct s3_store *self = (const struct s3_store *)s;
	const char *prefix = self->config.prefix;
	cleanup_strv struct strv all = STRV_INIT;

	if (!s3_list_objects(self->client, prefix, &all, err))
		return false;
	for (size_t i = 0; i < all.n; i++)
		if (text_starts(all.v[i], prefix) && is_shallow(all.v[i] + strlen(prefix)))
			strv_add(keys, all.v[i] + strlen(prefix));
	return true;
}

static bool s3_free(const struct store *s, bool *known, int64_t *bytes, struct err *err)
{
	(void)s;
	(void)err;
	*known = false;
	*bytes = 0;
	return true;
}

const struct store_ops store_s3_ops = {
	.type = "s3",
	.keys = s3_config_keys,
	.open = s3_open,
	.close = s3_close,
	.begin = s3_begin,
	.write = s3_upload_write,
	.finish = s3_upload_finish,
	.discard = s3_upload_discard,
	.put = s3_put_object,
	.list = s3_list,
	.get = s3_get,
	.read = s3_read,
	.end_read = s3_end_read,
	.remove = s3_remove_object,
	.free_bytes = s3_free,
};
