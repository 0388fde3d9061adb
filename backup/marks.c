#include "backup/marks.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MARK_MAX ((size_t)64 * 1024)
#define MS       "ms" /* of a drill's mark */

const struct mark_type mark_types[N_MARKS] = {
	[MARK_PIN] = { "pinned.json", "reason", NULL },
	[MARK_STORED] = { "verified-stored.json", "how", "stored" },
	[MARK_READ] = { "verified-read.json", "how", "read" },
	[MARK_RESTORE] = { "verified-restore.json", "how", "restore" },
	[MARK_DRILL] = { "verified-drill.json", "how", "drill" },
	[MARK_DELETING] = { "deleting.json", "reason", NULL },
};

bool mark_of_verification(const char *how, enum mark_kind *out, struct err *err)
{
	for (enum mark_kind kind = MARK_STORED; kind <= MARK_DRILL; kind++) {
		if (strcmp(mark_types[kind].how, how) == 0) {
			*out = kind;
			return true;
		}
	}
	return err_set(err, ERR_USAGE, "a backup cannot be verified by '%s'", how);
}

static char *text_of(const char *id, enum mark_kind kind, const char *value, const int64_t *ms)
{
	char iso[CLOCK_ISO], digest[SHA256_HEX];
	cleanup_json json_t *j = json_object();

	json_put(j, "format", json_integer(MANIFEST_FORMAT));
	json_put(j, "backup", json_str(id));
	json_put(j, "at", json_str(clock_iso(clock_wall_us(), iso)));
	json_put(j, mark_types[kind].key, json_str(value));
	if (ms)
		json_put(j, MS, json_integer(*ms));
	sealed_digest(j, digest);
	json_put(j, "digest", json_str(digest));
	return json_canonical(j);
}

char *mark_text(const char *id, enum mark_kind kind, const char *value)
{
	return text_of(id, kind, value, NULL);
}

/* The layout is covered by comparing the text with the only one that there is for these values. */
static bool is_as_written(const struct buf *text, const json_t *j, struct err *err)
{
	cleanup_free char *canonical = json_canonical(j);
	char digest[SHA256_HEX];
	const char *said;

	if (!json_need_str(j, "digest", &said, err))
		return false;
	sealed_digest(j, digest);
	return (strcmp(said, digest) == 0 && strlen(canonical) == text->len &&
	        memcmp(canonical, buf_text(text), text->len) == 0) ||
	       err_set(err, ERR_CORRUPT, "its own digest does not fit: it was changed");
}

static bool parse(const struct buf *text, const char *id, enum mark_kind kind, json_t **out, struct err *err)
{
	cleanup_json json_t *j = NULL;
	const char *about, *word;

	if (!json_parse(buf_text(text), text->len, "the mark", &j, err) || !is_as_written(text, j, err) ||
	    !json_need_str(j, "backup", &about, err) || !json_need_str(j, mark_types[kind].key, &word, err))
		return false;
	if (strcmp(about, id) != 0)
		return err_set(err, ERR_CORRUPT, "it is about another backup, %s", about);
	if (mark_types[kind].how && strcmp(word, mark_types[kind].how) != 0)
		return err_set(err, ERR_CORRUPT, "it says '%s'", word);
	*out = json_incref(j);
	return true;
}

static bool read_json(struct store *s, const char *folder, const char *id, enum mark_kind kind, json_t **out,
                      struct err *err)
{
	cleanup_free char *key = mem_fmt("%s/%s", folder, mark_types[kind].object);
	cleanup_buf struct buf text = BUF_INIT(MARK_MAX);

	return store_get(s, key, &text, err) &&
	       (parse(&text, id, kind, out, err) || err_wrap(err, "store %s, %s", store_name(s), key));
}

bool mark_read(struct store *s, const char *folder, const char *id, enum mark_kind kind, char **value,
               struct err *err)
{
	cleanup_json json_t *j = NULL;

	if (!read_json(s, folder, id, kind, &j, err))
		return false;
	*value = mem_strdup(json_string_value(json_object_get(j, mark_types[kind].key)));
	return true;
}

bool mark_put(struct store *s, const struct manifest *m, enum mark_kind kind, const char *value,
              struct err *err)
{
	cleanup_free char *key = manifest_key(m, mark_types[kind].object);
	cleanup_free char *text = mark_text(manifest_id(m), kind, value);

	return store_put(s, key, text, strlen(text), err);
}

bool mark_remove(struct store *s, const struct manifest *m, enum mark_kind kind, struct err *err)
{
	cleanup_free char *key = manifest_key(m, mark_types[kind].object);

	return store_remove(s, key, err);
}

/* ------------------------------------------------------------------ marks in every store that has the backup */

/* Every store is tried, even after one has failed: the more marks the better. */
static bool mark_all(const struct stores *stores, const struct manifest *m, enum mark_kind kind,
                     const char *value, struct err *err)
{
	bool ok = true;

	for (size_t i = 0; i < stores->n; i++) {
		struct store *s = stores->v[i];
		if (strv_has(manifest_stores(m), store_name(s)))
			ok = (value ? mark_put(s, m, kind, value, err) : mark_remove(s, m, kind, err)) && ok;
	}
	return ok;
}

bool backup_mark_verified(const struct stores *stores, const struct manifest *m, const char *how,
                          struct err *err)
{
	enum mark_kind kind = MARK_STORED;

	return mark_of_verification(how, &kind, err) && mark_all(stores, m, kind, how, err);
}

/* ------------------------------------------------------------------ the time a drill took */

bool backup_mark_drilled(const struct stores *stores, const struct manifest *m, int64_t ms, struct err *err)
{
	cleanup_free char *key = manifest_key(m, mark_types[MARK_DRILL].object);
	cleanup_free char *text = text_of(manifest_id(m), MARK_DRILL, mark_types[MARK_DRILL].how, &ms);
	bool ok = true;

	for (size_t i = 0; i < stores->n; i++)
		if (strv_has(manifest_stores(m), store_name(stores->v[i])))
			ok = store_put(stores->v[i], key, text, strlen(text), err) && ok;
	return ok;
}

bool backup_drill_read(const struct stores *stores, const struct manifest *m, struct backup_drill *out)
{
	for (size_t i = 0; i < stores->n; i++) {
		cleanup_json json_t *j = NULL;
		struct err none = ERR_INIT;

		if (!strv_has(manifest_stores(m), store_name(stores->v[i])) ||
		    !read_json(stores->v[i], manifest_folder(m), manifest_id(m), MARK_DRILL, &j, &none))
			continue;
		const char *at = json_string_value(json_object_get(j, "at"));
		const json_t *ms = json_object_get(j, MS);
		if (!at || !json_is_integer(ms))
			continue;
		out->ms = json_integer_value(ms);
		snprintf(out->at, sizeof(out->at), "%s", at);
		return true;
	}
	return false;
}

bool backup_unmark_verified(struct store *store, const struct manifest *m, struct err *err)
{
	bool ok = true;

	for (enum mark_kind kind = MARK_STORED; kind <= MARK_DRILL; kind++)
		ok = mark_remove(store, m, kind, err) && ok;
	return ok;
}

bool backup_set_pin(const struct stores *stores, const struct manifest *m, bool pinned, const char *reason,
                    struct err *err)
{
	return mark_all(stores, m, MARK_PIN, pinned ? (reason ? reason : "") : NULL, err);
}

bool backup_spare(const struct stores *stores, const struct manifest *m, struct err *err)
{
	return mark_all(stores, m, MARK_DELETING, NULL, err);
}
