#include "migrations/schema/changes/steps.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_STEP SIZE_MAX

struct graph {
	struct step *steps; /* sorted: a smaller number is preferred */
	size_t n;
	size_t *before, *after; /* pairs: the one comes before the other */
	size_t n_pairs, cap;
};

/* Columns by their place in the table. */
static int compare_positions(const struct object *a, const struct object *b)
{
	const char *p = fact_value(object_fact(a), "position"), *q = fact_value(object_fact(b), "position");

	if (!p || !q || !a->part_of || a->part_of != b->part_of)
		return 0;
	return strtol(p, NULL, 10) < strtol(q, NULL, 10) ? -1 : 1;
}

/* What is dropped first, the highest rank first; then by rank, kind, place and name. */
static int compare_steps(const void *x, const void *y)
{
	const struct step *s = x, *t = y;
	const struct object *a = s->object, *b = t->object;
	bool drops = s->kind == STEP_DROP;
	int kinds = strcmp(a->kind->name, b->kind->name), places;

	if (drops != (t->kind == STEP_DROP))
		return drops ? -1 : 1;
	if (a->kind->rank != b->kind->rank)
		return (a->kind->rank < b->kind->rank) != drops ? -1 : 1;
	if (kinds != 0)
		return kinds;
	places = compare_positions(a, b);
	return places ? places : strcmp(object_fact(a)->name, object_fact(b)->name);
}

static void add_steps(struct objects *all, struct graph *g)
{
	g->steps = mem_new0((2 * all->n + 1) * sizeof(*g->steps));
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];

		if (object_drops(o) && o->dropped_by == o)
			g->steps[g->n++] = (struct step){ .object = o, .kind = STEP_DROP };
		if (o->action == ACTION_ALTER || object_makes(o))
			g->steps[g->n++] =
				(struct step){ .object = o,
				               .kind = o->action == ACTION_ALTER ? STEP_ALTER : STEP_CREATE };
	}
	qsort(g->steps, g->n, sizeof(*g->steps), compare_steps);
	for (size_t i = 0; i < all->n; i++)
		all->v[i].drop_step = all->v[i].make_step = NO_STEP;
	for (size_t i = 0; i < g->n; i++) {
		if (g->steps[i].kind == STEP_DROP)
			g->steps[i].object->drop_step = i;
		else
			g->steps[i].object->make_step = i;
	}
}

static void add_pair(struct graph *g, size_t before, size_t after)
{
	if (before == NO_STEP || after == NO_STEP || before == after)
		return;
	if (g->n_pairs == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 1024;
		g->before = mem_grow(g->before, g->cap, sizeof(*g->before));
		g->after = mem_grow(g->after, g->cap, sizeof(*g->after));
	}
	g->before[g->n_pairs] = before;
	g->after[g->n_pairs++] = after;
}

static size_t drop_of(const struct object *o)
{
	while (o->dropped_by != o)
		o = o->dropped_by;
	/* A sequence goes when its column is altered to be no identity any more. */
	return o->action == ACTION_ALTER ? o->make_step : o->drop_step;
}

static size_t make_of(const struct object *o)
{
	while (o->made_by != o)
		o = o->made_by;
	return o->make_step;
}

/* A schema's owner is changed whenever it suits. */
static bool alters_users(const struct object *o)
{
	return o->action == ACTION_ALTER && strcmp(o->kind->name, "schema") != 0;
}

static void pair_old(const struct objects *all, struct graph *g, const struct object *user)
{
	for (FOR_LINKS(i, &all->old_needs, all, user)) {
		const struct object *needed = all->old_needs.v[i];

		if (object_drops(user)) {
			add_pair(g, drop_of(user), object_drops(needed) ? drop_of(needed) : NO_STEP);
			add_pair(g, drop_of(user), alters_users(needed) ? needed->make_step : NO_STEP);
		} else if (user->action == ACTION_ALTER && object_drops(needed) &&
		           needed->action == ACTION_DROP) {
			add_pair(g, user->make_step, drop_of(needed));
		}
	}
}

static void pair_new(const struct objects *all, struct graph *g, const struct object *user)
{
	for (FOR_LINKS(i, &all->new_needs, all, user))
		add_pair(g, make_of(all->new_needs.v[i]), make_of(user));
	add_pair(g, make_of(user), user->make_step);
	if (object_drops(user))
		add_pair(g, drop_of(user), make_of(user));
}

