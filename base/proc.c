#include "base/proc.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS          2    /* proc.h, on_tick */
#define POLL_MS          100  /* how long a cancel request may stay unseen */
#define GRACE_DEFAULT_MS 5000 /* header: between SIGTERM and SIGKILL */
#define CHUNK            ((size_t)64 * 1024)
/* A grandchild may hold the pipes open after the child itself has ended. */
#define DRAIN_MS 1000
/* Of err.msg, beside the program's path. */
#define WORDS_MAX ((size_t)700)

/* One run: the pipes' ends that are ours, -1 when closed. */
struct run {
	const struct proc_spec *spec;
	struct proc_result *result;
	pid_t pid;
	struct minder minder;
	bool own_group;
	bool ended; /* a zombie now, reaped at the very end */
	int in_w, out_r, err_r;
	int64_t started_ms, ended_ms;
	/* What on_stdin gave and the child has not taken yet. */
	char *pending;
	size_t pending_at, pending_len;
};

/* ------------------------------------------------------------------ moving bytes */

static void keep_tail(struct proc_result *r, const char *data, size_t len)
{
	size_t have = strlen(r->stderr_tail), room = sizeof(r->stderr_tail) - 1;

	if (len >= room) {
		data += len - room;
		len = room;
	}
	if (have + len > room) {
		size_t drop = have + len - room;
		memmove(r->stderr_tail, r->stderr_tail + drop, have - drop + 1);
		have -= drop;
	}
	for (size_t i = 0; i < len; i++)
		r->stderr_tail[have + i] = data[i] ? data[i] : ' '; /* a NUL would hide what comes after it */
	r->stderr_tail[have + len] = '\0';
}

