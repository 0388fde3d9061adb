/*
 * A unit that is not one transaction, piece by piece: for CREATE INDEX CONCURRENTLY and its like, and for batches.
 */
#include "migrations/off.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/strv.h"
#include "migrations/lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For our own questions inside a transaction of the section's session: neither its role nor its search_path may decide
 * what they mean.  Both end with the transaction. */
#define AS_RIPCORD                                                                                           \
	"SELECT pg_catalog.set_config('role', 'none', true), "                                               \
	"pg_catalog.set_config('search_path', 'pg_catalog', true)"

/* ------------------------------------------------------------------ places */

bool place(struct off *o, const struct piece *piece, struct err *err)
{
	int position = db_error_position(o->u->db);
	size_t at = byte_of(piece->text, position);

	o->u->report->phase = o->step->direction == DIRECTION_UP ? "upgrade" : "downgrade";
	return err_at_revision(err, o->step->revision, line_of(piece->text, at, piece->line));
}

/* ------------------------------------------------------------------ what was aborted, or lost */

static void lose_share(struct off *o, const char *why)
{
	const struct statement_watch *watch = o->u->settings->watch;

	if (watch && watch->lost)
		watch->lost(watch->ctx, why);
}

void leave_block(struct off *o, const struct err *why)
{
	struct unit *u = o->u;
	char status = db_tx_status(u->db);

	if (why->code == ERR_CANCELLED)
		cancel_hold(); /* the signal has done its work; what follows is the way back */
	if (db_is_lost(u->db)) {
		lose_share(o, "the connection was lost inside a statement's transaction");
		return;
	}
	if (u->has_savepoint && (status == 'T' || status == 'E'))
		ask_aborted(u);
	u->has_savepoint = false;
	db_try(u->db, "ROLLBACK");
}

/* ------------------------------------------------------------------ a transaction of its own */

/* Rows that answer no question: those of AS_RIPCORD. */
static bool is_setting(const struct rows *rows)
{
	return rows_columns(rows) == 0 || strcmp(rows_name(rows, 0), "set_config") == 0;
}

static bool take_begin(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	const struct probe *probe = ctx;

	(void)index;
	(void)tag;
	return is_setting(rows) || !probe || !probe->answered ||
	       probe->answered(probe->ctx, PROBE_BEGIN, rows, err);
}

static bool begin_block(struct off *o, struct err *err)
{
	const struct probe *probe = o->u->settings->probe;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&sql, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n");
	if (probe && probe->at_begin) {
		buf_fmt(&sql, AS_RIPCORD ";\n%s;\n", probe->at_begin);
		buf_sql(&sql,
		        "SELECT pg_catalog.set_config('role', %L, true), "
		        "pg_catalog.set_config('search_path', %L, true);\n",
		        o->role, o->search_path);
	}
	o->u->has_savepoint = probe && probe->aborted && probe->at_abort;
	if (o->u->has_savepoint)
		buf_str(&sql, "SAVEPOINT ripcord_unit;\n");
	return db_script(o->u->db, buf_text(&sql), take_begin, (void *)(uintptr_t)probe, err);
}

/* The own share has as many columns as the probe's question gives it, the evidence one. */
static bool take_answer(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	const struct exec_settings *settings = ctx;
	const struct probe *probe = settings->probe;

	(void)index;
	(void)tag;
	if (is_setting(rows))
		return true;
	if (rows_columns(rows) == 1 && settings->watch && settings->watch->told)
		return settings->watch->told(settings->watch->ctx, rows, err);
	return !probe || !probe->answered || probe->answered(probe->ctx, PROBE_END, rows, err);
}

