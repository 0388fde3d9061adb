#include "runner/guard/copy_run.h"

#include "base/cancel.h"
#include "base/mem.h"

static bool connect(struct run *run, struct conninfo **live, struct err *err)
{
	if (!config_database(run->config, live, err) || !config_drill(run->config, &run->live, err))
		return false;
	run->maintenance = conninfo_with(run->live, "dbname", conninfo_dbname(run->live));
	run->database = conninfo_dbname(*live);
	return run_connect_maintenance(run, err) && run_open_stores(run, err) &&
	       dump_tools_find(db_server_version(run->admin) / 10000, run->config->pg_bindir, &run->bin_dir,
	                       err);
}

static bool find_backup(struct run *run, const char *backup, struct err *err)
{
	if (!(backup ? run_find_backup(run, backup, err) : run_find_newest(run, err)))
		return false;
	return backup_can_open(&run->stores, run->manifest) ||
	       err_set(err, ERR_BACKUP, "backup %s is encrypted, and there is no key (identity in [backup])",
	               manifest_id(run->manifest));
}

bool copy_begin(struct run *run, const char *backup, struct conninfo **live, struct err *err)
{
	return connect(run, live, err) && find_backup(run, backup, err) && before_from_backup(run, err) &&
	       run_scratch_tidy(run, err) && run_sweep_roles(run->admin, err) && run_restore_gates(run, err);
}

bool copy_restore(struct run *run, struct err *err)
{
	return (run_restore_roles(run, true, err) && run_scratch_prove(run, false, err)) ||
	       err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
}

bool copy_end(struct run *run, bool ok, struct err *err)
{
	struct err second = ERR_INIT;

	cancel_hold(); /* a signal must not keep what is left of it there */
	bool dropped = ok ? run_scratch_drop(run, err) : run_scratch_give_up(run, err);
	if (run_drop_roles(run, &second))
		return ok && dropped;
	if (ok && dropped) {
		*err = second;
		return false;
	}
	return err_hint(err, "%s", second.msg);
}
