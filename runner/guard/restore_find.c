/* Which backup brings a database to a revision: from the stores and the checked-out files, without a server. */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/upkeep/installation.h"

#include <stdlib.h>
#include <string.h>

struct search {
	struct run *run;
	const char *from;
	char *own;            /* this installation's name; NULL: unknown */
	char *target;         /* whole id */
	struct strv below;    /* what is applied at the target, itself included; empty without files */
	struct strv clusters; /* "SYSTEM IDENTIFIER (INSTALLATION)" of all that would do */
	struct strv others;   /* the same of those that would, were they not another installation's */
	const struct backup_entry *at, *under; /* the newest ones */
};

static void heads_of(const struct manifest *m, struct strv *out)
{
	const json_t *head;
	size_t i;

	json_array_foreach(json_object_get(manifest_json(m), "heads"), i, head)
		strv_add(out, json_string_value(head));
}

static bool is_from(const struct manifest *m, const char *from)
{
	const char *system = manifest_str(m, "system_identifier"),
		   *installation = manifest_str(m, "installation");

	return !from || (system && strcmp(system, from) == 0) ||
	       (installation && strcmp(installation, from) == 0);
}

static bool is_own(const struct manifest *m, const char *own)
{
	const char *installation = manifest_str(m, "installation");

	return own && installation && strcmp(installation, own) == 0;
}

static char *cluster_of(const struct manifest *m)
{
	const char *installation = manifest_str(m, "installation");

	return mem_fmt("%s (%s)", manifest_str(m, "system_identifier"),
	               installation ? installation : "unnamed");
}

/* Of this database, verified, and not taken back by a deletion that has begun. */
static bool may_serve(const struct search *s, const struct backup_entry *e)
{
	const char *database = manifest_str(e->manifest, "database");

	return database && strcmp(database, s->run->database) == 0 && manifest_is_verified(e->manifest) &&
	       !e->condemned && is_from(e->manifest, s->from);
}

/* The files' word for it when they have one, else a beginning that only one head of the backups has. */
static bool name_by_backups(struct search *s, const struct backup_list *list, const char *word,
                            struct err *err)
{
	cleanup_strv struct strv found = STRV_INIT, heads = STRV_INIT;

	for (size_t i = 0; i < list->n; i++)
		if (may_serve(s, &list->v[i]))
			heads_of(list->v[i].manifest, &heads);
	for (size_t i = 0; i < heads.n; i++)
		if (text_starts(heads.v[i], word) && !strv_has(&found, heads.v[i]))
			strv_add(&found, heads.v[i]);
	if (strv_has(&heads, word) || found.n == 1) {
		s->target = mem_strdup(strv_has(&heads, word) ? word : found.v[0]);
		return true;
	}
	return err_set(err, found.n ? ERR_USAGE : ERR_BACKUP,
	               found.n ? "several backed up revisions of \"%s\" begin with %s"
	                       : "there is no verified backup of \"%s\" at revision %s, and no file has it",
	               s->run->database, word);
}

static bool name_target(struct search *s, const struct backup_list *list, const char *word, struct err *err)
{
	static const struct strv nowhere = STRV_INIT;
	const struct revision *revision = NULL;
	struct err why = ERR_INIT;

	if (!s->run->graph || !graph_find(s->run->graph, &nowhere, word, &revision, &why))
		return name_by_backups(s, list, word, err);
	const struct strv one = { .v = (char *[]){ (char *)(uintptr_t)revision->id }, .n = 1 };
	s->target = mem_strdup(revision->id);
	graph_applied(s->run->graph, &one, &s->below);
	return true;
}

/* Every head of it is on the way to the target. */
static bool is_below(const struct search *s, const struct strv *heads)
{
	for (size_t i = 0; i < heads->n; i++)
		if (!strv_has(&s->below, heads->v[i]))
			return false;
	return s->below.n > 0;
}

static void consider(struct search *s, const struct backup_entry *e)
{
	cleanup_strv struct strv heads = STRV_INIT;
	cleanup_free char *cluster = cluster_of(e->manifest);
	bool meant = s->from || is_own(e->manifest, s->own);
	struct strv *clusters = meant ? &s->clusters : &s->others;

	heads_of(e->manifest, &heads);
	bool at = strv_has(&heads, s->target), under = !at && is_below(s, &heads);
	if (!at && !under)
		return;
	if (!strv_has(clusters, cluster))
		strv_add(clusters, cluster);
	if (meant && at && !s->at)
		s->at = e;
	if (meant && under && !s->under)
		s->under = e;
}

