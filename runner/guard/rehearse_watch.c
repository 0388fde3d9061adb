#include "runner/guard/rehearse_watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_KEPT = 400 }; /* bytes of a statement */

/* ------------------------------------------------------------------ relations */

static const char seen_sql[] =
	"SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname),"
	" coalesce(pg_catalog.pg_relation_filenode(c.oid)::int8, 0),"
	" CASE WHEN c.relkind IN ('r', 'm', 'i', 'S') THEN coalesce(pg_catalog.pg_table_size(c.oid), 0) ELSE "
	"0 END,"
	" c.relkind, coalesce(i.indrelid::int8, 0)"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"
	" WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 'v', 'f') AND c.relpersistence <> 't'"
	" AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ripcord', 'pg_toast')"
	" AND NOT EXISTS (SELECT FROM pg_catalog.pg_class t LEFT JOIN pg_catalog.pg_index x ON x.indrelid = "
	"t.oid"
	"  WHERE t.oid = pg_catalog.to_regclass($1) AND c.oid IN (t.oid, x.indexrelid))"
	" ORDER BY c.oid::int8";

static void seen_clear(struct seen_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct seen_list){ .n = 0 };
}

static bool seen_read(const struct rehearse_watch *w, struct seen_list *out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(w->db, seen_sql, DB_ARGS(w->version_table), &r, err))
		return err_wrap(err, "cannot read which relations there are");
	out->n = rows_count(r);
	out->v = mem_new0((out->n + 1) * sizeof(struct seen));
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = (struct seen){ .oid = rows_int(r, i, 0),
			                   .name = mem_strdup(rows_get(r, i, 1)),
			                   .filenode = rows_int(r, i, 2),
			                   .bytes = rows_int(r, i, 3),
			                   .kind = *rows_get(r, i, 4),
			                   .table = rows_int(r, i, 5) };
	return true;
}

static int by_oid(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return (x->oid > y->oid) - (x->oid < y->oid);
}

static const struct seen *seen_find(const struct seen_list *l, int64_t oid)
{
	const struct seen key = { .oid = oid };

	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_oid) : NULL;
}

static int64_t seen_bytes(const struct seen_list *l)
{
	int64_t sum = 0;

	for (size_t i = 0; i < l->n; i++)
		sum += l->v[i].bytes;
	return sum;
}

/* {relation, kind, bytes}: storage that stands in for another, and what that takes. */
static json_t *rewrites(const struct rehearse_watch *w, const struct seen_list *now)
{
	json_t *out = json_array();

	for (size_t i = 0; i < now->n; i++) {
		const struct seen *is = &now->v[i], *was = seen_find(&w->last, is->oid);
		if (!was || !seen_find(&w->first, is->oid) || was->filenode == is->filenode || !was->filenode)
			continue;
		const char kind[] = { is->kind, '\0' };
		json_push(out,
		          json_pack("{s:o, s:s, s:I}", "relation", json_str(is->name), "kind", kind, "bytes",
		                    (json_int_t)(is->bytes > was->bytes ? is->bytes : was->bytes)));
	}
	return out;
}

/* {relation, bytes}, what is new included. */
static json_t *growth(const struct rehearse_watch *w, const struct seen_list *now)
{
	json_t *out = json_array();

	for (size_t i = 0; i < now->n; i++) {
		const struct seen *was = seen_find(&w->last, now->v[i].oid);
		int64_t more = now->v[i].bytes - (was ? was->bytes : 0);
		if (more > 0)
			json_push(out, json_pack("{s:o, s:I}", "relation", json_str(now->v[i].name), "bytes",
			                         (json_int_t)more));
	}
	return out;
}

/* ------------------------------------------------------------------ locks */

#define HELD_FROM                                                                                            \
	" FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'"  \
	" AND l.granted AND l.mode <> 'AccessShareLock' AND l.database ="                                    \
	" (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"

