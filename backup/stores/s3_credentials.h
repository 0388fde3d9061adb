/*
 * s3_credentials.h - who we are to S3: keys found as the AWS SDKs find them, and fetched anew before they expire.
 *
 * In this order; the first that is configured counts, and when it fails that is the failure, for another one might be
 * another account:
 *   access_key, secret_key     of the store
 *   profile                    of the store
 *   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN: exchanged at STS
 *   ~/.aws/credentials, ~/.aws/config: keys, or a web identity
 *   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI
 *   instance metadata (IMDSv2), unless AWS_EC2_METADATA_DISABLED=true
 *
 * Source: AWS SDKs and Tools Reference Guide, "Standardized credential providers".  Files with tokens are read at
 * every fetch: their writer replaces them.  One thread at a time.
 */
#ifndef BACKUP_STORES_S3_CREDENTIALS_H
#define BACKUP_STORES_S3_CREDENTIALS_H

#include "backup/stores/s3_config.h"
#include "backup/stores/sigv4.h"

struct s3_credentials;

/* The configuration is borrowed.  Nothing is read or asked yet. */
struct s3_credentials *s3_credentials_new(const struct s3_config *config);
void s3_credentials_free(struct s3_credentials *c); /* NULL is fine; wipes them */

/* Keys that are good for minutes; borrowed until the next call.  ERR_BACKUP when there are none. */
MUST_CHECK bool s3_credentials_get(struct s3_credentials *c, struct sigv4_keys *out, struct err *err);
/* The server says that they are no good any more: the next get fetches. */
void s3_credentials_expire(struct s3_credentials *c);

#endif
