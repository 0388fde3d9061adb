/*
 * `recover`: finishes or takes back a run that did not end, by its journal and what the server says is true.
 *
 * It may itself be ended anywhere: it changes things only by the same rungs as a run, each of which looks first.
 */
#include "runner/guard/guard.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/restore_run.h"
#include "runner/guard/run.h"
#include "runner/progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GONE_WITHIN_MS = 10000, LOOK_EVERY_MS = 50 };

/* ------------------------------------------------------------------ which run, and what it was */

static bool open_all(struct run *run, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	return run_connect(run, err) && run_open_stores(run, err) && run_find_tools(run, err) &&
	       ledger_open(run->db, &names, &run->ledger, err) && run_lock(run, err) && before_read(run, err);
}

/* Another tool's project has no revisions of ours. */
static bool open_revisions(struct run *run, struct err *err)
{
	return run->request->verb == GUARD_COMMAND ||
	       (graph_load(run->config->migrations, &run->graph, err) &&
	        ledger_complete_graph(run->ledger, run->db, run->graph, err));
}

/* The journal of another machine is not here: then its mirror tells, without the facts that only the file holds. */
static bool read_lines(struct run *run, const char *id, json_t **lines, struct err *err)
{
	cleanup_strv struct strv here = STRV_INIT;
	cleanup_free char *text = NULL;

	if (!journal_runs(run->config->state_dir, &here, err))
		return false;
	if (strv_has(&here, id))
		return journal_read(run->config->state_dir, id, lines, err) &&
		       journal_reopen(run->config->state_dir, id, &run->journal, err);
	return db_value(run->db, "SELECT journal::text FROM ripcord.run WHERE run = $1::uuid", DB_ARGS(id),
	                &text, err) &&
	       json_parse(text, strlen(text), "ripcord.run", lines, err) &&
	       journal_create(run->config->state_dir, id, &run->journal, err);
}

static void heads_of(const json_t *begin, const char *key, struct strv *out)
{
	const json_t *head;
	size_t i;

	json_array_foreach(json_object_get(begin, key), i, head) strv_add(out, json_string_value(head));
}

/* Sessions of a client that died go on on the server until they notice. */
static bool end_backends(struct run *run, struct err *err)
{
	cleanup_free char *pattern = mem_fmt("ripcord/%s/%%", uuid_short(run->id));
	int64_t deadline = clock_ms() + GONE_WITHIN_MS, left;

	do {
		if (!db_int(run->admin,
		            "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM "
		            "pg_catalog.pg_stat_activity"
		            " WHERE application_name LIKE $1",
		            DB_ARGS(pattern), &left, err))
			return false;
		if (left == 0)
			return true;
		clock_sleep_ms(LOOK_EVERY_MS);
	} while (clock_ms() < deadline);
	return err_set(err, ERR_DB, "%" PRId64 " sessions of run %s would not end", left, run->id);
}

/* What was there before, from the journal, else from the backup. */
static bool load_before(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line = journal_find(lines, "before", "done");
	const char *backup = json_string_value(json_object_get(line, "backup"));

	before_clear(&run->before);
	if (backup && (!run_find_backup(run, backup, err) || !before_from_backup(run, err)))
		return false;
	if (backup)
		run->report->backup_id = mem_strdup(backup);
	run->before.oid = json_integer_value(json_object_get(line, "oid"));
	if (!json_object_get(line, "counters")) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the journal's file, which has the counters, is not here");
		return true;
	}
	schema_free(run->before.schema);
	schema_free(run->before.roles);
	run->before.schema = run->before.roles = NULL;
	free(run->before.system_identifier);
	return before_from_json(line, &run->before, err);
}

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

/* Our own share up to the last unit that ended; one that was begun and did not end has taken its share with it. */
static bool load_own(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line;
	size_t i;
	bool open = false, statements = false;
	const json_t *last = NULL, *last_done = NULL;

	json_array_foreach((json_t *)lines, i, line)
	{
		const char *step = text_of(line, "step"), *event = text_of(line, "event");
		bool unit = strcmp(step, "upgrade") == 0 ||
		            (strcmp(step, "downgrade") == 0 && json_object_get(line, "revisions"));
		statements = !unit && (statements || strcmp(step, "statement") == 0);
		if (!unit && strcmp(step, "change") != 0)
			continue;
		if (unit)
			open = strcmp(event, "begin") == 0;
		if (json_object_get(line, "own"))
			last = json_object_get(line, "own");
		if (json_object_get(line, "own") && strcmp(event, "done") == 0)
			last_done = last;
	}
	/* Those statements were committed one by one: there is nothing that PostgreSQL took back. */
	run->left_partial = open && statements;
	if (open) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the run was ended inside a transaction, which nobody can ask any more");
	}
	return (!last || own_share_from_json(last, &run->own, err)) &&
	       (!last_done || own_share_from_json(last_done, &run->committed, err));
}

