/*
 * tar_read.h - the members of a tar, one after the other, by libarchive.
 *
 * Nothing is ever written under a name that stands in an archive; still only plain regular files with
 * a relative name free of ".." are let through.  ERR_CORRUPT for everything else.
 */
#ifndef BACKUP_STREAM_TAR_READ_H
#define BACKUP_STREAM_TAR_READ_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tar_reader;
typedef bool tar_pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err); /* 0: the end */

MUST_CHECK bool tar_reader_new(tar_pull *pull, void *ctx, struct tar_reader **out, struct err *err);
/* *name is NULL at the end; borrowed until the next call. */
MUST_CHECK bool tar_reader_next(struct tar_reader *r, const char **name, int64_t *size, struct err *err);
/* The next len bytes of the member. */
MUST_CHECK bool tar_reader_data(struct tar_reader *r, void *data, size_t len, struct err *err);
void tar_reader_free(struct tar_reader *r); /* NULL is fine */

#endif
