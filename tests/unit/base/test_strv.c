/* Vectors of strings: always NULL-terminated, whatever is added or removed. */
#include "base/cleanup.h"
#include "base/strv.h"
#include "unit.h"

static void assert_items(const struct strv *s, const char *joined)
{
	cleanup_free char *text = strv_join(s, "|");

	assert_string_equal(text, joined);
	assert_null(strv_argv(s)[s->n]);
}

static void adds_and_joins(void **state)
{
	(void)state;
	cleanup_strv struct strv s = STRV_INIT;

	assert_items(&s, "");
	for (int i = 0; i < 20; i++) {
		strv_fmt(&s, "%d", i);
		assert_null(s.v[s.n]);
	}
	strv_add_all(&s, &s); /* itself */
	assert_int_equal(s.n, 40);
	assert_string_equal(s.v[39], "19");
}

static void splits_lists(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "" },
		{ " ,\t, ", "" },
		{ "a", "a" },
		{ "a,b", "a|b" },
		{ " a , b\n\tc ", "a|b|c" },
		{ ",a,,b,", "a|b" },
		{ "last:7 daily:14", "last:7|daily:14" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_strv struct strv s = STRV_INIT;
		strv_split(&s, cases[i][0]);
		assert_items(&s, cases[i][1]);
	}
}

static void finds_removes_sorts(void **state)
{
	(void)state;
	cleanup_strv struct strv s = STRV_INIT;

	strv_sort(&s);
	strv_split(&s, "b a \xC3\xA4 B c");
	strv_sort(&s);
	assert_items(&s, "B|a|b|c|\xC3\xA4");
	assert_true(strv_has(&s, "b"));
	assert_false(strv_has(&s, "x"));
	assert_false(strv_remove(&s, "x"));
	assert_true(strv_remove(&s, "\xC3\xA4"));
	assert_true(strv_remove(&s, "B"));
	assert_items(&s, "a|b|c");
}

static void sets_the_environment(void **state)
{
	(void)state;
	cleanup_strv struct strv s = STRV_INIT;

	strv_split(&s, "PATH=/bin PATHX=1 PATH=/usr/bin HOME=/root");
	strv_setenv(&s, "PATH", "/x y=z");
	assert_items(&s, "PATHX=1|HOME=/root|PATH=/x y=z");
	strv_setenv(&s, "HOME", NULL);
	strv_setenv(&s, "NONE", NULL);
	assert_items(&s, "PATHX=1|PATH=/x y=z");
	strv_setenv(&s, "EMPTY", "");
	assert_items(&s, "PATHX=1|PATH=/x y=z|EMPTY=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_and_joins),
		cmocka_unit_test(splits_lists),
		cmocka_unit_test(finds_removes_sorts),
		cmocka_unit_test(sets_the_environment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
