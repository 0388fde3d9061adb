/*
 * words.h - names and lists as facts have them, taken apart outside of quotes and parentheses.
 * What is returned is the caller's.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_WORDS_H
#define MIGRATIONS_SCHEMA_CHANGES_WORDS_H

#include "base/strv.h"

/* The first place of `word` from `text` on that stands outside of quotes and parentheses, NULL for none. */
const char *words_find(const char *text, const char *word);
/* The last one. */
const char *words_find_last(const char *text, const char *word);

/* "c" of "a.b.c". */
const char *words_last_name(const char *name);
/* Whether two names differ in no more than the last one. */
bool words_same_front(const char *a, const char *b);

/* "a, b" into its items. */
void words_list(struct strv *out, const char *text);

/* "'host=h, x', 'port=5'": quote_literal()'s items as they were before. */
void words_literals(struct strv *out, const char *text);

#endif
