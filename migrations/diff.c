/* The difference of two texts by lines, for people: what changed in a file since it was applied. */
#include "migrations/ledger.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT 3
/* Cells of the table below; beyond it the middle of both texts is shown whole. */
#define CELLS_MAX ((size_t)4 << 20)

struct lines {
	const char **at;
	size_t *len;
	size_t n;
};

static struct lines split(const char *text)
{
	struct lines l = { .n = 0 };

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");
		l.at = mem_grow(l.at, l.n + 1, sizeof(const char *));
		l.len = mem_grow(l.len, l.n + 1, sizeof(size_t));
		l.at[l.n] = p;
		l.len[l.n++] = len;
		p += len + (p[len] == '\n');
	}
	return l;
}

static void release(struct lines *l)
{
	free(l->at);
	free(l->len);
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
	return a->len[i] == b->len[k] && memcmp(a->at[i], b->at[k], a->len[i]) == 0;
}

static void print(struct buf *out, char mark, const struct lines *l, size_t i)
{
	buf_char(out, mark);
	buf_add(out, l->at[i], l->len[i]);
	buf_char(out, '\n');
}

/* What differs: lines [from, a_to) of a became [from, b_to) of b. */
struct window {
	const struct lines *a, *b;
	size_t from, a_to, b_to;
};

static struct window differing(const struct lines *a, const struct lines *b)
{
	struct window w = { .a = a, .b = b, .a_to = a->n, .b_to = b->n };

	while (w.from < a->n && w.from < b->n && same(a, w.from, b, w.from))
		w.from++;
	while (w.a_to > w.from && w.b_to > w.from && same(a, w.a_to - 1, b, w.b_to - 1)) {
		w.a_to--;
		w.b_to--;
	}
	return w;
}

/* Longest common subsequence by dynamic programming: the windows are small, since files are. */
static void print_window(const struct window *w, struct buf *out)
{
	size_t n = w->a_to - w->from, m = w->b_to - w->from, row = m + 1;
	bool fits = n + 1 <= CELLS_MAX / row;
	unsigned *best = fits ? mem_new0((n + 1) * row * sizeof(*best)) : NULL;
	size_t i = 0, k = 0;

	for (size_t x = n; fits && x > 0; x--) {
		for (size_t y = m; y > 0; y--) {
			unsigned skip_a = best[x * row + y - 1], skip_b = best[(x - 1) * row + y];
			if (same(w->a, w->from + x - 1, w->b, w->from + y - 1))
				best[(x - 1) * row + y - 1] = best[x * row + y] + 1;
			else
				best[(x - 1) * row + y - 1] = skip_a > skip_b ? skip_a : skip_b;
		}
	}
	while (i < n || k < m) {
		if (fits && i < n && k < m && same(w->a, w->from + i, w->b, w->from + k)) {
			print(out, ' ', w->a, w->from + i);
			i++, k++;
		} else if (i < n && (k == m || !fits || best[(i + 1) * row + k] >= best[i * row + k + 1])) {
			print(out, '-', w->a, w->from + i++);
		} else {
			print(out, '+', w->b, w->from + k++);
		}
	}
	free(best);
}

void diff_lines(const char *before, const char *after, struct buf *out)
{
	struct lines a = split(before), b = split(after);
	struct window w = differing(&a, &b);

	if (w.from < w.a_to || w.from < w.b_to) {
		size_t first = w.from > CONTEXT ? w.from - CONTEXT : 0;
		buf_fmt(out, "@@ -%zu +%zu @@\n", first + 1, first + 1);
		for (size_t i = first; i < w.from; i++)
			print(out, ' ', &a, i);
		print_window(&w, out);
		for (size_t i = w.a_to; i < a.n && i < w.a_to + CONTEXT; i++)
			print(out, ' ', &a, i);
	}
	release(&a);
	release(&b);
}
