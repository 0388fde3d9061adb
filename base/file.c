#include "base/file.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define READ_CHUNK 65536

static bool read_fd(int fd, const char *path, struct buf *b, struct err *err)
{
	char chunk[READ_CHUNK];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read '%s'", path);
		if (n == 0)
			return true;
		if ((size_t)n > b->max - b->len)
			return err_set(err, ERR_IO, "'%s' is larger than %zu bytes", path, b->max);
		buf_add(b, chunk, (size_t)n);
	}
}

bool file_read(const char *path, struct buf *out, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);

	cleanup_buf struct buf b = BUF_INIT(out->max);
	if (!read_fd(fd, path, &b, err))
		return false;
	size_t len = b.len, cap = b.cap;
	buf_clear(out);
	*out = (struct buf){ .data = buf_take(&b), .len = len, .cap = cap ? cap : 1, .max = out->max };
	return true;
}

bool file_write_all(int fd, const void *data, size_t len, const char *name, struct err *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write '%s'", name);
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool write_synced(const char *temp, int fd, const void *data, size_t len, struct err *err)
{
	if (!file_write_all(fd, data, len, temp, err)) {
		close(fd);
		return false;
	}
	if (fsync(fd) < 0) {
		err_sys(err, "cannot sync '%s'", temp);
		close(fd);
		return false;
	}
	if (close(fd) < 0)
		return err_sys(err, "cannot close '%s'", temp);
	return true;
}

/* Gives temp the name path, which must be free. */
static int name_new(const char *temp, const char *path)
{
	int rc = renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE);

	if (rc == 0 || (errno != EINVAL && errno != ENOSYS))
		return rc;
	if (link(temp, path) < 0) /* a file system that knows no flags, such as NFS */
		return -1;
	return unlink(temp);
}

static bool publish(const char *path, const void *data, size_t len, mode_t mode,
                    int (*give_name)(const char *temp, const char *path), struct err *err)
{
	cleanup_free char *dir = path_dir(path);
	char tag[13];
	random_hex(tag, sizeof(tag) - 1);
	/* Not made of path's own name: that may be as long as a name can be. */
	cleanup_free char *temp = mem_fmt("%s/.ripcord-%s.tmp", dir, tag);

	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(err, "cannot create a file in '%s'", dir);
	if (!write_synced(temp, fd, data, len, err)) {
		unlink(temp);
		return false;
	}
	if (give_name(temp, path) < 0) {
		err_sys(err, "cannot create '%s'", path);
		unlink(temp);
		return false;
	}
	return file_sync_dir(dir, err);
}

bool file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	return publish(path, data, len, mode, rename, err);
}

bool file_create(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	return publish(path, data, len, mode, name_new, err);
}

bool file_sync_dir(const char *path, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "cannot open the folder '%s'", path);
	/* EINVAL: a file system whose folders need no syncing; PostgreSQL's fd.c goes on likewise. */
	if (fsync(fd) < 0 && errno != EINVAL)
		return err_sys(err, "cannot sync the folder '%s'", path);
	return true;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool make_dir(const char *path, mode_t mode, struct err *err)
{
	if (is_dir(path))
		return true;
	if (mkdir(path, mode) < 0 && !(errno == EEXIST && is_dir(path))) /* another process was first */
		return err_sys(err, "cannot create the folder '%s'", path);

	cleanup_free char *parent = path_dir(path);
	return file_sync_dir(parent, err);
}

bool file_make_dirs(const char *path, mode_t mode, struct err *err)
{
	cleanup_free char *copy = mem_strdup(path);

	for (char *p = copy; *p; p++) {
		if (*p != '/' || p == copy)
			continue;
		*p = '\0';
		bool ok = make_dir(copy, mode, err);
		*p = '/';
		if (!ok)
			return false;
	}
	return make_dir(copy, mode, err);
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

bool file_temp(const char *dir, const char *prefix, char **path, int *fd, struct err *err)
{
	char *name = mem_fmt("%s/%sXXXXXX", dir, prefix);
	int made = mkostemp(name, O_CLOEXEC);

	if (made < 0) {
		err_sys(err, "cannot create a temporary file in '%s'", dir);
		free(name);
		return false;
	}
	*path = name;
	*fd = made;
	return true;
}

bool file_free_bytes(const char *path, int64_t *bytes, struct err *err)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) < 0) {
		if (errno != ENOENT)
			return err_sys(err, "cannot tell the free space of '%s'", path);
		cleanup_free char *parent = path_dir(path);
		if (strcmp(parent, path) == 0)
			return err_set(err, ERR_IO, "cannot tell the free space of '%s'", path);
		return file_free_bytes(parent, bytes, err);
	}
	if (__builtin_mul_overflow(vfs.f_bavail, vfs.f_frsize, bytes))
		*bytes = INT64_MAX;
	return true;
}

char *path_join(const char *dir, const char *name)
{
	if (name[0] == '/' || dir[0] == '\0')
		return mem_strdup(name);
	return mem_fmt(dir[strlen(dir) - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

char *path_dir(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	return len > 0 ? mem_strndup(path, len) : mem_strdup(".");
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
