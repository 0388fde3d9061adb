#include "backup/manifest.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ members */

void members_add(struct members *m, const char *name, int64_t bytes, int64_t raw_bytes, const char *sha256)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->v = mem_grow(m->v, m->cap, sizeof(*m->v));
	}
	struct member *one = &m->v[m->n++];
	*one = (struct member){ .name = mem_strdup(name), .bytes = bytes, .raw_bytes = raw_bytes };
	snprintf(one->sha256, sizeof(one->sha256), "%s", sha256);
}

json_t *members_json(const struct members *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n; i++) {
		json_t *one = json_object();
		json_put(one, "name", json_str(m->v[i].name));
		json_put(one, "bytes", json_integer(m->v[i].bytes));
		json_put(one, "raw_bytes", json_integer(m->v[i].raw_bytes));
		json_put(one, "sha256", json_str(m->v[i].sha256));
		json_push(list, one);
	}
	return list;
}

void members_clear(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].name);
	free(m->v);
	*m = (struct members){ .v = NULL };
}

bool member_is_data(const struct member *m) { return text_starts(m->name, "data/"); }

/* ------------------------------------------------------------------ checks */

static bool is_hex64(const char *s) { return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64; }

/* data/NNNNNN.zst in order, or NAME.zst without a folder: nothing else may stand in the tar. */
static bool is_expected_name(const char *name, size_t *n_data)
{
	char expected[32];

	if (!text_starts(name, "data/"))
		return text_ends(name, MEMBER_SUFFIX) && !strchr(name, '/') && name[0] != '.';
	snprintf(expected, sizeof(expected), DATA_FORMAT, *n_data + 1);
	++*n_data;
	return strcmp(name, expected) == 0;
}

static bool read_member(struct members *out, const json_t *one, size_t *n_data, struct err *err)
{
	const char *name, *sha256;
	int64_t bytes, raw_bytes;

	if (!json_need_str(one, "name", &name, err) || !json_need_str(one, "sha256", &sha256, err) ||
	    !json_need_int(one, "bytes", &bytes, err) || !json_need_int(one, "raw_bytes", &raw_bytes, err))
		return false;
	if (!is_expected_name(name, n_data))
		return err_set(err, ERR_CORRUPT, "a member cannot be called '%s' here", name);
	if (bytes <= 0 || bytes > MEMBER_MAX || raw_bytes < 0 || raw_bytes > MEMBER_MAX || !is_hex64(sha256))
		return err_set(err, ERR_CORRUPT, "the size or digest of %s makes no sense", name);
	members_add(out, name, bytes, raw_bytes, sha256);
	return true;
}

static bool read_members(struct manifest *m, struct err *err)
{
	const json_t *list = json_object_get(m->json, "members");
	size_t n_data = 0;

	if (!json_is_array(list))
		return err_set(err, ERR_CORRUPT, "it has no list of members");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_member(&m->members, json_array_get(list, i), &n_data, err))
			return false;
	if (n_data == 0)
		return err_set(err, ERR_CORRUPT, "it names no data");
	return true;
}

static bool read_object(struct manifest *m, struct err *err)
{
	const json_t *object = json_object_get(m->json, "object");
	const char *name, *sha256;

	if (!object)
		return err_set(err, ERR_CORRUPT, "it does not say what holds the data");
	if (!json_need_str(object, "name", &name, err) || !json_need_str(object, "sha256", &sha256, err) ||
	    !json_need_int(object, "bytes", &m->object_bytes, err))
		return false;
	const char *expected = manifest_is_encrypted(m) ? BACKUP_OBJECT AGE_SUFFIX : BACKUP_OBJECT;
	if (strcmp(name, expected) != 0 || !is_hex64(sha256) || m->object_bytes <= 0)
		return err_set(err, ERR_CORRUPT, "what it says of '%s' makes no sense", name);
	return true;
}

void sealed_digest(const json_t *json, char hex[SHA256_HEX])
{
	cleanup_json json_t *bare = json_copy((json_t *)json);

	json_object_del(bare, "digest");
	json_digest(bare, hex);
}

static bool check_digest(const struct manifest *m, struct err *err)
{
	const char *said;
	char is[SHA256_HEX];

	if (!json_need_str(m->json, "digest", &said, err))
		return false;
	sealed_digest(m->json, is);
	return strcmp(said, is) == 0 ||
	       err_set(err, ERR_CORRUPT, "its own digest does not fit: it was changed");
}

