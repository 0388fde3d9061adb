#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/db.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Needs a server: ctest runs it by tests/pg/with_cluster.sh, which sets RIPCORD_TEST_PG. */
static struct db *open_db(void)
{
	struct err err = ERR_INIT;
	struct db *db = NULL;
	cleanup_conninfo struct conninfo *ci = NULL;
	const char *where = getenv("RIPCORD_TEST_PG");

	if (!where)
		fail_msg("%s", "RIPCORD_TEST_PG is not set: run this by tests/pg/with_cluster.sh");
	if (!conninfo_parse(where, &ci, &err) || !db_open(ci, "test_db", &db, &err))
		fail_msg("%s", err.msg);
	return db;
}

static int64_t number(struct db *db, const char *sql)
{
	struct err err = ERR_INIT;
	int64_t n = -1;

	if (!db_int(db, sql, DB_NO_ARGS, &n, &err))
		fail_msg("%s", err.msg);
	return n;
}

static void run(struct db *db, const char *sql)
{
	struct err err = ERR_INIT;

	if (!db_run(db, sql, &err))
		fail_msg("%s", err.msg);
}

/* Sends a signal to this process after a while. */
static pid_t signal_later(int sig, int ms)
{
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		usleep((useconds_t)ms * 1000);
		kill(parent, sig);
		_exit(0);
	}
	return child;
}

/* ------------------------------------------------------------------ statements */

static void test_values(void **state)
{
	cleanup_db struct db *db = open_db();
	cleanup_rows struct rows *r = NULL;
	struct err err = ERR_INIT;
	(void)state;

	assert_true(db_query(db, "SELECT $1::text AS \"a b\", $2::text, true", DB_ARGS("x'\\\"y", NULL), &r,
	                     &err));
	assert_int_equal(rows_count(r), 1);
	assert_int_equal(rows_columns(r), 3);
	assert_string_equal(rows_get(r, 0, 0), "x'\\\"y");
	assert_null(rows_get(r, 0, 1));
	assert_string_equal(rows_name(r, 0), "a b");
	assert_false(rows_is_bool(r, 0));
	assert_true(rows_is_bool(r, 2));
	assert_string_equal(db_tag(db), "SELECT 1");
	assert_int_equal(number(db, "SELECT 9007199254740993"), 9007199254740993);
	assert_true(db_server_version(db) >= 140000);
	assert_int_equal(number(db, "SELECT pg_backend_pid()"), db_pid(db));
}

static void test_one_value_means_one(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err none = ERR_INIT, two = ERR_INIT, word = ERR_INIT;
	char *text = NULL;
	int64_t n = 0;
	(void)state;

	assert_false(db_value(db, "SELECT 1 WHERE false", DB_NO_ARGS, &text, &none));
	assert_false(db_value(db, "VALUES (1), (2)", DB_NO_ARGS, &text, &two));
	assert_false(db_int(db, "SELECT 'x'", DB_NO_ARGS, &n, &word));
	assert_null(text);
	assert_int_equal(none.code, ERR_DB);
	assert_int_equal(two.code, ERR_DB);
	assert_int_equal(word.code, ERR_DB);
}

static void test_names_are_quoted(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT;
	(void)state;

	assert_true(db_runf(db, &err, "CREATE TEMP TABLE %I AS SELECT %L::text AS t", "a \"b\" ü",
	                    "it's \\ here"));
	assert_int_equal(number(db, "SELECT count(*) FROM \"a \"\"b\"\" ü\" WHERE t = E'it''s \\\\ here'"),
	                 1);
}

