/*
 * copy_run.h - a backup restored into the run's scratch database, to be tried on or read.  Private to runner/guard/.
 *
 *     copy_begin()    which backup, whether it can come back here
 *     copy_restore()  run->scratch: all of it, proven
 *     copy_end()      dropped again, with the roles that were made for it
 */
#ifndef RUNNER_GUARD_COPY_RUN_H
#define RUNNER_GUARD_COPY_RUN_H

#include "runner/guard/run.h"

/*
 * Where [drill] url leads, else beside the live database, whose URL goes to *live: the caller's.  `backup`: id or unique
 * prefix; NULL: the newest verified one of this database and installation.  What a kill has left is dropped.
 * ERR_BACKUP: there is none, or no key for it.  ERR_REFUSED: this server or role cannot restore it.
 */
MUST_CHECK bool copy_begin(struct run *run, const char *backup, struct conninfo **live, struct err *err);
/* ERR_BACKUP when it does not come back. */
MUST_CHECK bool copy_restore(struct run *run, struct err *err);
/* On both ways: behind a failure (`ok` is false) that stays the error. */
MUST_CHECK bool copy_end(struct run *run, bool ok, struct err *err);

#endif
