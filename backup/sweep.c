/*
 * sweep.c - what takes that were killed have left: folders with data and no manifest, which nobody lists.
 *
 * Each take is noted before it begins.  Only a note of this machine that no process holds any more is acted on, so a
 * take that goes on, here or elsewhere, is left alone; and so is a folder that has its manifest.
 */
#include "backup/sweep.h"

#include "backup/manifest.h"
#include "backup/marks.h"
#include "backup/stores/store.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

#define HOST_MAX 256 /* POSIX allows 255 */

/* A state folder may be on a disk that several machines share, and a lock there may be one machine's alone. */
static bool place_of(const char *state_dir, char host[HOST_MAX], struct note_place *out)
{
	memset(host, 0, HOST_MAX);
	*out = (struct note_place){ .state_dir = state_dir, .kind = "backup", .where = host };
	return gethostname(host, HOST_MAX - 1) == 0;
}

bool sweep_note(const char *state_dir, const char *folder, const struct stores *stores, struct note **out,
                struct err *err)
{
	char host[HOST_MAX];
	struct note_place place;

	*out = NULL;
	if (!place_of(state_dir, host, &place))
		return true;
	if (!note_begin(&place, folder, out, err))
		return false;
	for (size_t i = 0; i < stores->n; i++)
		if (!note_add(*out, store_name(stores->v[i]), err)) {
			note_end(*out, true);
			*out = NULL;
			return false;
		}
	return true;
}

struct sweep {
	const struct stores *stores;
	struct strv *told;
	bool gave_up; /* a store does not answer: it is not asked for every note */
};

static bool has_manifest(struct store *s, const char *folder, bool *out, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	cleanup_free char *key = mem_fmt("%s/%s", folder, MANIFEST_OBJECT);

	if (!store_list(s, &keys, err))
		return false;
	*out = strv_has(&keys, key);
	return true;
}

static bool remove_object(struct store *s, const char *folder, const char *object, struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", folder, object);

	return store_remove(s, key, err);
}

/* All that a take writes.  The manifest comes last: its very last request may have been under way when the process
 * died, and a manifest without data must not stay. */
static bool remove_all(struct store *s, const char *folder, struct err *err)
{
	static const char *const objects[] = { BACKUP_OBJECT, BACKUP_OBJECT AGE_SUFFIX };

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (!remove_object(s, folder, objects[i], err))
			return false;
	return remove_object(s, folder, mark_types[MARK_PIN].object, err) &&
	       remove_object(s, folder, MANIFEST_OBJECT, err);
}

static bool sweep_store(struct sweep *sweep, struct store *s, const char *folder)
{
	struct err why = ERR_INIT;
	bool whole;

	if (!has_manifest(s, folder, &whole, &why) || (!whole && !remove_all(s, folder, &why))) {
		strv_fmt(sweep->told, "what a killed backup left in %s cannot be removed yet: %s", folder,
		         why.msg);
		return false;
	}
	if (!whole)
		strv_fmt(sweep->told, "store %s: %s, left by a backup that was killed, is removed",
		         store_name(s), folder);
	return true;
}

static struct store *find(const struct stores *stores, const char *name)
{
	for (size_t i = 0; i < stores->n; i++)
		if (strcmp(store_name(stores->v[i]), name) == 0)
			return stores->v[i];
	return NULL;
}

/* A store that is not configured at the moment keeps its note. */
static bool settle(void *ctx, const char *folder, const struct strv *stores)
{
	struct sweep *sweep = ctx;
	bool settled = true;

	for (size_t i = 0; i < stores->n && !sweep->gave_up; i++) {
		struct store *s = find(sweep->stores, stores->v[i]);
		if (s && !sweep_store(sweep, s, folder))
			sweep->gave_up = true;
		settled = settled && s;
	}
	return settled && !sweep->gave_up;
}

void backup_sweep(const struct stores *stores, const char *state_dir, struct strv *told)
{
	struct sweep sweep = { .stores = stores, .told = told };
	struct note_place place;
	char host[HOST_MAX];

	if (place_of(state_dir, host, &place))
		notes_visit(&place, settle, &sweep);
}
