/*
 * Before a downgrade or a restore: others are fenced off, and what they wrote since the backup is counted.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/proof/evidence.h"

#include <inttypes.h>
#include <string.h>

/* The journal has what the limit was before it is set, so that recovery can put it back. */
bool run_fence(struct run *run, const struct db *more, int places, struct err *err)
{
	struct pids pids = run_pids(run);
	json_int_t limit = json_integer_value(json_object_get(run->before.facts, "connection_limit"));

	if (more)
		pids.v[pids.n++] = db_pid(more);
	int slots = (int)pids.n + places;
	if (run->journal && !run_journal(run, "fence", "begin",
	                                 json_pack("{s:I, s:I, s:i}", "oid", (json_int_t)run->before.oid,
	                                           "before", limit, "ours", slots),
	                                 err))
		return false;
	return fence_set(&run->fence, run->admin, run->before.oid, slots, &pids, err);
}

bool run_fence_open(struct run *run, struct err *err)
{
	if (run->fence.oid == 0)
		return true;
	/* The server is gone, and with it the way to the maintenance database. */
	if (!run->admin)
		return err_set(err, ERR_DB, "the fence of database \"%s\" is still up", run->database);
	if (!fence_open(&run->fence, run->admin, err))
		return false;
	if (run->journal)
		run_journal_evident(run, "fence", "open", NULL);
	return true;
}

/* Then catalog rows are written outside of the transactions whose ids are known. */
static bool has_off_section(const struct run *run)
{
	for (size_t i = 0; run->plan && i < run->plan->n; i++)
		if (!run->plan->steps[i].revision->upgrade.transaction ||
		    !run->plan->steps[i].revision->downgrade.transaction)
			return true;
	return false;
}

/* Where the counters cannot tell, the rows may; not of a command, whose transactions nobody knows. */
static bool count_by_rows(struct run *run, const struct counters *now, struct err *err)
{
	cleanup_units struct units units = { .n = 0 };
	const json_t *objects = json_object_get(manifest_json(run->manifest), "large_objects");
	struct evidence e = { .before = &run->before.counters,
		              .now = now,
		              .snapshot = manifest_str(run->manifest, "snapshot"),
		              .rows = manifest_rows(run->manifest),
		              .large_objects = json_is_integer(objects) ? json_integer_value(objects) : -1,
		              .run = run->id,
		              .units = &units,
		              .own = &run->own,
		              .built_indexes = has_off_section(run) };
	struct foreign_writes found;

	if (!db_int(run->db, "SELECT coalesce(pg_catalog.to_regclass($1)::oid::int8, 0)",
	            DB_ARGS(ledger_table(run->ledger)), &e.version_table, err) ||
	    !units_read(run->db, run->id, &units, err) || !evidence_count(run->db, &e, &found, err))
		return false;
	log_info("the server's counters do not tell what others wrote (%s); the rows %s", run->foreign.why,
	         !found.known    ? "do not, either"
	         : found.lines.n ? "do"
	                         : "say: nothing");
	foreign_writes_clear(&run->foreign);
	run->foreign = found;
	own_share_clear(&run->committed);
	run->committed = units.share;
	units.share = (struct own_share){ .n_relations = 0 };
	run->counted_by_rows = true;
	return true;
}

bool run_fence_and_count(struct run *run, struct err *err)
{
	cleanup_counters struct counters now = { .n_relations = 0 };

	if (run->foreign_counted && run->foreign.known && !run->db)
		return true;
	if (!run_reopen(run, err) || !run_fence(run, NULL, 0, err) || !counters_read(run->db, &now, err))
		return err_wrap(err, "cannot count what others wrote");
	foreign_writes_clear(&run->foreign);
	foreign_writes_count(&run->before.counters, &now, &run->own, &run->foreign);
	if (!run->foreign.known && run->manifest && run->request->verb != GUARD_COMMAND &&
	    !count_by_rows(run, &now, err))
		return err_wrap(err, "cannot count what others wrote");
	run->counted = now.total;
	run->foreign_counted = true;
	for (size_t i = 0; i < run->foreign.lines.n; i++)
		log_info("others' writes since the backup: %s", run->foreign.lines.v[i]);
	return run_journal(run, "count", "done",
	                   json_pack("{s:b, s:I, s:s}", "known", (int)run->foreign.known, "rows",
	                             (json_int_t)run->foreign.rows, "why", run->foreign.why),
	                   err);
}
