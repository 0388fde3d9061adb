#include "backup/retention.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_S    3600
#define DAY_S     86400
#define REASON    ((size_t)4096)
#define COUNT_MAX 1000000

const char retention_form[] = "a list such as last:7 daily:14 weekly:8 monthly:12 yearly:3 age:30d";

static const char *const unit_names[N_RETENTION_UNITS] = {
	[RETAIN_LAST] = "last",     [RETAIN_HOURLY] = "hourly",   [RETAIN_DAILY] = "daily",
	[RETAIN_WEEKLY] = "weekly", [RETAIN_MONTHLY] = "monthly", [RETAIN_YEARLY] = "yearly",
};

/* ------------------------------------------------------------------ rules */

static bool take_rule(const char *name, const char *value, struct retention_rules *rules)
{
	int64_t number;

	if (strcmp(name, "age") == 0) {
		if (!text_to_duration_ms(value, &number))
			return false;
		rules->age_s = number / 1000;
		return true;
	}
	for (enum retention_unit u = RETAIN_LAST; u < N_RETENTION_UNITS; u++) {
		if (strcmp(unit_names[u], name) == 0 && text_to_int64(value, &number) && number >= 0 &&
		    number <= COUNT_MAX) {
			rules->count[u] = number;
			return true;
		}
	}
	return false;
}

bool retention_parse(const char *keep, struct retention_rules *rules, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct retention_rules out = { .revisions = rules->revisions };

	strv_split(&words, keep ? keep : "");
	for (size_t i = 0; i < words.n; i++) {
		char *colon = strchr(words.v[i], ':');
		if (colon)
			*colon = '\0';
		if (!colon || !take_rule(words.v[i], colon + 1, &out))
			return err_set(err, ERR_USAGE, "keep must be %s, not \"%s\"", retention_form, keep);
	}
	*rules = out;
	return true;
}

static bool has_rules(const struct retention_rules *rules)
{
	bool any = rules->age_s > 0;

	for (size_t u = 0; u < N_RETENTION_UNITS; u++)
		any = any || rules->count[u] > 0;
	return any;
}

static void name_rules(const struct retention_rules *rules, struct buf *out)
{
	for (size_t u = 0; u < N_RETENTION_UNITS; u++)
		if (rules->count[u] > 0)
			buf_fmt(out, "%s%s:%" PRId64, out->len ? " " : "", unit_names[u], rules->count[u]);
	if (rules->age_s > 0)
		buf_fmt(out, "%sage:%" PRId64 "s", out->len ? " " : "", rules->age_s);
}

/* ------------------------------------------------------------------ periods */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* A number for each period, the same for all moments in it. */
static int64_t period_of(enum retention_unit unit, int64_t created_s)
{
	time_t t = created_s;
	struct tm tm = { .tm_mday = 1 };

	gmtime_r(&t, &tm);
	switch (unit) {
	case RETAIN_LAST: return 0; /* none: each is counted */
	case RETAIN_HOURLY: return floor_div(created_s, HOUR_S);
	case RETAIN_DAILY: return floor_div(created_s, DAY_S);
	case RETAIN_WEEKLY:
		return floor_div(floor_div(created_s, DAY_S) + 3, 7); /* 1970-01-01 was a Thursday */
	case RETAIN_MONTHLY: return (int64_t)tm.tm_year * 12 + tm.tm_mon;
	case RETAIN_YEARLY: return tm.tm_year;
	case N_RETENTION_UNITS: break;
	}
	return 0;
}

/* ------------------------------------------------------------------ one group */

/* Going from the newest backup to the oldest: what the verified ones have taken of each rule. */
struct slots {
	struct {
		int64_t taken, period;
	} unit[N_RETENTION_UNITS];
};

struct group {
	const struct retention_rules *rules;
	int64_t now_s;
	const struct retention_backup *newest, *newest_verified;
	struct slots slots;
	struct strv kept_revisions; /* whose newest verified backup has been passed */
};

static void add(struct buf *reason, const char *text)
{
	buf_fmt(reason, "%s%s", reason->len ? "; " : "", text);
}

