/*
 * frame.h - one zstd frame with its content size and checksum (RFC 8878), in memory.
 *
 * Frames are independent: all of them behind each other, through `zstd -d`, are the dump again.
 */
#ifndef BACKUP_STREAM_FRAME_H
#define BACKUP_STREAM_FRAME_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define FRAME_LEVEL_MIN 1
#define FRAME_LEVEL_MAX 19 /* beyond it (--ultra) decoding needs more memory than a frame has */

struct frame_encoder;

/* ERR_USAGE for a level out of range. */
MUST_CHECK bool frame_encoder_new(int level, struct frame_encoder **out, struct err *err);
void frame_encoder_free(struct frame_encoder *e); /* NULL is fine */

struct frame_out {
	void *data; /* the caller's, cap bytes */
	size_t cap, len;
};

size_t frame_bound(size_t len); /* bytes that `len` bytes can need at most */
/* Sets out->len. */
MUST_CHECK bool frame_encode(struct frame_encoder *e, const void *data, size_t len, struct frame_out *out,
                             struct err *err);

/* Replaces what is in out.  ERR_CORRUPT unless it is exactly one sound frame of raw_len bytes. */
MUST_CHECK bool frame_decode(const void *frame, size_t len, size_t raw_len, struct buf *out, struct err *err);

const char *frame_library(void); /* "1.5.4" */

#endif
