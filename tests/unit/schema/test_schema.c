#include "migrations/schema/schema.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sql.h"
#include "tests/unit/schema/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Needs a server: ctest runs it by tests/pg/with_cluster.sh, which sets RIPCORD_TEST_PG, and with the
 * folder of the fixtures as its argument. */
static const char *fixtures;
static const char *const FIXTURES[] = { "tables", "partitions", "routines", "types", "security", "outside" };
#define N_FIXTURES (sizeof(FIXTURES) / sizeof(*FIXTURES))

static const struct schema_options OPTIONS = { .version_table = "public.alembic_version" };

static char *conninfo_of(const char *database, const char *user)
{
	return mem_fmt("%s dbname=%s user=%s", getenv("RIPCORD_TEST_PG"), database, user);
}

static struct db *open_as(const char *database, const char *user)
{
	cleanup_free char *where = conninfo_of(database, user);
	cleanup_conninfo struct conninfo *ci = NULL;
	struct err err = ERR_INIT;
	struct db *db = NULL;

	if (!conninfo_parse(where, &ci, &err) || !db_open(ci, "test_schema", &db, &err))
		fail_msg("%s", err.msg);
	return db;
}

static struct db *open_db(const char *database) { return open_as(database, "postgres"); }

/* Statement by statement, as psql does: VACUUM wants a message of its own, ADD VALUE a transaction. */
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

static void run_in(const char *database, const char *sql)
{
	cleanup_db struct db *db = open_db(database);

	run(db, sql);
}

static void spawn(const char *const *argv)
{
	const struct proc_spec spec = { .argv = argv, .envp = (const char *const *)environ };
	struct proc_result result;
	struct err err = ERR_INIT;

	if (!proc_run(&spec, &result, &err))
		fail_msg("%s: %s", argv[0], err.msg);
}

/* A program of the server that is tested. */
static char *program(const char *name)
{
	const char *bin = getenv("PG_BIN");

	return bin ? mem_fmt("%s/%s", bin, name) : proc_which(name);
}

static void create_database(const char *name, const char *owner)
{
	cleanup_free char *sql =
		mem_fmt("DROP DATABASE IF EXISTS %s; CREATE DATABASE %s OWNER %s TEMPLATE template0", name,
	                name, owner);

	run_in("postgres", sql);
}

static void load(const char *database, const char *user, const char *fixture)
{
	cleanup_free char *psql = program("psql"), *where = conninfo_of(database, user);
	cleanup_free char *file = mem_fmt("%s/%s.sql", fixtures, fixture);

	spawn((const char *const[]){ psql, "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", where,
	                             "-f", file, NULL });
}

static void dump_and_restore(const char *from, const char *to, const char *user)
{
	cleanup_free char *dump = program("pg_dump"), *restore = program("pg_restore");
	cleanup_free char *source = conninfo_of(from, user), *target = conninfo_of(to, user);
	cleanup_free char *file = mem_fmt("%s/%s.dump", getenv("RIPCORD_TEST_PG_DIR"), from);

	spawn((const char *const[]){ dump, "-Fc", "-f", file, "-d", source, NULL });
	spawn((const char *const[]){ restore, "--exit-on-error", "-d", target, file, NULL });
	assert_int_equal(unlink(file), 0);
}

static struct schema *read_from(struct db *db)
{
	struct schema *s = NULL;
	struct err err = ERR_INIT;

