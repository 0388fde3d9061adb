#include "runner/guard/backup_run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/run.h"

#include <stdlib.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

static bool open_run(struct run *run, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	return run_check_keys(run, err) && run_connect(run, err) && run_open_stores(run, err) &&
	       ledger_open(run->db, &names, &run->ledger, err) && run_find_tools(run, err) &&
	       run_lock(run, err) && before_read(run, err);
}

/* For the progress bar's end. */
static bool read_size(struct run *run, struct err *err)
{
	struct fact_int *size = &run->facts.database_bytes;

	if (!db_int(run->db, "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", DB_NO_ARGS,
	            &size->value, err))
		return false;
	size->known = FACT_KNOWN;
	return true;
}

static bool create(struct run *run, struct manifest **out, double *seconds, struct err *err)
{
	if (!open_run(run, err) || !run_refuse_unfinished(run, err) || !read_size(run, err) ||
	    !run_hooks(run, HOOK_BEFORE_BACKUP, NULL, err) || !run_take_backup(run, err) ||
	    !run_verify_backup(run, err) || !run_hooks(run, HOOK_AFTER_BACKUP, NULL, err))
		return false;
	*seconds = run->report->backup_seconds;
	*out = run->manifest;
	run->manifest = NULL;
	return true;
}

bool backup_run_create(const struct config *config, struct manifest **out, double *seconds, struct err *err)
{
	struct run_report report = { .run = "" };
	struct run run;

	run_init(&run, config, &by_hand, &report);
	bool ok = create(&run, out, seconds, err);
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}
