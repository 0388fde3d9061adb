#include "backup/stores/s3_credentials.h"

#include "backup/stores/s3_profile.h"
#include "backup/stores/s3_sources.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Fetched anew this long before they expire, so that no request is signed with keys that die on the way. */
#define RENEW_BEFORE_US (INT64_C(5) * 60 * 1000000)
/* A source that hands out keys with less than that left is not asked at every request. */
#define RENEW_EVERY_MS 15000

struct s3_credentials {
	const struct s3_config *config;
	struct s3_keys keys;
	bool expired;       /* said by the server */
	int64_t fetched_ms; /* last attempt, 0 for none */
};

/* ------------------------------------------------------------------ the sources, in order */

struct source {
	const char *name; /* for messages */
	bool (*applies)(const struct s3_config *c);
	bool (*fetch)(const struct s3_config *c, struct s3_keys *out, struct err *err);
};

static bool has_keys(const struct s3_config *c) { return c->access_key != NULL; }

static bool fetch_keys(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	(void)err;
	*out = (struct s3_keys){ .access_key = mem_strdup(c->access_key),
		                 .secret_key = mem_strdup(c->secret_key),
		                 .session_token = mem_strdup(c->session_token) };
	return true;
}

static bool has_profile(const struct s3_config *c) { return c->profile != NULL; }

static bool profile_keys(const struct s3_config *c, struct s3_profile *p, struct s3_keys *out,
                         struct err *err)
{
	const char *name = s3_profile_name(c->profile);

	if (p->access_key && p->secret_key) {
		*out = (struct s3_keys){ .access_key = mem_strdup(p->access_key),
			                 .secret_key = mem_strdup(p->secret_key),
			                 .session_token = mem_strdup(p->session_token) };
		return true;
	}
	if (p->token_file && p->role_arn) {
		const struct s3_web_identity who = { .token_file = p->token_file,
			                             .role_arn = p->role_arn,
			                             .session_name = p->session_name,
			                             .region = c->region,
			                             .ca_file = c->ca_file };
		return s3_fetch_web_identity(&who, out, err);
	}
	if (p->unsupported) {
		err_set(err, ERR_USAGE, "profile \"%s\" uses %s, which ripcord does not do", name,
		        p->unsupported);
		return err_hint(
			err,
			"put keys into the environment, for example with aws configure export-credentials");
	}
	return err_set(err, ERR_USAGE, p->found ? "profile \"%s\" has no keys" : "there is no profile \"%s\"",
	               name);
}

static bool fetch_profile(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	cleanup_s3_profile struct s3_profile p = { .found = false };

	return s3_profile_read(s3_profile_name(c->profile), &p, err) && profile_keys(c, &p, out, err);
}

static bool has_env(const struct s3_config *c)
{
	(void)c;
	return s3_env("AWS_ACCESS_KEY_ID") != NULL;
}

static bool fetch_env(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	(void)c;
	if (!s3_env("AWS_SECRET_ACCESS_KEY"))
		return err_set(err, ERR_USAGE, "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not");
	*out = (struct s3_keys){ .access_key = mem_strdup(s3_env("AWS_ACCESS_KEY_ID")),
		                 .secret_key = mem_strdup(s3_env("AWS_SECRET_ACCESS_KEY")),
		                 .session_token = mem_strdup(s3_env("AWS_SESSION_TOKEN")) };
	return true;
}

static bool has_web_identity(const struct s3_config *c)
{
	(void)c;
	return s3_env("AWS_WEB_IDENTITY_TOKEN_FILE") && s3_env("AWS_ROLE_ARN");
}

static bool fetch_web_identity(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	const struct s3_web_identity who = { .token_file = s3_env("AWS_WEB_IDENTITY_TOKEN_FILE"),
		                             .role_arn = s3_env("AWS_ROLE_ARN"),
		                             .session_name = s3_env("AWS_ROLE_SESSION_NAME"),
		                             .region = c->region,
		                             .ca_file = c->ca_file };

	return s3_fetch_web_identity(&who, out, err);
}

