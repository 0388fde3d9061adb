#include "backup/unpack.h"

#include "backup/stream/age.h"
#include "backup/stream/frame.h"
#include "backup/stream/tar_read.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STORED_PIECE ((size_t)256 * 1024)

struct unpack {
	struct store *store;
	const struct manifest *manifest;
	struct download *download;
	struct age *age; /* NULL: the object is the tar itself */
	struct tar_reader *tar;
	struct sha256 *digest; /* of all bytes of the object */
	atomic_llong bytes;    /* counted in age's thread */
	size_t next;           /* member */
};

/* The object's bytes; in age's thread when there is one. */
static bool pull_stored(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct unpack *u = ctx;

	if (!download_read(u->download, data, cap, got, err))
		return false;
	sha256_add(u->digest, data, *got);
	u->bytes += (long long)*got;
	return true;
}

/* The tar's. */
static bool pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct unpack *u = ctx;

	return u->age ? age_decrypt_read(u->age, data, cap, got, err) : pull_stored(ctx, data, cap, got, err);
}

static bool named(const struct unpack *u, const char *member, struct err *err)
{
	return err_wrap(err, "store %s, backup %s, %s", store_name(u->store), manifest_id(u->manifest),
	                member);
}

static const char *object_of(const struct unpack *u) { return manifest_object_name(u->manifest); }

static struct unpack *unpack_new(struct store *s, const struct manifest *m)
{
	struct unpack *u = mem_new0(sizeof(*u));

	u->store = s;
	u->manifest = m;
	u->digest = sha256_new();
	return u;
}

static bool open_download(struct unpack *u, struct err *err)
{
	cleanup_free char *key = manifest_key(u->manifest, object_of(u));

	return download_begin(u->store, key, 0, &u->download, err);
}

static bool open_age(struct unpack *u, struct err *err)
{
	if (!manifest_is_encrypted(u->manifest))
		return true;
	if (!u->store->identity) {
		err_set(err, ERR_BACKUP, "it is encrypted, and there is no key to open it");
		return err_hint(err, "set identity in [backup], or RIPCORD_AGE_IDENTITY, to the file with "
		                     "the age private key");
	}
	return age_decrypt_new(u->store->identity, pull_stored, u, &u->age, err);
}

bool unpack_open(struct store *s, const struct manifest *m, struct unpack **out, struct err *err)
{
	struct unpack *u = unpack_new(s, m);

	if (!open_download(u, err) || !open_age(u, err) || !tar_reader_new(pull, u, &u->tar, err)) {
		named(u, object_of(u), err);
		unpack_close(u);
		return false;
	}
	*out = u;
	return true;
}

static bool read_member(struct unpack *u, const struct member *m, struct buf *stored, struct err *err)
{
	const char *name;
	int64_t size;
	char hex[SHA256_HEX];

	if (!tar_reader_next(u->tar, &name, &size, err))
		return false;
	if (!name)
		return err_set(err, ERR_CORRUPT, "it is missing: the tar ends before it");
	if (strcmp(name, m->name) != 0)
		return err_set(err, ERR_CORRUPT, "'%s' stands in its place", name);
	if (size != m->bytes)
		return err_set(err, ERR_CORRUPT, "it has %lld bytes, and the manifest says %lld",
		               (long long)size, (long long)m->bytes);
	buf_clear(stored);
	stored->data = mem_grow(NULL, (size_t)size + 1, 1);
	stored->cap = (size_t)size + 1;
	if (!tar_reader_data(u->tar, stored->data, (size_t)size, err))
		return false;
	stored->len = (size_t)size;
	stored->data[size] = '\0';
	sha256_of(stored->data, stored->len, hex);
	return strcmp(hex, m->sha256) == 0 || err_set(err, ERR_CORRUPT, "its SHA-256 is not the manifest's");
}

bool unpack_next(struct unpack *u, struct buf *stored, struct err *err)
{
	const struct member *m = &u->manifest->members.v[u->next];

	if (!read_member(u, m, stored, err))
		return named(u, m->name, err);
	u->next++;
	return true;
}

/* libarchive stops at the end marker; what stands behind it belongs to the object all the same. */
static bool read_rest(struct unpack *u, struct err *err)
{
	char piece[16 * 1024];
	size_t got;

	do {
		if (!pull(u, piece, sizeof(piece), &got, err))
			return false;
	} while (got > 0);
	return true;
}

/* All stored bytes have been pulled. */
static bool check_stored(struct unpack *u, struct err *err)
{
	const char *said;
	char hex[SHA256_HEX];

	if (u->bytes != u->manifest->object_bytes)
		return err_set(err, ERR_CORRUPT, "it has %lld bytes, and the manifest says %lld",
		               (long long)u->bytes, (long long)u->manifest->object_bytes);
	sha256_hex(u->digest, hex);
	said = json_string_value(json_object_get(json_object_get(u->manifest->json, "object"), "sha256"));
	return strcmp(hex, said) == 0 || err_set(err, ERR_CORRUPT, "its SHA-256 is not the manifest's");
}

static bool check_end(struct unpack *u, struct err *err)
{
	const char *name;
	int64_t size;

	if (!tar_reader_next(u->tar, &name, &size, err))
		return false;
	if (name)
		return err_set(err, ERR_CORRUPT, "it has a member '%s' that the manifest does not know",
		               name);
	return read_rest(u, err) && check_stored(u, err);
}

bool unpack_end(struct unpack *u, struct err *err)
{
	return check_end(u, err) || named(u, object_of(u), err);
}

static bool read_stored(struct unpack *u, const struct progress *progress, const char *phase, struct err *err)
{
	cleanup_free char *piece = mem_grow(NULL, STORED_PIECE, 1);
	size_t got;

	do {
		if (cancel_requested())
			return err_set(err, ERR_CANCELLED, "cancelled while it was read");
		if (!pull_stored(u, piece, STORED_PIECE, &got, err))
			return false;
		progress_report(progress, phase, u->bytes, u->manifest->object_bytes);
	} while (got > 0);
	return check_stored(u, err);
}

bool unpack_stored(struct store *s, const struct manifest *m, const struct progress *progress,
                   const char *phase, struct err *err)
{
	struct unpack *u = unpack_new(s, m);
	bool ok = (open_download(u, err) && read_stored(u, progress, phase, err)) ||
	          named(u, object_of(u), err);

	unpack_close(u);
	return ok;
}

int64_t unpack_bytes(const struct unpack *u) { return u->bytes; }

void unpack_close(struct unpack *u)
{
	if (!u)
		return;
	tar_reader_free(u->tar);
	age_free(u->age); /* its thread reads the download */
	download_end(u->download);
	sha256_free(u->digest);
	free(u);
}

bool member_decode(const struct member *member, const struct buf *stored, struct buf *raw, struct err *err)
{
	if (frame_decode(stored->data, stored->len, (size_t)member->raw_bytes, raw, err))
		return true;
	return err_wrap(err, "%s", member->name);
}
