/*
 * Which run is to be recovered, and all that is told of it: by the state folder, by ripcord.run of the live database,
 * and where both are gone by the COMMENTs of databases.
 */
#include "runner/guard/recover.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/restore_run.h"

#include <stdlib.h>
#include <string.h>

void recovery_clear(struct recovery *r)
{
	json_decref(r->lines);
	free(r->id);
	free(r->mirror_outcome);
}

/* ------------------------------------------------------------------ the run's id */

static bool find_in_folder(struct recovery *r, const char *wanted, struct err *err)
{
	struct err none = ERR_INIT;

	if (!wanted)
		return run_unfinished_here(r->run, &r->id, err);
	if (runs_find(r->run->config->state_dir, wanted, &r->id, &none))
		return true;
	if (strstr(none.msg, "several")) {
		*err = none;
		return false;
	}
	return true;
}

static bool find_in_database(struct recovery *r, const char *wanted, struct err *err)
{
	cleanup_free char *there = NULL;

	if (!wanted)
		return run_unfinished_there(r->run, &r->id, err);
	if (!db_value(r->run->db, "SELECT pg_catalog.to_regclass('ripcord.run')::text", DB_NO_ARGS, &there,
	              err) ||
	    (there &&
	     !db_value(r->run->db,
	               "SELECT (SELECT run::text FROM ripcord.run WHERE pg_catalog.starts_with(run::text, $1)"
	               " OR pg_catalog.right(run::text, 8) = $1 ORDER BY started_at DESC LIMIT 1)",
	               DB_ARGS(wanted), &r->id, err)))
		return false;
	if (r->id)
		return true;
	err_set(err, ERR_USAGE, "no run begins with %s", wanted);
	return err_hint(err, "see `ripcord runs`");
}

static void adopt(struct recovery *r)
{
	snprintf(r->run->id, sizeof(r->run->id), "%s", r->id);
	snprintf(r->run->report->run, sizeof(r->run->report->run), "%s", r->id);
}

/* ------------------------------------------------------------------ what is told of it */

/* The mirror knows more than a file that was cut off before the line it was begun with. */
static bool read_mirror(struct recovery *r, struct err *err)
{
	cleanup_json json_t *lines = NULL;

	if (!mirror_read(r->run->db, r->id, &lines, &r->mirror_outcome, err))
		return false;
	r->mirrored = lines != NULL;
	if (lines && (!r->lines || !journal_find(r->lines, "before", "done"))) {
		json_decref(r->lines);
		r->lines = json_incref(lines);
		r->in_folder = false;
	}
	return true;
}

static bool connect_live(struct run *run, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	return run_connect_live(run, err) && run_find_tools(run, err) &&
	       ledger_open(run->db, &names, &run->ledger, err);
}

bool recover_find(struct recovery *r, const char *wanted, struct err *err)
{
	struct run *run = r->run;

	if (!run_connect_maintenance(run, err) || !run_open_stores(run, err) || !run_lock(run, err) ||
	    !db_value(run->admin, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()",
	              DB_NO_ARGS, &run->before.system_identifier, err) ||
	    !find_in_folder(r, wanted, err))
		return false;
	r->in_folder = r->id != NULL;
	if (r->id) {
		adopt(r);
		/* First: an orphan may hold the only place that a fence has left. */
		if (!journal_read(run->config->state_dir, r->id, &r->lines, err) ||
		    !run_end_sessions(run, r->lines, err))
			return false;
	}
	if (!connect_live(run, err))
		return false;
	if (!r->id && !find_in_database(r, wanted, err))
		return false;
	if (!r->id)
		return run_scratch_sweep(run, err) && run_sweep_roles(run->admin, err);
	adopt(r);
	return read_mirror(r, err) && (r->in_folder || run_end_sessions(run, r->lines, err));
}
