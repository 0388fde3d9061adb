/*
 * `recover`: finishes or takes back a run that did not end, by its journal and what the server says is true.
 *
 * It may itself be ended anywhere: what it changes it changes by the same rungs as a run, with the same lines before
 * and after them, and the next one goes on from those.
 */
#include "runner/guard/recover.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ taking over */

/* Another tool's project has no revisions of ours. */
static bool open_revisions(struct run *run, struct err *err)
{
	return run->request->verb == GUARD_COMMAND ||
	       (graph_load(run->config->migrations, &run->graph, err) &&
	        ledger_complete_graph(run->ledger, run->db, run->graph, err));
}

static void heads_of(const json_t *begin, const char *key, struct strv *out)
{
	const json_t *head;
	size_t i;

	json_array_foreach(json_object_get(begin, key), i, head) strv_add(out, json_string_value(head));
}

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

static void read_verb(const json_t *begin, struct guard_request *request)
{
	const char *verb = text_of(begin, "verb");

	request->verb = strcmp(verb, "downgrade") == 0 ? GUARD_DOWNGRADE
	                /* Neither knows revisions. */
	                : strcmp(verb, "guard") == 0 || strcmp(verb, "restore") == 0 ? GUARD_COMMAND
	                                                                             : GUARD_UPGRADE;
	request->target = text_of(begin, "target");
}

/* From here on the lines are this process's: a later one finds its sessions by them, and by the run's name. */
static bool open_journal(struct recovery *r, struct err *err)
{
	struct run *run = r->run;
	const char *state_dir = run->config->state_dir;
	cleanup_free char *name = run_application(run, "recover");
	json_t *sessions;

	if (!(r->in_folder ? journal_reopen(state_dir, r->id, &run->journal, err)
	                   : journal_import(state_dir, r->id, r->lines, &run->journal, err)) ||
	    !run_sessions_json(run, &sessions, err))
		return false;
	json_t *data = json_pack("{s:o, s:s, s:i}", "sessions", sessions, "host", run->actor_host, "pid",
	                         (int)getpid());
	return journal_write(run->journal, "recover", "begin", data, err) &&
	       db_runf(run->db, err, "SET application_name = %L", name) &&
	       db_runf(run->admin, err, "SET application_name = %L", name);
}

/* The run's row of ripcord.run gets this process's token: whoever held it may not go on. */
static bool take_over(struct recovery *r, struct err *err)
{
	struct run *run = r->run;

	run->going_back = true;
	run->started = r->reached != REACHED_NOTHING;
	if (r->reached == REACHED_CHANGE || r->reached == REACHED_WAY_BACK)
		return mirror_begin(run, err);
	return true;
}

/* ------------------------------------------------------------------ closing */

/* The file last: a row that is closed without it is found and the file closed like it. */
static void finish(struct run *run)
{
	struct err err = ERR_INIT;
	const char *outcome = outcome_name(run->report->outcome);

	if (run->started && run->db && !db_is_lost(run->db) && !mirror_end(run, run->db, outcome, &err))
		log_warn("%s", err.msg);
	run_journal_evident(run, "run", "end",
	                    json_pack("{s:s, s:o, s:b}", "outcome", outcome, "report",
	                              run_report_json(run->report), "recovered", 1));
}

static bool is_over(const char *outcome) { return outcome && strcmp(outcome, "stuck") != 0; }

/* Ended between the last line here and the last one there: what the one says is written to the other. */
static bool close_half_closed(struct recovery *r, bool *closed, struct err *err)
{
	struct run *run = r->run;
	const char *here = journal_outcome(r->lines), *there = r->mirror_outcome;

	*closed = is_over(here) || (r->mirrored && is_over(there));
	if (!*closed)
		return true;
	const char *outcome = is_over(here) ? here : there;
	run->report->outcome = outcome_of_name(outcome);
	if (r->mirrored && !is_over(there) && !mirror_end(run, run->db, outcome, err))
		return false;
	return is_over(here) || (open_journal(r, err) &&
	                         journal_write(run->journal, "run", "end",
	                                       json_pack("{s:s, s:o, s:b}", "outcome", outcome, "report",
	                                                 run_report_json(run->report), "recovered", 1),
	                                       err));
}

/* It stood ready for a decision that has been made. */
static void drop_candidate(struct run *run)
{
	if (run->report->outcome == OUTCOME_STUCK || run->report->outcome == OUTCOME_RESTORED)
		return;
	free(run->candidate);
	run->candidate = NULL;
	recover_drop_leftovers(run);
}

/* ------------------------------------------------------------------ the whole */

static bool recover(struct recovery *r, const char *wanted, struct guard_request *request, struct err *err)
{
	struct run *run = r->run;
	bool closed = false;

	run->report->outcome = OUTCOME_UNCHANGED;
	if (!recover_find(r, wanted, err))
		return false;
	if (!r->id || json_array_size(r->lines) == 0)
		return true;
	/* Lines without a beginning would read as a run that changed nothing. */
	const json_t *begin = journal_find(r->lines, "run", "begin");
	if (!begin)
		return err_set(err, ERR_REFUSED,
		               "the journal of run %s is not whole here: recover where it ran", r->id);
	read_verb(begin, request);
	heads_of(begin, "from", &run->report->from);
	heads_of(begin, "to", &run->report->to);
	if (!close_half_closed(r, &closed, err) || closed)
		return closed;
	if (!open_revisions(run, err) || !recover_load(r, err) || !open_journal(r, err))
		return false;
	cancel_hold();
	recover_drop_leftovers(run);
	if (!take_over(r, err))
		return false;
	recover_go(r);
	drop_candidate(run);
	finish(run);
	return true;
}

void guard_recover(const struct config *config, const char *wanted, enum recover_way way, bool accept_loss,
                   struct run_report *report)
{
	struct guard_request request = { .verb = GUARD_UPGRADE };
	struct err err = ERR_INIT;
	struct run run;
	struct recovery recovery = { .run = &run, .way = way };

	run_init(&run, config, &request, report);
	run.accept_loss = accept_loss || config->writes == WRITES_ACCEPT_LOSS;
	if (!recover(&recovery, wanted, &request, &err)) {
		report->failure = err;
		report->failure_phase = "recover";
		report->outcome = err.code == ERR_LOCKED ? OUTCOME_LOCKED : OUTCOME_STUCK;
	}
	progress_finish();
	run_clear(&run);
	recovery_clear(&recovery);
}
