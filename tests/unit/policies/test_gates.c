#include "policies/policies.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define YES       ((struct fact_bool){ FACT_KNOWN, true })
#define NO        ((struct fact_bool){ FACT_KNOWN, false })
#define UNKNOWN   ((struct fact_bool){ FACT_UNKNOWN, false })
#define NUMBER(n) ((struct fact_int){ FACT_KNOWN, n })
#define NO_NUMBER ((struct fact_int){ FACT_UNKNOWN, 0 })
#define GB        (INT64_C(1) << 30)
#define DAY       (INT64_C(86400) * 1000)

/* A situation with which every gate is content. */
static struct facts content(void)
{
	struct facts f = { .server_version = 150020,
		           .is_standby = NO,
		           .read_only = NO,
		           .track_counts = YES,
		           .role = "app",
		           .is_superuser = NO,
		           .can_create_db = YES,
		           .owns_database = YES,
		           .can_read_all = YES,
		           .can_terminate = YES,
		           .database = "shop",
		           .database_bytes = NUMBER(10 * GB),
		           .heads_in_database = 1,
		           .heads_in_files = 1,
		           .replay_lag_bytes = NUMBER(0),
		           .foreign_writes_per_s = NUMBER(0),
		           .pg_dump_dir = "/usr/bin",
		           .n_stores = 1,
		           .server_free_bytes = NUMBER(100 * GB),
		           .backup_verify = "restore",
		           .ladder_restores = true,
		           .ladder_downgrades = true,
		           .steps = 1 };

	f.stores[0].name = "local";
	f.stores[0].free_bytes = NUMBER(100 * GB);
	return f;
}

/* ------------------------------------------------------------------ what may be otherwise */

static void no_restore(struct facts *f) { f->ladder_restores = false; }
static void no_ladder(struct facts *f) { f->ladder_restores = f->ladder_downgrades = false; }
static void read_only_proof(struct facts *f) { f->backup_verify = "read"; }
static void encrypted(struct facts *f) { f->backup_encrypted = true; }
static void with_identity(struct facts *f) { f->backup_identity = true; }
static void bad_keys(struct facts *f) { f->keys_failing = "no such key"; }
static void drill(struct facts *f) { f->backup_verify = "drill"; }
static void waived(struct facts *f)
{
	f->backup_waived = true;
	f->waiver_reason = "a test";
}
static void superuser(struct facts *f) { f->is_superuser = YES; }
static void nothing_restored(struct facts *f)
{
	no_restore(f);
	read_only_proof(f);
}

