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

/* Standard input and standard error are terminals. */
bool confirm_can_ask(void);
/* The same question where either answer is fine; anything but y or yes, the end of the input too, is a no.
 * ERR_CANCELLED for a signal alone. */
MUST_CHECK bool confirm_ask(const char *question, bool *yes, struct err *err);

#endif
