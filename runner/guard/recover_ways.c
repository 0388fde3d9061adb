/*
 * Where an unfinished run stands by what the server says, and the way that follows from it.
 */
#include "runner/guard/recover.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what is true now */

static bool is_at(const struct ledger *l, const struct strv *heads)
{
	return strv_same(ledger_heads(l), heads);
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

/* ------------------------------------------------------------------ what is left over */

static void drop_leftover(struct run *run, const char *kind)
{
	cleanup_free char *name = database_derived_name(run->database, kind, run->id);
	struct err why = ERR_INIT;
	int64_t oid = 0;
	bool proven;

	/* Its sessions are the run's: a restore that was going on. */
	if (!run_made_database(run, name, &oid, &proven, &why) ||
	    (oid != 0 && !db_runf(run->admin, &why, "DROP DATABASE %I WITH (FORCE)", name)))
		log_warn("database \"%s\" is left over: %s", name, why.msg);
	else if (oid != 0)
		log_info("database \"%s\" was left over, and is dropped", name);
}

/* What was being restored when the run was ended is not whole, and its name is needed again. */
void recover_drop_leftovers(struct run *run)
{
	drop_leftover(run, "scratch");
	if (!run->candidate)
		drop_leftover(run, "candidate");
}

/* Its backup is one like any other now: nothing has to lead back to it.  What is half of one goes. */
static void free_backup(struct recovery *r)
{
	const struct stores *stores = &r->run->stores;
	const json_t *line = journal_find(r->lines, "backup", "id");
	const char *short_id = json_string_value(json_object_get(line, "short_id"));
	cleanup_backup_list struct backup_list list = { .n = 0 };
	struct err why = ERR_INIT;

	if (!short_id)
		return; /* none was begun */
	if (!backup_list_read(stores, &list, &why))
		log_warn("%s", why.msg);
	for (size_t i = 0; i < list.n; i++) {
		const char *reason = manifest_pin_reason(list.v[i].manifest);
		if (reason && strcmp(reason, r->id) == 0 &&
		    !backup_set_pin(stores, list.v[i].manifest, false, NULL, &why))
			log_warn("%s", why.msg);
	}
	for (size_t i = 0; i < list.n_leftovers; i++) {
		const struct backup_leftover *l = &list.leftovers[i];
		if (l->is_ours && text_ends(l->folder, short_id) && !backup_leftover_delete(stores, l, &why))
			log_warn("half of a backup is left over in %s: %s", l->folder, why.msg);
	}
}

/* ------------------------------------------------------------------ ways */

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
	if (!run_fence_open(run, &err))
		run_stuck(run, err.msg);
}

/* `restore --swap` by hand changes nothing but by its swap. */
static bool was_swapped_by_hand(struct recovery *r)
{
	const json_t *swap = journal_find(r->lines, "swap", "begin");
	struct err unknown = ERR_INIT;
	int64_t live = 0;

	if (!swap || !database_oid(r->run->admin, r->run->database, &live, &unknown) ||
	    live != json_integer_value(json_object_get(swap, "candidate")))
		return false;
	r->run->report->quarantine = mem_strdup(json_string_value(json_object_get(swap, "quarantine")));
	return true;
}

static void go_unchanged(struct recovery *r)
{
	keep(r->run, was_swapped_by_hand(r) ? OUTCOME_RESTORED : OUTCOME_UNCHANGED);
	free_backup(r);
}

static void go_swapped(struct recovery *r)
{
	struct run *run = r->run;
	struct err err = ERR_INIT;

	run->report->quarantine = database_derived_name(run->database, "quarantine", run->id);
	run->report->outcome = OUTCOME_RESTORED;
	if (!run_fence_open(run, &err) || !run_prove_swapped(run, &err))
		run_stuck(run, err.msg);
}

static void go_keep(struct recovery *r) { keep(r->run, outcome_kept(r->run)); }

/* A revision that was cut off between the pieces that it commits one by one is finished first, where that can be.  A
 * failure of it is no end: the way back that takes everything back, the restore, is still there. */
static void resume(struct recovery *r)
{
	struct err why = ERR_INIT;

	if (r->run->request->verb == GUARD_COMMAND || !make_plan(r->run, &why))
		return; /* who needs the plan after this says so */
	if (run_resume(r->run, r->lines, &why))
		return;
	log_warn("%s", why.msg);
	r->run->report->failure = why;
}