/* What is asked before the end, and written as evidence: single statements, since a pipeline takes no others. */
static void closing(const struct off *o, const struct statement_at *at, struct strv *out)
{
	const struct probe *probe = o->u->settings->probe;
	const struct statement_watch *watch = o->u->settings->watch;
	struct lexer lexer = { .text = probe && probe->at_end ? probe->at_end : "" };
	struct lexed s;

	strv_add(out, AS_RIPCORD);
	while (lex_next(&lexer, &s) == LEX_STATEMENT)
		strv_fmt(out, "%.*s", (int)(s.end - s.start), lexer.text + s.start);
	if (!watch || !watch->evidence)
		return;
	cleanup_free char *evidence = watch->evidence(watch->ctx, o->step, at);
	strv_add(out, evidence);
}

/* Deferred triggers write when constraints are checked, so the questions come after that. */
static bool end_block(struct off *o, const struct statement_at *at, struct err *err)
{
	cleanup_strv struct strv all = STRV_INIT;

	strv_add(&all, "SET CONSTRAINTS ALL IMMEDIATE");
	closing(o, at, &all);
	cleanup_free char *sql = strv_join(&all, ";\n");
	if (!db_script(o->u->db, sql, take_answer, (void *)(uintptr_t)o->u->settings, err))
		return false;
	o->u->has_savepoint = false;
	if (!db_run(o->u->db, "COMMIT", err))
		return false;
	return strcmp(db_tag(o->u->db), "COMMIT") == 0 ||
	       err_set(err, ERR_DB, "COMMIT was answered with %s: the transaction was rolled back",
	               db_tag(o->u->db));
}

static bool send_part(struct off *o, const char *sql, const struct part *part, struct err *err)
{
	if (part && part->data)
		return db_copy_in(o->u->db, sql, part->data, part->data_len, err);
	return db_run(o->u->db, sql, err);
}

static bool send_piece(struct off *o, const struct piece *piece, struct err *err)
{
	if (!piece->section)
		return send_part(o, piece->text, piece->part, err) || place(o, piece, err);
	for (size_t i = 0; i < piece->section->n; i++) {
		const struct part *part = &piece->section->parts[i];
		struct piece here = { .text = part->sql, .line = part->line };
		if (!send_part(o, part->sql, part, err))
			return place(o, &here, err);
	}
	return true;
}

bool run_block(struct off *o, const struct piece *piece, struct statement_at *at, struct err *err)
{
	if (!begin_block(o, err) || !send_piece(o, piece, err))
		return false;
	if (db_tx_status(o->u->db) != 'T') {
		o->u->report->left_partial = true;
		err_set(err, ERR_DB, "a statement ended the transaction that it ran in");
		return place(o, piece, err);
	}
	int64_t rows = rows_of_tag(db_tag(o->u->db));
	at->rows += rows;
	if (piece->kind == PIECE_BATCH) {
		at->batches += rows > 0;
		at->has_more = rows > 0;
	}
	return end_block(o, at, err);
}

/* ------------------------------------------------------------------ without a block */

static void free_rows(struct rows **rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rows_free(rows[i]);
	free(rows);
}

bool run_bare_helper(struct off *o, const char *sql, struct err *err)
{
	const struct probe *probe = o->u->settings->probe;
	const char *const both[] = { sql, AS_RIPCORD, probe ? probe->at_abort : NULL };
	const size_t n = probe && probe->at_abort && probe->aborted ? 3 : 1;
	struct rows **rows = mem_new0(3 * sizeof(struct rows *));
	bool ok = db_pipeline(o->u->db, both, n, rows, err);

	if (!ok)
		lose_share(o, "a statement that was to clean up failed");
	ok = ok && (n == 1 || probe->aborted(probe->ctx, rows[2], err));
	free_rows(rows, 3);
	return ok;
}

/*
 * The statement goes ahead of its evidence in one pipeline, without a Sync between them: the server takes it as the
 * first of a transaction that it commits at once, flushes no counts before it is idle, and goes on to the evidence
 * even when this process is no more.
 */
