/* --sql: a plan as one script for psql, with the statements of the version table, as Alembic's offline mode. */
#include "migrations/ledger.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "migrations/locks.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The table's own name out of a quoted and qualified one. */
static char *bare_name(const char *qualified)
{
	size_t end = strlen(qualified), start;
	cleanup_buf struct buf name = BUF_INIT(BUF_TEXT_MAX);

	if (!end || qualified[end - 1] != '"') {
		const char *dot = strrchr(qualified, '.');
		return mem_strdup(dot ? dot + 1 : qualified);
	}
	end--;
	for (start = end; start > 0; start--) {
		if (qualified[start - 1] != '"')
			continue;
		if (start < 2 || qualified[start - 2] != '"')
			break;
		start--; /* a doubled quote is part of the name */
	}
	for (size_t i = start; i < end; i++) {
		buf_char(&name, qualified[i]);
		i += qualified[i] == '"';
	}
	return buf_take(&name);
}

/* A last statement may come without its semicolon, and a last line without its end. */
static void add_section(struct buf *out, const char *text)
{
	size_t end = strlen(text);

	while (end && isspace((unsigned char)text[end - 1]))
		end--;
	if (!end)
		return;
	buf_add(out, text, end);
	buf_str(out, text[end - 1] == ';' ? "\n" : "\n;\n");
}

static void add_timeout(struct buf *out, const char *name, int64_t ms)
{
	if (ms >= 0)
		buf_sql(out, "SET LOCAL %s = %lld;\n", name, (long long)ms);
}

/* What the reader has read without an error once is read without one again. */
static void add_locks(struct buf *out, const struct section *s)
{
	cleanup_locks struct table_locks locks = { .n = 0 };
	struct err none = ERR_INIT;

	if (s->locks && locks_parse(s->locks, &locks, &none))
		locks_sql(&locks, out);
}

static void add_title(struct buf *out, const struct step *step)
{
	const struct revision *rev = step->revision;
	cleanup_free char *parents = rev->parents.n ? strv_join(&rev->parents, ", ") : mem_strdup("base");
	bool up = step->direction == DIRECTION_UP;

	buf_fmt(out, "-- %s %s -> %s%s%s\n\n", up ? "upgrade" : "downgrade", up ? parents : rev->id,
	        up ? rev->id : parents, *rev->message ? ", " : "", rev->message);
}

/* For psql: as ripcord repeats it, but for the standbys' lag. */
static void add_batch(struct buf *out, const struct revision *rev)
{
	const char *text = rev->batch.text;
	size_t len = strlen(text);

	while (len && (isspace((unsigned char)text[len - 1]) || text[len - 1] == ';'))
		len--;
	buf_str(out,
	        "DO $ripcord_batch$\nDECLARE\n\tn bigint;\nBEGIN\n\tLOOP\n\t\tEXECUTE $ripcord_statement$\n");
	buf_add(out, text, len);
	buf_fmt(out,
	        "\n$ripcord_statement$;\n\t\tGET DIAGNOSTICS n = ROW_COUNT;\n\t\tCOMMIT;\n"
	        "\t\tEXIT WHEN n = 0;\n\t\tPERFORM pg_catalog.pg_sleep(%" PRId64
	        " / 1000.0);\n\tEND LOOP;\nEND\n$ripcord_batch$;\n",
	        rev->batch_options.pause_ms);
}

static void add_step(struct buf *out, const struct step *step, const char *table)
{
	bool up = step->direction == DIRECTION_UP;
	const struct section *s =
		step->direction == DIRECTION_UP ? &step->revision->upgrade : &step->revision->downgrade;

	add_title(out, step);
	if (s->transaction)
		buf_str(out, "BEGIN;\n");
	if (s->transaction) {
		add_timeout(out, "lock_timeout", s->lock_timeout_ms);
		add_timeout(out, "statement_timeout", s->statement_timeout_ms);
		add_locks(out, s);
	}
	add_section(out, s->text);
	if (up && step->revision->batch.present) {
		buf_str(out, s->transaction ? "COMMIT;\n" : "");
		add_batch(out, step->revision);
	}
	if (!step_is_transactional(step))
		buf_str(out, "BEGIN;\n");
	ledger_move_sql(out, table, &step->heads_before, &step->heads_after);
	buf_str(out, "COMMIT;\n\n");
}

bool plan_print_sql(const struct plan *p, const char *version_table, FILE *out, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (p->n && !p->from.n) {
		cleanup_free char *name = bare_name(version_table), *key = mem_fmt("%s_pkc", name);
		buf_sql(&sql,
		        "CREATE TABLE IF NOT EXISTS %s (version_num varchar(32) NOT NULL, CONSTRAINT %I "
		        "PRIMARY KEY "
		        "(version_num));\n\n",
		        version_table, key);
	}
	for (size_t i = 0; i < p->n; i++)
		add_step(&sql, &p->steps[i], version_table);
	if (fwrite(buf_text(&sql), 1, sql.len, out) != sql.len || fflush(out) != 0)
		return err_sys(err, "cannot write the script");
	return true;
}
