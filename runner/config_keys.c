#include "runner/config_keys.h"

#include "backup/retention.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

const char *config_keep(struct config_box *box, const char *text)
{
	strv_add(&box->pool, text);
	return box->pool.v[box->pool.n - 1];
}

static void *field(const struct slot *slot) { return (char *)slot->into + slot->row->offset; }

static bool must_be(const struct slot *slot, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s must be %s, not \"%s\"", slot->row->key.key, what, slot->value);
}

/* ------------------------------------------------------------------ one kind of value each */

static bool take_text(const struct slot *slot, struct err *err)
{
	(void)err;
	*(const char **)field(slot) = *slot->value ? config_keep(slot->box, slot->value) : NULL;
	return true;
}

static bool take_name(const struct slot *slot, struct err *err)
{
	if (!*slot->value)
		return must_be(slot, "a name", err);
	return take_text(slot, err);
}

static bool take_path(const struct slot *slot, struct err *err)
{
	cleanup_free char *path = NULL;

	if (!*slot->value)
		return must_be(slot, "a path", err);
	path = path_join(slot->box->config.folder, slot->value);
	*(const char **)field(slot) = config_keep(slot->box, path);
	return true;
}

static bool take_path_or_none(const struct slot *slot, struct err *err)
{
	return *slot->value ? take_path(slot, err) : take_text(slot, err);
}

static bool take_list(const struct slot *slot, struct err *err)
{
	(void)err;
	strv_clear(field(slot));
	strv_split(field(slot), slot->value);
	return true;
}

static bool take_duration(const struct slot *slot, struct err *err)
{
	if (!text_to_duration_ms(slot->value, field(slot)))
		return must_be(slot, "a duration such as 250ms, 5s, 10min, 6h, 7d", err);
	return true;
}

static bool take_duration_above_0(const struct slot *slot, struct err *err)
{
	int64_t ms;

	if (!text_to_duration_ms(slot->value, &ms) || ms <= 0)
		return must_be(slot, "a duration above 0, such as 250ms, 5s, 10min", err);
	*(int64_t *)field(slot) = ms;
	return true;
}

static bool take_size(const struct slot *slot, struct err *err)
{
	if (!text_to_size(slot->value, field(slot)))
		return must_be(slot, "a size such as 500MiB or 20GB", err);
	return true;
}

static bool take_size_or_0(const struct slot *slot, struct err *err)
{
	if (*slot->value)
		return take_size(slot, err);
	*(int64_t *)field(slot) = 0;
	return true;
}

static bool take_size_or_unknown(const struct slot *slot, struct err *err)
{
	if (*slot->value)
		return take_size(slot, err);
	*(int64_t *)field(slot) = -1;
	return true;
}

static bool in_range(const struct slot *slot, int64_t least, int64_t most, const char *what, struct err *err)
{
	int64_t number;

	if (!text_to_int64(slot->value, &number) || number < least || number > most)
		return must_be(slot, what, err);
	*(int *)field(slot) = (int)number;
	return true;
}

static bool take_count(const struct slot *slot, struct err *err)
{
	return in_range(slot, 0, 1024, "a number from 0 to 1024", err);
}

static bool take_attempts(const struct slot *slot, struct err *err)
{
	return in_range(slot, 1, 1000, "a number from 1 to 1000", err);
}

static bool take_level(const struct slot *slot, struct err *err)
{
	return in_range(slot, 1, 19, "a zstd level from 1 to 19", err);
}

static bool take_status(const struct slot *slot, struct err *err)
{
	return in_range(slot, 100, 599, "an HTTP status from 100 to 599", err);
}

/* The words of a row's `values`, in the order of the enum that the field is. */
static bool choose(const struct slot *slot, int *out, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, slot->row->key.values);
	while (strv_remove(&words, "|"))
		;
	for (size_t i = 0; i < words.n; i++) {
		if (strcmp(words.v[i], slot->value) == 0) {
			*out = (int)i;
			return true;
		}
	}
	err_set(err, ERR_USAGE, "%s cannot be \"%s\"", slot->row->key.key, slot->value);
	return err_hint(err, "it is one of: %s", slot->row->key.values);
}

