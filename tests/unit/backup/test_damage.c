/*
 * Damage: whatever byte of whatever stored object is another one, is gone, or stands elsewhere, reading the backup again
 * says so and says where.  Looking is what `backup verify` does: the one backup is read out of the store with its marks,
 * and then all of it by backup_read(), with a real dump and pg_restore.
 */
#include "backup/marks.h"
#include "backup/source.h"
#include "sample.h"

#include "backup/stream/tar_write.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sample sample;
static struct stores stores;
static char root[32], *bin_dir;
static const char *const objects[] = { "backup.tar", "manifest.json", "pinned.json", "verified-read.json",
	                               "verified-restore.json" };
#define N_OBJECTS (sizeof(objects) / sizeof(objects[0]))
static struct buf sound[N_OBJECTS]; /* their bytes */
static size_t n_damages;

static char *key_of(const char *object) { return manifest_key(sample.manifest, object); }

/* Past the store, which would sync each of thousands; unlinked, since ext4 syncs what is cut and written again. */
static void put(const char *object, const void *data, size_t len)
{
	cleanup_free char *key = key_of(object), *path = mem_fmt("%s/%s", root, key);
	(void)unlink(path);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int group_setup(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	sample_make(&sample, FIXTURES "/custom-1.14.dump", 8192);
	sample_store("local", root, &stores);
	sample_put(&sample, stores.v[0], sample.manifest);
	strv_add(&sample.manifest->stores, "local");
	assert_true(backup_set_pin(&stores, sample.manifest, true, "by hand", &err) &&
	            backup_mark_verified(&stores, sample.manifest, "read", &err) &&
	            backup_mark_verified(&stores, sample.manifest, "restore", &err));
	if (!dump_tools_find(15, NULL, &bin_dir, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < N_OBJECTS; i++) {
		cleanup_free char *key = key_of(objects[i]);
		sound[i] = (struct buf)BUF_INIT((size_t)1 << 22);
		assert_true(store_get(stores.v[0], key, &sound[i], &err));
	}
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	print_message("%zu damages, each one found\n", n_damages);
	sample_store_remove(&stores, root);
	sample_clear(&sample);
	free(bin_dir);
	for (size_t i = 0; i < N_OBJECTS; i++)
		buf_clear(&sound[i]);
	return n_damages >= 500 ? 0 : 1;
}

static int heal(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OBJECTS; i++)
		put(objects[i], sound[i].data, sound[i].len);
	return 0;
}

/* All bytes of the object, without a pg_restore: what every byte of it is tried with. */
static bool read_object(const struct manifest *m, struct err *err)
{
	cleanup_source struct source *s = source_new(&stores, m);

	return source_drain(s, err);
}

/* What `backup verify` finds wrong; false and *err. */
static bool look(bool whole, struct err *err)
{
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_read_one(&stores, manifest_id(sample.manifest), &list, err))
		return false;
	if (list.warnings.n > 0)
		return err_set(err, ERR_CORRUPT, "%s", list.warnings.v[0]);
	const struct manifest *m = list.v[0].manifest;
	return whole ? backup_read(stores.v[0], m, bin_dir, NULL, err) : read_object(m, err);
}

/* It is found, as a backup's failure (exit 7), and the words name what it was done to. */
static void found(bool whole, const char *what, const char *how, size_t at)
{
	struct err err = ERR_INIT;

	if (look(whole, &err))
		fail_msg("%s, %s at %zu: nobody noticed", what, how, at);
	if (err_exit_status(err.code) != 7)
		fail_msg("%s, %s at %zu: exit %d: %s", what, how, at, err_exit_status(err.code), err.msg);
	if (!strstr(err.msg, what) && !(strcmp(what, "backup.tar") == 0 && strstr(err.msg, ".zst")))
		fail_msg("%s, %s at %zu: not named in: %s", what, how, at, err.msg);
	n_damages++;
}

static void a_sound_one_is_sound(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	if (!look(true, &err) || !look(false, &err))
		fail_msg("%s", err.msg);
}

