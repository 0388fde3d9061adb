/*
 * take.c - takes a backup: the extras, the roles, the dump, and last of all the manifest.
 *
 * Small members come first in the tar, so that reading one of them does not read the dump; but pg_dump is started
 * before they are there, since it takes a while until it has something to say.
 */
#include "backup/backup.h"

#include "backup/engines/dump.h"
#include "backup/manifest.h"
#include "backup/stream/age.h"
#include "backup/marks.h"
#include "backup/stream/custom_rows.h"
#include "backup/stream/frame.h"
#include "backup/stream/pool.h"
#include "backup/stream/tar_write.h"
#include "backup/sweep.h"
#include "backup/tee.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/task.h"
#include "base/text.h"
#include "base/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)16 << 20) /* design.md section 5 */

/* A folder's name has at most 255 bytes in common file systems; the time and the id need 26 of them. */
#define HEADS_MAX 160

#define SHORT_ID 8

struct take {
	const struct backup_request *req;
	struct tee tee;
	struct tar_writer *tar;
	struct age *age; /* NULL: not encrypted */
	struct pool *pool;
	struct custom_rows *rows;
	struct sha256 *digest; /* of the object */
	int64_t object_bytes, dump_bytes;
	struct members members;
	size_t n_chunks;
	int64_t started_us;
	char *id, *folder;  /* owned */
	bool has_small;     /* the members before the dump are in the tar */
	struct task asking; /* fills the next three */
	struct buf roles;
	char *pg_dump, *age_program; /* their versions; owned */
};

/* ------------------------------------------------------------------ names */

static char *heads_name(const struct strv *heads)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; heads && i < heads->n; i++) {
		cleanup_free char *safe = text_percent(heads->v[i]);
		if (b.len + strlen(safe) + 1 > HEADS_MAX) {
			buf_fmt(&b, "+%zumore", heads->n - i);
			break;
		}
		buf_fmt(&b, "%s%s", b.len ? "+" : "", safe);
	}
	if (b.len == 0)
		buf_str(&b, "base");
	return buf_take(&b);
}

static void set_names(struct take *t)
{
	char when[CLOCK_ISO], random[SHORT_ID + 1];
	cleanup_free char *database = text_percent(t->req->database);
	cleanup_free char *system = text_percent(t->req->system_identifier);
	cleanup_free char *heads = heads_name(t->req->heads);

	t->started_us = clock_wall_us();
	clock_compact(t->started_us, when);
	if (t->req->short_id)
		snprintf(random, sizeof(random), "%s", t->req->short_id);
	else
		random_hex(random, SHORT_ID);
	t->id = mem_fmt("%s-%s", when, random);
	t->folder = mem_fmt("%s-%s/%s-%s-%s", database, system, when, heads, random);
}

/* ------------------------------------------------------------------ the object */

/* What rests in the stores; in age's thread when it is encrypted. */
static bool on_stored_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct take *t = ctx;

	sha256_add(t->digest, data, len);
	t->object_bytes += (int64_t)len;
	return tee_write(&t->tee, data, len, err);
}

static bool on_tar_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct take *t = ctx;

	return t->age ? age_encrypt_write(t->age, data, len, err) : on_stored_bytes(ctx, data, len, err);
}

static bool is_encrypted(const struct take *t) { return t->req->recipients && t->req->recipients->n > 0; }

static const char *object_name(const struct take *t)
{
	return is_encrypted(t) ? BACKUP_OBJECT AGE_SUFFIX : BACKUP_OBJECT;
}

static bool start_age(struct take *t, struct err *err)
{
	return !is_encrypted(t) || age_encrypt_new(t->req->recipients, on_stored_bytes, t, &t->age, err);
}

static bool add_small(struct take *t, const char *name, const void *data, size_t len, struct err *err)
{
	struct frame_encoder *encoder;
	struct frame_out out = { .cap = frame_bound(len) };
	char hex[SHA256_HEX];

	if (out.cap > (size_t)MEMBER_MAX || strchr(name, '/') || name[0] == '.')
		return err_set(err, ERR_BACKUP, "'%s' cannot be a member of a backup", name);
	if (!frame_encoder_new(t->req->level, &encoder, err))
		return false;
	cleanup_free char *stored_name = mem_fmt("%s" MEMBER_SUFFIX, name);
	cleanup_free char *stored = mem_grow(NULL, out.cap, 1);
	out.data = stored;
	bool ok = frame_encode(encoder, data, len, &out, err);
	frame_encoder_free(encoder);
	if (!ok)
		return false;
	sha256_of(out.data, out.len, hex);
	members_add(&t->members, stored_name, (int64_t)out.len, (int64_t)len, hex);
	return tar_writer_add(t->tar, stored_name, out.data, out.len, err);
}