static bool take_choice(const struct slot *slot, struct err *err) { return choose(slot, field(slot), err); }

/* Two words, the second is true. */
static bool take_switch(const struct slot *slot, struct err *err)
{
	int chosen = 0;

	if (!choose(slot, &chosen, err))
		return false;
	*(bool *)field(slot) = chosen == 1;
	return true;
}

static bool take_yes_no(const struct slot *slot, struct err *err)
{
	if (!text_to_bool(slot->value, field(slot)))
		return must_be(slot, "yes or no", err);
	return true;
}

/* ------------------------------------------------------------------ keys with rules of their own */

static bool take_ladder(const struct slot *slot, struct err *err)
{
	cleanup_strv struct strv rungs = STRV_INIT;
	struct config *c = slot->into;

	strv_split(&rungs, slot->value);
	for (size_t i = 0; i < rungs.n; i++) {
		if (strcmp(rungs.v[i], "downgrade") != 0 && strcmp(rungs.v[i], "restore") != 0)
			return must_be(slot, "a list of downgrade and restore (or empty: rollback alone)",
			               err);
	}
	if (rungs.n == 2 && strcmp(rungs.v[0], "restore") == 0)
		return must_be(slot, "in the ladder's order: downgrade, restore", err);
	c->on_failure_downgrade = strv_has(&rungs, "downgrade");
	c->on_failure_restore = strv_has(&rungs, "restore");
	return true;
}

/* What a key is can be told by its beginning; a secret one is in no message. */
static bool refuse_secret_key(const struct slot *slot, const char *value, struct err *err)
{
	if (!text_starts(value, "AGE-SECRET-KEY-"))
		return true;
	err_set(err, ERR_USAGE, "%s holds an age private key itself", slot->row->key.key);
	return err_hint(err, strcmp(slot->row->key.key, "identity") == 0
	                             ? "put the key into a file of mode 0600, and name the file"
	                             : "recipients are public keys; age-keygen -y prints the one that "
	                               "belongs to a private key");
}

/* As age -R reads it: a key a line, # comments. */
static bool add_recipients_of(const char *path, struct strv *out, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT((size_t)1 << 20);
	size_t before = out->n;

	if (!file_read(path, &text, err))
		return err_recode(err, ERR_USAGE);
	for (char *line = text.data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line = text_trim(line);
		if (*line && *line != '#')
			strv_add(out, line);
	}
	return out->n > before || err_set(err, ERR_USAGE, "no public key is in '%s'", path);
}

/* Backups that were asked to be encrypted must not come out plain. */
static bool take_recipients(const struct slot *slot, struct err *err)
{
	cleanup_strv struct strv items = STRV_INIT;
	struct strv *out = field(slot);

	strv_clear(out);
	strv_split(&items, slot->value);
	for (size_t i = 0; i < items.n; i++) {
		cleanup_free char *path = path_join(slot->box->config.folder, items.v[i]);
		if (!refuse_secret_key(slot, items.v[i], err))
			return false;
		if (text_starts(items.v[i], "age1")) {
			strv_add(out, items.v[i]);
		} else if (!file_exists(path)) {
			err_set(err, ERR_USAGE, "\"%s\" is neither an age public key nor a file of them",
			        items.v[i]);
			return err_hint(err, "a public key begins with age1; age-keygen makes a pair");
		} else if (!add_recipients_of(path, out, err)) {
			return false;
		}
	}
	return true;
}

static bool take_age_identity(const struct slot *slot, struct err *err)
{
	return refuse_secret_key(slot, slot->value, err) && take_path_or_none(slot, err);
}

