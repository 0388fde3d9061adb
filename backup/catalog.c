/*
 * catalog.c - which backups there are, in all stores: one listing a store, each manifest read once.
 *
 * Marks are taken from the listing; only pins are opened, for their reason.  Where one backup is asked for, its
 * folder is known by its name, and no other manifest is read.
 * In doubt a backup counts as pinned and as not verified: both only keep it.
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

/* What one store listed; in order, so that the objects of one folder stand together. */
struct listing {
	struct store *store;
	struct strv keys;
	bool ok;
};

/* The objects of one folder DATABASE-SYSTEM/TIME-HEADS-SHORT. */
struct folder {
	char *name, *id;   /* owned; id NULL when no backup of ours has such a name */
	char *const *keys; /* n of them, borrowed from the listing */
	size_t n;
};

struct reading {
	struct listing *listings;
	size_t n;
	const char *only; /* the id that is asked for; NULL: all */
	struct backup_list list;
};

/* ------------------------------------------------------------------ folders */

/* TIME-HEADS-SHORT gives TIME-SHORT, which is the backup's id; heads are percent-encoded or joined by +. */
static char *id_of(const char *folder)
{
	const char *base = strrchr(folder, '/');
	const char *first = base ? strchr(base, '-') : NULL, *last = base ? strrchr(base, '-') : NULL;

	if (!base || first == last || first - base != 1 + (long)strlen("20261122T101500Z") ||
	    strlen(last) != 9 || strspn(last + 1, "0123456789abcdef") != 8 ||
	    strspn(base + 1, "0123456789TZ") != (size_t)(first - base - 1))
		return NULL;
	return mem_fmt("%.*s%s", (int)(first - base - 1), base + 1, last);
}

static size_t folder_length(const char *key)
{
	const char *first = strchr(key, '/'), *second = first ? strchr(first + 1, '/') : NULL;

	return second && !strchr(second + 1, '/') ? (size_t)(second - key) : 0;
}

/* The folder that begins at keys->v[*at]; false at the end.  What lies elsewhere is not of this room. */
static bool next_folder(const struct strv *keys, size_t *at, struct folder *out)
{
	while (*at < keys->n && folder_length(keys->v[*at]) == 0)
		++*at;
	if (*at == keys->n)
		return false;
	size_t len = folder_length(keys->v[*at]);
	*out = (struct folder){ .name = mem_strndup(keys->v[*at], len), .keys = &keys->v[*at] };
	while (*at < keys->n && folder_length(keys->v[*at]) == len &&
	       memcmp(keys->v[*at], out->name, len) == 0) {
		++*at;
		out->n++;
	}
	out->id = id_of(out->name);
	return true;
}

static void folder_clear(struct folder *f)
{
	free(f->name);
	free(f->id);
	*f = (struct folder){ .n = 0 };
}

static const char *object_of(const struct folder *f, size_t i) { return f->keys[i] + strlen(f->name) + 1; }

static bool folder_has(const struct folder *f, const char *object)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(object_of(f, i), object) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------ marks */

static void read_pin(struct reading *r, struct store *s, struct manifest *m)
{
	struct err err = ERR_INIT;

	if (m->pin_reason || mark_read(s, manifest_folder(m), manifest_id(m), MARK_PIN, &m->pin_reason, &err))
		return;
	m->pin_reason = mem_strdup("the pin cannot be read");
	strv_add(&r->list.warnings, err.msg);
}

/* Of the list of all, a name is believed; where one backup is looked at, its marks are opened. */
static bool is_good(struct reading *r, struct store *s, struct backup_entry *e, enum mark_kind kind)
{
	cleanup_free char *value = NULL;
	struct err err = ERR_INIT;

	if (!r->only ||
	    mark_read(s, manifest_folder(e->manifest), manifest_id(e->manifest), kind, &value, &err))
		return true;
	e->bad_marks = true;
	strv_add(&r->list.warnings, err.msg);
	return false;
}

static bool is_stronger(enum mark_kind kind, const char *than)
{
	for (enum mark_kind k = MARK_STORED; than && k < kind; k++)
		if (strcmp(mark_types[k].how, than) == 0)
			return true;
	return !than;
}

static void read_marks(struct reading *r, struct store *s, const struct folder *f, struct backup_entry *e)
{
	struct manifest *m = e->manifest;

	if (folder_has(f, mark_types[MARK_PIN].object))
		read_pin(r, s, m);
	for (enum mark_kind kind = MARK_STORED; kind <= MARK_DRILL; kind++) {
		if (!folder_has(f, mark_types[kind].object) || !is_good(r, s, e, kind) ||
		    !is_stronger(kind, m->verified_how))
			continue;
		free(m->verified_how);
		m->verified_how = mem_strdup(mark_types[kind].how);
	}
	if (folder_has(f, mark_types[MARK_DELETING].object))
		e->condemned = true;
}

/* ------------------------------------------------------------------ manifests */