static bool run_bare(struct off *o, const struct piece *piece, const struct statement_at *at, struct err *err)
{
	cleanup_strv struct strv all = STRV_INIT;

	strv_add(&all, piece->text);
	closing(o, at, &all);
	struct rows **rows = mem_new0(all.n * sizeof(struct rows *));
	bool ok = db_pipeline(o->u->db, (const char *const *)all.v, all.n, rows, err);
	if (!ok && db_error_statement(o->u->db) == 0 && !db_is_lost(o->u->db))
		(void)place(o, piece, err);
	for (size_t i = 1; i < all.n && ok; i++)
		ok = take_answer((void *)(uintptr_t)o->u->settings, i, "", rows[i], err);
	free_rows(rows, all.n);
	return ok;
}

/* A bare statement that failed was no transaction that could be asked: the session is, as long as it has not flushed
 * its counts.  False: nobody knows. */
static bool ask_session(struct off *o)
{
	const struct probe *probe = o->u->settings->probe;
	const struct statement_watch *watch = o->u->settings->watch;
	cleanup_rows struct rows *rows = NULL;
	struct err ignored = ERR_INIT;
	bool whole = false;

	if (!probe || !probe->at_abort || !watch || !watch->cut)
		return true;
	return db_query(o->u->db, probe->at_abort, DB_NO_ARGS, &rows, &ignored) &&
	       watch->cut(watch->ctx, rows, &whole, &ignored) && whole;
}

/* Looks what the failed statement did, and takes away what it left. */
static enum found settle_bare(struct off *o, const struct classified *c, const json_t *about, struct err *why)
{
	struct err more = ERR_INIT;
	enum found found = FOUND_UNKNOWN;

	if (why->code == ERR_CANCELLED)
		cancel_hold();
	if (db_is_lost(o->u->db) || db_error_statement(o->u->db) > 0) {
		lose_share(o, "what a statement outside a transaction wrote was lost with its connection");
		return FOUND_UNKNOWN;
	}
	if (!ask_session(o))
		lose_share(o, "a statement outside a transaction failed after its counts were flushed");
	if (!c->kind->look)
		return FOUND_UNKNOWN;
	if (!c->kind->look(o, c->body, about, &found, &more)) {
		err_hint(why, "%s", more.msg);
		return FOUND_UNKNOWN;
	}
	return found;
}

/* ------------------------------------------------------------------ one piece */

static json_t *describe(const struct piece *piece, const struct classified *c)
{
	static const char *const names[] = { [PIECE_SECTION] = "section", [PIECE_BATCH] = "batch" };
	char digest[SHA256_HEX];
	json_t *about = json_object();

	sha256_of(piece->text, strlen(piece->text), digest);
	json_put(about, "kind",
	         json_str(piece->kind == PIECE_STATEMENT ? c->kind->name : names[piece->kind]));
	json_put(about, "bare", json_boolean(c->bare));
	json_put(about, "sha256", json_str(digest));
	return about;
}

/* The journal's mirror is written on the same session, between the section's statements. */
static bool step_out(struct off *o, struct err *err)
{
	return db_run(o->u->db,
	              "SELECT pg_catalog.set_config('role', 'none', false), "
	              "pg_catalog.set_config('search_path', 'pg_catalog', false)",
	              err);
}

static bool step_back(struct off *o, struct err *err)
{
	return db_runf(o->u->db, err,
	               "SELECT pg_catalog.set_config('role', %L, false), "
	               "pg_catalog.set_config('search_path', %L, false)",
	               o->role, o->search_path);
}

static bool tell_before(struct off *o, const struct piece *piece, const struct classified *c, json_t **about,
                        struct err *err)
{
	const struct statement_watch *watch = o->u->settings->watch;
	struct statement_at at = { .index = o->index, .text = piece->text };

	json_decref(*about);
	*about = describe(piece, c);
	at.about = *about;
	if (c->bare && c->kind->note && !c->kind->note(o, c->body, *about, err))
		return false;
	return !watch || !watch->before ||
	       (step_out(o, err) && watch->before(watch->ctx, o->step, &at, err) && step_back(o, err));
}

/* By the server's own words: 25001 active_sql_transaction, 2D000 invalid_transaction_termination (a COMMIT in a DO or
 * CALL).  Nothing of it is kept, so that it can be sent again without the block. */
