/* `backup create` and `backup verify`: what reads or writes a whole backup. */
#include "runner/cli/cli.h"

#include "backup/backup.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "runner/cli/backup_line.h"
#include "runner/guard/backup_run.h"
#include "runner/progress.h"
#include "runner/upkeep/prune.h"
#include "runner/upkeep/recent.h"
#include "runner/upkeep/upkeep.h"

#include <string.h>

/* ---------------------------------------------------------------- create */

struct create_options {
	const char *if_older;
};

static const struct opt create_options[] = {
	{ "if-older", 0, OPT_TEXT, "AGE",
	  "does nothing while a verified backup is younger than this (6h, 1d)",
	  offsetof(struct create_options, if_older) },
	{ .name = NULL },
};

/* *done: a backup that is young enough is there, and that was told. */
static bool skip_recent(struct app *app, const char *if_older, bool *done, struct err *err)
{
	cleanup_backup_list struct backup_list list = { .n = 0 };
	const struct backup_entry *recent;
	int64_t age_ms;

	if (!text_to_duration_ms(if_older, &age_ms) || age_ms <= 0) {
		err_set(err, ERR_USAGE, "--if-older is an age such as 6h or 1d, not \"%s\"", if_older);
		return false;
	}
	if (!recent_backup(app->config, age_ms, &list, &recent, err))
		return false;
	*done = recent != NULL;
	if (!recent)
		return true;
	upkeep_tell(app->config, &(struct upkeep_event){ .work = UPKEEP_BACKUP,
	                                                 .manifest = recent->manifest,
	                                                 .seconds = -1,
	                                                 .unchanged = true });
	if (app->globals->json) {
		json_t *o = backup_entry_json(recent);
		json_put(o, "taken", json_false());
		app_print_json(app, o);
	} else {
		fprintf(app->out, "nothing to do: backup %s is younger than %s\n",
		        manifest_id(recent->manifest), if_older);
	}
	return true;
}

/* A backup that was taken stands, whatever becomes of the old ones: a failure here is a warning, and in the metrics. */
static json_t *prune_after(const struct app *app)
{
	cleanup_prune struct prune p = { .n_delete = 0 };
	const struct prune_choice choice = { .leftovers = false };
	struct err err = ERR_INIT;
	json_t *deleted;

	bool ok = prune_plan(app->config, &choice, &p, &err) && prune_apply(&p, &err);
	upkeep_tell(app->config, &(struct upkeep_event){
					 .work = UPKEEP_PRUNE, .failure = ok ? NULL : &err, .seconds = -1 });
	if (!ok)
		log_warn("the backup is taken, but old ones were not all pruned: %s", err.msg);
	prune_warn_size(app->config, &p);
	cleanup_json json_t *all = prune_json(&p, false);
	deleted = json_object_get(all, "deleted");
	if (!app->globals->json && json_array_size(deleted) > 0)
		fprintf(app->out, "pruned %zu older backups\n", json_array_size(deleted));
	return json_incref(deleted);
}

static void print_created(struct app *app, const struct manifest *m, double seconds)
{
	char size[TEXT_SHORT], took[TEXT_SHORT];
	cleanup_json json_t *pruned = NULL;

	if (!app->globals->json)
		fprintf(app->out, "backup %s: %s in %s, verified\n", manifest_id(m),
		        text_size(manifest_bytes(m), size), text_duration((int64_t)(seconds * 1000), took));
	pruned = app->config->prune_after_backup ? prune_after(app) : json_array();
	if (app->globals->json) {
		json_t *o = backup_summary(m);
		json_put(o, "verified", json_true()); /* or it would have failed */
		json_put(o, "seconds", json_real(seconds));
		json_put(o, "taken", json_true());
		json_put(o, "pruned", json_incref(pruned));
		app_print_json(app, o);
	}
}

static bool create(struct app *app, const char *if_older, struct manifest **m, double *seconds,
                   struct err *err)
{
	bool done = false;

	if (if_older && !skip_recent(app, if_older, &done, err))
		return false;
	return done || backup_run_create(app->config, m, seconds, err);
}