static void test_error_is_told_whole(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT, unique = ERR_INIT;
	(void)state;

	assert_false(db_run(db, "SELECT 'ü', nothere", &err));
	assert_int_equal(err.code, ERR_DB);
	assert_string_equal(err.sqlstate, "42703");
	assert_non_null(strstr(err.msg, "nothere"));
	assert_int_equal(db_error_position(db), 13); /* characters, not bytes */

	run(db, "CREATE TEMP TABLE u(n int PRIMARY KEY); INSERT INTO u VALUES (7)");
	assert_int_equal(db_error_position(db), 0);
	assert_false(db_run(db, "INSERT INTO u VALUES (7)", &unique));
	assert_string_equal(unique.sqlstate, "23505");
	assert_non_null(strstr(unique.msg, "Key (n)=(7) already exists"));

	struct err hinted = ERR_INIT;
	assert_false(db_run(db, "DO $$ BEGIN RAISE 'no' USING HINT = 'try yes'; END $$", &hinted));
	assert_string_equal(hinted.hint, "try yes");
	assert_false(db_is_lost(db));
}

/* ------------------------------------------------------------------ scripts */

struct seen {
	struct buf text;
	size_t fail_at;
};

static bool see(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	struct seen *s = ctx;

	buf_fmt(&s->text, "%zu:%s:%zu ", index, tag, rows_columns(rows));
	return index != s->fail_at || err_set(err, ERR_REFUSED, "not that one");
}

static void test_script_hands_each_result_on(void **state)
{
	cleanup_db struct db *db = open_db();
	struct seen seen = { .text = BUF_INIT(BUF_TEXT_MAX), .fail_at = SIZE_MAX };
	struct err err = ERR_INIT;
	(void)state;

	assert_true(db_script(db,
	                      "CREATE TEMP TABLE s(n int);; INSERT INTO s VALUES (1),(2); SELECT n, n FROM s",
	                      see, &seen, &err));
	assert_string_equal(buf_text(&seen.text), "0:CREATE TABLE:0 1:INSERT 0 2:0 2:SELECT 2:2 ");
	buf_clear(&seen.text);

	assert_false(db_script(db, "SELECT 1; SELECT 1/0; SELECT 2", see, &seen, &err));
	assert_string_equal(buf_text(&seen.text), "0:SELECT 1:1 ");
	assert_string_equal(err.sqlstate, "22012");
	buf_clear(&seen.text);
}

static void test_refused_result_does_not_stop_the_server(void **state)
{
	cleanup_db struct db *db = open_db();
	struct seen seen = { .text = BUF_INIT(BUF_TEXT_MAX), .fail_at = 0 };
	struct err err = ERR_INIT;
	(void)state;

	assert_false(db_script(db, "CREATE TEMP TABLE later(n int); INSERT INTO later VALUES (1)", see, &seen,
	                       &err));
	assert_int_equal(err.code, ERR_REFUSED);
	assert_string_equal(buf_text(&seen.text), "0:CREATE TABLE:0 ");
	assert_int_equal(number(db, "SELECT count(*) FROM later"), 1);
	buf_clear(&seen.text);
}

static void test_copy_in_a_script_does_not_hang(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT, query = ERR_INIT;
	struct rows *r = NULL;
	(void)state;

	run(db, "CREATE TEMP TABLE c(n int)");
	assert_false(db_run(db, "SELECT 1; COPY c FROM STDIN; SELECT 2", &err));
	assert_string_equal(err.sqlstate, "57014");
	assert_int_equal(err.code, ERR_DB); /* nobody cancelled */
	assert_false(db_query(db, "COPY c FROM STDIN", DB_NO_ARGS, &r, &query));
	assert_int_equal(query.code, ERR_DB);
	run(db, "COPY (SELECT g FROM generate_series(1, 100000) g) TO STDOUT; SELECT 1");
	assert_int_equal(number(db, "SELECT count(*) FROM c"), 0);
}

static void test_transaction_status(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT;
	(void)state;

	assert_int_equal(db_tx_status(db), 'I');
	run(db, "BEGIN");
	assert_int_equal(db_tx_status(db), 'T');
	assert_false(db_run(db, "SELECT 1/0", &err));
	assert_int_equal(db_tx_status(db), 'E');
	run(db, "COMMIT"); /* of a failed transaction: the server says what it did */
	assert_string_equal(db_tag(db), "ROLLBACK");
	assert_int_equal(db_tx_status(db), 'I');
}

