/* A revision written in ripcord's own format, whatever it was read from: what the history keeps. */
#include "migrations/ledger.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void render_list(struct buf *out, const char *key, const struct strv *list)
{
	cleanup_free char *text = strv_join(list, ", ");

	buf_fmt(out, "-- %s:%s%s\n", key, list->n ? " " : "", text);
}

void ripcord_render_header(const struct revision *rev, struct buf *out)
{
	buf_fmt(out, "-- revision: %s\n", rev->id);
	render_list(out, "revises", &rev->parents);
	buf_fmt(out, "-- message:%s%s\n", *rev->message ? " " : "", rev->message);
	buf_fmt(out, "-- created:%s%s\n", *rev->created ? " " : "", rev->created);
	render_list(out, "branch-labels", &rev->labels);
	render_list(out, "depends-on", &rev->depends_on);
}

static void render_quoted(struct buf *out, const char *option, const char *value)
{
	buf_fmt(out, " %s=\"", option);
	for (const char *p = value; *p; p++)
		buf_str(out, *p == '"' ? "\"\"" : (const char[]){ *p, '\0' });
	buf_char(out, '"');
}

static void render_batch(struct buf *out, const struct batch_options *batch)
{
	buf_fmt(out, " pause=%" PRId64 "ms", batch->pause_ms);
	if (batch->max_lag_ms >= 0)
		buf_fmt(out, " max_lag=%" PRId64 "ms", batch->max_lag_ms);
	if (batch->max_lag_bytes >= 0)
		buf_fmt(out, " max_lag=%" PRId64 "B", batch->max_lag_bytes);
}

static void render_section(struct buf *out, const char *name, const struct section *s,
                           const struct batch_options *batch)
{
	if (!s->present)
		return;
	if (out->len && out->data[out->len - 1] != '\n')
		buf_char(out, '\n');
	buf_fmt(out, "-- ripcord:%s", name);
	if (!s->transaction)
		buf_str(out, " transaction=off");
	if (s->lock_timeout_ms >= 0)
		buf_fmt(out, " lock_timeout=%" PRId64 "ms", s->lock_timeout_ms);
	if (s->statement_timeout_ms >= 0)
		buf_fmt(out, " statement_timeout=%" PRId64 "ms", s->statement_timeout_ms);
	if (s->hold_ms >= 0)
		buf_fmt(out, " hold=%" PRId64 "ms", s->hold_ms);
	if (s->locks)
		render_quoted(out, "lock", s->locks);
	if (batch)
		render_batch(out, batch);
	if (s->irreversible)
		render_quoted(out, "irreversible", s->irreversible);
	buf_char(out, '\n');
	buf_str(out, s->text);
}

void ripcord_render(const struct revision *rev, struct buf *out)
{
	ripcord_render_header(rev, out);
	buf_char(out, '\n');
	render_section(out, "upgrade", &rev->upgrade, NULL);
	render_section(out, "batch", &rev->batch, &rev->batch_options);
	render_section(out, "verify", &rev->verify, NULL);
	render_section(out, "downgrade", &rev->downgrade, NULL);
}
