#include "migrations/graph.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ------------------------------------------------------------------ vectors and memory */

void nodes_add(struct nodes *s, struct node *node)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 2;
		s->v = mem_grow(s->v, s->cap, sizeof(struct node *));
	}
	s->v[s->n++] = node;
}

void nodes_clear(struct nodes *s)
{
	free(s->v);
	*s = (struct nodes){ .v = NULL };
}

static void clear_edges(struct node *node)
{
	nodes_clear(&node->parents);
	nodes_clear(&node->deps);
	nodes_clear(&node->children);
	nodes_clear(&node->dependants);
	strv_clear(&node->branches);
}

/* The structs are const for readers of a graph; the node owns what they point to. */
static void free_text(const char *text) { free((void *)(uintptr_t)text); }

void node_free(struct node *node)
{
	if (!node)
		return;
	clear_edges(node);
	strv_clear(&node->rev.parents);
	strv_clear(&node->rev.depends_on);
	strv_clear(&node->rev.labels);
	free_text(node->rev.id);
	free_text(node->rev.message);
	free_text(node->rev.created);
	free_text(node->rev.path);
	free_text(node->rev.downgrade.irreversible);
	free_text(node->rev.upgrade.locks);
	free_text(node->rev.downgrade.locks);
	free(node->text);
	free(node);
}

struct graph *graph_new(void) { return mem_new0(sizeof(struct graph)); }

void graph_free(struct graph *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->nodes.n; i++)
		node_free(g->nodes.v[i]);
	nodes_clear(&g->nodes);
	free(g->slots);
	free(g);
}

void graph_take(struct graph *g, struct node *node)
{
	node->file_order = g->nodes.n;
	nodes_add(&g->nodes, node);
}

/* ------------------------------------------------------------------ names */

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static size_t hash_name(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	return (size_t)h;
}

/* The slot that has the name, or the free one where it belongs. */
static struct name_slot *slot_of(const struct graph *g, const char *name)
{
	size_t i = hash_name(name) & (g->n_slots - 1);

	while (g->slots[i].name && strcmp(g->slots[i].name, name) != 0)
		i = (i + 1) & (g->n_slots - 1);
	return &g->slots[i];
}

struct node *graph_node(const struct graph *g, const char *name)
{
	return g->n_slots ? slot_of(g, name)->node : NULL;
}

static const char *place_of(const struct node *node)
{
	return node->rev.path ? node->rev.path : "the history";
}

static bool put_name(struct graph *g, const char *name, struct node *node, bool is_label, struct err *err)
{
	struct name_slot *slot = slot_of(g, name);

	if (!slot->name) {
		*slot = (struct name_slot){ .name = name, .node = node, .is_label = is_label };
		return true;
	}
	if (!is_label)
		err_set(err, ERR_USAGE, "revision %s stands in two files: '%s' and '%s'", name,
		        place_of(slot->node), place_of(node));
	else if (slot->is_label)
		err_set(err, ERR_USAGE, "branch label '%s' of revision %s is already used by revision %s",
		        name, node->rev.id, slot->node->rev.id);
	else
		err_set(err, ERR_USAGE, "branch label '%s' of revision %s is another revision's id", name,
		        node->rev.id);
	return err_at(err, place_of(node), 0);
}

static bool index_names(struct graph *g, struct err *err)
{
	size_t names = g->nodes.n, size = 16;

	for (size_t i = 0; i < g->nodes.n; i++)
		names += g->nodes.v[i]->rev.labels.n;
	while (size < names * 2)
		size *= 2;
	free(g->slots);
	g->slots = mem_new0(size * sizeof(*g->slots));
	g->n_slots = size;
	for (size_t i = 0; i < g->nodes.n; i++)
		if (!put_name(g, g->nodes.v[i]->rev.id, g->nodes.v[i], false, err))
			return false;
	for (size_t i = 0; i < g->nodes.n; i++) {
		struct node *node = g->nodes.v[i];
		for (size_t k = 0; k < node->rev.labels.n; k++)
			if (!put_name(g, node->rev.labels.v[k], node, true, err))
				return false;
	}
	return true;
}

/* ------------------------------------------------------------------ edges */

static bool has_node(const struct nodes *s, const struct node *node)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == node)
			return true;
	return false;
}

static bool missing(const struct node *node, const char *word, const char *name, struct err *err)
{
	err_set(err, ERR_USAGE, "revision %s %s %s, which no file has", node->rev.id, word, name);
	err_hint(err, "is a file missing from versions/, or is the id misspelled?");
	return err_at(err, place_of(node), 0);
}