static void climb(struct recovery *r, size_t first, size_t last, const char *failure)
{
	struct err why = ERR_INIT;

	if (!make_plan(r->run, &why)) {
		run_stuck(r->run, why.msg);
		return;
	}
	err_set(&why, ERR_DB, "%s", failure);
	run_rungs(r->run, r->run->report->failure.code != ERR_NONE ? &r->run->report->failure : &why, first,
	          last);
}

static void go_back(struct recovery *r)
{
	climb(r, RUNG_ROLLBACK, RUNG_RESTORE, "the run was ended before it was done");
}

static void go_down(struct recovery *r)
{
	climb(r, RUNG_ROLLBACK, RUNG_DOWNGRADE, "the downgrade was asked for");
}

static void go_restore(struct recovery *r)
{
	struct err why = ERR_INIT;

	err_set(&why, ERR_DB, "the restore was asked for");
	run_rungs(r->run, &why, RUNG_RESTORE, RUNG_RESTORE);
}

/* Every revision is committed: the health check decides, as it would have. */
static void go_check(struct recovery *r)
{
	struct err why = ERR_INIT;

	if (run_hooks(r->run, HOOK_AFTER_UPGRADE, NULL, &why)) {
		go_keep(r);
		return;
	}
	r->run->report->failure = why;
	go_back(r);
}

/* ------------------------------------------------------------------ the table */

enum stands {
	ANYWHERE,
	AT_THE_NEW
}; /* the ledger: every revision of the run is committed, and it led elsewhere */

struct way {
	enum recover_way asked;
	enum reached least, most; /* how far the run came */
	enum stands stands;
	void (*go)(struct recovery *r);
};

/* The first row that fits.  docs/guard.md has the same for people. */
static const struct way ways[] = {
	{ RECOVER_AUTO, REACHED_NOTHING, REACHED_NOTHING, ANYWHERE, go_unchanged },
	{ RECOVER_FORWARD, REACHED_NOTHING, REACHED_NOTHING, ANYWHERE, go_unchanged },
	{ RECOVER_DOWN, REACHED_NOTHING, REACHED_NOTHING, ANYWHERE, go_unchanged },
	{ RECOVER_SWAP, REACHED_NOTHING, REACHED_NOTHING, ANYWHERE, go_unchanged },
	{ RECOVER_AUTO, REACHED_SWAP, REACHED_SWAP, ANYWHERE, go_swapped },
	{ RECOVER_FORWARD, REACHED_SWAP, REACHED_SWAP, ANYWHERE, go_swapped },
	{ RECOVER_DOWN, REACHED_SWAP, REACHED_SWAP, ANYWHERE, go_swapped },
	{ RECOVER_SWAP, REACHED_SWAP, REACHED_SWAP, ANYWHERE, go_swapped },
	{ RECOVER_FORWARD, REACHED_CHANGE, REACHED_WAY_BACK, ANYWHERE, go_keep },
	{ RECOVER_DOWN, REACHED_CHANGE, REACHED_WAY_BACK, ANYWHERE, go_down },
	{ RECOVER_SWAP, REACHED_CHANGE, REACHED_WAY_BACK, ANYWHERE, go_restore },
	{ RECOVER_AUTO, REACHED_CHANGE, REACHED_CHANGE, AT_THE_NEW, go_check },
	{ RECOVER_AUTO, REACHED_CHANGE, REACHED_WAY_BACK, ANYWHERE, go_back },
};

static enum stands where(const struct run *run)
{
	return run->request->verb != GUARD_COMMAND && is_at(run->ledger, &run->report->to) &&
	                       !is_at(run->ledger, &run->report->from)
	               ? AT_THE_NEW
	               : ANYWHERE;
}

void recover_go(struct recovery *r)
{
	const bool resumes = (r->way == RECOVER_AUTO || r->way == RECOVER_DOWN) &&
	                     (r->reached == REACHED_CHANGE || r->reached == REACHED_WAY_BACK);
	if (resumes)
		resume(r);
	const enum stands stands = where(r->run);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct way *w = &ways[i];
		if (w->asked != r->way || r->reached < w->least || r->reached > w->most ||
		    (w->stands != ANYWHERE && w->stands != stands))
			continue;
		w->go(r);
		return;
	}
}
