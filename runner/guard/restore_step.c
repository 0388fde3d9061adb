/*
 * The last rung: the backup beside the live database, proven, told of the run, and swapped in.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/progress.h"
#include "runner/proof/candidate.h"
#include "runner/proof/roles.h"
#include "runner/proof/swap.h"

#include <stdlib.h>
#include <string.h>

/* The end of a candidate's COMMENT once it is proven and told of the run. */
#define PROVEN " and proven"

static bool recreate_roles(struct run *run, struct err *err)
{
	if (!roles_recreate(run->admin, run->before.roles, NULL, &run->recreated_roles, err))
		return false;
	for (size_t i = 0; i < run->recreated_roles.n; i++) {
		log_warn("role %s, which the run dropped, is there again without login: give it its password "
		         "back",
		         run->recreated_roles.v[i]);
		strv_fmt(&run->report->next,
		         "role %s was dropped by the run and created again without login: ALTER ROLE %s "
		         "LOGIN PASSWORD ...",
		         run->recreated_roles.v[i], run->recreated_roles.v[i]);
	}
	return true;
}

/* The restored database tells of the failed run, and names the end of the quarantine's chain. */
static bool tell_candidate(struct run *run, struct db *candidate, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };
	cleanup_ledger struct ledger *ledger = NULL;
	struct actor actor = run_actor(run);
	const char *tip = run->ledger ? ledger_chain_tip(run->ledger) : "";
	cleanup_free char *quarantine = database_derived_name(run->database, "quarantine", run->id);
	cleanup_free char *reason =
		mem_fmt("run %s failed; the database was restored from backup %s; what it had become is"
	                " in database %s, whose history ends with %s",
	                run->id, manifest_id(run->manifest), quarantine, *tip ? tip : "nothing");
	const char *head = run->report->from.n ? run->report->from.v[0] : "";

	/* Another tool's project has no ledger of ours to write to. */
	if (run->request->verb == GUARD_COMMAND && ledger_history_count(run->ledger) == 0)
		return true;
	if (!ledger_open(candidate, &names, &ledger, err) || !ledger_create(ledger, candidate, err))
		return false;
	/* Already told, when a recovery takes up a candidate that was ready. */
	if (ledger_history_count(ledger) > 0 && strcmp(ledger_history(ledger, 0)->run, run->id) == 0)
		return true;
	return ledger_note(ledger, candidate, &actor, head, "restored", reason, err);
}

static bool finish_candidate(struct run *run, struct err *err)
{
	cleanup_conninfo struct conninfo *target = conninfo_with(run->live, "dbname", run->candidate);
	cleanup_free char *begun = run_candidate_comment(run), *comment = mem_fmt("%s" PROVEN, begun);
	cleanup_db struct db *candidate = NULL;

	return run_open(run, target, "candidate", &candidate, err) &&
	       run_advance_sequences(run, candidate, err) && tell_candidate(run, candidate, err) &&
	       mirror_into(run, candidate, err) &&
	       database_oid(run->admin, run->candidate, &run->candidate_oid, err) &&
	       /* Last: whoever recovers takes it up by this word alone. */
	       db_runf(run->admin, err, "COMMENT ON DATABASE %I IS %L", run->candidate, comment);
}

struct candidate_request run_candidate_request(const struct run *run, const char *name, const char *comment,
                                               const char *application)
{
	return (struct candidate_request){
		.live = run->live,
		.maintenance = run->admin,
		.stores = &run->stores,
		.manifest = run->manifest,
		.bin_dir = run->bin_dir,
		.private_dir = run->private_dir,
		.facts = run->before.facts,
		.schema = run->before.schema,
		.version_table = run->manifest ? manifest_str(run->manifest, "version_table") : NULL,
		.name = name,
		.comment = comment,
		.application = application,
		.progress = progress_listener(),
	};
}

bool run_restore_into(struct run *run, const char *name, const char *comment, bool schema_only,
                      struct err *err)
{
	cleanup_free char *application = run_application(run, "restore");
	struct candidate_request request = run_candidate_request(run, name, comment, application);

	request.schema_only = schema_only;
	bool ok = candidate_build(&request, err);
	progress_finish();
	return ok;
}

char *run_candidate_comment(const struct run *run)
{
	return mem_fmt("ripcord: candidate of run %s, restored from backup %s", run->id,
	               manifest_id(run->manifest));
}

