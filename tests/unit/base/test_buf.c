/* Buffers and the allocation under them: growth, the NUL, the maximum that ends the process. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "unit.h"

static void grows_and_stays_terminated(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT(100000);

	assert_string_equal(buf_text(&b), "");
	for (size_t i = 0; i < 10000; i++) {
		buf_char(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], 0);
	}
	buf_fmt(&b, "<%s %d>", "x", 7);
	assert_int_equal(b.len, 10005);
	assert_string_equal(b.data + 10000, "<x 7>");
}

static void formats_its_own_text(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT(1000);

	buf_str(&b, "ab");
	buf_fmt(&b, "[%s]", b.data);
	assert_string_equal(b.data, "ab[ab]");
}

static void keeps_nul_bytes(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT(10);

	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 3);
}

static void take_empties_it(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT(10);

	cleanup_free char *empty = buf_take(&b);
	assert_string_equal(empty, "");
	buf_str(&b, "text");
	cleanup_free char *text = buf_take(&b);
	assert_string_equal(text, "text");
	assert_int_equal(b.len, 0);
	assert_null(b.data);
	assert_int_equal(b.max, 10);
	buf_str(&b, "again");
	buf_clear(&b);
	assert_int_equal(b.max, 10);
	assert_string_equal(buf_text(&b), "");
}

static void fill(size_t more)
{
	cleanup_buf struct buf b = BUF_INIT(8);

	buf_str(&b, "1234567");
	buf_add(&b, "12345678", more);
}

static void one_byte_past_the_maximum(void) { fill(2); }
static void exactly_the_maximum(void) { fill(1); }
static void grow_past_all_memory(void) { free(mem_grow(NULL, SIZE_MAX / 2, 4)); }

static void the_maximum_ends_the_process(void **state)
{
	(void)state;
	assert_false(aborts(exactly_the_maximum));
	assert_true(aborts(one_byte_past_the_maximum));
	assert_true(aborts(grow_past_all_memory));
}

static void memory_is_zeroed_and_copied(void **state)
{
	(void)state;
	cleanup_free char *zero = mem_new0(16);
	cleanup_free char *part = mem_strndup("abcdef", 3);
	cleanup_free char *text = mem_fmt("%s-%d", "a", 1);
	static const char nothing[16];

	assert_memory_equal(zero, nothing, 16);
	assert_null(mem_strdup(NULL));
	assert_string_equal(part, "abc");
	assert_string_equal(text, "a-1");
	memset(zero, 'x', 16);
	mem_wipe(zero, 16);
	assert_memory_equal(zero, nothing, 16);
	mem_wipe(NULL, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(formats_its_own_text),
		cmocka_unit_test(keeps_nul_bytes),
		cmocka_unit_test(take_empties_it),
		cmocka_unit_test(the_maximum_ends_the_process),
		cmocka_unit_test(memory_is_zeroed_and_copied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
