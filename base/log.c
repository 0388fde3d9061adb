#include "base/log.h"
#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct style {
	const char *prefix;
	const char *color; /* SGR sequence, ECMA-48 */
};

static const struct style styles[] = {
	[LOG_ERROR] = { "ripcord: ", "\033[31m" },
	[LOG_WARN] = { "ripcord: warning: ", "\033[33m" },
	[LOG_INFO] = { "", "" },
	[LOG_DEBUG] = { "", "\033[2m" },
};

static enum log_level shown = LOG_INFO;
static bool color;
static void (*overlay_clear)(void), (*overlay_redraw)(void);

void log_set_level(enum log_level level) { shown = level; }
bool log_is_shown(enum log_level level) { return level <= shown; }
void log_set_color(bool on) { color = on; }

void log_set_overlay(void (*clear)(void), void (*redraw)(void))
{
	overlay_clear = clear;
	overlay_redraw = redraw;
}

/* Text from servers and files must not steer the terminal. */
static void add_printable(struct buf *b, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
			buf_fmt(b, "\\x%02X", c);
		else
			buf_char(b, *text);
	}
}

/* One write a line, so that lines of several processes do not mix. */
static void print(enum log_level level, const char *text)
{
	const struct style *style = &styles[level];
	bool colored = color && style->color[0];
	cleanup_buf struct buf line = BUF_INIT(BUF_TEXT_MAX);

	if (!log_is_shown(level))
		return;
	if (colored)
		buf_str(&line, style->color);
	buf_str(&line, style->prefix);
	add_printable(&line, text);
	if (colored)
		buf_str(&line, "\033[0m");
	buf_char(&line, '\n');

	if (overlay_clear)
		overlay_clear();
	fwrite(line.data, 1, line.len, stderr); /* nowhere to report a failure to */
	if (overlay_redraw)
		overlay_redraw();
}

PRINTF_LIKE(2, 0) static void print_v(enum log_level level, const char *fmt, va_list ap)
{
	char *text = mem_vfmt(fmt, ap);

	print(level, text);
	free(text);
}

#define DEFINE_LOG(name, level)                                                                              \
	void name(const char *fmt, ...)                                                                      \
	{                                                                                                    \
		va_list ap;                                                                                  \
		va_start(ap, fmt);                                                                           \
		print_v(level, fmt, ap);                                                                     \
		va_end(ap);                                                                                  \
	}

DEFINE_LOG(log_error, LOG_ERROR)
DEFINE_LOG(log_warn, LOG_WARN)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_debug, LOG_DEBUG)

void log_err(const struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	if (err->file[0] && err->line > 0)
		buf_fmt(&text, "%s:%d: ", err->file, err->line);
	else if (err->file[0])
		buf_fmt(&text, "%s: ", err->file);
	buf_str(&text, err->msg);
	if (err->hint[0])
		buf_fmt(&text, "\n  %s", err->hint);
	print(LOG_ERROR, text.data);
}
