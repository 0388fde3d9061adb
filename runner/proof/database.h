/*
 * database.h - what a database is apart from its contents: its facts, its fence, its sessions.
 *
 * A database is named by its OID, since a swap gives the name to another one.  All calls run on a
 * connection to the maintenance database (except where said), and change nothing but what they say.
 */
#ifndef RUNNER_PROOF_DATABASE_H
#define RUNNER_PROOF_DATABASE_H

#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

#include <stdint.h>

MUST_CHECK bool database_oid(struct db *db, const char *name, int64_t *oid, struct err *err); /* 0: there is none */
MUST_CHECK bool database_name(struct db *db, int64_t oid, char **name, struct err *err);      /* NULL: there is none */

/* `<database>_<kind>_<run8>`, the database's part cut at a character so that 63 bytes hold. */
char *database_derived_name(const char *database, const char *kind, const char *run);

/*
 * Whose a database is its COMMENT says, which is a statement of its own.  Before that one it is known by its connection
 * limit, which CREATE DATABASE sets itself: a number between 2^30 and 2^31 that follows from the name.
 */
int64_t database_mark(const char *name);

/*
 * The facts that a rename does not carry, read before any fence is set: owner, ACL, comment, connection limit,
 * template flag, settings (of the database and of roles in it), security labels; and how to create its like:
 * encoding, provider, locale, rules, tablespace.
 */
MUST_CHECK bool database_facts(struct db *db, const char *name, json_t **out, struct err *err);
/* What a manifest may hold of them: settings by name and digest, never by value (those may be secrets). */
json_t *database_facts_public(const json_t *facts);
/* CREATE DATABASE from template0 like the facts, closed to PUBLIC at once, with the comment.  Until it has that, it bears
 * database_mark(). */
MUST_CHECK bool database_create_like(struct db *db, const char *name, const json_t *facts, const char *comment,
                                     struct err *err);
/* SQL that gives `name` the facts (not what CREATE DATABASE has fixed already), for the swap's transaction. */
char *database_facts_sql(const char *name, const json_t *facts);
/* SQL for its settings alone; and SQL that takes all of those away again. */
char *database_settings_sql(const char *name, const json_t *facts);
char *database_no_settings_sql(const char *name, const json_t *facts);
MUST_CHECK bool database_drop(struct db *db, const char *name, struct err *err);

/* ------------------------------------------------------------------ sessions and the fence */

struct session {
	int64_t pid;
	char *role, *application, *since;
};
/* Backends of the run's own sessions, which a fence spares. */
struct pids {
	int64_t v[4];
	size_t n;
};

/* Client sessions in the database other than `ours`.  Free with sessions_free(). */
MUST_CHECK bool sessions_list(struct db *db, int64_t oid, const struct pids *ours, struct session **out, size_t *n,
                              struct err *err);
void sessions_free(struct session *v, size_t n);

/*
 * The fence: CONNECTION LIMIT, which keeps every role out that is no superuser, and leaves our own sessions.
 * It is one number, remembered with the value that was there, and put back by OID and only where the
 * value is still ours.
 */
struct fence {
	int64_t oid;   /* 0: not set */
	int64_t before; /* datconnlimit as it was */
	int64_t ours;   /* as we set it */
};

/* Sets it so that at most `slots` connections can be open, then ends all others and proves that none is left.
 * ERR_REFUSED when some cannot be ended (the message names them), with the fence put back. */
MUST_CHECK bool fence_set(struct fence *fence, struct db *db, int64_t oid, int slots, const struct pids *ours, struct err *err);
/* Ends all sessions but ours until none is left.  ERR_REFUSED after ten seconds. */
MUST_CHECK bool sessions_end(struct db *db, int64_t oid, const struct pids *ours, struct err *err);
MUST_CHECK bool fence_open(struct fence *fence, struct db *db, struct err *err); /* not set: nothing to do */

#endif
