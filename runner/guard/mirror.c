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
				 " journal jsonb NOT NULL DEFAULT '[]', baseline json)";

/* Not after the count of others' writes: the swap has to find the counters where the count left them. */
static bool is_open(const struct run *run)
{
	return run->started && run->db && !db_is_lost(run->db) && !run->foreign_counted;
}

/* The facts of a whole catalog would be written anew with each line: they are in `baseline` or in the backup. */
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

/* What recovery has to compare with, less what the backup has. */
static char *baseline(const struct run *run)
{
	cleanup_json json_t *facts = before_to_json(&run->before);

	if (run->manifest) {
		json_object_del(facts, "schema");
		json_object_del(facts, "roles");
	}
	return json_dumps(facts, JSON_COMPACT);
}

/* The ledger's tables and this run's row, in a transaction whose share is known. */
bool mirror_begin(struct run *run, struct err *err)
{
	const struct unit_seal seal = { .run = run->id, .before = &run->before.counters };
	cleanup_free char *lines = NULL, *question = NULL;

	if (!lines_so_far(run, &lines, err))
		return false;
	cleanup_free char *base = baseline(run);
	cleanup_free char *sql =
		sql_fmt("%s; INSERT INTO ripcord.run (run, token, host, pid, journal, baseline)"
	                " VALUES (%L, %L, %L, %d, %L, %L) ON CONFLICT (run) DO UPDATE SET token = "
	                "excluded.token,"
	                " host = excluded.host, pid = excluded.pid, ended_at = NULL, outcome = NULL",
	                create_sql, run->id, run->token, run->actor_host, (int)getpid(), lines, base);

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
	return sql_fmt(
		"SELECT (CASE WHEN pg_catalog.pg_backend_pid() <> %d THEN 'the session is another one than "
		"at login: "
		"there is a pooler' WHEN token = %L THEN '0' ELSE 'run ' || run || ' was taken over by "
		"another process'"
		" END)::pg_catalog.int4 FROM ripcord.run WHERE run = %L FOR UPDATE",
		db_pid(run->db), run->token, run->id);
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

/* Where the swap has happened, this row is all that another machine has: it comes into the candidate before. */
bool mirror_into(struct run *run, struct db *candidate, struct err *err)
{
	cleanup_free char *lines = NULL;

	if (!lines_so_far(run, &lines, err))
		return false;
	cleanup_free char *sql = sql_fmt(
		"CREATE SCHEMA IF NOT EXISTS ripcord; %s; INSERT INTO ripcord.run (run, token, host, pid, "
		"journal)"
		" VALUES (%L, %L, %L, %d, %L) ON CONFLICT (run) DO UPDATE SET token = excluded.token,"
		" host = excluded.host, pid = excluded.pid, journal = excluded.journal",
		create_sql, run->id, run->token, run->actor_host, (int)getpid(), lines);
	return db_run(candidate, sql, err) || err_wrap(err, "cannot write ripcord.run of the candidate");
}

/* The baseline goes back into the line that it was taken from. */
static bool complete(json_t *lines, const char *text, struct err *err)
{
	json_t *line = (json_t *)journal_find(lines, "before", "done");
	cleanup_json json_t *base = NULL;

	if (!text || !line)
		return true;
	if (!json_parse(text, strlen(text), "ripcord.run", &base, err))
		return false;
	json_object_update_missing(line, base);
	return true;
}

bool mirror_read(struct db *db, const char *run, json_t **lines, char **outcome, struct err *err)
{
	cleanup_rows struct rows *r = NULL;
	cleanup_json json_t *read = NULL;

	*lines = NULL;
	*outcome = NULL;
	if (!db_query(db, "SELECT pg_catalog.to_regclass('ripcord.run')::text", DB_NO_ARGS, &r, err))
		return false;
	if (!rows_get(r, 0, 0))
		return true;
	rows_free(r);
	r = NULL;
	if (!db_query(db,
	              "SELECT journal::text, baseline::text, outcome FROM ripcord.run"
	              " WHERE run = $1::uuid",
	              DB_ARGS(run), &r, err))
		return err_wrap(err, "cannot read ripcord.run");
	if (rows_count(r) == 0)
		return true;
	const char *text = rows_get(r, 0, 0), *base = rows_get(r, 0, 1), *ended = rows_get(r, 0, 2);
	if (!json_parse(text, strlen(text), "ripcord.run", &read, err) || !complete(read, base, err))
		return false;
	*lines = json_incref(read);
	*outcome = ended ? mem_strdup(ended) : NULL;
	return true;
}
