/*
 * conninfo.h - where a database is, parsed once; the password never leaves it as text.
 *
 * Takes what people have: postgresql:// and postgres:// URLs, the SQLAlchemy forms
 * (postgresql+psycopg2://, postgresql+asyncpg://, ...), and libpq's "host=... dbname=...".
 * Query parameters that libpq does not know (asyncpg's ssl=, Django's) are named in the error,
 * except those listed in conninfo.c, which are translated or left out.
 * What is not in the URL comes from libpq's own defaults and PG* variables.
 */
#ifndef BASE_CONNINFO_H
#define BASE_CONNINFO_H

#include "base/err.h"
#include "base/strv.h"

struct conninfo;

MUST_CHECK bool conninfo_parse(const char *url, struct conninfo **out, struct err *err);
void conninfo_free(struct conninfo *ci);

/* A copy with one keyword set to another value (dbname, user ...). */
struct conninfo *conninfo_with(const struct conninfo *ci, const char *keyword, const char *value);

/* The URL's, else the service's, the environment's, or libpq's compiled-in value; NULL when none of them
 * says anything.  Not for passwords: "password" aborts, as does a keyword that libpq does not have. */
const char *conninfo_get(const struct conninfo *ci, const char *keyword);
const char *conninfo_dbname(const struct conninfo *ci); /* libpq's rule: dbname, else user */

/* user@host:port/dbname, for messages, logs, journals. */
const char *conninfo_label(const struct conninfo *ci);

/* The server is there and lets nobody in yet, or any more (SQLSTATE 57P03). */
bool conninfo_is_starting(const struct conninfo *ci);

/* Keywords and values as PQconnectdbParams wants them, the password among them: for db.c alone.
 * The arrays are the caller's (free), the strings are borrowed. */
void conninfo_params(const struct conninfo *ci, const char ***keywords, const char ***values);

/*
 * The environment of a child that connects to this database: sets PGHOST, PGPORT, PGUSER,
 * PGDATABASE, PGSSL* and the like in envp, removes those that would contradict (PGSERVICE, and every
 * variable whose keyword has no value) and PGPASSWORD, and sets PGPASSFILE to `passfile` unless that
 * is NULL.  libpq has no variable for the passphrase of a client key (sslpassword): it is not handed on.
 */
void conninfo_child_env(const struct conninfo *ci, const char *passfile, struct strv *envp);

/*
 * Writes a password file (libpq's .pgpass format, mode 0600) for this database's host and user,
 * any database, below dir; the caller unlinks and frees *path.  *path is NULL when there is no
 * password to hand on (then a PGPASSFILE or ~/.pgpass of the user works as it does for us).
 */
MUST_CHECK bool conninfo_passfile(const struct conninfo *ci, const char *dir, char **path, struct err *err);

static inline void cleanup_conninfo_(struct conninfo **ci) { conninfo_free(*ci); }
#define cleanup_conninfo __attribute__((cleanup(cleanup_conninfo_)))

#endif
