/*
 * http.h - one HTTP request by libcurl; the only file that includes curl.h is http.c.
 *
 * TLS is verified; redirects are not followed; the answer's body is kept up to a maximum.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

#include <stdint.h>

struct http_request {
	const char *method;          /* "GET", "POST" ... */
	const char *url;
	const struct strv *headers;  /* "Name: value", may be NULL */
	const void *body;            /* may be NULL */
	size_t body_len;
	int64_t timeout_ms;          /* whole request; 0: 30 s */
};

/* True when an answer came, whatever its status.  body->max bounds the answer.
 * ERR_IO otherwise, ERR_CANCELLED on the deadline; the URL's user and password are not in the message. */
MUST_CHECK bool http_send(const struct http_request *req, int *status, struct buf *body, struct err *err);

#endif
