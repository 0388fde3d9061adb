#include "base/db.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/connect.h"
#include "base/mem.h"
#include "base/rows.h"
#include "base/sql.h"
#include "base/text.h"

#include <libpq-fe.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS           100   /* how long a cancel request may stay unseen */
#define CANCEL_AGAIN_MS   1000  /* one that comes while the server is between statements is lost */
#define CANCEL_GIVE_UP_MS 60000 /* a server that does not answer is no connection any more */
#define COPY_CHUNK        ((size_t)64 * 1024)

#define SQLSTATE_QUERY_CANCELED    "57014"
#define SQLSTATE_CONNECTION_FAILED "08006"

enum stop { STOP_NONE, STOP_CANCEL, STOP_DEADLINE, STOP_CALLBACK, STOP_WATCH };

struct db {
	PGconn *conn;
	bool lost;
	char tag[64];
	int error_position;
	size_t error_statement; /* of the last pipeline */
	int64_t deadline_ms;
	int64_t backend_start_us;
	void (*notice)(void *ctx, const char *severity, const char *text);
	void *notice_ctx;
	db_watch *watch;
	void *watch_ctx;
	bool hides_words;

	/* Of the call that is running: */
	int64_t started_ms;
	enum stop stop;
	int64_t stopped_ms, cancelled_ms; /* when the stop was seen; when the last cancel was sent */
	int signals;                      /* cancel_count() when the stop was seen */
	int64_t watched_ms;               /* when the watch was last asked */
	struct err why;                   /* what the watch said */
};

/* ------------------------------------------------------------------ errors */

/* The server's last words (FATAL: an administrator's pg_terminate_backend, a shutdown) come as an error
 * of the statement and say more than libpq does, but what they end is the connection. */
static bool fail_lost(struct db *db, const char *why, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	if (err->code != ERR_NONE && (err->code != ERR_DB || db->lost)) {
		db->lost = true;
		return false;
	}
	db->lost = true;
	if (err->code == ERR_DB)
		buf_str(&text, err->msg);
	else
		connect_add_line(&text, why && *why ? why : "the server closed it");
	*err = (struct err)ERR_INIT;
	err_set(err, ERR_DB, "the connection to the database was lost: %s", buf_text(&text));
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", SQLSTATE_CONNECTION_FAILED);
	return false;
}

static bool fail_stopped(const struct db *db, struct err *err)
{
	if (db->stop == STOP_WATCH) {
		*err = db->why;
		return false;
	}
	if (db->stop == STOP_DEADLINE)
		return err_set(err, ERR_CANCELLED, "the statement did not end within %lld ms",
		               (long long)db->deadline_ms);
	return err_set(err, ERR_CANCELLED, "cancelled");
}

/* Who raises an error may put a row's values into its message, DETAIL and HINT: names of the catalog are left. */
static bool fail_without_words(const PGresult *res, const char *sqlstate, struct err *err)
{
	static const struct {
		int field;
		const char *word;
	} names[] = { { PG_DIAG_CONSTRAINT_NAME, "constraint" },
		      { PG_DIAG_TABLE_NAME, "table" },
		      { PG_DIAG_COLUMN_NAME, "column" } };
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	buf_fmt(&text, "the server refused it with SQLSTATE %s", sqlstate ? sqlstate : "unknown");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = PQresultErrorField(res, names[i].field);
		if (name)
			buf_fmt(&text, ", %s %s", names[i].word, name);
	}
	err_set(err, ERR_DB, "%s", buf_text(&text));
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate ? sqlstate : "");
	return false;
}

/* The server's own words: message, DETAIL, SQLSTATE, HINT, and where in the statement. */
static bool fail_result(struct db *db, const PGresult *res, struct err *err)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	if (err->code != ERR_NONE)
		return false;
	if (db->stop != STOP_NONE && sqlstate && strcmp(sqlstate, SQLSTATE_QUERY_CANCELED) == 0)
		return fail_stopped(db, err);
	/* Digits by the protocol ("Error and Notice Message Fields", P). */
	db->error_position = position ? (int)strtol(position, NULL, 10) : 0;
	if (db->hides_words)
		return fail_without_words(res, sqlstate, err);

	connect_add_line(&text, message ? message : PQresultErrorMessage(res));
	if (detail) {
		buf_str(&text, ": ");
		connect_add_line(&text, detail);
	}
	err_set(err, ERR_DB, "%s", buf_text(&text));
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate ? sqlstate : "");
	if (hint)
		err_hint(err, "%s", hint);
	return false;
}

