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

/* Ended between the two statements that make it, a scratch database has no comment: then it must bear the id of a run
 * that the state folder knows. */
static bool was_made_here(const struct strv *runs, const char *comment, const char *short_id)
{
	for (size_t i = 0; i < runs->n && !comment; i++)
		if (strcmp(uuid_short(runs->v[i]), short_id) == 0)
			return true;
	return comment != NULL;
}

static void drop_scratch(struct run *run, const char *name)
{
	struct err left = ERR_INIT;

	if (database_drop(run->admin, name, &left))
		log_info("database \"%s\" was left over, and is dropped", name);
	else
		log_warn("database \"%s\" is left over: %s", name, left.msg);
}

/* Nobody else works on this database while we hold its lock: what is named after it was left by a run that is told of
 * nowhere any more. */
static bool sweep_scratch(struct run *run, struct err *err)
{
	cleanup_free char *like = database_derived_name(run->database, "scratch", run->id);
	const size_t n = strlen(like) - strlen(uuid_short(run->id));
	cleanup_rows struct rows *r = NULL;
	cleanup_strv struct strv runs = STRV_INIT;

	like[n] = '\0';
	if (!journal_runs(run->config->state_dir, &runs, err) ||
	    !db_query(
		    run->admin,
		    "SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database') FROM "
		    "pg_catalog.pg_database d"
		    " WHERE pg_catalog.starts_with(d.datname, $1)"
		    " AND coalesce(pg_catalog.shobj_description(d.oid, 'pg_database') LIKE 'ripcord: scratch "
		    "database %', true)"
		    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
		    DB_ARGS(like), &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++)
		if (was_made_here(&runs, rows_get(r, i, 1), rows_get(r, i, 0) + n))
			drop_scratch(run, rows_get(r, i, 0));
	return true;
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
		return sweep_scratch(run, err);
	adopt(r);
	return read_mirror(r, err) && (r->in_folder || run_end_sessions(run, r->lines, err));
}
