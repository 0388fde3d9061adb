#include "backup/stream/pool.h"

#include "backup/stream/frame.h"
#include "backup/stream/thread.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum slot_state { SLOT_EMPTY, SLOT_QUEUED, SLOT_BUSY, SLOT_DONE };

struct slot {
	enum slot_state state; /* guarded by the pool's lock; the rest belongs to whoever the state says */
	char *raw, *out;
	size_t raw_len;
	struct pool_frame frame;
	struct err err;
	bool ok;
};

struct worker {
	struct pool *pool;
	struct frame_encoder *encoder;
	pthread_t thread;
};

/* The slots are a ring: filled, worked on and handed out in the same order. */
struct pool {
	struct pool_spec spec;
	size_t out_cap;
	struct slot *slots;
	size_t n_slots;
	size_t fill, next_work, next_out; /* counters; the slot is counter % n_slots */
	pthread_mutex_t lock;
	pthread_cond_t queued, done;
	bool stop, failed;
	struct worker *workers;
	size_t n_workers;
};

static struct slot *slot_at(const struct pool *p, size_t counter) { return &p->slots[counter % p->n_slots]; }

static void compress(struct worker *w, struct slot *s)
{
	struct frame_out out = { .data = s->out, .cap = w->pool->out_cap };

	s->ok = frame_encode(w->encoder, s->raw, s->raw_len, &out, &s->err);
	if (!s->ok)
		return;
	s->frame.data = out.data;
	s->frame.len = out.len;
	s->frame.raw_len = s->raw_len;
	sha256_of(out.data, out.len, s->frame.sha256);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct slot *s = slot_at(p, p->next_work);
		if (s->state != SLOT_QUEUED) {
			pthread_cond_wait(&p->queued, &p->lock);
			continue;
		}
		p->next_work++;
		s->state = SLOT_BUSY;
		pthread_mutex_unlock(&p->lock);
		compress(w, s);
		pthread_mutex_lock(&p->lock);
		s->state = SLOT_DONE;
		pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int pick_threads(int asked)
{
	if (asked > 0)
		return asked < POOL_THREADS_MAX ? asked : POOL_THREADS_MAX;
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n < 1)
		return 1;
	return n < POOL_THREADS_AUTO_MAX ? (int)n : POOL_THREADS_AUTO_MAX;
}

static bool start_worker(struct pool *p, struct err *err)
{
	struct worker *w = &p->workers[p->n_workers];

	w->pool = p;
	if (!frame_encoder_new(p->spec.level, &w->encoder, err))
		return false;
	if (!thread_start(&w->thread, work, w, err)) {
		frame_encoder_free(w->encoder);
		return false;
	}
	p->n_workers++;
	return true;
}

bool pool_new(const struct pool_spec *spec, struct pool **out, struct err *err)
{
	struct pool *p = mem_new0(sizeof(*p));
	int threads = pick_threads(spec->threads);

	p->spec = *spec;
	p->out_cap = frame_bound(spec->chunk);
	p->n_slots = (size_t)threads + 1;
	p->slots = mem_new0(p->n_slots * sizeof(*p->slots));
	p->workers = mem_new0((size_t)threads * sizeof(*p->workers));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->queued, NULL);
	pthread_cond_init(&p->done, NULL);
	for (int i = 0; i < threads; i++) {
		if (!start_worker(p, err)) {
			pool_free(p);
			return false;
		}
	}
	*out = p;
	return true;
}

/* Waits for the oldest slot that is out and hands its frame on. */
static bool hand_out(struct pool *p, struct err *err)
{
	struct slot *s = slot_at(p, p->next_out);

	pthread_mutex_lock(&p->lock);
	while (s->state != SLOT_DONE)
		pthread_cond_wait(&p->done, &p->lock);
	s->state = SLOT_EMPTY;
	pthread_mutex_unlock(&p->lock);
	p->next_out++;
	s->raw_len = 0;
	if (!s->ok)
		return err_set(err, s->err.code, "%s", s->err.msg);
	return p->spec.on_frame(p->spec.ctx, &s->frame, err);
}

static void queue_fill(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	slot_at(p, p->fill)->state = SLOT_QUEUED;
	p->fill++;
	pthread_cond_signal(&p->queued);
	pthread_mutex_unlock(&p->lock);
}

/* The slot that is being filled, after its former frame has gone out. */
static bool open_slot(struct pool *p, struct slot **out, struct err *err)
{
	struct slot *s = slot_at(p, p->fill);

	if (p->fill - p->next_out == p->n_slots && !hand_out(p, err))
		return false;
	if (!s->raw) {
		s->raw = mem_grow(NULL, p->spec.chunk, 1);
		s->out = mem_grow(NULL, p->out_cap, 1);
	}
	*out = s;
	return true;
}

static bool add(struct pool *p, const char *data, size_t len, struct err *err)
{
	while (len > 0) {
		struct slot *s;
		if (!open_slot(p, &s, err))
			return false;
		size_t n = p->spec.chunk - s->raw_len < len ? p->spec.chunk - s->raw_len : len;
		memcpy(s->raw + s->raw_len, data, n);
		s->raw_len += n;
		data += n;
		len -= n;
		if (s->raw_len == p->spec.chunk)
			queue_fill(p);
	}
	return true;
}

bool pool_add(struct pool *p, const void *data, size_t len, struct err *err)
{
	if (p->failed)
		return err_set(err, ERR_IO, "the compression has failed before");
	p->failed = !add(p, data, len, err);
	return !p->failed;
}

bool pool_finish(struct pool *p, struct err *err)
{
	if (p->failed)
		return err_set(err, ERR_IO, "the compression has failed before");
	p->failed = true;
	if (p->fill - p->next_out < p->n_slots && slot_at(p, p->fill)->raw_len > 0)
		queue_fill(p);
	while (p->next_out < p->fill)
		if (!hand_out(p, err))
			return false;
	return true;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->queued);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n_workers; i++) {
		pthread_join(p->workers[i].thread, NULL);
		frame_encoder_free(p->workers[i].encoder);
	}
	for (size_t i = 0; i < p->n_slots; i++) {
		free(p->slots[i].raw);
		free(p->slots[i].out);
	}
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->queued);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p->slots);
	free(p);
}
