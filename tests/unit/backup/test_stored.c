/*
 * A stored backup, sound and damaged in every way by hand: reading must name what is wrong and must
 * never hand on a byte that is not the manifest's.
 */
#include "backup/manifest.h"
#include "backup/marks.h"
#include "backup/source.h"
#include "backup/stores/store.h"
#include "backup/stream/frame.h"
#include "backup/stream/tar_write.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER       "app-7/20261122T101500Z-base-0123abcd"
#define ID           "20261122T101500Z-0123abcd"
#define N_PIECES     4
#define OBJECT_LIMIT (1 << 20)

static char roots[2][32];
static struct stores stores;                       /* two */
static struct buf object = BUF_INIT(OBJECT_LIMIT); /* the sound tar */
static struct manifest *manifest;
static struct members frames;                /* the members' names and digests ... */
static struct buf frame_bytes[1 + N_PIECES]; /* ... and their bytes */
static const char *const names[] = { "settings.json.zst", "data/000001.zst", "data/000002.zst",
	                             "data/000003.zst", "data/000004.zst" };

static bool append(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

static void make_frames(void)
{
	struct frame_encoder *e;
	struct err err = ERR_INIT;
	char text[3000], out[4000], hex[SHA256_HEX];

	assert_true(frame_encoder_new(3, &e, &err));
	for (size_t i = 0; i < 1 + N_PIECES; i++) {
		struct frame_out made = { .data = out, .cap = sizeof(out) };
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)('a' + (k * k * (i + 3) / 7) % 26);
		assert_true(frame_encode(e, text, sizeof(text), &made, &err));
		const size_t n = made.len;
		sha256_of(out, n, hex);
		members_add(&frames, names[i], (int64_t)n, sizeof(text), hex);
		frame_bytes[i] = (struct buf)BUF_INIT(OBJECT_LIMIT);
		buf_add(&frame_bytes[i], out, n);
	}
	frame_encoder_free(e);
}

/* A tar of these members, in this order, by the product's own writer. */
static void make_tar(const size_t *order, size_t n, struct buf *out)
{
	struct tar_writer *w;
	struct err err = ERR_INIT;

	assert_true(tar_writer_new(1763806500, append, out, &w, &err));
	for (size_t i = 0; i < n; i++)
		assert_true(tar_writer_add(w, names[order[i]], frame_bytes[order[i]].data,
		                           frame_bytes[order[i]].len, &err));
	assert_true(tar_writer_finish(w, &err));
	tar_writer_free(w);
}

static json_t *manifest_object(const struct buf *tar)
{
	char hex[SHA256_HEX];
	json_t *o = json_object(), *j = json_object();

	sha256_of(tar->data, tar->len, hex);
	json_put(o, "name", json_str(BACKUP_OBJECT));
	json_put(o, "bytes", json_integer((json_int_t)tar->len));
	json_put(o, "sha256", json_str(hex));
	json_put(j, "format", json_integer(MANIFEST_FORMAT));
	json_put(j, "id", json_str(ID));
	json_put(j, "folder", json_str(FOLDER));
	json_put(j, "engine", json_str("dump"));
	json_put(j, "database", json_str("app"));
	json_put(j, "system_identifier", json_str("7"));
	json_put(j, "created", json_str("2026-11-22T10:15:00.000000Z"));
	json_put(j, "rows", json_null());
	json_put(j, "members", members_json(&frames));
	json_put(j, "object", o);
	return j;
}

static void put_in(size_t store, const char *object_name, const void *data, size_t len)
{
	cleanup_free char *key = mem_fmt(FOLDER "/%s", object_name);
	struct err err = ERR_INIT;

	assert_true(store_put(stores.v[store], key, data, len, &err));
}

static void put_all(size_t store)
{
	cleanup_free char *text = manifest_text(manifest);

	put_in(store, BACKUP_OBJECT, object.data, object.len);
	put_in(store, MANIFEST_OBJECT, text, strlen(text));
}

