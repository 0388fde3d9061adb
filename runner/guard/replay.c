#include "runner/guard/replay.h"

#include "base/cleanup.h"
#include "runner/guard/prove.h"

bool replay_begin(struct run *run, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	return run_scratch_make(run, err) && run_scratch_dress(run, err) &&
	       ledger_open(run->scratch, &names, &run->ledger, err) &&
	       ledger_create(run->ledger, run->scratch, err);
}

bool replay_unit(struct run *run, const struct step *step, struct err *err)
{
	struct exec_report report;

	return db_run(run->scratch,
	              "CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; DISCARD SEQUENCES;"
	              " SELECT pg_catalog.pg_advisory_unlock_all()",
	              err) &&
	       prove_unit(run, step, NULL, &report, err);
}

bool replay_history(struct run *run, struct err *err)
{
	cleanup_plan struct plan *plan = NULL;

	if (!plan_make(run->graph, ledger_heads(run->ledger), "heads", DIRECTION_UP, &plan, err))
		return false;
	for (size_t i = 0; i < plan->n; i++)
		if (!replay_unit(run, &plan->steps[i], err))
			return err_wrap(err, "the history cannot be replayed: revision %s",
			                plan->steps[i].revision->id);
	return true;
}
