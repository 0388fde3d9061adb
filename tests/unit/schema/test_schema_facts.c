#include "migrations/schema/schema.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"format\":1,\"facts\":["
#define TAIL "]}"
#define COLUMN(position, type)                                                                               \
	"{\"kind\":\"column\",\"name\":\"public.t.a\",\"attributes\":{\"position\":\"" position              \
	"\",\"type\":\"" type "\"}}"
#define TABLE(owner) "{\"kind\":\"table\",\"name\":\"public.t\",\"attributes\":{\"owner\":\"" owner "\"}}"
#define CHECKED(text, form)                                                                                  \
	"{\"kind\":\"constraint\",\"name\":\"c on public.t\",\"attributes\":{\"definition\":[\"" text        \
	"\",\"" form "\"]}}"
#define DATABASE(limit)                                                                                      \
	"{\"kind\":\"database\",\"name\":\"database\",\"attributes\":{\"connection limit\":\"" limit "\"}}"

static struct schema *facts(const char *text)
{
	cleanup_json json_t *j = NULL;
	struct schema *s = NULL;
	struct err err = ERR_INIT;

	if (!json_parse(text, strlen(text), "the test's facts", &j, &err) || !schema_from_json(j, &s, &err))
		fail_msg("%s", err.msg);
	return s;
}

static bool equal(const char *a, const char *b, enum schema_level level)
{
	cleanup_schema struct schema *s = facts(a);
	cleanup_schema struct schema *t = facts(b);
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	char x[SHA256_HEX], y[SHA256_HEX];
	size_t n = schema_diff(s, t, level, &diff);

	schema_digest(s, level, x);
	schema_digest(t, level, y);
	assert_true((n == 0) == (diff.len == 0));
	assert_true((n == 0) == (strcmp(x, y) == 0)); /* the diff and the digest never disagree */
	return n == 0;
}

static void assert_diff(const char *a, const char *b, enum schema_level level, const char *expected)
{
	cleanup_schema struct schema *s = facts(a);
	cleanup_schema struct schema *t = facts(b);
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	(void)schema_diff(s, t, level, &diff);
	assert_string_equal(buf_text(&diff), expected);
}

static void test_order_in_the_file_does_not_count(void **state)
{
	(void)state;
	assert_true(equal(HEAD TABLE("bob") "," COLUMN("1", "text") TAIL,
	                  HEAD COLUMN("1", "text") "," TABLE("bob") TAIL, SCHEMA_STRICT));
}

static void test_levels(void **state)
{
	const char *first = HEAD TABLE("bob") "," COLUMN("1", "text") "," DATABASE("5") TAIL;
	const char *moved = HEAD TABLE("eve") "," COLUMN("2", "text") "," DATABASE("5") TAIL;
	const char *limited = HEAD TABLE("bob") "," COLUMN("1", "text") "," DATABASE("6") TAIL;
	const char *typed = HEAD TABLE("bob") "," COLUMN("1", "int") "," DATABASE("5") TAIL;

	(void)state;
	assert_false(equal(first, moved, SCHEMA_STRICT));
	assert_true(equal(first, moved, SCHEMA_LOGICAL));
	assert_false(equal(first, moved, SCHEMA_INSIDE));
	assert_false(equal(first, limited, SCHEMA_STRICT));
	assert_false(equal(first, limited, SCHEMA_LOGICAL));
	assert_true(equal(first, limited, SCHEMA_INSIDE));
	for (enum schema_level level = SCHEMA_STRICT; level <= SCHEMA_INSIDE; level++)
		assert_false(equal(first, typed, level));
}