static int group_setup(void **state)
{
	static const size_t order[] = { 0, 1, 2, 3, 4 };
	static const char *const keys[] = { "path" };
	const char *values[2];
	struct store_config configs[2];
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(roots[i], sizeof(roots[i]), "storedtestXXXXXX");
		values[i] = mkdtemp(roots[i]);
		configs[i] = (struct store_config){ .name = i ? "second" : "first",
			                            .type = "file",
			                            .keys = keys,
			                            .values = &values[i],
			                            .n = 1 };
	}
	assert_true(stores_open(configs, 2, &stores, &err));
	make_frames();
	make_tar(order, 5, &object);
	assert_true(manifest_seal(manifest_object(&object), &manifest, &err));
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	stores_close(&stores);
	manifest_free(manifest);
	members_clear(&frames);
	buf_clear(&object);
	for (size_t i = 0; i < 1 + N_PIECES; i++)
		buf_clear(&frame_bytes[i]);
	return rmdir(roots[0]) || rmdir(roots[1]); /* fails if a test left anything behind */
}

static int setup(void **state)
{
	(void)state;
	put_all(0);
	put_all(1);
	return 0;
}

static int teardown(void **state)
{
	cleanup_strv struct strv keys = STRV_INIT, other = STRV_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(store_list(stores.v[0], &keys, &err) && store_list(stores.v[1], &other, &err));
	for (size_t i = 0; i < keys.n; i++)
		assert_true(store_remove(stores.v[0], keys.v[i], &err));
	for (size_t i = 0; i < other.n; i++)
		assert_true(store_remove(stores.v[1], other.v[i], &err));
	return 0;
}

/* Everything out of the first n stores; *sum is the digest of what came. */
static bool read_from(size_t n, const struct manifest *m, char sum[SHA256_HEX], struct err *err)
{
	const struct stores some = { .v = stores.v, .n = n };
	cleanup_source struct source *s = source_new(&some, m);
	struct sha256 *h = sha256_new();
	char piece[1000];
	size_t got = 1;
	bool ok = true;

	while (ok && got > 0) {
		ok = source_pull(s, piece, sizeof(piece), &got, err);
		if (ok)
			sha256_add(h, piece, got);
	}
	sha256_hex(h, sum);
	sha256_free(h);
	return ok && source_drain(s, err);
}

static void is_corrupt(const struct manifest *m, const char *word)
{
	char sum[SHA256_HEX];
	struct err err = ERR_INIT;

	assert_false(read_from(1, m, sum, &err));
	if (err.code != ERR_CORRUPT || !strstr(err.msg, word))
		fail_msg("expected '%s' in: %s", word, err.msg);
}

static void a_sound_one_reads(void **state)
{
	char sum[SHA256_HEX], text[3000], is[SHA256_HEX];
	struct sha256 *h = sha256_new();
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 1; i <= N_PIECES; i++) {
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)('a' + (k * k * (i + 3) / 7) % 26);
		sha256_add(h, text, sizeof(text));
	}
	sha256_hex(h, is);
	sha256_free(h);
	assert_true(read_from(1, manifest, sum, &err));
	assert_string_equal(sum, is);
}

