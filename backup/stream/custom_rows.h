/*
 * custom_rows.h - counts the rows of every table while pg_dump's custom format passes by.
 *
 * pg_dump -Fc -Z0 writes a header, a table of contents, then one data block a table: its dump id and
 * chunks (length, bytes) of COPY text, where a newline ends a row and a raw newline never stands in one.
 * Source: PostgreSQL's src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc) and
 * pg_backup_custom.c; archive versions 1.14 (pg_dump 12 to 15), 1.15 (16) and 1.16 (17, 18).
 *
 * Counted: every TABLE DATA entry, empty tables and partitions among them.  Not counted, since
 * pg_dump writes no data for them: materialized views, foreign tables, partitioned parents, excluded
 * tables.  A configuration table of an extension counts only the rows that were dumped.
 *
 * Two kinds of doubt.  A format that is not understood (newer, compressed, --inserts) makes the
 * counts unknown, and says why.  A stream that is understood and ends early is an error.
 */
#ifndef BACKUP_STREAM_CUSTOM_ROWS_H
#define BACKUP_STREAM_CUSTOM_ROWS_H

#include "base/err.h"
#include "base/json.h"

#include <stddef.h>

struct custom_rows;

struct custom_rows *custom_rows_new(void);
void custom_rows_free(struct custom_rows *r); /* NULL is fine */

void custom_rows_add(struct custom_rows *r, const void *data, size_t len);

/* Call once, after the last byte.  ERR_BACKUP when no archive came or it ended too early. */
MUST_CHECK bool custom_rows_finish(struct custom_rows *r, struct err *err);

/* After finish: "schema.table", quoted as pg_dump quotes, -> rows; the caller's.  NULL: not known. */
json_t *custom_rows_counts(const struct custom_rows *r);
const char *custom_rows_doubt(const struct custom_rows *r); /* why not known, NULL when known */

static inline void cleanup_custom_rows_(struct custom_rows **r) { custom_rows_free(*r); }
#define cleanup_custom_rows __attribute__((cleanup(cleanup_custom_rows_)))

#endif
