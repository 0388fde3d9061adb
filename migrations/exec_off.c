/*
 * transaction=off: statements one by one, for CREATE INDEX CONCURRENTLY and its like.
 *
 * Such a statement that fails may leave an invalid index behind.  Those that came into being while ours ran,
 * and that nobody else is building just now, are ours: they are dropped, and after a lock timeout or a deadlock
 * the statement is tried again.
 */
#include "migrations/exec.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sql.h"
#include "migrations/lexer.h"
#include "migrations/parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Invalid indexes with their quoted names; a row of pg_stat_progress_create_index is a build that is running. */
static const char invalid_sql[] =
	"SELECT i.indexrelid::text, pg_catalog.format('%I.%I', n.nspname, c.relname)"
	" FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
	" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname <> 'pg_toast'"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p"
	" WHERE p.index_relid = i.indexrelid AND p.datid = (SELECT oid FROM pg_catalog.pg_database"
	" WHERE datname = pg_catalog.current_database()) AND p.pid <> pg_catalog.pg_backend_pid())";

/* One statement of the section. */
struct piece {
	const struct part *part;
	char *sql;
	int line;
};

struct off {
	struct unit *u;
	const struct step *step;
	size_t index, done;
	int64_t started_ms;
};

/* ------------------------------------------------------------------ leftovers */

static bool invalid_now(struct unit *u, struct strv *oids, struct strv *names, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(u->db, invalid_sql, DB_NO_ARGS, &rows, err))
		return err_wrap(err, "cannot look for invalid indexes");
	for (size_t i = 0; i < rows_count(rows); i++) {
		strv_add(oids, rows_get(rows, i, 0));
		strv_add(names, rows_get(rows, i, 1));
	}
	return true;
}

/* An index that is invalid now and was not before the statement. */
static bool drop_leftovers(struct unit *u, const struct strv *before, struct err *err)
{
	cleanup_strv struct strv oids = STRV_INIT, names = STRV_INIT;

	if (!invalid_now(u, &oids, &names, err))
		return false;
	for (size_t i = 0; i < oids.n; i++) {
		if (strv_has(before, oids.v[i]))
			continue;
		if (!db_runf(u->db, err, "DROP INDEX CONCURRENTLY IF EXISTS %s", names.v[i]))
			return err_wrap(err, "cannot drop the invalid index %s that the statement left",
			                names.v[i]);
	}
	return true;
}