static bool link_one(struct graph *g, struct node *node, struct err *err)
{
	for (size_t i = 0; i < node->rev.parents.n; i++) {
		const char *name = node->rev.parents.v[i];
		struct node *parent = graph_node(g, name);
		if (!parent || strcmp(parent->rev.id, name) != 0)
			return missing(node, "revises", name, err);
		if (parent == node) {
			err_set(err, ERR_USAGE, "revision %s revises itself", name);
			return err_at(err, place_of(node), 0);
		}
		if (!has_node(&node->parents, parent))
			nodes_add(&node->parents, parent);
	}
	for (size_t i = 0; i < node->rev.depends_on.n; i++) {
		struct node *dep = graph_node(g, node->rev.depends_on.v[i]);
		if (!dep)
			return missing(node, "depends on", node->rev.depends_on.v[i], err);
		if (dep == node) {
			err_set(err, ERR_USAGE, "revision %s depends on itself", node->rev.id);
			return err_at(err, place_of(node), 0);
		}
		if (!has_node(&node->parents, dep) && !has_node(&node->deps, dep))
			nodes_add(&node->deps, dep);
	}
	return true;
}

static void link_back(struct graph *g)
{
	for (size_t i = 0; i < g->nodes.n; i++) {
		struct node *node = g->nodes.v[i];
		for (size_t k = 0; k < node->parents.n; k++)
			nodes_add(&node->parents.v[k]->children, node);
		for (size_t k = 0; k < node->deps.n; k++)
			nodes_add(&node->deps.v[k]->dependants, node);
	}
}

/* A dependency that an ancestor has already is left out of the edges down, as Alembic's
 * _normalize_depends_on() does; the edges up keep it. */
static void normalise(struct graph *g, struct node *node, const struct nodes *resolved)
{
	bool *above = graph_marks(g);
	struct nodes kept = { .v = NULL };

	graph_mark(g, node, WALK_DOWN, above);
	for (size_t i = 0; i < node->deps.n; i++) {
		bool given = false;
		for (size_t k = 0; k < node->deps.v[i]->dependants.n && !given; k++) {
			const struct node *other = node->deps.v[i]->dependants.v[k];
			given = other != node && above[other->place] &&
			        has_node(&resolved[other->place], node->deps.v[i]);
		}
		if (!given)
			nodes_add(&kept, node->deps.v[i]);
	}
	nodes_clear(&node->deps);
	node->deps = kept;
	free(above);
}

static void normalise_all(struct graph *g)
{
	/* dependants are complete and stay so; only who depends at all is looked at */
	struct nodes *resolved = mem_new0((g->nodes.n + 1) * sizeof(*resolved));

	for (size_t i = 0; i < g->nodes.n; i++)
		for (size_t k = 0; k < g->nodes.v[i]->deps.n; k++)
			nodes_add(&resolved[i], g->nodes.v[i]->deps.v[k]);
	for (size_t i = 0; i < g->nodes.n; i++)
		if (g->nodes.v[i]->deps.n)
			normalise(g, g->nodes.v[i], resolved);
	for (size_t i = 0; i < g->nodes.n; i++)
		nodes_clear(&resolved[i]);
	free(resolved);
}

/* ------------------------------------------------------------------ order */

