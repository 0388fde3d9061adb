/*
 * candidate.h - a backup brought up beside the live database, and proven.
 *
 * proof.md sections 2 and 4.  The same is done for verification with the schema alone (a scratch database,
 * dropped again) and for drills.
 */
#ifndef RUNNER_PROOF_CANDIDATE_H
#define RUNNER_PROOF_CANDIDATE_H

#include "backup/backup.h"
#include "base/db.h"
#include "base/err.h"
#include "migrations/schema/schema.h"

struct candidate_request {
	const struct conninfo *live;   /* whose user, host and password are used */
	struct db *maintenance;        /* creates and drops */
	const struct stores *stores;
	const struct manifest *manifest;
	const char *bin_dir, *private_dir;
	const json_t *facts;           /* database_facts() of the live database, as they were at the backup */
	const struct schema *schema;   /* as it was in the backup's snapshot */
	const char *version_table;     /* left out of fingerprints */
	const char *name, *comment, *application; /* of the database; application_name of our sessions in it */
	bool schema_only;
	const struct progress *progress;
};

/* The two halves of candidate_build(): the empty database with a session in it, which needs only live, maintenance,
 * facts, name, comment and application, and so can be made while the backup is taken; and what comes into it.  The
 * first one leaves a database behind on ERR_CANCELLED alone, the second one on every false. */
MUST_CHECK bool candidate_create(const struct candidate_request *request, struct db **out, struct err *err);
MUST_CHECK bool candidate_fill(const struct candidate_request *request, struct db *db, struct err *err);

/*
 * Creates the database, takes out what the live one has not (schema public, plpgsql), restores, and compares: the
 * strict fingerprint with `schema`, and unless schema_only the row counts with the manifest's.
 * On false the database is dropped again.  ERR_CORRUPT: the backup does not give back what was there.
 */
MUST_CHECK bool candidate_build(const struct candidate_request *request, struct err *err);

/* Counts every table the manifest has a number for; ERR_CORRUPT names the tables that differ. */
MUST_CHECK bool rows_compare(struct db *db, const json_t *expected, struct err *err);
/* The same numbers, taken in the open transaction's snapshot, for a manifest whose dump could not tell them. */
MUST_CHECK bool rows_read(struct db *db, json_t **out, struct err *err);

#endif
