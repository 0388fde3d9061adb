/*
 * s3_notes.h - which multipart uploads this machine has open: a file each, in STATE_DIR/uploads.
 *
 * A note is written and synced before its upload is begun, and locked while its process lives: a note that nobody
 * locks is of a run that died, and its upload is to be aborted.  Lines of JSON: where it goes, then the
 * upload's id once the server has given it.
 */
#ifndef BACKUP_STORES_S3_NOTES_H
#define BACKUP_STORES_S3_NOTES_H

#include "backup/stores/s3_config.h"

struct s3_note;

/* *out NULL when the configuration has no state_dir.  ERR_IO. */
MUST_CHECK bool s3_note_begin(const struct s3_config *c, const char *key, struct s3_note **out, struct err *err);
MUST_CHECK bool s3_note_upload(struct s3_note *n, const char *upload_id, struct err *err); /* n NULL is fine */
/* Frees it (NULL is fine).  settled: the upload is no more, and neither is the note; else it stays for the next run. */
void s3_note_end(struct s3_note *n, bool settled);

/* Shows every dead run's note about this bucket; one that `settle` returns true for is removed.  A folder or a file
 * that cannot be read is left for another time. */
void s3_notes_visit(const struct s3_config *c, bool (*settle)(void *ctx, const char *key, const struct strv *ids),
                    void *ctx);

#endif
