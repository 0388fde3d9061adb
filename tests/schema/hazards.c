#include "tests/schema/hazards.h"

#include <stdio.h>
#include <string.h>

/* All that can be seen of tables: the file of each, and whether this session excludes everybody else from it, or all that
 * write.  A table that was dropped is in the list of locks alone. */
static const char PREPARE[] =
	"PREPARE hazards_look AS SELECT coalesce(c.oid, l.relation)::text,"
	" quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relfilenode::text,"
	" coalesce(l.all, false), coalesce(l.writers, false)"
	" FROM (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f') AND oid >= 16384) AS c"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" FULL JOIN (SELECT relation, bool_or(mode = 'AccessExclusiveLock') AS all, true AS writers"
	" FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND locktype = 'relation'"
	" AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')"
	" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	" GROUP BY relation) AS l"
	" ON l.relation = c.oid ORDER BY 1";
enum { OID, NAME, FILENODE, LOCKED, LOCKED_TO_WRITERS };

static bool look(struct db *db, struct rows **out, struct err *err)
{
	return db_query(db, "EXECUTE hazards_look", DB_NO_ARGS, out, err);
}

bool hazards_begin(struct db *db, struct hazards *out, struct err *err)
{
	return db_run(db, PREPARE, err) && look(db, &out->first, err) && look(db, &out->before, err);
}

bool hazards_again(struct db *db, struct hazards *h, struct err *err)
{
	struct rows *now = NULL;

	if (!look(db, &now, err))
		return false;
	rows_free(h->before);
	h->before = now;
	return true;
}

/* The row with that OID, or -1. */
static long find(const struct rows *rows, const char *oid)
{
	for (size_t i = 0; i < rows_count(rows); i++)
		if (strcmp(rows_get(rows, i, OID), oid) == 0)
			return (long)i;
	return -1;
}

static bool is_locked(const struct rows *rows, long i, size_t column)
{
	return i >= 0 && rows_get(rows, (size_t)i, column)[0] == 't';
}

static bool gets_locked(const struct rows *before, long i, const struct rows *after, long k, size_t column)
{
	return is_locked(after, k, column) && !is_locked(before, i, column);
}

static bool is_rewritten(const struct rows *before, long i, const struct rows *after, long k)
{
	const char *was = i >= 0 ? rows_get(before, (size_t)i, FILENODE) : NULL;
	const char *is = k >= 0 ? rows_get(after, (size_t)k, FILENODE) : NULL;

	return was && is && strcmp(was, is) != 0;
}

static size_t say(const char *way, const char *what, const char *table, const struct change *c)
{
	printf("%s: %s undeclared: %s: %s: %s\n", way, what, table, c->about, c->sql);
	return 1;
}

static size_t compare(const struct hazards *h, const struct rows *before, const struct rows *after,
                      const struct change *c, const char *way)
{
	size_t n = 0;

	for (size_t i = 0; i < rows_count(h->first); i++) {
		const char *oid = rows_get(h->first, i, OID), *name = rows_get(h->first, i, NAME);
		long was = find(before, oid), is = find(after, oid);

		if (is_rewritten(before, was, after, is) && !(c->hazards & HAZARD_REWRITE))
			n += say(way, "rewrite", name, c);
		if (gets_locked(before, was, after, is, LOCKED) && !(c->hazards & HAZARD_EXCLUSIVE_LOCK))
			n += say(way, "exclusive lock", name, c);
		else if (gets_locked(before, was, after, is, LOCKED_TO_WRITERS) &&
		         !(c->hazards & (HAZARD_EXCLUSIVE_LOCK | HAZARD_WRITE_LOCK)))
			n += say(way, "write lock", name, c);
	}
	return n;
}

bool hazards_check(struct db *db, struct hazards *h, const struct change *c, const char *way, size_t *n,
                   struct err *err)
{
	struct rows *before = h->before, *now = NULL;

	if (!look(db, &now, err))
		return false;
	*n += compare(h, before, now, c, way);
	rows_free(before);
	h->before = now;
	return true;
}

void hazards_clear(struct hazards *h)
{
	rows_free(h->first);
	rows_free(h->before);
}
