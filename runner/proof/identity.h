/*
 * identity.h - which storage stands behind which name.
 *
 * Two tables of one shape renamed crosswise exchange their data with no counter moving and no fingerprint changing
 * (proof.md section 2).  So the map name -> (OID, storage, column -> number) of everything that can hold rows is
 * kept from before the run, and has to hold after a downgrade.
 */
#ifndef RUNNER_PROOF_IDENTITY_H
#define RUNNER_PROOF_IDENTITY_H

#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

struct identity {
	struct strv lines; /* "public.invoice: 16402 stored in 16450, id 1, total 3", sorted */
};

MUST_CHECK bool identity_read(struct db *db, struct identity *out, struct err *err);
/* Lines of `before` that are not in `after` go to `lost`: what was there stands elsewhere now.  What is new
 * in `after` does not matter. */
void identity_compare(const struct identity *before, const struct identity *after, struct strv *lost);
json_t *identity_to_json(const struct identity *id);
void identity_from_json(const json_t *j, struct identity *out);
void identity_clear(struct identity *id);

#endif
