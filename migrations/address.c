/*
 * Alembic's grammar of targets: [LABEL@][SYMBOL](+N|-N), else [LABEL@]SYMBOL, where a symbol is head, heads,
 * base, an id, a label or a unique prefix.  Source: alembic/script/revision.py of Alembic 1.8,
 * _relative_destination, _parse_upgrade_target and _parse_downgrade_target.
 * One thing is stricter here: -N from several current revisions is refused, where Alembic warns and takes any.
 */
#include "migrations/graph.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Alembic looks for prefixes only among names longer than this. */
#define SHORTEST_NAME  4
#define CANDIDATES_MAX 5
#define STEPS_DIGITS   9

struct address {
	char *label, *symbol; /* NULL when absent */
	bool relative;
	int steps;
};

static void address_clear(struct address *a)
{
	free(a->label);
	free(a->symbol);
}
#define cleanup_address __attribute__((cleanup(address_clear)))

static bool is_word(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

/* Where the (+N|-N) at the end begins, or NULL. */
static const char *sign_of(const char *word)
{
	const char *end = word + strlen(word), *p = end;

	while (p > word && isdigit((unsigned char)p[-1]))
		p--;
	if (p == end || p == word || (p[-1] != '+' && p[-1] != '-') || end - p > STEPS_DIGITS)
		return NULL;
	return p - 1;
}

static struct address parse_address(const char *word)
{
	struct address a = { .label = NULL };
	const char *at = strchr(word, '@'), *symbol = at && at > word ? at + 1 : word, *sign = sign_of(word);

	if (symbol != word)
		a.label = mem_strndup(word, (size_t)(at - word));
	if (sign && sign >= symbol && is_word(symbol, (size_t)(sign - symbol))) {
		a.relative = true;
		a.steps = (int)strtol(sign, NULL, 10);
		a.symbol = sign > symbol ? mem_strndup(symbol, (size_t)(sign - symbol)) : NULL;
	} else {
		a.symbol = mem_strdup(symbol);
	}
	return a;
}

/* ------------------------------------------------------------------ names */

static bool is_in(const struct graph *g, const struct node *node, const struct node *branch)
{
	return !branch || graph_shares_lineage(g, node, branch, false);
}

static bool ambiguous(const char *prefix, const struct strv *names, struct err *err)
{
	cleanup_strv struct strv first = STRV_INIT;

	for (size_t i = 0; i < names->n && i < CANDIDATES_MAX; i++)
		strv_add(&first, names->v[i]);
	cleanup_free char *list = strv_join(&first, ", ");
	err_set(err, ERR_USAGE, "%zu revisions start with '%s': %s%s", names->n, prefix, list,
	        names->n > first.n ? " ..." : "");
	return err_hint(err, "give more of the id");
}

static bool unknown(const char *name, struct err *err)
{
	err_set(err, ERR_USAGE, "no such revision or branch '%s'", name);
	return err_hint(err, "`ripcord history` lists the revisions");
}

/* By whole name, else by the one prefix. */
static bool find_name(const struct graph *g, const char *name, const struct node *branch, struct node **out,
                      struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	struct node *found = graph_node(g, name);

	if (found) {
		*out = found;
		return true;
	}
	for (size_t i = 0; i < g->n_slots && *name; i++) {
		const struct name_slot *slot = &g->slots[i];
		if (!slot->name || strlen(slot->name) < SHORTEST_NAME ||
		    strncmp(slot->name, name, strlen(name)) != 0)
			continue;
		if (!is_in(g, slot->node, branch))
			continue;
		strv_add(&names, slot->name);
		found = slot->node;
	}
	strv_sort(&names);
	if (names.n > 1)
		return ambiguous(name, &names, err);
	if (!found)
		return unknown(name, err);
	*out = found;
	return true;
}

static bool find_branch(const struct graph *g, const char *label, struct node **out, struct err *err)
{
	*out = NULL;
	if (!label)
		return true;
	if (find_name(g, label, NULL, out, err))
		return true;
	return err_wrap(err, "branch '%s'", label);
}

static bool find_in_branch(const struct graph *g, const char *name, const struct node *branch,
                           const char *label, struct node **out, struct err *err)
{
	if (!find_name(g, name, branch, out, err))
		return false;
	if (!is_in(g, *out, branch))
		return err_set(err, ERR_USAGE, "revision %s is not a member of branch '%s'", (*out)->rev.id,
		               label);
	return true;
}

static void collect_heads(const struct graph *g, const struct node *branch, bool effective, struct nodes *out)
{
	for (size_t i = 0; i < g->nodes.n; i++) {
		struct node *node = g->nodes.v[i];
		if (node->children.n || (effective && node->dependants.n) || !is_in(g, node, branch))
			continue;
		nodes_add(out, node);
	}
}

static bool several(const struct nodes *nodes, const char *word, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;

	for (size_t i = 0; i < nodes->n; i++)
		strv_add(&ids, nodes->v[i]->rev.id);
	cleanup_free char *list = strv_join(&ids, ", ");
	err_set(err, ERR_REFUSED, "'%s' names %zu heads: %s", word, nodes->n, list);
	return err_hint(
		err,
		"name one of them, use 'heads' for all or LABEL@head for a branch's, or join them with "
		"`ripcord merge -m TEXT %s %s`",
		ids.v[0], ids.v[1]);
}

/* An absolute address: no node for base, several for heads. */
static bool find_symbol(const struct graph *g, const char *label, const char *symbol, struct nodes *out,
                        struct err *err)
{
	struct node *branch, *node;

	if (!find_branch(g, label, &branch, err))
		return false;
	if (strcmp(symbol, "base") == 0)
		return true;
	if (strcmp(symbol, "heads") == 0) {
		collect_heads(g, branch, !branch, out);
		return true;
	}
	if (strcmp(symbol, "head") == 0) {
		collect_heads(g, branch, false, out);
		return out->n < 2 || several(out, label ? "LABEL@head" : "head", err);
	}
	if (!find_in_branch(g, symbol, branch, label, &node, err))
		return false;
	nodes_add(out, node);
	return true;
}

/* One node, or NULL for base. */
static bool find_one(const struct graph *g, const char *label, const char *symbol, struct node **out,
                     struct err *err)
{
	cleanup_nodes struct nodes found = { .v = NULL };

	if (!find_symbol(g, label, symbol, &found, err))
		return false;
	if (found.n > 1)
		return several(&found, symbol, err);
	*out = found.n ? found.v[0] : NULL;
	return true;
}

/* ------------------------------------------------------------------ walking */

static bool ambiguous_walk(const struct node *from, const struct nodes *ways, struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;

	for (size_t i = 0; i < ways->n; i++)
		strv_add(&ids, ways->v[i]->rev.id);
	cleanup_free char *list = strv_join(&ids, ", ");
	err_set(err, ERR_USAGE, "ambiguous walk: from %s it goes to %s", from ? from->rev.id : "base", list);
	return err_hint(err, "name the revision, or a branch with LABEL@");
}

static void steps_up(const struct graph *g, const struct node *from, const struct node *branch,
                     struct nodes *out)
{
	const struct nodes *candidates = from ? &from->children : &g->nodes;

	for (size_t i = 0; i < candidates->n; i++) {
		struct node *node = candidates->v[i];
		if ((from || !node->parents.n) && is_in(g, node, branch))
			nodes_add(out, node);
	}
}

/* One edge at a time, only over revises.  *node NULL is base.  *left is what could not be walked. */
static bool walk(const struct graph *g, struct node **node, int steps, const struct node *branch, int *left,
                 struct err *err)
{
	int n = abs(steps);

	for (; n > 0; n--) {
		cleanup_nodes struct nodes next = { .v = NULL };
		if (steps < 0) {
			if (!*node)
				break;
			if ((*node)->parents.n > 1)
				return ambiguous_walk(*node, &(*node)->parents, err);
			*node = (*node)->parents.n ? (*node)->parents.v[0] : NULL;
			continue;
		}
		steps_up(g, *node, branch, &next);
		if (next.n > 1)
			return ambiguous_walk(*node, &next, err);
		if (!next.n)
			break;
		*node = next.v[0];
	}
	*left = n;
	return true;
}

/* A relative word on its way to a target. */
struct question {
	const struct graph *g;
	const struct strv *current;
	const char *word;
	const struct address *a;
};

static bool too_far(const struct question *q, struct err *err)
{
	const char *word = q->word;
	const struct address *a = q->a;

	if (a->symbol)
		return err_set(err, ERR_USAGE, "'%s' walks too far: there are not %d revisions that way",
		               word, abs(a->steps));
	return err_set(err, ERR_USAGE, "relative revision '%s' did not produce %d migrations", word,
	               abs(a->steps));
}

/* ------------------------------------------------------------------ where a relative word starts */

static void keep_lineage(const struct graph *g, struct nodes *nodes, const struct node *branch)
{
	size_t kept = 0;

	for (size_t i = 0; i < nodes->n; i++)
		if (is_in(g, nodes->v[i], branch))
			nodes->v[kept++] = nodes->v[i];
	nodes->n = kept;
}

/* Applied revisions of the branch with nothing applied above them.  Upwards it is the branch whose tips are
 * wanted; downwards only a tip of everything may be taken away, else LABEL@-1 of a branch that is not applied
 * would go down from where it left the applied ones. */
static void applied_tips(const struct graph *g, const struct nodes *current, const struct node *branch,
                         bool up, struct nodes *out)
{
	bool *active = graph_marks(g);

	for (size_t i = 0; i < current->n; i++)
		graph_mark(g, current->v[i], WALK_DOWN_ALL, active);
	for (size_t i = 0; up && i < g->nodes.n; i++)
		active[i] = active[i] && is_in(g, g->nodes.v[i], branch);
	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct node *node = g->nodes.v[i];
		bool covered = !active[i];
		for (size_t k = 0; k < node->children.n && !covered; k++)
			covered = active[node->children.v[k]->place];
		for (size_t k = 0; up && k < node->dependants.n && !covered; k++)
			covered = active[node->dependants.v[k]->place];
		if (!covered && is_in(g, node, branch))
			nodes_add(out, g->nodes.v[i]);
	}
	free(active);
}

