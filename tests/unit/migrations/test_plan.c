/* Plans: which steps, and which rows of the version table before and after each, as Alembic would have them. */
#include "folder.h"

/* "a=a b=b" : each step and the heads after it, joined with commas. */
static char *shown(const struct plan *plan)
{
	cleanup_strv struct strv steps = STRV_INIT;

	for (size_t i = 0; i < plan->n; i++) {
		cleanup_free char *heads = strv_join(&plan->steps[i].heads_after, ",");
		strv_fmt(&steps, "%s=%s", plan->steps[i].revision->id, heads);
	}
	return strv_join(&steps, " ");
}

static const struct spec merged[] = {
	{ "aaaa1", NULL, NULL, NULL },       { "bbbb1", "aaaa1", NULL, "left" },
	{ "cccc1", "aaaa1", NULL, "right" }, { "dddd1", "bbbb1, cccc1", NULL, NULL },
	{ "eeee1", "dddd1", NULL, NULL },
};
static const struct spec depending[] = {
	{ "core1", NULL, NULL, "core" },  { "core2", "core1", NULL, NULL },
	{ "core3", "core2", NULL, NULL }, { "apps1", NULL, "core2", "apps" },
	{ "apps2", "apps1", NULL, NULL },
};

struct plan_case {
	const char *current, *target;
	enum direction direction;
	const char *steps; /* NULL: an error */
	enum err_code code;
	const char *why;
};

static void check(const struct spec *specs, size_t n, const struct plan_case *cases, size_t n_cases)
{
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(specs, n, &err);

	assert_non_null(g);
	for (size_t i = 0; i < n_cases; i++) {
		cleanup_strv struct strv current = STRV_INIT;
		cleanup_plan struct plan *plan = NULL;
		err = (struct err)ERR_INIT;
		strv_split(&current, cases[i].current);
		bool ok = plan_make(g, &current, cases[i].target, cases[i].direction, &plan, &err);
		cleanup_free char *is = ok ? shown(plan) : mem_strdup(err.msg);
		if (ok != (cases[i].steps != NULL))
			fail_msg("case %zu: %s", i, is);
		if (ok)
			assert_string_equal(is, cases[i].steps);
		else if (err.code != cases[i].code || !strstr(err.msg, cases[i].why))
			fail_msg("case %zu: %d %s", i, (int)err.code, err.msg);
	}
}

static void branches_merge_and_part_again(void **state)
{
	(void)state;
	static const struct plan_case cases[] = {
		{ "", "head", DIRECTION_UP,
		  "aaaa1=aaaa1 bbbb1=bbbb1 cccc1=bbbb1,cccc1 dddd1=dddd1 eeee1=eeee1", 0, NULL },
		{ "", "cccc1", DIRECTION_UP, "aaaa1=aaaa1 cccc1=cccc1", 0, NULL },
		{ "cccc1", "dddd1", DIRECTION_UP, "bbbb1=bbbb1,cccc1 dddd1=dddd1", 0, NULL },
		{ "bbbb1 cccc1", "+1", DIRECTION_UP, NULL, ERR_REFUSED, "ambiguous" },
		{ "eeee1", "head", DIRECTION_UP, "", 0, NULL },
		{ "eeee1", "aaaa1", DIRECTION_UP, "", 0, NULL },
		{ "eeee1", "-1", DIRECTION_DOWN, "eeee1=dddd1", 0, NULL },
		{ "eeee1", "-2", DIRECTION_DOWN, NULL, ERR_USAGE, "ambiguous walk" },
		{ "eeee1", "bbbb1", DIRECTION_DOWN, "eeee1=dddd1 dddd1=bbbb1,cccc1", 0, NULL },
		{ "eeee1", "aaaa1", DIRECTION_DOWN, "eeee1=dddd1 dddd1=bbbb1,cccc1 cccc1=bbbb1 bbbb1=aaaa1",
		  0, NULL },
		{ "bbbb1 cccc1", "left@-1", DIRECTION_DOWN, "bbbb1=cccc1", 0, NULL },
		{ "bbbb1 cccc1", "-1", DIRECTION_DOWN, NULL, ERR_REFUSED, "ambiguous" },
		{ "bbbb1", "base", DIRECTION_DOWN, "bbbb1=aaaa1 aaaa1=", 0, NULL },
		{ "bbbb1", "cccc1", DIRECTION_DOWN, NULL, ERR_USAGE, "not a valid downgrade target" },
		{ "bbbb1", "right@-1", DIRECTION_DOWN, NULL, ERR_USAGE, "did not produce" },
		{ "bbbb1", "eeee1", DIRECTION_DOWN, NULL, ERR_USAGE, "not a valid downgrade target" },
		{ "ffff1", "head", DIRECTION_UP, NULL, ERR_REFUSED, "ffff1, which no file" },
		{ "", "-1", DIRECTION_DOWN, NULL, ERR_USAGE, "did not produce" },
		{ "aaaa1", "-2", DIRECTION_DOWN, NULL, ERR_USAGE, "did not produce" },
	};

	check(merged, COUNT(merged), cases, COUNT(cases));
}

