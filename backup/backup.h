/*
 * backup.h - what a backup is: bytes in one or more stores, and a manifest, published last.
 *
 *     backup_take()     dump -> chunks -> zstd frames -> SHA-256 -> tar -> [age] -> every store at once
 *     backup_read()     every stored byte read again, frames and digests checked, the dump parsed to its end
 *     backup_restore()  the same bytes into pg_restore
 *
 * Without a manifest it is not a backup and is never listed.  This room knows neither revisions
 * nor fingerprints: what the manifest says of them comes from the caller and goes back to it.
 * Formats: design.md section 5, docs/formats.md.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "base/conninfo.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

#define MANIFEST_FORMAT 1

/* ------------------------------------------------------------------ stores */

/* One [store NAME] of the configuration; keys beyond type are the store's own business. */
struct store_config {
	const char *name, *type;            /* type: "file" */
	const char *const *keys, *const *values; /* the section's other keys, n of them */
	size_t n;
	const char *identity;  /* file with the age private key, for what is encrypted there; NULL: none */
	const char *state_dir; /* of this machine: where a store may note what it has under way; NULL: nowhere */
};

struct store;  /* one opened store */
struct stores { struct store **v; size_t n; };

/* ERR_USAGE for an unknown type or key; nothing is touched. */
MUST_CHECK bool stores_open(const struct store_config *configs, size_t n, struct stores *out, struct err *err);
void stores_close(struct stores *s);
#define cleanup_stores __attribute__((cleanup(stores_close)))
/* Free bytes of a store; *known false where nobody can say (S3).  For the gate. */
MUST_CHECK bool store_free_bytes(const struct store *s, bool *known, int64_t *bytes, struct err *err);
const char *store_name(const struct store *s);
/* Writes, reads back, lists and removes a small probe object: for doctor.  ERR_BACKUP. */
MUST_CHECK bool store_check(struct store *s, struct err *err);

/* ------------------------------------------------------------------ the dump programs */

/* The directory that has pg_dump, pg_restore and pg_dumpall of that major (server_version / 10000): `configured`
 * when given, else /usr/lib/postgresql/<major>/bin and the like, else PATH.  ERR_REFUSED when none has. */
MUST_CHECK bool dump_tools_find(int major, const char *configured, char **bin_dir, struct err *err);

/* ------------------------------------------------------------------ taking */

struct backup_extra { /* a small member of the tar beside the dump, given as bytes: settings.json */
	const char *name;
	const void *data;
	size_t len;
};

struct backup_request {
	const struct conninfo *source;
	const struct conninfo *maintenance; /* where pg_dumpall reads the roles; NULL: source.  A source that is fenced
	                                     * down to one place has none for a second session while the first one ends */
	const char *bin_dir;      /* dump_tools_find() */
	const char *snapshot;     /* exported and held by the caller, NULL: pg_dump takes its own */
	const char *private_dir;  /* for the password file; 0700 */
	const char *state_dir;    /* where the take is noted for backup_sweep(); NULL: nowhere */
	const char *database, *system_identifier; /* folder names */
	const struct strv *heads; /* for the folder's name and the manifest */
	const char *engine;       /* "dump" */
	int level, threads;       /* zstd level; 0 threads: as many as there are processors */
	const struct backup_extra *extras;
	size_t n_extras;
	/* Called once, when pg_dump is under way and before its first byte goes into the object: from then on extras
	 * and facts are looked at.  What the caller reads for them can so be read beside pg_dump.  NULL: they are there. */
	bool (*ready)(void *ctx, struct err *err);
	void *ready_ctx;
	const struct strv *exclude_table_data; /* patterns for pg_dump --exclude-table-data */
	/* Members of the manifest that only the caller knows (fingerprint, LSN, settings' digests ...); merged in,
	 * where a member of this room's own (docs/formats.md) wins.  Borrowed. */
	const json_t *facts;
	bool pinned;
	const char *pin_reason; /* run id */
	const char *short_id;   /* eight hex digits, at the end of its folder's name; NULL: chosen here */
	const struct progress *progress;
	int64_t expected_bytes;   /* for the progress bar: pg_database_size() */
	int stores_required;      /* 0: all */
	bool role_passwords;      /* roles.sql holds the hashes of passwords; else none */
	const struct strv *recipients; /* age public keys; NULL or empty: not encrypted */
	/* Called when the rows could not be counted in the passing dump (an archive format that is newer than
	 * this program, names that are not UTF-8): the caller counts in its snapshot, the object is taken over.
	 * NULL: then the manifest's rows are null. */
	bool (*count_rows)(void *ctx, json_t **rows, struct err *err);
	void *count_rows_ctx;
	struct strv *warnings;    /* stores that failed while enough others did not are added; may be NULL */
};

