/*
 * report.h - what a run came to: one struct that the exit code, the text and the JSON are made from.
 *
 * Outcomes, exit codes and JSON keys are design.md section 8.
 */
#ifndef RUNNER_REPORT_H
#define RUNNER_REPORT_H

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "migrations/migrations.h"

#include <stdint.h>
#include <stdio.h>

enum outcome {
	OUTCOME_UPGRADED,    /* exit 0 */
	OUTCOME_DOWNGRADED,  /* exit 0 */
	OUTCOME_UNCHANGED,   /* exit 0: nothing to do, or recover found nothing unfinished */
	OUTCOME_REFUSED,     /* exit 3 */
	OUTCOME_ROLLED_BACK, /* exit 4 */
	OUTCOME_RESTORED,    /* exit 5 */
	OUTCOME_STUCK,       /* exit 6 */
	OUTCOME_FAILED,      /* exit 1, 2 or 7, by the error's code */
	OUTCOME_LOCKED,      /* exit 8 */
};

struct step_report {
	char *revision;
	enum direction direction;
	const char *outcome; /* "done" | "rolled-back" | "failed" | "restored": static */
	double seconds;
};

struct run_report {
	char run[40];           /* "" when the run never got an id */
	enum outcome outcome;
	struct strv from, to;   /* heads */
	char *backup_id;        /* NULL: none was taken */
	int64_t backup_bytes;
	double backup_seconds;
	struct step_report *steps;
	size_t n_steps;
	struct err failure;     /* code ERR_NONE when nothing failed */
	const char *failure_phase; /* "plan" | "gates" | "lock" | "backup" | "upgrade" | "verify" | "hook" ...: static */
	char *failure_revision;
	char *quarantine;       /* the database's name, or NULL */
	struct strv next;       /* commands and advice for a person, in order */
};

void run_report_clear(struct run_report *r);
void run_report_step(struct run_report *r, const char *revision, enum direction direction, const char *outcome, double seconds);
int run_report_exit(const struct run_report *r);
const char *outcome_name(enum outcome o); /* as in the JSON */
/* The one of that name; OUTCOME_STUCK for a name that is none. */
enum outcome outcome_of_name(const char *name);
json_t *run_report_json(const struct run_report *r);
/* For people, on `out`: what happened, where things stand, what to do next. */
void run_report_print(const struct run_report *r, FILE *out);

#endif
