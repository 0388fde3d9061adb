/* The S3 store against prepared answers: what is tried again and what is not, and that no answer is believed blindly. */
#include "backup/stores/s3_config.h"
#include "backup/stores/notes.h"
#include "backup/stores/s3_upload.h"
#include "backup/stores/store.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECRET   "s3cr3t/key"

static struct stores stores;
static struct standin standin;
static char state_dir[64]; /* "" for none */

/* ------------------------------------------------------------------ the store and its stand-in */

static bool open_store(const char *const *pairs, struct stores *out, struct err *err)
{
	const char *keys[16], *values[16];
	size_t n = 0;

	for (; pairs[2 * n]; n++) {
		keys[n] = pairs[2 * n];
		values[n] = pairs[2 * n + 1];
	}
	const struct store_config c = { .name = "bucket",
		                        .type = "s3",
		                        .keys = keys,
		                        .values = values,
		                        .n = n,
		                        .state_dir = *state_dir ? state_dir : NULL };
	return stores_open(&c, 1, out, err);
}

static struct store *start(char *const *answers, size_t n)
{
	char endpoint[64];
	struct err err = ERR_INIT;

	standin_start(&standin, answers, n);
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", standin.port);
	const char *const pairs[] = { "bucket",     "backups",  "endpoint",  endpoint,     "prefix",
		                      "/a/b//",     "attempts", "3",         "access_key", "AKID",
		                      "secret_key", SECRET,     "part_size", "16KiB",      "stall_timeout",
		                      "300ms",      NULL };
	if (!open_store(pairs, &stores, &err))
		fail_msg("%s", err.msg);
	return stores.v[0];
}

/* All answers were asked for, and no more. */
static void stop(size_t n)
{
	int asked = standin_stop(&standin);

	if (asked != (int)n)
		fail_msg("%d requests, not %zu: %s", asked, n, standin_asked(&standin));
	assert_null(strstr(standin_asked(&standin), SECRET));
	stores_close(&stores);
}

static void was_asked(const char *text)
{
	if (!strstr(standin_asked(&standin), text))
		fail_msg("it was not asked \"%s\": %s", text, standin_asked(&standin));
}

static void done(void) { standin_free(&standin); }

static char *fault(int status, const char *code)
{
	cleanup_free char *body = mem_fmt("<Error><Code>%s</Code><Message>so it is</Message></Error>", code);

	return standin_answer(status, NULL, body);
}

static void free_all(char **answers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(answers[i]);
}

/* store_put() with these answers; whether it went well, and what was said. */
static bool put(char **answers, size_t n, struct err *err)
{
	struct store *s = start(answers, n);
	bool ok = store_put(s, "db/b/manifest.json", "{}", 2, err);

	stop(n);
	free_all(answers, n);
	assert_null(strstr(err->msg, SECRET));
	return ok;
}

/* ------------------------------------------------------------------ the configuration */

static void is_refused(const char *const *pairs, const char *words)
{
	struct stores none = { .v = NULL };
	struct err err = ERR_INIT;

	assert_false(open_store(pairs, &none, &err));
	assert_int_equal(err.code, ERR_USAGE);
	if (!strstr(err.msg, words))
		fail_msg("no \"%s\" in: %s", words, err.msg);
	assert_non_null(strstr(err.msg, "[store bucket]"));
	assert_null(strstr(err.msg, SECRET));
}

static void mistakes_are_named(void **state)
{
	(void)state;
	const char *const none[] = { "region", "r", NULL };
	const char *const name[] = { "bucket", "a/b", NULL };
	const char *const plain[] = { "bucket", "backups", "endpoint", "http://s3.example.org", NULL };
	const char *const almost[] = { "bucket", "backups", "endpoint", "http://127.0.0.1.example.org",
		                       NULL };
	const char *const user[] = { "bucket", "backups", "endpoint", "https://u:" SECRET "@h", NULL };
	const char *const path[] = { "bucket", "backups", "endpoint", "https://h/path", NULL };
	const char *const half[] = { "bucket", "backups", "secret_key", SECRET, NULL };
	const char *const small[] = { "bucket", "backups", "part_size", "1KiB", NULL };
	const char *const how[] = { "bucket", "backups", "addressing", "dns", NULL };
	const char *const ip[] = { "bucket",     "backups", "endpoint", "https://10.0.0.1",
		                   "addressing", "virtual", NULL };
	const char *const dots[] = { "bucket", "backups", "prefix", "a/../b", NULL };

	is_refused(none, "needs a bucket");
	is_refused(name, "bucket's name");
	is_refused(plain, "plain text");
	is_refused(almost, "plain text");
	is_refused(user, "an endpoint is");
	is_refused(path, "an endpoint is");
	is_refused(half, "go together");
	is_refused(small, "part_size");
	is_refused(how, "addressing");
	is_refused(ip, "endpoint with a name");
	is_refused(dots, "prefix");
}

