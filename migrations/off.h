/*
 * off.h - a unit that is not one transaction, while it runs: a transaction=off section, or a revision with a batch.
 *
 * It goes piece by piece.  A piece that can run inside a transaction block gets one of its own, and what proves that
 * it was done commits with it.  What PostgreSQL refuses there is "bare": it is sent ahead of its evidence in
 * one pipeline, and for the moment between the two each kind has a probe that tells from the catalogs what a
 * statement did that was cut off.
 */
#ifndef MIGRATIONS_OFF_H
#define MIGRATIONS_OFF_H

#include "base/json.h"
#include "migrations/exec.h"

enum piece_kind {
	PIECE_STATEMENT, /* one statement of a transaction=off section */
	PIECE_SECTION,   /* a whole section, in one transaction, before a batch */
	PIECE_BATCH,     /* one statement, again and again */
};

struct piece {
	enum piece_kind kind;
	char *text;                    /* for the journal and its digest; of a statement also what is sent */
	const struct part *part;       /* PIECE_STATEMENT: the COPY whose data it has, else NULL */
	const struct script *section;  /* PIECE_SECTION */
	int line;                      /* of the file, where text begins */
};

struct pieces {
	struct piece *v;
	size_t n;
	struct script batch;
};

/* The unit's sections must have been made into scripts. */
MUST_CHECK bool pieces_make(const struct unit *u, struct pieces *out, struct err *err);
void pieces_clear(struct pieces *p);
#define cleanup_pieces __attribute__((cleanup(pieces_clear)))

struct off {
	struct unit *u;
	const struct step *step;
	struct pieces pieces;
	size_t index, done;      /* of the piece in hand; pieces that left something */
	bool in_doubt;           /* pieces of an earlier process may have left something, and are not looked at yet */
	char *role, *search_path; /* as the section has set them for its session */
	int64_t started_ms;      /* of the piece: what the lock budget counts from */
};

/* What a statement that was cut off, or failed, is found to have done. */
enum found {
	FOUND_DONE,
	FOUND_NOT_DONE, /* and what it had left is taken away: it can be sent again */
	FOUND_UNKNOWN,
};

/* What is known of one sort of statement. */
struct off_kind {
	const char *node; /* libpg_query's name of it; NULL for what the parser does not know or the table has not */
	const char *name; /* in the journal */
	bool (*matches)(const json_t *body); /* NULL: every one of that node */
	bool bare;        /* PostgreSQL refuses it in a transaction block */
	bool session;     /* changes the session only: done once more when the section is resumed */
	/* Writes down, before it is sent, what a later look has to compare with; NULL: nothing. */
	bool (*note)(struct off *o, const json_t *body, json_t *about, struct err *err);
	/* NULL: nobody can tell. */
	bool (*look)(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
};

/* A statement and what it is: tree is NULL where the parser does not know it. */
struct classified {
	json_t *tree;
	const json_t *body; /* borrowed from tree */
	const struct off_kind *kind;
	bool bare;          /* the kind says so, or the server did */
};
void classify(const char *sql, struct classified *out);
void classified_clear(struct classified *c);
#define cleanup_classified __attribute__((cleanup(classified_clear)))
/* Its objects end with the session, so that nobody can go on from behind it. */
bool makes_temporary(const struct classified *c);
/* INSERT, UPDATE, DELETE, MERGE: what says how many rows it changed. */
bool changes_rows(const struct classified *c);
const char *json_text(const json_t *o, const char *key); /* "" where there is none */
/* A RangeVar, or a list of names, as quoted SQL; the caller's. */
char *range_sql(const json_t *range);
char *names_sql(const json_t *list);

/* off_probe.c: notes and looks for the table */
bool note_index(struct off *o, const json_t *body, json_t *about, struct err *err);
bool look_index(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
bool note_reindex(struct off *o, const json_t *body, json_t *about, struct err *err);
bool look_reindex(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
bool note_detach(struct off *o, const json_t *body, json_t *about, struct err *err);
bool look_detach(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
bool note_there(struct off *o, const json_t *body, json_t *about, struct err *err);
bool look_there(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
bool look_again(struct off *o, const json_t *body, const json_t *about, enum found *found, struct err *err);
/* CREATE INDEX ... IF NOT EXISTS succeeds beside an invalid index of that name, and then a unique one guards
 * nothing: ERR_REFUSED. */
MUST_CHECK bool check_not_hidden(struct off *o, const json_t *create, struct err *err);

/* exec_off.c, for off_probe.c and exec_batch.c */
/* Sends a statement of ours that no transaction block takes, and adds what it wrote to our own share. */
MUST_CHECK bool run_bare_helper(struct off *o, const char *sql, struct err *err);
/* One transaction: the piece, the question what it wrote, `at` as evidence, COMMIT.  at->rows and has_more of a batch are
 * set; on false nothing of it is committed, unless the connection was lost. */
MUST_CHECK bool run_block(struct off *o, const struct piece *piece, struct statement_at *at, struct err *err);
/* After a failure; what was aborted is asked for its share. */
void leave_block(struct off *o, const struct err *why);
bool place(struct off *o, const struct piece *piece, struct err *err);

/* exec_batch.c */
MUST_CHECK bool run_batch(struct off *o, const struct piece *piece, struct err *err);

#endif
