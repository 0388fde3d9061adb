/*
 * sweep.h - notes about the backups that this machine is taking; backup_sweep() acts on those of the dead.
 */
#ifndef BACKUP_SWEEP_H
#define BACKUP_SWEEP_H

#include "backup/backup.h"
#include "backup/stores/notes.h"

/* Before the first byte goes into `folder`; end it with note_end().  *out NULL where nothing can be noted. */
MUST_CHECK bool sweep_note(const char *state_dir, const char *folder, const struct stores *stores, struct note **out,
                           struct err *err);

#endif
