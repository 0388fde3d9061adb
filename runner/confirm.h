/*
 * confirm.h - asks a person before something changes.
 */
#ifndef RUNNER_CONFIRM_H
#define RUNNER_CONFIRM_H

#include "base/err.h"

/*
 * True when `yes` is set (--yes) or a person at the terminal answers y or yes to "QUESTION [y/N] ".
 * Asks on standard error and reads standard input; both must be terminals, otherwise ERR_USAGE (exit 2).
 * Any other answer is ERR_CANCELLED: nothing was changed.
 */
MUST_CHECK bool confirm(const char *question, bool yes, struct err *err);

#endif