static bool wants_no_block(const struct err *why)
{
	return why->code == ERR_DB &&
	       (strcmp(why->sqlstate, "25001") == 0 || strcmp(why->sqlstate, "2D000") == 0);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_AGAIN, ATTEMPT_BARE };

static enum attempt try_bare(struct off *o, const struct piece *piece, const struct classified *c,
                             const json_t *about, struct err *why)
{
	const struct statement_at at = { .index = o->index, .text = piece->text, .about = about };

	if (run_bare(o, piece, &at, why))
		return ATTEMPT_DONE;
	switch (settle_bare(o, c, about, why)) {
	case FOUND_DONE: return ATTEMPT_DONE;
	case FOUND_NOT_DONE: return is_lock_failure(why) ? ATTEMPT_AGAIN : ATTEMPT_FAILED;
	case FOUND_UNKNOWN: o->u->report->left_partial = true; return ATTEMPT_FAILED;
	}
	return ATTEMPT_FAILED;
}

static enum attempt try_block(struct off *o, const struct piece *piece, const json_t *about, struct err *why)
{
	struct statement_at at = { .index = o->index, .text = piece->text, .about = about };

	if (run_block(o, piece, &at, why))
		return ATTEMPT_DONE;
	if (db_is_lost(o->u->db))
		o->u->report->left_partial = true; /* perhaps */
	leave_block(o, why);
	if (piece->kind == PIECE_STATEMENT && !piece->part && wants_no_block(why))
		return ATTEMPT_BARE;
	return is_lock_failure(why) ? ATTEMPT_AGAIN : ATTEMPT_FAILED;
}

static bool run_statement(struct off *o, const struct piece *piece, struct classified *c, json_t **about,
                          struct err *err)
{
	o->u->report->attempts = 0;
	for (;;) {
		struct err why = ERR_INIT;
		o->u->report->attempts++;
		enum attempt how =
			c->bare ? try_bare(o, piece, c, *about, &why) : try_block(o, piece, *about, &why);
		if (how == ATTEMPT_DONE)
			return true;
		if (how == ATTEMPT_BARE) {
			c->bare = true;
			if (!tell_before(o, piece, c, about, err))
				return false;
			continue;
		}
		if (how == ATTEMPT_AGAIN && wait_to_retry(o->u, o->step, o->started_ms, &why))
			continue;
		*err = why;
		return false;
	}
}

/* What the section has set for its session, so that our own questions can step out of it and back. */
static bool read_session(struct off *o, struct err *err)
{
	cleanup_rows struct rows *rows = NULL;

	if (!db_query(o->u->db,
	              "SELECT pg_catalog.current_setting('role'), pg_catalog.current_setting('search_path')",
	              DB_NO_ARGS, &rows, err))
		return false;
	free(o->role);
	free(o->search_path);
	o->role = mem_strdup(rows_get(rows, 0, 0));
	o->search_path = mem_strdup(rows_get(rows, 0, 1));
	return true;
}

static bool tell_after(struct off *o, const struct piece *piece, struct err *err)
{
	const struct statement_watch *watch = o->u->settings->watch;
	const struct statement_at at = { .index = o->index, .text = piece->text };

	return !watch || !watch->after ||
	       (step_out(o, err) && watch->after(watch->ctx, o->step, &at, err) && step_back(o, err));
}

static bool run_fresh(struct off *o, const struct piece *piece, struct classified *c, struct err *err)
{
	cleanup_json json_t *about = NULL;

	if (!tell_before(o, piece, c, &about, err) ||
	    !(piece->kind == PIECE_BATCH ? run_batch(o, piece, err)
	                                 : run_statement(o, piece, c, &about, err)))
		return false;
	o->done += !c->kind->session;
	if ((c->kind->session && !read_session(o, err)) || !tell_after(o, piece, err))
		return false;
	return c->kind->look != look_index || check_not_hidden(o, c->body, err) || place(o, piece, err);
}

/* ------------------------------------------------------------------ resuming */

