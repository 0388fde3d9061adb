#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

_Noreturn static void too_big(const struct buf *b)
{
	fprintf(stderr, "ripcord: a buffer would grow past its maximum of %zu bytes\n", b->max);
	abort();
}

/* Makes room for `more` bytes and the NUL. */
static void reserve(struct buf *b, size_t more)
{
	if (more > b->max - b->len)
		too_big(b);

	size_t need = b->len + more + 1;
	if (need <= b->cap)
		return;

	size_t cap = b->cap ? b->cap : FIRST_CAP;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	b->data = mem_grow(b->data, cap, 1);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s) { buf_add(b, s, strlen(s)); }
void buf_char(struct buf *b, char c) { buf_add(b, &c, 1); }

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = mem_vfmt(fmt, ap);
	va_end(ap);
	buf_str(b, text);
	free(text);
}

const char *buf_text(const struct buf *b) { return b->data ? b->data : ""; }

char *buf_take(struct buf *b)
{
	char *text = b->data ? b->data : mem_strdup("");

	*b = (struct buf)BUF_INIT(b->max);
	return text;
}

void buf_clear(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT(b->max);
}
