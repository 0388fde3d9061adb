/* AWS's published examples: the S3 API Reference ("Examples: Signature Calculations") and the aws-sig-v4-test-suite. */
#include "backup/stores/sigv4.h"

#include "base/cleanup.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EMPTY    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct example {
	const char *method, *path;
	const char *query[5];   /* name, value ... */
	const char *headers[5]; /* host is added */
	const char *payload, *signed_headers, *signature;
};

static const struct example s3_examples[] = {
	{ "GET",
	  "/test.txt",
	  { NULL },
	  { "Range: bytes=0-9", "x-amz-content-sha256: " EMPTY },
	  EMPTY,
	  "host;range;x-amz-content-sha256;x-amz-date",
	  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ "PUT",
	  "/test%24file.text",
	  { NULL },
	  { "Date: Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class: REDUCED_REDUNDANCY",
	    "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" },
	  "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
	  "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
	{ "GET",
	  "/",
	  { "lifecycle", "" },
	  { "x-amz-content-sha256: " EMPTY },
	  EMPTY,
	  "host;x-amz-content-sha256;x-amz-date",
	  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
	{ "GET",
	  "/",
	  { "prefix", "J", "max-keys", "2" },
	  { "x-amz-content-sha256: " EMPTY },
	  EMPTY,
	  "host;x-amz-content-sha256;x-amz-date",
	  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

static const struct example suite[] = {
	{ "GET",
	  "/",
	  { NULL },
	  { NULL },
	  EMPTY,
	  "host;x-amz-date",
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "GET",
	  "/",
	  { "Param2", "value2", "Param1", "value1" },
	  { NULL },
	  EMPTY,
	  "host;x-amz-date",
	  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "POST",
	  "/",
	  { NULL },
	  { NULL },
	  EMPTY,
	  "host;x-amz-date",
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
};

static void is_signed_so(const struct example *e, const char *host, const struct sigv4_keys *keys,
                         struct sigv4_request r)
{
	cleanup_strv struct strv pairs = STRV_INIT, headers = STRV_INIT;

	strv_fmt(&headers, "Host: %s", host);
	for (size_t i = 0; e->headers[i]; i++)
		strv_add(&headers, e->headers[i]);
	for (size_t i = 0; e->query[i]; i++)
		strv_add(&pairs, e->query[i]);
	cleanup_free char *query = sigv4_query(&pairs);
	r.method = e->method;
	r.path = e->path;
	r.query = query;
	r.payload = e->payload;
	sigv4_sign(&r, keys, &headers);
	const char *last = headers.v[headers.n - 1];
	assert_non_null(strstr(last, "Authorization: AWS4-HMAC-SHA256 Credential="));
	assert_non_null(strstr(last, e->signed_headers));
	assert_string_equal(strstr(last, "Signature=") + strlen("Signature="), e->signature);
	assert_null(strstr(last, keys->secret_key));
}

static void examples_of_the_s3_reference(void **state)
{
	(void)state;
	const struct sigv4_keys keys = { .access_key = "AKIAIOSFODNN7EXAMPLE",
		                         .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
	const struct sigv4_request r = { .region = "us-east-1",
		                         .service = "s3",
		                         .at_us = INT64_C(1369353600) * 1000000 }; /* 2013-05-24 */

	for (size_t i = 0; i < COUNT(s3_examples); i++)
		is_signed_so(&s3_examples[i], "examplebucket.s3.amazonaws.com", &keys, r);
}

static void examples_of_the_test_suite(void **state)
{
	(void)state;
	const struct sigv4_keys keys = { .access_key = "AKIDEXAMPLE",
		                         .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
	const struct sigv4_request r = { .region = "us-east-1",
		                         .service = "service",
		                         .at_us = INT64_C(1440938160) * 1000000 }; /* 20150830T123600Z */

	for (size_t i = 0; i < COUNT(suite); i++)
		is_signed_so(&suite[i], "example.amazonaws.com", &keys, r);
}

static void a_query_is_encoded_and_sorted_by_name(void **state)
{
	(void)state;
	static const char *const items[] = { "a", "1", "a-b", "2", "A", "x/y =+~", "a", "0", "uploads", "" };
	cleanup_strv struct strv pairs = STRV_INIT;

	for (size_t i = 0; i < COUNT(items); i++)
		strv_add(&pairs, items[i]);
	cleanup_free char *query = sigv4_query(&pairs);
	cleanup_free char *none = sigv4_query(NULL);
	assert_string_equal(query, "A=x%2Fy%20%3D%2B~&a=0&a=1&a-b=2&uploads=");
	assert_string_equal(none, "");
}

/* A name that begins another one, blanks, and the session token: each changes what is signed. */
static void headers_are_sorted_by_name_and_trimmed(void **state)
{
	(void)state;
	const struct sigv4_keys keys = { .access_key = "A", .secret_key = "s", .session_token = "token" };
	const struct sigv4_request r = {
		.method = "GET", .path = "/", .query = "", .payload = EMPTY, .region = "r", .service = "s3"
	};
	cleanup_strv struct strv one = STRV_INIT, two = STRV_INIT;

	strv_add(&one, "x-amz-sse-key: k");
	strv_add(&one, "X-Amz-Sse:   a:   b ");
	strv_add(&one, "host: h");
	strv_add(&two, "host:h");
	strv_add(&two, "x-amz-sse:a: b");
	strv_add(&two, "x-amz-sse-key: k");
	sigv4_sign(&r, &keys, &one);
	sigv4_sign(&r, &keys, &two);
	assert_string_equal(one.v[one.n - 1], two.v[two.n - 1]);
	assert_non_null(
		strstr(one.v[one.n - 1],
	               "SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-sse;x-amz-sse-key,"));
	assert_true(strv_has(&one, "x-amz-security-token: token"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_s3_reference),
		cmocka_unit_test(examples_of_the_test_suite),
		cmocka_unit_test(a_query_is_encoded_and_sorted_by_name),
		cmocka_unit_test(headers_are_sorted_by_name_and_trimmed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