/* What other programs tell, while pg_dump starts. */
static bool ask_programs(void *ctx, struct err *err)
{
	struct take *t = ctx;

	return dump_roles(t->req, &t->roles, err) &&
	       dump_version(t->req->bin_dir, "pg_dump", &t->pg_dump, err) &&
	       (!is_encrypted(t) || age_version(&t->age_program, err));
}

static bool add_small_members(struct take *t, struct err *err)
{
	const struct backup_request *req = t->req;

	if (t->has_small)
		return true;
	t->has_small = true;
	if (req->ready && !req->ready(req->ready_ctx, err))
		return false;
	for (size_t i = 0; i < req->n_extras; i++) {
		const struct backup_extra *e = &req->extras[i];
		if (!add_small(t, e->name, e->data, e->len, err))
			return false;
	}
	return task_join(&t->asking, err) &&
	       add_small(t, "roles.sql", buf_text(&t->roles), t->roles.len, err);
}

static bool on_frame(void *ctx, const struct pool_frame *f, struct err *err)
{
	struct take *t = ctx;
	char name[32];

	if (!add_small_members(t, err))
		return false;
	if (t->n_chunks == DATA_MAX)
		return err_set(err, ERR_BACKUP, "the dump is larger than %d chunks of 16 MiB", DATA_MAX);
	snprintf(name, sizeof(name), DATA_FORMAT, ++t->n_chunks);
	members_add(&t->members, name, (int64_t)f->len, (int64_t)f->raw_len, f->sha256);
	return tar_writer_add(t->tar, name, f->data, f->len, err);
}

static bool on_dump_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct take *t = ctx;

	custom_rows_add(t->rows, data, len);
	t->dump_bytes += (int64_t)len;
	progress_report(t->req->progress, "backup", t->dump_bytes, t->req->expected_bytes);
	return pool_add(t->pool, data, len, err);
}

static bool add_dump(struct take *t, struct err *err)
{
	const struct pool_spec spec = { .threads = t->req->threads,
		                        .level = t->req->level,
		                        .chunk = CHUNK,
		                        .on_frame = on_frame,
		                        .ctx = t };

	return pool_new(&spec, &t->pool, err) && dump_run(t->req, on_dump_bytes, t, err) &&
	       pool_finish(t->pool, err) && custom_rows_finish(t->rows, err);
}

static bool write_object(struct take *t, struct err *err)
{
	struct err second = ERR_INIT;

	if (!tee_begin(&t->tee, object_name(t), err) || !start_age(t, err) ||
	    !tar_writer_new(t->started_us / 1000000, on_tar_bytes, t, &t->tar, err))
		return false;
	task_start(&t->asking, ask_programs, t);
	bool ok = add_dump(t, err);
	bool told = task_join(&t->asking, ok ? err : &second);
	return ok && told && tar_writer_finish(t->tar, err) && (!t->age || age_encrypt_finish(t->age, err)) &&
	       tee_finish(&t->tee, err);
}

/* ------------------------------------------------------------------ the manifest */

static json_t *heads_json(const struct strv *heads)
{
	json_t *list = json_array();

	for (size_t i = 0; heads && i < heads->n; i++)
		json_push(list, json_str(heads->v[i]));
	return list;
}

static json_t *object_json(struct take *t)
{
	json_t *o = json_object();
	char hex[SHA256_HEX];

	sha256_hex(t->digest, hex);
	json_put(o, "name", json_str(object_name(t)));
	json_put(o, "bytes", json_integer(t->object_bytes));
	json_put(o, "sha256", json_str(hex));
	return o;
}

static json_t *encryption_json(const struct take *t)
{
	json_t *o = json_object(), *recipients = json_array();

	for (size_t i = 0; i < t->req->recipients->n; i++)
		json_push(recipients, json_str(t->req->recipients->v[i]));
	json_put(o, "tool", json_str("age"));
	json_put(o, "recipients", recipients);
	return o;
}

static json_t *totals_json(const struct take *t)
{
	json_t *o = json_object();

	json_put(o, "dump_bytes", json_integer(t->dump_bytes));
	json_put(o, "stored_bytes", json_integer(t->object_bytes));
	json_put(o, "members", json_integer((json_int_t)t->members.n));
	return o;
}

