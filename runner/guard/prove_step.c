/* One revision on the scratch database: up, down, compare, up again, compare. */
#include "runner/guard/prove.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ one unit */

bool prove_stays_inside(const struct rows *rows, struct err *err)
{
	if (rows_count(rows) == 0)
		return true;
	err_set(err, ERR_REFUSED, "it writes %s, which belongs to %s", rows_get(rows, 0, 0),
	        rows_get(rows, 0, 1));
	return err_hint(err, "such a revision is not tried on a copy");
}

static bool stays_inside(void *ctx, enum probe_point at, const struct rows *rows, struct err *err)
{
	(void)ctx;
	(void)at;
	return prove_stays_inside(rows, err);
}

bool prove_unit(struct run *run, const struct step *step, const struct statement_watch *watch,
                struct exec_report *report, struct err *err)
{
	const struct probe probe = { .at_end = exec_reach_question, .answered = stays_inside };
	struct exec_settings settings = run_exec_settings(run);

	settings.probe = &probe;
	settings.watch = watch;
	*report = (struct exec_report){ .phase = "upgrade" };
	return exec_check(step->revision, err) && exec_check_reach(step->revision, err) &&
	       exec_unit(run->scratch, run->ledger, step, 1, &settings, report, err);
}

/* Whatever else is wrong is wrong with the revision. */
static bool is_fatal(const struct proving *p, const struct err *err)
{
	return p->stopped || err->code == ERR_CANCELLED || cancel_requested() ||
	       (p->rows && prove_rows_lost(p->rows)) || (p->run->scratch && db_is_lost(p->run->scratch)) ||
	       db_is_lost(p->run->admin);
}

static bool conclude(struct proof *out, enum proof_verdict verdict, const char *reason)
{
	out->verdict = verdict;
	free(out->reason);
	out->reason = reason ? mem_strdup(reason) : NULL;
	return true;
}

/* false when it is fatal */
static bool conclude_failure(const struct proving *p, struct proof *out, enum proof_verdict verdict,
                             const char *what, const struct err *why)
{
	cleanup_free char *reason = mem_fmt("%s: %s", what, why->msg);

	conclude(out, verdict, reason);
	return !is_fatal(p, why);
}

/* ------------------------------------------------------------------ where it stands */

/* What bears data, and which it is: a column that was dropped and added again has another number. */
static const char holders_sql[] =
	"SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END || pg_catalog.format(' %I.%I', "
	"n.nspname,"
	" c.relname), c.oid::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
	"c.relnamespace"
	" WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384"
	" AND n.nspname NOT IN ('ripcord', 'information_schema')"
	" UNION ALL "
	"SELECT pg_catalog.format('column %I.%I.%I', n.nspname, c.relname, a.attname), a.attrelid || ' ' || "
	"a.attnum"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	"  AND a.attgenerated = ''"
	" WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname <> 'ripcord'";

struct state {
	struct schema *schema;
	json_t *holders; /* {"column public.t.c": "16402 3"} */
	json_t *content; /* NULL without rows */
};

static void state_clear(struct state *s)
{
	schema_free(s->schema);
	json_decref(s->holders);
	json_decref(s->content);
}
#define cleanup_state __attribute__((cleanup(state_clear)))

static bool read_holders(struct db *db, json_t **out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, holders_sql, DB_NO_ARGS, &r, err))
		return err_wrap(err, "cannot read which tables there are");
	*out = json_object();
	for (size_t i = 0; i < rows_count(r); i++)
		json_put(*out, rows_get(r, i, 0), json_str(rows_get(r, i, 1)));
	return true;
}

static bool read_state(const struct proving *p, struct state *out, struct err *err)
{
	const struct schema_options options = { .version_table = ledger_table(p->run->ledger) };
	struct db *db = p->run->scratch;

	return schema_read(db, &options, &out->schema, err) && read_holders(db, &out->holders, err) &&
	       (p->sample == 0 || prove_content(db, options.version_table, &out->content, err));
}

static bool read_schema(const struct proving *p, struct schema **out, struct err *err)
{
	const struct schema_options options = { .version_table = ledger_table(p->run->ledger) };

	return schema_read(p->run->scratch, &options, out, err);
}

static void add_lines(const struct buf *text, struct strv *out)
{
	cleanup_free char *copy = mem_strdup(buf_text(text));
	char *rest = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		strv_add(out, line);
}

static bool same_schema(const struct schema *was, const struct schema *is, struct strv *differs)
{
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);
	size_t n = schema_diff(was, is, SCHEMA_STRICT, &diff);

	add_lines(&diff, differs);
	return n == 0;
}

/* A table that was made anew says it for its columns. */
static bool is_of_lost_table(const char *name, const struct strv *lost)
{
	for (size_t i = 0; i < lost->n; i++) {
		const char *table = strchr(lost->v[i], ' ') + 1, *column = strchr(name, ' ') + 1;
		size_t n = strlen(table);
		if (strncmp(lost->v[i], "table ", 6) == 0 && strncmp(column, table, n) == 0 &&
		    column[n] == '.')
			return true;
	}
	return false;
}

