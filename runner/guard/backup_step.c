/*
 * The backup of exactly the state that the run starts from: counters first, then one snapshot that the fingerprint,
 * the dump and the row counts share.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/progress.h"
#include "runner/proof/candidate.h"
#include "runner/upkeep/installation.h"
#include "runner/version.h"

#include <stdlib.h>
#include <string.h>

/* What is read in the snapshot besides the dump. */
struct snapshot {
	struct db *db; /* holds it: no other statement may end its transaction before the dump has ended */
	char *name, *lsn, *timeline, *ids;
	int64_t large_objects;
	json_t *rows; /* NULL: the dump tells */
};

static void snapshot_close(struct snapshot *s)
{
	db_close(s->db);
	free(s->name);
	free(s->lsn);
	free(s->timeline);
	free(s->ids);
}
#define cleanup_snapshot __attribute__((cleanup(snapshot_close)))

static bool snapshot_open(struct run *run, struct snapshot *s, struct err *err)
{
	struct schema_options options = { .version_table = ledger_table(run->ledger) };

	schema_free(run->before.schema);
	identity_clear(&run->before.identity);
	run->before.schema = NULL;
	return run_open(run, run->live, "snapshot", &s->db, err) &&
	       db_run(s->db,
	              "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET "
	              "row_security = off;"
	              " BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	              err) &&
	       db_value(s->db, "SELECT pg_catalog.pg_export_snapshot()", DB_NO_ARGS, &s->name, err) &&
	       db_value(s->db, "SELECT pg_catalog.pg_current_wal_lsn()::text", DB_NO_ARGS, &s->lsn, err) &&
	       db_value(s->db, "SELECT pg_catalog.pg_current_snapshot()::text", DB_NO_ARGS, &s->ids, err) &&
	       db_value(s->db, "SELECT timeline_id::text FROM pg_catalog.pg_control_checkpoint()", DB_NO_ARGS,
	                &s->timeline, err) &&
	       db_int(s->db, "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata", DB_NO_ARGS,
	              &s->large_objects, err) &&
	       schema_read(s->db, &options, &run->before.schema, err) &&
	       identity_read(s->db, &run->before.identity, err);
}

/* What the manifest says of the database that the backup room cannot know. */
static json_t *manifest_facts(const struct run *run, const struct snapshot *s)
{
	char hex[SHA256_HEX];
	cleanup_free char *installation = installation_name(run->config);
	json_t *out = json_object();

	schema_digest(run->before.schema, SCHEMA_STRICT, hex);
	json_put(out, "fingerprint", json_str(hex));
	schema_digest(run->before.schema, SCHEMA_INSIDE, hex);
	json_put(out, "fingerprint_inside", json_str(hex));
	schema_digest(run->before.roles, SCHEMA_STRICT, hex);
	json_put(out, "fingerprint_roles", json_str(hex));
	json_put(out, "lsn", json_str(s->lsn));
	json_put(out, "timeline", json_str(s->timeline));
	json_put(out, "installation", json_str(installation));
	json_put(out, "snapshot", json_str(s->ids));
	json_put(out, "large_objects", json_integer(s->large_objects));
	json_put(out, "database_facts", database_facts_public(run->before.facts));
	json_put(out, "version_table", json_str(ledger_table(run->ledger)));
	json_put(out, "run", json_str(run->id));
	json_put(out, "tool_version", json_str(RIPCORD_VERSION));
	return out;
}

/* Only when the dump itself could not tell: another scan of every table. */
static bool count_rows(void *ctx, json_t **rows, struct err *err)
{
	struct snapshot *s = ctx;

	return rows_read(s->db, rows, err);
}

static bool take(struct run *run, struct snapshot *s, struct err *err)
{
	cleanup_json json_t *facts = manifest_facts(run, s);
	cleanup_json json_t *schema = schema_to_json(run->before.schema),
			    *roles = schema_to_json(run->before.roles);
	cleanup_free char *facts_text = json_canonical(run->before.facts),
			  *schema_text = json_canonical(schema);
	cleanup_free char *roles_text = json_canonical(roles);
	cleanup_strv struct strv leave_out = STRV_INIT, warnings = STRV_INIT;
	const struct backup_extra extras[] = { { "settings.json", facts_text, strlen(facts_text) },
		                               { "schema.json", schema_text, strlen(schema_text) },
		                               { "roles.json", roles_text, strlen(roles_text) } };
	cleanup_free char *application = run_application(run, "dump");
	cleanup_conninfo struct conninfo *source = conninfo_with(run->live, "application_name", application);
	struct backup_request request = {
		.source = source,
		.maintenance = run->maintenance,
		.bin_dir = run->bin_dir,
		.snapshot = s->name,
		.private_dir = run->private_dir,
		.database = run->database,
		.system_identifier = run->before.system_identifier,
		.heads = ledger_heads(run->ledger),
		.engine = run->config->engine,
		.level = run->config->level,
		.threads = run->config->threads,
		.extras = extras,
		.n_extras = sizeof(extras) / sizeof(extras[0]),
		.exclude_table_data = &leave_out,
		.facts = facts,
		.pinned = run->journal != NULL, /* a run's: until it is accepted; one by hand is free */
		.pin_reason = run->id,
		.progress = progress_listener(),
		.expected_bytes =
			run->facts.database_bytes.known == FACT_KNOWN ? run->facts.database_bytes.value : 0,
		.stores_required = run->config->stores_required,
		.count_rows = count_rows,
		.count_rows_ctx = s,
		.warnings = &warnings,
	};

	strv_add(&leave_out, "ripcord.run"); /* a restore must not bring back who held what */
	strv_add(&leave_out, "ripcord.unit");
	manifest_free(run->manifest);
	run->manifest = NULL;
	bool ok = backup_take(&request, &run->stores, &run->manifest, err);
	progress_finish();
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	return ok;
}

/* One place is left for pg_dump's only connection; a stranger who takes it first makes the backup fail. */
static bool fence_first(struct run *run, const struct snapshot *s, struct err *err)
{
	return !run->fences || run_fence(run, s->db, 1, err) || err_wrap(err, "writes = fence");
}

/* The dump's session and the snapshot's are gone: their places are taken away before anybody else has them. */
static bool fence_tighter(struct run *run, struct err *err)
{
	return !run->fences || run_fence(run, NULL, 0, err);
}

static bool take_in_snapshot(struct run *run, struct err *err)
{
	cleanup_snapshot struct snapshot snapshot = { .db = NULL };

	return snapshot_open(run, &snapshot, err) && fence_first(run, &snapshot, err) &&
	       take(run, &snapshot, err);
}

bool run_take_backup(struct run *run, struct err *err)
{
	char size[TEXT_SHORT], duration[TEXT_SHORT];
	int64_t began = clock_ms();

	/* The counters before the snapshot: what is flushed between the two is counted once too often, never lost. */
	counters_clear(&run->before.counters);
	if (!before_read(run, err) || !counters_read(run->db, &run->before.counters, err) ||
	    !take_in_snapshot(run, err) || !fence_tighter(run, err)) {
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

/* A sound archive need not restore (proof.md section 2), so the schema at least is restored for real. */
bool run_restore_scratch(struct run *run, bool schema_only, struct err *err)
{
	cleanup_free char *name = database_derived_name(run->database, "scratch", run->id);
	cleanup_free char *comment = mem_fmt("ripcord: scratch database of run %s; may be dropped", run->id);

	if (!run_restore_into(run, name, comment, schema_only, err))
		return err_wrap(err, "the backup does not restore");
	return database_drop(run->admin, name, err);
}

bool run_verify_backup(struct run *run, struct err *err)
{
	enum verify_mode mode = run->config->verify;

	if (!read_stores(run, err) ||
	    (mode != BACKUP_VERIFY_READ && !run_restore_scratch(run, mode == BACKUP_VERIFY_RESTORE, err)) ||
	    !backup_mark_verified(&run->stores, run->manifest, verify_name(mode), err)) {
		err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
		return false;
	}
	return true;
}

bool run_read_back(struct run *run, struct err *err)
{
	char duration[TEXT_SHORT];
	int64_t began = clock_ms();

	if (!run_verify_backup(run, err))
		return err_wrap(err, "the backup cannot be trusted, nothing was changed");
	log_info("backup read back and verified in %s", text_duration(clock_ms() - began, duration));
	/* Promise 1: it has to be a backup of exactly the state that the run starts from. */
	if (!ledger_read(run->ledger, run->db, err) || !before_is_now(run, err))
		return err_wrap(err, "somebody changed the schema since the backup");
	return true;
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