bool run_made_database(struct run *run, const char *name, int64_t *oid, bool *proven, struct err *err)
{
	cleanup_free char *comment = NULL, *mark = mem_fmt("%lld", (long long)database_mark(name));

	*oid = 0;
	*proven = false;
	/* With the mark and without a comment: ended between the two statements that make it. */
	if (!database_oid(run->admin, name, oid, err) ||
	    (*oid != 0 && !db_value(run->admin,
	                            "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_database'),"
	                            " CASE WHEN datconnlimit <> $2::int4 THEN 'it has no comment' END)"
	                            " FROM pg_catalog.pg_database WHERE datname = $1",
	                            DB_ARGS(name, mark), &comment, err)))
		return false;
	if (comment && !strstr(comment, run->id))
		return err_set(err, ERR_REFUSED, "database \"%s\" is not this run's: %s", name, comment);
	*proven = comment && text_ends(comment, PROVEN);
	return true;
}

bool run_build_candidate(struct run *run, struct err *err)
{
	cleanup_free char *name = database_derived_name(run->database, "candidate", run->id);
	cleanup_free char *comment = run_candidate_comment(run);

	if (run->candidate)
		return recreate_roles(run, err) && finish_candidate(run, err);
	run_journal_evident(run, "candidate", "begin", json_pack("{s:s}", "database", name));
	if (!recreate_roles(run, err) || !run_restore_into(run, name, comment, false, err))
		return false;
	run->candidate = mem_strdup(name);
	if (!finish_candidate(run, err))
		return false;
	run_journal_evident(run, "candidate", "done",
	                    json_pack("{s:s, s:I}", "database", name, "oid", (json_int_t)run->candidate_oid));
	return true;
}

/* ------------------------------------------------------------------ the swap */

/* What the live name shows now has to be what was there before, the database's own facts included. */
bool run_prove_swapped(struct run *run, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_schema struct schema *is = NULL, *roles = NULL;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	struct schema_options options = { .version_table = ledger_table(run->ledger) };

	if (!run_open(run, run->live, "prove", &db, err) || !schema_read(db, &options, &is, err) ||
	    !schema_read_roles(db, &roles, err))
		return false;
	size_t differ = schema_diff(run->before.schema, is, SCHEMA_STRICT, &diff) +
	                roles_compare(run->before.roles, roles, &run->recreated_roles, &diff);
	return differ == 0 ||
	       err_set(err, ERR_CORRUPT,
	               "the restored database is in its place, but not all is as before:\n%.700s",
	               buf_text(&diff));
}

/* A backup of an earlier moment than the count has no fence to trust: see run_fence_and_count(). */
bool run_swap(struct run *run, bool *moved, struct err *err)
{
	cleanup_free char *application = run_application(run, "swap");
	cleanup_free char *name = database_derived_name(run->database, "quarantine", run->id);
	cleanup_free char *comment =
		mem_fmt("ripcord: quarantine of run %s; `ripcord quarantine drop` ends it", run->id);
	struct swap_end end;
	struct swap_request request = {
		.maintenance = run->maintenance,
		.application = application,
		.lock = run->lock,
		.live = run->database,
		.candidate = run->candidate,
		.quarantine = name,
		.live_oid = run->before.oid,
		.candidate_oid = run->candidate_oid,
		.facts = run->before.facts,
		.counted = foreign_writes_none(&run->foreign) ? &run->counted : NULL,
		.quarantine_comment = comment,
	};

	*moved = false;
	/* The lock may be lost and taken; the swap asks for it again just before its COMMIT. */
	if (!run_same_server(run, run->admin, err) || !mirror_check_token(run, err))
		return false;
	run_journal_evident(run, "swap", "begin",
	                    json_pack("{s:I, s:I, s:s}", "live", (json_int_t)run->before.oid, "candidate",
	                              (json_int_t)run->candidate_oid, "quarantine", name));
	db_close(run->db); /* ours would be in the way of the rename */
	run->db = NULL;
	bool swapped = swap_databases(&request, &end, err);
	*moved = end.moved;
	if (!swapped)
		return false;
	run->quarantine = mem_strdup(name);
	run->report->quarantine = mem_strdup(name);
	/* By OID: the quarantine's limit is what it was, the live one has its own since the swap. */
	run_journal_evident(run, "swap", "done", json_pack("{s:s}", "quarantine", name));
	return run_fence_open(run, err) && run_prove_swapped(run, err);
}
