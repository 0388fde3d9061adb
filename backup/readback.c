/* Reading a backup again: whole, to see that it is sound; into a database; or one small member of it. */
#include "backup/backup.h"

#include "backup/engines/dump.h"
#include "backup/manifest.h"
#include "backup/source.h"
#include "backup/stream/age.h"
#include "backup/unpack.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool backup_can_open(const struct stores *stores, const struct manifest *m)
{
	for (size_t i = 0; i < stores->n; i++)
		if (!manifest_is_encrypted(m) || stores->v[i]->identity)
			return true;
	return false;
}

bool backup_try_keys(const struct strv *recipients, const char *identity, struct err *err)
{
	return age_try(recipients, identity, err);
}

bool backup_read(struct store *store, const struct manifest *m, const char *bin_dir,
                 const struct progress *progress, struct err *err)
{
	const struct stores only = { .v = &store, .n = 1 };
	cleanup_source struct source *s = source_new(&only, m);

	if (!backup_can_open(&only, m))
		return unpack_stored(store, m, progress, "read back", err);
	source_report(s, progress, "read back");
	return dump_parse(bin_dir, source_pull, s, err) && source_drain(s, err);
}

bool backup_restore(const struct stores *stores, const struct manifest *m,
                    const struct restore_request *request, struct err *err)
{
	cleanup_source struct source *s = source_new(stores, m);

	source_report(s, request->progress, "restore");
	if (!dump_restore(request, source_pull, s, err))
		return false;
	/* pg_restore leaves the data of a schema unread; of a whole restore every byte is accounted for. */
	return request->schema_only || source_drain(s, err);
}

static bool is_named(const struct member *m, const void *ctx)
{
	const char *name = ctx;
	size_t len = strlen(name);

	return strncmp(m->name, name, len) == 0 && strcmp(m->name + len, MEMBER_SUFFIX) == 0;
}

static bool has_member(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->members.n; i++)
		if (is_named(&m->members.v[i], name))
			return true;
	return false;
}

bool backup_member(const struct stores *stores, const struct manifest *m, const char *name, char **data,
                   size_t *len, struct err *err)
{
	cleanup_source struct source *s = source_new(stores, m);
	const struct buf *raw = NULL;

	if (!has_member(m, name))
		return err_set(err, ERR_BACKUP, "backup %s has no member %s", manifest_id(m), name);
	if (!source_next(s, is_named, name, &raw, err))
		return false;
	*data = mem_grow(NULL, raw->len + 1, 1);
	memcpy(*data, raw->data, raw->len + 1); /* with the NUL that every buf has */
	*len = raw->len;
	return true;
}
