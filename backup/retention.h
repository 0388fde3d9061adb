/*
 * retention.h - which backups may go: pure, backups in, verdicts with their reasons out (design.md section 5).
 *
 * Backups are judged group by group: a group is what one installation's database left on one cluster.  In each
 *   - nothing goes while the newest backup is not verified: then nobody knows whether there is a newer one to rely on;
 *   - the newest verified one stays, whatever the rules say, and so does every pinned one;
 *   - of each protected revision the newest verified backup stays, and without one every backup of it;
 *   - the rules count verified backups alone.  One that is not verified takes nobody's place, but stays as long as the
 *     rules would keep it if it were verified: what is in doubt is kept.
 *
 * Rules, in UTC: last:N; hourly:N daily:N weekly:N (from Monday) monthly:N yearly:N: the newest of each of the N
 * newest hours, days ... that have a verified backup; age:DURATION: everything younger.  What one rule keeps is kept.
 * No rule at all: everything is kept.
 */
#ifndef BACKUP_RETENTION_H
#define BACKUP_RETENTION_H

#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

enum retention_unit {
	RETAIN_LAST,
	RETAIN_HOURLY,
	RETAIN_DAILY,
	RETAIN_WEEKLY,
	RETAIN_MONTHLY,
	RETAIN_YEARLY,
	N_RETENTION_UNITS,
};

struct retention_rules {
	int64_t count[N_RETENTION_UNITS]; /* 0: no such rule */
	int64_t age_s;                    /* 0: none */
	const struct strv *revisions;     /* ids or beginnings, "*" for every one; NULL: none; borrowed */
};

/* "last:7 daily:14 age:30d"; ERR_USAGE.  Leaves revisions alone. */
MUST_CHECK bool retention_parse(const char *keep, struct retention_rules *rules, struct err *err);
/* What it must look like, for messages. */
extern const char retention_form[];

/* One backup; everything borrowed. */
struct retention_backup {
	const char *id, *group; /* groups are compared as text */
	int64_t created_s;      /* seconds of UTC since 1970 */
	bool verified;
	const char *pinned;  /* why; NULL when it is not */
	const char *foreign; /* why it is not ours to judge; NULL when it is */
	const struct strv *heads;
};

struct retention_verdict {
	bool keep;
	char *reason; /* the caller's */
};

/* backups: newest first, n of them; verdicts: n, filled. */
void retention_judge(const struct retention_backup *backups, size_t n, const struct retention_rules *rules,
                     int64_t now_s, struct retention_verdict *verdicts);
void retention_verdicts_clear(struct retention_verdict *v, size_t n);

#endif
