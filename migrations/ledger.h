/*
 * ledger.h - the inside of the ledger, for the files of this room.
 *
 * Rows are written as text into the message that commits them, so every writer carries its own copy of the
 * chain (`struct chain`) and hands it back with ledger_advance() once COMMIT has said COMMIT.
 */
#ifndef MIGRATIONS_LEDGER_H
#define MIGRATIONS_LEDGER_H

#include "migrations/graph.h"

struct chain {
	int64_t number; /* of the newest row, 0 for none */
	char tip[SHA256_HEX];
};

struct ledger {
	char *want_schema, *name; /* as configured; want_schema NULL: the first of search_path */
	char *schema, *table;     /* where it is, or will be; quoted and qualified */
	bool has_version, has_schema, has_history, has_plpgsql;
	struct strv heads;
	struct chain chain;
	struct rows *rows;
	struct history_row *history;
	size_t n;
};

/* A row that is to be written. */
struct entry {
	const char *revision, *outcome;
	enum direction direction;
	const struct revision *rev; /* whose sections and source are kept; NULL for none */
	bool keep_source;
	const struct actor *actor;
	int64_t started_us, finished_us;
	const char *reason; /* "" for none */
};

/* Adds an INSERT, with its semicolon, and moves the chain on. */
void history_insert_sql(struct buf *sql, struct chain *chain, const struct entry *entry);
/* The rows as ledger_read() wants them. */
MUST_CHECK bool history_read(struct ledger *l, struct db *db, struct err *err);
void history_clear(struct ledger *l);
void history_create_sql(const struct ledger *l, struct buf *sql);
/* SHA-256 of all three sections. */
void revision_digest(const struct revision *rev, char hex[SHA256_HEX]);

/* DELETE, INSERT and UPDATE statements that turn the version table's rows `before` into `after`; each
 * touches one row, which their tags tell: tag_is_one_row(). */
void ledger_move_sql(struct buf *sql, const char *table, const struct strv *before, const struct strv *after);
bool tag_is_one_row(const char *tag);
/* After COMMIT. */
void ledger_advance(struct ledger *l, const struct chain *chain, const struct strv *heads);

/* The revision in ripcord's own format, from the marker's options to the last byte of its sections. */
void ripcord_render(const struct revision *rev, struct buf *out);
/* Header only, down to the blank line. */
void ripcord_render_header(const struct revision *rev, struct buf *out);

/* A unified-like diff of two texts by lines, "" when they are equal. */
void diff_lines(const char *before, const char *after, struct buf *out);

#endif
