/*
 * The ladder: rollback -> downgrade -> prove -> restore -> prove -> swap, each rung only if the one before did not
 * lead back, as on_failure allows.  Nothing here is guessed: a rung that cannot prove that it led back did not.
 */
#include "runner/guard/run.h"

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"
#include "runner/guard/proofs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum climb {
	CLIMB_BACK,  /* it led back, and that is proven */
	CLIMB_NEXT,  /* it did not; the next one may */
	CLIMB_STUCK, /* a person is needed */
};

struct rung {
	const char *name, *about;
	enum climb (*climb)(struct run *run, struct err *why);
	enum outcome outcome; /* when it led back */
	enum hook_phase hook; /* after it led back */
};

static bool is_command(const struct run *run) { return run->request->verb == GUARD_COMMAND; }

/* ------------------------------------------------------------------ others' writes */

static void say_foreign(const struct run *run, struct err *why)
{
	cleanup_buf struct buf lines = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < run->foreign.lines.n; i++)
		buf_fmt(&lines, "%s%s", i ? "; " : "", run->foreign.lines.v[i]);
	if (!run->foreign.known)
		err_set(why, ERR_REFUSED, "what others wrote since the backup is not known (%s)%s%.500s",
		        run->foreign.why, lines.len ? ": " : "", buf_text(&lines));
	else
		err_set(why, ERR_REFUSED,
		        "others wrote since the backup, and a way back would lose it: %.700s",
		        buf_text(&lines));
	err_hint(why, "writes = fence keeps others out from the backup on; writes = accept-loss goes back "
	              "all the same");
}

/* No rung that takes committed work back may take others' work with it. */
static bool may_go_back(struct run *run, struct err *why)
{
	if (!run->before.schema || !run->before.facts) {
		err_set(why, ERR_REFUSED,
		        "no state was recorded before the run, since the backup was waived");
		return false;
	}
	if (!run->foreign_counted && !run_fence_and_count(run, why))
		return false;
	if (run->accept_loss)
		return true;
	if (!foreign_writes_none(&run->foreign)) {
		say_foreign(run, why);
		return false;
	}
	/* No counter of this database tells of its settings, owner and rights: they are in shared catalogs. */
	return run->committed.database || before_facts_are_now(run, why) ||
	       err_wrap(why, "others changed the database since the backup");
}

/* ------------------------------------------------------------------ proof */

/* The version table and its TOAST, 0 for none.  By OID: the server quotes a name only where it must, sql_fmt always. */
struct own_tables {
	int64_t table, toast;
};

static bool read_own_tables(const struct run *run, struct own_tables *out, struct err *err)
{
	const char *name = ledger_table(run->ledger);

	return db_int(run->db, "SELECT coalesce(pg_catalog.to_regclass($1)::oid::int8, 0)", DB_ARGS(name),
	              &out->table, err) &&
	       db_int(run->db,
	              "SELECT coalesce((SELECT reltoastrelid::int8 FROM pg_catalog.pg_class"
	              " WHERE oid = pg_catalog.to_regclass($1)), 0)",
	              DB_ARGS(name), &out->toast, err);
}

/* Rows of a table that was there before the run, or of large objects: a downgrade does not bring those back. */
static bool touched(const struct run *run, const struct own_tables *own, const struct relation_counts *ours,
                    const struct relation_counts **was)
{
	enum { PG_LARGEOBJECT = 2613, PG_LARGEOBJECT_METADATA = 2995, FIRST_NORMAL_OID = 16384 };

	const struct counters *before = &run->before.counters;
	const struct relation_counts *r =
		relation_counts_find(before->relations, before->n_relations, ours->oid);
	if (!r)
		return false;
	*was = r;
	if (r->oid < FIRST_NORMAL_OID)
		return r->oid == PG_LARGEOBJECT || r->oid == PG_LARGEOBJECT_METADATA;
	return r->oid != own->table && r->oid != own->toast && !text_starts(r->name, "ripcord.");
}