/* ------------------------------------------------------------------ waiting */

static void begin_call(struct db *db)
{
	db->tag[0] = '\0';
	db->error_position = 0;
	db->stop = STOP_NONE;
	db->started_ms = db->watched_ms = clock_ms();
}

/* Before anything is sent: a call that was cancelled before it began has done nothing. */
static bool may_begin(struct db *db, struct err *err)
{
	begin_call(db);
	if (db->lost)
		return fail_lost(db, "it was lost before", err);
	if (!cancel_requested())
		return true;
	db->stop = STOP_CANCEL;
	return fail_stopped(db, err);
}

/* Asks the server over a connection of its own to end the statement; the answer comes as the
 * statement's result, so that one which ends by itself is not reported as cancelled. */
static void send_cancel(struct db *db)
{
	char why[256];
	PGcancel *cancel = PQgetCancel(db->conn);

	db->cancelled_ms = clock_ms();
	if (cancel)
		(void)PQcancel(cancel, why, sizeof(why)); /* sent again below while there is no answer */
	PQfreeCancel(cancel);
}

static void stop_call(struct db *db, enum stop why)
{
	if (db->stop == STOP_NONE) {
		db->stop = why;
		db->stopped_ms = clock_ms();
		db->signals = cancel_count();
		send_cancel(db);
	}
}

static void ask_watch(struct db *db, int64_t now)
{
	if (!db->watch || now - db->watched_ms < POLL_MS)
		return;
	db->why = (struct err)ERR_INIT;
	bool go_on = db->watch(db->watch_ctx, &db->why);
	db->watched_ms = clock_ms();
	if (!go_on)
		stop_call(db, STOP_WATCH);
}

/* Looks whether the call shall be stopped.  False: it was, long ago, and nothing came back. */
static bool look_for_stop(struct db *db)
{
	int64_t now = clock_ms();

	if (db->stop == STOP_NONE) {
		if (cancel_requested())
			stop_call(db, STOP_CANCEL);
		else if (db->deadline_ms > 0 && now - db->started_ms >= db->deadline_ms)
			stop_call(db, STOP_DEADLINE);
		else
			ask_watch(db, now);
		return true;
	}
	/* Whoever asks a second time does not want to wait for a server that does not answer. */
	if (now - db->stopped_ms >= CANCEL_GIVE_UP_MS || cancel_count() > db->signals)
		return false;
	if (now - db->cancelled_ms >= CANCEL_AGAIN_MS)
		send_cancel(db);
	return true;
}

/* Waits until the socket can be read (or written, when there is something to send), and reads. */
static bool wait_socket(struct db *db, bool writing, struct err *err)
{
	struct pollfd p = { .fd = PQsocket(db->conn), .events = (short)(POLLIN | (writing ? POLLOUT : 0)) };

	if (p.fd < 0)
		return fail_lost(db, PQerrorMessage(db->conn), err);
	for (;;) {
		if (!look_for_stop(db))
			return fail_lost(db, "no answer to a cancel request", err);
		int ready = poll(&p, 1, POLL_MS);
		if (ready < 0 && errno != EINTR)
			return err_sys(err, "cannot poll");
		if (ready > 0)
			break;
	}
	if ((p.revents & (POLLIN | POLLHUP | POLLERR)) && !PQconsumeInput(db->conn))
		return fail_lost(db, PQerrorMessage(db->conn), err);
	return true;
}

static bool flush(struct db *db, struct err *err)
{
	int left;

	while ((left = PQflush(db->conn)) > 0)
		if (!wait_socket(db, true, err))
			return false;
	/* A server that closed the connection may have said why: the results tell. */
	return left == 0 || PQstatus(db->conn) == CONNECTION_OK ||
	       fail_lost(db, PQerrorMessage(db->conn), err);
}

