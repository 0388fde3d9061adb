/* The ledger, against a server. */
#include "bench.h"

static void a_changed_row_breaks_the_chain(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	bench_revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	bench_revision(b, "r2", "r1", "", "SELECT 1;\n", NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	assert_true(ledger_check_chain(b->ledger, b->db, &err));
	assert_false(db_run(b->db, "UPDATE ripcord.history SET who = 'nobody'", &err)); /* append-only */
	bench_sql(b->db,
	          "ALTER TABLE ripcord.history DISABLE TRIGGER ALL; UPDATE ripcord.history SET source = "
	          "source || ' ' WHERE number = 1");
	err = (struct err)ERR_INIT;
	assert_false(ledger_check_chain(b->ledger, b->db, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "row 1"));
	bench_sql(b->db, "DELETE FROM ripcord.history WHERE number = 1");
	err = (struct err)ERR_INIT;
	assert_false(ledger_check_chain(b->ledger, b->db, &err));
	assert_non_null(strstr(err.msg, "row 1 is missing"));
}

static void a_changed_file_is_refused_and_repaired(void **state)
{
	struct bench *b = *state;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	bench_revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
	b->err = (struct err)ERR_INIT;
	assert_true(ledger_read(b->ledger, b->db, &b->err));
	assert_true(ledger_check_files(b->ledger, b->db, b->graph, &diff, &b->err));
	bench_revision(b, "r1", "", "", "SELECT 2;\n", NULL);
	plan_free(bench_plan(b, "head", DIRECTION_UP));
	assert_false(ledger_check_files(b->ledger, b->db, b->graph, &diff, &b->err));
	assert_int_equal(b->err.code, ERR_REFUSED);
	assert_non_null(strstr(buf_text(&diff), "\n-SELECT 1;\n+SELECT 2;\n"));
	b->err = (struct err)ERR_INIT;
	if (!ledger_repair(b->ledger, b->db, graph_get(b->graph, "r1"), &b->settings.actor, "a typo",
	                   &b->err))
		fail_msg("%s", b->err.msg);
	assert_true(ledger_check_files(b->ledger, b->db, b->graph, NULL, &b->err));
	bench_assert_value(b->db, "SELECT reason FROM ripcord.history WHERE outcome = 'repaired'", "a typo");
	assert_true(ledger_check_chain(b->ledger, b->db, &b->err));
}

static void another_checkout_can_go_down(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	cleanup_free char *file = NULL;

	bench_revision(b, "r1", "", "", "CREATE TABLE t (a int);\n", NULL);
	folder_put(
		b->dir, "r2.sql",
		"-- revision: r2\n-- revises: r1\n-- message: it's two\n-- ripcord:upgrade lock_timeout=1s\n"
		"CREATE TABLE u (a int);\n-- ripcord:downgrade\nDROP TABLE u;");
	bench_assert_ran(bench_run_each(b, "head", DIRECTION_UP), b);
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
	bench_assert_value(b->db, "SELECT coalesce(to_regclass('u')::text, 'gone')", "gone");
}

static void stamping_sets_heads_and_leaves_rows(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	cleanup_strv struct strv to = STRV_INIT;
	static const struct strv none = STRV_INIT;

	bench_revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	plan_free(bench_plan(b, "head", DIRECTION_UP));
	strv_add(&to, "r1");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &to, false, &b->settings.actor, &err));
	assert_string_equal(ledger_heads(b->ledger)->v[0], "r1");
	bench_assert_value(b->db, "SELECT revision || outcome FROM ripcord.history", "r1stamped");
	bench_sql(b->db, "INSERT INTO alembic_version VALUES ('stray')");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &to, true, &b->settings.actor, &err));
	bench_assert_value(b->db, "SELECT string_agg(version_num, ' ') FROM alembic_version", "r1");
	assert_true(ledger_stamp(b->ledger, b->db, b->graph, &none, false, &b->settings.actor, &err));
	bench_assert_value(b->db, "SELECT count(*) FROM alembic_version", "0");
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

	bench_sql(b->db, "CREATE SCHEMA \"Ü \"\"x\"\"\"");
	assert_true(ledger_open(b->db, &odd, &l, &err));
	assert_false(ledger_exists(l));
	if (!ledger_create(l, b->db, &err))
		fail_msg("%s", err.msg);
	assert_true(ledger_exists(l));
	bench_revision(b, "r1", "", "", "SELECT 1;\n", NULL);
	cleanup_plan struct plan *plan = bench_plan(b, "head", DIRECTION_UP);
	assert_true(exec_unit(b->db, l, plan->steps, 1, &b->settings, &b->report, &err));
	assert_string_equal(ledger_table(l), "\"Ü \"\"x\"\"\".\"ver'sion \"\"s\"\"\"");
	assert_true(ledger_read(l, b->db, &err));
	assert_string_equal(ledger_heads(l)->v[0], "r1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(a_changed_row_breaks_the_chain),
		BENCH_TEST(a_changed_file_is_refused_and_repaired),
		BENCH_TEST(another_checkout_can_go_down),
		BENCH_TEST(stamping_sets_heads_and_leaves_rows),
		BENCH_TEST(odd_names_are_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
