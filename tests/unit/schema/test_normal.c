#include "migrations/schema/normal.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Both texts of a pair are the same thing to PostgreSQL; the left ones are what 15.20 deparses before a
 * dump and restore, the right ones after. */
static const struct pair {
	const char *context, *before, *after;
} SAME[] = {
	{ "constraint",
	  "CHECK (((k)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
	  "CHECK (((k)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character "
	  "varying)::text])))" },
	{ "constraint",
	  "CHECK (((k)::text <> ALL ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
	  "CHECK (((k)::text <> ALL (ARRAY[('a'::character varying)::text, ('b'::character "
	  "varying)::text])))" },
	{ "constraint", "CHECK ((((n >= 1) AND (n <= 10)) AND (n <> 5)))",
	  "CHECK (((n >= 1) AND (n <= 10) AND (n <> 5)))" },
	{ "constraint", "CHECK ((((n < 1) OR (n > 10)) OR (n = 5)))",
	  "CHECK (((n < 1) OR (n > 10) OR (n = 5)))" },
	{ "expression", "(a AND (b AND (c AND (d OR (e OR f)))))", "(a AND b AND c AND (d OR e OR f))" },
	{ "expression",
	  "(ARRAY[ARRAY['a'::varchar, 'b'::varchar], ARRAY['c'::varchar, 'd'::varchar]])::text[]",
	  "ARRAY[ARRAY[('a'::varchar)::text, ('b'::varchar)::text], ARRAY[('c'::varchar)::text, "
	  "('d'::varchar)::text]]" },
	{ "expression", "((ARRAY[a, b])::varchar[])::text[]",
	  "ARRAY[(a::varchar)::text, (b::varchar)::text]" },
	{ "statement", "SELECT t.id FROM t WHERE (((t.n >= 1) AND (t.n <= 5)) AND (t.id > 0));",
	  " SELECT t.id\n   FROM t\n  WHERE ((t.n >= 1) AND (t.n <= 5) AND (t.id > 0));" },
	{ "body", "RETURN ((k)::text = ANY ((ARRAY['a'::varchar, 'b'::varchar])::text[]))",
	  "RETURN ((k)::text = ANY (ARRAY[('a'::varchar)::text, ('b'::varchar)::text]))" },
	{ "body", "BEGIN ATOMIC\n SELECT (((n >= 1) AND (n <= 5)) AND (n <> 3));\nEND",
	  "BEGIN ATOMIC\n SELECT ((n >= 1) AND (n <= 5) AND (n <> 3));\nEND" },
	{ "arguments", "a integer, b text[] DEFAULT (ARRAY['x'::varchar])::text[]",
	  "a integer, b text[] DEFAULT ARRAY[('x'::varchar)::text]" },
	{ "statistics", "CREATE STATISTICS public.s (mcv) ON b, a, (lower(c)) FROM public.t",
	  "CREATE STATISTICS public.s (mcv) ON a, b, (lower(c)) FROM public.t" },
	{ "partition key", "LIST ((((k)::text = ANY ((ARRAY['a'::varchar, 'b'::varchar])::text[]))))",
	  "LIST ((((k)::text = ANY (ARRAY[('a'::varchar)::text, ('b'::varchar)::text]))))" },
};

/* Two things, however much alike. */
static const struct pair OTHER[] = {
	{ "statistics", "CREATE STATISTICS s ON a, b FROM t", "CREATE STATISTICS s ON a, c FROM t" },
	{ "statistics", "CREATE STATISTICS s ON a, b FROM t", "CREATE STATISTICS s (mcv) ON a, b FROM t" },
	{ "expression", "(a AND b) OR c", "a AND (b OR c)" },
	{ "expression", "(a AND b) OR c", "a OR b OR c" },
	{ "expression", "a AND b AND c", "a AND c AND b" },
	{ "expression", "NOT (a AND b)", "(NOT a) AND b" },
	{ "expression", "a = ANY (ARRAY[1, 2])", "a = ANY (ARRAY[2, 1])" },
	{ "expression", "a = ANY (ARRAY[1, 2])", "a = ALL (ARRAY[1, 2])" },
	{ "expression", "(ARRAY[a, b])::text[]", "(ARRAY[a, b])::varchar[]" },
	{ "expression", "(ARRAY[a, b])::varchar(3)[]", "(ARRAY[a, b])::varchar(4)[]" },
	{ "expression", "(ARRAY[])::text[]", "(ARRAY[])::integer[]" },
	{ "expression", "(ARRAY[a, b])::text[]", "ARRAY[a, b]" },
	{ "expression", "(ARRAY['1', '2'])::text", "(ARRAY['1', '2'])::text[]" },
	{ "expression", "(a AND b) = 'x AND y'", "(a AND b) = 'x AND  y'" },
	{ "constraint", "CHECK (a AND b)", "CHECK (a AND b) NOT VALID" },
	{ "expression", "ARRAY[ARRAY[a, b]]", "ARRAY[a, b]" },
};

static char *form_of(const char *context, const char *text)
{
	char *form = NULL;

	assert_int_equal(normal_form(context, text, &form), NORMAL_FORM);
	assert_non_null(form);
	assert_int_equal(strlen(form), 4 + 64);
	return form;
}

static void test_one_form_for_two_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(SAME) / sizeof(*SAME); i++) {
		cleanup_free char *before = form_of(SAME[i].context, SAME[i].before);
		cleanup_free char *after = form_of(SAME[i].context, SAME[i].after);

		assert_string_equal(before, after);
	}
}

static void test_two_things_keep_two_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(OTHER) / sizeof(*OTHER); i++) {
		cleanup_free char *before = form_of(OTHER[i].context, OTHER[i].before);
		cleanup_free char *after = form_of(OTHER[i].context, OTHER[i].after);

		if (strcmp(before, after) == 0)
			fail_msg("one form for \"%s\" and \"%s\"", OTHER[i].before, OTHER[i].after);
	}
}

/* Neither rewriting takes the last of these words away, so both sides of a pair are parsed. */
static void test_texts_that_cannot_vary_are_not_parsed(void **state)
{
	static const char *const PLAIN[] = {
		"FOREIGN KEY (a) REFERENCES t(b)",      "'x'::text", "(a = 1)", "",
		"BRAND_ORANGE(ANDROID, ARRAYS, SANDY)", "ORDER",     "_AND",    "ANDé"
	};
	char *form = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(PLAIN) / sizeof(*PLAIN); i++) {
		assert_int_equal(normal_form("constraint", PLAIN[i], &form), NORMAL_AS_IS);
		assert_null(form);
	}
}

static void test_what_does_not_parse_is_said_so(void **state)
{
	char *form = NULL;

	(void)state;
	assert_int_equal(normal_form("constraint", "CHECK (a AND b) NOT YET KNOWN", &form), NORMAL_UNPARSED);
	assert_null(form);
	assert_int_equal(normal_form("expression", "(a AND", &form), NORMAL_UNPARSED);
	assert_null(form);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_form_for_two_texts),
		cmocka_unit_test(test_two_things_keep_two_forms),
		cmocka_unit_test(test_texts_that_cannot_vary_are_not_parsed),
		cmocka_unit_test(test_what_does_not_parse_is_said_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
