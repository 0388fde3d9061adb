/*
 * The states of a run, as a table, and the driver that walks it.
 */
#include "runner/guard/guard.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/confirm.h"
#include "runner/facts.h"
#include "runner/guard/left.h"
#include "runner/guard/proofs.h"
#include "runner/guard/rehearsals.h"
#include "runner/guard/rehearse_limits.h"
#include "runner/guard/run.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ plan */

static bool is_command(const struct run *run) { return run->request->verb == GUARD_COMMAND; }

/* The error of a broken section has to come before a backup is taken, not after. */
static bool check_sections(const struct run *run, struct err *err)
{
	for (size_t i = 0; i < run->plan->n; i++)
		if (!exec_check(run->plan->steps[i].revision, err))
			return false;
	return true;
}

/* What was applied must still be what the files say; the difference is shown, for the error names only the revision. */
static bool check_files(const struct run *run, struct err *err)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	if (ledger_check_files(run->ledger, run->db, run->graph, &diff, err))
		return true;
	fputs(buf_text(&diff), stderr);
	return false;
}

static bool read_plan(struct run *run, struct err *err)
{
	enum direction direction = run->request->verb == GUARD_DOWNGRADE ? DIRECTION_DOWN : DIRECTION_UP;
	const struct strv *heads = ledger_heads(run->ledger);

	strv_clear(&run->report->from);
	strv_clear(&run->report->to);
	strv_add_all(&run->report->from, heads);
	if (is_command(run))
		return true;
	plan_free(run->plan);
	run->plan = NULL;
	if (!ledger_complete_graph(run->ledger, run->db, run->graph, err) || !check_files(run, err) ||
	    !plan_make(run->graph, heads, run->request->target, direction, &run->plan, err))
		return false;
	strv_add_all(&run->report->to, &run->plan->to);
	return check_sections(run, err);
}

/* An application that migrates by itself at its start must not roll a restored database forward again unseen. */
static bool refuse_pinned(const struct run *run, struct err *err)
{
	const struct history_row *pin = ledger_pin(run->ledger);

	if (!pin || run->request->unpin || run->request->verb == GUARD_DOWNGRADE)
		return true;
	err_set(err, ERR_REFUSED, "database \"%s\" is pinned to revision %s: %s at %s", run->database,
	        *pin->revision ? pin->revision : "base", pin->reason, pin->finished_at);
	return err_hint(err, "say --unpin when it shall be moved on");
}

/* After all went well: a run that was taken back leaves the pin where it was. */
static bool lift_pin(struct run *run, struct err *err)
{
	const struct actor actor = run_actor(run);
	const struct strv *heads = ledger_heads(run->ledger);

	if (!run->request->unpin || !ledger_pin(run->ledger))
		return true;
	cleanup_free char *head =
		mem_strdup(heads->n ? heads->v[0] : ""); /* the ledger is read anew meanwhile */
	return ledger_note(run->ledger, run->db, &actor, head, LEDGER_UNPINNED, "--unpin", err);
}

static bool nothing_to_do(const struct run *run) { return run->plan && run->plan->n == 0; }

static bool step_plan(struct run *run, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	if (!is_command(run) && !graph_load(run->config->migrations, &run->graph, err))
		return false;
	return run_connect(run, err) && ledger_open(run->db, &names, &run->ledger, err) &&
	       read_plan(run, err);
}

/* ------------------------------------------------------------------ gates */

static bool needs_backup(const struct run *run) { return !run->request->no_backup_reason; }

static bool find_unmodelled(struct run *run, struct err *err)
{
	struct schema_options options = { .version_table = ledger_table(run->ledger) };
	cleanup_schema struct schema *schema = NULL;

	if (!schema_read_unmodelled(run->db, &options, &schema, err))
		return false;
	for (size_t i = 0; i < schema_count(schema); i++)
		strv_add(&run->facts.unmodelled, schema_fact(schema, i)->name);
	return true;
}

static bool read_totals(struct run *run, int64_t *rows, struct err *err)
{
	return db_int(run->db,
	              "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_catalog.pg_stat_database"
	              " WHERE datname = pg_catalog.current_database()",
	              DB_NO_ARGS, rows, err);
}

