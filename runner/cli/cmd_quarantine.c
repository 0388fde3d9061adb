#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/confirm.h"
#include "runner/guard/restore_run.h"

static json_t *entry_json(const void *ctx, size_t i)
{
	const struct quarantine_entry *e = (const struct quarantine_entry *)ctx + i;
	json_t *o = json_object();

	json_put(o, "database", json_str(e->database));
	json_put(o, "run", json_str(e->run && *e->run ? e->run : NULL));
	json_put(o, "bytes", json_integer(e->bytes));
	json_put(o, "comment", json_str(e->comment));
	return o;
}

static void print_entry(FILE *out, const void *ctx, size_t i)
{
	const struct quarantine_entry *e = (const struct quarantine_entry *)ctx + i;
	char size[TEXT_SHORT];

	fprintf(out, "%s  %s", e->database, text_size(e->bytes, size));
	if (e->run && *e->run)
		fprintf(out, "  run %s", e->run);
	fputc('\n', out);
}

static bool run_list(struct app *app, struct err *err)
{
	struct quarantine_entry *entries = NULL;
	size_t n = 0;

	if (!quarantine_list(app->config, &entries, &n, err))
		return false;
	app_print_list(app, n, entries, entry_json, print_entry);
	quarantine_entries_free(entries, n);
	return true;
}

const struct command command_quarantine_list = {
	.name = "quarantine list",
	.about = "lists databases that restores swapped out or left beside",
	.usage = "",
	.text = "Lists the databases that ripcord keeps beside the live one, with their sizes.",
	.needs = NEEDS_CONFIG | NEEDS_DATABASE | PRINTS_LIST,
	.run = run_list,
};

struct drop_options {
	bool yes;
};

static const struct opt drop_options[] = {
	{ "yes", 0, OPT_FLAG, NULL, "does not ask", offsetof(struct drop_options, yes) },
	{ .name = NULL },
};

static bool run_drop(struct app *app, struct err *err)
{
	const struct drop_options *o = app->options;
	const char *name = app->words[0];
	cleanup_free char *question = mem_fmt("drop database \"%s\" and everything in it?", name);

	if (!confirm(question, o->yes, err) || !quarantine_drop(app->config, name, err))
		return false;
	if (app->globals->json) {
		json_t *object = json_object();
		json_put(object, "dropped", json_str(name));
		app_print_json(app, object);
	} else {
		fprintf(app->out, "dropped \"%s\"\n", name);
	}
	return true;
}

const struct command command_quarantine_drop = {
	.name = "quarantine drop",
	.about = "drops a database in quarantine",
	.usage = "NAME [--yes]",
	.text = "Drops a database that ripcord put aside. Any other database is refused.",
	.options = drop_options,
	.options_size = sizeof(struct drop_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_drop,
};
