/*
 * store.h - where backups rest: named objects, written once, under keys like
 * "app-7412345/20261122T101500Z-base-1a2b3c4d/backup.tar".
 *
 * One struct store_ops a kind of store.  Three rules fit a folder as well as S3, SFTP or HTTP:
 *   - an upload is seen by nobody before upload_finish(), and by nobody ever after upload_abort();
 *   - store_put() of a small object is atomic: the old bytes or the new ones, never a mixture;
 *   - what upload_finish() or store_put() reported as done survives a power cut; on a server that is as far
 *     as its protocol has words for it (docs/stores.md).
 * Large objects are streamed in order and never kept whole, so a multipart upload fits behind
 * begin/write/finish.  One upload is driven by one thread at a time.
 *
 * Errors: ERR_BACKUP with the object's place in the message; the reader's are ERR_CORRUPT only for
 * what the store itself knows to be damaged.
 */
#ifndef BACKUP_STORES_STORE_H
#define BACKUP_STORES_STORE_H

#include "backup/backup.h"
#include "base/buf.h"

struct upload;
struct download;

/* No member may be NULL. */
struct store_ops {
	const char *type;             /* the configuration's `type` */
	const char *const *keys;      /* the configuration's other keys, NULL-terminated */
	struct store *(*open)(const struct store_config *config, struct err *err); /* touches nothing; NULL: *err */
	void (*close)(struct store *s);

	bool (*begin)(struct store *s, const char *key, struct upload **out, struct err *err);
	bool (*write)(struct upload *u, const void *data, size_t len, struct err *err);
	bool (*finish)(struct upload *u, struct err *err); /* does not free */
	void (*discard)(struct upload *u);                 /* frees; leaves nothing unless finish() was true */

	bool (*put)(struct store *s, const char *key, const void *data, size_t len, struct err *err);
	bool (*list)(struct store *s, struct strv *keys, struct err *err); /* every object's key, any order */
	bool (*get)(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err);
	bool (*read)(struct download *d, void *data, size_t cap, size_t *got, struct err *err); /* 0: the end */
	void (*end_read)(struct download *d);
	bool (*remove)(struct store *s, const char *key, struct err *err); /* a missing object is fine */
	bool (*free_bytes)(const struct store *s, bool *known, int64_t *bytes, struct err *err);
};

/* Embedded as the FIRST member of each kind's own struct. */
struct store {
	const struct store_ops *ops;
	char *name;     /* owned */
	char *identity; /* owned; opens what is encrypted here, NULL for none */
};
struct upload { struct store *store; };
struct download { struct store *store; };

extern const struct store_ops store_file_ops;
extern const struct store_ops store_s3_ops;
extern const struct store_ops store_sftp_ops;
extern const struct store_ops store_http_ops;

/* A key is relative, has no empty, "." or ".." part and no byte below a blank: ERR_BACKUP otherwise. */
MUST_CHECK bool store_key_check(const char *key, struct err *err);

MUST_CHECK bool upload_begin(struct store *s, const char *key, struct upload **out, struct err *err);
MUST_CHECK bool upload_write(struct upload *u, const void *data, size_t len, struct err *err);
/* Visible under its key and durable; the upload is freed, whether true or false. */
MUST_CHECK bool upload_finish(struct upload **u, struct err *err);
void upload_abort(struct upload **u); /* NULL is fine */

MUST_CHECK bool store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err);
MUST_CHECK bool store_list(struct store *s, struct strv *keys, struct err *err);
/* A small object, whole; more than out->max bytes is ERR_BACKUP. */
MUST_CHECK bool store_get(struct store *s, const char *key, struct buf *out, struct err *err);
MUST_CHECK bool store_remove(struct store *s, const char *key, struct err *err);

MUST_CHECK bool download_begin(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err);
MUST_CHECK bool download_read(struct download *d, void *data, size_t cap, size_t *got, struct err *err);
void download_end(struct download *d); /* NULL is fine */
static inline void cleanup_download_(struct download **d) { download_end(*d); }
#define cleanup_download __attribute__((cleanup(cleanup_download_)))

#endif