/* The format comes first: a newer one may be right in ways that are not known here. */
static bool check(struct manifest *m, struct err *err)
{
	static const char *const texts[] = { "id",     "folder", "engine", "database", "system_identifier",
		                             "created" };
	int64_t format;
	const char *text;

	if (!json_is_object(m->json))
		return err_set(err, ERR_CORRUPT, "it is no JSON object");
	if (!json_need_int(m->json, "format", &format, err))
		return false;
	if (format != MANIFEST_FORMAT)
		return err_set(err, ERR_BACKUP, "it has format %lld, and this program reads %d",
		               (long long)format, MANIFEST_FORMAT);
	if (!check_digest(m, err))
		return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!json_need_str(m->json, texts[i], &text, err))
			return false;
	if (!clock_from_iso(manifest_str(m, "created"), &m->created_us))
		return err_set(err, ERR_CORRUPT, "'%s' is no time", manifest_str(m, "created"));
	return read_members(m, err) && read_object(m, err);
}

static bool adopt(json_t *json, const char *what, struct manifest **out, struct err *err)
{
	cleanup_manifest struct manifest *m = mem_new0(sizeof(*m));

	m->json = json;
	if (!check(m, err))
		return err_wrap(err, "%s", what);
	*out = m;
	m = NULL;
	return true;
}

bool manifest_seal(json_t *json, struct manifest **out, struct err *err)
{
	char digest[SHA256_HEX];

	sealed_digest(json, digest);
	json_put(json, "digest", json_str(digest));
	return adopt(json, "the new manifest", out, err);
}

bool manifest_parse(const char *text, size_t len, const char *what, struct manifest **out, struct err *err)
{
	cleanup_manifest struct manifest *m = NULL;
	json_t *json;

	if (!json_parse(text, len, what, &json, err) || !adopt(json, what, &m, err))
		return false;
	cleanup_free char *exact = manifest_text(m);
	if (strlen(exact) != len || memcmp(exact, text, len) != 0)
		return err_set(err, ERR_CORRUPT, "%s: it says the same in other bytes: it was changed", what);
	*out = m;
	m = NULL;
	return true;
}

char *manifest_text(const struct manifest *m)
{
	char *text = json_dumps(m->json, JSON_SORT_KEYS | JSON_INDENT(2));
	char *with_end = mem_fmt("%s\n", text);

	free(text);
	return with_end;
}

/* ------------------------------------------------------------------ questions */

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	json_decref(m->json);
	members_clear(&m->members);
	strv_clear(&m->stores);
	free(m->pin_reason);
	free(m->verified_how);
	free(m);
}

const char *manifest_str(const struct manifest *m, const char *key)
{
	return json_string_value(json_object_get(m->json, key));
}

const json_t *manifest_rows(const struct manifest *m)
{
	const json_t *rows = json_object_get(m->json, "rows");
	return json_is_object(rows) ? rows : NULL;
}

bool manifest_is_encrypted(const struct manifest *m)
{
	const json_t *encryption = json_object_get(m->json, "encryption");
	return encryption && !json_is_null(encryption);
}

const char *manifest_id(const struct manifest *m) { return manifest_str(m, "id"); }
const char *manifest_folder(const struct manifest *m) { return manifest_str(m, "folder"); }
int64_t manifest_created_us(const struct manifest *m) { return m->created_us; }
const json_t *manifest_json(const struct manifest *m) { return m->json; }
int64_t manifest_bytes(const struct manifest *m) { return m->object_bytes; }
bool manifest_is_pinned(const struct manifest *m) { return m->pin_reason != NULL; }
bool manifest_is_verified(const struct manifest *m) { return m->verified_how != NULL; }
const struct strv *manifest_stores(const struct manifest *m) { return &m->stores; }
const char *manifest_pin_reason(const struct manifest *m) { return m->pin_reason; }
const char *manifest_verified_how(const struct manifest *m) { return m->verified_how; }

const char *manifest_object_name(const struct manifest *m)
{
	return json_string_value(json_object_get(json_object_get(m->json, "object"), "name"));
}

/* "pg_dump (PostgreSQL) 15.20 (Debian ...)" */
int manifest_pg_major(const struct manifest *m)
{
	const char *version =
		json_string_value(json_object_get(json_object_get(m->json, "tools"), "pg_dump"));
	const char *number = version ? strchr(version, ')') : NULL;

	return number ? (int)strtol(number + 1, NULL, 10) : 0;
}

char *manifest_key(const struct manifest *m, const char *object)
{
	return mem_fmt("%s/%s", manifest_folder(m), object);
}
