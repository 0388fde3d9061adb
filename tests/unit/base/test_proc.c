/* Child programs: what they get, what they give, how they end. */
#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/proc.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SH(script)                                                                                           \
	(const char *const[]) { "/bin/sh", "-c", (script), NULL }

static const char *const env[] = { "PATH=/usr/bin:/bin", "GREETING=hello", NULL };

struct io {
	struct buf out;
	size_t to_give; /* bytes of standard input left */
	bool fail_out, fail_in;
};

static bool keep(void *ctx, const void *data, size_t len, struct err *err)
{
	struct io *io = ctx;

	buf_add(&io->out, data, len);
	return !io->fail_out || err_set(err, ERR_IO, "no room");
}

static bool give(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct io *io = ctx;

	if (io->fail_in)
		return err_set(err, ERR_CORRUPT, "bad source");
	*got = io->to_give < cap ? io->to_give : cap;
	memset(data, 'i', *got);
	io->to_give -= *got;
	return true;
}

static struct proc_spec spec_of(const char *const *argv, struct io *io)
{
	return (struct proc_spec){ .argv = argv, .envp = env, .on_stdout = keep, .ctx = io };
}

static void gives_output_and_environment(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec =
		spec_of(SH("echo $GREETING; pwd; read x || echo no input; ls /proc/self/fd | wc -l"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;
	int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

	spec.cwd = "/";
	assert_true(proc_run(&spec, &result, &err));
	close(leaked);
	assert_string_equal(buf_text(&io.out), "hello\n/\nno input\n4\n"); /* 0, 1, 2 and the folder itself */
	assert_int_equal(result.exit_status, 0);
	buf_clear(&io.out);
}

static void tells_exit_status_and_last_words(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec = spec_of(SH("echo out; echo 'why not' >&2; exit 3"), &io);
	struct proc_result result;
	struct err err = ERR_INIT, killed = ERR_INIT;

	assert_false(proc_run(&spec, &result, &err));
	assert_int_equal(err.code, ERR_PROC);
	assert_int_equal(result.exit_status, 3);
	assert_string_equal(err.msg, "/bin/sh: exit status 3: why not");
	assert_string_equal(result.stderr_tail, "why not\n");
	assert_string_equal(buf_text(&io.out), "out\n");

	spec.argv = SH("kill -9 $$");
	assert_false(proc_run(&spec, &result, &killed));
	assert_int_equal(result.signal, SIGKILL);
	assert_false(result.timed_out);
	assert_int_equal(killed.code, ERR_PROC);
	buf_clear(&io.out);
}

static void tells_missing_program(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX), .to_give = 5 };
	static const char *const argv[] = { "/nonexistent/program", NULL };
	struct proc_spec spec = spec_of(argv, &io);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_stdin = give;
	assert_false(proc_run(&spec, &result, &err));
	assert_int_equal(err.code, ERR_PROC);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_int_equal(result.exit_status, -1);
	assert_non_null(strstr(err.msg, "/nonexistent/program"));
}

static void keeps_the_end_of_long_errors(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec =
		spec_of(SH("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done >&2; exit 1"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;

	assert_false(proc_run(&spec, &result, &err));
	assert_int_equal(strlen(result.stderr_tail), PROC_STDERR_MAX - 1);
	assert_non_null(strstr(err.msg, "line 2999"));
}

/* Everything is larger than the pipes' buffers, in three directions at once. */
static void streams_in_all_directions(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX), .to_give = 5000000 };
	struct proc_spec spec =
		spec_of(SH("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; cat"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;

	spec.on_stdin = give;
	assert_true(proc_run(&spec, &result, &err));
	assert_int_equal(io.out.len, 6000000);
	assert_int_equal(io.out.data[5999999], 'i');
	buf_clear(&io.out);
}

static void judges_early_close_by_exit_status(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX), .to_give = 5000000 };
	struct proc_spec spec = spec_of(SH("head -c 10 >/dev/null; exec 0<&-; sleep 0.2; exit 0"), &io);
	struct proc_result result;
	struct err err = ERR_INIT, failed = ERR_INIT;

	spec.on_stdin = give;
	assert_true(proc_run(&spec, &result, &err));
	assert_true(io.to_give > 0);

	spec.argv = SH("exec 0<&-; sleep 0.2; exit 4");
	assert_false(proc_run(&spec, &result, &failed));
	assert_int_equal(failed.code, ERR_PROC);
	assert_int_equal(result.exit_status, 4);
}

