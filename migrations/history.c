/*
 * ripcord.history: append-only, a chain of hashes.
 *
 * A row's chain is the SHA-256 over the chain of the row before it, a newline and the row's canonical JSON
 * (sorted keys, no blanks; the source as its own SHA-256, so that rows can be checked without texts).
 * Numbers have no gaps, since the next one is written by us: of two writers the second meets the primary
 * key instead of forking the chain.
 */
#include "migrations/ledger.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISO_UTC "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'"
/* In the order of enum column. */
#define COLUMNS                                                                                              \
	"number, run, revision, direction, outcome, section_sha256, revision_sha256, who, host, "            \
	"tool_version, "                                                                                     \
	"pg_catalog.to_char(pg_catalog.timezone('UTC', started_at), " ISO_UTC "), "                          \
	"pg_catalog.to_char(pg_catalog.timezone('UTC', finished_at), " ISO_UTC "), reason, chain"

/* The text columns, by the names that the canonical row has them under; source_sha256 is not a column. */
enum column {
	COL_RUN,
	COL_REVISION,
	COL_DIRECTION,
	COL_OUTCOME,
	COL_SECTION,
	COL_DIGEST,
	COL_WHO,
	COL_HOST,
	COL_TOOL,
	COL_STARTED,
	COL_FINISHED,
	COL_REASON,
	COL_SOURCE,
	N_COLUMNS
};
static const char *const column_names[N_COLUMNS] = {
	[COL_RUN] = "run",
	[COL_REVISION] = "revision",
	[COL_DIRECTION] = "direction",
	[COL_OUTCOME] = "outcome",
	[COL_SECTION] = "section_sha256",
	[COL_DIGEST] = "revision_sha256",
	[COL_WHO] = "who",
	[COL_HOST] = "host",
	[COL_TOOL] = "tool_version",
	[COL_STARTED] = "started_at",
	[COL_FINISHED] = "finished_at",
	[COL_REASON] = "reason",
	[COL_SOURCE] = "source_sha256",
};

static void chain_next(const char *before, int64_t number, const char *const values[N_COLUMNS],
                       char chain[SHA256_HEX])
{
	cleanup_json json_t *row = json_object();
	struct sha256 *h = sha256_new();

	json_put(row, "number", json_integer(number));
	for (size_t i = 0; i < N_COLUMNS; i++)
		json_put(row, column_names[i], json_str(values[i]));
	cleanup_free char *text = json_canonical(row);
	sha256_add(h, before, strlen(before));
	sha256_add(h, "\n", 1);
	sha256_add(h, text, strlen(text));
	sha256_hex(h, chain);
	sha256_free(h);
}

void history_create_sql(const struct ledger *l, struct buf *sql)
{
	if (!l->has_schema)
		buf_str(sql, "CREATE SCHEMA ripcord;\n");
	buf_str(sql,
	        "CREATE TABLE ripcord.history (\n"
	        "\tnumber bigint PRIMARY KEY,\n"
	        "\trun text NOT NULL,\n"
	        "\trevision text NOT NULL,\n"
	        "\tdirection text NOT NULL CHECK (direction IN ('up', 'down')),\n"
	        "\toutcome text NOT NULL,\n"
	        "\tsection_sha256 text NOT NULL,\n"
	        "\trevision_sha256 text NOT NULL,\n"
	        "\tsource text,\n"
	        "\twho text NOT NULL,\n"
	        "\thost text NOT NULL,\n"
	        "\ttool_version text NOT NULL,\n"
	        "\tstarted_at timestamptz NOT NULL,\n"
	        "\tfinished_at timestamptz NOT NULL,\n"
	        "\treason text NOT NULL,\n"
	        "\tchain text NOT NULL\n"
	        ");\n"
	        "COMMENT ON TABLE ripcord.history IS 'What ripcord did here: append-only, each row''s chain "
	        "covers all rows before it.';\n");
	if (!l->has_plpgsql)
		return; /* the chain shows a change all the same */
	buf_str(sql,
	        "CREATE OR REPLACE FUNCTION ripcord.refuse_change() RETURNS trigger LANGUAGE plpgsql AS\n"
	        "$$BEGIN RAISE EXCEPTION 'ripcord.history is append-only'; END$$;\n"
	        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ripcord.history\n"
	        "\tFOR EACH STATEMENT EXECUTE FUNCTION ripcord.refuse_change();\n");
}

