#include "migrations/schema/changes/alike.h"

#include "migrations/schema/changes/object.h"
#include "migrations/schema/changes/words.h"
#include "migrations/schema/store.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* What is called by another name, and what it is on the new side. */
struct alike {
	const struct fact *was, *is;
};

struct alikes {
	struct alike *v;
	size_t n;
	const struct schema *old, *new;
};

static bool is(const struct fact *f, const char *kind) { return strcmp(f->kind, kind) == 0; }

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

/* The new name of one of the old side; the same where it stays. */
static const char *name_now(const struct alikes *a, const char *kind, const char *name)
{
	for (size_t i = 0; name && i < a->n; i++)
		if (is(a->v[i].was, kind) && strcmp(a->v[i].was->name, name) == 0)
			return a->v[i].is->name;
	return name;
}

/* As a default has it: 'public.s'::regclass; the caller's. */
static char *regclass(const char *sequence)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);

	sql_literal(&out, sequence);
	buf_str(&out, "::regclass");
	return buf_take(&out);
}

/* ------------------------------------------------------------------ which are the same */

/* "c on public.t": the table. */
static const char *table_of(const struct fact *constraint)
{
	return words_find_last(constraint->name, " on ") + strlen(" on ");
}

static size_t own_length(const struct fact *constraint)
{
	return (size_t)(table_of(constraint) - strlen(" on ") - constraint->name);
}

/* "public.c", as the index of the constraint "c on public.t" is called; the caller's. */
static char *index_name(const struct fact *constraint)
{
	const char *table = table_of(constraint);

	return mem_fmt("%.*s%.*s", (int)(words_last_name(table) - table), table, (int)own_length(constraint),
	               constraint->name);
}

/* "CREATE UNIQUE INDEX i ON ..." twice, with other names. */
static bool same_index(const char *a, const char *b)
{
	const char *on = words_find(a, " ON "), *other = words_find(b, " ON ");
	bool unique = text_starts(a, "CREATE UNIQUE ");

	return on && other && strcmp(on, other) == 0 && unique == text_starts(b, "CREATE UNIQUE ");
}

/* One that is a part of a parent's must be that of the same one. */
static bool same_attribute(const struct alikes *a, const struct fact *f, const struct fact *g,
                           const char *name)
{
	const char *was = fact_value(f, name), *now = fact_value(g, name);

	if (is(f, "index") && strcmp(name, "definition") == 0)
		return same_index(was, now);
	if (is(f, "index") && strcmp(name, "constraint") == 0)
		return !was == !now;
	if (is(f, "index") && strcmp(name, "partition of") == 0)
		return same_text(name_now(a, "index", was), now);
	if (!was || !now)
		return was == now;
	return strcmp(attribute_form(fact_attribute(f, name)), attribute_form(fact_attribute(g, name))) == 0;
}

static bool same_attributes(const struct alikes *a, const struct fact *f, const struct fact *g)
{
	bool same = f->n == g->n;

	for (size_t i = 0; same && i < f->n; i++)
		same = same_attribute(a, f, g, f->attributes[i].name);
	return same;
}

static bool is_relation(const struct schema *s, const char *name)
{
	static const char *const KINDS[] = { "table",    "view",  "materialized view", "foreign table",
		                             "sequence", "index", "composite type" };
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(KINDS) / sizeof(*KINDS); i++)
		found = schema_find(s, KINDS[i], name);
	return found;
}

/* A check goes to the tables that inherit, by its name. */
static bool has_relatives(const struct schema *s, const char *table)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *parents = fact_value(&s->facts[i], "parents");
		cleanup_strv struct strv list = STRV_INIT;

		if (!parents)
			continue;
		words_list(&list, parents);
		if (strcmp(s->facts[i].name, table) == 0 || strv_has(&list, table))
			return true;
	}
	return false;
}

static bool stays_a_table(const struct alikes *a, const char *table)
{
	return schema_find(a->old, "table", table) && schema_find(a->new, "table", table);
}

