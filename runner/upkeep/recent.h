/*
 * recent.h - whether a backup is due: `ripcord backup --if-older 6h`, for timers.
 */
#ifndef RUNNER_UPKEEP_RECENT_H
#define RUNNER_UPKEEP_RECENT_H

#include "backup/backup.h"
#include "runner/config.h"

/*
 * *out is the newest verified backup of this database and installation that is younger than age_ms and rests in as many
 * stores as stores_required asks for; NULL when there is none, and a backup is due.  One from the future (a clock was
 * wrong) does not count: it would put off all others.  The list is the caller's, and *out is borrowed from it.
 * No server is asked.  ERR_BACKUP when no store could be read.
 */
MUST_CHECK bool recent_backup(const struct config *config, int64_t age_ms, struct backup_list *list,
                              const struct backup_entry **out, struct err *err);

#endif
