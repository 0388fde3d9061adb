#include "backup/stores/store.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"

#include <stdlib.h>
#include <string.h>

static const struct store_ops *const store_kinds[] = { &store_file_ops, &store_s3_ops, &store_sftp_ops,
	                                               &store_http_ops };

#define N_KINDS (sizeof(store_kinds) / sizeof(store_kinds[0]))

static const struct store_ops *find_kind(const char *type)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(store_kinds[i]->type, type) == 0)
			return store_kinds[i];
	return NULL;
}

static bool check_keys(const struct store_config *c, const struct store_ops *ops, struct err *err)
{
	size_t n_known = 0;

	while (ops->keys[n_known])
		n_known++;
	for (size_t i = 0; i < c->n; i++) {
		bool known = false;
		for (size_t k = 0; k < n_known; k++)
			known = known || strcmp(ops->keys[k], c->keys[i]) == 0;
		if (known)
			continue;
		const char *near = text_nearest(c->keys[i], ops->keys, n_known);
		err_set(err, ERR_USAGE, "[store %s]: unknown key '%s' for a store of type %s", c->name,
		        c->keys[i], ops->type);
		return near ? err_hint(err, "did you mean '%s'?", near) : false;
	}
	return true;
}

static void unknown_type(const struct store_config *c, struct err *err)
{
	cleanup_strv struct strv types = STRV_INIT;

	for (size_t i = 0; i < N_KINDS; i++)
		strv_add(&types, store_kinds[i]->type);
	cleanup_free char *all = strv_join(&types, ", ");
	err_set(err, ERR_USAGE, "[store %s]: there are no stores of type %s", c->name, c->type);
	err_hint(err, "type is one of: %s", all);
}

static struct store *open_one(const struct store_config *c, struct err *err)
{
	const struct store_ops *ops = find_kind(c->type);

	if (!ops) {
		unknown_type(c, err);
		return NULL;
	}
	if (!check_keys(c, ops, err))
		return NULL;
	struct store *s = ops->open(c, err);
	if (s) {
		s->name = mem_strdup(c->name);
		s->identity = mem_strdup(c->identity);
	}
	return s;
}

bool stores_open(const struct store_config *configs, size_t n, struct stores *out, struct err *err)
{
	struct stores all = { .v = mem_new0((n ? n : 1) * sizeof(struct store *)) };

	for (size_t i = 0; i < n; i++) {
		struct store *s = open_one(&configs[i], err);
		if (!s) {
			stores_close(&all);
			return false;
		}
		all.v[all.n++] = s;
	}
	*out = all;
	return true;
}

void stores_close(struct stores *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i]->name);
		free(s->v[i]->identity);
		s->v[i]->ops->close(s->v[i]);
	}
	free(s->v);
	*s = (struct stores){ .v = NULL };
}

const char *store_name(const struct store *s) { return s->name; }

/* Every failure of a store is a backup's failure (exit 7), and says whose. */
static bool failed(const struct store *s, struct err *err)
{
	if (err->code == ERR_IO || err->code == ERR_PROC || err->code == ERR_REFUSED)
		err_recode(err, ERR_BACKUP);
	err_wrap(err, "store %s", s->name);
	return false;
}

bool store_free_bytes(const struct store *s, bool *known, int64_t *bytes, struct err *err)
{
	return s->ops->free_bytes(s, known, bytes, err) || failed(s, err);
}

bool store_key_check(const char *key, struct err *err)
{
	for (const char *part = key; part;) {
		const char *end = strchrnul(part, '/');
		size_t len = (size_t)(end - part);
		bool dots = (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0);

		if (len == 0 || dots)
			return err_set(err, ERR_BACKUP, "'%s' is no name for an object of a store", key);
		part = *end ? end + 1 : NULL;
	}
	for (const char *p = key; *p; p++)
		if ((unsigned char)*p < ' ')
			return err_set(err, ERR_BACKUP,
			               "a store's object cannot have control characters in its name");
	return true;
}

bool upload_begin(struct store *s, const char *key, struct upload **out, struct err *err)
{
	if (!store_key_check(key, err) || !s->ops->begin(s, key, out, err))
		return failed(s, err);
	(*out)->store = s;
	return true;
}

bool upload_write(struct upload *u, const void *data, size_t len, struct err *err)
{
	return u->store->ops->write(u, data, len, err) || failed(u->store, err);
}

bool upload_finish(struct upload **u, struct err *err)
{
	struct store *s = (*u)->store;
	bool ok = s->ops->finish(*u, err) || failed(s, err);

	upload_abort(u);
	return ok;
}

void upload_abort(struct upload **u)
{
	if (*u)
		(*u)->store->ops->discard(*u);
	*u = NULL;
}

bool store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	return (store_key_check(key, err) && s->ops->put(s, key, data, len, err)) || failed(s, err);
}

bool store_list(struct store *s, struct strv *keys, struct err *err)
{
	return s->ops->list(s, keys, err) || failed(s, err);
}

bool store_remove(struct store *s, const char *key, struct err *err)
{
	return (store_key_check(key, err) && s->ops->remove(s, key, err)) || failed(s, err);
}

bool download_begin(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err)
{
	if (!store_key_check(key, err) || !s->ops->get(s, key, offset, out, err))
		return failed(s, err);
	(*out)->store = s;
	return true;
}

bool download_read(struct download *d, void *data, size_t cap, size_t *got, struct err *err)
{
	return d->store->ops->read(d, data, cap, got, err) || failed(d->store, err);
}

void download_end(struct download *d)
{
	if (d)
		d->store->ops->end_read(d);
}

bool store_get(struct store *s, const char *key, struct buf *out, struct err *err)
{
	cleanup_download struct download *d = NULL;
	char piece[16 * 1024];

	if (!download_begin(s, key, 0, &d, err))
		return false;
	for (;;) {
		size_t got;
		if (!download_read(d, piece, sizeof(piece), &got, err))
			return false;
		if (got == 0)
			return true;
		if (out->len + got > out->max)
			return err_set(err, ERR_BACKUP, "store %s: %s is larger than %zu bytes", s->name, key,
			               out->max);
		buf_add(out, piece, got);
	}
}

/* Where objects are, so that the same folders, rights and listing are tried. */
#define PROBE_FOLDER "ripcord-probe"

static bool check_probe(struct store *s, const char *key, const char *id, struct err *err)
{
	cleanup_buf struct buf back = BUF_INIT(64);
	cleanup_strv struct strv keys = STRV_INIT;

	if (!store_get(s, key, &back, err) || !store_list(s, &keys, err))
		return false;
	if (strcmp(buf_text(&back), id) != 0)
		return err_set(err, ERR_BACKUP, "store %s: a probe object came back with other bytes",
		               s->name);
	return strv_has(&keys, key) ||
	       err_set(err, ERR_BACKUP, "store %s: a probe object was written and is not listed", s->name);
}

bool store_check(struct store *s, struct err *err)
{
	char id[17], key[64];
	struct err ignored = ERR_INIT;

	random_hex(id, sizeof(id) - 1);
	snprintf(key, sizeof(key), PROBE_FOLDER "/%s/probe", id);
	if (!store_put(s, key, id, sizeof(id) - 1, err)) {
		(void)!store_remove(s, key, &ignored); /* folders may have been made */
		return false;
	}
	bool ok = check_probe(s, key, id, err);
	return store_remove(s, key, err) && ok;
}
