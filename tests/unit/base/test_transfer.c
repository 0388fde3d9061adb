/* Streams against a server of scripted answers, which is a child of the test. */
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/transfer.h"
#include "peer.h"
#include "unit.h"

#define BIG ((size_t)3 * 1024 * 1024 + 17) /* larger than every buffer on the way */

static void say(int fd, const char *text) { assert_int_equal(write(fd, text, strlen(text)), strlen(text)); }

/* Reads up to the blank line after the headers; true when the request is whole. */
static void read_headers(int client, char *got, size_t cap)
{
	size_t len = 0;

	while (len + 1 < cap && !(len >= 4 && memcmp(got + len - 4, "\r\n\r\n", 4) == 0) &&
	       read(client, got + len, 1) == 1)
		len++;
	got[len] = '\0';
}

/* The bytes of a chunked body, summed up: count and a checksum that knows the order. */
static void read_chunks(int client, size_t *count, unsigned *sum)
{
	FILE *in = fdopen(dup(client), "r");
	char line[32];
	unsigned long size;

	*count = *sum = 0;
	do {
		size = fgets(line, sizeof(line), in) ? strtoul(line, NULL, 16) : 0;
		for (unsigned long i = 0; i < size; i++)
			*sum = *sum * 31 + (unsigned)fgetc(in);
		*count += size;
		if (!fgets(line, sizeof(line), in)) /* the end of the line behind the chunk */
			_exit(1);
	} while (size > 0);
	fclose(in);
}

static void take_chunks(int client, int seen, const void *ctx)
{
	char head[4096];
	size_t count;
	unsigned sum;

	(void)ctx;
	read_headers(client, head, sizeof(head));
	read_chunks(client, &count, &sum);
	dprintf(seen, "%s%zu %u", head, count, sum);
	say(client, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nETag: \"x\"\r\nContent-Length: "
	            "2\r\n\r\nok");
}

static char *pattern(size_t len)
{
	char *data = mem_new0(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	return data;
}

static unsigned sum_of(const char *data, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)data[i];
	return sum;
}

static struct transfer_client *client_new(void)
{
	struct transfer_client *c;
	struct err err = ERR_INIT;

	assert_true(transfer_client_new(&c, &err));
	return c;
}

