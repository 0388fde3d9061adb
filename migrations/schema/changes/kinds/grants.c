#include "migrations/schema/changes/kinds/grants.h"

#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/nouns.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_owner(const struct fact *f, const char *grantee)
{
	cleanup_buf struct buf name = BUF_INIT(BUF_TEXT_MAX);
	const char *owner = fact_value(f, "owner");

	ddl_ident(&name, owner ? owner : "");
	return owner && strcmp(buf_text(&name), grantee) == 0;
}

/* What a grant is on, or a column of it, when that gets another owner; else NULL. */
static const struct object *handed_over(const struct object *grant)
{
	const struct object *on = grant->part_of;

	if (on && !fact_value(object_fact(on), "owner"))
		on = on->part_of;
	return on && on->old && on->new && !object_makes(on) && value_differs(on, "owner") ? on : NULL;
}

/* With OWNER TO the privileges of the old owner become the new one's (aclnewowner() of acl.c), by then those that owners
 * have: owners_undo() sees to that.  Of columns they have none. */
bool grant_is_handed_over(const struct object *grant)
{
	const struct object *on = handed_over(grant);
	const char *to = words_find_last(object_fact(grant)->name, " to ");
	const char *grantee = to + strlen(" to ");

	return on && (is_owner(on->old, grantee) || (is_owner(on->new, grantee) && on == grant->part_of));
}

const struct object *grant_of_table(const struct objects *all, const struct object *grant)
{
	const struct object *column = grant->part_of;
	cleanup_free char *name = NULL;

	if (!column || strcmp(column->kind->name, "column") != 0)
		return NULL;
	name = mem_fmt("table %s%s", object_fact(column->part_of)->name,
	               words_find_last(object_fact(grant)->name, " to "));
	return objects_find(all, "grant", name);
}

bool grant_is_taken_along(const struct objects *all, const struct object *grant)
{
	const struct object *on_table = grant_of_table(all, grant);

	return on_table && on_table->old && (!on_table->new || value_differs(on_table, "privileges"));
}

/* One side's privileges: what its fact says; without one what the object was made with. */
static void privileges(struct strv *out, const struct objects *all, const struct object *o,
                       const char *base_kind, const struct fact *side)
{
	const struct object *base = objects_find(all, base_kind, object_fact(o)->name);
	const char *text = side ? fact_value(side, "privileges") : NULL;

	if (!text && base)
		text = fact_value(base->new ? base->new : base->old, "privileges");
	if (text && strcmp(text, "none") != 0)
		words_list(out, text);
}

/* What a GRANT is about: "TABLE public.t", of a column its name behind each privilege. */
struct target {
	const char *front; /* before GRANT: ALTER DEFAULT PRIVILEGES ... */
	char *on, *column;
	const char *grantee;
};

static void target_clear(struct target *t)
{
	free(t->on);
	free(t->column);
}

#define cleanup_target __attribute__((cleanup(target_clear)))

static bool find_target(const struct object *o, struct target *out, struct err *err)
{
	const char *name = object_fact(o)->name, *to = words_find_last(name, " to ");
	const struct noun *noun = noun_find(name);
	cleanup_free char *object = NULL;
	const char *identity;
	char *dot;

	if (!noun || !noun->grant)
		return noun_missing(o, err);
	identity = name + strlen(noun->identity);
	object = mem_strndup(identity, (size_t)(to - identity));
	out->grantee = to + strlen(" to ");
	if (strcmp(noun->grant, "COLUMN") == 0) {
		dot = (char *)words_find_last(object, ".");
		out->column = mem_strdup(dot + 1);
		*dot = '\0';
	}
	out->on = mem_fmt("%s %s", out->column ? "TABLE" : noun->grant, object);
	return true;
}

static const char GRANTABLE[] = " WITH GRANT OPTION";

static const char *by_whom(const char *privilege)
{
	const char *by = words_find_last(privilege, " BY ");

	return by ? by + strlen(" BY ") : NULL;
}

enum verb { REVOKE, GRANT, GRANT_WITH_OPTION };

