#include "base/strv.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS ", \t\r\n\v\f"

/* Takes ownership of text. */
static void push(struct strv *s, char *text)
{
	if (s->n + 2 > s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->v = mem_grow(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = text;
	s->v[s->n] = NULL;
}

static void remove_at(struct strv *s, size_t i)
{
	free(s->v[i]);
	memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof(*s->v)); /* with the NULL at the end */
	s->n--;
}

void strv_add(struct strv *s, const char *text) { push(s, mem_strdup(text)); }

void strv_fmt(struct strv *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = mem_vfmt(fmt, ap);
	va_end(ap);
	push(s, text);
}

void strv_add_all(struct strv *s, const struct strv *from)
{
	size_t n = from->n; /* `from` may be `s` itself */

	for (size_t i = 0; i < n; i++)
		strv_add(s, from->v[i]);
}

void strv_split(struct strv *s, const char *list)
{
	for (const char *p = list + strspn(list, BLANKS); *p; p += strspn(p, BLANKS)) {
		size_t len = strcspn(p, BLANKS);
		push(s, mem_strndup(p, len));
		p += len;
	}
}

static bool find(const struct strv *s, const char *text, size_t *at)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i], text) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

bool strv_has(const struct strv *s, const char *text)
{
	size_t at;

	return find(s, text, &at);
}

bool strv_same(const struct strv *a, const struct strv *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strv_has(b, a->v[i]))
			return false;
	return a->n == b->n;
}

bool strv_remove(struct strv *s, const char *text)
{
	size_t at;

	if (!find(s, text, &at))
		return false;
	remove_at(s, at);
	return true;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void strv_sort(struct strv *s)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_bytes);
}

char *strv_join(const struct strv *s, const char *between)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_str(&b, between);
		buf_str(&b, s->v[i]);
	}
	return buf_take(&b);
}

const char *const *strv_argv(const struct strv *s)
{
	static const char *const none[] = { NULL };

	return s->v ? (const char *const *)s->v : none;
}

void strv_setenv(struct strv *s, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (size_t i = s->n; i-- > 0;) { /* backwards: removal moves what follows */
		if (strncmp(s->v[i], name, len) == 0 && s->v[i][len] == '=')
			remove_at(s, i);
	}
	if (value)
		strv_fmt(s, "%s=%s", name, value);
}

void strv_clear(struct strv *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strv)STRV_INIT;
}
