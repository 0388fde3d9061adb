#include "runner/cli/cli.h"

#include "runner/cli/autogenerate.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "runner/guard/staged.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct revision_options {
	const char *message, *id;
	struct strv heads, depends_on;
	struct strv labels;
	struct autogenerate_options generate;
	bool splice, autogenerate;
};

#define FIELD(name) offsetof(struct revision_options, name)
static const struct opt revision_options[] = {
	{ "message", 'm', OPT_TEXT, "TEXT", "what the revision does, in a few words", FIELD(message) },
	{ "head", 0, OPT_LIST, "REV", "the revision it follows, where there are several heads (base: none)",
	  FIELD(heads) },
	{ "splice", 0, OPT_FLAG, NULL, "allows --head to be no head: a new branch begins there",
	  FIELD(splice) },
	{ "branch-label", 0, OPT_LIST, "LABEL", "names the branch that begins here", FIELD(labels) },
	{ "depends-on", 0, OPT_LIST, "REV", "a revision of another branch that must be applied first",
	  FIELD(depends_on) },
	{ "rev-id", 0, OPT_TEXT, "ID", "the id, instead of twelve random digits", FIELD(id) },
	{ "autogenerate", 0, OPT_FLAG, NULL,
	  "writes what leads from the history to source of [schema], proven", FIELD(autogenerate) },
	{ "allow", 0, OPT_LIST, "HAZARD",
	  "with --autogenerate: may lose data (drop), rewrite tables (rewrite)", FIELD(generate.allow) },
	{ "rename", 0, OPT_LIST, "A=B", "with --autogenerate: what is a rename: public.t=u, public.t.c=d",
	  FIELD(generate.renames) },
	{ "live", 0, OPT_FLAG, NULL, "with --autogenerate: leads to what the live database has by hand",
	  FIELD(generate.live) },
	{ "concurrently", 0, OPT_FLAG, NULL,
	  "with --autogenerate: makes indexes of tables that are there CONCURRENTLY",
	  FIELD(generate.concurrently) },
	{ .name = NULL },
};

static const struct opt merge_options[] = {
	{ "message", 'm', OPT_TEXT, "TEXT", "why the branches come together", FIELD(message) },
	{ "branch-label", 0, OPT_LIST, "LABEL", "names the branch that begins here", FIELD(labels) },
	{ "rev-id", 0, OPT_TEXT, "ID", "the id, instead of twelve random digits", FIELD(id) },
	{ .name = NULL },
};

/* ---------------------------------------------------------------- writing one */

static bool need_message(const struct revision_options *o, const struct command *c, struct err *err)
{
	if (o->message && *o->message)
		return true;
	err_set(err, ERR_USAGE, "%s: the revision has no message", c->name);
	return err_hint(err, "ripcord %s %s", c->name, c->usage);
}

/* Id and labels share one space of names: what the grammar of targets looks up must be one thing. */
static bool is_taken(const struct graph *g, const char *name)
{
	if (graph_get(g, name))
		return true;
	for (size_t i = 0; i < graph_count(g); i++) {
		if (strv_has(&graph_at(g, i)->labels, name))
			return true;
	}
	return false;
}

static bool check_names(const struct graph *g, const struct revision_options *o, struct err *err)
{
	if (o->id && is_taken(g, o->id))
		return err_set(err, ERR_USAGE, "revision %s is there already", o->id);
	for (size_t i = 0; i < o->labels.n; i++) {
		if (is_taken(g, o->labels.v[i]))
			return err_set(err, ERR_USAGE, "branch label %s is taken already", o->labels.v[i]);
	}
	return true;
}

static json_t *written_json(const struct revision_draft *draft, const struct revision *rev, const char *path)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "down_revisions", app_json_strings(&rev->parents));
	json_put(o, "message", json_str(draft->message));
	json_put(o, "path", json_str(path));
	return o;
}

static const struct revision *by_path(const struct graph *g, const char *path)
{
	for (size_t i = 0; i < graph_count(g); i++) {
		const char *p = graph_at(g, i)->path;
		if (p && strcmp(p, path) == 0)
			return graph_at(g, i);
	}
	return NULL;
}

static bool write_file(const struct app *app, const struct revision_draft *draft, struct strv *paths,
                       struct err *err)
{
	cleanup_staged struct staged staged = STAGED_INIT;

	return staged_begin(&staged, app->config, err) && staged_add(&staged, app->config, draft, err) &&
	       staged_hooks(&staged, app->config, err) && staged_publish(&staged, paths, err);
}

