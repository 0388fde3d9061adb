/* A folder as a store: whole objects or none, under a failure of every system call that writes. */
#include "backup/stores/store.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* --- the n-th of the wrapped calls fails, counted across all of them --- */
static int calls, fail_at, fail_errno;
static char order[256]; /* a letter a call: write, sync, rename */

static bool inject(char what)
{
	if (strlen(order) + 1 < sizeof(order))
		order[strlen(order)] = what;
	if (++calls != fail_at)
		return false;
	errno = fail_errno;
	return true;
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	return inject('w') ? -1 : __real_write(fd, p, n > 7 ? n / 2 + 1 : n);
}
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) { return inject('s') ? -1 : __real_fsync(fd); }
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) { return inject('r') ? -1 : __real_rename(from, to); }

static char root[64];
static struct stores stores;

static bool open_store(const char *type, const char *key, const char *value, struct err *err)
{
	const char *const keys[] = { key }, *const values[] = { value };
	const struct store_config config = {
		.name = "local", .type = type, .keys = keys, .values = values, .n = 1
	};

	return stores_open(&config, 1, &stores, err);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	fail_at = 0;
	snprintf(root, sizeof(root), "storetestXXXXXX");
	return mkdtemp(root) && open_store("file", "path", root, &err) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	fail_at = 0;
	stores_close(&stores);
	return rmdir(root); /* fails if a test left anything behind: that is a test too */
}

static void write_object(const char *key, const char *text)
{
	struct upload *u = NULL;
	struct err err = ERR_INIT;

	assert_true(upload_begin(stores.v[0], key, &u, &err));
	assert_true(upload_write(u, text, strlen(text), &err));
	assert_true(upload_finish(&u, &err));
	assert_null(u);
}

static void is_object(const char *key, const char *text)
{
	cleanup_buf struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;

	assert_true(store_get(stores.v[0], key, &b, &err));
	assert_string_equal(buf_text(&b), text);
}

static size_t n_objects(void)
{
	cleanup_strv struct strv keys = STRV_INIT;
	struct err err = ERR_INIT;

	assert_true(store_list(stores.v[0], &keys, &err));
	return keys.n;
}

static void drop(const char *key)
{
	struct err err = ERR_INIT;
	assert_true(store_remove(stores.v[0], key, &err));
}

static int mode_of(const char *key)
{
	cleanup_free char *path = path_join(root, key);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return (int)(st.st_mode & 07777);
}

static void objects_come_and_go(void **state)
{
	(void)state;
	write_object("db-1/b/backup.tar", "bytes");
	is_object("db-1/b/backup.tar", "bytes");
	assert_int_equal(mode_of("db-1/b/backup.tar"), 0600);
	assert_int_equal(mode_of("db-1/b"), 0700);
	assert_int_equal(mode_of("db-1"), 0700);
	assert_int_equal(n_objects(), 1);
	drop("db-1/b/backup.tar");
	drop("db-1/b/backup.tar"); /* a missing one is fine */
	assert_int_equal(n_objects(), 0);
}

static void an_unfinished_upload_is_not_seen(void **state)
{
	struct upload *u = NULL, *second = NULL;
	struct err err = ERR_INIT, busy = ERR_INIT;

	(void)state;
	assert_true(upload_begin(stores.v[0], "db/b/backup.tar", &u, &err));
	assert_true(upload_write(u, "half", 4, &err));
	assert_int_equal(n_objects(), 0);
	/* Another writer of the same object is refused, and does not take the first one's bytes away. */
	assert_false(upload_begin(stores.v[0], "db/b/backup.tar", &second, &busy));
	assert_int_equal(busy.code, ERR_BACKUP);
	assert_int_equal(mode_of("db/b/backup.tar.partial"), 0600);
	upload_abort(&u);
	assert_int_equal(n_objects(), 0);
	drop("db/b/backup.tar"); /* the folders go */
}

/* Bytes, then the name, then the folder, each on disk before the next: the promise of a power cut. */
static void syncs_stand_in_the_right_order(void **state)
{
	struct upload *u = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(upload_begin(stores.v[0], "x", &u, &err));
	assert_true(upload_write(u, "123", 3, &err));
	memset(order, 0, sizeof(order));
	assert_true(upload_finish(&u, &err));
	assert_string_equal(order, "srs");
	memset(order, 0, sizeof(order));
	assert_true(store_put(stores.v[0], "x", "12", 2, &err));
	assert_string_equal(order, "wsrs");
	drop("x");
}

static void put_replaces(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_true(store_put(stores.v[0], "a/b/manifest.json", "old", 3, &err));
	assert_true(store_put(stores.v[0], "a/b/manifest.json", "newer", 5, &err));
	is_object("a/b/manifest.json", "newer");
	assert_int_equal(mode_of("a/b/manifest.json"), 0600);
	drop("a/b/manifest.json");
}

