#include "backup/unpack.h"

#include "backup/stream/frame.h"
#include "backup/stream/tar_read.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct unpack {
	struct store *store;
	const struct manifest *manifest;
	struct download *download;
	struct tar_reader *tar;
	struct sha256 *digest; /* of all bytes of the object */
	int64_t bytes;
	size_t next; /* member */
};

static bool pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct unpack *u = ctx;

	if (!download_read(u->download, data, cap, got, err))
		return false;
	sha256_add(u->digest, data, *got);
	u->bytes += (int64_t)*got;
	return true;
}

static bool named(const struct unpack *u, const char *member, struct err *err)
{
	return err_wrap(err, "store %s, backup %s, %s", store_name(u->store), manifest_id(u->manifest),
	                member);
}

bool unpack_open(struct store *s, const struct manifest *m, struct unpack **out, struct err *err)
{
	cleanup_free char *key = manifest_key(m, BACKUP_OBJECT);
	struct unpack *u = mem_new0(sizeof(*u));

	u->store = s;
	u->manifest = m;
	u->digest = sha256_new();
	if (!download_begin(s, key, 0, &u->download, err) || !tar_reader_new(pull, u, &u->tar, err)) {
		named(u, BACKUP_OBJECT, err);
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

static bool check_end(struct unpack *u, struct err *err)
{
	const char *name, *said;
	int64_t size;
	char hex[SHA256_HEX];

	if (!tar_reader_next(u->tar, &name, &size, err))
		return false;
	if (name)
		return err_set(err, ERR_CORRUPT, "it has a member '%s' that the manifest does not know",
		               name);
	if (!read_rest(u, err))
		return false;
	if (u->bytes != u->manifest->object_bytes)
		return err_set(err, ERR_CORRUPT, "it has %lld bytes, and the manifest says %lld",
		               (long long)u->bytes, (long long)u->manifest->object_bytes);
	sha256_hex(u->digest, hex);
	said = json_string_value(json_object_get(json_object_get(u->manifest->json, "object"), "sha256"));
	return strcmp(hex, said) == 0 || err_set(err, ERR_CORRUPT, "its SHA-256 is not the manifest's");
}

bool unpack_end(struct unpack *u, struct err *err)
{
	return check_end(u, err) || named(u, BACKUP_OBJECT, err);
}

int64_t unpack_bytes(const struct unpack *u) { return u->bytes; }

void unpack_close(struct unpack *u)
{
	if (!u)
		return;
	tar_reader_free(u->tar);
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
