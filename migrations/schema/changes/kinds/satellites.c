#include "migrations/schema/changes/kinds/presets.h"

#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* How COMMENT and GRANT call what pg_identify_object() calls by the first word; NULL: there is no such statement.
 * The longest that fits counts. */
static const struct noun {
	const char *identity, *comment, *grant;
} NOUNS[] = {
	{ "table column ", "COLUMN", "COLUMN" },
	{ "view column ", "COLUMN", "COLUMN" },
	{ "materialized view column ", "COLUMN", "COLUMN" },
	{ "foreign table column ", "COLUMN", "COLUMN" },
	{ "composite type column ", "COLUMN", NULL },
	{ "table constraint ", "CONSTRAINT", NULL },
	{ "domain constraint ", "CONSTRAINT", NULL },
	{ "table ", "TABLE", "TABLE" },
	{ "view ", "VIEW", "TABLE" },
	{ "materialized view ", "MATERIALIZED VIEW", "TABLE" },
	{ "foreign table ", "FOREIGN TABLE", "TABLE" },
	{ "sequence ", "SEQUENCE", "SEQUENCE" },
	{ "index ", "INDEX", NULL },
	{ "schema ", "SCHEMA", "SCHEMA" },
	{ "type ", "TYPE", "TYPE" },
	{ "composite type ", "TYPE", "TYPE" },
	{ "function ", "FUNCTION", "FUNCTION" },
	{ "procedure ", "PROCEDURE", "PROCEDURE" },
	{ "aggregate ", "ROUTINE", "ROUTINE" },
	{ "trigger ", "TRIGGER", NULL },
	{ "rule ", "RULE", NULL },
	{ "policy ", "POLICY", NULL },
	{ "statistics object ", "STATISTICS", NULL },
	{ "event trigger ", "EVENT TRIGGER", NULL },
	{ "extension ", "EXTENSION", NULL },
	{ "language ", "LANGUAGE", "LANGUAGE" },
	{ "foreign-data wrapper ", "FOREIGN DATA WRAPPER", "FOREIGN DATA WRAPPER" },
	{ "server ", "SERVER", "FOREIGN SERVER" },
	{ "collation ", "COLLATION", NULL },
	{ "conversion ", "CONVERSION", NULL },
	{ "cast ", "CAST", NULL },
	{ "operator ", "OPERATOR", NULL },
	{ "operator class ", "OPERATOR CLASS", NULL },
	{ "operator family ", "OPERATOR FAMILY", NULL },
	{ "access method ", "ACCESS METHOD", NULL },
	{ "text search configuration ", "TEXT SEARCH CONFIGURATION", NULL },
	{ "text search dictionary ", "TEXT SEARCH DICTIONARY", NULL },
	{ "text search parser ", "TEXT SEARCH PARSER", NULL },
	{ "text search template ", "TEXT SEARCH TEMPLATE", NULL },
	{ "transform ", "TRANSFORM", NULL },
	{ "publication ", "PUBLICATION", NULL },
	{ "subscription ", "SUBSCRIPTION", NULL },
};

static const struct noun *find_noun(const char *name)
{
	const struct noun *found = NULL;

	for (size_t i = 0; i < sizeof(NOUNS) / sizeof(*NOUNS); i++)
		if (text_starts(name, NOUNS[i].identity) &&
		    (!found || strlen(NOUNS[i].identity) > strlen(found->identity)))
			found = &NOUNS[i];
	return found;
}

static bool no_noun(const struct object *o, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s %s: no statement for such an object is known",
	               object_fact(o)->kind, object_fact(o)->name);
}

/* "table constraint c on public.t", "domain constraint c on ty.d", "(a AS b)", "for ty.t on language sql". */
static char *comment_target(const struct noun *noun, const char *name)
{
	const char *identity = name + strlen(noun->identity);
	const char *on = words_find_last(identity, " on ");

	if (text_starts(name, "domain constraint "))
		return mem_fmt("%.*s ON DOMAIN %s", (int)(on - identity), identity, on + 4);
	if (text_starts(name, "transform ")) {
		const char *language = words_find(identity, " language ");

		on = words_find(identity, " on language ");
		language = on ? on + strlen(" on language ") : language + strlen(" language ");
		return mem_fmt("%.*s LANGUAGE %s",
		               (int)(words_find(identity, on ? " on " : " language ") - identity), identity,
		               language);
	}
	if (on && (strcmp(noun->comment, "CONSTRAINT") == 0 || strcmp(noun->comment, "TRIGGER") == 0 ||
	           strcmp(noun->comment, "RULE") == 0 || strcmp(noun->comment, "POLICY") == 0))
		return mem_fmt("%.*s ON %s", (int)(on - identity), identity, on + 4);
	return mem_strdup(identity);
}

