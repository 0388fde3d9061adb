#include "backup/source.h"

#include "backup/unpack.h"
#include "base/cancel.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct source {
	const struct stores *stores;
	const struct manifest *manifest;
	struct unpack *unpack; /* of the store before next_store, NULL when none is open */
	size_t next_store;     /* to be tried when this one fails */
	size_t next_member;    /* members before it have been handed out or passed over */
	struct buf stored, raw;
	size_t pulled; /* bytes of raw that went out */
	const struct progress *progress;
	const char *phase;
	struct err first; /* why the first store failed */
};

struct source *source_new(const struct stores *stores, const struct manifest *m)
{
	struct source *s = mem_new0(sizeof(*s));

	s->stores = stores;
	s->manifest = m;
	s->stored = (struct buf)BUF_INIT((size_t)MEMBER_MAX);
	s->raw = (struct buf)BUF_INIT((size_t)MEMBER_MAX);
	return s;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	unpack_close(s->unpack);
	buf_clear(&s->stored);
	buf_clear(&s->raw);
	free(s);
}

void source_report(struct source *s, const struct progress *progress, const char *phase)
{
	s->progress = progress;
	s->phase = phase;
}

/* Opens a store and goes to the member that is next. */
static bool open_store(struct source *s, struct store *store, struct err *err)
{
	if (!unpack_open(store, s->manifest, &s->unpack, err))
		return false;
	for (size_t i = 0; i < s->next_member; i++)
		if (!unpack_next(s->unpack, &s->stored, err))
			return false;
	return true;
}

/* Runs one step on the open store, and on the next ones until it succeeds somewhere. */
static bool attempt(struct source *s, bool (*step)(struct source *s, struct err *err), struct err *err)
{
	for (;;) {
		struct err why = ERR_INIT;
		if (s->unpack && step(s, &why))
			return true;
		if (s->unpack && s->first.code == ERR_NONE)
			s->first = why;
		unpack_close(s->unpack);
		s->unpack = NULL;
		if (s->next_store == s->stores->n) {
			if (s->first.code == ERR_NONE)
				err_set(&s->first, ERR_BACKUP, "no store is configured");
			*err = s->first;
			return false;
		}
		struct err shut = ERR_INIT;
		if (open_store(s, s->stores->v[s->next_store++], &shut))
			continue;
		if (s->first.code == ERR_NONE)
			s->first = shut;
		unpack_close(s->unpack);
		s->unpack = NULL;
	}
}

static bool read_next(struct source *s, struct err *err)
{
	return unpack_next(s->unpack, &s->stored, err) &&
	       member_decode(&s->manifest->members.v[s->next_member], &s->stored, &s->raw, err);
}

static bool read_end(struct source *s, struct err *err) { return unpack_end(s->unpack, err); }

bool source_next(struct source *s, source_wanted *wanted, const void *ctx, const struct buf **raw,
                 struct err *err)
{
	while (s->next_member < s->manifest->members.n) {
		const struct member *m = &s->manifest->members.v[s->next_member];
		if (cancel_requested())
			return err_set(err, ERR_CANCELLED, "cancelled while backup %s was read",
			               manifest_id(s->manifest));
		if (!attempt(s, read_next, err))
			return false;
		s->next_member++;
		progress_report(s->progress, s->phase, unpack_bytes(s->unpack), s->manifest->object_bytes);
		if (wanted(m, ctx)) {
			*raw = &s->raw;
			return true;
		}
	}
	*raw = NULL;
	return true;
}

static bool is_data(const struct member *m, const void *ctx)
{
	(void)ctx;
	return member_is_data(m);
}

bool source_pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct source *s = ctx;

	while (s->pulled == s->raw.len) {
		const struct buf *raw = NULL;
		if (!source_next(s, is_data, NULL, &raw, err))
			return false;
		s->pulled = raw ? 0 : s->raw.len;
		if (!raw) {
			*got = 0;
			return true;
		}
	}
	size_t n = s->raw.len - s->pulled < cap ? s->raw.len - s->pulled : cap;
	memcpy(data, s->raw.data + s->pulled, n);
	s->pulled += n;
	*got = n;
	return true;
}

bool source_drain(struct source *s, struct err *err)
{
	const struct buf *raw = NULL;

	do {
		if (!source_next(s, is_data, NULL, &raw, err))
			return false;
	} while (raw);
	return attempt(s, read_end, err);
}
