/*
 * What others wrote, told by the rows.  Each test has a database of its own with the tables of `schema`; the run is
 * played by one session, others by further ones.  Runs below tests/pg/with_cluster.sh.
 */
#include "runner/proof/evidence.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/proof/candidate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RUN "0190f5a0-0000-7000-8000-000000000001"

static bool ok_or_print(bool ok, const struct err *err)
{
	if (!ok)
		print_error("%s\n", err->msg);
	return ok;
}
#define must(call) assert_true(ok_or_print((call), &err))

struct scene {
	struct conninfo *ci;
	struct db *run; /* the run's session */
	struct counters before;
	struct own_share own;
	char *snapshot;
	json_t *rows;
	int64_t large_objects;
	struct foreign_writes said;
};

static int databases;

static struct db *someone(const struct scene *s)
{
	struct err err = ERR_INIT;
	struct db *db;

	must(db_open(s->ci, "someone", &db, &err));
	return db;
}

/* Another session comes, does it, and goes.  What it has counted is there when it is told so, not first at its end, for
 * which nobody waits. */
static void others(const struct scene *s, const char *sql)
{
	cleanup_db struct db *db = someone(s);
	struct err err = ERR_INIT;

	must(db_run(db, sql, &err));
	must(db_run(db, "SELECT pg_stat_force_next_flush()", &err));
}

static void ours(const struct scene *s, const char *sql)
{
	struct err err = ERR_INIT;

	must(db_run(s->run, sql, &err));
}

static const char schema[] = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' "
			     "FROM generate_series(1, 100) i;"
			     "CREATE TABLE \"odd \"\"é\" (id int); INSERT INTO \"odd \"\"é\" VALUES (1), (2);"
			     "CREATE SEQUENCE s; SELECT setval('s', 50); SELECT lo_create(0);"
			     "CREATE SCHEMA ripcord";

static void baseline(struct scene *s)
{
	struct err err = ERR_INIT;

	must(counters_read(s->run, &s->before, &err));
	ours(s, "BEGIN ISOLATION LEVEL REPEATABLE READ");
	must(db_value(s->run, "SELECT pg_current_snapshot()::text", DB_NO_ARGS, &s->snapshot, &err));
	must(db_int(s->run, "SELECT count(*) FROM pg_largeobject_metadata", DB_NO_ARGS, &s->large_objects,
	            &err));
	must(rows_read(s->run, &s->rows, &err));
	ours(s, "COMMIT");
}

static int set_up(void **state)
{
	struct scene *s = mem_new0(sizeof(*s));
	struct err err = ERR_INIT;
	cleanup_conninfo struct conninfo *admin = NULL;
	cleanup_db struct db *db = NULL;
	cleanup_free char *name = mem_fmt("evidence_%d", ++databases);

	must(conninfo_parse(getenv("RIPCORD_TEST_PG"), &admin, &err));
	must(db_open(admin, "admin", &db, &err));
	must(db_runf(db, &err, "CREATE DATABASE %I", name));
	s->ci = conninfo_with(admin, "dbname", name);
	others(s, schema);
	s->run = someone(s);
	ours(s, units_create_sql);
	baseline(s);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	db_close(s->run);
	conninfo_free(s->ci);
	counters_clear(&s->before);
	own_share_clear(&s->own);
	foreign_writes_clear(&s->said);
	json_decref(s->rows);
	free(s->snapshot);
	free(s);
	return 0;
}

/* One committed unit of the run, as upgrade_step.c makes it. */
static void unit_of(struct scene *s, const char *sql, bool fenced)
{
	const struct unit_seal seal = { .run = RUN, .before = &s->before, .fenced = fenced };
	cleanup_free char *question = NULL;
	cleanup_rows struct rows *answer = NULL;
	struct err err = ERR_INIT;

	must(unit_seal_question(s->run, &seal, &question, &err));
	must(own_share_begin(s->run, &err));
	ours(s, sql);
	ours(s, "SELECT FROM pg_catalog.pg_stat_clear_snapshot()");
	must(db_query(s->run, question, DB_NO_ARGS, &answer, &err));
	must(own_share_add(&s->own, answer, &err));
	ours(s, "COMMIT");
}

static void unit(struct scene *s, const char *sql) { unit_of(s, sql, false); }