/* Writes the file and reads the folder again: a template of the project's may have made it unreadable. */
static bool write_draft(const struct app *app, const struct revision_draft *draft, struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;
	cleanup_graph struct graph *after = NULL;
	const struct revision *rev;

	if (!write_file(app, draft, &paths, err))
		return false;
	const char *path = paths.v[0];
	if (!app_graph(app, &after, err))
		return err_wrap(err, "%s was written, but the folder does not load any more", path);
	rev = by_path(after, path);
	if (!rev)
		return err_set(err, ERR_USAGE, "%s was written, but the folder does not show it", path);
	if (app->globals->json)
		app_print_json(app, written_json(draft, rev, path));
	else
		fprintf(app->out, "%s\n", path);
	return true;
}

/* ---------------------------------------------------------------- revision */

static bool one_head(const struct graph *g, struct strv *parents, struct err *err)
{
	cleanup_strv struct strv heads = STRV_INIT;

	graph_heads(g, &heads);
	if (heads.n > 1) {
		cleanup_free char *list = strv_join(&heads, ", ");
		err_set(err, ERR_REFUSED, "there are several heads to follow: %s", list);
		return err_hint(err, "choose one with --head, or join them with ripcord merge");
	}
	strv_add_all(parents, &heads);
	return true;
}

static bool add_parent(const struct graph *g, const char *word, const struct revision_options *o,
                       struct strv *parents, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	const struct revision *rev;

	if (strcmp(word, "base") == 0)
		return true;
	if (!graph_find(g, &nowhere, word, &rev, err))
		return false;
	if (!o->splice && !graph_is_head(g, rev->id)) {
		err_set(err, ERR_USAGE, "revision %s is not a head: the new one would begin a branch",
		        rev->id);
		return o->autogenerate ? false : err_hint(err, "give --splice if that is what you want");
	}
	if (!strv_has(parents, rev->id))
		strv_add(parents, rev->id);
	return true;
}

static bool find_parents(const struct graph *g, const struct revision_options *o, struct strv *parents,
                         struct err *err)
{
	if (o->heads.n == 0)
		return one_head(g, parents, err);
	for (size_t i = 0; i < o->heads.n; i++) {
		if (!add_parent(g, o->heads.v[i], o, parents, err))
			return false;
	}
	return true;
}

/* Ids are written whole; a label stays a label, so that it follows its branch. */
static bool find_dependencies(const struct graph *g, const struct revision_options *o, struct strv *out,
                              struct err *err)
{
	static const struct strv nowhere = STRV_INIT;

	for (size_t i = 0; i < o->depends_on.n; i++) {
		const char *word = o->depends_on.v[i];
		const struct revision *rev;
		if (!graph_find(g, &nowhere, word, &rev, err))
			return err_wrap(err, "--depends-on");
		strv_add(out, strncmp(rev->id, word, strlen(word)) == 0 ? rev->id : word);
	}
	return true;
}

static bool check_options(const struct revision_options *o, struct err *err)
{
	const struct autogenerate_options *g = &o->generate;

	if (!o->autogenerate && (g->allow.n > 0 || g->renames.n > 0 || g->live || g->concurrently))
		return err_set(err, ERR_USAGE,
		               "--allow, --rename, --live and --concurrently are for --autogenerate");
	if (!o->autogenerate || !o->splice)
		return true;
	err_set(err, ERR_USAGE,
	        "--splice does not go with --autogenerate, which starts from the whole history");
	return err_hint(err, "--head names one of several heads");
}

static bool run_revision(struct app *app, struct err *err)
{
	const struct revision_options *o = app->options;
	cleanup_graph struct graph *g = NULL;
	cleanup_strv struct strv parents = STRV_INIT, dependencies = STRV_INIT;

	if (!check_options(o, err) || !need_message(o, app->command, err) || !app_graph(app, &g, err) ||
	    !check_names(g, o, err) || !find_parents(g, o, &parents, err) ||
	    !find_dependencies(g, o, &dependencies, err))
		return false;
	cleanup_free char *fresh = revision_new_id();
	const struct revision_draft draft = {
		.id = o->id ? o->id : fresh,
		.message = o->message,
		.parents = parents,
		.depends_on = dependencies,
		.labels = o->labels,
	};
	return o->autogenerate ? autogenerate_revisions(app, &o->generate, &draft, err)
	                       : write_draft(app, &draft, err);
}

