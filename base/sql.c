#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

void sql_ident(struct buf *b, const char *name)
{
	buf_char(b, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_char(b, '"');
		buf_char(b, *name);
	}
	buf_char(b, '"');
}

/* E'' whenever there is a backslash: then standard_conforming_strings, which a role or a
 * database may have switched off, makes no difference. */
void sql_literal(struct buf *b, const char *text)
{
	if (!text) {
		buf_str(b, "NULL");
		return;
	}
	buf_str(b, strchr(text, '\\') ? "E'" : "'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_char(b, *text);
		buf_char(b, *text);
	}
	buf_char(b, '\'');
}

enum conversion {
	CONV_IDENT,
	CONV_LITERAL,
	CONV_TEXT,
	CONV_INT,
	CONV_LLONG,
	CONV_ULLONG,
	CONV_SIZE,
	CONV_PERCENT
};

/* Longer spellings do not begin with shorter ones, so the first that fits is the one. */
static const struct {
	const char *spelling;
	enum conversion kind;
} conversions[] = {
	{ "I", CONV_IDENT },   { "L", CONV_LITERAL },  { "s", CONV_TEXT },  { "d", CONV_INT },
	{ "lld", CONV_LLONG }, { "llu", CONV_ULLONG }, { "zu", CONV_SIZE }, { "%", CONV_PERCENT },
};

/* The conversion at *at, which is moved behind it. */
static enum conversion next_conversion(const char **at)
{
	for (size_t i = 0; i < sizeof(conversions) / sizeof(conversions[0]); i++) {
		size_t len = strlen(conversions[i].spelling);
		if (strncmp(*at, conversions[i].spelling, len) != 0)
			continue;
		*at += len;
		return conversions[i].kind;
	}
	abort(); /* a format of ours that does not exist */
}

static const char *not_null(const char *s)
{
	if (!s)
		abort(); /* only %L knows what a NULL pointer means */
	return s;
}

void buf_vsql(struct buf *b, const char *fmt, va_list *args)
{
	while (*fmt) {
		size_t plain = strcspn(fmt, "%");
		buf_add(b, fmt, plain);
		fmt += plain;
		if (!*fmt++)
			return;
		switch (next_conversion(&fmt)) {
		case CONV_IDENT: sql_ident(b, not_null(va_arg(*args, const char *))); break;
		case CONV_LITERAL: sql_literal(b, va_arg(*args, const char *)); break;
		case CONV_TEXT: buf_str(b, not_null(va_arg(*args, const char *))); break;
		case CONV_INT: buf_fmt(b, "%d", va_arg(*args, int)); break;
		case CONV_LLONG: buf_fmt(b, "%lld", va_arg(*args, long long)); break;
		case CONV_ULLONG: buf_fmt(b, "%llu", va_arg(*args, unsigned long long)); break;
		case CONV_SIZE: buf_fmt(b, "%zu", va_arg(*args, size_t)); break;
		case CONV_PERCENT: buf_char(b, '%'); break;
		}
	}
}

void buf_sql(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vsql(b, fmt, &args);
	va_end(args);
}

char *sql_fmt(const char *fmt, ...)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);
	va_list args;

	va_start(args, fmt);
	buf_vsql(&b, fmt, &args);
	va_end(args);
	return buf_take(&b);
}