/*
 * Gathers the facts, and how likely an automatic restore is: rows that others write in a second, seen while all
 * else is looked at.  A plan that is only looked at takes a second to see; a run does not wait for what can only
 * make it more careful, and counts for itself later.
 */
static bool gather(struct run *run, struct err *err)
{
	enum { LOOK_MS = 1000 };
	const int64_t wait = run->request->plan_only ? LOOK_MS : 1, began = clock_ms();
	int64_t first, second, took;

	if (!read_totals(run, &first, err) ||
	    !facts_gather(run->config, run->db, &run->stores, &run->facts, err) || !find_unmodelled(run, err))
		return false;
	took = clock_ms() - began;
	if (took < wait)
		clock_sleep_ms(wait - took);
	if (!read_totals(run, &second, err))
		return false;
	took = took < wait ? wait : took;
	run->facts.foreign_writes_per_s = (struct fact_int){ FACT_KNOWN, (second - first) * 1000 / took };
	return true;
}

/* What `prove` found of the files as they are now.  One that is declared irreversible is among those without a
 * downgrade already. */
static void facts_of_proof(struct run *run, const struct revision *r)
{
	struct proof proof = { .verdict = PROOF_ERROR };

	if (!proofs_find(run->config->state_dir, r, &proof))
		return;
	if (proof.verdict == PROOF_IRREVERSIBLE && r->downgrade.present && !r->downgrade.irreversible)
		strv_add(&run->facts.proven_irreversible, r->id);
	if (proof.verdict == PROOF_LOSES_DATA)
		strv_add(&run->facts.proven_losing, r->id);
	proof_clear(&proof);
}

static void limits_of_rehearsal(struct run *run, const json_t *rehearsal)
{
	cleanup_json json_t *limits = rehearse_limits(rehearsal, run->plan, run->config, run->fences);
	const json_t *limit;
	size_t i;

	json_array_foreach(limits, i, limit)
	{
		cleanup_free char *text = rehearse_limit_text(limit);
		strv_add(&run->facts.rehearsal_limits, text);
	}
}

/* What the last rehearsal found of these very steps. */
static void facts_of_rehearsal(struct run *run)
{
	cleanup_json json_t *last = rehearsals_find(run->config->state_dir, run->database);
	const char *at = json_string_value(json_object_get(last, "at"));
	struct facts *f = &run->facts;
	int64_t then;

	f->rehearsal = REHEARSAL_MISSING;
	if (last && rehearsal_fails(last, run->plan)) {
		const json_t *failure = json_object_get(last, "failure");
		const char *why = json_string_value(json_object_get(failure, "message"));
		f->rehearsal = REHEARSAL_FAILED;
		f->rehearsal_failure = facts_keep(f, why);
	} else if (last && rehearsal_has(last, run->plan)) {
		f->rehearsal = REHEARSAL_DONE;
		limits_of_rehearsal(run, last);
	}
	if (at && clock_from_iso(at, &then))
		f->rehearsal_age_ms = (struct fact_int){ FACT_KNOWN, (clock_wall_us() - then) / 1000 };
}

static void facts_of_plan(struct run *run)
{
	struct facts *f = &run->facts;
	cleanup_strv struct strv heads = STRV_INIT;

	f->backup_waived = !needs_backup(run);
	f->waiver_reason = run->request->no_backup_reason;
	f->ladder_downgrades = run->config->on_failure_downgrade;
	f->ladder_restores = run->config->on_failure_restore && needs_backup(run);
	f->heads_in_database = ledger_heads(run->ledger)->n;
	if (!run->plan)
		return;
	graph_heads(run->graph, &heads);
	f->heads_in_files = heads.n;
	f->steps = run->plan->n;
	for (size_t i = 0; i < run->plan->n; i++) {
		const struct revision *r = run->plan->steps[i].revision;
		if (!r->downgrade.present || r->downgrade.irreversible)
			strv_add(&f->no_downgrade, r->id);
		if (run->request->verb == GUARD_UPGRADE)
			facts_of_proof(run, r);
	}
	if (run->request->verb == GUARD_UPGRADE && run->plan->n > 0)
		facts_of_rehearsal(run);
}

/* Exit 8, whatever the gates would say.  A run that has not ended may be going on: then it is who holds the lock
 * that is named, or waited for. */