/* Triggers of constraints, and NOT NULL, have a name among the constraints', too. */
static bool is_taken(const struct schema *s, const struct fact *constraint)
{
	const char *table = table_of(constraint);
	size_t len = own_length(constraint), table_len = strlen(table);

	if (schema_find(s, "trigger", constraint->name))
		return true;
	for (size_t i = 0; i < s->n; i++) {
		const struct fact *f = &s->facts[i];
		const char *name = is(f, "not null name") ? fact_value(f, "constraint") : NULL;

		if (name && strlen(name) == len && memcmp(name, constraint->name, len) == 0 &&
		    strncmp(f->name, table, table_len) == 0 && f->name[table_len] == '.')
			return true;
	}
	return false;
}

static bool same_constraint(const struct alikes *a, const struct fact *f, const struct fact *g)
{
	const char *table = table_of(f);

	return strcmp(table, table_of(g)) == 0 && same_attributes(a, f, g) && stays_a_table(a, table) &&
	       !is_taken(a->old, g) &&
	       (strcmp(fact_value(f, "type"), "check") != 0 ||
	        (!has_relatives(a->old, table) && !has_relatives(a->new, table)));
}

static bool add(struct alikes *a, const struct fact *was, const struct fact *is)
{
	a->v = mem_grow(a->v, a->n + 1, sizeof(*a->v));
	a->v[a->n++] = (struct alike){ .was = was, .is = is };
	return true;
}

static bool has_index(const struct fact *constraint)
{
	const char *type = fact_value(constraint, "type");

	return strcmp(type, "check") != 0 && strcmp(type, "foreign key") != 0;
}

/* A key's index has the key's name. */
static bool try_key_index(struct alikes *a, const struct fact *f, const struct fact *g)
{
	cleanup_free char *was = index_name(f), *is = index_name(g);
	const struct fact *old = schema_find(a->old, "index", was), *new = schema_find(a->new, "index", is);

	return old && new &&same_attributes(a, old, new) && !is_relation(a->old, is) && add(a, old, new);
}

static bool try_constraint(struct alikes *a, const struct fact *f, const struct fact *g)
{
	return same_constraint(a, f, g) && (!has_index(f) || try_key_index(a, f, g)) && add(a, f, g);
}

static bool try_index(struct alikes *a, const struct fact *f, const struct fact *g)
{
	return !fact_value(f, "constraint") && same_attributes(a, f, g) &&
	       stays_a_table(a, fact_value(f, "table")) && !is_relation(a->old, g->name) && add(a, f, g);
}

/* Whether both have it, and the old default counts with the one sequence, the new one with the other. */
static bool counts_with(const struct alikes *a, const char *column, const struct fact *f,
                        const struct fact *g)
{
	const char *was = fact_value(schema_find(a->old, "column", column), "default");
	const char *is = fact_value(schema_find(a->new, "column", column), "default");
	cleanup_free char *old = regclass(f->name), *new = regclass(g->name);

	return was && is && strstr(was, old) && strstr(is, new);
}

/* A column's identity, and the sequence that it owns and has its default from, goes on counting under another name. */
static bool try_sequence(struct alikes *a, const struct fact *f, const struct fact *g)
{
	const char *identity = fact_value(f, "identity of"), *owned = fact_value(f, "owned by");
	bool same = identity ? same_text(identity, fact_value(g, "identity of"))
	                     : owned && same_text(owned, fact_value(g, "owned by")) &&
	                               counts_with(a, owned, f, g);

	return same && words_same_front(f->name, g->name) && !is_relation(a->old, g->name) && add(a, f, g);
}

static bool try_pair(struct alikes *a, const struct fact *f, const struct fact *g)
{
	if (strcmp(f->kind, g->kind) != 0)
		return false;
	return is(f, "index")      ? try_index(a, f, g)
	       : is(f, "sequence") ? try_sequence(a, f, g)
	                           : try_constraint(a, f, g);
}

static bool is_named(const struct fact *f)
{
	return is(f, "constraint") || is(f, "index") || is(f, "sequence");
}

/* Facts of one side alone. */
struct lone_facts {
	const struct fact **v;
	size_t n;
};

