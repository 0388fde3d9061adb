/*
 * A text of SQL as psql -f runs it: each statement for itself, so that one that wants to stand outside of a transaction
 * does.
 */
#include "migrations/migrations.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "migrations/lexer.h"
#include "migrations/script.h"

#include <string.h>

static bool run_statement(struct db *db, const char *path, const char *sql, int line, struct err *err)
{
	if (db_run(db, sql, err))
		return true;
	return err_at(err, path, line_of(sql, byte_of(sql, db_error_position(db)), line));
}

static bool run_statements(struct db *db, const char *path, const struct part *part, struct err *err)
{
	struct lexer lexer = { .text = part->sql };
	struct lexed found;

	while (lex_next(&lexer, &found) == LEX_STATEMENT) {
		cleanup_free char *sql = mem_strndup(part->sql + found.start, found.end - found.start);
		if (!run_statement(db, path, sql, line_of(part->sql, found.start, part->line), err))
			return false;
	}
	return true;
}

static bool run_part(struct db *db, const char *path, const struct part *part, struct err *err)
{
	if (!part->data)
		return run_statements(db, path, part, err);
	return db_copy_in(db, part->sql, part->data, part->data_len, err) || err_at(err, path, part->line);
}

bool load_sql(struct db *db, const char *path, const char *text, struct err *err)
{
	const struct revision file = { .id = "", .path = path };
	const struct section section = { .present = true, .text = text, .line = 1 };
	cleanup_script struct script script = { .parts = NULL };

	if (!script_make(&file, &section, &script, err))
		return false;
	for (size_t i = 0; i < script.n; i++)
		if (!run_part(db, path, &script.parts[i], err))
			return false;
	return db_tx_status(db) == 'I' ||
	       (err_set(err, ERR_USAGE, "a transaction is left open at the end"), err_at(err, path, 0));
}
