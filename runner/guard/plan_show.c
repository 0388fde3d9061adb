#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "runner/guard/drill_run.h"
#include "runner/guard/proofs.h"
#include "runner/guard/rehearsals.h"

#include <string.h>

static const char *writes_words(enum writes_mode writes)
{
	static const char *const words[] = {
		[WRITES_DETECT] =
			"if others write meanwhile, nothing is taken back by itself (writes = detect)",
		[WRITES_FENCE] = "others are kept out from the backup to the end (writes = fence)",
		[WRITES_ACCEPT_LOSS] =
			"what others write meanwhile is lost by a way back (writes = accept-loss)",
	};

	return words[writes];
}

static void show_way_back(const struct run *run, FILE *out)
{
	const struct config *c = run->config;

	fprintf(out, "  on failure   rollback");
	if (c->on_failure_downgrade && run->request->verb != GUARD_DOWNGRADE)
		fprintf(out, ", then downgrade");
	if (c->on_failure_restore && !run->request->no_backup_reason)
		fprintf(out, ", then restore into a new database and swap");
	fprintf(out, "; %s\n", writes_words(run->writes));
}

/* "[proven reversible with 20 rows]", "[proven to lose data: column public.t.c]", "[not proven]" */
static void show_proof(const struct run *run, const struct revision *r, FILE *out)
{
	static const char *const words[] = { [PROOF_REVERSIBLE] = "proven reversible",
		                             [PROOF_LOSES_DATA] = "reversible, but proven to lose data",
		                             [PROOF_IRREVERSIBLE] = "proven irreversible",
		                             [PROOF_ERROR] = "not proven" };
	struct proof proof = { .verdict = PROOF_ERROR };
	bool found = proofs_find(run->config->state_dir, r, &proof);

	fprintf(out, "  [%s", words[proof.verdict]);
	for (size_t i = 0; i < proof.loses.n; i++)
		fprintf(out, "%s%s", i == 0 ? ": " : ", ", proof.loses.v[i]);
	if (found && proof.verdict == PROOF_REVERSIBLE && proof.sample > 0)
		fprintf(out, " with %lld rows a table%s", (long long)proof.sample,
		        proof.backup ? " of a backup" : "");
	fputc(']', out);
	proof_clear(&proof);
}

static void show_steps(const struct run *run, FILE *out)
{
	bool down = run->request->verb == GUARD_DOWNGRADE;

	for (size_t i = 0; run->plan && i < run->plan->n; i++) {
		const struct revision *r = run->plan->steps[i].revision;
		const struct section *s = down ? &r->downgrade : &r->upgrade;

		fprintf(out, "  %-12s %s  %s", down ? "downgrade" : "upgrade", r->id, r->message);
		if (!s->transaction)
			fprintf(out, "  [transaction=off]");
		if (!down && r->batch.present)
			fprintf(out, "  [batch: committed part by part]");
		if (!down && r->downgrade.irreversible)
			fprintf(out, "  [only a restore undoes it: %s]", r->downgrade.irreversible);
		else if (!down && !r->downgrade.present)
			fprintf(out, "  [no downgrade: only a restore undoes it]");
		else
			show_proof(run, r, out);
		fputc('\n', out);
	}
}

/* Only a plan that is looked at asks the stores for it: a run that follows does not wait for a listing. */
static void show_recovery(const struct run *run, FILE *out)
{
	cleanup_backup_list struct backup_list list = { .n = 0 };
	struct err ignored = ERR_INIT; /* the gates look at the stores */
	struct last_drill last;
	char took[TEXT_SHORT], size[TEXT_SHORT];

	if (!run->request->plan_only || run->request->no_backup_reason)
		return;
	if (backup_list_read(&run->stores, &list, &ignored) &&
	    drill_last(&run->stores, &list, run->database, &last))
		fprintf(out, "  recovery     %s when it was last measured (%s, backup %s of %s)\n",
		        text_duration(last.ms, took), last.at, last.backup, text_size(last.bytes, size));
	else
		fprintf(out, "  recovery     never measured: ripcord backup drill ID\n");
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void show_age(const char *at, FILE *out)
{
	char age[TEXT_SHORT];
	int64_t then;

	if (clock_from_iso(at, &then))
		fprintf(out, "%s ago ", text_duration((clock_wall_us() - then) / 1000, age));
}

/* What the same revisions did to the last backup; a rehearsal that failed says so. */
static void show_rehearsal(const struct run *run, FILE *out)
{
	cleanup_json json_t *last = rehearsals_find(run->config->state_dir, run->database);
	const json_t *failure = json_object_get(last, "failure");
	struct rehearsal_sums sums;
	const char *missing;

	if (!last || !run->plan || run->request->verb != GUARD_UPGRADE) {
		if (run->request->plan_only && run->request->verb == GUARD_UPGRADE)
			fprintf(out, "  rehearsed    never: ripcord rehearse TARGET\n");
		return;
	}
	fprintf(out, "  rehearsed    ");
	show_age(text_of(last, "at"), out);
	fprintf(out, "on backup %s: ", text_of(last, "backup"));
	if (rehearsal_fails(last, run->plan)) {
		fprintf(out, "revision %s failed: %s\n", text_of(failure, "revision"),
		        text_of(failure, "message"));
	} else if (rehearsal_sum(last, run->plan, &sums, &missing)) {
		rehearsal_print(&sums, out);
		fprintf(out, "\n  estimate     ");
		rehearsal_print_estimate(last, &sums, out);
		rehearsal_sums_clear(&sums);
		fputc('\n', out);
	} else {
		fprintf(out, "not as it is now, or without %s\n", missing);
	}
}

void run_show_plan(const struct run *run, FILE *out)
{
	cleanup_free char *from = strv_join(&run->report->from, ", "),
			  *to = strv_join(&run->report->to, ", ");
	char size[TEXT_SHORT];

	fprintf(out, "plan for %s\n", conninfo_label(run->live));
	if (run->plan)
		fprintf(out, "  revisions    %s -> %s\n", *from ? from : "base", *to ? to : "base");
	show_steps(run, out);
	if (run->request->no_backup_reason)
		fprintf(out, "  backup       none: %s\n", run->request->no_backup_reason);
	else
		fprintf(out, "  backup       %s, verified by %s, database of %s\n", run->config->engine,
		        verify_name(run->config->verify),
		        run->facts.database_bytes.known == FACT_KNOWN
		                ? text_size(run->facts.database_bytes.value, size)
		                : "unknown size");
	show_way_back(run, out);
	show_recovery(run, out);
	show_rehearsal(run, out);
}

/* Gates that pass are counted, the others are shown. */
void run_show_findings(const struct run *run, FILE *out)
{
	size_t passed = 0;

	for (size_t i = 0; i < run->findings.n; i++) {
		const struct finding *f = &run->findings.v[i];

		if (f->verdict == VERDICT_PASS) {
			passed++;
			continue;
		}
		fprintf(out, "  %-12s %s: %s\n", verdict_name(f->verdict), f->gate, f->message);
		if (f->hint[0])
			fprintf(out, "  %-12s %s\n", "", f->hint);
	}
	fprintf(out, "  gates        %zu of %zu pass\n", passed, run->findings.n);
}
