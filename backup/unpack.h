/*
 * unpack.h - the members of a stored backup, each checked against the manifest before anyone sees it.
 *
 *     unpack_open() -> unpack_next() for every member of the manifest, in order -> unpack_end()
 *
 * What is encrypted goes through age, with the identity that the store was opened with.
 * ERR_CORRUPT names the store and the member.  Memory: one member.
 */
#ifndef BACKUP_UNPACK_H
#define BACKUP_UNPACK_H

#include "backup/manifest.h"
#include "backup/stores/store.h"

struct unpack;

MUST_CHECK bool unpack_open(struct store *s, const struct manifest *m, struct unpack **out, struct err *err);
/* The next member's stored bytes, of the size and digest that the manifest says. */
MUST_CHECK bool unpack_next(struct unpack *u, struct buf *stored, struct err *err);
/* After the last member: nothing may follow, and all bytes of the object have its digest. */
MUST_CHECK bool unpack_end(struct unpack *u, struct err *err);
/* Instead of all that, without a key: the object's size and digest alone. */
MUST_CHECK bool unpack_stored(struct store *s, const struct manifest *m, const struct progress *progress,
                              const char *phase, struct err *err);
int64_t unpack_bytes(const struct unpack *u); /* read from the store so far */
void unpack_close(struct unpack *u);          /* NULL is fine */

/* The member's own bytes. */
MUST_CHECK bool member_decode(const struct member *member, const struct buf *stored, struct buf *raw, struct err *err);

#endif
