/* The count of others' writes over readings made by hand: what it must see, and what it must not take for theirs. */
#include "base/mem.h"
#include "runner/proof/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { T = 20000, TOAST = 20003, TEMP = 20006, PG_CLASS = 1259, STATISTIC = 2619, S = 30000, MAX = 8 };

struct bench {
	struct counters before, now;
	struct own_share own;
	struct foreign_writes f;
};

static void put_relation(struct counters *c, int64_t oid, const char *name, struct tuples rows)
{
	assert_true(c->n_relations < MAX);
	c->relations[c->n_relations++] =
		(struct relation_counts){ .oid = oid, .name = mem_strdup(name), .rows = rows };
}

static void put_sequence(struct counters *c, int64_t oid, const char *name, const char *value)
{
	assert_true(c->n_sequences < MAX);
	c->sequences[c->n_sequences++] =
		(struct sequence_value){ .oid = oid, .name = mem_strdup(name), .value = mem_strdup(value) };
}

static void put_server(struct counters *c)
{
	*c = (struct counters){ .postmaster_start = mem_strdup("10:00"),
		                .stats_reset = mem_strdup(""),
		                .collected_since = mem_strdup("09:00"),
		                .timeline = mem_strdup("1"),
		                .system_identifier = mem_strdup("7000"),
		                .snapshot = mem_strdup("10:10:"),
		                .track_counts = true,
		                .server_version = 150020,
		                .total = { 1000, 100, 10 },
		                .relations = mem_new0(MAX * sizeof(struct relation_counts)),
		                .sequences = mem_new0(MAX * sizeof(struct sequence_value)) };
	put_relation(c, PG_CLASS, "pg_catalog.pg_class", (struct tuples){ 400, 10, 5 });
	put_relation(c, STATISTIC, "pg_catalog.pg_statistic", (struct tuples){ 50, 5, 0 });
	put_relation(c, T, "public.t", (struct tuples){ 10, 20, 3 });
	put_sequence(c, S, "public.s", "5,true");
}

static int set_up(void **state)
{
	struct bench *b = mem_new0(sizeof(*b));

	put_server(&b->before);
	put_server(&b->now);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	counters_clear(&b->before);
	counters_clear(&b->now);
	own_share_clear(&b->own);
	foreign_writes_clear(&b->f);
	free(b);
	return 0;
}

static struct relation_counts *now_of(struct bench *b, int64_t oid)
{
	for (size_t i = 0; i < b->now.n_relations; i++)
		if (b->now.relations[i].oid == oid)
			return &b->now.relations[i];
	fail_msg("no relation %lld", (long long)oid);
	return NULL;
}

static void grow(struct bench *b, int64_t oid, struct tuples by)
{
	struct tuples *rows = &now_of(b, oid)->rows, *total = &b->now.total;

	rows->inserted += by.inserted, rows->updated += by.updated, rows->deleted += by.deleted;
	total->inserted += by.inserted, total->updated += by.updated, total->deleted += by.deleted;
}

/* The relation with that OID is gone now, and its counts with it; what was done to it meanwhile is in the totals. */
static void vanish(struct bench *b, int64_t oid, struct tuples meanwhile)
{
	struct relation_counts *r = now_of(b, oid);
	size_t at = (size_t)(r - b->now.relations);

	grow(b, oid, meanwhile);
	free(r->name);
	memmove(r, r + 1, (--b->now.n_relations - at) * sizeof(*r));
}

static void write_own(struct bench *b, int64_t oid, struct tuples rows)
{
	const struct relation_counts old = { .oid = oid };
	struct relation_counts grown = { .oid = oid, .rows = rows };
	const struct counters start = { .relations = (struct relation_counts *)&old, .n_relations = 1 };
	const struct counters end = { .relations = &grown, .n_relations = 1 };

	own_share_add_window(&b->own, &start, &end);
}

static void count(struct bench *b) { foreign_writes_count(&b->before, &b->now, &b->own, &b->f); }

static void set_text(char **text, const char *to)
{
	free(*text);
	*text = mem_strdup(to);
}

static void assert_line(struct bench *b, const char *line)
{
	count(b);
	assert_true(b->f.known);
	assert_int_equal(b->f.lines.n, 1);
	assert_string_equal(b->f.lines.v[0], line);
	assert_false(foreign_writes_none(&b->f));
}