/* Relations, and types but for columns and indexes, have names in common. */
static void pair_names(const struct objects *all, struct graph *g, const struct object *made)
{
	static const char *const KINDS[] = { "table",     "view",     "materialized view", "foreign table",
		                             "sequence",  "index",    "composite type",    "enum",
		                             "domain",    "range",    "base type",         "function",
		                             "procedure", "aggregate" };

	if (made->action != ACTION_CREATE)
		return;
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++) {
		const struct object *other = objects_find(all, KINDS[i], made->new->name);

		if (other && other != made && object_drops(other))
			add_pair(g, drop_of(other), make_of(made));
	}
}

/* A heap of step numbers, the smallest on top. */
struct heap {
	size_t *v, n;
};

static void heap_push(struct heap *h, size_t step)
{
	size_t i = h->n++;

	for (; i > 0 && h->v[(i - 1) / 2] > step; i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = step;
}

static size_t heap_pop(struct heap *h)
{
	size_t top = h->v[0], last = h->v[--h->n], i = 0;

	for (size_t child = 1; child < h->n; i = child, child = 2 * i + 1) {
		if (child + 1 < h->n && h->v[child + 1] < h->v[child])
			child++;
		if (h->v[child] >= last)
			break;
		h->v[i] = h->v[child];
	}
	h->v[i] = last;
	return top;
}

/* Pairs by their first step: those of step s stand from first[s] to first[s + 1] in the result. */
static size_t *group_pairs(const struct graph *g, size_t *first)
{
	size_t *next = mem_new0((g->n + 1) * sizeof(*next)),
	       *after = mem_new0((g->n_pairs + 1) * sizeof(*after));

	for (size_t i = 0; i < g->n_pairs; i++)
		first[g->before[i] + 1]++;
	for (size_t i = 0; i < g->n; i++)
		first[i + 1] += first[i];
	memcpy(next, first, g->n * sizeof(*next));
	for (size_t i = 0; i < g->n_pairs; i++)
		after[next[g->before[i]]++] = g->after[i];
	free(next);
	return after;
}

/* A step that this one waits for, and that waits itself. */
static size_t step_before(const struct graph *g, const size_t *waits, size_t step)
{
	for (size_t i = 0; i < g->n_pairs; i++)
		if (g->after[i] == step && waits[g->before[i]] > 0)
			return g->before[i];
	return NO_STEP;
}

/* From any step that waits it leads back to a circle, and then round that. */
static bool name_cycle(const struct graph *g, const size_t *waits, struct err *err)
{
	cleanup_buf struct buf names = BUF_INIT(BUF_TEXT_MAX);
	size_t at = 0, n = 0, first;

	while (waits[at] == 0)
		at++;
	for (size_t i = 0; i < g->n; i++)
		at = step_before(g, waits, at);
	first = at;
	do {
		const struct fact *f = object_fact(g->steps[at].object);

		buf_fmt(&names, "%s%s %s", n++ ? ", " : "", f->kind, f->name);
		at = step_before(g, waits, at);
	} while (at != first && n < 8);
	return err_set(err, ERR_REFUSED, "no order works: these wait for each other: %s", buf_text(&names));
}

/* Kahn's algorithm. */
static bool sort(const struct graph *g, struct step *out, struct err *err)
{
	cleanup_free size_t *first = mem_new0((g->n + 2) * sizeof(*first));
	cleanup_free size_t *after = group_pairs(g, first);
	cleanup_free size_t *waits = mem_new0((g->n + 1) * sizeof(*waits));
	cleanup_free size_t *ready = mem_new0((g->n + 1) * sizeof(*ready));
	struct heap heap = { .v = ready };
	size_t done = 0;

	for (size_t i = 0; i < g->n_pairs; i++)
		waits[g->after[i]]++;
	for (size_t i = 0; i < g->n; i++)
		if (waits[i] == 0)
			heap_push(&heap, i);
	while (heap.n > 0) {
		size_t step = heap_pop(&heap);

		out[done++] = g->steps[step];
		for (size_t i = first[step]; i < first[step + 1]; i++)
			if (--waits[after[i]] == 0)
				heap_push(&heap, after[i]);
	}
	return done == g->n || name_cycle(g, waits, err);
}

bool steps_order(struct objects *all, struct step **out, size_t *n, struct err *err)
{
	struct graph g = { .steps = NULL };
	cleanup_free struct step *order = NULL;
	bool ok;

	add_steps(all, &g);
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];

		if (object_drops(o) || o->action == ACTION_ALTER)
			pair_old(all, &g, o);
		if (object_makes(o) || o->action == ACTION_ALTER) {
			pair_new(all, &g, o);
			pair_names(all, &g, o);
		}
	}
	order = mem_new0((g.n + 1) * sizeof(*order));
	ok = sort(&g, order, err);
	free(g.steps);
	free(g.before);
	free(g.after);
	if (!ok)
		return false;
	*out = order;
	order = NULL;
	*n = g.n;
	return true;
}
