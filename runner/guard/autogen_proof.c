#include "runner/guard/autogen_proof.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/replay.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SET_LOCAL "SET LOCAL "

/* ------------------------------------------------------------------ comparing */

struct schema_options autogen_schema_options(const struct autogen *a)
{
	return (struct schema_options){ .version_table = ledger_table(source_run(a->ahead)->ledger) };
}

/* "+ column public.t.c: position 3": no statement moves a column. */
static bool is_place(const char *line)
{
	static const char WORDS[] = ": position ";
	const char *end = line + strlen(line), *number = end;

	while (number > line && isdigit((unsigned char)number[-1]))
		number--;
	size_t before = (size_t)(number - line);
	return number < end && before >= strlen(WORDS) &&
	       strncmp(number - strlen(WORDS), WORDS, strlen(WORDS)) == 0;
}

/* What is behind is called -, what should not be there +. */
static void add_lines(const char *text, struct strv *out)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		cleanup_free char *line = mem_strndup(text, (size_t)(end - text));
		if (!is_place(line))
			strv_add(out, line);
	}
}

bool autogen_same(struct autogen *a, struct db *expected, struct db *is, struct err *err)
{
	const struct schema_options options = autogen_schema_options(a);
	cleanup_schema struct schema *wanted = NULL, *found = NULL;
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	if (!schema_read(expected, &options, &wanted, err) || !schema_read(is, &options, &found, err))
		return false;
	(void)schema_diff(wanted, found, SCHEMA_INSIDE, &text);
	add_lines(buf_text(&text), &a->out->differs);
	return a->out->differs.n == 0 || err_set(err, ERR_REFUSED, "%zu lines differ, the first is: %s",
	                                         a->out->differs.n, a->out->differs.v[0]);
}

/* ------------------------------------------------------------------ the text */

/* The changes from `first` on that can be one section: those before the next that needs a commit, or is on its own. */
static size_t section_end(const struct changes *c, size_t first)
{
	bool apart = c->v[first].hazards & HAZARD_NOT_TRANSACTIONAL;
	size_t end = first + 1;

	while (end < c->n && !c->v[end].commit_before &&
	       apart == ((c->v[end].hazards & HAZARD_NOT_TRANSACTIONAL) != 0))
		end++;
	return end;
}

static void add_statement(const struct change *c, bool off, struct buf *out)
{
	static const enum hazard TOLD[] = { HAZARD_DATA_LOSS, HAZARD_REWRITE };

	for (size_t i = 0; i < sizeof(TOLD) / sizeof(*TOLD); i++)
		if (c->hazards & TOLD[i])
			buf_fmt(out, "-- %s\n", hazard_name(TOLD[i]));
	if (off && text_starts(c->sql, SET_LOCAL))
		buf_fmt(out, "SET %s;\n", c->sql + strlen(SET_LOCAL));
	else
		buf_fmt(out, "%s;\n", c->sql);
}

/* Settings for the transaction are set again in each. */
static char *section_text(const struct changes *c, size_t first, size_t end, bool off)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < first; i++)
		if (text_starts(c->v[i].sql, SET_LOCAL))
			add_statement(&c->v[i], off, &out);
	for (size_t i = first; i < end; i++)
		add_statement(&c->v[i], off, &out);
	return buf_take(&out);
}

static const char *keep(struct autogen *a, const char *text)
{
	strv_add(&a->out->kept, text);
	return a->out->kept.v[a->out->kept.n - 1];
}

/* ------------------------------------------------------------------ the first draft: its upgrade */

static struct revision_draft *new_draft(struct autogen *a)
{
	struct autogen_result *out = a->out;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	struct revision_draft *d = &out->v[out->n++];
	*d = (struct revision_draft){ .id = a->request->id };
	if (out->n == 1) {
		d->message = a->request->message;
		strv_add_all(&d->parents, ledger_heads(source_run(a->ahead)->ledger));
		if (a->request->labels)
			d->labels = *a->request->labels;
	} else {
		cleanup_free char *message = mem_fmt("%s, part %zu", a->request->message, out->n);
		d->message = keep(a, message);
		d->id = NULL;
		strv_add(&d->parents, d[-1].id);
	}
	if (!d->id) {
		cleanup_free char *id = revision_new_id();
		d->id = keep(a, id);
	}
	return d;
}

