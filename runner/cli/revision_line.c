#include "runner/cli/revision_line.h"

#include <stdlib.h>
#include <string.h>

static int compare_text(const void *key, const void *element)
{
	return strcmp(key, *(const char *const *)element);
}

void revision_marks_fill(struct revision_marks *m)
{
	for (size_t i = 0; i < graph_count(m->graph); i++)
		strv_add_all(&m->depended_on, &graph_at(m->graph, i)->depends_on);
	strv_sort(&m->depended_on);
}

void revision_marks_clear(struct revision_marks *m) { strv_clear(&m->depended_on); }

bool revision_in_sorted(const struct strv *ids, const char *id)
{
	return ids->n > 0 && bsearch(id, ids->v, ids->n, sizeof(*ids->v), compare_text);
}

static bool is_depended_on(const struct revision_marks *m, const char *id)
{
	return revision_in_sorted(&m->depended_on, id);
}

bool revision_is_head(const struct revision_marks *m, const char *id)
{
	return graph_is_head(m->graph, id) && !is_depended_on(m, id);
}

static void print_list(FILE *out, const struct strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, "%s%s", i ? ", " : "", list->v[i]);
}

static void print_parents(FILE *out, const struct revision *rev)
{
	if (rev->parents.n == 0)
		fputs("<base>", out);
	print_list(out, &rev->parents);
	if (rev->depends_on.n > 0) {
		fputs(" (", out);
		print_list(out, &rev->depends_on);
		fputc(')', out);
	}
	fputs(" -> ", out);
}

static void print_marks(FILE *out, const struct revision *rev, const struct revision_marks *m, unsigned parts)
{
	if (graph_is_head(m->graph, rev->id))
		fputs(is_depended_on(m, rev->id) ? " (effective head)" : " (head)", out);
	if (m->current && strv_has(m->current, rev->id))
		fputs(" (current)", out);
	if ((parts & LINE_TREE) != LINE_TREE)
		return;
	if (graph_is_branch_point(m->graph, rev->id))
		fputs(" (branchpoint)", out);
	if (rev->parents.n > 1)
		fputs(" (mergepoint)", out);
}

void revision_line(FILE *out, const struct revision *rev, const struct revision_marks *marks, unsigned parts)
{
	if (parts & LINE_PARENTS)
		print_parents(out, rev);
	fputs(rev->id, out);
	if ((parts & LINE_LABELS) && rev->labels.n > 0) {
		fputs(" (", out);
		print_list(out, &rev->labels);
		fputc(')', out);
	}
	if (parts & LINE_HEAD)
		print_marks(out, rev, marks, parts);
	if (parts & LINE_MESSAGE)
		fprintf(out, ", %s", rev->message);
}