/* What is shown may differ where what is compared does not, and the other way round. */
static void test_forms_are_compared_not_texts(void **state)
{
	(void)state;
	assert_true(equal(HEAD CHECKED("CHECK (a)", "sql:1") TAIL, HEAD CHECKED("CHECK ((a))", "sql:1") TAIL,
	                  SCHEMA_STRICT));
	assert_false(equal(HEAD CHECKED("CHECK (a)", "sql:1") TAIL, HEAD CHECKED("CHECK (a)", "sql:2") TAIL,
	                   SCHEMA_STRICT));
	/* A form that a value spells is still another thing than that form. */
	assert_false(equal(
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":\"sql:1\"}}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":[\"x\",\"sql:"
		"1\"]}}]}",
		SCHEMA_STRICT));
}

/* Texts must not run into each other in what is hashed. */
static void test_neighbours_do_not_mix(void **state)
{
	(void)state;
	assert_false(equal("{\"format\":1,\"facts\":[{\"kind\":\"ab\",\"name\":\"c\",\"attributes\":{}}]}",
	                   "{\"format\":1,\"facts\":[{\"kind\":\"a\",\"name\":\"bc\",\"attributes\":{}}]}",
	                   SCHEMA_STRICT));
	assert_false(equal(
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":\"b=c\"}}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":\"b\",\"c\":"
		"\"\"}}]}",
		SCHEMA_STRICT));
	assert_false(equal(HEAD TAIL,
	                   "{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{}}]}",
	                   SCHEMA_LOGICAL));
}

static void test_diff_names_object_and_attribute(void **state)
{
	(void)state;
	assert_diff(HEAD TABLE("bob") "," COLUMN("1", "text") TAIL,
	            HEAD TABLE("bob") "," COLUMN("1", "int") TAIL, SCHEMA_STRICT,
	            "- column public.t.a: type text\n+ column public.t.a: type int\n");
	assert_diff(HEAD TABLE("bob") "," COLUMN("1", "text") TAIL, HEAD TABLE("bob") TAIL, SCHEMA_STRICT,
	            "- column public.t.a: position 1\n- column public.t.a: type text\n");
	assert_diff(HEAD TABLE("bob") TAIL, HEAD TABLE("bob") "," COLUMN("1", "text") TAIL, SCHEMA_LOGICAL,
	            "+ column public.t.a: type text\n");
	assert_diff(HEAD TABLE("bob") TAIL, HEAD TAIL, SCHEMA_LOGICAL, "- table public.t\n");
	assert_diff(HEAD TABLE("a\\nb\\\\") TAIL, HEAD TABLE("b") TAIL, SCHEMA_STRICT,
	            "- table public.t: owner a\\nb\\\\\n+ table public.t: owner b\n");
	assert_diff(HEAD TAIL, HEAD TAIL, SCHEMA_STRICT, "");
}

static void test_json_round_trip(void **state)
{
	const char *text =
		HEAD CHECKED("CHECK (a \\\"ü\\\"\\n)", "sql:1") "," TABLE("bob") "," COLUMN("1", "text") TAIL;
	cleanup_schema struct schema *s = facts(text);
	cleanup_json json_t *j = schema_to_json(s);
	cleanup_schema struct schema *again = NULL;
	struct err err = ERR_INIT;
	char a[SHA256_HEX], b[SHA256_HEX];

	(void)state;
	assert_true(schema_from_json(j, &again, &err));
	assert_int_equal(schema_count(again), 3);
	schema_digest(s, SCHEMA_STRICT, a);
	schema_digest(again, SCHEMA_STRICT, b);
	assert_string_equal(a, b);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(schema_fact(s, i)->digest, schema_fact(again, i)->digest);
		assert_int_equal(strlen(schema_fact(s, i)->digest), 64);
	}
	assert_string_equal(schema_fact(again, 1)->attributes[0].value, "CHECK (a \"ü\"\n)");
	assert_string_equal(schema_fact(again, 1)->attributes[0].form, "sql:1");
	assert_null(schema_fact(again, 0)->attributes[0].form);
}

static void test_json_that_is_no_schema(void **state)
{
	static const char *const BROKEN[] = {
		"{}",
		"[]",
		"{\"format\":2,\"facts\":[]}",
		"{\"format\":1}",
		"{\"format\":1,\"facts\":[1]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\"}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\"}]}",
		"{\"format\":1,\"facts\":[{\"kind\":1,\"name\":\"n\",\"attributes\":{}}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":1}}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":[\"x\"]}}]}",
		"{\"format\":1,\"facts\":[{\"kind\":\"k\",\"name\":\"n\",\"attributes\":{\"a\":[\"x\",1]}}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(BROKEN) / sizeof(*BROKEN); i++) {
		cleanup_json json_t *j = NULL;
		struct schema *s = NULL;
		struct err err = ERR_INIT;

		assert_true(json_parse(BROKEN[i], strlen(BROKEN[i]), "a test", &j, &err));
		assert_false(schema_from_json(j, &s, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_null(s);
	}
}

static void test_print(void **state)
{
	cleanup_schema struct schema *s = facts(HEAD TABLE("a\\tb") "," COLUMN("1", "text") TAIL);
	char text[200] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(out);
	schema_print(s, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		text, "column public.t.a\n\tposition: 1\n\ttype: text\ntable public.t\n\towner: a\\tb\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_in_the_file_does_not_count),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_forms_are_compared_not_texts),
		cmocka_unit_test(test_neighbours_do_not_mix),
		cmocka_unit_test(test_diff_names_object_and_attribute),
		cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_json_that_is_no_schema),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
