/*
 * revision_line.h - a revision on one line, as Alembic's `current`, `heads` and `history` print it.
 *
 * Source: Script._head_only() in alembic/script/base.py of Alembic 1.8.
 */
#ifndef RUNNER_CLI_REVISION_LINE_H
#define RUNNER_CLI_REVISION_LINE_H

#include "base/strv.h"
#include "migrations/migrations.h"

#include <stdio.h>

/* What is said of revisions beside their names.  The vectors are filled once, for thousands of lines. */
struct revision_marks {
	const struct graph *graph;
	const struct strv *current; /* rows of the version table, to be marked; NULL: not asked for */
	struct strv depended_on;    /* sorted: heads among them are "effective" no more */
};

void revision_marks_fill(struct revision_marks *m);
void revision_marks_clear(struct revision_marks *m);
/* A head that nothing depends on either. */
bool revision_is_head(const struct revision_marks *m, const char *id);

/* Looks an id up in strv_sort()ed ones: thousands of lines ask it. */
bool revision_in_sorted(const struct strv *ids, const char *id);

enum line_parts {
	LINE_PARENTS = 1, /* "1975ea83b712 -> " */
	LINE_LABELS = 2,
	LINE_HEAD = 4,    /* (head), (effective head), (current) */
	LINE_TREE = 12,   /* and (branchpoint), (mergepoint) */
	LINE_MESSAGE = 16,
};

/* Without a line's end. */
void revision_line(FILE *out, const struct revision *rev, const struct revision_marks *marks, unsigned parts);

#endif
