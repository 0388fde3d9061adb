#include "runner/cli/autogenerate.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runner/guard/staged.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ what is asked */

static const struct {
	const char *word;
	enum hazard hazard;
} allowable[] = { { "drop", HAZARD_DATA_LOSS }, { "rewrite", HAZARD_REWRITE } };

static bool allow_word(const char *word, unsigned *allowed, struct err *err)
{
	for (size_t i = 0; i < sizeof(allowable) / sizeof(*allowable); i++) {
		if (strcmp(word, allowable[i].word) == 0) {
			*allowed |= allowable[i].hazard;
			return true;
		}
	}
	err_set(err, ERR_USAGE, "\"%s\" is no hazard to allow", word);
	return err_hint(err, "there are drop and rewrite");
}

/* Of the command line, where commas are fine, and of the configuration. */
static bool read_allowed(const struct strv *given, const struct strv *configured, unsigned *allowed,
                         struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;

	for (size_t i = 0; i < given->n; i++)
		strv_split(&words, given->v[i]);
	strv_add_all(&words, configured);
	for (size_t i = 0; i < words.n; i++)
		if (!allow_word(words.v[i], allowed, err))
			return false;
	return true;
}

static bool read_request(const struct app *app, const struct autogenerate_options *o, struct renames *renames,
                         struct autogen_request *out, struct err *err)
{
	const struct config *c = app->config;

	out->source = o->live ? "live" : c->schema_source;
	out->live = o->live || c->schema_from_live;
	out->concurrently = o->concurrently || c->schema_concurrently;
	out->renames = renames;
	if (!out->source) {
		err_set(err, ERR_USAGE, "there is no desired state");
		return err_hint(err, "set source in [schema]");
	}
	for (size_t i = 0; i < o->renames.n; i++)
		if (!renames_add_word(renames, o->renames.v[i], err))
			return false;
	return read_allowed(&o->allow, &c->schema_allow, &out->allowed, err);
}

static void tell_differs(const struct autogen_result *made)
{
	for (size_t i = 0; i < made->differs.n; i++)
		log_warn("%s", made->differs.v[i]);
}

static void tell(const struct autogen_result *made)
{
	for (size_t i = 0; i < made->likely.n; i++)
		log_warn("%s", made->likely.v[i]);
	tell_differs(made);
}

bool autogenerate_compare(struct app *app, const struct autogenerate_options *options,
                          struct autogen_result *out, struct err *err)
{
	cleanup_renames struct renames renames = { .v = NULL };
	struct autogen_request request = { .source = NULL };

	if (!read_request(app, options, &renames, &request, err))
		return false;
	bool ok = autogen_compare(app->config, &request, out, err);
	tell(out);
	return ok;
}

/* ------------------------------------------------------------------ writing */

/* What a hook has edited is no longer what was proven. */
static bool prove_edited(const struct app *app, const struct autogen_request *request,
                         const struct staged *staged, struct autogen_result *made, struct err *err)
{
	if (!staged->edited)
		return true;
	bool ok = autogen_prove_again(app->config, request, &staged->texts, made, err);
	tell_differs(made);
	return ok;
}

/* All of them, or none. */
static bool write_drafts(const struct app *app, const struct autogen_request *request,
                         struct autogen_result *made, struct strv *paths, struct err *err)
{
	cleanup_staged struct staged staged = STAGED_INIT;
	cleanup_graph struct graph *after = NULL;

	if (made->n == 0)
		return true;
	if (!staged_begin(&staged, app->config, err))
		return false;
	for (size_t i = 0; i < made->n; i++)
		if (!staged_add(&staged, app->config, &made->v[i], err))
			return false;
	if (!staged_hooks(&staged, app->config, err) || !prove_edited(app, request, &staged, made, err) ||
	    !staged_publish(&staged, paths, err))
		return false;
	bool ok = app_graph(app, &after, err);
	for (size_t i = 0; !ok && i < paths->n; i++)
		if (unlink(paths->v[i]) != 0)
			err_hint(err, "%s is left over", paths->v[i]);
	return ok;
}

static json_t *revision_json(const struct revision_draft *draft, const char *path)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(draft->id));
	json_put(o, "down_revisions", app_json_strings(&draft->parents));
	json_put(o, "message", json_str(draft->message));
	json_put(o, "path", json_str(path));
	return o;
}

static void print_written(struct app *app, const struct autogen_result *made, const struct strv *paths)
{
	if (app->globals->json) {
		json_t *o = json_object(), *revisions = json_array();
		for (size_t i = 0; i < made->n; i++)
			json_push(revisions, revision_json(&made->v[i], paths->v[i]));
		json_put(o, "equal", json_boolean(made->n == 0));
		json_put(o, "revisions", revisions);
		app_print_json(app, o);
		return;
	}
	for (size_t i = 0; i < paths->n; i++)
		fprintf(app->out, "%s\n", paths->v[i]);
}

bool autogenerate_revisions(struct app *app, const struct autogenerate_options *options,
                            const struct revision_draft *first, struct err *err)
{
	cleanup_renames struct renames renames = { .v = NULL };
	cleanup_autogen struct autogen_result made = { .n = 0 };
	cleanup_strv struct strv paths = STRV_INIT;
	struct autogen_request request = { .message = first->message,
		                           .id = first->id,
		                           .labels = &first->labels,
		                           .parents = &first->parents,
		                           .depends_on = &first->depends_on,
		                           .ask = true };

	if (!read_request(app, options, &renames, &request, err))
		return false;
	bool ok = autogen_draft(app->config, &request, &made, err);
	tell(&made);
	if (!ok || !write_drafts(app, &request, &made, &paths, err))
		return false;
	print_written(app, &made, &paths);
	if (made.n == 0)
		log_info("nothing to do: the history leads to the desired schema");
	else if (options->live)
		log_info("the live database has it already: ripcord stamp %s tells it so",
		         made.v[made.n - 1].id);
	return true;
}
