#include "runner/guard/drill_run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/run.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

/* ------------------------------------------------------------------ which copy */

/* Only the copy that is restored is marked for it, so one store alone is opened. */
static bool find_store(const struct config *config, const char *id, size_t *out, struct err *err)
{
	cleanup_stores struct stores all = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!stores_open(config->store_configs, config->n_store_configs, &all, err) ||
	    !backup_list_read_one(&all, id, &list, err))
		return false;
	for (*out = 0; *out < all.n; ++*out)
		if (strv_has(&list.v[0].stores, store_name(all.v[*out])))
			return true;
	return err_set(err, ERR_BACKUP, "no configured store has backup %s", id);
}

static bool open_copy(struct run *run, const char *id, struct err *err)
{
	const struct config *config = run->config;
	size_t store;

	run->private_dir = mem_fmt("%s/private", config->state_dir);
	if (!find_store(config, id, &store, err) || !file_make_dirs(run->private_dir, 0700, err) ||
	    !stores_open(config->store_configs + store, 1, &run->stores, err) ||
	    !run_find_backup(run, id, err))
		return false;
	return backup_can_open(&run->stores, run->manifest) ||
	       err_set(err, ERR_BACKUP, "backup %s is encrypted, and there is no key (identity in [backup])",
	               manifest_id(run->manifest));
}

/* ------------------------------------------------------------------ where to */

static bool connect(struct run *run, struct err *err)
{
	if (!config_drill(run->config, &run->live, err))
		return false;
	run->maintenance = conninfo_with(run->live, "dbname", conninfo_dbname(run->live));
	run->database = manifest_str(run->manifest, "database"); /* names the scratch database */
	return run_connect_maintenance(run, err) &&
	       dump_tools_find(db_server_version(run->admin) / 10000, run->config->pg_bindir, &run->bin_dir,
	                       err);
}

/* A drill that was killed leaves its database, named by its COMMENT; one that goes on has a session in it.  What could not
 * be swept is another database's. */
static bool warn_of_leftovers(struct run *run, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(run->admin,
	              "SELECT d.datname FROM pg_catalog.pg_database d WHERE "
	              "pg_catalog.shobj_description(d.oid, 'pg_database') LIKE 'ripcord: scratch database %'"
	              " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
	              DB_NO_ARGS, &r, err))
		return false;
	for (size_t i = 0; i < rows_count(r); i++)
		log_warn("database \"%s\" was left over by a verification or a drill: DROP DATABASE ends it",
		         rows_get(r, i, 0));
	return true;
}

/* ------------------------------------------------------------------ the drill */

static void count_rows(const struct manifest *m, struct drill_result *out)
{
	const char *table;
	json_t *number;

	json_object_foreach((json_t *)(uintptr_t)manifest_rows(m), table, number)
	{
		out->n_tables++;
		out->n_rows += json_integer_value(number);
	}
}

/* The roles that were made for the drill own nothing any more; a server that is not ours to fill keeps none of them. */
bool run_drop_roles(struct run *run, struct err *err)
{
	bool ok = true;

	for (size_t i = run->recreated_roles.n; i-- > 0;) {
		struct err why = ERR_INIT;
		/* Quoted already, as facts are. */
		cleanup_free char *sql = mem_fmt("DROP ROLE %s", run->recreated_roles.v[i]);
		if (db_run(run->admin, sql, &why))
			continue;
		*err = ok ? why : *err;
		ok = false;
	}
	return ok || err_wrap(err, "a role that was made for the drill is left over");
}

static bool give_up(struct run *run, struct err *err)
{
	struct err second = ERR_INIT;

	cancel_hold();
	run_scratch_give_up(run, err);
	if (!run_drop_roles(run, &second))
		err_hint(err, "%s", second.msg);
	return false;
}

static bool practise(struct run *run, struct drill_result *out, struct err *err)
{
	int64_t began = clock_ms();

	if (!run_restore_roles(run, true, err) || !run_scratch_prove(run, false, err)) {
		err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
		return give_up(run, err);
	}
	int64_t ms = clock_ms() - began;
	out->seconds = (double)ms / 1000;
	if (!run_scratch_drop(run, err))
		return give_up(run, err);
	return run_drop_roles(run, err) && backup_mark_drilled(&run->stores, run->manifest, ms, err);
}

static bool drill(struct run *run, const char *id, struct drill_result *out, struct err *err)
{
	if (!open_copy(run, id, err) || !connect(run, err))
		return false;
	out->store = mem_strdup(store_name(run->stores.v[0]));
	out->server = mem_strdup(conninfo_label(run->live));
	count_rows(run->manifest, out);
	return before_from_backup(run, err) && run_scratch_tidy(run, err) && warn_of_leftovers(run, err) &&
	       run_sweep_roles(run->admin, err) && run_restore_gates(run, err) && practise(run, out, err);
}

bool backup_run_drill(const struct config *config, const char *id, struct drill_result *out, struct err *err)
{
	struct run_report report = { .run = "" };
	struct run run;

	*out = (struct drill_result){ .seconds = -1 };
	run_init(&run, config, &by_hand, &report);
	bool ok = drill(&run, id, out, err);
	progress_finish();
	out->manifest = run.manifest;
	run.manifest = NULL;
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}

void drill_result_clear(struct drill_result *r)
{
	manifest_free(r->manifest);
	free(r->store);
	free(r->server);
	*r = (struct drill_result){ .seconds = -1 };
}

/* ------------------------------------------------------------------ the last one */

bool drill_last(const struct stores *stores, const struct backup_list *list, const char *database,
                struct last_drill *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct manifest *m = list->v[i].manifest;
		const char *is = manifest_str(m, "database"), *how = manifest_verified_how(m);
		struct backup_drill drill;

		if (!is || strcmp(is, database) != 0 || !how ||
		    strcmp(how, verify_name(BACKUP_VERIFY_DRILL)) != 0 ||
		    !backup_drill_read(stores, m, &drill))
			continue;
		*out = (struct last_drill){ .ms = drill.ms, .bytes = manifest_bytes(m) };
		snprintf(out->backup, sizeof(out->backup), "%s", manifest_id(m));
		snprintf(out->at, sizeof(out->at), "%s", drill.at);
		return true;
	}
	return false;
}