static bool find_unfinished(struct run *run, char **unfinished, struct err *err)
{
	if (!run_unfinished(run, unfinished, err))
		return false;
	if (!*unfinished || run->request->plan_only)
		return true;
	free(*unfinished);
	*unfinished = NULL;
	return run_lock(run, err) && run_refuse_unfinished(run, err);
}

static bool step_gates(struct run *run, struct err *err)
{
	enum verdict worst;
	cleanup_free char *unfinished = NULL;

	if (!preset_load(run->config->preset, &run->preset, err) || !run_open_stores(run, err))
		return false;
	if (!gather(run, err) || !find_unfinished(run, &unfinished, err) || !refuse_pinned(run, err))
		return false;
	facts_of_plan(run);
	run->facts.unfinished_run = unfinished;
	gates_evaluate(&run->facts, run->preset, &run->findings, &worst);
	run_show_plan(run, run->request->plan_out ? run->request->plan_out : stderr);
	run_show_findings(run, run->request->plan_out ? run->request->plan_out : stderr);
	return worst != VERDICT_REFUSE || findings_allow(&run->findings, err);
}

static bool step_confirm(struct run *run, struct err *err)
{
	cleanup_free char *question = mem_fmt("%s database \"%s\"?",
	                                      is_command(run)                       ? "run the command on"
	                                      : run->request->verb == GUARD_UPGRADE ? "upgrade"
	                                                                            : "downgrade",
	                                      run->database);

	return confirm(question, run->request->yes, err);
}

/* ------------------------------------------------------------------ lock and journal */

static bool begin_journal(struct run *run, struct err *err)
{
	static const char *const verbs[] = {
		[GUARD_UPGRADE] = "upgrade", [GUARD_DOWNGRADE] = "downgrade", [GUARD_COMMAND] = "guard"
	};
	json_t *from = json_array(), *to = json_array(), *sessions;

	if (!run_sessions_json(run, &sessions, err)) {
		json_decref(from);
		json_decref(to);
		return false;
	}
	for (size_t i = 0; i < run->report->from.n; i++)
		json_push(from, json_str(run->report->from.v[i]));
	for (size_t i = 0; i < run->report->to.n; i++)
		json_push(to, json_str(run->report->to.v[i]));
	json_t *data =
		json_pack("{s:s, s:s, s:o, s:o, s:s, s:i}", "run", run->id, "verb", verbs[run->request->verb],
	                  "from", from, "to", to, "host", run->actor_host, "pid", (int)getpid());
	json_put(data, "sessions", sessions);
	json_put(data, "database", json_str(run->database));
	json_put(data, "server", json_str(conninfo_label(run->live)));
	json_put(data, "system_identifier", json_str(run->before.system_identifier));
	json_put(data, "target", json_str(run->request->target));
	json_put(data, "reason", json_str(run->request->no_backup_reason));
	return journal_create(run->config->state_dir, run->id, &run->journal, err) &&
	       journal_write(run->journal, "run", "begin", data, err);
}

static bool same_heads(const struct strv *a, const struct strv *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strv_has(b, a->v[i]))
			return false;
	return a->n == b->n;
}

static bool step_lock(struct run *run, struct err *err)
{
	cleanup_strv struct strv shown = STRV_INIT;

	strv_add_all(&shown, &run->report->from);
	if (!run_lock(run, err) || !before_read(run, err) || !run_refuse_unfinished(run, err) ||
	    !ledger_read(run->ledger, run->db, err) || !read_plan(run, err))
		return false;
	if (nothing_to_do(run))
		return true; /* the run that was waited for has done it */
	if (!refuse_pinned(run, err))
		return false;
	/* What was shown and agreed to is not what would be done now. */
	if (!same_heads(&shown, &run->report->from))
		return err_set(err, ERR_REFUSED,
		               "the database was moved to another revision while this run waited");
	snprintf(run->report->run, sizeof(run->report->run), "%s", run->id);
	return begin_journal(run, err);
}

/* ------------------------------------------------------------------ backup */

static bool step_backup(struct run *run, struct err *err)
{
	if (!needs_backup(run)) {
		log_warn("no backup is taken: %s", run->request->no_backup_reason);
		return true;
	}
	return run_find_tools(run, err) && run_hooks(run, HOOK_BEFORE_BACKUP, NULL, err) &&
	       run_take_backup(run, err);
}

