/*
 * `guard -- COMMAND`: another tool's upgrade under the same guard.
 *
 * What the command writes comes from sessions that are not ours, so its share can only be known as all that
 * was counted while it ran, and only if nobody else was there.  That is watched in two ways: every session
 * seen must call itself by the name given in PGAPPNAME, and the server must have counted no more sessions than were
 * seen.  Any other is a doubt, and then no automatic way back would be sure to lose nothing.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES_FOR_COMMAND = 8, GONE_WITHIN_MS = 5000, LOOK_EVERY_MS = 20 };

struct watch {
	struct run *run;
	char *application;   /* PGAPPNAME of the command */
	struct strv command; /* "pid since" of its sessions */
	struct strv others;  /* "pid since: application" of all others */
};

static void watch_clear(struct watch *w)
{
	free(w->application);
	strv_clear(&w->command);
	strv_clear(&w->others);
}
#define cleanup_watch __attribute__((cleanup(watch_clear)))

static bool look(struct watch *w, size_t *alive, struct err *err)
{
	struct session *sessions;
	struct pids pids = run_pids(w->run);
	size_t n;

	if (!sessions_list(w->run->admin, w->run->before.oid, &pids, &sessions, &n, err))
		return false;
	*alive = 0;
	for (size_t i = 0; i < n; i++) {
		bool ours = strcmp(sessions[i].application, w->application) == 0;
		cleanup_free char *name = mem_fmt("%" PRId64 " since %s", sessions[i].pid, sessions[i].since);

		*alive += ours;
		/* A session that has just logged in has no name yet. */
		if (ours && strv_remove(&w->others, name))
			strv_add(&w->command, name);
		else if (!strv_has(ours ? &w->command : &w->others, name) && !strv_has(&w->command, name))
			strv_add(ours ? &w->command : &w->others, name);
	}
	sessions_free(sessions, n);
	return true;
}

static bool tick(void *ctx, struct err *err)
{
	size_t alive;

	return look(ctx, &alive, err);
}

/* Backends live a moment longer than their clients, and count what they wrote only at their end. */
static bool wait_gone(struct watch *w, struct err *err)
{
	int64_t deadline = clock_ms() + GONE_WITHIN_MS;
	size_t alive;

	do {
		if (!look(w, &alive, err))
			return false;
		if (alive == 0)
			return true;
		clock_sleep_ms(LOOK_EVERY_MS);
	} while (clock_ms() < deadline);
	return err_set(err, ERR_PROC, "%zu sessions of the command are still there after it ended", alive);
}

static void judge(struct watch *w, const struct counters *start, const struct counters *end)
{
	struct own_share *own = &w->run->own;
	int64_t counted = end->sessions - start->sessions;

	if (w->others.n > 0)
		snprintf(own->why, sizeof(own->why),
		         "%zu sessions that are not the command's were connected while it ran", w->others.n);
	else if (counted > (int64_t)w->command.n)
		snprintf(own->why, sizeof(own->why),
		         "the server counted %" PRId64 " new sessions while the command ran, of which %zu"
		         " are known to be its own",
		         counted, w->command.n);
	else {
		own_share_add_window(own, start, end);
		own_share_add_window(&w->run->committed, start, end);
		return;
	}
	own->unknown = true;
	log_warn("%s; a failure after this cannot be taken back without asking", own->why);
}

static bool run_program(struct watch *w, const char *const *argv, struct err *err)
{
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_free char *passfile = NULL, *program = NULL;
	struct run *run = w->run;
	struct proc_result result;

	if (!conninfo_passfile(run->live, run->private_dir, &passfile, err))
		return false;
	run_child_env(run, "command", passfile, &env);
	strv_setenv(&env, "PGAPPNAME", w->application);
	program = strchr(argv[0], '/') ? mem_strdup(argv[0]) : proc_which(argv[0]);
	if (!program)
		return err_set(err, ERR_USAGE, "there is no program \"%s\" on PATH", argv[0]);

	cleanup_strv struct strv whole = STRV_INIT;
	strv_add(&whole, program);
	for (size_t i = 1; argv[i]; i++)
		strv_add(&whole, argv[i]);
	struct proc_spec spec = { .argv = strv_argv(&whole),
		                  .envp = strv_argv(&env),
		                  .show_stderr = true,
		                  .inherit_stdin = true,
		                  .mind_group = true,
		                  .on_tick = tick,
		                  .ctx = w };
	bool ok = proc_run(&spec, &result, err);
	if (passfile)
		(void)unlink(passfile);
	return ok;
}

/* With writes = fence: everybody out, and places for the command's own sessions. */
static bool make_place(struct run *run, struct err *err)
{
	return !run->fences || run_fence(run, NULL, PLACES_FOR_COMMAND, err);
}

static bool watch_program(struct run *run, const char *const *argv, struct err *err)
{
	cleanup_watch struct watch w = { .run = run, .application = run_application(run, "command") };
	cleanup_counters struct counters start = { .n_relations = 0 }, end = { .n_relations = 0 };
	struct err after = ERR_INIT;
	size_t alive;

	if (!make_place(run, err) || !counters_read(run->db, &start, err) || !look(&w, &alive, err))
		return false;
	int64_t began = clock_ms();
	bool ok = run_program(&w, argv, err);
	run_report_step(run->report, argv[0], DIRECTION_UP, ok ? "done" : "failed",
	                (double)(clock_ms() - began) / 1000);
	if (wait_gone(&w, &after) && counters_read(run->db, &end, &after)) {
		judge(&w, &start, &end);
		return ok;
	}
	run->own.unknown = true;
	if (ok)
		*err = after;
	return false;
}

bool run_command(struct run *run, struct err *err)
{
	run->report->failure_phase = "command";
	if (!watch_program(run, run->request->command, err))
		return false;
	run->report->failure_phase = NULL;
	return true;
}

bool run_down_command(struct run *run, struct err *err)
{
	const char *const argv[] = { "/bin/sh", "-c", run->request->down_command, NULL };

	/* Others were fenced off for the count; the command that takes back needs a place. */
	return run_fence(run, NULL, PLACES_FOR_COMMAND, err) && watch_program(run, argv, err);
}