static void assert_none(struct bench *b)
{
	count(b);
	assert_true(b->f.known);
	assert_int_equal(b->f.rows, 0);
	assert_true(foreign_writes_none(&b->f));
}

static void assert_doubt(struct bench *b, const char *why)
{
	count(b);
	assert_false(b->f.known);
	assert_false(foreign_writes_none(&b->f));
	if (!strstr(b->f.why, why))
		fail_msg("\"%s\" is not in \"%s\"", why, b->f.why);
}

/* ------------------------------------------------------------------ which readings are believed */

static void nothing_moved_is_nobody(void **state) { assert_none(*state); }

static void a_restart_is_a_doubt(void **state)
{
	set_text(&((struct bench *)*state)->now.postmaster_start, "11:00");
	assert_doubt(*state, "restarted at 11:00");
}

static void a_reset_is_a_doubt(void **state)
{
	set_text(&((struct bench *)*state)->now.stats_reset, "11:00");
	assert_doubt(*state, "reset at 11:00");
}

static void a_backends_crash_is_a_doubt(void **state)
{
	set_text(&((struct bench *)*state)->now.collected_since, "11:00");
	assert_doubt(*state, "crash");
}

static void another_timeline_is_a_doubt(void **state)
{
	set_text(&((struct bench *)*state)->now.timeline, "2");
	assert_doubt(*state, "timeline changed from 1 to 2");
}

static void another_cluster_is_a_doubt(void **state)
{
	set_text(&((struct bench *)*state)->now.system_identifier, "7001");
	assert_doubt(*state, "another cluster");
}

static void track_counts_off_is_a_doubt_at_either_end(void **state)
{
	struct bench *b = *state;

	b->before.track_counts = false;
	assert_doubt(b, "track_counts");
	foreign_writes_clear(&b->f);
	b->before.track_counts = true;
	b->now.track_counts = false;
	assert_doubt(b, "track_counts");
}

static void before_15_nothing_is_known(void **state)
{
	((struct bench *)*state)->now.server_version = 140011;
	assert_doubt(*state, "PostgreSQL 15");
}

static void an_unknown_own_share_is_a_doubt(void **state)
{
	struct bench *b = *state;

	b->own.unknown = true;
	strcpy(b->own.why, "because");
	assert_doubt(b, "because");
}

/* ------------------------------------------------------------------ rows */

static void each_number_is_named(void **state)
{
	grow(*state, T, (struct tuples){ 1, 2, 3 });
	assert_line(*state, "public.t: 1 inserted, 2 updated, 3 deleted");
	assert_int_equal(((struct bench *)*state)->f.rows, 6);
}

static void our_own_rows_are_not_others(void **state)
{
	grow(*state, T, (struct tuples){ 4, 0, 1 });
	write_own(*state, T, (struct tuples){ 4, 0, 1 });
	assert_none(*state);
}

static void others_rows_are_what_is_left(void **state)
{
	grow(*state, T, (struct tuples){ 5, 0, 1 });
	write_own(*state, T, (struct tuples){ 4, 0, 1 });
	assert_line(*state, "public.t: 1 inserted");
}

static void less_than_our_own_is_a_doubt(void **state)
{
	grow(*state, T, (struct tuples){ 3, 0, 0 });
	write_own(*state, T, (struct tuples){ 4, 0, 0 });
	assert_doubt(*state, "public.t say less");
}

/* What is missing in one number must not make up for what is too much in another. */
static void a_negative_number_does_not_balance_a_positive(void **state)
{
	grow(*state, T, (struct tuples){ 4, 0, 0 });
	write_own(*state, T, (struct tuples){ 0, 0, 4 });
	assert_doubt(*state, "public.t say less");
}

static void a_new_table_is_counted_from_zero(void **state)
{
	put_relation(&((struct bench *)*state)->now, 21000, "public.new", (struct tuples){ 7, 0, 0 });
	assert_line(*state, "public.new: 7 inserted");
}

static void a_new_table_of_our_own_is_ours(void **state)
{
	put_relation(&((struct bench *)*state)->now, 21000, "public.new", (struct tuples){ 7, 0, 0 });
	write_own(*state, 21000, (struct tuples){ 7, 0, 0 });
	assert_none(*state);
}