static bool step_read_back(struct run *run, struct err *err)
{
	if (needs_backup(run))
		return run_read_back(run, err) && run_hooks(run, HOOK_AFTER_BACKUP, NULL, err);
	/* Without a backup there is still a downgrade to prove. */
	struct schema_options options = { .version_table = ledger_table(run->ledger) };
	return counters_read(run->db, &run->before.counters, err) &&
	       schema_read(run->db, &options, &run->before.schema, err) &&
	       identity_read(run->db, &run->before.identity, err);
}

static json_t *backup_data(const struct run *run)
{
	json_t *data = before_to_json(&run->before);

	json_put(data, "backup", json_str(run->report->backup_id));
	return data;
}

/* From here on the run changes the database; what it was before is in the journal first. */
static bool step_prepare(struct run *run, struct err *err)
{
	if (!run_hooks(run, HOOK_BEFORE_UPGRADE, NULL, err) ||
	    !journal_write(run->journal, "before", "done", backup_data(run), err) || !mirror_begin(run, err))
		return false;
	run->started = true;
	return true;
}

/* ------------------------------------------------------------------ the change, and its check */

static bool step_change(struct run *run, struct err *err)
{
	return is_command(run) ? run_command(run, err) : run_steps(run, run->plan, &run->done, err);
}

static bool step_check(struct run *run, struct err *err)
{
	struct err ignored = ERR_INIT;

	run->report->failure_phase = "hook";
	/* The health check goes through the application, so the fence opens first (proof.md section 3). */
	if (!run->config->fence_hooks_inside && !run_fence_open(run, err))
		return false;
	if (!run_hooks(run, HOOK_AFTER_UPGRADE, NULL, err)) {
		/* The count before a way back fences again, and says so when it cannot. */
		(void)(run->fences && run->fence.oid == 0 && run_fence(run, NULL, 0, &ignored));
		return false;
	}
	run->report->failure_phase = NULL;
	return run_fence_open(run, err);
}

/* The fingerprint at the end of a run, for the next one's comparison with what was left here. */
static bool step_record(struct run *run, struct err *err)
{
	struct schema_options options = { .version_table = ledger_table(run->ledger) };
	cleanup_schema struct schema *now = NULL;
	char hex[SHA256_HEX];

	if (!schema_read(run->db, &options, &now, err) || !ledger_read(run->ledger, run->db, err))
		return false;
	schema_digest(now, SCHEMA_STRICT, hex);
	strv_clear(&run->report->to);
	strv_add_all(&run->report->to, ledger_heads(run->ledger));
	if (run->request->verb == GUARD_DOWNGRADE)
		run_compare_with_left(run, hex);
	left_keep(run, now);
	return lift_pin(run, err) &&
	       run_journal(run, "after", "done", json_pack("{s:s}", "fingerprint", hex), err);
}

/* ------------------------------------------------------------------ the table */

struct guard_step {
	const char *name, *about;
	bool (*run)(struct run *run, struct err *err);
	bool journaled; /* begin and done are written; those before the lock have no journal yet */
	bool changes;   /* a failure in it takes the ladder */
};

static const struct guard_step guard_steps[] = {
	{ "plan", "read the revisions and where the database stands", step_plan, false, false },
	{ "gates", "check what must be true before anything changes", step_gates, false, false },
	{ "confirm", "ask", step_confirm, false, false },
	{ "lock", "hold the lock and read everything again", step_lock, false, false },
	{ "backup", "take a backup", step_backup, true, false },
	{ "read-back", "read it back and restore what verify says", step_read_back, true, false },
	{ "prepare", "write down what was there", step_prepare, true, false },
	{ "change", "apply the revisions", step_change, true, true },
	{ "check", "ask the after-upgrade hooks", step_check, true, true },
	{ "record", "record the fingerprint", step_record, true, true },
};

enum { FIRST_STEP_OF_PLAN_ONLY = 2, N_STEPS = sizeof(guard_steps) / sizeof(guard_steps[0]) };

/* "There is nothing to do" (but to lift the pin) is no answer while a run that led here is unfinished, or goes on. */
static bool stays_done(struct run *run, bool *done, struct err *err)
{
	cleanup_free char *unfinished = NULL;

	*done = true;
	if (run->request->plan_only)
		return true;
	if (run->lock)
		return lift_pin(run, err);
	if (run->request->unpin && !run_lock(run, err))
		return false;
	if (!find_unfinished(run, &unfinished, err))
		return false;
	if (run->lock && (!ledger_read(run->ledger, run->db, err) || !read_plan(run, err)))
		return false;
	*done = nothing_to_do(run);
	return !*done || lift_pin(run, err);
}

