#include "runner/report.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* design.md section 8, row by row. */
static const struct expected {
	enum outcome outcome;
	enum err_code code;
	const char *name;
	int exit;
} expected[] = {
	{ OUTCOME_UPGRADED, ERR_NONE, "upgraded", 0 },
	{ OUTCOME_DOWNGRADED, ERR_NONE, "downgraded", 0 },
	{ OUTCOME_UNCHANGED, ERR_NONE, "unchanged", 0 },
	{ OUTCOME_REFUSED, ERR_REFUSED, "refused", 3 },
	{ OUTCOME_ROLLED_BACK, ERR_DB, "rolled-back", 4 },
	{ OUTCOME_RESTORED, ERR_DB, "restored", 5 },
	{ OUTCOME_STUCK, ERR_DB, "stuck", 6 },
	{ OUTCOME_STUCK, ERR_BACKUP, "stuck", 6 },
	{ OUTCOME_FAILED, ERR_DB, "failed", 1 },
	{ OUTCOME_FAILED, ERR_IO, "failed", 1 },
	{ OUTCOME_FAILED, ERR_USAGE, "failed", 2 },
	{ OUTCOME_FAILED, ERR_BACKUP, "failed", 7 },
	{ OUTCOME_FAILED, ERR_CORRUPT, "failed", 7 },
	{ OUTCOME_FAILED, ERR_CANCELLED, "failed", 1 },
	{ OUTCOME_LOCKED, ERR_LOCKED, "locked", 8 },
};

static struct run_report make_report(enum outcome outcome, enum err_code code)
{
	struct run_report r = { .outcome = outcome, .run = "0193", .failure_phase = "verify" };

	strv_add(&r.from, "a1");
	strv_add(&r.to, "b2");
	r.backup_id = mem_strdup("20261122T101500Z-a1-ff");
	r.backup_bytes = 2048;
	r.backup_seconds = 1.5;
	run_report_step(&r, "b2", DIRECTION_UP, "done", 0.25);
	if (code != ERR_NONE) {
		err_set(&r.failure, code, "the verify of \033[31mb2 is false");
		err_at(&r.failure, "versions/b2.sql", 12);
		err_hint(&r.failure, "look at line 12");
		r.failure_revision = mem_strdup("b2");
		strv_add(&r.next, "ripcord show b2");
	}
	return r;
}

static void exit_follows_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct run_report r = make_report(expected[i].outcome, expected[i].code);
		assert_int_equal(run_report_exit(&r), expected[i].exit);
		assert_string_equal(outcome_name(r.outcome), expected[i].name);
		run_report_clear(&r);
	}
}

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void json_has_the_keys_of_scripts(void **state)
{
	struct run_report r = make_report(OUTCOME_ROLLED_BACK, ERR_DB);
	cleanup_json json_t *o = NULL;
	const json_t *failure, *backup, *step;

	(void)state;
	memcpy(r.failure.sqlstate, "23514", 6);
	o = run_report_json(&r);
	assert_string_equal(str(o, "run"), "0193");
	assert_string_equal(str(o, "outcome"), "rolled-back");
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "from"), 0)), "a1");
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "to"), 0)), "b2");
	backup = json_object_get(o, "backup");
	assert_string_equal(str(backup, "id"), "20261122T101500Z-a1-ff");
	assert_int_equal(json_integer_value(json_object_get(backup, "bytes")), 2048);
	assert_true(json_real_value(json_object_get(backup, "seconds")) > 1.4);
	step = json_array_get(json_object_get(o, "revisions"), 0);
	assert_string_equal(str(step, "revision"), "b2");
	assert_string_equal(str(step, "direction"), "up");
	assert_string_equal(str(step, "outcome"), "done");
	failure = json_object_get(o, "failure");
	assert_string_equal(str(failure, "phase"), "verify");
	assert_string_equal(str(failure, "revision"), "b2");
	assert_string_equal(str(failure, "sqlstate"), "23514");
	assert_string_equal(str(failure, "file"), "versions/b2.sql");
	assert_int_equal(json_integer_value(json_object_get(failure, "line")), 12);
	assert_true(json_is_null(json_object_get(o, "quarantine")));
	run_report_clear(&r);
}

static void what_is_not_there_is_null(void **state)
{
	struct run_report r = { .outcome = OUTCOME_UNCHANGED };
	cleanup_json json_t *o = run_report_json(&r);

	(void)state;
	assert_true(json_is_null(json_object_get(o, "failure")));
	assert_true(json_is_null(json_object_get(o, "backup")));
	assert_true(json_is_null(json_object_get(o, "run")));
	assert_int_equal(json_array_size(json_object_get(o, "from")), 0);
	assert_int_equal(json_array_size(json_object_get(o, "revisions")), 0);
}

static char *print(const struct run_report *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	run_report_print(r, out);
	fclose(out);
	return text;
}

static void failure_comes_first_then_the_hint(void **state)
{
	struct run_report r = make_report(OUTCOME_ROLLED_BACK, ERR_DB);
	cleanup_free char *text = print(&r);

	(void)state;
	assert_string_equal(
		text, "ripcord: versions/b2.sql:12: verify of b2: the verify of \\x1B[31mb2 is false\n"
		      "  look at line 12\n"
		      "rolled-back: everything was undone, and the database is as it was before, at a1\n"
		      "  up   b2  done, 250 ms\n"
		      "backup 20261122T101500Z-a1-ff: 2.0 KiB in 1.5 s\n"
		      "run 0193\n"
		      "what to do next:\n"
		      "  ripcord show b2\n");
	run_report_clear(&r);
}

static void success_says_from_and_to(void **state)
{
	struct run_report r = make_report(OUTCOME_UPGRADED, ERR_NONE);
	cleanup_free char *text = NULL;

	(void)state;
	strv_clear(&r.from);
	text = print(&r);
	assert_ptr_equal(strstr(text, "upgraded from base to b2\n"), text);
	run_report_clear(&r);
}

/* guard -- COMMAND: the heads are another tool's. */
static void success_without_new_heads_names_none(void **state)
{
	struct run_report r = make_report(OUTCOME_UPGRADED, ERR_NONE);
	cleanup_free char *text = NULL;

	(void)state;
	strv_clear(&r.to);
	strv_add(&r.to, "a1");
	text = print(&r);
	assert_ptr_equal(strstr(text, "upgraded: the database is as asked\n"), text);
	run_report_clear(&r);
}

static void quarantine_is_named(void **state)
{
	struct run_report r = make_report(OUTCOME_RESTORED, ERR_DB);
	cleanup_free char *text = NULL;

	(void)state;
	r.quarantine = mem_strdup("app_quarantine_0193");
	text = print(&r);
	assert_non_null(strstr(text, "\"app_quarantine_0193\""));
	run_report_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_follows_outcome),
		cmocka_unit_test(json_has_the_keys_of_scripts),
		cmocka_unit_test(what_is_not_there_is_null),
		cmocka_unit_test(failure_comes_first_then_the_hint),
		cmocka_unit_test(success_says_from_and_to),
		cmocka_unit_test(success_without_new_heads_names_none),
		cmocka_unit_test(quarantine_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
