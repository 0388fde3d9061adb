/* The section option lock=: what it may say, and in which order it is taken. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "migrations/locks.h"
#include "tests/unit/migrations/folder.h"

static void locks_are_taken_in_one_order(void **state)
{
	(void)state;
	static const struct {
		const char *text, *sql;
	} cases[] = {
		{ "t", "LOCK TABLE \"t\" IN ACCESS EXCLUSIVE MODE;\n" },
		{ "b share, A  row   EXCLUSIVE",
		  "LOCK TABLE \"a\" IN ROW EXCLUSIVE MODE;\nLOCK TABLE \"b\" IN SHARE MODE;\n" },
		{ "A ROW EXCLUSIVE,b SHARE",
		  "LOCK TABLE \"a\" IN ROW EXCLUSIVE MODE;\nLOCK TABLE \"b\" IN SHARE MODE;\n" },
		{ "s.b, a, \"S\".b SHARE",
		  "LOCK TABLE \"a\" IN ACCESS EXCLUSIVE MODE;\nLOCK TABLE \"S\".\"b\" IN SHARE MODE;\n"
		  "LOCK TABLE \"s\".\"b\" IN ACCESS EXCLUSIVE MODE;\n" },
		{ "\"o\"\"k, x\".\"größe\" SHARE, größe",
		  "LOCK TABLE \"größe\" IN ACCESS EXCLUSIVE MODE;\n"
		  "LOCK TABLE \"o\"\"k, x\".\"größe\" IN SHARE MODE;\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_locks struct table_locks locks = { .n = 0 };
		cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
		struct err err = ERR_INIT;
		if (!locks_parse(cases[i].text, &locks, &err))
			fail_msg("case %zu: %s", i, err.msg);
		locks_sql(&locks, &sql);
		assert_string_equal(buf_text(&sql), cases[i].sql);
	}
}

static void what_is_no_list_of_locks_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		",",
		"t,",
		"t SHARED",
		"t SHARE SHARE",
		"1t",
		"\"t",
		"\"\"",
		"s..t",
		".t",
		"s.",
		"t;DROP TABLE t",
		"t SHARE; DROP TABLE t",
		"t, t",
		"T, t SHARE",
		"s.t, s.\"t\"",
		"t-u",
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct table_locks locks = { .n = 0 };
		struct err err = ERR_INIT;
		if (locks_parse(cases[i], &locks, &err))
			fail_msg("'%s' was taken for a list", cases[i]);
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(locks.v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_are_taken_in_one_order),
		cmocka_unit_test(what_is_no_list_of_locks_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