/* The current revision that +N and -N count from; NULL is base. */
static bool start_from_current(const struct question *q, const struct node *branch, bool up,
                               struct node **out, struct err *err)
{
	const struct graph *g = q->g;
	cleanup_nodes struct nodes now = { .v = NULL }, tips = { .v = NULL };

	if (!graph_nodes_of(g, q->current, &now, err))
		return false;
	if (branch) {
		for (size_t i = 0; i < now.n; i++)
			nodes_add(&tips, now.v[i]);
		keep_lineage(g, &tips, branch);
		if (!tips.n)
			applied_tips(g, &now, branch, up, &tips);
	} else {
		tips = now;
		now = (struct nodes){ .v = NULL };
	}
	if (tips.n > 1) {
		err_set(err, ERR_REFUSED, "'%s' is ambiguous: the database is at %zu revisions", q->word,
		        tips.n);
		return err_hint(err, "name the revision, or a branch with LABEL@%s", q->word);
	}
	*out = tips.n ? tips.v[0] : NULL;
	return true;
}

/* ------------------------------------------------------------------ targets */

static bool relative_up(const struct question *q, struct nodes *out, struct err *err)
{
	const struct graph *g = q->g;
	const struct address *a = q->a;
	struct node *branch, *node = NULL;
	int left = 0;

	if (a->steps <= 0 && !a->symbol)
		return too_far(q, err);
	if (!find_branch(g, a->label, &branch, err))
		return false;
	if (!a->symbol) {
		if (!start_from_current(q, branch, true, &node, err))
			return false;
	} else if (!find_one(g, a->steps < 0 ? a->label : NULL, a->symbol, &node, err)) {
		return false;
	}
	if (!walk(g, &node, a->steps, branch, &left, err))
		return false;
	if (left)
		return too_far(q, err);
	if (node)
		nodes_add(out, node);
	return true;
}