static const char *own_text(const char *own) { return own ? own : "not known by name"; }

static bool refuse_others(const struct search *s, struct err *err)
{
	cleanup_free char *names = strv_join(&s->others, ", ");

	err_set(err, ERR_REFUSED,
	        "only other installations have backups of \"%s\" that lead to revision %s: %s; this one is "
	        "%s",
	        s->run->database, s->target, names, own_text(s->own));
	return err_hint(err,
	                "--from NAME (or the system identifier) takes one of theirs; or set `installation` "
	                "in [ripcord], when this is to be that installation");
}

static bool choose(struct search *s, struct backup_list *list, const char *word, struct err *err)
{
	if (!name_target(s, list, word, err))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (may_serve(s, &list->v[i]))
			consider(s, &list->v[i]);
	if (s->clusters.n > 1) {
		cleanup_free char *names = strv_join(&s->clusters, ", ");
		err_set(err, ERR_REFUSED,
		        "several clusters have backups of \"%s\" that lead to revision %s: %s",
		        s->run->database, s->target, names);
		return err_hint(err,
		                "choose one with --from, by its system identifier or its name in brackets");
	}
	if (!s->at && !s->under && s->others.n > 0)
		return refuse_others(s, err);
	if (!s->at && !s->under)
		return err_set(err, ERR_BACKUP,
		               "there is no verified backup of \"%s\" at revision %s or below it%s%s",
		               s->run->database, s->target, s->from ? " from " : "", s->from ? s->from : "");
	return run_find_backup(s->run, manifest_id((s->at ? s->at : s->under)->manifest), err);
}

/* Without files the backups alone say what there is: that is no failure. */
static void load_files(struct run *run)
{
	struct err why = ERR_INIT;

	if (!graph_load(run->config->migrations, &run->graph, &why))
		log_warn("the revisions' files cannot be read, only backups at the revision itself count: %s",
		         why.msg);
}

bool run_find_revision(struct run *run, const char *revision, const char *from, char **target,
                       struct err *err)
{
	cleanup_free char *own = installation_name(run->config);
	struct search s = { .run = run, .from = from, .own = own };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_read(&run->stores, &list, err))
		return false;
	for (size_t i = 0; i < list.warnings.n; i++)
		log_warn("%s", list.warnings.v[i]);
	load_files(run);
	bool ok = choose(&s, &list, revision, err);
	strv_clear(&s.below);
	strv_clear(&s.clusters);
	strv_clear(&s.others);
	*target = ok && !s.at ? s.target : NULL;
	if (!*target)
		free(s.target);
	return ok;
}

bool run_find_newest(struct run *run, struct err *err)
{
	cleanup_free char *own = installation_name(run->config);
	const struct search s = { .run = run, .own = own };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_read(&run->stores, &list, err))
		return false;
	for (size_t i = 0; i < list.n; i++)
		if (may_serve(&s, &list.v[i]) && is_own(list.v[i].manifest, own))
			return run_find_backup(run, manifest_id(list.v[i].manifest), err);
	return err_set(err, ERR_BACKUP, "there is no verified backup of \"%s\" of this installation (%s)",
	               run->database, own_text(own));
}

bool run_refuse_foreign(struct run *run, const char *from, struct err *err)
{
	const struct manifest *m = run->manifest;
	const char *installation = manifest_str(m, "installation");
	cleanup_free char *own = installation_name(run->config), *cluster = cluster_of(m);

	if (from ? is_from(m, from) : is_own(m, own))
		return true;
	if (from)
		return err_set(err, ERR_REFUSED, "backup %s is not of %s, but of %s", manifest_id(m), from,
		               cluster);
	err_set(err, ERR_REFUSED, "backup %s is another installation's, %s; this one is %s", manifest_id(m),
	        cluster, own_text(own));
	if (!installation)
		return err_hint(err, "--from %s takes it", manifest_str(m, "system_identifier"));
	return err_hint(
		err,
		"--from %s takes it; or set `installation = %s` in [ripcord], when this is to be that "
		"installation",
		installation, installation);
}