static struct s3_config config_of(const char *bucket, const char *endpoint, const char *addressing)
{
	const char *const keys[] = { "bucket", "endpoint", "addressing", "allow_http" };
	const char *const values[] = { bucket, endpoint, addressing, "yes" };
	const struct store_config c = { .name = "b", .type = "s3", .keys = keys, .values = values, .n = 4 };
	struct s3_config out;
	struct err err = ERR_INIT;

	if (!s3_config_read(&c, &out, &err))
		fail_msg("%s", err.msg);
	return out;
}

static void addresses(void **state)
{
	static const struct {
		const char *bucket, *endpoint, *addressing, *host;
		bool path;
	} cases[] = {
		{ "backups", "", "auto", NULL, false },
		{ "my.backups", "", "auto", NULL, true },
		{ "backups", "https://S3.example.org:443/", "auto", "s3.example.org", true },
		{ "backups", "s3.example.org:9000", "virtual", "s3.example.org:9000", false },
		{ "backups", "http://localhost:80", "auto", "localhost", true },
		{ "backups", "http://[::1]:9000", "auto", "[::1]:9000", true },
		{ "backups", "http://10.0.0.1", "path", "10.0.0.1", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct s3_config c = config_of(cases[i].bucket, cases[i].endpoint, cases[i].addressing);
		assert_int_equal(c.path_style, cases[i].path);
		if (cases[i].host)
			assert_string_equal(c.host, cases[i].host);
		else
			assert_null(c.host);
		s3_config_clear(&c);
	}
}

/* Equal parts as long as possible, some servers ask for that; then room for the rest. */
static void parts_grow(void **state)
{
	int64_t mib = 1 << 20, total = 0;

	(void)state;
	assert_int_equal(s3_part_size(16 * mib, 1), 16 * mib);
	assert_int_equal(s3_part_size(16 * mib, 4000), 16 * mib);
	assert_int_equal(s3_part_size(16 * mib, 4001), 32 * mib);
	assert_int_equal(s3_part_size(16 * mib, 5001), 64 * mib);
	assert_int_equal(s3_part_size(16 * mib, 10000), 1024 * mib);
	assert_int_equal(s3_part_size(S3_PART_MAX, 9000), S3_PART_MAX);
	for (size_t n = 1; n <= S3_PARTS_MAX; n++)
		total += s3_part_size(16 * mib, n);
	assert_true(total > (INT64_C(2) << 40) - (INT64_C(40) << 30));
}

/* ------------------------------------------------------------------ again, or not */

static void what_passes_is_tried_again(void **state)
{
	(void)state;
	char *answers[] = { fault(503, "SlowDown"), NULL, standin_answer(200, "ETag: \"x\"\r\n", "") };
	struct err err = ERR_INIT;

	if (!put(answers, 3, &err))
		fail_msg("%s", err.msg);
	was_asked("PUT /backups/a/b/db/b/manifest.json HTTP/1.1\r\n");
	was_asked("Content-MD5: mZFLkyvTelC5g8XnyQrpOw==\r\n"); /* of {} */
	was_asked(
		"x-amz-content-sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\r\n");
	done();
}

static void attempts_are_counted(void **state)
{
	(void)state;
	char *answers[] = { fault(500, "InternalError"), standin_answer(429, NULL, ""),
		            fault(503, "SlowDown") };
	struct err err = ERR_INIT;

	assert_false(put(answers, 3, &err));
	assert_int_equal(err.code, ERR_BACKUP);
	assert_non_null(strstr(err.msg, "after 3 attempts"));
	assert_non_null(strstr(err.msg, "status 503 SlowDown: so it is"));
	done();
}

static void what_does_not_pass_is_not_tried_again(void **state)
{
	static const struct {
		int status;
		const char *code;
	} cases[] = { { 403, "AccessDenied" },           { 400, "EntityTooLarge" },
		      { 404, "NoSuchBucket" },           { 507, "InsufficientStorage" },
		      { 501, "NotImplemented" },         { 403, "SignatureDoesNotMatch" },
		      { 409, "BucketAlreadyOwnedByYou" } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *answers[] = { fault(cases[i].status, cases[i].code) };
		struct err err = ERR_INIT;
		assert_false(put(answers, 1, &err));
		assert_int_equal(err.code, ERR_BACKUP);
		assert_non_null(strstr(err.msg, cases[i].code));
		done();
	}
}

static void an_error_with_status_200_is_one(void **state)
{
	(void)state;
	char *answers[] = { fault(200, "InternalError"), fault(200, "Whatever"),
		            standin_answer(200, NULL, "") };
	struct err err = ERR_INIT;

	assert_true(put(answers, 3, &err));
	done();
}

/* The signature's date is then the server's. */
static void a_wrong_clock_is_put_right(void **state)
{
	(void)state;
	char *answers[] = { standin_answer(403, "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
		                           "<Error><Code>RequestTimeTooSkewed</Code></Error>"),
		            standin_answer(200, NULL, "") };
	struct err err = ERR_INIT;

	assert_true(put(answers, 2, &err));
	was_asked("x-amz-date: 20130524T00000");
	done();
}

static void a_wrong_clock_is_put_right_once(void **state)
{
	(void)state;
	char *answers[2];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 2; i++)
		answers[i] = standin_answer(403, "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
		                            "<Error><Code>RequestTimeTooSkewed</Code></Error>");
	assert_false(put(answers, 2, &err));
	done();
}

