#include "backup/stores/s3_config.h"

#include "backup/stores/s3_profile.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A backup of 62 GiB fits before parts grow (s3_upload.c); two such buffers are held. */
#define PART_DEFAULT "16MiB"
/* S3 itself refuses parts below 5 MiB, but the last; other servers do not. */
#define PART_MIN ((int64_t)16 << 10)

#define ATTEMPTS_DEFAULT "10"
#define STALL_DEFAULT    "30s"
#define REGION_DEFAULT   "us-east-1"

const char *const s3_config_keys[] = { "bucket",    "endpoint",   "region",     "prefix",        "addressing",
	                               "part_size", "access_key", "secret_key", "session_token", "profile",
	                               "ca_file",   "allow_http", "attempts",   "stall_timeout", NULL };

const char *s3_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* ------------------------------------------------------------------ addresses */

static size_t host_len(const char *host)
{
	const char *bracket = *host == '[' ? strchr(host, ']') : NULL;

	return bracket ? (size_t)(bracket + 1 - host) : strcspn(host, ":");
}

static bool host_is(const char *host, const char *name)
{
	return strlen(name) == host_len(host) && strncasecmp(host, name, strlen(name)) == 0;
}

static bool is_ip(const char *host) { return *host == '[' || strspn(host, "0123456789.") == host_len(host); }

bool s3_is_loopback(const char *host)
{
	return host_is(host, "localhost") || host_is(host, "[::1]") ||
	       (is_ip(host) && text_starts(host, "127."));
}

static bool host_is_sound(const char *host)
{
	size_t len = host_len(host);
	const char *port = host + len;
	int64_t number;

	if (len == 0 ||
	    strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_[]:") !=
	            strlen(host))
		return false;
	return *port == '\0' ||
	       (*port == ':' && text_to_int64(port + 1, &number) && number > 0 && number < 65536);
}

bool s3_split_endpoint(const char *url, char **scheme, char **host, struct err *err)
{
	const char *mark = strstr(url, "://");
	cleanup_free char *before = mark ? mem_strndup(url, (size_t)(mark - url)) : mem_strdup("https");
	cleanup_free char *rest = mem_strdup(mark ? mark + 3 : url);

	if (text_ends(rest, "/"))
		rest[strlen(rest) - 1] = '\0';
	if ((strcmp(before, "https") != 0 && strcmp(before, "http") != 0) || !host_is_sound(rest))
		return err_set(err, ERR_USAGE,
		               "an endpoint is https://HOST or https://HOST:PORT, and no more");
	/* libcurl leaves a scheme's own port out of the Host header, which is signed. */
	const char *own = strcmp(before, "https") == 0 ? ":443" : ":80";
	if (text_ends(rest, own) && strlen(rest) - strlen(own) == host_len(rest))
		rest[host_len(rest)] = '\0';
	for (char *p = rest; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	*scheme = mem_strdup(before);
	*host = mem_strdup(rest);
	return true;
}

/* ------------------------------------------------------------------ values */

/* NULL when absent or empty. */
static const char *get(const struct store_config *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i], key) == 0)
			return *c->values[i] ? c->values[i] : NULL;
	return NULL;
}

static const char *get_or(const struct store_config *c, const char *key, const char *fallback)
{
	const char *value = get(c, key);

	return value ? value : fallback;
}

static bool read_numbers(const struct store_config *c, struct s3_config *s, struct err *err)
{
	int64_t attempts;

	if (!text_to_size(get_or(c, "part_size", PART_DEFAULT), &s->part_size) || s->part_size < PART_MIN ||
	    s->part_size > S3_PART_MAX)
		return err_set(err, ERR_USAGE,
		               "part_size must be a size from 16KiB (5MiB for Amazon S3) to 5GiB");
	if (!text_to_duration_ms(get_or(c, "stall_timeout", STALL_DEFAULT), &s->stall_ms) ||
	    s->stall_ms < 100)
		return err_set(err, ERR_USAGE, "stall_timeout must be a duration of at least 100ms");
	if (!text_to_int64(get_or(c, "attempts", ATTEMPTS_DEFAULT), &attempts) || attempts < 1 ||
	    attempts > 100)
		return err_set(err, ERR_USAGE, "attempts must be a number from 1 to 100");
	s->attempts = (int)attempts;
	return true;
}

/* Amazon S3 User Guide, "Bucket naming rules"; older buckets had capitals and underscores. */
static bool read_bucket(const struct store_config *c, struct s3_config *s, struct err *err)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	const char *bucket = get(c, "bucket");

	if (!bucket)
		return err_set(err, ERR_USAGE, "a store of type s3 needs a bucket");
	if (strspn(bucket, plain) != strlen(bucket) || strlen(bucket) < 3 || bucket[0] == '.')
		return err_set(err, ERR_USAGE, "'%s' cannot be a bucket's name", bucket);
	s->bucket = mem_strdup(bucket);
	return true;
}

