#include "migrations/locks.h"

#include "base/mem.h"
#include "base/sql.h"
#include "base/strv.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* PostgreSQL 15, "LOCK". */
static const char *const modes[] = {
	"ACCESS SHARE", "ROW SHARE",           "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE",
	"SHARE",        "SHARE ROW EXCLUSIVE", "EXCLUSIVE",     "ACCESS EXCLUSIVE",
};

enum { N_MODES = sizeof(modes) / sizeof(modes[0]), NAME_MAX_BYTES = 4096 };

/* Bytes above ASCII are letters of a name (PostgreSQL, "Identifiers and Key Words"). */
static bool is_name_byte(char c, bool first)
{
	unsigned char u = (unsigned char)c;

	return u == '_' || u >= 0x80 || isalpha(u) || (!first && (isdigit(u) || u == '$'));
}

/* One name at *p, folded or unquoted; NULL: there is none. */
static char *take_name(const char **p)
{
	cleanup_buf struct buf name = BUF_INIT(NAME_MAX_BYTES);
	const char *at = *p;

	if (*at == '"') {
		for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
			at += *at == '"';
			buf_char(&name, *at);
		}
		if (*at++ != '"')
			return NULL;
	} else {
		for (; is_name_byte(*at, at == *p); at++)
			buf_char(&name,
			         (char)((unsigned char)*at < 0x80 ? tolower((unsigned char)*at) : *at));
	}
	if (name.len == 0)
		return NULL;
	*p = at;
	return buf_take(&name);
}

/* The words up to the comma, with one blank between them. */
static char *take_words(const char **p)
{
	size_t len = strcspn(*p, ",");
	char *raw = mem_strndup(*p, len), *words;
	struct strv list = STRV_INIT;

	strv_split(&list, raw);
	words = strv_join(&list, " ");
	strv_clear(&list);
	free(raw);
	*p += len;
	return words;
}

static bool find_mode(const char *words, const char **mode, struct err *err)
{
	cleanup_strv struct strv list = STRV_INIT;

	*mode = *words ? NULL : "ACCESS EXCLUSIVE";
	for (size_t i = 0; i < N_MODES; i++)
		if (strcasecmp(modes[i], words) == 0)
			*mode = modes[i];
	if (*mode)
		return true;
	for (size_t i = 0; i < N_MODES; i++)
		strv_add(&list, modes[i]);
	char *all = strv_join(&list, ", ");
	err_set(err, ERR_USAGE, "'%s' is no lock mode", words);
	err_hint(err, "the modes are %s", all);
	free(all);
	return false;
}

static bool take_lock(const char **p, struct table_lock *out, struct err *err)
{
	char *words;
	bool ok;

	*p += strspn(*p, " \t");
	out->table = take_name(p);
	if (out->table && **p == '.') {
		(*p)++;
		out->schema = out->table;
		out->table = take_name(p);
	}
	if (!out->table || (**p && !strchr(" \t,", **p))) {
		err_set(err, ERR_USAGE, "lock is a list of tables and modes");
		return err_hint(err, "for example lock=\"orders SHARE ROW EXCLUSIVE, sales.items\"");
	}
	words = take_words(p);
	ok = find_mode(words, &out->mode, err);
	free(words);
	return ok;
}

static int by_name(const void *a, const void *b)
{
	const struct table_lock *x = a, *y = b;
	int order = strcmp(x->table, y->table);

	return order ? order : strcmp(x->schema ? x->schema : "", y->schema ? y->schema : "");
}

bool locks_parse(const char *text, struct table_locks *out, struct err *err)
{
	struct table_locks list = { .n = 0 };
	bool ok = true;

	for (const char *p = text; ok; p++) {
		list.v = mem_grow(list.v, list.n + 1, sizeof(*list.v));
		list.v[list.n] = (struct table_lock){ .mode = NULL };
		ok = take_lock(&p, &list.v[list.n++], err);
		if (ok && !*p)
			break;
	}
	if (ok)
		qsort(list.v, list.n, sizeof(*list.v), by_name);
	for (size_t i = 1; i < list.n && ok; i++)
		if (by_name(&list.v[i - 1], &list.v[i]) == 0)
			ok = err_set(err, ERR_USAGE, "table %s is to be locked twice", list.v[i].table);
	if (!ok) {
		locks_clear(&list);
		return false;
	}
	*out = list;
	return true;
}

void locks_clear(struct table_locks *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].schema);
		free(l->v[i].table);
	}
	free(l->v);
	*l = (struct table_locks){ .n = 0 };
}

void locks_sql(const struct table_locks *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		buf_str(out, "LOCK TABLE ");
		if (l->v[i].schema)
			buf_sql(out, "%I.", l->v[i].schema);
		buf_sql(out, "%I IN ", l->v[i].table);
		buf_fmt(out, "%s MODE;\n", l->v[i].mode);
	}
}
