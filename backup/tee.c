#include "backup/tee.h"

#include "backup/stream/queue.h"
#include "backup/stream/thread.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

/* On the way to each store: what a slow one may be behind, and what it is given at once.  libssh2 keeps many
 * packets under way only within one piece. */
#define RING  ((size_t)8 << 20)
#define PIECE ((size_t)1 << 20)

/* One store's thread.  While it runs the upload is its own. */
struct tee_leg {
	struct upload *upload;
	struct queue *queue;
	pthread_t thread;
	bool running, ok;
	struct err why; /* when not ok */
};

void tee_init(struct tee *t, const struct stores *stores, const char *folder, int required,
              struct strv *warnings)
{
	size_t n = stores->n ? stores->n : 1;

	*t = (struct tee){ .stores = stores, .folder = folder, .warnings = warnings, .n_live = stores->n };
	t->required = required > 0 ? (size_t)required : stores->n;
	t->legs = mem_new0(n * sizeof(struct tee_leg));
	t->live = mem_new0(n * sizeof(bool));
	for (size_t i = 0; i < stores->n; i++)
		t->live[i] = true;
}

/* ------------------------------------------------------------------ a store's thread */

static bool drain(struct tee_leg *leg, char *piece, struct err *err)
{
	size_t got;

	for (;;) {
		if (!queue_read(leg->queue, piece, PIECE, &got, err))
			return false;
		if (got == 0)
			return upload_finish(&leg->upload, err);
		if (!upload_write(leg->upload, piece, got, err))
			return false;
	}
}

static void *run_leg(void *arg)
{
	struct tee_leg *leg = arg;
	cleanup_free char *piece = mem_grow(NULL, PIECE, 1);

	leg->ok = drain(leg, piece, &leg->why);
	if (!leg->ok)
		queue_give_up(leg->queue, &leg->why);
	return NULL;
}

static bool start_leg(struct tee_leg *leg, struct err *err)
{
	leg->why = (struct err)ERR_INIT;
	leg->queue = queue_new(RING);
	leg->running = thread_start(&leg->thread, run_leg, leg, err);
	return leg->running;
}

static void join_leg(struct tee_leg *leg)
{
	if (leg->running)
		pthread_join(leg->thread, NULL);
	leg->running = false;
	queue_free(leg->queue);
	leg->queue = NULL;
}

static void abort_leg(struct tee_leg *leg)
{
	struct err given_up = ERR_INIT;

	err_set(&given_up, ERR_BACKUP, "the backup was given up");
	if (leg->running)
		queue_give_up(leg->queue, &given_up);
	join_leg(leg);
	upload_abort(&leg->upload);
}

/* ------------------------------------------------------------------ all of them */

static void warn(struct tee *t, const struct err *why)
{
	if (t->warnings)
		strv_add(t->warnings, why->msg);
}

/* The manifest was put last and goes first, so that at no moment a backup is listed without its bytes. */
static void remove_from(struct tee *t, struct store *s)
{
	for (size_t i = t->objects.n; i-- > 0;) {
		cleanup_free char *key = mem_fmt("%s/%s", t->folder, t->objects.v[i]);
		struct err why = ERR_INIT;
		if (!store_remove(s, key, &why))
			warn(t, &why);
	}
}

static bool drop(struct tee *t, size_t i, const struct err *why, struct err *err)
{
	abort_leg(&t->legs[i]);
	remove_from(t, t->stores->v[i]);
	t->live[i] = false;
	t->n_live--;
	if (why->code == ERR_CANCELLED || t->n_live < t->required || t->n_live == 0) {
		*err = *why;
		return false;
	}
	warn(t, why);
	return true;
}

bool tee_begin(struct tee *t, const char *object, struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", t->folder, object);

	if (t->stores->n == 0 || t->required > t->stores->n)
		return err_set(err, ERR_USAGE, "%zu stores are required, and %zu are configured",
		               t->required ? t->required : 1, t->stores->n);
	strv_add(&t->objects, object);
	for (size_t i = 0; i < t->stores->n; i++) {
		struct err why = ERR_INIT;
		struct tee_leg *leg = &t->legs[i];
		if (!t->live[i])
			continue;
		bool ok = upload_begin(t->stores->v[i], key, &leg->upload, &why) && start_leg(leg, &why);
		if (!ok && !drop(t, i, &why, err))
			return false;
	}
	return true;
}

bool tee_write(struct tee *t, const void *data, size_t len, struct err *err)
{
	for (size_t i = 0; i < t->stores->n; i++) {
		struct err why = ERR_INIT;
		if (t->live[i] && !queue_write(t->legs[i].queue, data, len, &why) && !drop(t, i, &why, err))
			return false;
	}
	return true;
}

bool tee_finish(struct tee *t, struct err *err)
{
	for (size_t i = 0; i < t->stores->n; i++)
		if (t->live[i])
			queue_end(t->legs[i].queue);
	for (size_t i = 0; i < t->stores->n; i++) {
		if (!t->live[i])
			continue;
		join_leg(&t->legs[i]);
		struct err why = t->legs[i].why;
		if (!t->legs[i].ok && !drop(t, i, &why, err))
			return false;
	}
	return true;
}

bool tee_put(struct tee *t, const char *object, const void *data, size_t len, struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", t->folder, object);

	strv_add(&t->objects, object);
	for (size_t i = 0; i < t->stores->n; i++) {
		struct err why = ERR_INIT;
		if (t->live[i] && !store_put(t->stores->v[i], key, data, len, &why) && !drop(t, i, &why, err))
			return false;
	}
	return true;
}

void tee_names(const struct tee *t, struct strv *out)
{
	for (size_t i = 0; i < t->stores->n; i++)
		if (t->live[i])
			strv_add(out, store_name(t->stores->v[i]));
}

void tee_discard(struct tee *t)
{
	for (size_t i = 0; i < t->stores->n; i++) {
		if (!t->live[i])
			continue;
		abort_leg(&t->legs[i]);
		remove_from(t, t->stores->v[i]);
	}
}

void tee_clear(struct tee *t)
{
	for (size_t i = 0; i < t->stores->n; i++)
		abort_leg(&t->legs[i]);
	free(t->legs);
	free(t->live);
	strv_clear(&t->objects);
	*t = (struct tee){ .stores = NULL };
}
