#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "migrations/schema/changes.h"
#include "runner/guard/left.h"
#include "runner/guard/renames.h"
#include "runner/guard/source.h"

#include <string.h>

struct diff_options {
	const char *from, *to;
	struct strv renames;
	bool live, concurrently, exit_code;
};

static const struct opt diff_options[] = {
	{ "from", 0, OPT_TEXT, "SOURCE", "what is changed (live)", offsetof(struct diff_options, from) },
	{ "to", 0, OPT_TEXT, "SOURCE", "what it becomes (source of [schema])",
	  offsetof(struct diff_options, to) },
	{ "live", 0, OPT_FLAG, NULL, "what was changed by hand since the last run",
	  offsetof(struct diff_options, live) },
	{ "rename", 0, OPT_LIST, "A=B", "what is a rename: public.t=u, public.t.c=d",
	  offsetof(struct diff_options, renames) },
	{ "concurrently", 0, OPT_FLAG, NULL, "makes indexes of tables that are there CONCURRENTLY",
	  offsetof(struct diff_options, concurrently) },
	{ "exit-code", 0, OPT_FLAG, NULL, "exit 3 when there is a difference",
	  offsetof(struct diff_options, exit_code) },
	{ .name = NULL },
};

/* ------------------------------------------------------------------ what is printed */

static json_t *hazards_json(unsigned hazards)
{
	json_t *out = json_array();

	for (unsigned h = 1; h <= hazards; h <<= 1)
		if (hazards & h)
			json_push(out, json_str(hazard_name((enum hazard)h)));
	return out;
}

static json_t *changes_json(const struct changes *changes)
{
	json_t *out = json_array();

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];
		json_t *change = json_object();

		json_put(change, "sql", json_str(c->sql));
		json_put(change, "about", json_str(c->about));
		json_put(change, "hazards", hazards_json(c->hazards));
		json_put(change, "commit_before", json_boolean(c->commit_before));
		json_push(out, change);
	}
	return out;
}

/* A name may have a line's end in it, which must not end the comment. */
static void print_comment(FILE *out, const char *text)
{
	fputs("-- ", out);
	for (; *text; text++)
		fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
	fputc('\n', out);
}

static void print_change(FILE *out, const struct change *c)
{
	print_comment(out, c->about);
	for (unsigned h = 1; h <= c->hazards; h <<= 1)
		if (c->hazards & h)
			fprintf(out, "-- hazard: %s\n", hazard_name((enum hazard)h));
	fprintf(out, "%s;\n\n", c->sql);
}

/* As psql -f can run it: one transaction, but for what cannot be in it. */
static void print_script(FILE *out, const struct changes *changes)
{
	bool begun = false;

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];
		bool apart = c->hazards & HAZARD_NOT_TRANSACTIONAL;

		if (begun && (apart || c->commit_before)) {
			fputs("COMMIT;\n\n", out);
			begun = false;
		}
		if (!begun && !apart) {
			fputs("BEGIN;\n\n", out);
			begun = true;
		}
		print_change(out, c);
	}
	if (begun)
		fputs("COMMIT;\n", out);
}

static void print_changes(struct app *app, const struct changes *changes)
{
	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "equal", json_boolean(changes->n == 0));
		json_put(o, "changes", changes_json(changes));
		app_print_json(app, o);
		return;
	}
	print_script(app->out, changes);
}

/* ------------------------------------------------------------------ two sources */

static bool read_both(const struct source *from, const struct source *to,
                      const struct schema_options *options, struct schema **old, struct schema **new,
                      struct err *err)
{
	return schema_read(source_db(from), options, old, err) &&
	       schema_read(source_db(to), options, new, err);
}

/* What the desired state says of renames in comments, where it is not done yet. */
static bool add_comments(const struct source *from, const struct source *to,
                         const struct schema_options *options, struct renames *renames, struct err *err)
{
	cleanup_schema struct schema *old = NULL, *new = NULL;

	if (source_renames(to)->n == 0)
		return true;
	if (!read_both(from, to, options, &old, &new, err))
		return false;
	renames_add_open(renames, source_renames(to), old, new);
	return true;
}

/* Whether something goes that could have another name instead. */
static bool has_drops(const struct changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		if ((changes->v[i].hazards & HAZARD_DATA_LOSS) ||
		    text_starts(changes->v[i].sql, "DROP TYPE ") ||
		    text_starts(changes->v[i].sql, "DROP DOMAIN "))
			return true;
	return false;
}

/* What may be a rename is told: the output is a script, and asks nothing. */
static bool tell_likely(const struct source *from, const struct source *to,
                        const struct schema_options *options, const struct renames *renames,
                        const struct changes *changes, struct err *err)
{
	cleanup_schema struct schema *old = NULL, *new = NULL;
	cleanup_likely_renames struct likely_renames likely = { .v = NULL };
	cleanup_strv struct strv lines = STRV_INIT;

	if (!has_drops(changes))
		return true;
	if (!read_both(from, to, options, &old, &new, err))
		return false;
	renames_likely(renames, old, new, &likely);
	renames_tell(&likely, &lines);
	for (size_t i = 0; i < lines.n; i++)
		log_warn("%s", lines.v[i]);
	return true;
}

