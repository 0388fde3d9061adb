#include "runner/proof/counters.h"

#include "base/buf.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_zero(struct tuples t) { return t.inserted == 0 && t.updated == 0 && t.deleted == 0; }

static struct tuples minus(struct tuples a, struct tuples b)
{
	return (struct tuples){ a.inserted - b.inserted, a.updated - b.updated, a.deleted - b.deleted };
}

void foreign_writes_doubt(struct foreign_writes *out, const char *fmt, ...)
{
	va_list ap;

	if (!out->known)
		return;
	out->known = false;
	va_start(ap, fmt);
	vsnprintf(out->why, sizeof(out->why), fmt, ap);
	va_end(ap);
}

/* The crash of one backend sets all counters to zero, while the postmaster goes on and the database's stats_reset
 * stays empty; a promotion starts a new timeline. */
static void check_same_counters(const struct counters *before, const struct counters *now,
                                struct foreign_writes *out)
{
	if (!before->system_identifier) {
		foreign_writes_doubt(out, "the counters from before the run are not known");
		return;
	}
	if (now->server_version < 150000)
		foreign_writes_doubt(out, "before PostgreSQL 15 a session's counts cannot be forced out");
	if (strcmp(before->system_identifier, now->system_identifier) != 0)
		foreign_writes_doubt(out, "this is another cluster now");
	if (strcmp(before->timeline, now->timeline) != 0)
		foreign_writes_doubt(out, "the server's timeline changed from %s to %s", before->timeline,
		                     now->timeline);
	if (strcmp(before->postmaster_start, now->postmaster_start) != 0)
		foreign_writes_doubt(out, "the server was restarted at %s", now->postmaster_start);
	if (strcmp(before->stats_reset, now->stats_reset) != 0)
		foreign_writes_doubt(out, "the counters were reset at %s", now->stats_reset);
	if (strcmp(before->collected_since, now->collected_since) != 0)
		foreign_writes_doubt(out,
		                     "the server lost its counters in a crash, or they were reset, at %s",
		                     now->collected_since);
	if (!before->track_counts || !now->track_counts)
		foreign_writes_doubt(out, "track_counts is switched off for some role or database");
}

/* ANALYZE and autovacuum write to the first two, and nobody else should; the others are the run's own diary. */
static bool is_counted(const struct relation_counts *r)
{
	static const char *const left_out[] = { "pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data",
		                                "ripcord.run", "ripcord.unit" };

	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
		size_t len = strlen(left_out[i]);
		if (text_starts(r->name, left_out[i]) &&
		    (r->name[len] == '\0' || strcmp(r->name + len, " (TOAST)") == 0))
			return false;
	}
	return !r->is_temporary;
}

static void say(struct foreign_writes *out, const char *name, struct tuples t)
{
	const struct {
		int64_t n;
		const char *what;
	} parts[] = { { t.inserted, "inserted" }, { t.updated, "updated" }, { t.deleted, "deleted" } };
	cleanup_buf struct buf line = BUF_INIT(1 << 16);

	buf_fmt(&line, "%s:", name);
	for (size_t i = 0, shown = 0; i < 3; i++)
		if (parts[i].n)
			buf_fmt(&line, "%s %" PRId64 " %s", shown++ ? "," : "", parts[i].n, parts[i].what);
	strv_add(&out->lines, buf_text(&line));
	out->rows += t.inserted + t.updated + t.deleted;
}

static void count_relation(const struct relation_counts *was, const struct relation_counts *is,
                           const struct own_share *own, struct foreign_writes *out)
{
	const struct relation_counts *ours = own_share_of(own, is->oid);
	struct tuples others = was ? minus(is->rows, was->rows) : is->rows;

	if (ours)
		others = minus(others, ours->rows);
	if (!is_counted(is) || is_zero(others))
		return;
	if (others.inserted < 0 || others.updated < 0 || others.deleted < 0)
		foreign_writes_doubt(out, "the counters of %s say less than this run itself wrote", is->name);
	say(out, is->name, others);
}

/*
 * A table that vanished took its counts along, but what was done to it stays in the database's totals:
 *   totals' growth = growth of the tables that still are + what was done to those that are not.
 * Of the latter, ours is known by OID; anything else is others'.
 */
