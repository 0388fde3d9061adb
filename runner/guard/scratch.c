/*
 * The scratch database: the backup's schema, or all of it, restored for real, compared, and dropped again.  A run makes
 * the empty database while pg_dump is working, on a thread that has run->admin and run->scratch for itself until
 * it is joined.  Its name is derived from the run's, so that recovery finds one that a kill has left.
 */
#include "runner/guard/run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/progress.h"
#include "runner/proof/candidate.h"

#include <stdlib.h>

struct names {
	char *database, *comment, *application;
};

static void names_free(struct names *n)
{
	free(n->database);
	free(n->comment);
	free(n->application);
}
#define cleanup_names __attribute__((cleanup(names_free)))

static struct names names_of(const struct run *run)
{
	return (struct names){
		.database = database_derived_name(run->database, "scratch", run->id),
		.comment = mem_fmt("ripcord: scratch database of run %s; may be dropped", run->id),
		.application = run_application(run, "restore"),
	};
}

/* A cancel request may have come when the database was there already. */
bool run_scratch_make(struct run *run, struct err *err)
{
	cleanup_names struct names names = names_of(run);
	const struct candidate_request request =
		run_candidate_request(run, names.database, names.comment, names.application);

	if (run->has_scratch)
		return true;
	bool ok = candidate_create(&request, &run->scratch, err);
	run->has_scratch = ok || err->code == ERR_CANCELLED;
	return ok;
}

bool run_scratch_drop(struct run *run, struct err *err)
{
	cleanup_names struct names names = names_of(run);

	if (!run->has_scratch)
		return true;
	db_close(run->scratch);
	run->scratch = NULL;
	run->has_scratch = false;
	return db_runf(run->admin, err, "DROP DATABASE IF EXISTS %I", names.database);
}

bool run_scratch_give_up(struct run *run, struct err *err)
{
	struct err second = ERR_INIT;

	if (err->code == ERR_CANCELLED)
		cancel_hold(); /* the signal has done its work; what follows is the way back */
	if (!run_scratch_drop(run, &second))
		err_hint(err, "the scratch database is left over and could not be dropped: %s", second.msg);
	return false;
}

bool run_scratch_prove(struct run *run, bool schema_only, struct err *err)
{
	cleanup_names struct names names = names_of(run);

	if (!run_scratch_make(run, err))
		return err_wrap(err, "the backup does not restore");
	struct candidate_request request =
		run_candidate_request(run, names.database, names.comment, names.application);
	request.schema_only = schema_only;
	bool ok = candidate_fill(&request, run->scratch, err);
	progress_finish();
	return ok || err_wrap(err, "the backup does not restore");
}

bool run_restore_scratch(struct run *run, bool schema_only, struct err *err)
{
	return run_scratch_prove(run, schema_only, err) ? run_scratch_drop(run, err)
	                                                : run_scratch_give_up(run, err);
}
