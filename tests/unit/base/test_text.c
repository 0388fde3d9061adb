/* Parsers take all of the text or nothing; printers round so that people are not misled. */
#include "base/cleanup.h"
#include "base/text.h"
#include "unit.h"

#define UNTOUCHED (-77)

struct number_case {
	const char *text;
	int64_t value; /* UNTOUCHED: refused, and the output left alone */
};

static void check_numbers(bool (*parse)(const char *, int64_t *), const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t value = UNTOUCHED;
		bool ok = parse(cases[i].text, &value);
		if (ok != (cases[i].value != UNTOUCHED) || value != cases[i].value)
			fail_msg("'%s': got %lld", cases[i].text, (long long)value);
	}
}

static void integers(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{ "0", 0 },
		{ "-5", -5 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
		{ "9223372036854775808", UNTOUCHED },
		{ "", UNTOUCHED },
		{ " 1", UNTOUCHED },
		{ "1 ", UNTOUCHED },
		{ "+1", UNTOUCHED },
		{ "-", UNTOUCHED },
		{ "--1", UNTOUCHED },
		{ "0x10", UNTOUCHED },
		{ "1e3", UNTOUCHED },
	};
	check_numbers(text_to_int64, cases, COUNT(cases));
}

static void durations(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{ "0", 0 },
		{ "250ms", 250 },
		{ "5", 5000 },
		{ "5s", 5000 },
		{ "10min", 600000 },
		{ "6h", 21600000 },
		{ "7d", 604800000 },
		{ "7D", 604800000 },
		{ "", UNTOUCHED },
		{ "s", UNTOUCHED },
		{ "-1s", UNTOUCHED },
		{ "5 s", UNTOUCHED },
		{ "5m", UNTOUCHED }, /* minutes or milliseconds: not guessed */
		{ "1.5h", UNTOUCHED },
		{ "9223372036854775807s", UNTOUCHED },
	};
	check_numbers(text_to_duration_ms, cases, COUNT(cases));
}

static void sizes(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{ "0", 0 },
		{ "17", 17 },
		{ "17B", 17 },
		{ "512k", 524288 },
		{ "512kB", 512000 },
		{ "512KiB", 524288 },
		{ "16MiB", 16777216 },
		{ "200MB", 200000000 },
		{ "1G", 1073741824 },
		{ "1GiB", 1073741824 },
		{ "2T", 2199023255552 },
		{ "8388607TiB", 9223370937343148032 },
		{ "8388608TiB", UNTOUCHED },
		{ "-1", UNTOUCHED },
		{ "1 MB", UNTOUCHED },
		{ "MB", UNTOUCHED },
		{ "1MBs", UNTOUCHED },
	};
	check_numbers(text_to_size, cases, COUNT(cases));
}

static void booleans(void **state)
{
	(void)state;
	static const char *const yes[] = { "yes", "true", "on", "1", "YES", "True" };
	static const char *const no[] = { "no", "false", "off", "0", "Off" };
	static const char *const neither[] = { "", "y", "2", "yes ", "ja", "enabled" };
	bool value;

	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(text_to_bool(yes[i], &value) && value);
	for (size_t i = 0; i < COUNT(no); i++)
		assert_true(text_to_bool(no[i], &value) && !value);
	for (size_t i = 0; i < COUNT(neither); i++)
		assert_false(text_to_bool(neither[i], &value));
}

static void sizes_for_people(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{ "0 B", 0 },
		{ "1023 B", 1023 },
		{ "1.0 KiB", 1024 },
		{ "412.3 MiB", 432327885 },
		{ "1.0 MiB", 1048575 }, /* never "1024.0 KiB" */
		{ "8.0 EiB", INT64_MAX },
		{ "-5 B", -5 },
	};
	char out[TEXT_SHORT];

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(text_size(cases[i].value, out), cases[i].text);
}

static void durations_for_people(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{ "0 ms", 0 },
		{ "999 ms", 999 },
		{ "3.4 s", 3499 },
		{ "59.9 s", 59999 },
		{ "1 min 00 s", 60000 },
		{ "1 h 02 min", 3720000 },
		{ "23 h 59 min", 86399999 },
		{ "1 d 00 h", 86400000 },
	};
	char out[TEXT_SHORT];

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(text_duration(cases[i].value, out), cases[i].text);
	assert_non_null(text_duration(INT64_MAX, out));
}

static void starts_ends_trims(void **state)
{
	(void)state;
	char blank[] = " \t\n", text[] = "\r\n a b \v";

	assert_true(text_starts("abc", "ab"));
	assert_true(text_starts("abc", ""));
	assert_false(text_starts("ab", "abc"));
	assert_true(text_ends("a.sql", ".sql"));
	assert_false(text_ends("sql", ".sql"));
	assert_string_equal(text_trim(text), "a b");
	assert_string_equal(text_trim(blank), "");
}

static void utf8(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len, valid;
	} cases[] = {
		{ "", 0, 0 },
		{ "abc", 3, 3 },
		{ "a\0b", 3, 1 },
		{ "\xC3\xA4", 2, 2 },
		{ "\xE2\x82\xAC", 3, 3 },
		{ "\xF0\x9F\x90\x98", 4, 4 },
		{ "a\xC3", 2, 1 },            /* cut */
		{ "\xE2\x82", 2, 0 },         /* cut */
		{ "\xC0\x80", 2, 0 },         /* too long a form */
		{ "\xE0\x9F\xBF", 3, 0 },     /* too long a form */
		{ "\xED\xA0\x80", 3, 0 },     /* a surrogate */
		{ "\xF4\x90\x80\x80", 4, 0 }, /* past U+10FFFF */
		{ "\xF4\x8F\xBF\xBF", 4, 4 }, /* U+10FFFF */
		{ "ab\x80", 3, 2 },
		{ "\xFF", 1, 0 },
		{ "\xF0\x9F\x90\x41", 4, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(text_utf8_valid(cases[i].text, cases[i].len), cases[i].valid);
}

static void utf8_cuts_between_characters(void **state)
{
	(void)state;
	const char *text = "a\xE2\x82\xAC\xC3\xA4"; /* 1 + 3 + 2 bytes */
	static const size_t expected[] = { 0, 1, 1, 1, 4, 4, 6, 6 };

	for (size_t max = 0; max < COUNT(expected); max++)
		assert_int_equal(text_utf8_cut(text, max), expected[max]);
}

static void percent_encoding(void **state)
{
	(void)state;
	cleanup_free char *plain = text_percent("my-db_9");
	cleanup_free char *wild = text_percent("../a b\"%\xC3\xA4");

	assert_string_equal(plain, "my-db_9");
	assert_string_equal(wild, "%2E%2E%2Fa%20b%22%25%C3%A4");
}

static void suggestions(void **state)
{
	(void)state;
	static const char *const entries[] = { "upgrade", "downgrade", "history", "heads", "list" };
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{ "upgrad", "upgrade" },
		{ "ugprade", "upgrade" },
		{ "lsit", "list" },
		{ "histroy", "history" },
		{ "head", "heads" },
		{ "xyzzy", NULL },
		{ "l", NULL },
		{ "", NULL },
		{ "list", "list" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *got = text_nearest(cases[i].word, entries, COUNT(entries));
		if (!cases[i].nearest)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].nearest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(booleans),
		cmocka_unit_test(sizes_for_people),
		cmocka_unit_test(durations_for_people),
		cmocka_unit_test(starts_ends_trims),
		cmocka_unit_test(utf8),
		cmocka_unit_test(utf8_cuts_between_characters),
		cmocka_unit_test(percent_encoding),
		cmocka_unit_test(suggestions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
