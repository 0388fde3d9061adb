/*
 * A batch: one statement, again and again, a transaction each, until it changes no row.
 *
 * Where it was cut off it begins again: what is done no longer matches, by the statement's own WHERE.
 */
#include "migrations/off.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOK_MS = 50, /* how long a cancel request may stay unseen in a pause */
	LAG_LOOK_MS = 500,
	LAG_WAIT_MAX_MS =
		60000, /* a standby that never catches up (one that is delayed on purpose) must not hold us */
	/* A heap tuple's header and its line pointer, the least that a row takes (storage/bufpage.h,
	 * access/htup_details.h): 23 bytes, padded to 24, and 4. */
	ROW_BYTES_MIN = 28,
	PASSES_MAX = 2,
};

/* ------------------------------------------------------------------ pauses */

static bool rest(int64_t ms, struct err *err)
{
	int64_t until = clock_ms() + ms, left;

	while ((left = until - clock_ms()) > 0 && !cancel_requested())
		clock_sleep_ms(left < LOOK_MS ? left : LOOK_MS);
	return !cancel_requested() || err_set(err, ERR_CANCELLED, "cancelled between two batches");
}

/* Who has replayed everything has no lag, whatever the last measured delay was.  NULL: this role may not see it, or
 * nobody replicates. */
static const char lag_sql[] =
	"SELECT max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn))"
	"::pg_catalog.int8::pg_catalog.text, max(CASE WHEN replay_lsn >= pg_catalog.pg_current_wal_lsn() "
	"THEN 0"
	" ELSE 1000 * extract(epoch FROM replay_lag) END)::pg_catalog.int8::pg_catalog.text"
	" FROM pg_catalog.pg_stat_replication WHERE state = 'streaming'";

static bool lags(struct off *o, bool *behind, struct err *err)
{
	const struct batch_options *options = &o->step->revision->batch_options;
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(o->u->db, lag_sql, DB_NO_ARGS, &rows, err))
		return err_wrap(err, "cannot see how far the standbys are");
	const char *bytes = rows_get(rows, 0, 0), *ms = rows_get(rows, 0, 1);
	*behind =
		(options->max_lag_bytes >= 0 && bytes && strtoll(bytes, NULL, 10) > options->max_lag_bytes) ||
		(options->max_lag_ms >= 0 && ms && strtoll(ms, NULL, 10) > options->max_lag_ms);
	return true;
}

static bool wait_for_standbys(struct off *o, struct err *err)
{
	const struct batch_options *options = &o->step->revision->batch_options;
	int64_t until = clock_ms() + LAG_WAIT_MAX_MS;
	bool behind = options->max_lag_bytes >= 0 || options->max_lag_ms >= 0;

	while (behind && clock_ms() < until)
		if (!lags(o, &behind, err) || (behind && !rest(LAG_LOOK_MS, err)))
			return false;
	return true;
}

/* ------------------------------------------------------------------ an end */

/*
 * More rows than the tables that it writes to can have held: of an UPDATE or DELETE its target, with what inherits from it
 * and its partitions, otherwise the whole database.
 */
static bool most_rows(struct off *o, const struct piece *piece, int64_t *most, struct err *err)
{
	cleanup_classified struct classified c = { .tree = NULL };
	int64_t bytes = 0;

	classify(piece->text, &c);
	bool inserts = !c.body || json_object_get(c.body, "cols") || json_object_get(c.body, "selectStmt") ||
	               json_object_get(c.body, "mergeWhenClauses");
	cleanup_free char *name = inserts ? NULL : range_sql(json_object_get(c.body, "relation"));
	if (!db_int(o->u->db,
	            "WITH RECURSIVE t(oid) AS (SELECT pg_catalog.to_regclass($1)::pg_catalog.oid UNION"
	            " SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN t ON t.oid = i.inhparent)"
	            " SELECT coalesce(sum(pg_catalog.pg_relation_size(oid)),"
	            " pg_catalog.pg_database_size(pg_catalog.current_database()))::pg_catalog.int8 FROM t",
	            DB_ARGS(name), &bytes, err))
		return err_wrap(err, "cannot see how much there is to do");
	*most = PASSES_MAX * (bytes / ROW_BYTES_MIN + 1);
	return true;
}

static bool refuse_endless(struct off *o, const struct piece *piece, const struct statement_at *at,
                           struct err *err)
{
	err_set(err, ERR_REFUSED,
	        "the batch comes to no end: it has changed %" PRId64
	        " rows, more than there can be to change",
	        at->rows);
	err_hint(err, "its WHERE has to leave out the rows that are done");
	return place(o, piece, err);
}

/* ------------------------------------------------------------------ batches */

static bool one_batch(struct off *o, const struct piece *piece, struct statement_at *at, struct err *err)
{
	o->started_ms = clock_ms(); /* the budget for locks is each batch's own */
	o->u->report->attempts = 0;
	for (;;) {
		struct err why = ERR_INIT;
		struct statement_at next = *at;
		o->u->report->attempts++;
		if (run_block(o, piece, &next, &why)) {
			*at = next;
			return true;
		}
		if (db_is_lost(o->u->db))
			o->u->report->left_partial = true; /* perhaps */
		leave_block(o, &why);
		if (is_lock_failure(&why) && wait_to_retry(o->u, o->step, o->started_ms, &why))
			continue;
		*err = why;
		return false;
	}
}

bool run_batch(struct off *o, const struct piece *piece, struct err *err)
{
	const struct statement_watch *watch = o->u->settings->watch;
	struct statement_at at = { .index = o->index, .text = piece->text, .is_batch = true };
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	int64_t most = 0;

	settings_sql(&sql, o->u, o->step, &o->step->revision->batch, false);
	if (!db_run(o->u->db, buf_text(&sql), err) || !most_rows(o, piece, &most, err))
		return false;
	do {
		if (!one_batch(o, piece, &at, err))
			return false;
		o->u->report->left_partial = o->u->report->left_partial || at.batches > 0;
		if (watch && watch->progress)
			watch->progress(watch->ctx, o->step, &at);
		if (at.rows > most)
			return refuse_endless(o, piece, &at, err);
		if (at.has_more &&
		    (!rest(o->step->revision->batch_options.pause_ms, err) || !wait_for_standbys(o, err)))
			return false;
	} while (at.has_more);
	return true;
}
