#include "runner/guard/autogen.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/confirm.h"
#include "runner/guard/autogen_proof.h"

#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 700 }; /* of statements that a message names: it has room for a thousand bytes */

void autogen_clear(struct autogen_result *r)
{
	changes_clear(&r->changes);
	for (size_t i = 0; i < r->n; i++) {
		strv_clear(&r->v[i].parents);
		strv_clear(&r->v[i].depends_on);
	}
	free(r->v);
	strv_clear(&r->likely);
	strv_clear(&r->differs);
	strv_clear(&r->kept);
	*r = (struct autogen_result){ .n = 0 };
}

/* ------------------------------------------------------------------ the databases */

static bool open_both(struct autogen *a, struct err *err)
{
	return source_open(a->config, "replay", &a->ahead, err) &&
	       (source_open(a->config, a->request->source, &a->wanted, err) ||
	        err_wrap(err, "the desired state"));
}

static bool close_all(struct autogen *a, bool ok, struct err *err)
{
	ok = source_close(a->wanted, ok, err);
	ok = source_close(a->behind, ok, err);
	ok = source_close(a->ahead, ok, err);
	renames_clear(&a->renames);
	return ok;
}

/* What the live database has must be what the history makes, at its heads. */
static bool check_live(struct autogen *a, struct err *err)
{
	const struct config *c = a->config;
	const struct ledger_names names = { .schema = c->version_schema, .table = c->version_table };
	cleanup_ledger struct ledger *ledger = NULL;
	struct source *live = NULL;

	bool ok = source_open(c, "live", &live, err) && ledger_open(source_db(live), &names, &ledger, err);
	if (ok && !strv_same(ledger_heads(ledger), ledger_heads(source_run(a->ahead)->ledger))) {
		ok = err_set(err, ERR_REFUSED, "the live database is not at the history's head");
		err_hint(err, "ripcord upgrade heads first, or -x schema.from=replay");
	}
	if (ok && !a->is_drift && !autogen_same(a, source_db(live), source_db(a->ahead), err)) {
		ok = err_wrap(err, "the live database has another schema than its history");
		err_hint(err, "ripcord revision --autogenerate --live writes what was changed by hand as a "
		              "revision");
	}
	return source_close(live, ok, err);
}

/* ------------------------------------------------------------------ what differs */

static bool find_renames(struct autogen *a, struct err *err)
{
	const struct schema_options options = autogen_schema_options(a);
	cleanup_schema struct schema *old = NULL, *new = NULL;
	cleanup_likely_renames struct likely_renames likely = { .v = NULL };
	const struct renames *said = a->request->renames;

	if (!schema_read(source_db(a->ahead), &options, &old, err) ||
	    !schema_read(source_db(a->wanted), &options, &new, err))
		return false;
	for (size_t i = 0; said && i < said->n; i++)
		renames_add(&a->renames, said->v[i].from, said->v[i].to);
	renames_add_open(&a->renames, source_renames(a->wanted), old, new);
	if (a->request->ask && confirm_can_ask())
		return renames_ask(&a->renames, old, new, err);
	renames_likely(&a->renames, old, new, &likely);
	renames_tell(&likely, &a->out->likely);
	return true;
}

static bool compare(struct autogen *a, struct err *err)
{
	const struct schema_options options = autogen_schema_options(a);

	if (!find_renames(a, err))
		return false;
	const struct changes_options how = { a->renames.v, a->renames.n, a->request->concurrently };
	if (!schema_changes(source_db(a->ahead), source_db(a->wanted), &options, &how, &a->out->changes, err))
		return false;
	return a->out->changes.n > 0 || autogen_same(a, source_db(a->wanted), source_db(a->ahead), err);
}

/* ------------------------------------------------------------------ what is allowed */

static void name_statements(const struct changes *changes, unsigned hazard, struct buf *out)
{
	size_t left = 0;

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];
		if (!(c->hazards & hazard))
			continue;
		if (out->len + strlen(c->sql) > NAMED_MAX)
			left++;
		else
			buf_fmt(out, "%s%s", out->len ? "; " : "", c->sql);
	}
	if (left > 0)
		buf_fmt(out, "%s%zu statements that ripcord diff shows", out->len ? "; and " : "", left);
}

static bool check_hazard(const struct autogen *a, enum hazard hazard, const char *what, const char *word,
                         struct err *err)
{
	cleanup_buf struct buf named = BUF_INIT(BUF_TEXT_MAX);

	if (a->request->allowed & hazard)
		return true;
	name_statements(&a->out->changes, hazard, &named);
	if (named.len == 0)
		return true;
	err_set(err, ERR_REFUSED, "nothing is written, since it would %s: %s", what, buf_text(&named));
	return err_hint(err, "--allow %s accepts that%s%s", word, a->out->likely.n > 0 ? "; or " : "",
	                a->out->likely.n > 0 ? a->out->likely.v[0] : "");
}

/* ------------------------------------------------------------------ all of it */

static bool draft(struct autogen *a, struct err *err)
{
	if (!open_both(a, err) || (a->request->live && !check_live(a, err)) || !compare(a, err))
		return false;
	if (a->out->changes.n == 0)
		return true;
	if (!check_hazard(a, HAZARD_DATA_LOSS, "lose data", "drop", err) ||
	    !check_hazard(a, HAZARD_REWRITE, "rewrite tables", "rewrite", err) ||
	    !source_open(a->config, "replay", &a->behind, err))
		return false;
	return autogen_prove(a, err);
}

static bool prove_texts(struct autogen *a, struct err *err)
{
	return open_both(a, err) && source_open(a->config, "replay", &a->behind, err) &&
	       autogen_prove_texts(a, err);
}

static bool work(struct autogen *a, bool (*what)(struct autogen *a, struct err *err), struct err *err)
{
	a->is_drift = strcmp(a->request->source, "live") == 0;
	bool ok = what(a, err);
	if (!ok && err->code == ERR_CANCELLED)
		cancel_hold(); /* the signal has done its work; what follows clears up */
	return close_all(a, ok, err);
}

static bool open_and_compare(struct autogen *a, struct err *err)
{
	return open_both(a, err) && compare(a, err);
}

bool autogen_compare(const struct config *config, const struct autogen_request *request,
                     struct autogen_result *out, struct err *err)
{
	struct autogen a = { .config = config, .request = request, .out = out };

	*out = (struct autogen_result){ .n = 0 };
	return work(&a, open_and_compare, err);
}

bool autogen_draft(const struct config *config, const struct autogen_request *request,
                   struct autogen_result *out, struct err *err)
{
	struct autogen a = { .config = config, .request = request, .out = out };

	*out = (struct autogen_result){ .n = 0 };
	return work(&a, draft, err);
}

bool autogen_prove_again(const struct config *config, const struct autogen_request *request,
                         const struct strv *texts, struct autogen_result *made, struct err *err)
{
	struct autogen a = { .config = config, .request = request, .out = made, .texts = texts };

	return work(&a, prove_texts, err);
}