	if (!schema_read(db, &OPTIONS, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static struct schema *read_db(const char *database)
{
	cleanup_db struct db *db = open_db(database);

	return read_from(db);
}

/* Equal by digest and by diff, which must agree; the diff is the message. */
static void assert_same(const struct schema *a, const struct schema *b, const char *what)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	size_t n = schema_diff(a, b, SCHEMA_STRICT, &diff);
	char x[SHA256_HEX], y[SHA256_HEX];

	if (n > 0)
		fail_msg("%s: %zu facts differ:\n%s", what, n, buf_text(&diff));
	schema_digest(a, SCHEMA_STRICT, x);
	schema_digest(b, SCHEMA_STRICT, y);
	assert_string_equal(x, y);
}

static bool has_line(const char *text, const char *start)
{
	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (*p && strncmp(p + 2, start, strlen(start)) == 0)
			return true;
	return false;
}

static void assert_differs(const struct schema *a, const struct schema *b, const char *expected,
                           const char *what)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	char x[SHA256_HEX], y[SHA256_HEX];

	assert_true(schema_diff(a, b, SCHEMA_STRICT, &diff) > 0);
	schema_digest(a, SCHEMA_STRICT, x);
	schema_digest(b, SCHEMA_STRICT, y);
	assert_string_not_equal(x, y);
	if (!has_line(buf_text(&diff), expected))
		fail_msg("%s: no line \"%s\" in:\n%s", what, expected, buf_text(&diff));
}

static int set_up(void **state)
{
	(void)state;
	run_in("postgres", "CREATE ROLE sch_alice; CREATE ROLE sch_bob; CREATE ROLE \"sch Öwner\"; CREATE "
	                   "ROLE sch_plain LOGIN CREATEDB");
	for (size_t i = 0; i < N_FIXTURES; i++) {
		cleanup_free char *name = mem_fmt("f_%s", FIXTURES[i]);

		create_database(name, "postgres");
		load(name, "postgres", FIXTURES[i]);
	}
	return 0;
}

/* ------------------------------------------------------------------ dump and restore */

static void test_dump_and_restore_keep_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_FIXTURES; i++) {
		cleanup_free char *name = mem_fmt("f_%s", FIXTURES[i]);
		cleanup_schema struct schema *before = read_db(name), *after = NULL;

		create_database("restored", "postgres");
		dump_and_restore(name, "restored", "postgres");
		after = read_db("restored");
		assert_true(schema_count(before) > 40);
		assert_same(before, after, FIXTURES[i]);
	}
}

/* The deparsed texts do differ, or the test above proves nothing. */
static void test_texts_do_change_over_a_restore(void **state)
{
	cleanup_schema struct schema *before = read_db("f_tables"), *after = NULL;
	size_t changed = 0;

	(void)state;
	create_database("restored", "postgres");
	dump_and_restore("f_tables", "restored", "postgres");
	after = read_db("restored");
	for (size_t i = 0; i < schema_count(before); i++)
		for (size_t a = 0; a < schema_fact(before, i)->n; a++)
			changed += strcmp(schema_fact(before, i)->attributes[a].value,
			                  schema_fact(after, i)->attributes[a].value) != 0;
	assert_true(changed >= 10);
}

static void test_a_plain_owner(void **state)
{
	static const char *const PLAIN[] = { "tables", "partitions", "routines" };

	(void)state;
	for (size_t i = 0; i < sizeof(PLAIN) / sizeof(*PLAIN); i++) {
		cleanup_schema struct schema *before = NULL, *after = NULL, *seen_by_superuser = NULL;
		cleanup_db struct db *db = NULL;
		cleanup_db struct db *restored = NULL;

		create_database("owned", "sch_plain");
		create_database("restored", "sch_plain");
		load("owned", "sch_plain", PLAIN[i]);
		dump_and_restore("owned", "restored", "sch_plain");
		db = open_as("owned", "sch_plain");
		restored = open_as("restored", "sch_plain");
		before = read_from(db);
		after = read_from(restored);
		seen_by_superuser = read_db("owned");
		assert_same(before, after, PLAIN[i]);
		assert_same(before, seen_by_superuser, PLAIN[i]);
	}
}

/* ------------------------------------------------------------------ changes */

static void try_change(const struct change *c)
{
	cleanup_free char *name = mem_fmt("f_%s", c->fixture);
	cleanup_schema struct schema *before = read_db(name), *changed = NULL, *undone = NULL;

	run_in(name, c->up);
	changed = read_db(name);
	assert_differs(before, changed, c->expected, c->up);
	run_in(name, c->down);
	undone = read_db(name);
	assert_same(before, undone, c->down);
}

static void test_changes_are_seen_and_their_undoing(void **state)
{
	(void)state;
	assert_true(N_CHANGES >= 60);
	for (size_t i = 0; i < N_CHANGES; i++)
		try_change(&CHANGES[i]);
}