/* The next result of the running call, NULL after its last.  False: the connection is lost. */
static bool next_result(struct db *db, PGresult **res, struct err *err)
{
	while (PQisBusy(db->conn))
		if (!wait_socket(db, false, err))
			return false;
	*res = PQgetResult(db->conn);
	return true;
}

/* ------------------------------------------------------------------ results */

/* The rest of COPY TO STDOUT, dropped. */
static bool drop_copy_out(struct db *db, struct err *err)
{
	char *data;
	int got;

	while ((got = PQgetCopyData(db->conn, &data, 1)) >= 0) {
		if (got > 0)
			PQfreemem(data);
		else if (!wait_socket(db, false, err))
			return false;
	}
	return true;
}

static void keep_tag(struct db *db, PGresult *res)
{
	snprintf(db->tag, sizeof(db->tag), "%s", PQcmdStatus(res));
}

/* Reads and drops everything up to the end of the call, so that the connection can be used again.
 * The first error stays in err; a lost connection is one. */
static bool finish(struct db *db, struct err *err)
{
	bool ok = true;
	PGresult *res;

	for (;;) {
		if (!next_result(db, &res, err))
			return false;
		if (!res)
			break;
		ExecStatusType status = PQresultStatus(res);
		if (status == PGRES_FATAL_ERROR)
			ok = fail_result(db, res, err);
		if (status == PGRES_COMMAND_OK)
			keep_tag(db, res);
		PQclear(res);
		if (status == PGRES_COPY_IN && PQputCopyEnd(db->conn, "no data were given") < 0)
			return fail_lost(db, PQerrorMessage(db->conn), err);
		if (status == PGRES_COPY_IN && !flush(db, err))
			return false;
		if (status == PGRES_COPY_OUT && !drop_copy_out(db, err))
			return false;
	}
	return ok;
}

/* The end of every call: a connection that broke is said to be lost, whatever came last. */
static bool end_call(struct db *db, bool ok, struct err *err)
{
	if (db->lost || PQstatus(db->conn) != CONNECTION_BAD)
		return ok;
	return fail_lost(db, PQerrorMessage(db->conn), err);
}

static bool sent(struct db *db, int accepted, struct err *err)
{
	if (!accepted) {
		if (PQstatus(db->conn) == CONNECTION_BAD)
			return fail_lost(db, PQerrorMessage(db->conn), err);
		cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
		connect_add_line(&text, PQerrorMessage(db->conn));
		return err_set(err, ERR_DB, "cannot send the statement: %s", buf_text(&text));
	}
	return flush(db, err);
}

/* What on_result needs while a simple query's results come in. */
struct script {
	struct db *db;
	db_on_result *on_result;
	void *ctx;
	size_t index;
	bool ok;
};

static void script_result(struct script *s, PGresult *res, struct err *err)
{
	struct rows rows = { .res = res };

	keep_tag(s->db, res);
	if (s->ok && s->on_result)
		s->ok = s->on_result(s->ctx, s->index, s->db->tag, &rows, err);
	s->index++;
}

/* The result of a simple query that is a COPY: STDIN has no data here, STDOUT nobody who reads. */
static bool script_copy(struct db *db, ExecStatusType status, struct err *err)
{
	if (status == PGRES_COPY_OUT)
		return drop_copy_out(db, err);
	if (PQputCopyEnd(db->conn, "COPY FROM STDIN has no data here") < 0)
		return fail_lost(db, PQerrorMessage(db->conn), err);
	return flush(db, err);
}

static bool script_results(struct script *s, struct err *err)
{
	PGresult *res;

	for (;;) {
		if (!next_result(s->db, &res, err))
			return false;
		if (!res)
			return s->ok;
		ExecStatusType status = PQresultStatus(res);
		bool alive = true;
		if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
			script_result(s, res, err);
		else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
			alive = script_copy(s->db, status, err);
		else if (status != PGRES_EMPTY_QUERY)
			s->ok = fail_result(s->db, res, err);
		PQclear(res);
		if (!alive)
			return false;
	}
}