bool address_up(const struct graph *g, const struct strv *current, const char *word, struct nodes *out,
                struct err *err)
{
	cleanup_address struct address a = parse_address(word);
	const struct question q = { .g = g, .current = current, .word = word, .a = &a };

	if (!*word)
		return err_set(err, ERR_USAGE, "an empty target");
	return a.relative ? relative_up(&q, out, err) : find_symbol(g, a.label, a.symbol, out, err);
}

static bool relative_down(const struct question *q, struct node **branch, struct node **target,
                          struct err *err)
{
	const struct graph *g = q->g;
	const struct address *a = q->a;
	struct node *node = NULL, *lineage;
	int left = 0;

	if (!find_branch(g, a->label, &lineage, err))
		return false;
	if (a->symbol) {
		if (!find_one(g, a->steps < 0 ? a->label : NULL, a->symbol, &node, err))
			return false;
	} else {
		if (a->steps >= 0)
			return too_far(q, err);
		if (!start_from_current(q, lineage, false, &node, err))
			return false;
		if (!node)
			return too_far(q, err);
		if (!lineage)
			lineage = node; /* only what leads to the revision counted from */
	}
	if (!walk(g, &node, a->steps, lineage, &left, err))
		return false;
	if (left)
		return too_far(q, err);
	*branch = lineage;
	*target = node;
	return true;
}

bool address_down(const struct graph *g, const struct strv *current, const char *word, struct node **branch,
                  struct node **target, struct err *err)
{
	cleanup_address struct address a = parse_address(word);
	const struct question q = { .g = g, .current = current, .word = word, .a = &a };

