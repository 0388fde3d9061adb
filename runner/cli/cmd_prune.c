#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/confirm.h"
#include "runner/upkeep/prune.h"
#include "runner/upkeep/upkeep.h"

struct prune_options {
	bool dry_run, yes, leftovers;
	const char *database, *installation;
};

static const struct opt prune_options[] = {
	{ "dry-run", 0, OPT_FLAG, NULL, "says what would go and stay, and why; changes nothing",
	  offsetof(struct prune_options, dry_run) },
	{ "yes", 0, OPT_FLAG, NULL, "does not ask", offsetof(struct prune_options, yes) },
	{ "leftovers", 0, OPT_FLAG, NULL, "also removes what runs that broke off left, when it is a day old",
	  offsetof(struct prune_options, leftovers) },
	{ "database", 0, OPT_TEXT, "NAME", "judges the backups of this database instead of the URL's",
	  offsetof(struct prune_options, database) },
	{ "installation", 0, OPT_TEXT, "NAME",
	  "judges the backups of this installation instead of the own one",
	  offsetof(struct prune_options, installation) },
	{ .name = NULL },
};

/* A tense for what is planned, and one for what was done. */
static void print_item(FILE *out, const struct prune_item *item)
{
	const struct manifest *m = item->entry->manifest;
	const char *verdict = item->keep ? "keep" : item->deleted ? "deleted" : "delete";

	fprintf(out, "%-7s  %s  %-24s  %s: %s\n", verdict, manifest_id(m), manifest_str(m, "created"),
	        manifest_str(m, "database"), item->reason);
}

static void print_leftover(FILE *out, const struct prune_leftover *l)
{
	const char *verdict = l->keep ? "leave" : l->deleted ? "deleted" : "delete";

	fprintf(out, "%-7s  %s in store %s: %s\n", verdict, l->left->folder, l->left->store, l->reason);
}

static void print_plan(FILE *out, const struct prune *p)
{
	for (size_t i = 0; i < p->list.n; i++)
		print_item(out, &p->items[i]);
	for (size_t i = 0; i < p->list.n_leftovers; i++)
		print_leftover(out, &p->leftovers[i]);
}

static size_t n_deleted(const struct prune *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->list.n; i++)
		n += p->items[i].deleted;
	return n;
}

static void print_result(const struct app *app, const struct prune *p, bool dry_run)
{
	char size[TEXT_SHORT];

	if (app->globals->json) {
		app_print_json(app, prune_json(p, dry_run));
		return;
	}
	if (dry_run || app->globals->verbose)
		print_plan(app->out, p);
	if (dry_run)
		fprintf(app->out, "%zu of %zu backups would be deleted, %s\n", p->n_delete, p->list.n,
		        text_size(p->freed_bytes, size));
	else
		fprintf(app->out, "%zu of %zu backups deleted\n", n_deleted(p), p->list.n);
}

static bool confirmed(const struct prune *p, bool yes, struct err *err)
{
	char size[TEXT_SHORT];
	cleanup_free char *question =
		mem_fmt("delete %zu of %zu backups (%s) and %zu leftovers?", p->n_delete, p->list.n,
	                text_size(p->freed_bytes, size), p->n_leftovers);

	if (p->n_delete + p->n_leftovers == 0)
		return true;
	if (!yes)
		print_plan(stderr, p);
	return confirm(question, yes, err);
}

static bool run_prune(struct app *app, struct err *err)
{
	const struct prune_options *o = app->options;
	const struct prune_choice choice = { .database = o->database,
		                             .installation = o->installation,
		                             .leftovers = o->leftovers };
	cleanup_prune struct prune p = { .n_delete = 0 };

	if (!prune_plan(app->config, &choice, &p, err))
		return false;
	for (size_t i = 0; i < p.list.warnings.n; i++)
		log_warn("%s", p.list.warnings.v[i]);
	if (!o->dry_run && !confirmed(&p, o->yes, err))
		return false;
	bool ok = o->dry_run || prune_apply(&p, err);
	if (!o->dry_run)
		upkeep_tell(app->config, &(struct upkeep_event){ .work = UPKEEP_PRUNE,
		                                                 .failure = ok ? NULL : err,
		                                                 .seconds = -1 });
	prune_warn_size(app->config, &p);
	if (ok)
		print_result(app, &p, o->dry_run);
	return ok;
}

const struct command command_backup_prune = {
	.name = "backup prune",
	.about = "deletes the backups that retention no longer keeps",
	.usage = "[--dry-run] [--yes] [--leftovers] [--database NAME] [--installation NAME]",
	.text = "Judges the backups of this database and installation by _keep_ and _keep\\_revisions_. Only "
		"verified backups\n"
		"count; nothing goes while the newest one is not verified, and never a pinned one or the "
		"newest "
		"verified one.\n"
		"*--dry-run* gives the reason for each. It asks on a terminal; elsewhere it needs *--yes*. A "
		"deletion that broke\n"
		"off is finished by the next prune; what else lies about without a manifest is reported.",
	.options = prune_options,
	.options_size = sizeof(struct prune_options),
	.needs = NEEDS_CONFIG,
	.run = run_prune,
};
