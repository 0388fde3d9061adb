/*
 * peer.h - a server of one connection, which is a child of the test: it plays its part and ends.
 *
 * What it wants to tell the test it writes to its end of a pipe.
 */
#ifndef TESTS_UNIT_BASE_PEER_H
#define TESTS_UNIT_BASE_PEER_H

#include "base/mem.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PEER_TOLD_MAX = 8192 }; /* bytes */

struct peer {
	pid_t pid;
	int port, told;
};

/* Gets the connection, the end of the pipe, and what the test has for it.  Returns when its part is played. */
typedef void peer_part(int client, int told, const void *ctx);

static inline struct peer peer_start(peer_part *part, const void *ctx)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ends[2];
	struct peer p;

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(pipe(ends), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		part(accept(listener, NULL, NULL), ends[1], ctx);
		_exit(0);
	}
	close(listener);
	close(ends[1]);
	p.port = ntohs(addr.sin_port);
	p.told = ends[0];
	return p;
}

/* Waits for its end; what it told, NUL-terminated.  Owned by the caller. */
static inline char *peer_stop(struct peer *p)
{
	char *got = mem_new0(PEER_TOLD_MAX + 1);
	size_t len = 0;
	ssize_t n;

	while ((n = read(p->told, got + len, PEER_TOLD_MAX - len)) > 0)
		len += (size_t)n;
	close(p->told);
	waitpid(p->pid, NULL, 0);
	return got;
}

/* For one that waits for ever. */
static inline char *peer_kill(struct peer *p)
{
	kill(p->pid, SIGKILL);
	return peer_stop(p);
}

#endif
