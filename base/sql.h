/*
 * sql.h - SQL text that quotes what it is given.
 *
 *     char *sql = sql_fmt("ALTER DATABASE %I RENAME TO %I", live, quarantine);
 *
 * %I an identifier (always quoted), %L a literal ('...' or E'...', NULL for a NULL pointer),
 * %s text as it is (only text of ours), %d int, %lld long long, %llu, %zu, %% a percent sign.
 * Any other conversion is a bug and ends the process.
 */
#ifndef BASE_SQL_H
#define BASE_SQL_H

#include "base/buf.h"

#include <stdarg.h>

char *sql_fmt(const char *fmt, ...);                    /* owned by the caller */
void buf_sql(struct buf *b, const char *fmt, ...);      /* appends */
void buf_vsql(struct buf *b, const char *fmt, va_list *args); /* for functions that take a format themselves */
void sql_ident(struct buf *b, const char *name);
void sql_literal(struct buf *b, const char *text);

#endif
