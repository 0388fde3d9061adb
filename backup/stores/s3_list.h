/*
 * s3_list.h - what is in the bucket under a prefix: objects (ListObjectsV2) and open uploads (ListMultipartUploads),
 * page by page.  Keys come url-encoded where the server can do that, for XML cannot hold every byte of a key.
 */
#ifndef BACKUP_STORES_S3_LIST_H
#define BACKUP_STORES_S3_LIST_H

#include "backup/stores/s3_request.h"

/* Whole keys, prefix included. */
MUST_CHECK bool s3_list_objects(struct s3_client *c, const char *prefix, struct strv *keys, struct err *err);

/* An upload that was begun and neither completed nor aborted. */
struct s3_open_upload {
	char *key, *id;
	int64_t initiated_us; /* 0: not known */
};
struct s3_open_uploads { struct s3_open_upload *v; size_t n; };

MUST_CHECK bool s3_list_uploads(struct s3_client *c, const char *prefix, struct s3_open_uploads *out, struct err *err);
void s3_open_uploads_clear(struct s3_open_uploads *u);
#define cleanup_s3_open_uploads __attribute__((cleanup(s3_open_uploads_clear)))

#endif
