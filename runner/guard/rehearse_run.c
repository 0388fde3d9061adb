#include "runner/guard/rehearse_run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/copy_run.h"
#include "runner/guard/prove.h"
#include "runner/guard/rehearsals.h"
#include "runner/guard/rehearse_estimate.h"
#include "runner/guard/rehearse_limits.h"
#include "runner/guard/rehearse_watch.h"
#include "runner/guard/run.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

/* ------------------------------------------------------------------ the copy */

static bool restore(struct run *run, json_t *out, struct err *err)
{
	int64_t began = clock_ms();

	if (!copy_restore(run, err))
		return false;
	json_put(out, "restore_seconds", json_real((double)(clock_ms() - began) / 1000));
	return true;
}

/* ------------------------------------------------------------------ the plan */

static json_t *heads_json(const struct strv *heads)
{
	json_t *out = json_array();

	for (size_t i = 0; i < heads->n; i++)
		json_push(out, json_str(heads->v[i]));
	return out;
}

static bool check_files(const struct run *run, struct err *err)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	if (ledger_check_files(run->ledger, run->scratch, run->graph, &diff, err))
		return true;
	fputs(buf_text(&diff), stderr);
	return false;
}

static bool make_plan(struct run *run, const char *target, json_t *out, struct err *err)
{
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	if (!ledger_open(run->scratch, &names, &run->ledger, err) ||
	    !ledger_create(run->ledger, run->scratch, err) ||
	    !ledger_complete_graph(run->ledger, run->scratch, run->graph, err) || !check_files(run, err) ||
	    !plan_make(run->graph, ledger_heads(run->ledger), target, DIRECTION_UP, &run->plan, err))
		return false;
	for (size_t i = 0; i < run->plan->n; i++)
		if (!exec_check(run->plan->steps[i].revision, err) ||
		    !exec_check_reach(run->plan->steps[i].revision, err))
			return false;
	json_put(out, "from", heads_json(&run->plan->from));
	json_put(out, "to", heads_json(&run->plan->to));
	return true;
}

/* ------------------------------------------------------------------ one revision */

/* The server's own totals of the database and its WAL; temporary bytes are told behind a flush, which 14 cannot be asked
 * for. */
struct totals {
	int64_t temp_bytes;
	char *lsn;
};

static bool read_totals(struct db *db, struct totals *out, struct err *err)
{
	free(out->lsn);
	out->lsn = NULL;
	if (db_server_version(db) >= 150000 &&
	    !db_run(db, "SELECT pg_catalog.pg_stat_force_next_flush()", err))
		return false;
	return db_int(db,
	              "SELECT temp_bytes FROM pg_catalog.pg_stat_database WHERE datname = "
	              "pg_catalog.current_database()",
	              DB_NO_ARGS, &out->temp_bytes, err) &&
	       db_value(db, "SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text", DB_NO_ARGS,
	                &out->lsn, err);
}

static bool put_totals(struct db *db, const struct totals *before, json_t *o, struct err *err)
{
	struct totals after = { .lsn = NULL };
	int64_t wal = 0;

	bool ok = read_totals(db, &after, err) &&
	          db_int(db,
	                 "SELECT pg_catalog.pg_wal_lsn_diff($1::pg_catalog.pg_lsn, "
	                 "$2::pg_catalog.pg_lsn)::int8",
	                 DB_ARGS(after.lsn, before->lsn), &wal, err);
	json_put(o, "wal_bytes", json_integer(wal));
	json_put(o, "temp_bytes", json_integer(after.temp_bytes - before->temp_bytes));
	free(after.lsn);
	return ok;
}

static json_t *failure_json(const struct step *step, const struct exec_report *report, const struct err *why)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(step->revision->id));
	json_put(o, "phase", json_str(report->phase));
	json_put(o, "message", json_str(why->msg));
	json_put(o, "file", json_str(*why->file ? why->file : NULL));
	json_put(o, "line", why->line > 0 ? json_integer(why->line) : json_null());
	return o;
}

static bool is_fatal(const struct run *run, const struct err *err)
{
	return err->code == ERR_CANCELLED || cancel_requested() || db_is_lost(run->scratch);
}

static bool measure(struct run *run, struct rehearse_watch *w, const struct step *step, json_t *o,
                    struct exec_report *report, struct err *err)
{
	const struct statement_watch watch = rehearse_watch_of(w);
	struct totals before = { .lsn = NULL };

	rehearse_watch_begin(w);
	bool ok = read_totals(run->scratch, &before, err);
	int64_t began = rehearse_watch_ms(w);
	ok = ok && prove_unit(run, step, &watch, report, err);
	json_put(o, "seconds", json_real((double)(rehearse_watch_ms(w) - began) / 1000));
	struct err second = ERR_INIT;
	bool told = rehearse_watch_end(w, ok, o, ok ? err : &second) &&
	            (!ok || put_totals(run->scratch, &before, o, err));
	free(before.lsn);
	return ok && told;
}

static json_t *revision_json(const struct step *step)
{
	char digest[SHA256_HEX];
	json_t *o = json_object();

	step_sha256(step, digest);
	json_put(o, "revision", json_str(step->revision->id));
	json_put(o, "message", json_str(step->revision->message));
	json_put(o, "sha256", json_str(digest));
	return o;
}

