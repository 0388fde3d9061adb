#include "backup/stores/s3_multipart.h"

#include "backup/stores/s3_list.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/xml.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_ANSWER ((size_t)64 << 10)

/* S3 may need minutes to assemble an object, and sends a blank now and then meanwhile. */
#define COMPLETE_PATIENCE 4
#define BACKOFF_MS        200
#define BACKOFF_CAP_MS    20000

#define CLEANUP_ATTEMPTS 4
/* A part that was on its way when the upload was aborted may arrive after it. */
#define ABORTS_MAX 3

/* No backup takes a week; another machine's upload that is younger may be alive. */
#define LEFTOVER_US (INT64_C(7) * 24 * 3600 * 1000000)

/* ------------------------------------------------------------------ begun */

static bool upload_id(const struct s3_answer *answer, char **out, struct err *err)
{
	cleanup_xml struct xml *x = NULL;

	if (!xml_parse(buf_text(&answer->http.body), answer->http.body.len, "the answer", &x, err))
		return err_recode(err, ERR_BACKUP);
	char *id = xml_is(xml_root(x), "InitiateMultipartUploadResult") ? xml_text(xml_root(x), "UploadId")
	                                                                : NULL;
	if (!id || !*id) {
		free(id);
		return err_set(err, ERR_BACKUP, "the server gave the upload no id");
	}
	*out = id;
	return true;
}

bool s3_multipart_begin(struct s3_client *c, const char *key, char **id, bool *doubtful, struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	cleanup_strv struct strv query = STRV_INIT, headers = STRV_INIT;
	const struct s3_call call = {
		.method = "POST", .key = key, .query = &query, .headers = &headers, .body = ""
	};

	strv_add(&query, "uploads");
	strv_add(&query, "");
	strv_add(&headers, "Content-Type: application/octet-stream");
	bool sent = s3_send(c, NULL, &call, &answer, err);
	bool ok = sent && upload_id(&answer, id, err);
	*doubtful = answer.maybe_done || (sent && !ok);
	return ok;
}

/* ------------------------------------------------------------------ completed */

/* What is under the key. */
enum found { FOUND_OURS, FOUND_NOTHING, FOUND_OTHER, FOUND_UNKNOWN };

/* MD5 of the parts' MD5s, "-", their number: S3's ETag unless KMS encrypts. */
static char *expected_etag(const struct s3_parts *p)
{
	char hex[2 * MD5_BYTES + 1];
	unsigned char all[MD5_BYTES];

	md5_of(p->md5, p->etags.n * MD5_BYTES, all);
	hash_hex(all, sizeof(all), hex);
	return mem_fmt("\"%s-%zu\"", hex, p->etags.n);
}

/* Reads it again, a part at a time. */
static enum found compare_bytes(struct s3_client *c, const char *key, const struct s3_parts *p)
{
	int64_t at = 0;

	for (size_t i = 0; i < p->etags.n; at += p->sizes[i++]) {
		cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT((size_t)p->sizes[i]);
		cleanup_free char *range =
			mem_fmt("%lld-%lld", (long long)at, (long long)(at + p->sizes[i] - 1));
		const struct s3_call call = { .method = "GET", .key = key, .range = range };
		unsigned char md5[MD5_BYTES];
		struct err ignored = ERR_INIT;
		if (!s3_send(c, NULL, &call, &answer, &ignored))
			return FOUND_UNKNOWN;
		md5_of(buf_text(&answer.http.body), answer.http.body.len, md5);
		if (memcmp(md5, p->md5[i], MD5_BYTES) != 0)
			return FOUND_OTHER;
	}
	return FOUND_OURS;
}