static void holders_lost(const struct state *was, const struct state *is, const char *kind, struct strv *lost)
{
	const json_t *which;
	const char *name;

	json_object_foreach(was->holders, name, which)
	{
		if (strncmp(name, kind, strlen(kind)) == 0 &&
		    !json_equal(which, json_object_get(is->holders, name)) && !is_of_lost_table(name, lost))
			strv_add(lost, name);
	}
}

/* By what was made anew, and by the rows; the second may know that the first was filled again. */
static void find_losses(const struct state *was, const struct state *is, struct strv *lost)
{
	cleanup_strv struct strv anew = STRV_INIT, changed = STRV_INIT;

	holders_lost(was, is, "table ", &anew);
	holders_lost(was, is, "column ", &anew);
	holders_lost(was, is, "sequence ", &anew);
	if (was->content)
		prove_content_lost(was->content, is->content, &changed);
	strv_add_all(lost, &anew);
	for (size_t i = 0; i < changed.n; i++)
		if (!strv_has(lost, changed.v[i]) && !is_of_lost_table(changed.v[i], lost))
			strv_add(lost, changed.v[i]);
}

/* ------------------------------------------------------------------ the history below it */

static bool make_scratch(struct proving *p, struct err *err)
{
	struct run *run = p->run;
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	ledger_free(run->ledger);
	run->ledger = NULL;
	p->spoilt = p->has_rows = false;
	strv_clear(&p->filled);
	return run_scratch_drop(run, err) && run_scratch_make(run, err) && run_scratch_dress(run, err) &&
	       ledger_open(run->scratch, &names, &run->ledger, err) &&
	       ledger_create(run->ledger, run->scratch, err);
}

/* Each unit as it would be by hand, in a session of its own: nothing temporary is left from the one before. */
static bool run_unit(struct proving *p, const struct step *step, struct exec_report *report, struct err *err)
{
	*report = (struct exec_report){ .phase = NULL };
	return db_run(p->run->scratch,
	              "CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; DISCARD SEQUENCES;"
	              " SELECT pg_catalog.pg_advisory_unlock_all()",
	              err) &&
	       prove_unit(p->run, step, NULL, report, err);
}

static bool run_history(struct proving *p, const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i + 1 < plan->n; i++) {
		struct exec_report report;
		if (run_unit(p, &plan->steps[i], &report, err))
			continue;
		p->spoilt = p->spoilt || report.left_partial;
		return err_wrap(err, "revision %s, which comes before it, does not apply",
		                plan->steps[i].revision->id);
	}
	return true;
}

/* ------------------------------------------------------------------ the way up and back */

static bool go_up(struct proving *p, const struct step *up, struct err *err)
{
	struct exec_report report;
	bool ok = run_unit(p, up, &report, err);

	p->spoilt = p->spoilt || (!ok && report.left_partial);
	return ok;
}

static bool go_up_again(struct proving *p, const struct step *up, const struct schema *first,
                        struct proof *out, struct err *err)
{
	cleanup_schema struct schema *second = NULL;

	p->spoilt = true; /* until it stands where the first one led */
	if (!go_up(p, up, err) || !read_schema(p, &second, err))
		return conclude_failure(p, out, PROOF_ERROR, "a second upgrade after the downgrade fails",
		                        err);
	if (!same_schema(first, second, &out->differs))
		return conclude(out, PROOF_ERROR,
		                "a second upgrade after the downgrade leads elsewhere than the first");
	p->spoilt = false;
	return true;
}

static bool go_back(struct proving *p, const struct step *up, const struct state *before, struct proof *out,
                    struct err *err)
{
	const struct step down = { .revision = up->revision,
		                   .direction = DIRECTION_DOWN,
		                   .heads_before = up->heads_after,
		                   .heads_after = up->heads_before };
	cleanup_schema struct schema *first = NULL;
	cleanup_state struct state after = { .schema = NULL };
	struct exec_report report;

	if (!read_schema(p, &first, err))
		return false;
	if (!run_unit(p, &down, &report, err)) {
		p->spoilt = p->spoilt || report.left_partial;
		return conclude_failure(p, out, PROOF_IRREVERSIBLE, "its downgrade fails", err);
	}
	p->spoilt = true;
	if (!read_state(p, &after, err))
		return false;
	if (!same_schema(before->schema, after.schema, &out->differs))
		return conclude(out, PROOF_IRREVERSIBLE,
		                "after its downgrade the schema is not what it was before its upgrade");
	find_losses(before, &after, &out->loses);
	conclude(out, out->loses.n ? PROOF_LOSES_DATA : PROOF_REVERSIBLE,
	         out->loses.n ? "not all data that was there comes back" : NULL);
	return go_up_again(p, up, first, out, err);
}