/* The privileges of `list` that are not in `but`. */
static void write_privileges(struct writer *w, const struct object *o, const struct target *t,
                             const struct strv *list, const struct strv *but, enum verb verb)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	size_t n = 0;

	buf_fmt(&sql, "%s%s ", t->front ? t->front : "", verb == REVOKE ? "REVOKE" : "GRANT");
	for (size_t i = 0; i < list->n; i++) {
		const char *with = strstr(list->v[i], GRANTABLE);
		size_t len = with ? (size_t)(with - list->v[i]) : strlen(list->v[i]);

		if (strv_has(but, list->v[i]) || by_whom(list->v[i]))
			continue;
		if (verb != REVOKE && (verb == GRANT_WITH_OPTION) != (with != NULL))
			continue;
		buf_fmt(&sql, "%s%.*s", n++ ? ", " : "", (int)len, list->v[i]);
		if (t->column)
			buf_fmt(&sql, " (%s)", t->column);
	}
	buf_fmt(&sql, " ON %s %s %s%s", t->on, verb == REVOKE ? "FROM" : "TO", t->grantee,
	        verb == GRANT_WITH_OPTION ? GRANTABLE : "");
	if (n > 0)
		ddl_add(w, o, verb == REVOKE ? "revoke" : "grant", 0, buf_text(&sql));
}

/* Whoever is no owner grants in his own name only. */
static bool check_grantors(const struct object *o, const struct strv *list, const struct strv *but,
                           struct err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (by_whom(list->v[i]) && !strv_has(but, list->v[i]))
			return err_set(err, ERR_REFUSED, "grant %s: %s: only %s can give or take this",
			               object_fact(o)->name, list->v[i], by_whom(list->v[i]));
	return true;
}

static bool change_privileges(struct writer *w, const struct object *o, const struct target *t,
                              const struct fact *old, const struct fact *new, struct err *err)
{
	const char *base = t->front ? "default privileges base" : "grant base";
	cleanup_strv struct strv was = STRV_INIT, is = STRV_INIT;

	privileges(&was, w->all, o, base, old);
	privileges(&is, w->all, o, base, new);
	if (!check_grantors(o, &was, &is, err) || !check_grantors(o, &is, &was, err))
		return false;
	write_privileges(w, o, t, &was, &is, REVOKE);
	write_privileges(w, o, t, &is, &was, GRANT);
	write_privileges(w, o, t, &is, &was, GRANT_WITH_OPTION);
	return true;
}

static bool change_grant(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_target struct target t = { .on = NULL };
	const struct fact *old = object_makes(o) || grant_is_handed_over(o) ? NULL : o->old;

	if (!find_target(o, &t, err) || !change_privileges(w, o, &t, old, o->new, err))
		return false;
	return !old || !o->new || !grant_is_taken_along(w->all, o) ||
	       change_privileges(w, o, &t, NULL, o->new, err);
}

/* From what a role has of it to what it has without a word. */
static bool undo_grant(struct writer *w, const struct object *o, struct err *err)
{
	const struct object *base = objects_find(w->all, "grant base", o->old->name);
	const char *plain_is = base && base->old ? fact_value(base->old, "privileges") : "none";
	cleanup_strv struct strv given = STRV_INIT, plain = STRV_INIT;
	cleanup_target struct target t = { .on = NULL };

	if (!find_target(o, &t, err))
		return false;
	words_list(&given, fact_value(o->old, "privileges"));
	words_list(&plain, plain_is);
	(void)strv_remove(&given, "none");
	(void)strv_remove(&plain, "none");
	write_privileges(w, o, &t, &given, &plain, REVOKE);
	write_privileges(w, o, &t, &plain, &given, GRANT);
	return true;
}

/* The new owner's own are merged with those that come; of columns nothing comes. */
static bool is_merged(const struct object *grant, const struct object *owned)
{
	const char *grantee = words_find_last(grant->old->name, " to ") + strlen(" to ");

	return is_owner(owned->old, grantee) ||
	       (is_owner(owned->new, grantee) && grant->was_part_of == owned);
}

