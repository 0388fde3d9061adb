#include "migrations/schema/changes/ddl.h"

#include "migrations/schema/changes/hazards.h"
#include "migrations/schema/changes/kinds/grants.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* The n-th part of a name, from 1; the caller's. */
static char *name_part(const struct object *o, const char *name, char n)
{
	const char *word = o->kind->word;
	const char *at = word ? words_find_last(name, word) : NULL;

	if (!at)
		return mem_strdup(name);
	return n == '1' ? mem_strndup(name, (size_t)(at - name)) : mem_strdup(at + strlen(word));
}

bool has_children(const struct objects *all, const struct object *table)
{
	for (FOR_LINKS(i, &all->old_users, all, table))
		if (strcmp(all->old_users.v[i]->kind->name, "table") == 0 ||
		    strcmp(all->old_users.v[i]->kind->name, "partition") == 0)
			return true;
	for (FOR_LINKS(i, &all->new_users, all, table))
		if (strcmp(all->new_users.v[i]->kind->name, "table") == 0 ||
		    strcmp(all->new_users.v[i]->kind->name, "partition") == 0)
			return true;
	return false;
}

/* A column's table is in front, a constraint's behind. */
static char *table_of(const struct objects *all, const struct object *o, const char *name)
{
	cleanup_free char *table = name_part(o, name, o->kind->word && o->kind->word[0] == '.' ? '1' : '2');
	const struct object *relation = objects_relation(all, table);

	return mem_fmt("%s%s", relation && has_children(all, relation) ? "ONLY " : "", table);
}

/* The text of one variable; NULL: it is not there.  The caller's. */
static char *variable(const struct objects *all, const struct object *o, const struct fact *f,
                      const char *name)
{
	if (strcmp(name, "name") == 0)
		return mem_strdup(f->name);
	if (strcmp(name, "1") == 0 || strcmp(name, "2") == 0)
		return name_part(o, f->name, name[0]);
	if (strcmp(name, "bare") == 0)
		return mem_strndup(f->name, (size_t)(words_find(f->name, "(") - f->name));
	if (strcmp(name, "table") == 0)
		return table_of(all, o, f->name);
	return mem_strdup(fact_value(f, name));
}

/* Words that can be no name without quotes but look like one stand in quotes, as all that does not look like one. */
void ddl_ident(struct buf *out, const char *name)
{
	static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	static const char *const RESERVED[] = { "all",    "current_role", "current_user",
		                                "public", "session_user", "user",
		                                "none",   "group",        "role" };
	bool plain = name[0] != '\0' && name[strspn(name, PLAIN)] == '\0' && !strchr("0123456789", name[0]);

	for (size_t i = 0; i < sizeof(RESERVED) / sizeof(*RESERVED); i++)
		plain = plain && strcmp(name, RESERVED[i]) != 0;
	if (plain)
		buf_str(out, name);
	else
		sql_ident(out, name);
}

/* Writes {what} from p on; returns where it ends.  *missing: it is not there. */
static const char *expand_variable(const struct objects *all, struct buf *out, const struct object *o,
                                   const struct fact *f, const char *p, bool *missing)
{
	const char *end = strchr(p, '}');
	char how = end[-1];
	bool asked = p[1] == '?', quoted = how == '\'' || how == '"';
	cleanup_free char *name = mem_strndup(p + 1 + asked, (size_t)(end - p - 1) - asked - quoted);
	cleanup_free char *text = variable(all, o, f, name);

	if (!text)
		*missing = true;
	else if (asked)
		;
	else if (how == '\'')
		sql_literal(out, text);
	else if (how == '"')
		ddl_ident(out, text);
	else
		buf_str(out, text);
	return end + 1;
}

/* Up to the bracket that closes, or the end. */
static const char *expand(const struct objects *all, struct buf *out, const struct object *o,
                          const struct fact *f, const char *p, bool *missing)
{
	while (*p && *p != ']') {
		if (*p == '{') {
			p = expand_variable(all, out, o, f, p, missing);
		} else if (*p == '[') {
			cleanup_buf struct buf part = BUF_INIT(BUF_TEXT_MAX);
			bool gone = false;

			p = expand(all, &part, o, f, p + 1, &gone) + 1;
			if (!gone)
				buf_str(out, buf_text(&part));
		} else {
			buf_char(out, *p++);
		}
	}
	return p;
}

void ddl_expand(const struct objects *all, struct buf *out, const struct object *o, const struct fact *f,
                const char *pattern)
{
	bool missing = false;

	(void)expand(all, out, o, f, pattern, &missing);
}

/* "table public.t: add column c", "sequence public.s: owner". */
static char *what_about(const struct object *o, const char *did)
{
	const struct object *whole = o->part_of;
	const struct fact *f = object_fact(o);
	cleanup_free char *own = NULL;

	if (!whole || o->kind->hangs)
		return mem_fmt("%s %s: %s", f->kind, f->name, did);
	own = name_part(o, f->name, o->kind->word && o->kind->word[0] == '.' ? '2' : '1');
	if (whole->part_of && !whole->kind->hangs)
		return mem_fmt("%s %s: %s %s", object_fact(whole->part_of)->kind,
		               object_fact(whole->part_of)->name, did, o->kind->name);
	return mem_fmt("%s %s: %s %s %s", object_fact(whole)->kind, object_fact(whole)->name, did,
	               o->kind->name, own);
}

static struct change *append(struct writer *w, const struct object *o, const char *did, const char *sql)
{
	struct changes *out = w->out;

	out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n++] = (struct change){ .sql = mem_strdup(sql), .about = what_about(o, did) };
	return &out->v[out->n - 1];
}