static bool set_comment(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name,
		   *text = o->action == ACTION_DROP ? NULL : fact_value(o->new, "text");
	const struct noun *noun = find_noun(name);
	cleanup_free char *target = NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!noun)
		return no_noun(o, err);
	target = comment_target(noun, name);
	buf_sql(&sql, "COMMENT ON %s %s IS %L", noun->comment, target, text);
	ddl_add(w, o, text ? "set" : "drop", 0, buf_text(&sql));
	return true;
}

static const struct kind KIND_COMMENT = {
	.name = "comment",
	.rank = 90,
	.hangs = true,
	.write_create = set_comment,
	.write_drop = set_comment,
	.write_change = set_comment,
};

static bool set_label(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name,
		   *text = o->action == ACTION_DROP ? NULL : fact_value(o->new, "text");
	const char *by = words_find_last(name, " by ");
	const struct noun *noun = find_noun(name);
	cleanup_free char *object = mem_strndup(name, (size_t)(by - name)), *target = NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!noun)
		return no_noun(o, err);
	target = comment_target(noun, object);
	buf_sql(&sql, "SECURITY LABEL FOR %s ON %s %s IS %L", by + strlen(" by "), noun->comment, target,
	        text);
	ddl_add(w, o, text ? "set" : "drop", 0, buf_text(&sql));
	return true;
}

static const struct kind KIND_LABEL = {
	.name = "security label",
	.rank = 91,
	.hangs = true,
	.write_create = set_label,
	.write_drop = set_label,
	.write_change = set_label,
};

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
	const struct noun *noun = find_noun(name);
	cleanup_free char *object = NULL;
	const char *identity;
	char *dot;

	if (!noun || !noun->grant)
		return no_noun(o, err);
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

static bool is_owner(const struct fact *f, const char *grantee)
{
	cleanup_buf struct buf owner = BUF_INIT(BUF_TEXT_MAX);
	const char *name = fact_value(f, "owner");

	ddl_ident(&owner, name ? name : "");
	return name && strcmp(buf_text(&owner), grantee) == 0;
}

/* What an owner had goes to the next one with the object: of that what every owner has is left. */
static bool change_hands(struct writer *w, const struct object *o, struct target *t, struct err *err)
{
	const struct object *base = objects_find(w->all, "grant base", object_fact(o)->name);
	const char *was = t->grantee;
	cleanup_buf struct buf next = BUF_INIT(BUF_TEXT_MAX);
	bool ok = true;

	if (!o->new) /* as long as it is the owner */
		return change_privileges(w, o, t, o->old, base->old, err);
	ddl_ident(&next, fact_value(o->part_of->new, "owner"));
	t->grantee = buf_text(&next);
	if (o->old)
		ok = change_privileges(w, o, t, o->old, base->old, err);
	t->grantee = was;
	return ok && change_privileges(w, o, t, NULL, o->new, err);
}

static bool change_grant(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_target struct target t = { .on = NULL };
	const struct object *whole = o->part_of;
	const struct fact *old = object_makes(o) ? NULL : o->old;

	if (!find_target(o, &t, err))
		return false;
	if (whole && whole->old && whole->new && !object_makes(whole) && value_differs(whole, "owner")) {
		if (is_owner(whole->old, t.grantee))
			return change_hands(w, o, &t, err);
		/* What it had before goes first; then it has what an owner has. */
		if (is_owner(whole->new, t.grantee) && o->new)
			old = NULL;
	}
	return change_privileges(w, o, &t, old, o->new, err);
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
	return text_starts(name, buf_text(&front)) &&
	       !is_owner(o->new, *grantee); /* what it would take away is the owner's own by now */
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

/* "function code.f() on hstore" */
static bool depend(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name, *on = words_find_last(name, " on ");
	const struct noun *noun = find_noun(name);
	cleanup_free char *object = mem_strndup(name, (size_t)(on - name)), *target = NULL, *sql = NULL;

	if (!noun)
		return no_noun(o, err);
	target = comment_target(noun, object);
	sql = mem_fmt("ALTER %s %s %sDEPENDS ON EXTENSION %s", noun->comment, target,
	              o->action == ACTION_DROP ? "NO " : "", on + 4);
	ddl_add(w, o, o->action == ACTION_DROP ? "drop" : "set", 0, sql);
	return true;
}

static const struct kind KIND_DEPENDENCY = {
	.name = "extension dependency",
	.rank = 93,
	.hangs = true,
	.write_create = depend,
	.write_drop = depend,
};

const struct kind *const KIND_SATELLITES[] = { &KIND_COMMENT,    &KIND_LABEL,
	                                       &KIND_GRANT,      &KIND_GRANT_BASE,
	                                       &KIND_DEFAULTS,   &KIND_DEFAULT_BASE,
	                                       &KIND_DEPENDENCY, NULL };