/* Every byte of the small objects, each in three ways: one bit, all bits, and a blank that looks like layout. */
static void every_byte_of_manifest_and_marks(void **state)
{
	(void)state;
	for (size_t o = 1; o < N_OBJECTS; o++) {
		for (size_t at = 0; at < sound[o].len; at++) {
			const char was = sound[o].data[at];
			const char bad[] = { (char)(was ^ (1 << (at % 8))), (char)~was,
				             was == ' ' ? '\t' : ' ' };
			for (size_t k = 0; k < sizeof(bad); k++) {
				sound[o].data[at] = bad[k];
				put(objects[o], sound[o].data, sound[o].len);
				found(false, objects[o], "a byte turned", at);
			}
			sound[o].data[at] = was;
		}
		put(objects[o], sound[o].data, sound[o].len);
	}
}

/* Headers, padding, the end marker: there is no byte of the tar that may be another one. */
static void every_byte_of_the_tar(void **state)
{
	struct buf *tar = &sound[0];

	(void)state;
	for (size_t at = 0; at < tar->len; at++) {
		tar->data[at] ^= (char)(1 << (at % 8));
		put(objects[0], tar->data, tar->len);
		tar->data[at] ^= (char)(1 << (at % 8));
		struct err err = ERR_INIT;
		if (read_object(sample.manifest, &err) || err_exit_status(err.code) != 7)
			fail_msg("byte %zu of the tar: %s", at, err.msg);
		n_damages++;
	}
}

/* The same as `backup verify` reads it, with pg_restore: a sample, since that is a process each. */
static void bytes_of_the_tar_with_pg_restore(void **state)
{
	struct buf *tar = &sound[0];
	size_t n = 0;

	(void)state;
	for (size_t at = 0; at < tar->len; at += tar->len / 150, n++) {
		tar->data[at] ^= (char)(1 << (n % 8));
		put(objects[0], tar->data, tar->len);
		tar->data[at] ^= (char)(1 << (n % 8));
		found(true, objects[0], "a byte turned", at);
	}
	assert_true(n >= 150);
}

static void every_object_cut_short_or_longer(void **state)
{
	(void)state;
	for (size_t o = 0; o < N_OBJECTS; o++) {
		cleanup_free char *longer = mem_grow(NULL, sound[o].len + 1, 1);
		size_t step = sound[o].len / 40 + 1;
		for (size_t len = 0; len < sound[o].len; len += step) {
			put(objects[o], sound[o].data, len);
			found(o == 0, objects[o], "cut", len);
		}
		put(objects[o], sound[o].data, sound[o].len - 1);
		found(o == 0, objects[o], "cut", sound[o].len - 1);
		memcpy(longer, sound[o].data, sound[o].len);
		longer[sound[o].len] = '\n';
		put(objects[o], longer, sound[o].len + 1);
		found(o == 0, objects[o], "longer", sound[o].len);
		put(objects[o], sound[o].data, sound[o].len);
	}
}

/* Only the tar and the manifest have to be there; a mark that is gone is one that was never set. */
static void an_object_that_is_gone(void **state)
{
	(void)state;
	for (size_t o = 0; o < 2; o++) {
		cleanup_free char *key = key_of(objects[o]);
		struct err err = ERR_INIT;
		assert_true(store_remove(stores.v[0], key, &err));
		found(true, objects[o], "gone", 0);
		put(objects[o], sound[o].data, sound[o].len);
	}
}

/* ustar (POSIX): a header of 512 bytes with the size in octal at byte 124, the data padded to 512. */
static size_t member_length(const char *header)
{
	size_t size = (size_t)strtoul(header + 124, NULL, 8);

	return 512 + (size + 511) / 512 * 512;
}

