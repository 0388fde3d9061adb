/* Needs a server: tests/pg/with_cluster.sh sets RIPCORD_TEST_PG. */
#include "migrations/schema/changes.h"

#include "pairs.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct db *open_db(const char *database)
{
	cleanup_free char *where = mem_fmt("%s dbname=%s", getenv("RIPCORD_TEST_PG"), database);
	cleanup_conninfo struct conninfo *ci = NULL;
	struct err err = ERR_INIT;
	struct db *db = NULL;

	if (!conninfo_parse(where, &ci, &err) || !db_open(ci, "test_changes", &db, &err))
		fail_msg("%s", err.msg);
	return db;
}

/* Statement by statement: ADD VALUE must be committed before the value is used. */
static void run(struct db *db, const char *sql)
{
	cleanup_free char *copy = mem_strdup(sql);
	struct err err = ERR_INIT;
	char *rest = copy;

	for (char *end; rest; rest = end) {
		end = strstr(rest, "; ");
		if (end) {
			*end = '\0';
			end += 2;
		}
		if (!db_run(db, rest, &err))
			fail_msg("%s: %s", rest, err.msg);
	}
}

static struct db *make_db(const char *name, const struct pair *p, bool to)
{
	cleanup_db struct db *server = open_db("postgres");
	cleanup_free char *sql = mem_fmt(
		"DROP DATABASE IF EXISTS %s WITH (FORCE); CREATE DATABASE %s TEMPLATE template0", name, name);
	struct db *db;

	run(server, sql);
	db = open_db(name);
	run(db, p->both ? p->both : "");
	run(db, to ? p->to : p->from);
	return db;
}

static struct schema *read_db(struct db *db)
{
	struct schema *s = NULL;
	struct err err = ERR_INIT;

	if (!schema_read(db, NULL, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

/* A transaction as long as one may be. */
static bool apply(struct db *db, const struct changes *c, struct err *err)
{
	bool open = false;

	for (size_t i = 0; i < c->n; i++) {
		bool alone = (c->v[i].hazards & HAZARD_NOT_TRANSACTIONAL) != 0;

		if (open && (alone || c->v[i].commit_before)) {
			if (!db_run(db, "COMMIT", err))
				return false;
			open = false;
		}
		if (!open && !alone && !db_run(db, "BEGIN", err))
			return false;
		open = !alone;
		if (!db_run(db, c->v[i].sql, err))
			return err_wrap(err, "%s", c->v[i].sql);
	}
	return !open || db_run(db, "COMMIT", err);
}

static void print_changes(const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		print_message("    %s;\n", c->v[i].sql);
}

/* Lines about a column's position are no difference: no statement moves a column. */
static bool differs(const char *diff)
{
	for (const char *line = diff; *line; line = strchr(line, '\n') + 1) {
		cleanup_free char *one = mem_strndup(line, (size_t)(strchr(line, '\n') - line));

		if (!strstr(one, ": position "))
			return true;
	}
	return false;
}

static bool has_statement(const struct changes *c, const char *part)
{
	for (size_t i = 0; part && i < c->n; i++)
		if (strstr(c->v[i].sql, part))
			return true;
	return !part;
}

/* Makes `db` like `target`, and looks at it. */
static bool becomes(struct db *db, struct db *target, const char *part)
{
	cleanup_changes struct changes changes = { .v = NULL }, more = { .v = NULL };
	cleanup_schema struct schema *is = NULL, *wanted = NULL;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	const struct changes_options options = { .concurrently = false };
	struct err err = ERR_INIT;
	bool good = schema_changes(db, target, NULL, &options, &changes, &err) && apply(db, &changes, &err);

	if (part && part[0] == '!' && !good && strstr(err.msg, part + 1))
		return true;
	if (!good) {
		print_message("  %s\n", err.msg);
		print_changes(&changes);
		return false;
	}
	is = read_db(db);
	wanted = read_db(target);
	(void)schema_diff(is, wanted, SCHEMA_INSIDE, &diff);
	if (!schema_changes(db, target, NULL, &options, &more, &err))
		print_message("  a second time: %s\n", err.msg);
	else if (differs(buf_text(&diff)))
		print_message("  left: %s", buf_text(&diff));
	else if (more.n > 0)
		print_message("  still to do: %s\n", more.v[0].sql);
	else if (!has_statement(&changes, part))
		print_message("  no statement has: %s\n", part);
	else
		return true;
	print_changes(&changes);
	return false;
}

static bool pair_works(const struct pair *p)
{
	cleanup_db struct db *from = make_db("ch_from", p, false), *to = make_db("ch_to", p, true);
	cleanup_db struct db *again = make_db("ch_again", p, false);
	bool good;

	good = becomes(from, to, p->forth);
	if (!good)
		print_message("%s: forth\n", p->name);
	if (!becomes(to, again, p->back)) {
		print_message("%s: back\n", p->name);
		good = false;
	}
	return good;
}

/* RIPCORD_TEST_PAIR: one pair alone, by its name. */
static void try_pairs(const struct pair *pairs, size_t n)
{
	const char *only = getenv("RIPCORD_TEST_PAIR");
	size_t failed = 0;

	for (size_t i = 0; i < n; i++)
		if (!only || strcmp(only, pairs[i].name) == 0)
			failed += !pair_works(&pairs[i]);
	assert_int_equal(failed, 0);
}

static void test_relations(void **state)
{
	(void)state;
	try_pairs(PAIRS_OF_RELATIONS, N_PAIRS_OF_RELATIONS);
}

static void test_others(void **state)
{
	(void)state;
	try_pairs(PAIRS_OF_OTHERS, N_PAIRS_OF_OTHERS);
}

static int make_roles(void **state)
{
	cleanup_db struct db *db = open_db("postgres");

	(void)state;
	run(db, "CREATE ROLE ch_alice; CREATE ROLE ch_bob; CREATE ROLE \"ch Öwner\"");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, make_roles, NULL);
}
