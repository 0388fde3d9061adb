/* Credentials from every source, the three that are fetched against stand-ins of one process each. */
#include "backup/stores/s3_credentials.h"

#include "backup/stores/s3_profile.h"
#include "backup/stores/s3_sources.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];

static const char *const variables[] = { "AWS_ACCESS_KEY_ID",
	                                 "AWS_SECRET_ACCESS_KEY",
	                                 "AWS_SESSION_TOKEN",
	                                 "AWS_WEB_IDENTITY_TOKEN_FILE",
	                                 "AWS_ROLE_ARN",
	                                 "AWS_PROFILE",
	                                 "AWS_REGION",
	                                 "AWS_DEFAULT_REGION",
	                                 "AWS_ENDPOINT_URL",
	                                 "AWS_ENDPOINT_URL_S3",
	                                 "AWS_ENDPOINT_URL_STS",
	                                 "AWS_SHARED_CREDENTIALS_FILE",
	                                 "AWS_CONFIG_FILE",
	                                 "AWS_CA_BUNDLE",
	                                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	                                 "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	                                 "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	                                 "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	                                 "AWS_EC2_METADATA_SERVICE_ENDPOINT" };

/* Nothing of the machine's own: an empty home, and no metadata service unless a test starts one. */
static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	snprintf(folder, sizeof(folder), "s3credXXXXXX");
	if (!mkdtemp(folder))
		return -1;
	setenv("HOME", folder, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	return 0;
}

static int teardown(void **state)
{
	cleanup_free char *command = mem_fmt("rm -rf %s", folder);

	(void)state;
	return system(command);
}

static char *write_file(const char *name, const char *text)
{
	char *path = mem_fmt("%s/%s", folder, name);
	cleanup_free char *dir = path_dir(path);
	struct err err = ERR_INIT;

	assert_true(file_make_dirs(dir, 0700, &err));
	assert_true(file_replace(path, text, strlen(text), 0600, &err));
	return path;
}

static void set_url(const char *variable, const struct standin *s, const char *path)
{
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d%s", s->port, path);
	setenv(variable, url, 1);
}

static struct s3_config config_of(const char *key, const char *value)
{
	const char *const keys[] = { "bucket", key }, *const values[] = { "backups", value };
	const struct store_config c = {
		.name = "b", .type = "s3", .keys = keys, .values = values, .n = key ? 2 : 1
	};
	struct s3_config out;
	struct err err = ERR_INIT;

	assert_true(s3_config_read(&c, &out, &err));
	return out;
}

static void gives(struct s3_credentials *c, const char *access, const char *secret, const char *token)
{
	struct sigv4_keys keys;
	struct err err = ERR_INIT;

	if (!s3_credentials_get(c, &keys, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(keys.access_key, access);
	assert_string_equal(keys.secret_key, secret);
	if (token)
		assert_string_equal(keys.session_token, token);
	else
		assert_null(keys.session_token);
}

static void fails(const char *words, const char *never)
{
	struct s3_config config = config_of(NULL, NULL);
	struct s3_credentials *c = s3_credentials_new(&config);
	struct sigv4_keys keys;
	struct err err = ERR_INIT;

	assert_false(s3_credentials_get(c, &keys, &err));
	if (!strstr(err.msg, words))
		fail_msg("no \"%s\" in: %s", words, err.msg);
	if (never)
		assert_null(strstr(err.msg, never));
	s3_credentials_free(c);
	s3_config_clear(&config);
}

static void from_here(const char *access, const char *secret, const char *token)
{
	struct s3_config config = config_of(NULL, NULL);
	struct s3_credentials *c = s3_credentials_new(&config);

	gives(c, access, secret, token);
	s3_credentials_free(c);
	s3_config_clear(&config);
}

/* ------------------------------------------------------------------ what is written down */

static void the_environment(void **state)
{
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "A", 1);
	fails("AWS_SECRET_ACCESS_KEY", NULL);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	from_here("A", "S", NULL);
	setenv("AWS_SESSION_TOKEN", "T", 1);
	from_here("A", "S", "T");
	setenv("AWS_SESSION_TOKEN", "T\r\nx-evil: 1", 1);
	fails("no usable key", "evil");
}

static void nothing_at_all(void **state)
{
	(void)state;
	fails("no credentials", NULL);
}

static const char credentials[] = "; comment\n[default]\naws_access_key_id = D\naws_secret_access_key=DS\n"
				  "\n[ other ]\naws_access_key_id\t= O \naws_secret_access_key = O=S/+\n"
				  "aws_session_token = OT\n[process]\ncredential_process = /bin/evil\n";
static const char config_file[] = "[default]\nregion = eu-central-1\ns3 =\n  region = nested\n"
				  "[profile other]\nregion = eu-west-1\naws_secret_access_key = never\n";

static void profile_files(void **state)
{
	(void)state;
	free(write_file(".aws/credentials", credentials));
	free(write_file(".aws/config", config_file));
	from_here("D", "DS", NULL);
	setenv("AWS_PROFILE", "other", 1);
	from_here("O", "O=S/+", "OT");
	struct s3_config config = config_of(NULL, NULL);
	assert_string_equal(config.region, "eu-west-1");
	s3_config_clear(&config);
	setenv("AWS_PROFILE", "process", 1);
	fails("credential_process", "evil");
	setenv("AWS_PROFILE", "nobody", 1);
	fails("no profile \"nobody\"", NULL);
}

/* The store's own word goes before the environment's. */
static void a_profile_in_the_store(void **state)
{
	(void)state;
	cleanup_free char *path = write_file("elsewhere", credentials);

	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	setenv("AWS_ACCESS_KEY_ID", "A", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	struct s3_config config = config_of("profile", "default");
	struct s3_credentials *c = s3_credentials_new(&config);
	gives(c, "D", "DS", NULL);
	s3_credentials_free(c);
	s3_config_clear(&config);
	from_here("A", "S", NULL);
}

/* ------------------------------------------------------------------ what is fetched */

static char *in_seconds(int64_t s)
{
	char iso[CLOCK_ISO];

	return mem_fmt("%.19sZ", clock_iso(clock_wall_us() + s * 1000000, iso));
}

static char *sts(const char *access, const char *expires)
{
	cleanup_free char *body = mem_fmt(
		"<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId>"
		"<SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
		"<Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>",
		access, expires);
	return standin_answer(200, NULL, body);
}

static char *json(const char *access, const char *expires)
{
	cleanup_free char *body =
		mem_fmt("{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"S\","
	                "\"Token\":\"T\",\"Expiration\":\"%s\"}",
	                access, expires);
	return standin_answer(200, NULL, body);
}

static void was_asked(const struct standin *s, const char *text)
{
	if (!strstr(standin_asked(s), text))
		fail_msg("it was not asked \"%s\": %s", text, standin_asked(s));
}

/* The token's file is read again, and the role taken again, before the keys expire: not after. */
static void web_identity(void **state)
{
	(void)state;
	cleanup_free char *soon = in_seconds(200), *later = in_seconds(3600);
	cleanup_free char *first = sts("one", soon), *second = sts("two", later);
	cleanup_free char *busy = standin_answer(503, NULL, "");
	char *const answers[] = { busy, first, second };
	cleanup_free char *token = write_file("token", "tok/en+1\n");
	struct standin s;

	standin_start(&s, answers, COUNT(answers));
	set_url("AWS_ENDPOINT_URL_STS", &s, "");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token, 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	struct s3_config config = config_of(NULL, NULL);
	struct s3_credentials *c = s3_credentials_new(&config);
	gives(c, "one", "S", "T");
	gives(c, "one", "S", "T"); /* less than five minutes left, but asked just now */
	free(write_file("token", "tok/en+2\n"));
	s3_credentials_expire(c);
	gives(c, "two", "S", "T");
	gives(c, "two", "S", "T");
	assert_int_equal(standin_stop(&s), 3);
	was_asked(&s, "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr");
	was_asked(&s, "WebIdentityToken=tok%2Fen%2B1");
	was_asked(&s, "WebIdentityToken=tok%2Fen%2B2");
	standin_free(&s);
	s3_credentials_free(c);
	s3_config_clear(&config);
}

static void web_identity_is_refused(void **state)
{
	(void)state;
	cleanup_free char *no = standin_answer(403, NULL,
	                                       "<ErrorResponse><Error><Code>AccessDenied</Code>"
	                                       "<Message>Not authorized</Message></Error></ErrorResponse>");
	char *const answers[] = { no };
	cleanup_free char *token = write_file("token", "t0ken");
	struct standin s;

	standin_start(&s, answers, 1);
	set_url("AWS_ENDPOINT_URL_STS", &s, "");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token, 1);
	setenv("AWS_ROLE_ARN", "arn", 1);
	fails("AccessDenied: Not authorized", "t0ken");
	assert_int_equal(standin_stop(&s), 1);
	standin_free(&s);
	setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.org", 1);
	fails("must be https", NULL);
}

static void a_container(void **state)
{
	(void)state;
	cleanup_free char *later = in_seconds(3600), *good = json("C", later);
	char *const answers[] = { good };
	cleanup_free char *token = write_file("token", "Bearer x\n");
	struct standin s;

	standin_start(&s, answers, 1);
	set_url("AWS_CONTAINER_CREDENTIALS_FULL_URI", &s, "/v2/creds?id=1");
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token, 1);
	from_here("C", "S", "T");
	assert_int_equal(standin_stop(&s), 1);
	was_asked(&s, "GET /v2/creds?id=1 HTTP/1.1\r\n");
	was_asked(&s, "Authorization: Bearer x\r\n");
	standin_free(&s);
	static const char *const elsewhere[] = { "http://example.org/x", "ftp://127.0.0.1/",
		                                 "http://127.0.0.1@evil/", "http://169.254.170.2.evil/" };
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", elsewhere[i], 1);
		fails("must be https, or on this machine", NULL);
	}
}

