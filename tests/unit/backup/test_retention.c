/* Which backups may go: every rule, what overrides it, and that doubt always keeps. */
#include "backup/retention.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 64
#define DAY  INT64_C(86400)

static struct retention_backup backups[MOST];
static struct retention_verdict verdicts[MOST];
static char ids[MOST][16];
static size_t n;
static int64_t now_s;

static int64_t at(const char *iso)
{
	int64_t us = 0;

	assert_true(clock_from_iso(iso, &us));
	return us / 1000000;
}

static int setup(void **state)
{
	(void)state;
	n = 0;
	now_s = at("2026-11-22T12:00:00Z");
	return 0;
}

/* Newest first, as they are given. */
static struct retention_backup *add(int64_t created_s, bool verified)
{
	snprintf(ids[n], sizeof(ids[n]), "b%zu", n);
	backups[n] = (struct retention_backup){
		.id = ids[n], .group = "app", .created_s = created_s, .verified = verified
	};
	return &backups[n++];
}

/* Judges, compares with one letter a backup (k keep, d delete), and with the words of the reason of the last. */
static void judged(const char *keep, const struct strv *revisions, const char *expected)
{
	struct retention_rules rules = { .revisions = revisions };
	struct err err = ERR_INIT;
	char is[MOST + 1] = "";

	assert_true(retention_parse(keep, &rules, &err));
	retention_judge(backups, n, &rules, now_s, verdicts);
	for (size_t i = 0; i < n; i++) {
		is[i] = verdicts[i].keep ? 'k' : 'd';
		assert_true(strlen(verdicts[i].reason) > 5);
	}
	assert_string_equal(is, expected);
}

static void clear(void)
{
	for (size_t i = 0; i < n; i++)
		free(verdicts[i].reason);
}

static void reason_has(size_t i, const char *word)
{
	if (!strstr(verdicts[i].reason, word))
		fail_msg("no '%s' in: %s", word, verdicts[i].reason);
}

static void the_last_ones(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		add(now_s - i * 60, true);
	judged("last:3", NULL, "kkkdd");
	reason_has(2, "last 3 of 3");
	reason_has(3, "no rule keeps it (last:3)");
	clear();
}

static void one_a_day_the_newest(void **state)
{
	(void)state;
	add(at("2026-11-22T11:00:00Z"), true);
	add(at("2026-11-22T00:00:00Z"), true); /* the same day, to the second */
	add(at("2026-11-21T23:59:59Z"), true);
	add(at("2026-11-21T05:00:00Z"), true);
	add(at("2026-11-14T05:00:00Z"), true); /* days without a backup take no place */
	add(at("2026-11-13T05:00:00Z"), true);
	judged("daily:3", NULL, "kdkdkd");
	reason_has(4, "daily 3 of 3");
	clear();
}

static void weeks_begin_on_monday(void **state)
{
	(void)state;
	add(at("2026-11-22T11:00:00Z"), true); /* a Sunday */
	add(at("2026-11-16T00:00:00Z"), true); /* Monday of the same week */
	add(at("2026-11-15T23:59:59Z"), true); /* Sunday before */
	add(at("2026-11-09T23:59:59Z"), true);
	add(at("2026-11-08T23:59:59Z"), true);
	judged("weekly:2", NULL, "kdkdd");
	clear();
}

static void months_years_hours(void **state)
{
	(void)state;
	add(at("2026-11-22T11:30:00Z"), true);
	add(at("2026-11-22T11:00:00Z"), true);
	add(at("2026-11-22T10:59:59Z"), true);
	add(at("2026-11-01T00:00:00Z"), true);
	add(at("2026-10-31T23:59:59Z"), true);
	add(at("2025-12-31T23:59:59Z"), true);
	add(at("2025-01-01T00:00:00Z"), true);
	judged("monthly:3", NULL, "kdddkkd");
	clear();
	judged("yearly:2", NULL, "kddddkd");
	clear();
	judged("hourly:2", NULL, "kdkdddd");
	clear();
	judged("hourly:2 yearly:9 monthly:2", NULL, "kdkdkkd");
	clear();
}

static void by_age(void **state)
{
	(void)state;
	add(now_s - DAY, true);
	add(now_s - 7 * DAY + 1, true);
	add(now_s - 7 * DAY, true);
	judged("age:7d", NULL, "kkd");
	reason_has(1, "younger than age");
	clear();
}

static void nothing_goes_while_the_newest_is_not_verified(void **state)
{
	(void)state;
	add(now_s, false);
	for (int i = 1; i < 5; i++)
		add(now_s - i * DAY, true);
	judged("last:1", NULL, "kkkkk");
	reason_has(4, "the newest backup, b0, is not verified");
	clear();
}

static void only_verified_ones_are_counted(void **state)
{
	(void)state;
	add(now_s, true);
	add(now_s - 60, false);
	add(now_s - 120, false);
	add(now_s - 180, true);
	add(now_s - 240, false); /* two verified ones are newer: it would have to go if it were verified */
	add(now_s - 300, true);
	judged("last:2", NULL, "kkkkdd");
	reason_has(1, "not verified");
	reason_has(4, "it is not verified");
	clear();
}