	if (!*word)
		return err_set(err, ERR_USAGE, "an empty target");
	if (a.relative)
		return relative_down(&q, branch, target, err);
	if (!find_branch(g, a.label, branch, err))
		return false;
	/* LABEL@head is the branch's; LABEL@REV only says which way down from REV. */
	bool symbolic = strcmp(a.symbol, "head") == 0 || strcmp(a.symbol, "heads") == 0;
	return find_one(g, symbolic ? a.label : NULL, a.symbol, target, err);
}

/* ------------------------------------------------------------------ show, edit, history */

bool graph_find(const struct graph *g, const struct strv *current, const char *word,
                const struct revision **out, struct err *err)
{
	cleanup_nodes struct nodes found = { .v = NULL };
	cleanup_address struct address a = parse_address(word);
	struct node *branch = NULL, *node = NULL;

	if (strcmp(word, "current") == 0) {
		if (!graph_nodes_of(g, current, &found, err))
			return false;
	} else if (a.relative && !a.symbol && a.steps < 0) {
		if (!address_down(g, current, word, &branch, &node, err))
			return false;
		if (node)
			nodes_add(&found, node);
	} else if (!address_up(g, current, word, &found, err)) {
		return false;
	}
	if (found.n > 1)
		return several(&found, word, err);
	if (!found.n)
		return err_set(err, ERR_USAGE, "'%s' names no revision", word);
	*out = &found.v[0]->rev;
	return true;
}

/* The lower end: nothing for base, -N counts from the upper end. */
static bool lower_end(const struct graph *g, const struct strv *current, const char *word,
                      const struct nodes *upper, struct nodes *out, struct err *err)
{
	cleanup_strv struct strv tops = STRV_INIT;
	struct node *branch = NULL, *node = NULL;

	if (!*word)
		return true;
	if (strcmp(word, "current") == 0)
		return graph_nodes_of(g, current, out, err);
	cleanup_address struct address a = parse_address(word);
	if (!a.relative || a.symbol)
		return address_up(g, current, word, out, err);
	for (size_t i = 0; i < upper->n; i++)
		strv_add(&tops, upper->v[i]->rev.id);
	if (!address_down(g, &tops, word, &branch, &node, err))
		return false;
	if (node)
		nodes_add(out, node);
	return true;
}

static bool upper_end(const struct graph *g, const struct strv *current, const char *word, const char *lower,
                      struct nodes *out, struct err *err)
{
	cleanup_nodes struct nodes bottom = { .v = NULL };
	cleanup_strv struct strv from = STRV_INIT;
	cleanup_address struct address a = parse_address(word);

	if (!*word)
		return find_symbol(g, NULL, "heads", out, err);
	if (strcmp(word, "current") == 0)
		return graph_nodes_of(g, current, out, err);
	if (a.relative && !a.symbol) { /* +N counts from the lower end */
		if (!lower_end(g, current, lower, out, &bottom, err))
			return false;
		for (size_t i = 0; i < bottom.n; i++)
			strv_add(&from, bottom.v[i]->rev.id);
		current = &from;
	}
	return address_up(g, current, word, out, err);
}

/* What is under the upper end, from the lower end (itself included) upwards. */
static bool between(const struct graph *g, const struct nodes *upper, const struct nodes *lower,
                    const char *range, struct strv *out, struct err *err)
{
	bool *required = graph_marks(g), *above = graph_marks(g), reachable = true;

	for (size_t i = 0; i < upper->n; i++)
		graph_mark(g, upper->v[i], WALK_DOWN_ALL, required);
	for (size_t i = 0; i < lower->n; i++) {
		graph_mark(g, lower->v[i], WALK_UP, above);
		reachable = reachable && required[lower->v[i]->place];
	}
	for (size_t i = g->nodes.n; i > 0 && reachable; i--)
		if (required[i - 1] && (!lower->n || above[i - 1]))
			strv_add(out, g->nodes.v[i - 1]->rev.id);
	free(required);
	free(above);
	if (!reachable)
		return err_set(err, ERR_USAGE,
		               "the range '%s' is not one of ancestor and descendant on one branch", range);
	return true;
}

bool graph_range(const struct graph *g, const struct strv *current, const char *range, struct strv *out,
                 struct err *err)
{
	cleanup_nodes struct nodes upper = { .v = NULL }, lower = { .v = NULL };
	const char *colon = strchr(range, ':');

	if (!colon || strchr(colon + 1, ':')) {
		err_set(err, ERR_USAGE, "'%s' is not a range", range);
		return err_hint(err, "a range is FROM:TO, FROM: or :TO");
	}
	cleanup_free char *from = mem_strndup(range, (size_t)(colon - range));
	if (!upper_end(g, current, colon + 1, from, &upper, err) ||
	    !lower_end(g, current, from, &upper, &lower, err))
		return false;
	return between(g, &upper, &lower, range, out, err);
}