/* True when no committed step touched rows that were there; otherwise why says which. */
static bool rows_untouched(const struct run *run, struct err *why)
{
	struct own_tables own;

	if (run->own.unknown && !run->counted_by_rows)
		return err_set(why, ERR_REFUSED,
		               "a step of the run is not transactional, so what it touched is not known");
	if (!read_own_tables(run, &own, why))
		return false;
	for (size_t i = 0; i < run->committed.n_relations; i++) {
		const struct relation_counts *was = NULL, *ours = &run->committed.relations[i];
		if (touched(run, &own, ours, &was))
			return err_set(why, ERR_REFUSED,
			               "the run wrote to %s, which was there before (%" PRId64
			               " inserted, %" PRId64 " updated, %" PRId64 " deleted)",
			               was->name, ours->rows.inserted, ours->rows.updated,
			               ours->rows.deleted);
	}
	return true;
}

static bool roles_are_back(struct run *run, struct err *why)
{
	cleanup_schema struct schema *now = NULL;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	if (!schema_read_roles(run->admin, &now, why))
		return false;
	return schema_diff(run->before.roles, now, SCHEMA_STRICT, &diff) == 0 ||
	       err_set(why, ERR_REFUSED, "the cluster's roles are not as before:\n%.700s", buf_text(&diff));
}

static bool storage_is_back(struct run *run, struct err *why)
{
	struct identity now = { .lines = STRV_INIT };
	cleanup_strv struct strv lost = STRV_INIT;

	if (!identity_read(run->db, &now, why))
		return false;
	identity_compare(&run->before.identity, &now, &lost);
	identity_clear(&now);
	return lost.n == 0 || err_set(why, ERR_REFUSED,
	                              "the rows of %zu tables are stored elsewhere than before, e.g. %.400s",
	                              lost.n, lost.v[0]);
}

static bool prove_downgrade(struct run *run, struct err *why)
{
	/* Whom a fence does not keep out may have written while the downgrade ran. */
	run->foreign_counted = false;
	return may_go_back(run, why) && before_is_now(run, why) && rows_untouched(run, why) &&
	       storage_is_back(run, why) && run_sequences_are_back(run, why) && roles_are_back(run, why);
}

/* ------------------------------------------------------------------ rollback */

/* A command that failed may have taken back by itself what it did: then all is as before, and that can be proven. */
static enum climb climb_nothing_left(struct run *run, struct err *why)
{
	if (!may_go_back(run, why))
		return CLIMB_NEXT;
	return run_put_sequences_back(run, why) && prove_downgrade(run, why) ? CLIMB_BACK : CLIMB_NEXT;
}

/* Nothing is committed: PostgreSQL itself has taken everything back but the sequences. */
static enum climb climb_rollback(struct run *run, struct err *why)
{
	if (is_command(run))
		return climb_nothing_left(run, why);
	/* A COMMIT may have been missed: its row in the ledger cannot be. */
	if (!run_reopen(run, why) || !run_ask_position(run, why))
		return CLIMB_STUCK;
	if (run->done > 0 || run->left_partial)
		return CLIMB_NEXT;
	if (!run_put_sequences_back(run, why))
		return CLIMB_STUCK;
	return !run->before.schema || before_is_now(run, why) ? CLIMB_BACK : CLIMB_STUCK;
}

/* ------------------------------------------------------------------ downgrade */

static bool go_down(struct run *run, struct err *why)
{
	cleanup_plan struct plan *back = NULL;
	size_t down = 0;

	if (!plan_reverse(run->plan, run->done, &back, why))
		return false;
	bool ok = run_steps(run, back, &down, why);
	run->done -= ok ? run->done : 0;
	return ok;
}

static enum climb climb_downgrade(struct run *run, struct err *why)
{
	if (!run->config->on_failure_downgrade || run->request->verb == GUARD_DOWNGRADE)
		return CLIMB_NEXT;
	if (is_command(run) ? !run->request->down_command : run->left_partial)
		return CLIMB_NEXT;
	/* The next rung loses nothing either, and leaves the candidate ready for the person who decides. */
	if (!may_go_back(run, why))
		return run->config->on_failure_restore && run->manifest ? CLIMB_NEXT : CLIMB_STUCK;
	/* What cannot be proven afterwards need not be tried: the rows are gone whatever the schema says. */
	if (!is_command(run) && !rows_untouched(run, why))
		return CLIMB_NEXT;
	if (!run_journal(run, "downgrade", "begin", NULL, why) ||
	    !(is_command(run) ? run_down_command(run, why) : go_down(run, why)) ||
	    !prove_downgrade(run, why)) {
		run->foreign_counted = false; /* the downgrade wrote, too: count again before the next rung */
		return CLIMB_NEXT;
	}
	return CLIMB_BACK;
}

