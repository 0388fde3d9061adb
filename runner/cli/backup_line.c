#include "runner/cli/backup_line.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

static bool opened(const struct app *app, struct stores *stores, struct err *err)
{
	return stores_open(app->config->store_configs, app->config->n_store_configs, stores, err);
}

static bool warned(const struct backup_list *list)
{
	for (size_t i = 0; i < list->warnings.n; i++)
		log_warn("%s", list->warnings.v[i]);
	return true;
}

bool backup_list_all(const struct app *app, struct stores *stores, struct backup_list *list, struct err *err)
{
	return opened(app, stores, err) && backup_list_read(stores, list, err) && warned(list);
}

bool backup_list_one(const struct app *app, const char *id, struct stores *stores, struct backup_list *list,
                     struct err *err)
{
	return opened(app, stores, err) && backup_list_read_one(stores, id, list, err) && warned(list);
}

static json_t *heads_of(const struct manifest *m) { return json_object_get(manifest_json(m), "heads"); }

void backup_line_print(FILE *out, const struct backup_entry *e)
{
	const struct manifest *m = e->manifest;
	cleanup_free char *stores = strv_join(&e->stores, ", ");
	const json_t *head;
	char size[TEXT_SHORT];
	size_t i;

	fprintf(out, "%s  %-24s  %10s  %s at ", manifest_id(m), manifest_str(m, "created"),
	        text_size(manifest_bytes(m), size), manifest_str(m, "database"));
	if (json_array_size(heads_of(m)) == 0)
		fputs("base", out);
	json_array_foreach(heads_of(m), i, head) fprintf(out, "%s%s", i ? ", " : "", json_string_value(head));
	fprintf(out, "  [%s]%s%s\n", stores, manifest_is_verified(m) ? " verified" : "",
	        manifest_is_pinned(m) ? " pinned" : "");
}

json_t *backup_summary(const struct manifest *m)
{
	json_t *o = json_object(), *heads = heads_of(m);

	json_put(o, "id", json_str(manifest_id(m)));
	json_put(o, "database", json_str(manifest_str(m, "database")));
	json_put(o, "heads", heads ? json_incref(heads) : json_array());
	json_put(o, "engine", json_str(manifest_str(m, "engine")));
	json_put(o, "created", json_str(manifest_str(m, "created")));
	json_put(o, "bytes", json_integer(manifest_bytes(m)));
	json_put(o, "verified", json_boolean(manifest_is_verified(m)));
	json_put(o, "pinned", json_boolean(manifest_is_pinned(m)));
	return o;
}

json_t *backup_entry_json(const struct backup_entry *e)
{
	json_t *o = backup_summary(e->manifest);

	json_put(o, "stores", app_json_strings(&e->stores));
	return o;
}
