/* `backup list`, `show`, `pin`, `unpin`, `fetch`: what needs the stores alone. */
#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "runner/cli/backup_line.h"
#include "runner/progress.h"

/* ---------------------------------------------------------------- list, show */

static json_t *list_json(const void *ctx, size_t i)
{
	const struct backup_list *list = ctx;

	return backup_entry_json(&list->v[i]);
}

static void list_print(FILE *out, const void *ctx, size_t i)
{
	const struct backup_list *list = ctx;

	backup_line_print(out, &list->v[i]);
}

static bool run_list(struct app *app, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_all(app, &stores, &list, err))
		return false;
	app_print_list(app, list.n, &list, list_json, list_print);
	return true;
}

const struct command command_backup_list = {
	.name = "backup list",
	.about = "lists the backups of all stores, newest first",
	.usage = "",
	.text = "Lists the backups of every database in every configured store. What has no manifest is no "
		"backup and\n"
		"is not listed; a store that cannot be read is a warning.",
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_list,
};

static bool run_show(struct app *app, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };
	json_t *o;

	if (!backup_list_one(app, app->words[0], &stores, &list, err))
		return false;
	const struct backup_entry *entry = &list.v[0];
	if (!app->globals->json)
		backup_line_print(app->out, entry);
	o = json_deep_copy(manifest_json(entry->manifest));
	json_put(o, "stores", app_json_strings(&entry->stores));
	json_put(o, "verified", json_str(manifest_verified_how(entry->manifest)));
	json_put(o, "pinned", json_str(manifest_pin_reason(entry->manifest)));
	app_print_json(app, o);
	return true;
}

const struct command command_backup_show = {
	.name = "backup show",
	.about = "prints the manifest of one backup",
	.usage = "ID",
	.text = "Prints what a backup's manifest says, which stores have it, how it was verified, and why it "
		"is pinned.\n"
		"ID is its id or the beginning of it.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_show,
};

/* ---------------------------------------------------------------- pin, unpin */

static bool set_pin(struct app *app, bool pinned, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_one(app, app->words[0], &stores, &list, err) ||
	    !backup_set_pin(&stores, list.v[0].manifest, pinned, "by hand", err))
		return false;
	const char *id = manifest_id(list.v[0].manifest);
	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "id", json_str(id));
		json_put(o, "pinned", json_boolean(pinned));
		app_print_json(app, o);
	} else {
		fprintf(app->out, "backup %s is %s\n", id, pinned ? "pinned" : "no longer pinned");
	}
	return true;
}

static bool run_pin(struct app *app, struct err *err) { return set_pin(app, true, err); }
static bool run_unpin(struct app *app, struct err *err) { return set_pin(app, false, err); }

const struct command command_backup_pin = {
	.name = "backup pin",
	.about = "keeps a backup from being pruned",
	.usage = "ID",
	.text = "Pins a backup in every store that has it: nothing removes it until it is unpinned.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_pin,
};

const struct command command_backup_unpin = {
	.name = "backup unpin",
	.about = "lets a backup be pruned again",
	.usage = "ID",
	.text = "Takes the pin off a backup in every store that has it.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_unpin,
};

/* ---------------------------------------------------------------- fetch */

static bool run_fetch(struct app *app, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };
	const char *folder = app->words[1];

	if (!backup_list_one(app, app->words[0], &stores, &list, err))
		return false;
	const struct manifest *m = list.v[0].manifest;
	bool ok = backup_fetch(&stores, m, folder, progress_listener(), err);
	progress_finish();
	if (!ok)
		return err_recode(err, err->code == ERR_CORRUPT ? ERR_BACKUP : err->code);
	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "id", json_str(manifest_id(m)));
		json_put(o, "folder", json_str(folder));
		json_put(o, "bytes", json_integer(manifest_bytes(m)));
		app_print_json(app, o);
	} else {
		fprintf(app->out, "backup %s is in %s\n", manifest_id(m), folder);
	}
	return true;
}

const struct command command_backup_fetch = {
	.name = "backup fetch",
	.about = "copies a backup out of its store into a folder",
	.usage = "ID DIR",
	.text = "Writes a backup's data and manifest to DIR, which must be missing or empty, from the first "
		"store whose copy\n"
		"is whole: for restoring by hand (docs/recovery.md), or for carrying it away. All of it or "
		"nothing.",
	.min_words = 2,
	.max_words = 2,
	.needs = NEEDS_CONFIG,
	.run = run_fetch,
};