static bool compare(struct app *app, const struct source *from, const struct source *to,
                    struct renames *renames, struct err *err)
{
	const struct diff_options *o = app->options;
	const struct ledger_names names = app_ledger_names(app->config);
	cleanup_changes struct changes changes = { .v = NULL };
	cleanup_ledger struct ledger *ledger = NULL;

	if (!ledger_open(source_db(from), &names, &ledger, err))
		return false;
	const struct schema_options options = { .version_table = ledger_table(ledger) };
	if (!add_comments(from, to, &options, renames, err))
		return false;
	const struct changes_options how = { renames->v, renames->n, o->concurrently };
	if (!schema_changes(source_db(from), source_db(to), &options, &how, &changes, err) ||
	    !tell_likely(from, to, &options, renames, &changes, err))
		return false;
	print_changes(app, &changes);
	app->status = o->exit_code && changes.n > 0 ? 3 : 0;
	return true;
}

static bool diff_sources(struct app *app, const char *from, const char *to, struct renames *renames,
                         struct err *err)
{
	struct source *old = NULL, *new = NULL;

	bool ok = source_open(app->config, from, &old, err) && source_open(app->config, to, &new, err) &&
	          compare(app, old, new, renames, err);
	ok = source_close(new, ok, err);
	return source_close(old, ok, err);
}

static bool run_sources(struct app *app, struct err *err)
{
	const struct diff_options *o = app->options;
	cleanup_renames struct renames renames = { .v = NULL };
	const char *to = o->to ? o->to : app->config->schema_source;

	if (!to) {
		err_set(err, ERR_USAGE, "nothing to compare with");
		return err_hint(err, "give --to SOURCE, or set source in [schema]");
	}
	for (size_t i = 0; i < o->renames.n; i++)
		if (!renames_add_word(&renames, o->renames.v[i], err))
			return false;
	return diff_sources(app, o->from ? o->from : "live", to, &renames, err);
}

/* ------------------------------------------------------------------ by hand, since the last run */

static void print_left(struct app *app, const struct left *left, size_t differ, const char *text)
{
	if (app->globals->json) {
		json_t *o = json_object(), *lines = json_array();
		for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
			cleanup_free char *line = mem_strndup(text, (size_t)(end - text));
			json_push(lines, json_str(line));
		}
		json_put(o, "equal", json_boolean(differ == 0));
		json_put(o, "run", json_str(left->run));
		json_put(o, "at", json_str(left->at));
		json_put(o, "differences", lines);
		app_print_json(app, o);
		return;
	}
	fputs(text, app->out);
}

static bool no_run(struct err *err)
{
	err_set(err, ERR_REFUSED, "no run of this project has kept this database's schema");
	return err_hint(err, "the next upgrade or downgrade keeps it; --from backup:ID compares with a "
	                     "backup");
}

static bool run_live(struct app *app, struct err *err)
{
	const struct diff_options *o = app->options;
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	cleanup_schema struct schema *now = NULL;
	cleanup_left struct left left = { .run = NULL };
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	if (o->from || o->to || o->renames.n > 0 || o->concurrently)
		return err_set(err, ERR_USAGE, "--live compares with the last run, and with nothing else");
	if (!app_ledger(app, &db, &ledger, err) || !left_read(app->config, db, &left, err))
		return false;
	if (!left.schema)
		return no_run(err);
	const struct schema_options options = { .version_table = ledger_table(ledger) };
	if (!schema_read(db, &options, &now, err))
		return false;
	size_t differ = schema_diff(left.schema, now, SCHEMA_STRICT, &text);
	if (!strv_same(&left.heads, ledger_heads(ledger)))
		log_warn("the database is not at the revision where run %s left it", left.run);
	print_left(app, &left, differ, buf_text(&text));
	app->status = o->exit_code && differ > 0 ? 3 : 0;
	return true;
}

static bool run_diff(struct app *app, struct err *err)
{
	const struct diff_options *o = app->options;

	return o->live ? run_live(app, err) : run_sources(app, err);
}

const struct command command_diff = {
	.name = "diff",
	.about = "prints the SQL that leads from one schema to another",
	.usage = "[--from SOURCE] [--to SOURCE] [--rename A=B] [--concurrently] [--exit-code] | --live",
	.text = "Prints the statements that change the schema of *--from* (the live database) into that of "
		"*--to* (_source_ of\n"
		"\\[schema\\]), in an order that works, each with what it is about and what is dangerous in "
		"it as comments.\n"
		"Nothing is changed. A source is _live_, a URL, _backup:ID_, _command:PROGRAM ..._ that "
		"prints "
		"SQL, a file of SQL or\n"
		"a folder of them; what is no database is loaded into a scratch database, which is dropped "
		"again.\n"
		"\n"
		"A name that is only in one of them is dropped or made: *--rename* says that it is a rename, "
		"and a warning names\n"
		"what may be one. With *--live* the facts that differ since the last run of this project are "
		"printed, a line each: what "
		"somebody changed by\n"
		"hand. No difference prints nothing. Exit 3 with *--exit-code* when there is one.",
	.options = diff_options,
	.options_size = sizeof(struct diff_options),
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_diff,
};
