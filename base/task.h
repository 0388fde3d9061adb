/*
 * task.h - a call on a thread of its own, for what can go on while the caller does something else.
 *
 *     struct task t;
 *     task_start(&t, read_it, &what);
 *     bool ok = do_this(err);
 *     return task_join(&t, ok ? err : &second) && ok;
 *
 * What the call uses is its own until task_join(): a connection, a struct; logs and progress are the main
 * thread's.  Signals are the main thread's too; a cancel request is seen in both (base/cancel.h).
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include "base/err.h"

#include <pthread.h>

typedef bool task_run(void *ctx, struct err *err);

struct task {
	pthread_t thread;
	task_run *run; /* NULL: not started, or joined */
	void *ctx;
	struct err err;
	bool on_thread, ok;
};

/* Where no thread can be had the call is made here and now; its result is task_join()'s all the same. */
void task_start(struct task *t, task_run *run, void *ctx);
/* Waits for the call's end; what it returned, with its error.  True where nothing was started. */
MUST_CHECK bool task_join(struct task *t, struct err *err);

#endif
