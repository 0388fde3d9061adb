/* Units against a server: tests/pg/with_cluster.sh sets RIPCORD_TEST_PG. */
#include "bench.h"

#include <pthread.h>

/* ------------------------------------------------------------------ success */

static void a_revision_commits_with_its_rows(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1)\n",
	               "SELECT count(*) = 1 FROM t");
	bench_revision(b, "r2", "r1", "", "ALTER TABLE t ADD b int; -- no end of line", NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r2");
	bench_assert_value(
		b->db,
		"SELECT string_agg(revision || direction || outcome || host, ' ' ORDER BY number) FROM "
		"ripcord.history",
		"r1updonehere r2updonehere");
	assert_string_equal(ledger_heads(b->ledger)->v[0], "r2");
	assert_true(b->report.xid[0]);
	cleanup_free char *tip = mem_strdup(ledger_chain_tip(b->ledger));
	assert_true(ledger_read(b->ledger, b->db, &err));
	assert_string_equal(ledger_chain_tip(b->ledger), tip);
	assert_true(ledger_check_chain(b->ledger, b->db, &err));
}

static void alembic_s_table_is_made_as_alembic_makes_it(void **state)
{
	struct bench *b = *state;

	bench_assert_value(
		b->db,
		"SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = "
		"'alembic_version'::regclass",
		"alembic_version_pkc PRIMARY KEY (version_num)");
	bench_assert_value(
		b->db,
		"SELECT format_type(atttypid, atttypmod) || attnotnull FROM pg_attribute WHERE attrelid = "
		"'alembic_version'::regclass AND attnum > 0",
		"character varying(32)true");
}

