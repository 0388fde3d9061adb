/* Files that are whole or not there, under a failure of every system call that makes them. */
#include "base/cleanup.h"
#include "base/file.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* --- fault injection: the n-th of the wrapped calls fails, counted across all of them --- */
static int calls, fail_at;
static char trace[64];       /* a letter each call */
static bool no_rename_flags; /* a file system like NFS */

static bool inject(char letter)
{
	if (fail_at == 0)
		return false;
	assert_true(calls + 1 < (int)sizeof(trace));
	trace[calls] = letter;
	trace[++calls] = '\0';
	if (calls != fail_at)
		return false;
	errno = ENOSPC;
	return true;
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	static bool interrupted;

	if (fail_at == 0)
		return __real_write(fd, p, n);
	interrupted = !interrupted;
	if (interrupted) {
		errno = EINTR; /* before each write, and not counted: it must not show */
		return -1;
	}
	return inject('w') ? -1 : __real_write(fd, p, n > 7 ? n / 2 + 1 : n);
}
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) { return inject('s') ? -1 : __real_fsync(fd); }
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int rc = __real_close(fd);

	return inject('c') ? -1 : rc; /* on Linux it is closed all the same */
}
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) { return inject('r') ? -1 : __real_rename(from, to); }
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	if (no_rename_flags) {
		errno = EINVAL;
		return -1;
	}
	return inject('r') ? -1 : __real_renameat2(a, from, b, to, flags);
}
int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to) { return inject('l') ? -1 : __real_link(from, to); }

static char dir[] = "/tmp/ripcord-test-file-XXXXXX";

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(dir); /* fails if a test left anything behind: that is a test too */
}

