/*
 * backup_run.h - `ripcord backup create`: a backup by hand, under the same lock and with the same
 * reading back as the guard's.  ERR_LOCKED while a run holds the database or is unfinished.
 */
#ifndef RUNNER_GUARD_BACKUP_RUN_H
#define RUNNER_GUARD_BACKUP_RUN_H

#include "backup/backup.h"
#include "runner/config.h"

/* On true *out is the published, verified manifest; *seconds the time without the read-back.
 * `notes` (may be NULL) gets lines for people. */
MUST_CHECK bool backup_run_create(const struct config *config, struct manifest **out, double *seconds, struct err *err);

struct verify_choice {
	const char *id;               /* or a unique beginning */
	const enum verify_mode *mode; /* NULL: the configuration's, or as much of it as can be done without a server */
};

struct verify_result {
	struct manifest *manifest; /* the caller's, for what is told of it; NULL when there is none such */
	const char *how;           /* what was done: stored (encrypted, and no key: the bytes alone), read, restore, drill */
	char *not_restored;        /* why it was only read although the configuration asks for more; NULL */
	double seconds;
};
void verify_result_clear(struct verify_result *r);

/* `ripcord backup verify ID`: reads it in every store that lists anything of it, its marks too, and restores it into a
 * scratch database where a server is to be had; needs none for reading.  Sound copies are marked verified, damaged
 * ones lose their marks.  ERR_BACKUP for any damage; each is also a warning. */
MUST_CHECK bool backup_run_verify(const struct config *config, const struct verify_choice *choice,
                                  struct verify_result *out, struct err *err);

#endif
