/*
 * Before a downgrade or a restore: others are fenced off, and what they wrote since the backup is counted.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* Our session may have been ended by whatever made the run fail. */
static bool connect_again(struct run *run, struct err *err)
{
	cleanup_free char *application = run_application(run, "run");

	if (run->db && !db_is_lost(run->db))
		return true;
	db_close(run->db);
	run->db = NULL;
	return db_open(run->live, application, &run->db, err) || err_wrap(err, "cannot connect again");
}

/* The journal has what the limit was before it is set, so that recovery can put it back. */
bool run_fence(struct run *run, const struct db *more, int places, struct err *err)
{
	struct pids pids = run_pids(run);
	json_int_t limit = json_integer_value(json_object_get(run->before.facts, "connection_limit"));

	if (more)
		pids.v[pids.n++] = db_pid(more);
	int slots = (int)pids.n + places;
	if (run->journal && !journal_write(run->journal, "fence", "begin",
	                                   json_pack("{s:I, s:I, s:i}", "oid", (json_int_t)run->before.oid,
	                                             "before", limit, "ours", slots),
	                                   err))
		return false;
	return fence_set(&run->fence, run->admin, run->before.oid, slots, &pids, err);
}

bool run_fence_and_count(struct run *run, struct err *err)
{
	cleanup_counters struct counters now = { .n_relations = 0 };

	if (run->foreign_counted && run->foreign.known && !run->db)
		return true;
	if (!connect_again(run, err) || !run_fence(run, NULL, 0, err) || !counters_read(run->db, &now, err))
		return err_wrap(err, "cannot count what others wrote");
	foreign_writes_clear(&run->foreign);
	foreign_writes_count(&run->before.counters, &now, &run->own, &run->foreign);
	run->counted = now.total;
	run->foreign_counted = true;
	for (size_t i = 0; i < run->foreign.lines.n; i++)
		log_info("others' writes since the backup: %s", run->foreign.lines.v[i]);
	return run_journal(run, "count", "done",
	                   json_pack("{s:b, s:I, s:s}", "known", (int)run->foreign.known, "rows",
	                             (json_int_t)run->foreign.rows, "why", run->foreign.why),
	                   err);
}
