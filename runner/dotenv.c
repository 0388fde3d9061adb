#include "runner/dotenv.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX  ((size_t)1 << 20)
#define DEPTH_MAX 16 /* of ${NAME} in ${NAME}: more is a circle */

struct variable {
	char *name, *text; /* text: before ${NAME} is filled */
	bool literal;      /* single quotes: nothing is filled */
	int line;
};

struct dotenv {
	char *path;
	struct variable *v;
	size_t n;
};

/* ------------------------------------------------------------------ the file */

struct reader {
	const char *path, *at;
	int line;
};

static bool fail(const struct reader *r, int line, const char *what, const char *hint, struct err *err)
{
	err_set(err, ERR_USAGE, "%s", what);
	err_hint(err, "%s", hint);
	return err_at(err, r->path, line);
}

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static bool is_name_char(char c) { return c != '\0' && !strchr("=# \t\r\n'\"", c); }

static char *take_name(struct reader *r)
{
	const char *start = r->at;

	while (is_name_char(*r->at))
		r->at++;
	return mem_strndup(start, (size_t)(r->at - start));
}

static char unescape(char c)
{
	static const char from[] = "nrt", to[] = "\n\r\t";
	const char *found = strchr(from, c);

	return found ? to[found - from] : c;
}

/* \$ must stay a plain sign when ${NAME} is filled later: it is kept as $${ where a name would follow. */
static void add_escaped(struct buf *out, const char *at)
{
	if (*at == '$' && at[1] == '{')
		buf_str(out, "$$");
	else if (strchr("nrt\\\"'$`", *at))
		buf_char(out, unescape(*at));
	else
		buf_fmt(out, "\\%c", *at);
}

static bool take_quoted(struct reader *r, char quote, struct buf *out, struct err *err)
{
	int opened = r->line;

	for (r->at++; *r->at != quote; r->at++) {
		if (*r->at == '\0')
			return fail(r, opened, "a quoted value does not end", "close the quote", err);
		r->line += *r->at == '\n';
		if (r->at[0] == '\r' && r->at[1] == '\n')
			continue;
		if (*r->at != '\\' || r->at[1] == '\0') {
			buf_char(out, *r->at);
		} else if (quote == '"') {
			r->at++;
			r->line += *r->at == '\n';
			add_escaped(out, r->at);
		} else if (r->at[1] == '\'' || r->at[1] == '\\') {
			buf_char(out, *++r->at);
		} else {
			buf_char(out, '\\');
		}
	}
	r->at++;
	return true;
}

/* Up to the line's end or to a # after a blank. */
static void take_plain(struct reader *r, struct buf *out)
{
	const char *start = r->at;
	size_t len = 0;

	for (; *r->at && *r->at != '\n'; r->at++) {
		bool after_blank = r->at[-1] == ' ' || r->at[-1] == '\t';

		if (*r->at == '#' && after_blank)
			break;
		if (!strchr(" \t\r", *r->at))
			len = (size_t)(r->at - start) + 1;
	}
	buf_add(out, start, len);
}

static bool at_line_end(struct reader *r)
{
	skip_blanks(r);
	if (*r->at == '\r')
		r->at++;
	return *r->at == '\0' || *r->at == '\n' || *r->at == '#';
}

static void skip_line(struct reader *r)
{
	while (*r->at && *r->at != '\n')
		r->at++;
	if (*r->at == '\n')
		r->at++;
	r->line++;
}

static void add(struct dotenv *d, char *name, char *text, bool literal, int line)
{
	d->v = mem_grow(d->v, d->n + 1, sizeof(*d->v));
	d->v[d->n++] = (struct variable){ .name = name, .text = text, .literal = literal, .line = line };
}

static bool take_value(struct dotenv *d, struct reader *r, char **name, struct err *err)
{
	cleanup_buf struct buf value = BUF_INIT(FILE_MAX * 2);
	int line = r->line;
	char quote;

	skip_blanks(r);
	quote = *r->at == '"' || *r->at == '\'' ? *r->at : '\0';
	if (quote) {
		if (!take_quoted(r, quote, &value, err))
			return false;
		if (!at_line_end(r))
			return fail(r, r->line, "there is more text after a quoted value",
			            "put the whole value into one pair of quotes, or a blank and # before a "
			            "comment",
			            err);
	} else {
		take_plain(r, &value);
	}
	add(d, *name, buf_take(&value), quote == '\'', line);
	*name = NULL;
	return true;
}

static bool take_line(struct dotenv *d, struct reader *r, struct err *err)
{
	cleanup_free char *name = NULL;

	if (at_line_end(r))
		return true;
	name = take_name(r);
	if (strcmp(name, "export") == 0 && (*r->at == ' ' || *r->at == '\t')) {
		skip_blanks(r);
		if (*r->at != '=') {
			free(name);
			name = take_name(r);
		}
	}
	if (*name && at_line_end(r))
		return true; /* NAME alone: says that it comes from the environment */
	if (!*name || *r->at != '=')
		return fail(r, r->line, "a line is not NAME=value", "start comments with #", err);
	r->at++;
	return take_value(d, r, &name, err);
}

