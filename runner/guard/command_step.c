/*
 * `guard -- COMMAND`: another tool's upgrade under the same guard.
 *
 * What the command writes comes from sessions that are not ours, so its share can only be known as all that
 * was counted while it ran, and only if nobody else was there.  That is watched in two ways: every session
 * seen must call itself by the name given in PGAPPNAME, and the server must have counted no more sessions than were
 * seen.  Any other is a doubt, and then no automatic way back would be sure to lose nothing.
 *
 * The journal has the counters from before the command and each session that was seen, so that who recovers can end
 * the watch of a runner that was killed: the server has counted also those that nobody saw.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "runner/proof/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES_FOR_COMMAND = 8, GONE_WITHIN_MS = 5000, LOOK_EVERY_MS = 20 };

struct watch {
	struct run *run;
	char *application;   /* PGAPPNAME of the command */
	struct strv command; /* "pid since" of its sessions */
	struct strv others;  /* the same of all others */
	bool noted;          /* the journal knows of the watch */
};

static void watch_clear(struct watch *w)
{
	free(w->application);
	strv_clear(&w->command);
	strv_clear(&w->others);
}
#define cleanup_watch __attribute__((cleanup(watch_clear)))

/* True when it is new, or known to be the command's only now: a session that has just logged in has no name yet. */
static bool add_session(struct watch *w, const char *name, bool ours)
{
	bool was_other = ours && strv_remove(&w->others, name);

	if (!was_other && (strv_has(&w->command, name) || strv_has(&w->others, name)))
		return false;
	strv_add(ours ? &w->command : &w->others, name);
	return true;
}

/* A line that cannot be written is a session too many for who recovers: a doubt. */
static void note_session(const struct watch *w, const char *name, bool ours)
{
	struct err unwritten = ERR_INIT;

	if (!journal_note(w->run->journal, "command", "session",
	                  json_pack("{s:s, s:b}", "session", name, "ours", (int)ours), &unwritten))
		log_debug("%s", unwritten.msg);
}

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
		if (add_session(w, name, ours) && w->noted)
			note_session(w, name, ours);
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

/* `mine`: sessions of our own since the start, in a recovery; there a session that was seen and not counted is a doubt as
 * well, since it makes room for one that was not seen. */
static void judge(struct watch *w, const struct counters *start, const struct counters *end, int64_t mine)
{
	struct own_share *own = &w->run->own;
	const int64_t counted = end->sessions - start->sessions - mine, known = (int64_t)w->command.n;

	if (w->others.n > 0)
		snprintf(own->why, sizeof(own->why),
		         "%zu sessions that are not the command's were connected while it ran", w->others.n);
	else if (counted > known || (mine > 0 && counted < known))
		snprintf(own->why, sizeof(own->why),
		         "the server counted %" PRId64 " new sessions while the command ran, and %" PRId64
		         " are known to be its own",
		         counted, known);
	else {
		own_share_add_window(own, start, end);
		own_share_add_window(&w->run->committed, start, end);
		return;
	}
	own->unknown = true;
	log_warn("%s; a failure after this cannot be taken back without asking", own->why);
}

/* ------------------------------------------------------------------ what the journal has of it */

static json_t *names_to_json(const struct strv *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_push(list, json_str(names->v[i]));
	return list;
}

/* Synced before the command is started: those that were there already are in no later count of sessions. */
static bool journal_begin(struct watch *w, const struct counters *start, struct err *err)
{
	json_t *data = json_pack("{s:o, s:o, s:o}", "counters", counters_to_json(start), "command",
	                         names_to_json(&w->command), "others", names_to_json(&w->others));

	w->noted = run_journal(w->run, "command", "begin", data, err);
	return w->noted;
}

static bool journal_end(struct run *run, bool ok, struct err *err)
{
	return run_journal(run, "command", ok ? "done" : "failed",
	                   json_pack("{s:o, s:s}", "own", own_share_to_json(&run->own), "why", run->own.why),
	                   err);
}

static bool is_line(const json_t *line, const char *step, const char *event)
{
	const char *s = json_string_value(json_object_get(line, "step")),
		   *e = json_string_value(json_object_get(line, "event"));

	return s && e && strcmp(s, step) == 0 && (!event || strcmp(e, event) == 0);
}

static void read_names(const json_t *list, struct strv *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach((json_t *)list, i, name) strv_add(out, json_string_value(name));
}

/* What was seen since `begun`; *recoveries: how often a recovery has connected since then. */
static void read_sessions(struct watch *w, const json_t *lines, const json_t *begun, int64_t *recoveries)
{
	const json_t *line;
	bool since = false;
	size_t i;

	read_names(json_object_get(begun, "command"), &w->command);
	read_names(json_object_get(begun, "others"), &w->others);
	json_array_foreach((json_t *)lines, i, line)
	{
		const char *name = json_string_value(json_object_get(line, "session"));

		since = since || line == begun;
		if (since && name && is_line(line, "command", "session"))
			(void)add_session(w, name, json_is_true(json_object_get(line, "ours")));
		*recoveries += since && is_line(line, "recover", "begin");
	}
}

/* The command was cut off with its runner, and its sessions have been ended. */
static bool end_watch(struct run *run, const json_t *lines, const json_t *begun, struct err *err)
{
	cleanup_watch struct watch w = { .run = run, .application = run_application(run, "command") };
	cleanup_counters struct counters start = { .n_relations = 0 }, end = { .n_relations = 0 };
	int64_t mine = 1; /* run->db */
	size_t alive;

	if (!json_object_get(begun, "counters")) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the counters from before the command are in the journal's file alone");
		return true;
	}
	read_sessions(&w, lines, begun, &mine);
	if (!counters_from_json(json_object_get(begun, "counters"), &start, err) || !look(&w, &alive, err) ||
	    !counters_read(run->db, &end, err))
		return false;
	judge(&w, &start, &end, mine);
	return true;
}

bool run_command_load(struct run *run, const json_t *lines, struct err *err)
{
	cleanup_units struct units units = { .n = 0 };
	const json_t *line, *begun = NULL, *ended = NULL;
	size_t i;

	json_array_foreach((json_t *)lines, i, line)
	{
		if (!is_line(line, "command", NULL) || is_line(line, "command", "session"))
			continue;
		begun = is_line(line, "command", "begin") ? line : NULL;
		ended = begun ? ended : line;
	}
	/* Before the first command this run has written nothing but its own tables. */
	if (!units_read(run->db, run->id, &units, err))
		return false;
	cleanup_json json_t *first = own_share_to_json(&units.share);
	const json_t *own = ended ? json_object_get(ended, "own") : first;
	const char *why = json_string_value(json_object_get(ended, "why"));
	snprintf(run->own.why, sizeof(run->own.why), "%s", why ? why : "");
	return own_share_from_json(own, &run->own, err) && own_share_from_json(own, &run->committed, err) &&
	       (!begun || end_watch(run, lines, begun, err));
}

/* ------------------------------------------------------------------ running it */

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

	if (!make_place(run, err) || !counters_read(run->db, &start, err) || !look(&w, &alive, err) ||
	    !journal_begin(&w, &start, err))
		return false;
	int64_t began = clock_ms();
	bool ok = run_program(&w, argv, err);
	run_report_step(run->report, argv[0], DIRECTION_UP, ok ? "done" : "failed",
	                (double)(clock_ms() - began) / 1000);
	if (wait_gone(&w, &after) && counters_read(run->db, &end, &after)) {
		judge(&w, &start, &end, 0);
		return journal_end(run, ok, ok ? err : &after) && ok;
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
