/*
 * dump.h - pg_dump, pg_dumpall and pg_restore as child programs.
 *
 * No password in argv or the environment: a password file below private_dir, removed afterwards.
 * Database names travel in PGDATABASE or as a quoted connection string, so that a name with "="
 * or a blank is a name.  Each failure carries the exit and the last words of the program.
 */
#ifndef BACKUP_ENGINES_DUMP_H
#define BACKUP_ENGINES_DUMP_H

#include "backup/backup.h"
#include "base/buf.h"

typedef bool dump_on_bytes(void *ctx, const void *data, size_t len, struct err *err);
/* The next bytes of the archive, at most cap; 0 at its end. */
typedef bool dump_pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err);

/* pg_dump --format=custom --compress=0, to on_bytes.  ERR_BACKUP. */
MUST_CHECK bool dump_run(const struct backup_request *req, dump_on_bytes *on_bytes, void *ctx, struct err *err);
/* pg_dumpall --roles-only, with --no-role-passwords unless they are asked for.  ERR_BACKUP. */
MUST_CHECK bool dump_roles(const struct backup_request *req, struct buf *out, struct err *err);
/* "pg_dump (PostgreSQL) 15.20 ..."; the caller's. */
MUST_CHECK bool dump_version(const char *bin_dir, const char *program, char **out, struct err *err);

/* Parses an archive to its end, restoring nothing.  ERR_CORRUPT when pg_restore does not take it. */
MUST_CHECK bool dump_parse(const char *bin_dir, dump_pull *pull, void *ctx, struct err *err);
/* pg_restore into the target.  ERR_PROC. */
MUST_CHECK bool dump_restore(const struct restore_request *req, dump_pull *pull, void *ctx, struct err *err);

#endif
