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

/* `ripcord backup verify ID`: reads it in every store that has it, and, as the configuration's verify says
 * (read | restore | drill), restores it into a scratch database and compares; marks it verified. */
MUST_CHECK bool backup_run_verify(const struct config *config, const char *id, struct manifest **out, struct err *err);

#endif
