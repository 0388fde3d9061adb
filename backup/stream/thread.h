/*
 * thread.h - a thread that no signal interrupts: they are for the main thread, whose poll() they end.
 */
#ifndef BACKUP_STREAM_THREAD_H
#define BACKUP_STREAM_THREAD_H

#include "base/err.h"

#include <pthread.h>

/* ERR_IO.  Who starts it joins it. */
MUST_CHECK bool thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg, struct err *err);

#endif
