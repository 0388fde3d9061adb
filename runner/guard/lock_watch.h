/*
 * lock_watch.h - what a unit's locks do to others, and others' to the unit, seen from a second session.
 *
 * While a statement waits for a lock, who blocks it is said once an attempt, on standard error and in the journal.
 * A transaction that holds ACCESS EXCLUSIVE on a relation that others can see longer than allowed is cancelled.
 */
#ifndef RUNNER_GUARD_LOCK_WATCH_H
#define RUNNER_GUARD_LOCK_WATCH_H

#include "runner/guard/run.h"

struct held_lock {
	int64_t relation, since_ms; /* OID; clock_ms() when it was first seen */
	bool is_ours;               /* nobody else can see the relation: this transaction made it */
};

struct lock_watch {
	struct run *run;
	const char *what;    /* "revision r1": who waits or holds */
	int64_t hold_ms;     /* 0: no limit */
	char pid[16];        /* of the backend that is watched */
	bool shown;          /* in this attempt */
	char *blocked;       /* what it last waited for, and behind whom; NULL: it did not wait */
	struct held_lock *held; /* sorted by relation */
	size_t n_held;
	int64_t looked_ms;
	bool blind;          /* the second session is lost */
};

/* Watches run->db until lock_watch_stop(). */
void lock_watch_start(struct lock_watch *w, struct run *run, const char *what, int64_t hold_ms);
void lock_watch_again(struct lock_watch *w); /* another attempt begins */
void lock_watch_stop(struct lock_watch *w);

#endif