static void keep_notice(void *ctx, const char *severity, const char *text)
{
	buf_fmt(ctx, "%s %s;", severity, text);
}

static void test_notices(void **state)
{
	cleanup_db struct db *db = open_db();
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	(void)state;

	run(db, "DO $$ BEGIN RAISE WARNING 'dropped'; END $$");
	db_on_notice(db, keep_notice, &text);
	run(db, "DO $$ BEGIN RAISE WARNING 'kept'; END $$");
	assert_string_equal(buf_text(&text), "WARNING kept;");
}

/* ------------------------------------------------------------------ pipelines and COPY */

static void test_pipeline(void **state)
{
	static const char *const sql[] = { "SELECT 1", "SELECT 2 WHERE false",
		                           "SELECT repeat('x', 1000000)" };
	cleanup_db struct db *db = open_db();
	struct rows *rows[3];
	struct err err = ERR_INIT;
	(void)state;

	assert_true(db_pipeline(db, sql, 3, rows, &err));
	assert_int_equal(rows_int(rows[0], 0, 0), 1);
	assert_int_equal(rows_count(rows[1]), 0);
	assert_int_equal(strlen(rows_get(rows[2], 0, 0)), 1000000);
	for (size_t i = 0; i < 3; i++)
		rows_free(rows[i]);
	assert_true(db_pipeline(db, NULL, 0, NULL, &err));
	run(db, "SELECT 1; SELECT 2"); /* out of pipeline mode again */
}

static void test_pipeline_error(void **state)
{
	static const char *const sql[] = { "SELECT 1", "SELECT 1/0", "SELECT 3", "SELECT 4" };
	cleanup_db struct db *db = open_db();
	struct rows *rows[4];
	struct err err = ERR_INIT;
	(void)state;

	assert_false(db_pipeline(db, sql, 4, rows, &err));
	assert_string_equal(err.sqlstate, "22012");
	for (size_t i = 0; i < 4; i++)
		assert_null(rows[i]);
	assert_false(db_is_lost(db));
	run(db, "SELECT 1; SELECT 2");
}

/* More results than any socket buffer holds, before all statements are sent. */
static void test_pipeline_larger_than_buffers(void **state)
{
	enum { N = 200 };
	cleanup_db struct db *db = open_db();
	const char *sql[N];
	struct rows *rows[N];
	struct err err = ERR_INIT;
	cleanup_free char *big = mem_fmt("SELECT repeat('y', 100000) /* %0100000d */", 0);
	(void)state;

	for (size_t i = 0; i < N; i++)
		sql[i] = big;
	assert_true(db_pipeline(db, sql, N, rows, &err));
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(rows_count(rows[i]), 1);
		rows_free(rows[i]);
	}
}

struct copied {
	size_t bytes, stop_at;
};

static bool count_bytes(void *ctx, const char *data, size_t len, struct err *err)
{
	struct copied *c = ctx;
	(void)data;

	c->bytes += len;
	return c->bytes < c->stop_at || err_set(err, ERR_IO, "full");
}

static void test_copy_out(void **state)
{
	cleanup_db struct db *db = open_db();
	struct copied all = { .stop_at = SIZE_MAX }, part = { .stop_at = 1000 };
	struct err err = ERR_INIT, stopped = ERR_INIT, refused = ERR_INIT;
	(void)state;

	assert_true(db_copy_out(db, "COPY (SELECT repeat('x', 99) FROM generate_series(1, 10000)) TO STDOUT",
	                        count_bytes, &all, &err));
	assert_int_equal(all.bytes, 1000000);
	assert_string_equal(db_tag(db), "COPY 10000");

	/* Would take hours: a callback that fails ends it on the server. */
	assert_false(db_copy_out(db, "COPY (SELECT generate_series(1, 100000000000)) TO STDOUT", count_bytes,
	                         &part, &stopped));
	assert_string_equal(stopped.msg, "full");
	assert_int_equal(number(db, "SELECT 5"), 5);

	assert_false(db_copy_out(db, "SELECT 1", count_bytes, &all, &refused));
	assert_int_equal(refused.code, ERR_DB);
	assert_int_equal(number(db, "SELECT 6"), 6);
}