static bool take_engine(const struct slot *slot, struct err *err)
{
	if (strcmp(slot->value, "dump") != 0) {
		err_set(err, ERR_USAGE, "engine \"%s\" is not in this version", slot->value);
		return err_hint(err, "engine = dump");
	}
	return take_text(slot, err);
}

static bool take_keep(const struct slot *slot, struct err *err)
{
	struct retention_rules rules = { .age_s = 0 };

	return retention_parse(slot->value, &rules, err) && take_text(slot, err);
}

/* A preset's name, or a path when it looks like one. */
static bool take_preset(const struct slot *slot, struct err *err)
{
	return strchr(slot->value, '/') || text_ends(slot->value, ".ini") ? take_path(slot, err)
	                                                                  : take_name(slot, err);
}

static bool take_web_url(const struct slot *slot, struct err *err)
{
	if (*slot->value && !text_starts(slot->value, "http://") && !text_starts(slot->value, "https://"))
		return err_set(err, ERR_USAGE, "%s must begin with http:// or https://", slot->row->key.key);
	return take_text(slot, err);
}

static bool take_nothing(const struct slot *slot, struct err *err)
{
	(void)slot;
	(void)err;
	return true;
}

/* ------------------------------------------------------------------ the table */

#define C(field) offsetof(struct config, field)
#define H(field) offsetof(struct hook, field)

