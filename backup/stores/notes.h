/*
 * notes.h - what this machine has under way in the stores: a file each, in STATE_DIR/uploads.
 *
 * A note is written and synced before the thing is begun, and locked while its process lives: a note that nobody
 * locks is of a process that died, and what it names is to be taken back.  Lines of JSON: which store and which key, then
 * what became known later (a multipart upload's id).
 */
#ifndef BACKUP_STORES_NOTES_H
#define BACKUP_STORES_NOTES_H

#include "base/err.h"
#include "base/strv.h"

struct note_place {
	const char *state_dir; /* NULL: nothing is noted */
	const char *kind;      /* ends the file's name: "s3", "sftp" ... */
	const char *where;     /* which one of that kind: only its own notes are shown to it */
};

struct note;

/* *out NULL without a state_dir.  ERR_IO. */
MUST_CHECK bool note_begin(const struct note_place *p, const char *key, struct note **out, struct err *err);
MUST_CHECK bool note_add(struct note *n, const char *id, struct err *err); /* n NULL is fine */
/* Frees it (NULL is fine).  settled: there is nothing to take back, and the note goes; else it stays for the next one. */
void note_end(struct note *n, bool settled);

/* Shows every dead process's note about this place; one that `settle` returns true for is removed.  A folder or a file
 * that cannot be read is left for another time. */
void notes_visit(const struct note_place *p, bool (*settle)(void *ctx, const char *key, const struct strv *ids),
                 void *ctx);

#endif
