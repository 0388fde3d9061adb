/* Which storage stands behind which name, before and after. */
#include "runner/proof/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define A  "public.a: 16400 stored in 16400, n 1"
#define B  "public.b: 16403 stored in 16403, n 1"
#define A_ "public.a: 16403 stored in 16403, n 1"
#define B_ "public.b: 16400 stored in 16400, n 1"

static struct identity make(const char *const *lines, size_t n)
{
	struct identity id = { .lines = STRV_INIT };

	for (size_t i = 0; i < n; i++)
		strv_add(&id.lines, lines[i]);
	strv_sort(&id.lines);
	return id;
}
#define MAKE(...)                                                                                            \
	make((const char *const[]){ __VA_ARGS__ },                                                           \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void assert_lost(struct identity before, struct identity after, size_t n, const char *first)
{
	cleanup_strv struct strv lost = STRV_INIT;

	identity_compare(&before, &after, &lost);
	assert_int_equal(lost.n, n);
	if (n > 0)
		assert_string_equal(lost.v[0], first);
	identity_clear(&before);
	identity_clear(&after);
}

static void the_same_is_the_same(void **state)
{
	(void)state;
	assert_lost(MAKE(A, B), MAKE(B, A), 0, NULL);
}

static void what_is_new_does_not_matter(void **state)
{
	(void)state;
	assert_lost(MAKE(B), MAKE(A, B, "public.c: 1 stored in 1"), 0, NULL);
}

static void tables_renamed_crosswise_are_both_lost(void **state)
{
	(void)state;
	assert_lost(MAKE(A, B), MAKE(A_, B_), 2, A);
}

static void new_storage_is_a_loss(void **state)
{
	(void)state;
	assert_lost(MAKE(A, B), MAKE(A, "public.b: 16403 stored in 16500, n 1"), 1, B);
}

static void other_column_numbers_are_a_loss(void **state)
{
	(void)state;
	assert_lost(MAKE("t: 1 stored in 1, a 1, b 2"), MAKE("t: 1 stored in 1, b 1, a 2"), 1,
	            "t: 1 stored in 1, a 1, b 2");
}

static void the_last_and_the_only_one_are_looked_at(void **state)
{
	(void)state;
	assert_lost(MAKE(A, B), MAKE(A), 1, B);
	assert_lost(MAKE(A), (struct identity){ .lines = STRV_INIT }, 1, A);
}

static void it_survives_the_journal(void **state)
{
	struct identity before = MAKE(B, A), back = { .lines = STRV_INIT };

	(void)state;
	cleanup_json json_t *j = identity_to_json(&before);
	identity_from_json(j, &back);
	assert_lost(before, back, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_the_same),
		cmocka_unit_test(what_is_new_does_not_matter),
		cmocka_unit_test(tables_renamed_crosswise_are_both_lost),
		cmocka_unit_test(new_storage_is_a_loss),
		cmocka_unit_test(other_column_numbers_are_a_loss),
		cmocka_unit_test(the_last_and_the_only_one_are_looked_at),
		cmocka_unit_test(it_survives_the_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
