/*
 * queue.h - bytes from one thread to another, in order, in a ring of a fixed size.
 *
 * A full ring makes the writer wait and an empty one the reader: back pressure in both directions.  Either
 * side may give up with an error; the other side gets it at its next call, and nobody waits any more.
 * One writer, one reader.
 */
#ifndef BACKUP_STREAM_QUEUE_H
#define BACKUP_STREAM_QUEUE_H

#include "base/err.h"

#include <stddef.h>

struct queue;

struct queue *queue_new(size_t cap); /* bytes */
/* Returns when all of it is in the ring. */
MUST_CHECK bool queue_write(struct queue *q, const void *data, size_t len, struct err *err);
void queue_end(struct queue *q); /* the writer has no more */
/* At least one byte; *got = 0 is the writer's end. */
MUST_CHECK bool queue_read(struct queue *q, void *data, size_t cap, size_t *got, struct err *err);
void queue_give_up(struct queue *q, const struct err *why); /* the first reason is kept */
void queue_free(struct queue *q);                          /* NULL is fine; no thread uses it any more */

#endif