static bool undo_grants_on(struct writer *w, const struct object *on, const struct object *owned,
                           struct err *err)
{
	for (FOR_LINKS(i, &w->all->old_users, w->all, on)) {
		const struct object *grant = w->all->old_users.v[i];

		if (strcmp(grant->kind->name, "grant") == 0 && grant->was_part_of == on &&
		    is_merged(grant, owned) && !undo_grant(w, grant, err))
			return false;
	}
	return true;
}

/* A sequence of the table's, by a link to one of its columns; NULL: none. */
static const struct object *sequence_of(const struct object *user)
{
	if (strcmp(user->kind->name, "sequence owner") == 0)
		user = user->was_part_of;
	return user && strcmp(user->kind->name, "sequence") == 0 && user->new ? user : NULL;
}

/* With a table its columns' grants are merged, and those of sequences that belong to it; a column that goes takes its own along,
 * and may have gone already. */
static bool undo_column(struct writer *w, const struct object *column, const struct object *table,
                        struct err *err)
{
	if (!object_drops(column) && !undo_grants_on(w, column, table, err))
		return false;
	for (FOR_LINKS(i, &w->all->old_users, w->all, column)) {
		const struct object *sequence = sequence_of(w->all->old_users.v[i]);

		if (sequence && value_differs(sequence, "owner") &&
		    !undo_grants_on(w, sequence, sequence, err))
			return false;
	}
	return true;
}

static bool follows_its_table(const struct object *o)
{
	return strcmp(o->kind->name, "sequence") == 0 &&
	       (fact_value(o->old, "identity of") ||
	        (fact_value(o->old, "owned by") && fact_value(o->new, "owned by")));
}

bool owners_undo(struct writer *w, const struct object *o, struct err *err)
{
	if (follows_its_table(o))
		return true;
	if (!undo_grants_on(w, o, o, err))
		return false;
	for (FOR_LINKS(i, &w->all->old_users, w->all, o)) {
		const struct object *part = w->all->old_users.v[i];

		if (strcmp(part->kind->name, "column") == 0 && part->was_part_of == o &&
		    !undo_column(w, part, o, err))
			return false;
	}
	return true;
}

static const struct kind KIND_GRANT = {
	.name = "grant",
	.rank = 92,
	.hangs = true,
	.write_create = change_grant,
	.write_drop = change_grant,
	.write_change = change_grant,
};

static const struct kind KIND_GRANT_BASE = { .name = "grant base", .silent = true };
static const struct kind KIND_DEFAULT_BASE = { .name = "default privileges base", .silent = true };

/* "tables of alice in app to bob" */
static bool write_defaults(struct writer *w, const struct object *o, const struct fact *old,
                           const struct fact *new, struct err *err)
{
	const char *name = object_fact(o)->name, *of = words_find(name, " of "),
		   *to = words_find_last(name, " to ");
	const char *in = words_find_last(name, " in ");
	size_t role = (size_t)((in ? in : to) - of) - 4, schema = in ? (size_t)(to - in) - 4 : 0;
	cleanup_free char *front = mem_fmt("ALTER DEFAULT PRIVILEGES FOR ROLE %.*s%s%.*s ", (int)role, of + 4,
	                                   in ? " IN SCHEMA " : "", (int)schema, in ? in + 4 : "");
	cleanup_target struct target t = { .front = front, .grantee = to + 4 };

	t.on = mem_strndup(name, (size_t)(of - name));
	for (char *p = t.on; *p; p++)
		*p = (char)(*p == ' ' ? ' ' : *p - 'a' + 'A');
	return change_privileges(w, o, &t, old, new, err);
}

static bool change_defaults(struct writer *w, const struct object *o, struct err *err)
{
	return write_defaults(w, o, object_makes(o) ? NULL : o->old, o->new, err);
}

static bool drop_defaults(struct writer *w, const struct object *o, struct err *err)
{
	return write_defaults(w, o, o->old, NULL, err);
}

