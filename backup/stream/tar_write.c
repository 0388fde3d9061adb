#include "backup/stream/tar_write.h"

#include "base/mem.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

struct tar_writer {
	struct archive *archive;
	tar_on_bytes *on_bytes;
	void *ctx;
	int64_t mtime_s;
	struct err *err; /* of the call that is running: libarchive's callback has no room for it */
	bool dead;       /* nothing is written any more */
};

/* Never fails in libarchive's eyes: after a failure archive_write_free() would leak its client's state (3.6.2). */
static la_ssize_t push(struct archive *a, void *ctx, const void *data, size_t len)
{
	struct tar_writer *w = ctx;

	(void)a;
	if (!w->dead)
		w->dead = !w->on_bytes(w->ctx, data, len, w->err);
	return (la_ssize_t)len;
}

static bool failed(struct tar_writer *w, const char *what)
{
	return err_set(w->err, ERR_IO, "cannot write %s into the tar: %s", what,
	               archive_error_string(w->archive));
}

bool tar_writer_new(int64_t mtime_s, tar_on_bytes *on_bytes, void *ctx, struct tar_writer **out,
                    struct err *err)
{
	struct tar_writer *w = mem_new0(sizeof(*w));

	w->archive = archive_write_new();
	w->on_bytes = on_bytes;
	w->ctx = ctx;
	w->mtime_s = mtime_s;
	w->err = err;
	/* No blocks of libarchive's own: a member goes out as header, bytes, padding, uncopied. */
	if (!w->archive || archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(w->archive, 0) != ARCHIVE_OK ||
	    archive_write_open(w->archive, w, NULL, push, NULL) != ARCHIVE_OK) {
		err_set(err, ERR_IO, "cannot start a tar");
		tar_writer_free(w);
		return false;
	}
	*out = w;
	return true;
}

static bool write_member(struct tar_writer *w, struct archive_entry *e, const void *data, size_t len)
{
	const char *name = archive_entry_pathname(e);

	if (archive_write_header(w->archive, e) != ARCHIVE_OK)
		return failed(w, name);
	if (len > 0 && archive_write_data(w->archive, data, len) != (la_ssize_t)len)
		return failed(w, name);
	return archive_write_finish_entry(w->archive) == ARCHIVE_OK || failed(w, name);
}

/* What on_bytes said stands in *err already; that of an earlier call is long gone. */
static bool alive(const struct tar_writer *w, struct err *err)
{
	return !w->dead || err_set(err, ERR_IO, "writing the tar has failed before");
}

bool tar_writer_add(struct tar_writer *w, const char *name, const void *data, size_t len, struct err *err)
{
	struct archive_entry *e = archive_entry_new();

	w->err = err;
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0600);
	archive_entry_set_mtime(e, w->mtime_s, 0);
	archive_entry_set_size(e, (la_int64_t)len);
	bool ok = write_member(w, e, data, len);
	archive_entry_free(e);
	return ok && alive(w, err);
}

bool tar_writer_finish(struct tar_writer *w, struct err *err)
{
	w->err = err;
	return (archive_write_close(w->archive) == ARCHIVE_OK || failed(w, "the end")) && alive(w, err);
}

void tar_writer_free(struct tar_writer *w)
{
	if (!w)
		return;
	w->dead =
		true; /* libarchive writes the end marker now, and a tar that is not whole must not get one */
	archive_write_free(w->archive);
	free(w);
}

const char *tar_library(void) { return archive_version_string(); }