/* A profile that somebody named must be there; `default` only when a file has it with something of use. */
static bool has_files(const struct s3_config *c)
{
	cleanup_s3_profile struct s3_profile p = { .found = false };
	struct err ignored = ERR_INIT;

	if (s3_env("AWS_PROFILE"))
		return true;
	return s3_profile_read(s3_profile_name(c->profile), &p, &ignored) &&
	       (p.access_key || p.token_file || p.unsupported);
}

static bool has_container(const struct s3_config *c)
{
	(void)c;
	return s3_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
	       s3_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

static bool fetch_container(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	(void)c;
	return s3_fetch_container(out, err);
}

static bool has_instance(const struct s3_config *c)
{
	const char *off = s3_env("AWS_EC2_METADATA_DISABLED");

	(void)c;
	return !off || strcmp(off, "true") != 0;
}

static bool fetch_instance(const struct s3_config *c, struct s3_keys *out, struct err *err)
{
	(void)c;
	return s3_fetch_instance(out, err) ||
	       err_hint(err, "no other credentials are configured: access_key and secret_key of the store, "
	                     "AWS_ACCESS_KEY_ID, or ~/.aws/credentials");
}

static const struct source sources[] = {
	{ "access_key", has_keys, fetch_keys },
	{ "profile", has_profile, fetch_profile },
	{ "AWS_ACCESS_KEY_ID", has_env, fetch_env },
	{ "web identity", has_web_identity, fetch_web_identity },
	{ "profile", has_files, fetch_profile },
	{ "container", has_container, fetch_container },
	{ "instance metadata", has_instance, fetch_instance },
};

static const struct source *find_source(const struct s3_config *c)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (sources[i].applies(c))
			return &sources[i];
	return NULL;
}

/* ------------------------------------------------------------------ keeping them fresh */

struct s3_credentials *s3_credentials_new(const struct s3_config *config)
{
	struct s3_credentials *c = mem_new0(sizeof(*c));

	c->config = config;
	return c;
}

void s3_credentials_free(struct s3_credentials *c)
{
	if (!c)
		return;
	s3_keys_clear(&c->keys);
	free(c);
}

void s3_credentials_expire(struct s3_credentials *c) { c->expired = true; }

/* A line break in a key would begin another header. */
static bool is_plain(const char *text) { return text && *text && !strpbrk(text, "\r\n"); }

static bool fetch(struct s3_credentials *c, struct err *err)
{
	const struct source *s = find_source(c->config);
	struct s3_keys fresh = { .access_key = NULL };

	c->fetched_ms = clock_ms();
	if (!s)
		return err_set(err, ERR_BACKUP, "no credentials for S3 are configured");
	if (!s->fetch(c->config, &fresh, err))
		return err_wrap(err, "credentials by %s", s->name);
	if (!is_plain(fresh.access_key) || !is_plain(fresh.secret_key) ||
	    (fresh.session_token && !is_plain(fresh.session_token))) {
		s3_keys_clear(&fresh);
		return err_set(err, ERR_BACKUP, "credentials by %s: there is no usable key among them",
		               s->name);
	}
	s3_keys_clear(&c->keys);
	c->keys = fresh;
	c->expired = false;
	return true;
}

static bool are_good_for(const struct s3_credentials *c, int64_t us)
{
	return c->keys.access_key && !c->expired &&
	       (c->keys.expires_us == 0 || clock_wall_us() + us < c->keys.expires_us);
}

/* Keys that still hold are used while their source is out of order, or gives no better ones. */
bool s3_credentials_get(struct s3_credentials *c, struct sigv4_keys *out, struct err *err)
{
	struct err why = ERR_INIT;
	bool usable = are_good_for(c, 0);
	bool asked_lately = c->fetched_ms > 0 && clock_ms() - c->fetched_ms < RENEW_EVERY_MS;

	if (!are_good_for(c, RENEW_BEFORE_US) && !(usable && asked_lately) && !fetch(c, &why) && !usable) {
		*err = why;
		return false;
	}
	*out = (struct sigv4_keys){ .access_key = c->keys.access_key,
		                    .secret_key = c->keys.secret_key,
		                    .session_token = c->keys.session_token };
	return true;
}