bool presets_are_of(const struct object *preset, const char *role)
{
	const char *name = object_fact(preset)->name;
	cleanup_buf struct buf of = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&of, " of ");
	ddl_ident(&of, role);
	return strcmp(preset->kind->name, "default privileges") == 0 &&
	       text_starts(words_find(name, " of "), buf_text(&of)) &&
	       text_starts(words_find(name, " of ") + of.len, " ");
}

/* What default privileges call it, and GRANT. */
static const struct {
	const char *kind, *preset, *noun;
} PRESETS[] = {
	{ "table", "tables", "TABLE" },
	{ "view", "tables", "TABLE" },
	{ "materialized view", "tables", "TABLE" },
	{ "foreign table", "tables", "TABLE" },
	{ "sequence", "sequences", "SEQUENCE" },
	{ "function", "functions", "FUNCTION" },
	{ "procedure", "functions", "PROCEDURE" },
	{ "aggregate", "functions", "ROUTINE" },
	{ "enum", "types", "TYPE" },
	{ "domain", "types", "TYPE" },
	{ "composite type", "types", "TYPE" },
	{ "range", "types", "TYPE" },
	{ "schema", "schemas", "SCHEMA" },
};

/* Whether "tables of alice in app to bob" is about o, made by the role that is connected.  *grantee is in the name. */
static bool preset_fits(const struct writer *w, const struct object *preset, const struct object *o,
                        const char *called, const char **grantee)
{
	const char *name = preset->old->name, *in = words_find_last(name, " in ");
	const char *dot = words_find_last(o->new->name, ".");
	cleanup_buf struct buf front = BUF_INIT(BUF_TEXT_MAX);
	size_t schema = dot ? (size_t)(dot - o->new->name) : 0;

	buf_fmt(&front, "%s of ", called);
	ddl_ident(&front, w->all->role);
	if (in)
		buf_fmt(&front, " in %.*s", (int)schema, o->new->name);
	buf_str(&front, " to ");
	*grantee = name + front.len;
	return text_starts(name, buf_text(&front)) && !is_owner(o->new, *grantee);
}

static bool undo_preset(struct writer *w, const struct object *preset, const struct object *o,
                        const char *noun, const char *grantee)
{
	const struct object *base = objects_find(w->all, "default privileges base", preset->old->name);
	cleanup_strv struct strv given = STRV_INIT, plain = STRV_INIT;
	cleanup_target struct target t = { .grantee = grantee };

	t.on = mem_fmt("%s %s", noun, o->new->name);
	words_list(&given, fact_value(preset->old, "privileges"));
	words_list(&plain, fact_value(base->old, "privileges"));
	(void)strv_remove(&given, "none");
	(void)strv_remove(&plain, "none");
	write_privileges(w, o, &t, &given, &plain, REVOKE);
	write_privileges(w, o, &t, &plain, &given, GRANT);
	return true;
}

bool presets_undo(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	for (size_t k = 0; k < sizeof(PRESETS) / sizeof(*PRESETS); k++) {
		if (strcmp(PRESETS[k].kind, o->kind->name) != 0)
			continue;
		for (size_t i = 0; i < w->all->n; i++) {
			const struct object *preset = &w->all->v[i];
			const char *grantee;

			if (strcmp(preset->kind->name, "default privileges") == 0 && preset->old &&
			    !object_drops(preset) && preset_fits(w, preset, o, PRESETS[k].preset, &grantee))
				undo_preset(w, preset, o, PRESETS[k].noun, grantee);
		}
	}
	return true;
}

/* Last, so that they do not touch what is made here. */
static const struct kind KIND_DEFAULTS = {
	.name = "default privileges",
	.rank = 95,
	.write_create = change_defaults,
	.write_drop = drop_defaults,
	.write_change = change_defaults,
};

const struct kind *const KIND_GRANTS[] = { &KIND_GRANT, &KIND_GRANT_BASE, &KIND_DEFAULTS, &KIND_DEFAULT_BASE,
	                                   NULL };
