#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "runner/guard/run.h"

#include <string.h>

/* Writes the ledger under the runs' lock, so that no run reads heads that change under it.  An unfinished run does
 * not stop it: a person who mends things by hand may need to say where the database is. */
typedef bool write_ledger(struct app *app, struct run *run, struct err *err);

static bool under_lock(struct app *app, write_ledger *write, struct err *err)
{
	static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };
	const struct ledger_names names = app_ledger_names(app->config);
	struct run_report report = { .outcome = OUTCOME_UNCHANGED };
	struct run run;
	bool ok;

	run_init(&run, app->config, &by_hand, &report);
	ok = app_graph(app, &run.graph, err) && run_connect(&run, err) && run_lock(&run, err) &&
	     ledger_open(run.db, &names, &run.ledger, err) && write(app, &run, err);
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}

/* ---------------------------------------------------------------- stamp */

struct stamp_options {
	bool purge;
};

static const struct opt stamp_options[] = {
	{ "purge", 0, OPT_FLAG, NULL, "forgets what the version table says before",
	  offsetof(struct stamp_options, purge) },
	{ .name = NULL },
};

/* Rows of the same branch give way to the new one, above it or below; other branches keep theirs. */
static bool shares_lineage(const struct graph *g, const char *a, const char *b)
{
	const struct strv one = { .v = (char *[]){ (char *)a, NULL }, .n = 1 };
	const struct strv other = { .v = (char *[]){ (char *)b, NULL }, .n = 1 };
	cleanup_strv struct strv below_a = STRV_INIT, below_b = STRV_INIT;

	graph_applied(g, &one, &below_a);
	graph_applied(g, &other, &below_b);
	return strv_has(&below_a, b) || strv_has(&below_b, a);
}

static bool unknown_head(const char *head, struct err *err)
{
	err_set(err, ERR_REFUSED, "the database is at %s, which no file has", head);
	return err_hint(err, "ripcord stamp --purge TARGET forgets it");
}

static bool stamp_one(const struct graph *g, const struct strv *current, const char *word, struct strv *heads,
                      struct err *err)
{
	const struct revision *rev;

	if (!graph_find(g, current, word, &rev, err))
		return false;
	for (size_t i = 0; i < current->n; i++) {
		if (!graph_get(g, current->v[i]))
			return unknown_head(current->v[i], err);
		if (!shares_lineage(g, current->v[i], rev->id))
			strv_add(heads, current->v[i]);
	}
	strv_add(heads, rev->id);
	return true;
}

/* The rows that the version table shall have. */
static bool find_heads(const struct graph *g, const struct strv *current, const char *word,
                       struct strv *heads, struct err *err)
{
	if (strcmp(word, "base") == 0)
		return true;
	if (strcmp(word, "heads") == 0) {
		graph_heads(g, heads);
		return true;
	}
	return stamp_one(g, current, word, heads, err);
}

static json_t *stamp_json(const struct strv *from, const struct strv *to)
{
	json_t *o = json_object();

	json_put(o, "from", app_json_strings(from));
	json_put(o, "to", app_json_strings(to));
	return o;
}

static bool write_stamp(struct app *app, struct run *run, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	const struct stamp_options *o = app->options;
	const struct actor actor = app_actor("");
	cleanup_strv struct strv from = STRV_INIT, heads = STRV_INIT;

	strv_add_all(&from, ledger_heads(run->ledger));
	if (!find_heads(run->graph, o->purge ? &nowhere : &from, app->words[0], &heads, err) ||
	    !ledger_create(run->ledger, run->db, err) ||
	    !ledger_stamp(run->ledger, run->db, run->graph, &heads, o->purge, &actor, err))
		return false;
	if (app->globals->json) {
		app_print_json(app, stamp_json(&from, &heads));
		return true;
	}
	cleanup_free char *list = strv_join(&heads, ", ");
	fprintf(app->out, "stamped %s\n", heads.n ? list : "base");
	return true;
}

static bool run_stamp(struct app *app, struct err *err) { return under_lock(app, write_stamp, err); }

const struct command command_stamp = {
	.name = "stamp",
	.about = "says which revision the database is at, running nothing",
	.usage = "TARGET [--purge]",
	.text = "Writes the version table (and makes it, with the history, where it is missing) without "
		"running any\n"
		"revision and without a backup. Rows of other branches stay, unless *--purge* is given.",
	.options = stamp_options,
	.options_size = sizeof(struct stamp_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_stamp,
};

/* ---------------------------------------------------------------- repair */

struct repair_options {
	const char *reason;
};

static const struct opt repair_options[] = {
	{ "reason", 0, OPT_TEXT, "TEXT", "why the changed file is right; kept in the history",
	  offsetof(struct repair_options, reason) },
	{ .name = NULL },
};

static json_t *repair_json(const struct revision *rev, const char *reason)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "path", json_str(rev->path));
	json_put(o, "reason", json_str(reason));
	return o;
}

static bool write_repair(struct app *app, struct run *run, struct err *err)
{
	const struct repair_options *o = app->options;
	const struct actor actor = app_actor("");
	const struct revision *rev;

	if (!graph_find(run->graph, ledger_heads(run->ledger), app->words[0], &rev, err) ||
	    !ledger_repair(run->ledger, run->db, rev, &actor, o->reason, err))
		return false;
	if (app->globals->json)
		app_print_json(app, repair_json(rev, o->reason));
	else
		fprintf(app->out, "%s is accepted as its file is now\n", rev->id);
	return true;
}

static bool run_repair(struct app *app, struct err *err)
{
	const struct repair_options *o = app->options;

	if (o->reason && *o->reason)
		return under_lock(app, write_repair, err);
	err_set(err, ERR_USAGE, "repair %s: the reason is missing", app->words[0]);
	return err_hint(err, "ripcord repair %s --reason TEXT", app->words[0]);
}

const struct command command_repair = {
	.name = "repair",
	.about = "accepts the changed file of an applied revision",
	.usage = "REV --reason TEXT",
	.text = "An applied revision whose file changed stops every run. This accepts the file as it is now; "
		"the reason\n"
		"and who gave it are kept in the history.",
	.options = repair_options,
	.options_size = sizeof(struct repair_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_repair,
};