static void settings_do_not_leak(void **state)
{
	struct bench *b = *state;

	bench_sql(b->db,
	          "DROP ROLE IF EXISTS unit_owner; CREATE ROLE unit_owner; GRANT CREATE ON DATABASE unit TO "
	          "unit_owner");
	bench_sql(b->db, "GRANT CREATE ON SCHEMA public TO unit_owner");
	b->settings.role = "unit_owner";
	bench_revision(
		b, "r1", "", "",
		"CREATE TABLE t (a int); CREATE SCHEMA s; SET search_path = s; SET work_mem = '77kB'; RESET "
		"ROLE;\n",
		"SELECT current_user = 'unit_owner' AND current_setting('search_path') LIKE '%public%'");
	bench_revision(b, "r2", "r1", "", "CREATE TABLE u (a int);\n", NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_assert_value(b->db, "SELECT 'public.u'::regclass::text", "u");
	bench_assert_value(b->db, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'u'",
	                   "unit_owner");
	bench_assert_value(b->db, "SELECT current_user::text", "postgres");
	bench_assert_value(b->db, "SELECT setting FROM pg_settings WHERE name = 'work_mem'", "4096");
	bench_assert_value(b->db, "SELECT current_setting('application_name')", "bench");
	bench_sql(b->db, "DROP OWNED BY unit_owner; DROP ROLE unit_owner");
}

static void the_application_name_tells_run_and_revision(void **state)
{
	struct bench *b = *state;

	bench_revision(b, "r1", "", "", "CREATE TABLE t AS SELECT current_setting('application_name') AS n",
	               NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_assert_value(b->db, "SELECT n FROM t", "ripcord/test-run/r1");
}

static void copy_data_stand_in_a_section(void **state)
{
	struct bench *b = *state;

	bench_revision(
		b, "r1", "", "",
		"\\restrict abc\nCREATE TABLE t (a int, b text);\nCOPY t FROM stdin;\n1\tone; "
		"COMMIT;\n2\t\\N\n\\.\n"
		"COPY t (a) FROM STDIN;\n\\.\nUPDATE t SET b = 'two' WHERE b IS NULL;\n\\unrestrict abc\n",
		"SELECT count(*) = 2 FROM t");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_assert_value(b->db, "SELECT string_agg(b, '|' ORDER BY a) FROM t", "one; COMMIT;|two");
}

static void a_whole_run_is_one_transaction(void **state)
{
	struct bench *b = *state;

	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int)\n", "SELECT true");
	bench_revision(b, "r2", "r1", "", "CREATE TABLE u (a int); SET search_path = nowhere", NULL);
	bench_revision(b, "r3", "r2", "", "SELECT 1/count(*) FROM u", NULL);
	assert_false(bench_run_whole(b));
	assert_int_equal(b->report.failed_step, 2);
	assert_string_equal(b->err.sqlstate, "22012");
	bench_assert_value(b->db, "SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')", "0");
	bench_assert_value(b->db, "SELECT count(*) FROM ripcord.history", "0");
	assert_int_equal(ledger_heads(b->ledger)->n, 0);
	bench_revision(b, "r3", "r2", "", "SELECT 1", NULL);
	bench_assert_ran(bench_run_whole(b), b);
	bench_assert_value(b->db, "SELECT count(DISTINCT xmin::text) || ' ' || count(*) FROM ripcord.history",
	                   "1 3");
	bench_assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r3");
}

static void a_downgrade_runs_its_section(void **state)
{
	struct bench *b = *state;

	folder_put(b->dir, "r1.sql",
	           "-- revision: r1\n-- ripcord:upgrade\nCREATE TABLE t (a int);\n-- ripcord:downgrade\nDROP "
	           "TABLE t;\n");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_assert_ran(bench_run_each(b, "base", DIRECTION_DOWN), b);
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	bench_assert_value(b->db, "SELECT string_agg(direction, ' ' ORDER BY number) FROM ripcord.history",
	                   "up down");
	bench_assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
}

/* ------------------------------------------------------------------ failures */

static void an_error_names_its_line(void **state)
{
	struct bench *b = *state;

	/* by its position, behind characters of several bytes */
	bench_revision(b, "r1", "", "", "SELECT 'äöü€';\n\nSELECT\n  nothing;\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 7);
	assert_non_null(strstr(b->err.file, "r1.sql"));
	assert_string_equal(b->err.sqlstate, "42703");
	assert_string_equal(b->report.phase, "upgrade");
	/* without one: by the statement */
	bench_revision(b, "r1", "", "", "SELECT 1; -- ;\nSELECT 2;\nSELECT\n 1/0;\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 6);
	/* a syntax error */
	bench_revision(b, "r1", "", "", "SELECT 1;\nSELEKT 2;\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 5);
	assert_string_equal(b->report.phase, "upgrade");
	/* behind COPY data */
	bench_revision(b, "r1", "", "",
	               "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n\\.\nSELECT 1;\nSELECT 1/0;\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 9);
	/* in the verify */
	bench_revision(b, "r1", "", "", "SELECT 1;\n", "SELECT true;\nSELECT nothing;\n");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "verify");
	assert_int_equal(b->err.line, 7);
	bench_assert_value(b->db, "SELECT count(*) FROM ripcord.history", "0");
	assert_int_equal(db_tx_status(b->db), 'I');
}

static void a_verify_fails_on_all_but_true(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *verify, *why;
	} cases[] = {
		{ "SELECT true;\nSELECT false;", "false" },
		{ "SELECT true;\nSELECT NULL::boolean;", "NULL" },
		{ "SELECT true;\nSELECT true WHERE false;", "no row" },
		{ "SELECT true;\nSELECT 1;", "not boolean" },
		{ "SELECT true;\nSELECT true, true;", "no single column" },
		{ "SELECT true;\nSELECT;", "no single column" },
		{ "SELECT true;\nSELECT a FROM (VALUES (true), (false)) v(a);", "false" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", cases[i].verify);
		assert_false(bench_run_each(b, "head", DIRECTION_UP));
		assert_int_equal(b->err.code, ERR_REFUSED);
		assert_string_equal(b->report.phase, "verify");
		assert_non_null(strstr(b->err.msg, cases[i].why));
		assert_int_equal(b->err.line, 7);
		bench_assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
		bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	}
}

static void a_verify_only_reads(void **state)
{
	struct bench *b = *state;

	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", "INSERT INTO t VALUES (1);\n");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "25006");
	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n",
	               "SET TRANSACTION READ WRITE; INSERT INTO t VALUES (1);\n");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	/* and what it sets is gone afterwards: the ledger's rows could be written at all */
	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n",
	               "SET search_path = nowhere; SELECT true;\n");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
}

static void deferred_constraints_fail_before_the_commit(void **state)
{
	struct bench *b = *state;

	bench_revision(
		b, "r1", "", "",
		"CREATE TABLE p (a int PRIMARY KEY);\n"
		"CREATE TABLE c (a int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES "
		"(1);\n",
		"SELECT true;\n");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "23503");
	assert_string_equal(b->report.phase, "upgrade"); /* not "commit" */
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
}

static void control_inside_a_section_is_refused_before_sending(void **state)
{
	struct bench *b = *state;
	static const char *const statements[] = { "COMMIT",
		                                  "BEGIN",
		                                  "END",
		                                  "ROLLBACK AND CHAIN",
		                                  "abort work",
		                                  "START TRANSACTION",
		                                  "PREPARE TRANSACTION 'x'",
		                                  "/* x */ commit",
		                                  "SAVEPOINT ripcord_unit" };

	for (size_t i = 0; i < COUNT(statements); i++) {
		cleanup_free char *up = mem_fmt("CREATE TABLE t (a int);\n%s;\nSELECT 1;\n", statements[i]);
		bench_revision(b, "r1", "", "", up, NULL);
		assert_false(bench_run_each(b, "head", DIRECTION_UP));
		assert_int_equal(b->err.code, ERR_USAGE);
		assert_int_equal(b->err.line, 5);
		bench_assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
	}
	bench_revision(
		b, "r1", "", "",
		"SAVEPOINT a; CREATE TABLE t (a int); ROLLBACK TO SAVEPOINT a; RELEASE a; PREPARE p AS "
		"SELECT 1;\n"
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;\n"
		"DO $$BEGIN PERFORM 1; END$$;\n",
		NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
}

/* What no reader of the text sees: strings are read otherwise, so the COMMIT is one after all. */
static void a_transaction_that_was_left_is_noticed(void **state)
{
	struct bench *b = *state;

	bench_sql(b->db, "ALTER DATABASE unit SET standard_conforming_strings = off");
	db_close(b->db);
	b->db = bench_connect("unit");
	bench_revision(b, "r1", "", "",
	               "CREATE TABLE t (a text);\nSELECT '\\', '; COMMIT; BEGIN; SELECT 1; --';\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_DB);
	assert_non_null(strstr(b->err.msg, "ended the transaction"));
	assert_true(b->report.left_partial);
	bench_assert_value(b->db, "SELECT to_regclass('t')::text", "t");
	bench_revision(b, "r1", "", "", "CREATE TABLE u (a text);\nSELECT '\\', '; ROLLBACK; --';\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_non_null(strstr(b->err.msg, "ended the transaction"));
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	assert_int_equal(db_tx_status(b->db), 'I');
}

static void a_row_that_another_changed_refuses(void **state)
{
	struct bench *b = *state;

	bench_revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	bench_sql(b->db, "UPDATE alembic_version SET version_num = 'other'");
	bench_revision(b, "r2", "r1", "", "CREATE TABLE t (a int);\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_string_equal(b->report.phase, "ledger");
	bench_assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
}

/* ------------------------------------------------------------------ locks */

struct holder {
	struct db *db;
	int ms;
};

static void *hold(void *arg)
{
	struct holder *h = arg;

	usleep((useconds_t)h->ms * 1000);
	struct err err = ERR_INIT;
	if (!db_run(h->db, "COMMIT", &err))
		return h;
	return NULL;
}

static void a_lock_is_waited_for_within_the_budget(void **state)
{
	struct bench *b = *state;
	struct holder h = { .db = bench_connect("unit"), .ms = 1000 };
	pthread_t thread;
	void *failed;

	bench_sql(b->db, "CREATE TABLE t (a int)");
	bench_revision(b, "r1", "", " lock_timeout=100ms", "ALTER TABLE t ADD b int;\n", NULL);
	bench_sql(h.db, "BEGIN; LOCK TABLE t");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "55P03");
	assert_int_equal(b->err.line, 4);
	assert_int_equal(b->report.attempts, 1);
	b->settings.lock_budget_ms = 20000;
	assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_true(b->report.attempts > 1);
	db_close(h.db);
}

/* ------------------------------------------------------------------ probes */

struct asked {
	int begun, ended, aborted;
	char begin[64], end[64];
	bool refuse;
};

static bool answered(void *ctx, enum probe_point at, const struct rows *rows, struct err *err)
{
	struct asked *a = ctx;

	if (at == PROBE_BEGIN) {
		a->begun++;
		snprintf(a->begin, sizeof(a->begin), "%s", rows_get(rows, 0, 0));
		return true;
	}
	a->ended++;
	snprintf(a->end, sizeof(a->end), "%s", rows_get(rows, 0, 0));
	return !a->refuse || err_set(err, ERR_REFUSED, "the guard said no");
}

static bool aborted(void *ctx, const struct rows *rows, struct err *err)
{
	struct asked *a = ctx;

	(void)err;
	a->aborted++;
	snprintf(a->end, sizeof(a->end), "%s", rows_get(rows, 0, 0));
	return true;
}

static const char inserted[] =
	"SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_xact_user_tables WHERE relname = 'kept'";

static void probes_are_asked_at_both_ends(void **state)
{
	struct bench *b = *state;
	struct asked a = { .begun = 0 };
	const struct probe probe = { .at_begin = "SELECT 'first'",
		                     .at_end = inserted,
		                     .at_abort = inserted,
		                     .answered = answered,
		                     .aborted = aborted,
		                     .ctx = &a };

	bench_sql(b->db, "CREATE TABLE kept (a int)");
	b->settings.probe = &probe;
	bench_revision(b, "r1", "", "", "INSERT INTO kept SELECT generate_series(1, 5);\n", "SELECT true;\n");
	a.refuse = true;
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.msg, "the guard said no");
	assert_int_equal(a.aborted, 1);
	a = (struct asked){ .begun = 0 };
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	assert_int_equal(a.begun, 1);
	assert_int_equal(a.ended, 1);
	assert_int_equal(a.aborted, 0);
	assert_string_equal(a.begin, "first");
	assert_true(strtol(a.end, NULL, 10) >= 5);
}

static void aborted_work_is_counted(void **state)
{
	struct bench *b = *state;
	struct asked a = { .begun = 0 };
	const struct probe probe = {
		.at_end = inserted, .at_abort = inserted, .answered = answered, .aborted = aborted, .ctx = &a
	};

	bench_sql(b->db, "CREATE TABLE kept (a int)");
	bench_sql(b->db, "SELECT pg_stat_force_next_flush()");
	b->settings.probe = &probe;
	bench_revision(b, "r1", "", "", "INSERT INTO kept SELECT generate_series(1, 5);\nSELECT 1/0;\n",
	               NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "22012");
	assert_int_equal(a.aborted, 1);
	assert_string_equal(a.end, "5");
	bench_assert_value(b->db, "SELECT count(*) FROM kept", "0");
}

static void a_failing_first_probe_stops_the_unit(void **state)
{
	struct bench *b = *state;
	const struct probe probe = { .at_begin = "SELECT 1/0" };

	b->settings.probe = &probe;
	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "ledger");
	assert_int_equal(b->err.line, 0);
	bench_assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_revision_commits_with_its_rows),
		BENCH_TEST(alembic_s_table_is_made_as_alembic_makes_it),
		BENCH_TEST(settings_do_not_leak),
		BENCH_TEST(the_application_name_tells_run_and_revision),
		BENCH_TEST(copy_data_stand_in_a_section),
		BENCH_TEST(a_whole_run_is_one_transaction),
		BENCH_TEST(a_downgrade_runs_its_section),
		BENCH_TEST(an_error_names_its_line),
		BENCH_TEST(a_verify_fails_on_all_but_true),
		BENCH_TEST(a_verify_only_reads),
		BENCH_TEST(deferred_constraints_fail_before_the_commit),
		BENCH_TEST(control_inside_a_section_is_refused_before_sending),
		BENCH_TEST(a_transaction_that_was_left_is_noticed),
		BENCH_TEST(a_row_that_another_changed_refuses),
		BENCH_TEST(a_lock_is_waited_for_within_the_budget),
		BENCH_TEST(probes_are_asked_at_both_ends),
		BENCH_TEST(aborted_work_is_counted),
		BENCH_TEST(a_failing_first_probe_stops_the_unit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