bool db_script(struct db *db, const char *sql, db_on_result *on_result, void *ctx, struct err *err)
{
	struct script s = { .db = db, .on_result = on_result, .ctx = ctx, .ok = true };

	if (!may_begin(db, err))
		return false;
	bool ok = sent(db, PQsendQuery(db->conn, sql), err) && script_results(&s, err);
	return end_call(db, ok, err);
}

bool db_run(struct db *db, const char *sql, struct err *err) { return db_script(db, sql, NULL, NULL, err); }

bool db_runf(struct db *db, struct err *err, const char *fmt, ...)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	va_list args;

	va_start(args, fmt);
	buf_vsql(&sql, fmt, &args);
	va_end(args);
	return db_run(db, buf_text(&sql), err);
}

void db_try(struct db *db, const char *sql)
{
	struct err ignored = ERR_INIT;

	if (!db->lost && !db_run(db, sql, &ignored))
		return; /* the first error is the one to tell */
}

bool db_start(struct db *db, const char *sql, struct err *err)
{
	if (!may_begin(db, err))
		return false;
	return end_call(db, sent(db, PQsendQuery(db->conn, sql), err), err);
}

bool db_is_busy(struct db *db) { return PQconsumeInput(db->conn) && PQisBusy(db->conn); }

bool db_finish(struct db *db, struct err *err)
{
	struct script s = { .db = db, .ok = true };

	return end_call(db, script_results(&s, err), err);
}

/* ------------------------------------------------------------------ one statement */

static struct rows *rows_new(PGresult *res)
{
	struct rows *r = mem_new0(sizeof(*r));

	r->res = res;
	return r;
}

/* The first result of a statement, when its status is one of the two.  The caller calls finish(). */
static bool first_result(struct db *db, ExecStatusType want, ExecStatusType or_want, PGresult **out,
                         struct err *err)
{
	PGresult *res;

	if (!next_result(db, &res, err))
		return false;
	ExecStatusType status = PQresultStatus(res);
	if (status == want || status == or_want) {
		keep_tag(db, res);
		*out = res;
		return true;
	}
	if (status == PGRES_FATAL_ERROR)
		fail_result(db, res, err);
	else
		err_set(err, ERR_DB, "the statement is not of the kind expected here (%s)",
		        PQresStatus(status));
	PQclear(res);
	return false;
}

/* Reads the call to its end also after a failure: an unread result would be taken for the next call's. */
static bool finish_and_end(struct db *db, bool ok, struct err *err)
{
	bool finished = db->lost || finish(db, err);

	return end_call(db, ok && finished, err);
}

bool db_query(struct db *db, const char *sql, const char *const *args, size_t n_args, struct rows **out,
              struct err *err)
{
	PGresult *res = NULL;

	if (!may_begin(db, err))
		return false;
	bool ok = sent(db, PQsendQueryParams(db->conn, sql, (int)n_args, NULL, args, NULL, NULL, 0), err) &&
	          first_result(db, PGRES_TUPLES_OK, PGRES_COMMAND_OK, &res, err);
	if (!finish_and_end(db, ok, err)) {
		PQclear(res);
		return false;
	}
	*out = rows_new(res);
	return true;
}

bool db_value(struct db *db, const char *sql, const char *const *args, size_t n_args, char **out,
              struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db, sql, args, n_args, &r, err))
		return false;
	if (rows_count(r) != 1 || rows_columns(r) != 1)
		return err_set(err, ERR_DB, "expected one row of one column, got %zu of %zu: %s",
		               rows_count(r), rows_columns(r), sql);
	*out = mem_strdup(rows_get(r, 0, 0));
	return true;
}

bool db_int(struct db *db, const char *sql, const char *const *args, size_t n_args, int64_t *out,
            struct err *err)
{
	cleanup_free char *text = NULL;

	if (!db_value(db, sql, args, n_args, &text, err))
		return false;
	if (!text || !text_to_int64(text, out))
		return err_set(err, ERR_DB, "expected a number, got %s: %s", text ? text : "NULL", sql);
	return true;
}

