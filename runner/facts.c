#include "runner/facts.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/task.h"
#include "base/text.h"
#include "migrations/migrations.h"
#include "runner/facts_sql.h"

#include <stdlib.h>
#include <string.h>

#define STORES_MAX   (sizeof(((struct facts *)NULL)->stores) / sizeof(((struct facts *)NULL)->stores[0]))
#define PID_FILE_MAX 4096

/* Until the next Sync a pipeline is one transaction, so the setting ends with it. */
static const char plain_path[] = "SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)";

const char *facts_keep(struct facts *f, const char *text)
{
	strv_add(&f->owned, text ? text : "");
	return f->owned.v[f->owned.n - 1];
}

/* ------------------------------------------------------------------ the server */

static bool is_asked(const struct question *q, const struct db *db)
{
	return q->since <= db_server_version(db) / 10000;
}

/* All in one round trip; false when any of them failed. */
static bool ask_all(struct db *db, struct facts *out, struct err *err)
{
	const char **sql = mem_new0((facts_questions_count + 1) * sizeof(void *));
	struct rows **rows = mem_new0((facts_questions_count + 1) * sizeof(void *));
	size_t n = 0, k = 1;
	bool ok;

	sql[n++] = plain_path;
	for (size_t i = 0; i < facts_questions_count; i++) {
		if (is_asked(&facts_questions[i], db))
			sql[n++] = facts_questions[i].sql;
	}
	ok = db_pipeline(db, sql, n, rows, err);
	for (size_t i = 0; ok && i < facts_questions_count; i++) {
		if (is_asked(&facts_questions[i], db))
			facts_questions[i].take(out, rows[k++]);
	}
	for (size_t i = 0; i < n; i++)
		rows_free(rows[i]);
	free(rows);
	free(sql);
	return ok;
}

/* The caller's error only when the connection is gone or the work was cancelled. */
static bool is_fatal(const struct db *db, const struct err *why)
{
	return db_is_lost(db) || why->code == ERR_CANCELLED;
}

static bool ask_plainly(struct db *db, const char *sql, struct rows **out, struct err *err)
{
	struct rows *rows[2] = { NULL, NULL };
	bool ok = db_pipeline(db, (const char *const[]){ plain_path, sql }, 2, rows, err);

	rows_free(rows[0]);
	*out = rows[1];
	return ok;
}

/* After ask_all() failed: one by one, so that only what cannot be had is unknown. */
static bool ask_each(struct db *db, struct facts *out, struct err *err)
{
	for (size_t i = 0; i < facts_questions_count; i++) {
		cleanup_rows struct rows *rows = NULL;
		struct err why = ERR_INIT;

		if (!is_asked(&facts_questions[i], db))
			continue;
		if (ask_plainly(db, facts_questions[i].sql, &rows, &why)) {
			facts_questions[i].take(out, rows);
		} else if (is_fatal(db, &why)) {
			*err = why;
			return false;
		} else {
			strv_fmt(&out->unasked, "%s (%s)", facts_questions[i].name, why.msg);
		}
	}
	return true;
}

static bool ask(struct db *db, struct facts *out, struct err *err)
{
	struct err why = ERR_INIT;

	if (ask_all(db, out, &why))
		return true;
	if (is_fatal(db, &why)) {
		*err = why;
		return false;
	}
	return ask_each(db, out, err);
}

static bool count_heads(const struct config *c, struct db *db, struct facts *out, struct err *err)
{
	struct ledger_names names = { .schema = c->version_schema, .table = c->version_table };
	cleanup_ledger struct ledger *ledger = NULL;

	if (!ledger_open(db, &names, &ledger, err))
		return false;
	out->heads_in_database = ledger_heads(ledger)->n;
	return true;
}

/* ------------------------------------------------------------------ the server's disk */

static bool is_this_machine(const char *address)
{
	return !address || text_starts(address, "127.") || strcmp(address, "::1") == 0;
}

/* Lines of postmaster.pid: pid, folder, start in seconds, port (include/utils/pidfile.h). */
#define PIDFILE_START 2
#define PIDFILE_PORT  3