static void test_copy_in(void **state)
{
	cleanup_db struct db *db = open_db();
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	struct err err = ERR_INIT, bad = ERR_INIT;
	(void)state;

	for (int i = 0; i < 300000; i++)
		buf_fmt(&text, "%d\n", i);
	run(db, "CREATE TEMP TABLE i(n int)");
	assert_true(db_copy_in(db, "COPY i FROM STDIN", text.data, text.len, &err));
	assert_string_equal(db_tag(db), "COPY 300000");
	assert_int_equal(number(db, "SELECT sum(n) FROM i"), 44999850000);
	assert_true(db_copy_in(db, "COPY i FROM STDIN", "", 0, &err));

	/* An error in the first row, while the rest is still being sent. */
	memcpy(text.data, "x", 1);
	assert_false(db_copy_in(db, "COPY i FROM STDIN", text.data, text.len, &bad));
	assert_string_equal(bad.sqlstate, "22P02");
	assert_int_equal(number(db, "SELECT count(*) FROM i"), 300000);
}

/* ------------------------------------------------------------------ stopping */

static void test_cancel_reaches_the_server(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT, before = ERR_INIT;
	int64_t start = clock_ms();
	pid_t child = signal_later(SIGINT, 300);
	(void)state;

	assert_false(db_run(db, "SELECT pg_sleep(60)", &err));
	waitpid(child, NULL, 0);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - start < 5000);
	assert_false(db_run(db, "SELECT 1", &before)); /* still requested: nothing is sent */
	assert_int_equal(before.code, ERR_CANCELLED);
	cancel_hold();
	assert_false(db_is_lost(db));
	assert_int_equal(number(db, "SELECT 1"), 1);
}

/* The function swallows the cancel, as a statement does that has just ended. */
static void test_what_finished_is_not_cancelled(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT;
	pid_t child = signal_later(SIGTERM, 200);
	(void)state;

	bool ok = db_run(
		db, "DO $$ BEGIN PERFORM pg_sleep(3); EXCEPTION WHEN query_canceled THEN NULL; END $$", &err);
	waitpid(child, NULL, 0);
	cancel_hold();
	assert_true(ok);
	assert_string_equal(db_tag(db), "DO");
}

static void test_deadline(void **state)
{
	static const char *const sql[] = { "SELECT 1", "SELECT pg_sleep(60)", "SELECT 3" };
	cleanup_db struct db *db = open_db();
	struct rows *rows[3];
	struct err err = ERR_INIT, pipe = ERR_INIT, own = ERR_INIT;
	(void)state;

	db_set_deadline(db, 300);
	assert_false(db_run(db, "SELECT pg_sleep(60)", &err));
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_non_null(strstr(err.msg, "300 ms"));
	assert_false(db_pipeline(db, sql, 3, rows, &pipe));
	assert_int_equal(pipe.code, ERR_CANCELLED);
	db_set_deadline(db, 0);

	/* The server's own limit is the server's error. */
	run(db, "SET statement_timeout = '100ms'");
	assert_false(db_run(db, "SELECT pg_sleep(60)", &own));
	assert_int_equal(own.code, ERR_DB);
	assert_string_equal(own.sqlstate, "57014");
}

/* ------------------------------------------------------------------ losing the connection */

static void kill_backend(int pid)
{
	cleanup_db struct db *other = open_db();
	struct err err = ERR_INIT;

	if (!db_runf(other, &err, "SELECT pg_terminate_backend(%d, 5000)", pid))
		fail_msg("%s", err.msg);
}

static void assert_lost(const struct db *db, const struct err *err)
{
	assert_int_equal(err->code, ERR_DB);
	assert_string_equal(err->sqlstate, "08006");
	assert_true(db_is_lost(db));
	assert_int_equal(db_tx_status(db), '?');
}

