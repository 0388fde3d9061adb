/*
 * http_proxy: passes HTTP on and does to the chosen requests what networks and servers do on bad days.
 *
 *     http_proxy UPSTREAM_PORT LOG [FAULT:WHICH ...]
 *
 * WHICH is the N-th request of all (17), all from the N-th on (17-), those of a method (PUT), or `complete`, the
 * first CompleteMultipartUpload of S3's.  The faults; "after" means that the server has got the request and done it:
 *
 *     500 503 429 403 507 413          an answer of S3's kind in the server's place
 *     500-after                        done, and answered with 500
 *     error-200 error-200-after        a status 200 with an <Error> as its body
 *     reset reset-body reset-after     the connection is reset: after the request, in the middle of its body
 *     truncate                         done, and half of the answer comes
 *     stall stall-after                nothing comes, or half of the answer, and the connection stays
 *
 * It listens on a free port of 127.0.0.1, prints it, and goes on until it is killed.  SIGHUP ends the bad day: no
 * request that comes later meets a fault.  LOG gets a line
 * "N METHOD TARGET WHAT" for each request, WHAT being the status or the fault.  A connection serves one request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)64 << 10)
#define BODY_MAX ((size_t)1 << 30)

static int upstream_port;
static FILE *log_file;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int n_requests, n_completes;

struct rule {
	const char *fault, *which;
};
static struct rule *rules;
static volatile sig_atomic_t n_rules;

struct bytes {
	char *data;
	size_t len, cap;
};

struct request {
	int number;
	char method[16], target[2048];
	bool first_complete;
	size_t head_len, body_len;
	struct bytes all; /* head and body */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ------------------------------------------------------------------ bytes */