static void dependencies_come_along(void **state)
{
	(void)state;
	static const struct plan_case cases[] = {
		{ "", "apps@head", DIRECTION_UP, "core1=core1 core2=core2 apps1=apps1 apps2=apps2", 0, NULL },
		{ "", "heads", DIRECTION_UP,
		  "core1=core1 core2=core2 core3=core3 apps1=apps1,core3 apps2=apps2,core3", 0, NULL },
		{ "", "head", DIRECTION_UP, NULL, ERR_REFUSED, "'head' names 2 heads" },
		{ "apps1", "core@head", DIRECTION_UP, "core3=apps1,core3", 0, NULL },
		{ "apps2 core3", "core1", DIRECTION_DOWN,
		  "apps2=apps1,core3 apps1=core3 core3=core2 core2=core1", 0, NULL },
		{ "apps2 core3", "apps@base", DIRECTION_DOWN, "apps2=apps1,core3 apps1=core3", 0, NULL },
		{ "apps2", "apps@base", DIRECTION_DOWN, "apps2=apps1 apps1=core2", 0, NULL },
		{ "apps1", "core@-1", DIRECTION_DOWN, "apps1=core2 core2=core1", 0, NULL },
	};

	check(depending, COUNT(depending), cases, COUNT(cases));
}

static struct graph *graph_in(const char *dir)
{
	struct graph *g = NULL;
	struct err err = ERR_INIT;

	if (!graph_load(dir, &g, &err))
		fail_msg("%s", err.msg);
	return g;
}

static void every_step_without_a_way_down_is_named(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	cleanup_plan struct plan *up = NULL, *down = NULL;
	cleanup_strv struct strv none = STRV_INIT, at = STRV_INIT;

	folder_put(dir, "a.sql", "-- revision: a1\n-- ripcord:upgrade\n");
	folder_put(dir, "b.sql",
	           "-- revision: b1\n-- revises: a1\n-- ripcord:upgrade\n-- ripcord:downgrade\n");
	folder_put(dir, "c.sql",
	           "-- revision: c1\n-- revises: b1\n-- ripcord:upgrade\n-- ripcord:downgrade "
	           "irreversible=\"it is gone\"\n");
	cleanup_graph struct graph *g = graph_in(dir);
	folder_remove(dir);
	strv_add(&at, "c1");
	assert_false(plan_make(g, &at, "base", DIRECTION_DOWN, &down, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "c1 (irreversible: it is gone), a1 (no downgrade section)"));
	err = (struct err)ERR_INIT;
	assert_true(plan_make(g, &none, "head", DIRECTION_UP, &up, &err));
	assert_false(plan_reverse(up, 3, &down, &err));
	assert_int_equal(err.code, ERR_REFUSED);
}