static void pushes_a_stream(void **state)
{
	(void)state;
	struct peer s = peer_start(take_chunks, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a", s.port);
	cleanup_free char *data = pattern(BIG);
	struct transfer_request req = {
		.method = "PUT", .url = url, .body_len = TRANSFER_STREAM, .user = "u", .password = "p"
	};
	struct transfer_client *c = client_new();
	struct transfer *t;
	struct err err = ERR_INIT;
	size_t piece = 1000003, got;
	int status;
	char answer[10];

	assert_true(transfer_start(c, &req, &t, &err));
	for (size_t at = 0; at < BIG; at += piece)
		assert_true(transfer_write(t, data + at, BIG - at < piece ? BIG - at : piece, &err));
	assert_true(transfer_answer(t, &status, &err));
	assert_int_equal(status, 201);
	assert_string_equal(transfer_header(t, "etag"), "\"x\"");
	assert_null(transfer_header(t, "eta"));
	assert_true(transfer_read(t, answer, sizeof(answer), &got, &err));
	assert_int_equal(got, 2);
	assert_true(transfer_read(t, answer, sizeof(answer), &got, &err));
	assert_int_equal(got, 0);
	assert_int_equal(transfer_how(t), TRANSFER_DONE);
	transfer_free(t);
	transfer_client_free(c);
	cleanup_free char *seen = peer_stop(&s);
	cleanup_free char *expected = mem_fmt("\r\n\r\n%zu %u", BIG, sum_of(data, BIG));
	assert_non_null(strstr(seen, expected));
	assert_non_null(strstr(seen, "PUT /a HTTP/1.1\r\n"));
	assert_non_null(strstr(seen, "Authorization: Basic dTpw\r\n"));
	assert_null(strstr(seen, "Expect"));
	assert_null(strstr(seen, "Content-Type"));
}

static void give_big(int client, int seen, const void *ctx)
{
	cleanup_free char *data = pattern(BIG);
	char head[4096];

	(void)ctx;
	read_headers(client, head, sizeof(head));
	say(seen, head);
	dprintf(client, "HTTP/1.1 206 Partial Content\r\nContent-Length: %zu\r\n\r\n", BIG);
	for (size_t at = 0; at < BIG;)
		at += (size_t)write(client, data + at, BIG - at);
}

static void pulls_a_stream(void **state)
{
	(void)state;
	struct peer s = peer_start(give_big, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a", s.port);
	cleanup_free char *data = pattern(BIG), *back = mem_new0(BIG + 100);
	struct transfer_request req = { .method = "GET", .url = url, .range = "7-" };
	struct transfer_client *c = client_new();
	struct transfer *t;
	struct err err = ERR_INIT;
	size_t len = 0, got;
	int status;

	assert_true(transfer_start(c, &req, &t, &err));
	assert_true(transfer_answer(t, &status, &err));
	assert_int_equal(status, 206);
	usleep(300000); /* a slow reader: what arrives meanwhile waits in the system */
	do {
		assert_true(transfer_read(t, back + len, BIG + 100 - len > 70001 ? 70001 : BIG + 100 - len,
		                          &got, &err));
		len += got;
	} while (got > 0);
	assert_int_equal(len, BIG);
	assert_memory_equal(back, data, BIG);
	transfer_free(t);
	transfer_client_free(c);
	cleanup_free char *seen = peer_stop(&s);
	assert_non_null(strstr(seen, "Range: bytes=7-\r\n"));
}

static void cut_short(int client, int seen, const void *ctx)
{
	char head[4096];

	(void)seen, (void)ctx;
	read_headers(client, head, sizeof(head));
	say(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
}

static void notices_a_cut_answer(void **state)
{
	(void)state;
	struct peer s = peer_start(cut_short, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/?sig=s3cret", s.port);
	struct transfer_request req = { .method = "GET", .url = url };
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(100);
	struct transfer_client *c = client_new();
	struct err err = ERR_INIT;

	assert_false(transfer_run(c, &req, &r, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(r.how, TRANSFER_BROKEN);
	assert_null(strstr(err.msg, "s3cret"));
	transfer_client_free(c);
	free(peer_stop(&s));
}

static void refuse_early(int client, int seen, const void *ctx)
{
	char head[4096];

	(void)seen, (void)ctx;
	read_headers(client, head, sizeof(head));
	say(client, "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	shutdown(client, SHUT_WR);
	while (read(client, head, sizeof(head)) > 0)
		continue;
}

static void hears_an_early_answer(void **state)
{
	(void)state;
	struct peer s = peer_start(refuse_early, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a", s.port);
	cleanup_free char *data = pattern(BIG);
	struct transfer_request req = { .method = "PUT", .url = url, .body_len = TRANSFER_STREAM };
	struct transfer_client *c = client_new();
	struct transfer *t;
	struct err err = ERR_INIT;
	bool ok = true;

	assert_true(transfer_start(c, &req, &t, &err));
	for (int i = 0; i < 20 && ok; i++)
		ok = transfer_write(t, data, BIG, &err);
	assert_false(ok);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(transfer_status(t), 507);
	transfer_free(t);
	transfer_client_free(c);
	free(peer_stop(&s));
}

static void read_nothing(int client, int seen, const void *ctx)
{
	(void)client, (void)seen, (void)ctx;
	pause();
}

static void gives_up_a_stalled_server(void **state)
{
	(void)state;
	struct peer s = peer_start(read_nothing, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a", s.port);
	cleanup_free char *data = pattern(BIG);
	struct transfer_request req = {
		.method = "PUT", .url = url, .body_len = TRANSFER_STREAM, .stall_ms = 500
	};
	struct transfer_client *c = client_new();
	struct transfer *t;
	struct err err = ERR_INIT;
	int64_t begin = clock_ms();
	bool ok = true;

	assert_true(transfer_start(c, &req, &t, &err));
	for (int i = 0; i < 20 && ok; i++)
		ok = transfer_write(t, data, BIG, &err);
	assert_false(ok);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(transfer_how(t), TRANSFER_TIMED_OUT);
	assert_in_range(clock_ms() - begin, 400, 5000);
	transfer_free(t);
	transfer_client_free(c);
	free(peer_kill(&s));
}

/* A source that is slow is not the server's fault. */
static void waits_for_its_caller(void **state)
{
	(void)state;
	struct peer s = peer_start(take_chunks, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/a", s.port);
	struct transfer_request req = {
		.method = "PUT", .url = url, .body_len = TRANSFER_STREAM, .stall_ms = 200
	};
	struct transfer_client *c = client_new();
	struct transfer *t;
	struct err err = ERR_INIT;
	int status;

	assert_true(transfer_start(c, &req, &t, &err));
	assert_true(transfer_write(t, "one", 3, &err));
	usleep(600000);
	assert_true(transfer_write(t, "two", 3, &err));
	assert_true(transfer_answer(t, &status, &err));
	assert_int_equal(status, 201);
	transfer_free(t);
	transfer_client_free(c);
	free(peer_stop(&s));
}

static void obeys_cancel(void **state)
{
	(void)state;
	struct peer s = peer_start(read_nothing, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	struct transfer_request req = { .method = "GET", .url = url };
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(100);
	struct transfer_client *c = client_new();
	struct err err = ERR_INIT;
	int64_t begin = clock_ms();
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		usleep(200000);
		kill(parent, SIGTERM);
		_exit(0);
	}
	assert_false(transfer_run(c, &req, &r, &err));
	cancel_hold();
	waitpid(child, NULL, 0);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - begin < 5000);
	transfer_client_free(c);
	free(peer_kill(&s));
}

static void bounds_the_answer(void **state)
{
	(void)state;
	struct peer s = peer_start(give_big, NULL);
	cleanup_free char *url = mem_fmt("http://127.0.0.1:%d/", s.port);
	struct transfer_request req = { .method = "GET", .url = url };
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(1000);
	struct transfer_client *c = client_new();
	struct err err = ERR_INIT;

	assert_false(transfer_run(c, &req, &r, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_true(r.body.len <= 1000);
	transfer_client_free(c);
	free(peer_kill(&s));
}

static void never_trusts_an_unproven_host(void **state)
{
	(void)state;
	const struct transfer_ssh nobody = { .agent = true };
	const struct transfer_request without[] = {
		{ .method = "GET", .url = "sftp://127.0.0.1:1/x" },
		{ .method = "GET", .url = "sftp://127.0.0.1:1/x", .ssh = &nobody },
	};
	struct transfer_client *c = client_new();

	for (size_t i = 0; i < COUNT(without); i++) {
		struct transfer *t = NULL;
		struct err err = ERR_INIT;
		assert_false(transfer_start(c, &without[i], &t, &err));
		assert_int_equal(err.code, ERR_USAGE);
	}
	transfer_client_free(c);
}

static void refuses_other_protocols(void **state)
{
	(void)state;
	static const char *const urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/", "http://:bad/" };
	struct transfer_client *c = client_new();

	for (size_t i = 0; i < COUNT(urls); i++) {
		struct transfer_request req = { .method = "GET", .url = urls[i] };
		cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(100);
		struct err err = ERR_INIT;
		assert_false(transfer_run(c, &req, &r, &err));
		assert_int_equal(err.code, ERR_REFUSED);
		assert_int_equal(r.body.len, 0);
	}
	transfer_client_free(c);
}

static void escapes(void **state)
{
	(void)state;
	cleanup_free char *path = transfer_escape("a/b c%20\xc3\xa9+~", true);
	cleanup_free char *word = transfer_escape("a/b", false);

	assert_string_equal(path, "a/b%20c%2520%C3%A9%2B~");
	assert_string_equal(word, "a%2Fb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushes_a_stream),
		cmocka_unit_test(pulls_a_stream),
		cmocka_unit_test(notices_a_cut_answer),
		cmocka_unit_test(hears_an_early_answer),
		cmocka_unit_test(gives_up_a_stalled_server),
		cmocka_unit_test(waits_for_its_caller),
		cmocka_unit_test(obeys_cancel),
		cmocka_unit_test(bounds_the_answer),
		cmocka_unit_test(never_trusts_an_unproven_host),
		cmocka_unit_test(refuses_other_protocols),
		cmocka_unit_test(escapes),
	};
	/* A proxy would answer in our server's place. */
	static const char *const proxies[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < COUNT(proxies); i++)
		unsetenv(proxies[i]);
	cancel_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
