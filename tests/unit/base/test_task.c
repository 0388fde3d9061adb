/* A call on a thread of its own: its result, its error, and that signals stay with the main thread. */
#include "base/task.h"
#include "unit.h"

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>

struct what {
	pthread_t thread;
	bool fails, sees_signals;
};

static bool note_thread(void *ctx, struct err *err)
{
	struct what *w = ctx;
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	w->sees_signals = sigismember(&mask, SIGINT) == 0;
	w->thread = pthread_self();
	clock_sleep_ms(20);
	return !w->fails || err_set(err, ERR_IO, "it failed there");
}

static void test_a_call_beside_the_caller(void **state)
{
	struct what w = { .fails = false };
	struct err err = ERR_INIT;
	struct task t;

	(void)state;
	task_start(&t, note_thread, &w);
	assert_true(task_join(&t, &err));
	assert_false(pthread_equal(w.thread, pthread_self()));
	assert_false(w.sees_signals);
	assert_int_equal(err.code, ERR_NONE);
	assert_true(task_join(&t, &err)); /* a second time there is nothing to wait for */
}

static void test_its_error_is_the_callers(void **state)
{
	struct what w = { .fails = true };
	struct err err = ERR_INIT;
	struct task t = { .run = NULL };

	(void)state;
	assert_true(task_join(&t, &err)); /* never started */
	task_start(&t, note_thread, &w);
	assert_false(task_join(&t, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_string_equal(err.msg, "it failed there");
}

static void test_signals_stay_with_the_caller(void **state)
{
	struct what w = { .fails = false };
	struct err err = ERR_INIT;
	struct task t;
	sigset_t mask;

	(void)state;
	task_start(&t, note_thread, &w);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGINT), 0);
	assert_true(task_join(&t, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_call_beside_the_caller),
		cmocka_unit_test(test_its_error_is_the_callers),
		cmocka_unit_test(test_signals_stay_with_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
