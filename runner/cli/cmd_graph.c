#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "runner/cli/revision_line.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- current */

struct current_options {
	bool check_heads;
};

static const struct opt current_options[] = {
	{ "check-heads", 0, OPT_FLAG, NULL, "exit 3 when the database is not at the heads of the files",
	  offsetof(struct current_options, check_heads) },
	{ .name = NULL },
};

/* Heads that nothing depends on either: what upgrading to heads leaves in the version table. */
static bool is_at_head(const struct graph *g, const struct strv *current)
{
	cleanup_strv struct strv heads = STRV_INIT, applied = STRV_INIT;

	graph_heads(g, &heads);
	graph_applied(g, current, &applied);
	for (size_t i = 0; i < heads.n; i++) {
		if (!strv_has(&applied, heads.v[i]))
			return false;
	}
	for (size_t i = 0; i < current->n; i++) {
		if (!graph_get(g, current->v[i]))
			return false;
	}
	return true;
}

static json_t *current_json(const struct ledger *ledger, bool at_head)
{
	json_t *o = json_object();
	const struct strv *heads = ledger_heads(ledger);

	json_put(o, "heads", app_json_strings(heads));
	json_put(o, "at_head", json_boolean(at_head));
	json_put(o, "pinned", json_boolean(ledger_pin(ledger) != NULL));
	return o;
}

static void print_current(const struct app *app, const struct graph *g, const struct ledger *ledger)
{
	const struct strv *heads = ledger_heads(ledger);
	const struct history_row *pin = ledger_pin(ledger);
	struct revision_marks marks = { .graph = g };

	revision_marks_fill(&marks);
	for (size_t i = 0; i < heads->n; i++) {
		const struct revision *rev = graph_get(g, heads->v[i]);
		if (rev)
			revision_line(app->out, rev, &marks, LINE_TREE);
		else
			fprintf(app->out, "%s (no file has it)", heads->v[i]);
		fputs(pin ? " (pinned)\n" : "\n", app->out);
	}
	if (pin && heads->n == 0)
		fputs("base (pinned)\n", app->out);
	revision_marks_clear(&marks);
}

static bool run_current(struct app *app, struct err *err)
{
	const struct current_options *o = app->options;
	cleanup_graph struct graph *g = NULL;
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	bool at_head;

	if (!app_graph(app, &g, err) || !app_ledger(app, &db, &ledger, err))
		return false;
	at_head = is_at_head(g, ledger_heads(ledger));
	if (app->globals->json)
		app_print_json(app, current_json(ledger, at_head));
	else
		print_current(app, g, ledger);
	app->status = o->check_heads && !at_head ? 3 : 0;
	return true;
}

const struct command command_current = {
	.name = "current",
	.about = "prints the revision the database is at",
	.usage = "[--check-heads]",
	.text = "Prints one line a head of the database, as Alembic does: the revision, and (head) where no "
		"file goes\n"
		"further; (pinned) after a restore by hand. Nothing is printed for a database without "
		"revisions.",
	.options = current_options,
	.options_size = sizeof(struct current_options),
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_current,
};

/* ---------------------------------------------------------------- history */

struct history_options {
	const char *range;
	bool indicate;
};

static const struct opt history_options[] = {
	{ "rev-range", 'r', OPT_TEXT, "A:B", "only from A to B; either side may be empty",
	  offsetof(struct history_options, range) },
	{ "indicate-current", 'i', OPT_FLAG, NULL, "marks the revision the database is at",
	  offsetof(struct history_options, indicate) },
	{ .name = NULL },
};

/* A range of files alone needs no database; its words may (current, +1), and so do the marks. */
static bool range_asks_database(const char *range)
{
	return range && (strstr(range, "current") || strpbrk(range, "+-"));
}

/* Rows in the database and what they stand upon; both empty without a database. */
struct applied {
	bool known;
	struct strv heads, all;
};

static void applied_clear(struct applied *a)
{
	strv_clear(&a->heads);
	strv_clear(&a->all);
}
#define cleanup_applied __attribute__((cleanup(applied_clear)))

static bool read_applied(struct app *app, const struct graph *g, bool must, struct applied *out,
                         struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;

	if (!must && !app->config->url)
		return true;
	if (!app_ledger(app, &db, &ledger, err))
		return false;
	out->known = true;
	strv_add_all(&out->heads, ledger_heads(ledger));
	graph_applied(g, &out->heads, &out->all);
	strv_sort(&out->all);
	return true;
}

static json_t *history_json(const struct revision *rev, const struct revision_marks *marks,
                            const struct applied *applied)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "down_revisions", app_json_strings(&rev->parents));
	json_put(o, "message", json_str(rev->message));
	json_put(o, "applied",
	         applied->known ? json_boolean(revision_in_sorted(&applied->all, rev->id)) : json_null());
	json_put(o, "head", json_boolean(revision_is_head(marks, rev->id)));
	return o;
}

