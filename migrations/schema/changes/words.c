#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

/* Where the quoted text that begins at p ends; doubled quotes begin another at once, which is as well. */
static const char *skip_quoted(const char *p)
{
	const char *end = strchr(p + 1, *p);

	return end ? end : p + strlen(p) - 1;
}

static const char *find(const char *text, const char *word, bool last)
{
	size_t len = strlen(word), depth = 0;
	const char *found = NULL;

	for (const char *p = text; *p; p++) {
		if (depth == 0 && strncmp(p, word, len) == 0) {
			found = p;
			if (!last)
				break;
		}
		if (*p == '"' || *p == '\'')
			p = skip_quoted(p);
		else if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
	}
	return found;
}

const char *words_find(const char *text, const char *word) { return find(text, word, false); }

const char *words_find_last(const char *text, const char *word) { return find(text, word, true); }

const char *words_last_name(const char *name)
{
	const char *dot = words_find_last(name, ".");

	return dot ? dot + 1 : name;
}

bool words_same_front(const char *a, const char *b)
{
	size_t front = (size_t)(words_last_name(a) - a);

	return front == (size_t)(words_last_name(b) - b) && strncmp(a, b, front) == 0;
}

void words_list(struct strv *out, const char *text)
{
	for (const char *end; *text; text = end ? end + 2 : text + strlen(text)) {
		cleanup_free char *item = NULL;

		end = words_find(text, ", ");
		item = mem_strndup(text, end ? (size_t)(end - text) : strlen(text));
		strv_add(out, item);
	}
}

void words_literals(struct strv *out, const char *text)
{
	cleanup_strv struct strv items = STRV_INIT;

	words_list(&items, text);
	for (size_t i = 0; i < items.n; i++) {
		char *from = items.v[i], *to = items.v[i];
		bool escaped = strncmp(from, "E'", 2) == 0 || strncmp(from, " E'", 3) == 0;

		if (from[0] != '\'' && !escaped) {
			strv_add(out, from);
			continue;
		}
		/* quote_literal() writes " E'...'" where there is a backslash, and doubles both. */
		while (*from && *from != '\'')
			from++;
		for (from += *from == '\''; *from; from++) {
			if (*from == '\'' && from[1] == '\0')
				break;
			if (*from == '\'' || (escaped && *from == '\\'))
				from++;
			*to++ = *from;
		}
		*to = '\0';
		strv_add(out, items.v[i]);
	}
}
