#include "migrations/schema/changes/kinds/grants.h"
#include "migrations/schema/changes/steps.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NO_STEP SIZE_MAX

/* The one step comes before the other, since `user` needs what the other step is about. */
struct pair {
	size_t before, after;
	struct object *user;
	bool wanted; /* a better order, and no more: given up where it makes a circle */
};

struct graph {
	struct step *steps; /* sorted: a smaller number is preferred */
	size_t n;
	struct pair *pairs;
	size_t n_pairs, cap;
};

/* Columns by their place in the table, parents by theirs among the table's. */
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

static void add_pair(struct graph *g, size_t before, size_t after, struct object *user, bool wanted)
{
	if (before == NO_STEP || after == NO_STEP || before == after)
		return;
	if (g->n_pairs == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 1024;
		g->pairs = mem_grow(g->pairs, g->cap, sizeof(*g->pairs));
	}
	g->pairs[g->n_pairs++] =
		(struct pair){ .before = before, .after = after, .user = user, .wanted = wanted };
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

/* A table does without the index that it names for these, until the new one is there. */
static bool is_marked(const struct object *user)
{
	return strcmp(user->kind->name, "replica identity") == 0 ||
	       strcmp(user->kind->name, "clustered index") == 0;
}

/* What is dropped goes before that is altered which it needs; it must where the change is one that no user survives. */
static void pair_old(const struct objects *all, struct graph *g, struct object *user)
{
	for (FOR_LINKS(i, &all->old_needs, all, user)) {
		const struct object *needed = all->old_needs.v[i];

		if (object_drops(user)) {
			add_pair(g, drop_of(user), object_drops(needed) ? drop_of(needed) : NO_STEP, user,
			         false);
			add_pair(g, drop_of(user), alters_users(needed) ? needed->make_step : NO_STEP, user,
			         !needed->disturbs);
		} else if (user->action == ACTION_ALTER && needed->action == ACTION_DROP &&
		           !is_marked(user)) {
			add_pair(g, user->make_step, drop_of(needed), user, false);
		} else if (object_keeps_computed(user) && needed->disturbs) {
			add_pair(g, user->make_step, needed->make_step, user, false);
		}
	}
}

/* A table is made when its parents have their columns and checks; one that is there waits for none of them. */
static bool is_of_parent(const struct object *user, const struct object *needed)
{
	return user->action == ACTION_ALTER && strcmp(user->kind->name, "table") == 0 && needed->part_of &&
	       needed->part_of != user;
}

static void pair_new(const struct objects *all, struct graph *g, struct object *user)
{
	for (FOR_LINKS(i, &all->new_needs, all, user)) {
		const struct object *needed = all->new_needs.v[i];

		if (is_of_parent(user, needed))
			continue;
		add_pair(g, make_of(needed), make_of(user), user, false);
		/* What it has by another's statement is put right by one of its own. */
		if (needed->kind->write_adjust && make_of(needed) != make_of(user))
			add_pair(g, needed->make_step, make_of(user), user, true);
	}
	add_pair(g, make_of(user), user->make_step, user, false);
	if (object_drops(user))
		add_pair(g, drop_of(user), make_of(user), user, false);
}

/* The table whose statement gives an owner to what is granted on: a column, a sequence.  NULL: none. */
static const struct object *owning_table(const struct objects *all, const struct object *on)
{
	const char *column = on->new ? fact_value(on->new, "owned by") : NULL;
	cleanup_free char *table = NULL;

	if (strcmp(on->kind->name, "column") == 0)
		return on->part_of;
	if (on->new && !column)
		column = fact_value(on->new, "identity of");
	if (!column)
		return NULL;
	table = mem_strndup(column, (size_t)(words_find_last(column, ".") - column));
	return objects_find(all, "table", table);
}

/* With OWNER TO the old owner's privileges go, with REVOKE on a table those on its columns: what is granted comes behind. */
static void pair_grant(const struct objects *all, struct graph *g, struct object *grant)
{
	bool is_grant = strcmp(grant->kind->name, "grant") == 0 && grant->part_of;
	const struct object *owner = is_grant ? owning_table(all, grant->part_of) : NULL;

	const struct object *on_table = is_grant ? grant_of_table(all, grant) : NULL;

	if (owner && owner->action == ACTION_ALTER)
		add_pair(g, owner->make_step, make_of(grant), grant, false);
	if (on_table) {
		add_pair(g, on_table->drop_step, make_of(grant), grant, false);
		add_pair(g, on_table->make_step, make_of(grant), grant, false);
	}
}

/* What goes from a table that is there, as long as it is not tied to one that does not have it. */
static void pair_parts(const struct objects *all, struct graph *g, const struct object *table,
                       struct object *tie)
{
	for (FOR_LINKS(i, &all->old_users, all, table)) {
		const struct object *part = all->old_users.v[i];
		const char *kind = part->kind->name;

		if (part->was_part_of == table && part->action == ACTION_DROP &&
		    (strcmp(kind, "column") == 0 || strcmp(kind, "constraint") == 0))
			add_pair(g, drop_of(part), make_of(tie), tie, false);
	}
}

/* ATTACH and INHERIT want the columns and checks of the parent in the other table, and ATTACH no more than those. */
static void pair_tie(const struct objects *all, struct graph *g, struct object *tie)
{
	if (!object_makes(tie) ||
	    (strcmp(tie->kind->name, "partition") != 0 && strcmp(tie->kind->name, "inheritance") != 0))
		return;
	for (FOR_LINKS(i, &all->new_needs, all, tie))
		if (!all->new_needs.v[i]->part_of)
			pair_parts(all, g, all->new_needs.v[i], tie);
}

/* Relations, and types but for columns and indexes, have names in common. */
static void pair_names(const struct objects *all, struct graph *g, struct object *made)
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
			add_pair(g, drop_of(other), make_of(made), made, false);
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
static const struct pair **group_pairs(const struct graph *g, size_t *first)
{
	size_t *next = mem_new0((g->n + 1) * sizeof(*next));
	const struct pair **grouped = mem_new0((g->n_pairs + 1) * sizeof(struct pair *));

	for (size_t i = 0; i < g->n_pairs; i++)
		first[g->pairs[i].before + 1]++;
	for (size_t i = 0; i < g->n; i++)
		first[i + 1] += first[i];
	memcpy(next, first, g->n * sizeof(*next));
	for (size_t i = 0; i < g->n_pairs; i++)
		grouped[next[g->pairs[i].before]++] = &g->pairs[i];
	free(next);
	return grouped;
}

/* For how many others a step still waits; DONE when it waits no more. */
struct waiting {
	size_t needed, wanted;
	bool done;
};

/* A step that waits for what it wants alone: the first of them; NO_STEP for none. */
static size_t contented(const struct waiting *waits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!waits[i].done && waits[i].needed == 0)
			return i;
	return NO_STEP;
}

