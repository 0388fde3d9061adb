/* Units against a server: tests/pg/with_cluster.sh sets RIPCORD_TEST_PG. */
#include "folder.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/db.h"

#include <pthread.h>

static const struct ledger_names names = { .table = "alembic_version" };

/* A database of its own for each test. */
struct bench {
	char *dir;
	struct db *db;
	struct ledger *ledger;
	struct graph *graph;
	struct exec_settings settings;
	struct exec_report report;
	struct err err;
};

static struct db *connect_to(const char *database)
{
	struct err err = ERR_INIT;
	struct db *db = NULL;
	cleanup_conninfo struct conninfo *ci = NULL;
	const char *where = getenv("RIPCORD_TEST_PG");

	if (!where)
		fail_msg("%s", "RIPCORD_TEST_PG is not set: run this by tests/pg/with_cluster.sh");
	cleanup_free char *all = mem_fmt("%s dbname=%s", where, database);
	if (!conninfo_parse(all, &ci, &err) || !db_open(ci, "test_exec", &db, &err))
		fail_msg("%s", err.msg);
	return db;
}

static void sql(struct db *db, const char *text)
{
	struct err err = ERR_INIT;

	if (!db_run(db, text, &err))
		fail_msg("%s: %s", text, err.msg);
}

static char *value(struct db *db, const char *text)
{
	struct err err = ERR_INIT;
	char *out = NULL;

	if (!db_value(db, text, DB_NO_ARGS, &out, &err))
		fail_msg("%s: %s", text, err.msg);
	return out;
}

static void assert_value(struct db *db, const char *text, const char *expected)
{
	cleanup_free char *is = value(db, text);

	assert_string_equal(is ? is : "(null)", expected);
}

static int set_up(void **state)
{
	struct bench *b = mem_new0(sizeof(*b));
	struct db *admin = connect_to("postgres");
	struct err err = ERR_INIT;

	sql(admin, "DROP DATABASE IF EXISTS unit WITH (FORCE)");
	sql(admin, "CREATE DATABASE unit");
	db_close(admin);
	b->dir = folder_new();
	b->db = connect_to("unit");
	b->settings = (struct exec_settings){
		.lock_timeout_ms = 2000,
		.lock_budget_ms = 0,
		.actor = { .run = "0193-test-run", .who = "me", .host = "here", .tool_version = "0" },
	};
	if (!ledger_open(b->db, &names, &b->ledger, &err) || !ledger_create(b->ledger, b->db, &err))
		fail_msg("%s", err.msg);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	graph_free(b->graph);
	ledger_free(b->ledger);
	db_close(b->db);
	folder_remove(b->dir);
	free(b);
	return 0;
}

/* One revision "r1" with the sections given (NULL: none); options stand on the upgrade's marker. */
static void revision(struct bench *b, const char *id, const char *revises, const char *options,
                     const char *up, const char *verify)
{
	cleanup_free char *name = mem_fmt("%s.sql", id);
	cleanup_free char *text =
		mem_fmt("-- revision: %s\n-- revises: %s\n-- ripcord:upgrade%s\n%s%s%s", id, revises, options,
	                up, verify ? "-- ripcord:verify\n" : "", verify ? verify : "");

	folder_put(b->dir, name, text);
}

static struct plan *plan_to(struct bench *b, const char *target, enum direction direction)
{
	struct err err = ERR_INIT;
	struct plan *plan = NULL;

	graph_free(b->graph);
	b->graph = NULL;
	if (!graph_load(b->dir, &b->graph, &err) ||
	    !plan_make(b->graph, ledger_heads(b->ledger), target, direction, &plan, &err))
		fail_msg("%s", err.msg);
	return plan;
}

/* Runs all steps, each as a unit of its own. */
static bool run_each(struct bench *b, const char *target, enum direction direction)
{
	cleanup_plan struct plan *plan = plan_to(b, target, direction);

	b->err = (struct err)ERR_INIT;
	for (size_t i = 0; i < plan->n; i++)
		if (!exec_unit(b->db, b->ledger, &plan->steps[i], 1, &b->settings, &b->report, &b->err))
			return false;
	return true;
}

