/*
 * The catalog over thousands of backups, and what changes it: how often a store is asked, what a deletion leaves that
 * breaks off at any of its steps, and fetching.
 */
#include "backup/marks.h"
#include "sample.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 3000

static struct sample sample;
static struct stores stores;
static char root[32];

/* ------------------------------------------------------------------ what the stores are asked */

static size_t n_lists, n_manifests, n_marks;
static int fail_at; /* the nth change of a store fails; 0: none */

bool __real_store_get(struct store *s, const char *key, struct buf *out, struct err *err);
bool __wrap_store_get(struct store *s, const char *key, struct buf *out, struct err *err);
bool __real_store_list(struct store *s, struct strv *keys, struct err *err);
bool __wrap_store_list(struct store *s, struct strv *keys, struct err *err);
bool __real_store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err);
bool __wrap_store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err);
bool __real_store_remove(struct store *s, const char *key, struct err *err);
bool __wrap_store_remove(struct store *s, const char *key, struct err *err);

bool __wrap_store_get(struct store *s, const char *key, struct buf *out, struct err *err)
{
	if (strstr(key, MANIFEST_OBJECT))
		n_manifests++;
	else
		n_marks++;
	return __real_store_get(s, key, out, err);
}

bool __wrap_store_list(struct store *s, struct strv *keys, struct err *err)
{
	n_lists++;
	return __real_store_list(s, keys, err);
}

static bool fails(struct err *err)
{
	return fail_at > 0 && --fail_at == 0 && !err_set(err, ERR_BACKUP, "the store is gone");
}

bool __wrap_store_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	return !fails(err) && __real_store_put(s, key, data, len, err);
}

bool __wrap_store_remove(struct store *s, const char *key, struct err *err)
{
	return !fails(err) && __real_store_remove(s, key, err);
}

static int setup(void **state)
{
	(void)state;
	sample_store("local", root, &stores);
	n_lists = n_manifests = n_marks = 0;
	fail_at = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fail_at = 0;
	sample_store_remove(&stores, root);
	return 0;
}

static void read_list(struct backup_list *l)
{
	struct err err = ERR_INIT;

	backup_list_clear(l);
	if (!backup_list_read(&stores, l, &err))
		fail_msg("%s", err.msg);
}

/* ------------------------------------------------------------------ thousands */