static void toast_counts(void **state)
{
	struct bench *b = *state;

	put_relation(&b->before, TOAST, "public.t (TOAST)", (struct tuples){ 0, 0, 0 });
	put_relation(&b->now, TOAST, "public.t (TOAST)", (struct tuples){ 2, 0, 0 });
	assert_line(b, "public.t (TOAST): 2 inserted");
}

static void catalogs_count(void **state)
{
	grow(*state, PG_CLASS, (struct tuples){ 0, 1, 0 });
	assert_line(*state, "pg_catalog.pg_class: 1 updated");
}

static void what_analyze_writes_does_not_count(void **state)
{
	struct bench *b = *state;

	grow(b, STATISTIC, (struct tuples){ 9, 9, 9 });
	put_relation(&b->now, 20900, "pg_catalog.pg_statistic (TOAST)", (struct tuples){ 3, 0, 0 });
	put_relation(&b->now, 20901, "pg_catalog.pg_statistic_ext_data", (struct tuples){ 3, 0, 0 });
	assert_none(b);
}

static void tables_with_names_like_those_count(void **state)
{
	put_relation(&((struct bench *)*state)->now, 20900, "pg_catalog.pg_statistic_ext",
	             (struct tuples){ 1, 0, 0 });
	assert_line(*state, "pg_catalog.pg_statistic_ext: 1 inserted");
}

static void temporary_tables_do_not_count(void **state)
{
	struct bench *b = *state;

	put_relation(&b->now, TEMP, "pg_temp_3.x", (struct tuples){ 9, 0, 0 });
	b->now.relations[b->now.n_relations - 1].is_temporary = true;
	assert_none(b);
}

static void only_the_runs_own_diary_is_left_out(void **state)
{
	struct bench *b = *state;

	put_relation(&b->now, 20900, "ripcord.run", (struct tuples){ 1, 30, 0 });
	put_relation(&b->now, 20901, "ripcord.run (TOAST)", (struct tuples){ 60, 0, 60 });
	assert_none(b);
	foreign_writes_clear(&b->f);
	put_relation(&b->now, 20902, "ripcord.running", (struct tuples){ 1, 0, 0 });
	put_relation(&b->now, 20903, "ripcord.history", (struct tuples){ 1, 0, 0 });
	count(b);
	assert_int_equal(b->f.lines.n, 2);
}

/* ------------------------------------------------------------------ tables that are gone */

static void a_vanished_table_that_nobody_touched_balances(void **state)
{
	vanish(*state, T, (struct tuples){ 0, 0, 0 });
	assert_none(*state);
}

static void a_vanished_table_that_others_touched(void **state)
{
	vanish(*state, T, (struct tuples){ 2, 0, 1 });
	assert_line(*state, "tables that are gone (public.t): 2 inserted, 1 deleted");
}

static void a_vanished_table_that_we_touched_balances(void **state)
{
	vanish(*state, T, (struct tuples){ 2, 0, 0 });
	write_own(*state, T, (struct tuples){ 2, 0, 0 });
	assert_none(*state);
}

static void a_vanished_table_beside_a_living_one_that_grew(void **state)
{
	vanish(*state, T, (struct tuples){ 2, 0, 0 });
	grow(*state, PG_CLASS, (struct tuples){ 0, 0, 1 });
	write_own(*state, PG_CLASS, (struct tuples){ 0, 0, 1 });
	assert_line(*state, "tables that are gone (public.t): 2 inserted");
}

static void totals_that_fell_behind_are_a_doubt(void **state)
{
	vanish(*state, T, (struct tuples){ 0, 0, 0 });
	((struct bench *)*state)->now.total.inserted -= 1;
	assert_doubt(*state, "do not balance");
}

/* ------------------------------------------------------------------ sequences, prepared transactions */

static void a_sequence_that_moved(void **state)
{
	set_text(&((struct bench *)*state)->now.sequences[0].value, "9,true");
	assert_line(*state, "sequence public.s: moved from 5,true to 9,true");
}

static void a_sequence_that_was_only_called(void **state)
{
	set_text(&((struct bench *)*state)->now.sequences[0].value, "5,false");
	assert_line(*state, "sequence public.s: moved from 5,true to 5,false");
}

