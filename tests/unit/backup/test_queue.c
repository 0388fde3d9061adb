/* Bytes between two threads: all of them, in order, and nobody waits for one who has given up. */
#include "backup/stream/queue.h"
#include "backup/stream/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define TOTAL ((size_t)1000003)

struct writer {
	struct queue *queue;
	size_t piece;
	bool ok;
	struct err err;
};

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 2654435761U >> 11); }

static void *write_all(void *arg)
{
	struct writer *w = arg;
	unsigned char piece[5000];

	w->ok = true;
	for (size_t at = 0; at < TOTAL && w->ok;) {
		size_t n = TOTAL - at < w->piece ? TOTAL - at : w->piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(at + i);
		w->ok = queue_write(w->queue, piece, n, &w->err);
		at += n;
	}
	queue_end(w->queue);
	return NULL;
}

/* Rings smaller than a piece, larger, and of one byte; readers likewise. */
static void everything_comes_in_order(void **state)
{
	static const size_t sizes[][3] = {
		{ 1, 7, 3 }, { 4096, 5000, 100 }, { 1 << 20, 4999, 5000 }, { 17, 16, 64 }
	};

	(void)state;
	for (size_t c = 0; c < sizeof(sizes) / sizeof(sizes[0]); c++) {
		struct writer w = { .queue = queue_new(sizes[c][0]), .piece = sizes[c][1], .err = ERR_INIT };
		struct err err = ERR_INIT;
		unsigned char piece[5000];
		size_t at = 0, got;
		pthread_t thread;

		assert_true(thread_start(&thread, write_all, &w, &err));
		do {
			assert_true(queue_read(w.queue, piece, sizes[c][2], &got, &err));
			for (size_t i = 0; i < got; i++)
				if (piece[i] != byte_at(at + i))
					fail_msg("byte %zu is wrong", at + i);
			at += got;
		} while (got > 0);
		assert_int_equal(at, TOTAL);
		pthread_join(thread, NULL);
		assert_true(w.ok);
		queue_free(w.queue);
	}
}

static void a_reader_that_gives_up_wakes_the_writer(void **state)
{
	struct writer w = { .queue = queue_new(100), .piece = 1000, .err = ERR_INIT };
	struct err err = ERR_INIT, why = ERR_INIT, later = ERR_INIT;
	pthread_t thread;

	(void)state;
	err_set(&why, ERR_BACKUP, "full");
	err_set(&later, ERR_IO, "gone");
	assert_true(thread_start(&thread, write_all, &w, &err));
	usleep(50000); /* it waits for room by now */
	queue_give_up(w.queue, &why);
	queue_give_up(w.queue, &later);
	pthread_join(thread, NULL);
	assert_false(w.ok);
	assert_int_equal(w.err.code, ERR_BACKUP);
	assert_string_equal(w.err.msg, "full");
	queue_free(w.queue);
}

/* What was written before is not handed out: the stream is not whole. */
static void a_writer_that_gives_up_is_no_end(void **state)
{
	struct queue *q = queue_new(100);
	struct err err = ERR_INIT, why = ERR_INIT;
	char piece[10];
	size_t got = 7;

	(void)state;
	assert_true(queue_write(q, "abc", 3, &err));
	err_set(&why, ERR_PROC, "died");
	queue_give_up(q, &why);
	assert_false(queue_read(q, piece, sizeof(piece), &got, &err));
	assert_int_equal(err.code, ERR_PROC);
	assert_int_equal(got, 7);
	queue_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_in_order),
		cmocka_unit_test(a_reader_that_gives_up_wakes_the_writer),
		cmocka_unit_test(a_writer_that_gives_up_is_no_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