static bool read_more(int fd, struct bytes *b)
{
	if (b->len == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16384;
		b->data = realloc(b->data, b->cap + 1);
		if (!b->data)
			die("realloc");
	}
	ssize_t n = read(fd, b->data + b->len, b->cap - b->len);
	if (n <= 0)
		return false;
	b->len += (size_t)n;
	b->data[b->len] = '\0';
	return true;
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static void reset_connection(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

/* ------------------------------------------------------------------ one request */

static const char *header(const struct request *r, const char *name)
{
	const char *line = r->all.data, *end = r->all.data + r->head_len;
	size_t len = strlen(name);

	while ((line = memchr(line, '\n', (size_t)(end - line))) && ++line < end)
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1;
	return NULL;
}

static bool read_head(int fd, struct request *r)
{
	const char *end = NULL;

	while (!r->all.data || !(end = strstr(r->all.data, "\r\n\r\n")))
		if (r->all.len > HEAD_MAX || !read_more(fd, &r->all))
			return false;
	r->head_len = (size_t)(end + 4 - r->all.data);
	if (sscanf(r->all.data, "%15s %2047s", r->method, r->target) != 2)
		return false;
	const char *length = header(r, "Content-Length");
	r->body_len = length ? strtoul(length, NULL, 10) : 0;
	return r->body_len < BODY_MAX;
}

static bool read_body(int fd, struct request *r)
{
	while (r->all.len < r->head_len + r->body_len)
		if (!read_more(fd, &r->all))
			return false;
	return true;
}

static bool is_meant(const struct request *r, const char *which)
{
	char *end;
	long n = strtol(which, &end, 10);

	if (end != which)
		return *end == '-' ? r->number >= n : r->number == n;
	if (strcmp(which, "complete") == 0)
		return r->first_complete;
	return strcmp(r->method, which) == 0;
}

static const char *fault_for(const struct request *r)
{
	for (int i = 0; i < n_rules; i++)
		if (is_meant(r, rules[i].which))
			return rules[i].fault;
	return NULL;
}

static void note(const struct request *r, const char *what)
{
	pthread_mutex_lock(&lock);
	fprintf(log_file, "%d %s %s %s\n", r->number, r->method, r->target, what);
	fflush(log_file);
	pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ the server behind */

static int connect_upstream(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)upstream_port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The whole answer.  The request line goes first, then our own Connection, then the rest. */
static bool pass_on(const struct request *r, struct bytes *answer)
{
	static const char close_after[] = "Connection: close\r\n";
	size_t line = (size_t)(strchr(r->all.data, '\n') + 1 - r->all.data);
	int fd = connect_upstream();
	bool ok = fd >= 0 && send_all(fd, r->all.data, line) &&
	          send_all(fd, close_after, sizeof(close_after) - 1) &&
	          send_all(fd, r->all.data + line, r->head_len + r->body_len - line);

	while (ok && read_more(fd, answer))
		;
	if (fd >= 0)
		close(fd);
	return ok && answer->len > 0;
}

/* ------------------------------------------------------------------ faults */

static void say(int fd, int status, const char *code, const struct request *r)
{
	char body[512], text[1024];

	snprintf(body, sizeof(body),
	         "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>by the fault "
	         "proxy</Message></Error>",
	         strcmp(r->method, "HEAD") == 0 ? "" : code);
	snprintf(text, sizeof(text),
	         "HTTP/1.1 %d Fault\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n"
	         "Connection: close\r\n\r\n%s",
	         status, strlen(body), strcmp(r->method, "HEAD") == 0 ? "" : body);
	send_all(fd, text, strlen(text));
}

static const struct {
	const char *fault;
	int status;
	const char *code;
} sayings[] = {
	{ "500", 500, "InternalError" },       { "503", 503, "SlowDown" },
	{ "429", 429, "TooManyRequests" },     { "403", 403, "AccessDenied" },
	{ "507", 507, "InsufficientStorage" }, { "413", 413, "EntityTooLarge" },
	{ "error-200", 200, "InternalError" },
};

/* Until the client has had enough. */
static void hold(int fd)
{
	char c;

	while (recv(fd, &c, 1, 0) > 0)
		;
}

/* The request was done; what becomes of its answer? */
static void spoil(int fd, const char *fault, const struct request *r, const struct bytes *answer)
{
	if (strcmp(fault, "500-after") == 0)
		say(fd, 500, "InternalError", r);
	else if (strcmp(fault, "error-200-after") == 0)
		say(fd, 200, "InternalError", r);
	else if (strcmp(fault, "reset-after") != 0)
		send_all(fd, answer->data, answer->len / 2);
	if (strcmp(fault, "stall-after") == 0)
		hold(fd);
}

/* True when the fault leaves the server out. */
static bool answer_ourselves(int fd, const char *fault, const struct request *r)
{
	for (size_t i = 0; i < sizeof(sayings) / sizeof(sayings[0]); i++) {
		if (strcmp(sayings[i].fault, fault) == 0) {
			say(fd, sayings[i].status, sayings[i].code, r);
			return true;
		}
	}
	if (strcmp(fault, "stall") == 0)
		hold(fd);
	else if (strcmp(fault, "reset") != 0)
		return false;
	return true;
}

/* ------------------------------------------------------------------ connections */

/* Returns whether the connection is to be reset. */
static bool serve(int fd, struct request *r)
{
	struct bytes answer = { .data = NULL };
	char status[4] = "???";

	if (!read_head(fd, r))
		return false;
	pthread_mutex_lock(&lock);
	r->number = ++n_requests;
	if (strcmp(r->method, "POST") == 0 && strstr(r->target, "uploadId="))
		r->first_complete = ++n_completes == 1;
	pthread_mutex_unlock(&lock);
	const char *fault = fault_for(r);
	if (fault && strcmp(fault, "reset-body") == 0) {
		note(r, fault);
		return true;
	}
	if (!read_body(fd, r))
		return false;
	if (fault && strcmp(fault, "stall") == 0)
		note(r, fault); /* before it hangs */
	if (fault && answer_ourselves(fd, fault, r)) {
		if (strcmp(fault, "stall") != 0)
			note(r, fault);
		return strcmp(fault, "reset") == 0;
	}
	if (!pass_on(r, &answer)) {
		note(r, "no-upstream");
		return true;
	}
	if (answer.len > 12)
		memcpy(status, answer.data + 9, 3);
	note(r, fault ? fault : status);
	if (fault)
		spoil(fd, fault, r, &answer);
	else
		send_all(fd, answer.data, answer.len);
	free(answer.data);
	return fault && strcmp(fault, "reset-after") == 0;
}

static void *run(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct request *r = calloc(1, sizeof(*r));

	if (r && serve(fd, r))
		reset_connection(fd);
	else
		close(fd);
	if (r)
		free(r->all.data);
	free(r);
	return NULL;
}

static void accept_for_ever(int listener)
{
	for (;;) {
		pthread_t thread;
		int fd = accept(listener, NULL, NULL);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			die("accept");
		if (pthread_create(&thread, NULL, run, (void *)(intptr_t)fd) != 0)
			die("pthread_create");
		pthread_detach(thread);
	}
}

static void heal(int sig)
{
	(void)sig;
	n_rules = 0;
}

static void read_rules(int argc, char **argv)
{
	n_rules = argc - 3;
	rules = calloc((size_t)(n_rules > 0 ? n_rules : 1), sizeof(*rules));
	for (int i = 0; rules && i < n_rules; i++) {
		char *colon = strchr(argv[3 + i], ':');
		if (!colon) {
			fprintf(stderr, "http_proxy: %s is not FAULT:WHICH\n", argv[3 + i]);
			exit(2);
		}
		*colon = '\0';
		rules[i] = (struct rule){ .fault = argv[3 + i], .which = colon + 1 };
	}
}

static void check_rules(void)
{
	static const char *const others[] = { "500-after",   "error-200-after", "reset", "reset-body",
		                              "reset-after", "truncate",        "stall", "stall-after" };

	for (int i = 0; i < n_rules; i++) {
		bool known = false;
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			known |= strcmp(rules[i].fault, others[k]) == 0;
		for (size_t k = 0; k < sizeof(sayings) / sizeof(sayings[0]); k++)
			known |= strcmp(rules[i].fault, sayings[k].fault) == 0;
		if (!known) {
			fprintf(stderr, "http_proxy: no such fault: %s\n", rules[i].fault);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc < 3) {
		fprintf(stderr, "usage: http_proxy UPSTREAM_PORT LOG [FAULT:WHICH ...]\n");
		return 2;
	}
	upstream_port = (int)strtol(argv[1], NULL, 10);
	log_file = fopen(argv[2], "w");
	if (!log_file)
		die(argv[2]);
	read_rules(argc, argv);
	check_rules();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, heal);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 64) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
		die("listen");
	printf("port %d\n", ntohs(addr.sin_port));
	fflush(stdout);
	accept_for_ever(listener);
}
