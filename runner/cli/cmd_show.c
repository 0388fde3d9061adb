#include "runner/cli/cli.h"

#include "runner/cli/revision_line.h"

static json_t *section_json(const struct section *s)
{
	char sha256[SHA256_HEX];
	json_t *o;

	if (!s->present)
		return json_null();
	section_sha256(s, sha256);
	o = json_object();
	json_put(o, "line", json_integer(s->line));
	json_put(o, "transaction", json_boolean(s->transaction));
	json_put(o, "irreversible", json_str(s->irreversible));
	json_put(o, "sha256", json_str(sha256));
	json_put(o, "text", json_str(s->text));
	return o;
}

static json_t *show_json(const struct revision *rev, const struct revision_marks *marks)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "down_revisions", app_json_strings(&rev->parents));
	json_put(o, "depends_on", app_json_strings(&rev->depends_on));
	json_put(o, "labels", app_json_strings(&rev->labels));
	json_put(o, "message", json_str(rev->message));
	json_put(o, "created", json_str(rev->created));
	json_put(o, "path", json_str(rev->path));
	json_put(o, "head", json_boolean(revision_is_head(marks, rev->id)));
	json_put(o, "upgrade", section_json(&rev->upgrade));
	if (rev->batch.present)
		json_put(o, "batch", section_json(&rev->batch));
	json_put(o, "verify", section_json(&rev->verify));
	json_put(o, "downgrade", section_json(&rev->downgrade));
	return o;
}

static void print_strings(FILE *out, const char *label, const struct strv *s)
{
	if (s->n == 0)
		return;
	fputs(label, out);
	for (size_t i = 0; i < s->n; i++)
		fprintf(out, "%s%s", i ? ", " : "", s->v[i]);
	fputc('\n', out);
}

static void print_section(FILE *out, const char *name, const struct section *s)
{
	if (!s->present)
		return;
	fprintf(out, "\n-- %s, from line %d%s\n%s", name, s->line,
	        s->transaction ? "" : ", outside a transaction", s->text);
	if (s->irreversible)
		fprintf(out, "-- irreversible: %s\n", s->irreversible);
}

static void print_revision(FILE *out, const struct revision *rev, const struct revision_marks *marks)
{
	fputs("Rev: ", out);
	revision_line(out, rev, marks, LINE_TREE);
	fputc('\n', out);
	if (rev->parents.n == 0)
		fputs("Parent: <base>\n", out);
	print_strings(out, rev->parents.n > 1 ? "Merges: " : "Parent: ", &rev->parents);
	print_strings(out, "Also depends on: ", &rev->depends_on);
	print_strings(out, "Branch names: ", &rev->labels);
	fprintf(out, "Path: %s\n", rev->path ? rev->path : "(none: from the database's history)");
	fprintf(out, "Created: %s\n\n    %s\n", rev->created, rev->message);
	print_section(out, "upgrade", &rev->upgrade);
	print_section(out, "batch, repeated until it changes no row", &rev->batch);
	print_section(out, "verify", &rev->verify);
	print_section(out, "downgrade", &rev->downgrade);
}

static bool run_show(struct app *app, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	cleanup_graph struct graph *g = NULL;
	const struct revision *rev;

	if (!app_graph(app, &g, err) || !graph_find(g, &nowhere, app->words[0], &rev, err))
		return false;
	struct revision_marks marks = { .graph = g };
	revision_marks_fill(&marks);
	if (app->globals->json)
		app_print_json(app, show_json(rev, &marks));
	else
		print_revision(app->out, rev, &marks);
	revision_marks_clear(&marks);
	return true;
}

const struct command command_show = {
	.name = "show",
	.about = "prints one revision",
	.usage = "REV",
	.text = "Prints what a revision's file says: its parents, its message, and the three sections.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_show,
};
