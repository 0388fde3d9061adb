#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/version.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void name_actor(struct run *run)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (gethostname(run->actor_host, sizeof(run->actor_host) - 1) != 0)
		snprintf(run->actor_host, sizeof(run->actor_host), "unknown");
	snprintf(run->actor_who, sizeof(run->actor_who), "%s", pw ? pw->pw_name : "unknown");
}

void run_init(struct run *run, const struct config *config, const struct guard_request *request,
              struct run_report *report)
{
	*run = (struct run){ .config = config, .request = request, .report = report };
	uuid7(run->id);
	random_hex(run->token, sizeof(run->token) - 1);
	name_actor(run);
}

void run_clear(struct run *run)
{
	journal_close(run->journal);
	db_close(run->db);
	db_close(run->admin);
	db_close(run->lock);
	db_close(run->scratch);
	conninfo_free(run->live);
	conninfo_free(run->maintenance);
	plan_free(run->plan);
	ledger_free(run->ledger);
	graph_free(run->graph);
	stores_close(&run->stores);
	facts_clear(&run->facts);
	findings_clear(&run->findings);
	preset_free(run->preset);
	before_clear(&run->before);
	manifest_free(run->manifest);
	free(run->token_question);
	free(run->own_question);
	free(run->nested_question);
	own_share_clear(&run->own);
	own_share_clear(&run->committed);
	foreign_writes_clear(&run->foreign);
	strv_clear(&run->recreated_roles);
	free(run->bin_dir);
	free(run->private_dir);
	free(run->server);
	free(run->candidate);
	free(run->quarantine);
	*run = (struct run){ .config = NULL };
}

char *run_application(const struct run *run, const char *what)
{
	return mem_fmt("ripcord/%s/%s", uuid_short(run->id), what);
}

static bool name_databases(struct run *run, struct err *err)
{
	if (run->live)
		return true;
	if (!config_database(run->config, &run->live, err))
		return false;
	run->maintenance = conninfo_with(run->live, "dbname", run->config->maintenance_db);
	run->database = conninfo_dbname(run->live);
	if (strcmp(run->database, run->config->maintenance_db) != 0)
		return true;
	err_set(err, ERR_USAGE, "database \"%s\" is its own maintenance database", run->database);
	return err_hint(err, "set maintenance_db in [database] to another one, e.g. template1");
}

/* What a role's or a database's settings say of time-outs and read-only must not decide a run; and questions to the
 * catalogs are asked once, so that compiling them takes longer than they. */
bool run_connect_live(struct run *run, struct err *err)
{
	return name_databases(run, err) && run_open(run, run->live, "run", &run->db, err) &&
	       db_run(run->db,
	              "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
	              " SET default_transaction_read_only = off; SET default_transaction_isolation = 'read "
	              "committed'; SET jit = off",
	              err);
}

bool run_connect_maintenance(struct run *run, struct err *err)
{
	return name_databases(run, err) &&
	       (run_open(run, run->maintenance, "run", &run->admin, err) ||
	        err_wrap(err, "the maintenance database \"%s\"", run->config->maintenance_db)) &&
	       db_run(run->admin,
	              "SET statement_timeout = 0; SET default_transaction_read_only = off; SET jit = off",
	              err);
}

bool run_connect(struct run *run, struct err *err)
{
	return run_connect_live(run, err) && run_connect_maintenance(run, err);
}

bool run_open_stores(struct run *run, struct err *err)
{
	run->private_dir = mem_fmt("%s/private", run->config->state_dir);
	if (!file_make_dirs(run->private_dir, 0700, err) ||
	    !stores_open(run->config->store_configs, run->config->n_store_configs, &run->stores, err))
		return false;
	cleanup_strv struct strv told = STRV_INIT;
	backup_sweep(&run->stores, run->config->state_dir, &told);
	for (size_t i = 0; i < told.n; i++)
		log_warn("%s", told.v[i]);
	return true;
}

/* The gates have looked for them already; only a run without gates looks here. */
bool run_find_tools(struct run *run, struct err *err)
{
	if (!run->bin_dir && run->facts.pg_dump_dir)
		run->bin_dir = mem_strdup(run->facts.pg_dump_dir);
	return run->bin_dir || dump_tools_find(db_server_version(run->db) / 10000, run->config->pg_bindir,
	                                       &run->bin_dir, err);
}

struct actor run_actor(const struct run *run)
{
	return (struct actor){ .run = run->id,
		               .who = run->actor_who,
		               .host = run->actor_host,
		               .tool_version = RIPCORD_VERSION };
}

struct exec_settings run_exec_settings(const struct run *run)
{
	const struct config *c = run->config;

	return (struct exec_settings){ .role = c->role,
		                       .lock_timeout_ms = c->lock_timeout_ms,
		                       .lock_budget_ms = c->lock_budget_ms,
		                       .statement_timeout_ms = c->statement_timeout_ms,
		                       .actor = run_actor(run) };
}

struct pids run_pids(const struct run *run)
{
	struct pids pids = { .n = 0 };

	if (run->db && !db_is_lost(run->db))
		pids.v[pids.n++] = db_pid(run->db);
	return pids;
}

bool run_journal(struct run *run, const char *step, const char *event, json_t *data, struct err *err)
{
	struct err file = ERR_INIT;

	log_debug("%s: %s", step, event);
	bool written = journal_write(run->journal, step, event, data, &file);
	if (!written && !run->going_back) {
		*err = file;
		return false;
	}
	bool mirrored = false;
	if (!mirror_line(run, journal_last(run->journal), &mirrored, err))
		return false;
	if (written || mirrored)
		return true;
	*err = file;
	return false;
}

void run_journal_evident(struct run *run, const char *step, const char *event, json_t *data)
{
	struct err err = ERR_INIT;

	log_debug("%s: %s", step, event);
	if (!journal_write(run->journal, step, event, data, &err))
		log_warn("%s", err.msg);
}
