/*
 * s3_upload.h - one object on its way: a single PUT while it fits into one part, else a multipart upload of which a
 * part is filled while the one before it is sent by a thread.  Memory: two parts.
 *
 * Parts have the configured size, so that 4,000 of them hold 62 GiB by default; from then on the size doubles every
 * 1,000 parts, so that the 10,000 that S3 takes hold 2 TiB.
 */
#ifndef BACKUP_STORES_S3_UPLOAD_H
#define BACKUP_STORES_S3_UPLOAD_H

#include "backup/stores/s3_request.h"
#include "backup/stores/store.h"

MUST_CHECK bool s3_upload_begin(struct s3_client *c, const char *key, struct upload **out, struct err *err);
MUST_CHECK bool s3_upload_write(struct upload *u, const void *data, size_t len, struct err *err);
MUST_CHECK bool s3_upload_finish(struct upload *u, struct err *err);
/* Aborts the upload, and removes the object when a finish that failed may have left it. */
void s3_upload_discard(struct upload *u);

MUST_CHECK bool s3_put(struct s3_client *c, const char *key, const void *data, size_t len, struct err *err);
MUST_CHECK bool s3_remove(struct s3_client *c, const char *key, struct err *err); /* a missing one is fine */

/* Bytes of part `number`, from 1, where the configured size is `first`. */
int64_t s3_part_size(int64_t first, size_t number);

#endif
