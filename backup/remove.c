/*
 * remove.c - taking backups out of the stores.
 *
 * The order decides what a deletion that is killed leaves: first the mark, so that whoever comes next knows that it
 * was meant; then the manifest, so that nothing is listed that is not whole; then the data; the mark last of all.
 */
#include "backup/backup.h"

#include "backup/manifest.h"
#include "backup/marks.h"
#include "backup/stores/store.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static bool remove_object(struct store *s, const char *folder, const char *object, struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", folder, object);

	return store_remove(s, key, err);
}

static bool remove_marks(struct store *s, const struct manifest *m, struct err *err)
{
	for (enum mark_kind kind = 0; kind < N_MARKS; kind++)
		if (kind != MARK_DELETING && !mark_remove(s, m, kind, err))
			return false;
	return mark_remove(s, m, MARK_DELETING, err);
}

static bool delete_from(struct store *s, const struct manifest *m, const char *why, struct err *err)
{
	return mark_put(s, m, MARK_DELETING, why, err) &&
	       remove_object(s, manifest_folder(m), MANIFEST_OBJECT, err) &&
	       remove_object(s, manifest_folder(m), manifest_object_name(m), err) && remove_marks(s, m, err);
}

bool backup_delete(const struct stores *stores, const struct manifest *m, const char *why, struct err *err)
{
	bool ok = true;

	for (size_t i = 0; i < stores->n; i++)
		if (strv_has(manifest_stores(m), store_name(stores->v[i])))
			ok = delete_from(stores->v[i], m, why, err) && ok;
	return ok;
}

static struct store *store_of(const struct stores *stores, const char *name)
{
	for (size_t i = 0; i < stores->n; i++)
		if (strcmp(store_name(stores->v[i]), name) == 0)
			return stores->v[i];
	return NULL;
}

bool backup_leftover_delete(const struct stores *stores, const struct backup_leftover *l, struct err *err)
{
	struct store *s = store_of(stores, l->store);
	const char *deleting = mark_types[MARK_DELETING].object;

	if (!l->is_ours || !s)
		return err_set(err, ERR_REFUSED, "store %s: %s holds something that is not ripcord's",
		               l->store, l->folder);
	for (size_t i = 0; i < l->objects.n; i++)
		if (strcmp(l->objects.v[i], deleting) != 0 &&
		    !remove_object(s, l->folder, l->objects.v[i], err))
			return false;
	return remove_object(s, l->folder, deleting, err);
}

bool backup_pins_now(const struct stores *stores, struct strv *folders, struct err *err)
{
	cleanup_free char *end = mem_fmt("/%s", mark_types[MARK_PIN].object);

	for (size_t i = 0; i < stores->n; i++) {
		cleanup_strv struct strv keys = STRV_INIT;
		if (!store_list(stores->v[i], &keys, err))
			return false;
		for (size_t k = 0; k < keys.n; k++) {
			if (!text_ends(keys.v[k], end))
				continue;
			keys.v[k][strlen(keys.v[k]) - strlen(end)] = '\0';
			strv_add(folders, keys.v[k]);
		}
	}
	return true;
}