/* Kahn's algorithm; false where steps are left that wait for each other. */
static bool sort(const struct graph *g, struct step *out, struct waiting *waits)
{
	cleanup_free size_t *first = mem_new0((g->n + 2) * sizeof(*first));
	cleanup_free const struct pair **grouped = group_pairs(g, first);
	cleanup_free size_t *ready = mem_new0((g->n + 1) * sizeof(*ready));
	struct heap heap = { .v = ready };
	size_t done = 0;

	for (size_t i = 0; i < g->n_pairs; i++)
		*(g->pairs[i].wanted ? &waits[g->pairs[i].after].wanted : &waits[g->pairs[i].after].needed) +=
			1;
	for (size_t i = 0; i < g->n; i++)
		if (waits[i].needed + waits[i].wanted == 0)
			heap_push(&heap, i);
	while (done < g->n) {
		size_t step = heap.n > 0 ? heap_pop(&heap) : contented(waits, g->n);

		if (step == NO_STEP)
			return false;
		waits[step].done = true;
		out[done++] = g->steps[step];
		for (size_t i = first[step]; i < first[step + 1]; i++) {
			struct waiting *w = &waits[grouped[i]->after];

			*(grouped[i]->wanted ? &w->wanted : &w->needed) -= 1;
			if (!w->done && w->needed + w->wanted == 0)
				heap_push(&heap, grouped[i]->after);
		}
	}
	return true;
}

/* What is made behind them would have what they give, and a step that only wants another order may come late. */
static void put_presets_last(struct step *steps, size_t n)
{
	cleanup_free struct step *last = mem_new0((n + 1) * sizeof(*last));
	size_t kept = 0, moved = 0;

	for (size_t i = 0; i < n; i++) {
		bool preset = strcmp(steps[i].object->kind->name, "default privileges") == 0;

		if (preset && steps[i].kind != STEP_DROP)
			last[moved++] = steps[i];
		else
			steps[kept++] = steps[i];
	}
	memcpy(&steps[kept], last, moved * sizeof(*last));
}

/* ------------------------------------------------------------------ circles */