static void print_history(const struct app *app, const struct graph *g, const struct strv *ids,
                          const struct applied *applied)
{
	const struct history_options *o = app->options;
	struct revision_marks marks = { .graph = g, .current = o->indicate ? &applied->heads : NULL };
	json_t *array = app->globals->json ? json_array() : NULL;

	revision_marks_fill(&marks);
	for (size_t i = 0; i < ids->n; i++) {
		const struct revision *rev = graph_get(g, ids->v[i]);
		if (array) {
			json_push(array, history_json(rev, &marks, applied));
			continue;
		}
		revision_line(app->out, rev, &marks, LINE_PARENTS | LINE_LABELS | LINE_TREE | LINE_MESSAGE);
		fputc('\n', app->out);
	}
	if (array)
		app_print_json(app, array);
	revision_marks_clear(&marks);
}

static bool run_history(struct app *app, struct err *err)
{
	const struct history_options *o = app->options;
	cleanup_graph struct graph *g = NULL;
	cleanup_applied struct applied applied = { .known = false };
	cleanup_strv struct strv ids = STRV_INIT;
	bool must = o->indicate || range_asks_database(o->range);

	if (!app_graph(app, &g, err))
		return false;
	if ((must || app->globals->json) && !read_applied(app, g, must, &applied, err))
		return false;
	if (!graph_range(g, &applied.heads, o->range ? o->range : ":", &ids, err))
		return false;
	print_history(app, g, &ids, &applied);
	return true;
}

const struct command command_history = {
	.name = "history",
	.about = "lists the revisions, newest first",
	.usage = "[-r A:B] [-i]",
	.text = "Lists the revisions of the files, newest first, each as *parent -> revision, message*. A "
		"and B are\n"
		"targets; _current_ is where the database is.",
	.options = history_options,
	.options_size = sizeof(struct history_options),
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_history,
};

/* ---------------------------------------------------------------- heads and branches */

static json_t *head_json(const struct revision *rev)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "down_revisions", app_json_strings(&rev->parents));
	json_put(o, "labels", app_json_strings(&rev->labels));
	json_put(o, "message", json_str(rev->message));
	return o;
}

static bool run_heads(struct app *app, struct err *err)
{
	cleanup_graph struct graph *g = NULL;
	cleanup_strv struct strv heads = STRV_INIT;
	json_t *array;

	if (!app_graph(app, &g, err))
		return false;
	struct revision_marks marks = { .graph = g };
	graph_heads(g, &heads);
	array = json_array();
	for (size_t i = 0; i < heads.n; i++)
		json_push(array, head_json(graph_get(g, heads.v[i])));
	if (app->globals->json) {
		app_print_json(app, array);
		return true;
	}
	json_decref(array);
	revision_marks_fill(&marks);
	for (size_t i = 0; i < heads.n; i++) {
		revision_line(app->out, graph_get(g, heads.v[i]), &marks, LINE_LABELS | LINE_HEAD);
		fputc('\n', app->out);
	}
	revision_marks_clear(&marks);
	return true;
}

const struct command command_heads = {
	.name = "heads",
	.about = "lists the revisions that no other follows",
	.usage = "",
	.text = "Lists the heads of the revision files. More than one means that branches wait for ripcord "
		"merge.",
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_heads,
};

static void children_of(const struct graph *g, const char *id, struct strv *out)
{
	for (size_t i = 0; i < graph_count(g); i++) {
		if (strv_has(&graph_at(g, i)->parents, id))
			strv_add(out, graph_at(g, i)->id);
	}
}

static json_t *branch_json(const struct revision *rev, const struct strv *children)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "message", json_str(rev->message));
	json_put(o, "labels", app_json_strings(&rev->labels));
	json_put(o, "children", app_json_strings(children));
	return o;
}

static void print_branch(const struct app *app, const struct revision_marks *marks,
                         const struct revision *rev, const struct strv *children)
{
	revision_line(app->out, rev, marks, LINE_LABELS | LINE_TREE);
	fputc('\n', app->out);
	for (size_t i = 0; i < children->n; i++) {
		fprintf(app->out, "%*s -> ", (int)strlen(rev->id), "");
		revision_line(app->out, graph_get(marks->graph, children->v[i]), marks,
		              LINE_LABELS | LINE_TREE);
		fputc('\n', app->out);
	}
}

static bool run_branches(struct app *app, struct err *err)
{
	cleanup_graph struct graph *g = NULL;
	cleanup_json json_t *array = json_array();

	if (!app_graph(app, &g, err))
		return false;
	struct revision_marks marks = { .graph = g };
	revision_marks_fill(&marks);
	for (size_t i = 0; i < graph_count(g); i++) {
		const struct revision *rev = graph_at(g, i);
		cleanup_strv struct strv children = STRV_INIT;
		if (!graph_is_branch_point(g, rev->id))
			continue;
		children_of(g, rev->id, &children);
		if (app->globals->json)
			json_push(array, branch_json(rev, &children));
		else
			print_branch(app, &marks, rev, &children);
	}
	if (app->globals->json)
		app_print_json(app, json_incref(array));
	revision_marks_clear(&marks);
	return true;
}

const struct command command_branches = {
	.name = "branches",
	.about = "lists the revisions that several others follow",
	.usage = "",
	.text = "Lists every branch point of the revision files with the revisions that follow it.",
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_branches,
};