static void load_fence_and_candidate(struct run *run, const json_t *lines)
{
	const json_t *fence = journal_find(lines, "fence", "begin"),
		     *candidate = journal_find(lines, "candidate", "done");

	if (fence)
		run->fence = (struct fence){ .oid = json_integer_value(json_object_get(fence, "oid")),
			                     .before = json_integer_value(json_object_get(fence, "before")),
			                     .ours = json_integer_value(json_object_get(fence, "ours")) };
	if (candidate) {
		run->candidate = mem_strdup(text_of(candidate, "database"));
		run->candidate_oid = json_integer_value(json_object_get(candidate, "oid"));
	}
}

/* ------------------------------------------------------------------ what is true now */

static bool is_at(const struct ledger *l, const struct strv *heads)
{
	const struct strv *now = ledger_heads(l);

	for (size_t i = 0; i < now->n; i++)
		if (!strv_has(heads, now->v[i]))
			return false;
	return now->n == heads->n;
}

static bool was_swapped(struct run *run, bool *swapped, struct err *err)
{
	int64_t live;

	*swapped = false;
	if (run->candidate_oid == 0)
		return true;
	if (!database_oid(run->admin, run->database, &live, err))
		return false;
	*swapped = live == run->candidate_oid;
	return true;
}

/* Steps of the plan from the old heads to the new ones that the ledger says are committed. */
static bool count_done(struct run *run, struct err *err)
{
	bool down = run->request->verb == GUARD_DOWNGRADE;
	const struct strv *to = &run->report->to;
	const char *target = to->n == 1 ? to->v[0] : down ? "base" : "heads";
	cleanup_strv struct strv applied = STRV_INIT;

	if (run->request->verb == GUARD_COMMAND)
		return true;

	if (!plan_make(run->graph, &run->report->from, target, down ? DIRECTION_DOWN : DIRECTION_UP,
	               &run->plan, err))
		return false;
	graph_applied(run->graph, ledger_heads(run->ledger), &applied);
	while (run->done < run->plan->n &&
	       strv_has(&applied, run->plan->steps[run->done].revision->id) != down)
		run->done++;
	return true;
}

/* ------------------------------------------------------------------ ways */

static void drop_leftover(struct run *run, const char *kind)
{
	cleanup_free char *name = database_derived_name(run->database, kind, run->id);
	struct err ignored = ERR_INIT;
	int64_t oid = 0;

	if (database_oid(run->admin, name, &oid, &ignored) && oid != 0 &&
	    !database_drop(run->admin, name, &ignored))
		log_warn("database \"%s\" is left over: %s", name, ignored.msg);
}

/* What was being restored when the run was ended is not whole, and its name is needed again. */
static void drop_leftovers(struct run *run)
{
	drop_leftover(run, "scratch");
	if (!run->candidate)
		drop_leftover(run, "candidate");
}

/* What the run was for, as far as it came. */
static enum outcome outcome_kept(const struct run *run)
{
	if (is_at(run->ledger, &run->report->from) && run->request->verb != GUARD_COMMAND)
		return OUTCOME_UNCHANGED;
	return run->request->verb == GUARD_DOWNGRADE ? OUTCOME_DOWNGRADED : OUTCOME_UPGRADED;
}

static void keep(struct run *run, enum outcome outcome)
{
	struct err err = ERR_INIT;

	run->report->outcome = outcome;
	strv_clear(&run->report->to);
	strv_add_all(&run->report->to, ledger_heads(run->ledger));
	if (!fence_open(&run->fence, run->admin, &err))
		run_stuck(run, err.msg);
}

/* Ended between the swap and its line in the journal. */
static void keep_swapped(struct run *run)
{
	struct err err = ERR_INIT;

	run->report->quarantine = database_derived_name(run->database, "quarantine", run->id);
	run->report->outcome = OUTCOME_RESTORED;
	if (!fence_open(&run->fence, run->admin, &err) || !run_prove_swapped(run, &err))
		run_stuck(run, err.msg);
}

static void recover_auto(struct run *run, bool changed)
{
	struct err why = ERR_INIT;
	const struct strv *to = &run->report->to, *from = &run->report->from;

	if (!changed) {
		keep(run, OUTCOME_UNCHANGED);
		return;
	}
	if (run->request->verb != GUARD_COMMAND && is_at(run->ledger, to) && !is_at(run->ledger, from)) {
		if (run_hooks(run, HOOK_AFTER_UPGRADE, NULL, &why)) {
			keep(run, outcome_kept(run));
			return;
		}
		run->report->failure = why;
	} else
		err_set(&why, ERR_DB, "the run was ended before it was done");
	if (!count_done(run, &why)) {
		run_stuck(run, why.msg);
		return;
	}
	run_rungs(run, &why, RUNG_ROLLBACK, RUNG_RESTORE);
}

