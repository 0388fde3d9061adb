/*
 * marks.h - what changes after publication: small objects beside the manifest, which never changes
 * (docs/decisions/0002-marks-beside-the-manifest.md).
 *
 *     pinned.json            not to be pruned; "reason" says why
 *     verified-HOW.json      read back and found sound; HOW is stored, read, restore or drill
 *     deleting.json          a deletion has begun and may be finished by whoever comes next; "reason" says why
 *
 * That a mark is there, and how a backup was verified, stands in its name: a listing tells it without a read.
 * The content ({"format", "backup", "at", key: value, "digest"}) says which backup is meant.  A drill's may hold "ms",
 * the milliseconds from an empty server to a database that is proven.
 */
#ifndef BACKUP_MARKS_H
#define BACKUP_MARKS_H

#include "backup/manifest.h"
#include "backup/stores/store.h"

enum mark_kind { MARK_PIN, MARK_STORED, MARK_READ, MARK_RESTORE, MARK_DRILL, MARK_DELETING, N_MARKS };

struct mark_type {
	const char *object, *key; /* the object's name, the member that carries the value */
	const char *how;          /* of a verification, weakest first; NULL for the others */
};
extern const struct mark_type mark_types[N_MARKS];

/* ERR_USAGE for a word that is none of stored, read, restore, drill. */
MUST_CHECK bool mark_of_verification(const char *how, enum mark_kind *out, struct err *err);

/* The whole text of a mark about the backup of that id, but for a drill's "ms"; the caller's. */
char *mark_text(const char *id, enum mark_kind kind, const char *value);

/* The mark's value, out of FOLDER; ERR_CORRUPT unless every byte is as mark_text() wrote it, about this very backup. */
MUST_CHECK bool mark_read(struct store *s, const char *folder, const char *id, enum mark_kind kind, char **value,
                          struct err *err);

MUST_CHECK bool mark_put(struct store *s, const struct manifest *m, enum mark_kind kind, const char *value,
                         struct err *err);
MUST_CHECK bool mark_remove(struct store *s, const struct manifest *m, enum mark_kind kind, struct err *err);

#endif
