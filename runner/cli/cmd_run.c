#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "runner/confirm.h"
#include "runner/guard/guard.h"
#include "runner/progress.h"

#include <string.h>

struct run_options {
	bool plan, sql, yes, no_backup, wait, unpin;
	const char *reason, *writes, *down;
};

#define FIELD(name) offsetof(struct run_options, name)
#define PLAN_OPTION                                                                                          \
	{                                                                                                    \
		"plan", 0, OPT_FLAG, NULL, "prints the steps and the findings, and changes nothing",         \
			FIELD(plan)                                                                          \
	}
#define SQL_OPTION                                                                                           \
	{                                                                                                    \
		"sql", 0, OPT_FLAG, NULL, "prints the SQL instead; FROM:TO needs no database", FIELD(sql)    \
	}
#define YES_OPTION                                                                                           \
	{                                                                                                    \
		"yes", 0, OPT_FLAG, NULL, "does not ask", FIELD(yes)                                         \
	}
#define WAIT_OPTION                                                                                          \
	{                                                                                                    \
		"wait", 0, OPT_FLAG, NULL, "waits for another run to end", FIELD(wait)                       \
	}
#define UNPIN_OPTION                                                                                         \
	{                                                                                                    \
		"unpin", 0, OPT_FLAG, NULL, "also from where a restore has pinned the database",             \
			FIELD(unpin)                                                                         \
	}
#define BACKUP_OPTIONS                                                                                       \
	{ "no-backup", 0, OPT_FLAG, NULL, "goes without a backup; needs --reason", FIELD(no_backup) },       \
	{                                                                                                    \
		"reason", 0, OPT_TEXT, "TEXT", "why no backup is needed; kept in the journal", FIELD(reason) \
	}
#define WRITES_OPTION                                                                                        \
	{                                                                                                    \
		"writes", 0, OPT_TEXT, "MODE", "others' writes meanwhile: detect, fence or accept-loss",     \
			FIELD(writes)                                                                        \
	}

static const struct opt upgrade_options[] = {
	PLAN_OPTION, SQL_OPTION,    YES_OPTION,   BACKUP_OPTIONS,
	WAIT_OPTION, WRITES_OPTION, UNPIN_OPTION, { .name = NULL },
};
static const struct opt downgrade_options[] = {
	PLAN_OPTION, SQL_OPTION, YES_OPTION, BACKUP_OPTIONS, WAIT_OPTION, WRITES_OPTION, { .name = NULL },
};
static const struct opt guard_options[] = {
	{ "down", 0, OPT_TEXT, "CMD", "takes the command back; given to /bin/sh -c", FIELD(down) },
	{ "yes", 0, OPT_FLAG, NULL, "taken as by the others: guard never asks", FIELD(yes) },
	BACKUP_OPTIONS,
	WAIT_OPTION,
	WRITES_OPTION,
	UNPIN_OPTION,
	{ .name = NULL },
};

/* ---------------------------------------------------------------- what a run came to */

/* Success is a result (standard output), anything else an error; with --json the object is the result.  A plan
 * that was asked for is printed already, and says more than "unchanged". */
static bool print_report(struct app *app, struct run_report *report, bool is_plan)
{
	progress_finish();
	if (app->globals->json && app->status != 2)
		app_print_json(app, run_report_json(report));
	if (app->status != 0)
		run_report_print(report, stderr);
	else if (!app->globals->json && !is_plan)
		run_report_print(report, app->out);
	run_report_clear(report);
	return true;
}

/* ---------------------------------------------------------------- --sql */

/* The heads a word names, without a database: base, heads, or one revision. */
static bool heads_of(const struct graph *g, const char *word, struct strv *out, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	const struct revision *rev;

	if (!*word || strcmp(word, "base") == 0)
		return true;
	if (strcmp(word, "heads") == 0) {
		graph_heads(g, out);
		return true;
	}
	if (!graph_find(g, &nowhere, word, &rev, err))
		return false;
	strv_add(out, rev->id);
	return true;
}

/* Where the database is, for a --sql without FROM. */
static bool heads_now(struct app *app, struct strv *out, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;

	if (!app_ledger(app, &db, &ledger, err))
		return err->code == ERR_USAGE ? err_hint(err, "FROM:TO needs no database") : false;
	strv_add_all(out, ledger_heads(ledger));
	return true;
}

static char *version_table(const struct config *c)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	if (c->version_schema)
		buf_sql(&b, "%I.", c->version_schema);
	buf_sql(&b, "%I", c->version_table);
	return buf_take(&b);
}