static void version_13(struct facts *f) { f->server_version = 130010; }
static void version_14(struct facts *f) { f->server_version = 140010; }
static void version_18(struct facts *f) { f->server_version = 180001; }
static void version_99(struct facts *f) { f->server_version = 990000; }
static void no_answer(struct facts *f) { strv_add(&f->unasked, "subscriptions"); }
static void standby(struct facts *f) { f->is_standby = YES; }
static void standby_unknown(struct facts *f) { f->is_standby = UNKNOWN; }
static void read_only(struct facts *f) { f->read_only = YES; }
static void read_only_unknown(struct facts *f) { f->read_only = UNKNOWN; }
static void counts_off(struct facts *f) { f->track_counts = NO; }
static void counts_unknown(struct facts *f) { f->track_counts = UNKNOWN; }
static void not_owner(struct facts *f) { f->owns_database = NO; }
static void owner_unknown(struct facts *f) { f->owns_database = UNKNOWN; }
static void no_createdb(struct facts *f) { f->can_create_db = NO; }
static void createdb_unknown(struct facts *f) { f->can_create_db = UNKNOWN; }
static void cannot_terminate(struct facts *f) { f->can_terminate = NO; }
static void terminate_unknown(struct facts *f) { f->can_terminate = UNKNOWN; }
static void foreign_session(struct facts *f) { strv_add(&f->superuser_sessions, "pid 7, role postgres"); }
static void cannot_read(struct facts *f) { f->can_read_all = NO; }
static void read_unknown(struct facts *f) { f->can_read_all = UNKNOWN; }
static void unrestorable(struct facts *f) { strv_add(&f->unrestorable, "event trigger t"); }
static void no_pg_dump(struct facts *f) { f->pg_dump_dir = NULL; }
static void no_reason(struct facts *f)
{
	waived(f);
	f->waiver_reason = "";
}
static void no_stores(struct facts *f) { f->n_stores = 0; }
static void store_fails(struct facts *f) { strv_add(&f->stores_failing, "local: no such folder"); }
static void one_of_two_fails(struct facts *f)
{
	store_fails(f);
	f->n_stores = 2;
	f->stores[1] = f->stores[0];
}
static void one_is_enough(struct facts *f)
{
	one_of_two_fails(f);
	f->stores_required = 1;
}
static void store_small(struct facts *f) { f->stores[0].free_bytes = NUMBER(4 * GB); }
static void store_full(struct facts *f) { f->stores[0].free_bytes = NUMBER(GB / 2); }
static void store_unknown(struct facts *f) { f->stores[0].free_bytes = NO_NUMBER; }
static void server_full(struct facts *f) { f->server_free_bytes = NUMBER(9 * GB); }
static void server_disk_unknown(struct facts *f) { f->server_free_bytes = NO_NUMBER; }
static void invalid_index(struct facts *f) { strv_add(&f->invalid_indexes, "i"); }
static void extension(struct facts *f) { strv_add(&f->extensions_missing, "postgis 2.5"); }
static void pg_cron(struct facts *f) { strv_add(&f->name_bound_extensions, "pg_cron"); }
static void slot(struct facts *f) { strv_add(&f->logical_slots, "s"); }
static void subscription(struct facts *f) { strv_add(&f->subscriptions, "s"); }
static void prepared(struct facts *f) { strv_add(&f->prepared_xacts, "gid"); }
static void running_dump(struct facts *f) { strv_add(&f->foreign_dumps, "pid 9 since 10:15"); }
static void unmodelled(struct facts *f) { strv_add(&f->unmodelled, "transform t"); }
static void others_write(struct facts *f) { f->foreign_writes_per_s = NUMBER(12); }
static void writes_unknown(struct facts *f) { f->foreign_writes_per_s = NO_NUMBER; }
static void has_standby(struct facts *f) { strv_add(&f->standbys, "walreceiver"); }
static void standby_behind(struct facts *f)
{
	has_standby(f);
	f->replay_lag_bytes = NUMBER(2 * GB);
}
static void lag_unknown(struct facts *f)
{
	has_standby(f);
	f->replay_lag_bytes = NO_NUMBER;
}
static void unfinished(struct facts *f) { f->unfinished_run = "0193"; }
static void two_heads(struct facts *f) { f->heads_in_files = 2; }
static void two_heads_for_one(struct facts *f)
{
	two_heads(f);
	f->one_head_needed = true;
}
static void two_in_database(struct facts *f) { f->heads_in_database = 2; }
static void no_downgrade(struct facts *f) { strv_add(&f->no_downgrade, "8c4f1a2b9d3e"); }

static void irreversible(struct facts *f) { strv_add(&f->proven_irreversible, "8c4f1a2b9d3e"); }
static void losing(struct facts *f) { strv_add(&f->proven_losing, "8c4f1a2b9d3e"); }

static void unrehearsed(struct facts *f) { f->rehearsal = REHEARSAL_MISSING; }
static void rehearsed(struct facts *f)
{
	f->rehearsal = REHEARSAL_DONE;
	f->rehearsal_age_ms = NUMBER(DAY);
}
static void long_ago(struct facts *f) { f->rehearsal_age_ms = NUMBER(8 * DAY); }
static void nobody_knows_when(struct facts *f) { f->rehearsal_age_ms = NO_NUMBER; }
static void too_long(struct facts *f) { strv_add(&f->rehearsal_limits, "8c4f1a2b9d3e: lock_hold"); }
static void rehearsal_fails(struct facts *f)
{
	f->rehearsal = REHEARSAL_FAILED;
	f->rehearsal_failure = "a CHECK is violated";
}

/* ------------------------------------------------------------------ each gate, each of its answers */

