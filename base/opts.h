/*
 * opts.h - a command line, described by tables.
 *
 * One table drives parsing, --help, the manual page and shell completion, so they cannot
 * disagree.  Options may stand before or after the verb and its arguments; "-N" and "+N"
 * are arguments, never options; "--" ends the options.
 */
#ifndef BASE_OPTS_H
#define BASE_OPTS_H

#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdio.h>

enum opt_kind {
	OPT_FLAG,  /* bool: --yes; given twice is fine */
	OPT_TEXT,  /* const char *: --reason TEXT, --reason=TEXT; the last one wins */
	OPT_LIST,  /* struct strv: each occurrence adds one */
	OPT_COUNT, /* int: -v -v */
};

struct opt {
	const char *name;  /* long name without dashes; NULL ends a table */
	char letter;       /* 0 for none */
	enum opt_kind kind;
	const char *value; /* how help calls the value: "FILE"; NULL for flags and counts */
	const char *help;  /* one line, no full stop */
	size_t offset;     /* of the field in the struct that is filled */
};

/* One parse fills the fields of two tables (the program's and the command's), each with its own struct. */
struct opt_set {
	const struct opt *table;
	void *into;
};

/*
 * Parses argv[0..argc), which begins behind the program's name; words that are no options go
 * to `words` in order, those after "--" to `rest` (and *saw_rest tells whether there was one).
 * A letter's value may be attached (-cFILE), a name's too (--config=FILE); a value that looks
 * like an option must be.  When two tables know an option, the later one gets it.
 * ERR_USAGE with a suggestion for an unknown option, a missing or an unwanted value.
 */
MUST_CHECK bool opts_parse(int argc, char *const *argv, const struct opt_set *sets, size_t n_sets,
                           struct strv *words, struct strv *rest, bool *saw_rest, struct err *err);

/* The options' part of a help text, aligned. */
void opts_print(FILE *out, const struct opt *table);

#endif
