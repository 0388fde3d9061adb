/*
 * counters.h - what the server's own counters say of a database at one moment, and what two such
 * readings less our own share tell of others' writes.
 *
 * proof.md section 1.  The rule: an over-count, a doubt, an unknown only refuses; an under-count must
 * not be possible.  Hence:
 *  - the baseline is read before the backup's snapshot, the last reading after a fence, when every other
 *    backend has ended and so has flushed what it had counted;
 *  - readings are believed only if the postmaster, the counters and the timeline are the same ones, and
 *    track_counts was on (the crash of a backend loses all counters, and neither the postmaster's start nor the
 *    database's stats_reset shows it; the background writer's does);
 *  - a table that vanished took its counts along, so then the database's totals must balance;
 *  - nextval() takes no transaction id and counts no row: values of sequences are compared.
 * Counters are in shared memory and flushed by pg_stat_force_next_flush() since PostgreSQL 15: on older
 * servers a reading is never believed.
 */
#ifndef RUNNER_PROOF_COUNTERS_H
#define RUNNER_PROOF_COUNTERS_H

#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

#include <stdint.h>

struct tuples {
	int64_t inserted, updated, deleted; /* rows */
};

struct relation_counts {
	int64_t oid;
	char *name; /* qualified, quoted where SQL needs it */
	struct tuples rows;
	bool is_temporary;
	int64_t filenode; /* where its rows are stored; 0 in a share */
};

/* The one of that OID in a list that is sorted by OID; NULL: none.  Borrowed. */
const struct relation_counts *relation_counts_find(const struct relation_counts *list, size_t n, int64_t oid);

struct sequence_value {
	int64_t oid;
	char *name, *value; /* "last_value,is_called" as text: exact for every type */
	bool descends;      /* its increment is negative */
};

struct counters {
	char *postmaster_start, *stats_reset; /* text; stats_reset "" while never reset */
	char *collected_since; /* text; pg_stat_bgwriter.stats_reset: new when a backend's crash lost all counters */
	char *timeline, *system_identifier;
	char *snapshot; /* pg_current_snapshot(): xmin:xmax:xip,... */
	bool track_counts;
	int server_version;
	struct tuples total;  /* pg_stat_database of this database */
	int64_t sessions;     /* established so far, pg_stat_database */
	struct relation_counts *relations; /* sorted by oid; catalogs and TOAST tables among them, shared ones not */
	size_t n_relations;
	struct sequence_value *sequences; /* sorted by oid */
	size_t n_sequences;
	struct strv prepared; /* transactions that nobody has ended yet, by their names; not in the journal */
};

/* Forces this session's own counts out first.  Needs no open transaction. */
MUST_CHECK bool counters_read(struct db *db, struct counters *out, struct err *err);
void counters_clear(struct counters *c);
/* What changes when counters begin at zero again, as one text, the caller's; and the SELECT of the same. */
char *counters_since(const struct counters *c);
extern const char counters_since_sql[];
#define cleanup_counters __attribute__((cleanup(counters_clear)))

/* For the journal, so that another process can go on counting. */
json_t *counters_to_json(const struct counters *c);
MUST_CHECK bool counters_from_json(const json_t *j, struct counters *out, struct err *err);

/*
 * Our own share: what this run's transactions did, table by table, as their own sessions said before they ended.
 * Sequences are only named: what we and what others took of one that we used cannot be told apart.
 */
struct own_share {
	struct relation_counts *relations; /* sorted by oid; name is NULL */
	size_t n_relations;
	int64_t *sequences; /* OIDs, sorted */
	size_t n_sequences;
	bool database;      /* it changed facts of the database itself, which are in shared catalogs */
	bool unknown;        /* a transaction's share was lost with its session, or cannot be told from others' */
	char why[160];      /* of unknown, "" for a lost session */
};

/*
 * The questions to ask inside a transaction, before it ends: of what it has written so far.
 * Rows: oid, kind, inserted, updated, deleted; kind 'D' is the sum over the shared catalogs that describe databases.
 * After a failure, behind a ROLLBACK TO, every table is asked: that gives locks back but keeps the counts.  The lock on a
 * sequence that nextval() and setval() take belongs to the whole transaction, so only those that it used are named.
 */
char *own_share_aborted_sql(const struct db *db); /* the caller's */
/* Before COMMIT only the relations that the transaction has locked and the catalogs are asked: writing takes a lock that is
 * kept to the end, except for the catalogs'.  Which catalogs there are is looked up now and not with each transaction.
 * *out is the caller's. */
MUST_CHECK bool own_share_question(struct db *db, char **out, struct err *err);
MUST_CHECK bool own_share_add(struct own_share *own, const struct rows *answer, struct err *err);
/* A transaction around statements of our own bookkeeping: the question is asked, COMMIT checked; NULL: they went
 * wrong.  On false the transaction is rolled back. */
MUST_CHECK bool own_share_begin(struct db *db, struct err *err);
MUST_CHECK bool own_share_end(struct own_share *own, struct db *db, const char *question, struct err *err);
/* All that was counted between two readings is this run's doing: a command's that it ran while nobody else was there. */
void own_share_add_window(struct own_share *own, const struct counters *start, const struct counters *end);
const struct relation_counts *own_share_of(const struct own_share *own, int64_t oid);
bool own_share_has_sequence(const struct own_share *own, int64_t oid);
json_t *own_share_to_json(const struct own_share *own);
MUST_CHECK bool own_share_from_json(const json_t *j, struct own_share *out, struct err *err);
void own_share_clear(struct own_share *own);

/* `is` stands behind `was`: it hands out numbers again that had been handed out there. */
bool sequence_is_behind(const struct sequence_value *was, const struct sequence_value *is);

/* What others did between two readings. */
struct foreign_writes {
	bool known;        /* false: cannot be counted; `why` says it */
	int64_t rows;      /* inserted, updated and deleted, all tables */
	struct strv lines; /* "public.invoice: 3 inserted", "sequence public.s moved from 5,t to 9,t" */
	char why[256];
	bool vanished;     /* `lines` tell of tables that are gone */
};

void foreign_writes_count(const struct counters *before, const struct counters *now, const struct own_share *own,
                          struct foreign_writes *out);
/* Not known, because of this; the first reason is kept. */
void foreign_writes_doubt(struct foreign_writes *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Nobody wrote, or all that was written is known to be ours. */
bool foreign_writes_none(const struct foreign_writes *f);
void foreign_writes_clear(struct foreign_writes *f);

#endif
