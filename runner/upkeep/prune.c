#include "runner/upkeep/prune.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/upkeep/installation.h"

#include <stdlib.h>
#include <string.h>

/* What a run has left is not touched before this time: the manifest of a backup that takes long may be on its way. */
#define LEFTOVER_AGE_US (INT64_C(24) * 3600 * 1000000)

/* ------------------------------------------------------------------ what is ours */

/* The one value that all backups have, or NULL. */
static const char *common_value(const struct backup_list *l, const char *key)
{
	const char *value = l->n > 0 ? manifest_str(l->v[0].manifest, key) : NULL;

	for (size_t i = 1; value && i < l->n; i++) {
		const char *other = manifest_str(l->v[i].manifest, key);
		if (!other || strcmp(other, value) != 0)
			value = NULL;
	}
	return value;
}

static char *own_database(const struct config *config, const struct prune_choice *choice,
                          const struct backup_list *l)
{
	cleanup_conninfo struct conninfo *ci = NULL;
	struct err ignored = ERR_INIT;

	if (choice->database)
		return mem_strdup(choice->database);
	if (config_database(config, &ci, &ignored) && conninfo_dbname(ci))
		return mem_strdup(conninfo_dbname(ci));
	return mem_strdup(common_value(l, "database"));
}

static char *own_installation(const struct config *config, const struct prune_choice *choice,
                              const struct backup_list *l)
{
	char *name = choice->installation ? mem_strdup(choice->installation) : installation_name(config);

	return name ? name : mem_strdup(common_value(l, "installation"));
}

/* Why a backup is not ours to judge; NULL when it is.  `own` NULL: nobody knows what ours is. */
static char *why_foreign(const struct manifest *m, const char *key, const char *own)
{
	const char *is = manifest_str(m, key);

	if (!is)
		return mem_fmt("it does not say of which %s it is", key);
	if (!own)
		return mem_fmt("of %s %s, and several %ss have backups here: say --%s", key, is, key, key);
	return strcmp(is, own) == 0 ? NULL : mem_fmt("of another %s, %s", key, is);
}

/* ------------------------------------------------------------------ judging */

/* What retention is asked, and the texts that it borrows. */
struct question {
	struct retention_backup *backups;
	struct strv *heads;
	struct strv texts;
};

static void question_clear(struct question *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strv_clear(&q->heads[i]);
	free(q->heads);
	free(q->backups);
	strv_clear(&q->texts);
}

static const char *hold(struct question *q, char *text)
{
	if (!text)
		return NULL;
	strv_add(&q->texts, text);
	free(text);
	return q->texts.v[q->texts.n - 1];
}

static void read_heads(const struct manifest *m, struct strv *out)
{
	const json_t *head, *heads = json_object_get(manifest_json(m), "heads");
	size_t i;

	json_array_foreach(heads, i, head) if (json_is_string(head)) strv_add(out, json_string_value(head));
}

static const char *pin_of(struct prune *p, struct question *q, size_t i)
{
	const struct manifest *m = p->list.v[i].manifest;
	char *why = NULL;

	if (!manifest_is_pinned(m))
		return NULL;
	p->items[i].lets_go = pins_lapsed(&p->pins, manifest_pin_reason(m), clock_wall_us(), &why);
	const char *text = hold(q, why);
	return p->items[i].lets_go ? NULL : text;
}

static void ask_about(struct prune *p, struct question *q, size_t i, const char *database,
                      const char *installation)
{
	const struct manifest *m = p->list.v[i].manifest;
	const char *foreign = hold(q, why_foreign(m, "database", database));
	const char *cluster = manifest_str(m, "system_identifier"), *name = manifest_str(m, "installation");

	if (!foreign)
		foreign = hold(q, why_foreign(m, "installation", installation));
	read_heads(m, &q->heads[i]);
	q->backups[i] = (struct retention_backup){
		.id = manifest_id(m),
		.group = hold(q,
		              mem_fmt("%s\n%s\n%s", manifest_str(m, "database"), cluster, name ? name : "")),
		.created_s = manifest_created_us(m) / 1000000,
		.verified = manifest_is_verified(m),
		.foreign = foreign,
		.heads = &q->heads[i],
	};
	if (!foreign)
		q->backups[i].pinned = pin_of(p, q, i);
}

/* A backup whose manifest is damaged may be the newest one, and is not verified then.  Folders of one database and
 * cluster sort by time. */
static bool is_held(const struct prune *p, const struct manifest *m)
{
	const char *folder = manifest_folder(m), *base = strrchr(folder, '/');

	for (size_t i = 0; i < p->list.damaged.n; i++)
		if (strncmp(p->list.damaged.v[i], folder, (size_t)(base - folder) + 1) == 0 &&
		    strcmp(p->list.damaged.v[i], folder) > 0)
			return true;
	return false;
}

