/*
 * restore_run.h - `ripcord restore`, `quarantine` and `runs`: what people do by hand with backups,
 * databases that a swap put aside, and journals.
 */
#ifndef RUNNER_GUARD_RESTORE_RUN_H
#define RUNNER_GUARD_RESTORE_RUN_H

#include "runner/config.h"
#include "runner/report.h"

struct restore_choice {
	const char *backup;      /* --backup ID or unique prefix; NULL with to_revision */
	const char *to_revision; /* --to-revision R: the newest verified backup at R, or below it and then upgraded */
	const char *from;        /* --from: a system identifier or an installation; NULL: this installation */
	const char *as;          /* --as NAME: must not exist yet; NULL */
	bool swap;               /* --swap: put it in the place of the live database, which goes to quarantine */
	bool role_passwords;     /* --role-passwords: roles that are created get the backup's login and password */
	bool accept_loss;        /* --swap although the live database has changed since the backup */
};

struct restore_result {
	char backup_id[64];
	char *database;   /* name of the restored database */
	char *quarantine; /* with swap: where the former one is; else NULL */
	struct strv heads;   /* where it stands, and is pinned to */
	struct strv applied; /* revisions that were run after the restore */
	double seconds;
};

/* Restores and proves (fingerprint and row counts against the manifest) before it answers true.  Neither the live
 * database nor the state folder has to be there. */
MUST_CHECK bool restore_run(const struct config *config, const struct restore_choice *choice, struct restore_result *out,
                            struct err *err);
void restore_result_clear(struct restore_result *r);

struct quarantine_entry {
	char *database, *run, *comment; /* run: "" when the comment does not tell */
	int64_t bytes;
};
MUST_CHECK bool quarantine_list(const struct config *config, struct quarantine_entry **out, size_t *n, struct err *err);
/* ERR_REFUSED for a database that is no quarantine or candidate of ripcord's. */
MUST_CHECK bool quarantine_drop(const struct config *config, const char *database, struct err *err);
void quarantine_entries_free(struct quarantine_entry *v, size_t n);

/* Runs known to the state folder, newest first: a JSON array of {run, outcome, started, finished, from, to, backup}. */
MUST_CHECK bool runs_list(const struct config *config, json_t **out, struct err *err);
/* The whole id of a run from a unique beginning, or from the short id that names carry; the caller's. */
MUST_CHECK bool runs_find(const char *state_dir, const char *prefix, char **out, struct err *err);
/* One run by id or unique prefix: {run, outcome, steps[{step, seconds, outcome}], ...}. */
MUST_CHECK bool runs_show(const struct config *config, const char *run, json_t **out, struct err *err);
/* {run, outcome, verb, database, started, finished, from, to, backup, accepted} of a journal's lines. */
json_t *run_summary(const char *run, const json_t *lines);

#endif
