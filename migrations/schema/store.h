/*
 * store.h - where the facts of one reading live: strings and arrays in one arena, sorted once.
 * Private to schema/.
 */
#ifndef MIGRATIONS_SCHEMA_STORE_H
#define MIGRATIONS_SCHEMA_STORE_H

#include "migrations/schema/schema.h"

#include <stdarg.h>

struct arena_block;

struct schema {
	struct fact *facts;
	size_t n, cap;
	struct arena_block *blocks;
};

struct schema *schema_new(void);

/* A copy that lives as long as s; bytes that are not UTF-8 become \xNN, so that JSON can hold every text. */
const char *schema_keep(struct schema *s, const char *text);

/* Strings must be kept already; the array is copied and sorted. */
void schema_add(struct schema *s, const char *kind, const char *name, const struct attribute *attributes,
                size_t n);

/* Sorts the facts and gives each its digest: once, after the last schema_add(). */
void schema_seal(struct schema *s);

/* What counts at a level. */
bool level_has_fact(enum schema_level level, const struct fact *f);
bool level_has_attribute(enum schema_level level, const struct attribute *a);

/* The text that is compared and hashed. */
static inline const char *attribute_form(const struct attribute *a)
{
	return a->form ? a->form : a->value;
}

/* For changes: the facts of schema_read() but those of the database itself, and those of kinds/parts.c. */
MUST_CHECK bool schema_read_parts(struct db *db, const struct schema_options *options, struct schema **out,
                                  struct err *err);

int fact_compare(const struct fact *a, const struct fact *b); /* by kind, then name */

/* A value on one line: \n, \t and \\ as such. */
void print_value(struct buf *out, const char *value);

#endif
