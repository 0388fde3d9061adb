/* The history beside the files: revisions that this checkout has not, and files that changed after they ran. */
#include "migrations/ledger.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ revisions of another checkout */

/* The newest row that has the revision's source. */
static const struct history_row *source_row(const struct ledger *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->history[i].direction == DIRECTION_UP && *l->history[i].revision_sha256 &&
		    strcmp(l->history[i].revision, id) == 0)
			return &l->history[i];
	return NULL;
}

static bool take_from_history(const struct ledger *l, struct db *db, const char *id, struct graph *g,
                              struct strv *wanted, struct err *err)
{
	const struct history_row *row = source_row(l, id);
	char *text = NULL;
	struct node *node;

	if (!row)
		return true; /* stays unknown; plan_make() refuses it by name */
	if (!ledger_source(l, db, row->number, &text, err))
		return false;
	if (!text)
		return true;
	if (!ripcord_parse(text, strlen(text), "ripcord.history", &node, err))
		return err_wrap(err, "revision %s as the history has it", id);
	free((void *)(uintptr_t)node->rev.path);
	node->rev.path = NULL;
	graph_take(g, node);
	strv_add_all(wanted, &node->rev.parents);
	strv_add_all(wanted, &node->rev.depends_on);
	return true;
}

bool ledger_complete_graph(const struct ledger *l, struct db *db, struct graph *g, struct err *err)
{
	cleanup_strv struct strv wanted = STRV_INIT, seen = STRV_INIT;
	size_t before = g->nodes.n;

	strv_add_all(&wanted, &l->heads);
	for (size_t i = 0; i < wanted.n; i++) {
		cleanup_free char *id = mem_strdup(wanted.v[i]);
		if (graph_node(g, id) || strv_has(&seen, id))
			continue;
		strv_add(&seen, id);
		if (!take_from_history(l, db, id, g, &wanted, err))
			return false;
	}
	return g->nodes.n == before || graph_link(g, err);
}

/* ------------------------------------------------------------------ files that changed */

/* By place: the newest row that says what the applied revision was, NULL where none does. */
static const struct history_row **applied_rows(const struct ledger *l, const struct graph *g)
{
	const struct history_row **rows = mem_new0((g->nodes.n + 1) * sizeof(struct history_row *));
	bool *applied = graph_marks(g), *seen = graph_marks(g);

	for (size_t i = 0; i < l->heads.n; i++) {
		const struct node *head = graph_node(g, l->heads.v[i]);
		if (head)
			graph_mark(g, head, WALK_DOWN_ALL, applied);
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct history_row *row = &l->history[i];
		const struct node *node = graph_node(g, row->revision);
		/* Rows without a digest are notes; they say nothing of what was applied. */
		if (!node || seen[node->place] || !*row->revision_sha256)
			continue;
		seen[node->place] = true;
		if (applied[node->place] && row->direction == DIRECTION_UP)
			rows[node->place] = row;
	}
	free(applied);
	free(seen);
	return rows;
}

static bool add_diff(const struct ledger *l, struct db *db, const struct history_row *row,
                     const struct revision *rev, struct buf *diff, struct err *err)
{
	cleanup_free char *before = NULL;
	cleanup_buf struct buf now = BUF_INIT(BUF_TEXT_MAX);

	if (!ledger_source(l, db, row->number, &before, err))
		return false;
	ripcord_render(rev, &now);
	buf_fmt(diff, "--- %s as it was applied at %s\n+++ %s\n", rev->id, row->started_at,
	        rev->path ? rev->path : rev->id);
	diff_lines(before ? before : "", buf_text(&now), diff);
	return true;
}

static bool compare_all(const struct ledger *l, struct db *db, const struct graph *g, struct strv *changed,
                        struct buf *diff, struct err *err)
{
	cleanup_free const struct history_row **rows = applied_rows(l, g);

	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct revision *rev = &g->nodes.v[i]->rev;
		char now[SHA256_HEX];
		if (!rows[i] || !rev->path)
			continue;
		revision_digest(rev, now);
		if (strcmp(now, rows[i]->revision_sha256) == 0)
			continue;
		strv_add(changed, rev->id);
		if (diff && !add_diff(l, db, rows[i], rev, diff, err))
			return false;
	}
	return true;
}

bool ledger_check_files(const struct ledger *l, struct db *db, const struct graph *g, struct buf *diff,
                        struct err *err)
{
	cleanup_strv struct strv changed = STRV_INIT;

	if (!compare_all(l, db, g, &changed, diff, err))
		return false;
	if (!changed.n)
		return true;
	cleanup_free char *list = strv_join(&changed, ", ");
	err_set(err, ERR_REFUSED, "%s changed after %s applied: %s",
	        changed.n > 1 ? "revisions" : "a revision", changed.n > 1 ? "they were" : "it was", list);
	err_hint(err, "put the file back, or accept it as it is: ripcord repair %s --reason TEXT",
	         changed.v[0]);
	return err_at(err, graph_get(g, changed.v[0])->path, 0);
}
