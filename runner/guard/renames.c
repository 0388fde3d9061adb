#include "runner/guard/renames.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define MARKER "-- ripcord:rename"

void renames_clear(struct renames *r)
{
	free(r->v);
	strv_clear(&r->words);
	*r = (struct renames){ .v = NULL };
}

/* ------------------------------------------------------------------ words */

/* The first of these characters outside of quotes, or the end. */
static const char *find_outside(const char *text, const char *any)
{
	bool quoted = false;

	for (; *text; text++) {
		if (*text == '"')
			quoted = !quoted;
		else if (!quoted && strchr(any, *text))
			break;
	}
	return text;
}

/* Where the last name of a qualified one begins. */
static size_t last_name(const char *name)
{
	size_t last = 0;

	for (const char *dot = find_outside(name, "."); *dot; dot = find_outside(dot + 1, "."))
		last = (size_t)(dot - name) + 1;
	return last;
}

void renames_add(struct renames *r, const char *from, const char *to)
{
	strv_add(&r->words, from);
	if (last_name(to) > 0)
		strv_add(&r->words, to);
	else
		strv_fmt(&r->words, "%.*s%s", (int)last_name(from), from, to);
	r->v = mem_grow(r->v, r->n + 1, sizeof(*r->v));
	r->v[r->n] = (struct rename){ r->words.v[2 * r->n], r->words.v[2 * r->n + 1] };
	r->n++;
}

bool renames_add_word(struct renames *r, const char *word, struct err *err)
{
	const char *sign = find_outside(word, "=");

	if (sign == word || !*sign || !sign[1] || *find_outside(sign + 1, "=")) {
		err_set(err, ERR_USAGE, "--rename %s: two names with a = between them", word);
		return err_hint(err, "for example --rename public.account.mail=email");
	}
	cleanup_free char *from = mem_strndup(word, (size_t)(sign - word));
	renames_add(r, from, sign + 1);
	return true;
}

/* ------------------------------------------------------------------ comments */

static bool add_comment(struct renames *r, const char *names, struct err *err)
{
	cleanup_free char *copy = mem_strdup(names);
	char *from = text_trim(copy);
	char *to = from + (find_outside(from, " \t") - from);

	if (!*to) {
		err_set(err, ERR_USAGE, MARKER " %s: two names with a blank between them", from);
		return err_hint(err, "for example " MARKER " public.account.mail email");
	}
	*to++ = '\0';
	to = text_trim(to);
	if (*find_outside(to, " \t"))
		return err_set(err, ERR_USAGE, MARKER " %s %s: more than two names", from, to);
	renames_add(r, from, to);
	return true;
}

bool renames_add_comments(struct renames *r, const char *path, const char *text, struct err *err)
{
	int number = 0;

	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		number++;
		line += strspn(line, " \t");
		if (!text_starts(line, MARKER) || !strchr(" \t\r\n", line[strlen(MARKER)]))
			continue;
		cleanup_free char *names =
			mem_strndup(line + strlen(MARKER), (size_t)(end - line) - strlen(MARKER));
		if (!add_comment(r, names, err))
			return err_at(err, path, number);
	}
	return true;
}

/* ------------------------------------------------------------------ which of them are open */

void renames_reverse(const struct renames *r, struct renames *out)
{
	for (size_t i = r->n; i > 0; i--)
		renames_add(out, r->v[i - 1].to, r->v[i - 1].from);
}

static bool has_name(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < schema_count(s); i++)
		if (strcmp(schema_fact(s, i)->name, name) == 0)
			return true;
	return false;
}

/* What it was called before the renames so far: a column's table may be one of them. */
static char *name_before(const struct renames *r, const char *name)
{
	char *was = mem_strdup(name);

	for (size_t i = r->n; i > 0; i--) {
		const struct rename *done = &r->v[i - 1];
		size_t n = strlen(done->to);
		if (!text_starts(was, done->to) || (was[n] && was[n] != '.'))
			continue;
		char *front = mem_fmt("%s%s", done->from, was + n);
		free(was);
		was = front;
	}
	return was;
}