const struct command command_revision = {
	.name = "revision",
	.about = "writes a new revision file: empty, or what leads to the desired schema",
	.usage = "-m TEXT [--autogenerate [--live] [--allow HAZARD] [--rename A=B] [--concurrently]] [--head "
		 "REV] "
		 "[--splice] "
		 "[--branch-label LABEL] [--depends-on REV] [--rev-id ID]",
	.text = "Writes a file below _migrations_/versions that follows the one head there is, filled from\n"
		"_migrations_/revision.sql.template, and prints its path. Nothing is executed.\n"
		"\n"
		"With *--autogenerate* the history is replayed on a scratch database, and the file has what "
		"leads from there to\n"
		"_source_ of \\[schema\\], and back. Both ways are tried on scratch databases before it is "
		"written; where they do not\n"
		"lead exactly there, or would lose data or rewrite tables without *--allow* _drop_ or "
		"_rewrite_, nothing is\n"
		"written (exit 3). Paths are printed, a line each: what must be committed before the rest is "
		"a revision of its\n"
		"own. With *--live* the desired state is the live database, with what was changed by hand "
		"there. What may be a\n"
		"rename is asked about on a terminal, and a warning elsewhere. Where there are several "
		"heads, "
		"the one of *--head* is\n"
		"followed and the others are what the revision depends on.",
	.options = revision_options,
	.options_size = sizeof(struct revision_options),
	.needs = NEEDS_CONFIG,
	.run = run_revision,
};

/* ---------------------------------------------------------------- merge */

static bool add_merged(const struct graph *g, const char *word, struct strv *parents, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	const struct revision *rev;

	if (strcmp(word, "heads") == 0) {
		graph_heads(g, parents);
		return true;
	}
	if (!graph_find(g, &nowhere, word, &rev, err))
		return false;
	if (!strv_has(parents, rev->id))
		strv_add(parents, rev->id);
	return true;
}

static bool run_merge(struct app *app, struct err *err)
{
	const struct revision_options *o = app->options;
	cleanup_graph struct graph *g = NULL;
	cleanup_strv struct strv parents = STRV_INIT;

	if (!need_message(o, app->command, err) || !app_graph(app, &g, err) || !check_names(g, o, err))
		return false;
	for (size_t i = 0; i < app->n_words; i++) {
		if (!add_merged(g, app->words[i], &parents, err))
			return false;
	}
	if (parents.n < 2) {
		err_set(err, ERR_USAGE, "a merge joins two revisions or more, and this names %zu", parents.n);
		return err_hint(err, "ripcord merge -m TEXT heads joins all heads");
	}
	cleanup_free char *fresh = revision_new_id();
	const struct revision_draft draft = {
		.id = o->id ? o->id : fresh,
		.message = o->message,
		.parents = parents,
		.labels = o->labels,
		.upgrade = "",
		.downgrade = "",
		.verify = "",
	};
	return write_draft(app, &draft, err);
}

const struct command command_merge = {
	.name = "merge",
	.about = "writes a revision that joins several heads",
	.usage = "-m TEXT [--branch-label LABEL] [--rev-id ID] REV REV...",
	.text = "Writes an empty revision whose parents are the revisions named; _heads_ names all heads.",
	.options = merge_options,
	.options_size = sizeof(struct revision_options),
	.min_words = 1,
	.max_words = -1,
	.needs = NEEDS_CONFIG,
	.run = run_merge,
};

/* ---------------------------------------------------------------- edit */

/* The editor's command, split at blanks as git splits none but everybody writes ("code --wait"). */
static void editor_argv(const char *path, struct strv *out)
{
	const char *editor = getenv("VISUAL");

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	strv_split(out, editor && *editor ? editor : "vi");
	strv_add(out, path);
}

/* Not by proc_run(): an editor needs the terminal, and so our own process group. */
static bool run_editor(const char *path, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	pid_t pid;
	int status, rc;

	editor_argv(path, &argv);
	rc = posix_spawnp(&pid, argv.v[0], NULL, NULL, argv.v, environ);
	if (rc != 0) {
		errno = rc;
		err_sys(err, "cannot start the editor '%s'", argv.v[0]);
		return err_hint(err, "set EDITOR");
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(err, "cannot wait for the editor '%s'", argv.v[0]);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_PROC, "the editor '%s' did not end well on %s", argv.v[0], path);
	return true;
}

static json_t *edited_json(const struct revision *rev)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(rev->id));
	json_put(o, "path", json_str(rev->path));
	return o;
}

static bool run_edit(struct app *app, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	cleanup_graph struct graph *g = NULL, *after = NULL;
	const struct revision *rev;

	if (!app_graph(app, &g, err) || !graph_find(g, &nowhere, app->words[0], &rev, err) ||
	    !run_editor(rev->path, err))
		return false;
	if (!app_graph(app, &after, err))
		return err_wrap(err, "after editing %s", rev->path);
	if (app->globals->json)
		app_print_json(app, edited_json(rev));
	return true;
}

const struct command command_edit = {
	.name = "edit",
	.about = "opens a revision in $EDITOR",
	.usage = "REV",
	.text = "Opens the file of a revision in $VISUAL or $EDITOR, and checks afterwards that the folder "
		"still loads.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_edit,
};
