/*
 * file.c - a folder as a store.
 *
 * Files 0600 in folders 0700.  Bytes go to NAME.partial, are synced, and get their name by rename;
 * a .partial is never listed, so a crash leaves nothing that looks like an object.
 */
#include "backup/stores/store.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTIAL ".partial"

/* DATABASE/BACKUP/OBJECT: nothing of ours lies deeper, and a store may share its disk with other things. */
#define LIST_DEPTH 3

struct file_store {
	struct store base;
	char *root; /* owned, absolute unless the configuration's is not */
};

struct file_upload {
	struct upload base;
	char *path, *temp; /* owned */
	int fd;            /* -1 when closed */
	bool temp_is_ours; /* created by us and not yet renamed */
};

struct file_download {
	struct download base;
	char *path; /* owned */
	int fd;
};

static const char *const file_keys[] = { "path", NULL };

static char *object_path(const struct store *s, const char *key)
{
	return path_join(((const struct file_store *)s)->root, key);
}

static struct store *file_open(const struct store_config *c, struct err *err)
{
	const char *path = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i], "path") == 0)
			path = c->values[i];
	if (!path || !*path) {
		err_set(err, ERR_USAGE, "[store %s]: a store of type file needs a path", c->name);
		return NULL;
	}
	struct file_store *self = mem_new0(sizeof(*self));
	self->base.ops = &store_file_ops;
	self->root = mem_strdup(path);
	return &self->base;
}

static void file_close(struct store *s)
{
	free(((struct file_store *)s)->root);
	free(s);
}

/* ------------------------------------------------------------------ writing */

static void file_discard(struct upload *u)
{
	struct file_upload *self = (struct file_upload *)u;

	if (self->fd >= 0)
		close(self->fd);
	if (self->temp_is_ours)
		(void)unlink(self->temp); /* best effort: the failure that led here is the one reported */
	free(self->path);
	free(self->temp);
	free(self);
}

static bool file_begin(struct store *s, const char *key, struct upload **out, struct err *err)
{
	cleanup_free char *path = object_path(s, key);
	cleanup_free char *dir = path_dir(path);
	cleanup_free char *temp = mem_fmt("%s" PARTIAL, path);

	if (!file_make_dirs(dir, 0700, err))
		return false;
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "cannot create '%s'", temp);

	struct file_upload *self = mem_new0(sizeof(*self));
	self->fd = fd;
	self->temp_is_ours = true;
	self->path = mem_strdup(path);
	self->temp = mem_strdup(temp);
	*out = &self->base;
	return true;
}

static bool file_write(struct upload *u, const void *data, size_t len, struct err *err)
{
	struct file_upload *self = (struct file_upload *)u;

	return file_write_all(self->fd, data, len, self->temp, err);
}

/* The order is the point: bytes, then their name, then the folder that holds it. */
static bool file_finish(struct upload *u, struct err *err)
{
	struct file_upload *self = (struct file_upload *)u;
	cleanup_free char *dir = path_dir(self->path);

	if (fsync(self->fd) < 0)
		return err_sys(err, "cannot sync '%s'", self->temp);
	if (close(take_fd(&self->fd)) < 0)
		return err_sys(err, "cannot close '%s'", self->temp);
	if (rename(self->temp, self->path) < 0)
		return err_sys(err, "cannot rename '%s' to '%s'", self->temp, self->path);
	self->temp_is_ours = false;
	return file_sync_dir(dir, err);
}

static bool file_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	cleanup_free char *path = object_path(s, key);
	cleanup_free char *dir = path_dir(path);

	return file_make_dirs(dir, 0700, err) && file_replace(path, data, len, 0600, err);
}

/* Folders exist only for their objects: those that became empty go with the last one, up to the root. */
static bool file_remove(struct store *s, const char *key, struct err *err)
{
	struct file_store *self = (struct file_store *)s;
	cleanup_free char *path = object_path(s, key);
	cleanup_free char *dir = path_dir(path);

	cleanup_free char *temp = mem_fmt("%s" PARTIAL, path); /* of an upload that broke off */

	if (unlink(temp) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, "cannot remove '%s'", temp);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "cannot remove '%s'", path);
	if (access(dir, F_OK) == 0 && !file_sync_dir(dir, err))
		return false;
	while (strlen(dir) > strlen(self->root) && (rmdir(dir) == 0 || errno == ENOENT)) {
		char *up = path_dir(dir);
		free(dir);
		dir = up;
	}
	return true;
}

/* ------------------------------------------------------------------ reading */

static bool file_get(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err)
{
	cleanup_free char *path = object_path(s, key);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_BACKUP, "'%s' is not a regular file", path);
	if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0)
		return err_sys(err, "cannot go to byte %lld of '%s'", (long long)offset, path);

	struct file_download *self = mem_new0(sizeof(*self));
	self->fd = take_fd(&fd);
	self->path = mem_strdup(path);
	*out = &self->base;
	return true;
}

static bool file_read_some(struct download *d, void *data, size_t cap, size_t *got, struct err *err)
{
	struct file_download *self = (struct file_download *)d;
	ssize_t n;

	do
		n = read(self->fd, data, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot read '%s'", self->path);
	*got = (size_t)n;
	return true;
}

static void file_end_read(struct download *d)
{
	struct file_download *self = (struct file_download *)d;

	close(self->fd);
	free(self->path);
	free(self);
}

/* Adds what lies in root/prefix to keys.  Links are not followed: a store is what we wrote there. */
static bool walk(const char *root, const char *prefix, int depth, struct strv *keys, struct err *err)
{
	cleanup_free char *path = *prefix ? path_join(root, prefix) : mem_strdup(root);
	DIR *dir = opendir(path);
	bool ok = true;

	if (!dir && errno == ENOENT)
		return true; /* a store that nothing was written to yet, or a folder removed just now */
	if (!dir)
		return err_sys(err, "cannot read the folder '%s'", path);
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (!e || !ok) {
			ok = ok && (errno == 0 || err_sys(err, "cannot read the folder '%s'", path));
			break;
		}
		if (e->d_name[0] == '.' || text_ends(e->d_name, PARTIAL))
			continue;
		cleanup_free char *key =
			*prefix ? mem_fmt("%s/%s", prefix, e->d_name) : mem_strdup(e->d_name);
		cleanup_free char *full = path_join(root, key);
		struct stat st;
		if (lstat(full, &st) < 0)
			continue; /* gone since readdir() */
		if (S_ISREG(st.st_mode))
			strv_add(keys, key);
		else if (S_ISDIR(st.st_mode) && depth > 1)
			ok = walk(root, key, depth - 1, keys, err);
	}
	closedir(dir);
	return ok;
}

static bool file_list(struct store *s, struct strv *keys, struct err *err)
{
	return walk(((struct file_store *)s)->root, "", LIST_DEPTH, keys, err);
}

static bool file_free(const struct store *s, bool *known, int64_t *bytes, struct err *err)
{
	*known = true;
	return file_free_bytes(((const struct file_store *)s)->root, bytes, err);
}

const struct store_ops store_file_ops = {
	.type = "file",
	.keys = file_keys,
	.open = file_open,
	.close = file_close,
	.begin = file_begin,
	.write = file_write,
	.finish = file_finish,
	.discard = file_discard,
	.put = file_put,
	.list = file_list,
	.get = file_get,
	.read = file_read_some,
	.end_read = file_end_read,
	.remove = file_remove,
	.free_bytes = file_free,
};