static json_t *tools_json(const struct take *t)
{
	json_t *o = json_object();

	json_put(o, "pg_dump", json_str(t->pg_dump));
	json_put(o, "zstd", json_str(frame_library()));
	json_put(o, "tar", json_str(tar_library()));
	if (t->age_program)
		json_put(o, "age", json_str(t->age_program));
	return o;
}

/* From the passing dump where its format was understood, else counted by the caller in the snapshot. */
static bool rows_json(const struct take *t, json_t **out, struct err *err)
{
	json_t *rows = custom_rows_counts(t->rows);

	if (!rows && t->req->count_rows && !t->req->count_rows(t->req->count_rows_ctx, &rows, err))
		return false;
	*out = rows ? rows : json_null();
	return true;
}

static bool build_manifest(struct take *t, struct manifest **out, struct err *err)
{
	const struct backup_request *req = t->req;
	json_t *rows;
	char iso[CLOCK_ISO];

	if (!rows_json(t, &rows, err))
		return false;
	json_t *j = json_object();
	json_put(j, "format", json_integer(MANIFEST_FORMAT));
	json_put(j, "id", json_str(t->id));
	json_put(j, "folder", json_str(t->folder));
	json_put(j, "engine", json_str(req->engine));
	json_put(j, "database", json_str(req->database));
	json_put(j, "system_identifier", json_str(req->system_identifier));
	json_put(j, "heads", heads_json(req->heads));
	json_put(j, "created", json_str(clock_iso(t->started_us, iso)));
	json_put(j, "finished", json_str(clock_iso(clock_wall_us(), iso)));
	json_put(j, "rows", rows);
	json_put(j, "tools", tools_json(t));
	json_put(j, "members", members_json(&t->members));
	json_put(j, "object", object_json(t));
	json_put(j, "role_passwords", json_boolean(req->role_passwords));
	if (is_encrypted(t))
		json_put(j, "encryption", encryption_json(t));
	json_put(j, "totals", totals_json(t));
	if (req->facts)
		json_object_update_missing(j, (json_t *)req->facts);
	return manifest_seal(j, out, err);
}

/* The pin goes first: a crash in between leaves no manifest, and never a backup that prune may take. */
static bool publish(struct take *t, struct manifest *m, struct err *err)
{
	cleanup_free char *text = manifest_text(m);

	if (cancel_requested())
		return err_set(err, ERR_CANCELLED, "cancelled before the backup was published");
	if (t->req->pinned) {
		m->pin_reason = mem_strdup(t->req->pin_reason ? t->req->pin_reason : "");
		cleanup_free char *pin = mark_text(manifest_id(m), MARK_PIN, m->pin_reason);
		if (!tee_put(&t->tee, mark_types[MARK_PIN].object, pin, strlen(pin), err))
			return false;
	}
	if (!tee_put(&t->tee, MANIFEST_OBJECT, text, strlen(text), err))
		return false;
	tee_names(&t->tee, &m->stores);
	return true;
}

/* ------------------------------------------------------------------ all of it */

static void take_clear(struct take *t)
{
	age_free(t->age);
	pool_free(t->pool);
	tar_writer_free(t->tar);
	custom_rows_free(t->rows);
	sha256_free(t->digest);
	members_clear(&t->members);
	tee_clear(&t->tee);
	buf_clear(&t->roles);
	free(t->pg_dump);
	free(t->age_program);
	free(t->id);
	free(t->folder);
}

bool backup_take(const struct backup_request *request, const struct stores *stores, struct manifest **out,
                 struct err *err)
{
	struct take t = { .req = request,
		          .rows = custom_rows_new(),
		          .digest = sha256_new(),
		          .roles = BUF_INIT((size_t)MEMBER_MAX) };
	cleanup_manifest struct manifest *m = NULL;
	struct note *note = NULL;

	set_names(&t);
	tee_init(&t.tee, stores, t.folder, request->stores_required, request->warnings);
	bool ok = sweep_note(request->state_dir, t.folder, stores, &note, err) && write_object(&t, err) &&
	          build_manifest(&t, &m, err) && publish(&t, m, err);
	if (ok) {
		*out = m;
		m = NULL;
	} else {
		age_free(t.age); /* its thread writes into the tee */
		t.age = NULL;
		tee_discard(&t.tee);
		if (err->code == ERR_IO || err->code == ERR_PROC || err->code == ERR_CORRUPT)
			err_recode(err, ERR_BACKUP);
	}
	note_end(note, true); /* what tee_discard() could not remove is named in its warnings */
	take_clear(&t);
	return ok;
}