static const struct {
	const char *gate;
	void (*change[3])(struct facts *f);
	enum verdict verdict; /* in preset production */
} cases[] = {
	{ "server-version", { version_13 }, VERDICT_REFUSE },
	{ "server-version", { version_14 }, VERDICT_WARN },
	{ "server-version", { version_18 }, VERDICT_PASS },
	{ "server-version", { version_99 }, VERDICT_WARN },
	{ "server-answers", { no_answer }, VERDICT_REFUSE },
	{ "server-writable", { standby }, VERDICT_REFUSE },
	{ "server-writable", { read_only }, VERDICT_REFUSE },
	{ "server-writable", { standby_unknown }, VERDICT_REFUSE },
	{ "server-writable", { read_only_unknown }, VERDICT_REFUSE },
	{ "track-counts", { counts_off }, VERDICT_REFUSE },
	{ "track-counts", { counts_off, no_restore }, VERDICT_REFUSE },
	{ "track-counts", { counts_off, no_ladder }, VERDICT_WARN },
	{ "track-counts", { counts_unknown }, VERDICT_REFUSE },
	{ "track-counts", { counts_unknown, no_ladder }, VERDICT_WARN },
	{ "database-owner", { not_owner }, VERDICT_REFUSE },
	{ "database-owner", { not_owner, superuser }, VERDICT_PASS },
	{ "database-owner", { not_owner, no_restore }, VERDICT_PASS },
	{ "database-owner", { owner_unknown }, VERDICT_REFUSE },
	{ "create-database", { no_createdb }, VERDICT_REFUSE },
	{ "create-database", { no_createdb, superuser }, VERDICT_PASS },
	{ "create-database", { no_createdb, no_restore }, VERDICT_REFUSE },
	{ "create-database", { no_createdb, no_restore, drill }, VERDICT_REFUSE },
	{ "create-database", { no_createdb, read_only_proof }, VERDICT_REFUSE },
	{ "create-database", { no_createdb, nothing_restored }, VERDICT_PASS },
	{ "create-database", { no_createdb, waived }, VERDICT_PASS },
	{ "create-database", { createdb_unknown }, VERDICT_REFUSE },
	{ "terminate-sessions", { cannot_terminate }, VERDICT_WARN },
	{ "terminate-sessions", { cannot_terminate, no_restore }, VERDICT_PASS },
	{ "terminate-sessions", { terminate_unknown }, VERDICT_REFUSE },
	{ "foreign-sessions", { foreign_session }, VERDICT_REFUSE },
	{ "foreign-sessions", { foreign_session, no_restore }, VERDICT_WARN },
	{ "backup-rights", { cannot_read }, VERDICT_REFUSE },
	{ "backup-rights", { cannot_read, waived }, VERDICT_PASS },
	{ "backup-rights", { read_unknown }, VERDICT_REFUSE },
	{ "unrestorable-objects", { unrestorable }, VERDICT_REFUSE },
	{ "unrestorable-objects", { unrestorable, no_restore }, VERDICT_REFUSE },
	{ "unrestorable-objects", { unrestorable, nothing_restored }, VERDICT_WARN },
	{ "pg-dump", { no_pg_dump }, VERDICT_REFUSE },
	{ "pg-dump", { no_pg_dump, waived }, VERDICT_PASS },
	{ "backup-waiver", { waived }, VERDICT_WARN },
	{ "backup-waiver", { no_reason }, VERDICT_REFUSE },
	{ "backup-verification", { read_only_proof }, VERDICT_WARN },
	{ "backup-verification", { read_only_proof, waived }, VERDICT_PASS },
	{ "backup-encryption", { NULL }, VERDICT_PASS },
	{ "backup-encryption", { encrypted, with_identity }, VERDICT_PASS },
	{ "backup-encryption", { encrypted }, VERDICT_REFUSE },
	{ "backup-encryption", { encrypted, waived }, VERDICT_PASS },
	{ "backup-encryption", { encrypted, with_identity, bad_keys }, VERDICT_REFUSE },
	{ "stores", { no_stores }, VERDICT_REFUSE },
	{ "stores", { no_stores, waived }, VERDICT_PASS },
	{ "stores", { store_fails }, VERDICT_REFUSE },
	{ "stores", { one_of_two_fails }, VERDICT_REFUSE },
	{ "stores", { one_is_enough }, VERDICT_WARN },
	{ "store-free-space", { store_small }, VERDICT_WARN },
	{ "store-free-space", { store_full }, VERDICT_REFUSE },
	{ "store-free-space", { store_full, waived }, VERDICT_PASS },
	{ "store-free-space", { store_unknown }, VERDICT_UNKNOWN },
	{ "server-free-space", { server_full }, VERDICT_REFUSE },
	{ "server-free-space", { server_full, no_restore }, VERDICT_PASS },
	{ "server-free-space", { server_full, no_restore, drill }, VERDICT_REFUSE },
	{ "server-free-space", { server_disk_unknown }, VERDICT_UNKNOWN },
	{ "invalid-indexes", { invalid_index }, VERDICT_REFUSE },
	{ "invalid-indexes", { invalid_index, nothing_restored }, VERDICT_WARN },
	{ "extension-versions", { extension }, VERDICT_REFUSE },
	{ "extension-versions", { extension, nothing_restored }, VERDICT_WARN },
	{ "name-bound-extensions", { pg_cron }, VERDICT_REFUSE },
	{ "name-bound-extensions", { pg_cron, no_restore }, VERDICT_WARN },
	{ "logical-slots", { slot }, VERDICT_REFUSE },
	{ "logical-slots", { slot, no_restore }, VERDICT_WARN },
	{ "subscriptions", { subscription }, VERDICT_REFUSE },
	{ "subscriptions", { subscription, no_restore }, VERDICT_WARN },
	{ "prepared-transactions", { prepared }, VERDICT_REFUSE },
	{ "prepared-transactions", { prepared, waived }, VERDICT_WARN },
	{ "running-dumps", { running_dump }, VERDICT_REFUSE },
	{ "running-dumps", { running_dump, no_ladder }, VERDICT_REFUSE },
	{ "unmodelled-objects", { unmodelled }, VERDICT_WARN },
	{ "others-writes", { others_write }, VERDICT_WARN },
	{ "others-writes", { others_write, no_ladder }, VERDICT_PASS },
	{ "others-writes", { writes_unknown }, VERDICT_UNKNOWN },
	{ "standbys", { has_standby }, VERDICT_WARN },
	{ "standbys", { has_standby, no_restore }, VERDICT_PASS },
	{ "replay-lag", { standby_behind }, VERDICT_REFUSE },
	{ "replay-lag", { has_standby }, VERDICT_PASS },
	{ "replay-lag", { lag_unknown }, VERDICT_UNKNOWN },
	{ "unfinished-run", { unfinished }, VERDICT_REFUSE },
	{ "one-head", { two_heads }, VERDICT_WARN },
	{ "one-head", { two_heads_for_one }, VERDICT_REFUSE },
	{ "one-head", { two_in_database }, VERDICT_WARN },
	{ "downgrades", { no_downgrade }, VERDICT_WARN },
	{ "proofs", { irreversible }, VERDICT_WARN },
	{ "proofs", { irreversible, no_restore }, VERDICT_REFUSE },
	{ "proofs", { irreversible, waived }, VERDICT_REFUSE },
	{ "proofs", { irreversible, no_ladder }, VERDICT_WARN },
	{ "proofs", { losing }, VERDICT_PASS },
	{ "proofs", { losing, no_restore }, VERDICT_WARN },
	{ "proofs", { losing, irreversible, no_restore }, VERDICT_REFUSE },
	{ "rehearsal", { rehearsed }, VERDICT_PASS },
	{ "rehearsal", { unrehearsed }, VERDICT_PASS },
	{ "rehearsal", { rehearsed, long_ago }, VERDICT_WARN },
	{ "rehearsal", { rehearsed, nobody_knows_when }, VERDICT_REFUSE },
	{ "rehearsal", { rehearsed, too_long }, VERDICT_REFUSE },
	{ "rehearsal", { rehearsed, long_ago, too_long }, VERDICT_REFUSE },
	{ "rehearsal", { rehearsal_fails }, VERDICT_REFUSE },
	{ "way-back", { no_restore }, VERDICT_WARN },
	{ "way-back", { no_ladder }, VERDICT_WARN },
	{ "way-back", { waived }, VERDICT_WARN },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static struct preset *preset(const char *name)
{
	struct preset *p = NULL;
	struct err err = ERR_INIT;

	if (!preset_load(name, &p, &err))
		fail_msg("%s: %s", name, err.msg);
	return p;
}

static const struct finding *find(const struct findings *all, const char *gate)
{
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(all->v[i].gate, gate) == 0)
			return &all->v[i];
	}
	fail_msg("gate %s is not in the table", gate);
	return NULL;
}