void ddl_add(struct writer *w, const struct object *o, const char *did, unsigned hazards, const char *sql)
{
	struct change *c = append(w, o, did, sql);

	c->hazards = hazards | hazards_of_locks(w->all, o, sql);
	for (size_t i = 0; i < w->added.n; i++)
		c->commit_before = c->commit_before || strstr(sql, w->added.v[i]);
	if (c->commit_before)
		strv_clear(&w->added);
}

void ddl_commit_before(struct writer *w)
{
	w->out->v[w->out->n - 1].commit_before = true;
	strv_clear(&w->added);
}

void ddl_add_value(struct writer *w, const struct object *o, const char *literal, const char *sql)
{
	(void)append(w, o, "add value", sql);
	strv_add(&w->added, literal);
}

void ddl_write(struct writer *w, const struct object *o, const struct fact *f, const char *did,
               unsigned hazards, const char *pattern)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	ddl_expand(w->all, &sql, o, f, pattern);
	if (sql.len > 0)
		ddl_add(w, o, did, hazards, buf_text(&sql));
}

bool value_differs(const struct object *o, const char *attribute)
{
	const struct attribute *a = fact_attribute(o->old, attribute), *b = fact_attribute(o->new, attribute);

	if (!a || !b)
		return a != b;
	return !a->form != !b->form ||
	       strcmp(a->form ? a->form : a->value, b->form ? b->form : b->value) != 0;
}

static bool refuse(const struct object *o, const char *attribute, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s %s: %s cannot be changed by a statement", object_fact(o)->kind,
	               object_fact(o)->name, attribute);
}

static bool write_property(struct writer *w, const struct object *o, const struct property *p,
                           struct err *err)
{
	const char *pattern = fact_value(o->new, p->name) ? p->set : p->unset;

	if (p->how == HOW_REFUSED)
		return refuse(o, p->name, err);
	if (o->action == ACTION_ALTER && strcmp(p->name, "owner") == 0 && !owners_undo(w, o, err))
		return false;
	if (p->write)
		return p->write(w, o, err);
	if (!pattern)
		return p->decide || p->how == HOW_FOLLOWS || p->how == HOW_REBUILD || refuse(o, p->name, err);
	ddl_write(w, o, o->new, p->name, p->hazards, pattern);
	return true;
}

bool ddl_drop(struct writer *w, const struct object *o, struct err *err)
{
	/* What hangs on a type that is replaced goes with it. */
	if (o->kind->hangs && o->action == ACTION_REBUILD)
		return true;
	if (o->kind->write_drop)
		return o->kind->write_drop(w, o, err);
	if (o->kind->drop)
		ddl_write(w, o, o->old, "drop", o->kind->drop_hazards, o->kind->drop);
	return true;
}

/* The role that makes an object is its owner already. */
static bool is_set(const struct writer *w, const struct object *o, const struct property *p)
{
	const char *value = fact_value(o->new, p->name);

	return value && !(strcmp(p->name, "owner") == 0 && strcmp(value, w->all->role) == 0);
}

bool ddl_create(struct writer *w, const struct object *o, struct err *err)
{
	if (o->made_by == o) {
		if (o->kind->write_create && !o->kind->write_create(w, o, err))
			return false;
		if (!o->kind->write_create && o->kind->create)
			ddl_write(w, o, o->new, "create", 0, o->kind->create);
	} else if (o->kind->write_adjust && !o->kind->write_adjust(w, o, err)) {
		return false;
	}
	if (!presets_undo(w, o, err))
		return false;
	for (const struct property *p = o->kind->properties; p && p->name; p++)
		if (p->after && is_set(w, o, p) && !write_property(w, o, p, err))
			return false;
	return true;
}

bool ddl_alter(struct writer *w, const struct object *o, struct err *err)
{
	bool together = false;

	if (o->kind->write_change)
		return o->kind->write_change(w, o, err);
	for (const struct property *p = o->kind->properties; p && p->name; p++) {
		if (!(value_differs(o, p->name) || (o->remade && p->forgotten)) || (p->together && together))
			continue;
		together = together || p->together;
		if (!(p->together ? o->kind->write_together(w, o, err) : write_property(w, o, p, err)))
			return false;
	}
	return true;
}

/* The option's name ends at the first equals sign. */
static bool same_option(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return strncmp(a, b, len) == 0 && b[len] == '=';
}

static bool has_option(const struct strv *list, const char *option)
{
	for (size_t i = 0; i < list->n; i++)
		if (same_option(list->v[i], option))
			return true;
	return false;
}

void ddl_options(struct writer *w, const struct object *o, const char *attribute, const char *what,
                 const char *prefix)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;
	cleanup_buf struct buf set = BUF_INIT(BUF_TEXT_MAX), reset = BUF_INIT(BUF_TEXT_MAX);
	const char *was = object_makes(o) ? NULL : fact_value(o->old, attribute),
		   *is = fact_value(o->new, attribute);

	words_list(&old, was ? was : "");
	words_list(&new, is ? is : "");
	for (size_t i = 0; i < new.n; i++)
		if (!strv_has(&old, new.v[i]))
			buf_fmt(&set, "%s%s%s", set.len ? ", " : "", prefix, new.v[i]);
	for (size_t i = 0; i < old.n; i++)
		if (!has_option(&new, old.v[i]))
			buf_fmt(&reset, "%s%s%.*s", reset.len ? ", " : "", prefix,
			        (int)strcspn(old.v[i], "="), old.v[i]);
	if (set.len > 0) {
		cleanup_free char *sql = mem_fmt("%s SET (%s)", what, buf_text(&set));

		ddl_add(w, o, attribute, 0, sql);
	}
	if (reset.len > 0) {
		cleanup_free char *sql = mem_fmt("%s RESET (%s)", what, buf_text(&reset));

		ddl_add(w, o, attribute, 0, sql);
	}
}