static void another_region_is_learned(void **state)
{
	(void)state;
	char *answers[] = { standin_answer(400, NULL,
		                           "<Error><Code>AuthorizationHeaderMalformed</Code>"
		                           "<Region>eu-west-3</Region></Error>"),
		            standin_answer(200, NULL, "") };
	struct err err = ERR_INIT;

	assert_true(put(answers, 2, &err));
	was_asked("/us-east-1/s3/aws4_request");
	was_asked("/eu-west-3/s3/aws4_request");
	done();
}

static void a_redirect_is_not_followed(void **state)
{
	(void)state;
	char *answers[] = { standin_answer(307, "Location: http://127.0.0.1:1/\r\n", "") };
	struct err err = ERR_INIT;

	assert_false(put(answers, 1, &err));
	assert_non_null(strstr(err.msg, "status 307"));
	done();
}

/* ------------------------------------------------------------------ listing */

static void a_listing_goes_on_to_its_end(void **state)
{
	(void)state;
	char *answers[] = {
		standin_answer(
			200, NULL,
			"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
			"<NextContinuationToken>a+b/=</NextContinuationToken>"
			"<Contents><Key>a/b/db/one%2Btwo/backup.tar</Key></Contents>"
			"<Contents><Key>a/b/db/one+two/manifest.json</Key></Contents>"
			"<Contents><Key>a/b/deep/er/than/ours</Key></Contents>"
			"<Contents><Key>a/b/</Key></Contents></ListBucketResult>"),
		standin_answer(200, NULL,
		               "<ListBucketResult><IsTruncated>false</IsTruncated>"
		               "<Contents><Key>a/b/db/c%2B/x</Key></Contents></ListBucketResult>"),
	};
	cleanup_strv struct strv keys = STRV_INIT;
	struct err err = ERR_INIT;
	struct store *s = start(answers, 2);

	if (!store_list(s, &keys, &err))
		fail_msg("%s", err.msg);
	stop(2);
	assert_int_equal(keys.n, 3);
	assert_string_equal(keys.v[0], "db/one+two/backup.tar");
	assert_string_equal(keys.v[1], "db/one two/manifest.json");
	assert_string_equal(keys.v[2], "db/c%2B/x"); /* not encoded: the page does not say so */
	was_asked("GET /backups?encoding-type=url&list-type=2&max-keys=1000&prefix=a%2Fb%2F HTTP/1.1\r\n");
	was_asked("continuation-token=a%2Bb%2F%3D&");
	done();
	free_all(answers, 2);
}

