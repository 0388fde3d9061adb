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

/* ------------------------------------------------------------------ drafts */

static const char VERIFY_STUB[] =
	"-- What must be true after the upgrade, else it is taken back: queries with one boolean column.\n"
	"-- SELECT NOT EXISTS (SELECT FROM ... WHERE ...);\n";

/* All heads have made the old state, so all must come before, in every database. */
static void add_other_heads(const struct autogen *a, const struct strv *parents, struct strv *depends_on)
{
	const struct graph *g = source_run(a->ahead)->graph;
	cleanup_strv struct strv heads = STRV_INIT, below = STRV_INIT;

	graph_heads(g, &heads);
	graph_applied(g, parents, &below);
	for (size_t i = 0; i < heads.n; i++)
		if (!strv_has(&below, heads.v[i]) && !strv_has(depends_on, heads.v[i]))
			strv_add(depends_on, heads.v[i]);
}

static struct revision_draft *new_draft(struct autogen *a)
{
	const struct autogen_request *r = a->request;
	struct autogen_result *out = a->out;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	struct revision_draft *d = &out->v[out->n++];
	*d = (struct revision_draft){ .id = r->id, .verify = VERIFY_STUB };
	if (out->n == 1) {
		d->message = r->message;
		strv_add_all(&d->parents, r->parents);
		strv_add_all(&d->depends_on, r->depends_on);
		add_other_heads(a, &d->parents, &d->depends_on);
		if (r->labels)
			d->labels = *r->labels;
	} else {
		cleanup_free char *message = mem_fmt("%s, part %zu", r->message, out->n);
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

static bool draft_downgrade(struct autogen *a, struct revision_draft *d, struct err *err)
{
	const struct schema_options options = autogen_schema_options(a);
	cleanup_changes struct changes back = { .v = NULL };
	cleanup_renames struct renames renames = { .v = NULL };

	if (d == a->out->v) /* they come first */
		renames_reverse(&a->renames, &renames);
	const struct changes_options how = { renames.v, renames.n, a->request->concurrently };
	if (!schema_changes(source_db(a->ahead), source_db(a->behind), &options, &how, &back, err))
		return err_wrap(err, "the downgrade");
	if (back.n == 0)
		return true;
	d->downgrade_off = section_end(&back, 0) < back.n || (back.v[0].hazards & HAZARD_NOT_TRANSACTIONAL);
	cleanup_free char *text = section_text(&back, 0, back.n, d->downgrade_off);
	d->downgrade = keep(a, text);
	return true;
}

/* ------------------------------------------------------------------ running them */

/* The steps that an upgrade to all heads has left, with what the graph has got since. */
static bool plan_rest(struct autogen *a, size_t expected, struct plan **out, struct err *err)
{
	struct run *run = source_run(a->ahead);

	if (!plan_make(run->graph, ledger_heads(run->ledger), "heads", DIRECTION_UP, out, err))
		return false;
	return (*out)->n == expected ||
	       err_set(err, ERR_REFUSED, "%zu revisions are new instead of %zu", (*out)->n, expected);
}

static bool run_on(struct source *s, const struct revision *rev, const struct step *up,
                   enum direction direction, struct err *err)
{
	struct step step = { .revision = rev,
		             .direction = direction,
		             .heads_before = up->heads_before,
		             .heads_after = up->heads_after };

	if (direction == DIRECTION_DOWN) {
		step.heads_before = up->heads_after;
		step.heads_after = up->heads_before;
	}
	return replay_unit(source_run(s), &step, err);
}

static bool run_up(struct autogen *a, const struct revision *rev, const struct step *up, struct err *err)
{
	return run_on(a->ahead, rev, up, DIRECTION_UP, err) || err_wrap(err, "the upgrade does not run");
}

/* From behind its upgrade down to where the other one is, and both up. */
static bool run_back_and_up(struct autogen *a, const struct revision *rev, const struct step *up,
                            struct err *err)
{
	if (!run_on(a->ahead, rev, up, DIRECTION_DOWN, err))
		return err_wrap(err, "the downgrade does not run");
	if (!autogen_same(a, source_db(a->behind), source_db(a->ahead), err))
		return err_wrap(err, "the downgrade does not lead back");
	if (!run_on(a->ahead, rev, up, DIRECTION_UP, err))
		return err_wrap(err, "the upgrade does not run a second time");
	return run_on(a->behind, rev, up, DIRECTION_UP, err);
}

static bool is_there(struct autogen *a, struct err *err)
{
	return autogen_same(a, source_db(a->wanted), source_db(a->ahead), err) ||
	       err_wrap(err, "the upgrade does not lead to the desired state");
}

/* Where a revision stands says what comes before it: a template, or a hook, must leave that alone. */
static bool check_header(const struct revision *rev, const struct revision_draft *d, struct err *err)
{
	if (strcmp(rev->id, d->id) == 0 && strv_same(&rev->parents, &d->parents) &&
	    strv_same(&rev->depends_on, &d->depends_on) && strv_same(&rev->labels, &d->labels))
		return true;
	err_set(err, ERR_REFUSED, "the header of the new revision %s is not as it was generated", d->id);
	return err_hint(err,
	                "revision, revises, depends-on and branch-labels have to stay: is one missing in "
	                "the template, or has a hook changed it?");
}

static bool add_draft(struct autogen *a, const struct revision_draft *d, struct err *err)
{
	struct revision *rev;

	return revision_of_draft(a->config->migrations, d, &rev, err) &&
	       graph_add(source_run(a->ahead)->graph, rev, err) && check_header(rev, d, err);
}

static bool prove_whole(struct autogen *a, const struct revision_draft *d, const struct step *up,
                        struct err *err)
{
	struct revision *rev;

	if (!revision_of_draft(a->config->migrations, d, &rev, err))
		return false;
	bool ok = run_back_and_up(a, rev, up, err);
	revision_free(rev);
	return ok;
}

/* Its downgrade is known when its upgrade has run. */
static bool prove_draft(struct autogen *a, struct revision_draft *d, struct err *err)
{
	cleanup_plan struct plan *plan = NULL;

	return add_draft(a, d, err) && plan_rest(a, 1, &plan, err) &&
	       run_up(a, plan->steps[0].revision, &plan->steps[0], err) && draft_downgrade(a, d, err) &&
	       prove_whole(a, d, &plan->steps[0], err);
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
	return is_there(a, err);
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

/* What was made here is not right: a check says no, whoever noticed it. */
static bool refuse(struct err *err)
{
	if (is_about_sql(err))
		err_recode(err, ERR_REFUSED);
	return err_wrap(err, "nothing is written");
}

bool autogen_prove(struct autogen *a, struct err *err) { return prove_all(a, err) || refuse(err); }

/* ------------------------------------------------------------------ as hooks have left them */

static bool add_texts(struct autogen *a, struct err *err)
{
	for (size_t i = 0; i < a->texts->n; i++) {
		struct revision *rev;

		if (!revision_parse(a->texts->v[i], "the new revision", &rev, err))
			return false;
		if (!check_header(rev, &a->out->v[i], err)) {
			revision_free(rev);
			return false;
		}
		if (!graph_add(source_run(a->ahead)->graph, rev, err))
			return false;
	}
	return true;
}

static bool prove_steps(struct autogen *a, struct err *err)
{
	cleanup_plan struct plan *plan = NULL, *back = NULL;

	if (!add_texts(a, err) || !plan_rest(a, a->texts->n, &plan, err) ||
	    !plan_reverse(plan, plan->n, &back, err)) /* a hook may have made it irreversible */
		return false;
	for (size_t i = 0; i < plan->n; i++) {
		const struct step *up = &plan->steps[i];
		if (!run_up(a, up->revision, up, err) || !run_back_and_up(a, up->revision, up, err))
			return false;
	}
	return is_there(a, err);
}

bool autogen_prove_texts(struct autogen *a, struct err *err)
{
	return prove_steps(a, err) || (err_wrap(err, "as the hooks have left it"), refuse(err));
}
