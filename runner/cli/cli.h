/*
 * cli.h - the commands: one table that drives dispatch, preconditions, --help, the manual pages
 * and shell completion.
 *
 *     main()  ->  cli_main()  ->  find the command by its words, parse the options
 *                             ->  what the command needs (configuration, database) is made
 *                             ->  command->run(app, err)
 *
 * A command prints its result on standard output through app->out (JSON with --json, else text)
 * and returns false with an error instead of printing it; cli_main() prints errors and turns them
 * into an exit status.  "It worked and the answer is no" (check, --check-heads) is true with
 * app->status set.  A new command is a file with its
 * struct command, a line in commands.c, and a test.
 */
#ifndef RUNNER_CLI_CLI_H
#define RUNNER_CLI_CLI_H

#include "base/conninfo.h"
#include "base/db.h"
#include "base/err.h"
#include "base/json.h"
#include "base/opts.h"
#include "base/strv.h"
#include "migrations/migrations.h"
#include "runner/config.h"
#include "runner/report.h"

#include <stddef.h>
#include <stdio.h>

/* Options that every command takes, before or after its name. */
struct globals {
	const char *config;    /* -c FILE */
	const char *env_file;  /* --env-file FILE */
	struct strv overrides; /* -x section.key=value */
	bool json, quiet, no_color, help, version;
	int verbose;
};
extern const struct opt global_options[];

enum command_needs {
	NEEDS_NOTHING = 0,
	NEEDS_CONFIG = 1,   /* app->config is loaded: ERR_USAGE when it is broken */
	NEEDS_DATABASE = 2, /* app->database is where it is: ERR_USAGE when no URL is set; nothing is connected yet */
	NEEDS_COMMAND = 4,  /* "-- COMMAND ARG..." must be given: app->rest */
	PRINTS_LIST = 8,    /* with --json: one array */
	PRINTS_RUN = 16,    /* with --json: a run report, also for errors before the run (see docs/json.md) */
};

struct app;

struct command {
	const char *name;  /* "revision", "backup list": at most two words */
	const char *about; /* one line for the overview: lower case, no full stop */
	const char *usage; /* what follows the name: "TARGET [--plan | --sql]" */
	const char *text;  /* a paragraph or more for --help and the manual; scdoc's markup: *bold*, _underlined_ */
	const struct opt *options; /* NULL: none of its own */
	size_t options_size;       /* of the struct they fill, which is app->options */
	int min_words, max_words;  /* arguments after the name; max -1: any number */
	unsigned needs;            /* enum command_needs */
	bool (*run)(struct app *app, struct err *err);
};

/* Everything a command gets; owned by cli_main(). */
struct app {
	const struct globals *globals;
	const struct command *command;
	const void *options;        /* the command's own, as command->options filled them; NULL without a table */
	const char *const *words;   /* arguments after the command's name; NULL-terminated */
	size_t n_words;
	const char *const *rest;    /* argv after "--", NULL-terminated; NULL when there was none */
	const struct config *config;     /* NEEDS_CONFIG */
	const struct conninfo *database; /* NEEDS_DATABASE */
	FILE *out;                  /* standard output; whether it could be written is checked at exit */
	int status;                 /* exit status when run() returns true: 0 unless set */
};

/* commands.c: every command, in the order of the overview, ended by NULL. */
extern const struct command *const commands[];
/* The command that words[0] or words[0] words[1] name, and how many words that took; ERR_USAGE with a
 * suggestion, or with what exists in a group ("backup"). */
MUST_CHECK bool command_find(const char *const *words, size_t n, const struct command **out, size_t *used,
                             struct err *err);

/* The whole program; returns the exit status. */
int cli_main(int argc, char *const *argv);

/* help.c */
void help_overview(FILE *out);
void help_command(FILE *out, const struct command *c);
/* For a group's bare name ("quarantine"): its commands. */
void help_group(FILE *out, const char *group);

/* ---------------------------------------------------------------- what commands share (app.c) */

/* Connects with application_name "ripcord": to app->database, or, for a command that only sometimes needs one
 * (history, check, --sql), to where the configuration says. */
MUST_CHECK bool app_connect(const struct app *app, struct db **out, struct err *err);
/* graph_load() of the configured folder. */
MUST_CHECK bool app_graph(const struct app *app, struct graph **out, struct err *err);
/* Connects and reads the ledger. */
MUST_CHECK bool app_ledger(const struct app *app, struct db **db, struct ledger **ledger, struct err *err);
struct ledger_names app_ledger_names(const struct config *config);
/* Who we are, for the history: the strings live as long as the program. */
struct actor app_actor(const char *run);
/* Prints one JSON value and a line's end; steals it. */
void app_print_json(const struct app *app, json_t *value);
json_t *app_json_strings(const struct strv *s);
/* A list of n things in ctx: one array with --json, else what `print` writes of each. */
void app_print_list(const struct app *app, size_t n, const void *ctx, json_t *(*json)(const void *ctx, size_t i),
                    void (*print)(FILE *out, const void *ctx, size_t i));

/* ---------------------------------------------------------------- the commands, each defined in its cmd_ file */

extern const struct command command_init, command_doctor;
extern const struct command command_revision, command_merge, command_edit;
extern const struct command command_upgrade, command_downgrade, command_guard, command_recover;
extern const struct command command_accept, command_runs_list, command_runs_show;
extern const struct command command_stamp, command_repair;
extern const struct command command_current, command_history, command_heads, command_branches;
extern const struct command command_show, command_check;
extern const struct command command_backup_create, command_backup_list, command_backup_show;
extern const struct command command_backup_verify, command_backup_pin, command_backup_unpin;
extern const struct command command_backup_prune, command_backup_fetch, command_backup_drill;
extern const struct command command_restore;
extern const struct command command_diff;
extern const struct command command_quarantine_list, command_quarantine_drop;
extern const struct command command_fingerprint, command_prove, command_rehearse;

#endif
