/*
 * remote.h - what stores on a server share: their configuration's values, names of what is not whole yet,
 * second attempts, and the streams of an upload and a download.
 */
#ifndef BACKUP_STORES_REMOTE_H
#define BACKUP_STORES_REMOTE_H

#include "backup/stores/notes.h"
#include "backup/stores/store.h"
#include "base/transfer.h"

#define REMOTE_PART ".part-" /* begins the last part of a key that nobody lists */

#define REMOTE_STALL_DEFAULT_MS 60000
#define REMOTE_ATTEMPTS_DEFAULT 5
/* Full jitter between attempts: base/clock.h. */
#define REMOTE_BACKOFF_MS     200
#define REMOTE_BACKOFF_CAP_MS 10000

/* NULL when it is absent or empty; borrowed. */
const char *remote_value(const struct store_config *c, const char *key);
/* ERR_USAGE when it is absent. */
MUST_CHECK bool remote_need(const struct store_config *c, const char *key, const char **out, struct err *err);
MUST_CHECK bool remote_bool(const struct store_config *c, const char *key, bool fallback, bool *out, struct err *err);
MUST_CHECK bool remote_int(const struct store_config *c, const char *key, int64_t fallback, int64_t most, int64_t *out,
                           struct err *err);
/* stall_timeout, in ms. */
MUST_CHECK bool remote_stall(const struct store_config *c, int64_t *out_ms, struct err *err);

/* A new name beside the object's own: DIR/.part-RANDOM-BASE.  The caller's. */
char *remote_part(const char *key);
bool remote_is_hidden(const char *name); /* the last part of a key: not to be listed */

/* How often, and how the attempts end: after ERR_IO another one is made, and after an HTTP status of 408, 429, 500, 502,
 * 503 or 504; not after a timeout: who has waited so long for a server waits once.  Only for what may be done
 * twice.  `out` holds the last answer. */
MUST_CHECK bool remote_run(struct transfer_client *client, const struct transfer_request *req, int64_t attempts,
                           struct transfer_result *out, struct err *err);
/* Whether `err` lets another attempt be made, the n-th from 0; then it has waited and cleared *err. */
bool remote_again(int64_t n, int64_t attempts, struct err *err);

struct remote_upload {
	struct upload base;
	struct transfer *transfer;
	struct transfer_request req;
	char *url, *part, *key; /* owned */
	struct note *note;      /* of the part; its end is whole or discarded */
	struct strv headers;
	int64_t bytes;
	char last;    /* byte; valid with bytes > 0 */
	bool is_whole; /* published */
};
struct remote_upload *remote_upload_new(const char *key);
MUST_CHECK bool remote_write(struct upload *u, const void *data, size_t len, struct err *err);
void remote_upload_end(struct remote_upload *u); /* ends the stream; the rest is kept */
void remote_upload_free(struct remote_upload *u);

struct remote_download {
	struct download base;
	struct transfer *transfer;
	struct transfer_request req;
	char *url, *range; /* owned */
	struct strv headers;
};
MUST_CHECK bool remote_read(struct download *d, void *data, size_t cap, size_t *got, struct err *err);
void remote_end_read(struct download *d);

/* No server of either kind says how much is free. */
MUST_CHECK bool remote_free_bytes(const struct store *s, bool *known, int64_t *bytes, struct err *err);

/* Takes away the parts of uploads that died, by their notes.  `remove` is false when the server did not do it: then the
 * others are left for another time, too. */
void remote_sweep(const struct note_place *notes, bool (*remove)(const void *store, const char *part),
                  const void *store);

#endif
