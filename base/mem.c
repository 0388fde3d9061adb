#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
	if (!p) {
		fputs("ripcord: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* malloc(0) may be NULL without being a failure, so nothing smaller than a byte is asked for. */
void *mem_new0(size_t size) { return checked(calloc(1, size ? size : 1)); }

void *mem_grow(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		checked(NULL);
	return checked(realloc(p, bytes ? bytes : 1));
}

char *mem_strdup(const char *s) { return s ? checked(strdup(s)) : NULL; }
char *mem_strndup(const char *s, size_t len) { return checked(strndup(s, len)); }

char *mem_vfmt(const char *fmt, va_list ap)
{
	char *out = NULL;
	int n = vasprintf(&out, fmt, ap);

	return checked(n < 0 ? NULL : out);
}

char *mem_fmt(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *out = mem_vfmt(fmt, ap);
	va_end(ap);
	return out;
}

void mem_wipe(void *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
}
