/*
 * pair: whether schema_changes() leads from one schema to another, and back.
 *
 *     pair [--hazards] FROM.sql TO.sql
 *
 * Both are loaded; each way the changes are made to the one side, committed where they ask for it, and then it and
 * the other side must have the same facts (but for the order of columns), no changes to make, the same dump of pg_dump,
 * and rows that are still there.  With --hazards each change must say when it rewrites a table or excludes everybody;
 * then one way is run a change at a time.
 * Needs RIPCORD_TEST_PG, as tests/pg/with_cluster.sh sets it.  Prints what is wrong; exit 1.
 */
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "migrations/schema/changes/side.h"
#include "tests/schema/dump.h"
#include "tests/schema/hazards.h"
#include "tests/schema/rows.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAX 20
#define FILE_MAX  ((size_t)16 << 20)

static const struct schema_options OPTIONS = { .version_table = NULL };

/* One of the databases. */
struct place {
	char *name, *where;
	struct db *db;
	/* As it was before any change: */
	struct side side;
	char *dump;
};

struct pair {
	struct db *server; /* where databases are made */
	struct place from, to, copy, again;
	bool hazards;
};

/* ------------------------------------------------------------------ databases */

static bool place_open(struct place *p, struct err *err)
{
	cleanup_conninfo struct conninfo *ci = NULL;

	return conninfo_parse(p->where, &ci, err) && db_open(ci, "pair", &p->db, err);
}

static void place_close(struct place *p)
{
	db_close(p->db);
	p->db = NULL;
}

/* Of a template that nobody is connected to. */
static bool place_make(struct pair *all, struct place *p, const char *template, struct err *err)
{
	return db_runf(all->server, err, "CREATE DATABASE %I TEMPLATE %I", p->name, template) &&
	       place_open(p, err);
}

static bool place_drop(struct pair *all, struct place *p, struct err *err)
{
	place_close(p);
	return db_runf(all->server, err, "DROP DATABASE IF EXISTS %I WITH (FORCE)", p->name);
}

static void place_name(struct place *p, const char *what)
{
	p->name = mem_fmt("pair_%d_%s", (int)getpid(), what);
	p->where = mem_fmt("%s dbname=%s", getenv("RIPCORD_TEST_PG"), p->name);
}

static void place_clear(struct place *p)
{
	place_close(p);
	side_clear(&p->side);
	free(p->dump);
	free(p->where);
	free(p->name);
}

/* A role is the cluster's: who makes it at the same moment in a pair beside this one fails once. */
static bool load_sql(struct place *p, const char *sql, struct err *err)
{
	struct err first = ERR_INIT;

	if (db_run(p->db, sql, &first))
		return true;
	if (strstr(first.msg, "pg_authid") && db_run(p->db, sql, err))
		return true;
	if (err->code == ERR_NONE)
		*err = first;
	return false;
}

/* A file without a statement is a generator's that did not run. */
static bool load(struct pair *all, struct place *p, const char *path, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(FILE_MAX);

	if (!file_read(path, &sql, err))
		return false;
	if (!strchr(buf_text(&sql), ';'))
		return err_set(err, ERR_USAGE, "%s has no statement", path);
	if (!place_make(all, p, "template0", err))
		return false;
	if (!load_sql(p, buf_text(&sql), err))
		return err_wrap(err, "%s does not load", path);
	return side_read(p->db, &OPTIONS, NULL, &p->side, err) && dump_schema(p->where, &p->dump, err);
}

/* ------------------------------------------------------------------ the changes */

/* One statement, which the extended protocol sees to.  A setting for the transaction outlives one of its own. */
static bool run_one(struct place *p, const struct change *c, bool alone, const char *way, struct err *err)
{
	static const char LOCAL[] = "SET LOCAL ";
	cleanup_rows struct rows *none = NULL;
	bool set = alone && text_starts(c->sql, LOCAL);
	cleanup_free char *setting = set ? mem_fmt("SET %s", c->sql + strlen(LOCAL)) : NULL;
	struct err why = ERR_INIT;

	if (db_query(p->db, set ? setting : c->sql, DB_NO_ARGS, &none, &why))
		return true;
	printf("%s: %s %s: %s: %s\n", way, why.sqlstate, why.msg, c->about, c->sql);
	return err_set(err, ERR_DB, "the changes do not run");
}

/* What cannot be in a transaction stands between two, and so does what was committed before a change.  A lock that is
 * held hides the next: with `alone` each change is a transaction. */
