/*
 * s3_multipart.h - the life of a multipart upload at the server: begun, a part, completed, aborted; and the sweep of
 * those that died.  Source: Amazon S3 User Guide, "Uploading and copying objects using multipart upload".
 */
#ifndef BACKUP_STORES_S3_MULTIPART_H
#define BACKUP_STORES_S3_MULTIPART_H

#include "backup/stores/s3_request.h"

#include "base/hash.h"

/* What was uploaded so far: enough to complete it, and to recognise the object that came of it. */
struct s3_parts {
	struct strv etags; /* verbatim, quotes included */
	unsigned char (*md5)[MD5_BYTES];
	int64_t *sizes;
	int64_t total;
};

/* *doubtful: an attempt whose answer was lost may have begun another upload of that key. */
MUST_CHECK bool s3_multipart_begin(struct s3_client *c, const char *key, char **id, bool *doubtful, struct err *err);

/* The object is there, made of exactly these parts: by the answer, or, when that was lost or was none, because an
 * object of that size and ETag (or, where ETags say nothing, with those bytes) is there. */
MUST_CHECK bool s3_multipart_complete(struct s3_client *c, const char *key, const char *id,
                                      const struct s3_parts *parts, struct err *err);

/* True when the server knows no such upload (any more). */
MUST_CHECK bool s3_multipart_abort(struct s3_client *c, const char *key, const char *id, struct err *err);
/* Every open upload of exactly that key. */
MUST_CHECK bool s3_multipart_abort_all(struct s3_client *c, const char *key, struct err *err);

/* Aborts what dead runs of this machine have left, and what anybody's run has left under our prefix, with a name of
 * ours, for more than a week.  What fails is left for the next time. */
void s3_multipart_sweep(struct s3_client *c);

#endif
