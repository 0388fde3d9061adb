/* Chunks in, frames out in order, at every mix of chunk size, thread count and piece; and failing consumers. */
#include "backup/stream/pool.h"

#include "backup/stream/frame.h"
#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static unsigned char data[300001]; /* compresses badly in its first half, well in its second */

struct collected {
	struct buf all;
	size_t n_frames, fail_at;
};

static bool collect(void *ctx, const struct pool_frame *f, struct err *err)
{
	struct collected *c = ctx;
	cleanup_buf struct buf raw = BUF_INIT(sizeof(data));
	char hex[SHA256_HEX];

	if (++c->n_frames == c->fail_at)
		return err_set(err, ERR_BACKUP, "no room");
	sha256_of(f->data, f->len, hex);
	assert_string_equal(hex, f->sha256);
	if (!frame_decode(f->data, f->len, f->raw_len, &raw, err))
		return false;
	buf_add(&c->all, raw.data, raw.len);
	return true;
}

static int group_setup(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(data) / 2; i++) {
		x = x * 1664525U + 1013904223U;
		data[i] = (unsigned char)(x >> 24);
	}
	return 0;
}

static bool run(const struct pool_spec *spec, size_t piece, struct err *err)
{
	struct pool *p;
	bool ok = true;

	if (!pool_new(spec, &p, err))
		return false;
	for (size_t at = 0; ok && at < sizeof(data); at += piece)
		ok = pool_add(p, data + at, sizeof(data) - at < piece ? sizeof(data) - at : piece, err);
	struct err later = ERR_INIT;
	if (!ok)
		assert_false(pool_add(p, "x", 1, &later) || pool_finish(p, &later)); /* failed is failed */
	ok = ok && pool_finish(p, err);
	pool_free(p);
	return ok;
}

#define N_CASES ((size_t)6 * 3 * 3) /* chunks, pieces, threads */

static void round_trip(void **state)
{
	static const size_t chunks[] = { 1000, 4096, 65536, 100000, sizeof(data), 1 << 20 };
	static const size_t pieces[] = { 777, 65536, sizeof(data) };

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		struct collected c = { .all = BUF_INIT(sizeof(data) + 1) };
		const struct pool_spec spec = { .threads = 1 + (int)(i / 18) * 2,
			                        .level = 1,
			                        .chunk = chunks[i % 6],
			                        .on_frame = collect,
			                        .ctx = &c };
		struct err err = ERR_INIT;
		assert_true(run(&spec, pieces[i / 6 % 3], &err));
		assert_int_equal(c.n_frames, (sizeof(data) + spec.chunk - 1) / spec.chunk);
		assert_int_equal(c.all.len, sizeof(data));
		assert_memory_equal(c.all.data, data, sizeof(data));
		buf_clear(&c.all);
	}
}

static void a_failing_consumer_stops_it(void **state)
{
	(void)state;
	for (size_t fail_at = 1; fail_at <= 31; fail_at++) {
		struct collected c = { .all = BUF_INIT(sizeof(data) + 1), .fail_at = fail_at };
		const struct pool_spec spec = {
			.threads = 2, .level = 1, .chunk = 10000, .on_frame = collect, .ctx = &c
		};
		struct err err = ERR_INIT;
		assert_false(run(&spec, 5000, &err));
		assert_int_equal(err.code, ERR_BACKUP);
		assert_string_equal(err.msg, "no room");
		assert_int_equal(c.n_frames, fail_at); /* nothing is handed out after it */
		buf_clear(&c.all);
	}
}

static void a_level_out_of_range_is_refused(void **state)
{
	const struct pool_spec spec = { .threads = 1, .level = 23, .chunk = 10, .on_frame = collect };
	struct pool *p;
	struct err err = ERR_INIT;

	(void)state;
	assert_false(pool_new(&spec, &p, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

/* A frame that is cut, changed or followed by anything is not decoded. */
static void a_damaged_frame_is_seen(void **state)
{
	struct frame_encoder *e;
	unsigned char frame[70000];
	struct err err = ERR_INIT;
	cleanup_buf struct buf raw = BUF_INIT(1 << 20);

	(void)state;
	assert_true(frame_encoder_new(3, &e, &err));
	struct frame_out made = { .data = frame, .cap = sizeof(frame) };
	assert_true(frame_encode(e, data + sizeof(data) / 2 - 20000, 60000, &made, &err));
	frame_encoder_free(e);
	const size_t len = made.len;
	assert_true(frame_decode(frame, len, 60000, &raw, &err));

	for (size_t at = 0; at < len; at += 61) {
		struct err why = ERR_INIT;
		frame[at] ^= 0x10;
		assert_false(frame_decode(frame, len, 60000, &raw, &why));
		assert_int_equal(why.code, ERR_CORRUPT);
		frame[at] ^= 0x10;
	}
	for (size_t cut = 0; cut < len; cut += 997) {
		struct err why = ERR_INIT;
		assert_false(frame_decode(frame, cut, 60000, &raw, &why));
	}
	assert_false(frame_decode(frame, len + 1, 60000, &raw, &err));
	struct err other = ERR_INIT;
	assert_false(frame_decode(frame, len, 60001, &raw, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(a_failing_consumer_stops_it),
		cmocka_unit_test(a_level_out_of_range_is_refused),
		cmocka_unit_test(a_damaged_frame_is_seen),
	};
	return cmocka_run_group_tests(tests, group_setup, NULL);
}