static struct revision_draft *draft_upgrade(struct autogen *a, size_t first, size_t end)
{
	const struct changes *c = &a->out->changes;
	struct revision_draft *d = new_draft(a);

	d->upgrade_off = c->v[first].hazards & HAZARD_NOT_TRANSACTIONAL;
	cleanup_free char *text = section_text(c, first, end, d->upgrade_off);
	d->upgrade = keep(a, text);
	return d;
}

/* ------------------------------------------------------------------ running it */

static bool run_on(struct source *s, const struct autogen *a, const struct revision_draft *draft,
                   enum direction direction, struct err *err)
{
	struct run *run = source_run(s);
	struct revision *rev = NULL;
	struct step step = { .direction = direction };

	if (!revision_of_draft(a->config->migrations, draft, &rev, err))
		return false;
	step.revision = rev;
	strv_add_all(&step.heads_before, ledger_heads(run->ledger));
	if (direction == DIRECTION_UP)
		strv_add(&step.heads_after, draft->id);
	else
		strv_add_all(&step.heads_after, &draft->parents);
	bool ok = replay_unit(run, &step, err);
	strv_clear(&step.heads_before);
	strv_clear(&step.heads_after);
	revision_free(rev);
	return ok;
}

/* ------------------------------------------------------------------ its downgrade */

static bool draft_downgrade(struct autogen *a, struct revision_draft *d, struct err *err)
{
	const struct schema_options options = autogen_schema_options(a);
	cleanup_changes struct changes back = { .v = NULL };
	cleanup_renames struct renames renames = { .v = NULL };

	if (d == a->out->v) /* they come first */
		renames_reverse(&a->renames, &renames);
	const struct changes_options how = { .renames = renames.v, .n_renames = renames.n };
	if (!schema_changes(source_db(a->ahead), source_db(a->behind), &options, &how, &back, err))
		return err_wrap(err, "the downgrade");
	if (back.n == 0)
		return true;
	d->downgrade_off = section_end(&back, 0) < back.n || (back.v[0].hazards & HAZARD_NOT_TRANSACTIONAL);
	cleanup_free char *text = section_text(&back, 0, back.n, d->downgrade_off);
	d->downgrade = keep(a, text);
	return true;
}

/* Up, down to where the other one is, and both up. */
static bool prove_draft(struct autogen *a, struct revision_draft *d, struct err *err)
{
	if (!run_on(a->ahead, a, d, DIRECTION_UP, err))
		return err_wrap(err, "the upgrade does not run");
	if (!draft_downgrade(a, d, err))
		return false;
	if (!run_on(a->ahead, a, d, DIRECTION_DOWN, err))
		return err_wrap(err, "the downgrade does not run");
	if (!autogen_same(a, source_db(a->behind), source_db(a->ahead), err))
		return err_wrap(err, "the downgrade does not lead back");
	if (!run_on(a->ahead, a, d, DIRECTION_UP, err))
		return err_wrap(err, "the upgrade does not run a second time");
	return run_on(a->behind, a, d, DIRECTION_UP, err);
}

static bool prove_all(struct autogen *a, struct err *err)
{
	const struct changes *c = &a->out->changes;

	for (size_t first = 0, end; first < c->n; first = end) {
		end = section_end(c, first);
		log_debug("statements %zu to %zu of %zu", first + 1, end, c->n);
		if (!prove_draft(a, draft_upgrade(a, first, end), err))
			return false;
	}
	return autogen_same(a, source_db(a->wanted), source_db(a->ahead), err) ||
	       err_wrap(err, "the upgrade does not lead to the desired state");
}

/* Not what the server says of itself: connections (08), resources (53), operators (57), its disk (58). */
static bool is_about_sql(const struct err *err)
{
	static const char *const OTHERS[] = { "08", "53", "57", "58" };

	for (size_t i = 0; i < sizeof(OTHERS) / sizeof(*OTHERS); i++)
		if (text_starts(err->sqlstate, OTHERS[i]))
			return false;
	return *err->sqlstate || err->code == ERR_USAGE;
}

bool autogen_prove(struct autogen *a, struct err *err)
{
	if (prove_all(a, err))
		return true;
	/* What was made here is not right: a check says no, whoever noticed it. */
	if (is_about_sql(err))
		err_recode(err, ERR_REFUSED);
	return err_wrap(err, "nothing is written");
}