/* Pairs that lead round, each one's `after` the next one's `before`; *n of them, the caller's. */
static const struct pair **find_circle(const struct graph *g, const struct waiting *waits, size_t *n)
{
	const struct pair **why = mem_new0((g->n + 1) * sizeof(struct pair *)), **circle;
	size_t at = 0, first;

	for (size_t i = 0; i < g->n_pairs; i++) {
		const struct pair *p = &g->pairs[i];

		if (!p->wanted && !waits[p->before].done && !why[p->after])
			why[p->after] = p;
	}
	while (waits[at].done)
		at++;
	/* From any step that waits it leads back to a circle, and then round that. */
	for (size_t i = 0; i < g->n; i++)
		at = why[at]->before;
	first = at;
	*n = 0;
	do
		(*n)++;
	while ((at = why[at]->before) != first);
	circle = mem_new0(*n * sizeof(struct pair *));
	for (size_t i = *n; i-- > 0; at = why[at]->before)
		circle[i] = why[at];
	free(why);
	return circle;
}

static void name_circle(const struct graph *g, const struct pair **circle, size_t n, struct err *err)
{
	static const char *const VERBS[] = { "drop", "alter", "create" };
	enum { NAMED = 8 };
	cleanup_buf struct buf names = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < n && i < NAMED; i++) {
		const struct step *s = &g->steps[circle[i]->before];
		const struct fact *f = object_fact(s->object);

		buf_fmt(&names, "%s%s %s %s", i > 0 ? ", " : "", VERBS[s->kind], f->kind, f->name);
	}
	(void)err_set(err, ERR_REFUSED, "no order works: these wait for each other: %s", buf_text(&names));
}

/* What can be said by a statement of its own instead of its table's, so that the table need not wait for what it needs. */
static bool loosen_part(const struct graph *g, const struct pair *p)
{
	static const char *const KINDS[] = { "constraint", "column default", "policy",
		                             "rule",       "trigger",        "index" };
	struct object *o = p->user;
	bool drops = g->steps[p->before].kind == STEP_DROP;
	bool *apart = drops ? &o->drops_apart : &o->made_apart;

	if (*apart || (drops ? o->dropped_by : o->made_by) == o || o->part_of->kind->hangs)
		return false;
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++)
		*apart = *apart || strcmp(o->kind->name, KINDS[i]) == 0;
	return *apart;
}

/* What is altered is dropped before the others and made again behind them, where that costs no data. */
static bool loosen_change(const struct objects *all, const struct graph *g, const struct pair *p)
{
	const struct step *s = &g->steps[p->before];
	struct object *o = s->object;

	if (s->kind != STEP_ALTER || !o->kind->drop || o->kind->hangs || o->disturbs || o->kind->holds_data ||
	    (o->kind->drop_hazards & HAZARD_DATA_LOSS))
		return false;
	for (FOR_LINKS(i, &all->old_users, all, o))
		if (all->old_users.v[i]->kind->holds_data)
			return false;
	o->action = ACTION_REBUILD;
	o->because = "the order of the others";
	return true;
}

/* Whether something was loosened, so that another order may do. */
static bool loosen(struct objects *all, const struct graph *g, const struct pair **circle, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (loosen_part(g, circle[i]))
			return true;
	for (size_t i = 0; i < n; i++)
		if (loosen_change(all, g, circle[i]))
			return true;
	return false;
}

/* ------------------------------------------------------------------ all of it */

static void add_pairs(const struct objects *all, struct graph *g)
{
	for (size_t i = 0; i < all->n; i++) {
		struct object *o = &all->v[i];

		if (object_drops(o) || o->action == ACTION_ALTER)
			pair_old(all, g, o);
		if (object_makes(o) || o->action == ACTION_ALTER) {
			pair_new(all, g, o);
			pair_names(all, g, o);
			pair_grant(all, g, o);
			pair_tie(all, g, o);
		}
	}
}

/* *again: there is none yet, but what made a circle was loosened. */
static bool order_once(struct objects *all, struct step **out, size_t *n, bool *again, struct err *err)
{
	struct graph g = { .steps = NULL };
	cleanup_free const struct pair **circle = NULL;
	cleanup_free struct waiting *waits = NULL;
	size_t length = 0;

	*again = false;
	add_steps(all, &g);
	add_pairs(all, &g);
	struct step *order = mem_new0((g.n + 1) * sizeof(*order));
	waits = mem_new0((g.n + 1) * sizeof(*waits));
	bool ok = sort(&g, order, waits);
	if (!ok) {
		circle = find_circle(&g, waits, &length);
		name_circle(&g, circle, length, err);
		*again = loosen(all, &g, circle, length);
		free(order);
	} else {
		put_presets_last(order, g.n);
		*out = order;
		*n = g.n;
	}
	free(g.steps);
	free(g.pairs);
	return ok;
}

bool steps_order(struct objects *all, struct step **out, size_t *n, struct err *err)
{
	bool again = true;

	while (again) {
		struct err circle = ERR_INIT;

		if (!steps_spread(all, err))
			return false;
		steps_fold(all);
		if (order_once(all, out, n, &again, &circle))
			return true;
		if (!again)
			*err = circle;
	}
	return false;
}