static void a_pin_holds_and_takes_its_place(void **state)
{
	(void)state;
	add(now_s, true);
	for (int i = 1; i < 4; i++)
		add(now_s - i * DAY, true);
	backups[3].pinned = "by hand";
	judged("last:1", NULL, "kddk");
	reason_has(3, "pinned: by hand");
	clear();
	backups[0].pinned = "by hand";
	judged("last:1", NULL, "kddk");
	reason_has(0, "last 1 of 1");
	clear();
}

static void the_newest_verified_one_always_stays(void **state)
{
	(void)state;
	add(now_s - 900 * DAY, true);
	add(now_s - 901 * DAY, true);
	judged("age:1d", NULL, "kd");
	reason_has(0, "the newest verified one");
	clear();
	judged("", NULL, "kk");
	reason_has(1, "keep is empty");
	clear();
	judged("last:0", NULL, "kk");
	clear();
}

static void revisions_keep_their_newest(void **state)
{
	struct strv one = STRV_INIT, two = STRV_INIT, wanted = STRV_INIT, all = STRV_INIT;

	(void)state;
	strv_split(&one, "1975ea83b712");
	strv_split(&two, "8c4f1a2b9d3e other");
	strv_split(&wanted, "1975");
	strv_split(&all, "*");
	for (int i = 0; i < 6; i++)
		add(now_s - i * DAY, true)->heads = i < 2 ? &two : &one;
	backups[2].verified = false;
	judged("last:1", &wanted, "kdkkdd");
	reason_has(3, "of revision 1975ea83b712");
	reason_has(2, "without a newer verified one");
	clear();
	judged("last:1", &all, "kdkkdd");
	clear();
	for (size_t i = 2; i < n; i++)
		backups[i].verified = false; /* none of it is verified: all of it stays */
	judged("last:1", &wanted, "kdkkkk");
	clear();
	strv_clear(&one);
	strv_clear(&two);
	strv_clear(&wanted);
	strv_clear(&all);
}

static void groups_are_judged_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		add(now_s - i * 60, true)->group = i % 2 ? "staging" : "production";
	backups[1].verified = false; /* staging's newest */
	judged("last:1", NULL, "kkdkdk");
	clear();
	for (size_t i = 0; i < n; i += 2)
		backups[i].foreign = "of installation production";
	backups[1].verified = true;
	judged("last:1", NULL, "kkkdkd");
	reason_has(4, "of installation production");
	clear();
}

static void a_foreign_one_takes_no_place(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		add(now_s - i * 60, true);
	backups[0].foreign = backups[2].foreign = "it does not say of which installation it is";
	backups[0].verified = false; /* nor does it hold the others up */
	judged("last:1", NULL, "kkkd");
	reason_has(2, "it does not say");
	clear();
}

/* 4,000 backups, an hour apart, over half a year: as many stay as the rules have places, whatever the order of rules. */
static void many(void **state)
{
	enum { N = 4000 };
	struct retention_backup *b = mem_new0(N * sizeof(*b));
	struct retention_verdict *v = mem_new0(N * sizeof(*v));
	struct retention_rules rules = { .age_s = 0 };
	struct err err = ERR_INIT;
	size_t kept = 0;

	(void)state;
	assert_true(retention_parse("last:7 daily:14 weekly:8", &rules, &err));
	for (int i = 0; i < N; i++)
		b[i] = (struct retention_backup){
			.id = "b", .group = "app", .created_s = now_s - i * 3600, .verified = true
		};
	retention_judge(b, N, &rules, now_s, v);
	for (size_t i = 0; i < N; i++)
		kept += v[i].keep;
	/* 7 hours, 13 more days, and of 8 weeks those that no kept day is the newest of: 22 November is a Sunday, 16 and
	 * 9 November begin weeks whose Sundays are among the 14 days. */
	assert_int_equal(kept, 7 + 13 + 6);
	retention_verdicts_clear(v, N);
	free(b);
}

static void broken_rules_are_refused(void **state)
{
	static const char *const wrong[] = { "last",     "last:",      "last:x",       "lasst:3",
		                             "last:-1",  "daily:1.5",  "age:",         "age:soon",
		                             "last:3 x", "weekly:3:4", "last:99999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct retention_rules rules = { .age_s = 77 };
		struct err err = ERR_INIT;
		assert_false(retention_parse(wrong[i], &rules, &err));
		assert_int_equal(err.code, ERR_USAGE);
		assert_int_equal(rules.age_s, 77);
	}
}

#define T(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_last_ones),
		T(one_a_day_the_newest),
		T(weeks_begin_on_monday),
		T(months_years_hours),
		T(by_age),
		T(nothing_goes_while_the_newest_is_not_verified),
		T(only_verified_ones_are_counted),
		T(a_pin_holds_and_takes_its_place),
		T(the_newest_verified_one_always_stays),
		T(revisions_keep_their_newest),
		T(groups_are_judged_alone),
		T(a_foreign_one_takes_no_place),
		T(many),
		T(broken_rules_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
