/*
 * Going through a plan, one unit after another, and keeping account of what each has written.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/lock_watch.h"
#include "runner/proof/units.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ our own share */

static bool share_answered(void *ctx, enum probe_point at, const struct rows *rows, struct err *err)
{
	struct run *run = ctx;

	if (at == PROBE_BEGIN)
		return rows_count(rows) == 1 || /* another token would have failed on the server itself */
		       err_set(err, ERR_REFUSED, "this run's row of ripcord.run is gone");
	run->answered = true;
	return own_share_add(&run->own, rows, err) && own_share_add(&run->committed, rows, err);
}

static bool share_aborted(void *ctx, const struct rows *rows, struct err *err)
{
	struct run *run = ctx;

	run->answered = true;
	return own_share_add(&run->own, rows, err);
}

static void say_waiting(void *ctx, const struct step *step, int attempt, const struct err *why)
{
	lock_watch_again(ctx);
	log_info("revision %s: attempt %d: %s", step->revision->id, attempt, why->msg);
}

static const char *direction_name(enum direction d) { return d == DIRECTION_UP ? "upgrade" : "downgrade"; }

static const struct section *section_of(const struct step *step)
{
	return step->direction == DIRECTION_UP ? &step->revision->upgrade : &step->revision->downgrade;
}

/* ------------------------------------------------------------------ units */

/* How many steps from `from` on go together: one, or with transaction = whole all up to the next transaction=off. */
static size_t unit_length(const struct run *run, const struct plan *plan, size_t from)
{
	size_t n = 1;

	if (!run->config->whole || !step_is_transactional(&plan->steps[from]))
		return 1;
	while (from + n < plan->n && step_is_transactional(&plan->steps[from + n]))
		n++;
	return n;
}

static void report_unit(struct run *run, const struct step *steps, size_t n, const char *outcome,
                        int64_t elapsed_ms)
{
	for (size_t i = 0; i < n; i++)
		run_report_step(run->report, steps[i].revision->id, steps[i].direction, outcome,
		                (double)elapsed_ms / 1000 / (double)n);
}

static json_t *unit_data(const struct step *steps, size_t n, const struct run *run)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < n; i++)
		json_push(ids, json_str(steps[i].revision->id));
	json_t *data = json_pack("{s:o, s:s, s:i}", "revisions", ids, "direction",
	                         direction_name(steps[0].direction), "backend", db_pid(run->db));
	if (!step_is_transactional(steps)) {
		char digest[SHA256_HEX];
		step_sha256(steps, digest);
		json_put(data, "section", json_str(digest));
	}
	return data;
}

/* A transactional unit needs no synced line of its own, nor one in the mirror, whose row is written anew with
 * each: the ledger's rows commit with it.  A line is kept so that a reader sees the story. */
static bool journal_unit(struct run *run, const struct step *step, const char *event, json_t *data,
                         struct err *err)
{
	const char *name = direction_name(step->direction);

	return step_is_transactional(step) ? journal_note(run->journal, name, event, data, err)
	                                   : run_journal(run, name, event, data, err);
}

/* The way asked for; the way back is not cut off for the locks that it holds. */
static bool is_way_back(const struct run *run, const struct step *step)
{
	return step->direction == DIRECTION_DOWN && run->request->verb != GUARD_DOWNGRADE;
}

/* The strictest of the unit's limits.  Behind the run's own fence nobody is there who could wait. */
static int64_t hold_limit(const struct run *run, const struct step *steps, size_t n)
{
	int64_t least = 0;

	if (run->fence.oid != 0 || is_way_back(run, steps))
		return 0;
	for (size_t i = 0; i < n; i++) {
		const struct section *s = section_of(&steps[i]);
		int64_t hold = s->hold_ms >= 0 ? s->hold_ms : run->config->lock_hold_ms;
		if (hold > 0 && (least == 0 || hold < least))
			least = hold;
	}
	return least;
}