static void swapped_and_lost_members(void **state)
{
	const struct buf *tar = &sound[0];
	size_t starts[64], n = 0;

	(void)state;
	for (size_t at = 0; tar->data[at]; at += member_length(tar->data + at))
		starts[n++] = at;
	starts[n] = starts[n - 1] + member_length(tar->data + starts[n - 1]);
	assert_true(n == sample.members.n && n >= 4);
	for (size_t a = 0; a + 1 < n; a++) {
		size_t la = starts[a + 1] - starts[a], lb = starts[a + 2] - starts[a + 1];
		cleanup_buf struct buf bad = BUF_INIT((size_t)1 << 22);
		buf_add(&bad, tar->data, starts[a]);
		buf_add(&bad, tar->data + starts[a + 1], lb);
		put(objects[0], bad.data, bad.len);
		found(true, objects[0], "the rest lost behind member", a);
		buf_add(&bad, tar->data + starts[a], la);
		buf_add(&bad, tar->data + starts[a + 2], tar->len - starts[a + 2]);
		put(objects[0], bad.data, bad.len);
		found(true, objects[0], "swapped with the next: member", a);
		bad.len = starts[a];
		buf_add(&bad, tar->data + starts[a + 1], tar->len - starts[a + 1]);
		put(objects[0], bad.data, bad.len);
		found(true, objects[0], "lost: member", a);
	}
}

static void a_manifest_of_another_backup(void **state)
{
	struct manifest *other = sample_manifest(&sample, 1);
	cleanup_free char *text = manifest_text(other);

	(void)state;
	put("manifest.json", text,
	    strlen(text)); /* sound in itself, of the same bytes, and of another folder */
	found(true, "manifest.json", "another backup's", 0);
	manifest_free(other);
}

static json_t *copy_of_manifest(void) { return json_deep_copy(sample.manifest->json); }

static void put_forged(json_t *j)
{
	struct manifest *forged;
	struct err err = ERR_INIT;

	assert_true(manifest_seal(j, &forged, &err));
	cleanup_free char *text = manifest_text(forged);
	put("manifest.json", text, strlen(text));
	manifest_free(forged);
}

/* Written anew with a digest that fits: what it says of the data still has to be so. */
static void a_forged_manifest(void **state)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

	(void)state;
	for (size_t i = 0; i < sample.members.n; i++) {
		json_t *j = copy_of_manifest();
		json_put(json_array_get(json_object_get(j, "members"), i), "sha256", json_str(zeros));
		put_forged(j);
		found(true, objects[0], "another digest for member", i);
		j = copy_of_manifest();
		json_put(json_array_get(json_object_get(j, "members"), i), "raw_bytes", json_integer(7));
		put_forged(j);
		found(true, objects[0], "another length for member", i);
	}
	json_t *j = copy_of_manifest();
	json_put(json_object_get(j, "object"), "sha256", json_str(zeros));
	put_forged(j);
	found(true, objects[0], "another digest for the object", 0);
	j = copy_of_manifest();
	json_put(json_object_get(j, "object"), "bytes", json_integer((json_int_t)sound[0].len + 512));
	put_forged(j);
	found(true, objects[0], "another length for the object", 0);
}

static void marks_of_another_backup(void **state)
{
	cleanup_free char *pin = mark_text("20261122T101400Z-00000001", MARK_PIN, "by hand");
	cleanup_free char *mark = mark_text("20261122T101400Z-00000001", MARK_RESTORE, "restore");

	(void)state;
	put("pinned.json", pin, strlen(pin));
	found(false, "pinned.json", "another backup's", 0);
	put("pinned.json", sound[2].data, sound[2].len);
	put("verified-restore.json", mark, strlen(mark));
	found(false, "verified-restore.json", "another backup's", 0);
	put("verified-restore.json", sound[3].data,
	    sound[3].len); /* the mark of a reading under the stronger name */
	found(false, "verified-restore.json", "another mark", 0);
}

#define T(test) cmocka_unit_test_setup(test, heal)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sound_one_is_sound),
		T(every_byte_of_manifest_and_marks),
		T(every_byte_of_the_tar),
		T(bytes_of_the_tar_with_pg_restore),
		T(every_object_cut_short_or_longer),
		T(an_object_that_is_gone),
		T(swapped_and_lost_members),
		T(a_manifest_of_another_backup),
		T(a_forged_manifest),
		T(marks_of_another_backup),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
