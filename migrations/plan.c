#include "migrations/graph.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ which revisions */

/* Everything that the targets need and that is not there. */
static bool up_set(const struct graph *g, const struct strv *current, const char *target, bool *set,
                   struct err *err)
{
	cleanup_nodes struct nodes targets = { .v = NULL }, now = { .v = NULL };

	if (!graph_nodes_of(g, current, &now, err) || !address_up(g, current, target, &targets, err))
		return false;
	bool *active = graph_marks(g);
	for (size_t i = 0; i < now.n; i++)
		graph_mark(g, now.v[i], WALK_DOWN_ALL, active);
	for (size_t i = 0; i < targets.n; i++)
		graph_mark(g, targets.v[i], WALK_DOWN_ALL, set);
	for (size_t i = 0; i < g->nodes.n; i++)
		set[i] = set[i] && !active[i];
	free(active);
	return true;
}

/* The revisions that go first when a downgrade ends at target: its children, or the bases; with a branch
 * and several of them only those that lead to the branch. */
static bool down_roots(const struct graph *g, const struct node *target, const struct node *branch,
                       struct nodes *roots, struct err *err)
{
	const struct nodes *candidates = target ? &target->children : &g->nodes;

	for (size_t i = 0; i < candidates->n; i++)
		if (target || !candidates->v[i]->parents.n)
			nodes_add(roots, candidates->v[i]);
	if (!branch || roots->n < 2)
		return true;
	bool *below = graph_marks(g);
	size_t kept = 0;
	graph_mark(g, branch, WALK_DOWN, below);
	for (size_t i = 0; i < roots->n; i++)
		if (below[roots->v[i]->place])
			roots->v[kept++] = roots->v[i];
	roots->n = kept;
	free(below);
	return kept || err_set(err, ERR_USAGE, "not a valid downgrade target from the current heads");
}

static bool is_current(const struct nodes *now, const struct node *node)
{
	for (size_t i = 0; i < now->n; i++)
		if (now->v[i] == node)
			return true;
	return false;
}

/* What stands on the roots, dependants included, as far as it is applied. */
static bool down_set(const struct graph *g, const struct strv *current, const char *word, bool *set,
                     struct err *err)
{
	cleanup_nodes struct nodes now = { .v = NULL }, roots = { .v = NULL };
	struct node *branch = NULL, *target = NULL;
	size_t n = 0;

	if (!graph_nodes_of(g, current, &now, err) ||
	    !address_down(g, current, word, &branch, &target, err) ||
	    !down_roots(g, target, branch, &roots, err))
		return false;
	bool *active = graph_marks(g);
	for (size_t i = 0; i < now.n; i++)
		graph_mark(g, now.v[i], WALK_DOWN_ALL, active);
	for (size_t i = 0; i < roots.n; i++)
		graph_mark(g, roots.v[i], WALK_UP_ALL, set);
	for (size_t i = 0; i < g->nodes.n; i++) {
		set[i] = set[i] && active[i];
		n += set[i];
	}
	free(active);
	if (target && !n && !is_current(&now, target)) {
		err_set(err, ERR_USAGE, "'%s' is not a valid downgrade target from the current heads", word);
		return err_hint(err, "revision %s is not applied", target->rev.id);
	}
	return true;
}

/* ------------------------------------------------------------------ the version table's rows */

static void add_name(struct strv *heads, const struct node *node)
{
	if (!strv_has(heads, node->rev.id))
		strv_add(heads, node->rev.id);
}

/* alembic/runtime/migration.py, HeadMaintainer: an upgrade takes the place of those of its parents and
 * dependencies that have a row. */
static void move_up(const struct node *node, struct strv *heads)
{
	for (size_t i = 0; i < node->parents.n; i++)
		(void)strv_remove(heads, node->parents.v[i]->rev.id);
	for (size_t i = 0; i < node->deps.n; i++)
		(void)strv_remove(heads, node->deps.v[i]->rev.id);
	add_name(heads, node);
	strv_sort(heads);
}

/* A downgrade gives its place to those of them that no other row covers. */
static void move_down(const struct graph *g, const struct node *node, struct strv *heads)
{
	cleanup_nodes struct nodes below = { .v = NULL };
	bool *covered = NULL;

	(void)strv_remove(heads, node->rev.id);
	for (size_t i = 0; i < node->parents.n; i++)
		nodes_add(&below, node->parents.v[i]);
	for (size_t i = 0; i < node->deps.n; i++)
		nodes_add(&below, node->deps.v[i]);
	if (heads->n || below.n > 1)
		covered = graph_marks(g);
	for (size_t i = 0; i < heads->n; i++) {
		const struct node *head = graph_node(g, heads->v[i]);
		if (head)
			graph_mark(g, head, WALK_DOWN_ALL, covered);
	}
	for (size_t i = 0; covered && i < below.n; i++) { /* one of them may stand on another */
		bool *under = graph_marks(g);
		graph_mark(g, below.v[i], WALK_DOWN_ALL, under);
		for (size_t k = 0; k < below.n; k++)
			if (k != i && under[below.v[k]->place])
				covered[below.v[k]->place] = true;
		free(under);
	}
	for (size_t i = 0; i < below.n; i++)
		if (!covered || !covered[below.v[i]->place])
			add_name(heads, below.v[i]);
	free(covered);
	strv_sort(heads);
}

