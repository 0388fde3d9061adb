#include "runner/guard/restore_run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "runner/guard/run.h"
#include "runner/proof/swap.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

/* ------------------------------------------------------------------ where to */

/* The live database may be gone, so only the maintenance database is connected to. */
static bool connect_maintenance(struct run *run, struct err *err)
{
	if (!run_connect_maintenance(run, err) || !run_open_stores(run, err) ||
	    !dump_tools_find(db_server_version(run->admin) / 10000, run->config->pg_bindir, &run->bin_dir,
	                     err))
		return false;
	return database_oid(run->admin, run->database, &run->before.oid, err);
}

static void drop_again(struct run *run, const char *name, struct err *err)
{
	struct err second = ERR_INIT;

	cancel_hold(); /* the signal that ended it must not keep what is left of it there */
	if (!database_drop(run->admin, name, &second))
		err_hint(err, "database \"%s\" is left over and could not be dropped: %s", name, second.msg);
}

/* Restored, proven to be what the manifest says, and then brought up to `target` where that is not NULL. */
static bool build(struct run *run, const struct restore_choice *choice, const char *name, const char *target,
                  struct restore_result *out, struct err *err)
{
	cleanup_free char *comment = run_candidate_comment(run);

	if (!run_restore_gates(run, err) || (choice->as && !run_restore_dress_gates(run, err)) ||
	    !run_restore_roles(run, false, err) || !run_restore_into(run, name, comment, false, err))
		return false;
	if ((!target || run_restored_upgrade(run, name, target, &out->applied, err)) &&
	    run_restored_pin(run, name, &out->heads, err) &&
	    (!choice->role_passwords || run_restore_passwords(run, err)) &&
	    database_oid(run->admin, name, &run->candidate_oid, err))
		return true;
	drop_again(run, name, err);
	return false;
}

/* A database that is to be used has the owner, grants, settings and comment of the one that was backed up. */
static bool dress(struct run *run, const char *name, struct err *err)
{
	cleanup_free char *sql = database_facts_sql(name, run->before.facts);

	if (db_run(run->admin, "BEGIN", err) && db_run(run->admin, sql, err) &&
	    db_run(run->admin, "COMMIT", err))
		return true;
	struct err ignored = ERR_INIT; /* a session that is lost has rolled back */
	cancel_hold();
	(void)!db_run(run->admin, "ROLLBACK", &ignored);
	drop_again(run, name, err);
	return false;
}

/* ------------------------------------------------------------------ the swap by hand */

/* The live database is kept from others and renamed: a kill in between is taken back by `recover`. */
static bool begin_journal(struct run *run, struct err *err)
{
	json_t *sessions;

	if (!db_value(run->admin, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()",
	              DB_NO_ARGS, &run->before.system_identifier, err) ||
	    !run_sessions_json(run, &sessions, err))
		return false;
	json_t *data = json_pack("{s:s, s:s, s:[], s:[], s:s, s:o}", "run", run->id, "verb", "restore",
	                         "from", "to", "host", run->actor_host, "sessions", sessions);
	json_put(data, "database", json_str(run->database));
	json_put(data, "system_identifier", json_str(run->before.system_identifier));
	json_put(data, "backup", json_str(manifest_id(run->manifest)));
	return journal_create(run->config->state_dir, run->id, &run->journal, err) &&
	       journal_write(run->journal, "run", "begin", data, err);
}

static void end_journal(struct run *run, bool ok)
{
	/* A fence that could not be taken away is recovery's. */
	if (run->journal && run->fence.oid == 0)
		run_journal_evident(
			run, "run", "end",
			json_pack("{s:s}", "outcome", outcome_name(ok ? OUTCOME_RESTORED : OUTCOME_FAILED)));
}

/* Lines for both first: what they change is put back, or found done, by OID. */
static bool journal_swap(struct run *run, const json_t *facts, const char *quarantine, struct err *err)
{
	json_t *fence = json_pack("{s:I, s:O, s:i}", "oid", (json_int_t)run->before.oid, "before",
	                          json_object_get(facts, "connection_limit"), "ours", 0);
	json_t *swap = json_pack("{s:I, s:I, s:s}", "live", (json_int_t)run->before.oid, "candidate",
	                         (json_int_t)run->candidate_oid, "quarantine", quarantine);

	if (!journal_write(run->journal, "fence", "begin", fence, err)) {
		json_decref(swap);
		return false;
	}
	return journal_write(run->journal, "swap", "begin", swap, err);
}

