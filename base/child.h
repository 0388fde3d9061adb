/*
 * child.h - a child process from its fork to its program, and the minder that outlives us.
 *
 * The kernel ends a child of ours (SIGTERM, which pg_dump and pg_restore pass on to the server as a cancel request)
 * when we die, however we die: PR_SET_PDEATHSIG, prctl(2).  That reaches the child alone; what a hook's script has
 * started itself is ended by a minder.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/err.h"

#include <sys/types.h>

struct child_spec {
	const char *const *argv; /* argv[0] is a path; NULL-terminated */
	const char *const *envp;
	const char *cwd;   /* NULL: ours */
	int in, out, err;  /* become 0, 1 and 2; above 2 each, or -1: our own (in: /dev/null unless inherit_in) */
	bool inherit_in;
	bool own_group;
};

/* A pipe, closed on exec, whose ends are at least 3: one that took the place of a closed standard stream would be
 * overwritten by the child's dup2, or closed with it. */
MUST_CHECK bool child_pipe(int ends[2], struct err *err);

/* Returns when the program runs; one that cannot be executed is ERR_PROC.  The child has default signal
 * dispositions, no signal blocked, and no descriptor but 0, 1 and 2. */
MUST_CHECK bool child_start(const struct child_spec *spec, pid_t *pid, struct err *err);

/* A process that ends a group (SIGTERM, SIGKILL five seconds later) when we die before it was dismissed. */
struct minder {
	pid_t pid; /* 0: none */
	int fd;
};
MUST_CHECK bool minder_start(pid_t group, struct minder *out, struct err *err);
/* Before the group's leader is reaped: afterwards its number may be another's. */
void minder_dismiss(struct minder *m);

#endif
