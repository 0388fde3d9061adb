/*
 * tee.h - one backup's objects into several stores at once.
 *
 * The streamed object has a thread and a ring of a fixed size for every store: they write beside each other,
 * and the slowest one holds all of them back.  Small objects are put one store after the other.
 * A store that fails is dropped, and what it got is removed, while at least `required` others go on;
 * the first failure that leaves fewer is the tee's own.
 */
#ifndef BACKUP_TEE_H
#define BACKUP_TEE_H

#include "backup/backup.h"
#include "backup/stores/store.h"

struct tee_leg;

struct tee {
	const struct stores *stores;
	const char *folder;    /* borrowed */
	struct tee_leg *legs;  /* one a store */
	bool *live;
	size_t n_live, required;
	struct strv *warnings; /* borrowed, may be NULL */
	struct strv objects;   /* written or begun so far, in order */
};

/* required: 0 for all. */
void tee_init(struct tee *t, const struct stores *stores, const char *folder, int required, struct strv *warnings);
MUST_CHECK bool tee_begin(struct tee *t, const char *object, struct err *err);
MUST_CHECK bool tee_write(struct tee *t, const void *data, size_t len, struct err *err);
MUST_CHECK bool tee_finish(struct tee *t, struct err *err);
MUST_CHECK bool tee_put(struct tee *t, const char *object, const void *data, size_t len, struct err *err);
void tee_names(const struct tee *t, struct strv *out); /* of the stores that have not been dropped */
/* Removes everything from every store that still has it, the last object first.  What cannot be removed
 * is named in the warnings; without a manifest it is no backup. */
void tee_discard(struct tee *t);
void tee_clear(struct tee *t); /* keeps what was written */

#endif
