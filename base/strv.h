/*
 * strv.h - an owned vector of strings: argv, envp, lists from the configuration.
 * v is NULL-terminated at every moment once something was added (strv_argv() for an empty one).
 */
#ifndef BASE_STRV_H
#define BASE_STRV_H

#include "base/err.h"

#include <stddef.h>

struct strv {
	char **v;
	size_t n, cap;
};

#define STRV_INIT { .v = NULL }

void strv_add(struct strv *s, const char *text);
void strv_fmt(struct strv *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strv_add_all(struct strv *s, const struct strv *from);
void strv_split(struct strv *s, const char *list); /* at commas and white space; empty items vanish */
bool strv_has(const struct strv *s, const char *text);
bool strv_same(const struct strv *a, const struct strv *b); /* as sets; each has an item once */
bool strv_remove(struct strv *s, const char *text); /* false when it was not there */
void strv_sort(struct strv *s);                     /* by bytes */
char *strv_join(const struct strv *s, const char *between);
const char *const *strv_argv(const struct strv *s); /* NULL-terminated, borrowed */
/* For envp vectors: sets NAME=value, replacing a former one; a NULL value removes it. */
void strv_setenv(struct strv *s, const char *name, const char *value);
void strv_clear(struct strv *s);

#define cleanup_strv __attribute__((cleanup(strv_clear)))

#endif
