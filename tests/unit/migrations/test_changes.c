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

/* ctest's server may be older: the log says that these were not tried. */
static void try_newer(int major, const struct pair *pairs, size_t n)
{
	cleanup_db struct db *db = open_db("postgres");

	if (db_server_version(db) / 10000 >= major) {
		try_pairs(pairs, n);
		return;
	}
	print_message("skipped: %zu pairs want PostgreSQL %d\n", n, major);
	db_close(db);
	db = NULL;
	skip();
}

static void test_of_17(void **state)
{
	(void)state;
	try_newer(17, PAIRS_OF_17, N_PAIRS_OF_17);
}

static void test_of_18(void **state)
{
	(void)state;
	try_newer(18, PAIRS_OF_18, N_PAIRS_OF_18);
}

static const struct change *find_change(const struct changes *c, const char *part)
{
	for (size_t i = 0; i < c->n; i++)
		if (strstr(c->v[i].sql, part))
			return &c->v[i];
	print_changes(c);
	fail_msg("no statement has %s", part);
	return NULL;
}

static void must_become(struct db *from, struct db *to, const struct changes_options *options,
                        struct changes *out)
{
	struct err err = ERR_INIT;

	if (!schema_changes(from, to, NULL, options, out, &err) || !apply(from, out, &err))
		fail_msg("%s", err.msg);
}

static void test_renames_keep_rows(void **state)
{
	static const struct pair p = {
		.from = "CREATE TABLE t (a integer, b integer); CREATE INDEX t_b ON t (b);"
			" CREATE VIEW v AS SELECT a FROM t; INSERT INTO t VALUES (1, 2)",
		.to = "CREATE TABLE u (a integer, c integer); CREATE INDEX t_b ON u (c);"
		      " CREATE VIEW v AS SELECT a FROM u"
	};
	static const struct rename RENAMES[] = { { "public.t", "public.u" }, { "public.u.b", "public.u.c" } };
	const struct changes_options options = { .renames = RENAMES, .n_renames = 2 };
	cleanup_db struct db *from = make_db("ch_from", &p, false), *to = make_db("ch_to", &p, true);
	cleanup_changes struct changes changes = { .v = NULL };
	struct err err = ERR_INIT;
	int64_t sum = 0;

	(void)state;
	must_become(from, to, &options, &changes);
	assert_int_equal(changes.n, 2);
	assert_string_equal(changes.v[0].sql, "ALTER TABLE public.t RENAME TO u");
	assert_true(db_int(from, "SELECT sum(a + c) FROM public.u", DB_NO_ARGS, &sum, &err));
	assert_int_equal(sum, 3);
}

/* No key is dropped and no index built for another name. */
static void test_other_names(void **state)
{
	static const struct pair p = {
		.from = "CREATE TABLE t (a integer CONSTRAINT a_key PRIMARY KEY, b integer NOT NULL "
			"CONSTRAINT b_one "
			"UNIQUE CONSTRAINT b_pos CHECK (b > 0)); CREATE TABLE u (a integer CONSTRAINT u_t "
			"REFERENCES t);"
			" CREATE INDEX t_b ON t (b DESC) WHERE b > 1; CREATE INDEX \"Ü on x\" ON t ((a + b));"
			" COMMENT ON CONSTRAINT b_one ON t IS 'one'; COMMENT ON INDEX t_b IS 'b';"
			" ALTER TABLE t REPLICA IDENTITY USING INDEX b_one; ALTER TABLE t CLUSTER ON a_key;"
			" ALTER INDEX \"Ü on x\" ALTER COLUMN 1 SET STATISTICS 300;"
			" CREATE TABLE q (a integer, CONSTRAINT q_a PRIMARY KEY (a)) PARTITION BY LIST (a);"
			" CREATE TABLE q_1 PARTITION OF q FOR VALUES IN (1);"
			" CREATE TABLE s (i integer GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME \"I's\"), s "
			"serial);"
			" GRANT SELECT ON SEQUENCE s_s_seq TO ch_bob; COMMENT ON SEQUENCE s_s_seq IS 's'",
		.to = "CREATE TABLE t (a integer CONSTRAINT t_pkey PRIMARY KEY, b integer NOT NULL "
		      "CONSTRAINT \"B\" "
		      "UNIQUE CONSTRAINT \"b pos\" CHECK (b > 0)); CREATE TABLE u (a integer CONSTRAINT u_2 "
		      "REFERENCES "
		      "t); CREATE INDEX t_b_idx ON t (b DESC) WHERE b > 1; CREATE INDEX t_sum ON t ((a + b));"
		      " COMMENT ON CONSTRAINT \"B\" ON t IS 'one'; COMMENT ON INDEX t_b_idx IS 'b';"
		      " ALTER TABLE t REPLICA IDENTITY USING INDEX \"B\"; ALTER TABLE t CLUSTER ON t_pkey;"
		      " ALTER INDEX t_sum ALTER COLUMN 1 SET STATISTICS 300;"
		      " CREATE TABLE q (a integer, CONSTRAINT \"q.a\" PRIMARY KEY (a)) PARTITION BY LIST (a);"
		      " CREATE TABLE q_1 PARTITION OF q FOR VALUES IN (1); ALTER INDEX q_1_pkey RENAME TO "
		      "q_one; CREATE TABLE s (i integer GENERATED ALWAYS AS IDENTITY, s serial);"
		      " ALTER SEQUENCE s_s_seq RENAME TO \"s's\"; GRANT SELECT ON SEQUENCE \"s's\" TO ch_bob;"
		      " COMMENT ON SEQUENCE \"s's\" IS 's'",
	};
	cleanup_db struct db *from = make_db("ch_from", &p, false), *to = make_db("ch_to", &p, true);
	cleanup_changes struct changes changes = { .v = NULL };

	(void)state;
	must_become(from, to, NULL, &changes);
	for (size_t i = 0; i < changes.n; i++)
		if (!strstr(changes.v[i].sql, " RENAME "))
			fail_msg("%s", changes.v[i].sql);
	assert_int_equal(changes.n, 10);
	assert_int_equal(find_change(&changes, "ALTER INDEX public.t_b RENAME TO t_b_idx")->hazards, 0);
	assert_int_equal(find_change(&changes, "RENAME CONSTRAINT a_key TO t_pkey")->hazards,
	                 HAZARD_EXCLUSIVE_LOCK);
	assert_true(becomes(from, to, NULL));
}