static enum found look(struct s3_client *c, const char *key, const struct s3_parts *p)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	cleanup_free char *wanted = expected_etag(p);
	const struct s3_call call = { .method = "HEAD", .key = key };
	struct err ignored = ERR_INIT;
	int64_t size;

	if (!s3_send(c, NULL, &call, &answer, &ignored))
		return answer.http.status == 404 ? FOUND_NOTHING : FOUND_UNKNOWN;
	const char *etag = transfer_header_in(&answer.http.headers, "ETag");
	const char *length = transfer_header_in(&answer.http.headers, "Content-Length");
	if (!length || !text_to_int64(length, &size))
		return FOUND_UNKNOWN;
	if (size != p->total)
		return FOUND_OTHER;
	return etag && strcmp(etag, wanted) == 0 ? FOUND_OURS : compare_bytes(c, key, p);
}

static char *complete_body(const struct s3_parts *p)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&b, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < p->etags.n; i++) {
		buf_fmt(&b, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
		for (const char *c = p->etags.v[i]; *c; c++) {
			if (strchr("<>&\"", *c))
				buf_fmt(&b, "&#%d;", *c);
			else
				buf_char(&b, *c);
		}
		buf_str(&b, "</ETag></Part>");
	}
	buf_str(&b, "</CompleteMultipartUpload>");
	return buf_take(&b);
}

static bool is_result(const struct s3_answer *answer)
{
	const char *text = buf_text(&answer->http.body);
	cleanup_xml struct xml *x = NULL;
	struct err ignored = ERR_INIT;

	text += strspn(text, " \t\r\n"); /* blanks before the declaration */
	return xml_parse(text, strlen(text), "the answer", &x, &ignored) &&
	       xml_is(xml_root(x), "CompleteMultipartUploadResult");
}

/* One attempt, and what it means: the answer's word, or, where that is not to be had, what is there now. */
static enum found complete_once(struct s3_client *c, const struct s3_call *call, const struct s3_parts *parts,
                                bool *again, struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(SMALL_ANSWER);
	bool sent = s3_send(c, NULL, call, &answer, err);

	*again = true;
	if (sent && is_result(&answer))
		return FOUND_OURS;
	if (sent)
		err_set(err, ERR_BACKUP, "%s: the answer to CompleteMultipartUpload is none", call->key);
	bool gone = strcmp(answer.code, "NoSuchUpload") == 0;
	if (!sent && !gone && !answer.passing) {
		*again = false;
		return FOUND_NOTHING;
	}
	if (err->code == ERR_CANCELLED) {
		*again = false;
		return FOUND_UNKNOWN;
	}
	enum found found = sent || gone || answer.maybe_done ? look(c, call->key, parts) : FOUND_NOTHING;
	*again = found == FOUND_UNKNOWN || (found == FOUND_NOTHING && !gone);
	return found;
}

bool s3_multipart_complete(struct s3_client *c, const char *key, const char *id, const struct s3_parts *parts,
                           struct err *err)
{
	cleanup_strv struct strv query = STRV_INIT, headers = STRV_INIT;
	cleanup_free char *body = complete_body(parts);
	const struct s3_call call = { .method = "POST",
		                      .key = key,
		                      .query = &query,
		                      .headers = &headers,
		                      .body = body,
		                      .body_len = strlen(body),
		                      .attempts = 1,
		                      .patience = COMPLETE_PATIENCE };
	struct err why;

	strv_add(&query, "uploadId");
	strv_add(&query, id);
	strv_add(&headers, "Content-Type: application/xml");
	for (int i = 0; i < s3_client_config(c)->attempts; i++) {
		bool again;
		why = (struct err)ERR_INIT;
		if (complete_once(c, &call, parts, &again, &why) == FOUND_OURS)
			return true;
		if (!again)
			break;
		clock_sleep_ms(clock_backoff_ms(i, BACKOFF_MS, BACKOFF_CAP_MS));
	}
	*err = why;
	return err_wrap(err, "the upload could not be completed");
}

/* ------------------------------------------------------------------ aborted */

static bool is_gone(const struct s3_answer *answer)
{
	return answer->http.status == 404 && strcmp(answer->code, "NoSuchBucket") != 0;
}

