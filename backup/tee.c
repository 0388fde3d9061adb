#include "backup/tee.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>

void tee_init(struct tee *t, const struct stores *stores, const char *folder, int required,
              struct strv *warnings)
{
	size_t n = stores->n ? stores->n : 1;

	*t = (struct tee){ .stores = stores, .folder = folder, .warnings = warnings, .n_live = stores->n };
	t->required = required > 0 ? (size_t)required : stores->n;
	t->uploads = mem_new0(n * sizeof(struct upload *));
	t->live = mem_new0(n * sizeof(bool));
	for (size_t i = 0; i < stores->n; i++)
		t->live[i] = true;
}

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
	upload_abort(&t->uploads[i]);
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
		if (t->live[i] && !upload_begin(t->stores->v[i], key, &t->uploads[i], &why) &&
		    !drop(t, i, &why, err))
			return false;
	}
	return true;
}

bool tee_write(struct tee *t, const void *data, size_t len, struct err *err)
{
	for (size_t i = 0; i < t->stores->n; i++) {
		struct err why = ERR_INIT;
		if (t->live[i] && !upload_write(t->uploads[i], data, len, &why) && !drop(t, i, &why, err))
			return false;
	}
	return true;
}

bool tee_finish(struct tee *t, struct err *err)
{
	for (size_t i = 0; i < t->stores->n; i++) {
		struct err why = ERR_INIT;
		if (t->live[i] && !upload_finish(&t->uploads[i], &why) && !drop(t, i, &why, err))
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
		upload_abort(&t->uploads[i]);
		remove_from(t, t->stores->v[i]);
	}
}

void tee_clear(struct tee *t)
{
	for (size_t i = 0; i < t->stores->n; i++)
		upload_abort(&t->uploads[i]);
	free(t->uploads);
	free(t->live);
	strv_clear(&t->objects);
	*t = (struct tee){ .stores = NULL };
}
