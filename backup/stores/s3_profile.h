/*
 * s3_profile.h - the AWS tools' own files: ~/.aws/credentials ([NAME]) and ~/.aws/config ([profile NAME]).
 *
 * AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name others.  Source: AWS SDKs and Tools Reference Guide, "Shared
 * config and credentials files".  The credentials file wins where both have a key.
 */
#ifndef BACKUP_STORES_S3_PROFILE_H
#define BACKUP_STORES_S3_PROFILE_H

#include "base/err.h"

struct s3_profile {
	char *access_key, *secret_key, *session_token;
	char *region;
	char *role_arn, *token_file, *session_name; /* web identity */
	char *unsupported; /* the first key that asks for what ripcord does not do: credential_process, sso_... */
	bool found;        /* a section of that name is in one of the files */
};

/* `configured` NULL: AWS_PROFILE, else "default".  Borrowed. */
const char *s3_profile_name(const char *configured);
/* A file that is not there is an empty one.  ERR_USAGE for one that cannot be read. */
MUST_CHECK bool s3_profile_read(const char *name, struct s3_profile *out, struct err *err);
/* NULL when there is none, or when the files cannot be read: who needs them says so.  The caller's. */
char *s3_profile_region(const char *configured);
void s3_profile_clear(struct s3_profile *p);
#define cleanup_s3_profile __attribute__((cleanup(s3_profile_clear)))

#endif
