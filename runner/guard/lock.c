#include "runner/guard/run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

/*
 * An advisory lock in the maintenance database: one in the live database would have to be given up for the swap,
 * and the same key is free in every other database (proof.md section 6).  The session that holds it does nothing else
 * and has no transaction open, so that CREATE INDEX CONCURRENTLY never waits for it.
 */
#define LOCK_KEY "pg_catalog.hashtextextended('ripcord:' || $1, 0)"

enum { SAY_EVERY_MS = 10000, POLL_BASE_MS = 25, POLL_CAP_MS = 2000 };

static bool try_lock(struct run *run, bool *got, struct err *err)
{
	cleanup_free char *answer = NULL;

	if (!db_value(run->lock, "SELECT pg_catalog.pg_try_advisory_lock(" LOCK_KEY ")",
	              DB_ARGS(run->database), &answer, err))
		return false;
	*got = answer[0] == 't';
	return true;
}

/* The holder's application_name is "ripcord/<run8>/lock HOST:PID". */
static bool describe_holder(struct run *run, char **out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(run->lock,
	              "SELECT a.application_name, a.pid, a.backend_start::text FROM pg_catalog.pg_locks l"
	              " JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' "
	              "AND l.granted"
	              " AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_catalog.pg_database"
	              "  WHERE datname = pg_catalog.current_database())"
	              " AND (l.classid::int8 << 32) | l.objid::int8 = " LOCK_KEY,
	              DB_ARGS(run->database), &r, err))
		return false;
	*out = rows_count(r) == 0 ? mem_strdup("a session that has just ended")
	                          : mem_fmt("%s (backend %s, since %s)", rows_get(r, 0, 0), rows_get(r, 0, 1),
	                                    rows_get(r, 0, 2));
	return true;
}

static bool refuse_locked(struct run *run, struct err *err)
{
	cleanup_free char *holder = NULL;

	if (!describe_holder(run, &holder, err))
		return false;
	err_set(err, ERR_LOCKED, "another run holds the lock of database \"%s\": %s", run->database, holder);
	return err_hint(err, "wait for it (--wait), or see `ripcord runs`");
}

static bool open_session(struct run *run, struct err *err)
{
	cleanup_free char *what = mem_fmt("lock %.24s:%d", run->actor_host, (int)getpid());

	return run->lock ||
	       (run_open(run, run->maintenance, what, &run->lock, err) &&
	        (db_server_version(run->lock) < 140000 ||
	         db_run(run->lock, "SET idle_session_timeout = 0", err)) &&
	        db_run(run->lock, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0",
	               err));
}

bool run_lock_again(struct run *run, struct err *err)
{
	bool got;

	db_close(run->lock);
	run->lock = NULL;
	if (!open_session(run, err) || !try_lock(run, &got, err))
		return err_wrap(err, "cannot take the lock again");
	return got || refuse_locked(run, err);
}

bool run_lock(struct run *run, struct err *err)
{
	int64_t said = clock_ms() - SAY_EVERY_MS;
	bool got;

	if (!open_session(run, err))
		return err_wrap(err, "cannot take the lock");
	for (int attempt = 0;; attempt++) {
		if (!try_lock(run, &got, err))
			return err_wrap(err, "cannot take the lock");
		if (got)
			return true;
		if (!run->request->wait)
			return refuse_locked(run, err);
		if (clock_ms() - said >= SAY_EVERY_MS) {
			cleanup_free char *holder = NULL;
			if (!describe_holder(run, &holder, err))
				return false;
			log_info("waiting for the lock of database \"%s\", held by %s", run->database,
			         holder);
			said = clock_ms();
		}
		clock_sleep_ms(POLL_BASE_MS + clock_backoff_ms(attempt, POLL_BASE_MS, POLL_CAP_MS));
		if (cancel_requested())
			return err_set(err, ERR_CANCELLED, "cancelled while waiting for the lock");
	}
}

/* ------------------------------------------------------------------ unfinished runs */

bool run_unfinished_here(struct run *run, char **id, struct err *err)
{
	cleanup_strv struct strv runs = STRV_INIT;

	if (!journal_runs(run->config->state_dir, &runs, err))
		return false;
	for (size_t i = 0; i < runs.n; i++) {
		cleanup_json json_t *lines = NULL;
		bool ended;
		if (!journal_has_ended(run->config->state_dir, runs.v[i], &ended, err))
			return false;
		if (ended)
			continue;
		if (!journal_read(run->config->state_dir, runs.v[i], &lines, err))
			return false;
		const json_t *begin = journal_find(lines, "run", "begin");
		const char *database = json_string_value(json_object_get(begin, "database"));
		const char *system = json_string_value(json_object_get(begin, "system_identifier"));
		if (journal_is_finished(lines) || strcmp(runs.v[i], run->id) == 0)
			continue;
		/* A state folder may serve several databases; a journal without a first line is of a run that did nothing. */
		if (!database || strcmp(database, run->database) != 0 ||
		    (system && run->before.system_identifier &&
		     strcmp(system, run->before.system_identifier) != 0))
			continue;
		*id = mem_strdup(runs.v[i]);
		return true;
	}
	return true;
}

bool run_unfinished_there(struct run *run, char **id, struct err *err)
{
	cleanup_free char *there = NULL;

	if (!db_value(run->db, "SELECT pg_catalog.to_regclass('ripcord.run')::text", DB_NO_ARGS, &there, err))
		return false;
	if (!there)
		return true;
	return db_value(run->db,
	                "SELECT (SELECT run::text FROM ripcord.run WHERE ended_at IS NULL AND run <> $1::uuid"
	                " ORDER BY started_at DESC LIMIT 1)",
	                DB_ARGS(run->id), id, err);
}

bool run_unfinished(struct run *run, char **id, struct err *err)
{
	*id = NULL;
	return run_unfinished_here(run, id, err) && (*id || run_unfinished_there(run, id, err));
}

bool run_refuse_unfinished(struct run *run, struct err *err)
{
	cleanup_free char *id = NULL;

	if (!run_unfinished(run, &id, err))
		return false;
	if (!id)
		return true;
	err_set(err, ERR_LOCKED, "run %s on database \"%s\" is unfinished", id, run->database);
	return err_hint(err, "see `ripcord runs show %s`, then `ripcord recover %s`", uuid_short(id),
	                uuid_short(id));
}
