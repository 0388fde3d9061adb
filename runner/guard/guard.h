/*
 * guard.h - the story of a run: plan -> gates -> lock -> backup -> read back -> upgrade -> verify -> done,
 * and on failure the ladder rollback -> downgrade -> prove -> restore -> prove -> swap.
 *
 * Design.md sections 6 and 7, proof.md.  The table of states is guard.c's.
 */
#ifndef RUNNER_GUARD_GUARD_H
#define RUNNER_GUARD_GUARD_H

#include "base/err.h"
#include "runner/config.h"
#include "runner/report.h"

#include <stdio.h>

enum guard_verb { GUARD_UPGRADE, GUARD_DOWNGRADE, GUARD_COMMAND };

struct guard_request {
	enum guard_verb verb;
	const char *target;             /* upgrade and downgrade */
	const char *const *command;     /* GUARD_COMMAND: argv, NULL-terminated */
	const char *down_command;       /* --down, given to /bin/sh -c; NULL: none */
	const char *no_backup_reason;   /* --no-backup --reason TEXT; NULL: a backup is taken */
	const enum writes_mode *writes; /* --writes MODE; NULL: the configuration's */
	bool yes;                       /* do not ask */
	bool wait;                      /* --wait: for the lock */
	bool unpin;                     /* --unpin: also from where a restore has pinned it */
	bool plan_only;                 /* --plan: print the plan and the findings, change nothing */
	FILE *plan_out;                 /* where the plan is printed; NULL: standard error */
};

/* Fills the report whatever happens; its exit is run_report_exit(). */
void guard_run(const struct config *config, const struct guard_request *request, struct run_report *report);

/* Finishes or takes back an unfinished run; wanted NULL: the one there is. */
enum recover_way { RECOVER_AUTO, RECOVER_FORWARD, RECOVER_DOWN, RECOVER_SWAP };
void guard_recover(const struct config *config, const char *wanted, enum recover_way way, bool accept_loss, struct run_report *report);

#endif
