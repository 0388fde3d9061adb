#include "runner/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MIB (1024 * 1024)

static const struct progress_view half = {
	.phase = "backup",
	.done_bytes = 50LL * MIB,
	.total_bytes = 100LL * MIB,
	.elapsed_ms = 5000,
};

static void line_has_bytes_rate_and_time_left(void **state)
{
	char out[256];

	(void)state;
	progress_format_line(&half, out, sizeof(out));
	assert_string_equal(out, "backup: 50.0 MiB of 100.0 MiB, 10.0 MiB/s, 5.0 s left");
}

static void unknown_total_has_no_time_left(void **state)
{
	struct progress_view v = half;
	char out[256];

	(void)state;
	v.total_bytes = 0;
	progress_format_line(&v, out, sizeof(out));
	assert_string_equal(out, "backup: 50.0 MiB, 10.0 MiB/s");
}

static void first_moments_have_no_rate(void **state)
{
	struct progress_view v = half;
	char out[256];

	(void)state;
	v.elapsed_ms = 0;
	progress_format_line(&v, out, sizeof(out));
	assert_string_equal(out, "backup: 50.0 MiB of 100.0 MiB");
}

/* The total is an estimate (pg_database_size): more than all of it may come. */
static void passed_total_stays_at_100(void **state)
{
	struct progress_view v = half;
	char out[256];

	(void)state;
	v.done_bytes = 150LL * MIB;
	progress_format_bar(&v, 120, out, sizeof(out));
	assert_non_null(strstr(out, "[########################] 100%"));
	assert_null(strstr(out, "left"));
}

static void bar_fits_every_width(void **state)
{
	char out[256];

	(void)state;
	progress_format_bar(&half, 100, out, sizeof(out));
	assert_ptr_equal(strstr(out, "[############............]  50%  backup: 50.0 MiB"), out);
	for (int columns = 0; columns <= 120; columns++) {
		progress_format_bar(&half, columns, out, sizeof(out));
		assert_true(strlen(out) <= (size_t)columns);
	}
}

static void small_buffer_is_not_passed(void **state)
{
	char out[16];

	(void)state;
	progress_format_line(&half, out, sizeof(out));
	assert_string_equal(out, "backup: 50.0 Mi");
	progress_format_bar(&half, 100, out, sizeof(out));
	assert_int_equal(strlen(out), 15);
}

/* What a phase leaves on standard error where it is no terminal: one line at its end. */
static void lines_mode_prints_one_line_a_phase(void **state)
{
	const struct progress *p = progress_listener();
	char path[] = "/tmp/test_progress-XXXXXX", text[512];
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_true(fd >= 0 && saved >= 0);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	progress_set_mode(PROGRESS_LINES);
	progress_report(p, "backup", 1 * MIB, 4LL * MIB);
	progress_report(p, "backup", 4LL * MIB, 4LL * MIB);
	progress_report(p, "read back", 2LL * MIB, 2LL * MIB);
	progress_finish();
	progress_finish();
	progress_set_mode(PROGRESS_NONE);
	progress_report(p, "silent", 1, 1);
	progress_finish();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	unlink(path);
	assert_true(n > 0);
	text[n] = '\0';
	assert_ptr_equal(strstr(text, "backup: 4.0 MiB in "), text);
	assert_non_null(strstr(text, "\nread back: 2.0 MiB in "));
	assert_null(strstr(text, "silent"));
	assert_null(strchr(text, '\r'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_has_bytes_rate_and_time_left),
		cmocka_unit_test(unknown_total_has_no_time_left),
		cmocka_unit_test(first_moments_have_no_rate),
		cmocka_unit_test(passed_total_stays_at_100),
		cmocka_unit_test(bar_fits_every_width),
		cmocka_unit_test(small_buffer_is_not_passed),
		cmocka_unit_test(lines_mode_prints_one_line_a_phase),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
