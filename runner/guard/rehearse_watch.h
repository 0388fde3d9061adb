/*
 * rehearse_watch.h - what each statement of a rehearsed revision does to the database, as the server tells it.
 *
 * Asked behind each statement, inside its transaction: locks on relations that were there before the rehearsal
 * (pg_locks), storage that is another than before (pg_relation_filenode), sizes, WAL (pg_current_wal_insert_lsn), and which
 * of them it has read (pg_stat_xact_all_tables): what of it takes longer where they are larger.
 * Asking takes time of its own, which is in none of the times.
 */
#ifndef RUNNER_GUARD_REHEARSE_WATCH_H
#define RUNNER_GUARD_REHEARSE_WATCH_H

#include "base/db.h"
#include "base/json.h"
#include "migrations/migrations.h"

/* A relation as it is at one moment. */
struct seen {
	int64_t oid, filenode, bytes; /* filenode 0: it has no storage of its own */
	int64_t table;                /* an index's; else 0 */
	char *name;
	char kind;                    /* pg_class.relkind */
};
struct seen_list {
	struct seen *v; /* by OID */
	size_t n;
};

/* How often the transaction that is open has read a relation so far. */
struct scans {
	int64_t oid, n;
};
struct scans_list {
	struct scans *v; /* by OID */
	size_t n;
};

struct held {
	int64_t oid, since_ms;
	size_t from; /* the statement that took it */
	char mode[32];
};

struct rehearse_watch {
	struct db *db;
	const char *version_table;    /* left out, as is the schema ripcord */
	struct seen_list first, last; /* before the rehearsal; behind the last statement */
	struct scans_list scans;      /* before the statement in hand */
	struct held *held;            /* locks of the transaction that is open */
	size_t n_held;
	json_t *statements, *locks;   /* of the revision in hand */
	json_t *told;                 /* locks, as a transaction=off statement's own transaction told them */
	char *lsn;                    /* before the statement in hand */
	int64_t began_ms, spent_ms;   /* spent: by asking */
	int64_t rows;
	bool bare;                    /* the statement in hand takes no transaction block: its locks are gone behind it */
};

MUST_CHECK bool rehearse_watch_start(struct rehearse_watch *w, struct db *db, const char *version_table, struct err *err);
void rehearse_watch_clear(struct rehearse_watch *w);
struct statement_watch rehearse_watch_of(struct rehearse_watch *w);

/* Milliseconds on a clock that stands still while the server is asked. */
int64_t rehearse_watch_ms(const struct rehearse_watch *w);
/* A revision begins; and ends, in *out: {statements[], locks[], growth_bytes}.  Behind a failure `last` is not read. */
void rehearse_watch_begin(struct rehearse_watch *w);
MUST_CHECK bool rehearse_watch_end(struct rehearse_watch *w, bool committed, json_t *out, struct err *err);

#endif
