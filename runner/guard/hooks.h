/*
 * hooks.h - the hooks of a phase that is no run's; those of a run are run_hooks().
 */
#ifndef RUNNER_GUARD_HOOKS_H
#define RUNNER_GUARD_HOOKS_H

#include "runner/config.h"

/* after-write: each in the configuration's folder, with RIPCORD_FILE, RIPCORD_REVISION and RIPCORD_PHASE.  A word that has
 * HOOK_FILE_TOKEN has the path instead.  ERR_PROC. */
MUST_CHECK bool hooks_after_write(const struct config *config, const char *path, const char *revision, struct err *err);

#endif
