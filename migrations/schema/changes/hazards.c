#include "migrations/schema/changes/hazards.h"

#include "migrations/schema/changes/kinds.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return strcmp(o->kind->name, kind) == 0; }

/* How a statement begins, and a word in it; the first row that fits says which lock it takes (PostgreSQL 15, "Explicit
 * Locking" and the pages of the statements; ALTER TABLE's: AlterTableGetLockLevel() of tablecmds.c). */
static const struct lock {
	const char *begins, *has;
	unsigned hazard;
} LOCKS[] = {
	{ "ALTER TABLE ", " VALIDATE CONSTRAINT ", 0 },
	{ "ALTER TABLE ", " SET STATISTICS ", 0 },
	{ "ALTER TABLE ", " CLUSTER ON ", 0 },
	{ "ALTER TABLE ", " SET WITHOUT CLUSTER", 0 },
	{ "ALTER TABLE ", " SET (", 0 },
	{ "ALTER TABLE ", " RESET (", 0 },
	{ "ALTER TABLE ", " FOREIGN KEY ", HAZARD_WRITE_LOCK },
	{ "ALTER TABLE ", " TRIGGER ", HAZARD_WRITE_LOCK },
	{ "ALTER TABLE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "ALTER FOREIGN TABLE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "ALTER MATERIALIZED VIEW ", " SET (", 0 },
	{ "ALTER MATERIALIZED VIEW ", " RESET (", 0 },
	{ "ALTER MATERIALIZED VIEW ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "REFRESH MATERIALIZED VIEW ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "DROP TABLE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "DROP FOREIGN TABLE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "DROP MATERIALIZED VIEW ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "CREATE INDEX CONCURRENTLY ", NULL, 0 },
	{ "CREATE UNIQUE INDEX CONCURRENTLY ", NULL, 0 },
	{ "CREATE INDEX ", NULL, HAZARD_WRITE_LOCK },
	{ "CREATE UNIQUE INDEX ", NULL, HAZARD_WRITE_LOCK },
	{ "DROP INDEX CONCURRENTLY ", NULL, 0 },
	{ "DROP INDEX ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "ALTER INDEX ", " SET TABLESPACE ", HAZARD_EXCLUSIVE_LOCK },
	{ "CREATE TRIGGER ", NULL, HAZARD_WRITE_LOCK },
	{ "CREATE OR REPLACE TRIGGER ", NULL, HAZARD_WRITE_LOCK },
	{ "CREATE CONSTRAINT TRIGGER ", NULL, HAZARD_WRITE_LOCK },
	{ "DROP TRIGGER ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "CREATE RULE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "CREATE OR REPLACE RULE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "DROP RULE ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "CREATE POLICY ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "ALTER POLICY ", NULL, HAZARD_EXCLUSIVE_LOCK },
	{ "DROP POLICY ", NULL, HAZARD_EXCLUSIVE_LOCK },
	/* The columns of a domain are read, those of a typed table changed. */
	{ "ALTER DOMAIN ", " ADD CONSTRAINT ", HAZARD_WRITE_LOCK },
	{ "ALTER DOMAIN ", " VALIDATE CONSTRAINT ", HAZARD_WRITE_LOCK },
	{ "ALTER DOMAIN ", " SET NOT NULL", HAZARD_WRITE_LOCK },
	{ "ALTER TYPE ", " ATTRIBUTE ", HAZARD_EXCLUSIVE_LOCK },
};

static unsigned lock_of(const char *sql)
{
	for (size_t i = 0; i < sizeof(LOCKS) / sizeof(*LOCKS); i++)
		if (text_starts(sql, LOCKS[i].begins) && (!LOCKS[i].has || words_find(sql, LOCKS[i].has)))
			return LOCKS[i].hazard;
	return 0;
}

/* What is locked: a table, or the type that tables' columns have; NULL for what nobody waits for. */
static const struct object *locked_by(const struct object *o)
{
	static const char *const KINDS[] = { "table",  "foreign table",  "materialized view",
		                             "domain", "composite type", NULL };

	for (; o; o = o->part_of)
		for (size_t i = 0; KINDS[i]; i++)
			if (is(o, KINDS[i]))
				return o;
	return NULL;
}

static bool is_there(const struct object *o, const char *sql)
{
	return o && o->old && (!object_makes(o) || text_starts(sql, "DROP "));
}

/* A foreign key locks the table that it refers to as well. */
static bool refers_to_old(const struct objects *all, const char *sql)
{
	static const char REFERENCES[] = " REFERENCES ";
	const char *at = words_find(sql, REFERENCES), *name = at ? at + strlen(REFERENCES) : NULL;
	cleanup_free char *table = name ? mem_strndup(name, (size_t)(words_find(name, "(") - name)) : NULL;
	const struct object *found = table ? objects_find(all, "table", table) : NULL;

	return found && is_there(found, sql);
}

/* The rows of the default partition are read when another one is attached. */
static bool has_default(const struct objects *all, const struct object *parent)
{
	for (FOR_LINKS(i, &all->old_users, all, parent)) {
		const struct object *p = all->old_users.v[i];
		const char *bound = is(p, "partition") ? fact_value(p->old, "bound") : NULL;

		if (bound && strcmp(bound, "DEFAULT") == 0)
			return true;
	}
	return false;
}

/* A new table that is attached to one that is there. */
static unsigned lock_of_parent(const struct objects *all, const struct object *partition)
{
	const struct object *parent = objects_find(all, "table", fact_value(partition->new, "parent"));

	return parent && parent->old && has_default(all, parent) ? HAZARD_EXCLUSIVE_LOCK : 0;
}

unsigned hazards_of_locks(const struct objects *all, const struct object *o, const char *sql)
{
	unsigned lock = lock_of(sql);

	if (lock == 0 || is_there(locked_by(o), sql))
		return lock;
	if (is(o, "partition") && o->new)
		return lock_of_parent(all, o);
	return refers_to_old(all, sql) ? HAZARD_WRITE_LOCK : 0;
}

/* DomainHasConstraints() of typcache.c, which looks at what it is made of, too; a default of its own is no column's. */
static bool domain_fills(const struct objects *all, const char *type, bool has_default)
{
	const struct object *domain = objects_find(all, "domain", type);

	if (!domain || !domain->new)
		return false;
	if (fact_value(domain->new, "not null") || (fact_value(domain->new, "default") && !has_default) ||
	    domain_fills(all, fact_value(domain->new, "type"), has_default))
		return true;
	for (FOR_LINKS(i, &all->new_users, all, domain))
		if (is(all->new_users.v[i], "domain constraint") && all->new_users.v[i]->part_of == domain)
			return true;
	return false;
}

bool hazards_fills_rows(const struct objects *all, const struct object *column)
{
	const struct fact *f = column->new;
	const struct object *preset = objects_find(all, "column default", f->name);
	bool has_default = preset && preset->new;

	return fact_value(f, "identity") || (fact_value(f, "generated") && !fact_value(f, "virtual")) ||
	       (has_default && fact_value(preset->new, "volatile")) ||
	       domain_fills(all, fact_value(f, "type"), has_default);
}
