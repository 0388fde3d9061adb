/*
 * rows.h - the inside of struct rows, for the two files that share it: db.c fills it, rows.c reads it.
 * What callers use is in db.h.
 */
#ifndef BASE_ROWS_H
#define BASE_ROWS_H

struct pg_result; /* libpq's PGresult */

struct rows {
	struct pg_result *res;
};

#endif
