/* The rules of struct err: the first reason stays, the last hint wins, nothing overflows. */
#include "base/err.h"
#include "unit.h"

#include <errno.h>

static void first_error_is_kept(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	assert_false(err_set(&err, ERR_DB, "lost %d", 1));
	assert_false(err_set(&err, ERR_IO, "then this"));
	errno = ENOSPC;
	assert_false(err_sys(&err, "and that"));
	assert_int_equal(err.code, ERR_DB);
	assert_int_equal(err.sys_errno, 0);
	assert_string_equal(err.msg, "lost 1");
}

static void sys_keeps_errno(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	errno = ENOSPC;
	err_sys(&err, "cannot write '%s'", "x");
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(err.sys_errno, ENOSPC);
	assert_string_equal(err.msg, "cannot write 'x': No space left on device");
}

static void wrap_puts_context_in_front(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_DB, "inner");
	assert_false(err_wrap(&err, "outer %s", err.msg)); /* arguments may point into it */
	assert_string_equal(err.msg, "outer inner: inner");
}

static void long_messages_are_cut(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char longest[4000];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	errno = EIO;
	err_sys(&err, "%s", longest);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "context");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "context: xxx", 12);
	err_wrap(&err, "%s", longest);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_hint(&err, "%s", longest);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	err_at(&err, longest, 1);
	assert_int_equal(strlen(err.file), sizeof(err.file) - 1);
}

static void last_hint_first_place(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_USAGE, "m");
	err_hint(&err, "one");
	err_hint(&err, "%s, then two", err.hint);
	assert_string_equal(err.hint, "one, then two");
	err_at(&err, "a.sql", 3);
	err_at(&err, "b.sql", 4);
	assert_string_equal(err.file, "a.sql");
	assert_int_equal(err.line, 3);
}

static void recode_keeps_the_words(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_IO, "disk");
	assert_false(err_recode(&err, ERR_BACKUP));
	assert_int_equal(err.code, ERR_BACKUP);
	assert_string_equal(err.msg, "disk");
}

static void exit_statuses_are_the_published_ones(void **state)
{
	(void)state;
	static const int expected[] = {
		[ERR_NONE] = 0, [ERR_USAGE] = 2,  [ERR_REFUSED] = 3, [ERR_DB] = 1,     [ERR_IO] = 1,
		[ERR_PROC] = 1, [ERR_BACKUP] = 7, [ERR_CORRUPT] = 7, [ERR_LOCKED] = 8, [ERR_CANCELLED] = 1,
	};

	for (size_t i = 0; i < COUNT(expected); i++)
		assert_int_equal(err_exit_status((enum err_code)i), expected[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_is_kept),
		cmocka_unit_test(sys_keeps_errno),
		cmocka_unit_test(wrap_puts_context_in_front),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(last_hint_first_place),
		cmocka_unit_test(recode_keeps_the_words),
		cmocka_unit_test(exit_statuses_are_the_published_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