static const json_t *index_statement(const json_t *tree)
{
	const json_t *first = json_array_get(json_object_get(tree, "stmts"), 0);

	return json_object_get(json_object_get(first, "stmt"), "IndexStmt");
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* CREATE INDEX ... IF NOT EXISTS succeeds beside an invalid index of that name, and then a unique one guards
 * nothing. */
static bool check_not_hidden(struct unit *u, const char *sql, struct err *err)
{
	cleanup_json json_t *tree = NULL;
	struct err unknown = ERR_INIT;
	int64_t n = 0;

	if (!parser_parse(sql, &tree, &unknown))
		return true; /* newer than the parser; what it made itself was looked at already */
	const json_t *create = index_statement(tree);
	const json_t *relation = json_object_get(create, "relation");
	if (!create || !json_is_true(json_object_get(create, "if_not_exists")))
		return true;
	const char *name = text_of(create, "idxname");
	if (!db_int(u->db,
	            "SELECT count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = "
	            "i.indexrelid"
	            " WHERE NOT i.indisvalid AND c.relname = $1::name AND i.indrelid = "
	            "pg_catalog.to_regclass(CASE WHEN"
	            " $2 = '' THEN pg_catalog.quote_ident($3) ELSE pg_catalog.format('%I.%I', $2, $3) END)",
	            DB_ARGS(name, text_of(relation, "schemaname"), text_of(relation, "relname")), &n, err))
		return err_wrap(err, "cannot look at index %s", name);
	if (!n)
		return true;
	err_set(err, ERR_REFUSED, "index %s was there already, and it is invalid", name);
	return err_hint(err, "it is what an earlier attempt left: DROP INDEX CONCURRENTLY it and try again");
}

/* ------------------------------------------------------------------ one statement */

static bool place(struct off *o, const struct piece *piece, struct err *err)
{
	int position = db_error_position(o->u->db);
	size_t at = 0;

	o->u->report->phase = o->step->direction == DIRECTION_UP ? "upgrade" : "downgrade";
	for (int i = 1; piece->sql[at] && i < position; i++)
		for (at++; ((unsigned char)piece->sql[at] & 0xc0) == 0x80;)
			at++;
	return err_at_revision(err, o->step->revision, line_of(piece->sql, at, piece->line));
}

static bool send_piece(struct unit *u, const struct piece *piece, struct err *err)
{
	if (piece->part->data)
		return db_copy_in(u->db, piece->sql, piece->part->data, piece->part->data_len, err);
	return db_run(u->db, piece->sql, err);
}

/* A statement that did its work in the background of a lock may be tried again: it had no effect but what
 * drop_leftovers() takes away. */
static bool try_piece(struct off *o, const struct piece *piece, struct err *err)
{
	bool concurrent = strcasestr(piece->sql, "concurrently") != NULL;
	cleanup_strv struct strv oids = STRV_INIT, names = STRV_INIT;

	if (concurrent && !invalid_now(o->u, &oids, &names, err))
		return false;
	o->u->report->attempts = 0;
	for (;;) {
		struct err why = ERR_INIT, more = ERR_INIT;
		o->u->report->attempts++;
		if (send_piece(o->u, piece, &why))
			return !concurrent || check_not_hidden(o->u, piece->sql, err) || place(o, piece, err);
		(void)place(o, piece, &why);
		bool clean = !db_is_lost(o->u->db) && (!concurrent || drop_leftovers(o->u, &oids, &more));
		if (!clean && more.code != ERR_NONE) {
			o->u->report->left_partial = true;
			err_hint(&why, "%s", more.msg);
		}
		if (clean && is_lock_failure(&why) && wait_to_retry(o->u, o->step, o->started_ms, &why))
			continue;
		*err = why;
		return false;
	}
}

static bool run_piece(struct off *o, const struct piece *piece, struct err *err)
{
	const struct statement_watch *watch = o->u->settings->watch;

	if (watch && watch->before && !watch->before(watch->ctx, o->step, o->index, piece->sql, err))
		return false;
	if (!try_piece(o, piece, err))
		return false;
	o->done++;
	return !watch || !watch->after || watch->after(watch->ctx, o->step, o->index++, err);
}

/* ------------------------------------------------------------------ the section */

/* Where the statements are: by the grammar, or as psql finds them where the text is newer than the parser. */
static struct statement *find_statements(const char *sql, size_t *n)
{
	struct statement *list = NULL;
	struct err unknown = ERR_INIT;
	struct lexer lexer = { .text = sql };
	struct lexed s;

	if (parser_split(sql, &list, n, &unknown))
		return list;
	*n = 0;
	while (lex_next(&lexer, &s) == LEX_STATEMENT) {
		list = mem_grow(list, *n + 1, sizeof(*list));
		list[(*n)++] = (struct statement){ .start = s.start, .len = s.end - s.start };
	}
	return list;
}

static bool run_part(struct off *o, const struct part *part, struct err *err)
{
	size_t n;
	struct statement *list;
	bool ok = true;

	if (part->data) {
		const struct piece copy = { .part = part, .sql = part->sql, .line = part->line };
		return run_piece(o, &copy, err);
	}
	list = find_statements(part->sql, &n);
	for (size_t i = 0; i < n && ok; i++) {
		/* The grammar's statements begin with the blanks and comments before them. */
		struct lexer lexer = { .text = part->sql, .at = list[i].start };
		struct lexed s;
		(void)lex_next(&lexer, &s);
		cleanup_free char *sql =
			mem_strndup(part->sql + s.start, list[i].start + list[i].len - s.start);
		const struct piece piece = { .part = part,
			                     .sql = sql,
			                     .line = line_of(part->sql, s.start, part->line) };
		ok = run_piece(o, &piece, err);
	}
	free(list);
	return ok;
}

static bool take_begin(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	const struct probe *probe = ctx;

	(void)index;
	(void)tag;
	return !rows_columns(rows) || !probe || !probe->answered ||
	       probe->answered(probe->ctx, PROBE_BEGIN, rows, err);
}

static bool open_session(struct off *o, struct err *err)
{
	const struct unit *u = o->u;
	const struct probe *probe = u->settings->probe;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&sql, reset_sql);
	if (probe && probe->at_begin)
		buf_fmt(&sql, "%s;\n", probe->at_begin);
	settings_sql(&sql, u, o->step, step_section(o->step), false);
	if (u->settings->role && *u->settings->role)
		buf_sql(&sql, "SET ROLE %I;\n", u->settings->role);
	return db_script(u->db, buf_text(&sql), take_begin, (void *)(uintptr_t)probe, err);
}

static bool run_all(struct off *o, struct err *err)
{
	struct unit *u = o->u;

	u->step_started_us = clock_wall_us();
	if (!open_session(o, err))
		return false;
	for (size_t i = 0; i < u->sections[0].n; i++)
		if (!run_part(o, &u->sections[0].parts[i], err))
			return false;
	if (db_tx_status(u->db) != 'I') {
		err_set(err, ERR_USAGE, "the section left a transaction open");
		return err_at_revision(err, o->step->revision, step_section(o->step)->line);
	}
	u->chain = u->ledger->chain;
	return finish_step(u, 0, true, err) && commit_unit(u, err);
}

bool run_off(struct unit *u, struct err *err)
{
	struct off o = { .u = u, .step = &u->steps[0], .started_ms = clock_ms() };

	if (run_all(&o, err))
		return true;
	u->report->left_partial = u->report->left_partial || o.done > 0;
	roll_back(u, err);
	return false;
}