/* The child ignores SIGTERM, and so does its own child: only the group's end ends both. */
static void ends_the_whole_group(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec = spec_of(
		SH("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;
	int64_t start = clock_ms();

	spec.deadline_ms = 500;
	spec.grace_ms = 200;
	assert_false(proc_run(&spec, &result, &err));
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(result.timed_out);
	assert_int_equal(result.signal, SIGKILL);
	assert_true(clock_ms() - start < 5000);

	/* The grandchild is init's now, or a zombie of a container without one: not running in any case. */
	pid_t grandchild = (pid_t)strtol(buf_text(&io.out), NULL, 10);
	assert_true(grandchild > 0);
	char path[64], comm[256] = "";
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)grandchild);
	usleep(100000);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		assert_true(read(fd, comm, sizeof(comm) - 1) > 0);
		close(fd);
		assert_non_null(strstr(comm, ") Z "));
	}
	buf_clear(&io.out);
}

static void does_not_wait_for_a_daemon(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec = spec_of(SH("sleep 30 & echo done"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;
	int64_t start = clock_ms();

	assert_true(proc_run(&spec, &result, &err));
	assert_string_equal(buf_text(&io.out), "done\n");
	assert_true(clock_ms() - start < 10000);
	buf_clear(&io.out);
}

static void stops_when_a_callback_fails(void **state)
{
	(void)state;
	struct io out = { .out = BUF_INIT(BUF_TEXT_MAX), .fail_out = true };
	struct io in = { .out = BUF_INIT(BUF_TEXT_MAX), .fail_in = true };
	struct proc_spec spec = spec_of((const char *const[]){ "/usr/bin/yes", NULL }, &out);
	struct proc_result result;
	struct err err = ERR_INIT, source = ERR_INIT;

	assert_false(proc_run(&spec, &result, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.msg, "no room"));
	assert_int_equal(result.signal, SIGTERM);
	buf_clear(&out.out);

	spec = spec_of(SH("cat; sleep 30"), &in);
	spec.on_stdin = give;
	assert_false(proc_run(&spec, &result, &source));
	assert_int_equal(source.code, ERR_CORRUPT);
}

static void obeys_cancel(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec = spec_of(SH("trap 'echo bye >&2; exit 9' TERM; sleep 30 & wait"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		usleep(300000);
		kill(parent, SIGINT);
		_exit(0);
	}
	assert_false(proc_run(&spec, &result, &err));
	waitpid(child, NULL, 0);
	cancel_hold();
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(result.exit_status, 9);
	assert_string_equal(result.stderr_tail, "bye\n");
	assert_false(result.timed_out);
}

/* Whoever runs it is killed, and cannot end it: the kernel does, and the minder what it has started. */
static void ends_with_its_parent(bool group)
{
	static const char *const argv[] = { "/bin/sh", "-c", "sleep 4321 >/dev/null 2>&1 & echo $! $$; wait",
		                            NULL };
	int out[2], status;
	char line[64] = "", *end;

	assert_int_equal(pipe(out), 0);
	pid_t runner = fork();
	if (runner == 0) {
		struct proc_spec spec = { .argv = argv, .envp = env, .mind_group = group };
		struct proc_result result;
		struct err err = ERR_INIT;
		dup2(out[1], STDERR_FILENO); /* where the standard output of a child without on_stdout goes */
		_exit(proc_run(&spec, &result, &err));
	}
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	pid_t grandchild = (pid_t)strtol(line, &end, 10), child = (pid_t)strtol(end, NULL, 10);
	usleep(200000); /* until the minder minds */
	kill(runner, SIGKILL);
	assert_int_equal(waitpid(runner, &status, 0), runner);
	int64_t until = clock_ms() + 10000;
	while ((kill(child, 0) == 0 || (group && kill(grandchild, 0) == 0)) && clock_ms() < until)
		usleep(10000);
	assert_int_not_equal(kill(child, 0), 0);
	if (group)
		assert_int_not_equal(kill(grandchild, 0), 0);
	else
		kill(grandchild, SIGKILL);
	close(out[0]);
	close(out[1]);
}

static void a_child_ends_with_its_parent(void **state)
{
	(void)state;
	ends_with_its_parent(false);
}

static void a_group_ends_with_its_parent(void **state)
{
	(void)state;
	ends_with_its_parent(true);
}

static void resets_signals(void **state)
{
	(void)state;
	struct io io = { .out = BUF_INIT(BUF_TEXT_MAX) };
	struct proc_spec spec = spec_of(SH("kill -PIPE $$; echo survived"), &io);
	struct proc_result result;
	struct err err = ERR_INIT;

	assert_false(proc_run(&spec, &result, &err)); /* ignored by us, not by the child */
	assert_int_equal(result.signal, SIGPIPE);
	assert_int_equal(io.out.len, 0);
}

static void finds_programs(void **state)
{
	(void)state;
	cleanup_free char *sh = proc_which("sh"), *none = proc_which("no-such-program-here"),
			  *dir = proc_which("/bin");
	cleanup_free char *whole = proc_which("/bin/sh"), *empty = proc_which("");

	assert_non_null(sh);
	assert_int_equal(access(sh, X_OK), 0);
	assert_null(none);
	assert_null(dir);
	assert_string_equal(whole, "/bin/sh");
	assert_null(empty);
}

static void splits_commands(void **state)
{
	(void)state;
	cleanup_strv struct strv argv = STRV_INIT, none = STRV_INIT;
	struct err err = ERR_INIT;

	assert_true(proc_split(" ./a  'b c'\t\"d 'e'\" f\\ g '' h\\'", &argv, &err));
	assert_int_equal(argv.n, 6);
	assert_string_equal(argv.v[0], "./a");
	assert_string_equal(argv.v[1], "b c");
	assert_string_equal(argv.v[2], "d 'e'");
	assert_string_equal(argv.v[3], "f g");
	assert_string_equal(argv.v[4], "");
	assert_string_equal(argv.v[5], "h'");
	assert_false(proc_split("sh 'open", &none, &err));
	assert_int_equal(err.code, ERR_USAGE);
	err = (struct err)ERR_INIT;
	strv_clear(&none);
	assert_false(proc_split(" ", &none, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

static void finds_the_program_of_a_command(void **state)
{
	(void)state;
	cleanup_strv struct strv argv = STRV_INIT, none = STRV_INIT;
	struct err err = ERR_INIT;

	assert_true(proc_split("sh -c true", &argv, &err));
	assert_int_equal(argv.n, 3);
	assert_int_equal(argv.v[0][0], '/');
	assert_false(proc_split("no-such-program-here", &none, &err));
	assert_non_null(strstr(err.msg, "no-such-program-here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_output_and_environment),
		cmocka_unit_test(tells_exit_status_and_last_words),
		cmocka_unit_test(tells_missing_program),
		cmocka_unit_test(keeps_the_end_of_long_errors),
		cmocka_unit_test(streams_in_all_directions),
		cmocka_unit_test(judges_early_close_by_exit_status),
		cmocka_unit_test(ends_the_whole_group),
		cmocka_unit_test(does_not_wait_for_a_daemon),
		cmocka_unit_test(stops_when_a_callback_fails),
		cmocka_unit_test(obeys_cancel),
		cmocka_unit_test(a_child_ends_with_its_parent),
		cmocka_unit_test(a_group_ends_with_its_parent),
		cmocka_unit_test(resets_signals),
		cmocka_unit_test(finds_programs),
		cmocka_unit_test(splits_commands),
		cmocka_unit_test(finds_the_program_of_a_command),
	};

	cancel_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