static void a_good_situation_passes_every_gate(void **state)
{
	cleanup_preset struct preset *p = preset("production");
	cleanup_findings struct findings found;
	struct facts f = content();
	enum verdict worst;

	(void)state;
	gates_evaluate(&f, p, &found, &worst);
	assert_int_equal(found.n, gates_count());
	for (size_t i = 0; i < found.n; i++) {
		if (found.v[i].verdict != VERDICT_PASS || !*found.v[i].message)
			fail_msg("%s: %s", found.v[i].gate, found.v[i].message);
		assert_string_equal(found.v[i].gate, gates_name(i));
	}
	assert_int_equal(worst, VERDICT_PASS);
}

static void each_gate_answers(void **state)
{
	cleanup_preset struct preset *p = preset("production");

	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		cleanup_findings struct findings found;
		cleanup_facts struct facts f = content();
		const struct finding *one;
		enum verdict worst;

		for (size_t k = 0; k < 3 && cases[i].change[k]; k++)
			cases[i].change[k](&f);
		gates_evaluate(&f, p, &found, &worst);
		one = find(&found, cases[i].gate);
		if (one->verdict != cases[i].verdict)
			fail_msg("case %zu, %s: %s, not %s: %s", i, one->gate, verdict_name(one->verdict),
			         verdict_name(cases[i].verdict), one->message);
		assert_true(worst >= one->verdict);
		assert_true(one->verdict != VERDICT_REFUSE || *one->message);
	}
}

