/* What people read on standard error, word for word. */
#include "base/log.h"
#include "unit.h"

static char *captured;
static size_t captured_len;
static FILE *kept;

/* stderr is a variable in glibc. */
static int start(void **state)
{
	(void)state;
	kept = stderr;
	stderr = open_memstream(&captured, &captured_len);
	return stderr ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	fclose(stderr);
	stderr = kept;
	free(captured);
	log_set_level(LOG_INFO);
	log_set_color(false);
	log_set_overlay(NULL, NULL);
	return 0;
}

static void assert_printed(const char *expected)
{
	fflush(stderr);
	assert_string_equal(captured, expected);
}

static void prefixes_and_levels(void **state)
{
	(void)state;
	log_error("a %d", 1);
	log_warn("b");
	log_info("c");
	log_debug("d");
	log_set_level(LOG_DEBUG);
	log_debug("e");
	log_set_level(LOG_ERROR);
	log_warn("f");
	assert_true(log_is_shown(LOG_ERROR));
	assert_false(log_is_shown(LOG_INFO));
	assert_printed("ripcord: a 1\nripcord: warning: b\nc\ne\n");
}

static void an_error_with_place_and_hint(void **state)
{
	(void)state;
	struct err err = ERR_INIT;

	err_set(&err, ERR_USAGE, "unknown key 'lvl'");
	log_err(&err);
	err_hint(&err, "did you mean 'level'?");
	log_err(&err);
	err_at(&err, "ripcord.ini", 7);
	log_err(&err);
	err.line = 0;
	log_err(&err);
	assert_printed("ripcord: unknown key 'lvl'\n"
	               "ripcord: unknown key 'lvl'\n  did you mean 'level'?\n"
	               "ripcord: ripcord.ini:7: unknown key 'lvl'\n  did you mean 'level'?\n"
	               "ripcord: ripcord.ini: unknown key 'lvl'\n  did you mean 'level'?\n");
}

static void the_terminal_is_not_steered_by_data(void **state)
{
	(void)state;
	log_info("%s", "a\033[2Jb\r\x7F\tc\nd \xC3\xA4");
	assert_printed("a\\x1B[2Jb\\x0D\\x7F\tc\nd \xC3\xA4\n");
}

static void colour_only_when_asked(void **state)
{
	(void)state;
	log_set_color(true);
	log_error("a");
	log_info("b");
	assert_printed("\033[31mripcord: a\033[0m\nb\n");
}

static void clear_line(void) { fputs("<", stderr); }
static void redraw_line(void) { fputs(">", stderr); }

static void lines_stay_out_of_the_progress_line(void **state)
{
	(void)state;
	log_set_overlay(clear_line, redraw_line);
	log_info("a");
	log_debug("not shown");
	assert_printed("<a\n>");
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(prefixes_and_levels),
		LOG_TEST(an_error_with_place_and_hint),
		LOG_TEST(the_terminal_is_not_steered_by_data),
		LOG_TEST(colour_only_when_asked),
		LOG_TEST(lines_stay_out_of_the_progress_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
