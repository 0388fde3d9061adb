/*
 * json.h - the few things ripcord wants on top of jansson, whose json_t is used as it is.
 *
 * Canonical text (sorted keys, no blanks) is what digests are taken over, so that a
 * manifest or a journal line has one digest however it was written.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

static inline void cleanup_json_(json_t **j) { json_decref(*j); }
#define cleanup_json __attribute__((cleanup(cleanup_json_)))

char *json_canonical(const json_t *j);         /* owned by the caller */
void json_digest(const json_t *j, char hex[65]); /* SHA-256 of the canonical text */

/* `what` names the text in messages.  ERR_CORRUPT with line and column. */
MUST_CHECK bool json_parse(const char *text, size_t len, const char *what, json_t **out, struct err *err);

/* Members that must be there and be of that type; ERR_CORRUPT otherwise.  Borrowed from obj. */
MUST_CHECK bool json_need_str(const json_t *obj, const char *key, const char **out, struct err *err);
MUST_CHECK bool json_need_int(const json_t *obj, const char *key, int64_t *out, struct err *err);
MUST_CHECK bool json_need_bool(const json_t *obj, const char *key, bool *out, struct err *err);

/* NULL text gives JSON null; bytes that are not UTF-8 are written as \xNN escapes, never lost. */
json_t *json_str(const char *text);
void json_put(json_t *obj, const char *key, json_t *value); /* steals value; aborts on failure */
void json_push(json_t *arr, json_t *value);                 /* steals value; aborts on failure */

#endif
