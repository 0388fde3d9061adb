/*
 * source_sql.h - SQL from a file, a folder or a program into a database.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_SOURCE_SQL_H
#define RUNNER_GUARD_SOURCE_SQL_H

#include "base/db.h"
#include "base/err.h"
#include "runner/guard/renames.h"

/* Errors name the file and the line.  Settings that one file makes do not reach the next.  What its comments say is a
 * rename is added to `comments`. */
MUST_CHECK bool source_load_path(struct db *db, const char *path, struct renames *comments, struct err *err);
/* The program's standard output, when it has ended with 0; its standard error goes to ours. */
MUST_CHECK bool source_load_command(struct db *db, const char *command, const char *folder, struct renames *comments,
                                    struct err *err);

#endif
