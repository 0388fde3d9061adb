/*
 * script.h - a section as it is sent: one message as a rule, several where psql's COPY data or
 * \restrict lines stand in it.
 */
#ifndef MIGRATIONS_SCRIPT_H
#define MIGRATIONS_SCRIPT_H

#include "migrations/migrations.h"

/* Text for one message, or one COPY ... FROM STDIN with its data. */
struct part {
	char *sql;
	int line;    /* of the file, where sql begins */
	char *data;  /* NULL: no COPY */
	size_t data_len;
};

struct script {
	struct part *parts;
	size_t n;
};

/*
 * Splits the section of `rev`.  ERR_USAGE with file and line: psql meta-commands other than \restrict and
 * \unrestrict, COPY data without an end, a quote or comment that is never closed.
 */
MUST_CHECK bool script_make(const struct revision *rev, const struct section *s, struct script *out, struct err *err);
void script_clear(struct script *s);
#define cleanup_script __attribute__((cleanup(script_clear)))

/*
 * `whole`: the section is one transaction, otherwise each of its statements.  Refuses BEGIN, START, COMMIT, END, ROLLBACK, ABORT and PREPARE TRANSACTION.  Savepoints stay inside the
 * transaction and are let through, but for names that begin with "ripcord".
 * What neither the grammar nor the lexer sees is found when the section has run: its transaction id is
 * another then (exec.c).
 */
MUST_CHECK bool script_check_control(const struct revision *rev, const struct script *script, bool whole, struct err *err);

/* The line of a byte of text that begins at first_line. */
int line_of(const char *text, size_t offset, int first_line);
/* Byte offset of the n-th character (from 1) of UTF-8 text; 0 is the first one, too. */
size_t byte_of(const char *text, int position);
/* Names the place; a revision from the ledger has no file. */
bool err_at_revision(struct err *err, const struct revision *rev, int line);

#endif
