/*
 * fetch.c - a backup as files, for whoever wants to restore it by hand (docs/recovery.md) or to carry it away.
 *
 * Written into a folder of another name beside the target, checked against the manifest on the way, and renamed.
 */
#include "backup/backup.h"

#include "backup/manifest.h"
#include "backup/stores/store.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/uuid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)256 * 1024)

struct fetch {
	const struct manifest *manifest;
	const struct progress *progress;
	char *folder, *path; /* the folder that is written, the object's file in it */
	struct sha256 *digest;
	int64_t bytes;
	int fd;
};

static bool check(struct fetch *f, struct err *err)
{
	const json_t *object = json_object_get(manifest_json(f->manifest), "object");
	char hex[SHA256_HEX];

	sha256_hex(f->digest, hex);
	if (f->bytes != manifest_bytes(f->manifest))
		return err_set(err, ERR_CORRUPT, "it has %lld bytes, and the manifest says %lld",
		               (long long)f->bytes, (long long)manifest_bytes(f->manifest));
	return strcmp(hex, json_string_value(json_object_get(object, "sha256"))) == 0 ||
	       err_set(err, ERR_CORRUPT, "its SHA-256 is not the manifest's");
}

/* More than the manifest says is not written down: the disk is not the store's to fill. */
static bool copy(struct fetch *f, struct download *d, struct err *err)
{
	cleanup_free char *piece = mem_grow(NULL, PIECE, 1);
	size_t got;

	for (;;) {
		if (cancel_requested())
			return err_set(err, ERR_CANCELLED, "cancelled while backup %s was fetched",
			               manifest_id(f->manifest));
		if (!download_read(d, piece, PIECE, &got, err))
			return false;
		if (got == 0)
			return true;
		f->bytes += (int64_t)got;
		if (f->bytes > manifest_bytes(f->manifest))
			return true;
		sha256_add(f->digest, piece, got);
		if (!file_write_all(f->fd, piece, got, f->path, err))
			return false;
		progress_report(f->progress, "fetch", f->bytes, manifest_bytes(f->manifest));
	}
}

static bool from_store(struct fetch *f, struct store *s, struct err *err)
{
	const char *object = manifest_object_name(f->manifest);
	cleanup_free char *key = manifest_key(f->manifest, object);
	cleanup_download struct download *d = NULL;

	sha256_free(f->digest);
	f->digest = sha256_new();
	f->bytes = 0;
	if (ftruncate(f->fd, 0) < 0 || lseek(f->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot empty '%s'", f->path);
	return download_begin(s, key, 0, &d, err) &&
	       ((copy(f, d, err) && check(f, err)) ||
	        err_wrap(err, "store %s, backup %s, %s", store_name(s), manifest_id(f->manifest), object));
}

/* A failure of this machine (its disk is full) is not mended by another store. */
static bool from_any(struct fetch *f, const struct stores *stores, struct err *err)
{
	struct err first = ERR_INIT;

	for (size_t i = 0; i < stores->n; i++) {
		struct err why = ERR_INIT;
		if (!strv_has(manifest_stores(f->manifest), store_name(stores->v[i])))
			continue;
		if (from_store(f, stores->v[i], &why))
			return true;
		if (first.code == ERR_NONE)
			first = why;
		if (why.code != ERR_CORRUPT && why.code != ERR_BACKUP)
			break;
	}
	if (first.code == ERR_NONE)
		err_set(&first, ERR_BACKUP, "no configured store has backup %s", manifest_id(f->manifest));
	*err = first;
	return false;
}

static bool write_files(struct fetch *f, const struct stores *stores, struct err *err)
{
	cleanup_free char *manifest_path = path_join(f->folder, MANIFEST_OBJECT);
	cleanup_free char *text = manifest_text(f->manifest);

	f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_sys(err, "cannot create '%s'", f->path);
	if (!from_any(f, stores, err))
		return false;
	if (fsync(f->fd) < 0)
		return err_sys(err, "cannot sync '%s'", f->path);
	if (close(take_fd(&f->fd)) < 0)
		return err_sys(err, "cannot close '%s'", f->path);
	return file_create(manifest_path, text, strlen(text), 0600, err) && file_sync_dir(f->folder, err);
}

/* rename() onto an empty folder replaces it, and onto anything else fails: nothing is ever overwritten. */
static bool publish(const struct fetch *f, const char *target, struct err *err)
{
	cleanup_free char *parent = path_dir(target);

	if (rename(f->folder, target) == 0)
		return file_sync_dir(parent, err);
	if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
		return err_set(err, ERR_REFUSED, "'%s' is there already, and is no empty folder", target);
	return err_sys(err, "cannot rename '%s' to '%s'", f->folder, target);
}

/* What was made here and has not got its name. */
static void discard(const struct fetch *f)
{
	cleanup_free char *manifest_path = path_join(f->folder, MANIFEST_OBJECT);

	(void)unlink(f->path);
	(void)unlink(manifest_path);
	(void)rmdir(f->folder);
}

static bool is_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	if (!dir)
		return false;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n == 2; /* itself and its parent */
}

/* Before hours of reading; the rename decides. */
static bool is_free(const char *target, struct err *err)
{
	struct stat st;

	if (lstat(target, &st) < 0)
		return errno == ENOENT || err_sys(err, "cannot look at '%s'", target);
	return is_empty(target) ||
	       err_set(err, ERR_REFUSED, "'%s' is there already, and is no empty folder", target);
}

bool backup_fetch(const struct stores *stores, const struct manifest *m, const char *folder,
                  const struct progress *progress, struct err *err)
{
	cleanup_free char *target = mem_strdup(folder), *beside = NULL, *path = NULL;
	char random[9];
	struct fetch f = { .manifest = m, .progress = progress, .fd = -1 };

	for (size_t len = strlen(target); len > 1 && target[len - 1] == '/'; len--)
		target[len - 1] = '\0';
	if (!is_free(target, err))
		return false;
	random_hex(random, sizeof(random) - 1);
	beside = mem_fmt("%s.partial-%s", target, random);
	path = path_join(beside, manifest_object_name(m));
	f.folder = beside;
	f.path = path;
	if (mkdir(beside, 0700) < 0)
		return err_sys(err, "cannot make the folder '%s'", beside);
	bool ok = write_files(&f, stores, err) && publish(&f, target, err);
	if (f.fd >= 0)
		close(f.fd);
	if (!ok)
		discard(&f);
	sha256_free(f.digest);
	return ok;
}