/* Each in a copy of the fixture: nothing undoes it. */
static void test_leftovers_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_LEFTOVERS; i++) {
		const struct change *c = &LEFTOVERS[i];
		cleanup_schema struct schema *before = NULL, *after = NULL;
		cleanup_free char *copy = mem_fmt(
			"DROP DATABASE IF EXISTS copy; CREATE DATABASE copy TEMPLATE f_%s", c->fixture);

		run_in("postgres", copy);
		before = read_db("copy");
		run_in("copy", c->up);
		run_in("copy", c->down);
		after = read_db("copy");
		assert_differs(before, after, c->expected, c->up);
	}
}

static void test_what_is_no_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_NOTHINGS; i++) {
		const struct change *c = &NOTHINGS[i];
		cleanup_free char *copy = mem_fmt(
			"DROP DATABASE IF EXISTS copy; CREATE DATABASE copy TEMPLATE f_%s", c->fixture);
		cleanup_schema struct schema *before = NULL, *after = NULL;
		cleanup_db struct db *db = NULL;

		run_in("postgres", copy);
		before = read_db("copy");
		db = open_db("copy");
		run(db, c->up);
		after = read_from(db); /* the same session: its temporary objects are there */
		assert_same(before, after, c->up);
	}
}

/* A public schema that was dropped and made again is the one that a restore makes. */
static void test_public_made_again(void **state)
{
	cleanup_schema struct schema *before = NULL, *after = NULL;

	(void)state;
	create_database("again", "postgres");
	create_database("restored", "postgres");
	run_in("again", "DROP SCHEMA public; CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT "
	                "USAGE ON SCHEMA public TO PUBLIC");
	before = read_db("again");
	dump_and_restore("again", "restored", "postgres");
	after = read_db("restored");
	assert_same(before, after, "public made again");
}

/* ------------------------------------------------------------------ reading */

static char *value(struct db *db, const char *sql)
{
	struct err err = ERR_INIT;
	char *text = NULL;

	if (!db_value(db, sql, DB_NO_ARGS, &text, &err))
		fail_msg("%s", err.msg);
	return text;
}

#define SETTINGS                                                                                             \
	"SELECT string_agg(name || '=' || setting, ';' ORDER BY name) FROM pg_settings WHERE name IN"        \
	" ('search_path', 'DateStyle', 'IntervalStyle', 'TimeZone', 'bytea_output', 'extra_float_digits', "  \
	"'jit',"                                                                                             \
	" 'quote_all_identifiers', 'lc_monetary', 'standard_conforming_strings', 'transaction_read_only')"

/* Settings that change deparsed text change no fingerprint, and are the session's own again afterwards. */
static void test_settings_of_the_session(void **state)
{
	cleanup_schema struct schema *plain = read_db("f_tables"), *odd = NULL, *inside = NULL;
	cleanup_db struct db *db = open_db("f_tables");
	cleanup_free char *before = NULL, *after = NULL, *during = NULL;

	(void)state;
	run(db, "SET search_path = app, public; SET DateStyle = 'German'; SET IntervalStyle = iso_8601; SET "
	        "TimeZone = 'Asia/Tokyo'; "
	        "SET bytea_output = escape; SET extra_float_digits = 0; SET quote_all_identifiers = on; "
	        "SET standard_conforming_strings = off");
	before = value(db, SETTINGS);
	odd = read_from(db);
	after = value(db, SETTINGS);
	assert_int_equal(db_tx_status(db), 'I');
	assert_string_equal(before, after);
	assert_same(plain, odd, "odd settings");

	run(db, "BEGIN; SET LOCAL search_path = public; CREATE TABLE app.unseen (a integer)");
	free(before);
	before = value(db, SETTINGS);
	inside = read_from(db);
	assert_int_equal(db_tx_status(db), 'T');
	during = value(db, SETTINGS);
	assert_string_equal(before, during);
	assert_differs(plain, inside, "table app.unseen: owner", "the caller's transaction");
	run(db, "ROLLBACK");
}