static bool parse(struct dotenv *d, const struct buf *text, struct err *err)
{
	struct reader r = { .path = d->path, .at = buf_text(text), .line = 1 };

	if (strlen(r.at) != text->len)
		return fail(&r, 0, "the file holds a NUL byte", "save it as plain text (UTF-8)", err);
	if (text_starts(r.at, "\xef\xbb\xbf"))
		r.at += 3;
	while (*r.at) {
		if (!take_line(d, &r, err))
			return false;
		skip_line(&r);
	}
	return true;
}

bool dotenv_load(const char *path, struct dotenv **out, struct err *err)
{
	cleanup_dotenv struct dotenv *d = mem_new0(sizeof(*d));
	struct buf text = BUF_INIT(FILE_MAX);
	bool ok = true;

	d->path = mem_strdup(path);
	if (path) {
		ok = file_read(path, &text, err) || err_recode(err, ERR_USAGE);
		ok = ok && parse(d, &text, err);
		if (text.data)
			mem_wipe(text.data, text.len);
		buf_clear(&text);
	}
	if (!ok)
		return false;
	*out = d;
	d = NULL;
	return true;
}

void dotenv_free(struct dotenv *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		mem_wipe(d->v[i].text, strlen(d->v[i].text));
		free(d->v[i].text);
		free(d->v[i].name);
	}
	free(d->v);
	free(d->path);
	free(d);
}

/* ------------------------------------------------------------------ asking */

static const struct variable *find(const struct dotenv *d, const char *name)
{
	for (size_t i = d->n; i > 0; i--) {
		if (strcmp(d->v[i - 1].name, name) == 0)
			return &d->v[i - 1];
	}
	return NULL;
}

static bool expand(const struct dotenv *d, const char *text, int depth, char **out, char *missing,
                   struct err *err);

static bool get(const struct dotenv *d, const char *name, int depth, char **value, char *missing,
                struct err *err)
{
	const char *environment = getenv(name);
	const struct variable *found = environment ? NULL : find(d, name);

	if (!found || found->literal) {
		*value = mem_strdup(found ? found->text : environment);
		return true;
	}
	if (depth >= DEPTH_MAX) {
		err_set(err, ERR_USAGE, "%s is made of itself", name);
		return err_at(err, d->path, found->line);
	}
	return expand(d, found->text, depth + 1, value, missing, err) || err_at(err, d->path, found->line);
}

/* At "${": the name, and where the text goes on.  NULL when it is not closed or no name. */
static const char *split_reference(const char *at, char name[DOTENV_NAME_MAX], char **fallback)
{
	size_t len = strspn(at + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	const char *end = at + 2 + len;

	if (len == 0 || len >= DOTENV_NAME_MAX)
		return NULL;
	snprintf(name, DOTENV_NAME_MAX, "%.*s", (int)len, at + 2);
	if (text_starts(end, ":-")) {
		const char *close = strchr(end, '}');

		if (!close)
			return NULL;
		*fallback = mem_strndup(end + 2, (size_t)(close - end) - 2);
		end = close;
	}
	return *end == '}' ? end + 1 : NULL;
}

static bool fill(const struct dotenv *d, const char **at, int depth, struct buf *out, char *missing,
                 struct err *err)
{
	char name[DOTENV_NAME_MAX];
	cleanup_free char *fallback = NULL;
	cleanup_free char *value = NULL;
	const char *next = split_reference(*at, name, &fallback);

	if (!next) {
		err_set(err, ERR_USAGE, "a ${NAME} is not closed or has no name of letters, digits and _");
		return err_hint(err, "write $${ for a plain ${");
	}
	if (!get(d, name, depth, &value, missing, err))
		return false;
	if (fallback && (!value || !*value)) {
		buf_str(out, fallback);
	} else if (value) {
		buf_str(out, value);
	} else {
		if (missing)
			snprintf(missing, DOTENV_NAME_MAX, "%s", name);
		err_set(err, ERR_USAGE, "${%s} is not set", name);
		return err_hint(err, "set %s in the environment or in .env", name);
	}
	*at = next;
	return true;
}

static bool expand(const struct dotenv *d, const char *text, int depth, char **out, char *missing,
                   struct err *err)
{
	cleanup_buf struct buf filled = BUF_INIT(BUF_TEXT_MAX);

	for (const char *at = text; *at;) {
		if (text_starts(at, "$${")) {
			buf_str(&filled, "${");
			at += 3;
		} else if (!text_starts(at, "${")) {
			buf_char(&filled, *at++);
		} else if (!fill(d, &at, depth, &filled, missing, err)) {
			return false;
		}
	}
	*out = buf_take(&filled);
	return true;
}

bool dotenv_get(const struct dotenv *d, const char *name, char **value, struct err *err)
{
	return get(d, name, 0, value, NULL, err);
}

bool dotenv_expand(const struct dotenv *d, const char *text, char **out, char missing[DOTENV_NAME_MAX],
                   struct err *err)
{
	return expand(d, text, 0, out, missing, err);
}