/* A tunnel looks like loopback too, and another server may use a folder of that name here. */
static bool is_its_folder(const struct server_place *place)
{
	cleanup_free char *path = path_join(place->data_directory, "postmaster.pid");
	cleanup_buf struct buf text = BUF_INIT(PID_FILE_MAX);
	char *line, *rest;
	struct err ignored = ERR_INIT;
	int64_t started = 0;
	bool port_is_ours = false;

	if (!file_read(path, &text, &ignored) || text.len == 0)
		return false;
	line = strtok_r(text.data, "\n", &rest);
	for (int i = 0; line; i++, line = strtok_r(NULL, "\n", &rest)) {
		if (i == PIDFILE_START && !text_to_int64(line, &started))
			return false;
		if (i == PIDFILE_PORT)
			port_is_ours = strcmp(line, place->port) == 0;
	}
	/* The file is written a moment before the time that SQL tells. */
	return port_is_ours && llabs(started - place->started_s) <= 60;
}

struct fact_int facts_server_free(const struct server_place *place)
{
	struct fact_int fact = { FACT_UNKNOWN, 0 };
	struct err ignored = ERR_INIT;

	if (!place->data_directory || !place->port || !is_this_machine(place->address) ||
	    !is_its_folder(place))
		return fact;
	if (file_free_bytes(place->tablespace && *place->tablespace ? place->tablespace
	                                                            : place->data_directory,
	                    &fact.value, &ignored))
		fact.known = FACT_KNOWN;
	return fact;
}

static bool find_server_free(const struct config *c, struct db *db, struct facts *out, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;
	struct err why = ERR_INIT;

	if (!ask_plainly(db, facts_place_sql, &rows, &why)) {
		if (!is_fatal(db, &why))
			return true;
		*err = why;
		return false;
	}
	if (rows_count(rows) == 1) {
		const struct server_place place = { rows_get(rows, 0, 0), rows_get(rows, 0, 1),
			                            rows_get(rows, 0, 2), rows_get(rows, 0, 3),
			                            rows_int(rows, 0, 4) };

		out->server_free_bytes = facts_server_free(&place);
	}
	if (out->server_free_bytes.known == FACT_UNKNOWN && c->server_free_bytes >= 0)
		out->server_free_bytes = (struct fact_int){ FACT_KNOWN, c->server_free_bytes };
	return true;
}

/* ------------------------------------------------------------------ the stores and the configuration */

static void look_at_stores(const struct stores *stores, struct facts *out)
{
	for (size_t i = 0; i < stores->n && i < STORES_MAX; i++) {
		const char *name = store_name(stores->v[i]);
		struct err why = ERR_INIT;
		bool known = false;
		int64_t bytes = 0;

		out->stores[i].name = facts_keep(out, name);
		out->n_stores = i + 1;
		if (!store_free_bytes(stores->v[i], &known, &bytes, &why))
			strv_fmt(&out->stores_failing, "%s: %s", name, why.msg);
		else if (known)
			out->stores[i].free_bytes = (struct fact_int){ FACT_KNOWN, bytes };
	}
}

static void look_at_config(const struct config *c, struct facts *out)
{
	out->backup_verify = verify_name(c->verify);
	out->stores_required = (size_t)c->stores_required;
	out->ladder_downgrades = c->on_failure_downgrade;
	out->ladder_restores = c->on_failure_restore;
}

static void look_at_keys(const struct config *c, struct facts *out)
{
	struct err why = ERR_INIT;

	out->backup_encrypted = c->recipients.n > 0;
	out->backup_identity = c->identity != NULL;
	if (out->backup_encrypted && !backup_try_keys(&c->recipients, c->identity, &why))
		out->keys_failing = facts_keep(out, why.msg);
}

/* Asking a program for its version takes a while, and the server can be asked meanwhile. */
struct search {
	int major;
	const char *configured;
	char *folder;
};

static bool find_tools(void *ctx, struct err *err)
{
	struct search *s = ctx;

	return dump_tools_find(s->major, s->configured, &s->folder, err);
}

static bool ask_server(const struct config *c, struct db *db, struct facts *out, struct err *err)
{
	return ask(db, out, err) && count_heads(c, db, out, err) && find_server_free(c, db, out, err);
}

bool facts_gather(const struct config *c, struct db *db, const struct stores *stores, struct facts *out,
                  struct err *err)
{
	struct search search = { .major = db_server_version(db) / 10000, .configured = c->pg_bindir };
	struct err not_found = ERR_INIT; /* a gate says so */
	struct task tools;

	out->server_version = db_server_version(db);
	out->role = out->database = "";
	look_at_config(c, out);
	look_at_keys(c, out);
	look_at_stores(stores, out);
	task_start(&tools, find_tools, &search);
	bool ok = ask_server(c, db, out, err);
	if (task_join(&tools, &not_found))
		out->pg_dump_dir = facts_keep(out, search.folder);
	free(search.folder);
	return ok;
}
