/* Sections without a transaction, statement by statement, against a server. */
#include "bench.h"

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

	bench_sql(b->db, "CREATE TABLE t (a int)");
	b->settings.watch = &watch;
	bench_revision(
		b, "r1", "", " transaction=off",
		"-- first\nCREATE INDEX CONCURRENTLY t_a ON t (a);\n\nSET work_mem = '77kB'; VACUUM t;\n",
		"SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	assert_int_equal(w.before, 3);
	assert_int_equal(w.after, 3);
	assert_string_equal(w.last, "VACUUM t");
	bench_assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
	bench_assert_value(b->db, "SELECT setting FROM pg_settings WHERE name = 'work_mem'", "4096");
	bench_assert_value(b->db, "SELECT current_setting('application_name')", "bench");
}

static void an_invalid_index_of_ours_is_dropped(void **state)
{
	struct bench *b = *state;

	bench_sql(b->db, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
	bench_revision(b, "r1", "", " transaction=off",
	               "CREATE TABLE other (a int);\nCREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->err.sqlstate, "23505");
	assert_int_equal(b->err.line, 5);
	assert_true(b->report.left_partial);
	bench_assert_value(b->db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0");
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
}

static void an_invalid_index_of_others_is_not_hidden(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	bench_sql(b->db, "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)");
	assert_false(db_run(b->db, "CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)", &err));
	bench_revision(b, "r1", "", " transaction=off",
	               "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_int_equal(b->err.code, ERR_REFUSED);
	bench_assert_value(b->db, "SELECT count(*) FROM pg_index WHERE NOT indisvalid", "1");
}

static void a_verify_fails_after_statements_that_stay(void **state)
{
	struct bench *b = *state;

	bench_revision(b, "r1", "", " transaction=off", "CREATE TABLE t (a int);\n", "SELECT false;\n");
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	assert_string_equal(b->report.phase, "verify");
	assert_true(b->report.left_partial);
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
	bench_assert_value(b->db, "SELECT to_regclass('t')::text", "t");
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
	bench_sql(b->db, "CREATE TABLE t (a int); CREATE SCHEMA elsewhere");
	if (index_sql)
		bench_sql(b->db, index_sql);
	cleanup_free char *table = bench_value(b->db, "SELECT 't'::regclass::oid::text");
	cleanup_json json_t *about = begun("CREATE INDEX CONCURRENTLY t_a ON t (a)", table);
	const struct exec_resume resume = { .done = 2, .begun = about };

	b->settings.resume = &resume;
	bench_revision(b, "r1", "", " transaction=off", off_section, "SELECT count(*) = 1 FROM t;\n");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	b->settings.resume = NULL;
	bench_assert_value(b->db, "SELECT count(*) FROM t", "1");
	bench_assert_value(
		b->db, "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid", "1");
	bench_assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
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

	bench_sql(b->db, "CREATE TABLE t (a int)");
	b->settings.resume = &resume;
	bench_revision(b, "r1", "", " transaction=off", off_section, NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	b->settings.resume = NULL;
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_true(b->report.left_partial);
}

static void what_was_temporary_is_not_resumed(void **state)
{
	struct bench *b = *state;
	const struct exec_resume resume = { .done = 1 };

	b->settings.resume = &resume;
	bench_revision(b, "r1", "", " transaction=off", "CREATE TEMP TABLE t (a int);\nSELECT 1;\n", NULL);
	assert_false(bench_run_each(b, "head", DIRECTION_UP));
	b->settings.resume = NULL;
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_true(b->report.left_partial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(statements_run_one_by_one),
		BENCH_TEST(an_invalid_index_of_ours_is_dropped),
		BENCH_TEST(an_invalid_index_of_others_is_not_hidden),
		BENCH_TEST(a_verify_fails_after_statements_that_stay),
		BENCH_TEST(a_section_goes_on_where_nothing_was_done),
		BENCH_TEST(a_section_goes_on_where_it_was_done),
		BENCH_TEST(a_section_goes_on_over_an_invalid_index),
		BENCH_TEST(a_changed_statement_is_not_resumed),
		BENCH_TEST(what_was_temporary_is_not_resumed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