void renames_add_open(struct renames *r, const struct renames *comments, const struct schema *old,
                      const struct schema *new)
{
	for (size_t i = 0; i < comments->n; i++) {
		const struct rename *c = &comments->v[i];
		cleanup_free char *was = name_before(r, c->from);
		if (has_name(old, was) && !has_name(old, c->to) && has_name(new, c->to))
			renames_add(r, c->from, c->to);
	}
}

/* ------------------------------------------------------------------ which may be more */

static const char *value_of(const struct fact *f, const char *attribute)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->attributes[i].name, attribute) == 0)
			return f->attributes[i].value;
	return "";
}

/* Facts are sorted by kind and name. */
static bool has_fact(const struct schema *s, const char *kind, const char *name)
{
	size_t low = 0, high = schema_count(s);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fact *f = schema_fact(s, middle);
		int order = strcmp(f->kind, kind);
		order = order ? order : strcmp(f->name, name);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool is_column_of(const struct fact *f, const char *table, size_t len)
{
	return strcmp(f->kind, "column") == 0 && strncmp(f->name, table, len) == 0 && f->name[len] == '.' &&
	       last_name(f->name) == len + 1;
}

/* "name type" of all columns: what a table holds. */
static char *shape_of(const struct schema *s, const char *table)
{
	cleanup_strv struct strv columns = STRV_INIT;

	for (size_t i = 0; i < schema_count(s); i++) {
		const struct fact *f = schema_fact(s, i);
		if (is_column_of(f, table, strlen(table)))
			strv_fmt(&columns, "%s %s", f->name + last_name(f->name), value_of(f, "type"));
	}
	strv_sort(&columns);
	return strv_join(&columns, "\n");
}

/* f was in s, which is of a table that stays, and might be g, which is in the other. */
static bool is_like(const struct schema *s, const struct fact *f, const struct schema *t,
                    const struct fact *g)
{
	if (strcmp(f->kind, g->kind) != 0)
		return false;
	if (strcmp(f->kind, "column") == 0) {
		size_t table = last_name(f->name) - 1;
		cleanup_free char *name = mem_strndup(f->name, table);
		return is_column_of(g, name, table) && has_fact(s, "table", name) &&
		       has_fact(t, "table", name) && strcmp(value_of(f, "type"), value_of(g, "type")) == 0;
	}
	cleanup_free char *shape = shape_of(s, f->name), *other = shape_of(t, g->name);
	return *shape && strcmp(shape, other) == 0;
}

/* The facts of columns and tables that are in s alone, and that no rename names. */
static struct fact const **lone_facts(const struct renames *r, const struct schema *s, const struct schema *t,
                                      size_t *n)
{
	const struct fact **lone = mem_new0((schema_count(s) + 1) * sizeof(*lone));

	*n = 0;
	for (size_t i = 0; i < schema_count(s); i++) {
		const struct fact *f = schema_fact(s, i);
		bool bears_data = strcmp(f->kind, "column") == 0 || strcmp(f->kind, "table") == 0;
		if (bears_data && !strv_has(&r->words, f->name) && !has_fact(t, f->kind, f->name))
			lone[(*n)++] = f;
	}
	return lone;
}

void renames_likely(const struct renames *r, const struct schema *old, const struct schema *new,
                    struct strv *out)
{
	size_t n_gone, n_come;
	cleanup_free const struct fact **gone = lone_facts(r, old, new, &n_gone);
	cleanup_free const struct fact **come = lone_facts(r, new, old, &n_come);

	for (size_t i = 0; i < n_gone; i++)
		for (size_t j = 0; j < n_come; j++)
			if (is_like(old, gone[i], new, come[j]))
				strv_fmt(out, "%s %s goes and %s comes: --rename %s=%s if that is a rename",
				         gone[i]->kind, gone[i]->name, come[j]->name, gone[i]->name,
				         come[j]->name + last_name(come[j]->name));
}
