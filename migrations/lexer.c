#include "migrations/lexer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* One statement while it is read. */
struct state {
	const char *text;
	size_t at;
	int parens, begins;
	char routine
		[LEX_WORDS]; /* initials of CREATE [OR REPLACE] FUNCTION | PROCEDURE, as psqlscan.l keeps them */
	bool after_from;
	struct lexed *out;
};

static bool starts_word(char c) { return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }
static bool goes_on(char c) { return starts_word(c) || isdigit((unsigned char)c) || c == '$'; }

static bool same_word(const char *at, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(at, word, len) == 0;
}

bool lexed_word_is(const struct lexed *s, size_t i, const char *word)
{
	return i < s->n_words && same_word(s->words[i].at, s->words[i].len, word);
}

static bool fail_open(struct state *s, size_t from, const char *what)
{
	s->out->open = what;
	s->out->end = from;
	return false;
}

static bool skip_quoted(struct state *s, size_t from, char quote, bool escapes)
{
	size_t i = from + 1;

	for (; s->text[i]; i++) {
		if (escapes && s->text[i] == '\\' && s->text[i + 1]) {
			i++;
		} else if (s->text[i] == quote) {
			if (s->text[i + 1] != quote)
				break;
			i++;
		}
	}
	if (!s->text[i])
		return fail_open(s, from, quote == '"' ? "double quote" : "quote");
	s->at = i + 1;
	return true;
}

/* Comments nest. */
static bool skip_comment(struct state *s)
{
	size_t from = s->at, i = from + 2;
	int depth = 1;

	for (; s->text[i] && depth; i++) {
		if (s->text[i] == '/' && s->text[i + 1] == '*')
			depth++, i++;
		else if (s->text[i] == '*' && s->text[i + 1] == '/')
			depth--, i++;
	}
	if (depth)
		return fail_open(s, from, "comment");
	s->at = i;
	return true;
}

/* $tag$ ... $tag$; a $ that begins no such thing is a parameter or a slip, and is skipped. */
static bool skip_dollar(struct state *s)
{
	size_t from = s->at, i = from + 1;

	if (starts_word(s->text[i]))
		while (goes_on(s->text[i]) && s->text[i] != '$')
			i++;
	if (s->text[i] != '$') {
		s->at = from + 1;
		return true;
	}
	size_t len = i + 1 - from;
	for (const char *p = strchr(s->text + i + 1, '$'); p; p = strchr(p + 1, '$')) {
		if (strncmp(p, s->text + from, len) == 0) {
			s->at = (size_t)(p - s->text) + len;
			return true;
		}
	}
	return fail_open(s, from, "dollar quote");
}

/* psqlscan.l: between BEGIN ATOMIC and its END semicolons belong to the body; CASE ends with END too. */
static void track_body(struct state *s, const char *at, size_t len)
{
	const char *r = s->routine;
	bool routine = r[0] == 'c' && (r[1] == 'f' || r[1] == 'p' ||
	                               (r[1] == 'o' && r[2] == 'r' && (r[3] == 'f' || r[3] == 'p')));

	if (!routine || s->parens)
		return;
	if (same_word(at, len, "begin") || (s->begins && same_word(at, len, "case")))
		s->begins++;
	else if (same_word(at, len, "end") && s->begins)
		s->begins--;
}

static void note_word(struct state *s, const char *at, size_t len)
{
	static const char *const routine_words[] = { "create", "function", "procedure", "or", "replace" };
	struct lexed *out = s->out;

	for (size_t i = 0; i < sizeof(routine_words) / sizeof(routine_words[0]) && out->n_words < LEX_WORDS;
	     i++)
		if (same_word(at, len, routine_words[i]))
			s->routine[out->n_words] = (char)tolower((unsigned char)*at);
	track_body(s, at, len);
	if (out->n_words < LEX_WORDS) {
		out->words[out->n_words].at = at;
		out->words[out->n_words++].len = len;
	}
	if (s->after_from && !s->parens && same_word(at, len, "stdin"))
		out->copy_from_stdin = lexed_word_is(out, 0, "copy");
	s->after_from = same_word(at, len, "from");
}

static bool take_word(struct state *s)
{
	const char *at = s->text + s->at;
	size_t len = 1;

	while (goes_on(at[len]))
		len++;
	if (at[len] == '\'' && same_word(at, len, "e"))
		return skip_quoted(s, s->at + 1, '\'', true);
	s->at += len;
	note_word(s, at, len);
	return true;
}

static bool take_token(struct state *s)
{
	char c = s->text[s->at];

	if (starts_word(c))
		return take_word(s);
	s->after_from = false;
	if (c == '\'' || c == '"')
		return skip_quoted(s, s->at, c, false);
	if (c == '$')
		return skip_dollar(s);
	if (isdigit((unsigned char)c)) {
		while (goes_on(s->text[s->at]) || s->text[s->at] == '.')
			s->at++;
		return true;
	}
	if (c == '(')
		s->parens++;
	else if (c == ')' && s->parens)
		s->parens--;
	s->at++;
	return true;
}

/* Blanks and comments.  False: a comment is open. */
static bool skip_blank(struct state *s)
{
	for (;;) {
		const char *p = s->text + s->at;
		if (isspace((unsigned char)*p))
			s->at++;
		else if (p[0] == '-' && p[1] == '-')
			s->at += strcspn(p, "\n");
		else if (p[0] != '/' || p[1] != '*')
			return true;
		else if (!skip_comment(s))
			return false;
	}
}

enum lex_kind lex_next(struct lexer *lexer, struct lexed *out)
{
	struct state s = { .text = lexer->text, .at = lexer->at, .out = out };

	*out = (struct lexed){ .is_empty = true };
	for (;;) {
		if (!skip_blank(&s))
			return LEX_OPEN;
		char c = s.text[s.at];
		if (out->is_empty)
			out->start = s.at;
		out->end = s.at;
		if (c == '\\')
			return LEX_META;
		if (!c) {
			lexer->at = s.at;
			return out->is_empty ? LEX_END : LEX_STATEMENT;
		}
		if (c == ';' && !s.parens && !s.begins) {
			lexer->at = out->end = s.at + 1;
			if (!out->is_empty)
				return LEX_STATEMENT;
			s.at++; /* an empty statement */
			continue;
		}
		out->is_empty = false;
		if (!take_token(&s))
			return LEX_OPEN;
	}
}
