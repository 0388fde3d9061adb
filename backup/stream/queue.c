#include "backup/stream/queue.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct queue {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t moved;
	char *ring;
	size_t cap, at, len; /* len bytes from at on, round the end */
	bool ended, given_up;
	struct err why;
};

struct queue *queue_new(size_t cap)
{
	struct queue *q = mem_new0(sizeof(*q));

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->moved, NULL);
	q->ring = mem_grow(NULL, cap, 1);
	q->cap = cap;
	return q;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* As much as fits before the ring's end; twice is all of it. */
static size_t put(struct queue *q, const char *data, size_t len)
{
	size_t to = (q->at + q->len) % q->cap;
	size_t n = least(least(len, q->cap - q->len), q->cap - to);

	memcpy(q->ring + to, data, n);
	q->len += n;
	return n;
}

static size_t take(struct queue *q, char *data, size_t cap)
{
	size_t n = least(least(cap, q->len), q->cap - q->at);

	memcpy(data, q->ring + q->at, n);
	q->at = (q->at + n) % q->cap;
	q->len -= n;
	return n;
}

/* Leaves with the lock released. */
static bool leave(struct queue *q, struct err *err)
{
	bool ok = !q->given_up;

	if (!ok)
		*err = q->why;
	else
		pthread_cond_signal(&q->moved);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

bool queue_write(struct queue *q, const void *data, size_t len, struct err *err)
{
	const char *p = data;

	pthread_mutex_lock(&q->lock);
	while (len > 0 && !q->given_up) {
		if (q->len == q->cap) {
			pthread_cond_signal(&q->moved);
			pthread_cond_wait(&q->moved, &q->lock);
			continue;
		}
		size_t n = put(q, p, len);
		p += n;
		len -= n;
	}
	return leave(q, err);
}

void queue_end(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->ended = true;
	pthread_cond_signal(&q->moved);
	pthread_mutex_unlock(&q->lock);
}

bool queue_read(struct queue *q, void *data, size_t cap, size_t *got, struct err *err)
{
	size_t n = 0;

	pthread_mutex_lock(&q->lock);
	while (q->len == 0 && !q->ended && !q->given_up)
		pthread_cond_wait(&q->moved, &q->lock);
	if (!q->given_up) {
		n = take(q, data, cap);
		n += take(q, (char *)data + n, cap - n);
	}
	if (!leave(q, err))
		return false;
	*got = n;
	return true;
}

void queue_give_up(struct queue *q, const struct err *why)
{
	pthread_mutex_lock(&q->lock);
	if (!q->given_up)
		q->why = *why;
	q->given_up = true;
	pthread_cond_signal(&q->moved);
	pthread_mutex_unlock(&q->lock);
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->moved);
	pthread_mutex_destroy(&q->lock);
	free(q->ring);
	free(q);
}
