/*
 * facts.h - gathers what the gates look at: from the server in one round trip, from the stores, the disk.
 *
 * What cannot be had (a missing right, an older server) is an unknown fact, not an error.  The guard fills
 * in what it alone knows: heads_in_files, one_head_needed, steps, no_downgrade, unfinished_run, unmodelled,
 * foreign_writes_per_s, backup_waived, waiver_reason, and the ladder where the command line changes it.
 */
#ifndef RUNNER_FACTS_H
#define RUNNER_FACTS_H

#include "backup/backup.h"
#include "base/db.h"
#include "base/err.h"
#include "policies/policies.h"
#include "runner/config.h"

/*
 * `out` is empty before (= { 0 }), and cleared by the caller with facts_clear().  The connection must be
 * idle and is left so; nothing is changed, no store is written to.
 * Errors: ERR_DB when the connection is lost, ERR_CANCELLED.
 */
MUST_CHECK bool facts_gather(const struct config *c, struct db *db, const struct stores *stores, struct facts *out,
                             struct err *err);

/* A copy that lives as long as the facts, for strings that the caller fills in. */
const char *facts_keep(struct facts *f, const char *text);

/*
 * What may still be written on the disk of the server's database: where the server is this machine (a UNIX
 * socket or a loopback address, and a postmaster.pid of that port in a data folder that we can read), of
 * its disk; else unknown.  Borrowed texts may be NULL: unknown.
 */
struct server_place {
	const char *address;         /* inet_server_addr(), NULL over a UNIX socket */
	const char *data_directory;  /* NULL when the role may not know it */
	const char *tablespace;      /* the database's own, "" for the data folder */
	const char *port;
	int64_t started_s;           /* pg_postmaster_start_time(), seconds since 1970 */
};
struct fact_int facts_server_free(const struct server_place *place);

#endif