static void test_an_imported_snapshot(void **state)
{
	cleanup_db struct db *exporter = open_db("f_tables"), *reader = open_db("f_tables");
	cleanup_schema struct schema *before = read_db("f_tables"), *seen = NULL;
	cleanup_free char *snapshot = NULL, *import = NULL;

	(void)state;
	run(exporter, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
	snapshot = value(exporter, "SELECT pg_export_snapshot()");
	run_in("f_tables", "CREATE TABLE app.later (a integer)");
	import = sql_fmt("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT %L",
	                 snapshot);
	run(reader, import);
	seen = read_from(reader);
	run(reader, "COMMIT");
	run_in("f_tables", "DROP TABLE app.later");
	assert_same(before, seen, "an older snapshot");
}

/* A failed reading takes the savepoint back and leaves the caller's transaction usable. */
static void test_a_failed_reading(void **state)
{
	cleanup_db struct db *db = NULL;
	struct schema *s = NULL;
	struct err err = ERR_INIT;

	(void)state;
	create_database("unreadable", "postgres");
	run_in("unreadable", "REVOKE SELECT ON pg_catalog.pg_constraint FROM PUBLIC");
	db = open_as("unreadable", "sch_plain");
	run(db, "BEGIN");
	assert_false(schema_read(db, &OPTIONS, &s, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_null(s);
	assert_int_equal(db_tx_status(db), 'T');
	run(db, "SELECT 1; ROLLBACK");
	err = (struct err)ERR_INIT;
	assert_false(schema_read(db, &OPTIONS, &s, &err));
	assert_int_equal(db_tx_status(db), 'I');
}

/* A database without an encoding holds names that are no UTF-8. */
static void test_names_of_any_bytes(void **state)
{
	cleanup_schema struct schema *before = NULL, *after = NULL;
	cleanup_db struct db *db = NULL;
	cleanup_free char *encoding = NULL;

	(void)state;
	run_in("postgres", "DROP DATABASE IF EXISTS ascii; CREATE DATABASE ascii TEMPLATE template0 ENCODING "
	                   "'SQL_ASCII'; "
	                   "DROP DATABASE IF EXISTS restored; CREATE DATABASE restored TEMPLATE template0 "
	                   "ENCODING 'SQL_ASCII'");
	db = open_db("ascii");
	run(db, "SET client_encoding = 'SQL_ASCII'; CREATE TABLE \"t\xe4g\" (a varchar CHECK (a IN ('\xe4', "
	        "'\xff'))); "
	        "COMMENT ON TABLE \"t\xe4g\" IS '\xfe'; RESET client_encoding");
	before = read_from(db);
	encoding = value(db, "SHOW client_encoding");
	assert_string_equal(encoding, "UTF8");
	dump_and_restore("ascii", "restored", "postgres");
	after = read_db("restored");
	assert_same(before, after, "SQL_ASCII");
}

/* Letters of catalogs that a newer server may have. */
static void test_the_unknown_is_named(void **state)
{
	static const struct {
		const char *sql, *expected;
	} UNKNOWN[] = {
		{ "UPDATE pg_type SET typtype = 'z' WHERE oid = 'ty.empty'::regtype",
		  "unmodelled type ty.empty" },
		{ "UPDATE pg_proc SET prokind = 'z' WHERE oid = 'ty.is_good(varchar)'::regprocedure",
		  "unmodelled " },
		{ "INSERT INTO pg_depend SELECT 'pg_parameter_acl'::regclass, oid, 0, 'pg_class'::regclass, "
		  "'ty.t'::regclass, 0, 'n' "
		  "FROM pg_parameter_acl",
		  "unmodelled parameter ACL log_statement" },
	};

	(void)state;
	run_in("postgres", "GRANT SET ON PARAMETER log_statement TO sch_bob");
	for (size_t i = 0; i < sizeof(UNKNOWN) / sizeof(*UNKNOWN); i++) {
		cleanup_db struct db *db = open_db("f_types");
		cleanup_schema struct schema *before = read_from(db), *after = NULL;

		run(db, "SET allow_system_table_mods = on; BEGIN");
		run(db, UNKNOWN[i].sql);
		after = read_from(db);
		assert_differs(before, after, UNKNOWN[i].expected, UNKNOWN[i].sql);
		run(db, "ROLLBACK");
	}
	run_in("postgres", "REVOKE SET ON PARAMETER log_statement FROM sch_bob");
}

/* No secret is shown, and none of the texts is left out of JSON. */
static void test_secrets_and_json(void **state)
{
	static const char *const SECRETS[] = { "hunter2", "s3cret", "k3y", "abc" };
	cleanup_schema struct schema *s = read_db("f_outside"), *again = NULL;
	cleanup_json json_t *j = schema_to_json(s);
	cleanup_free char *text = json_canonical(j);
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(SECRETS) / sizeof(*SECRETS); i++)
		assert_null(strstr(text, SECRETS[i]));
	assert_null(strstr(text, "alembic_version"));
	assert_null(strstr(text, "ripcord"));
	assert_null(strstr(text, "f_outside"));
	if (!schema_from_json(j, &again, &err))
		fail_msg("%s", err.msg);
	assert_same(s, again, "JSON");
}

/* ------------------------------------------------------------------ roles */

static struct schema *read_roles(void)
{
	cleanup_db struct db *db = open_db("postgres");
	struct schema *s = NULL;
	struct err err = ERR_INIT;

	if (!schema_read_roles(db, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static void test_roles(void **state)
{
	static const struct change ROLES[] = {
		{ NULL, "CREATE ROLE r", "DROP ROLE r", "role r" },
		{ NULL, "ALTER ROLE sch_bob CREATEDB", "ALTER ROLE sch_bob NOCREATEDB",
		  "role sch_bob: create database yes" },
		{ NULL, "ALTER ROLE sch_bob VALID UNTIL '2030-01-01'",
		  "ALTER ROLE sch_bob VALID UNTIL 'infinity'", "role sch_bob: valid until" },
		{ NULL, "GRANT sch_bob TO sch_alice", "REVOKE sch_bob FROM sch_alice",
		  "membership sch_alice in sch_bob by postgres" },
		{ NULL, "GRANT pg_monitor TO sch_alice WITH ADMIN OPTION", "REVOKE pg_monitor FROM sch_alice",
		  "membership sch_alice in pg_monitor by postgres: admin yes" },
		{ NULL, "ALTER ROLE sch_bob SET work_mem = '5MB'", "ALTER ROLE sch_bob RESET work_mem",
		  "role setting work_mem for sch_bob: value sha256:" },
		{ NULL, "GRANT SET ON PARAMETER log_statement TO sch_bob",
		  "REVOKE SET ON PARAMETER log_statement FROM sch_bob",
		  "parameter grant log_statement to sch_bob: privileges SET" },
		{ NULL, "COMMENT ON ROLE sch_bob IS 'x'", "COMMENT ON ROLE sch_bob IS NULL",
		  "role sch_bob: comment x" },
	};
	cleanup_schema struct schema *before = NULL;

	(void)state;
	run_in("postgres", "ALTER ROLE sch_bob VALID UNTIL 'infinity'; ALTER ROLE sch_bob RESET ALL");
	before = read_roles();
	for (size_t i = 0; i < sizeof(ROLES) / sizeof(*ROLES); i++) {
		cleanup_schema struct schema *changed = NULL, *undone = NULL;

		run_in("postgres", ROLES[i].up);
		changed = read_roles();
		assert_differs(before, changed, ROLES[i].expected, ROLES[i].up);
		run_in("postgres", ROLES[i].down);
		undone = read_roles();
		assert_same(before, undone, ROLES[i].down);
	}
	run_in("postgres", "ALTER ROLE sch_bob IN DATABASE f_tables SET work_mem = '5MB'");
	{
		cleanup_schema struct schema *same = read_roles();

		assert_same(before, same, "a setting that belongs to a database");
	}
	run_in("postgres", "ALTER ROLE sch_bob IN DATABASE f_tables RESET work_mem");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump_and_restore_keep_it),
		cmocka_unit_test(test_texts_do_change_over_a_restore),
		cmocka_unit_test(test_a_plain_owner),
		cmocka_unit_test(test_changes_are_seen_and_their_undoing),
		cmocka_unit_test(test_leftovers_are_seen),
		cmocka_unit_test(test_what_is_no_change),
		cmocka_unit_test(test_public_made_again),
		cmocka_unit_test(test_settings_of_the_session),
		cmocka_unit_test(test_an_imported_snapshot),
		cmocka_unit_test(test_a_failed_reading),
		cmocka_unit_test(test_names_of_any_bytes),
		cmocka_unit_test(test_the_unknown_is_named),
		cmocka_unit_test(test_secrets_and_json),
		cmocka_unit_test(test_roles),
	};

	if (argc != 2 || !getenv("RIPCORD_TEST_PG")) {
		(void)fputs("usage: tests/pg/with_cluster.sh test_schema FIXTURES\n", stderr);
		return 2;
	}
	fixtures = argv[1];
	return cmocka_run_group_tests(tests, set_up, NULL);
}