/* ------------------------------------------------------------------ writing */

static void add_text(struct sha256 *h, const char *name, const char *text)
{
	char *head = mem_fmt("%s %zu\n", name, strlen(text));

	sha256_add(h, head, strlen(head));
	sha256_add(h, text, strlen(text));
	free(head);
}

void revision_digest(const struct revision *rev, char hex[SHA256_HEX])
{
	struct sha256 *h = sha256_new();

	add_text(h, "upgrade", rev->upgrade.text);
	if (rev->batch.present) /* absent from the digests of those that have none */
		add_text(h, "batch", rev->batch.text);
	add_text(h, "verify", rev->verify.text);
	add_text(h, "downgrade", rev->downgrade.text);
	sha256_hex(h, hex);
	sha256_free(h);
}

/* Names of people and hosts may be any bytes; what is stored is what the chain is computed over. */
static char *clean(const char *text)
{
	cleanup_json json_t *value = json_str(text ? text : "");

	return mem_strdup(json_string_value(value));
}

static void insert_row(struct buf *sql, const struct chain *chain, const char *const v[N_COLUMNS],
                       const char *source)
{
	buf_sql(sql,
	        "INSERT INTO ripcord.history (number, run, revision, direction, outcome, section_sha256, "
	        "revision_sha256, source, who, host, tool_version, started_at, finished_at, reason, chain) "
	        "VALUES "
	        "(%lld, %L, %L, %L, %L, %L, %L, %L, ",
	        (long long)chain->number, v[COL_RUN], v[COL_REVISION], v[COL_DIRECTION], v[COL_OUTCOME],
	        v[COL_SECTION], v[COL_DIGEST], source);
	buf_sql(sql, "%L, %L, %L, %L, %L, %L, %L);\n", v[COL_WHO], v[COL_HOST], v[COL_TOOL], v[COL_STARTED],
	        v[COL_FINISHED], v[COL_REASON], chain->tip);
}

void history_insert_sql(struct buf *sql, struct chain *chain, const struct entry *entry)
{
	cleanup_free char *run = clean(entry->actor->run), *who = clean(entry->actor->who),
			  *host = clean(entry->actor->host), *tool = clean(entry->actor->tool_version),
			  *reason = clean(entry->reason);
	char section[SHA256_HEX] = "", digest[SHA256_HEX] = "", source_digest[SHA256_HEX] = "",
	     before[SHA256_HEX];
	char started[CLOCK_ISO], finished[CLOCK_ISO];
	cleanup_buf struct buf source = BUF_INIT(BUF_TEXT_MAX);

	if (entry->rev) {
		const struct revision *rev = entry->rev;
		section_sha256(entry->direction == DIRECTION_UP ? &rev->upgrade : &rev->downgrade, section);
		revision_digest(rev, digest);
	}
	if (entry->rev && entry->keep_source) {
		ripcord_render(entry->rev, &source);
		sha256_of(source.data, source.len, source_digest);
	}
	const char *const values[N_COLUMNS] = {
		[COL_RUN] = run,
		[COL_REVISION] = entry->revision,
		[COL_DIRECTION] = entry->direction == DIRECTION_UP ? "up" : "down",
		[COL_OUTCOME] = entry->outcome,
		[COL_SECTION] = section,
		[COL_DIGEST] = digest,
		[COL_WHO] = who,
		[COL_HOST] = host,
		[COL_TOOL] = tool,
		[COL_STARTED] = clock_iso(entry->started_us, started),
		[COL_FINISHED] = clock_iso(entry->finished_us, finished),
		[COL_REASON] = reason,
		[COL_SOURCE] = source_digest,
	};
	memcpy(before, chain->tip, sizeof(before));
	chain->number++;
	chain_next(before, chain->number, values, chain->tip);
	insert_row(sql, chain, values, source.len ? buf_text(&source) : NULL);
}

/* ------------------------------------------------------------------ reading */

void history_clear(struct ledger *l)
{
	rows_free(l->rows);
	free(l->history);
	l->rows = NULL;
	l->history = NULL;
	l->n = 0;
	l->chain = (struct chain){ .number = 0 };
}