bool s3_multipart_abort(struct s3_client *c, const char *key, const char *id, struct err *err)
{
	cleanup_strv struct strv query = STRV_INIT;
	struct s3_call call = {
		.key = key, .query = &query, .attempts = CLEANUP_ATTEMPTS, .despite_cancel = true
	};

	strv_add(&query, "uploadId");
	strv_add(&query, id);
	for (int i = 0; i < ABORTS_MAX; i++) {
		cleanup_s3_answer struct s3_answer aborted = S3_ANSWER_INIT(SMALL_ANSWER);
		cleanup_s3_answer struct s3_answer listed = S3_ANSWER_INIT(S3_ANSWER_MAX);
		struct err why = ERR_INIT;
		call.method = "DELETE";
		if (!s3_send(c, NULL, &call, &aborted, &why)) {
			if (is_gone(&aborted))
				return true;
			*err = why;
			return false;
		}
		/* ListParts knows; where it is not allowed, DELETE's word has to do. */
		call.method = "GET";
		if (!s3_send(c, NULL, &call, &listed, &why))
			return true;
	}
	return err_set(err, ERR_BACKUP, "the upload of %s stays open after %d aborts", key, ABORTS_MAX);
}

bool s3_multipart_abort_all(struct s3_client *c, const char *key, struct err *err)
{
	cleanup_s3_open_uploads struct s3_open_uploads open = { .v = NULL };
	bool ok = true;

	if (!s3_list_uploads(c, key, &open, err))
		return false;
	for (size_t i = 0; i < open.n; i++)
		if (strcmp(open.v[i].key, key) == 0)
			ok = s3_multipart_abort(c, key, open.v[i].id, err) && ok;
	return ok;
}

/* ------------------------------------------------------------------ swept */

/* The note was made before the upload: that it names no id may mean that the answer came too late. */
static bool settle(void *ctx, const char *key, const struct strv *ids)
{
	struct s3_client *c = ctx;
	struct err ignored = ERR_INIT;
	bool ok = true;

	for (size_t i = 0; i < ids->n; i++)
		ok = s3_multipart_abort(c, key, ids->v[i], &ignored) && ok;
	return s3_multipart_abort_all(c, key, &ignored) && ok;
}

static bool digits(const char *p, size_t n, const char *set) { return strspn(p, set) >= n; }

/* DATABASE-SYSTEM/YYYYMMDDTHHMMSSZ-HEADS-xxxxxxxx/backup.tar...: design.md section 5. */
static bool is_our_name(const char *key)
{
	static const char dec[] = "0123456789", hex[] = "0123456789abcdef";
	const char *folder = strchr(key, '/');
	const char *object = folder ? strchr(folder + 1, '/') : NULL;

	if (!object || object - folder < 28 || !text_starts(object, "/backup.tar"))
		return false;
	const char *when = folder + 1, *id = object - 8;
	return digits(when, 8, dec) && when[8] == 'T' && digits(when + 9, 6, dec) && when[15] == 'Z' &&
	       when[16] == '-' && id[-1] == '-' && digits(id, 8, hex);
}

void s3_multipart_sweep(struct s3_client *c)
{
	const struct s3_config *config = s3_client_config(c);
	cleanup_s3_open_uploads struct s3_open_uploads open = { .v = NULL };
	struct err ignored = ERR_INIT;

	notes_visit(&config->notes, settle, c);
	if (!s3_list_uploads(c, config->prefix, &open, &ignored))
		return;
	for (size_t i = 0; i < open.n; i++) {
		const struct s3_open_upload *u = &open.v[i];
		bool old = u->initiated_us > 0 && clock_wall_us() - u->initiated_us > LEFTOVER_US;
		bool ours =
			text_starts(u->key, config->prefix) && is_our_name(u->key + strlen(config->prefix));
		if (old && ours && !s3_multipart_abort(c, u->key, u->id, &ignored))
			return;
	}
}
