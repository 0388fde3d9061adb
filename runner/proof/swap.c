#include "runner/proof/swap.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/proof/database.h"

#include <inttypes.h>
#include <string.h>

enum { LOOK_EVERY_MS = 10, ATTEMPTS = 3 };

/* RENAME polls for five seconds for the other sessions to go (CountOtherDBBackends()); whoever slipped in between
 * the fence and its lock is ended from the second connection. */
static bool rename_live(const struct swap_request *s, struct db *db, struct db *ender, struct err *err)
{
	cleanup_free char *sql = sql_fmt("ALTER DATABASE %I RENAME TO %I", s->live, s->quarantine);
	/* Whether it helped is what the RENAME says. */
	cleanup_free char *end = mem_fmt(
		"SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
		" WHERE datid = %" PRId64 " AND backend_type NOT IN ('parallel worker', 'autovacuum worker')",
		s->live_oid);

	if (!db_start(db, sql, err))
		return false;
	while (db_is_busy(db)) {
		db_try(ender, end);
		clock_sleep_ms(LOOK_EVERY_MS);
	}
	return db_finish(db, err);
}

static bool check_oid(struct db *db, const char *name, int64_t want, struct err *err)
{
	int64_t is;

	if (!database_oid(db, name, &is, err))
		return false;
	return is == want ||
	       err_set(err, ERR_REFUSED,
	               "database \"%s\" is another one (OID %" PRId64 ") than the journal says (%" PRId64 ")",
	               name, is, want);
}

/* What a session that was ended a moment ago had written reached the counters when it ended. */
static bool check_unmoved(const struct swap_request *s, struct db *db, struct swap_end *end, struct err *err)
{
	cleanup_free char *oid = mem_fmt("%" PRId64, s->live_oid);
	cleanup_rows struct rows *r = NULL;

	if (!s->counted)
		return true;
	if (!db_run(db, "SELECT pg_catalog.pg_stat_clear_snapshot()", err) ||
	    !db_query(db,
	              "SELECT tup_inserted, tup_updated, tup_deleted FROM pg_catalog.pg_stat_database WHERE "
	              "datid = $1::oid",
	              DB_ARGS(oid), &r, err))
		return false;
	if (rows_count(r) == 1 && rows_int(r, 0, 0) == s->counted->inserted &&
	    rows_int(r, 0, 1) == s->counted->updated && rows_int(r, 0, 2) == s->counted->deleted)
		return true;
	end->moved = true;
	return err_set(err, ERR_REFUSED,
	               "somebody wrote to \"%s\" after the writes of others had been counted", s->live);
}

static bool check_lock(const struct swap_request *s, struct err *err)
{
	int64_t one;

	if (db_int(s->lock, "SELECT 1", DB_NO_ARGS, &one, err))
		return true;
	return err_wrap(err, "the run's lock is lost, so nothing is swapped");
}

static bool swap_in_transaction(const struct swap_request *s, struct db *db, struct db *ender,
                                struct swap_end *end, struct err *err)
{
	cleanup_free char *facts = database_facts_sql(s->live, s->facts);

	return db_run(db, "BEGIN", err) && rename_live(s, db, ender, err) &&
	       check_oid(db, s->quarantine, s->live_oid, err) &&
	       check_oid(db, s->candidate, s->candidate_oid, err) && check_unmoved(s, db, end, err) &&
	       db_runf(db, err, "ALTER DATABASE %I RENAME TO %I", s->candidate, s->live) &&
	       db_run(db, facts, err) &&
	       /* Last, and nothing before it: a kill after an earlier one would lock everybody out, recovery too. */
	       db_runf(db, err, "COMMENT ON DATABASE %I IS %L; ALTER DATABASE %I ALLOW_CONNECTIONS false",
	               s->quarantine, s->quarantine_comment, s->quarantine) &&
	       check_lock(s, err);
}

/* COMMIT without an answer: which database has the live name tells what became of it. */
static bool ask_what_became(const struct swap_request *s, struct swap_end *end, struct err *err)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		cleanup_db struct db *db = NULL;
		struct err again = ERR_INIT;
		int64_t is;

		if (db_open(s->maintenance, s->application, &db, &again) &&
		    database_oid(db, s->live, &is, &again))
			return is == s->candidate_oid;
		clock_sleep_ms(1000);
	}
	end->unknown = true;
	return err_wrap(err, "it is not known whether the databases were swapped");
}

bool swap_databases(const struct swap_request *s, struct swap_end *end, struct err *err)
{
	cleanup_db struct db *db = NULL, *ender = NULL;

	*end = (struct swap_end){ .moved = false };
	if (!db_open(s->maintenance, s->application, &db, err) ||
	    !db_open(s->maintenance, s->application, &ender, err))
		return err_wrap(err, "cannot swap the databases");
	if (!swap_in_transaction(s, db, ender, end, err)) {
		db_try(db, "ROLLBACK"); /* a lost connection is rolled back by the server */
		return err_wrap(err, "cannot swap the databases");
	}
	if (db_run(db, "COMMIT", err))
		return strcmp(db_tag(db), "COMMIT") == 0 ||
		       err_set(err, ERR_DB, "the server answered the swap's COMMIT with %s", db_tag(db));
	if (!db_is_lost(db))
		return err_wrap(err, "cannot swap the databases");
	if (!ask_what_became(s, end, err))
		return false;
	*err = (struct err)ERR_INIT;
	return true;
}