const struct key_row config_rows[] = {
	{ { "ripcord", "migrations", "migrations", "path",
	    "folder with versions/ and the template of new revisions" },
	  C(migrations),
	  take_path,
	  KEY_BUILT },
	{ { "ripcord", "version_table", "alembic_version", "name",
	    "table that holds the heads, in Alembic's shape" },
	  C(version_table),
	  take_name,
	  KEY_BUILT },
	{ { "ripcord", "version_table_schema", "", "name", "its schema; empty: the first of search_path" },
	  C(version_schema),
	  take_text,
	  KEY_QUIET },
	{ { "ripcord", "state_dir", ".ripcord", "path", "journals of the runs" },
	  C(state_dir),
	  take_path,
	  KEY_BUILT },
	{ { "ripcord", "installation", "", "name",
	    "tells production from its copies, in backups: only its own are pruned and restored; empty: host "
	    "and port of "
	    "the "
	    "URL" },
	  C(installation),
	  take_text,
	  KEY_BUILT },
	{ { "ripcord", "transaction", "per-revision", "per-revision | whole",
	    "a transaction for each revision, or one for the whole run" },
	  C(whole),
	  take_switch,
	  KEY_BUILT },

	{ { "database", "url", "${DATABASE_URL}", "URL",
	    "the database; ORM forms such as postgresql+psycopg2:// are taken" },
	  C(url),
	  take_text,
	  KEY_BUILT },
	{ { "database", "maintenance_db", "postgres", "name",
	    "where the lock is held and databases are created and renamed" },
	  C(maintenance_db),
	  take_name,
	  KEY_BUILT },
	{ { "database", "role", "", "name", "SET ROLE for revisions; empty: the URL's own" },
	  C(role),
	  take_text,
	  KEY_BUILT },
	{ { "database", "server_free", "", "size",
	    "free space of the server's data disk, where ripcord cannot see it (another machine); empty: "
	    "unknown" },
	  C(server_free_bytes),
	  take_size_or_unknown,
	  KEY_QUIET },

	{ { "backup", "engine", "dump", "dump", "how a backup is taken: pg_dump of the server's own major" },
	  C(engine),
	  take_engine,
	  KEY_BUILT },
	{ { "backup", "stores", "local", "list",
	    "names of [store NAME] sections; every backup goes into each" },
	  C(stores),
	  take_list,
	  KEY_BUILT },
	{ { "backup", "stores_required", "0", "number", "how many of the stores must succeed; 0: all" },
	  C(stores_required),
	  take_count,
	  KEY_BUILT },
	{ { "backup", "level", "3", "1 to 19", "zstd level" }, C(level), take_level, KEY_BUILT },
	{ { "backup", "threads", "0", "number", "compressing threads; 0: as many as there are processors" },
	  C(threads),
	  take_count,
	  KEY_BUILT },
	{ { "backup", "recipients", "", "list",
	    "age public keys, or files of them, that backups are encrypted to; empty: not encrypted" },
	  C(recipients),
	  take_recipients,
	  KEY_BUILT },
	{ { "backup", "identity", "${RIPCORD_AGE_IDENTITY:-}", "path",
	    "file with the age private key; only reading and restoring need it" },
	  C(identity),
	  take_age_identity,
	  KEY_BUILT },
	{ { "backup", "role_passwords", "no", "yes | no",
	    "keep the hashes of the roles' passwords in the backup, for restore --role-passwords; needs a "
	    "superuser, and recipients are advised" },
	  C(role_passwords),
	  take_yes_no,
	  KEY_BUILT },
	{ { "backup", "verify", "restore", "read | restore | drill",
	    "proof of a backup: read again, its schema restored, or everything restored" },
	  C(verify),
	  take_choice,
	  KEY_BUILT },
	{ { "backup", "keep", "last:7 daily:14 weekly:8", "list",
	    "retention: last, hourly, daily, weekly, monthly, yearly, age; empty: everything is kept" },
	  C(keep),
	  take_keep,
	  KEY_BUILT },
	{ { "backup", "keep_revisions", "", "list",
	    "revisions of which a backup is always kept; * means every revision" },
	  C(keep_revisions),
	  take_list,
	  KEY_BUILT },
	{ { "backup", "prune", "by-hand", "by-hand | after-backup",
	    "when retention runs: ripcord backup prune alone, or also after each ripcord backup create" },
	  C(prune_after_backup),
	  take_switch,
	  KEY_BUILT },
	{ { "backup", "max_bytes", "", "size", "warn when the backups take more; empty: no limit" },
	  C(max_bytes),
	  take_size_or_0,
	  KEY_BUILT },
	{ { "backup", "pg_bindir", "", "path",
	    "folder of pg_dump and pg_restore; empty: found by the server's major" },
	  C(pg_bindir),
	  take_path_or_none,
	  KEY_QUIET },

	{ { "store local", "type", "file", "file", "a folder on this machine" }, 0, take_nothing, KEY_BUILT },
	{ { "store local", "path", "backups", "path", "where the backups are" }, 0, take_nothing, KEY_BUILT },

	{ { "drill", "url", "${RIPCORD_DRILL_URL:-}", "URL",
	    "where drill, prove and rehearse make their scratch database; empty: beside the live one" },
	  C(drill_url),
	  take_text,
	  KEY_BUILT },

	{ { "guard", "on_failure", "downgrade, restore", "list",
	    "rungs after rollback: downgrade, restore; empty: rollback alone" },
	  0,
	  take_ladder,
	  KEY_BUILT },
	{ { "guard", "writes", "detect", "detect | fence | accept-loss",
	    "others' writes since the backup: stop and tell, keep others out from the start, or lose them" },
	  C(writes),
	  take_choice,
	  KEY_BUILT },
	{ { "guard", "fence_hooks", "outside", "outside | inside",
	    "whether after-upgrade hooks run with others fenced off" },
	  C(fence_hooks_inside),
	  take_switch,
	  KEY_BUILT },
	{ { "guard", "fence_on_stuck", "open", "open | closed",
	    "whether others get in again when a run is stuck" },
	  C(fence_on_stuck_closed),
	  take_switch,
	  KEY_BUILT },
	{ { "guard", "lock_timeout", "2s", "duration",
	    "an attempt waits this long for a table's lock; never off" },
	  C(lock_timeout_ms),
	  take_duration_above_0,
	  KEY_BUILT },
	{ { "guard", "lock_budget", "5min", "duration", "all attempts of a revision together" },
	  C(lock_budget_ms),
	  take_duration,
	  KEY_BUILT },
	{ { "guard", "lock_hold", "10s", "duration",
	    "a revision that holds ACCESS EXCLUSIVE on a table longer is cancelled; 0: as long as it takes" },
	  C(lock_hold_ms),
	  take_duration,
	  KEY_BUILT },
	{ { "guard", "statement_timeout", "0", "duration", "of each statement of a revision; 0: none" },
	  C(statement_timeout_ms),
	  take_duration,
	  KEY_BUILT },
	{ { "guard", "accept_after", "7d", "duration",
	    "an upgrade's backup stays pinned this long, or until ripcord accept" },
	  C(accept_after_ms),
	  take_duration,
	  KEY_BUILT },

	{ { "metrics", "textfile", "", "path",
	    "file for Prometheus's textfile collector, written after each backup, verify, prune; empty: "
	    "none" },
	  C(textfile),
	  take_path_or_none,
	  KEY_BUILT },
	{ { "notify", "success", "", "URL",
	    "gets a POST with JSON when a backup, verify or prune is done; empty: none" },
	  C(notify_success),
	  take_web_url,
	  KEY_BUILT },
	{ { "notify", "failure", "", "URL", "the same when one has failed" },
	  C(notify_failure),
	  take_web_url,
	  KEY_BUILT },
	{ { "notify", "timeout", "10s", "duration", "of one attempt" },
	  C(notify_timeout_ms),
	  take_duration_above_0,
	  KEY_BUILT },
	{ { "notify", "attempts", "3", "number", "tries before a warning says that nobody was told" },
	  C(notify_attempts),
	  take_attempts,
	  KEY_BUILT },

	{ { "policy", "preset", "production", "development | staging | production | path",
	    "how strict the gates are; a file with a preset's keys will do" },
	  C(preset),
	  take_preset,
	  KEY_BUILT },

	{ { "schema", "source", "", "source",
	    "the desired state: a file, a folder of .sql files, a URL, backup:ID, or command:PROGRAM that "
	    "prints SQL" },
	  C(schema_source),
	  take_text,
	  KEY_BUILT },
	{ { "schema", "from", "replay", "replay | live",
	    "what a generated revision starts from: the history, replayed on a scratch database; or, live, "
	    "that same history while the live database's schema is just that" },
	  C(schema_from_live),
	  take_switch,
	  KEY_BUILT },
	{ { "schema", "allow", "", "list",
	    "hazards that a generated revision may have: drop (loses data), rewrite (of a table)" },
	  C(schema_allow),
	  take_list,
	  KEY_BUILT },
	{ { "schema", "concurrently", "no", "yes | no",
	    "whether a generated revision makes indexes of tables that are there CONCURRENTLY" },
	  C(schema_concurrently),
	  take_yes_no,
	  KEY_BUILT },

	{ { "hook", "phase", "",
	    "before-backup | after-backup | before-upgrade | before-revision | after-revision | "
	    "after-upgrade | "
	    "on-failure | after-rollback | after-restore | always | after-write",
	    "when it runs; a failing after-upgrade hook takes the ladder; after-write: for each new revision "
	    "file" },
	  H(phase),
	  take_choice,
	  KEY_QUIET },
	{ { "hook", "command", "", "words",
	    "a program and its arguments, quotes respected; no shell unless shell = yes" },
	  H(command),
	  take_text,
	  KEY_QUIET },
	{ { "hook", "shell", "no", "yes | no", "give the command to /bin/sh -c" },
	  H(shell),
	  take_yes_no,
	  KEY_QUIET },
	{ { "hook", "sql", "", "SQL",
	    "one query; without expect, one boolean column that must be true in every row" },
	  H(sql),
	  take_text,
	  KEY_QUIET },
	{ { "hook", "expect", "", "text", "the one value that sql must give" },
	  H(expect),
	  take_text,
	  KEY_QUIET },
	{ { "hook", "url", "", "URL", "an HTTP GET" }, H(url), take_web_url, KEY_QUIET },
	{ { "hook", "status", "200", "number", "the HTTP status that url must answer with" },
	  H(status),
	  take_status,
	  KEY_QUIET },
	{ { "hook", "timeout", "60s", "duration", "of one attempt" },
	  H(timeout_ms),
	  take_duration_above_0,
	  KEY_QUIET },
	{ { "hook", "attempts", "1", "number", "tries before it has failed" },
	  H(attempts),
	  take_attempts,
	  KEY_QUIET },
};
const size_t config_rows_count = sizeof(config_rows) / sizeof(config_rows[0]);

