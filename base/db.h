/*
 * db.h - one connection to PostgreSQL; libpq-fe.h is included by db.c and what belongs to it alone
 * (connect.c, rows.c, and conninfo.c, which parses with it).
 *
 * Calls wait on the socket with poll, so that a cancel request (base/cancel.h) reaches the
 * server: PQcancel is sent, the answer is read to its end, ERR_CANCELLED is returned.  A further signal
 * gives up the wait for that answer: the connection counts as lost.
 * Text results only; rows belong to the caller.  Errors of the server carry SQLSTATE, the
 * message with DETAIL, and its HINT; a lost connection is ERR_DB with sqlstate "08006".
 * A call that begins while a cancel is requested sends nothing: the way back needs cancel_hold().
 */
#ifndef BASE_DB_H
#define BASE_DB_H

#include "base/conninfo.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;
struct rows;

/* Connects; a cancel request is seen when that is done or has failed.  connect_timeout 10 s unless the URL says otherwise; keepalives on; client_encoding
 * UTF8; application_name as given.  A pooler that answers with another backend's pid is
 * ERR_REFUSED (PQbackendPID against pg_backend_pid(); proof.md section 6). */
MUST_CHECK bool db_open(const struct conninfo *ci, const char *application_name, struct db **out,
                        struct err *err);
void db_close(struct db *db); /* NULL is fine; an open transaction is rolled back by the server */

/* One simple-query message of any number of statements; results are dropped. */
MUST_CHECK bool db_run(struct db *db, const char *sql, struct err *err);
/* db_run() of sql_fmt(); see base/sql.h for the conversions. */
MUST_CHECK bool db_runf(struct db *db, struct err *err, const char *fmt, ...);

/*
 * One simple-query message; each statement's result is handed to on_result in order (rows of a
 * SELECT, 0 columns otherwise).  A false from on_result is remembered; the rest of the message is
 * still read (the server has executed it), then false is returned.  An error of the server ends
 * the message.  COPY FROM STDIN is an error (there are no data), the rows of COPY TO STDOUT are dropped.
 */
typedef bool db_on_result(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err);
MUST_CHECK bool db_script(struct db *db, const char *sql, db_on_result *on_result, void *ctx, struct err *err);

/* For what is done after a first error, whose own failure changes nothing: ROLLBACK, the ending of a session. */
void db_try(struct db *db, const char *sql);

/* db_run() in two halves, for a statement that waits until another connection has done something: db_start()
 * only sends, db_finish() waits for the end; nothing else may be called in between but db_is_busy(). */
MUST_CHECK bool db_start(struct db *db, const char *sql, struct err *err);
bool db_is_busy(struct db *db);
MUST_CHECK bool db_finish(struct db *db, struct err *err);

/* One statement with parameters $1.. (NULL elements are SQL NULL), rows expected. */
#define DB_ARGS(...) (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)
#define DB_NO_ARGS NULL, 0
MUST_CHECK bool db_query(struct db *db, const char *sql, const char *const *args, size_t n_args,
                         struct rows **out, struct err *err);
/* As db_query(), for exactly one row and column.  *out is the caller's, NULL for SQL NULL. */
MUST_CHECK bool db_value(struct db *db, const char *sql, const char *const *args, size_t n_args,
                         char **out, struct err *err);
MUST_CHECK bool db_int(struct db *db, const char *sql, const char *const *args, size_t n_args,
                       int64_t *out, struct err *err);

/* Single statements without parameters, sent in libpq's pipeline mode: one round trip for all.
 * rows[i] (an array of n, filled with NULL first) belong to the caller; the first error stops the rest. */
MUST_CHECK bool db_pipeline(struct db *db, const char *const *sql, size_t n, struct rows **rows, struct err *err);
size_t db_error_statement(const struct db *db); /* from 0: which of the last pipeline's statements the server refused */

/* COPY ... TO STDOUT, handed on as it comes; COPY ... FROM STDIN, from memory. */
typedef bool db_on_data(void *ctx, const char *data, size_t len, struct err *err);
MUST_CHECK bool db_copy_out(struct db *db, const char *sql, db_on_data *on_data, void *ctx, struct err *err);
MUST_CHECK bool db_copy_in(struct db *db, const char *sql, const char *data, size_t len, struct err *err);

int db_pid(const struct db *db);            /* the backend's, as the server said at login */
/* When the backend began, microseconds since 1970 (pg_stat_activity.backend_start): with the pid it names one
 * session for ever, which the pid alone and application_name do not. */
int64_t db_backend_start_us(const struct db *db);
int db_server_version(const struct db *db); /* 150020 */
bool db_is_lost(const struct db *db);       /* the connection is gone: what became of the last statement is unknown */
/* libpq's view: 'I' idle, 'T' in a transaction, 'E' in a failed one, '?' lost (or in a callback of a call). */
char db_tx_status(const struct db *db);
const char *db_tag(const struct db *db);    /* command tag of the last statement ("COMMIT", "ROLLBACK", "UPDATE 1") */
int db_error_position(const struct db *db); /* 1-based character of the last error in its message's text, 0 for none */
/* Errors of the server may quote rows, in their message as in their DETAIL.  With `on` they have none of its words, only
 * SQLSTATE and the names of the constraint, table and column. */
void db_hide_words(struct db *db, bool on);
/* NOTICE, WARNING ... : severity and text; NULL drops them (the default). */
void db_on_notice(struct db *db, void (*notice)(void *ctx, const char *severity, const char *text), void *ctx);
/* Asked about ten times a second while a call waits for the server, and not before it has waited that long; it may
 * not use this connection.  False: the call is cancelled on the server, and fails with the watch's err.  NULL: none. */
typedef bool db_watch(void *ctx, struct err *err);
void db_on_wait(struct db *db, db_watch *watch, void *ctx);
/* How long every further call may take, in milliseconds, 0 for ever: then cancel and ERR_CANCELLED. */
void db_set_deadline(struct db *db, int64_t deadline_ms);

size_t rows_count(const struct rows *r);
size_t rows_columns(const struct rows *r);
const char *rows_get(const struct rows *r, size_t row, size_t column); /* NULL for SQL NULL; borrowed */
const char *rows_name(const struct rows *r, size_t column);
bool rows_is_bool(const struct rows *r, size_t column); /* the column's type is boolean (OID 16) */
int64_t rows_int(const struct rows *r, size_t row, size_t column); /* 0 for NULL; aborts on what is no number */
void rows_free(struct rows *r);

static inline void cleanup_db_(struct db **db) { db_close(*db); }
static inline void cleanup_rows_(struct rows **r) { rows_free(*r); }
#define cleanup_db   __attribute__((cleanup(cleanup_db_)))
#define cleanup_rows __attribute__((cleanup(cleanup_rows_)))

#endif
