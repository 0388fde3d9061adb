/*
 * catalog.c - which backups there are, in all stores, and the marks beside them.
 *
 * In doubt a backup counts as pinned and as not verified: both only keep it.
 */
#include "backup/backup.h"

#include "backup/manifest.h"
#include "backup/stores/store.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define MARK_MAX ((size_t)64 * 1024)

/* ------------------------------------------------------------------ marks */

char *mark_text(const struct manifest *m, const char *key, const char *value)
{
	char iso[CLOCK_ISO];
	cleanup_json json_t *j = json_object();

	json_put(j, "format", json_integer(MANIFEST_FORMAT));
	json_put(j, "backup", json_str(manifest_id(m)));
	json_put(j, "at", json_str(clock_iso(clock_wall_us(), iso)));
	json_put(j, key, json_str(value));
	return json_canonical(j);
}

/* The mark's word, which must be about this very backup. */
static bool read_mark(struct store *s, const struct manifest *m, const char *object, const char *key,
                      char **out, struct err *err)
{
	cleanup_free char *place = manifest_key(m, object);
	cleanup_buf struct buf text = BUF_INIT(MARK_MAX);
	cleanup_json json_t *j = NULL;
	const char *id, *word;

	if (!store_get(s, place, &text, err) || !json_parse(buf_text(&text), text.len, place, &j, err))
		return false;
	if (!json_need_str(j, "backup", &id, err) || !json_need_str(j, key, &word, err))
		return err_wrap(err, "%s", place);
	if (strcmp(id, manifest_id(m)) != 0)
		return err_set(err, ERR_CORRUPT, "%s is about another backup, %s", place, id);
	*out = mem_strdup(word);
	return true;
}

static void read_marks(struct store *s, struct manifest *m, const struct strv *keys, struct strv *warnings)
{
	cleanup_free char *pin = manifest_key(m, PIN_OBJECT);
	cleanup_free char *verified = manifest_key(m, VERIFIED_OBJECT);
	struct err pin_err = ERR_INIT, verified_err = ERR_INIT;

	if (!m->pin_reason && strv_has(keys, pin) &&
	    !read_mark(s, m, PIN_OBJECT, "reason", &m->pin_reason, &pin_err)) {
		m->pin_reason = mem_strdup("the pin cannot be read");
		strv_add(warnings, pin_err.msg);
	}
	if (!m->verified_how && strv_has(keys, verified) &&
	    !read_mark(s, m, VERIFIED_OBJECT, "how", &m->verified_how, &verified_err))
		strv_add(warnings, verified_err.msg);
}

/* ------------------------------------------------------------------ reading */

/* FOLDER/BACKUP/manifest.json gives FOLDER/BACKUP; NULL for anything else. */
static char *folder_of(const char *key)
{
	const char *first = strchr(key, '/');
	const char *second = first ? strchr(first + 1, '/') : NULL;

	if (!second || strcmp(second + 1, MANIFEST_OBJECT) != 0)
		return NULL;
	return mem_strndup(key, (size_t)(second - key));
}

static bool read_manifest(struct store *s, const char *key, const char *folder, struct manifest **out,
                          struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);
	cleanup_manifest struct manifest *m = NULL;

	if (!store_get(s, key, &text, err))
		return false;
	bool ok = manifest_parse(buf_text(&text), text.len, key, &m, err) ||
	          err_wrap(err, "store %s", store_name(s));
	if (ok && strcmp(manifest_folder(m), folder) != 0)
		ok = err_set(err, ERR_CORRUPT, "store %s: %s is the manifest of %s", store_name(s), key,
		             manifest_folder(m));
	if (!ok)
		return false;
	*out = m;
	m = NULL;
	return true;
}

static struct backup_entry *find_exact(const struct backup_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(manifest_id(l->v[i].manifest), id) == 0)
			return &l->v[i];
	return NULL;
}

/* The list owns m from here.  Two manifests of one id must be the same one. */
static struct backup_entry *add_entry(struct backup_list *l, struct store *s, struct manifest *m)
{
	struct backup_entry *known = find_exact(l, manifest_id(m));

	if (!known) {
		l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
		l->v[l->n] = (struct backup_entry){ .manifest = m };
		known = &l->v[l->n++];
	} else if (!json_equal(known->manifest->json, m->json)) {
		strv_fmt(&l->warnings, "store %s: the manifest of %s is not that of store %s", store_name(s),
		         manifest_id(m), known->stores.v[0]);
		manifest_free(m);
		return NULL;
	} else {
		manifest_free(m);
	}
	strv_add(&known->stores, store_name(s));
	strv_add(&known->manifest->stores, store_name(s));
	return known;
}

static void read_one(struct backup_list *l, struct store *s, const struct strv *keys, const char *key)
{
	cleanup_free char *folder = folder_of(key);
	struct manifest *m = NULL;
	struct err err = ERR_INIT;

	if (!folder)
		return;
	if (!read_manifest(s, key, folder, &m, &err)) {
		strv_add(&l->warnings, err.msg);
		return;
	}
	struct backup_entry *e = add_entry(l, s, m);
	if (e)
		read_marks(s, e->manifest, keys, &l->warnings);
}

