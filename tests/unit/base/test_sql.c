/* Quoting: whatever a name or a text holds, it stays one name and one text. */
#include "base/cleanup.h"
#include "base/sql.h"
#include "unit.h"

static void quotes_names(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "a", "\"a\"" },
		{ "Select", "\"Select\"" },
		{ "", "\"\"" },
		{ "a\"b", "\"a\"\"b\"" },
		{ "\"; DROP DATABASE x; --", "\"\"\"; DROP DATABASE x; --\"" },
		{ "ü b\\", "\"ü b\\\"" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_free char *sql = sql_fmt("%I", cases[i][0]);
		assert_string_equal(sql, cases[i][1]);
	}
}

static void quotes_texts(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ NULL, "NULL" },    { "", "''" },
		{ "a", "'a'" },      { "it's", "'it''s'" },
		{ "\\", "E'\\\\'" }, { "\\'; DROP TABLE x; --", "E'\\\\''; DROP TABLE x; --'" },
		{ "%I", "'%I'" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_free char *sql = sql_fmt("%L", cases[i][0]);
		assert_string_equal(sql, cases[i][1]);
	}
}

static void converts_numbers(void **state)
{
	(void)state;
	cleanup_free char *sql = sql_fmt("%d %lld %llu %zu %s %%", -1, (long long)INT64_MIN,
	                                 (unsigned long long)UINT64_MAX, (size_t)7, "plain");

	assert_string_equal(sql, "-1 -9223372036854775808 18446744073709551615 7 plain %");
}

static void appends(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	buf_sql(&b, "SELECT %L", "x");
	buf_sql(&b, "%s", "");
	buf_sql(&b, " AS %I", "y");
	assert_string_equal(buf_text(&b), "SELECT 'x' AS \"y\"");
}

static void unknown_conversion(void) { free(sql_fmt("%x", 1)); }
static void lone_percent(void) { free(sql_fmt("100%")); }
static void null_name(void) { free(sql_fmt("%I", (char *)NULL)); }

static void aborts_on_bugs(void **state)
{
	(void)state;
	assert_true(aborts(unknown_conversion));
	assert_true(aborts(lone_percent));
	assert_true(aborts(null_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_names),     cmocka_unit_test(quotes_texts),
		cmocka_unit_test(converts_numbers), cmocka_unit_test(appends),
		cmocka_unit_test(aborts_on_bugs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
