/* The account of what a run itself wrote. */
#include "base/mem.h"
#include "runner/proof/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void window(struct own_share *own, int64_t oid, struct tuples from, struct tuples to)
{
	struct relation_counts a = { .oid = oid, .rows = from }, b = { .oid = oid, .rows = to };
	const struct counters start = { .relations = &a, .n_relations = 1 },
			      end = { .relations = &b, .n_relations = 1 };

	own_share_add_window(own, &start, &end);
}

static void assert_rows(const struct own_share *own, int64_t oid, struct tuples rows)
{
	const struct relation_counts *r = own_share_of(own, oid);

	assert_non_null(r);
	assert_int_equal(r->rows.inserted, rows.inserted);
	assert_int_equal(r->rows.updated, rows.updated);
	assert_int_equal(r->rows.deleted, rows.deleted);
}

static void shares_of_one_table_add_up(void **state)
{
	struct own_share own = { .n_relations = 0 };

	(void)state;
	window(&own, 7, (struct tuples){ 1, 1, 1 }, (struct tuples){ 2, 3, 4 });
	window(&own, 7, (struct tuples){ 2, 3, 4 }, (struct tuples){ 12, 3, 4 });
	assert_int_equal(own.n_relations, 1);
	assert_rows(&own, 7, (struct tuples){ 11, 2, 3 });
	own_share_clear(&own);
}

static void tables_stay_sorted_in_whatever_order_they_come(void **state)
{
	static const int64_t oids[] = { 50, 10, 90, 70, 30, 10, 4000000000 };
	struct own_share own = { .n_relations = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++)
		window(&own, oids[i], (struct tuples){ 0, 0, 0 }, (struct tuples){ 1, 0, 0 });
	assert_int_equal(own.n_relations, 6);
	for (size_t i = 1; i < own.n_relations; i++)
		assert_true(own.relations[i - 1].oid < own.relations[i].oid);
	assert_rows(&own, 10, (struct tuples){ 2, 0, 0 });
	assert_rows(&own, 4000000000, (struct tuples){ 1, 0, 0 });
	assert_null(own_share_of(&own, 11));
	assert_null(own_share_of(&own, 5000000000));
	own_share_clear(&own);
}

static void what_did_not_grow_is_no_share(void **state)
{
	struct own_share own = { .n_relations = 0 };

	(void)state;
	window(&own, 7, (struct tuples){ 1, 2, 3 }, (struct tuples){ 1, 2, 3 });
	assert_null(own_share_of(&own, 7));
	own_share_clear(&own);
}

static void a_table_born_in_the_window_counts_whole(void **state)
{
	struct relation_counts was[] = { { .oid = 5 }, { .oid = 9 } };
	struct relation_counts is[] = { { .oid = 6, .rows = { 3, 0, 0 } },
		                        { .oid = 9, .rows = { 0, 1, 0 } } };
	const struct counters start = { .relations = was, .n_relations = 2 },
			      end = { .relations = is, .n_relations = 2 };
	struct own_share own = { .n_relations = 0 };

	(void)state;
	own_share_add_window(&own, &start, &end);
	assert_int_equal(own.n_relations, 2);
	assert_rows(&own, 6, (struct tuples){ 3, 0, 0 });
	assert_rows(&own, 9, (struct tuples){ 0, 1, 0 });
	own_share_clear(&own);
}

static void only_sequences_that_moved_are_used(void **state)
{
	char one[] = "1,true", two[] = "2,true";
	struct sequence_value was[] = { { .oid = 5, .value = one },
		                        { .oid = 6, .value = one },
		                        { .oid = 8, .value = one } };
	struct sequence_value is[] = { { .oid = 5, .value = one },
		                       { .oid = 7, .value = one },
		                       { .oid = 8, .value = two } };
	const struct counters start = { .sequences = was, .n_sequences = 3 },
			      end = { .sequences = is, .n_sequences = 3 };
	struct own_share own = { .n_relations = 0 };

	(void)state;
	assert_false(own_share_has_sequence(&own, 8));
	own_share_add_window(&own, &start, &end);
	own_share_add_window(&own, &start, &end);
	assert_int_equal(own.n_sequences, 1);
	assert_true(own_share_has_sequence(&own, 8));
	assert_false(own_share_has_sequence(&own, 5));
	own_share_clear(&own);
}

static void a_share_survives_the_journal(void **state)
{
	struct own_share own = { .unknown = true }, back = { .n_relations = 0 };
	struct err err = ERR_INIT;

	(void)state;
	window(&own, 7, (struct tuples){ 0, 0, 0 }, (struct tuples){ 1, 2, 3 });
	own.sequences = mem_new0(sizeof(*own.sequences));
	own.sequences[own.n_sequences++] = 4000000001;
	cleanup_json json_t *j = own_share_to_json(&own);
	assert_true(own_share_from_json(j, &back, &err));
	assert_true(back.unknown && back.database);
	assert_rows(&back, 7, (struct tuples){ 1, 2, 3 });
	assert_true(own_share_has_sequence(&back, 4000000001));
	cleanup_json json_t *again = own_share_to_json(&back);
	assert_true(json_equal(j, again));
	own_share_clear(&own);
	own_share_clear(&back);
}

/* What this process does not know is not made known by a journal that did not know yet. */
static void a_doubt_is_not_lifted_by_the_journal(void **state)
{
	struct own_share known = { .n_relations = 0 }, own = { .unknown = true };
	struct err err = ERR_INIT;

	(void)state;
	cleanup_json json_t *j = own_share_to_json(&known);
	assert_true(own_share_from_json(j, &own, &err));
	assert_true(own.unknown);
	assert_false(own.database);
	own_share_clear(&own);
}

static void a_damaged_account_is_refused(void **state)
{
	struct own_share own = { .n_relations = 0 };
	struct err err = ERR_INIT;
	cleanup_json json_t *j = json_pack("{s:[]}", "relations");

	(void)state;
	assert_false(own_share_from_json(j, &own, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	own_share_clear(&own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_of_one_table_add_up),
		cmocka_unit_test(tables_stay_sorted_in_whatever_order_they_come),
		cmocka_unit_test(what_did_not_grow_is_no_share),
		cmocka_unit_test(a_table_born_in_the_window_counts_whole),
		cmocka_unit_test(only_sequences_that_moved_are_used),
		cmocka_unit_test(a_share_survives_the_journal),
		cmocka_unit_test(a_doubt_is_not_lifted_by_the_journal),
		cmocka_unit_test(a_damaged_account_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