static bool run_changes(const struct pair *all, struct place *p, const struct changes *changes, bool alone,
                        const char *way, size_t *found, struct err *err)
{
	cleanup_hazards struct hazards hazards = { .first = NULL };
	bool begun = false;

	if (all->hazards && !hazards_begin(p->db, &hazards, err))
		return false;
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];
		bool apart = c->hazards & HAZARD_NOT_TRANSACTIONAL;

		if (begun && (apart || alone || c->commit_before)) {
			if (!db_run(p->db, "COMMIT", err) ||
			    (all->hazards && !hazards_again(p->db, &hazards, err)))
				return false;
			begun = false;
		}
		if (!begun && !apart && !db_run(p->db, "BEGIN", err))
			return false;
		begun = !apart;
		if (!run_one(p, c, alone, way, err))
			return false;
		if (all->hazards && !hazards_check(p->db, &hazards, c, way, found, err))
			return false;
	}
	return !begun || db_run(p->db, "COMMIT", err);
}

/* ------------------------------------------------------------------ comparing */

/* "+ column public.t.c: position 3": no statement moves a column. */
static bool is_place(const char *line)
{
	static const char WORDS[] = ": position ";
	const char *number = line + strlen(line);

	while (number > line && isdigit((unsigned char)number[-1]))
		number--;
	size_t before = (size_t)(number - line);
	return *number && text_starts(line + 2, "column ") && before >= strlen(WORDS) &&
	       strncmp(number - strlen(WORDS), WORDS, strlen(WORDS)) == 0;
}

static size_t facts_differ(const struct side *is, const struct place *target, const char *way)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	size_t n = 0;

	(void)schema_diff(target->side.facts, is->facts, SCHEMA_INSIDE, &text);
	cleanup_free char *copy = mem_strdup(buf_text(&text));
	for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
		if (!*line || is_place(line))
			continue;
		if (n++ == 0)
			printf("%s: the facts differ:\n", way);
		if (n <= LINES_MAX)
			puts(line);
	}
	return n;
}

static bool second_is_empty(const struct side *is, const struct place *target, const char *way, size_t *found,
                            struct err *err)
{
	cleanup_changes struct changes second = { .v = NULL };

	if (!side_changes(is, &target->side, NULL, &second, err))
		return err_wrap(err, "a second diff failed");
	if (second.n > 0)
		printf("%s: a second diff is not empty:\n", way);
	for (size_t i = 0; i < second.n && i < LINES_MAX; i++)
		printf("%s: %s\n", second.v[i].about, second.v[i].sql);
	*found += second.n;
	return true;
}

/* What is changed is read again once; the other side is as it was read before. */
static bool facts_are_same(struct place *p, const struct place *target, const char *way, size_t *found,
                           struct err *err)
{
	struct side is = { .facts = NULL, .renames = STRV_INIT };
	bool ok = side_read(p->db, &OPTIONS, NULL, &is, err);

	if (ok) {
		*found += facts_differ(&is, target, way);
		ok = second_is_empty(&is, target, way, found, err);
	}
	side_clear(&is);
	return ok;
}

/* The dump of a database that is made of a dump. */
static bool dump_again(struct pair *all, const char *dump, struct strv *lines, struct err *err)
{
	cleanup_free char *sql = dump_as_sql(dump), *text = NULL;

	if (!place_make(all, &all->again, "template0", err))
		return false;
	if (!db_run(all->again.db, sql, err))
		return err_wrap(err, "the dump does not load");
	if (!dump_schema(all->again.where, &text, err))
		return false;
	dump_lines(text, lines);
	return place_drop(all, &all->again, err);
}

static bool is_within(const struct strv *part, const struct strv *whole)
{
	cleanup_strv struct strv rest = STRV_INIT;

	dump_lacks(part, whole, &rest);
	return rest.n == 0;
}

/* Whether each line that is missing is one that a restore of the target changes, and each that is there instead one
 * that it changes them to. */
static bool is_by_restore(const struct strv *is, const struct strv *wanted, const struct strv *restored)
{
	cleanup_strv struct strv missing = STRV_INIT, added = STRV_INIT, old = STRV_INIT, new = STRV_INIT;

	dump_lacks(wanted, is, &missing);
	dump_lacks(is, wanted, &added);
	dump_lacks(wanted, restored, &old);
	dump_lacks(restored, wanted, &new);
	return missing.n == added.n && is_within(&missing, &old) && is_within(&added, &new);
}

/* The first text that the server makes of an expression is not always the one that it makes of that text, so two dumps
 * that differ are compared again after a restore: of the target, and where that does not explain it, of both. */
