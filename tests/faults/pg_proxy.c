/*
 * pg_proxy: passes PostgreSQL's protocol on and, at the N-th message of all clients together, cuts the connection.
 *
 *     pg_proxy SOCKET LOG FAULT N
 *
 *     list      nothing is cut; LOG gets a line "N TYPE TEXT" for each message
 *     before    the message never reaches the server; both ends are reset
 *     after     the message is passed on, then both ends are reset at once
 *     answered  the message is passed on and what the server says to it is lost; then both ends are reset
 *     down      as before, with all the other connections, and no new one is let in: the network is gone
 *
 * SOCKET is the server's Unix socket.  The proxy listens on a free port of 127.0.0.1, prints it, and goes on until it is
 * killed.  With a fault LOG gets the one line of the message it befell.
 *
 * Message formats: PostgreSQL documentation, 55.7.  A client's first message has no type; SSLRequest and GSSENCRequest
 * are followed by another such one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CONNECTIONS = 64,
	MESSAGE_MAX = 4 << 20,
	OTHERS_EVERY = 50, /* copied rows, and messages of pg_dump: one in so many counts */
	ANSWER_MS = 500,   /* how long the server may take to answer before the cut */
	SSL_REQUEST = 80877103,
	GSSENC_REQUEST = 80877104
};

enum fault { LIST, BEFORE, AFTER, ANSWERED, DOWN };

static const char *const fault_names[] = { "list", "before", "after", "answered", "down" };

struct connection {
	int client, server; /* client < 0: free */
	bool started;       /* messages have a type from here on */
	bool is_ripcord;    /* by its application_name */
	unsigned char *in;
	size_t n;
};

struct proxy {
	const char *socket;
	int listener;
	enum fault fault;
	long at, seen, others;
	FILE *log;
	struct connection connections[CONNECTIONS];
};

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "pg_proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ------------------------------------------------------------------ connections */

static void cut(struct connection *c)
{
	/* A linger of nothing makes close send RST instead of FIN: socket(7). */
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (c->client < 0)
		return;
	setsockopt(c->client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->client);
	close(c->server);
	free(c->in);
	*c = (struct connection){ .client = -1, .server = -1 };
}

static void let_in(struct proxy *p)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct connection *c = NULL;
	const int yes = 1;
	int client = accept(p->listener, NULL, NULL), server = socket(AF_UNIX, SOCK_STREAM, 0);

	if (client < 0 || server < 0)
		die("cannot accept");
	for (size_t i = 0; i < CONNECTIONS && !c; i++)
		if (p->connections[i].client < 0)
			c = &p->connections[i];
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", p->socket);
	/* A server that is away: the client learns it from a closed connection. */
	if (!c || connect(server, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(client);
		close(server);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	*c = (struct connection){ .client = client, .server = server, .in = malloc(MESSAGE_MAX) };
	if (!c->in)
		die("no memory");
}

static bool pass_on(int fd, const unsigned char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, data, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		data += done;
		n -= (size_t)done;
	}
	return true;
}

/* ------------------------------------------------------------------ messages */

static uint32_t number_at(const unsigned char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return ntohl(n);
}

/* Bytes of the message that begins there; 0: it is not all here. */
static size_t whole_message(const struct connection *c)
{
	size_t type = c->started ? 1 : 0;

	if (c->n < type + 4)
		return 0;
	size_t n = type + number_at(c->in + type);
	if (n > MESSAGE_MAX) {
		errno = EMSGSIZE;
		die("a client's message");
	}
	return n <= c->n ? n : 0;
}

static void note(struct proxy *p, const struct connection *c, size_t n)
{
	/* Texts of Query and Parse, after type and length. */
	bool text = c->started && (c->in[0] == 'Q' || c->in[0] == 'P');

	fprintf(p->log, "%ld %c ", p->seen, c->started ? c->in[0] : '-');
	for (size_t i = 5; text && i < n && i < 100; i++)
		fputc(c->in[i] < ' ' ? ' ' : c->in[i], p->log);
	fputc('\n', p->log);
	fflush(p->log);
}

static void cut_all(struct proxy *p)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		cut(&p->connections[i]);
	close(p->listener);
	p->listener = -1;
}