static void go(struct run *run, enum recover_way way, bool changed)
{
	struct err none = ERR_INIT, why = ERR_INIT;

	switch (way) {
	case RECOVER_AUTO: recover_auto(run, changed); return;
	case RECOVER_FORWARD: keep(run, outcome_kept(run)); return;
	case RECOVER_DOWN:
		if (!count_done(run, &why))
			run_stuck(run, why.msg);
		else
			run_rungs(run, &none, RUNG_ROLLBACK, RUNG_DOWNGRADE);
		return;
	case RECOVER_SWAP: run_rungs(run, &none, RUNG_RESTORE, RUNG_RESTORE); return;
	}
}

static void finish(struct run *run)
{
	struct err err = ERR_INIT;
	const char *outcome = outcome_name(run->report->outcome);

	if (!journal_write(run->journal, "run", "end",
	                   json_pack("{s:s, s:o, s:b}", "outcome", outcome, "report",
	                             run_report_json(run->report), "recovered", 1),
	                   &err))
		log_warn("%s", err.msg);
	err = (struct err)ERR_INIT;
	if (run->db && !db_is_lost(run->db) && run->started && !mirror_end(run, run->db, outcome, &err))
		log_warn("%s", err.msg);
}

static void read_verb(const json_t *begin, struct guard_request *request)
{
	const char *verb = text_of(begin, "verb");

	request->verb = strcmp(verb, "downgrade") == 0 ? GUARD_DOWNGRADE
	                : strcmp(verb, "guard") == 0   ? GUARD_COMMAND
	                                               : GUARD_UPGRADE;
}

/* The run's row of ripcord.run gets this process's token: a downgrade asks for it, and whoever held it may not go on. */
static bool take_over(struct run *run, struct err *err)
{
	bool swapped;

	if (!was_swapped(run, &swapped, err))
		return false;
	run->started = !swapped;
	return swapped || mirror_begin(run, err);
}

static bool recover(struct run *run, const char *wanted, enum recover_way way, struct guard_request *request,
                    struct err *err)
{
	cleanup_free char *id = NULL;
	cleanup_json json_t *lines = NULL;

	if (!open_all(run, err) ||
	    !(wanted ? runs_find(run->config->state_dir, wanted, &id, err) : run_unfinished(run, &id, err)))
		return false;
	if (!id) {
		run->report->outcome = OUTCOME_UNCHANGED;
		return true;
	}
	snprintf(run->id, sizeof(run->id), "%s", id);
	snprintf(run->report->run, sizeof(run->report->run), "%s", id);
	if (!read_lines(run, id, &lines, err))
		return false;
	/* Lines without a beginning would read as a run that changed nothing. */
	if (!journal_find(lines, "run", "begin"))
		return err_set(err, ERR_REFUSED,
		               "the journal of run %s is not whole here: recover where it ran", id);
	if (journal_is_finished(lines)) {
		run->report->outcome = OUTCOME_UNCHANGED;
		return true;
	}
	read_verb(journal_find(lines, "run", "begin"), request);
	heads_of(journal_find(lines, "run", "begin"), "from", &run->report->from);
	heads_of(journal_find(lines, "run", "begin"), "to", &run->report->to);
	bool changed = journal_find(lines, "before", "done") != NULL;
	if (!open_revisions(run, err) || !end_backends(run, err) ||
	    (changed && !load_before(run, lines, err)) || !load_own(run, lines, err))
		return false;
	load_fence_and_candidate(run, lines);
	cancel_hold();
	drop_leftovers(run);
	if (changed && !take_over(run, err))
		return false;
	if (changed && !run->started)
		keep_swapped(run);
	else
		go(run, way, changed);
	finish(run);
	return true;
}

void guard_recover(const struct config *config, const char *wanted, enum recover_way way, bool accept_loss,
                   struct run_report *report)
{
	struct guard_request request = { .verb = GUARD_UPGRADE };
	struct err err = ERR_INIT;
	struct run run;

	run_init(&run, config, &request, report);
	run.accept_loss = accept_loss || config->writes == WRITES_ACCEPT_LOSS;
	if (!recover(&run, wanted, way, &request, &err)) {
		report->failure = err;
		report->failure_phase = "recover";
		report->outcome = err.code == ERR_LOCKED ? OUTCOME_LOCKED : OUTCOME_STUCK;
	}
	progress_finish();
	run_clear(&run);
}
