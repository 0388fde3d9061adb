#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/confirm.h"
#include "runner/guard/restore_run.h"
#include "runner/progress.h"

struct restore_options {
	struct restore_choice choice;
	bool yes;
};

#define FIELD(name) offsetof(struct restore_options, choice.name)
static const struct opt restore_options[] = {
	{ "backup", 0, OPT_TEXT, "ID", "which backup, by its id or the beginning of it", FIELD(backup) },
	{ "to-revision", 0, OPT_TEXT, "REV", "the newest verified backup at that revision",
	  FIELD(to_revision) },
	{ "from", 0, OPT_TEXT, "CLUSTER", "another installation's backups, by its name or system identifier",
	  FIELD(from) },
	{ "as", 0, OPT_TEXT, "NAME", "into a new database of that name", FIELD(as) },
	{ "swap", 0, OPT_FLAG, NULL, "puts it in the live database's place, which goes to quarantine",
	  FIELD(swap) },
	{ "accept-loss", 0, OPT_FLAG, NULL, "with --swap: gives up what changed since the backup",
	  FIELD(accept_loss) },
	{ "role-passwords", 0, OPT_FLAG, NULL,
	  "gives roles that are created the login and password of the backup, if it has them",
	  FIELD(role_passwords) },
	{ "yes", 0, OPT_FLAG, NULL, "does not ask", offsetof(struct restore_options, yes) },
	{ .name = NULL },
};

static bool check_choice(const struct restore_choice *c, struct err *err)
{
	if (!c->backup == !c->to_revision) {
		err_set(err, ERR_USAGE,
		        c->backup ? "--backup and --to-revision both choose a backup: give one"
		                  : "restore: which backup is not said");
		return err_hint(err, "--backup ID (see ripcord backup list), or --to-revision REV");
	}
	if (c->as && c->swap)
		return err_set(err, ERR_USAGE, "--as and --swap are two places: give one");
	if (c->accept_loss && !c->swap)
		return err_set(err, ERR_USAGE, "--accept-loss goes with --swap");
	return true;
}

static bool ask(const struct app *app, const struct restore_options *o, struct err *err)
{
	const struct restore_choice *c = &o->choice;
	cleanup_free char *question = NULL;

	question = c->swap ? mem_fmt("restore backup %s and put it in the place of %s?",
	                             c->backup ? c->backup : c->to_revision, conninfo_label(app->database))
	                   : mem_fmt("restore backup %s into a new database beside %s?",
	                             c->backup ? c->backup : c->to_revision, conninfo_label(app->database));
	return confirm(question, o->yes, err);
}

static void print_result(const struct app *app, const struct restore_result *r)
{
	char took[TEXT_SHORT];
	cleanup_free char *heads = strv_join(&r->heads, ", "), *applied = strv_join(&r->applied, ", ");

	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "backup", json_str(r->backup_id));
		json_put(o, "database", json_str(r->database));
		json_put(o, "quarantine", json_str(r->quarantine));
		json_put(o, "heads", app_json_strings(&r->heads));
		json_put(o, "applied", app_json_strings(&r->applied));
		json_put(o, "pinned", json_true());
		json_put(o, "seconds", json_real(r->seconds));
		app_print_json(app, o);
		return;
	}
	fprintf(app->out,
	        "restored backup %s as \"%s\" in %s; its fingerprint and rows are as the manifest says\n",
	        r->backup_id, r->database, text_duration((int64_t)(r->seconds * 1000), took));
	if (r->applied.n > 0)
		fprintf(app->out, "%zu revisions were applied to it afterwards: %s\n", r->applied.n, applied);
	fprintf(app->out, "it is pinned to %s: ripcord upgrade needs --unpin\n", *heads ? heads : "base");
	if (r->quarantine)
		fprintf(app->out, "the former database is kept as \"%s\"\n", r->quarantine);
}

static bool run_restore(struct app *app, struct err *err)
{
	const struct restore_options *o = app->options;
	struct restore_result result = { .seconds = 0 };

	if (!check_choice(&o->choice, err) || !ask(app, o, err))
		return false;
	bool ok = restore_run(app->config, &o->choice, &result, err);
	progress_finish();
	if (ok)
		print_result(app, &result);
	restore_result_clear(&result);
	return ok;
}

const struct command command_restore = {
	.name = "restore",
	.about = "brings a backup back, beside the database or in its place",
	.usage = "[--backup ID | --to-revision REV] [--from CLUSTER] [--as NAME | --swap [--accept-loss]] "
		 "[--role-passwords] [--yes]",
	.text = "Restores a backup into a new database and proves it: schema fingerprint and row counts must "
		"be those of\n"
		"the manifest. Without *--as* and *--swap* it is left as a candidate beside the live "
		"database. With *--swap*\n"
		"one transaction renames both, and the former database is kept in quarantine.\n"
		"\n"
		"*--to-revision* takes the newest verified backup at the revision, or else the newest below "
		"it on the path,\n"
		"which is then upgraded with the checked-out revisions before anybody sees it. Only this "
		"installation's backups\n"
		"count (_installation_ in the configuration); *--from* names another one, or one of several "
		"clusters. Neither\n"
		"the live database nor the state folder has to be there: a store, a configuration and an "
		"empty server will\n"
		"do, with *--as* and the name that is gone. Roles that the server lacks are made without "
		"login; with\n"
		"*--role-passwords* they get back login and password, where the backup was taken with "
		"_role\\_passwords_. Roles\n"
		"that are there keep theirs. The restored database is pinned to its revision (see *ripcord "
		"current*):\n"
		"*ripcord upgrade* needs *--unpin*.",
	.options = restore_options,
	.options_size = sizeof(struct restore_options),
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_restore,
};
