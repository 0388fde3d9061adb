/*
 * standin.h - an HTTP server of prepared answers, a child of the test: the n-th request gets the n-th answer.
 *
 * What it was asked is in standin_asked(), whole requests one after the other, at most STANDIN_MAX bytes.  An answer that
 * is NULL is none: the connection is closed.  After the last answer it ends.
 */
#ifndef TESTS_UNIT_BACKUP_STANDIN_H
#define TESTS_UNIT_BACKUP_STANDIN_H

#include <stddef.h>
#include <sys/types.h>

#define STANDIN_MAX 65536

struct standin {
	pid_t pid;
	int port;
	char *asked; /* shared with the child */
};

/* "HTTP/1.1 STATUS x" with these further headers ("Name: value\r\n" each, NULL for none) and this body; the caller's. */
char *standin_answer(int status, const char *headers, const char *body);
void standin_start(struct standin *s, char *const *answers, size_t n);
/* Ends it and says how many requests it had; what it was asked stays until standin_free(). */
int standin_stop(struct standin *s);
void standin_free(struct standin *s);
static inline const char *standin_asked(const struct standin *s) { return s->asked + sizeof(int); }

#endif
