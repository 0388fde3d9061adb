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

/* A fact that only one side has.  Returns how many facts that is at this level. */
static size_t print_lone(struct buf *out, char side, const struct fact *f, enum schema_level level)
{
	bool printed = false;

	if (!level_has_fact(level, f))
		return 0;
	for (size_t i = 0; i < f->n; i++) {
		if (!level_has_attribute(level, &f->attributes[i]))
			continue;
		print_side(out, side, f, &f->attributes[i]);
		printed = true;
	}
	if (!printed)
		print_side(out, side, f, NULL);
	return 1;
}

/* An attribute that only one side has. */
static size_t print_lone_attribute(struct buf *out, char side, const struct fact *f, size_t i,
                                   enum schema_level level)
{
	if (!level_has_attribute(level, &f->attributes[i]))
		return 0;
	print_side(out, side, f, &f->attributes[i]);
	return 1;
}

static bool same_form(const struct attribute *a, const struct attribute *b)
{
	return !a->form == !b->form && strcmp(attribute_form(a), attribute_form(b)) == 0;
}

/* One object on both sides.  Returns 1 when it differs at this level. */
static size_t diff_fact(const struct fact *f, const struct fact *g, enum schema_level level, struct buf *out)
{
	size_t i = 0, j = 0, differ = 0;

	if (!level_has_fact(level, f) || strcmp(f->digest, g->digest) == 0)
		return 0;
	while (i < f->n && j < g->n) {
		int order = strcmp(f->attributes[i].name, g->attributes[j].name);
		bool same = order == 0 && same_form(&f->attributes[i], &g->attributes[j]);

		if (order <= 0 && !same)
			differ += print_lone_attribute(out, '-', f, i, level);
		if (order >= 0 && !same)
			differ += print_lone_attribute(out, '+', g, j, level);
		i += order <= 0;
		j += order >= 0;
	}
	for (; i < f->n; i++)
		differ += print_lone_attribute(out, '-', f, i, level);
	for (; j < g->n; j++)
		differ += print_lone_attribute(out, '+', g, j, level);
	return differ > 0;
}

size_t schema_diff(const struct schema *before, const struct schema *after, enum schema_level level,
                   struct buf *out)
{
	size_t i = 0, j = 0, differ = 0;

	while (i < before->n && j < after->n) {
		const struct fact *f = &before->facts[i], *g = &after->facts[j];
		int order = fact_compare(f, g);

		if (order == 0)
			differ += diff_fact(f, g, level, out);
		else
			differ += order < 0 ? print_lone(out, '-', f, level) : print_lone(out, '+', g, level);
		i += order <= 0;
		j += order >= 0;
	}
	for (; i < before->n; i++)
		differ += print_lone(out, '-', &before->facts[i], level);
	for (; j < after->n; j++)
		differ += print_lone(out, '+', &after->facts[j], level);
	return differ;
}
