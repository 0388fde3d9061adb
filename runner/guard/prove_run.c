#include "runner/guard/prove_run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/copy_run.h"
#include "runner/guard/prove.h"
#include "runner/progress.h"

#include <stdlib.h>
#include <string.h>

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

void prove_result_clear(struct prove_result *r)
{
	for (size_t i = 0; i < r->n; i++)
		proof_clear(&r->v[i]);
	free(r->v);
	*r = (struct prove_result){ .n = 0 };
}

/* ------------------------------------------------------------------ which revisions */

static bool find_asked(const struct graph *g, const struct prove_request *request, struct strv *ids,
                       struct err *err)
{
	static const struct strv nowhere = STRV_INIT;

	for (size_t i = 0; i < request->n_words; i++) {
		const struct revision *r;
		if (!graph_find(g, &nowhere, request->words[i], &r, err))
			return false;
		strv_add(ids, r->id);
	}
	return true;
}

/* ------------------------------------------------------------------ where */

/* [drill] url when there is one: proofs need not burden the live server. */
static bool connect(struct run *run, struct conninfo **live, struct err *err)
{
	struct err none = ERR_INIT;

	if (!config_drill(run->config, &run->live, err))
		return false;
	run->maintenance = conninfo_with(run->live, "dbname", conninfo_dbname(run->live));
	run->database = config_database(run->config, live, &none) ? conninfo_dbname(*live)
	                                                          : conninfo_dbname(run->live);
	return run_connect_maintenance(run, err);
}

/* Like the live database where that is there: revisions find its encoding, locale and settings.  Else like the
 * maintenance database, but our own. */
static bool read_facts(struct run *run, struct err *err)
{
	cleanup_free char *owner = NULL;
	int64_t oid;

	if (!database_oid(run->admin, run->database, &oid, err) ||
	    !database_facts(run->admin, oid ? run->database : conninfo_dbname(run->maintenance),
	                    &run->before.facts, err))
		return false;
	if (oid)
		return true;
	if (!db_value(run->admin, "SELECT session_user::text", DB_NO_ARGS, &owner, err))
		return false;
	const char *role = run->config->role;
	json_put(run->before.facts, "owner", json_str(role && *role ? role : owner));
	json_put(run->before.facts, "settings", json_null());
	return true;
}

static bool take_rows(struct run *copy, int64_t n, struct prove_rows **out, struct err *err)
{
	const struct ledger_names names = { .schema = copy->config->version_schema,
		                            .table = copy->config->version_table };

	return run_scratch_dress(copy, err) && ledger_open(copy->scratch, &names, &copy->ledger, err) &&
	       prove_rows_take(copy->scratch, ledger_table(copy->ledger), n, out, err);
}

/* ------------------------------------------------------------------ all of them */

static bool prove_each(struct proving *p, const struct strv *asked, const struct prove_request *request,
                       struct prove_result *out, struct err *err)
{
	const struct run *run = p->run;

	out->v = mem_new0((graph_count(run->graph) + 1) * sizeof(struct proof));
	for (size_t i = 0; i < graph_count(run->graph); i++) {
		const struct revision *r = graph_at(run->graph, i);
		struct err unkept = ERR_INIT;
		if (request->n_words > 0 && !strv_has(asked, r->id))
			continue;
		struct proof *proof = &out->v[out->n++];
		if (!prove_revision(p, r, proof, err))
			return false;
		log_info("revision %s: %s", r->id, proof_verdict_name(proof->verdict));
		if (!proofs_keep(run->config->state_dir, r, proof, &unkept))
			log_warn("the proof of revision %s is not kept: %s", r->id, unkept.msg);
	}
	return true;
}

/* `copy` has the backup's rows; NULL: rows are made.  What its role owns goes first. */
static bool prove_all(struct run *run, struct run *copy, const struct strv *asked,
                      const struct prove_request *request, struct prove_result *out, struct err *err)
{
	struct proving p = { .run = run, .sample = request->sample };
	struct prove_rows *rows = NULL;

	if (copy && !take_rows(copy, request->sample, &rows, err))
		return false;
	p.rows = rows;
	p.backup = copy ? manifest_id(copy->manifest) : NULL;
	bool ok = prove_each(&p, asked, request, out, err);
	strv_clear(&p.filled);
	prove_rows_free(rows);
	if (ok)
		return run_scratch_drop(run, err);
	cancel_hold(); /* the signal that ended it must not keep what is left of it there */
	return run_scratch_give_up(run, err);
}

/* The backup rests in a scratch database of a run of its own, since each has but one. */
static bool prove_with_backup(struct run *run, const struct strv *asked, const struct prove_request *request,
                              struct prove_result *out, struct err *err)
{
	const char *id = strcmp(request->backup, "newest") == 0 ? NULL : request->backup;
	cleanup_conninfo struct conninfo *live = NULL;
	struct run_report report = { .run = "" };
	struct run copy;

	run_init(&copy, run->config, &by_hand, &report);
	bool ok = copy_begin(&copy, id, &live, err);
	if (ok) {
		ok = copy_restore(&copy, err) && prove_all(run, &copy, asked, request, out, err);
		ok = copy_end(&copy, ok, err);
	}
	progress_finish();
	run_clear(&copy);
	run_report_clear(&report);
	return ok;
}

static bool prove(struct run *run, const struct prove_request *request, struct conninfo **live,
                  struct prove_result *out, struct err *err)
{
	cleanup_strv struct strv asked = STRV_INIT;

	if (!graph_load(run->config->migrations, &run->graph, err) ||
	    !find_asked(run->graph, request, &asked, err) || !connect(run, live, err) ||
	    !run_scratch_tidy(run, err) || !read_facts(run, err))
		return false;
	return request->backup ? prove_with_backup(run, &asked, request, out, err)
	                       : prove_all(run, NULL, &asked, request, out, err);
}

bool prove_run(const struct config *config, const struct prove_request *request, struct prove_result *out,
               struct err *err)
{
	cleanup_conninfo struct conninfo *live = NULL;
	struct run_report report = { .run = "" };
	struct run run;

	*out = (struct prove_result){ .n = 0 };
	run_init(&run, config, &by_hand, &report);
	bool ok = prove(&run, request, &live, out, err);
	run_clear(&run);
	run_report_clear(&report);
	return ok;
}