static bool run_whole(struct bench *b)
{
	cleanup_plan struct plan *plan = plan_to(b, "heads", DIRECTION_UP);

	b->err = (struct err)ERR_INIT;
	return exec_unit(b->db, b->ledger, plan->steps, plan->n, &b->settings, &b->report, &b->err);
}

static void assert_ran(bool ok, const struct bench *b)
{
	if (!ok)
		fail_msg("%s: %s (%s:%d)", b->report.phase ? b->report.phase : "?", b->err.msg, b->err.file,
		         b->err.line);
}

/* ------------------------------------------------------------------ success */

static void a_revision_commits_with_its_rows(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	revision(b, "r1", "", "", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1)\n",
	         "SELECT count(*) = 1 FROM t");
	revision(b, "r2", "r1", "", "ALTER TABLE t ADD b int; -- no end of line", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r2");
	assert_value(b->db,
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

	assert_value(b->db,
	             "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = "
	             "'alembic_version'::regclass",
	             "alembic_version_pkc PRIMARY KEY (version_num)");
	assert_value(
		b->db,
		"SELECT format_type(atttypid, atttypmod) || attnotnull FROM pg_attribute WHERE attrelid = "
		"'alembic_version'::regclass AND attnum > 0",
		"character varying(32)true");
}

static void settings_do_not_leak(void **state)
{
	struct bench *b = *state;

	sql(b->db, "DROP ROLE IF EXISTS unit_owner; CREATE ROLE unit_owner; GRANT CREATE ON DATABASE unit TO "
	           "unit_owner");
	sql(b->db, "GRANT CREATE ON SCHEMA public TO unit_owner");
	b->settings.role = "unit_owner";
	revision(b, "r1", "", "",
	         "CREATE TABLE t (a int); CREATE SCHEMA s; SET search_path = s; SET work_mem = '77kB'; RESET "
	         "ROLE;\n",
	         "SELECT current_user = 'unit_owner' AND current_setting('search_path') LIKE '%public%'");
	revision(b, "r2", "r1", "", "CREATE TABLE u (a int);\n", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_value(b->db, "SELECT 'public.u'::regclass::text", "u");
	assert_value(b->db, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'u'",
	             "unit_owner");
	assert_value(b->db, "SELECT current_user::text", "postgres");
	assert_value(b->db, "SELECT setting FROM pg_settings WHERE name = 'work_mem'", "4096");
	assert_value(b->db, "SELECT current_setting('application_name')", "test_exec");
	sql(b->db, "DROP OWNED BY unit_owner; DROP ROLE unit_owner");
}

static void the_application_name_tells_run_and_revision(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "", "CREATE TABLE t AS SELECT current_setting('application_name') AS n", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_value(b->db, "SELECT n FROM t", "ripcord/test-run/r1");
}

static void copy_data_stand_in_a_section(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "",
	         "\\restrict abc\nCREATE TABLE t (a int, b text);\nCOPY t FROM stdin;\n1\tone; "
	         "COMMIT;\n2\t\\N\n\\.\n"
	         "COPY t (a) FROM STDIN;\n\\.\nUPDATE t SET b = 'two' WHERE b IS NULL;\n\\unrestrict abc\n",
	         "SELECT count(*) = 2 FROM t");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_value(b->db, "SELECT string_agg(b, '|' ORDER BY a) FROM t", "one; COMMIT;|two");
}

static void a_whole_run_is_one_transaction(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "", "CREATE TABLE t (a int)\n", "SELECT true");
	revision(b, "r2", "r1", "", "CREATE TABLE u (a int); SET search_path = nowhere", NULL);
	revision(b, "r3", "r2", "", "SELECT 1/count(*) FROM u", NULL);
	assert_false(run_whole(b));
	assert_int_equal(b->report.failed_step, 2);
	assert_string_equal(b->err.sqlstate, "22012");
	assert_value(b->db, "SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')", "0");
	assert_value(b->db, "SELECT count(*) FROM ripcord.history", "0");
	assert_int_equal(ledger_heads(b->ledger)->n, 0);
	revision(b, "r3", "r2", "", "SELECT 1", NULL);
	assert_ran(run_whole(b), b);
	assert_value(b->db, "SELECT count(DISTINCT xmin::text) || ' ' || count(*) FROM ripcord.history",
	             "1 3");
	assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r3");
}