/* Which rules keep it; a verified one takes its places. */
static void apply_rules(struct group *g, const struct retention_backup *b, struct buf *reason)
{
	for (enum retention_unit u = RETAIN_LAST; u < N_RETENTION_UNITS; u++) {
		int64_t period = period_of(u, b->created_s);
		bool is_new =
			u == RETAIN_LAST || g->slots.unit[u].taken == 0 || period != g->slots.unit[u].period;

		if (!is_new || g->slots.unit[u].taken >= g->rules->count[u])
			continue;
		cleanup_free char *text = mem_fmt("%s %" PRId64 " of %" PRId64, unit_names[u],
		                                  g->slots.unit[u].taken + 1, g->rules->count[u]);
		add(reason, text);
		if (b->verified) {
			g->slots.unit[u].taken++;
			g->slots.unit[u].period = period;
		}
	}
	if (g->rules->age_s > 0 && g->now_s - b->created_s < g->rules->age_s)
		add(reason, "younger than age");
}

static bool is_protected(const struct retention_rules *rules, const char *head)
{
	for (size_t i = 0; rules->revisions && i < rules->revisions->n; i++)
		if (strcmp(rules->revisions->v[i], "*") == 0 || text_starts(head, rules->revisions->v[i]))
			return true;
	return false;
}

/* A revision's newest verified backup ends the protection of those that are older. */
static void protect_revisions(struct group *g, const struct retention_backup *b, struct buf *reason)
{
	for (size_t i = 0; b->heads && i < b->heads->n; i++) {
		const char *head = b->heads->v[i];
		if (!is_protected(g->rules, head) || strv_has(&g->kept_revisions, head))
			continue;
		cleanup_free char *text = mem_fmt(
			b->verified ? "the newest verified one of revision %s, in keep_revisions"
				    : "of revision %s, in keep_revisions, without a newer verified one",
			head);
		add(reason, text);
		if (b->verified)
			strv_add(&g->kept_revisions, head);
	}
}

static struct retention_verdict keep(struct buf *reason)
{
	return (struct retention_verdict){ .keep = true, .reason = buf_take(reason) };
}

static struct retention_verdict judge(struct group *g, const struct retention_backup *b)
{
	cleanup_buf struct buf reason = BUF_INIT(REASON), rules = BUF_INIT(REASON);

	if (b->pinned)
		buf_fmt(&reason, "pinned: %.500s", b->pinned);
	apply_rules(g, b, &reason);
	protect_revisions(g, b, &reason);
	if (b == g->newest_verified)
		add(&reason, "the newest verified one");
	if (reason.len > 0 && !b->verified)
		add(&reason, "not verified: it takes no other's place");
	if (reason.len > 0)
		return keep(&reason);
	if (!has_rules(g->rules))
		return buf_str(&reason, "keep is empty: no rule lets anything go"), keep(&reason);
	if (!g->newest->verified) {
		buf_fmt(&reason, "the newest backup, %s, is not verified: nothing goes", g->newest->id);
		return keep(&reason);
	}
	name_rules(g->rules, &rules);
	buf_fmt(&reason, "no rule keeps it (%s)%s", buf_text(&rules),
	        b->verified ? "" : ", and it is not verified");
	return (struct retention_verdict){ .keep = false, .reason = buf_take(&reason) };
}

/* ------------------------------------------------------------------ all of them */

static bool is_of(const struct retention_backup *b, const char *group)
{
	return !b->foreign && strcmp(b->group, group) == 0;
}

static void judge_group(const struct retention_backup *backups, size_t n, size_t first, struct group *g,
                        struct retention_verdict *verdicts)
{
	const char *name = backups[first].group;

	g->newest = &backups[first];
	for (size_t i = first; i < n && !g->newest_verified; i++)
		if (is_of(&backups[i], name) && backups[i].verified)
			g->newest_verified = &backups[i];
	for (size_t i = first; i < n; i++)
		if (is_of(&backups[i], name))
			verdicts[i] = judge(g, &backups[i]);
	strv_clear(&g->kept_revisions);
}

void retention_judge(const struct retention_backup *backups, size_t n, const struct retention_rules *rules,
                     int64_t now_s, struct retention_verdict *verdicts)
{
	for (size_t i = 0; i < n; i++)
		verdicts[i] = (struct retention_verdict){
			.keep = true,
			.reason = mem_strdup(backups[i].foreign),
		};
	for (size_t i = 0; i < n; i++) {
		struct group g = { .rules = rules, .now_s = now_s };
		if (!verdicts[i].reason)
			judge_group(backups, n, i, &g, verdicts);
	}
}

void retention_verdicts_clear(struct retention_verdict *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].reason);
	free(v);
}