static const char held_sql[] = "SELECT l.relation::int8, l.mode" HELD_FROM " ORDER BY 1, 2";

/* "AccessExclusiveLock" as people write it. */
static void mode_words(const char *mode, char out[32])
{
	size_t n = 0, len = strlen(mode);

	len = len > 4 && strcmp(mode + len - 4, "Lock") == 0 ? len - 4 : len;
	for (size_t i = 0; i < len && n + 2 < 32; i++) {
		if (i > 0 && mode[i] >= 'A' && mode[i] <= 'Z')
			out[n++] = ' ';
		out[n++] = (char)(mode[i] >= 'a' && mode[i] <= 'z' ? mode[i] - 'a' + 'A' : mode[i]);
	}
	out[n] = '\0';
}

static bool is_held(const struct rehearse_watch *w, int64_t oid, const char *mode)
{
	for (size_t i = 0; i < w->n_held; i++)
		if (w->held[i].oid == oid && strcmp(w->held[i].mode, mode) == 0)
			return true;
	return false;
}

/* Of a relation that was there before; *new gets it. */
static void take_lock(struct rehearse_watch *w, int64_t oid, const char *mode_name, json_t *new)
{
	const struct seen *relation = seen_find(&w->first, oid);
	char mode[32];

	mode_words(mode_name, mode);
	if (!relation || is_held(w, oid, mode))
		return;
	w->held = mem_grow(w->held, w->n_held + 1, sizeof(*w->held));
	struct held *h = &w->held[w->n_held++];
	*h = (struct held){ .oid = oid, .since_ms = w->began_ms, .from = json_array_size(w->statements) - 1 };
	snprintf(h->mode, sizeof(h->mode), "%s", mode);
	json_push(new, json_pack("{s:o, s:s}", "relation", json_str(relation->name), "mode", mode));
}

static bool ask_locks(struct rehearse_watch *w, json_t *new, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(w->db, held_sql, DB_NO_ARGS, &r, err))
		return err_wrap(err, "cannot read the locks");
	for (size_t i = 0; i < rows_count(r); i++)
		take_lock(w, rows_int(r, i, 0), rows_get(r, i, 1), new);
	return true;
}

static void told_locks(struct rehearse_watch *w, json_t *new)
{
	const json_t *one;
	size_t i;

	json_array_foreach(w->told, i, one) take_lock(w, json_integer_value(json_object_get(one, "oid")),
	                                              json_string_value(json_object_get(one, "mode")), new);
	json_decref(w->told);
	w->told = NULL;
}

/* The transaction is over, and every lock was held until now. */
static void release_locks(struct rehearse_watch *w)
{
	for (size_t i = 0; i < w->n_held; i++) {
		const struct held *h = &w->held[i];
		json_push(w->locks, json_pack("{s:o, s:s, s:f, s:I, s:I}", "relation",
		                              json_str(seen_find(&w->first, h->oid)->name), "mode", h->mode,
		                              "seconds", (double)(rehearse_watch_ms(w) - h->since_ms) / 1000,
		                              "from", (json_int_t)h->from, "to",
		                              (json_int_t)json_array_size(w->statements) - 1));
	}
	w->n_held = 0;
}

/* ------------------------------------------------------------------ what it works on */

static const char scans_sql[] =
	"SELECT s.relid::int8, (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::int8"
	" FROM pg_catalog.pg_stat_xact_all_tables s WHERE coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) "
	"> 0"
	" AND s.schemaname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1";

static bool scans_read(struct db *db, struct scans_list *out, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, scans_sql, DB_NO_ARGS, &r, err))
		return err_wrap(err, "cannot read what was scanned");
	free(out->v);
	out->n = rows_count(r);
	out->v = mem_new0((out->n + 1) * sizeof(struct scans));
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = (struct scans){ .oid = rows_int(r, i, 0), .n = rows_int(r, i, 1) };
	return true;
}