/* Sound in itself, and of the place where it rests. */
static bool is_of_folder(const struct manifest *m, const struct folder *f, struct err *err)
{
	if (strcmp(manifest_folder(m), f->name) != 0)
		return err_set(err, ERR_CORRUPT, "it is the manifest of %s", manifest_folder(m));
	return (f->id && strcmp(manifest_id(m), f->id) == 0) ||
	       err_set(err, ERR_CORRUPT, "it is about backup %s", manifest_id(m));
}

/* NULL and *err when it cannot be believed. */
static struct manifest *read_manifest(struct store *s, const struct folder *f, struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", f->name, MANIFEST_OBJECT);
	cleanup_buf struct buf text = BUF_INIT(MANIFEST_MAX);
	struct manifest *m = NULL;

	if (!store_get(s, key, &text, err))
		return NULL;
	if (!manifest_parse(buf_text(&text), text.len, key, &m, err)) {
		err_wrap(err, "store %s", store_name(s));
		return NULL;
	}
	if (is_of_folder(m, f, err))
		return m;
	err_wrap(err, "store %s, %s", store_name(s), key);
	manifest_free(m);
	return NULL;
}

/* While reading, the list is in the order of ids.  Where `id` is, or would have to be put in. */
static size_t place_of(const struct backup_list *l, const char *id)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(manifest_id(l->v[middle].manifest), id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct backup_entry *insert(struct backup_list *l, size_t at, struct manifest *m)
{
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	memmove(&l->v[at + 1], &l->v[at], (l->n - at) * sizeof(*l->v));
	l->n++;
	l->v[at] = (struct backup_entry){ .manifest = m };
	return &l->v[at];
}

/* The list owns m from here.  Two manifests of one id must be the same one. */
static struct backup_entry *add_entry(struct backup_list *l, struct store *s, struct manifest *m)
{
	size_t at = place_of(l, manifest_id(m));
	struct backup_entry *known = at < l->n ? &l->v[at] : NULL;

	if (!known || strcmp(manifest_id(known->manifest), manifest_id(m)) != 0) {
		known = insert(l, at, m);
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

/* ------------------------------------------------------------------ what has no manifest */

static bool is_ours(const char *object)
{
	for (size_t i = 0; i < N_MARKS; i++)
		if (strcmp(object, mark_types[i].object) == 0)
			return true;
	return strcmp(object, BACKUP_OBJECT) == 0 || strcmp(object, BACKUP_OBJECT ".age") == 0;
}

/* A deletion that broke off is known by its mark, which has to be whole and about this folder. */
static bool is_condemned(struct store *s, const struct folder *f)
{
	cleanup_free char *reason = NULL;
	struct err ignored = ERR_INIT;

	return f->id && folder_has(f, mark_types[MARK_DELETING].object) &&
	       mark_read(s, f->name, f->id, MARK_DELETING, &reason, &ignored);
}

static void add_leftover(struct backup_list *l, struct store *s, const struct folder *f)
{
	struct backup_leftover left = { .store = mem_strdup(store_name(s)),
		                        .folder = mem_strdup(f->name),
		                        .is_ours = f->id != NULL };

	for (size_t i = 0; i < f->n; i++) {
		left.is_ours = left.is_ours && is_ours(object_of(f, i));
		strv_add(&left.objects, object_of(f, i));
	}
	left.condemned = left.is_ours && is_condemned(s, f);
	l->leftovers = mem_grow(l->leftovers, l->n_leftovers + 1, sizeof(*l->leftovers));
	l->leftovers[l->n_leftovers++] = left;
}

static void read_folder(struct reading *r, struct store *s, const struct folder *f)
{
	struct err err = ERR_INIT;

	if (r->only && (!f->id || strcmp(f->id, r->only) != 0))
		return;
	if (!folder_has(f, MANIFEST_OBJECT)) {
		if (r->only)
			strv_fmt(&r->list.warnings, "store %s: %s has no %s", store_name(s), f->name,
			         MANIFEST_OBJECT);
		add_leftover(&r->list, s, f);
		return;
	}
	struct manifest *m = read_manifest(s, f, &err);
	if (!m) {
		strv_add(&r->list.damaged, f->name);
		strv_add(&r->list.warnings, err.msg);
		return;
	}
	struct backup_entry *e = add_entry(&r->list, s, m);
	if (e)
		read_marks(r, s, f, e);
}

/* ------------------------------------------------------------------ reading */

static void reading_clear(struct reading *r)
{
	for (size_t i = 0; i < r->n; i++)
		strv_clear(&r->listings[i].keys);
	free(r->listings);
	backup_list_clear(&r->list);
}
#define cleanup_reading __attribute__((cleanup(reading_clear)))

/* An empty list would say that there are no backups: at least one store has to answer. */
static bool list_stores(struct reading *r, const struct stores *stores, struct err *err)
{
	struct err first = ERR_INIT;
	size_t n_read = 0;

	r->listings = mem_new0((stores->n ? stores->n : 1) * sizeof(*r->listings));
	r->n = stores->n;
	for (size_t i = 0; i < stores->n; i++) {
		struct listing *l = &r->listings[i];
		struct err why = ERR_INIT;
		l->store = stores->v[i];
		l->ok = store_list(l->store, &l->keys, &why);
		strv_sort(&l->keys);
		n_read += l->ok;
		if (l->ok)
			continue;
		strv_add(&r->list.warnings, why.msg);
		if (first.code == ERR_NONE)
			first = why;
	}
	if (stores->n > 0 && n_read == 0) {
		*err = first;
		return false;
	}
	return true;
}

/* A list that broke off is no list: what such a store may have is left alone. */
static void each_folder(struct reading *r,
                        void (*call)(struct reading *r, struct store *s, const struct folder *f))
{
	for (size_t i = 0; i < r->n; i++) {
		struct folder f;
		size_t at = 0;
		while (r->listings[i].ok && next_folder(&r->listings[i].keys, &at, &f)) {
			call(r, r->listings[i].store, &f);
			folder_clear(&f);
		}
	}
}

static int newest_first(const void *a, const void *b)
{
	const struct backup_entry *x = a, *y = b;
	int by_time = strcmp(manifest_str(y->manifest, "created"), manifest_str(x->manifest, "created"));

	return by_time ? by_time : strcmp(manifest_id(y->manifest), manifest_id(x->manifest));
}

static void read_all(struct reading *r, struct backup_list *out)
{
	each_folder(r, read_folder);
	if (r->list.n > 1)
		qsort(r->list.v, r->list.n, sizeof(*r->list.v), newest_first);
	*out = r->list;
	r->list = (struct backup_list){ .v = NULL };
}

bool backup_list_read(const struct stores *stores, struct backup_list *out, struct err *err)
{
	cleanup_reading struct reading r = { .n = 0 };

	if (!list_stores(&r, stores, err))
		return false;
	read_all(&r, out);
	return true;
}

void backup_list_clear(struct backup_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		manifest_free(l->v[i].manifest);
		strv_clear(&l->v[i].stores);
	}
	for (size_t i = 0; i < l->n_leftovers; i++) {
		free(l->leftovers[i].store);
		free(l->leftovers[i].folder);
		strv_clear(&l->leftovers[i].objects);
	}
	free(l->v);
	free(l->leftovers);
	strv_clear(&l->damaged);
	strv_clear(&l->warnings);
	*l = (struct backup_list){ .v = NULL };
}

/* ------------------------------------------------------------------ one of them */

/* An id is TIME-SHORT; the short part alone names a backup as well, since it stands at the end of folders. */
static bool is_meant(const char *is, const char *id)
{
	const char *dash = strrchr(is, '-');

	return *id && (text_starts(is, id) || (dash && text_starts(dash + 1, id) && strlen(id) >= 4));
}

static bool not_there(const char *id, struct err *err)
{
	err_set(err, ERR_BACKUP, "no backup '%s' is in the configured stores", id);
	err_hint(err, "ripcord backup list shows those that are there");
	return false;
}

/* Which of `ids` (each once) `id` means. */
static bool choose(const struct strv *ids, const char *id, const char **out, struct err *err)
{
	const char *found = NULL;

	for (size_t i = 0; i < ids->n; i++) {
		if (strcmp(ids->v[i], id) == 0) {
			*out = ids->v[i];
			return true;
		}
	}
	for (size_t i = 0; i < ids->n; i++) {
		if (!is_meant(ids->v[i], id))
			continue;
		if (found)
			return err_set(err, ERR_USAGE, "'%s' may be backup %s or %s", id, found, ids->v[i]);
		found = ids->v[i];
	}
	if (!found)
		return not_there(id, err);
	*out = found;
	return true;
}

bool backup_list_find(const struct backup_list *l, const char *id, const struct backup_entry **out,
                      struct err *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	const char *found;

	for (size_t i = 0; i < l->n; i++)
		strv_add(&ids, manifest_id(l->v[i].manifest));
	if (!choose(&ids, id, &found, err))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(manifest_id(l->v[i].manifest), found) == 0)
			*out = &l->v[i];
	return true;
}

/* The ids that the names of the listed folders give, each once. */
static void listed_ids(const struct reading *r, const char *id, struct strv *out)
{
	for (size_t i = 0; i < r->n; i++) {
		struct folder f;
		size_t at = 0;
		while (r->listings[i].ok && next_folder(&r->listings[i].keys, &at, &f)) {
			if (f.id && is_meant(f.id, id) && !strv_has(out, f.id))
				strv_add(out, f.id);
			folder_clear(&f);
		}
	}
}

bool backup_list_read_one(const struct stores *stores, const char *id, struct backup_list *out,
                          struct err *err)
{
	cleanup_reading struct reading r = { .n = 0 };
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_backup_list struct backup_list list = { .v = NULL };

	if (!list_stores(&r, stores, err))
		return false;
	listed_ids(&r, id, &ids);
	if (!choose(&ids, id, &r.only, err))
		return false;
	read_all(&r, &list);
	if (list.n != 1) {
		/* Its folder is there, and no manifest that could be believed. */
		not_there(r.only, err);
		for (size_t i = list.warnings.n; i-- > 0;)
			err_wrap(err, "%s", list.warnings.v[i]);
		return false;
	}
	*out = list;
	list = (struct backup_list){ .v = NULL };
	return true;
}
