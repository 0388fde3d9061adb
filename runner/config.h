/*
 * config.h - the configuration: ripcord.ini, .env, the environment and -x, as one const struct.
 *
 * A table of keys (config.c) drives reading, defaults, -x section.key=value, the suggestions for
 * unknown keys, `init` and the manual page.  Design.md section 9 is the contract.
 * Precedence: -x, then the file; ${VAR} is filled from the environment, then from .env.
 * Relative paths are resolved against the configuration file's folder.
 */
#ifndef RUNNER_CONFIG_H
#define RUNNER_CONFIG_H

#include "backup/backup.h"
#include "base/err.h"
#include "base/strv.h"

#include <stdint.h>

enum writes_mode { WRITES_DETECT, WRITES_FENCE, WRITES_ACCEPT_LOSS };
enum verify_mode { BACKUP_VERIFY_READ, BACKUP_VERIFY_RESTORE, BACKUP_VERIFY_DRILL };

enum hook_phase {
	HOOK_BEFORE_BACKUP, HOOK_AFTER_BACKUP, HOOK_BEFORE_UPGRADE, HOOK_BEFORE_REVISION, HOOK_AFTER_REVISION,
	HOOK_AFTER_UPGRADE, HOOK_ON_FAILURE, HOOK_AFTER_ROLLBACK, HOOK_AFTER_RESTORE, HOOK_ALWAYS, HOOK_AFTER_WRITE,
};

/* What stands for the new file's path in the command of an after-write hook, as in Alembic's post_write_hooks. */
#define HOOK_FILE_TOKEN "REVISION_SCRIPT_FILENAME"

/* One [hook NAME]: exactly one of command, sql, url is set. */
struct hook {
	const char *name;
	enum hook_phase phase;
	const char *command;   /* split into argv at blanks, quotes respected; with shell = yes given to /bin/sh -c */
	bool shell;
	const char *sql, *expect; /* expect: the one value as text; NULL: one boolean column, all true */
	const char *url;
	int status;            /* expected, 200 */
	int64_t timeout_ms;    /* 60 s; per attempt */
	int attempts;          /* 1 */
};

struct config {
	const char *path, *folder; /* of ripcord.ini ("" when there is none), and its folder, absolute */
	/* [ripcord] */
	const char *migrations;    /* absolute */
	const char *version_table, *version_schema; /* schema NULL: first of search_path */
	const char *state_dir;     /* absolute */
	bool whole;                /* transaction = whole */
	const char *installation;  /* NULL: named after where the URL leads, see runner/upkeep/installation.h */
	/* [database] */
	const char *url;           /* NULL when none is set: commands that need one say so */
	const char *maintenance_db, *role; /* role NULL when empty */
	/* [backup] */
	const char *engine;
	struct strv stores;        /* names, in order */
	int stores_required, level, threads, notify_attempts; /* the last of [notify] */
	struct strv recipients;
	const char *identity;
	bool role_passwords;       /* backups hold the hashes of the roles' passwords */
	enum verify_mode verify;
	bool prune_after_backup;   /* prune = after-backup */
	const char *keep;
	struct strv keep_revisions;
	int64_t max_bytes;         /* 0: none */
	const char *pg_bindir;     /* where pg_dump is, NULL: found */
	int64_t server_free_bytes; /* configured capacity of a server whose disk is not ours; -1: unknown */
	struct store_config *store_configs; /* those named in stores, in that order */
	size_t n_store_configs;
	/* [drill] */
	const char *drill_url;     /* NULL: where the database is */
	/* [guard] */
	bool on_failure_downgrade, on_failure_restore;
	enum writes_mode writes;
	bool fence_hooks_inside, fence_on_stuck_closed;
	int64_t lock_timeout_ms, lock_budget_ms, lock_hold_ms, statement_timeout_ms, accept_after_ms;
	/* [metrics] */
	const char *textfile;      /* absolute; NULL: none */
	/* [notify] */
	const char *notify_success, *notify_failure; /* URLs, NULL: none */
	int64_t notify_timeout_ms;
	/* [policy] */
	const char *preset;
	/* [schema] */
	const char *schema_source; /* see runner/guard/source.h; NULL: none */
	bool schema_from_live;     /* a generated revision starts from what the live database has, too */
	struct strv schema_allow;  /* "drop", "rewrite" */
	bool schema_concurrently;  /* generated revisions make indexes of tables that are there CONCURRENTLY */
	/* [hook ...] */
	struct hook *hooks;
	size_t n_hooks;
	bool has_secrets_in_file;  /* a literal password stands in the file: doctor warns */
};

struct config_source {
	const char *path;         /* -c; NULL: ./ripcord.ini, which may be absent */
	const char *env_file;     /* --env-file; NULL: .env beside the config, which may be absent */
	const struct strv *overrides; /* -x section.key=value */
};

/* The words of the file, for messages, reports and facts. */
const char *writes_name(enum writes_mode mode);       /* "detect" */
const char *verify_name(enum verify_mode mode);       /* "restore" */
const char *hook_phase_name(enum hook_phase phase);   /* "before-backup" */

/* ERR_USAGE with file and line; unknown keys with a suggestion; a missing ${VAR} by name. */
MUST_CHECK bool config_load(const struct config_source *source, struct config **out, struct err *err);
void config_free(struct config *c);

/* DATABASE_URL parsed; ERR_USAGE "no database: set DATABASE_URL ..." when there is none. */
MUST_CHECK bool config_database(const struct config *c, struct conninfo **out, struct err *err);
/* Where a drill connects to make its scratch database: [drill] url, else the maintenance database of the live one. */
MUST_CHECK bool config_drill(const struct config *c, struct conninfo **out, struct err *err);

/*
 * The table of keys, for the manual page, completion and docs/configuration.md.  Sections `store local`
 * (the only store with defaults), `store` and `hook` (any NAME); fallback "" means empty.
 */
struct config_key {
	const char *section, *key, *fallback;
	const char *values; /* the words it may be, as "a | b", or the kind: "duration", "size", "list" ... */
	const char *about;  /* one line or more, no full stop at the end */
};
size_t config_keys_count(void);
const struct config_key *config_key_at(size_t i);
/* The ripcord.ini that `init` writes: every key with its default and what it is for.  The caller's. */
char *config_template(void);

#endif