static int entries(void)
{
	DIR *d = opendir(dir);
	int n = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void assert_content(const char *path, const char *expected)
{
	cleanup_buf struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;

	assert_true(file_read(path, &b, &err));
	assert_string_equal(buf_text(&b), expected);
}

static const char old_text[] = "the old text, whole";
static const char new_text[] = "the new text, which is longer";

/* Fails each call in turn until one round gets through. */
static void replace_under_every_fault(void **state)
{
	(void)state;
	cleanup_free char *path = path_join(dir, "f");
	struct err err = ERR_INIT;
	bool done = false;
	int rounds = 0;

	while (!done) {
		assert_true(file_replace(path, old_text, strlen(old_text), 0600, &err));
		fail_at = ++rounds;
		calls = 0;
		struct err fault = ERR_INIT;
		done = file_replace(path, new_text, strlen(new_text), 0600, &fault);
		bool renamed = calls >= fail_at && strstr(fault.msg, "sync the folder");
		fail_at = 0;

		assert_content(path, done || renamed ? new_text : old_text);
		assert_int_equal(entries(), 1); /* no temporary is left */
		if (!done) {
			assert_int_equal(fault.code, ERR_IO);
			assert_int_equal(fault.sys_errno, ENOSPC);
		}
		assert_true(rounds < 50);
	}
	/* Nothing gets its name before it is on the disk, nor is done before the name is. */
	assert_non_null(strstr(trace, "wscrsc"));
	assert_int_equal(unlink(path), 0);
}

static void create_under_every_fault(bool like_nfs)
{
	cleanup_free char *path = path_join(dir, "f");
	bool done = false;
	int rounds = 0;

	no_rename_flags = like_nfs;
	while (!done) {
		fail_at = ++rounds;
		calls = 0;
		struct err fault = ERR_INIT;
		done = file_create(path, new_text, strlen(new_text), 0600, &fault);
		bool named = strstr(fault.msg, "sync the folder");
		fail_at = 0;

		assert_int_equal(entries(), done || named);
		if (done || named) {
			assert_content(path, new_text);
			assert_int_equal(unlink(path), 0);
		}
		assert_true(rounds < 50);
	}
	assert_non_null(strstr(trace, like_nfs ? "wsclsc" : "wscrsc"));
	no_rename_flags = false;
}

static void create_under_every_fault_local(void **state)
{
	(void)state;
	create_under_every_fault(false);
}

static void create_under_every_fault_nfs(void **state)
{
	(void)state;
	create_under_every_fault(true);
}

static void create_never_replaces(void **state)
{
	(void)state;
	cleanup_free char *path = path_join(dir, "f");

	for (int like_nfs = 0; like_nfs < 2; like_nfs++) {
		struct err err = ERR_INIT;
		no_rename_flags = like_nfs;
		assert_true(file_create(path, old_text, strlen(old_text), 0600, &err));
		assert_false(file_create(path, new_text, strlen(new_text), 0600, &err));
		assert_int_equal(err.code, ERR_IO);
		assert_int_equal(err.sys_errno, EEXIST);
		assert_content(path, old_text);
		assert_int_equal(entries(), 1);
		assert_int_equal(unlink(path), 0);
	}
	no_rename_flags = false;
}

static void create_keeps_a_dangling_link(void **state)
{
	(void)state;
	cleanup_free char *path = path_join(dir, "f");
	struct err err = ERR_INIT;

	assert_int_equal(symlink("nowhere", path), 0);
	assert_false(file_exists(path));
	assert_false(file_create(path, "x", 1, 0600, &err));
	assert_int_equal(err.sys_errno, EEXIST);
	assert_int_equal(entries(), 1);
	assert_int_equal(unlink(path), 0);
}

static void modes_and_long_names(void **state)
{
	(void)state;
	char name[256];
	memset(name, 'n', 255); /* as long as a name may be */
	name[255] = '\0';
	cleanup_free char *path = path_join(dir, name);
	struct err err = ERR_INIT;
	struct stat st;

	assert_true(file_replace(path, "", 0, 0600, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_content(path, "");
	assert_int_equal(unlink(path), 0);
}

static void reading_is_bounded(void **state)
{
	(void)state;
	cleanup_free char *path = path_join(dir, "f");
	struct err err = ERR_INIT;
	cleanup_buf struct buf fits = BUF_INIT(5), small = BUF_INIT(4);

	assert_true(file_replace(path,
	                         "12\0"
	                         "45",
	                         5, 0600, &err));
	buf_str(&fits, "old");
	buf_str(&small, "old");
	assert_true(file_read(path, &fits, &err));
	assert_int_equal(fits.len, 5);
	assert_memory_equal(fits.data,
	                    "12\0"
	                    "45",
	                    6);
	assert_false(file_read(path, &small, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.msg, "larger than 4 bytes"));
	assert_string_equal(small.data, "old"); /* untouched */
	assert_int_equal(unlink(path), 0);

	err = (struct err)ERR_INIT;
	assert_false(file_read(path, &small, &err));
	assert_int_equal(err.sys_errno, ENOENT);
	err = (struct err)ERR_INIT;
	assert_false(file_read(dir, &small, &err));
	assert_int_equal(err.sys_errno, EISDIR);
}

static void folders(void **state)
{
	(void)state;
	cleanup_free char *a = path_join(dir, "a"), *deep = path_join(dir, "a//b/c/"),
			  *b = path_join(dir, "a/b");
	cleanup_free char *c = path_join(dir, "a/b/c"), *file = path_join(dir, "f"),
			  *under = path_join(dir, "f/x");
	struct err err = ERR_INIT;
	struct stat st;

	assert_true(file_make_dirs(deep, 0700, &err));
	assert_true(file_make_dirs(deep, 0700, &err));
	assert_int_equal(stat(c, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(rmdir(c) | rmdir(b) | rmdir(a), 0);

	assert_true(file_create(file, "", 0, 0600, &err));
	assert_false(file_make_dirs(file, 0700, &err));
	assert_int_equal(err.sys_errno, EEXIST);
	err = (struct err)ERR_INIT;
	assert_false(file_make_dirs(under, 0700, &err));
	assert_int_equal(unlink(file), 0);

	fail_at = 1; /* the fsync of the parent */
	calls = 0;
	err = (struct err)ERR_INIT;
	assert_false(file_make_dirs(a, 0700, &err));
	fail_at = 0;
	assert_int_equal(rmdir(a), 0);
}

static void temporaries(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	char *path = NULL;
	int fd = -1;
	struct stat st;

	assert_true(file_temp(dir, "pg-", &path, &fd, &err));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(file_exists(path));
	close(fd);
	assert_int_equal(unlink(path), 0);
	free(path);

	path = NULL;
	assert_false(file_temp("/nonexistent", "pg-", &path, &fd, &err));
	assert_null(path);
}

static void free_space_of_what_is_not_there_yet(void **state)
{
	(void)state;
	cleanup_free char *deep = path_join(dir, "not/there/yet");
	struct err err = ERR_INIT;
	int64_t here = -1, there = -1;

	assert_true(file_free_bytes(dir, &here, &err));
	assert_true(file_free_bytes(deep, &there, &err));
	assert_true(here > 0 && there > 0);
	assert_true(file_free_bytes("not/there", &there, &err));
}

static void names(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		/* path, folder, last part */
		{ "a", ".", "a" },     { "a/b", "a", "b" }, { "/a", "/", "a" },   { "/", "/", "" },
		{ "/a/b", "/a", "b" }, { "a/b/", "a", "" }, { "a//b", "a", "b" }, { "", ".", "" },
		{ "./a", ".", "a" },   { "//a", "/", "a" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_free char *folder = path_dir(cases[i][0]);
		assert_string_equal(folder, cases[i][1]);
		assert_string_equal(path_base(cases[i][0]), cases[i][2]);
	}
	cleanup_free char *a = path_join("d", "n"), *b = path_join("d/", "n"), *c = path_join("d", "/n");
	cleanup_free char *d = path_join("", "n");
	assert_string_equal(a, "d/n");
	assert_string_equal(b, "d/n");
	assert_string_equal(c, "/n");
	assert_string_equal(d, "n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replace_under_every_fault),
		cmocka_unit_test(create_under_every_fault_local),
		cmocka_unit_test(create_under_every_fault_nfs),
		cmocka_unit_test(create_never_replaces),
		cmocka_unit_test(create_keeps_a_dangling_link),
		cmocka_unit_test(modes_and_long_names),
		cmocka_unit_test(reading_is_bounded),
		cmocka_unit_test(folders),
		cmocka_unit_test(temporaries),
		cmocka_unit_test(free_space_of_what_is_not_there_yet),
		cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