static void a_sequence_that_we_used_is_not_told_apart(void **state)
{
	struct bench *b = *state;

	set_text(&b->now.sequences[0].value, "9,true");
	own_share_add_window(&b->own, &b->before, &b->now);
	assert_none(b);
}

static void which_way_is_behind(void **state)
{
	static const struct {
		const char *was, *is;
		bool descends, behind;
	} cases[] = {
		{ "5,true", "4,true", false, true },   { "5,true", "6,true", false, false },
		{ "5,true", "5,true", false, false },  { "5,true", "5,false", false, true },
		{ "5,false", "5,true", false, false }, { "5,false", "5,false", false, false },
		{ "-5,true", "-6,true", true, false }, { "-5,true", "-4,true", true, true },
		{ "-5,true", "-5,false", true, true }, { "9223372036854775807,true", "1,true", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sequence_value was = { .value = (char *)cases[i].was,
			                            .descends = cases[i].descends };
		const struct sequence_value is = { .value = (char *)cases[i].is,
			                           .descends = cases[i].descends };
		if (sequence_is_behind(&was, &is) != cases[i].behind)
			fail_msg("%s after %s", cases[i].is, cases[i].was);
	}
}

static void a_prepared_transaction_is_a_write(void **state)
{
	strv_add(&((struct bench *)*state)->now.prepared, "p1");
	assert_line(*state, "transaction \"p1\" is prepared and has not ended");
}

/* ------------------------------------------------------------------ the journal */

static void readings_survive_the_journal(void **state)
{
	struct bench *b = *state;
	struct counters back = { .n_relations = 0 };
	struct err err = ERR_INIT;

	b->before.sequences[0].descends = true;
	b->before.relations[2].is_temporary = true;
	cleanup_json json_t *j = counters_to_json(&b->before);
	assert_true(counters_from_json(j, &back, &err));
	cleanup_json json_t *again = counters_to_json(&back);
	assert_true(json_equal(j, again));
	assert_true(back.sequences[0].descends && back.relations[2].is_temporary && back.track_counts);
	counters_clear(&back);
	foreign_writes_count(&b->before, &b->now, &b->own, &b->f);
}

static void damaged_readings_are_refused(void **state)
{
	struct bench *b = *state;
	static const char *const keys[] = { "total", "relations", "sequences" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct counters back = { .n_relations = 0 };
		struct err err = ERR_INIT;
		cleanup_json json_t *j = counters_to_json(&b->before);

		json_put(j, keys[i], json_pack("[[]]"));
		assert_false(counters_from_json(j, &back, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_moved_is_nobody),
		CASE(a_restart_is_a_doubt),
		CASE(a_reset_is_a_doubt),
		CASE(a_backends_crash_is_a_doubt),
		CASE(another_timeline_is_a_doubt),
		CASE(another_cluster_is_a_doubt),
		CASE(track_counts_off_is_a_doubt_at_either_end),
		CASE(before_15_nothing_is_known),
		CASE(an_unknown_own_share_is_a_doubt),
		CASE(each_number_is_named),
		CASE(our_own_rows_are_not_others),
		CASE(others_rows_are_what_is_left),
		CASE(less_than_our_own_is_a_doubt),
		CASE(a_negative_number_does_not_balance_a_positive),
		CASE(a_new_table_is_counted_from_zero),
		CASE(a_new_table_of_our_own_is_ours),
		CASE(toast_counts),
		CASE(catalogs_count),
		CASE(what_analyze_writes_does_not_count),
		CASE(tables_with_names_like_those_count),
		CASE(temporary_tables_do_not_count),
		CASE(only_the_runs_own_diary_is_left_out),
		CASE(a_vanished_table_that_nobody_touched_balances),
		CASE(a_vanished_table_that_others_touched),
		CASE(a_vanished_table_that_we_touched_balances),
		CASE(a_vanished_table_beside_a_living_one_that_grew),
		CASE(totals_that_fell_behind_are_a_doubt),
		CASE(a_sequence_that_moved),
		CASE(a_sequence_that_was_only_called),
		CASE(a_sequence_that_we_used_is_not_told_apart),
		CASE(which_way_is_behind),
		CASE(a_prepared_transaction_is_a_write),
		CASE(readings_survive_the_journal),
		CASE(damaged_readings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
