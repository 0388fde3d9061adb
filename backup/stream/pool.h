/*
 * pool.h - chunks in, compressed frames with their digests out, in order, on worker threads.
 *
 *     pool_add() fills a chunk; a full one goes to the workers; finished ones are handed to on_frame.
 *
 * on_frame is called in the thread that calls pool_add() and pool_finish(), so what it does needs no
 * locks.  Memory: threads + 1 slots of a chunk and its frame.  When all are taken pool_add() waits for
 * the oldest: that is the back pressure on pg_dump.
 */
#ifndef BACKUP_STREAM_POOL_H
#define BACKUP_STREAM_POOL_H

#include "base/err.h"
#include "base/hash.h"

#include <stddef.h>

/* With 0 threads asked for: as many as there are processors, but no more than this.  Four compress
 * faster than one pg_dump can read, and five slots of two times 16 MiB stay under 200 MB. */
#define POOL_THREADS_AUTO_MAX 4
#define POOL_THREADS_MAX      64

struct pool_frame {
	const void *data;
	size_t len, raw_len;
	char sha256[SHA256_HEX]; /* of data */
};

typedef bool pool_on_frame(void *ctx, const struct pool_frame *frame, struct err *err);

struct pool_spec {
	int threads; /* 0: by the number of processors */
	int level;
	size_t chunk; /* bytes */
	pool_on_frame *on_frame;
	void *ctx;
};

struct pool;

MUST_CHECK bool pool_new(const struct pool_spec *spec, struct pool **out, struct err *err);
/* After one false the pool only fails; its error is in the first. */
MUST_CHECK bool pool_add(struct pool *p, const void *data, size_t len, struct err *err);
/* The last, shorter chunk too; with no bytes at all there is no frame. */
MUST_CHECK bool pool_finish(struct pool *p, struct err *err);
void pool_free(struct pool *p); /* ends the threads; NULL is fine */

#endif
