/*
 * The backup of exactly the state that the run starts from: counters first, then one snapshot that the fingerprint,
 * the dump and the row counts share.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/task.h"
#include "base/text.h"
#include "runner/progress.h"
#include "runner/proof/candidate.h"
#include "runner/upkeep/installation.h"
#include "runner/version.h"

#include <stdlib.h>
#include <string.h>

/* What is read in the snapshot besides the dump.  The run's own session holds it: no other statement may end its
 * transaction before the dump has ended. */
struct snapshot {
	struct run *run;
	struct rows *answer;
	struct task reading; /* schema and identity, beside pg_dump's start */
	json_t *facts;       /* for the manifest */
	char *settings, *schema, *roles;
	struct backup_extra extras[3];
};

/* In the order of snapshot_sql. */
enum { SNAPSHOT_NAME, SNAPSHOT_LSN, SNAPSHOT_IDS, SNAPSHOT_TIMELINE, SNAPSHOT_LARGE_OBJECTS };
static const char snapshot_sql[] =
	"SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_wal_lsn()::text,"
	" pg_catalog.pg_current_snapshot()::text,"
	" (SELECT timeline_id::text FROM pg_catalog.pg_control_checkpoint()),"
	" (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)";

static bool read_in_snapshot(void *ctx, struct err *err)
{
	struct snapshot *s = ctx;
	struct before *before = &s->run->before;
	struct schema_options options = { .version_table = ledger_table(s->run->ledger) };

	return schema_read(s->run->db, &options, &before->schema, err) &&
	       identity_read(s->run->db, &before->identity, err);
}

static bool snapshot_open(struct run *run, struct snapshot *s, struct err *err)
{
	*s = (struct snapshot){ .run = run, .facts = json_object() };
	schema_free(run->before.schema);
	identity_clear(&run->before.identity);
	run->before.schema = NULL;
	return db_run(run->db,
	              "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off", err) &&
	       db_query(run->db, snapshot_sql, DB_NO_ARGS, &s->answer, err);
}

/* Ends the transaction, whatever became of the backup; the reading in it has to have ended before. */
static bool snapshot_close(struct snapshot *s, bool ok, struct err *err)
{
	struct err second = ERR_INIT;
	bool read = task_join(&s->reading, ok ? err : &second);
	bool ended = db_run(s->run->db, "ROLLBACK", ok && read ? err : &second);

	rows_free(s->answer);
	json_decref(s->facts);
	free(s->settings);
	free(s->schema);
	free(s->roles);
	return ok && read && ended;
}

/* What the manifest says of the database that the backup room cannot know. */
static void add_manifest_facts(const struct snapshot *s)
{
	const struct run *run = s->run;
	char hex[SHA256_HEX];
	cleanup_free char *installation = installation_name(run->config);
	json_t *out = s->facts;

	schema_digest(run->before.schema, SCHEMA_STRICT, hex);
	json_put(out, "fingerprint", json_str(hex));
	schema_digest(run->before.schema, SCHEMA_INSIDE, hex);
	json_put(out, "fingerprint_inside", json_str(hex));
	schema_digest(run->before.roles, SCHEMA_STRICT, hex);
	json_put(out, "fingerprint_roles", json_str(hex));
	json_put(out, "lsn", json_str(rows_get(s->answer, 0, SNAPSHOT_LSN)));
	json_put(out, "timeline", json_str(rows_get(s->answer, 0, SNAPSHOT_TIMELINE)));
	json_put(out, "installation", json_str(installation));
	json_put(out, "snapshot", json_str(rows_get(s->answer, 0, SNAPSHOT_IDS)));
	json_put(out, "large_objects", json_integer(rows_int(s->answer, 0, SNAPSHOT_LARGE_OBJECTS)));
	json_put(out, "database_facts", database_facts_public(run->before.facts));
	json_put(out, "version_table", json_str(ledger_table(run->ledger)));
	json_put(out, "run", json_str(run->id));
	json_put(out, "tool_version", json_str(RIPCORD_VERSION));
}

/* The extras and the manifest's facts; pg_dump has been started meanwhile. */
static bool describe(void *ctx, struct err *err)
{
	struct snapshot *s = ctx;
	const struct before *before = &s->run->before;

	if (!task_join(&s->reading, err))
		return false;
	cleanup_json json_t *schema = schema_to_json(before->schema), *roles = schema_to_json(before->roles);
	s->settings = json_canonical(before->facts);
	s->schema = json_canonical(schema);
	s->roles = json_canonical(roles);
	s->extras[0] = (struct backup_extra){ "settings.json", s->settings, strlen(s->settings) };
	s->extras[1] = (struct backup_extra){ "schema.json", s->schema, strlen(s->schema) };
	s->extras[2] = (struct backup_extra){ "roles.json", s->roles, strlen(s->roles) };
	add_manifest_facts(s);
	return true;
}