static void a_downgrade_runs_its_section(void **state)
{
	struct bench *b = *state;

	folder_put(b->dir, "r1.sql",
	           "-- revision: r1\n-- ripcord:upgrade\nCREATE TABLE t (a int);\n-- ripcord:downgrade\nDROP "
	           "TABLE t;\n");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_ran(run_each(b, "base", DIRECTION_DOWN), b);
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	assert_value(b->db, "SELECT string_agg(direction, ' ' ORDER BY number) FROM ripcord.history",
	             "up down");
	assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
}

/* ------------------------------------------------------------------ failures */

static void an_error_names_its_line(void **state)
{
	struct bench *b = *state;

	/* by its position, behind characters of several bytes */
	revision(b, "r1", "", "", "SELECT 'äöü€';\n\nSELECT\n  nothing;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 7);
	assert_non_null(strstr(b->err.file, "r1.sql"));
	assert_string_equal(b->err.sqlstate, "42703");
	assert_string_equal(b->report.phase, "upgrade");
	/* without one: by the statement */
	revision(b, "r1", "", "", "SELECT 1; -- ;\nSELECT 2;\nSELECT\n 1/0;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 6);
	/* a syntax error */
	revision(b, "r1", "", "", "SELECT 1;\nSELEKT 2;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 5);
	assert_string_equal(b->report.phase, "upgrade");
	/* behind COPY data */
	revision(b, "r1", "", "",
	         "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n\\.\nSELECT 1;\nSELECT 1/0;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.line, 9);
	/* in the verify */
	revision(b, "r1", "", "", "SELECT 1;\n", "SELECT true;\nSELECT nothing;\n");
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "verify");
	assert_int_equal(b->err.line, 7);
	assert_value(b->db, "SELECT count(*) FROM ripcord.history", "0");
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
		revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", cases[i].verify);
		assert_false(run_each(b, "head", DIRECTION_UP));
		assert_int_equal(b->err.code, ERR_REFUSED);
		assert_string_equal(b->report.phase, "verify");
		assert_non_null(strstr(b->err.msg, cases[i].why));
		assert_int_equal(b->err.line, 7);
		assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
		assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	}
}

static void a_verify_only_reads(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", "INSERT INTO t VALUES (1);\n");
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "25006");
	revision(b, "r1", "", "", "CREATE TABLE t (a int);\n",
	         "SET TRANSACTION READ WRITE; INSERT INTO t VALUES (1);\n");
	assert_false(run_each(b, "head", DIRECTION_UP));
	/* and what it sets is gone afterwards: the ledger's rows could be written at all */
	revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", "SET search_path = nowhere; SELECT true;\n");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
}

static void deferred_constraints_fail_before_the_commit(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "",
	         "CREATE TABLE p (a int PRIMARY KEY);\n"
	         "CREATE TABLE c (a int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO c VALUES "
	         "(1);\n",
	         "SELECT true;\n");
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "23503");
	assert_string_equal(b->report.phase, "upgrade"); /* not "commit" */
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
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
		revision(b, "r1", "", "", up, NULL);
		assert_false(run_each(b, "head", DIRECTION_UP));
		assert_int_equal(b->err.code, ERR_USAGE);
		assert_int_equal(b->err.line, 5);
		assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
	}
	revision(b, "r1", "", "",
	         "SAVEPOINT a; CREATE TABLE t (a int); ROLLBACK TO SAVEPOINT a; RELEASE a; PREPARE p AS "
	         "SELECT 1;\n"
	         "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;\n"
	         "DO $$BEGIN PERFORM 1; END$$;\n",
	         NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
}

