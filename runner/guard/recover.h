/*
 * recover.h - what the parts of `recover` share.  Private to runner/guard/.
 *
 *     recover.c       taking a run over, closing it
 *     recover_find.c  which run, and all that is told of it, here and in the database
 *     recover_load.c  struct run as that tells it: what was there before, what is ours
 *     recover_ways.c  the table: how far it came x what the server says -> the way
 */
#ifndef RUNNER_GUARD_RECOVER_H
#define RUNNER_GUARD_RECOVER_H

#include "runner/guard/run.h"

/* How far the run came.  Nothing is decided by the absence of a line alone: the database is asked for the same. */
enum reached {
	REACHED_NOTHING,  /* no change was begun */
	REACHED_CHANGE,   /* ripcord.run has it, or the line before does */
	REACHED_WAY_BACK, /* the ladder was begun */
	REACHED_SWAP,     /* the live name is the restored database's */
};

struct recovery {
	struct run *run;
	enum recover_way way; /* that was asked for */
	char *id;             /* NULL: no run is unfinished */
	json_t *lines;        /* of its journal, or of its mirror where that knows more */
	bool in_folder;       /* the journal's file is here */
	bool mirrored;        /* the live database has its row */
	char *mirror_outcome; /* what that row says it ended as, NULL */
	enum reached reached;
};

void recovery_clear(struct recovery *r);

/* Connects (maintenance first: the live database may be fenced), takes the lock, finds the run and ends its sessions.
 * `wanted`: an id or its beginning, NULL for the one that is unfinished. */
MUST_CHECK bool recover_find(struct recovery *r, const char *wanted, struct err *err);

/* Fills the run from the lines, and r->reached. */
MUST_CHECK bool recover_load(struct recovery *r, struct err *err);

/* Databases that were being made when the run was ended. */
void recover_drop_leftovers(struct run *run);
/* Goes the way, and fills the report's outcome. */
void recover_go(struct recovery *r);

#endif