/* ------------------------------------------------------------------ restore */

/*
 * The restore took its time: counted again, so that what the swap compares with is a moment old.  What autovacuum writes
 * in that moment moves the counters as others' rows would: the next count tells.
 */
static bool count_and_swap(struct run *run, struct err *why)
{
	enum { ATTEMPTS = 5 };
	bool moved = true;

	for (int i = 0; i < ATTEMPTS && moved; i++) {
		*why = (struct err)ERR_INIT;
		run->foreign_counted = false;
		if (!may_go_back(run, why))
			return false;
		if (run_swap(run, &moved, why))
			return true;
	}
	return false;
}

static enum climb climb_restore(struct run *run, struct err *why)
{
	struct err loss = ERR_INIT;

	if (!run->config->on_failure_restore || !run->manifest) {
		err_set(why, ERR_REFUSED,
		        run->manifest ? "on_failure does not allow a restore"
		                      : "there is no backup to restore");
		return CLIMB_STUCK;
	}
	bool may = may_go_back(run, &loss);
	/* Also when nothing may be lost: then the candidate stands ready for the person who decides. */
	if (run->before.facts && !run_build_candidate(run, why))
		return CLIMB_STUCK;
	if (!may) {
		*why = loss;
		return CLIMB_STUCK;
	}
	return count_and_swap(run, why) ? CLIMB_BACK : CLIMB_STUCK;
}

/* ------------------------------------------------------------------ the table and its driver */

static const struct rung rungs[] = {
	[RUNG_ROLLBACK] = { "rollback", "nothing is committed: PostgreSQL took it back", climb_rollback,
	                    OUTCOME_ROLLED_BACK, HOOK_AFTER_ROLLBACK },
	[RUNG_DOWNGRADE] = { "downgrade", "undo the committed revisions, and prove it", climb_downgrade,
	                     OUTCOME_ROLLED_BACK, HOOK_AFTER_ROLLBACK },
	[RUNG_RESTORE] = { "restore", "bring the backup up beside it, prove it, swap", climb_restore,
	                   OUTCOME_RESTORED, HOOK_AFTER_RESTORE },
};

static void mark_steps(struct run_report *report, const char *outcome)
{
	for (size_t i = 0; i < report->n_steps; i++)
		if (strcmp(report->steps[i].outcome, "done") == 0)
			report->steps[i].outcome = outcome;
}

static void arrive(struct run *run, const struct rung *rung)
{
	struct err ignored = ERR_INIT;

	cancel_hold(); /* what a signal would stop now is done */
	run->report->outcome = rung->outcome;
	mark_steps(run->report, rung->outcome == OUTCOME_RESTORED ? "restored" : "rolled-back");
	if (!run_fence_open(run, &ignored)) {
		/* proof.md section 3: a fence that cannot be taken away is no return. */
		run_stuck(run, ignored.msg);
		return;
	}
	if (rung->outcome == OUTCOME_RESTORED) {
		db_close(run->db);
		run->db = NULL;
	}
	if (!run_reopen(run, &ignored) || !run_hooks(run, rung->hook, NULL, &ignored))
		log_warn("%s", ignored.msg);
}