/* A gate that is taken out of the table, or added without a case here, is seen. */
static void every_gate_has_its_cases(void **state)
{
	(void)state;
	assert_int_equal(gates_count(), 34);
	for (size_t i = 0; i < gates_count(); i++) {
		bool tried = false;

		for (size_t k = 0; k < CASES; k++)
			tried |=
				strcmp(cases[k].gate, gates_name(i)) == 0 && cases[k].verdict != VERDICT_PASS;
		if (!tried)
			fail_msg("no case for %s", gates_name(i));
		assert_true(*gates_about(i));
	}
}

static enum verdict verdict_in(const char *name, void (*change)(struct facts *f), const char *gate)
{
	cleanup_preset struct preset *p = preset(name);
	cleanup_findings struct findings found;
	cleanup_facts struct facts f = content();
	enum verdict worst;

	change(&f);
	gates_evaluate(&f, p, &found, &worst);
	return find(&found, gate)->verdict;
}

static void rehearsed_too_long(struct facts *f)
{
	rehearsed(f);
	too_long(f);
}

static void rehearsed_long_ago(struct facts *f)
{
	rehearsed(f);
	long_ago(f);
}

static void presets_differ_where_they_say(void **state)
{
	(void)state;
	assert_int_equal(verdict_in("production", createdb_unknown, "create-database"), VERDICT_REFUSE);
	assert_int_equal(verdict_in("staging", createdb_unknown, "create-database"), VERDICT_REFUSE);
	assert_int_equal(verdict_in("development", createdb_unknown, "create-database"), VERDICT_UNKNOWN);
	assert_int_equal(verdict_in("development", standby_behind, "replay-lag"), VERDICT_PASS);
	assert_int_equal(verdict_in("staging", standby_behind, "replay-lag"), VERDICT_REFUSE);
	assert_int_equal(verdict_in("staging", rehearsal_fails, "rehearsal"), VERDICT_REFUSE);
	assert_int_equal(verdict_in("staging", rehearsed_too_long, "rehearsal"), VERDICT_WARN);
	assert_int_equal(verdict_in("staging", rehearsed_long_ago, "rehearsal"), VERDICT_PASS);
	assert_int_equal(verdict_in("development", rehearsal_fails, "rehearsal"), VERDICT_WARN);
	for (const char *const *name = preset_names(); *name; name++) {
		assert_int_equal(verdict_in(*name, server_disk_unknown, "server-free-space"),
		                 VERDICT_UNKNOWN);
		assert_int_equal(verdict_in(*name, standby, "server-writable"), VERDICT_REFUSE);
	}
}

