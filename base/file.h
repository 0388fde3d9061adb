/*
 * file.h - files that are whole or not there.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Reads all of it; more than out->max bytes is ERR_IO ("larger than ..."). */
MUST_CHECK bool file_read(const char *path, struct buf *out, struct err *err);

/* Temporary name beside it, write, fsync, rename, fsync of the folder.  Replaces what was there. */
MUST_CHECK bool file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* As file_replace(), but a file of that name is kept and is ERR_IO with EEXIST. */
MUST_CHECK bool file_create(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* write() until all is written. */
MUST_CHECK bool file_write_all(int fd, const void *data, size_t len, const char *name, struct err *err);

MUST_CHECK bool file_make_dirs(const char *path, mode_t mode, struct err *err); /* like mkdir -p; synced */
MUST_CHECK bool file_sync_dir(const char *path, struct err *err);
bool file_exists(const char *path);

/* A regular file of mode 0600 that only we made; removed with unlink by the caller.  Path owned by the caller. */
MUST_CHECK bool file_temp(const char *dir, const char *prefix, char **path, int *fd, struct err *err);

/* Bytes that we may still write on the file system of `path` (or of its nearest parent that exists). */
MUST_CHECK bool file_free_bytes(const char *path, int64_t *bytes, struct err *err);

char *path_join(const char *dir, const char *name); /* an absolute name stands for itself */
char *path_dir(const char *path);                   /* "." when there is none */
const char *path_base(const char *path);

#endif
