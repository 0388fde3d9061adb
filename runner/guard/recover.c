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
#include "runner/guard/recover.h"
#include "runner/guard/restore_run.h"
#include "runner/progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
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
	request->target = text_of(begin, "target");
}

/* The run's row of ripcord.run gets this process's token: a downgrade asks for it, and whoever held it may not go on. */
static bool take_over(struct run *run, struct err *err)
{
	bool swapped;

	if (!recover_was_swapped(run, &swapped, err))
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
	if (!open_revisions(run, err) || !run_end_sessions(run, lines, err) ||
	    !recover_load(run, lines, changed, err))
		return false;
	cancel_hold();
	recover_drop_leftovers(run);
	if (changed && !take_over(run, err))
		return false;
	if (run->started && (way == RECOVER_AUTO || way == RECOVER_DOWN))
		recover_resume(run, lines);
	if (changed && !run->started)
		recover_keep_swapped(run);
	else
		recover_go(run, way, changed);
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