static void answer(struct prune *p, struct retention_verdict *verdicts)
{
	for (size_t i = 0; i < p->list.n; i++) {
		struct prune_item *item = &p->items[i];
		const struct backup_entry *e = &p->list.v[i];
		int64_t bytes = manifest_bytes(e->manifest) * (int64_t)e->stores.n;

		item->entry = e;
		item->keep = verdicts[i].keep;
		item->reason = verdicts[i].reason;
		if (!item->keep && is_held(p, e->manifest)) {
			free(item->reason);
			item->keep = true;
			item->reason = mem_strdup("a newer backup has a damaged manifest");
		}
		p->bytes += bytes;
		p->freed_bytes += item->keep ? 0 : bytes;
		p->n_delete += !item->keep;
	}
	free(verdicts);
}

static bool judge(const struct config *config, const struct prune_choice *choice, struct prune *p,
                  struct err *err)
{
	size_t n = p->list.n;
	struct retention_rules rules = { .revisions = &config->keep_revisions };
	cleanup_free char *database = own_database(config, choice, &p->list);
	cleanup_free char *installation = own_installation(config, choice, &p->list);

	if (!retention_parse(config->keep, &rules, err))
		return false;
	struct question q = { .backups = mem_new0((n + 1) * sizeof(*q.backups)),
		              .heads = mem_new0((n + 1) * sizeof(*q.heads)) };
	struct retention_verdict *verdicts = mem_new0((n + 1) * sizeof(*verdicts));
	for (size_t i = 0; i < n; i++)
		ask_about(p, &q, i, database, installation);
	retention_judge(q.backups, n, &rules, clock_wall_us() / 1000000, verdicts);
	question_clear(&q, n);
	answer(p, verdicts);
	return true;
}

/* ------------------------------------------------------------------ what is left over */

/* By the time in its name: TIME-HEADS-SHORT, where TIME is 20261122T101500Z. */
static bool is_a_day_old(const char *folder)
{
	char then[CLOCK_ISO];
	const char *base = strrchr(folder, '/');

	clock_compact(clock_wall_us() - LEFTOVER_AGE_US, then);
	return base && strncmp(base + 1, then, strlen(then)) < 0;
}

/* NULL: it may go. */
static const char *why_left(const struct prune *p, const struct prune_choice *choice,
                            const struct backup_leftover *l)
{
	if (!l->is_ours)
		return "it holds something that is not ripcord's";
	if (p->pins.hold && strcmp(p->pins.hold, "a run is unfinished") == 0)
		return "a run is unfinished";
	if (l->condemned)
		return NULL;
	if (!choice->leftovers)
		return "it has no manifest: left by a run that broke off, or its manifest was lost; "
		       "--leftovers "
		       "removes it";
	return is_a_day_old(l->folder) ? NULL : "it is not a day old";
}

static void judge_leftovers(const struct prune_choice *choice, struct prune *p)
{
	p->leftovers = mem_new0((p->list.n_leftovers + 1) * sizeof(*p->leftovers));
	for (size_t i = 0; i < p->list.n_leftovers; i++) {
		const struct backup_leftover *l = &p->list.leftovers[i];
		const char *why = why_left(p, choice, l);

		p->leftovers[i] = (struct prune_leftover){ .left = l, .keep = why, .reason = why };
		if (!why)
			p->leftovers[i].reason = l->condemned ? "a deletion began here and broke off"
			                                      : "left by a run that broke off";
		p->n_leftovers += !why;
	}
}

bool prune_plan(const struct config *config, const struct prune_choice *choice, struct prune *out,
                struct err *err)
{
	cleanup_prune struct prune p = { .n_delete = 0 };

	if (!stores_open(config->store_configs, config->n_store_configs, &p.stores, err) ||
	    !backup_list_read(&p.stores, &p.list, err) || !pins_read(config, &p.pins, err))
		return false;
	p.items = mem_new0((p.list.n + 1) * sizeof(*p.items));
	if (!judge(config, choice, &p, err))
		return false;
	judge_leftovers(choice, &p);
	*out = p;
	p = (struct prune){ .n_delete = 0 };
	return true;
}

void prune_clear(struct prune *p)
{
	for (size_t i = 0; p->items && i < p->list.n; i++)
		free(p->items[i].reason);
	free(p->items);
	free(p->leftovers);
	backup_list_clear(&p->list);
	pins_clear(&p->pins);
	stores_close(&p->stores);
	*p = (struct prune){ .n_delete = 0 };
}

/* ------------------------------------------------------------------ doing it */

/* Two of the guard's reasons to wait may have come up since the plan: a pin of a run, and a person's. */
static bool is_pinned_now(const struct prune_item *item, const struct strv *pins)
{
	return !item->lets_go && strv_has(pins, manifest_folder(item->entry->manifest));
}

