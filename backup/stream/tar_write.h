/*
 * tar_write.h - a tar of small regular files, by libarchive, pushed on as it is made.
 *
 * Plain ustar headers where they suffice, pax ones where not (pax restricted), mode 0600, owner 0.
 */
#ifndef BACKUP_STREAM_TAR_WRITE_H
#define BACKUP_STREAM_TAR_WRITE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct tar_writer;
typedef bool tar_on_bytes(void *ctx, const void *data, size_t len, struct err *err);

MUST_CHECK bool tar_writer_new(int64_t mtime_s, tar_on_bytes *on_bytes, void *ctx, struct tar_writer **out,
                               struct err *err);
MUST_CHECK bool tar_writer_add(struct tar_writer *w, const char *name, const void *data, size_t len,
                               struct err *err);
MUST_CHECK bool tar_writer_finish(struct tar_writer *w, struct err *err); /* the end marker */
void tar_writer_free(struct tar_writer *w);                               /* writes nothing; NULL is fine */

const char *tar_library(void); /* "libarchive 3.6.2" */

#endif
