/*
 * sample.h - a backup as the program would have taken it, without a server: a real dump (tests/fixtures/backup) in
 * several members, with its manifest.
 */
#ifndef TESTS_UNIT_BACKUP_SAMPLE_H
#define TESTS_UNIT_BACKUP_SAMPLE_H

#include "backup/manifest.h"
#include "backup/stores/store.h"

struct sample {
	struct buf object;         /* backup.tar */
	struct members members;
	struct manifest *manifest; /* of the first of them */
};

/* `dump` in pieces of `piece` bytes, and a small member before them. */
void sample_make(struct sample *s, const char *dump, size_t piece);
void sample_clear(struct sample *s);
/* The manifest of the nth backup of that object, a minute older each. */
struct manifest *sample_manifest(const struct sample *s, int nth);
/* Object and manifest in their place. */
void sample_put(struct sample *s, struct store *store, const struct manifest *m);

/* A store of type file in a new folder of the working directory; its root is written to `root`. */
void sample_store(const char *name, char root[32], struct stores *out);
/* Everything in it, and the folder. */
void sample_store_remove(struct stores *s, const char *root);

#endif