static bool is_lock_failure(const struct err *err)
{
	return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

static bool exec_watched(struct run *run, const struct step *steps, size_t n, struct exec_settings *settings,
                         struct exec_report *report, struct err *err)
{
	cleanup_free char *what = mem_fmt("revision %s", steps[0].revision->id);
	struct lock_watch watch;

	lock_watch_start(&watch, run, what, hold_limit(run, steps, n));
	settings->waiting = say_waiting;
	settings->ctx = &watch;
	bool ok = exec_unit(run->db, run->ledger, steps, n, settings, report, err);
	if (!ok && watch.blocked && is_lock_failure(err)) {
		err_wrap(err, "%s in all of %d attempts", watch.blocked, report->attempts);
		err_hint(err, "end what is in the way, or raise lock_budget and try again");
	}
	lock_watch_stop(&watch);
	return ok;
}

static bool exec_one_unit(struct run *run, const struct step *steps, size_t n, struct exec_report *report,
                          struct err *err)
{
	cleanup_free char *aborted = own_share_aborted_sql(run->db);
	const struct probe probe = { .at_begin = run->token_question,
		                     .at_end = run->may_nest && step_is_transactional(steps)
		                                       ? run->nested_question
		                                       : run->own_question,
		                     .at_abort = aborted,
		                     .answered = share_answered,
		                     .aborted = share_aborted,
		                     .ctx = run };
	const struct statement_watch watch = run_statement_watch(run);
	struct exec_settings settings = run_exec_settings(run);

	settings.probe = &probe;
	settings.watch = &watch;
	settings.resume = run->resume;
	run->answered = false;
	bool ok = exec_watched(run, steps, n, &settings, report, err);
	if (!run->answered || report->commit_unknown)
		run->own.unknown = run->own.unknown || step_is_transactional(steps);
	return ok;
}

/* What the failure is called in the report, and where it stands. */
static void report_failure(struct run *run, const struct step *steps, const struct exec_report *report)
{
	run->report->failure_phase = report->phase ? report->phase : direction_name(steps[0].direction);
	free(run->report->failure_revision);
	run->report->failure_revision = mem_strdup(steps[report->failed_step].revision->id);
}

/*
 * The two questions that every unit asks are the same from one to the next, and planning them takes as long as answering
 * them: they are prepared once a session, unless a section would clear that away.  One that does so unseen (dynamic
 * SQL) makes its own unit fail and be rolled back.
 */
static bool prepare_questions(struct run *run, struct err *err)
{
	/* After a clean count behind a fence nobody else can have written. */
	const struct unit_seal seal = { .run = run->id,
		                        .before = &run->before.counters,
		                        .fenced =
		                                run->foreign_counted && foreign_writes_none(&run->foreign) };
	cleanup_free char *token = mirror_token_sql(run), *own = NULL;

	if (!unit_seal_question(run->db, &seal, &own, err))
		return false;
	if (run->may_prepare) {
		cleanup_free char *sql = mem_fmt(
			"DEALLOCATE ALL; PREPARE ripcord_token AS %s; PREPARE ripcord_own_share AS %s", token,
			own);
		if (!db_run(run->db, sql, err))
			return false;
	}
	free(run->token_question);
	free(run->own_question);
	run->token_question = mem_strdup(run->may_prepare ? "EXECUTE ripcord_token" : token);
	/* Readings of the server's counters are kept to the end of a transaction: a section may have made one. */
	run->own_question = mem_fmt("SELECT FROM pg_catalog.pg_stat_clear_snapshot();\n%s",
	                            run->may_prepare ? "EXECUTE ripcord_own_share" : own);
	cleanup_free char *ids = unit_ids_question(run->id);
	free(run->nested_question);
	run->nested_question = mem_fmt("%s;\n%s", run->own_question, ids);
	return true;
}

static bool has_word(const struct plan *plan, const char *word)
{
	for (size_t i = 0; i < plan->n; i++)
		if (strcasestr(section_of(&plan->steps[i])->text, word))
			return true;
	return false;
}

static bool begin_steps(struct run *run, const struct plan *plan, struct err *err)
{
	run->may_prepare = !has_word(plan, "deallocate") && !has_word(plan, "discard");
	run->may_nest = has_word(plan, "exception");
	return (run->may_nest || units_may_nest(run->db, &run->may_nest, err)) && prepare_questions(run, err);
}

/* COMMIT was sent and its answer never came: the ledger row, which commits with the revision, tells. */
static bool ask_ledger(struct run *run, const struct step *last, bool *committed, struct err *err)
{
	if (!run_reconnect(run, err) || !ledger_read(run->ledger, run->db, err) ||
	    !prepare_questions(run, err))
		return false;
	const struct strv *heads = ledger_heads(run->ledger);
	*committed = heads->n == last->heads_after.n;
	for (size_t i = 0; i < heads->n && *committed; i++)
		*committed = strv_has(&last->heads_after, heads->v[i]);
	return true;
}

/* They are asked on the way that was asked for; the way back does not hang on them. */
static bool revision_hooks(struct run *run, enum hook_phase phase, const struct step *step, struct err *err)
{
	if (is_way_back(run, step) || run_hooks(run, phase, step->revision, err))
		return true;
	run->report->failure_phase = "hook";
	free(run->report->failure_revision);
	run->report->failure_revision = mem_strdup(step->revision->id);
	return false;
}

/* Who recovers need not doubt what a transaction that was rolled back had counted, when it has told. */
static void journal_failure(struct run *run, const struct step *steps, size_t n,
                            const struct exec_report *report)
{
	struct err ignored = ERR_INIT;

	if (report->commit_unknown || (step_is_transactional(steps) && !run->answered))
		return;
	json_t *data = unit_data(steps, n, run);
	json_put(data, "own", own_share_to_json(&run->own));
	json_put(data, "partial", json_boolean(report->left_partial));
	if (!run_journal(run, direction_name(steps[0].direction), "failed", data, &ignored))
		log_warn("%s", ignored.msg);
}

/* *committed also when something fails after the COMMIT. */
static bool run_unit(struct run *run, const struct step *steps, size_t n, bool *committed, struct err *err)
{
	struct exec_report report = { .phase = NULL };
	char duration[TEXT_SHORT];

	if (!revision_hooks(run, HOOK_BEFORE_REVISION, steps, err))
		return false;
	if (!journal_unit(run, steps, "begin", unit_data(steps, n, run), err))
		return false;
	bool ok = exec_one_unit(run, steps, n, &report, err);
	if (!ok && report.commit_unknown) {
		struct err asking = ERR_INIT;
		if (ask_ledger(run, &steps[n - 1], committed, &asking) && *committed) {
			*err = (struct err)ERR_INIT;
			ok = true;
		}
	}
	report_unit(run, steps, n, ok ? "done" : "failed", report.elapsed_ms);
	if (!ok) {
		run->left_partial = report.left_partial;
		report_failure(run, steps, &report);
		journal_failure(run, steps, n, &report);
		return false;
	}
	*committed = true;
	log_info("%s %s in %s  %s", direction_name(steps[0].direction), steps[n - 1].revision->id,
	         text_duration(report.elapsed_ms, duration), steps[n - 1].revision->message);
	json_t *data = unit_data(steps, n, run);
	json_put(data, "own", own_share_to_json(&run->own));
	json_put(data, "xid", json_str(report.xid));
	return journal_unit(run, steps, "done", data, err);
}

bool run_steps(struct run *run, const struct plan *plan, size_t *done, struct err *err)
{
	*done = 0;
	if (!begin_steps(run, plan, err))
		return false;
	while (*done < plan->n) {
		size_t n = unit_length(run, plan, *done);

		bool committed = false;
		bool ok = run_unit(run, &plan->steps[*done], n, &committed, err);
		*done += committed ? n : 0;
		if (!ok)
			return false;
		if (!revision_hooks(run, HOOK_AFTER_REVISION, &plan->steps[*done - 1], err))
			return false;
	}
	return true;
}

bool run_steps_resume(struct run *run, const struct plan *plan, size_t at, const struct exec_resume *resume,
                      struct err *err)
{
	bool committed = false;

	if (!begin_steps(run, plan, err))
		return false;
	run->resume = resume;
	bool ok = run_unit(run, &plan->steps[at], 1, &committed, err);
	run->resume = NULL;
	if (committed)
		run->left_partial = false;
	return ok && revision_hooks(run, HOOK_AFTER_REVISION, &plan->steps[at], err);
}

bool run_ask_position(struct run *run, struct err *err)
{
	if (!ledger_read(run->ledger, run->db, err))
		return false;
	return plan_position(run->plan, ledger_heads(run->ledger), &run->done) ||
	       err_set(err, ERR_REFUSED, "the database stands at a revision that this run never led to");
}
