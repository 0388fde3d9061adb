#include "runner/guard/source.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/renames.h"
#include "runner/guard/replay.h"
#include "runner/guard/run.h"
#include "runner/guard/source_sql.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

struct source {
	struct run
		run; /* has the scratch database, under a name and with sessions that a sweep knows to be alive */
	struct run_report report;
	struct db *db; /* another's database; NULL with a scratch one */
	struct renames renames;
};

/* ------------------------------------------------------------------ others' databases */

static bool is_conninfo(const char *text) { return strstr(text, "://") || strchr(text, '='); }

static bool open_database(struct source *s, const char *text, struct err *err)
{
	cleanup_free char *application = run_application(&s->run, "schema");
	cleanup_conninfo struct conninfo *where = NULL;

	bool known = strcmp(text, "live") == 0 ? config_database(s->run.config, &where, err)
	                                       : conninfo_parse(text, &where, err);
	return known && db_open(where, application, &s->db, err);
}

/* ------------------------------------------------------------------ scratch databases */

/* Like the live database where that is there, else like the maintenance database. */
static bool read_facts(struct run *run, struct err *err)
{
	int64_t oid;

	return database_oid(run->admin, run->database, &oid, err) &&
	       database_facts(run->admin, oid ? run->database : conninfo_dbname(run->maintenance),
	                      &run->before.facts, err);
}

static bool load_backup(struct run *run, const char *id, struct err *err)
{
	if (!run_open_stores(run, err) || !run_find_backup(run, id, err))
		return false;
	if (!backup_can_open(&run->stores, run->manifest))
		return err_set(err, ERR_BACKUP,
		               "backup %s is encrypted, and there is no key (identity in [backup])",
		               manifest_id(run->manifest));
	return before_from_backup(run, err) &&
	       dump_tools_find(db_server_version(run->admin) / 10000, run->config->pg_bindir, &run->bin_dir,
	                       err) &&
	       run_scratch_prove(run, true, err);
}

/* As revisions run, so that the owners are the same. */
static bool take_role(struct run *run, struct err *err)
{
	const char *role = run->config->role;

	return !role || !*role || db_runf(run->scratch, err, "SET ROLE %I", role);
}

static bool load_sql_of(struct source *s, const char *text, struct err *err)
{
	struct run *run = &s->run;

	if (!read_facts(run, err) || !run_scratch_make(run, err) || !take_role(run, err))
		return false;
	if (text_starts(text, "command:"))
		return source_load_command(run->scratch, text + strlen("command:"), run->config->folder,
		                           &s->renames, err);
	cleanup_free char *path = path_join(run->config->folder, text);
	return source_load_path(run->scratch, path, &s->renames, err);
}

static bool load_history(struct run *run, struct err *err)
{
	return graph_load(run->config->migrations, &run->graph, err) && read_facts(run, err) &&
	       replay_begin(run, err) && replay_history(run, err);
}

static bool is_path(const struct config *config, const char *text)
{
	cleanup_free char *path = path_join(config->folder, text);

	return file_exists(path);
}

/* What is loaded into a scratch database. */
static const struct loaded {
	const char *prefix;
	bool whole; /* the word itself, with nothing behind it */
} loaded[] = { { "backup:", false }, { "command:", false }, { "replay", true } };

static bool is_loaded(const char *text)
{
	for (size_t i = 0; i < sizeof(loaded) / sizeof(*loaded); i++)
		if (loaded[i].whole ? strcmp(text, loaded[i].prefix) == 0
		                    : text_starts(text, loaded[i].prefix))
			return true;
	return false;
}

static bool fill(struct source *s, const char *text, struct err *err)
{
	if (!is_loaded(text) && !is_path(s->run.config, text)) {
		err_set(err, ERR_USAGE, "there is no file or folder %s", text);
		return err_hint(err,
		                "a schema's source is live, replay, a URL, backup:ID, command:PROGRAM ..., a "
		                "file or a folder");
	}
	if (!run_connect_maintenance(&s->run, err) || !run_scratch_tidy(&s->run, err))
		return false;
	if (strcmp(text, "replay") == 0)
		return load_history(&s->run, err);
	return text_starts(text, "backup:") ? load_backup(&s->run, text + strlen("backup:"), err)
	                                    : load_sql_of(s, text, err);
}

/* ------------------------------------------------------------------ life */

static void source_free(struct source *s)
{
	db_close(s->db);
	renames_clear(&s->renames);
	run_clear(&s->run);
	run_report_clear(&s->report);
	free(s);
}

bool source_open(const struct config *config, const char *text, struct source **out, struct err *err)
{
	struct source *s = mem_new0(sizeof(*s));

	run_init(&s->run, config, &by_hand, &s->report);
	bool is_path_first = is_path(config, text); /* a file's name may have a = in it */
	if (strcmp(text, "live") == 0 || (!is_loaded(text) && !is_path_first && is_conninfo(text))) {
		if (open_database(s, text, err)) {
			*out = s;
			return true;
		}
	} else if (fill(s, text, err)) {
		*out = s;
		return true;
	} else {
		(void)run_scratch_give_up(&s->run, err);
	}
	source_free(s);
	return false;
}

struct db *source_db(const struct source *s) { return s->db ? s->db : s->run.scratch; }
const struct renames *source_renames(const struct source *s) { return &s->renames; }
struct run *source_run(struct source *s) { return &s->run; }

bool source_close(struct source *s, bool ok, struct err *err)
{
	if (!s)
		return ok;
	ok = ok ? run_scratch_drop(&s->run, err) : run_scratch_give_up(&s->run, err);
	source_free(s);
	return ok;
}