/* Only when the dump itself could not tell: another scan of every table. */
static bool count_rows(void *ctx, json_t **rows, struct err *err)
{
	struct snapshot *s = ctx;

	return rows_read(s->run->db, rows, err);
}

static bool take(struct run *run, struct snapshot *s, struct err *err)
{
	cleanup_strv struct strv leave_out = STRV_INIT, warnings = STRV_INIT;
	char short_id[9];
	cleanup_free char *application = run_application(run, "dump");
	cleanup_conninfo struct conninfo *source = conninfo_with(run->live, "application_name", application);
	struct backup_request request = {
		.source = source,
		.maintenance = run->maintenance,
		.bin_dir = run->bin_dir,
		.snapshot = rows_get(s->answer, 0, SNAPSHOT_NAME),
		.private_dir = run->private_dir,
		.state_dir = run->config->state_dir,
		.database = run->database,
		.system_identifier = run->before.system_identifier,
		.heads = ledger_heads(run->ledger),
		.engine = run->config->engine,
		.level = run->config->level,
		.threads = run->config->threads,
		.extras = s->extras,
		.n_extras = sizeof(s->extras) / sizeof(s->extras[0]),
		.ready = describe,
		.ready_ctx = s,
		.exclude_table_data = &leave_out,
		.facts = s->facts,
		.pinned = run->journal != NULL, /* a run's: until it is accepted; one by hand is free */
		.pin_reason = run->id,
		.short_id = short_id,
		.progress = progress_listener(),
		.expected_bytes =
			run->facts.database_bytes.known == FACT_KNOWN ? run->facts.database_bytes.value : 0,
		.stores_required = run->config->stores_required,
		.recipients = &run->config->recipients,
		.role_passwords = run->config->role_passwords,
		.count_rows = count_rows,
		.count_rows_ctx = s,
		.warnings = &warnings,
	};

	random_hex(short_id, sizeof(short_id) - 1);
	/* Known before it is begun: recovery takes away what a kill leaves of it. */
	if (run->journal && !run_journal(run, "backup", "id", json_pack("{s:s}", "short_id", short_id), err))
		return false;
	strv_add(&leave_out, "ripcord.run"); /* a restore must not bring back who held what */
	strv_add(&leave_out, "ripcord.unit");
	manifest_free(run->manifest);
	run->manifest = NULL;
	task_start(&s->reading, read_in_snapshot, s);
	bool ok = backup_take(&request, &run->stores, &run->manifest, err);
	progress_finish();
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	return ok;
}

/* One place is left for pg_dump's only connection; a stranger who takes it first makes the backup fail. */
static bool fence_first(struct run *run, struct err *err)
{
	return !run->fences || run_fence(run, NULL, 1, err) || err_wrap(err, "writes = fence");
}

/* The dump's session is gone: its place is taken away before anybody else has it. */
static bool fence_tighter(struct run *run, struct err *err)
{
	return !run->fences || run_fence(run, NULL, 0, err);
}

static bool take_in_snapshot(struct run *run, struct err *err)
{
	struct snapshot snapshot;
	bool ok = snapshot_open(run, &snapshot, err) && fence_first(run, err);

	if (ok)
		ok = take(run, &snapshot, err);
	return snapshot_close(&snapshot, ok, err);
}

static bool make_scratch(void *ctx, struct err *err) { return run_scratch_make(ctx, err); }

/* The scratch database is made while pg_dump works: it needs nothing but the database's facts.  With writes = fence
 * the fence needs run->admin meanwhile. */
static bool take_beside_scratch(struct run *run, struct err *err)
{
	struct err second = ERR_INIT;
	struct task making = { .run = NULL };

	if (run->config->verify != BACKUP_VERIFY_READ && !run->fences)
		task_start(&making, make_scratch, run);
	bool ok = take_in_snapshot(run, err);
	bool made = task_join(&making, ok ? err : &second);
	return (ok && made) || run_scratch_give_up(run, err);
}

/* pg_dumpall would say no more than that it has no rights on a catalog. */
static bool may_read_passwords(struct run *run, struct err *err)
{
	cleanup_free char *barred = NULL;

	if (!run->config->role_passwords)
		return true;
	if (!db_value(run->admin,
	              "SELECT CASE WHEN NOT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')"
	              " THEN current_user::text END",
	              DB_NO_ARGS, &barred, err))
		return false;
	if (!barred)
		return true;
	err_set(err, ERR_REFUSED, "role %s may not read the roles' passwords, and role_passwords is yes",
	        barred);
	return err_hint(err, "back up as a superuser, or GRANT SELECT ON pg_catalog.pg_authid in the "
	                     "maintenance database, or role_passwords = no");
}