const struct key_row *config_row_find(const char *section_class, const char *key)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		if (strcmp(config_rows[i].key.section, section_class) == 0 &&
		    strcmp(config_rows[i].key.key, key) == 0)
			return &config_rows[i];
	}
	return NULL;
}

const char *config_section_class(const char *section)
{
	if (text_starts(section, "store "))
		return "store local";
	return text_starts(section, "hook ") ? "hook" : section;
}

size_t config_keys_count(void) { return config_rows_count + store_keys_count; }

/* The keys of other stores stand behind those of [store local]. */
const struct config_key *config_key_at(size_t i)
{
	size_t local = 0;

	while (strcmp(config_rows[local].key.section, "store local") != 0)
		local++;
	while (strcmp(config_rows[local].key.section, "store local") == 0)
		local++;
	if (i < local)
		return &config_rows[i].key;
	i -= local;
	return i < store_keys_count ? &store_keys[i] : &config_rows[local + i - store_keys_count].key;
}

/* ------------------------------------------------------------------ words and init's file */

static const char *const writes_words[] = { "detect", "fence", "accept-loss" };
static const char *const verify_words[] = { "read", "restore", "drill" };
static const char *const phase_words[] = { "before-backup",   "after-backup",   "before-upgrade",
	                                   "before-revision", "after-revision", "after-upgrade",
	                                   "on-failure",      "after-rollback", "after-restore",
	                                   "always",          "after-write" };