/* ------------------------------------------------------------------ pipelines */

/* Results come a statement at a time, each followed by NULL; after an error the rest of them are
 * PGRES_PIPELINE_ABORTED; PGRES_PIPELINE_SYNC is the end. */
static bool pipeline_results(struct db *db, size_t n, struct rows **rows, struct err *err)
{
	bool ok = true;
	PGresult *res;

	for (size_t i = 0; i <= n;) {
		if (!next_result(db, &res, err))
			return false;
		if (!res) {
			if (PQstatus(db->conn) == CONNECTION_BAD)
				return fail_lost(db, PQerrorMessage(db->conn), err);
			i++;
			continue;
		}
		ExecStatusType status = PQresultStatus(res);
		if (i < n && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)) {
			rows[i] = rows_new(res);
			continue;
		}
		if (status == PGRES_FATAL_ERROR) {
			ok = fail_result(db, res, err);
			db->error_statement = i;
		}
		PQclear(res);
		if (status == PGRES_PIPELINE_SYNC)
			return ok;
	}
	return fail_lost(db, "the answers to a pipeline do not match its statements", err);
}

static bool pipeline_send(struct db *db, const char *const *sql, size_t n, struct err *err)
{
	int accepted = 1;

	for (size_t i = 0; i < n && accepted; i++)
		accepted = PQsendQueryParams(db->conn, sql[i], 0, NULL, NULL, NULL, NULL, 0);
	return sent(db, accepted && PQpipelineSync(db->conn), err);
}

bool db_pipeline(struct db *db, const char *const *sql, size_t n, struct rows **rows, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		rows[i] = NULL;
	if (!may_begin(db, err))
		return false;
	if (!PQenterPipelineMode(db->conn))
		return fail_lost(db, PQerrorMessage(db->conn), err);

	bool ok = pipeline_send(db, sql, n, err) && pipeline_results(db, n, rows, err);
	ok = end_call(db, ok, err);
	if (!db->lost && !PQexitPipelineMode(db->conn))
		ok = fail_lost(db, PQerrorMessage(db->conn), err);
	for (size_t i = 0; i < n && !ok; i++) {
		rows_free(rows[i]);
		rows[i] = NULL;
	}
	return ok;
}

/* ------------------------------------------------------------------ COPY */

/* After a callback failed the server is asked to stop, and what is under way already is dropped. */
static bool hand_on(struct db *db, db_on_data *on_data, void *ctx, struct err *err)
{
	bool ok = true;
	char *data;
	int got;

	while ((got = PQgetCopyData(db->conn, &data, 1)) >= 0) {
		if (got == 0) {
			if (!wait_socket(db, false, err))
				return false;
			continue;
		}
		if (ok && !on_data(ctx, data, (size_t)got, err)) {
			ok = false;
			stop_call(db, STOP_CALLBACK);
		}
		PQfreemem(data);
	}
	return ok;
}

/* Sends a COPY statement and waits until the server is ready for its data. */
static bool begin_copy(struct db *db, const char *sql, ExecStatusType want, struct err *err)
{
	PGresult *res = NULL;
	bool ok = sent(db, PQsendQuery(db->conn, sql), err) && first_result(db, want, want, &res, err);

	PQclear(res);
	return ok;
}

bool db_copy_out(struct db *db, const char *sql, db_on_data *on_data, void *ctx, struct err *err)
{
	if (!may_begin(db, err))
		return false;
	bool ok = begin_copy(db, sql, PGRES_COPY_OUT, err) && hand_on(db, on_data, ctx, err);
	return finish_and_end(db, ok, err);
}

/* A chunk at a time, each sent before the next: libpq would otherwise hold all of it a second time. */
static bool put_data(struct db *db, const char *data, size_t len, struct err *err)
{
	while (len > 0 && db->stop == STOP_NONE) {
		size_t n = len < COPY_CHUNK ? len : COPY_CHUNK;
		if (PQputCopyData(db->conn, data, (int)n) <= 0)
			return fail_lost(db, PQerrorMessage(db->conn), err);
		if (!flush(db, err))
			return false;
		data += n;
		len -= n;
	}
	if (PQputCopyEnd(db->conn, len > 0 ? "cancelled" : NULL) <= 0)
		return fail_lost(db, PQerrorMessage(db->conn), err);
	return flush(db, err) && (len == 0 || fail_stopped(db, err));
}

