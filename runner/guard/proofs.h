/*
 * proofs.h - what `ripcord prove` found of a revision, and where that is kept: for the plan and the gates.
 *
 * A proof is kept by the SHA-256 of the revision's file, as <state_dir>/proofs/<digest>.json, so that a file that was
 * changed has none.  It is in the state folder and not beside the ledger: it says something of the file and of no
 * database, is made where the live database need not be reachable, and a row written there while a run is
 * unfinished would count as somebody else's write and stop that run's way back.  A folder that is lost costs a new proof.
 */
#ifndef RUNNER_GUARD_PROOFS_H
#define RUNNER_GUARD_PROOFS_H

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "migrations/migrations.h"

#include <stdint.h>

/* In the order of how bad it is. */
enum proof_verdict {
	PROOF_REVERSIBLE,   /* the downgrade leads back to where the upgrade began */
	PROOF_LOSES_DATA,   /* it does, but not all that was in the tables comes back */
	PROOF_IRREVERSIBLE, /* it does not, or there is none */
	PROOF_ERROR,        /* nobody can say: the revision could not be tried to the end */
};

struct proof {
	char *revision, *message; /* as the file has them */
	enum proof_verdict verdict;
	bool declared;            /* irreversible="..." stands in the file */
	char *reason;             /* why it is not reversible; NULL */
	struct strv loses;        /* "column public.t.c", "table public.t": what does not come back */
	struct strv differs;      /* facts of the schema after the downgrade, as schema_diff() prints them */
	struct strv notes;        /* what the proof could not do: tables without rows */
	char *backup;             /* whose rows were tried; NULL: made ones alone */
	struct strv copied;       /* tables that had rows of it */
	int64_t sample;           /* rows that a table was given; 0: the schema alone was compared */
	int server_version;
	double seconds;
	char at[32];              /* ISO 8601 */
};
void proof_clear(struct proof *p);

/* "reversible", "loses-data", "irreversible", "error" */
const char *proof_verdict_name(enum proof_verdict v);
/* It leads back, or says itself that it does not. */
bool proof_is_fine(const struct proof *p);
json_t *proof_to_json(const struct proof *p);

/* Replaces what was kept, but for a verdict that was found with more rows, or with those of a backup, and is worse.  An error is not kept, and takes
 * away what was. */
MUST_CHECK bool proofs_keep(const char *state_dir, const struct revision *r, const struct proof *p, struct err *err);
/* false: never proven, not as the file is now, or it cannot be read. */
bool proofs_find(const char *state_dir, const struct revision *r, struct proof *out);

#endif
