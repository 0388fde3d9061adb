#include "migrations/schema/store.h"

#include <string.h>

void print_value(struct buf *out, const char *value)
{
	static const char FROM[] = "\n\t\r\\", TO[] = "ntr\\";

	for (; *value; value++) {
		const char *special = strchr(FROM, *value);

		if (special) {
			buf_char(out, '\\');
			buf_char(out, TO[special - FROM]);
		} else {
			buf_char(out, *value);
		}
	}
}

void schema_print(const struct schema *s, FILE *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct fact *f = &s->facts[i];

		cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
		buf_fmt(&text, "%s ", f->kind);
		print_value(&text, f->name);
		for (size_t a = 0; a < f->n; a++) {
			buf_fmt(&text, "\n\t%s: ", f->attributes[a].name);
			print_value(&text, f->attributes[a].value);
		}
		buf_char(&text, '\n');
		(void)fputs(buf_text(&text), out);
	}
}

/* One side's line: '-' is what was, '+' what is. */
static void print_side(struct buf *out, char side, const struct fact *f, const struct attribute *a)
{
	buf_fmt(out, "%c %s ", side, f->kind);
	print_value(out, f->name);
	if (a) {
		buf_fmt(out, ": %s ", a->name);
		print_value(out, a->value);
	}
	buf_char(out, '\n');
}

static void print_fact(struct buf *out, char side, const struct fact *f, enum schema_level level)
{
	bool printed = false;

	for (size_t i = 0; i < f->n; i++) {
		if (!level_has_attribute(level, &f->attributes[i]))
			continue;
		print_side(out, side, f, &f->attributes[i]);
		printed = true;
	}
	if (!printed)
		print_side(out, side, f, NULL);
}

/* Walks two sorted arrays of attributes; true when any differs. */
static bool diff_attributes(const struct fact *f, const struct fact *g, enum schema_level level,
                            struct buf *out)
{
	size_t i = 0, j = 0;
	bool differs = false;

	while (i < f->n || j < g->n) {
		const struct attribute *a = i < f->n ? &f->attributes[i] : NULL;
		const struct attribute *b = j < g->n ? &g->attributes[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
		bool same = order == 0 && !a->form == !b->form &&
		            strcmp(attribute_form(a), attribute_form(b)) == 0;

		i += order <= 0;
		j += order >= 0;
		if (same || !level_has_attribute(level, order <= 0 ? a : b))
			continue;
		if (order <= 0)
			print_side(out, '-', f, a);
		if (order >= 0)
			print_side(out, '+', g, b);
		differs = true;
	}
	return differs;
}

size_t schema_diff(const struct schema *before, const struct schema *after, enum schema_level level,
                   struct buf *out)
{
	size_t i = 0, j = 0, differ = 0;

	while (i < before->n || j < after->n) {
		const struct fact *f = i < before->n ? &before->facts[i] : NULL;
		const struct fact *g = j < after->n ? &after->facts[j] : NULL;
		int order = !f ? 1 : !g ? -1 : fact_compare(f, g);

		i += order <= 0;
		j += order >= 0;
		if (!level_has_fact(level, order <= 0 ? f : g))
			continue;
		if (order == 0) {
			if (strcmp(f->digest, g->digest) != 0)
				differ += diff_attributes(f, g, level, out);
			continue;
		}
		print_fact(out, order < 0 ? '-' : '+', order < 0 ? f : g, level);
		differ++;
	}
	return differ;
}