static bool refuse_resume(struct off *o, const struct piece *piece, const char *why, struct err *err)
{
	err_set(err, ERR_REFUSED, "statement %zu of revision %s cannot be resumed: %s", o->index + 1,
	        o->step->revision->id, why);
	return place(o, piece, err);
}

/* Done already: only what it did to its session has to be done once more. */
static bool pass_done(struct off *o, const struct piece *piece, const struct classified *c, struct err *err)
{
	if (makes_temporary(c))
		return refuse_resume(o, piece, "what it made was temporary, and is gone", err);
	o->done += !c->kind->session;
	return !c->kind->session ||
	       ((db_run(o->u->db, piece->text, err) || place(o, piece, err)) && read_session(o, err));
}

/* Begun, with no evidence that it was done.  In a transaction of its own it was not; otherwise the catalogs tell. */
static bool resolve(struct off *o, const struct piece *piece, const struct classified *c, const json_t *begun,
                    bool *done, struct err *err)
{
	enum found found = FOUND_NOT_DONE;
	char digest[SHA256_HEX];

	sha256_of(piece->text, strlen(piece->text), digest);
	if (strcmp(json_text(begun, "sha256"), digest) != 0)
		return refuse_resume(o, piece, "the file is not what it was when it was begun", err);
	if (json_is_true(json_object_get(begun, "bare"))) {
		found = FOUND_UNKNOWN;
		if (c->kind->look && !c->kind->look(o, c->body, begun, &found, err))
			return false;
	}
	if (found == FOUND_UNKNOWN)
		return refuse_resume(o, piece, "nobody can tell whether it took effect", err);
	o->in_doubt = false;
	*done = found == FOUND_DONE;
	return true;
}

static bool resume_piece(struct off *o, const struct piece *piece, struct classified *c, bool *done,
                         struct err *err)
{
	const struct exec_resume *resume = o->u->settings->resume;

	*done = false;
	if (!resume || o->index > resume->done)
		return true;
	if (o->index == resume->done && !resume->begun)
		o->in_doubt = false;
	if (o->index < resume->done) {
		*done = true;
		return pass_done(o, piece, c, err);
	}
	if (!resume->begun || !resolve(o, piece, c, resume->begun, done, err) || !*done)
		return !resume->begun || err->code == ERR_NONE;
	o->done++;
	return tell_after(o, piece, err);
}

static bool run_piece(struct off *o, const struct piece *piece, struct err *err)
{
	cleanup_classified struct classified c = { .tree = NULL };
	bool done = false;

	classify(piece->text, &c);
	if (piece->kind != PIECE_STATEMENT)
		c.bare = false;
	o->started_ms = clock_ms();
	if (!resume_piece(o, piece, &c, &done, err) || (!done && !run_fresh(o, piece, &c, err)))
		return false;
	o->index++;
	return true;
}

/* ------------------------------------------------------------------ the unit */

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
	return db_script(u->db, buf_text(&sql), take_begin, (void *)(uintptr_t)probe, err) &&
	       read_session(o, err);
}

static bool run_all(struct off *o, struct err *err)
{
	struct unit *u = o->u;

	u->step_started_us = clock_wall_us();
	if (!pieces_make(u, &o->pieces, err) || !open_session(o, err))
		return false;
	for (size_t i = 0; i < o->pieces.n; i++)
		if (!run_piece(o, &o->pieces.v[i], err))
			return false;
	u->chain = u->ledger->chain;
	return finish_step(u, 0, true, err) && commit_unit(u, err);
}

bool run_off(struct unit *u, struct err *err)
{
	struct off o = { .u = u, .step = &u->steps[0], .in_doubt = u->settings->resume != NULL };
	bool ok = run_all(&o, err);

	if (!ok) {
		u->report->left_partial = u->report->left_partial || o.done > 0 || o.in_doubt;
		roll_back(u, err);
	}
	pieces_clear(&o.pieces);
	free(o.role);
	free(o.search_path);
	return ok;
}