static const char *cell(const struct rows *rows, size_t row, size_t column)
{
	const char *text = rows_get(rows, row, column);

	return text ? text : "";
}

static struct history_row row_at(const struct rows *rows, size_t i)
{
	return (struct history_row){
		.number = rows_int(rows, i, 0),
		.run = cell(rows, i, 1),
		.revision = cell(rows, i, 2),
		.direction = strcmp(cell(rows, i, 3), "down") == 0 ? DIRECTION_DOWN : DIRECTION_UP,
		.outcome = cell(rows, i, 4),
		.section_sha256 = cell(rows, i, 5),
		.revision_sha256 = cell(rows, i, 6),
		.who = cell(rows, i, 7),
		.host = cell(rows, i, 8),
		.tool_version = cell(rows, i, 9),
		.started_at = cell(rows, i, 10),
		.finished_at = cell(rows, i, 11),
		.reason = cell(rows, i, 12),
		.chain = cell(rows, i, 13),
	};
}

bool history_read(struct ledger *l, struct db *db, struct err *err)
{
	struct rows *rows;

	if (!l->has_history) {
		history_clear(l);
		return true;
	}
	if (!db_query(db, "SELECT " COLUMNS " FROM ripcord.history ORDER BY number DESC", DB_NO_ARGS, &rows,
	              err))
		return err_wrap(err, "cannot read ripcord.history");
	history_clear(l);
	l->rows = rows;
	l->n = rows_count(rows);
	l->history = mem_new0((l->n + 1) * sizeof(*l->history));
	for (size_t i = 0; i < l->n; i++)
		l->history[i] = row_at(rows, i);
	if (l->n) {
		l->chain.number = l->history[0].number;
		snprintf(l->chain.tip, sizeof(l->chain.tip), "%s", l->history[0].chain);
	}
	return true;
}

bool ledger_source(const struct ledger *l, struct db *db, int64_t number, char **out, struct err *err)
{
	char text[24];

	if (!l->has_history)
		return err_set(err, ERR_REFUSED, "the database has no history");
	snprintf(text, sizeof(text), "%" PRId64, number);
	if (!db_value(db, "SELECT source FROM ripcord.history WHERE number OPERATOR(pg_catalog.=) $1::bigint",
	              DB_ARGS(text), out, err))
		return err_wrap(err, "cannot read row %s of ripcord.history", text);
	return true;
}

/* ------------------------------------------------------------------ checking */

static bool broken(int64_t number, const char *how, struct err *err)
{
	err_set(err, ERR_CORRUPT, "ripcord.history: row %" PRId64 " %s", number, how);
	return err_hint(err, "someone changed the history by hand; compare it with a backup");
}

/* Columns 0 to 12 and 14 of the query below are number and values, 13 is the chain. */
static bool check_row(const struct rows *rows, size_t i, char tip[SHA256_HEX], struct err *err)
{
	const char *values[N_COLUMNS];
	char expected[SHA256_HEX];
	int64_t number = rows_int(rows, i, 0);

	if (number != (int64_t)i + 1)
		return broken((int64_t)i + 1, "is missing", err);
	for (size_t k = 0; k < COL_SOURCE; k++)
		values[k] = cell(rows, i, k + 1);
	values[COL_SOURCE] = cell(rows, i, 14);
	chain_next(tip, number, values, expected);
	if (strcmp(expected, cell(rows, i, 13)) != 0)
		return broken(number, "is not what was written", err);
	memcpy(tip, expected, SHA256_HEX);
	return true;
}

bool ledger_check_chain(const struct ledger *l, struct db *db, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;
	char tip[SHA256_HEX] = "";

	if (!l->has_history)
		return true;
	if (!db_query(db,
	              "SELECT " COLUMNS
	              ", pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(source, 'UTF8')), 'hex') "
	              "FROM ripcord.history ORDER BY number",
	              DB_NO_ARGS, &rows, err))
		return err_wrap(err, "cannot read ripcord.history");
	for (size_t i = 0; i < rows_count(rows); i++)
		if (!check_row(rows, i, tip, err))
			return false;
	return true;
}
