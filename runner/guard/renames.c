#include "runner/guard/renames.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/confirm.h"

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

/* All there is to say of a type, but for its name. */
static char *attributes_of(const struct fact *f)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < f->n; i++)
		buf_fmt(&out, "%s %s\n", f->attributes[i].name, f->attributes[i].value);
	return buf_take(&out);
}

/* The table and the type of a column; a table that goes or comes takes its columns with it. */
static char *column_of(const struct schema *s, const struct schema *t, const struct fact *f)
{
	cleanup_free char *table = mem_strndup(f->name, last_name(f->name) - 1);

	if (!schema_find(s, "table", table) || !schema_find(t, "table", table))
		return NULL;
	return mem_fmt("%s\n%s", table, value_of(f, "type"));
}

/* What f, which is in s alone, shares with what it may be in t; NULL for nothing. */
static char *likeness_of(const struct schema *s, const struct schema *t, const struct fact *f)
{
	if (strcmp(f->kind, "column") == 0)
		return column_of(s, t, f);
	if (strcmp(f->kind, "table") != 0)
		return attributes_of(f);
	char *shape = shape_of(s, f->name);
	if (*shape)
		return shape;
	free(shape);
	return NULL;
}

/* What rows are made of: dropped and made again, they are lost, or a column is converted.  A sequence has counted; a
 * column's own keeps its count by itself. */
static bool bears_data(const struct fact *f)
{
	static const char *const KINDS[] = { "column", "table", "enum", "domain", "composite type" };

	if (strcmp(f->kind, "sequence") == 0)
		return !*value_of(f, "owned by") && !*value_of(f, "identity of");
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++)
		if (strcmp(f->kind, KINDS[i]) == 0)
			return true;
	return false;
}

/* A fact that is in one schema alone. */
struct lone {
	const struct fact *fact;
	char *likeness;
};

struct lones {
	struct lone *v;
	size_t n;
};

static void lones_clear(struct lones *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].likeness);
	free(l->v);
}

/* Those of s that no rename names, and that may be something in t. */
static void find_lones(const struct renames *r, const struct schema *s, const struct schema *t,
                       struct lones *out)
{
	for (size_t i = 0; i < schema_count(s); i++) {
		const struct fact *f = schema_fact(s, i);
		if (!bears_data(f) || strv_has(&r->words, f->name) || schema_find(t, f->kind, f->name))
			continue;
		char *likeness = likeness_of(s, t, f);
		if (!likeness)
			continue;
		out->v = mem_grow(out->v, out->n + 1, sizeof(*out->v));
		out->v[out->n++] = (struct lone){ f, likeness };
	}
}

static bool is_like(const struct lone *gone, const struct lone *come)
{
	return strcmp(gone->fact->kind, come->fact->kind) == 0 && strcmp(gone->likeness, come->likeness) == 0;
}

static void add_likely(struct likely_renames *l, const struct fact *from, const struct fact *to)
{
	strv_add(&l->words, from->kind);
	strv_add(&l->words, from->name);
	strv_add(&l->words, to->name);
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	char **words = l->words.v + 3 * l->n;
	l->v[l->n++] = (struct likely_rename){ words[0], words[1], words[2] };
}

void renames_likely(const struct renames *r, const struct schema *old, const struct schema *new,
                    struct likely_renames *out)
{
	__attribute__((cleanup(lones_clear))) struct lones gone = { .v = NULL }, come = { .v = NULL };

	find_lones(r, old, new, &gone);
	find_lones(r, new, old, &come);
	for (size_t i = 0; i < gone.n; i++)
		for (size_t j = 0; j < come.n; j++)
			if (is_like(&gone.v[i], &come.v[j]))
				add_likely(out, gone.v[i].fact, come.v[j].fact);
}

void likely_renames_clear(struct likely_renames *l)
{
	free(l->v);
	strv_clear(&l->words);
	*l = (struct likely_renames){ .v = NULL };
}

/* ------------------------------------------------------------------ telling and asking */

void renames_tell(const struct likely_renames *likely, struct strv *out)
{
	for (size_t i = 0; i < likely->n; i++) {
		const struct likely_rename *l = &likely->v[i];
		strv_fmt(out, "%s %s goes and %s comes: --rename %s=%s if that is a rename", l->kind, l->from,
		         l->to, l->from, l->to + last_name(l->to));
	}
}

/* The first pair that was not asked about is; *done: there was none. */
static bool ask_next(struct renames *r, const struct likely_renames *likely, struct strv *asked, bool *done,
                     struct err *err)
{
	for (size_t i = 0; i < likely->n; i++) {
		const struct likely_rename *l = &likely->v[i];
		cleanup_free char *pair = mem_fmt("%s=%s", l->from, l->to);
		cleanup_free char *question =
			mem_fmt("is %s %s renamed to %s?", l->kind, l->from, l->to + last_name(l->to));
		bool yes;

		if (strv_has(asked, pair))
			continue;
		strv_add(asked, pair);
		if (!confirm_ask(question, &yes, err))
			return false;
		if (yes)
			renames_add(r, l->from, l->to);
		return true;
	}
	*done = true;
	return true;
}

bool renames_ask(struct renames *r, const struct schema *old, const struct schema *new, struct err *err)
{
	cleanup_strv struct strv asked = STRV_INIT;

	for (bool done = !confirm_can_ask(); !done;) {
		cleanup_likely_renames struct likely_renames likely = { .v = NULL };
		renames_likely(r, old, new, &likely);
		if (!ask_next(r, &likely, &asked, &done, err))
			return false;
	}
	return true;
}
