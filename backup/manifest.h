/*
 * manifest.h - what a backup says of itself: a JSON object that is published last and never changes.
 *
 * What changes later (pinned, verified) rests in marks, small objects beside it: docs/decisions.
 * Fields: docs/formats.md.
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include "backup/backup.h"

#define BACKUP_OBJECT   "backup.tar"
#define MANIFEST_OBJECT "manifest.json"
#define PIN_OBJECT      "pinned.json"
#define VERIFIED_OBJECT "verified.json"

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
	struct strv stores;   /* that have it */
	char *pin_reason, *verified_how; /* marks, NULL without; read by catalog.c */
};

/* Adds the digest, then checks as manifest_parse() does; takes the object over in any case. */
MUST_CHECK bool manifest_seal(json_t *json, struct manifest **out, struct err *err);
/* ERR_CORRUPT for a damaged one; ERR_BACKUP for a format that is newer than this program. */
MUST_CHECK bool manifest_parse(const char *text, size_t len, const char *what, struct manifest **out, struct err *err);
char *manifest_text(const struct manifest *m); /* as published; the caller's */

const char *manifest_folder(const struct manifest *m); /* its place in every store */
char *manifest_key(const struct manifest *m, const char *object); /* FOLDER/object; the caller's */

/* The text of a mark: {"format", "backup", "at", key: value}; the caller's. */
char *mark_text(const struct manifest *m, const char *key, const char *value);

#endif