/* ------------------------------------------------------------------ steps */

static void add_step(const struct graph *g, struct plan *plan, const struct node *node,
                     enum direction direction, struct strv *heads)
{
	struct step *step = &plan->steps[plan->n++];

	*step = (struct step){ .revision = &node->rev, .direction = direction };
	strv_add_all(&step->heads_before, heads);
	if (direction == DIRECTION_UP)
		move_up(node, heads);
	else
		move_down(g, node, heads);
	strv_add_all(&step->heads_after, heads);
}

static struct plan *plan_of(const struct graph *g, const struct strv *current, const bool *set,
                            enum direction direction)
{
	struct plan *plan = mem_new0(sizeof(*plan));
	cleanup_strv struct strv heads = STRV_INIT;
	size_t n = g->nodes.n;

	strv_add_all(&heads, current);
	strv_sort(&heads);
	strv_add_all(&plan->from, &heads);
	plan->steps = mem_new0((n + 1) * sizeof(*plan->steps));
	for (size_t i = 0; i < n; i++) {
		size_t place = direction == DIRECTION_UP ? i : n - 1 - i;
		if (set[place])
			add_step(g, plan, g->nodes.v[place], direction, &heads);
	}
	strv_add_all(&plan->to, &heads);
	return plan;
}

/* Every revision on the way that has no way down, so that a person sees all of them at once. */
static bool check_ways_down(const struct plan *plan, struct err *err)
{
	cleanup_strv struct strv without = STRV_INIT;
	const struct revision *first = NULL;

	for (size_t i = 0; i < plan->n; i++) {
		const struct revision *rev = plan->steps[i].revision;
		if (plan->steps[i].direction == DIRECTION_UP ||
		    (rev->downgrade.present && !rev->downgrade.irreversible))
			continue;
		if (rev->downgrade.irreversible)
			strv_fmt(&without, "%s (irreversible: %s)", rev->id, rev->downgrade.irreversible);
		else
			strv_fmt(&without, "%s (no downgrade section)", rev->id);
		first = first ? first : rev;
	}
	if (!first)
		return true;
	cleanup_free char *list = strv_join(&without, ", ");
	err_set(err, ERR_REFUSED, "no way down through %s", list);
	err_hint(err, "write the downgrade, or go back with `ripcord restore --to-revision`");
	if (first->path)
		err_at(err, first->path, first->downgrade.present ? first->downgrade.line - 1 : 0);
	return false;
}

bool plan_make(const struct graph *g, const struct strv *current, const char *target,
               enum direction direction, struct plan **out, struct err *err)
{
	bool *set = graph_marks(g);
	bool ok = direction == DIRECTION_UP ? up_set(g, current, target, set, err)
	                                    : down_set(g, current, target, set, err);
	cleanup_plan struct plan *plan = ok ? plan_of(g, current, set, direction) : NULL;

	free(set);
	if (!ok || !check_ways_down(plan, err))
		return false;
	*out = plan;
	plan = NULL;
	return true;
}

bool plan_reverse(const struct plan *p, size_t done, struct plan **out, struct err *err)
{
	cleanup_plan struct plan *back = mem_new0(sizeof(*back));

	back->steps = mem_new0((done + 1) * sizeof(*back->steps));
	for (size_t i = done; i > 0; i--) {
		const struct step *step = &p->steps[i - 1];
		struct step *undo = &back->steps[back->n++];
		undo->revision = step->revision;
		undo->direction = step->direction == DIRECTION_UP ? DIRECTION_DOWN : DIRECTION_UP;
		strv_add_all(&undo->heads_before, &step->heads_after);
		strv_add_all(&undo->heads_after, &step->heads_before);
	}
	strv_add_all(&back->from, done ? &p->steps[done - 1].heads_after : &p->from);
	strv_add_all(&back->to, &p->from);
	if (!check_ways_down(back, err))
		return false;
	*out = back;
	back = NULL;
	return true;
}

bool plan_position(const struct plan *p, const struct strv *heads, size_t *done)
{
	for (size_t i = 0; i <= p->n; i++) {
		if (!strv_same(heads, i == 0 ? &p->from : &p->steps[i - 1].heads_after))
			continue;
		*done = i;
		return true;
	}
	return false;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		strv_clear(&p->steps[i].heads_before);
		strv_clear(&p->steps[i].heads_after);
	}
	free(p->steps);
	strv_clear(&p->from);
	strv_clear(&p->to);
	free(p);
}