static void every_flipped_bit_is_seen(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t at = 0; at < object.len; at += 29, n++) {
		char sum[SHA256_HEX];
		struct err err = ERR_INIT;
		object.data[at] ^= (char)(1 << (n % 8));
		put_in(0, BACKUP_OBJECT, object.data, object.len);
		assert_false(read_from(1, manifest, sum, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_true(strstr(err.msg, ".zst") || strstr(err.msg, BACKUP_OBJECT));
		assert_null(strstr(err.msg, "zstd")); /* the digest speaks before a decoder sees the bytes */
		object.data[at] ^= (char)(1 << (n % 8));
	}
	assert_true(n >= 200);
}

static void every_cut_is_seen(void **state)
{
	(void)state;
	for (size_t len = 0; len < object.len; len += 97) {
		char sum[SHA256_HEX];
		struct err err = ERR_INIT;
		put_in(0, BACKUP_OBJECT, object.data, len);
		assert_false(read_from(1, manifest, sum, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
	}
}

static void put_order(const size_t *order, size_t n)
{
	cleanup_buf struct buf tar = BUF_INIT(OBJECT_LIMIT);

	make_tar(order, n, &tar);
	put_in(0, BACKUP_OBJECT, tar.data, tar.len);
}

static void members_must_be_the_manifests(void **state)
{
	static const size_t swapped[] = { 0, 1, 3, 2, 4 }, missing[] = { 0, 1, 3, 4 }, cut[] = { 0, 1, 2, 3 },
			    extra[] = { 0, 1, 2, 3, 4, 1 };

	(void)state;
	put_order(swapped, 5);
	is_corrupt(manifest, "data/000002.zst: 'data/000003.zst' stands in its place");
	put_order(missing, 4);
	is_corrupt(manifest, "data/000002.zst");
	put_order(cut, 4);
	is_corrupt(manifest, "data/000004.zst: it is missing");
	put_order(extra, 6);
	is_corrupt(manifest, "that the manifest does not know");
}

static void bytes_behind_the_end_are_seen(void **state)
{
	cleanup_buf struct buf longer = BUF_INIT(OBJECT_LIMIT);

	(void)state;
	buf_add(&longer, object.data, object.len);
	buf_add(&longer, "x", 1);
	put_in(0, BACKUP_OBJECT, longer.data, longer.len);
	is_corrupt(manifest, BACKUP_OBJECT);
}

/* A tar by libarchive directly, so that it can say what the product's writer never would. */
static void put_hostile(const char *name, unsigned type, const char *target)
{
	cleanup_buf struct buf b = BUF_INIT(OBJECT_LIMIT);
	static char space[OBJECT_LIMIT];
	size_t used;
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	archive_write_set_format_pax(a);
	archive_write_open_memory(a, space, sizeof(space), &used);
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0600);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, target);
	else if (target)
		archive_entry_set_hardlink(e, target);
	archive_entry_set_size(e, type == AE_IFREG && !target ? (la_int64_t)frame_bytes[0].len : 0);
	archive_write_header(a, e);
	if (type == AE_IFREG && !target)
		archive_write_data(a, frame_bytes[0].data, frame_bytes[0].len);
	archive_entry_free(e);
	archive_write_close(a);
	archive_write_free(a);
	put_in(0, BACKUP_OBJECT, space, used);
}

static void hostile_members_are_refused(void **state)
{
	(void)state;
	put_hostile("../settings.json.zst", AE_IFREG, NULL);
	is_corrupt(manifest, "unsafe name '../settings.json.zst'");
	put_hostile("data/../../x", AE_IFREG, NULL);
	is_corrupt(manifest, "unsafe name");
	put_hostile("/etc/passwd", AE_IFREG, NULL);
	is_corrupt(manifest, "unsafe name '/etc/passwd'");
	put_hostile("settings.json.zst", AE_IFLNK, "/etc/passwd");
	is_corrupt(manifest, "not a plain file");
	put_hostile("settings.json.zst", AE_IFREG, "data/000001.zst");
	is_corrupt(manifest, "not a plain file");
	put_hostile("settings.json.zst", AE_IFDIR, NULL);
	is_corrupt(manifest, "settings.json.zst");
	put_hostile("settings.json.zst", AE_IFIFO, NULL);
	is_corrupt(manifest, "not a plain file");
}

/* The first header with another size (POSIX ustar: octal digits at byte 124, checksum at 148), for a member
 * that would fill the memory. */
static void a_size_is_not_believed(void **state)
{
	cleanup_buf struct buf b = BUF_INIT(OBJECT_LIMIT);
	unsigned sum = 0;

	(void)state;
	buf_add(&b, object.data, object.len);
	memcpy(b.data + 124, "77777777777", 11);
	memset(b.data + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)b.data[i];
	snprintf(b.data + 148, 8, "%06o", sum);
	put_in(0, BACKUP_OBJECT, b.data, b.len);
	is_corrupt(manifest, "it has 8589934591 bytes, and the manifest says");
}

/* A manifest that someone wrote anew, with a digest that fits, still cannot name what it likes. */
static void a_forged_manifest_is_refused(void **state)
{
	static const char *const bad[] = { "../data.zst",   "/x.zst",  "data/000005.zst",
		                           "data/../x.zst", "a/b.zst", "settings.json",
		                           ".zst",          "" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *j = manifest_object(&object);
		struct manifest *m;
		struct err err = ERR_INIT;
		json_put(json_array_get(json_object_get(j, "members"), 1), "name", json_str(bad[i]));
		assert_false(manifest_seal(j, &m, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
	}
	static const int64_t sizes[] = { 0, -1, MEMBER_MAX + 1, INT64_MAX };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		json_t *j = manifest_object(&object);
		struct manifest *m;
		struct err err = ERR_INIT;
		json_put(json_array_get(json_object_get(j, "members"), 2), "bytes", json_integer(sizes[i]));
		assert_false(manifest_seal(j, &m, &err));
	}
}

static bool parses(const char *text, struct err *err)
{
	struct manifest *m;

	if (!manifest_parse(text, strlen(text), "manifest", &m, err))
		return false;
	manifest_free(m);
	return true;
}

static void every_changed_manifest_is_seen(void **state)
{
	cleanup_free char *text = manifest_text(manifest);
	struct err fine = ERR_INIT;

	(void)state;
	assert_true(parses(text, &fine));
	for (char *p = text; *p; p++) {
		struct err err = ERR_INIT;
		char was = *p;
		if (was == ' ' || was == '\n')
			continue; /* layout: the digest is taken over the canonical text */
		*p = was == '7' ? '8' : '7';
		assert_false(parses(text, &err));
		assert_true(err.code == ERR_CORRUPT || err.code == ERR_BACKUP);
		*p = was;
	}
}

static void a_newer_format_is_named(void **state)
{
	json_t *j = manifest_object(&object);
	struct manifest *m;
	struct err err = ERR_INIT;

	(void)state;
	json_put(j, "format", json_integer(MANIFEST_FORMAT + 1));
	assert_false(manifest_seal(j, &m, &err));
	assert_int_equal(err.code, ERR_BACKUP);
	assert_non_null(strstr(err.msg, "format 2"));
}

static void the_next_store_helps_out(void **state)
{
	char whole[SHA256_HEX], sum[SHA256_HEX];
	struct err err = ERR_INIT;

	(void)state;
	assert_true(read_from(1, manifest, whole, &err));
	for (size_t at = 0; at < object.len; at += 211) {
		object.data[at] ^= 4;
		put_in(0, BACKUP_OBJECT, object.data, object.len);
		object.data[at] ^= 4;
		assert_true(read_from(2, manifest, sum, &err));
		assert_string_equal(sum, whole);
	}
	put_in(1, BACKUP_OBJECT, object.data, 100);
	put_in(0, BACKUP_OBJECT, object.data, 100);
	assert_false(read_from(2, manifest, sum, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
}

static bool refuse(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)data;
	(void)len;
	return --*(int *)ctx > 0 || err_set(err, ERR_BACKUP, "no room");
}

/* Each write of the tar fails in turn; whoever goes on is told, and nothing leaks. */
static void a_failing_consumer_fails_the_tar(void **state)
{
	(void)state;
	for (int at = 1;; at++) {
		int left = at;
		struct tar_writer *w;
		struct err err = ERR_INIT, later = ERR_INIT;
		assert_true(tar_writer_new(0, refuse, &left, &w, &err));
		bool ok = tar_writer_add(w, "a.zst", "12345", 5, &err) && tar_writer_finish(w, &err);
		if (!ok) {
			assert_string_equal(err.msg, "no room");
			assert_false(tar_writer_add(w, "b.zst", "1", 1, &later));
		}
		tar_writer_free(w);
		if (ok) {
			assert_true(at > 3);
			break;
		}
	}
}

static void small_members_are_read_alone(void **state)
{
	cleanup_free char *data = NULL;
	size_t len;
	struct err err = ERR_INIT, why = ERR_INIT;

	(void)state;
	put_in(0, BACKUP_OBJECT, object.data, 3000); /* the rest is not needed */
	const struct stores one = { .v = stores.v, .n = 1 };
	assert_true(backup_member(&one, manifest, "settings.json", &data, &len, &err));
	assert_int_equal(len, 3000);
	assert_false(backup_member(&one, manifest, "roles.sql", &data, &len, &why));
	assert_int_equal(why.code, ERR_BACKUP);
}

static void list(struct backup_list *l)
{
	struct err err = ERR_INIT;

	backup_list_clear(l);
	assert_true(backup_list_read(&stores, l, &err));
}

static void the_list_shows_what_is_whole(void **state)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	const struct backup_entry *e;
	struct err err = ERR_INIT, none = ERR_INIT;

	(void)state;
	list(&l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].stores.n, 2);
	assert_int_equal(l.warnings.n, 0);
	assert_true(backup_list_find(&l, ID, &e, &err) && backup_list_find(&l, "20261122", &e, &err) &&
	            backup_list_find(&l, "0123abcd", &e, &err));
	assert_false(backup_list_find(&l, "2027", &e, &none));
	assert_int_equal(none.code, ERR_BACKUP);

	put_in(0, MANIFEST_OBJECT, "{}", 2);
	list(&l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].stores.n, 1);
	assert_int_equal(l.warnings.n, 1);
	assert_non_null(strstr(l.warnings.v[0], "first"));
}