static char *write_preset(const char *text)
{
	static char path[] = "/tmp/ripcord-preset-XXXXXX.ini";
	int fd;

	snprintf(path, sizeof(path), "/tmp/ripcord-preset-XXXXXX.ini");
	fd = mkstemps(path, 4);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void rehearsals_are_judged_as_a_file_says(void **state)
{
	char *path = write_preset("rehearsal.missing = refuse\nrehearsal.limit=pass\nrehearsal.age = 2d\n");

	(void)state;
	assert_int_equal(verdict_in(path, unrehearsed, "rehearsal"), VERDICT_REFUSE);
	assert_int_equal(verdict_in(path, rehearsed, "rehearsal"), VERDICT_PASS);
	assert_int_equal(verdict_in(path, rehearsed_too_long, "rehearsal"), VERDICT_PASS);
	assert_int_equal(verdict_in(path, rehearsed_long_ago, "rehearsal"), VERDICT_REFUSE);
	assert_int_equal(verdict_in(path, rehearsal_fails, "rehearsal"), VERDICT_REFUSE);
	unlink(path);
}

static void a_file_may_be_a_preset(void **state)
{
	char *path = write_preset(
		"# mine\n\nunknown = show\r\nunknown.server-free-space = refuse\nreplay_lag = 4GiB\n");

	(void)state;
	assert_int_equal(verdict_in(path, createdb_unknown, "create-database"), VERDICT_UNKNOWN);
	assert_int_equal(verdict_in(path, server_disk_unknown, "server-free-space"), VERDICT_REFUSE);
	assert_int_equal(verdict_in(path, standby_behind, "replay-lag"), VERDICT_PASS);
	unlink(path);
}

static void bad_presets_are_named(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *message, *hint;
	} bad[] = {
		{ "unknown = maybe\n", 1, "show or refuse", "" },
		{ "\nunknwon = show\n", 2, "unknown key \"unknwon\"", "" },
		{ "unknown.server-fre-space = show\n", 1, "no gate", "server-free-space" },
		{ "unknown.stores = no\n", 1, "show or refuse", "" },
		{ "replay_lag = far\n", 1, "size", "" },
		{ "rehearsal.failed = no\n", 1, "pass, warn or refuse", "" },
		{ "rehearsal.age = old\n", 1, "duration", "" },
		{ "rehearsal.old = warn\n", 1, "unknown key", "rehearsal.failed" },
		{ "unknown\n", 1, "key = value", "" },
	};
	struct preset *p = NULL;
	struct err unknown = ERR_INIT, absent = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *path = write_preset(bad[i].text);
		struct err err = ERR_INIT;

		assert_false(preset_load(path, &p, &err));
		assert_int_equal(err.code, ERR_USAGE);
		assert_int_equal(err.line, bad[i].line);
		if (!strstr(err.msg, bad[i].message) || !strstr(err.hint, bad[i].hint))
			fail_msg("%s: %s (%s)", bad[i].text, err.msg, err.hint);
		unlink(path);
	}
	assert_false(preset_load("prodution", &p, &unknown));
	assert_int_equal(unknown.code, ERR_USAGE);
	assert_non_null(strstr(unknown.hint, "production"));
	assert_false(preset_load("/nonexistent/preset.ini", &p, &absent));
	assert_int_equal(absent.code, ERR_USAGE);
}

static void long_lists_are_cut(void **state)
{
	cleanup_preset struct preset *p = preset("production");
	cleanup_findings struct findings found;
	cleanup_facts struct facts f = content();
	enum verdict worst;

	(void)state;
	for (int i = 0; i < 10; i++)
		strv_fmt(&f.invalid_indexes, "index_%d", i);
	gates_evaluate(&f, p, &found, &worst);
	assert_string_equal(find(&found, "invalid-indexes")->message,
	                    "invalid indexes: index_0, index_1, index_2, index_3 and 6 more");
}

static void refusals_become_one_error(void **state)
{
	static const struct {
		void (*change[2])(struct facts *f);
		enum err_code code;
		const char *message, *hint;
	} refusals[] = {
		{ { no_createdb }, ERR_REFUSED, "(create-database)", "CREATEDB" },
		{ { store_full }, ERR_BACKUP, "(store-free-space)", "make room" },
		{ { store_fails, store_full }, ERR_BACKUP, "(store-free-space)", "" },
		{ { store_full, not_owner }, ERR_REFUSED, "(store-free-space)", "owner" },
		{ { others_write }, ERR_NONE, "", "" },
	};
	cleanup_preset struct preset *p = preset("production");

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cleanup_findings struct findings found;
		cleanup_facts struct facts f = content();
		struct err err = ERR_INIT;
		enum verdict worst;

		for (size_t k = 0; k < 2 && refusals[i].change[k]; k++)
			refusals[i].change[k](&f);
		gates_evaluate(&f, p, &found, &worst);
		assert_int_equal(findings_allow(&found, &err), worst != VERDICT_REFUSE);
		assert_int_equal(err.code, refusals[i].code);
		assert_non_null(strstr(err.msg, refusals[i].message));
		assert_non_null(strstr(err.hint, refusals[i].hint));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_situation_passes_every_gate),
		cmocka_unit_test(each_gate_answers),
		cmocka_unit_test(every_gate_has_its_cases),
		cmocka_unit_test(presets_differ_where_they_say),
		cmocka_unit_test(rehearsals_are_judged_as_a_file_says),
		cmocka_unit_test(a_file_may_be_a_preset),
		cmocka_unit_test(bad_presets_are_named),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(refusals_become_one_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
