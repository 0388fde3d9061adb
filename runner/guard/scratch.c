/*
 * The scratch database: the backup's schema, or all of it, restored for real, compared, and dropped again; or revisions
 * that are tried.  A run makes the empty database while pg_dump is working, on a thread that has run->admin and run->scratch for itself until
 * it is joined.  Its name is derived from the run's, so that recovery finds one that a kill has left.
 */
#include "runner/guard/run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/progress.h"
#include "runner/proof/candidate.h"

#include <stdlib.h>
#include <string.h>

enum { MADE_WITHIN_MS = 10000, LOOK_EVERY_MS = 50 };

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
	/* Without the lock, in a drill, a run may be about to use its own. */
	if (run->lock && !run_scratch_sweep(run, err))
		return false;
	bool ok = candidate_create(&request, &run->scratch, err);
	run->has_scratch = ok || err->code == ERR_CANCELLED;
	return ok;
}

bool run_scratch_drop(struct run *run, struct err *err)
{
	if (!run->has_scratch)
		return true;
	cleanup_names struct names names = names_of(run);
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

/* ------------------------------------------------------------------ to work in */

bool run_scratch_dress(struct run *run, struct err *err)
{
	cleanup_names struct names names = names_of(run);
	cleanup_free char *settings = database_settings_sql(names.database, run->before.facts);
	cleanup_conninfo struct conninfo *target = conninfo_with(run->live, "dbname", names.database);
	struct db *bare = run->scratch;

	/* The grant is the default one, which its making has taken away; nobody else may connect to use it. */
	if (!db_runf(run->admin, err, "GRANT TEMPORARY ON DATABASE %I TO PUBLIC", names.database) ||
	    !db_run(run->admin, settings, err))
		return false;
	run->scratch = NULL;
	bool ok = run_open(run, target, "scratch", &run->scratch, err) &&
	          db_run(run->scratch,
	                 "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
	                 " SET default_transaction_read_only = off;"
	                 " SET default_transaction_isolation = 'read committed'; SET row_security = off",
	                 err);
	db_close(bare); /* last: without a session in it, it looks like one that was left over */
	return ok;
}

/* ------------------------------------------------------------------ what a kill has left */

/* What all names of this database's scratch databases begin with. */
static char *scratch_prefix(const struct run *run)
{
	char *like = database_derived_name(run->database, "scratch", run->id);

	like[strlen(like) - strlen(uuid_short(run->id))] = '\0';
	return like;
}

/* A backend goes on with CREATE DATABASE when its client is dead, and nobody sees the database before its end.  One that
 * takes longer than we wait is left to the next sweep. */
static bool wait_for_making(struct run *run, const char *prefix, struct err *err)
{
	const int64_t deadline = clock_ms() + MADE_WITHIN_MS;
	cleanup_free char *making = sql_fmt("CREATE DATABASE %I", prefix);
	int64_t n;

	making[strlen(making) - 1] = '\0'; /* the name goes on */
	do {
		if (!db_int(run->admin,
		            "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active'"
		            " AND pg_catalog.starts_with(query, $1)",
		            DB_ARGS(making), &n, err))
			return false;
		if (n == 0)
			return true;
		clock_sleep_ms(LOOK_EVERY_MS);
	} while (clock_ms() < deadline && !cancel_requested());
	return true;
}

/* One with a comment may be dropped, as that says.  A run, a drill or a verification that is alive has a session. */
static const char left_sql[] =
	"SELECT d.datname, d.datconnlimit::int8, s.description IS NOT NULL FROM pg_catalog.pg_database d"
	" LEFT JOIN pg_catalog.pg_shdescription s ON s.objoid = d.oid"
	"  AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass"
	" WHERE pg_catalog.starts_with(d.datname, $1)"
	" AND pg_catalog.substr(d.datname, pg_catalog.length($1) + 1) ~ '^[0-9a-f]{8}$'"
	" AND coalesce(s.description LIKE 'ripcord: scratch database %', true)"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid OR"
	"  pg_catalog.starts_with(a.application_name, 'ripcord/' || pg_catalog.right(d.datname, 8) || '/'))";

/* Normal objects' OIDs begin at 16384 (PostgreSQL, access/transam.h); template0 has none. */
static const char has_objects_sql[] = "SELECT (EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384)"
				      " OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384)"
				      " OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE oid >= 16384)"
				      " OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE oid >= 16384)"
				      " OR EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata))::int4";

static bool check_empty(const struct run *run, const char *name, struct err *err)
{
	cleanup_conninfo struct conninfo *there = conninfo_with(run->live, "dbname", name);
	cleanup_free char *application = run_application(run, "sweep");
	cleanup_db struct db *db = NULL;
	int64_t has_objects;

	return db_open(there, application, &db, err) &&
	       db_int(db, has_objects_sql, DB_NO_ARGS, &has_objects, err) &&
	       (!has_objects || err_set(err, ERR_REFUSED, "it is not empty"));
}

static void drop_left(const struct run *run, const char *name, bool told)
{
	struct err why = ERR_INIT;

	if ((told || check_empty(run, name, &why)) && database_drop(run->admin, name, &why))
		log_info("database \"%s\" was left over, and is dropped", name);
	else
		log_warn("database \"%s\" is left over: %s", name, why.msg);
}

/* Nobody else works on this database while we hold its lock: what is named after it was left by a run that is told of
 * nowhere any more. */
bool run_scratch_sweep(struct run *run, struct err *err)
{
	cleanup_free char *prefix = scratch_prefix(run);
	cleanup_rows struct rows *r = NULL;

	if (!wait_for_making(run, prefix, err) || !db_query(run->admin, left_sql, DB_ARGS(prefix), &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++) {
		const char *name = rows_get(r, i, 0);
		bool told = rows_get(r, i, 2)[0] == 't';

		/* Ended between the two statements that make it; anything else without a comment is not ours. */
		if (told || rows_int(r, i, 1) == database_mark(name))
			drop_left(run, name, told);
	}
	return true;
}

static bool has_idle_scratch(struct run *run, bool *out, struct err *err)
{
	cleanup_free char *like = scratch_prefix(run);
	int64_t n;

	if (!db_int(run->admin,
	            "SELECT count(*) FROM pg_catalog.pg_database d WHERE pg_catalog.starts_with(d.datname, "
	            "$1)"
	            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
	            DB_ARGS(like), &n, err))
		return false;
	*out = n > 0;
	return true;
}

/* The lock keeps a run out whose scratch database is there already, and has no session in it yet; that of a run which has
 * not ended is for `recover`. */
bool run_scratch_tidy(struct run *run, struct err *err)
{
	cleanup_free char *unfinished = NULL;
	struct err held = ERR_INIT;
	bool idle;

	if (!has_idle_scratch(run, &idle, err))
		return false;
	if (!idle)
		return true;
	bool ok = !run_lock(run, &held) ||
	          (run_unfinished_here(run, &unfinished, err) && (unfinished || run_scratch_sweep(run, err)));
	db_close(run->lock);
	run->lock = NULL;
	return ok;
}