static void a_plan_turns_round(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(merged, COUNT(merged), &err);
	cleanup_plan struct plan *up = NULL, *back = NULL, *nothing = NULL;
	cleanup_strv struct strv none = STRV_INIT;

	assert_true(plan_make(g, &none, "head", DIRECTION_UP, &up, &err));
	assert_true(plan_reverse(up, 4, &back, &err));
	cleanup_free char *is = shown(back);
	assert_string_equal(is, "dddd1=bbbb1,cccc1 cccc1=bbbb1 bbbb1=aaaa1 aaaa1=");
	assert_int_equal(back->steps[0].direction, DIRECTION_DOWN);
	assert_string_equal(back->from.v[0], "dddd1");
	assert_int_equal(back->to.n, 0);
	assert_true(plan_reverse(up, 0, &nothing, &err));
	assert_int_equal(nothing->n, 0);
	assert_int_equal(nothing->from.n, 0);
}

static void a_script_holds_the_version_table_s_statements(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(merged, COUNT(merged), &err);
	cleanup_plan struct plan *up = NULL, *down = NULL;
	cleanup_strv struct strv none = STRV_INIT, at = STRV_INIT;
	cleanup_free char *text = NULL, *back = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_true(plan_make(g, &none, "dddd1", DIRECTION_UP, &up, &err));
	assert_true(plan_print_sql(up, "\"s\".\"my \"\"v\"", out, &err));
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(
		text, "CREATE TABLE IF NOT EXISTS \"s\".\"my \"\"v\" (version_num varchar(32) NOT NULL, "
		      "CONSTRAINT \"my \"\"v_pkc\" PRIMARY KEY (version_num));"));
	assert_non_null(
		strstr(text, "-- upgrade base -> aaaa1\n\nBEGIN;\nSELECT 1;\nINSERT INTO \"s\".\"my \"\"v\" "
	                     "(version_num) VALUES ('aaaa1');\nCOMMIT;\n"));
	assert_non_null(strstr(
		text, "DELETE FROM \"s\".\"my \"\"v\" WHERE version_num OPERATOR(pg_catalog.=) 'cccc1';\n"
		      "UPDATE \"s\".\"my \"\"v\" SET version_num = 'dddd1' WHERE version_num "
		      "OPERATOR(pg_catalog.=) 'bbbb1';\n"));
	strv_add(&at, "dddd1");
	assert_true(plan_make(g, &at, "base", DIRECTION_DOWN, &down, &err));
	out = open_memstream(&back, &len);
	assert_true(plan_print_sql(down, "v", out, &err));
	assert_int_equal(fclose(out), 0);
	assert_null(strstr(back, "CREATE TABLE"));
	assert_non_null(strstr(back, "-- downgrade aaaa1 -> base\n\nBEGIN;\nSELECT 2;\nDELETE FROM v "));
}

static void heads_tell_how_far_a_plan_came(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(merged, COUNT(merged), &err);
	cleanup_plan struct plan *up = NULL;
	cleanup_strv struct strv none = STRV_INIT, left = STRV_INIT, right = STRV_INIT, both = STRV_INIT;
	size_t done = 99;

	strv_split(&left, "bbbb1");
	strv_split(&right, "cccc1");
	strv_split(&both, "cccc1 bbbb1");
	assert_true(plan_make(g, &none, "dddd1", DIRECTION_UP, &up, &err));
	assert_true(plan_position(up, &none, &done));
	assert_int_equal(done, 0);
	assert_true(plan_position(up, &up->to, &done));
	assert_int_equal(done, up->n);
	assert_true(plan_position(up, &both, &done));
	assert_int_equal(done, 3);
	/* Of two branches one goes first, and the other is never alone. */
	assert_true(plan_position(up, &left, &done) != plan_position(up, &right, &done));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches_merge_and_part_again),
		cmocka_unit_test(dependencies_come_along),
		cmocka_unit_test(every_step_without_a_way_down_is_named),
		cmocka_unit_test(a_plan_turns_round),
		cmocka_unit_test(heads_tell_how_far_a_plan_came),
		cmocka_unit_test(a_script_holds_the_version_table_s_statements),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
