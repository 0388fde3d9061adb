#include "migrations/schema/changes.h"

#include "migrations/schema/changes/alike.h"
#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/steps.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *hazard_name(enum hazard h)
{
	switch (h) {
	case HAZARD_DATA_LOSS: return "data loss";
	case HAZARD_REWRITE: return "rewrite";
	case HAZARD_EXCLUSIVE_LOCK: return "exclusive lock";
	case HAZARD_INDEX_BUILD: return "index build";
	case HAZARD_NOT_TRANSACTIONAL: return "not transactional";
	case HAZARD_WRITE_LOCK: return "write lock";
	}
	return "unknown";
}

void changes_clear(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].sql);
		free(c->v[i].about);
	}
	free(c->v);
	*c = (struct changes){ .v = NULL };
}

void changes_add(struct changes *c, const char *sql, const char *about, unsigned hazards)
{
	c->v = mem_grow(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] =
		(struct change){ .sql = mem_strdup(sql), .about = mem_strdup(about), .hazards = hazards };
}

static void add_renames(const struct side *from, const struct changes_options *options, struct changes *out)
{
	for (size_t i = 0; options && i < from->renames.n; i++) {
		cleanup_free char *about =
			mem_fmt("%s: rename to %s", options->renames[i].from, options->renames[i].to);

		changes_add(out, from->renames.v[i], about, HAZARD_EXCLUSIVE_LOCK);
	}
}

/* The body of a function may name what is made after it. */
static bool makes_functions(const struct objects *all)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct object *o = &all->v[i];

		if (o->new && o->action != ACTION_NONE && fact_value(o->new, "source") &&
		    (strcmp(o->kind->name, "function") == 0 || strcmp(o->kind->name, "procedure") == 0))
			return true;
	}
	return false;
}

static const char BODIES[] = "SET LOCAL check_function_bodies = off";
static const char BODIES_ABOUT[] = "bodies of functions may name what is made after them";

/* A COMMIT ends the setting: it is said again behind each. */
static void repeat_setting(struct changes *c)
{
	struct changes out = { .v = NULL };

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].commit_before) {
			changes_add(&out, BODIES, BODIES_ABOUT, 0);
			out.v[out.n - 1].commit_before = true;
			c->v[i].commit_before = false;
		}
		out.v = mem_grow(out.v, out.n + 1, sizeof(*out.v));
		out.v[out.n++] = c->v[i];
	}
	free(c->v);
	*c = out;
}

static bool write_step(struct writer *w, const struct step *s, struct err *err)
{
	switch (s->kind) {
	case STEP_DROP: return ddl_drop(w, s->object, err);
	case STEP_ALTER: return ddl_alter(w, s->object, err);
	case STEP_CREATE: return ddl_create(w, s->object, err);
	}
	return false;
}

static bool write_all(struct objects *all, struct changes *out, struct err *err)
{
	cleanup_free struct step *steps = NULL;
	struct writer w = { .all = all, .out = out, .added = STRV_INIT };
	size_t n = 0;
	bool ok = true;

	if (!steps_decide(all, err) || !steps_order(all, &steps, &n, err))
		return false;
	if (makes_functions(all))
		changes_add(out, BODIES, BODIES_ABOUT, 0);
	for (size_t i = 0; ok && i < n; i++)
		ok = write_step(&w, &steps[i], err);
	strv_clear(&w.added);
	if (ok && makes_functions(all))
		repeat_setting(out);
	return ok;
}

bool side_changes(const struct side *old, const struct side *new, const struct changes_options *options,
                  struct changes *out, struct err *err)
{
	struct objects all = { .concurrently = options && options->concurrently, .major = old->major };
	cleanup_changes struct changes made = { .v = NULL };
	struct side renamed = *old;

	add_renames(old, options, &made);
	cleanup_schema struct schema *alike = alike_rename(old->facts, new->facts, &made);
	renamed.facts = alike ? alike : old->facts;
	objects_match(&renamed, new, &all);
	bool ok = write_all(&all, &made, err);
	objects_clear(&all);
	if (!ok)
		return false;
	*out = made;
	made = (struct changes){ .v = NULL };
	return true;
}

bool schema_changes(struct db *from, struct db *to, const struct schema_options *schema,
                    const struct changes_options *options, struct changes *out, struct err *err)
{
	struct side old = { .facts = NULL, .renames = STRV_INIT },
		    new = { .facts = NULL, .renames = STRV_INIT };

	if (db_server_version(from) / 10000 != db_server_version(to) / 10000)
		return err_set(err, ERR_USAGE, "the two servers are of different major versions, %d and %d",
		               db_server_version(from) / 10000, db_server_version(to) / 10000);
	bool ok = side_read(from, schema, options, &old, err) && side_read(to, schema, NULL, &new, err) &&
	          side_changes(&old, &new, options, out, err);
	side_clear(&old);
	side_clear(&new);
	return ok || err_wrap(err, "cannot make the changes");
}
