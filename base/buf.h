/*
 * buf.h - growing bytes with a mandatory maximum, always NUL-terminated.
 *
 *     cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);
 *     buf_fmt(&b, "%s", name);
 *
 * A buffer that would pass its maximum ends the process, like running out of memory:
 * input from outside is bounded where it is read (file_read, http), so passing the
 * maximum here is a bug of ours.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>

#define BUF_TEXT_MAX ((size_t)1 << 30) /* for text we build ourselves: PostgreSQL's own limit on a query */

struct buf {
	char *data; /* never NULL once something was added; data[len] is NUL */
	size_t len, cap, max;
};

#define BUF_INIT(limit) { .max = (limit) }

void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *buf_text(const struct buf *b); /* data, or "" when nothing was added */
char *buf_take(struct buf *b);             /* hands the text to the caller (never NULL); b is empty again */
void buf_clear(struct buf *b);             /* keeps the maximum; memory is released */

#define cleanup_buf __attribute__((cleanup(buf_clear)))

#endif
