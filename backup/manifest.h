/*
 * manifest.h - what a backup says of itself: a JSON object that is published last and never changes.
 *
 * What changes later (pinned, verified) rests in marks, small objects beside it: marks.h.
 * Fields: docs/formats.md.
 *
 * No byte of a stored backup is unguarded.  The object as a whole, encrypted or not, has a SHA-256 of its stored
 * bytes ("object"), so padding and headers of the tar are covered; the manifest's text has to be exactly what
 * manifest_text() makes of it, so that its layout is covered by its own digest.
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include "backup/backup.h"

#define BACKUP_OBJECT   "backup.tar"
#define AGE_SUFFIX      ".age" /* of the object when it is encrypted */
#define MANIFEST_OBJECT "manifest.json"

#define MANIFEST_MAX ((size_t)256 << 20) /* bytes of text: a terabyte's members are 10 MB of it */

/* Stored or decoded, no member is larger: what is read is kept in memory as a whole. */
#define MEMBER_MAX ((int64_t)64 << 20)

#define DATA_FORMAT   "data/%06zu.zst" /* numbered from 1, so that the shell lists them in order */
#define DATA_MAX      999999
#define MEMBER_SUFFIX ".zst"

struct member {
	char *name; /* in the tar, owned */
	int64_t bytes, raw_bytes; /* stored, decoded */
	char sha256[SHA256_HEX];  /* of the stored bytes */
};

struct members {
	struct member *v; /* in the tar's order */
	size_t n, cap;
};
void members_add(struct members *m, const char *name, int64_t bytes, int64_t raw_bytes, const char *sha256);
json_t *members_json(const struct members *m);
void members_clear(struct members *m);
bool member_is_data(const struct member *m); /* a piece of the dump */

struct manifest {
	json_t *json; /* as published */
	struct members members;
	int64_t object_bytes; /* of backup.tar */
	int64_t created_us;
	struct strv stores;   /* that have it */
	char *pin_reason, *verified_how; /* marks, NULL without; read by catalog.c */
};

/* Adds the digest, then checks as manifest_parse() does; takes the object over in any case. */
MUST_CHECK bool manifest_seal(json_t *json, struct manifest **out, struct err *err);
/* ERR_CORRUPT for a damaged one; ERR_BACKUP for a format that is newer than this program. */
MUST_CHECK bool manifest_parse(const char *text, size_t len, const char *what, struct manifest **out, struct err *err);
char *manifest_text(const struct manifest *m); /* as published; the caller's */

char *manifest_key(const struct manifest *m, const char *object); /* FOLDER/object; the caller's */

const char *manifest_object_name(const struct manifest *m); /* the stored object that holds the data */

/* SHA-256 of the canonical text without the member "digest": what a manifest, or a mark, says of itself. */
void sealed_digest(const json_t *json, char hex[SHA256_HEX]);

#endif