static bool print_sql(struct app *app, enum direction direction, struct err *err)
{
	const char *colon = strchr(app->words[0], ':');
	cleanup_free char *word = colon ? mem_strndup(app->words[0], (size_t)(colon - app->words[0])) : NULL;
	cleanup_free char *table = version_table(app->config);
	cleanup_graph struct graph *g = NULL;
	cleanup_strv struct strv from = STRV_INIT;
	cleanup_plan struct plan *plan = NULL;

	if (!app_graph(app, &g, err))
		return false;
	if (!(word ? heads_of(g, word, &from, err) : heads_now(app, &from, err)))
		return false;
	return plan_make(g, &from, colon ? colon + 1 : app->words[0], direction, &plan, err) &&
	       plan_print_sql(plan, table, app->out, err);
}

/* ---------------------------------------------------------------- the commands */

static bool check_waiver(const struct run_options *o, struct err *err)
{
	if (o->no_backup && !(o->reason && *o->reason)) {
		err_set(err, ERR_USAGE, "--no-backup gives up the way back, and no reason is written");
		return err_hint(err, "add --reason TEXT");
	}
	if (o->reason && !o->no_backup)
		return err_set(err, ERR_USAGE,
		               "--reason says why there is no backup: it goes with --no-backup");
	return true;
}

static bool find_writes(const char *word, const enum writes_mode **out, struct err *err)
{
	static const enum writes_mode modes[] = { WRITES_DETECT, WRITES_FENCE, WRITES_ACCEPT_LOSS };

	*out = NULL;
	if (!word)
		return true;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(word, writes_name(modes[i])) == 0) {
			*out = &modes[i];
			return true;
		}
	}
	err_set(err, ERR_USAGE, "--writes %s is no mode", word);
	return err_hint(err, "one of detect, fence, accept-loss");
}

static bool guarded(struct app *app, struct guard_request *request, struct err *err)
{
	const struct run_options *o = app->options;
	struct run_report report = { .outcome = OUTCOME_UNCHANGED };

	if (!check_waiver(o, err) || !find_writes(o->writes, &request->writes, err))
		return false;
	request->no_backup_reason = o->no_backup ? o->reason : NULL;
	request->yes = request->yes || o->yes;
	request->wait = o->wait;
	request->unpin = o->unpin;
	request->plan_only = o->plan;
	request->plan_out =
		o->plan && !app->globals->json ? app->out : NULL; /* then the plan is the result */
	guard_run(app->config, request, &report);
	app->status = run_report_exit(&report);
	return print_report(app, &report, o->plan);
}

static bool move(struct app *app, enum guard_verb verb, enum direction direction, struct err *err)
{
	const struct run_options *o = app->options;
	struct guard_request request = { .verb = verb, .target = app->words[0] };

	if (o->sql)
		return print_sql(app, direction, err);
	if (strchr(app->words[0], ':')) {
		err_set(err, ERR_USAGE, "%s is a range, which only --sql takes", app->words[0]);
		return err_hint(err, "the database itself says where it is: give the target alone");
	}
	return guarded(app, &request, err);
}

static bool run_upgrade(struct app *app, struct err *err)
{
	return move(app, GUARD_UPGRADE, DIRECTION_UP, err);
}
static bool run_downgrade(struct app *app, struct err *err)
{
	return move(app, GUARD_DOWNGRADE, DIRECTION_DOWN, err);
}

static bool run_guard(struct app *app, struct err *err)
{
	const struct run_options *o = app->options;
	/* Not asked: whoever wrote the command out has said what shall be done. */
	struct guard_request request = {
		.verb = GUARD_COMMAND,
		.command = app->rest,
		.down_command = o->down,
		.yes = true,
	};

	return guarded(app, &request, err);
}

#define TARGETS                                                                                              \
	"A target is a revision's id or the beginning of one, _head_, _heads_, _base_, a label "             \
	"(_LABEL@head_), or a\n"                                                                             \
	"number of steps: _+2_, _-1_, _REV+1_, _LABEL@+1_."

