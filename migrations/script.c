#include "migrations/script.h"

#include "base/mem.h"
#include "base/text.h"
#include "migrations/lexer.h"
#include "migrations/parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The grammar takes some ten bytes of memory for each of a text; longer ones are left to the lexer. */
#define GRAMMAR_MAX ((size_t)8 << 20)

int line_of(const char *text, size_t offset, int first_line)
{
	int line = first_line;

	for (size_t i = 0; i < offset && text[i]; i++)
		line += text[i] == '\n';
	return line;
}

size_t byte_of(const char *text, int position)
{
	size_t i = 0;

	for (int at = 1; text[i] && at < position; at++)
		for (i++; ((unsigned char)text[i] & 0xc0) == 0x80;)
			i++;
	return i;
}

bool err_at_revision(struct err *err, const struct revision *rev, int line)
{
	if (rev->path)
		return err_at(err, rev->path, line);
	if (*err->file == '\0')
		err_wrap(err, "revision %s, from the history, line %d", rev->id, line);
	return false;
}

/* ------------------------------------------------------------------ parts */

struct splitter {
	const struct revision *rev;
	const struct section *section;
	struct script *out;
	size_t from; /* where the part in hand begins */
};

static struct part *add_part(struct splitter *s, size_t from, size_t to)
{
	s->out->parts = mem_grow(s->out->parts, s->out->n + 1, sizeof(struct part));
	struct part *part = &s->out->parts[s->out->n++];
	*part = (struct part){ .sql = mem_strndup(s->section->text + from, to - from),
		               .line = line_of(s->section->text, from, s->section->line) };
	return part;
}

static void close_part(struct splitter *s, size_t to)
{
	const char *text = s->section->text;

	for (size_t i = s->from; i < to; i++) {
		if (!isspace((unsigned char)text[i])) {
			add_part(s, s->from, to);
			return;
		}
	}
}

void script_clear(struct script *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->parts[i].sql);
		free(s->parts[i].data);
	}
	free(s->parts);
	*s = (struct script){ .parts = NULL };
}

static bool refuse(const struct splitter *s, size_t at, struct err *err)
{
	return err_at_revision(err, s->rev, line_of(s->section->text, at, s->section->line));
}

/* psql: the data begin on the line behind the statement and end before a line that is "\.". */
static bool take_copy(struct splitter *s, const struct lexed *statement, struct lexer *lexer, struct err *err)
{
	const char *text = s->section->text, *data = strchr(text + statement->end, '\n'), *end = data;

	while (end && !(end[1] == '\\' && end[2] == '.' && (end[3] == '\n' || end[3] == '\0')))
		end = strchr(end + 1, '\n');
	if (!end) {
		err_set(err, ERR_USAGE, "COPY FROM stdin without the end of its data");
		err_hint(err, "the data stand on the lines below it, and a line with \\. ends them");
		return refuse(s, statement->start, err);
	}
	if (strspn(text + statement->end, " \t") != (size_t)(data - (text + statement->end))) {
		err_set(err, ERR_USAGE, "more SQL on the line of COPY FROM stdin");
		return refuse(s, statement->end, err);
	}
	close_part(s, statement->start);
	struct part *part = add_part(s, statement->start, statement->end);
	part->data_len = (size_t)(end - data);
	part->data = mem_strndup(data + 1, part->data_len);
	/* From behind the first newline to the last one, which ends the last row. */
	s->from = lexer->at = (size_t)(end - text) + 3;
	return true;
}

/* pg_dump of the newest minor releases writes \restrict and \unrestrict, which mean something to psql only. */
static bool take_meta(struct splitter *s, const struct lexed *at, struct lexer *lexer, struct err *err)
{
	const char *text = s->section->text, *word = text + at->end + 1;
	size_t len = strcspn(word, " \t\n"), eol = at->end + strcspn(text + at->end, "\n");
	bool known = (len == 8 && memcmp(word, "restrict", len) == 0) ||
	             (len == 10 && memcmp(word, "unrestrict", len) == 0);

	if (!known || !at->is_empty) {
		err_set(err, ERR_USAGE, "psql's command \\%.*s is not SQL", (int)(len > 40 ? 40 : len), word);
		err_hint(
			err,
			"only psql runs backslash commands; COPY ... FROM stdin with its data is understood");
		return refuse(s, at->end, err);
	}
	close_part(s, at->end);
	s->from = lexer->at = eol;
	return true;
}

static bool take_one(struct splitter *s, enum lex_kind kind, const struct lexed *found, struct lexer *lexer,
                     bool *more, struct err *err)
{
	*more = kind != LEX_END;
	switch (kind) {
	case LEX_STATEMENT: return !found->copy_from_stdin || take_copy(s, found, lexer, err);
	case LEX_META: return take_meta(s, found, lexer, err);
	case LEX_OPEN:
		err_set(err, ERR_USAGE, "a %s that is never closed", found->open);
		err_hint(err, "was the file written to its end?");
		return refuse(s, found->end, err);
	case LEX_END: return true;
	}
	return true;
}