/* Rows of a backup where there are some, made ones elsewhere.  People's rows must not be in what is told or kept. */
static bool fill(struct proving *p, struct proof *out, struct err *err)
{
	struct db *db = p->run->scratch;
	const char *version_table = ledger_table(p->run->ledger);

	p->has_rows = true;
	if (!p->rows)
		return prove_fill(db, version_table, p->sample, NULL, &out->notes, err);
	out->backup = mem_strdup(p->backup);
	db_hide_words(db, true);
	if (!prove_rows_put(p->rows, db, version_table, &out->copied, &out->notes, err))
		return false;
	strv_add_all(&p->filled, &out->copied);
	return prove_fill(db, version_table, p->sample, &p->filled, &out->notes, err);
}

/* The next revision finds the backup's rows as they are there, in columns of its own too.  What triggers and the revision
 * itself have made of them elsewhere stays, so that words go on being hidden until the scratch database is made anew. */
static void leave_no_rows(struct proving *p)
{
	cleanup_free char *tables = strv_join(&p->filled, ", "), *sql = mem_fmt("TRUNCATE %s", tables);
	struct err why = ERR_INIT;

	if (!p->rows || !p->run->scratch)
		return;
	if (p->filled.n > 0 && !p->spoilt)
		p->spoilt = !prove_insert(p->run->scratch, sql, &why);
	strv_clear(&p->filled);
}

static bool try_step(struct proving *p, const struct step *up, struct proof *out, struct err *err)
{
	const struct section *downgrade = &up->revision->downgrade;
	cleanup_state struct state before = { .schema = NULL };

	if (p->sample > 0 && !fill(p, out, err))
		return false;
	if (!read_state(p, &before, err))
		return false;
	if (!go_up(p, up, err)) {
		p->may_retry = p->has_rows;
		return err_wrap(err, "its upgrade fails");
	}
	if (downgrade->irreversible)
		return conclude(out, PROOF_IRREVERSIBLE, downgrade->irreversible);
	if (!downgrade->present)
		return conclude(out, PROOF_IRREVERSIBLE,
		                "it has no downgrade, and does not say irreversible=\"...\"");
	return go_back(p, up, &before, out, err);
}

static bool prove_step(struct proving *p, const struct revision *r, struct proof *out, struct err *err)
{
	cleanup_plan struct plan *plan = NULL;

	p->may_retry = false;
	if ((p->spoilt || !p->run->scratch) && !make_scratch(p, err)) {
		p->stopped = true;
		return false;
	}
	if (!plan_make(p->run->graph, ledger_heads(p->run->ledger), r->id, DIRECTION_UP, &plan, err))
		return false;
	if (!run_history(p, plan, err)) {
		p->may_retry = p->has_rows;
		return false;
	}
	if (plan->n == 0 || strcmp(plan->steps[plan->n - 1].revision->id, r->id) != 0)
		return err_set(err, ERR_USAGE, "revision %s is not the last of its own history", r->id);
	return try_step(p, &plan->steps[plan->n - 1], out, err);
}

/* With rows an upgrade may fail for them alone: it is tried once more without. */
static bool retry_bare(struct proving *p, const struct revision *r, struct proof *out, struct err *err)
{
	const int64_t sample = p->sample;

	strv_clear(&out->notes);
	strv_clear(&out->copied);
	free(out->backup);
	out->backup = NULL;
	strv_fmt(&out->notes, "proven without rows, since those %s do not fit: %s",
	         p->rows ? "of the backup" : "that were made", err->msg);
	*err = (struct err)ERR_INIT;
	p->sample = out->sample = 0;
	p->spoilt = true;
	bool ok = prove_step(p, r, out, err);
	p->sample = sample;
	return ok;
}

static bool try_revision(struct proving *p, const struct revision *r, struct proof *out, struct err *err)
{
	return prove_step(p, r, out, err) ||
	       (p->may_retry && !is_fatal(p, err) && retry_bare(p, r, out, err));
}

bool prove_revision(struct proving *p, const struct revision *r, struct proof *out, struct err *err)
{
	char now[CLOCK_ISO];
	int64_t began = clock_ms();
	struct err why = ERR_INIT;

	out->revision = mem_strdup(r->id);
	out->message = mem_strdup(r->message);
	out->declared = r->downgrade.irreversible != NULL;
	out->sample = p->sample;
	bool ok = try_revision(p, r, out, &why);
	leave_no_rows(p);
	if (!ok) {
		if (is_fatal(p, &why)) {
			*err = why;
			return false;
		}
		conclude(out, PROOF_ERROR, why.msg);
	}
	out->server_version = db_server_version(p->run->admin);
	out->seconds = (double)(clock_ms() - began) / 1000;
	snprintf(out->at, sizeof(out->at), "%s", clock_iso(clock_wall_us(), now));
	return true;
}