static void test_hazards(void **state)
{
	static const struct pair p = {
		.from = "CREATE TABLE t (a bigint, b integer, c text); CREATE INDEX t_b ON t (b); CREATE "
			"TYPE e AS ENUM ('a')",
		.to = "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a integer, b integer, d e DEFAULT "
		      "'b');"
		      " CREATE INDEX t_a ON t (b, a)",
	};
	const struct changes_options options = { .concurrently = true };
	cleanup_db struct db *from = make_db("ch_from", &p, false), *to = make_db("ch_to", &p, true);
	cleanup_changes struct changes changes = { .v = NULL };

	(void)state;
	must_become(from, to, &options, &changes);
	assert_int_equal(find_change(&changes, "DROP COLUMN c")->hazards,
	                 HAZARD_DATA_LOSS | HAZARD_EXCLUSIVE_LOCK);
	assert_int_equal(find_change(&changes, "ALTER COLUMN a TYPE")->hazards,
	                 HAZARD_REWRITE | HAZARD_EXCLUSIVE_LOCK);
	assert_int_equal(find_change(&changes, "CREATE INDEX CONCURRENTLY t_a")->hazards,
	                 HAZARD_INDEX_BUILD | HAZARD_NOT_TRANSACTIONAL);
	assert_int_equal(find_change(&changes, "DROP INDEX CONCURRENTLY")->hazards, HAZARD_NOT_TRANSACTIONAL);
	assert_true(find_change(&changes, "ADD COLUMN d")->commit_before);
	assert_string_equal(find_change(&changes, "ADD COLUMN d")->about, "table public.t: add column d");
}

/* A key is made by an index that was built beside the others, and rows are checked when the lock of ADD is gone. */
static void test_concurrently(void **state)
{
	static const struct pair p = {
		.from = "CREATE TABLE t (a bigint NOT NULL, b integer); INSERT INTO t VALUES (1, 1)",
		.to = "CREATE TABLE t (a bigint PRIMARY KEY, b integer CHECK (b > 0),"
		      " CONSTRAINT \"B\" UNIQUE (b) INCLUDE (a) DEFERRABLE INITIALLY DEFERRED);"
		      " CREATE TABLE u (a bigint PRIMARY KEY)",
	};
	const struct changes_options options = { .concurrently = true };
	cleanup_db struct db *from = make_db("ch_from", &p, false), *to = make_db("ch_to", &p, true);
	cleanup_changes struct changes changes = { .v = NULL };

	(void)state;
	must_become(from, to, &options, &changes);
	assert_int_equal(find_change(&changes, "CREATE UNIQUE INDEX CONCURRENTLY t_pkey")->hazards,
	                 HAZARD_INDEX_BUILD | HAZARD_NOT_TRANSACTIONAL);
	assert_int_equal(
		find_change(&changes, "ADD CONSTRAINT t_pkey PRIMARY KEY USING INDEX t_pkey")->hazards,
		HAZARD_EXCLUSIVE_LOCK);
	assert_string_equal(find_change(&changes, "USING INDEX \"B\"")->sql,
	                    "ALTER TABLE public.t ADD CONSTRAINT \"B\" UNIQUE USING INDEX \"B\""
	                    " DEFERRABLE INITIALLY DEFERRED");
	assert_true(find_change(&changes, "VALIDATE CONSTRAINT t_b_check")->commit_before);
	assert_int_equal(find_change(&changes, "CREATE TABLE public.u")->hazards, 0);
	assert_true(becomes(from, to, NULL));
}