static int by_scanned(const void *a, const void *b)
{
	const struct scans *x = a, *y = b;

	return (x->oid > y->oid) - (x->oid < y->oid);
}

static int64_t scans_of(const struct scans_list *l, int64_t oid)
{
	const struct scans key = { .oid = oid };
	const struct scans *found = l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_scanned) : NULL;

	return found ? found->n : 0;
}

static void add_name(json_t *names, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(names, i, one)
	{
		if (strcmp(json_string_value(one), name) == 0)
			return;
	}
	json_push(names, json_str(name));
}

static void touch(const struct rehearse_watch *w, int64_t oid, json_t *touches)
{
	const struct seen *relation = seen_find(&w->first, oid);

	if (relation)
		add_name(touches, relation->name);
}

/* A lock below SHARE UPDATE EXCLUSIVE says nothing of how much is done, but where nobody saw what was read. */
static void touch_locked(const json_t *locks, bool all, json_t *touches)
{
	const json_t *one;
	size_t i;

	json_array_foreach(locks, i, one)
	{
		const char *mode = json_string_value(json_object_get(one, "mode"));
		if (all || (strcmp(mode, "ROW SHARE") != 0 && strcmp(mode, "ROW EXCLUSIVE") != 0))
			add_name(touches, json_string_value(json_object_get(one, "relation")));
	}
}

/* What has another storage than before the statement, and tables that got an index. */
static void touch_written(const struct rehearse_watch *w, const struct seen_list *now, json_t *touches)
{
	for (size_t i = 0; i < now->n; i++) {
		const struct seen *is = &now->v[i], *was = seen_find(&w->last, is->oid);
		if (!was || was->filenode != is->filenode)
			touch(w, was ? is->oid : is->table, touches);
	}
}

static bool touch_read(struct rehearse_watch *w, json_t *touches, struct err *err)
{
	struct scans_list now = { .n = 0 };

	if (!scans_read(w->db, &now, err))
		return false;
	for (size_t i = 0; i < now.n; i++)
		if (scans_of(&w->scans, now.v[i].oid) != now.v[i].n)
			touch(w, now.v[i].oid, touches);
	free(now.v);
	return true;
}

/* ------------------------------------------------------------------ one statement */

int64_t rehearse_watch_ms(const struct rehearse_watch *w) { return clock_ms() - w->spent_ms; }

static bool before_statement(void *ctx, const struct step *step, const struct statement_at *at,
                             struct err *err)
{
	struct rehearse_watch *w = ctx;
	int64_t asked = clock_ms();

	(void)step;
	free(w->lsn);
	w->lsn = NULL;
	w->rows = at->rows;
	w->bare = json_is_true(json_object_get(at->about, "bare"));
	bool ok = scans_read(w->db, &w->scans, err) &&
	          db_value(w->db, "SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text",
	                   DB_NO_ARGS, &w->lsn, err);
	w->spent_ms += clock_ms() - asked;
	w->began_ms = rehearse_watch_ms(w);
	return ok;
}

static bool read_after(struct rehearse_watch *w, json_t *o, json_t *new, json_t *touches, struct err *err)
{
	const bool inside = db_tx_status(w->db) == 'T';
	struct seen_list now = { .n = 0 };
	int64_t wal;

	if (!db_int(w->db,
	            "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), "
	            "$1::pg_catalog.pg_lsn)::int8",
	            DB_ARGS(w->lsn), &wal, err) ||
	    (inside && (!ask_locks(w, new, err) || !touch_read(w, touches, err))) || !seen_read(w, &now, err))
		return false;
	touch_locked(new, !inside, touches);
	touch_written(w, &now, touches);
	json_put(o, "wal_bytes", json_integer(wal));
	json_put(o, "rewrites", rewrites(w, &now));
	json_put(o, "grew", growth(w, &now));
	seen_clear(&w->last);
	w->last = now;
	return true;
}