/* Our own standard error may be gone; that is no reason to end the child. */
static void show(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

/* Reads once from a pipe that has something; closes it at its end. */
static bool take_output(struct run *r, int *fd, struct err *err)
{
	const struct proc_spec *spec = r->spec;
	char data[CHUNK];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || err_sys(err, "cannot read from '%s'", spec->argv[0]);
	if (n == 0) {
		close(take_fd(fd));
		return true;
	}
	if (fd == &r->out_r && spec->on_stdout)
		return spec->on_stdout(spec->ctx, data, (size_t)n, err);
	keep_tail(r->result, data, (size_t)n);
	if (spec->show_stderr)
		show(data, (size_t)n);
	return true;
}

/* Writes once to the child; the pipe does not block.  A child that no longer reads has its reasons,
 * which its exit status tells: SIGPIPE is ignored, EPIPE ends the giving. */
static bool give_input(struct run *r, struct err *err)
{
	if (r->pending_len == 0) {
		r->pending_at = 0;
		if (!r->spec->on_stdin(r->spec->ctx, r->pending, CHUNK, &r->pending_len, err))
			return false;
		if (r->pending_len == 0) {
			close(take_fd(&r->in_w));
			return true;
		}
	}
	ssize_t n = write(r->in_w, r->pending + r->pending_at, r->pending_len);
	if (n < 0 && errno == EPIPE) {
		close(take_fd(&r->in_w));
		return true;
	}
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ||
		       err_sys(err, "cannot write to '%s'", r->spec->argv[0]);
	r->pending_at += (size_t)n;
	r->pending_len -= (size_t)n;
	return true;
}

static bool look_for_stop(struct run *r, struct err *err)
{
	const struct proc_spec *spec = r->spec;

	if (cancel_requested())
		return err_set(err, ERR_CANCELLED, "cancelled");
	if (spec->deadline_ms > 0 && clock_ms() - r->started_ms >= spec->deadline_ms) {
		r->result->timed_out = true;
		return err_set(err, ERR_CANCELLED, "no end within %lld ms", (long long)spec->deadline_ms);
	}
	return true;
}

/* Leaves the child as a zombie: until the last kill() its id cannot become somebody else's. */
static bool has_ended(struct run *r)
{
	siginfo_t info = { .si_pid = 0 };

	if (!r->ended && waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid != 0) {
		r->ended = true;
		r->ended_ms = clock_ms();
	}
	return r->ended;
}

/* Waits for something to read or write; *ready is 0 when there was nothing. */
static bool wait_pipes(const struct run *r, struct pollfd p[3], int *ready, struct err *err)
{
	bool open = r->in_w >= 0 || r->out_r >= 0 || r->err_r >= 0;

	p[0] = (struct pollfd){ .fd = r->in_w, .events = POLLOUT };
	p[1] = (struct pollfd){ .fd = r->out_r, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = r->err_r, .events = POLLIN };
	int wait_ms = !open || r->ended ? POLL_MS / 10 : POLL_MS;
	*ready = poll(p, 3, r->spec->on_tick ? TICK_MS : wait_ms);
	if (*ready >= 0)
		return true;
	*ready = 0;
	return errno == EINTR || err_sys(err, "cannot poll");
}

/* Moves bytes until the child has ended and its pipes are closed.  False: it must be stopped. */
static bool pump(struct run *r, struct err *err)
{
	struct pollfd p[3];
	int ready;

	while (!has_ended(r) || r->out_r >= 0 || r->err_r >= 0) {
		if (!look_for_stop(r, err) || !wait_pipes(r, p, &ready, err))
			return false;
		if (r->spec->on_tick && !r->spec->on_tick(r->spec->ctx, err))
			return false;
		/* Nothing is left in the pipes, but a grandchild that lives on holds them open. */
		if (ready == 0 && r->ended && clock_ms() - r->ended_ms >= DRAIN_MS)
			return true;
		if (ready == 0)
			continue;
		if (r->spec->on_stdin && p[0].revents && !give_input(r, err))
			return false;
		if (p[1].revents && !take_output(r, &r->out_r, err))
			return false;
		if (p[2].revents && !take_output(r, &r->err_r, err))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ stopping */

static void send_signal(const struct run *r, int sig) { (void)kill(r->own_group ? -r->pid : r->pid, sig); }

/* Standard error stays wanted: it may say how the child took it. */
static void drop_output(struct run *r, int *fd)
{
	char data[CHUNK];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n == 0 || (n < 0 && errno != EINTR))
		close(take_fd(fd));
	else if (n > 0 && fd == &r->err_r)
		keep_tail(r->result, data, (size_t)n);
}

/* Asks the group to end and then makes it end.  That its pipes are closed shows that the
 * grandchildren are gone as well; meanwhile nobody may block on a full pipe. */
static void stop(struct run *r)
{
	int grace_ms = r->spec->grace_ms > 0 ? r->spec->grace_ms : GRACE_DEFAULT_MS;
	int64_t kill_at = clock_ms() + grace_ms;
	struct err ignored = ERR_INIT;
	struct pollfd p[3];
	int ready;

	if (r->in_w >= 0)
		close(take_fd(&r->in_w));
	send_signal(r, SIGTERM);
	while (clock_ms() < kill_at && (!has_ended(r) || r->out_r >= 0 || r->err_r >= 0)) {
		if (!wait_pipes(r, p, &ready, &ignored))
			break;
		if (ready > 0 && p[1].revents)
			drop_output(r, &r->out_r);
		if (ready > 0 && p[2].revents)
			drop_output(r, &r->err_r);
	}
	send_signal(r, SIGKILL);
}

static void reap(struct run *r)
{
	int status = 0;

	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFSIGNALED(status))
		r->result->signal = WTERMSIG(status);
	else
		r->result->exit_status = WEXITSTATUS(status);
}

/* ------------------------------------------------------------------ the whole */

/* Opens the pipes that the specification asks for and starts the child. */
static bool start(struct run *r, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errs[2] = { -1, -1 };

	if (r->spec->on_stdin && !child_pipe(in, err))
		return false;
	r->in_w = in[1];
	cleanup_fd int in_r = in[0];
	if (r->in_w >= 0 && fcntl(r->in_w, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(err, "cannot prepare a pipe");
	if (r->spec->on_stdout && !child_pipe(out, err))
		return false;
	r->out_r = out[0];
	cleanup_fd int out_w = out[1];
	if (!child_pipe(errs, err))
		return false;
	r->err_r = errs[0];
	cleanup_fd int err_w = errs[1];

	const struct child_spec child = { .argv = r->spec->argv,
		                          .envp = r->spec->envp,
		                          .cwd = r->spec->cwd,
		                          .in = in_r,
		                          .out = out_w,
		                          .err = err_w,
		                          .inherit_in = r->spec->inherit_stdin,
		                          .own_group = r->own_group };

	/* The child's ends are closed on return, or we would never see the end of its output. */
	return child_start(&child, &r->pid, err);
}

static void release(struct run *r)
{
	cleanup_fd_(&r->in_w);
	cleanup_fd_(&r->out_r);
	cleanup_fd_(&r->err_r);
	free(r->pending);
}

/* What a program said last is what an error message has room for. */
static const char *last_words(const struct proc_result *result)
{
	size_t len = strlen(result->stderr_tail);
	const char *at = result->stderr_tail;

	if (len > WORDS_MAX) {
		at += len - WORDS_MAX;
		const char *line = strchr(at, '\n');
		if (line && line[1])
			at = line + 1;
	}
	return at;
}

static bool judge(const struct run *r, struct err *err)
{
	const struct proc_result *result = r->result;
	const char *words = last_words(result), *program = r->spec->argv[0];
	size_t len = strlen(words);

	if (!result->signal && result->exit_status == 0)
		return true;
	while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == ' '))
		len--;
	const char *colon = len > 0 ? ": " : "";
	if (result->signal)
		return err_set(err, ERR_PROC, "%s: ended by signal %d (%s)%s%.*s", program, result->signal,
		               strsignal(result->signal), colon, (int)len, words);
	return err_set(err, ERR_PROC, "%s: exit status %d%s%.*s", program, result->exit_status, colon,
	               (int)len, words);
}

bool proc_run(const struct proc_spec *spec, struct proc_result *result, struct err *err)
{
	struct run r = { .spec = spec, .result = result, .in_w = -1, .out_r = -1, .err_r = -1 };

	*result = (struct proc_result){ .exit_status = -1 };
	/* In a group of its own a child that reads from the terminal would be stopped (SIGTTIN). */
	r.own_group = !(spec->inherit_stdin && isatty(STDIN_FILENO));
	if (spec->on_stdin) {
		r.pending = mem_grow(NULL, CHUNK, 1);
		signal(SIGPIPE, SIG_IGN); /* as cancel_install() does; without it EPIPE would never be seen */
	}
	r.started_ms = clock_ms();
	if (!start(&r, err)) {
		release(&r);
		return false;
	}

	bool ok = (!spec->mind_group || !r.own_group || minder_start(r.pid, &r.minder, err)) && pump(&r, err);
	if (!ok)
		stop(&r);
	minder_dismiss(&r.minder);
	reap(&r);
	release(&r);
	return ok ? judge(&r, err) : err_wrap(err, "%s", spec->argv[0]);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *proc_which(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return is_program(name) ? mem_strdup(name) : NULL;
	for (const char *at = path; at && *name;) {
		size_t len = strcspn(at, ":");
		/* An empty item is the current folder (POSIX, "PATH"). */
		char *full = mem_fmt("%.*s/%s", len ? (int)len : 1, len ? at : ".", name);
		if (is_program(full))
			return full;
		free(full);
		at = at[len] ? at + len + 1 : NULL;
	}
	return NULL;
}

static bool split_words(const char *command, struct strv *argv, struct err *err)
{
	cleanup_buf struct buf word = BUF_INIT(1 << 20);
	bool in_word = false;
	char quote = '\0';

	for (const char *p = command; *p; p++) {
		if (*p == '\\' && quote != '\'' && p[1]) {
			buf_char(&word, *++p);
			in_word = true;
		} else if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? '\0' : *p;
			in_word = true;
		} else if (!quote && strchr(" \t\n", *p)) {
			if (in_word)
				strv_add(argv, word.len ? buf_text(&word) : "");
			word.len = 0;
			in_word = false;
		} else {
			buf_char(&word, *p);
			in_word = true;
		}
	}
	if (in_word)
		strv_add(argv, word.len ? buf_text(&word) : "");
	if (quote)
		return err_set(err, ERR_USAGE, "a quote is not closed in: %s", command);
	return argv->n > 0 || err_set(err, ERR_USAGE, "the command is empty");
}

bool proc_split(const char *command, struct strv *argv, struct err *err)
{
	if (!split_words(command, argv, err))
		return false;
	if (strchr(argv->v[0], '/'))
		return true;
	char *found = proc_which(argv->v[0]);
	if (!found)
		return err_set(err, ERR_USAGE, "there is no program \"%s\" on PATH", argv->v[0]);
	free(argv->v[0]);
	argv->v[0] = found;
	return true;
}