/* Kept as a folder: without slashes in front, with one at the end. */
static bool read_prefix(const struct store_config *c, struct s3_config *s, struct err *err)
{
	const char *prefix = get_or(c, "prefix", "");

	prefix += strspn(prefix, "/");
	size_t len = strlen(prefix);
	while (len > 0 && prefix[len - 1] == '/')
		len--;
	s->prefix = len > 0 ? mem_fmt("%.*s/", (int)len, prefix) : mem_strdup("");
	if (strstr(s->prefix, "//") || strstr(s->prefix, "./"))
		return err_set(err, ERR_USAGE, "prefix has an empty part, or one that ends with a dot");
	return true;
}

static bool read_endpoint(const struct store_config *c, struct s3_config *s, struct err *err)
{
	const char *url = get(c, "endpoint");
	bool allow_http = false;

	if (!text_to_bool(get_or(c, "allow_http", "no"), &allow_http))
		return err_set(err, ERR_USAGE, "allow_http must be yes or no");
	if (!url)
		url = s3_env("AWS_ENDPOINT_URL_S3");
	if (!url)
		url = s3_env("AWS_ENDPOINT_URL");
	if (!url) {
		s->scheme = mem_strdup("https");
		return true;
	}
	if (!s3_split_endpoint(url, &s->scheme, &s->host, err) || !s->host)
		return false;
	s->loopback = s3_is_loopback(s->host);
	if (strcmp(s->scheme, "http") == 0 && !s->loopback && !allow_http) {
		err_set(err, ERR_USAGE, "the endpoint http://%s would send backups in plain text", s->host);
		return err_hint(err, "use https, or allow_http = yes on a network that nobody else reads");
	}
	return true;
}

/* A name in front of the host must be a DNS label, or certificates for *.HOST do not match. */
static bool is_label(const char *bucket)
{
	return bucket[strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool read_addressing(const struct store_config *c, struct s3_config *s, struct err *err)
{
	const char *how = get_or(c, "addressing", "auto");

	if (strcmp(how, "auto") == 0)
		s->path_style = s->host || !is_label(get_or(c, "bucket", ""));
	else if (strcmp(how, "path") == 0)
		s->path_style = true;
	else if (strcmp(how, "virtual") != 0)
		return err_set(err, ERR_USAGE, "addressing must be auto, path or virtual, not \"%s\"", how);
	if (!s->path_style && s->host && is_ip(s->host))
		return err_set(err, ERR_USAGE, "addressing = virtual needs an endpoint with a name");
	return true;
}

static bool read_keys(const struct store_config *c, struct s3_config *s, struct err *err)
{
	s->access_key = mem_strdup(get(c, "access_key"));
	s->secret_key = mem_strdup(get(c, "secret_key"));
	s->session_token = mem_strdup(get(c, "session_token"));
	s->profile = mem_strdup(get(c, "profile"));
	s->ca_file = mem_strdup(get_or(c, "ca_file", s3_env("AWS_CA_BUNDLE")));
	s->state_dir = mem_strdup(c->state_dir);
	if (!s->access_key != !s->secret_key)
		return err_set(err, ERR_USAGE, "access_key and secret_key go together");
	if (s->session_token && !s->access_key)
		return err_set(err, ERR_USAGE, "session_token needs access_key and secret_key");
	if (s->profile && s->access_key)
		return err_set(err, ERR_USAGE, "either profile, or access_key and secret_key");
	return true;
}

/* Of the section, the environment, the profile. */
static void read_region(const struct store_config *c, struct s3_config *s)
{
	const char *region = get(c, "region");

	if (!region)
		region = s3_env("AWS_REGION");
	if (!region)
		region = s3_env("AWS_DEFAULT_REGION");
	s->region = region ? mem_strdup(region) : s3_profile_region(s->profile);
	if (!s->region)
		s->region = mem_strdup(REGION_DEFAULT);
}

bool s3_config_read(const struct store_config *c, struct s3_config *out, struct err *err)
{
	struct s3_config s = { .bucket = NULL };

	if (read_bucket(c, &s, err) && read_prefix(c, &s, err) && read_endpoint(c, &s, err) &&
	    read_addressing(c, &s, err) && read_keys(c, &s, err) && read_numbers(c, &s, err)) {
		read_region(c, &s);
		s.place = mem_fmt("%s/%s", s.host ? s.host : "aws", s.bucket);
		s.notes = (struct note_place){ s.state_dir, "s3", s.place };
		*out = s;
		return true;
	}
	s3_config_clear(&s);
	return err_wrap(err, "[store %s]", c->name);
}

static void wipe(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

void s3_config_clear(struct s3_config *c)
{
	free(c->bucket);
	free(c->prefix);
	free(c->region);
	free(c->scheme);
	free(c->host);
	free(c->access_key);
	wipe(c->secret_key);
	wipe(c->session_token);
	free(c->profile);
	free(c->ca_file);
	free(c->state_dir);
	free(c->place);
	*c = (struct s3_config){ .bucket = NULL };
}
