#include "runner/cli/cli.h"

#include "base/text.h"
#include "runner/guard/accept.h"
#include "runner/guard/restore_run.h"

/* A member's text, "" when it has none: journals of runs that broke off lack some. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool run_runs_list(struct app *app, struct err *err)
{
	cleanup_json json_t *runs = NULL;
	const json_t *run;
	size_t i;

	if (!runs_list(app->config, &runs, err))
		return false;
	if (app->globals->json) {
		app_print_json(app, json_incref(runs));
		return true;
	}
	json_array_foreach(runs, i, run)
	{
		const char *phase = text_of(run, "phase");
		fprintf(app->out, "%s  %-12s  %s%s%s\n", text_of(run, "run"), text_of(run, "outcome"),
		        text_of(run, "started"), *phase ? "  " : "", phase);
	}
	return true;
}

const struct command command_runs_list = {
	.name = "runs list",
	.about = "lists the runs, newest first",
	.usage = "",
	.text = "Lists the runs that the state folder knows: id, outcome, when it started. *ripcord runs* "
		"means the same.",
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_runs_list,
};

static void print_step(FILE *out, const json_t *step)
{
	const json_t *seconds = json_object_get(step, "seconds");
	char took[TEXT_SHORT];

	fprintf(out, "  %-24s %-12s", text_of(step, "step"), text_of(step, "outcome"));
	if (json_is_number(seconds))
		fprintf(out, " %s", text_duration((int64_t)(json_number_value(seconds) * 1000), took));
	fputc('\n', out);
}

static void print_run(FILE *out, const json_t *run)
{
	const json_t *step, *steps = json_object_get(run, "steps");
	size_t i;

	const char *phase = text_of(run, "phase");
	fprintf(out, "run %s: %s%s%s\n", text_of(run, "run"), text_of(run, "outcome"),
	        *phase ? ", after " : "", phase);
	json_array_foreach(steps, i, step) print_step(out, step);
}

static bool run_runs_show(struct app *app, struct err *err)
{
	cleanup_json json_t *run = NULL;

	if (!runs_show(app->config, app->words[0], &run, err))
		return false;
	if (app->globals->json)
		app_print_json(app, json_incref(run));
	else
		print_run(app->out, run);
	return true;
}

const struct command command_runs_show = {
	.name = "runs show",
	.about = "prints the steps of one run",
	.usage = "RUN",
	.text = "Prints what the journal says of a run, step by step. RUN is its id or the beginning of it.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_runs_show,
};

static bool run_accept(struct app *app, struct err *err)
{
	cleanup_json json_t *run = NULL;

	if (!runs_accept(app->config, app->n_words > 0 ? app->words[0] : NULL, &run, err))
		return false;
	if (app->globals->json)
		app_print_json(app, json_incref(run));
	else
		fprintf(app->out, "run %s is accepted: its backup may be pruned\n", text_of(run, "run"));
	return true;
}

const struct command command_accept = {
	.name = "accept",
	.about = "says that an upgrade stands, and unpins its backup",
	.usage = "[RUN]",
	.text = "Until an upgrade is accepted its backup is pinned. Without RUN the newest upgrade is meant.",
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_accept,
};