/* Each write, fsync and rename fails in turn: the object is whole or not there, and nothing else is left. */
static void every_failure_leaves_nothing(void **state)
{
	static const int errnos[] = { ENOSPC, EIO, EDQUOT };
	int n_failed = 0;

	(void)state;
	for (size_t e = 0; e < 3; e++) {
		for (int at = 1;; at++) {
			struct upload *u = NULL;
			struct err err = ERR_INIT;
			calls = 0, fail_at = at, fail_errno = errnos[e];
			bool ok = upload_begin(stores.v[0], "d/b/backup.tar", &u, &err) &&
			          upload_write(u, "0123456789abcdefghijklmnopqrst", 30, &err);
			ok = ok && upload_finish(&u, &err);
			upload_abort(&u);
			bool all_passed = calls < at;
			fail_at = 0;
			if (!ok) {
				n_failed++;
				assert_int_equal(err.code, ERR_BACKUP);
				assert_int_equal(err.sys_errno, errnos[e]);
				assert_non_null(strstr(err.msg, root)); /* the path is in the message */
			}
			drop("d/b/backup.tar"); /* after a failed sync of the folder the name may exist */
			assert_false(file_exists("d"));
			cleanup_free char *left = path_join(root, "d");
			assert_false(file_exists(left));
			if (all_passed) {
				assert_true(ok);
				break;
			}
			assert_false(ok);
		}
	}
	assert_true(n_failed >= 3 * 5);
}

static void a_failed_put_keeps_the_old(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_true(store_put(stores.v[0], "a/b/pinned.json", "old", 3, &err));
	for (int at = 1;; at++) {
		struct err why = ERR_INIT;
		calls = 0, fail_at = at, fail_errno = ENOSPC;
		bool ok = store_put(stores.v[0], "a/b/pinned.json", "the new text", 12, &why);
		bool all_passed = calls < at;
		fail_at = 0;
		cleanup_buf struct buf b = BUF_INIT(100);
		assert_true(store_get(stores.v[0], "a/b/pinned.json", &b, &err));
		assert_true(strcmp(b.data, "old") == 0 || strcmp(b.data, "the new text") == 0);
		assert_int_equal(n_objects(), 1);
		if (all_passed) {
			assert_true(ok);
			break;
		}
		assert_false(ok);
		assert_int_equal(why.code, ERR_BACKUP);
	}
	drop("a/b/pinned.json");
}

static void keys_stay_inside(void **state)
{
	static const char *const bad[] = { "",     "/etc/passwd", "../x", "a/../../x",
		                           "a//b", "a/.",         "a/b/", "a\nb" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct upload *u = NULL;
		struct download *d = NULL;
		struct err e[4] = { ERR_INIT, ERR_INIT, ERR_INIT, ERR_INIT };
		assert_false(upload_begin(stores.v[0], bad[i], &u, &e[0]));
		assert_false(store_put(stores.v[0], bad[i], "x", 1, &e[1]));
		assert_false(store_remove(stores.v[0], bad[i], &e[2]));
		assert_false(download_begin(stores.v[0], bad[i], 0, &d, &e[3]));
	}
}

static void reads_from_an_offset_and_bounds_small_objects(void **state)
{
	cleanup_download struct download *d = NULL;
	cleanup_buf struct buf b = BUF_INIT(4);
	struct err err = ERR_INIT;
	char bytes[10];
	size_t got;

	(void)state;
	write_object("x", "0123456789");
	assert_true(download_begin(stores.v[0], "x", 7, &d, &err));
	assert_true(download_read(d, bytes, sizeof(bytes), &got, &err));
	assert_int_equal(got, 3);
	assert_memory_equal(bytes, "789", 3);
	assert_true(download_read(d, bytes, sizeof(bytes), &got, &err));
	assert_int_equal(got, 0);
	assert_false(store_get(stores.v[0], "x", &b, &err));
	assert_int_equal(err.code, ERR_BACKUP);
	drop("x");
}

static void the_probe_leaves_nothing(void **state)
{
	struct err err = ERR_INIT, why = ERR_INIT;

	(void)state;
	assert_true(store_check(stores.v[0], &err));
	assert_int_equal(n_objects(), 0);
	calls = 0, fail_at = 1, fail_errno = EROFS;
	assert_false(store_check(stores.v[0], &why));
	fail_at = 0;
	assert_int_equal(why.code, ERR_BACKUP);
}

static void other_kinds_and_keys_are_refused(void **state)
{
	struct stores keep = stores;
	struct err type = ERR_INIT, key = ERR_INIT, path = ERR_INIT;

	(void)state;
	assert_false(open_store("tape", "path", "b", &type));
	assert_int_equal(type.code, ERR_USAGE);
	assert_non_null(strstr(type.msg, "no stores of type tape"));
	assert_non_null(strstr(type.hint, "file, "));
	assert_false(open_store("file", "paht", "b", &key));
	assert_int_equal(key.code, ERR_USAGE);
	assert_non_null(strstr(key.hint, "path"));
	assert_false(open_store("file", "path", "", &path));
	assert_int_equal(path.code, ERR_USAGE);
	stores = keep;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unfinished_upload_is_not_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(syncs_stand_in_the_right_order, setup, teardown),
		cmocka_unit_test_setup_teardown(put_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(every_failure_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_put_keeps_the_old, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_from_an_offset_and_bounds_small_objects, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_probe_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(other_kinds_and_keys_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
