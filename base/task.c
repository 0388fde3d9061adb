#include "base/task.h"

#include <signal.h>
#include <stddef.h>

static void *begin(void *arg)
{
	struct task *t = arg;

	t->ok = t->run(t->ctx, &t->err);
	return NULL;
}

/* The new thread inherits the mask: all signals wait for the main one, whose waits they end. */
static bool start_thread(struct task *t)
{
	sigset_t all, before;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	bool started = pthread_create(&t->thread, NULL, begin, t) == 0;
	return pthread_sigmask(SIG_SETMASK, &before, NULL) == 0 && started;
}

void task_start(struct task *t, task_run *run, void *ctx)
{
	*t = (struct task){ .run = run, .ctx = ctx };
	t->on_thread = start_thread(t);
	if (!t->on_thread)
		begin(t);
}

bool task_join(struct task *t, struct err *err)
{
	if (!t->run)
		return true;
	if (t->on_thread)
		pthread_join(t->thread, NULL);
	t->run = NULL;
	if (!t->ok)
		*err = t->err;
	return t->ok;
}