static bool run_create(struct app *app, struct err *err)
{
	const struct create_options *o = app->options;
	cleanup_manifest struct manifest *m = NULL;
	double seconds = -1;

	bool ok = create(app, o->if_older, &m, &seconds, err);
	progress_finish();
	if (ok && !m)
		return true;
	if (ok || err->code != ERR_USAGE)
		upkeep_tell(app->config, &(struct upkeep_event){ .work = UPKEEP_BACKUP,
		                                                 .failure = ok ? NULL : err,
		                                                 .manifest = m,
		                                                 .seconds = seconds });
	if (ok)
		print_created(app, m, seconds);
	return ok;
}

const struct command command_backup_create = {
	.name = "backup create",
	.about = "takes a backup and reads it back",
	.usage = "[--if-older AGE]",
	.text = "Dumps the database into every configured store at once, reads it back, and verifies it as "
		"the\n"
		"configuration's _verify_ says. *ripcord backup* means the same. With *--if-older* a "
		"verified "
		"backup of this\n"
		"database and installation that is younger, and in as many stores as _stores\\_required_ "
		"asks "
		"for, is enough:\n"
		"for timers. With _prune = after-backup_ retention runs afterwards.",
	.options = create_options,
	.options_size = sizeof(struct create_options),
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_create,
};

/* ---------------------------------------------------------------- verify */

struct verify_options {
	const char *level;
};

static const struct opt verify_options[] = {
	{ "level", 0, OPT_TEXT, "read|restore|drill", "how far, instead of the configuration's verify",
	  offsetof(struct verify_options, level) },
	{ .name = NULL },
};

static bool read_level(const char *word, enum verify_mode *mode, struct err *err)
{
	for (*mode = BACKUP_VERIFY_READ; *mode <= BACKUP_VERIFY_DRILL; ++*mode)
		if (strcmp(word, verify_name(*mode)) == 0)
			return true;
	return err_set(err, ERR_USAGE, "--level is read, restore or drill, not \"%s\"", word);
}

static void print_verified(struct app *app, const struct verify_result *r)
{
	if (strcmp(r->how, "stored") == 0)
		log_warn("the stored bytes are whole; the inside was not read: it is encrypted, and there is "
		         "no key "
		         "(identity in [backup])");
	else if (r->not_restored)
		log_warn("read, but not restored, for want of a server: %s", r->not_restored);
	if (app->globals->json) {
		json_t *o = backup_summary(r->manifest);
		json_put(o, "verified", json_true());
		json_put(o, "how", json_str(r->how));
		app_print_json(app, o);
	} else {
		fprintf(app->out, "backup %s is sound (%s)\n", manifest_id(r->manifest), r->how);
	}
}

static bool run_verify(struct app *app, struct err *err)
{
	const struct verify_options *o = app->options;
	struct verify_result result = { .how = NULL };
	struct verify_choice choice = { .id = app->words[0] };
	enum verify_mode mode;

	if (o->level && !read_level(o->level, &mode, err))
		return false;
	choice.mode = o->level ? &mode : NULL;
	bool ok = backup_run_verify(app->config, &choice, &result, err);
	progress_finish();
	if (ok || err->code != ERR_USAGE)
		upkeep_tell(app->config, &(struct upkeep_event){ .work = UPKEEP_VERIFY,
		                                                 .failure = ok ? NULL : err,
		                                                 .manifest = result.manifest,
		                                                 .seconds = result.seconds });
	if (ok)
		print_verified(app, &result);
	verify_result_clear(&result);
	return ok;
}

const struct command command_backup_verify = {
	.name = "backup verify",
	.about = "reads a backup again, in every store that has it",
	.usage = "ID [--level read | restore | drill]",
	.text = "Reads every stored byte, compares every digest and frame, parses the dump to its end, and "
		"looks at the\n"
		"marks beside it; needs no database for that. As the configuration's _verify_ says, its "
		"schema "
		"or all of it is\n"
		"then restored into a scratch database; without a server that is left out, with a warning, "
		"unless *--level* asks\n"
		"for it. A damaged copy loses its mark, so that retention does not count on it. Exit 7 for "
		"any "
		"damage.",
	.options = verify_options,
	.options_size = sizeof(struct verify_options),
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_verify,
};