/* What no reader of the text sees: strings are read otherwise, so the COMMIT is one after all. */
static void a_transaction_that_was_left_is_noticed(void **state)
{
	struct bench *b = *state;

	sql(b->db, "ALTER DATABASE unit SET standard_conforming_strings = off");
	db_close(b->db);
	b->db = connect_to("unit");
	revision(b, "r1", "", "", "CREATE TABLE t (a text);\nSELECT '\\', '; COMMIT; BEGIN; SELECT 1; --';\n",
	         NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_DB);
	assert_non_null(strstr(b->err.msg, "ended the transaction"));
	assert_true(b->report.left_partial);
	assert_value(b->db, "SELECT to_regclass('t')::text", "t");
	revision(b, "r1", "", "", "CREATE TABLE u (a text);\nSELECT '\\', '; ROLLBACK; --';\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_non_null(strstr(b->err.msg, "ended the transaction"));
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	assert_int_equal(db_tx_status(b->db), 'I');
}

static void a_row_that_another_changed_refuses(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	sql(b->db, "UPDATE alembic_version SET version_num = 'other'");
	revision(b, "r2", "r1", "", "CREATE TABLE t (a int);\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_string_equal(b->report.phase, "ledger");
	assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
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
	struct holder h = { .db = connect_to("unit"), .ms = 1000 };
	pthread_t thread;
	void *failed;

	sql(b->db, "CREATE TABLE t (a int)");
	revision(b, "r1", "", " lock_timeout=100ms", "ALTER TABLE t ADD b int;\n", NULL);
	sql(h.db, "BEGIN; LOCK TABLE t");
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "55P03");
	assert_int_equal(b->err.line, 4);
	assert_int_equal(b->report.attempts, 1);
	b->settings.lock_budget_ms = 20000;
	assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
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

	sql(b->db, "CREATE TABLE kept (a int)");
	b->settings.probe = &probe;
	revision(b, "r1", "", "", "INSERT INTO kept SELECT generate_series(1, 5);\n", "SELECT true;\n");
	a.refuse = true;
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.msg, "the guard said no");
	assert_int_equal(a.aborted, 1);
	a = (struct asked){ .begun = 0 };
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
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

	sql(b->db, "CREATE TABLE kept (a int)");
	sql(b->db, "SELECT pg_stat_force_next_flush()");
	b->settings.probe = &probe;
	revision(b, "r1", "", "", "INSERT INTO kept SELECT generate_series(1, 5);\nSELECT 1/0;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "22012");
	assert_int_equal(a.aborted, 1);
	assert_string_equal(a.end, "5");
	assert_value(b->db, "SELECT count(*) FROM kept", "0");
}

static void a_failing_first_probe_stops_the_unit(void **state)
{
	struct bench *b = *state;
	const struct probe probe = { .at_begin = "SELECT 1/0" };

	b->settings.probe = &probe;
	revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "ledger");
	assert_int_equal(b->err.line, 0);
	assert_value(b->db, "SELECT coalesce(to_regclass('t')::text, 'gone')", "gone");
}

/* ------------------------------------------------------------------ transaction=off */

struct watched {
	int before, after;
	char last[128];
};

static bool saw_before(void *ctx, const struct step *step, const struct statement_at *at, struct err *err)
{
	struct watched *w = ctx;

	(void)step;
	(void)err;
	assert_int_equal(at->index, w->before);
	w->before++;
	snprintf(w->last, sizeof(w->last), "%s", at->text);
	return true;
}

static bool saw_after(void *ctx, const struct step *step, const struct statement_at *at, struct err *err)
{
	struct watched *w = ctx;

	(void)step;
	(void)err;
	assert_int_equal(at->index, w->after);
	w->after++;
	return true;
}

