/*
 * The statements of units that are not one transaction: each is in the journal before it is sent, and what proves that it
 * was done is written to ripcord.run by its own transaction, or right behind it by the same message.
 */
#include "runner/guard/run.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT_KEPT = 400, /* bytes of a statement, for who reads the journal; its digest tells it apart */
	SHOW_EVERY_MS = 2000,
};

/* ------------------------------------------------------------------ before */

/*
 * A bare statement that fails can be asked what it wrote only while its session has not flushed its counts.  The flush now
 * and the mirror's row after it make a mark: as long as that row is among the session's counts, all are.
 */
static bool set_mark(struct run *run, struct err *err)
{
	return (db_server_version(run->db) < 150000 ||
	        db_run(run->db, "SELECT pg_catalog.pg_stat_force_next_flush()", err)) &&
	       db_int(run->db, "SELECT coalesce(pg_catalog.to_regclass('ripcord.run')::oid::int8, 0)",
	              DB_NO_ARGS, &run->mirror_oid, err);
}

static bool before_statement(void *ctx, const struct step *step, const struct statement_at *at,
                             struct err *err)
{
	struct run *run = ctx;
	cleanup_free char *text = mem_strndup(at->text, strnlen(at->text, TEXT_KEPT));

	run->evidenced = false;
	run->statement_ms = run->shown_ms = clock_ms();
	if (json_is_true(json_object_get(at->about, "bare")) && !set_mark(run, err))
		return false;
	return run_journal(run, "statement", "begin",
	                   json_pack("{s:s, s:I, s:o, s:O}", "revision", step->revision->id, "index",
	                             (json_int_t)at->index, "text", json_str(text), "about",
	                             (json_t *)(uintptr_t)at->about),
	                   err);
}

/* ------------------------------------------------------------------ evidence */

static json_t *line_of(const struct step *step, const struct statement_at *at)
{
	json_t *line =
		json_pack("{s:s, s:I}", "revision", step->revision->id, "index", (json_int_t)at->index);

	if (at->is_batch) {
		json_put(line, "rows", json_integer(at->rows));
		json_put(line, "batches", json_integer(at->batches));
	}
	return line;
}

/* Batches overwrite one line, so that a long one does not make the journal long. */
static char *evidence_sql(void *ctx, const struct step *step, const struct statement_at *at)
{
	const struct run *run = ctx;
	cleanup_json json_t *line = line_of(step, at);
	char now[CLOCK_ISO];

	json_put(line, "at", json_str(clock_iso(clock_wall_us(), now)));
	json_put(line, "step", json_str("statement"));
	json_put(line, "event", json_str(at->has_more ? "progress" : "done"));
	cleanup_free char *text = json_canonical(line);
	return sql_fmt("UPDATE ripcord.run SET journal = CASE WHEN journal -> -1 ->> 'event' = 'progress'"
	               " THEN journal - (-1) ELSE journal END || %L::pg_catalog.jsonb"
	               " WHERE run = %L AND token = %L RETURNING 1",
	               text, run->id, run->token);
}

static bool evidence_told(void *ctx, const struct rows *rows, struct err *err)
{
	struct run *run = ctx;

	run->evidenced = rows_count(rows) == 1;
	return run->evidenced ||
	       err_set(err, ERR_REFUSED, "run %s was taken over by another process", run->id);
}

/* The mirror has it from the statement's own transaction; one that a probe found done has no such evidence. */
static bool after_statement(void *ctx, const struct step *step, const struct statement_at *at,
                            struct err *err)
{
	struct run *run = ctx;
	json_t *line = line_of(step, at);

	json_put(line, "own", own_share_to_json(&run->own));
	return run->evidenced ? journal_write(run->journal, "statement", "done", line, err)
	                      : run_journal(run, "statement", "done", line, err);
}

/* ------------------------------------------------------------------ what a failed one wrote */

static bool share_of_cut(void *ctx, const struct rows *rows, bool *whole, struct err *err)
{
	struct run *run = ctx;

	*whole = false;
	for (size_t i = 0; i < rows_count(rows); i++)
		*whole = *whole || rows_int(rows, i, 0) == run->mirror_oid;
	return !*whole || own_share_add(&run->own, rows, err);
}

static void share_lost(void *ctx, const char *why)
{
	struct run *run = ctx;

	if (!run->own.unknown)
		snprintf(run->own.why, sizeof(run->own.why), "%s", why);
	run->own.unknown = true;
}

/* ------------------------------------------------------------------ batches */

static void show_batch(void *ctx, const struct step *step, const struct statement_at *at)
{
	struct run *run = ctx;
	int64_t now = clock_ms(), took = now - run->statement_ms;

	if (at->has_more && now - run->shown_ms < SHOW_EVERY_MS)
		return;
	run->shown_ms = now;
	log_info("revision %s: %" PRId64 " rows in %" PRId64 " batches, %" PRId64 " rows/s",
	         step->revision->id, at->rows, at->batches, took > 0 ? at->rows * 1000 / took : at->rows);
}

struct statement_watch run_statement_watch(struct run *run)
{
	return (struct statement_watch){ .before = before_statement,
		                         .evidence = evidence_sql,
		                         .told = evidence_told,
		                         .after = after_statement,
		                         .cut = share_of_cut,
		                         .lost = share_lost,
		                         .progress = show_batch,
		                         .ctx = run };
}