static bool swap(struct run *run, const char *candidate, struct restore_result *out, struct err *err)
{
	cleanup_free char *application = run_application(run, "swap");
	cleanup_free char *quarantine = database_derived_name(run->database, "quarantine", run->id);
	cleanup_free char *comment =
		mem_fmt("ripcord: quarantine of run %s; `ripcord quarantine drop` ends it", run->id);
	const struct pids none = { .n = 0 };
	cleanup_json json_t *facts = NULL;
	struct swap_end end;

	if (!database_facts(run->admin, run->database, &facts, err) ||
	    !journal_swap(run, facts, quarantine, err) ||
	    !fence_set(&run->fence, run->admin, run->before.oid, 0, &none, err))
		return false;
	struct swap_request request = {
		.maintenance = run->maintenance,
		.application = application,
		.lock = run->lock,
		.live = run->database,
		.candidate = candidate,
		.quarantine = quarantine,
		.live_oid = run->before.oid,
		.candidate_oid = run->candidate_oid,
		.facts = facts,
		.quarantine_comment = comment,
	};
	bool ok = swap_databases(&request, &end, err);
	struct err second = ERR_INIT;
	if (!run_fence_open(run, ok ? err : &second))
		return ok ? false : err_hint(err, "%s", second.msg);
	if (ok)
		out->quarantine = mem_strdup(quarantine);
	return ok;
}

static bool check_choice(const struct run *run, const struct restore_choice *choice, struct err *err)
{
	if (!choice->backup == !choice->to_revision)
		return err_set(err, ERR_USAGE, "either --backup or --to-revision says what to restore");
	if (choice->as && choice->swap)
		return err_set(err, ERR_USAGE, "--as and --swap do not go together");
	if (choice->swap && run->before.oid == 0)
		return err_set(err, ERR_REFUSED, "there is no database \"%s\" to swap with: use --as",
		               run->database);
	if (choice->swap && !choice->accept_loss) {
		err_set(err, ERR_REFUSED,
		        "what was written to \"%s\" since the backup would only be in the quarantine",
		        run->database);
		return err_hint(err, "say --accept-loss when that is meant");
	}
	return true;
}

static bool restore(struct run *run, const struct restore_choice *choice, struct restore_result *out,
                    struct err *err)
{
	cleanup_free char *name = NULL, *target = NULL;
	int64_t began = clock_ms();

	if (!connect_maintenance(run, err) || !check_choice(run, choice, err) ||
	    (choice->swap && !run_lock(run, err)) ||
	    !(choice->backup ? run_find_backup(run, choice->backup, err) &&
	                               run_refuse_foreign(run, choice->from, err)
	                     : run_find_revision(run, choice->to_revision, choice->from, &target, err)) ||
	    (choice->role_passwords && !run_restore_has_passwords(run, err)) || !before_from_backup(run, err))
		return false;
	name = choice->as ? mem_strdup(choice->as)
	                  : database_derived_name(run->database, "candidate", run->id);
	if (choice->swap && !begin_journal(run, err))
		return false;
	if (!build(run, choice, name, target, out, err) || (choice->as && !dress(run, name, err)) ||
	    (choice->swap && !swap(run, name, out, err)))
		return false;
	snprintf(out->backup_id, sizeof(out->backup_id), "%s", manifest_id(run->manifest));
	out->database = mem_strdup(choice->swap ? run->database : name);
	out->seconds = (double)(clock_ms() - began) / 1000;
	return true;
}

bool restore_run(const struct config *config, const struct restore_choice *choice, struct restore_result *out,
                 struct err *err)
{
	struct run_report report = { .run = "" };
	struct run run;

	*out = (struct restore_result){ .seconds = 0 };
	run_init(&run, config, &by_hand, &report);
	bool ok = restore(&run, choice, out, err);
	end_journal(&run, ok);
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}

void restore_result_clear(struct restore_result *r)
{
	free(r->database);
	free(r->quarantine);
	strv_clear(&r->heads);
	strv_clear(&r->applied);
	*r = (struct restore_result){ .seconds = 0 };
}
