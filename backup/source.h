/*
 * source.h - the dump of a backup as one stream of bytes, out of the first stores that have it whole.
 *
 * A member is handed out only after it was checked; one that a store has damaged or lost is taken
 * from the next store, in the middle of the stream, since all stores have the same members.
 */
#ifndef BACKUP_SOURCE_H
#define BACKUP_SOURCE_H

#include "backup/manifest.h"
#include "backup/stores/store.h"
#include "base/progress.h"

struct source;

/* Both are borrowed.  ERR_BACKUP or ERR_CORRUPT: that of the first store. */
struct source *source_new(const struct stores *stores, const struct manifest *m);
void source_free(struct source *s); /* NULL is fine */
void source_report(struct source *s, const struct progress *progress, const char *phase);

/* The next member that `wanted` takes, decoded into *raw (borrowed); NULL after the last one. */
typedef bool source_wanted(const struct member *m, const void *ctx);
MUST_CHECK bool source_next(struct source *s, source_wanted *wanted, const void *ctx, const struct buf **raw,
                            struct err *err);

/* The dump's bytes: fits proc's on_stdin, ctx is the source. */
MUST_CHECK bool source_pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err);
/* Reads and checks what nobody has pulled, to the end of the object. */
MUST_CHECK bool source_drain(struct source *s, struct err *err);

static inline void cleanup_source_(struct source **s) { source_free(*s); }
#define cleanup_source __attribute__((cleanup(cleanup_source_)))

#endif