bool script_make(const struct revision *rev, const struct section *section, struct script *out,
                 struct err *err)
{
	cleanup_script struct script made = { .parts = NULL };
	struct splitter s = { .rev = rev, .section = section, .out = &made };
	struct lexer lexer = { .text = section->text };
	struct lexed found;
	bool more = true;

	while (more)
		if (!take_one(&s, lex_next(&lexer, &found), &found, &lexer, &more, err))
			return false;
	close_part(&s, strlen(section->text));
	*out = made;
	made = (struct script){ .parts = NULL };
	return true;
}

/* ------------------------------------------------------------------ transaction control */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strcasestr(text, word); p; p = strcasestr(p + len, word)) {
		bool inside = p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_');
		if (!inside && !isalnum((unsigned char)p[len]) && p[len] != '_')
			return true;
	}
	return false;
}

static bool may_control(const char *text)
{
	static const char *const words[] = { "begin", "start",     "commit",  "end",    "rollback",
		                             "abort", "savepoint", "release", "prepare" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has_word(text, words[i]))
			return true;
	return false;
}

static bool is_savepoint_of_ours(const struct lexed *s)
{
	for (size_t i = 1; i < s->n_words; i++)
		if (s->words[i].len >= 7 && strncasecmp(s->words[i].at, "ripcord", 7) == 0)
			return true;
	return false;
}

/* ROLLBACK [WORK | TRANSACTION] TO ... */
static bool is_rollback_to(const struct lexed *s)
{
	size_t next = lexed_word_is(s, 1, "work") || lexed_word_is(s, 1, "transaction") ? 2 : 1;

	return lexed_word_is(s, next, "to");
}

static bool is_control(const struct lexed *s)
{
	static const char *const ends[] = { "begin", "start", "commit", "end", "abort" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (lexed_word_is(s, 0, ends[i]))
			return true;
	if (lexed_word_is(s, 0, "prepare"))
		return lexed_word_is(s, 1, "transaction");
	if (lexed_word_is(s, 0, "rollback"))
		return !is_rollback_to(s) || is_savepoint_of_ours(s);
	if (lexed_word_is(s, 0, "savepoint") || lexed_word_is(s, 0, "release"))
		return is_savepoint_of_ours(s);
	return false;
}

/* Whose transaction it is: the section's, or each statement's own. */
struct control {
	const struct revision *rev;
	bool whole;
};

static bool refuse_control(const struct control *c, const struct part *part, const struct lexed *s,
                           struct err *err)
{
	err_set(err, ERR_USAGE, "%.*s inside a section that %s", (int)s->words[0].len, s->words[0].at,
	        c->whole ? "runs in one transaction" : "gives each statement a transaction of its own");
	err_hint(err, c->whole ? "take it out, or mark the section transaction=off"
	                       : "take it out; what belongs together goes into a revision without "
	                         "transaction=off");
	return err_at_revision(err, c->rev, line_of(part->sql, s->start, part->line));
}

/* By the grammar where it knows the text, so that a routine named "end" is none of our business. */
static bool check_by_grammar(const struct control *c, const struct part *part, bool *known, struct err *err)
{
	struct err unknown = ERR_INIT;
	struct statement *list;
	size_t n;
	bool ok = true;

	*known = strlen(part->sql) <= GRAMMAR_MAX && parser_split(part->sql, &list, &n, &unknown);
	if (!*known)
		return true;
	for (size_t i = 0; i < n && ok; i++) {
		struct lexer lexer = { .text = part->sql, .at = list[i].start };
		struct lexed s;
		(void)lex_next(&lexer, &s);
		if (is_control(&s))
			ok = refuse_control(c, part, &s, err);
	}
	free(list);
	return ok;
}

static bool check_by_lexer(const struct control *c, const struct part *part, struct err *err)
{
	struct lexer lexer = { .text = part->sql };
	struct lexed s;

	while (lex_next(&lexer, &s) == LEX_STATEMENT)
		if (is_control(&s))
			return refuse_control(c, part, &s, err);
	return true;
}

bool script_check_control(const struct revision *rev, const struct script *script, bool whole,
                          struct err *err)
{
	const struct control c = { .rev = rev, .whole = whole };

	for (size_t i = 0; i < script->n; i++) {
		const struct part *part = &script->parts[i];
		bool known;
		if (part->data || !may_control(part->sql))
			continue;
		if (!check_by_grammar(&c, part, &known, err))
			return false;
		if (!known && !check_by_lexer(&c, part, err))
			return false;
	}
	return true;
}
