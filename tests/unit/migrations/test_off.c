/* What a statement is taken for: which ones run without a transaction block, and how each is looked for. */
#include "folder.h"

#include "migrations/off.h"

static void kinds_are_told_apart(void **state)
{
	static const struct {
		const char *sql, *name;
		bool bare;
	} cases[] = {
		{ "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "create-index", true },
		{ "CREATE INDEX i ON t (a)", "statement", false },
		{ "DROP INDEX CONCURRENTLY IF EXISTS s.i", "drop-index", true },
		{ "DROP INDEX i", "statement", false },
		{ "REINDEX (CONCURRENTLY) TABLE t", "reindex", true },
		{ "REINDEX SCHEMA s", "reindex", true },
		{ "REINDEX INDEX i", "statement", false },
		{ "ALTER TABLE p DETACH PARTITION c CONCURRENTLY", "detach", true },
		{ "ALTER TABLE p DETACH PARTITION c", "statement", false },
		{ "VACUUM (FULL) t", "vacuum", true },
		{ "ANALYZE t", "statement", false },
		{ "CLUSTER", "cluster", true },
		{ "CLUSTER t", "statement", false },
		{ "ALTER SYSTEM SET work_mem = '1MB'", "alter-system", true },
		{ "CREATE DATABASE d", "create-database", true },
		{ "DROP DATABASE d", "drop-database", true },
		{ "ALTER TYPE t ADD VALUE 'x'", "statement", false },
		{ "SET search_path = s", "set", false },
		{ "DO $$BEGIN COMMIT; END$$", "statement", false }, /* the server says so */
		{ "FROBNICATE THE TABLE", "statement", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_classified struct classified c = { .tree = NULL };
		classify(cases[i].sql, &c);
		assert_string_equal(c.kind->name, cases[i].name);
		assert_int_equal(c.bare, cases[i].bare);
	}
}

static void what_is_temporary_is_seen(void **state)
{
	static const struct {
		const char *sql;
		bool temporary;
	} cases[] = {
		{ "CREATE TEMP TABLE t (a int)", true }, { "CREATE TEMPORARY TABLE t AS SELECT 1", true },
		{ "SELECT 1 INTO TEMP t", true },        { "CREATE TABLE t (a int)", false },
		{ "INSERT INTO t VALUES (1)", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_classified struct classified c = { .tree = NULL };
		classify(cases[i].sql, &c);
		assert_int_equal(makes_temporary(&c), cases[i].temporary);
	}
}

static void only_what_counts_rows_is_a_batch(void **state)
{
	static const struct {
		const char *sql;
		bool counts;
	} cases[] = {
		{ "UPDATE t SET a = 1", true },
		{ "WITH x AS (SELECT 1) DELETE FROM t", true },
		{ "INSERT INTO t SELECT 1", true },
		{ "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", true },
		{ "SELECT 1", false },
		{ "TRUNCATE t", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_classified struct classified c = { .tree = NULL };
		classify(cases[i].sql, &c);
		assert_int_equal(changes_rows(&c), cases[i].counts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(what_is_temporary_is_seen),
		cmocka_unit_test(only_what_counts_rows_is_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
