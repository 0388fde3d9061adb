#include "backup/stream/tar_read.h"

#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PULL_SIZE ((size_t)256 * 1024)

struct tar_reader {
	struct archive *archive;
	tar_pull *pull;
	void *ctx;
	struct err *err; /* of the call that is running */
	char piece[PULL_SIZE];
};

static la_ssize_t pull(struct archive *a, void *ctx, const void **data)
{
	struct tar_reader *r = ctx;
	size_t got;

	if (!r->pull(r->ctx, r->piece, sizeof(r->piece), &got, r->err)) {
		archive_set_error(a, EIO, "%s", "not read");
		return -1;
	}
	*data = r->piece;
	return (la_ssize_t)got;
}

/* Does nothing when the pull has failed: that error stands. */
static bool damaged(struct tar_reader *r)
{
	const char *text = archive_error_string(r->archive);
	return err_set(r->err, ERR_CORRUPT, "the tar is damaged: %s", text ? text : "it ends too early");
}

bool tar_reader_new(tar_pull *on_pull, void *ctx, struct tar_reader **out, struct err *err)
{
	struct tar_reader *r = mem_new0(sizeof(*r));

	r->archive = archive_read_new();
	r->pull = on_pull;
	r->ctx = ctx;
	r->err = err;
	if (!r->archive || archive_read_support_format_tar(r->archive) != ARCHIVE_OK) {
		tar_reader_free(r);
		return err_set(err, ERR_IO, "cannot start to read a tar");
	}
	if (archive_read_open(r->archive, r, NULL, pull, NULL) != ARCHIVE_OK) {
		damaged(r);
		tar_reader_free(r);
		return false;
	}
	*out = r;
	return true;
}

static bool is_safe_name(const char *name)
{
	if (!name || !*name || *name == '/')
		return false;
	for (const char *part = name; part;) {
		const char *end = strchrnul(part, '/');
		if (end - part == 2 && memcmp(part, "..", 2) == 0)
			return false;
		part = *end ? end + 1 : NULL;
	}
	return true;
}

bool tar_reader_next(struct tar_reader *r, const char **name, int64_t *size, struct err *err)
{
	struct archive_entry *e;

	r->err = err;
	int rc = archive_read_next_header(r->archive, &e);
	if (rc == ARCHIVE_EOF) {
		*name = NULL;
		return true;
	}
	if (rc != ARCHIVE_OK)
		return damaged(r);
	const char *path = archive_entry_pathname(e);
	if (!is_safe_name(path))
		return err_set(err, ERR_CORRUPT, "the tar has a member with the unsafe name '%s'",
		               path ? path : "");
	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) || archive_entry_symlink(e) ||
	    !archive_entry_size_is_set(e) || archive_entry_sparse_count(e) > 0)
		return err_set(err, ERR_CORRUPT, "%s is not a plain file in the tar", path);
	*size = archive_entry_size(e);
	*name = path;
	return true;
}

bool tar_reader_data(struct tar_reader *r, void *data, size_t len, struct err *err)
{
	char *p = data;

	r->err = err;
	while (len > 0) {
		la_ssize_t n = archive_read_data(r->archive, p, len);
		if (n <= 0)
			return damaged(r);
		p += n;
		len -= (size_t)n;
	}
	return true;
}

void tar_reader_free(struct tar_reader *r)
{
	struct err ignored = ERR_INIT;

	if (!r)
		return;
	r->err = &ignored;
	if (r->archive)
		archive_read_free(r->archive);
	free(r);
}
