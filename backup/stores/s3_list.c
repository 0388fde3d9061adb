#include "backup/stores/s3_list.h"

#include "backup/stores/s3_sources.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/xml.h"

#include <stdlib.h>
#include <string.h>

#define PAGE "1000" /* the most that S3 gives */
/* Ten million objects: a server that never ends a listing must not hold us for ever. */
#define PAGES_MAX 10000

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

	return at && c != ' ' ? (int)(at - digits) : -1;
}

/* As forms encode: S3 writes a blank as '+', and '+' as %2B. */
static void decode(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		int high = *p == '%' ? hex(p[1]) : -1, low = high >= 0 ? hex(p[2]) : -1;
		if (low >= 0) {
			*to++ = (char)(high * 16 + low);
			p += 2;
		} else {
			*to++ = *p == '+' ? ' ' : *p;
		}
	}
	*to = '\0';
}

/* The key of an item; NULL when it has none. */
static char *key_of(const struct xml_node *root, const struct xml_node *item)
{
	cleanup_free char *encoding = xml_text(root, "EncodingType");
	char *key = xml_text(item, "Key");

	if (key && encoding && strcmp(encoding, "url") == 0)
		decode(key);
	return key;
}

static bool get_page(struct s3_client *c, const struct strv *query, const char *root, struct xml **out,
                     struct err *err)
{
	cleanup_s3_answer struct s3_answer answer = S3_ANSWER_INIT(S3_ANSWER_MAX);
	const struct s3_call call = { .method = "GET", .query = query };
	struct xml *x = NULL;

	if (!s3_send(c, NULL, &call, &answer, err))
		return false;
	if (!xml_parse(buf_text(&answer.http.body), answer.http.body.len, "the listing", &x, err))
		return err_recode(err, ERR_BACKUP);
	if (!xml_is(xml_root(x), root)) {
		xml_free(x);
		return err_set(err, ERR_BACKUP, "the listing is no %s", root);
	}
	*out = x;
	return true;
}

/* The end of a page: whether another one follows, and the marker to ask for it with, which must move on. */
static bool next_marker(const struct xml_node *root, const char *name, char **marker, struct err *err)
{
	cleanup_free char *more = xml_text(root, "IsTruncated");
	char *next = xml_text(root, name);
	bool goes_on = more && strcmp(more, "true") == 0;

	if (goes_on && (!next || !*next || (*marker && strcmp(next, *marker) == 0))) {
		free(next);
		return err_set(err, ERR_BACKUP, "the listing is cut, and does not say where it goes on");
	}
	free(*marker);
	*marker = goes_on ? next : NULL;
	if (!goes_on)
		free(next);
	return true;
}

static void add_pair(struct strv *query, const char *name, const char *value)
{
	strv_add(query, name);
	strv_add(query, value);
}

static bool too_many(struct err *err)
{
	return err_set(err, ERR_BACKUP, "the listing has no end; give the store a prefix of its own");
}

bool s3_list_objects(struct s3_client *c, const char *prefix, struct strv *keys, struct err *err)
{
	cleanup_free char *token = NULL;

	for (int page = 0; page < PAGES_MAX; page++) {
		cleanup_strv struct strv query = STRV_INIT;
		cleanup_xml struct xml *x = NULL;
		add_pair(&query, "list-type", "2");
		add_pair(&query, "encoding-type", "url");
		add_pair(&query, "max-keys", PAGE);
		add_pair(&query, "prefix", prefix);
		if (token)
			add_pair(&query, "continuation-token", token);
		if (!get_page(c, &query, "ListBucketResult", &x, err))
			return false;
		const struct xml_node *root = xml_root(x), *item = xml_first(root, "Contents");
		for (; item; item = xml_next(item, "Contents")) {
			cleanup_free char *key = key_of(root, item);
			if (key)
				strv_add(keys, key);
		}
		if (!next_marker(root, "NextContinuationToken", &token, err))
			return false;
		if (!token)
			return true;
	}
	return too_many(err);
}

static void add_upload(struct s3_open_uploads *out, const struct xml_node *root, const struct xml_node *item)
{
	cleanup_free char *initiated = xml_text(item, "Initiated");
	struct s3_open_upload u = { .key = key_of(root, item),
		                    .id = xml_text(item, "UploadId"),
		                    .initiated_us = s3_time_us(initiated) };

	if (!u.key || !u.id) {
		free(u.key);
		free(u.id);
		return;
	}
	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = u;
}

static bool list_uploads(struct s3_client *c, const char *prefix, struct s3_open_uploads *out,
                         struct err *err)
{
	cleanup_free char *key_marker = NULL, *id_marker = NULL;

	for (int page = 0; page < PAGES_MAX; page++) {
		cleanup_strv struct strv query = STRV_INIT;
		cleanup_xml struct xml *x = NULL;
		add_pair(&query, "uploads", "");
		add_pair(&query, "max-uploads", PAGE);
		add_pair(&query, "prefix", prefix);
		if (id_marker) {
			add_pair(&query, "key-marker", key_marker ? key_marker : "");
			add_pair(&query, "upload-id-marker", id_marker);
		}
		if (!get_page(c, &query, "ListMultipartUploadsResult", &x, err))
			return false;
		const struct xml_node *root = xml_root(x), *item = xml_first(root, "Upload");
		for (; item; item = xml_next(item, "Upload"))
			add_upload(out, root, item);
		free(key_marker);
		key_marker = xml_text(root, "NextKeyMarker");
		if (!next_marker(root, "NextUploadIdMarker", &id_marker, err))
			return false;
		if (!id_marker)
			return true;
	}
	return too_many(err);
}

bool s3_list_uploads(struct s3_client *c, const char *prefix, struct s3_open_uploads *out, struct err *err)
{
	struct s3_open_uploads all = { .v = NULL };

	if (!list_uploads(c, prefix, &all, err)) {
		s3_open_uploads_clear(&all);
		return false;
	}
	*out = all;
	return true;
}

void s3_open_uploads_clear(struct s3_open_uploads *u)
{
	for (size_t i = 0; i < u->n; i++) {
		free(u->v[i].key);
		free(u->v[i].id);
	}
	free(u->v);
	*u = (struct s3_open_uploads){ .v = NULL };
}