/* Of transaction=off the locks are those that its own transaction has told, if it had one. */
static bool after_statement(void *ctx, const struct step *step, const struct statement_at *at,
                            struct err *err)
{
	struct rehearse_watch *w = ctx;
	const int64_t ended = rehearse_watch_ms(w), asked = clock_ms();
	const bool inside = db_tx_status(w->db) == 'T', told = w->told && !w->bare;
	json_t *o = json_object(), *new = json_array(), *touches = json_array();
	cleanup_free char *text = mem_strndup(at->text, strnlen(at->text, TEXT_KEPT));

	(void)step;
	json_push(w->statements, o);
	json_put(o, "text", json_str(text));
	json_put(o, "seconds", json_real((double)(ended - w->began_ms) / 1000));
	json_put(o, "rows", json_integer(inside ? at->rows : w->rows));
	json_put(o, "batches", at->is_batch ? json_integer(at->batches) : json_null());
	told_locks(w, new);
	bool ok = read_after(w, o, new, touches, err);
	/* Outside of a transaction block nobody can be asked: that is not "none". */
	bool known = inside || told;
	json_put(o, "locks", known ? json_incref(new) : json_null());
	json_put(o, "touches", known || json_array_size(touches) > 0 ? json_incref(touches) : json_null());
	json_decref(new);
	json_decref(touches);
	w->spent_ms += clock_ms() - asked;
	if (!inside)
		release_locks(w);
	return ok;
}

static char *evidence_sql(void *ctx, const struct step *step, const struct statement_at *at)
{
	struct rehearse_watch *w = ctx;

	(void)step;
	w->rows = at->rows;
	return mem_strdup(
		"SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('oid', l.relation::int8, "
		"'mode', l.mode)), '[]')::pg_catalog.text" HELD_FROM);
}

static bool evidence_told(void *ctx, const struct rows *rows, struct err *err)
{
	struct rehearse_watch *w = ctx;
	const char *text = rows_count(rows) == 1 ? rows_get(rows, 0, 0) : "[]";

	json_decref(w->told);
	w->told = NULL;
	return json_parse(text, strlen(text), "the locks of a statement", &w->told, err);
}

struct statement_watch rehearse_watch_of(struct rehearse_watch *w)
{
	return (struct statement_watch){ .before = before_statement,
		                         .after = after_statement,
		                         .evidence = evidence_sql,
		                         .told = evidence_told,
		                         .each = true,
		                         .ctx = w };
}

/* ------------------------------------------------------------------ revisions */

bool rehearse_watch_start(struct rehearse_watch *w, struct db *db, const char *version_table, struct err *err)
{
	*w = (struct rehearse_watch){ .db = db, .version_table = version_table };
	return seen_read(w, &w->first, err) && seen_read(w, &w->last, err);
}

void rehearse_watch_clear(struct rehearse_watch *w)
{
	seen_clear(&w->first);
	seen_clear(&w->last);
	free(w->scans.v);
	free(w->held);
	free(w->lsn);
	json_decref(w->statements);
	json_decref(w->locks);
	json_decref(w->told);
	*w = (struct rehearse_watch){ .db = NULL };
}

void rehearse_watch_begin(struct rehearse_watch *w)
{
	json_decref(w->statements);
	json_decref(w->locks);
	w->statements = json_array();
	w->locks = json_array();
	w->n_held = 0;
}

bool rehearse_watch_end(struct rehearse_watch *w, bool committed, json_t *out, struct err *err)
{
	struct seen_list now = { .n = 0 };

	release_locks(w);
	json_put(out, "statements", json_incref(w->statements));
	json_put(out, "locks", json_incref(w->locks));
	if (!committed)
		return true;
	if (!seen_read(w, &now, err))
		return false;
	seen_clear(&w->last);
	w->last = now;
	json_put(out, "grown_bytes", json_integer(seen_bytes(&now) - seen_bytes(&w->first)));
	return true;
}