static void statements_run_one_by_one(void **state)
{
	struct bench *b = *state;
	struct watched w = { .before = 0 };
	const struct statement_watch watch = { .before = saw_before, .after = saw_after, .ctx = &w };

	sql(b->db, "CREATE TABLE t (a int)");
	b->settings.watch = &watch;
	revision(b, "r1", "", " transaction=off",
	         "-- first\nCREATE INDEX CONCURRENTLY t_a ON t (a);\n\nSET work_mem = '77kB'; VACUUM t;\n",
	         "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_int_equal(w.before, 3);
	assert_int_equal(w.after, 3);
	assert_string_equal(w.last, "VACUUM t");
	assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
	assert_value(b->db, "SELECT setting FROM pg_settings WHERE name = 'work_mem'", "4096");
	assert_value(b->db, "SELECT current_setting('application_name')", "test_exec");
}

static void an_invalid_index_of_ours_is_dropped(void **state)
{
	struct bench *b = *state;

	sql(b->db, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
	revision(b, "r1", "", " transaction=off",
	         "CREATE TABLE other (a int);\nCREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "23505");
	assert_int_equal(b->err.line, 5);
	assert_true(b->report.left_partial);
	assert_value(b->db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0");
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
}

static void an_invalid_index_of_others_is_not_hidden(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	sql(b->db, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
	assert_false(db_run(b->db, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)", &err));
	revision(b, "r1", "", " transaction=off",
	         "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_value(b->db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "1");
}

static void a_verify_fails_after_statements_that_stay(void **state)
{
	struct bench *b = *state;

	revision(b, "r1", "", " transaction=off", "CREATE TABLE t (a int);\n", "SELECT false;\n");
	assert_false(run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "verify");
	assert_true(b->report.left_partial);
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	assert_value(b->db, "SELECT to_regclass('t')::text", "t");
}

static const char off_section[] = "CREATE TABLE t (a int);\nSET search_path = elsewhere, public;\n"
				  "CREATE INDEX CONCURRENTLY t_a ON t (a);\nINSERT INTO t VALUES (1);\n";

/* As a journal has it of the statement that was begun. */
static json_t *begun(const char *text, const char *table)
{
	char digest[SHA256_HEX];
	json_t *about = json_object();

	sha256_of(text, strlen(text), digest);
	json_put(about, "sha256", json_str(digest));
	json_put(about, "bare", json_boolean(true));
	json_put(about, "table", json_str(table));
	json_put(about, "indexes", json_array());
	return about;
}

static void resume_at_the_index(struct bench *b, const char *index_sql)
{
	sql(b->db, "CREATE TABLE t (a int); CREATE SCHEMA elsewhere");
	if (index_sql)
		sql(b->db, index_sql);
	cleanup_free char *table = value(b->db, "SELECT 't'::regclass::oid::text");
	cleanup_json json_t *about = begun("CREATE INDEX CONCURRENTLY t_a ON t (a)", table);
	const struct exec_resume resume = { .done = 2, .begun = about };

	b->settings.resume = &resume;
	revision(b, "r1", "", " transaction=off", off_section, "SELECT count(*) = 1 FROM t;\n");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	b->settings.resume = NULL;
	assert_value(b->db, "SELECT count(*) FROM t", "1");
	assert_value(b->db, "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid",
	             "1");
	assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
}

static void a_section_goes_on_where_nothing_was_done(void **state) { resume_at_the_index(*state, NULL); }

static void a_section_goes_on_where_it_was_done(void **state)
{
	resume_at_the_index(*state, "CREATE INDEX t_a ON t (a)");
}

static void a_section_goes_on_over_an_invalid_index(void **state)
{
	resume_at_the_index(*state,
	                    "CREATE INDEX t_a ON t (a);"
	                    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass");
}

static void a_changed_statement_is_not_resumed(void **state)
{
	struct bench *b = *state;
	cleanup_json json_t *about = begun("CREATE INDEX CONCURRENTLY t_a ON t (b)", "0");
	const struct exec_resume resume = { .done = 2, .begun = about };

	sql(b->db, "CREATE TABLE t (a int)");
	b->settings.resume = &resume;
	revision(b, "r1", "", " transaction=off", off_section, NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	b->settings.resume = NULL;
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_true(b->report.left_partial);
}

static void what_was_temporary_is_not_resumed(void **state)
{
	struct bench *b = *state;
	const struct exec_resume resume = { .done = 1 };

	b->settings.resume = &resume;
	revision(b, "r1", "", " transaction=off", "CREATE TEMP TABLE t (a int);\nSELECT 1;\n", NULL);
	assert_false(run_each(b, "head", DIRECTION_UP));
	b->settings.resume = NULL;
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_true(b->report.left_partial);
}

/* ------------------------------------------------------------------ the ledger */

static void a_changed_row_breaks_the_chain(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	revision(b, "r2", "r1", "", "SELECT 1;\n", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	assert_true(ledger_check_chain(b->ledger, b->db, &err));
	assert_false(db_run(b->db, "UPDATE ripcord.history SET who = 'nobody'", &err)); /* append-only */
	sql(b->db, "ALTER TABLE ripcord.history DISABLE TRIGGER ALL; UPDATE ripcord.history SET source = "
	           "source || ' ' WHERE number = 1");
	err = (struct err)ERR_INIT;
	assert_false(ledger_check_chain(b->ledger, b->db, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "row 1"));
	sql(b->db, "DELETE FROM ripcord.history WHERE number = 1");
	err = (struct err)ERR_INIT;
	assert_false(ledger_check_chain(b->ledger, b->db, &err));
	assert_non_null(strstr(err.msg, "row 1 is missing"));
}

static void a_changed_file_is_refused_and_repaired(void **state)
{
	struct bench *b = *state;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	b->err = (struct err)ERR_INIT;
	assert_true(ledger_read(b->ledger, b->db, &b->err));
	assert_true(ledger_check_files(b->ledger, b->db, b->graph, &diff, &b->err));
	revision(b, "r1", "", "", "SELECT 2;\n", NULL);
	plan_free(plan_to(b, "head", DIRECTION_UP));
	assert_false(ledger_check_files(b->ledger, b->db, b->graph, &diff, &b->err));
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_non_null(strstr(buf_text(&diff), "\n-SELECT 1;\n+SELECT 2;\n"));
	b->err = (struct err)ERR_INIT;
	if (!ledger_repair(b->ledger, b->db, graph_get(b->graph, "r1"), &b->settings.actor, "a typo",
	                   &b->err))
		fail_msg("%s", b->err.msg);
	assert_true(ledger_check_files(b->ledger, b->db, b->graph, NULL, &b->err));
	assert_value(b->db, "SELECT reason FROM ripcord.history WHERE outcome = 'repaired'", "a typo");
	assert_true(ledger_check_chain(b->ledger, b->db, &b->err));
}

static void another_checkout_can_go_down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	cleanup_free char *file = NULL;

	revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", NULL);
	folder_put(
		b->dir, "r2.sql",
		"-- revision: r2\n-- revises: r1\n-- message: it's two\n-- ripcord:upgrade lock_timeout=1s\n"
		"CREATE TABLE u (a int);\n-- ripcord:downgrade\nDROP TABLE u;");
	assert_ran(run_each(b, "head", DIRECTION_UP), b);
	file = mem_fmt("%s/versions/r2.sql", b->dir);
	assert_int_equal(unlink(file), 0);
	graph_free(b->graph);
	b->graph = NULL;
	assert_true(graph_load(b->dir, &b->graph, &err));
	assert_true(ledger_read(b->ledger, b->db, &err));
	assert_null(graph_get(b->graph, "r2"));
	if (!ledger_complete_graph(b->ledger, b->db, b->graph, &err))
		fail_msg("%s", err.msg);
	const struct revision *r2 = graph_get(b->graph, "r2");
	assert_non_null(r2);
	assert_string_equal(r2->message, "it's two");
	assert_int_equal(r2->upgrade.lock_timeout_ms, 1000);
	assert_null(r2->path);
	cleanup_plan struct plan *plan = NULL;
	assert_true(plan_make(b->graph, ledger_heads(b->ledger), "r1", DIRECTION_DOWN, &plan, &err));
	assert_true(exec_unit(b->db, b->ledger, plan->steps, 1, &b->settings, &b->report, &err));
	assert_value(b->db, "SELECT coalesce(to_regclass('u')::text, 'gone')", "gone");
}

static void stamping_sets_heads_and_leaves_rows(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	cleanup_strv struct strv to = STRV_INIT;
	static const struct strv none = STRV_INIT;

	revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	plan_free(plan_to(b, "head", DIRECTION_UP));
	strv_add(&to, "r1");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &to, false, &b->settings.actor, &err));
	assert_string_equal(ledger_heads(b->ledger)->v[0], "r1");
	assert_value(b->db, "SELECT revision || outcome FROM ripcord.history", "r1stamped");
	sql(b->db, "INSERT INTO alembic_version VALUES ('stray')");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &to, true, &b->settings.actor, &err));
	assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &none, false, &b->settings.actor, &err));
	assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	assert_true(ledger_note(b->ledger, b->db, &b->settings.actor, "r1", "restored", "it's back", &err));
	assert_string_equal(ledger_history(b->ledger, 0)->outcome, "restored");
	assert_true(ledger_check_chain(b->ledger, b->db, &err));
}

static void odd_names_are_quoted(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	const struct ledger_names odd = { .schema = "Ü \"x\"", .table = "ver'sion \"s\"" };
	cleanup_ledger struct ledger *l = NULL;

	sql(b->db, "CREATE SCHEMA \"Ü \"\"x\"\"\"");
	assert_true(ledger_open(b->db, &odd, &l, &err));
	assert_false(ledger_exists(l));
	if (!ledger_create(l, b->db, &err))
		fail_msg("%s", err.msg);
	assert_true(ledger_exists(l));
	revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	cleanup_plan struct plan *plan = plan_to(b, "head", DIRECTION_UP);
	assert_true(exec_unit(b->db, l, plan->steps, 1, &b->settings, &b->report, &err));
	assert_string_equal(ledger_table(l), "\"Ü \"\"x\"\"\".\"ver'sion \"\"s\"\"\"");
	assert_true(ledger_read(l, b->db, &err));
	assert_string_equal(ledger_heads(l)->v[0], "r1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_revision_commits_with_its_rows),
		TEST(alembic_s_table_is_made_as_alembic_makes_it),
		TEST(settings_do_not_leak),
		TEST(the_application_name_tells_run_and_revision),
		TEST(copy_data_stand_in_a_section),
		TEST(a_whole_run_is_one_transaction),
		TEST(a_downgrade_runs_its_section),
		TEST(an_error_names_its_line),
		TEST(a_verify_fails_on_all_but_true),
		TEST(a_verify_only_reads),
		TEST(deferred_constraints_fail_before_the_commit),
		TEST(control_inside_a_section_is_refused_before_sending),
		TEST(a_transaction_that_was_left_is_noticed),
		TEST(a_row_that_another_changed_refuses),
		TEST(a_lock_is_waited_for_within_the_budget),
		TEST(probes_are_asked_at_both_ends),
		TEST(aborted_work_is_counted),
		TEST(a_failing_first_probe_stops_the_unit),
		TEST(statements_run_one_by_one),
		TEST(an_invalid_index_of_ours_is_dropped),
		TEST(an_invalid_index_of_others_is_not_hidden),
		TEST(a_verify_fails_after_statements_that_stay),
		TEST(a_section_goes_on_where_nothing_was_done),
		TEST(a_section_goes_on_where_it_was_done),
		TEST(a_section_goes_on_over_an_invalid_index),
		TEST(a_changed_statement_is_not_resumed),
		TEST(what_was_temporary_is_not_resumed),
		TEST(a_changed_row_breaks_the_chain),
		TEST(a_changed_file_is_refused_and_repaired),
		TEST(another_checkout_can_go_down),
		TEST(stamping_sets_heads_and_leaves_rows),
		TEST(odd_names_are_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
