#include "sample.h"

#include "backup/stream/frame.h"
#include "backup/stream/tar_write.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OBJECT_LIMIT (1 << 22)
#define NEWEST_US    1795342500000000 /* 2026-11-22T10:15:00Z */
#define MINUTE_US    60000000

static bool append(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

static void must(bool ok, const struct err *err)
{
	if (!ok)
		fail_msg("%s", err->msg);
}

static void add_member(struct sample *s, struct tar_writer *w, const char *name, const void *data, size_t len)
{
	struct frame_encoder *e;
	struct err err = ERR_INIT;
	char hex[SHA256_HEX];
	struct frame_out out = { .cap = frame_bound(len) };
	cleanup_free char *space = mem_grow(NULL, out.cap, 1);

	out.data = space;
	must(frame_encoder_new(3, &e, &err) && frame_encode(e, data, len, &out, &err), &err);
	frame_encoder_free(e);
	sha256_of(out.data, out.len, hex);
	members_add(&s->members, name, (int64_t)out.len, (int64_t)len, hex);
	must(tar_writer_add(w, name, out.data, out.len, &err), &err);
}

void sample_make(struct sample *s, const char *dump, size_t piece)
{
	cleanup_buf struct buf text = BUF_INIT(OBJECT_LIMIT);
	struct tar_writer *w;
	struct err err = ERR_INIT;
	size_t n = 0;

	*s = (struct sample){ .object = BUF_INIT(OBJECT_LIMIT) };
	must(file_read(dump, &text, &err), &err);
	must(tar_writer_new(1763806500, append, &s->object, &w, &err), &err);
	add_member(s, w, "settings.json.zst", "{}", 2);
	for (size_t at = 0; at < text.len; at += piece) {
		char name[32];
		snprintf(name, sizeof(name), DATA_FORMAT, ++n);
		add_member(s, w, name, text.data + at, text.len - at < piece ? text.len - at : piece);
	}
	must(tar_writer_finish(w, &err), &err);
	tar_writer_free(w);
	s->manifest = sample_manifest(s, 0);
}

void sample_clear(struct sample *s)
{
	buf_clear(&s->object);
	members_clear(&s->members);
	manifest_free(s->manifest);
}

static json_t *object_json(const struct sample *s)
{
	char hex[SHA256_HEX];
	json_t *o = json_object();

	sha256_of(s->object.data, s->object.len, hex);
	json_put(o, "name", json_str(BACKUP_OBJECT));
	json_put(o, "bytes", json_integer((json_int_t)s->object.len));
	json_put(o, "sha256", json_str(hex));
	return o;
}

struct manifest *sample_manifest(const struct sample *s, int nth)
{
	char iso[CLOCK_ISO], compact[CLOCK_ISO];
	int64_t created_us = NEWEST_US - nth * (int64_t)MINUTE_US;
	cleanup_free char *id = NULL, *folder = NULL;
	struct manifest *m = NULL;
	struct err err = ERR_INIT;

	clock_compact(created_us, compact);
	id = mem_fmt("%s-%08x", compact, (unsigned)nth);
	folder = mem_fmt("app-7/%s-1975ea83b712-%08x", compact, (unsigned)nth);
	json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:{s:s}, s:{s:i}}", "format",
	                      MANIFEST_FORMAT, "id", id, "folder", folder, "engine", "dump", "database",
	                      "app", "system_identifier", "7", "installation", "db.example:5432", "created",
	                      clock_iso(created_us, iso), "heads", "1975ea83b712", "tools", "pg_dump",
	                      "pg_dump (PostgreSQL) 15.20 (Debian)", "rows", "public.t", 3);
	assert_non_null(j);
	json_put(j, "members", members_json(&s->members));
	json_put(j, "object", object_json(s));
	must(manifest_seal(j, &m, &err), &err);
	return m;
}

void sample_put(struct sample *s, struct store *store, const struct manifest *m)
{
	cleanup_free char *object = manifest_key(m, BACKUP_OBJECT), *place = manifest_key(m, MANIFEST_OBJECT);
	cleanup_free char *text = manifest_text(m);
	struct err err = ERR_INIT;

	must(store_put(store, object, s->object.data, s->object.len, &err) &&
	             store_put(store, place, text, strlen(text), &err),
	     &err);
}

void sample_store(const char *name, char root[32], struct stores *out)
{
	static const char *const keys[] = { "path" };
	struct err err = ERR_INIT;

	snprintf(root, 32, "sampleXXXXXX");
	const char *value = mkdtemp(root);
	const struct store_config config = {
		.name = name, .type = "file", .keys = keys, .values = &value, .n = 1
	};
	must(stores_open(&config, 1, out, &err), &err);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st, (void)type, (void)walk;
	return remove(path);
}

/* Past the store, which would sync each removal. */
void sample_store_remove(struct stores *s, const char *root)
{
	stores_close(s);
	assert_int_equal(nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}
