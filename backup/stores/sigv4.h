/*
 * sigv4.h - AWS Signature Version 4 for S3 and STS: one request, signed in its Authorization header.
 *
 * Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)" in the Amazon S3 API
 * Reference.  libcurl's own signing is not used: 7.88 (Debian 12) signs several S3 requests wrongly.
 */
#ifndef BACKUP_STORES_SIGV4_H
#define BACKUP_STORES_SIGV4_H

#include "base/strv.h"

#include <stdint.h>

struct sigv4_keys {
	const char *access_key, *secret_key;
	const char *session_token; /* NULL: none */
};

struct sigv4_request {
	const char *method;
	const char *path;    /* as it is sent: percent-encoded once, '/' kept, begins with one */
	const char *query;   /* as it is sent: sigv4_query(), "" for none */
	const char *payload; /* hex SHA-256 of the body, or what x-amz-content-sha256 says in its place */
	const char *region, *service;
	int64_t at_us; /* now, by the server's clock; it allows 15 minutes */
};

/* Adds x-amz-date, x-amz-security-token where there is one, and Authorization to the "name: value" lines.
 * All lines are signed, so they are sent as they are and `host` must be among them; no name twice. */
void sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *keys, struct strv *headers);

/* Of name, value, name, value ...: encoded, sorted by name and then value, "name=" where a value is empty.
 * The caller's. */
char *sigv4_query(const struct strv *pairs);

#endif
