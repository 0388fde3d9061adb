#include "backup/stream/frame.h"

#include "base/mem.h"

#include <stdlib.h>
#include <zstd.h>

struct frame_encoder {
	ZSTD_CCtx *ctx;
};

bool frame_encoder_new(int level, struct frame_encoder **out, struct err *err)
{
	if (level < FRAME_LEVEL_MIN || level > FRAME_LEVEL_MAX)
		return err_set(err, ERR_USAGE, "compression level %d is not in %d to %d", level,
		               FRAME_LEVEL_MIN, FRAME_LEVEL_MAX);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	if (!ctx)
		return err_set(err, ERR_IO, "cannot allocate a compressor");
	if (ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1))) {
		ZSTD_freeCCtx(ctx);
		return err_set(err, ERR_IO, "cannot set up a compressor of level %d", level);
	}
	*out = mem_new0(sizeof(**out));
	(*out)->ctx = ctx;
	return true;
}

void frame_encoder_free(struct frame_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->ctx);
	free(e);
}

size_t frame_bound(size_t len) { return ZSTD_compressBound(len); }

bool frame_encode(struct frame_encoder *e, const void *data, size_t len, struct frame_out *out,
                  struct err *err)
{
	size_t n = ZSTD_compress2(e->ctx, out->data, out->cap, data, len);

	if (ZSTD_isError(n))
		return err_set(err, ERR_IO, "cannot compress: %s", ZSTD_getErrorName(n));
	out->len = n;
	return true;
}

bool frame_decode(const void *frame, size_t len, size_t raw_len, struct buf *out, struct err *err)
{
	size_t whole = ZSTD_findFrameCompressedSize(frame, len);

	if (ZSTD_isError(whole))
		return err_set(err, ERR_CORRUPT, "not a whole zstd frame: %s", ZSTD_getErrorName(whole));
	if (whole != len)
		return err_set(err, ERR_CORRUPT, "%zu bytes stand behind the zstd frame", len - whole);
	unsigned long long said = ZSTD_getFrameContentSize(frame, len);
	if (said != raw_len)
		return err_set(err, ERR_CORRUPT, "the zstd frame does not hold %zu bytes", raw_len);

	buf_clear(out);
	if (raw_len > out->max)
		return err_set(err, ERR_CORRUPT, "%zu bytes are more than a member may hold", raw_len);
	out->data = mem_grow(NULL, raw_len + 1, 1);
	out->cap = raw_len + 1;
	size_t n = ZSTD_decompress(out->data, raw_len, frame, len);
	if (ZSTD_isError(n) || n != raw_len) {
		buf_clear(out);
		return err_set(err, ERR_CORRUPT, "the zstd frame does not decode: %s",
		               ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it is short");
	}
	out->len = n;
	out->data[n] = '\0';
	return true;
}

const char *frame_library(void) { return ZSTD_versionString(); }