struct manifest; /* parsed and checked */

/*
 * Takes out of these stores what takes of this machine that were killed have left without a manifest; `told` gets a line
 * for each, and for what could not be removed and is tried again next time.  Without such a note nothing is asked for.
 */
void backup_sweep(const struct stores *stores, const char *state_dir, struct strv *told);

/*
 * Takes a backup into every store.  On false nothing is listed, and what was written is removed.
 * ERR_BACKUP for whatever fails (pg_dump's exit and its last words, a full disk), ERR_CANCELLED.
 */
MUST_CHECK bool backup_take(const struct backup_request *request, const struct stores *stores,
                            struct manifest **out, struct err *err);

/* ------------------------------------------------------------------ manifests and the catalog of backups */

void manifest_free(struct manifest *m);
static inline void cleanup_manifest_(struct manifest **m) { manifest_free(*m); }
#define cleanup_manifest __attribute__((cleanup(cleanup_manifest_)))

const char *manifest_id(const struct manifest *m);
const json_t *manifest_json(const struct manifest *m);     /* whole, borrowed */
const char *manifest_str(const struct manifest *m, const char *key); /* a top-level string, NULL when absent */
/* "schema.table", quoted as quote_ident() does -> rows in the dump's snapshot; a JSON object, borrowed.
 * NULL when they are not known.  Without materialized views, foreign tables, partitioned parents and
 * tables of --exclude-table-data; an extension's configuration table counts the rows that were dumped. */
const json_t *manifest_rows(const struct manifest *m);
int64_t manifest_bytes(const struct manifest *m);          /* stored */
bool manifest_is_encrypted(const struct manifest *m);
bool manifest_is_pinned(const struct manifest *m);
bool manifest_is_verified(const struct manifest *m);
/* Names of the stores that have it: of those the backup went to, or of those that list it. */
const struct strv *manifest_stores(const struct manifest *m);
const char *manifest_pin_reason(const struct manifest *m);   /* NULL: not pinned */
const char *manifest_verified_how(const struct manifest *m); /* NULL: not verified */

struct backup_entry {
	struct manifest *manifest;
	struct strv stores; /* names of those that have it */
	bool condemned;     /* a deletion of it was begun and broke off before the manifest was gone */
	bool bad_marks;     /* one that says it is verified is damaged: only known of backup_list_read_one() */
};

/* What lies in a backup's place without a manifest: left by a run, or by a deletion, that broke off. */
struct backup_leftover {
	char *store, *folder;
	struct strv objects; /* their names in the folder */
	bool is_ours;        /* the folder and every object are named as ripcord names them */
	bool condemned;      /* a deletion has begun here: its mark says so, of this very folder */
};

struct backup_list {
	struct backup_entry *v; /* newest first */
	size_t n;
	struct backup_leftover *leftovers;
	size_t n_leftovers;
	struct strv damaged;    /* folders whose manifest could not be read or believed */
	struct strv warnings;   /* stores that could not be read, manifests and marks that are damaged */
};
/* One listing a store; every manifest is read once, and that a backup is verified is taken from the listing.
 * ERR_BACKUP only when not one store could be read: then nobody knows which backups there are. */
MUST_CHECK bool backup_list_read(const struct stores *stores, struct backup_list *out, struct err *err);
void backup_list_clear(struct backup_list *l);
#define cleanup_backup_list __attribute__((cleanup(backup_list_clear)))
/* By id, unique prefix, or the short id at the folder's end.  Borrowed.  ERR_BACKUP when there is none,
 * ERR_USAGE when several begin so. */
MUST_CHECK bool backup_list_find(const struct backup_list *l, const char *id, const struct backup_entry **out, struct err *err);
/* The same straight from the stores: out has that one entry.  No manifest but its own is read, and its marks are
 * opened.  Every warning is about this backup, or about a store that could not be asked for it. */
MUST_CHECK bool backup_list_read_one(const struct stores *stores, const char *id, struct backup_list *out, struct err *err);

/* What changes after publication rests in marks, small objects beside the manifest, which never changes
 * (docs/decisions/0002-marks-beside-the-manifest.md): written atomically in every store that has the backup.  A list
 * that was read before does not see the change.  In doubt a backup is pinned, and not verified. */