static void an_instance(void **state)
{
	(void)state;
	cleanup_free char *later = in_seconds(3600), *good = json("I", later);
	cleanup_free char *session = standin_answer(200, NULL, "imds-token");
	cleanup_free char *role = standin_answer(200, NULL, "my-role\n");
	char *const answers[] = { session, role, good };
	struct standin s;

	setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
	standin_start(&s, answers, COUNT(answers));
	set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", &s, "/");
	from_here("I", "S", "T");
	assert_int_equal(standin_stop(&s), 3);
	was_asked(&s, "PUT /latest/api/token HTTP/1.1\r\n");
	was_asked(&s, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
	was_asked(&s, "GET /latest/meta-data/iam/security-credentials/my-role HTTP/1.1\r\n");
	was_asked(&s, "x-aws-ec2-metadata-token: imds-token\r\n");
	standin_free(&s);
}

/* Version 1 would be asked without a token: never. */
static void an_instance_without_version_2(void **state)
{
	(void)state;
	cleanup_free char *no = standin_answer(404, NULL, "x");
	char *const answers[] = { no, no };
	struct standin s;

	setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
	standin_start(&s, answers, COUNT(answers));
	set_url("AWS_EC2_METADATA_SERVICE_ENDPOINT", &s, "");
	fails("instance metadata", NULL);
	assert_int_equal(standin_stop(&s), 1);
	standin_free(&s);
}

static void times_of_expiry(void **state)
{
	(void)state;
	assert_int_equal(s3_time_us("1970-01-01T00:00:01Z"), 1000000);
	assert_int_equal(s3_time_us("2026-11-22T10:15:00.123Z"), INT64_C(1795342500) * 1000000);
	assert_int_equal(s3_time_us("2026-11-22"), 0);
	assert_int_equal(s3_time_us("2026-11-22T10:15:00+01:00"), 0);
	assert_int_equal(s3_time_us(NULL), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_environment),
		CASE(nothing_at_all),
		CASE(profile_files),
		CASE(a_profile_in_the_store),
		CASE(web_identity),
		CASE(web_identity_is_refused),
		CASE(a_container),
		CASE(an_instance),
		CASE(an_instance_without_version_2),
		CASE(times_of_expiry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
