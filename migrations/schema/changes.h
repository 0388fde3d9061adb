/*
 * changes.h - from one schema to another: the statements, in an order that works.
 *
 * Both sides are read from servers of the same major version, in a number of catalog queries that does not
 * depend on the number of objects; neither database is changed.  What is compared is everything that schema.h
 * calls a fact, but the facts of the database itself (level SCHEMA_INSIDE).  Dependencies are pg_depend's:
 * drops follow those of the old state, creations those of the new one.  docs/schema.md says what is refused.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_H
#define MIGRATIONS_SCHEMA_CHANGES_H

#include "migrations/schema/schema.h"

enum hazard {
	HAZARD_DATA_LOSS = 1,
	HAZARD_REWRITE = 2,          /* a table or what it stores for a view gets other files */
	HAZARD_EXCLUSIVE_LOCK = 4,   /* nobody reads a table that was there: ACCESS EXCLUSIVE */
	HAZARD_INDEX_BUILD = 8,
	HAZARD_NOT_TRANSACTIONAL = 16,
	HAZARD_WRITE_LOCK = 32,      /* nobody writes to one: SHARE, SHARE ROW EXCLUSIVE */
};

struct change {
	char *sql;          /* one statement, as a person would write it, without the semicolon */
	char *about;        /* "table public.t: add column c" */
	unsigned hazards;   /* enum hazard, or-ed */
	bool commit_before; /* what it needs must be committed first (a new enum value in use) */
};

struct changes {
	struct change *v;
	size_t n;
};

/* Qualified and quoted as the facts are: public.t -> public.u, public.t.a -> public.t.b. */
struct rename {
	const char *from, *to;
};

struct changes_options {
	const struct rename *renames;
	size_t n_renames;
	/* Tables that are there are locked for no longer than a moment where that can be: their indexes are made CONCURRENTLY,
	 * keys by such an index, and checks and foreign keys are validated after a COMMIT. */
	bool concurrently;
};

/*
 * The statements that make the database of `from` like that of `to`, in an order that works; both servers of
 * the same major.  What cannot be expressed is an error (ERR_REFUSED) that names the object.  Neither database
 * is changed: renames are done in `from` within a transaction that is rolled back, which locks what they name
 * for as long as the reading takes.  *out is the caller's, changes_clear().
 */
MUST_CHECK bool schema_changes(struct db *from, struct db *to, const struct schema_options *schema,
                               const struct changes_options *options, struct changes *out, struct err *err);
/* One more at the end; texts are copied. */
void changes_add(struct changes *c, const char *sql, const char *about, unsigned hazards);
void changes_clear(struct changes *c);
#define cleanup_changes __attribute__((cleanup(changes_clear)))

const char *hazard_name(enum hazard h);

#endif
