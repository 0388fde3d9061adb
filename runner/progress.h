/*
 * progress.h - how far long work is, for people, on standard error.
 *
 * On a terminal one line with phase, bytes, rate and time left, redrawn at most ten times a second
 * and cleared around log lines (log_set_overlay of base/log.h).  Elsewhere a line every ten
 * seconds and one at a phase's end, so that a CI log shows life without being flooded.
 * One per program: the terminal is one, and base/log.h's overlay has no context.
 */
#ifndef RUNNER_PROGRESS_H
#define RUNNER_PROGRESS_H

#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_mode {
	PROGRESS_NONE,  /* --quiet */
	PROGRESS_LINES, /* standard error is no terminal */
	PROGRESS_BAR,
};

/* Chooses how; called once by main. */
void progress_set_mode(enum progress_mode mode);

/* What to hand to backup_request.progress and the like; never NULL, lives as long as the program. */
const struct progress *progress_listener(void);

/* The work is over, well or not: the bar is cleared, or the phase's last line printed.  Idempotent. */
void progress_finish(void);

/* What is shown of one phase: pure, for the two ways of showing it and their tests. */
struct progress_view {
	const char *phase;
	int64_t done_bytes, total_bytes; /* total 0: unknown */
	int64_t elapsed_ms;
};
/* The bar's line, at most `columns` characters (and no longer than cap - 1 bytes), without a line's end. */
void progress_format_bar(const struct progress_view *view, int columns, char *out, size_t cap);
/* "backup: 412.3 MiB of 1.0 GiB, 98.2 MiB/s, 6.3 s left" */
void progress_format_line(const struct progress_view *view, char *out, size_t cap);

#endif
