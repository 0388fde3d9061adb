/* The counter on an archive recorded from pg_dump 15.20, whole, in pieces, cut at every byte, and changed. */
#include "backup/stream/custom_rows.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct buf archive = BUF_INIT(1 << 20);

static int group_setup(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	return file_read(FIXTURES "/custom-1.14.dump", &archive, &err) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	buf_clear(&archive);
	return 0;
}

static struct custom_rows *count(const char *data, size_t len, size_t piece)
{
	struct custom_rows *r = custom_rows_new();

	for (size_t at = 0; at < len; at += piece)
		custom_rows_add(r, data + at, len - at < piece ? len - at : piece);
	return r;
}

static void rows_of_every_table(void **state)
{
	/* The fixture's tables, as fixtures/backup/README.md makes them. */
	static const char expected[] =
		"{\"\\\"odd \\\"\\\"schema\\\".\\\"tab.le (x) é\\\"\":3,\"public.\\\"user\\\"\":2,"
		"\"public.empty\":0,\"public.nocols\":2,\"public.part_a\":5,"
		"\"public.part_b\":5,\"public.plain\":1000}";
	static const size_t pieces[] = { 1, 2, 3, 7, 64, 511, 513, 4096, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		cleanup_custom_rows struct custom_rows *r = count(archive.data, archive.len, pieces[i]);
		struct err err = ERR_INIT;
		assert_true(custom_rows_finish(r, &err));
		assert_null(custom_rows_doubt(r));
		cleanup_json json_t *counts = custom_rows_counts(r);
		cleanup_free char *text = json_canonical(counts);
		assert_string_equal(text, expected);
	}
}

/* The same bytes mean other letters in another encoding, and nobody would find the table by them. */
static void names_of_another_encoding_are_doubted(void **state)
{
	static const char says[] = "client_encoding = 'UTF8'";
	cleanup_buf struct buf other = BUF_INIT(1 << 20);

	(void)state;
	buf_add(&other, archive.data, archive.len);
	char *at = memmem(other.data, other.len, says, sizeof(says) - 1);
	assert_non_null(at);
	memcpy(at + sizeof(says) - 6, "WIN1", 4);
	cleanup_custom_rows struct custom_rows *r = count(other.data, other.len, 4096);
	assert_non_null(custom_rows_doubt(r));
}

static void no_prefix_of(const struct buf *whole)
{
	for (size_t len = 0; len < whole->len; len++) {
		cleanup_custom_rows struct custom_rows *r = count(whole->data, len, 1 << 20);
		struct err err = ERR_INIT;
		assert_false(custom_rows_finish(r, &err));
		assert_int_equal(err.code, ERR_BACKUP);
	}
}

/* pg_dump writes no end marker: every prefix must be told from the whole, the one that ends behind a
 * table among them. */
static void no_prefix_passes(void **state)
{
	cleanup_buf struct buf two = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;

	(void)state;
	no_prefix_of(&archive);
	assert_true(file_read(FIXTURES "/custom-1.14-two.dump", &two, &err));
	no_prefix_of(&two);
	cleanup_custom_rows struct custom_rows *r = count(two.data, two.len, 1 << 20);
	assert_true(custom_rows_finish(r, &err));
	cleanup_json json_t *counts = custom_rows_counts(r);
	assert_int_equal(json_integer_value(json_object_get(counts, "public.b")), 3);
}

static void bytes_behind_the_end_are_not_understood(void **state)
{
	cleanup_buf struct buf longer = BUF_INIT(1 << 20);

	(void)state;
	buf_add(&longer, archive.data, archive.len);
	buf_add(&longer, "more bytes", 10);
	cleanup_custom_rows struct custom_rows *r = count(longer.data, longer.len, 1 << 20);
	struct err err = ERR_INIT;
	assert_true(custom_rows_finish(r, &err));
	assert_non_null(custom_rows_doubt(r));
	assert_null(custom_rows_counts(r));
}

static const char *doubt_after_change(size_t at, char value)
{
	cleanup_buf struct buf changed = BUF_INIT(1 << 20);

	buf_add(&changed, archive.data, archive.len);
	changed.data[at] = value;
	cleanup_custom_rows struct custom_rows *r = count(changed.data, changed.len, 100);
	struct err err = ERR_INIT;
	assert_true(custom_rows_finish(r, &err));
	cleanup_json json_t *counts = custom_rows_counts(r);
	assert_true((counts == NULL) == (custom_rows_doubt(r) != NULL));
	return custom_rows_doubt(r);
}

/* Offsets in the header: PGDMP, major, minor, revision, int size, offset size, format, compression. */
static void a_header_that_is_not_known_is_doubted(void **state)
{
	(void)state;
	assert_non_null(doubt_after_change(6, 17));
	assert_non_null(doubt_after_change(6, 13));
	assert_non_null(doubt_after_change(5, 2));
	assert_non_null(doubt_after_change(8, 8));
	assert_non_null(doubt_after_change(9, 99));
	assert_non_null(doubt_after_change(10, 3));
	assert_non_null(doubt_after_change(12, 6));
}

static void what_is_no_archive_is_an_error(void **state)
{
	static const char text[] = "--\n-- PostgreSQL database dump\n--\n";
	struct err err = ERR_INIT;

	(void)state;
	cleanup_custom_rows struct custom_rows *r = count(text, sizeof(text) - 1, 5);
	assert_false(custom_rows_finish(r, &err));
	assert_int_equal(err.code, ERR_BACKUP);
}

/* Whatever the bytes, the counter must not read beyond them (the sanitizers look) nor hang. */
static void changed_bytes_do_no_harm(void **state)
{
	cleanup_buf struct buf changed = BUF_INIT(1 << 20);

	(void)state;
	buf_add(&changed, archive.data, archive.len);
	for (size_t at = 0; at < archive.len; at += 3) {
		char was = changed.data[at];
		struct err err = ERR_INIT;
		changed.data[at] = (char)(was ^ (1 << (at % 8)));
		cleanup_custom_rows struct custom_rows *r = count(changed.data, changed.len, 1 << 20);
		if (custom_rows_finish(r, &err))
			assert_int_equal(err.code, ERR_NONE);
		else
			assert_int_equal(err.code, ERR_BACKUP);
		changed.data[at] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_every_table),
		cmocka_unit_test(names_of_another_encoding_are_doubted),
		cmocka_unit_test(no_prefix_passes),
		cmocka_unit_test(bytes_behind_the_end_are_not_understood),
		cmocka_unit_test(a_header_that_is_not_known_is_doubted),
		cmocka_unit_test(what_is_no_archive_is_an_error),
		cmocka_unit_test(changed_bytes_do_no_harm),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
