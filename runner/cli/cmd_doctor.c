#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "migrations/schema/schema.h"
#include "policies/policies.h"
#include "runner/facts.h"
#include "runner/guard/drill_run.h"
#include "runner/guard/journal.h"
#include "runner/guard/restore_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOCK_DRIFT_US (INT64_C(60) * 1000000) /* more than a slow answer explains */

/* What was found, in order: {check, verdict, message, hint}. */
struct diagnosis {
	struct app *app;
	json_t *checks;
	enum verdict worst;
};

static void add(struct diagnosis *d, const char *check, enum verdict verdict, const char *hint,
                const char *fmt, ...) PRINTF_LIKE(5, 6);

static void add_text(struct diagnosis *d, const char *check, enum verdict verdict, const char *message,
                     const char *hint)
{
	json_t *o = json_object();

	json_put(o, "check", json_str(check));
	json_put(o, "verdict", json_str(verdict_name(verdict)));
	json_put(o, "message", json_str(message));
	json_put(o, "hint", json_str(hint && *hint ? hint : NULL));
	json_push(d->checks, o);
	if (verdict > d->worst)
		d->worst = verdict;
}

static void add(struct diagnosis *d, const char *check, enum verdict verdict, const char *hint,
                const char *fmt, ...)
{
	char message[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	add_text(d, check, verdict, message, hint);
}

/* An error of a check that is a finding, not the end of the examination. */
static void add_error(struct diagnosis *d, const char *check, const struct err *why)
{
	if (*why->file)
		add(d, check, VERDICT_REFUSE, why->hint, "%s:%d: %s", why->file, why->line, why->msg);
	else
		add_text(d, check, VERDICT_REFUSE, why->msg, why->hint);
}

/* ------------------------------------------------------------------ files */

static void look_at_config(struct diagnosis *d)
{
	const struct config *c = d->app->config;

	if (c->has_secrets_in_file)
		add(d, "config", VERDICT_WARN, "put it into the environment or .env, and write ${NAME}",
		    "%s holds a password", c->path);
	else if (*c->path)
		add(d, "config", VERDICT_PASS, NULL, "%s", c->path);
	else
		add(d, "config", VERDICT_PASS, NULL, "no ripcord.ini: every key has its default");
}

static void look_at_env_file(struct diagnosis *d)
{
	const char *named = d->app->globals->env_file;
	cleanup_free char *beside = path_join(d->app->config->folder, ".env");
	const char *path = named ? named : beside;
	struct stat st;

	if (stat(path, &st) != 0)
		add(d, "env-file", VERDICT_PASS, NULL, "no .env: the environment alone");
	else if (st.st_mode & (S_IROTH | S_IWOTH))
		add(d, "env-file", VERDICT_WARN, "chmod 600", "%s can be read by everybody on this machine",
		    path);
	else
		add(d, "env-file", VERDICT_PASS, NULL, "%s", path);
}

static void look_at_revisions(struct diagnosis *d, struct facts *f)
{
	cleanup_graph struct graph *g = NULL;
	cleanup_strv struct strv heads = STRV_INIT;
	struct err why = ERR_INIT;

	if (!app_graph(d->app, &g, &why)) {
		add_error(d, "migrations", &why);
		return;
	}
	graph_heads(g, &heads);
	f->heads_in_files = heads.n;
	f->one_head_needed = true;
	for (size_t i = 0; i < graph_count(g); i++) {
		why = (struct err)ERR_INIT;
		if (!exec_check(graph_at(g, i), &why)) {
			add_error(d, "migrations", &why);
			return;
		}
	}
	add(d, "migrations", VERDICT_PASS, NULL, "%zu revisions in %s", graph_count(g),
	    d->app->config->migrations);
}

/* The folder itself, or the nearest parent that is there: what a run would make or write into. */
static bool can_write(const char *path)
{
	cleanup_free char *at = mem_strdup(path);

	while (!file_exists(at) && strcmp(at, "/") != 0 && strcmp(at, ".") != 0) {
		char *parent = path_dir(at);

		free(at);
		at = parent;
	}
	return access(at, W_OK | X_OK) == 0;
}

/* No probe object is written: doctor changes nothing. */
static void look_at_folders(struct diagnosis *d, struct facts *f)
{
	const struct config *c = d->app->config;

	if (can_write(c->state_dir))
		add(d, "state-dir", VERDICT_PASS, NULL, "%s", c->state_dir);
	else
		add(d, "state-dir", VERDICT_REFUSE, "set state_dir in [ripcord]", "%s cannot be written to",
		    c->state_dir);
	for (size_t i = 0; i < c->n_store_configs; i++) {
		const struct store_config *s = &c->store_configs[i];

		for (size_t k = 0; k < s->n; k++) {
			if (strcmp(s->type, "file") == 0 && strcmp(s->keys[k], "path") == 0 &&
			    !can_write(s->values[k]))
				strv_fmt(&f->stores_failing, "%s: %s cannot be written to", s->name,
				         s->values[k]);
		}
	}
}

/* ------------------------------------------------------------------ runs and what they left */

static bool unfinished_in_folder(const struct config *c, const char *database, struct facts *f,
                                 struct err *err)
{
	cleanup_strv struct strv runs = STRV_INIT;

	if (!journal_runs(c->state_dir, &runs, err))
		return false;
	for (size_t i = 0; i < runs.n && !f->unfinished_run; i++) {
		cleanup_json json_t *lines = NULL;
		const char *of;

		if (!journal_read(c->state_dir, runs.v[i], &lines, err))
			return false;
		of = json_string_value(json_object_get(journal_find(lines, "run", "begin"), "database"));
		if (of && strcmp(of, database) == 0 && !journal_is_finished(lines))
			f->unfinished_run = facts_keep(f, runs.v[i]);
	}
	return true;
}

static bool unfinished_in_database(struct db *db, struct facts *f, struct err *err)
{
	cleanup_free char *there = NULL;
	cleanup_free char *run = NULL;

	if (!db_value(db, "SELECT pg_catalog.to_regclass('ripcord.run')::text", DB_NO_ARGS, &there, err))
		return false;
	if (!there || f->unfinished_run)
		return true;
	if (!db_value(db,
	              "SELECT (SELECT run::text FROM ripcord.run WHERE ended_at IS NULL ORDER BY started_at "
	              "DESC LIMIT 1)",
	              DB_NO_ARGS, &run, err))
		return false;
	f->unfinished_run = run ? facts_keep(f, run) : NULL;
	return true;
}

static void look_at_runs(struct diagnosis *d, struct db *db, struct facts *f)
{
	struct err why = ERR_INIT;

	if (!unfinished_in_folder(d->app->config, conninfo_dbname(d->app->database), f, &why) ||
	    !unfinished_in_database(db, f, &why))
		add_error(d, "runs", &why);
}

static void look_at_quarantine(struct diagnosis *d)
{
	struct quarantine_entry *entries = NULL;
	size_t n = 0;
	int64_t bytes = 0;
	char size[TEXT_SHORT];
	struct err why = ERR_INIT;

	if (!quarantine_list(d->app->config, &entries, &n, &why)) {
		add_error(d, "quarantine", &why);
		return;
	}
	for (size_t i = 0; i < n; i++)
		bytes += entries[i].bytes;
	quarantine_entries_free(entries, n);
	if (n == 0)
		add(d, "quarantine", VERDICT_PASS, NULL,
		    "no database is in quarantine, no candidate was left");
	else
		add(d, "quarantine", VERDICT_WARN,
		    "ripcord quarantine list, then ripcord quarantine drop NAME",
		    "%zu databases that runs put aside take %s", n, text_size(bytes, size));
}

/* ------------------------------------------------------------------ the server */

static void look_at_clock(struct diagnosis *d, struct db *db)
{
	int64_t server = 0, drift;
	char text[TEXT_SHORT];
	struct err why = ERR_INIT;

	if (!db_int(db, "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint",
	            DB_NO_ARGS, &server, &why)) {
		add_error(d, "clock", &why);
		return;
	}
	drift = llabs(clock_wall_us() - server);
	text_duration(drift / 1000, text);
	if (drift > CLOCK_DRIFT_US)
		add(d, "clock", VERDICT_WARN, "let both use NTP", "this machine and the server are %s apart",
		    text);
	else
		add(d, "clock", VERDICT_PASS, NULL, "this machine and the server are %s apart", text);
}

static void look_at_schema(struct diagnosis *d, struct db *db, struct facts *f)
{
	struct ledger_names names = app_ledger_names(d->app->config);
	cleanup_ledger struct ledger *ledger = NULL;
	cleanup_schema struct schema *schema = NULL;
	struct schema_options options = { .version_table = NULL };
	struct err why = ERR_INIT;

	if (ledger_open(db, &names, &ledger, &why))
		options.version_table = ledger_table(ledger);
	if (!ledger || !schema_read(db, &options, &schema, &why)) {
		add_error(d, "fingerprint", &why);
		return;
	}
	for (size_t i = 0; i < schema_count(schema); i++) {
		if (strcmp(schema_fact(schema, i)->kind, "unmodelled") == 0)
			strv_add(&f->unmodelled, schema_fact(schema, i)->name);
	}
	add(d, "fingerprint", VERDICT_PASS, NULL, "%zu facts of the schema can be read",
	    schema_count(schema));
}

static void look_at_maintenance(struct diagnosis *d)
{
	const char *name = d->app->config->maintenance_db;
	cleanup_conninfo struct conninfo *ci = conninfo_with(d->app->database, "dbname", name);
	cleanup_db struct db *db = NULL;
	struct err why = ERR_INIT;

	if (strcmp(name, conninfo_dbname(d->app->database)) == 0)
		add(d, "maintenance-db", VERDICT_REFUSE, "set maintenance_db in [database] to another one",
		    "database %s is its own maintenance database", name);
	else if (!db_open(ci, "ripcord", &db, &why))
		add_error(d, "maintenance-db", &why);
	else
		add(d, "maintenance-db", VERDICT_PASS, NULL, "database %s can be reached", name);
}

static void ask_gates(struct diagnosis *d, const struct facts *f)
{
	cleanup_preset struct preset *preset = NULL;
	cleanup_findings struct findings found = { .v = NULL };
	enum verdict worst;
	struct err why = ERR_INIT;

	if (!preset_load(d->app->config->preset, &preset, &why)) {
		add_error(d, "preset", &why);
		return;
	}
	gates_evaluate(f, preset, &found, &worst);
	for (size_t i = 0; i < found.n; i++)
		add_text(d, found.v[i].gate, found.v[i].verdict, found.v[i].message, found.v[i].hint);
}

/* Tried for real: what may be reached need not be writable, and what is written need not be listed.  A store that may
 * fail (stores_required) is only a warning. */
static void look_at_stores(struct diagnosis *d, const struct stores *stores)
{
	size_t required = (size_t)d->app->config->stores_required;
	enum verdict bad = required > 0 && required < stores->n ? VERDICT_WARN : VERDICT_REFUSE;

	for (size_t i = 0; i < stores->n; i++) {
		cleanup_free char *check = mem_fmt("store %s", store_name(stores->v[i]));
		struct err why = ERR_INIT;

		if (store_check(stores->v[i], &why))
			add_text(d, check, VERDICT_PASS, "an object was written, read, listed and removed",
			         "");
		else
			add_text(d, check, bad, why.msg, why.hint);
	}
}

/* How long it takes to come back is known only where it was tried. */
static void look_at_drill(struct diagnosis *d, const struct stores *stores, const struct backup_list *list)
{
	struct last_drill last;
	char took[TEXT_SHORT], size[TEXT_SHORT];

	if (drill_last(stores, list, conninfo_dbname(d->app->database), &last))
		add(d, "drill", VERDICT_PASS, NULL, "backup %s (%s) came back in %s, measured at %s",
		    last.backup, text_size(last.bytes, size), text_duration(last.ms, took), last.at);
	else
		add(d, "drill", VERDICT_WARN, "ripcord backup drill ID measures it",
		    "how long a recovery takes was never measured");
}

/* Half a backup: what is certain to be ours and dead the next start takes away by itself. */
static void look_at_leftovers(struct diagnosis *d, const struct backup_list *list)
{
	for (size_t i = 0; i < list->n_leftovers; i++)
		add(d, "leftovers", VERDICT_WARN,
		    "ripcord backup prune --leftovers removes it when it is a day old",
		    "store %s: %s has no manifest: it is being written, or was left by a backup that broke "
		    "off",
		    list->leftovers[i].store, list->leftovers[i].folder);
	if (list->n_leftovers == 0)
		add(d, "leftovers", VERDICT_PASS, NULL, "no half of a backup in the stores");
}

static void look_at_backups(struct diagnosis *d, const struct stores *stores)
{
	cleanup_backup_list struct backup_list list = { .n = 0 };
	struct err ignored = ERR_INIT; /* look_at_stores() has said it */

	if (backup_list_read(stores, &list, &ignored))
		look_at_leftovers(d, &list);
	look_at_drill(d, stores, &list);
}

static bool examine(struct diagnosis *d, struct err *err)
{
	const struct config *c = d->app->config;
	cleanup_facts struct facts f = { .role = NULL };
	cleanup_stores struct stores stores = { .v = NULL };
	cleanup_db struct db *db = NULL;

	look_at_config(d);
	look_at_env_file(d);
	if (!stores_open(c->store_configs, c->n_store_configs, &stores, err) ||
	    !app_connect(d->app, &db, err) || !facts_gather(c, db, &stores, &f, err))
		return false;
	look_at_revisions(d, &f);
	look_at_folders(d, &f);
	look_at_maintenance(d);
	look_at_clock(d, db);
	look_at_runs(d, db, &f);
	look_at_quarantine(d);
	look_at_schema(d, db, &f);
	look_at_stores(d, &stores);
	look_at_backups(d, &stores);
	ask_gates(d, &f);
	return true;
}

/* ------------------------------------------------------------------ the command */

static void print_checks(FILE *out, const struct diagnosis *d)
{
	const json_t *check;
	size_t i;

	json_array_foreach(d->checks, i, check)
	{
		const char *hint = json_string_value(json_object_get(check, "hint"));

		fprintf(out, "%-8s %-22s %s\n", json_string_value(json_object_get(check, "verdict")),
		        json_string_value(json_object_get(check, "check")),
		        json_string_value(json_object_get(check, "message")));
		if (hint)
			fprintf(out, "%-8s %-22s -> %s\n", "", "", hint);
	}
	fputs(d->worst == VERDICT_REFUSE ? "an upgrade would be refused\n" : "ready\n", out);
}

static bool run_doctor(struct app *app, struct err *err)
{
	cleanup_json json_t *checks = json_array();
	struct diagnosis d = { .app = app, .checks = checks, .worst = VERDICT_PASS };

	if (!examine(&d, err))
		return false;
	app->status = d.worst == VERDICT_REFUSE ? 3 : 0;
	if (app->globals->json) {
		json_t *o = json_object();

		json_put(o, "ok", json_boolean(d.worst != VERDICT_REFUSE));
		json_put(o, "checks", json_incref(checks));
		app_print_json(app, o);
	} else {
		print_checks(app->out, &d);
	}
	return true;
}

const struct command command_doctor = {
	.name = "doctor",
	.about = "checks everything that a run needs, and changes nothing",
	.usage = "",
	.text = "Looks at the configuration, the revisions, the server, the role's rights, the tools, the "
		"stores and "
		"what former runs left,\n"
		"and prints what each gate would say of an upgrade now. Ends with 0 when a run could start, "
		"with 3 when "
		"it would be refused,\n"
		"with 1 when the server cannot be reached. With *--json* it prints _ok_ and _checks_.",
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_doctor,
};
