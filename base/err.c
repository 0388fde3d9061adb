#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* As much of text as still fits. */
static void append(char *dst, size_t size, const char *text)
{
	size_t used = strlen(dst), n = strnlen(text, size - 1 - used);

	memcpy(dst + used, text, n);
	dst[used + n] = '\0';
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	if (err->code != ERR_NONE)
		return false;

	err->code = code;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return false;
}

bool err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;

	if (err->code != ERR_NONE)
		return false;

	err->code = ERR_IO;
	err->sys_errno = saved;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	append(err->msg, sizeof(err->msg), ": ");
	append(err->msg, sizeof(err->msg), strerror(saved));
	return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
	/* Into a buffer of its own: the arguments may point into *err. */
	char outer[sizeof(err->msg)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);

	append(outer, sizeof(outer), ": ");
	append(outer, sizeof(outer), err->msg);
	memcpy(err->msg, outer, sizeof(outer));
	return false;
}

bool err_hint(struct err *err, const char *fmt, ...)
{
	char hint[sizeof(err->hint)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	memcpy(err->hint, hint, sizeof(hint));
	return false;
}

bool err_at(struct err *err, const char *file, int line)
{
	if (err->file[0])
		return false;
	snprintf(err->file, sizeof(err->file), "%s", file);
	err->line = line;
	return false;
}

bool err_recode(struct err *err, enum err_code code)
{
	err->code = code;
	return false;
}

int err_exit_status(enum err_code code)
{
	switch (code) {
	case ERR_NONE: return 0;
	case ERR_USAGE: return 2;
	case ERR_REFUSED: return 3;
	case ERR_DB:
	case ERR_IO:
	case ERR_PROC:
	case ERR_CANCELLED: return 1;
	case ERR_BACKUP:
	case ERR_CORRUPT: return 7;
	case ERR_LOCKED: return 8;
	}
	return 1;
}
