/*
 * cancel.h - the only signal handlers of the program.
 *
 * SIGINT, SIGTERM and SIGHUP (unless nohup had it ignored) count up a number, those within a second of one
 * as the same; SIGPIPE and SIGXFSZ are
 * ignored: the call that meets a closed pipe, or a file's limit, says so itself.  Whoever waits (db, proc, clock_sleep_ms) looks at the number and gives up with
 * ERR_CANCELLED.  System calls are interrupted (EINTR), not restarted.
 * The way back must not be cancelled by the signal that started it: it begins with
 * cancel_hold(), after which only a further signal counts.
 */
#ifndef BASE_CANCEL_H
#define BASE_CANCEL_H

#include <stdbool.h>

void cancel_install(void);
bool cancel_requested(void); /* a signal came that is not held */
int cancel_signal(void);     /* the last signal's number, 0 for none */
int cancel_count(void);      /* signals so far */
void cancel_hold(void);      /* all signals so far are dealt with; the next one counts */
/* The same on a way back that no signal began: the first one would ask for no more than that.  How many are held. */
int cancel_hold_first(void);

#endif
