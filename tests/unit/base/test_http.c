/* Requests against a server of one answer, which is a child of the test. */
#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

/* Reads one request, tells what it got, and gives the answer (NULL: none, for ever). */
static void give(int client, int told, const void *answer)
{
	char got[PEER_TOLD_MAX];
	ssize_t n = read(client, got, sizeof(got));

	/* A body comes in a second packet, perhaps. */
	if (n > 0 && !memmem(got, (size_t)n, "BODY", 4) && memmem(got, (size_t)n, "Content-Length", 14))
		n += read(client, got + n, sizeof(got) - (size_t)n);
	if (n > 0 && write(told, got, (size_t)n) != n)
		_exit(1);
	close(told);
	while (!answer)
		pause();
	if (write(client, answer, strlen(answer)) < 0)
		_exit(1);
}

static void sends_and_receives(void **state)
{
	(void)state;
	struct peer s = peer_start(give, "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello");
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a?b=c", s.port);
	cleanup_strv struct strv headers = STRV_INIT;
	cleanup_buf struct buf body = BUF_INIT(100);
	struct err err = ERR_INIT;
	int status = 0;

	strv_add(&headers, "X-Run: 7");
	struct http_request req = {
		.method = "PUT", .url = url, .headers = &headers, .body = "BODY", .body_len = 4
	};
	assert_true(http_send(&req, &status, &body, &err));
	cleanup_free char *got = peer_stop(&s);
	assert_int_equal(status, 201);
	assert_string_equal(buf_text(&body), "hello");
	assert_non_null(strstr(got, "PUT /a?b=c HTTP/1.1\r\n"));
	assert_non_null(strstr(got, "X-Run: 7\r\n"));
	assert_non_null(strstr(got, "\r\n\r\nBODY"));
	assert_null(strstr(got, "Expect"));
}

static void gives_failures_as_status(void **state)
{
	(void)state;
	struct peer s = peer_start(give, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(100);
	struct http_request req = { .method = "GET", .url = url };
	struct err err = ERR_INIT;
	int status = 0;

	assert_true(http_send(&req, &status, &body, &err));
	free(peer_stop(&s));
	assert_int_equal(status, 503);
	assert_string_equal(buf_text(&body), "");
}

static void does_not_follow(void **state)
{
	(void)state;
	struct peer s = peer_start(
		give, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(100);
	struct http_request req = { .method = "GET", .url = url };
	struct err err = ERR_INIT;
	int status = 0;

	assert_true(http_send(&req, &status, &body, &err));
	free(peer_stop(&s));
	assert_int_equal(status, 302);
}

static void bounds_the_answer(void **state)
{
	(void)state;
	struct peer s = peer_start(give, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(10);
	struct http_request req = { .method = "GET", .url = url };
	struct err err = ERR_INIT;
	int status = 0;

	assert_false(http_send(&req, &status, &body, &err));
	free(peer_stop(&s));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(status, 0);
	assert_non_null(strstr(err.msg, "10 bytes"));
}

static void notices_a_cut_answer(void **state)
{
	(void)state;
	struct peer s = peer_start(give, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(1000);
	struct http_request req = { .method = "GET", .url = url };
	struct err err = ERR_INIT;
	int status = 0;

	assert_false(http_send(&req, &status, &body, &err));
	free(peer_stop(&s));
	assert_int_equal(err.code, ERR_IO);
}

static void ends_at_the_deadline(void **state)
{
	(void)state;
	struct peer s = peer_start(give, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(100);
	struct http_request req = { .method = "GET", .url = url, .timeout_ms = 300 };
	struct err err = ERR_INIT;
	int64_t begin = clock_ms();
	int status = 0;

	assert_false(http_send(&req, &status, &body, &err));
	free(peer_kill(&s));
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - begin < 3000);
}

static void obeys_cancel(void **state)
{
	(void)state;
	struct peer s = peer_start(give, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	cleanup_buf struct buf body = BUF_INIT(100);
	struct http_request req = { .method = "GET", .url = url };
	struct err err = ERR_INIT;
	int64_t begin = clock_ms();
	pid_t parent = getpid(), child = fork();
	int status = 0;

	if (child == 0) {
		usleep(200000);
		kill(parent, SIGTERM);
		_exit(0);
	}
	assert_false(http_send(&req, &status, &body, &err));
	cancel_hold();
	waitpid(child, NULL, 0);
	free(peer_kill(&s));
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - begin < 5000);
}

static void keeps_secrets_out_of_messages(void **state)
{
	(void)state;
	static const char *const urls[] = {
		"http://user:s3cret@127.0.0.1:1/path?token=s3cret",
		"ftp://user:s3cret@127.0.0.1/",
		"file:///s3cret",
		"http://user:s3cret@:bad/",
	};
	for (size_t i = 0; i < COUNT(urls); i++) {
		cleanup_buf struct buf body = BUF_INIT(100);
		struct http_request req = { .method = "GET", .url = urls[i] };
		struct err err = ERR_INIT;
		int status = 0;
		assert_false(http_send(&req, &status, &body, &err));
		assert_int_equal(err.code, ERR_IO);
		if (i != 2) /* a path is no secret */
			assert_null(strstr(err.msg, "s3cret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_and_receives),   cmocka_unit_test(gives_failures_as_status),
		cmocka_unit_test(does_not_follow),      cmocka_unit_test(bounds_the_answer),
		cmocka_unit_test(notices_a_cut_answer), cmocka_unit_test(ends_at_the_deadline),
		cmocka_unit_test(obeys_cancel),         cmocka_unit_test(keeps_secrets_out_of_messages),
	};
	/* A proxy would answer in our server's place. */
	static const char *const proxies[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < COUNT(proxies); i++)
		unsetenv(proxies[i]);
	cancel_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
