/*
 * transfer.h - bytes to and from a network server by libcurl: http, https and sftp.
 *
 *     transfer_start() -> transfer_write() ... -> transfer_answer()   the body is pushed, piece by piece
 *     transfer_start() -> transfer_answer() -> transfer_read() ...    the answer is pulled, piece by piece
 *     transfer_run()                                                  small bodies: all of it in one call
 *
 * A client is a set of kept connections.  Several transfers may run on one client: whichever call waits
 * moves them all.  One thread at a time drives a client; different clients fit different threads.
 * Memory: one piece of the caller's, and READ_AHEAD bytes (transfer.c) of an answer.
 *
 * TLS certificates and SSH host keys are always verified, redirects are not followed, no signal is used, and
 * a wait ends within 100 ms of a cancel request (base/cancel.h).  Nothing is tried twice: that is the caller's.
 *
 * Errors: ERR_CANCELLED for a cancel request alone.  ERR_REFUSED when the server is not who it should be, lets
 * us not in, or does not obey a command of sftp: a second attempt would end alike.  ERR_IO for all else: connections, a cut answer, and timeouts, which have
 * ETIMEDOUT in sys_errno.
 * An HTTP status is no error.  Messages name the URL without user, password and query; header lines
 * and bodies are never in them.
 */
#ifndef BASE_TRANSFER_H
#define BASE_TRANSFER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

#define TRANSFER_STREAM  (-1) /* body_len: transfer_write() gives the body; HTTP sends it in chunks */
#define TRANSFER_STALL_MS 60000

/* How sftp proves both sides.  All paths are borrowed and absolute, or of the working directory. */
struct transfer_ssh {
	const char *known_hosts;    /* as sshd(8) has it, hashed names too; needed: no other key is accepted */
	const char *key_file;       /* private key, NULL for none */
	const char *key_passphrase; /* NULL or "" for none */
	bool agent;                 /* SSH_AUTH_SOCK may be asked */
};

/* What is asked; everything is borrowed until transfer_free(). */
struct transfer_request {
	const char *method;          /* HTTP's; "PUT" uploads and "GET" downloads over sftp, "HEAD" only runs `before` */
	const char *url;             /* without user and password */
	const struct strv *headers;  /* "Name: value", sent as they are; NULL for none.  Without Expect and without
	                              * a Content-Type that is not among them */
	const void *body;            /* body_len bytes, sent again by libcurl when a kept connection had died; NULL: none */
	int64_t body_len;            /* or TRANSFER_STREAM with body NULL */
	int64_t stream_len;          /* of a streamed body when known: HTTP gets a Content-Length; 0: chunks */
	const char *range;           /* "OFFSET-" or "FIRST-LAST", NULL: whole.  HTTP: status 206 says that it was obeyed */
	const char *user, *password; /* HTTP: Basic, sent at once; sftp; NULL: none */
	bool direct;                 /* through no proxy, whatever the environment says: for this machine's own services */
	const char *ca_file;         /* PEM, instead of the system's authorities; NULL: these */
	const struct transfer_ssh *ssh; /* for sftp */
	/* SFTP commands (rename, rm, rmdir, mkdir, chmod: CURLOPT_QUOTE(3)) before and after the transfer; one with
	 * a `*` in front may fail.  NULL for none. */
	const struct strv *before, *after;
	int64_t timeout_ms;          /* whole transfer; 0: none */
	bool despite_cancel;         /* for cleaning up after a cancel: the timeouts alone end it */
	int64_t stall_ms;            /* not one byte moves while we wait; 0: TRANSFER_STALL_MS */
};

/* How a transfer came to its end. */
enum transfer_end {
	TRANSFER_RUNNING,
	TRANSFER_DONE,      /* HTTP: whatever the status */
	TRANSFER_MISSING,   /* sftp: no such file or folder */
	TRANSFER_TIMED_OUT, /* timeout_ms or stall_ms */
	TRANSFER_REFUSED,
	TRANSFER_BROKEN,
};

struct transfer_client;
struct transfer;

/* ERR_IO when libcurl cannot be used. */
MUST_CHECK bool transfer_client_new(struct transfer_client **out, struct err *err);
void transfer_client_free(struct transfer_client *c); /* NULL is fine; after its transfers */

/* Begins; nothing is waited for.  ERR_USAGE for a request that cannot be. */
MUST_CHECK bool transfer_start(struct transfer_client *c, const struct transfer_request *req,
                               struct transfer **out, struct err *err);
/* Returns when libcurl has given all of it to the system.  An answer that comes before the body's end makes it
 * false, ERR_IO: transfer_status() has it. */
MUST_CHECK bool transfer_write(struct transfer *t, const void *data, size_t len, struct err *err);
/* Ends the body, and waits until the status and the headers of the answer are there (sftp: the end of an upload,
 * the first bytes of a download; *status is 0). */
MUST_CHECK bool transfer_answer(struct transfer *t, int *status, struct err *err);
/* Some of the answer's body; *got = 0 is its end, and everything came. */
MUST_CHECK bool transfer_read(struct transfer *t, void *data, size_t cap, size_t *got, struct err *err);
int transfer_status(const struct transfer *t); /* HTTP: of the answer, 0 while there is none */
const char *transfer_header(const struct transfer *t, const char *name); /* of the answer, NULL when absent; borrowed */
enum transfer_end transfer_how(const struct transfer *t);
void transfer_free(struct transfer *t); /* ends it when it still runs, with its connection; NULL is fine */
static inline void cleanup_transfer_(struct transfer **t) { transfer_free(*t); }
#define cleanup_transfer __attribute__((cleanup(cleanup_transfer_)))

struct transfer_result {
	int status;
	enum transfer_end how;  /* also when transfer_run() failed */
	struct strv headers;    /* "Name: value" */
	struct buf body;        /* body.max bounds it: a longer answer is ERR_IO */
};
#define TRANSFER_RESULT_INIT(limit) { .body = BUF_INIT(limit) }

MUST_CHECK bool transfer_run(struct transfer_client *c, const struct transfer_request *req,
                             struct transfer_result *out, struct err *err);
/* Of "Name: value" lines; names are compared without case.  NULL when absent; borrowed. */
const char *transfer_header_in(const struct strv *headers, const char *name);
void transfer_result_clear(struct transfer_result *r); /* keeps the limit */
#define cleanup_transfer_result __attribute__((cleanup(transfer_result_clear)))

/* `text` with %XX for all but A-Z a-z 0-9 - . _ ~ and, when slashes, '/' (RFC 3986, 2.3).  The caller's. */
char *transfer_escape(const char *text, bool slashes);

#endif
