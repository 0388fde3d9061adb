/*
 * The journal's mirror: table ripcord.run of the live database.  It is written between the run's transactions on the
 * run's own session; pg_dump leaves its rows out, so that no lock state comes back with a restore.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/proof/units.h"

#include <string.h>
#include <unistd.h>

static const char create_sql[] = "CREATE TABLE IF NOT EXISTS ripcord.run (run uuid PRIMARY KEY, token text "
				 "NOT NULL, host text NOT NULL,"
				 " pid integer NOT NULL, started_at timestamptz NOT NULL DEFAULT now(), "
				 "ended_at timestamptz, outcome text,"
				 " journal jsonb NOT NULL DEFAULT '[]')";

/* Not after the count of others' writes: the swap has to find the counters where the count left them. */
static bool is_open(const struct run *run)
{
	return run->started && run->db && !db_is_lost(run->db) && !run->foreign_counted;
}

/* The facts of a whole catalog are in the journal's file and in the backup; the mirror keeps what recovery needs to
 * find those. */
static json_t *without_bulk(const json_t *line)
{
	static const char *const bulk[] = { "schema", "roles", "identity", "counters" };
	json_t *copy = json_copy((json_t *)line);

	for (size_t i = 0; i < sizeof(bulk) / sizeof(bulk[0]); i++)
		json_object_del(copy, bulk[i]);
	return copy;
}

/* What the journal says so far, from its first line on: another machine has nothing but this. */
static bool lines_so_far(const struct run *run, char **out, struct err *err)
{
	cleanup_json json_t *lines = NULL, *kept = json_array();
	const json_t *line;
	size_t i;

	if (!journal_read(run->config->state_dir, run->id, &lines, err))
		return false;
	json_array_foreach(lines, i, line) json_push(kept, without_bulk(line));
	*out = json_canonical(kept);
	return true;
}

/* The ledger's tables and this run's row, in a transaction whose share is known. */
bool mirror_begin(struct run *run, struct err *err)
{
	const struct unit_seal seal = { .run = run->id, .before = &run->before.counters };
	cleanup_free char *lines = NULL, *question = NULL;

	if (!lines_so_far(run, &lines, err))
		return false;
	cleanup_free char *sql =
		sql_fmt("%s; INSERT INTO ripcord.run (run, token, host, pid, journal)"
	                " VALUES (%L, %L, %L, %d, %L) ON CONFLICT (run) DO UPDATE SET token = excluded.token,"
	                " host = excluded.host, pid = excluded.pid, ended_at = NULL, outcome = NULL",
	                create_sql, run->id, run->token, run->actor_host, (int)getpid(), lines);

	if (!own_share_begin(run->db, err))
		return false;
	/* Another tool's project keeps its own version table. */
	bool ok = (run->request->verb == GUARD_COMMAND
	                   ? db_run(run->db, "CREATE SCHEMA IF NOT EXISTS ripcord", err)
	                   : ledger_create(run->ledger, run->db, err)) &&
	          db_run(run->db, units_create_sql, err) && db_run(run->db, sql, err) &&
	          unit_seal_question(run->db, &seal, &question, err);
	return own_share_end(&run->own, run->db, ok ? question : NULL, err) ||
	       err_wrap(err, "cannot write ripcord's own tables");
}

bool mirror_line(struct run *run, const json_t *line, bool *mirrored, struct err *err)
{
	*mirrored = is_open(run);
	if (!*mirrored)
		return true;
	cleanup_json json_t *kept = without_bulk(line);
	cleanup_free char *text = json_canonical(kept);
	cleanup_rows struct rows *r = NULL;

	return db_query(run->db, "UPDATE ripcord.run SET journal = journal || $1::jsonb WHERE run = $2::uuid",
	                DB_ARGS(text, run->id), &r, err) ||
	       err_wrap(err, "cannot write ripcord.run");
}

bool mirror_end(struct run *run, struct db *db, const char *outcome, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	return db_query(db,
	                "UPDATE ripcord.run SET outcome = $1, ended_at = CASE WHEN $1 <> 'stuck' THEN now() "
	                "END"
	                " WHERE run = $2::uuid",
	                DB_ARGS(outcome, run->id), &r, err) ||
	       err_wrap(err, "cannot write ripcord.run");
}

char *mirror_token_sql(const struct run *run)
{
	/* Another token fails the cast on the server by itself, before the section that follows in the same
	 * message; a row that is gone is seen by its absence. */
	return sql_fmt("SELECT (CASE WHEN token = %L THEN '0' ELSE 'run ' || run || ' was taken over by "
	               "another process'"
	               " END)::pg_catalog.int4 FROM ripcord.run WHERE run = %L FOR UPDATE",
	               run->token, run->id);
}

bool mirror_check_token(struct run *run, struct err *err)
{
	cleanup_free char *token = NULL;

	if (!db_value(run->db, "SELECT (SELECT token FROM ripcord.run WHERE run = $1::uuid)",
	              DB_ARGS(run->id), &token, err))
		return err_wrap(err, "cannot read ripcord.run");
	return (token && strcmp(token, run->token) == 0) ||
	       err_set(err, ERR_REFUSED, "run %s was taken over by another process", run->id);
}