static bool dumps_are_same(struct pair *all, const struct place *p, const struct place *target,
                           const char *way, size_t *found, struct err *err)
{
	cleanup_strv struct strv is = STRV_INIT, wanted = STRV_INIT, restored = STRV_INIT;
	cleanup_free char *text = NULL;

	if (!dump_schema(p->where, &text, err))
		return false;
	dump_lines(text, &is);
	dump_lines(target->dump, &wanted);
	if (is.n == wanted.n && is_within(&is, &wanted))
		return true;
	if (!dump_again(all, target->dump, &restored, err))
		return false;
	if (is_by_restore(&is, &wanted, &restored))
		return true;
	strv_clear(&is);
	if (!dump_again(all, text, &is, err))
		return false;
	*found += dump_differs(&is, &restored, way);
	return true;
}

/* ------------------------------------------------------------------ a way, and both */

/* Changes p into `target`, which stays as it is, and compares. */
static bool judge(struct pair *all, struct place *p, const struct place *target, const char *way,
                  size_t *found, struct err *err)
{
	cleanup_changes struct changes changes = { .v = NULL };
	cleanup_rows struct rows *before = NULL, *after = NULL;

	if (!rows_read(p->db, &before, err))
		return false;
	/* A copy has the OIDs of what it is a copy of. */
	const struct side *was = p == &all->copy ? &all->to.side : &p->side;
	if (!side_changes(was, &target->side, NULL, &changes, err))
		return err_wrap(err, "diff failed");
	if (changes.n == 0) {
		printf("%s: there is nothing to change\n", way);
		++*found;
	}
	bool alone = all->hazards && p == &all->from;
	if (!run_changes(all, p, &changes, alone, way, found, err) ||
	    !facts_are_same(p, target, way, found, err) || !dumps_are_same(all, p, target, way, found, err) ||
	    !rows_read(p->db, &after, err))
		return false;
	*found += rows_lost(before, after, &changes, way);
	return true;
}

/* An error is a finding, too: the other way is tried all the same. */
static void try_way(struct pair *all, struct place *p, const struct place *target, const char *way,
                    size_t *found)
{
	struct err err = ERR_INIT;

	if (judge(all, p, target, way, found, &err))
		return;
	printf("%s: %s\n", way, err.msg);
	++*found;
}

/* A side is changed when the other way does not need it any more: down is tried on a copy, and up on the side itself. */
static bool try_pair(struct pair *all, const char *from, const char *to, size_t *found, struct err *err)
{
	if (!load(all, &all->from, from, err) || !load(all, &all->to, to, err))
		return false;
	place_close(&all->to);
	if (!place_make(all, &all->copy, all->to.name, err) || !place_open(&all->to, err))
		return false;
	try_way(all, &all->copy, &all->from, "down", found);
	try_way(all, &all->from, &all->to, "up", found);
	return true;
}

static bool drop_all(struct pair *all, struct err *err)
{
	struct place *const places[] = { &all->from, &all->to, &all->copy, &all->again };
	bool ok = true;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		ok = place_drop(all, places[i], err) && ok;
		place_clear(places[i]);
	}
	return ok;
}

static bool run_pair(struct pair *all, const char *from, const char *to, size_t *found, struct err *err)
{
	cleanup_conninfo struct conninfo *ci = NULL;

	if (!conninfo_parse(getenv("RIPCORD_TEST_PG"), &ci, err) || !db_open(ci, "pair", &all->server, err))
		return false;
	place_name(&all->from, "from");
	place_name(&all->to, "to");
	place_name(&all->copy, "copy");
	place_name(&all->again, "again");
	bool ok = try_pair(all, from, to, found, err);
	cancel_hold();
	ok = drop_all(all, err) && ok;
	db_close(all->server);
	return ok;
}

int main(int argc, char **argv)
{
	struct pair all = { .hazards = argc > 1 && strcmp(argv[1], "--hazards") == 0 };
	struct err err = ERR_INIT;
	size_t found = 0;

	argv += all.hazards;
	argc -= all.hazards;
	if (argc != 3 || !getenv("RIPCORD_TEST_PG")) {
		fprintf(stderr, "usage: pair [--hazards] FROM.sql TO.sql, below tests/pg/with_cluster.sh\n");
		return 2;
	}
	cancel_install();
	if (!run_pair(&all, argv[1], argv[2], &found, &err)) {
		printf("%s\n", err.msg);
		return 1;
	}
	return found > 0;
}