const char *writes_name(enum writes_mode mode) { return writes_words[mode]; }

const char *verify_name(enum verify_mode mode) { return verify_words[mode]; }

const char *hook_phase_name(enum hook_phase phase) { return phase_words[phase]; }

static void print_key(struct buf *out, const struct config_key *key)
{
	buf_fmt(out, "# %s", key->about);
	if (strstr(key->values, " | "))
		buf_fmt(out, " (%s)", key->values);
	buf_fmt(out, "\n%s =%s%s\n", key->key, *key->fallback ? " " : "", key->fallback);
}

static const char template_tail[] = "\n# More stores and checks are sections of their own:\n"
				    "#\n"
				    "# [store second]\n"
				    "# type = file\n"
				    "# path = /mnt/backups\n"
				    "#\n"
				    "# [hook smoke]\n"
				    "# phase = after-upgrade\n"
				    "# command = ./smoke.sh\n"
				    "# timeout = 60s\n";

char *config_template(void)
{
	struct buf out = BUF_INIT(BUF_TEXT_MAX);
	const char *section = "";

	buf_str(&out, "# ripcord.ini: every key has the default shown here; DATABASE_URL alone is enough.\n"
	              "# ${NAME} is filled from the environment, then from .env beside this file.\n"
	              "# Relative paths start at this file's folder; man 5 ripcord.ini has the rest.\n");
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_key *key = &config_rows[i].key;

		if (config_rows[i].use != KEY_BUILT)
			continue;
		if (strcmp(section, key->section) != 0)
			buf_fmt(&out, "\n[%s]\n", key->section);
		section = key->section;
		print_key(&out, key);
	}
	buf_str(&out, template_tail);
	return buf_take(&out);
}