static void count_vanished(const struct counters *before, const struct counters *now, struct tuples living,
                           const struct own_share *own, const struct strv *vanished,
                           struct foreign_writes *out)
{
	struct tuples others = minus(minus(now->total, before->total), living);
	cleanup_buf struct buf name = BUF_INIT(1 << 20);

	for (size_t i = 0; i < own->n_relations; i++) {
		if (!relation_counts_find(now->relations, now->n_relations, own->relations[i].oid))
			others = minus(others, own->relations[i].rows);
	}
	if (vanished->n == 0 || is_zero(others))
		return;
	buf_str(&name, "tables that are gone (");
	for (size_t i = 0; i < vanished->n && i < 5; i++)
		buf_fmt(&name, "%s%s", i ? ", " : "", vanished->v[i]);
	buf_str(&name, vanished->n > 5 ? ", ...)" : ")");
	if (others.inserted < 0 || others.updated < 0 || others.deleted < 0)
		foreign_writes_doubt(out, "the totals do not balance for %s", buf_text(&name));
	out->vanished = true;
	say(out, buf_text(&name), others);
}

static void count_relations(const struct counters *before, const struct counters *now,
                            const struct own_share *own, struct foreign_writes *out)
{
	cleanup_strv struct strv vanished = STRV_INIT;
	struct tuples living = { 0, 0, 0 };
	size_t b = 0, n = 0;

	while (b < before->n_relations || n < now->n_relations) {
		const struct relation_counts *was = b < before->n_relations ? &before->relations[b] : NULL;
		const struct relation_counts *is = n < now->n_relations ? &now->relations[n] : NULL;

		if (was && (!is || was->oid < is->oid)) {
			if (!was->is_temporary)
				strv_add(&vanished, was->name);
			b++;
			continue;
		}
		if (was && was->oid != is->oid)
			was = NULL;
		struct tuples grown = was ? minus(is->rows, was->rows) : is->rows;
		living = (struct tuples){ living.inserted + grown.inserted, living.updated + grown.updated,
			                  living.deleted + grown.deleted };
		count_relation(was, is, own, out);
		b += was != NULL;
		n++;
	}
	count_vanished(before, now, living, own, &vanished, out);
}

bool sequence_is_behind(const struct sequence_value *was, const struct sequence_value *is)
{
	int64_t from = strtoll(was->value, NULL, 10), to = strtoll(is->value, NULL, 10);

	if (from == to) /* called there and not here: the same number once more */
		return text_ends(was->value, ",true") && !text_ends(is->value, ",true");
	return was->descends ? to > from : to < from;
}

static void count_sequence(const struct sequence_value *was, const struct sequence_value *is,
                           const struct own_share *own, struct foreign_writes *out)
{
	if (!was->value || !is->value || strcmp(was->value, is->value) == 0 ||
	    own_share_has_sequence(own, is->oid))
		return;
	strv_fmt(&out->lines, "sequence %s: moved from %s to %s", is->name, was->value, is->value);
	out->rows++;
}

void foreign_writes_count(const struct counters *before, const struct counters *now,
                          const struct own_share *own, struct foreign_writes *out)
{
	*out = (struct foreign_writes){ .known = true };
	check_same_counters(before, now, out);
	if (!before->system_identifier)
		return; /* all that is there would look new */
	if (own->unknown)
		foreign_writes_doubt(out, "%s",
		                     own->why[0] ? own->why
		                                 : "what this run itself wrote is not known any more");
	count_relations(before, now, own, out);
	for (size_t b = 0, n = 0; b < before->n_sequences && n < now->n_sequences;) {
		if (before->sequences[b].oid == now->sequences[n].oid)
			count_sequence(&before->sequences[b++], &now->sequences[n++], own, out);
		else if (before->sequences[b].oid < now->sequences[n].oid)
			b++;
		else
			n++;
	}
	/* What it wrote is in no count until COMMIT PREPARED, which may come at any time. */
	for (size_t i = 0; i < now->prepared.n; i++)
		strv_fmt(&out->lines, "transaction \"%s\" is prepared and has not ended", now->prepared.v[i]);
}

bool foreign_writes_none(const struct foreign_writes *f) { return f->known && f->lines.n == 0; }

void foreign_writes_clear(struct foreign_writes *f)
{
	strv_clear(&f->lines);
	*f = (struct foreign_writes){ .known = false };
}
