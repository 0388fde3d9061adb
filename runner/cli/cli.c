#include "runner/cli/cli.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/progress.h"
#include "runner/version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GLOBAL(field) offsetof(struct globals, field)
const struct opt global_options[] = {
	{ "config", 'c', OPT_TEXT, "FILE", "configuration, ./ripcord.ini unless given", GLOBAL(config) },
	{ "env-file", 0, OPT_TEXT, "FILE", "variables, .env beside the configuration unless given",
	  GLOBAL(env_file) },
	{ "set", 'x', OPT_LIST, "SECTION.KEY=VALUE", "sets one key of the configuration", GLOBAL(overrides) },
	{ "json", 0, OPT_FLAG, NULL, "prints the result as JSON", GLOBAL(json) },
	{ "quiet", 'q', OPT_FLAG, NULL, "says nothing but warnings and errors", GLOBAL(quiet) },
	{ "verbose", 'v', OPT_COUNT, NULL, "says more", GLOBAL(verbose) },
	{ "no-color", 0, OPT_FLAG, NULL, "uses no color", GLOBAL(no_color) },
	{ "help", 'h', OPT_FLAG, NULL, "explains the command", GLOBAL(help) },
	{ "version", 0, OPT_FLAG, NULL, "prints the version", GLOBAL(version) },
	{ .name = NULL },
};

/* What the command line came to, and what was made from it; released as a whole. */
struct session {
	struct globals globals;
	struct strv words, rest;
	bool saw_rest;
	void *options; /* of the command's own struct */
	struct config *config;
	struct conninfo *database;
	struct app app;
};

static void session_clear(struct session *s)
{
	const struct opt *table = s->app.command ? s->app.command->options : NULL;

	for (const struct opt *o = table; o && s->options && o->name; o++) {
		if (o->kind == OPT_LIST)
			strv_clear((struct strv *)(void *)((char *)s->options + o->offset));
	}
	free(s->options);
	strv_clear(&s->globals.overrides);
	strv_clear(&s->words);
	strv_clear(&s->rest);
	conninfo_free(s->database);
	config_free(s->config);
}
#define cleanup_session __attribute__((cleanup(session_clear)))

/* ---------------------------------------------------------------- finding the command */

static const struct opt *option_in(const struct opt *table, const char *name, size_t len, char letter)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (letter ? o->letter == letter : strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static bool has_value(const struct opt *o) { return o->kind == OPT_TEXT || o->kind == OPT_LIST; }

/* Whether an option takes a value, whichever command it belongs to: the command is not known yet.  One that
 * is a flag elsewhere (--down) counts as a flag: with a value it works behind the command's name only. */
static bool takes_value(const char *name, size_t len, char letter)
{
	const struct opt *o = option_in(global_options, name, len, letter);
	bool found = o && has_value(o);

	for (const struct command *const *c = commands; *c; c++) {
		o = option_in((*c)->options, name, len, letter);
		if (o && !has_value(o))
			return false;
		found = found || o;
	}
	return found;
}

/* Whether the word after this option is its value: --name VALUE, -n VALUE, but not --name=VALUE, -nVALUE. */
static bool eats_next(const char *option)
{
	if (option[1] == '-')
		return !strchr(option, '=') && takes_value(option + 2, strlen(option + 2), 0);
	for (const char *letter = option + 1; *letter; letter++) {
		if (takes_value("", 0, *letter))
			return !letter[1];
	}
	return false;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

/* The words that are no options, to find the command by; opts_parse() needs its table and comes after. */
static void plain_words(int argc, char *const *argv, struct strv *out)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!is_option(argv[i]))
			strv_add(out, argv[i]);
		else if (eats_next(argv[i]))
			i++;
	}
}

/* ---------------------------------------------------------------- parsing */

static bool check_words(const struct app *app, struct err *err)
{
	const struct command *c = app->command;
	bool ok = app->n_words >= (size_t)c->min_words &&
	          (c->max_words < 0 || app->n_words <= (size_t)c->max_words);

	if (ok && (c->needs & NEEDS_COMMAND) && !app->rest)
		ok = false;
	if (ok && !(c->needs & NEEDS_COMMAND) && app->rest)
		ok = false;
	if (ok)
		return true;
	err_set(err, ERR_USAGE, "%s: too %s arguments", c->name,
	        app->n_words < (size_t)c->min_words || (c->needs & NEEDS_COMMAND) ? "few" : "many");
	return err_hint(err, "usage: ripcord %s %s", c->name, c->usage);
}

static bool parse(int argc, char *const *argv, struct session *s, size_t used, struct err *err)
{
	struct app *app = &s->app;
	struct opt_set sets[2] = { { .table = global_options, .into = &s->globals } };
	size_t n_sets = 1;

	if (app->command && app->command->options) {
		s->options = mem_new0(app->command->options_size);
		sets[n_sets++] = (struct opt_set){ .table = app->command->options, .into = s->options };
	}
	if (!opts_parse(argc - 1, argv + 1, sets, n_sets, &s->words, &s->rest, &s->saw_rest, err))
		return false;
	app->globals = &s->globals;
	app->options = s->options;
	app->words = strv_argv(&s->words) + used;
	app->n_words = s->words.n - used;
	app->rest = s->saw_rest && s->rest.n > 0 ? strv_argv(&s->rest) : NULL;
	return true;
}

