#include "migrations/ledger.h"

#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

/* The version table as Alembic finds it: in the configured schema, or the first of search_path that has it;
 * where none has, it will be made in the first schema of search_path that exists. */
static const char locate_sql[] =
	"SELECT coalesce($2, (SELECT n.nspname FROM pg_catalog.unnest(pg_catalog.current_schemas(false))"
	" WITH ORDINALITY AS s(name, place)"
	" JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) s.name"
	" JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid"
	" AND c.relname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND c.relkind OPERATOR(pg_catalog.=) 'r'"
	" ORDER BY s.place LIMIT 1), pg_catalog.current_schema()),"
	" EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'ripcord'),"
	" EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
	" ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE n.nspname OPERATOR(pg_catalog.=) 'ripcord'"
	" AND c.relname OPERATOR(pg_catalog.=) 'history'),"
	" EXISTS (SELECT FROM pg_catalog.pg_language WHERE lanname OPERATOR(pg_catalog.=) 'plpgsql')";

static const char exists_sql[] =
	"SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
	" ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE n.nspname OPERATOR(pg_catalog.=) "
	"$1::pg_catalog.name"
	" AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name)";

static bool is_true(const struct rows *rows, size_t column)
{
	const char *value = rows_get(rows, 0, column);

	return value && *value == 't';
}

static bool locate(struct ledger *l, struct db *db, struct err *err)
{
	cleanup_rows struct rows *found = NULL, *there = NULL;

	if (!db_query(db, locate_sql, DB_ARGS(l->name, l->want_schema), &found, err))
		return err_wrap(err, "cannot look for the version table");
	const char *schema = rows_get(found, 0, 0);
	if (!schema) {
		err_set(err, ERR_REFUSED,
		        "no schema of search_path exists, so the version table has no place");
		return err_hint(err, "create one, or set version_schema in ripcord.ini");
	}
	if (!db_query(db, exists_sql, DB_ARGS(schema, l->name), &there, err))
		return err_wrap(err, "cannot look for the version table");
	free(l->schema);
	free(l->table);
	l->schema = mem_strdup(schema);
	l->table = sql_fmt("%I.%I", schema, l->name);
	l->has_version = is_true(there, 0);
	l->has_schema = is_true(found, 1);
	l->has_history = is_true(found, 2);
	l->has_plpgsql = is_true(found, 3);
	return true;
}

static bool read_heads(struct ledger *l, struct db *db, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;

	strv_clear(&l->heads);
	if (!l->has_version)
		return true;
	char *sql = sql_fmt("SELECT version_num FROM %s", l->table);
	bool ok = db_query(db, sql, DB_NO_ARGS, &rows, err);
	free(sql);
	if (!ok)
		return err_wrap(err, "cannot read %s", l->table);
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *id = rows_get(rows, i, 0);
		if (id && !strv_has(&l->heads, id))
			strv_add(&l->heads, id);
	}
	strv_sort(&l->heads);
	return true;
}

bool ledger_read(struct ledger *l, struct db *db, struct err *err)
{
	return locate(l, db, err) && read_heads(l, db, err) && history_read(l, db, err);
}

bool ledger_open(struct db *db, const struct ledger_names *names, struct ledger **out, struct err *err)
{
	cleanup_ledger struct ledger *l = mem_new0(sizeof(*l));

	l->want_schema = mem_strdup(names->schema);
	l->name = mem_strdup(names->table);
	if (!ledger_read(l, db, err))
		return false;
	*out = l;
	l = NULL;
	return true;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	history_clear(l);
	strv_clear(&l->heads);
	free(l->want_schema);
	free(l->name);
	free(l->schema);
	free(l->table);
	free(l);
}

const struct strv *ledger_heads(const struct ledger *l) { return &l->heads; }
const char *ledger_table(const struct ledger *l) { return l->table; }
bool ledger_exists(const struct ledger *l) { return l->has_version; }
const char *ledger_chain_tip(const struct ledger *l) { return l->chain.tip; }
size_t ledger_history_count(const struct ledger *l) { return l->n; }
const struct history_row *ledger_history(const struct ledger *l, size_t i) { return &l->history[i]; }

void ledger_advance(struct ledger *l, const struct chain *chain, const struct strv *heads)
{
	struct strv now = STRV_INIT;

	l->chain = *chain;
	strv_add_all(&now, heads);
	strv_clear(&l->heads);
	l->heads = now;
}

/* Column, type and the name of the primary key are Alembic's: alembic/runtime/migration.py, _version. */
static void version_create_sql(const struct ledger *l, struct buf *sql)
{
	char *key = mem_fmt("%s_pkc", l->name);

	buf_sql(sql,
	        "CREATE TABLE IF NOT EXISTS %s (version_num varchar(32) NOT NULL, CONSTRAINT %I PRIMARY KEY "
	        "(version_num));\n",
	        l->table, key);
	free(key);
}

bool ledger_create(struct ledger *l, struct db *db, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!locate(l, db, err))
		return false;
	if (l->has_version && l->has_history)
		return true;
	bool ours = db_tx_status(db) == 'I'; /* else the caller's transaction, which is the caller's to end */
	if (ours)
		buf_str(&sql, "BEGIN;\n");
	if (!l->has_version)
		version_create_sql(l, &sql);
	if (!l->has_history)
		history_create_sql(l, &sql);
	struct err ignored = ERR_INIT;
	if (!db_run(db, buf_text(&sql), err)) {
		(void)(ours && !db_is_lost(db) &&
		       db_run(db, "ROLLBACK", &ignored)); /* the first error is the one to tell */
		err_wrap(err, "cannot create the ledger");
		return err_hint(
			err,
			"the role needs CREATE on the database (for the schema ripcord) and on schema %s",
			l->schema);
	}
	if (ours && !db_run(db, "COMMIT", err))
		return err_wrap(err, "cannot create the ledger");
	if (ours && strcmp(db_tag(db), "COMMIT") != 0)
		return err_set(err, ERR_DB, "cannot create the ledger: COMMIT was answered with %s",
		               db_tag(db));
	return ledger_read(l, db, err);
}

/* ------------------------------------------------------------------ the version table's rows */

static void difference(const struct strv *a, const struct strv *b, struct strv *out)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strv_has(b, a->v[i]))
			strv_add(out, a->v[i]);
}

void ledger_move_sql(struct buf *sql, const char *table, const struct strv *before, const struct strv *after)
{
	cleanup_strv struct strv gone = STRV_INIT, come = STRV_INIT;
	size_t both;

	difference(before, after, &gone);
	difference(after, before, &come);
	both = gone.n < come.n ? gone.n : come.n;
	for (size_t i = both; i < gone.n; i++)
		buf_sql(sql, "DELETE FROM %s WHERE version_num OPERATOR(pg_catalog.=) %L;\n", table,
		        gone.v[i]);
	for (size_t i = both; i < come.n; i++)
		buf_sql(sql, "INSERT INTO %s (version_num) VALUES (%L);\n", table, come.v[i]);
	for (size_t i = 0; i < both; i++)
		buf_sql(sql, "UPDATE %s SET version_num = %L WHERE version_num OPERATOR(pg_catalog.=) %L;\n",
		        table, come.v[i], gone.v[i]);
}

bool tag_is_one_row(const char *tag)
{
	static const char *const tags[] = { "UPDATE 1", "DELETE 1", "INSERT 0 1" };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (strcmp(tag, tags[i]) == 0)
			return true;
	return false;
}