/* What a killed transaction of the run leaves: counters that moved, no rows, and nobody to ask. */
static void killed(const struct scene *s, const char *sql)
{
	cleanup_free char *all = mem_fmt("BEGIN; %s; ROLLBACK", sql);

	others(s, all);
}

/* A crash of the server loses the counters; this reset stands for it. */
static void lose_counters(const struct scene *s) { others(s, "SELECT pg_stat_reset()"); }

static void look_again(struct scene *s)
{
	struct err err = ERR_INIT;
	cleanup_counters struct counters now = { .n_relations = 0 };
	cleanup_units struct units units = { .n = 0 };
	struct evidence e = { .before = &s->before,
		              .now = &now,
		              .snapshot = s->snapshot,
		              .rows = s->rows,
		              .large_objects = s->large_objects,
		              .run = RUN,
		              .units = &units,
		              .own = &s->own };

	must(counters_read(s->run, &now, &err));
	must(units_read(s->run, RUN, &units, &err));
	foreign_writes_clear(&s->said);
	must(evidence_count(s->run, &e, &s->said, &err));
}

static void assert_nobody(struct scene *s)
{
	look_again(s);
	if (!s->said.known)
		print_error("doubt: %s\n", s->said.why);
	for (size_t i = 0; i < s->said.lines.n; i++)
		print_error("said: %s\n", s->said.lines.v[i]);
	assert_true(foreign_writes_none(&s->said));
}

static void assert_said(struct scene *s, const char *part)
{
	look_again(s);
	for (size_t i = 0; i < s->said.lines.n; i++)
		if (strstr(s->said.lines.v[i], part))
			return;
	fail_msg("nothing was said of \"%s\"; doubt: %s", part, s->said.why);
}

static void assert_doubted(struct scene *s, const char *part)
{
	look_again(s);
	assert_false(s->said.known);
	if (!strstr(s->said.why, part))
		fail_msg("doubted for another reason: %s", s->said.why);
}

/* ------------------------------------------------------------------ nobody wrote */

static void nothing_at_all_is_nothing(void **state)
{
	assert_nobody(*state);
	lose_counters(*state);
	assert_nobody(*state);
}

static void aborted_work_left_no_row(void **state)
{
	killed(*state, "UPDATE t SET v = 'x'; INSERT INTO t VALUES (101); DELETE FROM \"odd \"\"é\";"
	               " CREATE TABLE n AS SELECT * FROM t; SELECT lo_create(0), nextval('s')");
	assert_nobody(*state);
}

static void units_of_the_run_are_known(void **state)
{
	struct scene *s = *state;

	unit(s, "ALTER TABLE t ADD COLUMN c int; INSERT INTO t SELECT i FROM generate_series(201, 210) i;"
	        " CREATE TABLE n AS SELECT * FROM t; DELETE FROM n WHERE id < 5; SELECT lo_create(0)");
	killed(s, "DELETE FROM n");
	assert_nobody(s);
	lose_counters(s);
	assert_nobody(s);
}

static void old_rows_changed_by_the_run_alone_are_settled(void **state)
{
	struct scene *s = *state;

	unit(s, "UPDATE t SET v = 'new'; DELETE FROM t WHERE id > 90");
	unit(s, "ALTER TABLE t ALTER COLUMN v TYPE varchar(30)"); /* no rewrite */
	unit(s, "ALTER TABLE t ALTER COLUMN id TYPE bigint");     /* one */
	lose_counters(s);
	assert_nobody(s);
}

static void a_table_dropped_by_the_run_alone_is_settled(void **state)
{
	struct scene *s = *state;

	unit(s, "DROP TABLE t");
	killed(s, "CREATE TABLE n AS SELECT 1 AS a");
	assert_nobody(s);
	lose_counters(s);
	assert_nobody(s);
}

/* ------------------------------------------------------------------ others wrote */

static void an_inserted_row_is_seen(void **state)
{
	others(*state, "INSERT INTO \"odd \"\"é\" VALUES (3)");
	assert_said(*state, "public.\"odd \"\"é\": 1 rows written");
	lose_counters(*state);
	assert_said(*state, "public.\"odd \"\"é\": 1 rows written");
}

static void an_updated_row_is_seen(void **state)
{
	lose_counters(*state);
	others(*state, "UPDATE t SET v = 'theirs' WHERE id = 7");
	assert_said(*state, "public.t: 1 rows written");
}

