#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/prove_run.h"

#include <inttypes.h>

struct prove_options {
	const char *sample, *backup;
};

static const struct opt prove_options[] = {
	{ "sample", 0, OPT_TEXT, "N", "puts N rows into every table, and compares them as well",
	  offsetof(struct prove_options, sample) },
	{ "backup", 0, OPT_TEXT, "ID", "takes the rows from this backup, or from the newest one (newest)",
	  offsetof(struct prove_options, backup) },
	{ .name = NULL },
};

static void print_strings(FILE *out, const struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		fprintf(out, "    %s\n", v->v[i]);
}

static void print_proof(FILE *out, const void *ctx, size_t i)
{
	const struct proof *p = &((const struct prove_result *)ctx)->v[i];

	fprintf(out, "%-12s %s  %s\n",
	        p->verdict == PROOF_IRREVERSIBLE && p->declared ? "declared" : proof_verdict_name(p->verdict),
	        p->revision, p->message);
	if (p->reason)
		fprintf(out, "  %s\n", p->reason);
	if (p->copied.n > 0) {
		cleanup_free char *tables = strv_join(&p->copied, ", ");
		fprintf(out, "    rows of backup %s: %s\n", p->backup, tables);
	}
	print_strings(out, &p->loses);
	print_strings(out, &p->differs);
	print_strings(out, &p->notes);
}

static json_t *json_of_proof(const void *ctx, size_t i)
{
	return proof_to_json(&((const struct prove_result *)ctx)->v[i]);
}

static bool read_sample(const char *text, int64_t *out, struct err *err)
{
	*out = 0;
	if (!text || (text_to_int64(text, out) && *out >= 0 && *out <= PROVE_SAMPLE_MAX))
		return true;
	return err_set(err, ERR_USAGE, "--sample %s: a number of rows up to %d is wanted", text,
	               PROVE_SAMPLE_MAX);
}

static bool run_prove(struct app *app, struct err *err)
{
	const struct prove_options *o = app->options;
	struct prove_request request = { .words = app->words, .n_words = app->n_words, .backup = o->backup };
	struct prove_result result;

	if (!read_sample(o->sample, &request.sample, err))
		return false;
	if (o->backup && request.sample == 0)
		return err_set(err, ERR_USAGE,
		               "--backup wants --sample N: how many rows of a table are taken");
	bool ok = prove_run(app->config, &request, &result, err);
	for (size_t i = 0; i < result.n && ok; i++)
		app->status = proof_is_fine(&result.v[i]) ? app->status : 3;
	if (ok)
		app_print_list(app, result.n, &result, json_of_proof, print_proof);
	prove_result_clear(&result);
	return ok;
}

const struct command command_prove = {
	.name = "prove",
	.about = "shows on a scratch database that downgrades lead back",
	.usage = "[REV ...] [--sample N [--backup ID|newest]]",
	.text = "For each revision (default: all) the history before it is applied to a scratch database; "
		"then "
		"upgrade with its\n"
		"verify, downgrade, a comparison of the schema with before, the upgrade again, and a "
		"comparison with the first one.\n"
		"The verdict is one of:\n"
		"\n"
		"*reversible*: the downgrade leads back.\n"
		"\n"
		"*loses-data*: it does, but columns or tables that were there before were made anew, or "
		"(with *--sample*) have other\n"
		"rows; they are named.\n"
		"\n"
		"*irreversible*: what differs is named, or there is no downgrade. With _irreversible=_ in "
		"the file it is shown as\n"
		"*declared*.\n"
		"\n"
		"*error*: the revision does not apply, or it acts on roles, databases and the like, which "
		"the live database shares.\n"
		"\n"
		"With *--backup* the rows are taken from a backup, which is restored into a second scratch "
		"database, "
		"as far as tables\n"
		"and columns agree; they are told nowhere, nor are words of the server that may quote them.\n"
		"\n"
		"The scratch database is made where _url_ of [drill] leads, else beside the live database, "
		"whose contents are not\n"
		"read. It is dropped again; what a kill has left is dropped by the next proof, or by "
		"*ripcord recover*. Verdicts are\n"
		"kept by the digest of the file: *ripcord upgrade --plan* shows them. Exit 3 when a "
		"revision is irreversible without\n"
		"saying so, or could not be proven, 7 when there is no backup, or it does not come back.",
	.options = prove_options,
	.options_size = sizeof(struct prove_options),
	.min_words = 0,
	.max_words = -1,
	.needs = NEEDS_CONFIG | PRINTS_LIST,
	.run = run_prove,
};
