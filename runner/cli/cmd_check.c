#include "runner/cli/cli.h"

#include "runner/cli/autogenerate.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdio.h>

struct check_options {
	struct autogenerate_options generate;
	bool autogenerate;
};

#define FIELD(name) offsetof(struct check_options, name)
static const struct opt check_options[] = {
	{ "autogenerate", 0, OPT_FLAG, NULL, "also whether the history leads to source of [schema]",
	  FIELD(autogenerate) },
	{ .name = NULL },
};

/* Everything found, whatever kind; check reports and never changes anything. */
struct problems {
	json_t *array; /* {kind, revision, message, hint, file, line} */
};

static void add_problem(struct problems *p, const char *kind, const char *revision, const struct err *why)
{
	json_t *o = json_object();

	json_put(o, "kind", json_str(kind));
	json_put(o, "revision", json_str(revision));
	json_put(o, "message", json_str(why->msg));
	json_put(o, "hint", json_str(*why->hint ? why->hint : NULL));
	json_put(o, "file", json_str(*why->file ? why->file : NULL));
	json_put(o, "line", why->line > 0 ? json_integer(why->line) : json_null());
	json_push(p->array, o);
}

static void check_heads(struct problems *p, const struct graph *g)
{
	cleanup_strv struct strv heads = STRV_INIT;
	struct err why = ERR_INIT;

	graph_heads(g, &heads);
	if (heads.n < 2)
		return;
	cleanup_free char *list = strv_join(&heads, ", ");
	err_set(&why, ERR_REFUSED, "there are several heads: %s", list);
	err_hint(&why, "join them with ripcord merge -m TEXT heads");
	add_problem(p, "heads", NULL, &why);
}

static void check_revisions(struct problems *p, const struct graph *g)
{
	for (size_t i = 0; i < graph_count(g); i++) {
		struct err why = ERR_INIT;
		if (!exec_check(graph_at(g, i), &why))
			add_problem(p, "revision", graph_at(g, i)->id, &why);
	}
}

static void check_known_heads(struct problems *p, const struct graph *g, const struct ledger *ledger)
{
	const struct strv *heads = ledger_heads(ledger);

	for (size_t i = 0; i < heads->n; i++) {
		struct err why = ERR_INIT;
		if (graph_get(g, heads->v[i]))
			continue;
		err_set(&why, ERR_REFUSED, "the database is at %s, which no file has", heads->v[i]);
		err_hint(&why, "check out the revision's file, or ripcord stamp --purge after a look");
		add_problem(p, "unknown-head", heads->v[i], &why);
	}
}

/* A server that cannot be asked is an error of its own (exit 1): only its answers are problems. */
static bool check_database(struct problems *p, struct app *app, const struct graph *g, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	struct err why = ERR_INIT;

	if (!app_ledger(app, &db, &ledger, err))
		return false;
	check_known_heads(p, g, ledger);
	if (!ledger_check_files(ledger, db, g, NULL, &why)) {
		if (why.code != ERR_REFUSED)
			return *err = why, false;
		add_problem(p, "changed-file", NULL, &why);
	}
	why = (struct err)ERR_INIT;
	if (!ledger_check_chain(ledger, db, &why)) {
		if (why.code != ERR_CORRUPT)
			return *err = why, false;
		add_problem(p, "history", NULL, &why);
	}
	return true;
}

/* A problem a statement that is missing in the history. */
static bool check_schema(struct problems *p, struct app *app, struct err *err)
{
	const struct check_options *o = app->options;
	cleanup_autogen struct autogen_result found = { .n = 0 };

	if (!autogenerate_compare(app, &o->generate, &found, err))
		return false;
	for (size_t i = 0; i < found.changes.n; i++) {
		struct err why = ERR_INIT;
		err_set(&why, ERR_REFUSED, "the history does not lead to the desired schema: %s",
		        found.changes.v[i].about);
		err_hint(&why, "%s", found.changes.v[i].sql);
		add_problem(p, "schema", NULL, &why);
	}
	return true;
}

static void print_problems(FILE *out, const struct problems *p)
{
	const json_t *problem;
	size_t i;

	json_array_foreach(p->array, i, problem)
	{
		const char *file = json_string_value(json_object_get(problem, "file"));
		const char *hint = json_string_value(json_object_get(problem, "hint"));
		long long line = json_integer_value(json_object_get(problem, "line"));
		if (file && line > 0)
			fprintf(out, "%s:%lld: ", file, line);
		else if (file)
			fprintf(out, "%s: ", file);
		fprintf(out, "%s\n", json_string_value(json_object_get(problem, "message")));
		if (hint)
			fprintf(out, "  %s\n", hint);
	}
}

static bool run_check(struct app *app, struct err *err)
{
	const struct check_options *options = app->options;
	cleanup_graph struct graph *g = NULL;
	cleanup_json json_t *array = json_array();
	struct problems problems = { .array = array };
	struct err why = ERR_INIT;

	if (!app_graph(app, &g, &why)) {
		add_problem(&problems, "graph", NULL, &why);
	} else {
		check_heads(&problems, g);
		check_revisions(&problems, g);
		if ((app->config->url && !check_database(&problems, app, g, err)) ||
		    (options->autogenerate && !check_schema(&problems, app, err)))
			return false;
	}
	bool ok = json_array_size(array) == 0;
	app->status = ok ? 0 : 3;
	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "ok", json_boolean(ok));
		json_put(o, "problems", json_incref(array));
		app_print_json(app, o);
	} else if (ok) {
		fprintf(app->out, "%zu revisions, no problems\n", graph_count(g));
	} else {
		print_problems(app->out, &problems);
	}
	return true;
}

const struct command command_check = {
	.name = "check",
	.about = "looks for problems in the revisions and the history",
	.usage = "[--autogenerate]",
	.text = "Reads every revision file and says what an upgrade would refuse: broken files, missing "
		"parents, cycles,\n"
		"several heads, transaction control inside a section. With a database configured it also "
		"compares the\n"
		"files with what was applied and checks the history's chain. With *--autogenerate* the "
		"history is replayed on\n"
		"a scratch database and compared with _source_ of \\[schema\\]. Exit 3 when something was "
		"found.",
	.options = check_options,
	.options_size = sizeof(struct check_options),
	.needs = NEEDS_CONFIG,
	.run = run_check,
};