bool run_take_backup(struct run *run, struct err *err)
{
	char size[TEXT_SHORT], duration[TEXT_SHORT];
	int64_t began = clock_ms();

	/* The counters before the snapshot: what is flushed between the two is counted once too often, never lost. */
	counters_clear(&run->before.counters);
	if (!may_read_passwords(run, err) || !before_read(run, err) ||
	    !counters_read(run->db, &run->before.counters, err) || !take_beside_scratch(run, err) ||
	    !fence_tighter(run, err)) {
		err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
		return err_wrap(err, "the backup failed, nothing was changed");
	}
	run->report->backup_id = mem_strdup(manifest_id(run->manifest));
	run->report->backup_bytes = manifest_bytes(run->manifest);
	run->report->backup_seconds = (double)(clock_ms() - began) / 1000;
	log_info("backup %s: %s in %s", manifest_id(run->manifest),
	         text_size(manifest_bytes(run->manifest), size), text_duration(clock_ms() - began, duration));
	return true;
}

/* ------------------------------------------------------------------ reading back */

static bool read_stores(struct run *run, struct err *err)
{
	size_t n_read = 0;

	for (size_t i = 0; i < run->stores.n; i++) {
		if (!strv_has(manifest_stores(run->manifest), store_name(run->stores.v[i])))
			continue; /* it failed while as many others as stores_required asks for did not */
		bool ok =
			backup_read(run->stores.v[i], run->manifest, run->bin_dir, progress_listener(), err);
		progress_finish();
		if (!ok)
			return err_wrap(err, "store %s", store_name(run->stores.v[i]));
		n_read++;
	}
	return n_read > 0 ||
	       err_set(err, ERR_BACKUP, "no configured store has backup %s", manifest_id(run->manifest));
}

/* Without a key it is known that the stores have the bytes that age gave, and no more: its own word in the mark. */
static const char *proof_of(const struct run *run)
{
	return backup_can_open(&run->stores, run->manifest) ? verify_name(run->config->verify) : "stored";
}

/* A sound archive need not restore (proof.md section 2), so the schema at least is restored for real.  The scratch
 * database stays. */
static bool verify_backup(struct run *run, struct err *err)
{
	enum verify_mode mode = run->config->verify;

	if (read_stores(run, err) &&
	    (mode == BACKUP_VERIFY_READ || run_scratch_prove(run, mode == BACKUP_VERIFY_RESTORE, err)) &&
	    backup_mark_verified(&run->stores, run->manifest, proof_of(run), err))
		return true;
	err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
	return run_scratch_give_up(run, err);
}

bool run_check_keys(struct run *run, struct err *err)
{
	const struct config *c = run->config;

	if (c->recipients.n == 0)
		return true;
	if (!c->identity && c->verify != BACKUP_VERIFY_READ) {
		err_set(err, ERR_REFUSED,
		        "backups are encrypted, and there is no key to prove one with verify = %s",
		        verify_name(c->verify));
		return err_hint(
			err, "set identity in [backup] or RIPCORD_AGE_IDENTITY, or verify = read: then the "
			     "stored bytes are proven, and nothing of the inside");
	}
	return backup_try_keys(&c->recipients, c->identity, err) || err_recode(err, ERR_REFUSED);
}

bool run_verify_backup(struct run *run, struct err *err)
{
	return verify_backup(run, err) && (run_scratch_drop(run, err) || err_recode(err, ERR_BACKUP));
}

static bool drop_scratch(void *ctx, struct err *err) { return run_scratch_drop(ctx, err); }

/* Promise 1: it has to be a backup of exactly the state that the run starts from. */
static bool is_state_of_backup(struct run *run, struct err *err)
{
	return (ledger_read(run->ledger, run->db, err) && before_schema_is_now(run, err)) ||
	       err_wrap(err, "somebody changed the schema since the backup");
}

bool run_read_back(struct run *run, struct err *err)
{
	char duration[TEXT_SHORT];
	int64_t began = clock_ms();
	struct task dropping;
	struct err second = ERR_INIT;

	if (!verify_backup(run, err))
		return err_wrap(err, "the backup cannot be trusted, nothing was changed");
	log_info("backup read back and verified in %s", text_duration(clock_ms() - began, duration));
	task_start(&dropping, drop_scratch, run);
	bool ok = is_state_of_backup(run, err);
	bool dropped = task_join(&dropping, ok ? err : &second);
	return ok && dropped &&
	       (before_facts_are_now(run, err) ||
	        err_wrap(err, "somebody changed the database since the backup"));
}

bool run_find_backup(struct run *run, const char *id, struct err *err)
{
	cleanup_backup_list struct backup_list list = { .n = 0 };

	if (!backup_list_read_one(&run->stores, id, &list, err))
		return false;
	for (size_t i = 0; i < list.warnings.n; i++)
		log_warn("%s", list.warnings.v[i]);
	/* The list owns its manifest; this one is kept. */
	run->manifest = list.v[0].manifest;
	list.v[0].manifest = NULL;
	return true;
}