static void a_deleted_row_is_seen(void **state)
{
	lose_counters(*state);
	others(*state, "DELETE FROM t WHERE id = 7");
	assert_said(*state, "public.t: 99 rows where there should be 100");
}

static void a_row_replaced_by_another_is_seen(void **state)
{
	lose_counters(*state);
	others(*state, "DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (101)");
	assert_said(*state, "public.t: 1 rows written");
}

static void a_row_in_the_runs_new_table_is_seen(void **state)
{
	unit(*state, "CREATE TABLE n (a int)");
	others(*state, "INSERT INTO n VALUES (1)");
	lose_counters(*state);
	assert_said(*state, "public.n: 1 rows written");
}

/* It had its id before the snapshot, so it is older than much that is in the backup. */
static void a_transaction_that_was_open_is_seen(void **state)
{
	struct scene *s = *state;
	cleanup_db struct db *open = someone(s);
	struct err err = ERR_INIT;

	must(db_run(open, "BEGIN; INSERT INTO t VALUES (101)", &err));
	others(s, "UPDATE t SET v = v WHERE id = 1"); /* ids go on */
	counters_clear(&s->before);
	free(s->snapshot);
	json_decref(s->rows);
	baseline(s);
	must(db_run(open, "COMMIT", &err));
	lose_counters(s);
	assert_said(s, "public.t: 1 rows written");
}

static void a_write_after_the_runs_own_is_seen(void **state)
{
	unit(*state, "UPDATE t SET v = 'new'");
	others(*state, "UPDATE t SET v = 'theirs' WHERE id = 7");
	lose_counters(*state);
	assert_said(*state, "public.t: 1 rows written");
}

static void a_dropped_table_is_seen(void **state)
{
	others(*state, "DROP TABLE t");
	lose_counters(*state);
	assert_said(*state, "public.t: dropped");
}

static void a_new_view_is_seen(void **state)
{
	others(*state, "CREATE VIEW w AS SELECT * FROM t");
	lose_counters(*state);
	assert_said(*state, "pg_catalog.pg_class: 1 rows written");
}

static void a_granted_right_is_seen(void **state)
{
	others(*state, "GRANT SELECT ON t TO PUBLIC");
	lose_counters(*state);
	assert_said(*state, "pg_catalog.pg_class: 1 rows written");
}

static void a_large_object_is_seen(void **state)
{
	others(*state, "SELECT lo_create(0)");
	lose_counters(*state);
	assert_said(*state, "large objects: 2 where there should be 1");
}

static void a_write_to_a_large_object_is_seen(void **state)
{
	lose_counters(*state);
	others(*state, "SELECT lo_put(oid, 0, 'x') FROM pg_largeobject_metadata");
	assert_said(*state, "large objects: 1 pages written");
}

static void a_prepared_transaction_is_seen(void **state)
{
	others(*state, "BEGIN; INSERT INTO t VALUES (101); PREPARE TRANSACTION 'theirs'");
	assert_said(*state, "transaction \"theirs\" is prepared");
	others(*state, "ROLLBACK PREPARED 'theirs'");
}

static void only_a_lowered_sequence_is_a_loss(void **state)
{
	lose_counters(*state);
	others(*state, "SELECT nextval('s')");
	assert_nobody(*state);
	others(*state, "SELECT setval('s', 3)");
	assert_said(*state, "sequence public.s: moved from 50,true to 3,true");
}

/* ------------------------------------------------------------------ the run's own work may hide others' */

static void a_hidden_write_of_a_session_that_is_gone_is_a_doubt(void **state)
{
	others(*state, "UPDATE t SET v = 'theirs' WHERE id = 7");
	unit(*state, "UPDATE t SET v = 'new'");
	lose_counters(*state);
	assert_doubted(*state, "what others had written to public.t");
}

/* It has committed and not yet told the counters: for ten seconds nobody would know. */
static void a_hidden_write_of_a_session_that_stays_is_a_doubt(void **state)
{
	struct scene *s = *state;
	cleanup_db struct db *open = someone(s);
	struct err err = ERR_INIT;

	must(db_run(open, "SELECT 1", &err)); /* so that the next one is not reported at once */
	must(db_run(open, "UPDATE t SET v = 'theirs' WHERE id = 7", &err));
	unit(s, "UPDATE t SET v = 'new'");
	lose_counters(s);
	assert_doubted(s, "what others had written to public.t");
}

