/*
 * source.h - where a schema is that is compared: what somebody wants it to be, or what it was.
 *
 *     live                 the configured database
 *     replay               the history: all revisions of the folder, applied one after another
 *     postgresql://...     another database (also "host=... dbname=...")
 *     backup:ID            a backup's schema
 *     command:PROGRAM ...  a program that prints SQL, run in the configuration's folder without a shell
 *     PATH                 a file of SQL, or a folder: its *.sql files by their paths' bytes, folders in it included
 *
 * All but live and other databases are loaded into a scratch database on the live database's server, made like the live one, and
 * dropped by source_close(); what a kill has left is dropped by the next that makes one.  SQL runs as [database]
 * role, or the URL's, a statement at a time: what it does beyond its database (roles, tablespaces) stays.  Revisions that
 * would reach beyond it are refused, as `prove` refuses them.
 */
#ifndef RUNNER_GUARD_SOURCE_H
#define RUNNER_GUARD_SOURCE_H

#include "base/db.h"
#include "base/err.h"
#include "runner/config.h"

struct source;
struct renames;
struct run;

/* ERR_USAGE for a text that names nothing; ERR_DB with file and line for SQL that the server refuses; ERR_PROC for a
 * program that failed; ERR_BACKUP for a backup that is not there or does not restore.  Relative paths start at the
 * configuration's folder.  *out is set on success alone. */
MUST_CHECK bool source_open(const struct config *config, const char *text, struct source **out, struct err *err);
struct db *source_db(const struct source *s); /* a session in it */
/* What comments of its SQL say is a rename. */
const struct renames *source_renames(const struct source *s);
/* For the parts of guard/ that go on with a replayed history: its graph, its scratch database and the ledger in that. */
struct run *source_run(struct source *s);
/* Returns ok, whether all went well so far; false also when a scratch database could not be dropped, which is the error
 * or, after an earlier one, its hint.  NULL is fine. */
MUST_CHECK bool source_close(struct source *s, bool ok, struct err *err);

#endif