void run_stuck(struct run *run, const char *why)
{
	struct run_report *r = run->report;
	struct err ignored = ERR_INIT;
	bool closed = run->config->fence_on_stuck_closed;

	r->outcome = OUTCOME_STUCK;
	strv_fmt(&r->next, "why: %s", why);
	if (!closed && !run_fence_open(run, &ignored))
		strv_fmt(&r->next, "the fence could not be taken away: %s", ignored.msg);
	else if (run->fence.oid != 0)
		strv_fmt(&r->next,
		         "others are still kept out (fence_on_stuck = closed): ALTER DATABASE ... CONNECTION "
		         "LIMIT %lld",
		         (long long)run->fence.before);
	if (run->candidate)
		strv_fmt(&r->next, "the backup is restored beside it in database \"%s\"", run->candidate);
	strv_fmt(&r->next, "ripcord runs show %s", uuid_short(run->id));
	if (run->interrupted)
		strv_fmt(&r->next, "ripcord recover %s              to go on with the way back",
		         uuid_short(run->id));
	strv_fmt(&r->next, "ripcord recover %s --forward    to keep what is there now", uuid_short(run->id));
	if (run->config->on_failure_downgrade && !is_command(run))
		strv_fmt(&r->next, "ripcord recover %s --down       to try the downgrades",
		         uuid_short(run->id));
	if (run->manifest)
		strv_fmt(&r->next,
		         "ripcord recover %s --swap --accept-loss    to go back to the backup, losing what "
		         "came after it",
		         uuid_short(run->id));
}

void run_ladder(struct run *run, const struct err *failure)
{
	struct err ignored = ERR_INIT;

	if (!run_hooks(run, HOOK_ON_FAILURE, NULL, &ignored))
		log_warn("%s", ignored.msg);
	run_rungs(run, failure, RUNG_ROLLBACK, RUNG_RESTORE);
}

/* The operator asked a second time: what is there is said, and left as it is for `recover`. */
static void stop_on_signal(struct run *run, const char *rung)
{
	struct err err = ERR_INIT;
	cleanup_free char *why = mem_fmt("stopped by signal %d (%s) on the way back, in %s", cancel_signal(),
	                                 strsignal(cancel_signal()), rung);

	cancel_hold();
	run->interrupted = true;
	if (!journal_write(run->journal, rung, "stopped", json_pack("{s:s}", "why", why), &err))
		log_warn("%s", err.msg);
	run_stuck(run, why);
}

/* `prove` has found that the downgrade of a revision that was run does not lead back: it is not tried where a restore does. */
static bool is_known_to_fail(const struct run *run, struct err *why)
{
	bool fails = false;

	if (!run->plan || !run->config->on_failure_restore || !run->manifest)
		return false;
	for (size_t i = 0; i < run->done && !fails; i++) {
		const struct revision *r = run->plan->steps[i].revision;
		struct proof proof = { .verdict = PROOF_ERROR };
		fails = proofs_find(run->config->state_dir, r, &proof) && proof.verdict == PROOF_IRREVERSIBLE;
		proof_clear(&proof);
		if (fails)
			err_set(why, ERR_REFUSED, "the downgrade of revision %s is proven not to lead back",
			        r->id);
	}
	return fails;
}

static enum climb climb(struct run *run, size_t rung, size_t last, struct err *why)
{
	if (!run_reconnect(run, why))
		return CLIMB_STUCK;
	if (rung == RUNG_DOWNGRADE && last > rung && is_known_to_fail(run, why))
		return CLIMB_NEXT;
	return rungs[rung].climb(run, why);
}

void run_rungs(struct run *run, const struct err *failure, size_t first, size_t last)
{
	struct err why = *failure;

	run->going_back = true;
	run_journal_evident(run, "ladder", "begin", json_pack("{s:s}", "why", failure->msg));
	for (size_t i = first; i <= last; i++) {
		struct err reason = ERR_INIT;

		enum climb result = climb(run, i, last, &reason);
		if (reason.code != ERR_NONE) {
			why = reason;
			log_info("%s: %s", rungs[i].name, reason.msg);
		}
		if (result != CLIMB_BACK && cancel_count() > run->signals) {
			stop_on_signal(run, rungs[i].name);
			return;
		}
		run_journal_evident(run, rungs[i].name,
		                    result == CLIMB_BACK   ? "back"
		                    : result == CLIMB_NEXT ? "next"
		                                           : "stuck",
		                    json_pack("{s:s}", "why", reason.msg));
		if (result == CLIMB_BACK) {
			arrive(run, &rungs[i]);
			return;
		}
		if (result == CLIMB_STUCK)
			break;
	}
	run_stuck(run, why.msg);
}
