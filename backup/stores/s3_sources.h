/*
 * s3_sources.h - where credentials are fetched from: STS, the container's endpoint, the instance's metadata.
 *
 * ERR_BACKUP with the source's name and the server's words, never a token or a key.
 */
#ifndef BACKUP_STORES_S3_SOURCES_H
#define BACKUP_STORES_S3_SOURCES_H

#include "base/err.h"

#include <stdint.h>

struct s3_keys {
	char *access_key, *secret_key, *session_token; /* token NULL: none */
	int64_t expires_us;                            /* 0: never */
};

void s3_keys_clear(struct s3_keys *k); /* wiped */

struct s3_web_identity {
	const char *token_file, *role_arn;
	const char *session_name; /* NULL: "ripcord" */
	const char *region, *ca_file;
};

MUST_CHECK bool s3_fetch_web_identity(const struct s3_web_identity *who, struct s3_keys *out, struct err *err);
MUST_CHECK bool s3_fetch_container(struct s3_keys *out, struct err *err);
MUST_CHECK bool s3_fetch_instance(struct s3_keys *out, struct err *err);

/* "2026-11-22T10:15:00Z", fractions of a second left out; 0 when it is no such time. */
int64_t s3_time_us(const char *iso);

#endif
