/*
 * s3_config.h - what [store NAME] with type = s3 says, with the environment's and the protocol's defaults.
 */
#ifndef BACKUP_STORES_S3_CONFIG_H
#define BACKUP_STORES_S3_CONFIG_H

#include "backup/backup.h"
#include "backup/stores/notes.h"

#include <stdint.h>

/* Amazon S3 User Guide, "Amazon S3 multipart upload limits". */
#define S3_PARTS_MAX 10000
#define S3_PART_MAX  ((int64_t)5 << 30)

struct s3_config {
	char *bucket;
	char *prefix;       /* "" or ends with a slash */
	char *region;
	char *scheme, *host; /* of the endpoint: "https", "HOST" or "HOST:PORT" without the scheme's own port;
	                      * host NULL: AWS, by region */
	bool path_style;    /* the bucket stands in the path, not in the host's name */
	bool loopback;
	char *access_key, *secret_key, *session_token; /* as configured, NULL: found elsewhere */
	char *profile;      /* as configured, NULL: AWS_PROFILE, "default" */
	char *ca_file;      /* NULL: the system's authorities */
	struct note_place notes; /* of open uploads; its texts are the next two */
	char *state_dir, *place;
	int64_t part_size;
	int64_t stall_ms;
	int attempts;
};

extern const char *const s3_config_keys[]; /* NULL-terminated */

/* ERR_USAGE, naming the key; never a secret's value. */
MUST_CHECK bool s3_config_read(const struct store_config *c, struct s3_config *out, struct err *err);
void s3_config_clear(struct s3_config *c);

/* Whether a URL's plain-text bytes would stay on this machine: localhost, 127.0.0.0/8, [::1].
 * `host` as in a URL, with or without a port. */
bool s3_is_loopback(const char *host);
/* "https://HOST[:PORT]" split; a missing scheme is https.  ERR_USAGE for a path, a user, another scheme. */
MUST_CHECK bool s3_split_endpoint(const char *url, char **scheme, char **host, struct err *err);
/* The environment's value, NULL when unset or empty.  Borrowed. */
const char *s3_env(const char *name);

#endif