/* how: read, restore or drill; a weaker one does not replace a stronger one. */
MUST_CHECK bool backup_mark_verified(const struct stores *stores, const struct manifest *m, const char *how, struct err *err);
/* As drilled, with the milliseconds that it took to bring it back. */
MUST_CHECK bool backup_mark_drilled(const struct stores *stores, const struct manifest *m, int64_t ms, struct err *err);
struct backup_drill {
	int64_t ms;
	char at[32]; /* when: ISO 8601, UTC */
};
/* What the mark says of the backup's drill; false where no store's does (verify = drill measures nothing). */
bool backup_drill_read(const struct stores *stores, const struct manifest *m, struct backup_drill *out);
/* For a copy that turned out to be damaged or gone. */
MUST_CHECK bool backup_unmark_verified(struct store *store, const struct manifest *m, struct err *err);
MUST_CHECK bool backup_set_pin(const struct stores *stores, const struct manifest *m, bool pinned, const char *reason,
                               struct err *err);

/* ------------------------------------------------------------------ deleting, fetching */

/* Takes a backup out of every store that has it: a mark that says so, the manifest (from here on it is not listed),
 * the data, the marks.  Killed in between, it leaves a backup that is listed and whole, or a leftover that is condemned.
 * Every store is tried; the first error is told.  Whether it may go is the caller's business: backup/retention.h. */
MUST_CHECK bool backup_delete(const struct stores *stores, const struct manifest *m, const char *why, struct err *err);
/* Removes what is ours of a leftover; ERR_REFUSED when it is not. */
MUST_CHECK bool backup_leftover_delete(const struct stores *stores, const struct backup_leftover *l, struct err *err);
/* Takes back the mark of a deletion that was begun, of a backup that is to be kept after all. */
MUST_CHECK bool backup_spare(const struct stores *stores, const struct manifest *m, struct err *err);
/* The folders that have a pin at this moment, for whoever is about to delete: a listing a store. */
MUST_CHECK bool backup_pins_now(const struct stores *stores, struct strv *folders, struct err *err);
const char *manifest_folder(const struct manifest *m);       /* its place in every store */
/* The major version of the pg_dump that wrote it; 0 when the manifest does not say.  A newer pg_restore reads it, too. */
int manifest_pg_major(const struct manifest *m);
/* Microseconds of UTC; what the backup holds is not older. */
int64_t manifest_created_us(const struct manifest *m);

/* Writes the backup's object and its manifest to a new folder, 0700, from the first store whose copy is whole; all or
 * nothing.  ERR_REFUSED when there is something at `folder` other than an empty folder; ERR_CORRUPT or ERR_BACKUP when
 * no copy is sound. */
MUST_CHECK bool backup_fetch(const struct stores *stores, const struct manifest *m, const char *folder,
                             const struct progress *progress, struct err *err);

/* ------------------------------------------------------------------ reading back, restoring */

/* Whether the inside of a backup can be read: it is not encrypted, or the stores were opened with an identity. */
bool backup_can_open(const struct stores *stores, const struct manifest *m);
/* Encrypts a few bytes to the recipients and, with an identity that is not NULL, opens them again.  ERR_BACKUP with
 * age's own words: no such program, a recipient that is none, an identity that does not fit. */
MUST_CHECK bool backup_try_keys(const struct strv *recipients, const char *identity, struct err *err);

/* Reads all of a backup in one store again: the tar's members against the manifest (names, sizes, SHA-256,
 * order), every zstd frame, and the archive parsed to its end by pg_restore.  ERR_CORRUPT says which member.
 * Where backup_can_open() is false: all stored bytes against their SHA-256, and nothing of the inside. */
MUST_CHECK bool backup_read(struct store *store, const struct manifest *m, const char *bin_dir,
                            const struct progress *progress, struct err *err);

struct restore_request {
	const struct conninfo *target; /* an empty database, made by the caller */
	const char *bin_dir, *private_dir;
	bool schema_only;
	const char *role;              /* pg_restore --role, NULL for none */
	const struct progress *progress;
};
/* pg_restore --exit-on-error into the target; every member is checked before pg_restore sees it, and one that a
 * store has damaged or lost is taken from the next store.  Always with --no-subscriptions: DROP SUBSCRIPTION in
 * a restored copy drops the slot of the original (proof.md section 4), so subscriptions are not in the target.
 * ERR_CORRUPT or ERR_BACKUP for the backup, ERR_PROC for pg_restore with its last words. */
MUST_CHECK bool backup_restore(const struct stores *stores, const struct manifest *m,
                               const struct restore_request *request, struct err *err);

/* A small member by name ("settings.json", "roles.sql"), checked against the manifest; the caller frees *data. */
MUST_CHECK bool backup_member(const struct stores *stores, const struct manifest *m, const char *name,
                              char **data, size_t *len, struct err *err);

#endif
