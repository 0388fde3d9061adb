/*
 * fault_at: runs a program and, at the N-th of its system calls that matter, lets something go wrong.
 *
 *     fault_at LOG FAULT N PROGRAM ARG...
 *
 *     list     nothing goes wrong; LOG gets a line "N NAME TARGET" for each call (N is not looked at)
 *     before   SIGKILL instead of the call
 *     after    SIGKILL when the call is done
 *     torn     half of what the call would write is written (another call is done), then SIGKILL
 *     EIO      the call, or the next one on a file, fails with EIO, once
 *     ENOSPC   the call, and from then on each that needs room for a file, fails with ENOSPC
 *     call     $FAULT_CALL is run by the shell while the program is held before the call; then it goes on
 *
 * With a fault LOG gets the one line of the call it befell, and stays empty if the program came to its end before.
 * The calls that matter are those that leave something behind the process: in files, on a server, in a child.  Only the
 * program itself and its threads are counted and hit; its children are let alone.  The exit status is the
 * program's, 137 when it was killed, 125 when fault_at itself failed.
 *
 * ptrace(2) with PTRACE_SEIZE and PTRACE_GET_SYSCALL_INFO (Linux 5.3).  What strace --inject does, but counted over all
 * calls together, which makes a number mean the same moment in the next run, and with "after" and "torn".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILED = 125, KILLED = 128 + SIGKILL };

enum fault { LIST, BEFORE, AFTER, TORN, IO_ERROR, NO_SPACE, CALL };

static const char *const fault_names[] = { "list", "before", "after", "torn", "EIO", "ENOSPC", "call" };

/* How a call is known: by the file behind its first argument, by a path, or by its name alone. */
enum target { NONE, FD, PATH, PATH_AT };

struct call {
	long nr;
	const char *name;
	enum target target;
	bool needs_disk; /* fails when the disk is full, or broken */
};

static const struct call calls[] = {
	{ SYS_write, "write", FD, true },          { SYS_writev, "writev", FD, true },
	{ SYS_pwrite64, "pwrite", FD, true },      { SYS_sendto, "send", FD, false },
	{ SYS_sendmsg, "sendmsg", FD, false },     { SYS_fsync, "fsync", FD, true },
	{ SYS_fdatasync, "fdatasync", FD, true },  { SYS_ftruncate, "ftruncate", FD, true },
	{ SYS_connect, "connect", FD, false },     { SYS_openat, "open", PATH_AT, true },
	{ SYS_mkdirat, "mkdir", PATH_AT, true },   { SYS_unlinkat, "unlink", PATH_AT, false },
	{ SYS_renameat, "rename", PATH_AT, true }, { SYS_renameat2, "rename", PATH_AT, true },
	{ SYS_linkat, "link", PATH_AT, true },     { SYS_clone, "clone", NONE, false },
	{ SYS_clone3, "clone", NONE, false },
#ifdef SYS_open /* architectures that are older than the *at calls */
	{ SYS_open, "open", PATH, true },          { SYS_mkdir, "mkdir", PATH, true },
	{ SYS_rmdir, "rmdir", PATH, false },       { SYS_unlink, "unlink", PATH, false },
	{ SYS_rename, "rename", PATH, true },      { SYS_link, "link", PATH, true },
	{ SYS_fork, "clone", NONE, false },        { SYS_vfork, "clone", NONE, false },
#endif
};

struct watch {
	pid_t pid;
	enum fault fault;
	long at, seen;
	FILE *log;
	pid_t held; /* the thread inside the call that is hit */
	int disk;   /* what calls on files fail with; 0: they do not */
};