/* What keeps others out of tables that are there; of those that are made nobody waits for anything. */
static void test_hazards_to_others(void **state)
{
	static const struct pair p = {
		.from = "CREATE TABLE t (a bigint PRIMARY KEY, b bigint); CREATE TABLE u (a bigint PRIMARY "
			"KEY);"
			" CREATE DOMAIN d AS integer CHECK (VALUE > 0); CREATE DOMAIN e AS integer",
		.to = "CREATE TABLE u (a bigint PRIMARY KEY); CREATE DOMAIN d AS integer CHECK (VALUE > 0);"
		      " CREATE DOMAIN e AS integer; CREATE TABLE t (a bigint PRIMARY KEY, b bigint DEFAULT 1"
		      " CHECK (b > 0) REFERENCES u, c uuid DEFAULT gen_random_uuid(), n timestamptz DEFAULT "
		      "now(),"
		      " d d, e e); CREATE INDEX t_c ON t (c);"
		      " CREATE TABLE v (a bigint PRIMARY KEY REFERENCES t, b bigint); CREATE INDEX v_b ON v "
		      "(b);"
		      " ALTER TABLE v ENABLE ROW LEVEL SECURITY",
	};
	static const struct {
		const char *part;
		unsigned hazards;
	} CASES[] = {
		{ "ADD COLUMN c ", HAZARD_REWRITE | HAZARD_EXCLUSIVE_LOCK }, /* volatile */
		{ "ADD COLUMN n ", HAZARD_EXCLUSIVE_LOCK },
		{ "ADD COLUMN d ", HAZARD_REWRITE | HAZARD_EXCLUSIVE_LOCK }, /* its domain has a check */
		{ "ADD COLUMN e ", HAZARD_EXCLUSIVE_LOCK },
		{ "SET DEFAULT", HAZARD_EXCLUSIVE_LOCK },
		{ "ADD CONSTRAINT t_b_check", HAZARD_EXCLUSIVE_LOCK },
		{ "VALIDATE CONSTRAINT t_b_check", 0 },
		{ "ADD CONSTRAINT t_b_fkey", HAZARD_WRITE_LOCK },
		{ "ADD CONSTRAINT v_a_fkey", HAZARD_WRITE_LOCK }, /* of t, which it refers to */
		{ "CREATE INDEX t_c", HAZARD_INDEX_BUILD | HAZARD_WRITE_LOCK },
		{ "CREATE INDEX v_b", HAZARD_INDEX_BUILD },
		{ "CREATE TABLE public.v", 0 },
		{ "ENABLE ROW LEVEL SECURITY", 0 },
	};
	cleanup_db struct db *from = make_db("ch_from", &p, false), *to = make_db("ch_to", &p, true);
	cleanup_changes struct changes changes = { .v = NULL };

	(void)state;
	must_become(from, to, NULL, &changes);
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++)
		if (find_change(&changes, CASES[i].part)->hazards != CASES[i].hazards)
			fail_msg("%s: hazards %u", CASES[i].part,
			         find_change(&changes, CASES[i].part)->hazards);
}

/* What cannot be expressed is an error that names it. */
static void test_refusals(void **state)
{
	static const struct {
		struct pair pair;
		const char *says;
	} CASES[] = {
		{ { .from = "CREATE TABLE t (a integer) PARTITION BY LIST (a)",
		    .to = "CREATE TABLE t (a integer) PARTITION BY RANGE (a)" },
		  "table public.t: partition key" },
		{ { .from = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
		    .to = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS "
		          "(password 'x')" },
		  "foreign server s: option password is a secret" },
		{ { .from = "CREATE TABLE t (a integer)",
		    .to = "CREATE TABLE t (a integer); GRANT SELECT ON t TO ch_bob WITH GRANT OPTION; SET "
		          "ROLE ch_bob;"
		          " GRANT SELECT ON t TO ch_alice" },
		  "BY ch_bob" },
		{ { .from = "", .to = "CREATE TYPE shell" }, "base type public.shell" },
		{ { .from = "CREATE TYPE r AS RANGE (subtype = integer); CREATE TABLE t (a r)",
		    .to = "CREATE TYPE r AS RANGE (subtype = bigint); CREATE TABLE t (a r)" },
		  "column public.t.a: depends on range public.r" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		cleanup_db struct db *from = make_db("ch_from", &CASES[i].pair, false);
		cleanup_db struct db *to = make_db("ch_to", &CASES[i].pair, true);
		cleanup_changes struct changes changes = { .v = NULL };
		struct err err = ERR_INIT;

		assert_false(schema_changes(from, to, NULL, NULL, &changes, &err));
		assert_int_equal(err.code, ERR_REFUSED);
		if (!strstr(err.msg, CASES[i].says))
			fail_msg("%s", err.msg);
		assert_null(changes.v);
	}
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
		cmocka_unit_test(test_of_17),
		cmocka_unit_test(test_of_18),
		cmocka_unit_test(test_renames_keep_rows),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_hazards),
		cmocka_unit_test(test_concurrently),
		cmocka_unit_test(test_hazards_to_others),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, make_roles, NULL);
}
