#include "migrations/schema/changes/object.h"

#include "migrations/schema/changes/kinds.h"
#include "migrations/schema/changes/words.h"
#include "migrations/schema/store.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct attribute *fact_attribute(const struct fact *f, const char *name)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (strcmp(f->attributes[i].name, name) == 0)
			return &f->attributes[i];
	return NULL;
}

const char *fact_value(const struct fact *f, const char *attribute)
{
	const struct attribute *a = fact_attribute(f, attribute);

	return a ? a->value : NULL;
}

bool object_keeps_computed(const struct object *o)
{
	return o->action == ACTION_ALTER && fact_value(o->old, "generated") && o->new &&
	       !fact_value(o->new, "generated");
}

static int compare_to(const struct object *o, const struct fact *key)
{
	return fact_compare(object_fact(o), key);
}

struct object *objects_find(const struct objects *all, const char *kind, const char *name)
{
	const struct fact key = { .kind = kind, .name = name };
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_to(&all->v[middle], &key);

		if (order == 0)
			return &all->v[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct object *objects_relation(const struct objects *all, const char *name)
{
	static const char *const KINDS[] = { "table",         "view",     "materialized view",
		                             "foreign table", "sequence", "index" };

	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++) {
		struct object *found = objects_find(all, KINDS[i], name);

		if (found)
			return found;
	}
	return NULL;
}

/* Merges two sorted readings. */
static void merge(const struct schema *from, const struct schema *to, struct objects *out)
{
	size_t i = 0, j = 0, n = schema_count(from), m = schema_count(to);

	out->v = mem_new0((n + m + 1) * sizeof(*out->v));
	while (i < n || j < m) {
		const struct fact *f = i < n ? schema_fact(from, i) : NULL,
				  *g = j < m ? schema_fact(to, j) : NULL;
		int order = !f ? 1 : !g ? -1 : fact_compare(f, g);
		struct object *o = &out->v[out->n++];

		o->old = order <= 0 ? f : NULL;
		o->new = order >= 0 ? g : NULL;
		o->dropped_by = o->made_by = o;
		o->kind = kind_of(object_fact(o)->kind);
		i += order <= 0;
		j += order >= 0;
	}
}

/* An address, and what it is: a fact or another address. */
struct place {
	const char *address, *alias;
	struct object *object;
};

struct places {
	struct place *v;
	size_t n;
};

static int compare_places(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->address, ((const struct place *)b)->address);
}

static const struct place *find_place(const struct places *places, const char *address)
{
	const struct place key = { .address = address };

	return bsearch(&key, places->v, places->n, sizeof(key), compare_places);
}

/* A part of an object (a column of an index, of a composite type) is the object where it is no fact itself. */
static const struct place *find_whole(const struct places *places, const char *address)
{
	const char *last = strrchr(address, ' ');
	char whole[64];

	(void)snprintf(whole, sizeof(whole), "%.*s 0", (int)(last - address), address);
	return find_place(places, whole);
}

/* Aliases lead from an array to its element and from there to a table: three at most. */
static struct object *resolve(const struct places *places, const char *address)
{
	for (int hops = 0; hops < 4; hops++) {
		const struct place *p = find_place(places, address);

		if (!p)
			p = find_whole(places, address);
		if (!p)
			return NULL;
		if (p->object)
			return p->object;
		address = p->alias;
	}
	return NULL;
}

static void fill_places(const struct objects *all, bool new, const struct rows *aliases, struct places *out)
{
	out->v = mem_new0((all->n + rows_count(aliases) + 1) * sizeof(*out->v));
	for (size_t i = 0; i < all->n; i++) {
		const struct fact *f = new ? all->v[i].new : all->v[i].old;

		if (f && f->address && !all->v[i].kind->hangs)
			out->v[out->n++] = (struct place){ .address = f->address, .object = &all->v[i] };
	}
	for (size_t i = 0; i < rows_count(aliases); i++)
		out->v[out->n++] = (struct place){ .address = rows_get(aliases, i, 0),
			                           .alias = rows_get(aliases, i, 1) };
	qsort(out->v, out->n, sizeof(*out->v), compare_places);
}

