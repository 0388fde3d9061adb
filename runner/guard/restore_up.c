/* What a database that was restored by hand gets before anybody uses it: the rest of its revisions, and the pin. */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool open_restored(struct run *run, const char *name, struct db **db, struct ledger **ledger,
                          struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };
	cleanup_conninfo struct conninfo *target = conninfo_with(run->live, "dbname", name);

	return run_open(run, target, "restored", db, err) &&
	       db_run(*db,
	              "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
	              " SET default_transaction_read_only = off;"
	              " SET default_transaction_isolation = 'read committed'",
	              err) &&
	       ledger_open(*db, &names, ledger, err);
}

/* ------------------------------------------------------------------ the rest of the revisions */

static bool plan_up(struct run *run, struct db *db, const struct ledger *ledger, const char *target,
                    struct plan **plan, struct err *err)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	if (!ledger_complete_graph(ledger, db, run->graph, err))
		return false;
	if (!ledger_check_files(ledger, db, run->graph, &diff, err)) {
		fputs(buf_text(&diff), stderr);
		return false;
	}
	if (!plan_make(run->graph, ledger_heads(ledger), target, DIRECTION_UP, plan, err))
		return false;
	for (size_t i = 0; i < (*plan)->n; i++)
		if (!exec_check((*plan)->steps[i].revision, err))
			return false;
	return true;
}

static bool apply(struct run *run, struct db *db, struct ledger *ledger, const struct plan *plan,
                  struct strv *applied, struct err *err)
{
	const struct exec_settings settings = run_exec_settings(run);
	char took[TEXT_SHORT];

	for (size_t i = 0; i < plan->n; i++) {
		const struct revision *r = plan->steps[i].revision;
		struct exec_report report = { .phase = NULL };

		if (!exec_unit(db, ledger, &plan->steps[i], 1, &settings, &report, err))
			return err_wrap(err, "revision %s does not apply to the restored database", r->id);
		log_info("upgrade %s in %s  %s", r->id, text_duration(report.elapsed_ms, took), r->message);
		strv_add(applied, r->id);
	}
	if (!ledger_read(ledger, db, err))
		return false;
	return strv_same(ledger_heads(ledger), &plan->to) ||
	       err_set(err, ERR_CORRUPT,
	               "the restored database is not at the revision that it was brought to");
}

static bool upgrade(struct run *run, const char *name, const char *target, struct strv *applied,
                    struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	cleanup_plan struct plan *plan = NULL;

	return open_restored(run, name, &db, &ledger, err) && plan_up(run, db, ledger, target, &plan, err) &&
	       apply(run, db, ledger, plan, applied, err);
}

/* Revisions find the settings (search_path!) that they would have found in the database itself; a candidate gets the live
 * one's at the swap, and so is left with none. */
bool run_restored_upgrade(struct run *run, const char *name, const char *target, struct strv *applied,
                          struct err *err)
{
	cleanup_free char *settings = database_settings_sql(name, run->before.facts),
			  *none = database_no_settings_sql(name, run->before.facts);

	return db_run(run->admin, settings, err) && upgrade(run, name, target, applied, err) &&
	       db_run(run->admin, none, err);
}

/* ------------------------------------------------------------------ the pin */

bool run_restored_pin(struct run *run, const char *name, struct strv *heads, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	const struct actor actor = run_actor(run);
	cleanup_free char *reason = mem_fmt("restored from backup %s of %s", manifest_id(run->manifest),
	                                    manifest_str(run->manifest, "created"));

	if (!open_restored(run, name, &db, &ledger, err))
		return false;
	strv_add_all(heads, ledger_heads(ledger));
	return ledger_note(ledger, db, &actor, heads->n ? heads->v[0] : "", LEDGER_PINNED, reason, err) ||
	       err_wrap(err, "cannot pin the restored database to its revision");
}