static void a_write_to_what_the_run_dropped_is_a_doubt(void **state)
{
	others(*state, "INSERT INTO t VALUES (101)");
	unit(*state, "DROP TABLE t");
	lose_counters(*state);
	assert_doubted(*state, "what others had written to public.t");
}

static void a_write_to_what_the_run_rewrote_is_a_doubt(void **state)
{
	others(*state, "UPDATE t SET v = 'theirs' WHERE id = 7");
	unit(*state, "ALTER TABLE t ALTER COLUMN id TYPE bigint");
	lose_counters(*state);
	assert_doubted(*state, "what others had written to public.t");
}

/* The counters began at zero between the baseline and the unit: that they agree again proves nothing. */
static void counters_of_another_time_settle_nothing(void **state)
{
	struct scene *s = *state;

	lose_counters(s);
	counters_clear(&s->before);
	struct err err = ERR_INIT;
	must(counters_read(s->run, &s->before, &err));
	others(s, "UPDATE t SET v = 'theirs' WHERE id = 7");
	lose_counters(s);
	unit(s, "UPDATE t SET v = 'new'");
	assert_doubted(s, "what others had written to public.t");
}

static void a_unit_behind_a_fence_hides_nothing(void **state)
{
	others(*state, "SELECT 1");
	lose_counters(*state);
	unit_of(*state, "UPDATE t SET v = 'old'", true);
	assert_nobody(*state);
}

/* ------------------------------------------------------------------ what is not known */

static void without_the_snapshot_nothing_is_known(void **state)
{
	struct scene *s = *state;

	lose_counters(s);
	free(s->snapshot);
	s->snapshot = NULL;
	assert_doubted(s, "snapshot");
}

static void without_row_counts_nothing_is_known(void **state)
{
	struct scene *s = *state;

	lose_counters(s);
	json_decref(s->rows);
	s->rows = NULL;
	assert_doubted(s, "how many rows");
}

static void a_table_that_may_not_be_read_is_a_doubt(void **state)
{
	struct scene *s = *state;
	struct err err = ERR_INIT;

	lose_counters(s);
	must(db_run(s->run,
	            "DO $$ BEGIN CREATE ROLE evidence_reader; EXCEPTION WHEN duplicate_object THEN END $$;"
	            " GRANT SELECT ON ALL TABLES IN SCHEMA ripcord TO evidence_reader;"
	            " GRANT USAGE ON SCHEMA ripcord TO evidence_reader; GRANT pg_monitor TO evidence_reader;"
	            " GRANT SELECT ON SEQUENCE s TO evidence_reader",
	            &err));
	ours(s, "SET SESSION AUTHORIZATION evidence_reader");
	assert_doubted(s, "permission denied");
}

#define test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(nothing_at_all_is_nothing),
		test(aborted_work_left_no_row),
		test(units_of_the_run_are_known),
		test(old_rows_changed_by_the_run_alone_are_settled),
		test(a_table_dropped_by_the_run_alone_is_settled),
		test(an_inserted_row_is_seen),
		test(an_updated_row_is_seen),
		test(a_deleted_row_is_seen),
		test(a_row_replaced_by_another_is_seen),
		test(a_row_in_the_runs_new_table_is_seen),
		test(a_transaction_that_was_open_is_seen),
		test(a_write_after_the_runs_own_is_seen),
		test(a_dropped_table_is_seen),
		test(a_new_view_is_seen),
		test(a_granted_right_is_seen),
		test(a_large_object_is_seen),
		test(a_write_to_a_large_object_is_seen),
		test(a_prepared_transaction_is_seen),
		test(only_a_lowered_sequence_is_a_loss),
		test(a_hidden_write_of_a_session_that_is_gone_is_a_doubt),
		test(a_hidden_write_of_a_session_that_stays_is_a_doubt),
		test(a_write_to_what_the_run_dropped_is_a_doubt),
		test(a_write_to_what_the_run_rewrote_is_a_doubt),
		test(counters_of_another_time_settle_nothing),
		test(a_unit_behind_a_fence_hides_nothing),
		test(without_the_snapshot_nothing_is_known),
		test(without_row_counts_nothing_is_known),
		test(a_table_that_may_not_be_read_is_a_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