/* The server's answer is read to its end, or for as long as it may take, and thrown away. */
static void lose_answer(struct connection *c)
{
	struct pollfd wait = { .fd = c->server, .events = POLLIN };
	char lost[65536];

	while (poll(&wait, 1, ANSWER_MS) > 0 && read(c->server, lost, sizeof(lost)) > 0)
		;
}

/* False: the connection is no more. */
static bool on_message(struct proxy *p, struct connection *c, size_t n)
{
	bool own = c->is_ripcord && c->in[0] != 'd';
	bool counts = !c->started || own || ++p->others % OTHERS_EVERY == 1;
	bool hit = counts && ++p->seen == p->at && p->fault != LIST;

	if (hit || (counts && p->fault == LIST))
		note(p, c, n);
	if (hit && p->fault == DOWN) {
		cut_all(p);
		return false;
	}
	bool sent = (hit && p->fault == BEFORE) || pass_on(c->server, c->in, n);
	if (hit && p->fault == ANSWERED)
		lose_answer(c);
	if (hit || !sent) {
		cut(c);
		return false;
	}
	uint32_t code = n >= 8 ? number_at(c->in + 4) : 0;
	if (!c->started)
		c->is_ripcord = memmem(c->in, n, "ripcord/", strlen("ripcord/"));
	c->started = c->started || (code != SSL_REQUEST && code != GSSENC_REQUEST);
	memmove(c->in, c->in + n, c->n - n);
	c->n -= n;
	return true;
}

static void from_client(struct proxy *p, struct connection *c)
{
	ssize_t got = read(c->client, c->in + c->n, MESSAGE_MAX - c->n);
	size_t n;

	if (got <= 0) {
		cut(c);
		return;
	}
	c->n += (size_t)got;
	while ((n = whole_message(c)) > 0)
		if (!on_message(p, c, n))
			return;
}

static void from_server(struct connection *c)
{
	unsigned char data[65536];
	ssize_t got = read(c->server, data, sizeof(data));

	if (got <= 0 || !pass_on(c->client, data, (size_t)got))
		cut(c);
}

/* ------------------------------------------------------------------ the loop */

static void serve_once(struct proxy *p)
{
	struct pollfd fds[1 + 2 * CONNECTIONS];

	fds[0] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
	for (size_t i = 0; i < CONNECTIONS; i++) {
		fds[1 + 2 * i] = (struct pollfd){ .fd = p->connections[i].client, .events = POLLIN };
		fds[2 + 2 * i] = (struct pollfd){ .fd = p->connections[i].server, .events = POLLIN };
	}
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
		return;
	/* What a server said before it closed comes before anything else; one handler may close what the next looks at. */
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &p->connections[i];
		if (fds[2 + 2 * i].revents && c->server == fds[2 + 2 * i].fd)
			from_server(c);
		if (fds[1 + 2 * i].revents && c->client >= 0 && c->client == fds[1 + 2 * i].fd)
			from_client(p, c);
	}
	if (fds[0].revents && p->listener >= 0)
		let_in(p);
}

static void listen_somewhere(struct proxy *p)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	p->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, n) < 0 ||
	    listen(p->listener, CONNECTIONS) < 0 || getsockname(p->listener, (struct sockaddr *)&at, &n) < 0)
		die("cannot listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
}

static enum fault parse_fault(const char *name)
{
	for (size_t i = 0; i < sizeof(fault_names) / sizeof(fault_names[0]); i++)
		if (strcmp(name, fault_names[i]) == 0)
			return (enum fault)i;
	errno = EINVAL;
	die(name);
}

int main(int argc, char **argv)
{
	struct proxy p = { 0 };

	errno = EINVAL;
	if (argc != 5)
		die("usage: pg_proxy SOCKET LOG FAULT N");
	p.socket = argv[1];
	p.fault = parse_fault(argv[3]);
	p.at = strtol(argv[4], NULL, 10);
	if (!(p.log = fopen(argv[2], "we")))
		die(argv[2]);
	for (size_t i = 0; i < CONNECTIONS; i++)
		p.connections[i] = (struct connection){ .client = -1, .server = -1 };
	listen_somewhere(&p);
	for (;;)
		serve_once(&p);
}
