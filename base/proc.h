/*
 * proc.h - runs one child program, without a shell, and always reaps it.
 *
 * A program that cannot be executed is reported here, not by a status of 127.  The child gets exactly
 * the environment given, no descriptor but 0, 1 and 2, default signal dispositions and its own process
 * group; the group is ended (SIGTERM, then SIGKILL) when a callback fails, the deadline passes, or a
 * cancel is requested (base/cancel.h); the child ends when we die, even by SIGKILL (base/child.h).  A dead
 * child is reported with the tail of its standard error.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

#define PROC_STDERR_MAX 4096

struct proc_spec {
	const char *const *argv; /* argv[0] is a path; NULL-terminated */
	const char *const *envp; /* complete environment; NULL-terminated */
	const char *cwd;         /* NULL: ours */
	int64_t deadline_ms;     /* 0 for none */
	int grace_ms;            /* between SIGTERM and SIGKILL; 0: 5000 */

	/* Fills at most cap bytes; *got = 0 is the end of input.  NULL: standard input is /dev/null. */
	bool (*on_stdin)(void *ctx, void *data, size_t cap, size_t *got, struct err *err);
	/* NULL: standard output goes to our standard error. */
	bool (*on_stdout)(void *ctx, const void *data, size_t len, struct err *err);
	/* Called about every 2 ms while the child runs, for who has to watch something beside it.  May be NULL. */
	bool (*on_tick)(void *ctx, struct err *err);
	bool show_stderr; /* standard error goes to ours as well as into the tail */
	bool inherit_stdin; /* the child reads our standard input (guard -- COMMAND) */
	bool mind_group; /* not only the child but its whole group ends when we die: for what starts programs itself */
	void *ctx;
};

struct proc_result {
	int exit_status;                   /* valid when signal is 0; -1 when it never ran */
	int signal;                        /* that ended the child, or 0 */
	bool timed_out;                    /* the deadline ended it */
	char stderr_tail[PROC_STDERR_MAX]; /* NUL-terminated, last bytes */
};

/*
 * Returns true when the child exited with status 0 and every callback returned true.
 * Otherwise err says which: ERR_PROC for its exit, ERR_CANCELLED for deadline and cancel,
 * the callback's own error; result is filled whenever a child ran.
 * A child that closes its standard input early is judged by its exit status, not by EPIPE.
 */
MUST_CHECK bool proc_run(const struct proc_spec *spec, struct proc_result *result, struct err *err);

/*
 * The argv of a command as it is written in a configuration: split as a shell would split words without expanding
 * anything (blanks, '...', "...", and \ before a character).  A program without a slash is looked for on PATH; one with
 * a slash is relative to where the command runs.  ERR_USAGE.
 */
MUST_CHECK bool proc_split(const char *command, struct strv *argv, struct err *err);

/* The first executable `name` on PATH of our own environment, or NULL.  Owned by the caller. */
char *proc_which(const char *name);

#endif