static bool read_store(struct backup_list *l, struct store *s, struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;

	if (!store_list(s, &keys, err))
		return false;
	strv_sort(&keys);
	for (size_t i = 0; i < keys.n; i++)
		read_one(l, s, &keys, keys.v[i]);
	return true;
}

static int newest_first(const void *a, const void *b)
{
	const struct backup_entry *x = a, *y = b;
	int by_time = strcmp(manifest_str(y->manifest, "created"), manifest_str(x->manifest, "created"));

	return by_time ? by_time : strcmp(manifest_id(y->manifest), manifest_id(x->manifest));
}

bool backup_list_read(const struct stores *stores, struct backup_list *out, struct err *err)
{
	struct backup_list l = { .v = NULL };
	struct err first = ERR_INIT;
	size_t n_read = 0;

	for (size_t i = 0; i < stores->n; i++) {
		struct err why = ERR_INIT;
		if (read_store(&l, stores->v[i], &why)) {
			n_read++;
			continue;
		}
		strv_add(&l.warnings, why.msg);
		if (first.code == ERR_NONE)
			first = why;
	}
	if (stores->n > 0 && n_read == 0) {
		*err = first; /* an empty list would say that there are no backups */
		backup_list_clear(&l);
		return false;
	}
	if (l.n > 1)
		qsort(l.v, l.n, sizeof(*l.v), newest_first);
	*out = l;
	return true;
}

void backup_list_clear(struct backup_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		manifest_free(l->v[i].manifest);
		strv_clear(&l->v[i].stores);
	}
	free(l->v);
	strv_clear(&l->warnings);
	*l = (struct backup_list){ .v = NULL };
}

/* An id is TIME-SHORT; the short part alone names a backup as well, since it stands at the end of folders. */
static bool is_meant(const struct manifest *m, const char *id)
{
	const char *is = manifest_id(m);
	const char *dash = strrchr(is, '-');

	return *id && (text_starts(is, id) || (dash && text_starts(dash + 1, id) && strlen(id) >= 4));
}

static bool ambiguous(const char *id, const struct manifest *a, const struct manifest *b, struct err *err)
{
	err_set(err, ERR_USAGE, "'%s' may be backup %s or %s", id, manifest_id(a), manifest_id(b));
	return false;
}

static bool not_there(const char *id, struct err *err)
{
	err_set(err, ERR_BACKUP, "no backup '%s' is in the configured stores", id);
	err_hint(err, "ripcord backup list shows those that are there");
	return false;
}

bool backup_list_find(const struct backup_list *l, const char *id, const struct backup_entry **out,
                      struct err *err)
{
	const struct backup_entry *found = find_exact(l, id);
	bool exact = found != NULL;

	for (size_t i = 0; !exact && i < l->n; i++) {
		if (!is_meant(l->v[i].manifest, id))
			continue;
		if (found)
			return ambiguous(id, found->manifest, l->v[i].manifest, err);
		found = &l->v[i];
	}
	if (!found)
		return not_there(id, err);
	*out = found;
	return true;
}

/* ------------------------------------------------------------------ changing marks */

struct mark {
	const char *object, *text; /* text NULL: removed */
};

static bool mark_in(struct store *s, const struct manifest *m, const struct mark *mark, struct err *err)
{
	cleanup_free char *key = manifest_key(m, mark->object);

	if (!mark->text)
		return store_remove(s, key, err);
	return store_put(s, key, mark->text, strlen(mark->text), err);
}

/* Every store that has it is tried, even after one has failed: the more marks the better. */
static bool mark_all(const struct stores *stores, const struct backup_entry *e, const struct mark *mark,
                     struct err *err)
{
	bool ok = true;

	for (size_t i = 0; i < stores->n; i++)
		if (strv_has(&e->stores, store_name(stores->v[i])))
			ok = mark_in(stores->v[i], e->manifest, mark, err) && ok;
	return ok;
}

bool backup_mark_verified(const struct stores *stores, const char *id, const char *how, struct err *err)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	const struct backup_entry *e;

	if (!backup_list_read(stores, &l, err) || !backup_list_find(&l, id, &e, err))
		return false;
	cleanup_free char *text = mark_text(e->manifest, "how", how);
	return mark_all(stores, e, &(struct mark){ .object = VERIFIED_OBJECT, .text = text }, err);
}

bool backup_set_pin(const struct stores *stores, const char *id, bool pinned, const char *reason,
                    struct err *err)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	const struct backup_entry *e;

	if (!backup_list_read(stores, &l, err) || !backup_list_find(&l, id, &e, err))
		return false;
	cleanup_free char *text = pinned ? mark_text(e->manifest, "reason", reason ? reason : "") : NULL;
	return mark_all(stores, e, &(struct mark){ .object = PIN_OBJECT, .text = text }, err);
}
