#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/rehearsals.h"
#include "runner/guard/rehearse_limits.h"
#include "runner/guard/rehearse_run.h"

#include <inttypes.h>
#include <string.h>

struct rehearse_options {
	const char *backup;
};

static const struct opt rehearse_options[] = {
	{ "backup", 0, OPT_TEXT, "ID", "rehearses on this backup instead of the newest one",
	  offsetof(struct rehearse_options, backup) },
	{ .name = NULL },
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* ------------------------------------------------------------------ the table */

/* Those below SHARE UPDATE EXCLUSIVE are in no reader's and no writer's way. */
static bool is_in_the_way(const char *mode)
{
	return strcmp(mode, "ROW SHARE") != 0 && strcmp(mode, "ROW EXCLUSIVE") != 0;
}

static void print_locks(FILE *out, const json_t *statement)
{
	const json_t *locks = json_object_get(statement, "locks"), *lock;
	size_t i;

	if (!json_is_array(locks))
		fprintf(out, "%37slocks: not seen, since it takes no transaction block\n", "");
	json_array_foreach(locks, i, lock)
	{
		if (is_in_the_way(text_of(lock, "mode")))
			fprintf(out, "%37s%s on %s\n", "", text_of(lock, "mode"), text_of(lock, "relation"));
	}
}

static void print_sizes(FILE *out, const json_t *statement, const char *key, const char *word)
{
	char size[TEXT_SHORT];
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(statement, key), i, one)
		fprintf(out, "%37s%s %s (%s)\n", "", word, text_of(one, "relation"),
	                text_size((int64_t)number_of(one, "bytes"), size));
}

/* Of the live database; "-" without an estimate. */
static const char *estimated(const json_t *statement, char out[TEXT_SHORT])
{
	const json_t *seconds = json_object_get(statement, "estimated_seconds");

	return seconds ? text_duration((int64_t)(json_number_value(seconds) * 1000), out) : "-";
}

static void print_statement(FILE *out, const json_t *statement)
{
	char took[TEXT_SHORT], there[TEXT_SHORT], wal[TEXT_SHORT];
	const char *text = text_of(statement, "text");

	fprintf(out, "  %8s %8s %8" PRId64 " %10s  %.*s\n",
	        text_duration((int64_t)(number_of(statement, "seconds") * 1000), took),
	        estimated(statement, there), (int64_t)number_of(statement, "rows"),
	        text_size((int64_t)number_of(statement, "wal_bytes"), wal), (int)strcspn(text, "\n"), text);
	print_locks(out, statement);
	print_sizes(out, statement, "rewrites", "rewrites");
	print_sizes(out, statement, "grew", "grows");
}

static void print_revision(FILE *out, const json_t *revision)
{
	char took[TEXT_SHORT];
	const json_t *statement;
	size_t i;

	fprintf(out, "%s  %s: %s\n", text_of(revision, "revision"), text_of(revision, "message"),
	        text_duration((int64_t)(number_of(revision, "seconds") * 1000), took));
	if (json_array_size(json_object_get(revision, "statements")) > 0)
		fprintf(out, "  %8s %8s %8s %10s  %s\n", "time", "estimate", "rows", "WAL", "statement");
	json_array_foreach(json_object_get(revision, "statements"), i, statement)
		print_statement(out, statement);
}

static void print_failure(FILE *out, const json_t *rehearsal)
{
	const json_t *failure = json_object_get(rehearsal, "failure");
	int64_t line = (int64_t)number_of(failure, "line");

	if (!json_is_object(failure))
		return;
	print_revision(out, json_object_get(rehearsal, "failed"));
	fprintf(out, "failed in the %s of %s: %s\n", text_of(failure, "phase"), text_of(failure, "revision"),
	        text_of(failure, "message"));
	if (line > 0)
		fprintf(out, "  %s:%" PRId64 "\n", text_of(failure, "file"), line);
}

/* ------------------------------------------------------------------ the sums */

/* What the configuration or a section would not allow: the run itself would be cut off there. */
static void print_limits(FILE *out, const json_t *rehearsal)
{
	const json_t *limit;
	size_t i;

	json_array_foreach(json_object_get(rehearsal, "limits"), i, limit)
	{
		cleanup_free char *text = rehearse_limit_text(limit);
		fprintf(out, "too long     %s\n", text);
	}
}

