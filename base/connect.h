/*
 * connect.h - the login of a connection, for db.c: what ours have unless the URL says otherwise, and what to look
 * at when there is none.
 */
#ifndef BASE_CONNECT_H
#define BASE_CONNECT_H

#include "base/buf.h"
#include "base/conninfo.h"
#include "base/err.h"

struct pg_conn; /* libpq's PGconn */

/* The caller's, for PQfinish(); NULL: err says why, and hints at what to look at. */
struct pg_conn *connect_open(const struct conninfo *ci, const char *application_name, struct err *err);

/* Text of libpq's on one line: it ends in a newline and may have several. */
void connect_add_line(struct buf *b, const char *text);

#endif
