#include "base/json.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson fails to build a value only without memory, or for a text that is not UTF-8,
 * which as_utf8() makes impossible. */
static void need(bool ok)
{
	if (!ok) {
		fputs("ripcord: a JSON value could not be built\n", stderr);
		abort();
	}
}

char *json_canonical(const json_t *j)
{
	char *text = json_dumps(j, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

	need(text != NULL);
	return text;
}

void json_digest(const json_t *j, char hex[65])
{
	char *text = json_canonical(j);

	sha256_of(text, strlen(text), hex);
	free(text);
}

bool json_parse(const char *text, size_t len, const char *what, json_t **out, struct err *err)
{
	json_error_t e;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);

	if (!j)
		return err_set(err, ERR_CORRUPT, "%s is not JSON: line %d, column %d: %s", what, e.line,
		               e.column, e.text);
	*out = j;
	return true;
}

/* Borrowed from obj; NULL when it is not there, or not of that type. */
static const json_t *need_member(const json_t *obj, const char *key, json_type type, const char *type_name,
                                 struct err *err)
{
	const json_t *member = json_object_get(obj, key);

	if (!member) {
		err_set(err, ERR_CORRUPT, "\"%s\" is missing", key);
		return NULL;
	}
	/* jansson has a type for each of the two booleans. */
	if (json_typeof(member) != type && !(type == JSON_TRUE && json_is_false(member))) {
		err_set(err, ERR_CORRUPT, "\"%s\" is not %s", key, type_name);
		return NULL;
	}
	return member;
}

bool json_need_str(const json_t *obj, const char *key, const char **out, struct err *err)
{
	const json_t *member = need_member(obj, key, JSON_STRING, "a string", err);

	if (member)
		*out = json_string_value(member);
	return member != NULL;
}

bool json_need_int(const json_t *obj, const char *key, int64_t *out, struct err *err)
{
	const json_t *member = need_member(obj, key, JSON_INTEGER, "an integer", err);

	if (member)
		*out = json_integer_value(member);
	return member != NULL;
}

bool json_need_bool(const json_t *obj, const char *key, bool *out, struct err *err)
{
	const json_t *member = need_member(obj, key, JSON_TRUE, "a boolean", err);

	if (member)
		*out = json_is_true(member);
	return member != NULL;
}

/* Owned by the caller. */
static char *as_utf8(const char *text)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (size_t left = strlen(text); left > 0;) {
		size_t valid = text_utf8_valid(text, left);
		buf_add(&b, text, valid);
		text += valid;
		left -= valid;
		if (left > 0) {
			buf_fmt(&b, "\\x%02X", (unsigned char)*text++);
			left--;
		}
	}
	return buf_take(&b);
}

json_t *json_str(const char *text)
{
	if (!text)
		return json_null();

	cleanup_free char *valid = as_utf8(text);
	json_t *j = json_string(valid);
	need(j != NULL);
	return j;
}

void json_put(json_t *obj, const char *key, json_t *value)
{
	cleanup_free char *valid = as_utf8(key);

	need(json_object_set_new(obj, valid, value) == 0);
}

void json_push(json_t *arr, json_t *value) { need(json_array_append_new(arr, value) == 0); }