static void find_lone(const struct schema *s, const struct schema *other, struct lone_facts *out)
{
	out->v = mem_new0((s->n + 1) * sizeof(*out->v));
	for (size_t i = 0; i < s->n; i++) {
		const struct fact *f = &s->facts[i];

		if (is_named(f) && !schema_find(other, f->kind, f->name))
			out->v[out->n++] = f;
	}
}

/* Takes it from the list. */
static bool find_alike(struct alikes *a, const struct fact *f, struct lone_facts *come)
{
	for (size_t i = 0; i < come->n; i++) {
		if (!come->v[i] || !try_pair(a, f, come->v[i]))
			continue;
		come->v[i] = NULL;
		return true;
	}
	return false;
}

/* A parent's index makes those of its partitions alike: again, until no more are found. */
static void find_all(struct alikes *a)
{
	struct lone_facts gone = { .v = NULL }, come = { .v = NULL };
	size_t before;

	find_lone(a->old, a->new, &gone);
	find_lone(a->new, a->old, &come);
	do {
		before = a->n;
		for (size_t i = 0; i < gone.n; i++)
			if (gone.v[i] && find_alike(a, gone.v[i], &come))
				gone.v[i] = NULL;
	} while (a->n > before);
	free((void *)gone.v);
	free((void *)come.v);
}

/* ------------------------------------------------------------------ what is said of them */

/* The text with the one place of `was` in it changed. */
static const char *replaced(struct schema *out, const char *text, size_t at, const char *was, const char *is)
{
	cleanup_free char *now = mem_fmt("%.*s%s%s", (int)at, text, is, text + at + strlen(was));

	return schema_keep(out, now);
}

static const char *noun_of(const struct fact *f)
{
	return is(f, "index") ? "index " : is(f, "sequence") ? "sequence " : "table constraint ";
}

static bool is_end(const char *text)
{
	return !*text || text_starts(text, " on ") || text_starts(text, " to ") || text_starts(text, " by ");
}

/* "index public.i", "table constraint c on public.t", as comments and the like have them, and what may follow. */
static const char *target_now(const struct alikes *a, struct schema *out, const char *name)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct fact *was = a->v[i].was;
		const char *noun = noun_of(was);
		size_t front = strlen(noun), len = strlen(was->name);

		if (text_starts(name, noun) && strncmp(name + front, was->name, len) == 0 &&
		    is_end(name + front + len))
			return replaced(out, name, front, was->name, a->v[i].is->name);
	}
	return name;
}

/* An index without its schema, which is its table's. */
static const char *bare_index_now(const struct alikes *a, struct schema *out, const char *table,
                                  const char *index)
{
	cleanup_free char *whole = mem_fmt("%.*s%s", (int)(words_last_name(table) - table), table, index);
	const char *now = name_now(a, "index", whole);

	return now == whole ? index : schema_keep(out, words_last_name(now));
}

/* A default that is the new one, when its sequence has its new name. */
static const struct attribute *default_now(const struct alikes *a, const struct fact *f,
                                           const struct attribute *at)
{
	const struct attribute *new = fact_attribute(schema_find(a->new, f->kind, f->name), at->name);

	for (size_t i = 0; new &&i < a->n; i++) {
		if (!is(a->v[i].was, "sequence"))
			continue;
		cleanup_free char *was = regclass(a->v[i].was->name), *is = regclass(a->v[i].is->name);
		const char *place = strstr(at->value, was);
		cleanup_free char *now = place ? mem_fmt("%.*s%s%s", (int)(place - at->value), at->value, is,
		                                         place + strlen(was))
		                               : NULL;

		if (now && strcmp(now, new->value) == 0)
			return new;
	}
	return at;
}

static const char *value_now(const struct alikes *a, struct schema *out, const struct fact *f,
                             const struct attribute *at)
{
	static const char WORD[] = "index ";

	if (is(f, "index") && strcmp(at->name, "partition of") == 0)
		return name_now(a, "index", at->value);
	if (is(f, "index partition") && strcmp(at->name, "parent") == 0)
		return name_now(a, "index", at->value);
	if (strcmp(at->name, "clustered on") == 0)
		return name_now(a, "index", at->value);
	if ((is(f, "replica identity") || is(f, "clustered index")) && strcmp(at->name, "index") == 0)
		return bare_index_now(a, out, f->name, at->value);
	if (strcmp(at->name, "replica identity") == 0 && text_starts(at->value, WORD)) {
		const char *was = at->value + strlen(WORD), *now = name_now(a, "index", was);
		return now == was ? at->value : replaced(out, at->value, strlen(WORD), was, now);
	}
	return at->value;
}