static void write_file(const struct manifest *m, const char *object, const char *text)
{
	cleanup_free char *path = mem_fmt("%s/%s/%s", root, manifest_folder(m), object);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Made from one real one, without a sync: the data is the same file. */
static void make_many(void)
{
	cleanup_free char *first = mem_fmt("%s/%s/%s", root, manifest_folder(sample.manifest), BACKUP_OBJECT);

	sample_put(&sample, stores.v[0], sample.manifest);
	for (int i = 1; i < MANY; i++) {
		struct manifest *m = sample_manifest(&sample, i);
		cleanup_free char *dir = mem_fmt("%s/%s", root, manifest_folder(m));
		cleanup_free char *object = mem_fmt("%s/%s", dir, BACKUP_OBJECT), *text = manifest_text(m);
		assert_int_equal(mkdir(dir, 0700), 0);
		assert_int_equal(link(first, object), 0);
		write_file(m, MANIFEST_OBJECT, text);
		write_file(m, mark_types[MARK_RESTORE].object, "");
		manifest_free(m);
	}
}

static void one_listing_and_no_manifest_twice(void **state)
{
	cleanup_backup_list struct backup_list all = { .n = 0 }, one = { .n = 0 };
	struct err err = ERR_INIT;

	(void)state;
	make_many();
	int64_t began = clock_ms();
	read_list(&all);
	print_message("%d backups listed in %lld ms\n", MANY, (long long)(clock_ms() - began));
	assert_int_equal(all.n, MANY);
	assert_int_equal(n_lists, 1);
	assert_int_equal(n_manifests, MANY);
	assert_int_equal(n_marks, 0); /* how each was verified stood in the listing */
	for (size_t i = 0; i + 1 < all.n; i++)
		assert_true(manifest_created_us(all.v[i].manifest) >
		            manifest_created_us(all.v[i + 1].manifest));
	assert_false(manifest_is_verified(all.v[0].manifest));
	assert_string_equal(manifest_verified_how(all.v[1].manifest), "restore");

	n_lists = n_manifests = 0;
	assert_true(backup_list_read_one(&stores, "00000abc", &one, &err)); /* the short id */
	assert_string_equal(manifest_id(one.v[0].manifest) + 17, "00000abc");
	assert_int_equal(n_lists, 1);
	assert_int_equal(n_manifests, 1);
	assert_false(backup_list_read_one(&stores, "2026", &one, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

/* ------------------------------------------------------------------ deleting */

static size_t n_files(void)
{
	cleanup_strv struct strv keys = STRV_INIT;
	struct err err = ERR_INIT;

	assert_true(__real_store_list(stores.v[0], &keys, &err));
	return keys.n;
}

static struct manifest *put_one(int nth)
{
	struct manifest *m = sample_manifest(&sample, nth);
	struct err err = ERR_INIT;

	strv_add(&m->stores, "local");
	sample_put(&sample, stores.v[0], m);
	assert_true(backup_mark_verified(&stores, m, "restore", &err));
	return m;
}

static void a_deletion_leaves_the_others(void **state)
{
	cleanup_backup_list struct backup_list l = { .n = 0 };
	cleanup_manifest struct manifest *a = put_one(0), *b = put_one(1);
	struct err err = ERR_INIT;

	(void)state;
	assert_true(backup_delete(&stores, a, "no rule keeps it", &err));
	read_list(&l);
	assert_int_equal(l.n, 1);
	assert_string_equal(manifest_id(l.v[0].manifest), manifest_id(b));
	assert_int_equal(l.n_leftovers, 0);
	assert_int_equal(n_files(), 3);
}

/* At every step: the backup is listed and whole, or not listed and known to be deleted; going on ends it. */
static void a_deletion_that_breaks_off_is_finished(void **state)
{
	struct err err = ERR_INIT;
	bool done = false;
	int n_listed = 0, n_condemned = 0;

	(void)state;
	for (int at = 1; !done; at++) {
		cleanup_backup_list struct backup_list l = { .n = 0 };
		cleanup_manifest struct manifest *m = put_one(0);
		struct err why = ERR_INIT;
		fail_at = at;
		done = backup_delete(&stores, m, "no rule keeps it", &why);
		fail_at = 0;
		read_list(&l);
		assert_int_equal(l.n + l.n_leftovers, done ? 0 : 1);
		if (l.n == 1) {
			assert_int_equal(l.v[0].condemned, at > 1);
			assert_true(manifest_is_verified(l.v[0].manifest));
			assert_true(backup_spare(&stores, l.v[0].manifest, &err));
			read_list(&l);
			assert_false(l.v[0].condemned);
			assert_true(backup_delete(&stores, l.v[0].manifest, "again", &err));
			n_listed++;
		} else if (!done) {
			assert_true(l.leftovers[0].condemned && l.leftovers[0].is_ours);
			assert_true(backup_leftover_delete(&stores, &l.leftovers[0], &err));
			n_condemned++;
		}
		assert_int_equal(n_files(), 0);
	}
	assert_int_equal(n_listed, 2); /* before the mark, and before the manifest */
	assert_true(n_condemned >= 3); /* the object and the marks */
}

static void what_has_no_manifest_is_not_condemned(void **state)
{
	cleanup_backup_list struct backup_list l = { .n = 0 };
	cleanup_manifest struct manifest *m = put_one(0);
	cleanup_free char *key = manifest_key(m, MANIFEST_OBJECT), *foreign = manifest_key(m, "notes.txt");
	cleanup_free char *mark = mark_text("20261122T101400Z-00000001", MARK_DELETING, "x");
	struct err err = ERR_INIT, refused = ERR_INIT;

	(void)state;
	assert_true(store_remove(stores.v[0], key, &err));
	read_list(&l);
	assert_int_equal(l.n_leftovers, 1);
	assert_true(l.leftovers[0].is_ours && !l.leftovers[0].condemned);
	write_file(m, "deleting.json", mark); /* another backup's */
	read_list(&l);
	assert_false(l.leftovers[0].condemned);
	assert_true(store_put(stores.v[0], foreign, "mine", 4, &err));
	read_list(&l);
	assert_false(l.leftovers[0].is_ours);
	assert_false(backup_leftover_delete(&stores, &l.leftovers[0], &refused));
	assert_int_equal(refused.code, ERR_REFUSED);
	assert_int_equal(n_files(), 4);
}

static void what_is_named_otherwise_is_not_ours(void **state)
{
	static const char *const names[] = { "app-7/20261122T101500Z-base/backup.tar",
		                             "app-7/notes/backup.tar",
		                             "app-7/20261122T101500Z-base-0123ABCD/backup.tar",
		                             "app-7/2026112ZT101500-base-0123abcd/x.tar" };
	cleanup_backup_list struct backup_list l = { .n = 0 };
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(store_put(stores.v[0], names[i], "x", 1, &err));
	assert_true(store_put(stores.v[0], "README", "x", 1, &err));
	read_list(&l);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.n_leftovers, 4);
	for (size_t i = 0; i < l.n_leftovers; i++)
		assert_false(l.leftovers[i].is_ours);
}

/* A folder that was moved by hand: its name is a backup's, and its manifest says another place. */
static void a_manifest_in_another_place_is_not_listed(void **state)
{
	cleanup_backup_list struct backup_list l = { .n = 0 };
	cleanup_manifest struct manifest *m = put_one(0);
	cleanup_free char *text = manifest_text(m);
	cleanup_free char *key = mem_fmt("other-7%s/" MANIFEST_OBJECT, strchr(manifest_folder(m), '/'));
	struct err err = ERR_INIT;

	(void)state;
	assert_true(store_put(stores.v[0], key, text, strlen(text), &err));
	read_list(&l);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.damaged.n, 1);
	assert_int_equal(l.warnings.n, 1);
	assert_int_equal(l.v[0].stores.n, 1);
}

/* ------------------------------------------------------------------ fetching */

static void fetched(const char *folder)
{
	cleanup_free char *object = mem_fmt("%s/%s", folder, BACKUP_OBJECT);
	cleanup_free char *manifest = mem_fmt("%s/%s", folder, MANIFEST_OBJECT);
	cleanup_free char *text = manifest_text(sample.manifest);
	cleanup_buf struct buf a = BUF_INIT((size_t)1 << 22), b = BUF_INIT((size_t)1 << 22);
	struct err err = ERR_INIT;

	assert_true(file_read(object, &a, &err) && file_read(manifest, &b, &err));
	assert_int_equal(a.len, sample.object.len);
	assert_memory_equal(a.data, sample.object.data, a.len);
	assert_string_equal(buf_text(&b), text);
	unlink(object);
	unlink(manifest);
	assert_int_equal(rmdir(folder), 0);
}

/* Nothing in the working directory but the stores' roots. */
static size_t n_beside(void)
{
	FILE *p = popen("ls -d fetched* 2>/dev/null | wc -l", "r");
	int n = -1;

	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	return (size_t)n;
}

static void fetch_writes_all_or_nothing(void **state)
{
	cleanup_manifest struct manifest *m = put_one(0);
	struct err err = ERR_INIT, refused = ERR_INIT, damaged = ERR_INIT, gone = ERR_INIT;

	(void)state;
	assert_true(backup_fetch(&stores, m, "fetched", NULL, &err));
	fetched("fetched");
	assert_int_equal(mkdir("fetched", 0700), 0);
	assert_true(backup_fetch(&stores, m, "fetched///", NULL, &err)); /* an empty folder will do */
	assert_false(backup_fetch(&stores, m, "fetched", NULL, &refused));
	assert_int_equal(refused.code, ERR_REFUSED);
	fetched("fetched");

	sample.object.data[100] ^= 1;
	sample_put(&sample, stores.v[0], m);
	assert_false(backup_fetch(&stores, m, "fetched", NULL, &damaged));
	assert_int_equal(damaged.code, ERR_CORRUPT);
	sample.object.data[100] ^= 1;
	assert_int_equal(n_beside(), 0);
	cleanup_free char *key = manifest_key(m, BACKUP_OBJECT);
	assert_true(store_put(stores.v[0], key, sample.object.data, sample.object.len - 1, &err));
	assert_false(backup_fetch(&stores, m, "fetched", NULL, &gone));
	assert_int_equal(gone.code, ERR_CORRUPT);
	assert_int_equal(n_beside(), 0);
}

static void fetch_goes_on_to_the_next_store(void **state)
{
	char other_root[32];
	struct stores other, both;
	cleanup_manifest struct manifest *m = put_one(0);
	struct err err = ERR_INIT;

	(void)state;
	sample_store("other", other_root, &other);
	struct store *two[] = { stores.v[0], other.v[0] };
	both = (struct stores){ .v = two, .n = 2 };
	strv_add(&m->stores, "other");
	sample_put(&sample, other.v[0], m);
	cleanup_free char *key = manifest_key(m, BACKUP_OBJECT);
	assert_true(store_put(stores.v[0], key, "damaged", 7, &err));
	assert_true(backup_fetch(&both, m, "fetched", NULL, &err));
	fetched("fetched");
	sample_store_remove(&other, other_root);
}

static int group_setup(void **state)
{
	(void)state;
	sample_make(&sample, FIXTURES "/custom-1.14-two.dump", 1000);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sample_clear(&sample);
	return 0;
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_listing_and_no_manifest_twice),
		T(a_deletion_leaves_the_others),
		T(a_deletion_that_breaks_off_is_finished),
		T(what_has_no_manifest_is_not_condemned),
		T(what_is_named_otherwise_is_not_ours),
		T(a_manifest_in_another_place_is_not_listed),
		T(fetch_writes_all_or_nothing),
		T(fetch_goes_on_to_the_next_store),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
