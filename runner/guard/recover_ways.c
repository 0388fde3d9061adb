/*
 * Where an unfinished run stands by what the server says, and the way that follows from it.
 */
#include "runner/guard/recover.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what is true now */

static bool is_at(const struct ledger *l, const struct strv *heads)
{
	return strv_same(ledger_heads(l), heads);
}

bool recover_was_swapped(struct run *run, bool *swapped, struct err *err)
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

/* False also when the revisions are others now, and the word leads elsewhere. */
static bool plan_to(struct run *run, const char *target, struct err *err)
{
	bool down = run->request->verb == GUARD_DOWNGRADE;

	plan_free(run->plan);
	run->plan = NULL;
	return plan_make(run->graph, &run->report->from, target, down ? DIRECTION_DOWN : DIRECTION_UP,
	                 &run->plan, err) &&
	       (strv_same(&run->plan->to, &run->report->to) ||
	        err_set(err, ERR_REFUSED,
	                "the revisions' files are not those of the run: \"%s\" leads elsewhere now", target));
}

/* The plan as it was, from the old heads to the new ones; how far it came is the ledger's to say. */
static bool make_plan(struct run *run, struct err *err)
{
	const struct strv *to = &run->report->to;
	struct err first = ERR_INIT;

	if (run->request->verb == GUARD_COMMAND)
		return true;
	/* "head" may name a newer revision by now: then the one that it was. */
	if (plan_to(run, run->request->target, &first) || (to->n == 1 && plan_to(run, to->v[0], err)))
		return run_ask_position(run, err);
	if (to->n != 1)
		*err = first;
	return false;
}

/* A failure of it is no end: the way back that takes everything back, the restore, is still there. */
void recover_resume(struct run *run, const json_t *lines)
{
	struct err why = ERR_INIT;

	if (run->request->verb == GUARD_COMMAND || !make_plan(run, &why))
		return; /* who needs the plan after this says so */
	if (run_resume(run, lines, &why))
		return;
	log_warn("%s", why.msg);
	run->report->failure = why;
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
void recover_drop_leftovers(struct run *run)
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
void recover_keep_swapped(struct run *run)
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
	if (!make_plan(run, &why)) {
		run_stuck(run, why.msg);
		return;
	}
	run_rungs(run, &why, RUNG_ROLLBACK, RUNG_RESTORE);
}

void recover_go(struct run *run, enum recover_way way, bool changed)
{
	struct err none = ERR_INIT, why = ERR_INIT;

	switch (way) {
	case RECOVER_AUTO: recover_auto(run, changed); return;
	case RECOVER_FORWARD: keep(run, outcome_kept(run)); return;
	case RECOVER_DOWN:
		if (!make_plan(run, &why))
			run_stuck(run, why.msg);
		else
			run_rungs(run, &none, RUNG_ROLLBACK, RUNG_DOWNGRADE);
		return;
	case RECOVER_SWAP: run_rungs(run, &none, RUNG_RESTORE, RUNG_RESTORE); return;
	}
}