/* A binary heap by file order, so that the order does not depend on how the edges were met. */
static void heap_push(struct nodes *heap, struct node *node)
{
	size_t i = heap->n;

	nodes_add(heap, node);
	while (i > 0 && heap->v[(i - 1) / 2]->file_order > node->file_order) {
		heap->v[i] = heap->v[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->v[i] = node;
}

static struct node *heap_pop(struct nodes *heap)
{
	struct node *top = heap->v[0], *last = heap->v[--heap->n];
	size_t i = 0;

	for (size_t child = 1; child < heap->n; child = 2 * i + 1) {
		if (child + 1 < heap->n && heap->v[child + 1]->file_order < heap->v[child]->file_order)
			child++;
		if (heap->v[child]->file_order > last->file_order)
			break;
		heap->v[i] = heap->v[child];
		i = child;
	}
	if (heap->n)
		heap->v[i] = last;
	return top;
}

static void release(struct nodes *heap, const struct nodes *above)
{
	for (size_t i = 0; i < above->n; i++)
		if (--above->v[i]->waiting == 0)
			heap_push(heap, above->v[i]);
}

/* What is left has a cycle below it: walking down from any of it among what is left ends in one. */
static bool cycle_among(const struct graph *g, struct err *err)
{
	const struct node *at = NULL;
	cleanup_buf struct buf names = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < g->nodes.n && !at; i++)
		at = g->nodes.v[i]->waiting ? g->nodes.v[i] : NULL;
	for (size_t step = 0; at && step < 2 * g->nodes.n; step++) {
		const struct node *down = NULL;
		for (size_t i = 0; i < at->parents.n && !down; i++)
			down = at->parents.v[i]->waiting ? at->parents.v[i] : NULL;
		for (size_t i = 0; i < at->deps.n && !down; i++)
			down = at->deps.v[i]->waiting ? at->deps.v[i] : NULL;
		/* After n steps the walk is inside the cycle; then one round is written down. */
		if (step >= g->nodes.n) {
			if (names.len && strncmp(buf_text(&names), at->rev.id, strlen(at->rev.id)) == 0 &&
			    buf_text(&names)[strlen(at->rev.id)] == ' ')
				break;
			if (names.len < 400)
				buf_fmt(&names, "%s -> ", at->rev.id);
		}
		at = down;
	}
	err_set(err, ERR_USAGE, "the revisions form a cycle: %s%s", buf_text(&names), at ? at->rev.id : "?");
	err_hint(err, "correct the 'revises' or 'depends-on' of one of them");
	return err_at(err, at ? place_of(at) : "", 0);
}

/* Kahn's algorithm: Communications of the ACM 5 (1962), 558-562. */
static bool sort(struct graph *g, struct err *err)
{
	cleanup_nodes struct nodes heap = { .v = NULL }, sorted = { .v = NULL };

	for (size_t i = 0; i < g->nodes.n; i++) {
		struct node *node = g->nodes.v[i];
		node->waiting = node->parents.n + node->deps.n;
		if (node->waiting == 0)
			heap_push(&heap, node);
	}
	while (heap.n) {
		struct node *node = heap_pop(&heap);
		node->place = sorted.n;
		nodes_add(&sorted, node);
		release(&heap, &node->children);
		release(&heap, &node->dependants);
	}
	if (sorted.n < g->nodes.n)
		return cycle_among(g, err);
	struct nodes unsorted = g->nodes;
	g->nodes = sorted;
	sorted = unsorted;
	return true;
}

/* ------------------------------------------------------------------ walking */

bool *graph_marks(const struct graph *g) { return mem_new0((g->nodes.n + 1) * sizeof(bool)); }

static void push_unmarked(struct nodes *todo, const struct nodes *next, bool *marks)
{
	for (size_t i = 0; i < next->n; i++) {
		if (marks[next->v[i]->place])
			continue;
		marks[next->v[i]->place] = true;
		nodes_add(todo, next->v[i]);
	}
}

void graph_mark(const struct graph *g, const struct node *from, enum walk walk, bool *marks)
{
	cleanup_nodes struct nodes todo = { .v = NULL };

	nodes_add(&todo, g->nodes.v[from->place]);
	marks[from->place] = true;
	while (todo.n) {
		const struct node *node = todo.v[--todo.n];
		bool down = walk == WALK_DOWN || walk == WALK_DOWN_ALL;
		push_unmarked(&todo, down ? &node->parents : &node->children, marks);
		if (walk == WALK_DOWN_ALL)
			push_unmarked(&todo, &node->deps, marks);
		if (walk == WALK_UP_ALL)
			push_unmarked(&todo, &node->dependants, marks);
	}
}

bool graph_shares_lineage(const struct graph *g, const struct node *a, const struct node *b, bool with_deps)
{
	bool *marks = graph_marks(g), *up = graph_marks(g);

	graph_mark(g, a, with_deps ? WALK_DOWN_ALL : WALK_DOWN, marks);
	graph_mark(g, a, with_deps ? WALK_UP_ALL : WALK_UP, up);
	bool shares = marks[b->place] || up[b->place];
	free(marks);
	free(up);
	return shares;
}

/* ------------------------------------------------------------------ labels */

static void add_labels(struct node *node, const struct strv *labels)
{
	for (size_t i = 0; i < labels->n; i++)
		if (!strv_has(&node->branches, labels->v[i]))
			strv_add(&node->branches, labels->v[i]);
}

static void spread_labels(struct graph *g, struct node *from)
{
	bool *marks = graph_marks(g);

	graph_mark(g, from, WALK_UP, marks);
	for (size_t i = 0; i < g->nodes.n; i++)
		if (marks[i])
			add_labels(g->nodes.v[i], &from->rev.labels);
	free(marks);
	struct node *at = from;
	while (at->children.n + at->dependants.n <= 1 && at->parents.n == 1) {
		at = at->parents.v[0];
		if (at->children.n + at->dependants.n > 1 || at->parents.n > 1)
			break;
		add_labels(at, &from->rev.labels);
	}
}

bool graph_link(struct graph *g, struct err *err)
{
	for (size_t i = 0; i < g->nodes.n; i++)
		clear_edges(g->nodes.v[i]);
	if (!index_names(g, err))
		return false;
	for (size_t i = 0; i < g->nodes.n; i++)
		if (!link_one(g, g->nodes.v[i], err))
			return false;
	link_back(g);
	if (!sort(g, err))
		return false;
	normalise_all(g);
	for (size_t i = 0; i < g->nodes.n; i++)
		if (g->nodes.v[i]->rev.labels.n)
			spread_labels(g, g->nodes.v[i]);
	return true;
}

/* ------------------------------------------------------------------ files */

static bool list_files(DIR *dir, const char *path, struct strv *names, struct err *err)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno)
			return err_sys(err, "cannot read the folder '%s'", path);
		if (!entry)
			break;
		if (entry->d_name[0] != '.' && text_ends(entry->d_name, ".sql"))
			strv_add(names, entry->d_name);
	}
	strv_sort(names);
	return true;
}