static bool apply_item(struct prune *p, struct prune_item *item, const struct strv *pins, struct err *err)
{
	const struct manifest *m = item->entry->manifest;

	if (item->lets_go && !pins_let_go(&p->pins, &p->stores, m, err))
		return false;
	if (item->keep)
		return !item->entry->condemned || backup_spare(&p->stores, m, err);
	if (is_pinned_now(item, pins)) {
		free(item->reason);
		item->reason = mem_strdup("pinned just now");
		item->keep = true;
		return true;
	}
	item->deleted = backup_delete(&p->stores, m, item->reason, err);
	return item->deleted;
}

static bool apply_leftover(struct prune *p, struct prune_leftover *l, struct err *err)
{
	l->deleted = !l->keep && backup_leftover_delete(&p->stores, l->left, err);
	return l->keep || l->deleted;
}

static void tell(const struct err *why, struct err *first, size_t *n_failed)
{
	log_warn("%s", why->msg);
	if (first->code == ERR_NONE)
		*first = *why;
	++*n_failed;
}

bool prune_apply(struct prune *p, struct err *err)
{
	cleanup_strv struct strv pins = STRV_INIT;
	struct err first = ERR_INIT;
	size_t n_failed = 0;

	if (p->n_delete > 0 && !backup_pins_now(&p->stores, &pins, err))
		return false;
	for (size_t i = 0; i < p->list.n; i++) {
		struct err why = ERR_INIT;
		if (!apply_item(p, &p->items[i], &pins, &why))
			tell(&why, &first, &n_failed);
	}
	for (size_t i = 0; i < p->list.n_leftovers; i++) {
		struct err why = ERR_INIT;
		if (!apply_leftover(p, &p->leftovers[i], &why))
			tell(&why, &first, &n_failed);
	}
	if (n_failed == 0)
		return true;
	*err = first;
	return err_wrap(err, "%zu of %zu could not be deleted", n_failed, p->n_delete + p->n_leftovers);
}

/* ------------------------------------------------------------------ telling */

void prune_warn_size(const struct config *config, const struct prune *p)
{
	char is[TEXT_SHORT], most[TEXT_SHORT];

	for (size_t s = 0; config->max_bytes > 0 && s < p->stores.n; s++) {
		int64_t bytes = 0;
		for (size_t i = 0; i < p->list.n; i++)
			if (!p->items[i].deleted &&
			    strv_has(&p->list.v[i].stores, store_name(p->stores.v[s])))
				bytes += manifest_bytes(p->list.v[i].manifest);
		if (bytes > config->max_bytes)
			log_warn("store %s holds backups of %s, and max_bytes is %s: pins and keep decide "
			         "what stays",
			         store_name(p->stores.v[s]), text_size(bytes, is),
			         text_size(config->max_bytes, most));
	}
}

static json_t *strings(const struct strv *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_push(array, json_str(s->v[i]));
	return array;
}

static json_t *item_json(const struct prune_item *item)
{
	const struct manifest *m = item->entry->manifest;
	json_t *o = json_object();

	json_put(o, "id", json_str(manifest_id(m)));
	json_put(o, "database", json_str(manifest_str(m, "database")));
	json_put(o, "created", json_str(manifest_str(m, "created")));
	json_put(o, "bytes", json_integer(manifest_bytes(m)));
	json_put(o, "stores", strings(&item->entry->stores));
	json_put(o, "verdict", json_str(item->keep ? "keep" : "delete"));
	json_put(o, "reason", json_str(item->reason));
	return o;
}

static json_t *leftover_json(const struct prune_leftover *l)
{
	json_t *o = json_object();

	json_put(o, "store", json_str(l->left->store));
	json_put(o, "folder", json_str(l->left->folder));
	json_put(o, "objects", strings(&l->left->objects));
	json_put(o, "verdict", json_str(l->keep ? "keep" : "delete"));
	json_put(o, "reason", json_str(l->reason));
	return o;
}

json_t *prune_json(const struct prune *p, bool dry_run)
{
	json_t *o = json_object(), *deleted = json_array(), *backups = json_array(),
	       *leftovers = json_array();

	for (size_t i = 0; i < p->list.n; i++) {
		json_push(backups, item_json(&p->items[i]));
		if (p->items[i].deleted)
			json_push(deleted, json_str(manifest_id(p->list.v[i].manifest)));
	}
	for (size_t i = 0; i < p->list.n_leftovers; i++)
		json_push(leftovers, leftover_json(&p->leftovers[i]));
	json_put(o, "dry_run", json_boolean(dry_run));
	json_put(o, "deleted", deleted);
	json_put(o, "bytes", json_integer(p->bytes));
	json_put(o, "freed_bytes", json_integer(p->freed_bytes));
	json_put(o, "backups", backups);
	json_put(o, "leftovers", leftovers);
	return o;
}