static void test_lost_while_idle(void **state)
{
	cleanup_db struct db *db = open_db();
	struct err err = ERR_INIT, again = ERR_INIT;
	(void)state;

	kill_backend(db_pid(db));
	assert_false(db_run(db, "SELECT 1", &err));
	assert_lost(db, &err);
	assert_non_null(strstr(err.msg, "administrator"));
	assert_false(db_run(db, "SELECT 1", &again));
	assert_lost(db, &again);
}

static void test_lost_while_running(void **state)
{
	cleanup_db struct db *db = open_db(), *pipe = open_db();
	static const char *const sql[] = { "SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())",
		                           "SELECT 3" };
	struct rows *rows[3];
	struct err err = ERR_INIT, in_pipe = ERR_INIT;
	(void)state;

	assert_false(db_run(db, "SELECT pg_terminate_backend(pg_backend_pid())", &err));
	assert_lost(db, &err);
	assert_false(db_pipeline(pipe, sql, 3, rows, &in_pipe));
	assert_lost(pipe, &in_pipe);
	assert_null(rows[0]);
}

static void test_lost_in_copy(void **state)
{
	cleanup_db struct db *out = open_db(), *in = open_db();
	struct copied all = { .stop_at = SIZE_MAX };
	struct err err = ERR_INIT, in_err = ERR_INIT;
	cleanup_free char *data = mem_new0(50000001);
	(void)state;

	memset(data, '\n', 50000000);
	assert_false(db_copy_out(
		out,
		"COPY (SELECT CASE WHEN g = 100000 THEN pg_terminate_backend(pg_backend_pid())::text "
		"ELSE 'x' END FROM generate_series(1, 1000000) g) TO STDOUT",
		count_bytes, &all, &err));
	assert_lost(out, &err);

	run(in, "CREATE TEMP TABLE t(x text DEFAULT pg_terminate_backend(pg_backend_pid())::text, y text)");
	assert_false(db_copy_in(in, "COPY t(y) FROM STDIN", data, 50000000, &in_err));
	assert_lost(in, &in_err);
}

static void test_connect_errors(void **state)
{
	static const struct {
		const char *extra, *in_message, *in_hint;
	} cases[] = {
		{ " dbname=no_such_database", "no_such_database", "PGDATABASE" },
		{ " user=no_such_user", "no_such_user", "PGUSER" },
		{ " port=1", "PGSQL.1\"", "PGPORT" },
		{ " host=/nonexistent", "/nonexistent", "PGHOST" },
		{ " service=no_such_service", "no_such_service", "PGSERVICE" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		struct db *db = NULL;
		cleanup_conninfo struct conninfo *ci = NULL;
		cleanup_free char *where =
			mem_fmt("%s password=s3cret %s", getenv("RIPCORD_TEST_PG"), cases[i].extra);

		assert_true(conninfo_parse(where, &ci, &err));
		assert_false(db_open(ci, "test_db", &db, &err));
		assert_int_equal(err.code, ERR_DB);
		assert_non_null(strstr(err.msg, cases[i].in_message));
		assert_non_null(strstr(err.hint, cases[i].in_hint));
		assert_null(strstr(err.msg, "s3cret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_one_value_means_one),
		cmocka_unit_test(test_names_are_quoted),
		cmocka_unit_test(test_error_is_told_whole),
		cmocka_unit_test(test_script_hands_each_result_on),
		cmocka_unit_test(test_refused_result_does_not_stop_the_server),
		cmocka_unit_test(test_copy_in_a_script_does_not_hang),
		cmocka_unit_test(test_transaction_status),
		cmocka_unit_test(test_notices),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_pipeline_error),
		cmocka_unit_test(test_pipeline_larger_than_buffers),
		cmocka_unit_test(test_copy_out),
		cmocka_unit_test(test_copy_in),
		cmocka_unit_test(test_cancel_reaches_the_server),
		cmocka_unit_test(test_what_finished_is_not_cancelled),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_lost_while_idle),
		cmocka_unit_test(test_lost_while_running),
		cmocka_unit_test(test_lost_in_copy),
		cmocka_unit_test(test_connect_errors),
	};

	cancel_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