static bool walk(struct run *run, const struct guard_step **failed, struct err *err)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		const struct guard_step *step = &guard_steps[i];

		*failed = step;
		if (i == FIRST_STEP_OF_PLAN_ONLY && run->request->plan_only)
			return true;
		if (step->journaled && !run_journal(run, step->name, "begin", NULL, err))
			return false;
		int64_t began = clock_ms();
		if (!step->run(run, err) ||
		    (cancel_requested() &&
		     !err_set(err, ERR_CANCELLED, "cancelled by signal %d", cancel_signal())))
			return false;
		if (step->journaled &&
		    !run_journal(run, step->name, "done",
		                 json_pack("{s:I}", "ms", (json_int_t)(clock_ms() - began)), err))
			return false;
		bool done = false;
		if (nothing_to_do(run) && !stays_done(run, &done, err))
			return false;
		if (done)
			return true;
	}
	return true;
}

static enum outcome outcome_of_failure(enum err_code code)
{
	if (code == ERR_REFUSED)
		return OUTCOME_REFUSED;
	return code == ERR_LOCKED ? OUTCOME_LOCKED : OUTCOME_FAILED;
}

static enum outcome outcome_of_success(const struct run *run)
{
	if (nothing_to_do(run) || run->request->plan_only)
		return OUTCOME_UNCHANGED;
	return run->request->verb == GUARD_DOWNGRADE ? OUTCOME_DOWNGRADED : OUTCOME_UPGRADED;
}

/* A run that changed nothing leaves nothing pinned. */
static void unpin(struct run *run)
{
	struct err ignored = ERR_INIT;

	if (run->manifest && !backup_set_pin(&run->stores, run->manifest, false, NULL, &ignored))
		log_warn("%s", ignored.msg);
}

static void fail(struct run *run, const struct guard_step *step, const struct err *err)
{
	struct run_report *r = run->report;
	struct err ignored = ERR_INIT;

	cancel_hold(); /* a signal has done its work; what is tidied up now must not end by it */
	r->failure = *err;
	if (!r->failure_phase)
		r->failure_phase = step->name;
	if (step->changes || run->started) {
		run->signals = cancel_hold_first();
		run_ladder(run, err);
		return;
	}
	r->outcome = outcome_of_failure(err->code);
	if (!run_fence_open(run, &ignored))
		run_stuck(run, ignored.msg);
	unpin(run);
}

/* The last line of the journal, and of its mirror in the database that has the live name now. */
static void end_journal(struct run *run)
{
	struct err err = ERR_INIT;
	const char *outcome = outcome_name(run->report->outcome);
	cleanup_json json_t *report = run_report_json(run->report);
	json_t *data = json_pack("{s:s, s:O}", "outcome", outcome, "report", report);

	/* A run that was stopped on its way back has no end: `recover` goes on. */
	if (!run->journal || run->interrupted) {
		json_decref(data);
		return;
	}
	if (run->started && run->db && !db_is_lost(run->db) && !mirror_end(run, run->db, outcome, &err))
		log_warn("%s", err.msg);
	err = (struct err)ERR_INIT;
	if (!journal_write(run->journal, "run", "end", data, &err))
		log_warn("%s", err.msg);
}

void guard_run(const struct config *config, const struct guard_request *request, struct run_report *report)
{
	struct run run;
	struct err err = ERR_INIT, hook = ERR_INIT;
	const struct guard_step *failed = NULL;

	run_init(&run, config, request, report);
	run.writes = request->writes ? *request->writes : config->writes;
	run.fences = run.writes == WRITES_FENCE;
	run.accept_loss = run.writes == WRITES_ACCEPT_LOSS;
	if (walk(&run, &failed, &err))
		report->outcome = outcome_of_success(&run);
	else
		fail(&run, failed, &err);
	progress_finish();
	if (run.journal && !run.interrupted && !run_hooks(&run, HOOK_ALWAYS, NULL, &hook))
		log_warn("%s", hook.msg);
	end_journal(&run);
	run_clear(&run);
}
