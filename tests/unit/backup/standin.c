#include "standin.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char *standin_answer(int status, const char *headers, const char *body)
{
	return mem_fmt("HTTP/1.1 %d x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", status,
	               strlen(body), headers ? headers : "", body);
}

/* One request, appended to `asked`; the first int there counts them. */
static void read_request(int fd, char *asked)
{
	int *count = (int *)(void *)asked;
	char *text = asked + sizeof(int) + strlen(asked + sizeof(int));
	size_t len = 0, room = STANDIN_MAX - (size_t)(text - asked) - 1;
	const char *end = NULL, *length;
	size_t body = 0;

	while (len < room && (!end || (size_t)(text + len - end) < body)) {
		ssize_t n = read(fd, text + len, room - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (!end && (end = strstr(text, "\r\n\r\n"))) {
			end += 4;
			length = strcasestr(text, "\r\nContent-Length:");
			body = length && length < end
			               ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10)
			               : 0;
		}
	}
	(*count)++;
}

static void serve(int listener, char *asked, char *const *answers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd = accept(listener, NULL, NULL);
		read_request(fd, asked);
		if (answers[i] && write(fd, answers[i], strlen(answers[i])) < 0)
			_exit(1);
		shutdown(fd, SHUT_WR);
		char rest[256];
		while (read(fd, rest, sizeof(rest)) > 0)
			;
		close(fd);
	}
	_exit(0);
}

void standin_start(struct standin *s, char *const *answers, size_t n)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	s->asked = mmap(NULL, STANDIN_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->asked == MAP_FAILED || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(listener, 8) < 0 || getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
		abort();
	s->port = ntohs(addr.sin_port);
	s->pid = fork();
	if (s->pid == 0)
		serve(listener, s->asked, answers, n);
	close(listener);
}

int standin_stop(struct standin *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	return *(int *)(void *)s->asked;
}

void standin_free(struct standin *s) { munmap(s->asked, STANDIN_MAX); }