/* How much larger is there what the statements worked on. */
static void print_ratios(FILE *out, const json_t *rehearsal)
{
	const json_t *relations = json_object_get(json_object_get(rehearsal, "estimate"), "relations"), *one;
	char copy[TEXT_SHORT], live[TEXT_SHORT];
	size_t i;

	json_array_foreach(relations, i, one)
	{
		if (number_of(one, "ratio") > 1)
			fprintf(out, "  %s is %.1f times as large there: %s, here %s\n",
			        text_of(one, "relation"), number_of(one, "ratio"),
			        text_size((int64_t)number_of(one, "live_bytes"), live),
			        text_size((int64_t)number_of(one, "copy_bytes"), copy));
	}
}

static void print_rehearsal(const struct app *app, const json_t *rehearsal)
{
	const json_t *revisions = json_object_get(rehearsal, "revisions"), *revision;
	struct rehearsal_sums sums;
	char took[TEXT_SHORT];
	const char *none;
	size_t i;

	fprintf(app->out, "backup %s of %s, restored in %s on %s\n", text_of(rehearsal, "backup"),
	        text_of(rehearsal, "backup_created"),
	        text_duration((int64_t)(number_of(rehearsal, "restore_seconds") * 1000), took),
	        text_of(rehearsal, "server"));
	json_array_foreach(revisions, i, revision) print_revision(app->out, revision);
	print_failure(app->out, rehearsal);
	if (!rehearsal_sum(rehearsal, NULL, &sums, &none))
		return;
	fprintf(app->out, "%zu revisions: ", json_array_size(revisions));
	rehearsal_print(&sums, app->out);
	fprintf(app->out, "\nestimate     ");
	rehearsal_print_estimate(rehearsal, &sums, app->out);
	fputc('\n', app->out);
	print_ratios(app->out, rehearsal);
	print_limits(app->out, rehearsal);
	rehearsal_sums_clear(&sums);
}

static bool is_fine(const json_t *rehearsal)
{
	return !json_is_object(json_object_get(rehearsal, "failure")) &&
	       json_array_size(json_object_get(rehearsal, "limits")) == 0;
}

static bool run_rehearse(struct app *app, struct err *err)
{
	const struct rehearse_options *o = app->options;
	const struct rehearse_request request = { .target = app->words[0], .backup = o->backup };
	cleanup_json json_t *rehearsal = NULL;

	if (!rehearse_run(app->config, &request, &rehearsal, err))
		return false;
	app->status = is_fine(rehearsal) ? 0 : 3;
	if (app->globals->json)
		app_print_json(app, json_incref(rehearsal));
	else
		print_rehearsal(app, rehearsal);
	return true;
}

const struct command command_rehearse = {
	.name = "rehearse",
	.about = "runs an upgrade on the newest backup, and measures it",
	.usage = "TARGET [--backup ID]",
	.text = "Restores the newest verified backup of this database into a scratch database and proves it; "
		"then runs the upgrade\n"
		"to TARGET there with its verify sections, a statement at a time: how long each takes, its "
		"rows, "
		"the locks on what was\n"
		"there before, tables that are written anew, WAL, temporary files, and what grows. WAL is "
		"counted for the whole server,\n"
		"so others who write there are in it. From the sizes in the live database, where it can be "
		"reached, "
		"the times there\n"
		"are estimated, and compared with _lock_hold_ and _statement_timeout_.\n"
		"\n"
		"The scratch database is made where _url_ of [drill] leads, else beside the live one, which "
		"is "
		"not touched; it is\n"
		"dropped again, and what a kill has left is dropped by the next rehearsal, or by *ripcord "
		"recover*. The result is kept:\n"
		"*ripcord upgrade --plan* quotes it as long as the revisions are the same. Exit 3 when a "
		"revision "
		"fails, or is\n"
		"over a limit, 7 when the backup does not come back.",
	.options = rehearse_options,
	.options_size = sizeof(struct rehearse_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_rehearse,
};