static void a_manifest_of_another_folder_is_not_listed(void **state)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	cleanup_free char *text = manifest_text(manifest);
	struct err err = ERR_INIT;

	(void)state;
	assert_true(store_put(stores.v[0], "app-7/elsewhere/" MANIFEST_OBJECT, text, strlen(text), &err));
	list(&l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.warnings.n, 1);
}

static void stores_must_agree(void **state)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	json_t *j = manifest_object(&object);
	struct manifest *forged;
	struct err err = ERR_INIT;

	(void)state;
	json_put(j, "engine", json_str("another"));
	assert_true(manifest_seal(j, &forged, &err));
	cleanup_free char *text = manifest_text(forged);
	manifest_free(forged);
	put_in(1, MANIFEST_OBJECT, text, strlen(text));
	list(&l);
	assert_int_equal(l.n, 1);
	assert_string_equal(manifest_str(l.v[0].manifest, "engine"), "dump");
	assert_int_equal(manifest_stores(l.v[0].manifest)->n, 1);
	assert_int_equal(l.warnings.n, 1);
	assert_non_null(strstr(l.warnings.v[0], "store second"));
}

/* As when one backup is asked for: its marks are opened. */
static void look(struct backup_list *l)
{
	struct err err = ERR_INIT;

	backup_list_clear(l);
	assert_true(backup_list_read_one(&stores, "0123abcd", l, &err));
	assert_int_equal(l->n, 1);
}