static bool read_versions(struct graph *g, DIR *dir, const char *versions, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (!list_files(dir, versions, &names, err))
		return false;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *path = path_join(versions, names.v[i]);
		struct node *node;
		if (!ripcord_read(dirfd(dir), names.v[i], path, &node, err))
			return false;
		graph_take(g, node);
	}
	return true;
}

static bool no_folder(const char *folder, struct err *err)
{
	err_sys(err, "cannot open the migrations folder '%s'", folder);
	err_hint(err, "`ripcord init` makes one; its place is `migrations` in ripcord.ini");
	return err_recode(err, ERR_USAGE);
}

bool graph_load(const char *folder, struct graph **out, struct err *err)
{
	cleanup_free char *versions = path_join(folder, "versions");
	cleanup_graph struct graph *g = graph_new();
	struct stat st;
	DIR *dir;
	bool ok;

	if (stat(folder, &st) < 0)
		return no_folder(folder, err);
	dir = opendir(versions);
	if (!dir && errno != ENOENT)
		return err_sys(err, "cannot open the folder '%s'", versions) || err_recode(err, ERR_USAGE);
	if (dir) {
		ok = read_versions(g, dir, versions, err);
		(void)closedir(dir);
		if (!ok)
			return false;
	}
	if (!graph_link(g, err))
		return false;
	*out = g;
	g = NULL;
	return true;
}

/* ------------------------------------------------------------------ questions */

size_t graph_count(const struct graph *g) { return g->nodes.n; }
const struct revision *graph_at(const struct graph *g, size_t i) { return &g->nodes.v[i]->rev; }

const struct revision *graph_get(const struct graph *g, const char *id)
{
	const struct node *node = graph_node(g, id);

	return node && strcmp(node->rev.id, id) == 0 ? &node->rev : NULL;
}

void graph_heads(const struct graph *g, struct strv *out)
{
	for (size_t i = 0; i < g->nodes.n; i++)
		if (!g->nodes.v[i]->children.n)
			strv_add(out, g->nodes.v[i]->rev.id);
}

bool graph_is_head(const struct graph *g, const char *id)
{
	const struct revision *rev = graph_get(g, id);

	return rev && node_of(rev)->children.n == 0;
}

bool graph_is_branch_point(const struct graph *g, const char *id)
{
	const struct revision *rev = graph_get(g, id);

	return rev && node_of(rev)->children.n > 1;
}

const struct strv *graph_branches(const struct graph *g, const char *id)
{
	static const struct strv none = STRV_INIT;
	const struct revision *rev = graph_get(g, id);

	return rev ? &node_of(rev)->branches : &none;
}

void graph_applied(const struct graph *g, const struct strv *heads, struct strv *out)
{
	bool *marks = graph_marks(g);

	for (size_t i = 0; i < heads->n; i++) {
		const struct revision *rev = graph_get(g, heads->v[i]);
		if (rev)
			graph_mark(g, node_of(rev), WALK_DOWN_ALL, marks);
	}
	for (size_t i = 0; i < g->nodes.n; i++)
		if (marks[i])
			strv_add(out, g->nodes.v[i]->rev.id);
	free(marks);
}

bool graph_nodes_of(const struct graph *g, const struct strv *ids, struct nodes *out, struct err *err)
{
	for (size_t i = 0; i < ids->n; i++) {
		const struct revision *rev = graph_get(g, ids->v[i]);
		if (!rev) {
			err_set(err, ERR_REFUSED,
			        "the database is at revision %s, which no file and no row of the history has",
			        ids->v[i]);
			return err_hint(err, "check out the version of the migrations that was deployed, or "
			                     "`ripcord stamp` "
			                     "what the database really holds");
		}
		nodes_add(out, g->nodes.v[node_of(rev)->place]);
	}
	return true;
}
