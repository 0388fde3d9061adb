/* store_keys.c - what a [store NAME] of another type than file may say; the stores themselves know it (stores/store.h),
 * and a test asks them for each of these. */
#include "runner/config_keys.h"

#define S3   "store NAME, type = s3"
#define SFTP "store NAME, type = sftp"
#define HTTP "store NAME, type = http"

const struct config_key store_keys[] = {
	{ S3, "type", "s3", "s3", "a bucket of Amazon S3, or of a server that speaks its protocol" },
	{ S3, "bucket", "", "name", "it must be there already" },
	{ S3, "prefix", "", "text", "folder in the bucket; give a bucket that holds other things one" },
	{ S3, "region", "us-east-1", "text",
	  "empty: AWS_REGION, AWS_DEFAULT_REGION, the profile's, and then the default" },
	{ S3, "endpoint", "", "URL",
	  "another server, as https://HOST:PORT; empty: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, and then "
	  "AWS" },
	{ S3, "addressing", "auto", "auto | path | virtual",
	  "whether the bucket stands in the path or in front of the host's name; auto: in the path for an "
	  "endpoint of one's own" },
	{ S3, "allow_http", "no", "yes | no", "take an endpoint without TLS that is not this machine" },
	{ S3, "ca_file", "", "path", "certificates that are trusted in place of the system's" },
	{ S3, "access_key", "", "text", "with secret_key; empty: found as the AWS tools find theirs" },
	{ S3, "secret_key", "", "text", "best as ${NAME}" },
	{ S3, "session_token", "", "text", "of temporary keys" },
	{ S3, "profile", "", "name",
	  "of ~/.aws/credentials and ~/.aws/config, before the environment's keys" },
	{ S3, "part_size", "16MiB", "size",
	  "of a part of a large object; two are in memory. Amazon S3 takes no less than 5MiB" },
	{ S3, "attempts", "10", "number", "tries of a request that failed in a way that passes" },
	{ S3, "stall_timeout", "30s", "duration",
	  "a connection is given up on which nothing moves for this long" },
	{ SFTP, "type", "sftp", "sftp", "a folder on an SSH server" },
	{ SFTP, "host", "", "name", "the server; IPv6 addresses without brackets" },
	{ SFTP, "port", "22", "number", "its port" },
	{ SFTP, "user", "", "name", "who logs in" },
	{ SFTP, "path", "", "path",
	  "the folder there, made when it is missing; without a slash in front: below the login's home" },
	{ SFTP, "key_file", "", "path", "private key; ed25519 and ECDSA are sure to work" },
	{ SFTP, "key_passphrase", "", "text", "of the private key; best as ${NAME}" },
	{ SFTP, "password", "", "text", "instead of a key; best as ${NAME}" },
	{ SFTP, "agent", "", "yes | no",
	  "ask the SSH agent; empty: when there is neither key_file nor password" },
	{ SFTP, "known_hosts_file", "", "path", "the server's key must be in it; empty: ~/.ssh/known_hosts" },
	{ SFTP, "attempts", "5", "number", "of a small request, before it has failed" },
	{ SFTP, "stall_timeout", "60s", "duration", "without a byte moving, before a transfer has failed" },
	{ HTTP, "type", "http", "http", "a collection on a WebDAV server" },
	{ HTTP, "url", "", "URL", "https://HOST/PATH; the collection is made when it is missing" },
	{ HTTP, "user", "", "name", "for basic authentication" },
	{ HTTP, "password", "", "text", "of that user; best as ${NAME}" },
	{ HTTP, "token", "", "text", "instead of a user: sent as a bearer token; best as ${NAME}" },
	{ HTTP, "ca_file", "", "path", "certificates that are trusted in place of the system's" },
	{ HTTP, "allow_http", "no", "yes | no", "take a URL without TLS that is not this machine" },
	{ HTTP, "attempts", "5", "number", "of a small request, before it has failed" },
	{ HTTP, "stall_timeout", "60s", "duration", "without a byte moving, before a transfer has failed" },
};
const size_t store_keys_count = sizeof(store_keys) / sizeof(store_keys[0]);