const struct command command_upgrade = {
	.name = "upgrade",
	.about = "backs up, upgrades, verifies, and takes it back when it fails",
	.usage = "TARGET [--plan | --sql] [--yes] [--no-backup --reason TEXT] [--wait] [--writes MODE] "
		 "[--unpin]",
	.text = "Brings the database up to the target. A backup of the state it starts from is taken and "
		"read back\n"
		"first. When a revision, its verify or a hook fails, the run is undone: by rollback, by "
		"downgrade, or by\n"
		"restoring the backup, whichever is proven to lead back; the exit status says which. A "
		"database that "
		"was restored\n"
		"by hand is pinned to its revision: it is moved on with *--unpin* alone, and the pin is "
		"lifted once "
		"that has worked.\n"
		"\n" TARGETS,
	.options = upgrade_options,
	.options_size = sizeof(struct run_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | PRINTS_RUN,
	.run = run_upgrade,
};

const struct command command_downgrade = {
	.name = "downgrade",
	.about = "backs up, and takes revisions back",
	.usage = "TARGET [--plan | --sql] [--yes] [--no-backup --reason TEXT] [--wait] [--writes MODE]",
	.text = "Runs the downgrade sections down to the target, guarded like an upgrade: with a backup "
		"first, and a\n"
		"restore when a section fails.\n"
		"\n" TARGETS,
	.options = downgrade_options,
	.options_size = sizeof(struct run_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG | PRINTS_RUN,
	.run = run_downgrade,
};

const struct command command_guard = {
	.name = "guard",
	.about = "runs another tool's upgrade with a way back",
	.usage = "[--down CMD] [--yes] [--no-backup --reason TEXT] [--wait] [--writes MODE] [--unpin] -- "
		 "COMMAND "
		 "[ARG...]",
	.text = "Takes the lock and a backup, runs the command, and asks the hooks. When one of them fails, "
		"the down\n"
		"command is run and its end is compared with the beginning; without one, or when it does not "
		"lead back,\n"
		"the backup is restored. For example: *ripcord guard -- alembic upgrade head*",
	.options = guard_options,
	.options_size = sizeof(struct run_options),
	.needs = NEEDS_CONFIG | NEEDS_COMMAND | PRINTS_RUN,
	.run = run_guard,
};

/* ---------------------------------------------------------------- recover */

struct recover_options {
	bool forward, down, swap, accept_loss, yes;
};

static const struct opt recover_options[] = {
	{ "forward", 0, OPT_FLAG, NULL, "keeps what is there now",
	  offsetof(struct recover_options, forward) },
	{ "down", 0, OPT_FLAG, NULL, "takes back what was done by downgrades",
	  offsetof(struct recover_options, down) },
	{ "swap", 0, OPT_FLAG, NULL, "puts the restored backup in the database's place",
	  offsetof(struct recover_options, swap) },
	{ "accept-loss", 0, OPT_FLAG, NULL, "with --swap: gives up what others wrote since the backup",
	  offsetof(struct recover_options, accept_loss) },
	{ "yes", 0, OPT_FLAG, NULL, "does not ask", offsetof(struct recover_options, yes) },
	{ .name = NULL },
};

static bool choose_way(const struct recover_options *o, enum recover_way *out, struct err *err)
{
	if (o->forward + o->down + o->swap > 1)
		return err_set(err, ERR_USAGE, "--forward, --down and --swap are different ways: give one");
	if (o->accept_loss && !o->swap)
		return err_set(err, ERR_USAGE, "--accept-loss goes with --swap");
	*out = o->forward ? RECOVER_FORWARD : o->down ? RECOVER_DOWN : o->swap ? RECOVER_SWAP : RECOVER_AUTO;
	return true;
}

/* Old or new, a recovery that arrived has done what it was asked for (design: exit 0). */
static bool is_proven(const struct run_report *report)
{
	return report->outcome == OUTCOME_ROLLED_BACK || report->outcome == OUTCOME_RESTORED;
}

static bool run_recover(struct app *app, struct err *err)
{
	const struct recover_options *o = app->options;
	struct run_report report = { .outcome = OUTCOME_UNCHANGED };
	enum recover_way way = RECOVER_AUTO;

	if (!choose_way(o, &way, err))
		return false;
	if (!confirm("finish or take back the unfinished run?", o->yes, err))
		return false;
	guard_recover(app->config, app->n_words > 0 ? app->words[0] : NULL, way, o->accept_loss, &report);
	app->status = is_proven(&report) ? 0 : run_report_exit(&report);
	return print_report(app, &report, false);
}

const struct command command_recover = {
	.name = "recover",
	.about = "finishes or takes back an interrupted run",
	.usage = "[RUN] [--forward | --down | --swap [--accept-loss]] [--yes]",
	.text = "Reads the journal of an unfinished run, asks the server what is true, and finishes the run "
		"or takes it\n"
		"back. Without one there is nothing to do. A run that is stuck needs to be told which way to "
		"go.\n"
		"Exit status 0: the database is proven to be at the old revision or the new one.",
	.options = recover_options,
	.options_size = sizeof(struct recover_options),
	.max_words = 1,
	.needs = NEEDS_CONFIG | PRINTS_RUN,
	.run = run_recover,
};
