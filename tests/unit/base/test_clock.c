/* Time as text, sleep that a signal ends, backoff within its bounds; ids that sort by time. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "unit.h"

static void formats(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *iso, *compact;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z", "19700101T000000Z" },
		{ 1795342500123456, "2026-11-22T10:15:00.123456Z", "20261122T101500Z" },
		{ 951782399999999, "2000-02-28T23:59:59.999999Z", "20000228T235959Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z", "20000229T000000Z" },
		{ -1, "1969-12-31T23:59:59.999999Z", "19691231T235959Z" },
	};
	char out[CLOCK_ISO];

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_string_equal(clock_iso(cases[i].us, out), cases[i].iso);
		assert_string_equal(clock_compact(cases[i].us, out), cases[i].compact);
	}
}

static void reads_what_it_wrote(void **state)
{
	static const int64_t times[] = { 0, 1795342500123456, 951782399999999, 951782400000000,
		                         -86400000000 };
	static const char *const wrong[] = { "",
		                             "2026-11-22",
		                             "2026-11-22T10:15:00",
		                             "2026-11-22T10:15:00.1+01:00",
		                             "2026-13-22T10:15:00Z",
		                             "2026-11-22T10:15:00Zx",
		                             "yesterday" };
	char iso[CLOCK_ISO];
	int64_t us = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		assert_true(clock_from_iso(clock_iso(times[i], iso), &us));
		assert_int_equal(us, times[i]);
	}
	assert_true(clock_from_iso("2026-11-22T10:15:00Z", &us));
	assert_int_equal(us, 1795342500000000);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(clock_from_iso(wrong[i], &us));
}

static void sleeps_as_long_as_told(void **state)
{
	(void)state;
	int64_t start = clock_ms();

	clock_sleep_ms(120);
	assert_true(clock_ms() - start >= 120);
	clock_sleep_ms(0);
	clock_sleep_ms(-5);
}

static void backoff_stays_in_bounds(void **state)
{
	(void)state;
	int64_t most = 0;

	for (int i = 0; i < 2000; i++) {
		int64_t ms = clock_backoff_ms(3, 100, 10000);
		assert_in_range(ms, 0, 800);
		most = ms > most ? ms : most;
	}
	assert_true(most > 700); /* 2000 draws: all below 7/8 once in 10^116 */
	for (int attempt = 0; attempt < 200; attempt++)
		assert_in_range(clock_backoff_ms(attempt, 100, 5000), 0, 5000);
	assert_in_range(clock_backoff_ms(1000, INT64_MAX / 2, INT64_MAX), 0, INT64_MAX);
	assert_int_equal(clock_backoff_ms(5, 0, 100), 0);
	assert_int_equal(clock_backoff_ms(0, 100, 0), 0);
}

/* Signals within a second of one another are the same wish. */
static void wait_for_the_next_wish(void) { usleep(1100000); }

static void signals_are_counted_and_held(void **state)
{
	(void)state;
	cancel_install();
	assert_false(cancel_requested());
	assert_int_equal(cancel_signal(), 0);

	raise(SIGTERM);
	assert_true(cancel_requested());
	assert_int_equal(cancel_signal(), SIGTERM);
	int64_t start = clock_ms();
	clock_sleep_ms(5000);
	assert_true(clock_ms() - start < 1000);

	cancel_hold();
	assert_false(cancel_requested());
	raise(SIGINT);
	assert_false(cancel_requested());
	assert_int_equal(cancel_count(), 1);
	wait_for_the_next_wish();
	raise(SIGINT);
	assert_true(cancel_requested());
	assert_int_equal(cancel_count(), 2);
	assert_int_equal(cancel_hold_first(), 2);
	assert_false(cancel_requested());
}

static void a_first_signal_is_held_in_advance(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		cancel_install();
		bool ok = cancel_hold_first() == 1;
		raise(SIGTERM);
		ok = ok && cancel_count() == 1 && !cancel_requested();
		cancel_hold();
		wait_for_the_next_wish();
		raise(SIGTERM);
		_exit(ok && cancel_requested() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_signal_ends_the_sleep(void **state)
{
	(void)state;
	wait_for_the_next_wish();
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		usleep(100000);
		kill(parent, SIGHUP);
		_exit(0);
	}
	int64_t start = clock_ms();
	clock_sleep_ms(10000);
	assert_true(clock_ms() - start < 5000);
	assert_int_equal(cancel_signal(), SIGHUP);
	cancel_hold();
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_broken_pipe_is_no_signal(void **state)
{
	(void)state;
	int p[2];

	assert_int_equal(pipe(p), 0);
	close(p[0]);
	assert_int_equal(write(p[1], "x", 1), -1); /* and we are still here */
	close(p[1]);
	assert_false(cancel_requested());
}

static void nohup_is_respected(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		signal(SIGHUP, SIG_IGN);
		cancel_install();
		raise(SIGHUP);
		_exit(cancel_requested());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void ids_have_the_form_of_rfc_9562(void **state)
{
	(void)state;
	char id[UUID_TEXT];
	int64_t before = clock_wall_us() / 1000;

	uuid7(id);
	assert_int_equal(strlen(id), 36);
	for (size_t i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(id[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", id[i]));
	}
	assert_int_equal(id[14], '7');
	assert_non_null(strchr("89ab", id[19]));

	char stamp[13];
	memcpy(stamp, id, 8);
	memcpy(stamp + 8, id + 9, 5);
	stamp[12] = '\0';
	assert_in_range(strtoll(stamp, NULL, 16), before, before + 1000);
}

static void ids_sort_by_their_making(void **state)
{
	(void)state;
	char last[UUID_TEXT] = "", id[UUID_TEXT];

	for (int i = 0; i < 20000; i++) { /* many in one millisecond */
		uuid7(id);
		assert_true(strcmp(last, id) < 0);
		memcpy(last, id, sizeof(last));
	}
}

static void random_digits(void **state)
{
	(void)state;
	char a[33] = "", b[33] = "";

	random_hex(a, 32);
	random_hex(b, 32);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
	random_hex(a, 0);
	assert_string_equal(a, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(sleeps_as_long_as_told),
		cmocka_unit_test(backoff_stays_in_bounds),
		cmocka_unit_test(a_first_signal_is_held_in_advance),
		cmocka_unit_test(signals_are_counted_and_held),
		cmocka_unit_test(a_signal_ends_the_sleep),
		cmocka_unit_test(a_broken_pipe_is_no_signal),
		cmocka_unit_test(nohup_is_respected),
		cmocka_unit_test(ids_have_the_form_of_rfc_9562),
		cmocka_unit_test(ids_sort_by_their_making),
		cmocka_unit_test(random_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