static void marks_change_and_the_manifest_does_not(void **state)
{
	cleanup_backup_list struct backup_list l = { .v = NULL };
	cleanup_free char *text = manifest_text(manifest), *mark = mark_text("another", MARK_DRILL, "drill");
	struct err err = ERR_INIT;

	(void)state;
	list(&l);
	assert_true(backup_set_pin(&stores, l.v[0].manifest, true, "run 1", &err));
	assert_true(backup_mark_verified(&stores, l.v[0].manifest, "restore", &err));
	assert_true(backup_mark_verified(&stores, l.v[0].manifest, "read", &err));
	assert_false(backup_mark_verified(&stores, l.v[0].manifest, "magic", &err));
	list(&l);
	assert_string_equal(manifest_pin_reason(l.v[0].manifest), "run 1");
	assert_string_equal(manifest_verified_how(l.v[0].manifest), "restore"); /* the stronger one stays */
	err = (struct err)ERR_INIT;
	assert_true(backup_set_pin(&stores, l.v[0].manifest, false, NULL, &err));
	list(&l);
	assert_false(manifest_is_pinned(l.v[0].manifest));
	assert_true(manifest_is_verified(l.v[0].manifest));
	cleanup_free char *after = manifest_text(l.v[0].manifest);
	assert_string_equal(after, text);

	assert_true(backup_unmark_verified(stores.v[0], l.v[0].manifest, &err) &&
	            backup_unmark_verified(stores.v[1], l.v[0].manifest, &err));
	put_in(0, "pinned.json", "{", 1); /* in doubt: kept, and not trusted */
	put_in(0, "verified-drill.json", mark, strlen(mark));
	put_in(1, "verified-read.json", "", 0);
	look(&l);
	assert_true(manifest_is_pinned(l.v[0].manifest));
	assert_false(manifest_is_verified(l.v[0].manifest));
	assert_int_equal(l.warnings.n, 3);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sound_one_reads),
		T(every_flipped_bit_is_seen),
		T(every_cut_is_seen),
		T(members_must_be_the_manifests),
		T(bytes_behind_the_end_are_seen),
		T(hostile_members_are_refused),
		T(a_size_is_not_believed),
		T(a_forged_manifest_is_refused),
		T(every_changed_manifest_is_seen),
		T(a_newer_format_is_named),
		T(the_next_store_helps_out),
		T(a_failing_consumer_fails_the_tar),
		T(small_members_are_read_alone),
		T(the_list_shows_what_is_whole),
		T(a_manifest_of_another_folder_is_not_listed),
		T(stores_must_agree),
		T(marks_change_and_the_manifest_does_not),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