/* A revision that fails ends the rehearsal, and is its result. */
static bool run_revisions(struct run *run, struct rehearse_watch *w, json_t *out, struct err *err)
{
	json_t *revisions = json_array();

	json_put(out, "revisions", revisions);
	for (size_t i = 0; i < run->plan->n; i++) {
		const struct step *step = &run->plan->steps[i];
		json_t *o = revision_json(step);
		struct exec_report report = { .phase = "upgrade" };
		struct err why = ERR_INIT;

		if (measure(run, w, step, o, &report, &why)) {
			json_push(revisions, o);
			log_info("revision %s rehearsed", step->revision->id);
			continue;
		}
		json_put(out, "failed", o);
		json_put(out, "failure", failure_json(step, &report, &why));
		if (is_fatal(run, &why)) {
			*err = why;
			return false;
		}
		return true;
	}
	return true;
}

static bool upgrade(struct run *run, const char *target, json_t *out, json_t **sizes, struct err *err)
{
	struct rehearse_watch w = { .db = NULL };

	if (!run_scratch_dress(run, err) || !make_plan(run, target, out, err))
		return false;
	bool ok = rehearse_watch_start(&w, run->scratch, ledger_table(run->ledger), err) &&
	          rehearse_sizes(run->scratch, NULL, sizes, err) && run_revisions(run, &w, out, err);
	rehearse_watch_clear(&w);
	return ok;
}

/* ------------------------------------------------------------------ the live database */

/* Whoever has a table to himself there is not waited for long, and nobody waits for us. */
static bool read_live(struct run *run, const struct conninfo *live, const char *names, json_t **out,
                      struct err *err)
{
	cleanup_free char *application = run_application(run, "estimate");
	cleanup_db struct db *db = NULL;

	return db_open(live, application, &db, err) &&
	       db_run(db, "SET lock_timeout = '2s'; SET statement_timeout = '60s'; SET jit = off", err) &&
	       rehearse_sizes(db, names, out, err);
}

/* The live database need not be there: then there is no estimate, and that is said. */
static bool estimate(struct run *run, const struct conninfo *live, const json_t *copy, json_t *out,
                     struct err *err)
{
	cleanup_free char *names = rehearse_touched(out);
	cleanup_json json_t *there = NULL;
	struct err why = ERR_INIT;

	json_put(out, "estimate", json_null());
	json_put(out, "estimate_missing", json_null());
	if (read_live(run, live, names, &there, &why)) {
		rehearse_estimate(out, copy, there);
	} else if (why.code == ERR_CANCELLED) {
		*err = why;
		return false;
	} else {
		json_put(out, "estimate_missing", json_str(why.msg));
	}
	json_put(out, "limits",
	         rehearse_limits(out, run->plan, run->config, run->config->writes == WRITES_FENCE));
	return true;
}

/* ------------------------------------------------------------------ all of it */

static void put_sums(json_t *out)
{
	struct rehearsal_sums sums;
	const char *none;

	if (!rehearsal_sum(out, NULL, &sums, &none))
		return;
	json_put(out, "seconds", json_real(sums.seconds));
	json_put(out, "wal_bytes", json_integer(sums.wal_bytes));
	json_put(out, "temp_bytes", json_integer(sums.temp_bytes));
	rehearsal_sums_clear(&sums);
}

static json_t *begin_result(const struct run *run, const char *target)
{
	json_t *out = json_object();
	char now[CLOCK_ISO];

	json_put(out, "target", json_str(target));
	json_put(out, "database", json_str(run->database));
	json_put(out, "backup", json_str(manifest_id(run->manifest)));
	json_put(out, "backup_created", json_str(manifest_str(run->manifest, "created")));
	json_put(out, "server", json_str(conninfo_label(run->live)));
	json_put(out, "at", json_str(clock_iso(clock_wall_us(), now)));
	json_put(out, "failed", json_null());
	json_put(out, "failure", json_null());
	return out;
}

static bool rehearse(struct run *run, const struct rehearse_request *request, struct conninfo **live,
                     json_t **out, struct err *err)
{
	cleanup_json json_t *sizes = NULL;
	struct err unkept = ERR_INIT;

	if (!graph_load(run->config->migrations, &run->graph, err) ||
	    !copy_begin(run, request->backup, live, err))
		return false;
	*out = begin_result(run, request->target);
	bool ok = restore(run, *out, err) && upgrade(run, request->target, *out, &sizes, err) &&
	          estimate(run, *live, sizes, *out, err);
	if (!copy_end(run, ok, err))
		return false;
	put_sums(*out);
	if (!rehearsals_keep(run->config->state_dir, run->database, *out, &unkept))
		log_warn("the rehearsal is not kept: %s", unkept.msg);
	return true;
}

bool rehearse_run(const struct config *config, const struct rehearse_request *request, json_t **out,
                  struct err *err)
{
	cleanup_conninfo struct conninfo *live = NULL;
	struct run_report report = { .run = "" };
	struct run run;

	*out = NULL;
	run_init(&run, config, &by_hand, &report);
	bool ok = rehearse(&run, request, &live, out, err);
	progress_finish();
	if (!ok) {
		json_decref(*out);
		*out = NULL;
	}
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}
