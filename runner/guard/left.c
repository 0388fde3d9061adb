#include "runner/guard/left.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/run.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "schemas"

static char *path_of(const char *state_dir, const char *system, const char *database)
{
	cleanup_free char *name = text_percent(database);

	return mem_fmt("%s/" FOLDER "/%s-%s.json", state_dir, system, name);
}

/* ------------------------------------------------------------------ kept */

static json_t *to_json(const struct run *run, const struct schema *now)
{
	char at[CLOCK_ISO];
	json_t *out = json_object(), *heads = json_array();

	for (size_t i = 0; i < run->report->to.n; i++)
		json_push(heads, json_str(run->report->to.v[i]));
	json_put(out, "run", json_str(run->id));
	json_put(out, "at", json_str(clock_iso(clock_wall_us(), at)));
	json_put(out, "database", json_str(run->database));
	json_put(out, "heads", heads);
	json_put(out, "schema", schema_to_json(now));
	return out;
}

void left_keep(const struct run *run, const struct schema *now)
{
	cleanup_json json_t *json = to_json(run, now);
	cleanup_free char *text = json_canonical(json), *folder = path_join(run->config->state_dir, FOLDER);
	cleanup_free char *path =
		path_of(run->config->state_dir, run->before.system_identifier, run->database);
	struct err err = ERR_INIT;

	if (!file_make_dirs(folder, 0700, &err) || !file_replace(path, text, strlen(text), 0600, &err))
		log_warn("the schema is not kept for ripcord diff --live: %s", err.msg);
}

/* ------------------------------------------------------------------ read */

static bool from_json(const json_t *json, struct left *out, struct err *err)
{
	struct left l = { .run = NULL };
	const char *run, *at;
	const json_t *head;
	size_t i;

	if (!json_need_str(json, "run", &run, err) || !json_need_str(json, "at", &at, err) ||
	    !schema_from_json(json_object_get(json, "schema"), &l.schema, err))
		return false;
	l.run = mem_strdup(run);
	l.at = mem_strdup(at);
	json_array_foreach(json_object_get(json, "heads"), i, head)
		strv_add(&l.heads, json_is_string(head) ? json_string_value(head) : "");
	*out = l;
	return true;
}

bool left_read(const struct config *config, struct db *db, struct left *out, struct err *err)
{
	cleanup_free char *system = NULL, *database = NULL;
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	cleanup_json json_t *json = NULL;

	if (!db_value(db, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()", DB_NO_ARGS,
	              &system, err) ||
	    !db_value(db, "SELECT pg_catalog.current_database()::text", DB_NO_ARGS, &database, err))
		return false;
	cleanup_free char *path = path_of(config->state_dir, system, database);
	if (!file_exists(path)) {
		*out = (struct left){ .run = NULL };
		return true;
	}
	return file_read(path, &text, err) && json_parse(buf_text(&text), text.len, path, &json, err) &&
	       (from_json(json, out, err) || err_wrap(err, "%s", path));
}

void left_clear(struct left *l)
{
	free(l->run);
	free(l->at);
	strv_clear(&l->heads);
	schema_free(l->schema);
	*l = (struct left){ .run = NULL };
}