static void set_up_output(const struct globals *g)
{
	bool terminal = isatty(STDERR_FILENO) != 0;
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR"); /* https://no-color.org */
	bool dumb = !term || strcmp(term, "dumb") == 0;

	log_set_level(g->quiet ? LOG_WARN : g->verbose > 0 ? LOG_DEBUG : LOG_INFO);
	log_set_color(terminal && !dumb && !g->no_color && !(no_color && *no_color));
	progress_set_mode(g->quiet ? PROGRESS_NONE : terminal && !dumb ? PROGRESS_BAR : PROGRESS_LINES);
}

/* ---------------------------------------------------------------- running */

static bool meet_needs(struct session *s, struct err *err)
{
	struct app *app = &s->app;
	const struct config_source source = {
		.path = s->globals.config,
		.env_file = s->globals.env_file,
		.overrides = &s->globals.overrides,
	};

	if (!(app->command->needs & (NEEDS_CONFIG | NEEDS_DATABASE)))
		return true;
	if (!config_load(&source, &s->config, err))
		return false;
	app->config = s->config;
	if (app->command->needs & NEEDS_DATABASE) {
		if (!config_database(s->config, &s->database, err))
			return false;
		app->database = s->database;
	}
	return true;
}

static enum outcome outcome_of(enum err_code code)
{
	switch (code) {
	case ERR_REFUSED: return OUTCOME_REFUSED;
	case ERR_LOCKED: return OUTCOME_LOCKED;
	case ERR_NONE:
	case ERR_USAGE:
	case ERR_DB:
	case ERR_IO:
	case ERR_PROC:
	case ERR_BACKUP:
	case ERR_CORRUPT:
	case ERR_CANCELLED: return OUTCOME_FAILED;
	}
	return OUTCOME_FAILED;
}

static json_t *error_json(const struct err *err)
{
	json_t *outer = json_object(), *o = json_object();

	json_put(o, "message", json_str(err->msg));
	json_put(o, "hint", json_str(*err->hint ? err->hint : NULL));
	json_put(o, "sqlstate", json_str(*err->sqlstate ? err->sqlstate : NULL));
	json_put(o, "file", json_str(*err->file ? err->file : NULL));
	json_put(o, "line", err->line > 0 ? json_integer(err->line) : json_null());
	json_put(outer, "error", o);
	return outer;
}

/* Commands that report runs keep their keys for an error before the run as well. */
static void print_error_json(const struct app *app, const struct err *err)
{
	struct run_report report = { .outcome = outcome_of(err->code), .failure = *err };

	if (app->command->needs & PRINTS_RUN)
		app_print_json(app, run_report_json(&report));
	else
		app_print_json(app, error_json(err));
}

static int report_error(const struct app *app, const struct err *err)
{
	int status = err_exit_status(err->code);

	progress_finish();
	log_err(err);
	if (app->command && app->globals && app->globals->json && status != 2)
		print_error_json(app, err);
	return status;
}

/* A result that was not written (a full disk, a closed pipe) is no success. */
static int finish_output(int status)
{
	struct err err = ERR_INIT;

	progress_finish();
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	err_sys(&err, "standard output could not be written");
	log_err(&err);
	return status ? status : 1;
}

static int run(struct session *s, struct err *err)
{
	struct app *app = &s->app;

	if (!check_words(app, err) || !meet_needs(s, err) || !app->command->run(app, err))
		return report_error(app, err);
	return app->status;
}

/* Without a command: --help and --version are answers, nothing at all is a mistake. */
static int run_bare(const struct session *s)
{
	if (s->globals.version) {
		fputs("ripcord " RIPCORD_VERSION "\n", stdout);
		return 0;
	}
	help_overview(s->globals.help ? stdout : stderr);
	return s->globals.help ? 0 : 2;
}

static bool wants_help(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

static bool is_group(const char *word)
{
	for (const struct command *const *c = commands; *c; c++) {
		size_t len = strcspn((*c)->name, " ");
		if ((*c)->name[len] && strlen(word) == len && memcmp((*c)->name, word, len) == 0)
			return true;
	}
	return false;
}

static int dispatch(int argc, char *const *argv)
{
	cleanup_session struct session s = { .app = { .out = stdout } };
	cleanup_strv struct strv words = STRV_INIT;
	struct err err = ERR_INIT;
	size_t used = 0;

	plain_words(argc, argv, &words);
	if (words.n == 1 && wants_help(argc, argv) && is_group(words.v[0])) {
		help_group(stdout, words.v[0]);
		return 0;
	}
	if (words.n > 0 && !command_find(strv_argv(&words), words.n, &s.app.command, &used, &err))
		return report_error(&s.app, &err);
	if (!parse(argc, argv, &s, used, &err)) {
		if (s.app.command && !*err.hint)
			err_hint(&err, "ripcord %s --help", s.app.command->name);
		return report_error(&s.app, &err);
	}
	if (!s.app.command || s.globals.version)
		return run_bare(&s);
	if (s.globals.help) {
		help_command(stdout, s.app.command);
		return 0;
	}
	set_up_output(&s.globals);
	return run(&s, &err);
}

int cli_main(int argc, char *const *argv)
{
	cancel_install();
	return finish_output(dispatch(argc, argv));
}
