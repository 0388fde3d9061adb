/*
 * journal.h - what a run did, written before and after each step that changes anything.
 *
 *     STATE_DIR/runs/<run>.jsonl      one JSON object a line, each line synced but those of transactional revisions
 *     {"at": "2026-11-22T10:15:00.123456Z", "step": "backup", "event": "begin", ...data}
 *
 * The first line is step "run", event "begin", with what the run is; a last line "run", "end" has the
 * outcome.  A journal without that line, or with outcome "stuck", is of an unfinished run: a new run refuses.
 * The synced lines go to ripcord.run of the database while that is the live one (mirror.h), so that another
 * machine can recover.  A line cut short by a crash is no line.
 */
#ifndef RUNNER_GUARD_JOURNAL_H
#define RUNNER_GUARD_JOURNAL_H

#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

struct journal;

/* Makes the folder (0700) and the file (0600); both are synced. */
MUST_CHECK bool journal_create(const char *state_dir, const char *run, struct journal **out, struct err *err);
/* For recovery: goes on at the end of one that is there, whose whole lines are written anew first. */
MUST_CHECK bool journal_reopen(const char *state_dir, const char *run, struct journal **out, struct err *err);
/* The same for a run whose lines came from another place: all of them are here, or none. */
MUST_CHECK bool journal_import(const char *state_dir, const char *run, const json_t *lines, struct journal **out, struct err *err);
void journal_close(struct journal *j);
static inline void cleanup_journal_(struct journal **j) { journal_close(*j); }
#define cleanup_journal __attribute__((cleanup(cleanup_journal_)))

/* Appends a line and syncs it.  data: members added to it, stolen, may be NULL.  A full disk leaves no part of a line
 * behind, and the next one may find room again; after any other error, and a sync that failed, all others fail, too. */
MUST_CHECK bool journal_write(struct journal *j, const char *step, const char *event, json_t *data, struct err *err);
/* Appends a line and leaves it to the system to write it out: for a transactional revision, whose evidence is the row
 * that commits with it.  The end of the process loses nothing; a power cut may lose the line, and then the count of
 * others' writes, which misses our own share, refuses. */
MUST_CHECK bool journal_note(struct journal *j, const char *step, const char *event, json_t *data, struct err *err);
/* The last line, as it was to be written: for the mirror. */
const json_t *journal_last(const struct journal *j);

/* All whole lines of a run: an array.  ERR_CORRUPT for one that is damaged before its last line. */
MUST_CHECK bool journal_read(const char *state_dir, const char *run, json_t **out, struct err *err);
/* The last line of that step and event, or NULL; borrowed. */
const json_t *journal_find(const json_t *lines, const char *step, const char *event);
/* The outcome of the line that ended the run; NULL while there is none. */
const char *journal_outcome(const json_t *lines);
bool journal_is_finished(const json_t *lines);
/* The same by its last line alone, so that old journals need not be read; false also for one that has to be. */
MUST_CHECK bool journal_has_ended(const char *state_dir, const char *run, bool *ended, struct err *err);
/* Ids of all runs in the state folder, newest first (UUIDv7 sorts by time). */
MUST_CHECK bool journal_runs(const char *state_dir, struct strv *out, struct err *err);

#endif
