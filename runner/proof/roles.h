/*
 * roles.h - the cluster's roles, which no restore of one database brings back (proof.md section 2).
 */
#ifndef RUNNER_PROOF_ROLES_H
#define RUNNER_PROOF_ROLES_H

#include "base/db.h"
#include "base/err.h"
#include "base/strv.h"
#include "migrations/schema/schema.h"

/*
 * Creates the roles that `before` has and the cluster has no more, with their attributes and memberships, but
 * without login, since their passwords are known to nobody.  Their names go to `created`.  A drill's run, NULL for
 * none, is their COMMENT in place of their own: such roles are not to stay.
 */
MUST_CHECK bool roles_recreate(struct db *db, const struct schema *before, const char *drill, struct strv *created,
                               struct err *err);

/*
 * Drops the roles that drills which are dead have made: told by their COMMENT, without login, and no session of that
 * drill is there.  `gone` and `left` (something still hangs on it) get their names, quoted.  Where sessions are hidden
 * from the role that asks, nobody knows who is dead, and nothing is dropped.
 */
MUST_CHECK bool roles_sweep(struct db *db, struct strv *gone, struct strv *left, struct err *err);

/* Names of the roles that `before` has and `now` has not, quoted as the facts are. */
void roles_missing(const struct schema *before, const struct schema *now, struct strv *out);

/* What is different now, as schema_diff() says it; a role in `created` may lack its login. */
size_t roles_compare(const struct schema *before, const struct schema *now, const struct strv *created, struct buf *out);

#endif
