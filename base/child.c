#include "base/child.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FIRST_FREE = STDERR_FILENO + 1,
	GRACE_LOOKS = 50, /* child.h: five seconds */
	LOOK_EVERY_US = 100000,
};

/* ------------------------------------------------------------------ between fork and exec */

/* Only async-signal-safe functions from here (signal-safety(7)): other threads may have held any lock. */
static bool move_descriptors(const struct child_spec *s)
{
	int in = s->in >= 0 || s->inherit_in ? s->in : open("/dev/null", O_RDONLY);

	if (!s->inherit_in && in < 0)
		return false;
	return (s->inherit_in || in == STDIN_FILENO || dup2(in, STDIN_FILENO) >= 0) &&
	       dup2(s->out >= 0 ? s->out : STDERR_FILENO, STDOUT_FILENO) >= 0 &&
	       (s->err < 0 || dup2(s->err, STDERR_FILENO) >= 0);
}

static bool reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL); /* SIGKILL, SIGSTOP and libc's own have no other */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

/* Whatever a library of ours has opened without O_CLOEXEC is nobody else's. */
static bool keep_only(int *fd)
{
	if (*fd != FIRST_FREE && dup3(*fd, FIRST_FREE, O_CLOEXEC) < 0)
		return false;
	*fd = FIRST_FREE;
	closefrom(FIRST_FREE + 1);
	return true;
}

static _Noreturn void become(const struct child_spec *s, pid_t parent, int tell)
{
	/* A parent that died before prctl() sent no signal. */
	bool ok = (!s->own_group || setpgid(0, 0) == 0) && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 &&
	          getppid() == parent && move_descriptors(s) && keep_only(&tell) &&
	          (!s->cwd || chdir(s->cwd) == 0) && reset_signals();

	if (ok)
		execve(s->argv[0], (char *const *)s->argv, (char *const *)s->envp);
	int code = errno;
	if (write(tell, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* ------------------------------------------------------------------ starting */

/* _Fork(): no handler of a library runs in the child.  Signals are blocked meanwhile, so that none reaches our own
 * handlers there. */
static pid_t fork_quietly(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = _Fork();
	if (pid != 0)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

bool child_pipe(int ends[2], struct err *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "cannot create a pipe");
	for (int i = 0; i < 2; i++) {
		int high = fcntl(ends[i], F_DUPFD_CLOEXEC, FIRST_FREE);
		close(ends[i]);
		ends[i] = high;
	}
	if (ends[0] >= 0 && ends[1] >= 0)
		return true;
	err_sys(err, "cannot create a pipe");
	cleanup_fd_(&ends[0]);
	cleanup_fd_(&ends[1]);
	return false;
}

/* The pipe closes with exec, or says why there was none. */
static bool wait_for_exec(int from, pid_t pid)
{
	int code;
	ssize_t n;

	do
		n = read(from, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(code))
		return true;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	errno = code;
	return false;
}

bool child_start(const struct child_spec *spec, pid_t *pid, struct err *err)
{
	int ends[2];

	if (!child_pipe(ends, err))
		return false;
	cleanup_fd int from = ends[0];
	pid_t parent = getpid(), child = fork_quietly();
	if (child == 0)
		become(spec, parent, ends[1]);
	int code = errno;
	close(ends[1]);
	errno = code;
	if (child > 0 && wait_for_exec(from, child)) {
		*pid = child;
		return true;
	}
	err_sys(err, "cannot execute '%s'", spec->argv[0]);
	return err_recode(err, ERR_PROC);
}

/* ------------------------------------------------------------------ the minder */

static _Noreturn void mind(pid_t group, int from)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	char byte;
	ssize_t n;

	/* In a session of its own: what a terminal sends is not for it. */
	setsid();
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	if (dup2(from, STDIN_FILENO) < 0)
		_exit(1);
	closefrom(STDOUT_FILENO);
	do
		n = read(STDIN_FILENO, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (kill(-group, SIGTERM) < 0)
		_exit(0);
	for (int i = 0; i < GRACE_LOOKS && kill(-group, 0) == 0; i++)
		usleep(LOOK_EVERY_US);
	kill(-group, SIGKILL);
	_exit(0);
}

bool minder_start(pid_t group, struct minder *out, struct err *err)
{
	int ends[2];

	if (!child_pipe(ends, err))
		return false;
	pid_t pid = fork_quietly();
	if (pid == 0)
		mind(group, ends[0]);
	int code = errno;
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		errno = code;
		return err_sys(err, "cannot fork");
	}
	*out = (struct minder){ .pid = pid, .fd = ends[1] };
	return true;
}

void minder_dismiss(struct minder *m)
{
	if (!m->pid)
		return;
	kill(m->pid, SIGKILL);
	close(m->fd);
	while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	*m = (struct minder){ .pid = 0, .fd = -1 };
}
