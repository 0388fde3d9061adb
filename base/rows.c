#include "base/rows.h"

#include "base/db.h"
#include "base/text.h"

#include <libpq-fe.h>

#include <stdlib.h>

#define BOOLEAN_OID 16 /* pg_type.dat, typname => 'bool' */

size_t rows_count(const struct rows *r) { return (size_t)PQntuples(r->res); }
size_t rows_columns(const struct rows *r) { return (size_t)PQnfields(r->res); }
const char *rows_name(const struct rows *r, size_t column) { return PQfname(r->res, (int)column); }
bool rows_is_bool(const struct rows *r, size_t column) { return PQftype(r->res, (int)column) == BOOLEAN_OID; }

const char *rows_get(const struct rows *r, size_t row, size_t column)
{
	/* libpq would answer "NULL" to a row or column that is not there. */
	if (row >= rows_count(r) || column >= rows_columns(r))
		abort();
	if (PQgetisnull(r->res, (int)row, (int)column))
		return NULL;
	return PQgetvalue(r->res, (int)row, (int)column);
}

int64_t rows_int(const struct rows *r, size_t row, size_t column)
{
	const char *text = rows_get(r, row, column);
	int64_t n = 0;

	if (text && !text_to_int64(text, &n))
		abort();
	return n;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	PQclear(r->res);
	free(r);
}