struct link {
	struct object *user, *needed;
};

struct link_list {
	struct link *v;
	size_t n, cap;
};

static void add_link(struct link_list *list, struct object *user, struct object *needed)
{
	if (!user || !needed || user == needed)
		return;
	if (list->n == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 1024;
		list->v = mem_grow(list->v, list->cap, sizeof(*list->v));
	}
	list->v[list->n++] = (struct link){ .user = user, .needed = needed };
}

/* A counting sort by user, or by what is needed. */
static void fill_links(const struct objects *all, const struct link_list *list, bool by_user,
                       struct links *out)
{
	cleanup_free size_t *next = NULL;

	out->first = mem_new0((all->n + 2) * sizeof(*out->first));
	out->v = mem_new0((list->n + 1) * sizeof(struct object *));
	for (size_t i = 0; i < list->n; i++)
		out->first[object_number(all, by_user ? list->v[i].user : list->v[i].needed) + 1]++;
	for (size_t i = 0; i < all->n; i++)
		out->first[i + 1] += out->first[i];
	next = mem_new0((all->n + 1) * sizeof(*next));
	memcpy(next, out->first, all->n * sizeof(*next));
	for (size_t i = 0; i < list->n; i++) {
		const struct link *l = &list->v[i];

		out->v[next[object_number(all, by_user ? l->user : l->needed)]++] =
			by_user ? l->needed : l->user;
	}
}

static void add_part(struct link_list *list, struct object *part, struct object *whole, bool new)
{
	if (!part || !whole || part == whole)
		return;
	if (new)
		part->part_of = whole;
	else
		part->was_part_of = whole;
	add_link(list, part, whole);
}

static void add_row(struct link_list *list, const struct places *places, const struct rows *rows, size_t i,
                    bool new)
{
	struct object *user = resolve(places, rows_get(rows, i, 0));
	struct object *needed = resolve(places, rows_get(rows, i, 1));

	if (rows_get(rows, i, 2)[0] == 'c' && !new)
		return;
	if (rows_get(rows, i, 2)[0] == 'p')
		add_part(list, user, needed, new);
	else
		add_link(list, user, needed);
}

static void link_side(struct objects *all, bool new, const struct side *side, struct links *needs,
                      struct links *users)
{
	struct places places = { .v = NULL };
	struct link_list list = { .v = NULL };

	fill_places(all, new, side->aliases, &places);
	for (size_t i = 0; i < rows_count(side->needs); i++)
		add_row(&list, &places, side->needs, i, new);
	/* A column is a part of its table, a comment of what it is about. */
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];
		const struct fact *f = new ? o->new : o->old;
		const struct place *whole = NULL;

		if (!f || !f->address)
			continue;
		if (o->kind->hangs)
			add_part(&list, o, resolve(&places, f->address), new);
		else if (strcmp(f->kind, "column") == 0 && (whole = find_whole(&places, f->address)))
			add_part(&list, o, whole->object, new);
		if (strcmp(f->kind, "extension dependency") == 0)
			add_link(&list, o,
			         objects_find(all, "extension", words_find_last(f->name, " on ") + 4));
	}
	fill_links(all, &list, true, needs);
	fill_links(all, &list, false, users);
	free(list.v);
	free(places.v);
}

void objects_match(const struct side *from, const struct side *to, struct objects *out)
{
	out->role = from->role;
	merge(from->facts, to->facts, out);
	link_side(out, false, from, &out->old_needs, &out->old_users);
	link_side(out, true, to, &out->new_needs, &out->new_users);
	for (size_t i = 0; i < out->n; i++) {
		struct object *o = &out->v[i];

		o->part_of = o->part_of ? o->part_of : o->was_part_of;
		o->was_part_of = o->was_part_of ? o->was_part_of : o->part_of;
		o->kind = kind_within(o->kind, o->part_of);
	}
}

static void links_clear(struct links *l)
{
	free(l->first);
	free(l->v);
}

void objects_clear(struct objects *o)
{
	links_clear(&o->old_needs);
	links_clear(&o->old_users);
	links_clear(&o->new_needs);
	links_clear(&o->new_users);
	free(o->v);
}
