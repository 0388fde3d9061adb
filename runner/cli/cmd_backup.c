#include "runner/cli/cli.h"

#include "backup/backup.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "runner/guard/backup_run.h"
#include "runner/progress.h"

static bool read_list(const struct app *app, struct stores *stores, struct backup_list *list, struct err *err)
{
	if (!stores_open(app->config->store_configs, app->config->n_store_configs, stores, err) ||
	    !backup_list_read(stores, list, err))
		return false;
	for (size_t i = 0; i < list->warnings.n; i++)
		log_warn("%s", list->warnings.v[i]);
	return true;
}

/* ---------------------------------------------------------------- create, verify */

static json_t *heads_json(const struct manifest *m)
{
	json_t *heads = json_object_get(manifest_json(m), "heads");

	return heads ? json_incref(heads) : json_array();
}

static json_t *manifest_summary(const struct manifest *m)
{
	json_t *o = json_object();

	json_put(o, "id", json_str(manifest_id(m)));
	json_put(o, "database", json_str(manifest_str(m, "database")));
	json_put(o, "heads", heads_json(m));
	json_put(o, "engine", json_str(manifest_str(m, "engine")));
	json_put(o, "created", json_str(manifest_str(m, "created")));
	json_put(o, "bytes", json_integer(manifest_bytes(m)));
	json_put(o, "verified", json_boolean(manifest_is_verified(m)));
	json_put(o, "pinned", json_boolean(manifest_is_pinned(m)));
	return o;
}

static bool run_create(struct app *app, struct err *err)
{
	cleanup_manifest struct manifest *m = NULL;
	char size[TEXT_SHORT], took[TEXT_SHORT];
	double seconds;

	if (!backup_run_create(app->config, &m, &seconds, err))
		return false;
	progress_finish();
	if (app->globals->json) {
		json_t *o = manifest_summary(m);
		json_put(o, "seconds", json_real(seconds));
		app_print_json(app, o);
		return true;
	}
	fprintf(app->out, "backup %s: %s in %s, verified\n", manifest_id(m),
	        text_size(manifest_bytes(m), size), text_duration((int64_t)(seconds * 1000), took));
	return true;
}

const struct command command_backup_create = {
	.name = "backup create",
	.about = "takes a backup and reads it back",
	.usage = "",
	.text = "Dumps the database into every configured store at once, reads it back, and verifies it as "
		"the\n"
		"configuration's _verify_ says. *ripcord backup* means the same.",
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_create,
};

static bool run_verify(struct app *app, struct err *err)
{
	cleanup_manifest struct manifest *m = NULL;

	if (!backup_run_verify(app->config, app->words[0], &m, err))
		return false;
	progress_finish();
	if (app->globals->json)
		app_print_json(app, manifest_summary(m));
	else
		fprintf(app->out, "backup %s is sound\n", manifest_id(m));
	return true;
}

const struct command command_backup_verify = {
	.name = "backup verify",
	.about = "reads a backup again, in every store that has it",
	.usage = "ID",
	.text = "Reads every stored byte, compares every digest and frame, parses the dump to its end, and, "
		"as the\n"
		"configuration's _verify_ says, restores it into a scratch database. Exit 7 when it is "
		"damaged.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_verify,
};

/* ---------------------------------------------------------------- list, show */

static void print_entry(FILE *out, const struct backup_entry *e)
{
	const struct manifest *m = e->manifest;
	cleanup_free char *stores = strv_join(&e->stores, ", ");
	const json_t *head, *heads = json_object_get(manifest_json(m), "heads");
	char size[TEXT_SHORT];
	size_t i;

	fprintf(out, "%s  %-24s  %10s  %s at ", manifest_id(m), manifest_str(m, "created"),
	        text_size(manifest_bytes(m), size), manifest_str(m, "database"));
	if (json_array_size(heads) == 0)
		fputs("base", out);
	json_array_foreach(heads, i, head) fprintf(out, "%s%s", i ? ", " : "", json_string_value(head));
	fprintf(out, "  [%s]%s%s\n", stores, manifest_is_verified(m) ? " verified" : "",
	        manifest_is_pinned(m) ? " pinned" : "");
}

static bool run_list(struct app *app, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };
	cleanup_json json_t *array = json_array();

	if (!read_list(app, &stores, &list, err))
		return false;
	for (size_t i = 0; i < list.n; i++) {
		if (app->globals->json) {
			json_t *o = manifest_summary(list.v[i].manifest);
			json_put(o, "stores", app_json_strings(&list.v[i].stores));
			json_push(array, o);
		} else {
			print_entry(app->out, &list.v[i]);
		}
	}
	if (app->globals->json)
		app_print_json(app, json_incref(array));
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
	const struct backup_entry *entry;
	json_t *o;

	if (!read_list(app, &stores, &list, err) || !backup_list_find(&list, app->words[0], &entry, err))
		return false;
	if (!app->globals->json)
		print_entry(app->out, entry);
	o = json_deep_copy(manifest_json(entry->manifest));
	json_put(o, "stores", app_json_strings(&entry->stores));
	app_print_json(app, o);
	return true;
}

const struct command command_backup_show = {
	.name = "backup show",
	.about = "prints the manifest of one backup",
	.usage = "ID",
	.text = "Prints what a backup's manifest says, and which stores have it. ID is its id or the "
		"beginning of it.",
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
	const struct backup_entry *entry;
	const char *id;

	if (!read_list(app, &stores, &list, err) || !backup_list_find(&list, app->words[0], &entry, err))
		return false;
	id = manifest_id(entry->manifest);
	if (!backup_set_pin(&stores, entry->manifest, pinned, "by hand", err))
		return false;
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
