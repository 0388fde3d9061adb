/*
 * rehearse_estimate.h - how long what was rehearsed would take in the live database.
 *
 * A statement's time is multiplied by how much larger the relations that it worked on are there (`touches` of
 * rehearse_watch.h: read, written anew, or locked above ROW EXCLUSIVE), by the largest of them, never below 1.
 * docs/rehearse.md says what that does not know.
 */
#ifndef RUNNER_GUARD_REHEARSE_ESTIMATE_H
#define RUNNER_GUARD_REHEARSE_ESTIMATE_H

#include "base/db.h"
#include "base/err.h"
#include "base/json.h"

/* {database: bytes, relations: {name: bytes}}: tables with all that belongs to them, and indexes.  names: a JSON array's
 * text, NULL for all.  The caller's. */
MUST_CHECK bool rehearse_sizes(struct db *db, const char *names, json_t **out, struct err *err);
/* What the rehearsal's statements worked on, for rehearse_sizes(): the caller's. */
char *rehearse_touched(const json_t *rehearsal);

/* Puts `ratio` and `estimated_seconds` into each statement, `estimate` {seconds, exclusive} into each revision and, with
 * relations[], into the rehearsal.  `copy` and `live` are of rehearse_sizes(), before anything was run. */
void rehearse_estimate(json_t *rehearsal, const json_t *copy, const json_t *live);

#endif