static const char *fact_name_now(const struct alikes *a, struct schema *out, const struct fact *f)
{
	static const char *const HANG[] = { "comment", "extension dependency", "security label", "grant",
		                            "grant base" };

	if (is(f, "index partition"))
		return name_now(a, "index", f->name);
	if (is(f, "sequence") || is(f, "sequence owner"))
		return name_now(a, "sequence", f->name);
	for (size_t i = 0; i < sizeof(HANG) / sizeof(*HANG); i++)
		if (is(f, HANG[i]))
			return target_now(a, out, f->name);
	return f->name;
}

static void add_changed(const struct alikes *a, struct schema *out, const struct fact *f)
{
	cleanup_free struct attribute *attributes = mem_new0((f->n + 1) * sizeof(*attributes));

	for (size_t i = 0; i < f->n; i++) {
		const struct attribute *at = &f->attributes[i];

		if (is(f, "column") || is(f, "column default"))
			at = default_now(a, f, at);
		attributes[i] = *at;
		attributes[i].value = value_now(a, out, f, at);
	}
	schema_add(out, f->kind, fact_name_now(a, out, f), attributes, f->n);
}

/* What it is on the new side, but for a sequence, which may count in other steps there. */
static const struct fact *alike_of(const struct alikes *a, const struct fact *f)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].was == f && !is(f, "sequence"))
			return a->v[i].is;
	return NULL;
}

static struct schema *facts_now(const struct alikes *a)
{
	struct schema *out = schema_new();

	for (size_t i = 0; i < a->old->n; i++) {
		const struct fact *f = &a->old->facts[i], *now = alike_of(a, f);

		if (now)
			schema_add(out, now->kind, now->name, now->attributes, now->n);
		else
			add_changed(a, out, f);
		out->facts[out->n - 1].address = f->address;
	}
	schema_seal(out);
	return out;
}

/* ------------------------------------------------------------------ the statements */

static void write_constraint(const struct alike *pair, struct changes *out)
{
	const char *table = table_of(pair->was);
	cleanup_free char *was = mem_strndup(pair->was->name, own_length(pair->was));
	cleanup_free char *is = mem_strndup(pair->is->name, own_length(pair->is));
	cleanup_free char *about = mem_fmt("table %s: rename constraint %s to %s", table, was, is);
	cleanup_free char *sql = mem_fmt("ALTER TABLE %s RENAME CONSTRAINT %s TO %s", table, was, is);

	changes_add(out, sql, about, HAZARD_EXCLUSIVE_LOCK);
}

/* A key's index has its new name by the key's. */
static void write_rename(const struct alike *pair, struct changes *out)
{
	const struct fact *was = pair->was;
	const char *last = words_last_name(pair->is->name);
	bool index = is(was, "index");

	if (is(was, "constraint")) {
		write_constraint(pair, out);
		return;
	}
	if (index && fact_value(was, "constraint"))
		return;
	cleanup_free char *about =
		index ? mem_fmt("table %s: rename index %s to %s", fact_value(was, "table"), was->name, last)
		      : mem_fmt("sequence %s: rename to %s", was->name, last);
	cleanup_free char *sql =
		mem_fmt("ALTER %s %s RENAME TO %s", index ? "INDEX" : "SEQUENCE", was->name, last);

	changes_add(out, sql, about, 0);
}

struct schema *alike_rename(const struct schema *old, const struct schema *new, struct changes *out)
{
	struct alikes a = { .v = NULL, .old = old, .new = new };
	struct schema *now = NULL;

	find_all(&a);
	for (size_t i = 0; i < a.n; i++)
		write_rename(&a.v[i], out);
	if (a.n > 0)
		now = facts_now(&a);
	free(a.v);
	return now;
}