bool db_copy_in(struct db *db, const char *sql, const char *data, size_t len, struct err *err)
{
	if (!may_begin(db, err))
		return false;
	bool ok = begin_copy(db, sql, PGRES_COPY_IN, err) && put_data(db, data, len, err);
	return finish_and_end(db, ok, err);
}

/* ------------------------------------------------------------------ connecting */

static void on_notice(void *arg, const PGresult *res)
{
	const struct db *db = arg;
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (db->notice)
		db->notice(db->notice_ctx, severity ? severity : "NOTICE", text ? text : "");
}

/* A pooler answers the login with a process id of its own making, in session mode as well: that one would do, but
 * nobody can tell it from transaction mode from here. */
static bool check_pooler(struct db *db, const struct conninfo *ci, struct err *err)
{
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db,
	              "SELECT pg_catalog.pg_backend_pid(), (SELECT (extract(epoch FROM backend_start) * "
	              "1000000)::pg_catalog.int8"
	              " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()))",
	              DB_NO_ARGS, &r, err))
		return err_wrap(err, "cannot connect to %s", conninfo_label(ci));
	db->backend_start_us = rows_int(r, 0, 1);
	if (rows_int(r, 0, 0) == PQbackendPID(db->conn))
		return true;
	err_set(err, ERR_REFUSED, "there is a connection pooler in front of %s", conninfo_label(ci));
	return err_hint(err,
	                "give ripcord the URL of the server itself: locks, timeouts and cancel requests need "
	                "one session from beginning to end; a pooler in session mode cannot be told from one "
	                "in transaction mode, so it is refused too");
}

bool db_open(const struct conninfo *ci, const char *application_name, struct db **out, struct err *err)
{
	PGconn *conn = connect_open(ci, application_name, err);
	if (!conn)
		return false;

	cleanup_db struct db *db = mem_new0(sizeof(*db));
	db->conn = conn;
	PQsetNoticeReceiver(conn, on_notice, db);
	if (PQsetnonblocking(conn, 1) < 0)
		return err_set(err, ERR_DB, "cannot use the connection to %s", conninfo_label(ci));
	if (!check_pooler(db, ci, err))
		return false;
	*out = db;
	db = NULL;
	return true;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	PQfinish(db->conn);
	free(db);
}

/* ------------------------------------------------------------------ questions */

int db_pid(const struct db *db) { return PQbackendPID(db->conn); }
int64_t db_backend_start_us(const struct db *db) { return db->backend_start_us; }
int db_server_version(const struct db *db) { return PQserverVersion(db->conn); }
bool db_is_lost(const struct db *db) { return db->lost; }
const char *db_tag(const struct db *db) { return db->tag; }
int db_error_position(const struct db *db) { return db->error_position; }
size_t db_error_statement(const struct db *db) { return db->error_statement; }
void db_set_deadline(struct db *db, int64_t deadline_ms) { db->deadline_ms = deadline_ms; }

char db_tx_status(const struct db *db)
{
	switch (PQtransactionStatus(db->conn)) {
	case PQTRANS_IDLE: return 'I';
	case PQTRANS_INTRANS: return 'T';
	case PQTRANS_INERROR: return 'E';
	case PQTRANS_ACTIVE:
	case PQTRANS_UNKNOWN: return '?';
	}
	return '?';
}

void db_on_notice(struct db *db, void (*notice)(void *ctx, const char *severity, const char *text), void *ctx)
{
	db->notice = notice;
	db->notice_ctx = ctx;
}

void db_hide_words(struct db *db, bool on) { db->hides_words = on; }

void db_on_wait(struct db *db, db_watch *watch, void *ctx)
{
	db->watch = watch;
	db->watch_ctx = ctx;
}
