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
 * without login, since their passwords are known to nobody.  Their names go to `created`.
 */
MUST_CHECK bool roles_recreate(struct db *db, const struct schema *before, struct strv *created, struct err *err);

/* Names of the roles that `before` has and `now` has not, quoted as the facts are. */
void roles_missing(const struct schema *before, const struct schema *now, struct strv *out);

/* What is different now, as schema_diff() says it; a role in `created` may lack its login. */
size_t roles_compare(const struct schema *before, const struct schema *now, const struct strv *created, struct buf *out);

#endif
