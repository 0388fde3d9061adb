#include "runner/guard/rehearse_estimate.h"
#include "runner/guard/rehearse_limits.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB "000000"

/* Two steps of one statement each, with texts as the files have them. */
static struct revision revisions[2];
static struct step steps[2];
static const struct plan plan = { .steps = steps, .n = 2 };

static void make_plan(void)
{
	static const char *const ids[] = { "a", "b" };
	const struct section none = { .transaction = true,
		                      .text = "",
		                      .lock_timeout_ms = -1,
		                      .statement_timeout_ms = -1,
		                      .hold_ms = -1 };

	for (size_t i = 0; i < 2; i++) {
		revisions[i] = (struct revision){
			.id = ids[i], .message = "", .upgrade = none, .downgrade = none, .batch = none
		};
		steps[i] = (struct step){ .revision = &revisions[i], .direction = DIRECTION_UP };
	}
}

static json_t *parse(const char *text)
{
	json_t *out = NULL;
	struct err err = ERR_INIT;

	if (!json_parse(text, strlen(text), "a test", &out, &err))
		fail_msg("%s", err.msg);
	return out;
}

/* `a` locks big for a second of its two; `b` takes three. */
static json_t *rehearsal(void)
{
	json_t *out = parse(
		"{\"revisions\": [{\"revision\": \"a\", \"seconds\": 2.5, \"statements\": ["
		"{\"text\": \"UPDATE small\", \"seconds\": 1, \"touches\": [\"small\"], \"batches\": null},"
		"{\"text\": \"ALTER big\", \"seconds\": 1, \"touches\": [\"small\", \"big\"], \"batches\": "
		"null}],"
		"\"locks\": [{\"relation\": \"big\", \"mode\": \"ACCESS EXCLUSIVE\", \"seconds\": 1.25,"
		" \"from\": 1, \"to\": 1}]},"
		"{\"revision\": \"b\", \"seconds\": 3, \"statements\": ["
		"{\"text\": \"VACUUM\", \"seconds\": 3, \"touches\": null, \"batches\": null}], \"locks\": "
		"[]}]}");
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(out, "revisions"), i, one)
	{
		char digest[SHA256_HEX];
		step_sha256(&steps[i], digest);
		json_put(one, "sha256", json_str(digest));
	}
	return out;
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static void is_about(double is, double expected)
{
	if (is < expected - 0.001 || is > expected + 0.001)
		fail_msg("%f, not %f", is, expected);
}

static json_t *estimated(void)
{
	cleanup_json json_t *copy = parse("{\"database\": 4" MIB ", \"relations\": {\"big\": 2" MIB
	                                  ", \"small\": 8192}}"),
			    *live = parse("{\"database\": 12" MIB ", \"relations\": {\"big\": 20" MIB
	                                  ", \"small\": 98304}}");
	json_t *out = rehearsal();

	rehearse_estimate(out, copy, live);
	return out;
}

static void a_time_grows_with_what_it_worked_on(void **state)
{
	cleanup_json json_t *r = estimated();
	const json_t *revisions_of = json_object_get(r, "revisions"), *a = json_array_get(revisions_of, 0),
		     *statements = json_object_get(a, "statements");

	(void)state;
	/* small is twelve times as large, and still next to nothing. */
	is_about(number(json_array_get(statements, 0), "estimated_seconds"), 1);
	is_about(number(json_array_get(statements, 1), "estimated_seconds"), 10);
	/* Half a second behind the statements, a quarter of it under the lock, is worth the largest ratio. */
	is_about(number(json_object_get(a, "estimate"), "seconds"), 16);
	is_about(number(json_object_get(json_object_get(r, "estimate"), "exclusive"), "big"), 12.5);
	/* Of what nobody saw at work the database's own size tells. */
	is_about(number(json_object_get(json_array_get(revisions_of, 1), "estimate"), "seconds"), 9);
	is_about(number(json_object_get(r, "estimate"), "seconds"), 25);
}

static void what_is_smaller_or_gone_makes_nothing_faster(void **state)
{
	cleanup_json json_t *r = rehearsal(), *none = parse("{\"database\": 1, \"relations\": {}}"),
			    *copy = parse("{\"database\": 4" MIB ", \"relations\": {\"big\": 2" MIB "}}");

	(void)state;
	rehearse_estimate(r, copy, none);
	is_about(number(json_object_get(r, "estimate"), "seconds"), 5.5);
}

static size_t count_limits(const json_t *r, const struct config *c, bool fenced)
{
	cleanup_json json_t *limits = rehearse_limits(r, &plan, c, fenced);

	return json_array_size(limits);
}

static void limits_are_those_of_the_section(void **state)
{
	cleanup_json json_t *r = estimated(), *bare = rehearsal();
	struct config c = { .lock_hold_ms = 5000 };

	(void)state;
	assert_int_equal(count_limits(r, &c, false), 1);
	assert_int_equal(count_limits(r, &c, true), 0);
	assert_int_equal(count_limits(bare, &c, false), 0);
	c.lock_hold_ms = 1000;
	assert_int_equal(count_limits(bare, &c, false), 1);
	revisions[0].upgrade.hold_ms = 0;
	assert_int_equal(count_limits(r, &c, false), 0);
	c.statement_timeout_ms = 9500;
	assert_int_equal(count_limits(r, &c, false), 1);
	revisions[1].upgrade.statement_timeout_ms = 2000;
	assert_int_equal(count_limits(r, &c, false), 2);
	revisions[0].upgrade.statement_timeout_ms = revisions[1].upgrade.statement_timeout_ms = 0;
	assert_int_equal(count_limits(r, &c, false), 0);
	/* Another text is another step: nothing is known of it. */
	revisions[0].upgrade.hold_ms = -1;
	assert_int_equal(count_limits(r, &c, false), 1);
	revisions[0].upgrade.text = "SELECT 1";
	assert_int_equal(count_limits(r, &c, false), 0);
	make_plan();
}

/* With transaction = whole a lock is held over what follows, and the strictest limit counts. */
static void one_transaction_holds_to_its_end(void **state)
{
	cleanup_json json_t *r = estimated();
	struct config c = { .lock_hold_ms = 13000 };

	(void)state;
	assert_int_equal(count_limits(r, &c, false), 0);
	c.whole = true;
	assert_int_equal(count_limits(r, &c, false), 1);
	cleanup_json json_t *limits = rehearse_limits(r, &plan, &c, false);
	is_about(number(json_array_get(limits, 0), "estimated_seconds"), 21.5);
	is_about(number(json_array_get(limits, 0), "measured_seconds"), 4.25);
	cleanup_free char *text = rehearse_limit_text(json_array_get(limits, 0));
	assert_string_equal(text, "a: lock_hold 13.0 s, estimated 21.5 s: ACCESS EXCLUSIVE on big");
	revisions[1].upgrade.transaction = false;
	assert_int_equal(count_limits(r, &c, false), 0);
	make_plan();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_grows_with_what_it_worked_on),
		cmocka_unit_test(what_is_smaller_or_gone_makes_nothing_faster),
		cmocka_unit_test(limits_are_those_of_the_section),
		cmocka_unit_test(one_transaction_holds_to_its_end),
	};

	make_plan();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