_Noreturn static void __attribute__((format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list args;

	fputs("fault_at: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(FAILED);
}

/* ------------------------------------------------------------------ which calls matter */

static void read_path(const struct watch *w, uint64_t address, char *out)
{
	struct iovec to = { out, PATH_MAX - 1 }, from = { (void *)(uintptr_t)address, PATH_MAX - 1 };
	ssize_t n = process_vm_readv(w->pid, &to, 1, &from, 1, 0);

	/* The string may end right before a page that is not there. */
	if (n <= 0) {
		from.iov_len = to.iov_len = 4096 - (size_t)(address % 4096);
		n = process_vm_readv(w->pid, &to, 1, &from, 1, 0);
	}
	out[n > 0 ? n : 0] = '\0';
}

static void read_fd(const struct watch *w, uint64_t fd, char *out)
{
	char link[64], target[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)w->pid, (int)fd);
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	/* "socket:[123]": the number is another one in each run. */
	if (target[0] != '/' && strchr(target, ':'))
		*strchr(target, ':') = '\0';
	memcpy(out, target, strlen(target) + 1);
}

static void read_target(const struct watch *w, const struct call *c, const uint64_t args[], char *out)
{
	switch (c->target) {
	case NONE: out[0] = '\0'; return;
	case FD: read_fd(w, args[0], out); return;
	case PATH: read_path(w, args[0], out); return;
	case PATH_AT: read_path(w, args[1], out); return;
	}
}

/* Opening what is there leaves nothing behind, and what is said on the terminal is no state of ours. */
static bool matters(const struct call *c, const uint64_t args[])
{
	if (strcmp(c->name, "open") == 0)
		return ((c->target == PATH ? args[1] : args[2]) & O_CREAT) != 0;
	return c->target != FD || args[0] > STDERR_FILENO;
}

static const struct call *find_call(uint64_t nr)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((uint64_t)calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

/* ------------------------------------------------------------------ what goes wrong */

#ifdef __x86_64__
static void set_register(pid_t thread, size_t offset, unsigned long long value)
{
	if (ptrace(PTRACE_POKEUSER, thread, (void *)offset, (void *)(uintptr_t)value) < 0)
		die("cannot change a register");
}

/* The kernel leaves the result alone where the number of the call is -1. */
static void fail_call(pid_t thread, int error)
{
	set_register(thread, offsetof(struct user_regs_struct, orig_rax), (unsigned long long)-1);
	set_register(thread, offsetof(struct user_regs_struct, rax), (unsigned long long)-error);
}

/* The third argument is the length, or the number of parts. */
static void halve_call(pid_t thread, uint64_t n)
{
	set_register(thread, offsetof(struct user_regs_struct, rdx), n / 2);
}
#else
static void fail_call(pid_t thread, int error)
{
	(void)thread;
	errno = error;
	die("failing a call is written for x86-64 only");
}

static void halve_call(pid_t thread, uint64_t n)
{
	(void)thread;
	(void)n;
	errno = ENOSYS;
	die("tearing a call is written for x86-64 only");
}
#endif

static void run_command(void)
{
	const char *command = getenv("FAULT_CALL");

	if (!command || system(command) != 0)
		die("FAULT_CALL failed");
}

static void hit(struct watch *w, pid_t thread, const struct call *c, const uint64_t args[])
{
	switch (w->fault) {
	case LIST: return;
	case BEFORE: kill(w->pid, SIGKILL); return;
	case TORN:
		if (c->nr == SYS_write)
			halve_call(thread, args[2]);
		w->held = thread;
		return;
	case AFTER: w->held = thread; return;
	case IO_ERROR: w->disk = EIO; return;
	case NO_SPACE: w->disk = ENOSPC; return;
	case CALL: run_command(); return;
	}
}

/* A connection does not fail with these. */
static void fail_on_disk(struct watch *w, pid_t thread, const struct call *c, const char *target)
{
	if (w->disk == 0 || !c->needs_disk || target[0] != '/')
		return;
	fail_call(thread, w->disk);
	if (w->disk == EIO)
		w->disk = 0;
}

static void on_entry(struct watch *w, pid_t thread, const struct __ptrace_syscall_info *info)
{
	const struct call *c = find_call(info->entry.nr);
	const uint64_t *args = (const uint64_t *)info->entry.args;
	char target[PATH_MAX];

	if (!c || !matters(c, args))
		return;
	w->seen++;
	read_target(w, c, args, target);
	if (w->fault == LIST || w->seen == w->at) {
		fprintf(w->log, "%ld %s %s\n", w->seen, c->name, target);
		fflush(w->log);
	}
	if (w->seen == w->at)
		hit(w, thread, c, args);
	fail_on_disk(w, thread, c, target);
}

static void on_syscall(struct watch *w, pid_t thread)
{
	struct __ptrace_syscall_info info;

	/* ESRCH: killed meanwhile */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(w, thread, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && w->held == thread)
		kill(w->pid, SIGKILL);
}

/* ------------------------------------------------------------------ following the program */

/* Signals go through as they come; the stops of ptrace itself do not. */
static void on_stop(struct watch *w, pid_t thread, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (sig == (SIGTRAP | 0x80))
		on_syscall(w, thread);
	if (sig == (SIGTRAP | 0x80) || event != 0)
		sig = 0;
	ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(uintptr_t)sig);
}

static int follow(struct watch *w)
{
	int status;
	pid_t thread;

	while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (thread <= 0)
			continue;
		if (WIFSTOPPED(status))
			on_stop(w, thread, status);
		else if (thread == w->pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	die("lost the program");
}

/* The child waits at a pipe until it is watched; then it becomes the program. */
static void start(struct watch *w, char **argv)
{
	/* CLONE, not FORK and VFORK: threads are followed, children are not. */
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	int gate[2], status;

	if (pipe2(gate, O_CLOEXEC) < 0 || (w->pid = fork()) < 0)
		die("cannot start a process");
	if (w->pid == 0) {
		char go;
		if (read(gate[0], &go, 1) == 1)
			execvp(argv[0], argv);
		die("cannot run %s", argv[0]);
	}
	if (ptrace(PTRACE_SEIZE, w->pid, NULL, (void *)options) < 0 ||
	    ptrace(PTRACE_INTERRUPT, w->pid, NULL, NULL) < 0 || waitpid(w->pid, &status, __WALL) < 0 ||
	    ptrace(PTRACE_SYSCALL, w->pid, NULL, NULL) < 0)
		die("cannot watch the program");
	if (write(gate[1], "", 1) != 1)
		die("cannot start the program");
	close(gate[0]);
	close(gate[1]);
}

static enum fault parse_fault(const char *name)
{
	for (size_t i = 0; i < sizeof(fault_names) / sizeof(fault_names[0]); i++)
		if (strcmp(name, fault_names[i]) == 0)
			return (enum fault)i;
	errno = EINVAL;
	die("no such fault: %s", name);
}

int main(int argc, char **argv)
{
	struct watch w = { 0 };

	errno = EINVAL;
	if (argc < 5)
		die("usage: fault_at LOG FAULT N PROGRAM ARG...");
	w.fault = parse_fault(argv[2]);
	w.at = strtol(argv[3], NULL, 10);
	if (!(w.log = fopen(argv[1], "we")))
		die("%s", argv[1]);
	start(&w, argv + 4);
	int status = follow(&w);
	if (fclose(w.log) != 0)
		die("%s", argv[1]);
	return status;
}
