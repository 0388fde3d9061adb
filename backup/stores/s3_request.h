/*
 * s3_request.h - one request to S3: addressed, signed, sent, tried again where that makes sense, and judged.
 *
 * Every attempt is signed anew.  Tried again, with full jitter, a bounded number of times and a bounded time: broken
 * connections, silence, cut answers, 5xx, 429, 408, and the codes that S3 documents as passing (SlowDown,
 * RequestTimeout, OperationAborted ...).  Once each: a clock that is wrong (the server's is taken over), credentials
 * that have expired (they are fetched), another region (the answer names it).  All else ends it at once.
 *
 * A 2xx whose body is an <Error> is an error: S3 answers so when something breaks after it began to answer
 * ("CompleteMultipartUpload" in the Amazon S3 API Reference).  No object of ours is XML; the bytes of a range (206)
 * are not looked at.
 */
#ifndef BACKUP_STORES_S3_REQUEST_H
#define BACKUP_STORES_S3_REQUEST_H

#include "backup/stores/s3_config.h"
#include "base/transfer.h"

#include <stdatomic.h>

#define S3_ANSWER_MAX ((size_t)16 << 20) /* a listing of 1,000 keys of 1,024 bytes, encoded, has some 5 MB */
#define S3_CODE       64

/* What the requests of a store have in common.  Threads may share it when each has a transfer client of its own. */
struct s3_client;

struct s3_call {
	const char *method;
	const char *key;            /* of the object, prefix included; NULL: the bucket */
	const struct strv *query;   /* name, value, name, value ... */
	const struct strv *headers; /* "name: value", signed */
	const char *range;          /* "FIRST-LAST" */
	const void *body;           /* NULL: none */
	size_t body_len;
	int attempts;               /* 0: as configured */
	int patience;               /* times the configured stall_timeout; 0: once */
	bool despite_cancel;        /* cleaning up */
	const atomic_bool *stop;    /* no further attempt once it is true; may be NULL */
};

struct s3_answer {
	struct transfer_result http; /* of the last attempt */
	char code[S3_CODE];          /* S3's word for the error; "" for none */
	bool passing;                /* the last failure is of a kind that passes: another attempt may succeed */
	bool maybe_done;             /* an attempt was sent whose outcome nobody knows: it may have taken effect */
};
#define S3_ANSWER_INIT(limit) { .http = TRANSFER_RESULT_INIT(limit) }
#define cleanup_s3_answer __attribute__((cleanup(s3_answer_clear)))
void s3_answer_clear(struct s3_answer *a);

/* The configuration is borrowed. */
MUST_CHECK bool s3_client_new(const struct s3_config *config, struct s3_client **out, struct err *err);
void s3_client_free(struct s3_client *c);
const struct s3_config *s3_client_config(const struct s3_client *c);

/* True for a 2xx that is none in disguise.  http NULL: the client's own connections, for the main thread.
 * ERR_BACKUP says what was asked, and the server's code and words; ERR_CANCELLED. */
MUST_CHECK bool s3_send(struct s3_client *c, struct transfer_client *http, const struct s3_call *call,
                        struct s3_answer *answer, struct err *err);

/* "bucket/key" for messages.  The caller's. */
char *s3_place(const struct s3_client *c, const char *key);

#endif
