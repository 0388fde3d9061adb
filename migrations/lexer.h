/*
 * lexer.h - finds the ends of statements as psql does, in text that no grammar could parse: with
 * backslash commands and COPY data in it, or written for a newer server.
 * Source: src/fe_utils/psqlscan.l of PostgreSQL 15 (quotes, nested comments, dollar quotes,
 * parentheses, BEGIN ATOMIC bodies).  Strings are read with standard_conforming_strings = on.
 */
#ifndef MIGRATIONS_LEXER_H
#define MIGRATIONS_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#define LEX_WORDS 4

struct lexer {
	const char *text; /* NUL-terminated */
	size_t at;        /* where lex_next() goes on; may be moved by the caller */
};

enum lex_kind {
	LEX_STATEMENT, /* ended by its semicolon, or by the end of the text */
	LEX_META,      /* a backslash outside of quotes, at `end` */
	LEX_OPEN,      /* a quote or comment that begins at `end` is never closed */
	LEX_END,       /* nothing but blanks and comments were left */
};

struct lexed {
	size_t start;   /* of the first token */
	size_t end;     /* behind the semicolon */
	struct {
		const char *at;
		size_t len;
	} words[LEX_WORDS]; /* the first words, as they are written */
	size_t n_words;
	bool is_empty;        /* no token before `end` */
	bool copy_from_stdin; /* COPY ... FROM STDIN */
	const char *open;     /* what is never closed: "quote", "comment" ... */
};

enum lex_kind lex_next(struct lexer *lexer, struct lexed *out);

/* Whether the i-th word is that one, whatever its case. */
bool lexed_word_is(const struct lexed *s, size_t i, const char *word);

#endif