/* An empty or a cut list would say that there are no backups. */
static void a_listing_that_is_none_is_an_error(void **state)
{
	static const char *const bodies[] = {
		"", "<html/>", "<ListBucketResult>",
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char *answers[] = { standin_answer(200, NULL, bodies[i]) };
		cleanup_strv struct strv keys = STRV_INIT;
		struct err err = ERR_INIT;
		struct store *s = start(answers, 1);
		assert_false(store_list(s, &keys, &err));
		assert_int_equal(err.code, ERR_BACKUP);
		stop(1);
		done();
		free(answers[0]);
	}
}

/* ------------------------------------------------------------------ reading */

static bool get(char **answers, size_t n, struct buf *out, struct err *err)
{
	struct store *s = start(answers, n);
	bool ok = store_get(s, "db/b/o", out, err);

	stop(n);
	free_all(answers, n);
	return ok;
}

static void ranges_are_put_together(void **state)
{
	(void)state;
	char *answers[] = {
		standin_answer(206, "ETag: \"e\"\r\nContent-Range: bytes 0-4/11\r\n", "hello"), NULL,
		standin_answer(206, "ETag: \"e\"\r\nContent-Range: bytes 5-10/11\r\n", " world")
	};
	cleanup_buf struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	if (!get(answers, 3, &b, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(buf_text(&b), "hello world");
	was_asked("Range: bytes=0-1048575\r\n");
	was_asked("Range: bytes=5-8388612\r\n");
	was_asked("If-Match: \"e\"\r\n");
	done();
}

static void an_empty_object_is_empty(void **state)
{
	(void)state;
	char *answers[] = { fault(416, "InvalidRange") };
	cleanup_buf struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	assert_true(get(answers, 1, &b, &err));
	assert_int_equal(b.len, 0);
	done();
}

/* No object of ours begins so: a manifest that is an error's text would be called damaged. */
static void a_server_without_ranges(void **state)
{
	(void)state;
	char *answers[] = { fault(200, "InternalError"), standin_answer(200, NULL, "whole") };
	cleanup_buf struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	assert_true(get(answers, 2, &b, &err));
	assert_string_equal(buf_text(&b), "whole");
	done();
}

static void other_bytes_than_asked_for_are_an_error(void **state)
{
	static const char *const headers[] = { "Content-Range: bytes 1-5/11\r\n",
		                               "Content-Range: bytes 0-9/11\r\n",
		                               "Content-Range: bytes 0-4/*\r\n",
		                               "Content-Range: bytes 0-4/4\r\n", NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		char *answers[] = { standin_answer(206, headers[i], "hello") };
		cleanup_buf struct buf b = BUF_INIT(100);
		struct err err = ERR_INIT;
		assert_false(get(answers, 1, &b, &err));
		assert_non_null(strstr(err.msg, "other bytes"));
		done();
	}
}

static void an_object_that_changes_while_it_is_read_is_an_error(void **state)
{
	(void)state;
	char *answers[] = { standin_answer(206, "ETag: \"e\"\r\nContent-Range: bytes 0-4/11\r\n", "hello"),
		            fault(412, "PreconditionFailed") };
	cleanup_buf struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	assert_false(get(answers, 2, &b, &err));
	assert_non_null(strstr(err.hint, "replaced"));
	done();
}

/* ------------------------------------------------------------------ open uploads */

static char *uploads_page(void)
{
	cleanup_free char *body = mem_fmt(
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
		"<Upload><Key>a/b/db-1/20200101T000000Z-base-00c0ffee/backup.tar</Key><UploadId>old</"
		"UploadId>"
		"<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>a/b/db-1/20200101T000000Z-base-00c0ffee/notes.txt</Key><UploadId>other</"
		"UploadId>"
		"<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>a/b/somebody/elses/backup.tar</Key><UploadId>other</UploadId>"
		"<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>c/db-1/20200101T000000Z-base-00c0ffee/backup.tar</Key><UploadId>other</"
		"UploadId>"
		"<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>a/b/db-1/20200101T000000Z-base-00c0ffee/backup.tar.age</Key><UploadId>young</"
		"UploadId>"
		"<Initiated>2999-01-01T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>");

	return standin_answer(200, NULL, body);
}

/* Only what is old, under our prefix, and named as ours. */
static void old_uploads_of_ours_are_swept(void **state)
{
	(void)state;
	char *answers[] = { uploads_page(), standin_answer(204, NULL, ""), fault(404, "NoSuchUpload") };
	struct upload *u = NULL;
	struct err err = ERR_INIT;
	struct store *s = start(answers, 3);

	assert_true(upload_begin(s, "db/b/backup.tar", &u, &err));
	upload_abort(&u);
	stop(3);
	was_asked("GET /backups?max-uploads=1000&prefix=a%2Fb%2F&uploads= HTTP/1.1\r\n");
	was_asked("DELETE /backups/a/b/db-1/20200101T000000Z-base-00c0ffee/backup.tar?uploadId=old "
	          "HTTP/1.1\r\n");
	assert_null(strstr(standin_asked(&standin), "uploadId=other"));
	assert_null(strstr(standin_asked(&standin), "uploadId=young"));
	done();
	free_all(answers, 3);
}

static bool take_all(void *ctx, const char *key, const struct strv *ids)
{
	struct strv *seen = ctx;

	strv_add(seen, key);
	strv_add_all(seen, ids);
	return true;
}

/* A note belongs to whoever lives; of the dead it tells, once, and only about its own bucket. */
static void notes_of_the_dead_are_read(void **state)
{
	(void)state;
	struct s3_config mine = config_of("backups", "http://127.0.0.1:1", "auto");
	struct s3_config other = config_of("others", "http://127.0.0.1:1", "auto");
	cleanup_strv struct strv seen = STRV_INIT;
	struct note *note = NULL;
	struct err err = ERR_INIT;

	mine.notes.state_dir = mine.state_dir = mem_strdup(state_dir);
	other.notes.state_dir = other.state_dir = mem_strdup(state_dir);
	pid_t child = fork();
	if (child == 0) { /* dies with its note open */
		bool ok = note_begin(&mine.notes, "a/key", &note, &err) && note_add(note, "id1", &err) &&
		          note_begin(&mine.notes, "a/second", &note, &err);
		_exit(ok ? 0 : 1);
	}
	int status = 1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(note_begin(&mine.notes, "a/living", &note, &err));
	notes_visit(&other.notes, take_all, &seen);
	assert_int_equal(seen.n, 0);
	notes_visit(&mine.notes, take_all, &seen);
	assert_int_equal(seen.n, 3);
	assert_true(strv_has(&seen, "a/key") && strv_has(&seen, "id1") && strv_has(&seen, "a/second"));
	notes_visit(&mine.notes, take_all, &seen);
	assert_int_equal(seen.n, 3);
	note_end(note, false);
	notes_visit(&mine.notes, take_all, &seen);
	assert_true(strv_has(&seen, "a/living"));
	s3_config_clear(&mine);
	s3_config_clear(&other);
}

static int make_state(void **state)
{
	(void)state;
	snprintf(state_dir, sizeof(state_dir), "s3stateXXXXXX");
	return mkdtemp(state_dir) ? 0 : -1;
}

static int drop_state(void **state)
{
	cleanup_free char *uploads = mem_fmt("%s/uploads", state_dir);
	int rc = rmdir(uploads) == 0 && rmdir(state_dir) == 0 ? 0 : -1; /* fails when a note is left */

	(void)state;
	state_dir[0] = '\0';
	return rc;
}

int main(void)
{
	static const char *const variables[] = { "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		                                 "AWS_REGION",       "AWS_DEFAULT_REGION",
		                                 "AWS_PROFILE",      "AWS_CA_BUNDLE",
		                                 "http_proxy",       "all_proxy" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(addresses),
		cmocka_unit_test(parts_grow),
		cmocka_unit_test(what_passes_is_tried_again),
		cmocka_unit_test(attempts_are_counted),
		cmocka_unit_test(what_does_not_pass_is_not_tried_again),
		cmocka_unit_test(an_error_with_status_200_is_one),
		cmocka_unit_test(a_wrong_clock_is_put_right),
		cmocka_unit_test(a_wrong_clock_is_put_right_once),
		cmocka_unit_test(another_region_is_learned),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(a_listing_goes_on_to_its_end),
		cmocka_unit_test(a_listing_that_is_none_is_an_error),
		cmocka_unit_test(ranges_are_put_together),
		cmocka_unit_test(an_empty_object_is_empty),
		cmocka_unit_test(a_server_without_ranges),
		cmocka_unit_test(other_bytes_than_asked_for_are_an_error),
		cmocka_unit_test(an_object_that_changes_while_it_is_read_is_an_error),
		cmocka_unit_test(old_uploads_of_ours_are_swept),
		cmocka_unit_test_setup_teardown(notes_of_the_dead_are_read, make_state, drop_state),
	};

	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
