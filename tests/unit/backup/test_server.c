/*
 * Backups of a real server: taken, listed, read, restored, with and without ripcord; and dumps that fail.
 * Runs below tests/pg/with_cluster.sh.
 */
#include "backup/backup.h"

#include "backup/manifest.h"
#include "backup/stores/store.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/db.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sql.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DATABASE "odd 'name' \"é\" a=b"

static char work[] = "/tmp/backuptestXXXXXX"; /* stores, fake programs, password files */
static char *bin_dir;
static struct conninfo *admin, *source;
static struct stores stores;

static bool ok_or_print(bool ok, const struct err *err)
{
	if (!ok)
		print_error("%s\n", err->msg);
	return ok;
}
#define must(call) assert_true(ok_or_print((call), &err))

static struct db *connect_to(const struct conninfo *ci)
{
	struct db *db;
	struct err err = ERR_INIT;

	must(db_open(ci, "test", &db, &err));
	return db;
}

static void run_sql(const struct conninfo *ci, const char *sql)
{
	cleanup_db struct db *db = connect_to(ci);
	struct err err = ERR_INIT;

	must(db_run(db, sql, &err));
}

static int64_t number(const struct conninfo *ci, const char *sql)
{
	cleanup_db struct db *db = connect_to(ci);
	struct err err = ERR_INIT;
	int64_t n;

	must(db_int(db, sql, DB_NO_ARGS, &n, &err));
	return n;
}

static const char schema[] =
	"CREATE SCHEMA \"odd \"\"schema\";"
	"CREATE TABLE plain (id int PRIMARY KEY, t text);"
	"INSERT INTO plain SELECT i, E'line\\nbreak\\\\.\\ttab ' || i FROM generate_series(1, 20000) i;"
	"CREATE TABLE empty (id int); CREATE TABLE \"user\" (a int); INSERT INTO \"user\" VALUES (1), (2);"
	"CREATE TABLE \"odd \"\"schema\".\"tab.le (x) é\" (a int);"
	"INSERT INTO \"odd \"\"schema\".\"tab.le (x) é\" VALUES (1), (2), (3);"
	"CREATE TABLE nocols (); INSERT INTO nocols DEFAULT VALUES; INSERT INTO nocols DEFAULT VALUES;"
	"CREATE TABLE part (id int) PARTITION BY RANGE (id);"
	"CREATE TABLE part_a PARTITION OF part FOR VALUES FROM (0) TO (10);"
	"CREATE TABLE part_b PARTITION OF part FOR VALUES FROM (10) TO (20);"
	"INSERT INTO part SELECT generate_series(5, 14);"
	"CREATE TABLE filler AS SELECT i, sha512(i::text::bytea) || sha512((-i)::text::bytea) AS noise"
	"  FROM generate_series(1, 60000) i;"
	"CREATE MATERIALIZED VIEW mv AS SELECT * FROM plain;"
	"CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);"
	"SELECT lo_from_bytea(4711, 'a large object'), lo_create(4712)";

static struct conninfo *new_database(const char *name)
{
	cleanup_free char *drop = sql_fmt("DROP DATABASE IF EXISTS %I", name);
	cleanup_free char *create = sql_fmt("CREATE DATABASE %I TEMPLATE template0", name);

	run_sql(admin, drop);
	run_sql(admin, create);
	return conninfo_with(admin, "dbname", name);
}

static void open_stores(const char *first, const char *second, struct stores *out)
{
	static const char *const keys[] = { "path" };
	const char *const values[] = { first, second };
	const struct store_config configs[] = {
		{ .name = "first", .type = "file", .keys = keys, .values = &values[0], .n = 1 },
		{ .name = "second", .type = "file", .keys = keys, .values = &values[1], .n = 1 },
	};
	struct err err = ERR_INIT;

	must(stores_open(configs, second ? 2 : 1, out, &err));
}

static int group_setup(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	cancel_install();
	if (!mkdtemp(work))
		return -1;
	must(conninfo_parse(getenv("RIPCORD_TEST_PG"), &admin, &err));
	must(dump_tools_find((int)number(admin, "SELECT current_setting('server_version_num')::int / 10000"),
	                     NULL, &bin_dir, &err));
	source = new_database(DATABASE);
	run_sql(source, schema);
	cleanup_free char *first = path_join(work, "store one"), *second = path_join(work, "second");
	open_stores(first, second, &stores);
	return 0;
}

static void shell(const char *script, const char *arg)
{
	const char *const argv[] = { "/bin/sh", "-euc", script, "sh", work, arg, bin_dir, NULL };
	const struct proc_spec spec = { .argv = argv, .envp = (const char *const *)environ };
	struct proc_result result;
	struct err err = ERR_INIT;

	must(proc_run(&spec, &result, &err));
}

static int group_teardown(void **state)
{
	(void)state;
	stores_close(&stores);
	shell("rm -rf \"$1\"", NULL);
	conninfo_free(source);
	conninfo_free(admin);
	free(bin_dir);
	return 0;
}

static size_t n_files(const char *path)
{
	cleanup_free char *count = mem_fmt("%s/count", work);
	cleanup_buf struct buf b = BUF_INIT(100);
	struct err err = ERR_INIT;

	shell("find \"$2\" -mindepth 1 2>/dev/null | wc -l >\"$1/count\"", path);
	must(file_read(count, &b, &err));
	return (size_t)strtol(b.data, NULL, 10);
}

static int teardown(void **state)
{
	(void)state;
	shell("rm -rf \"$1/store one\" \"$1/second\" \"$1/fake\"", NULL);
	return 0;
}

static struct backup_request request(void)
{
	static const struct backup_extra extras[] = {
		{ .name = "settings.json", .data = "{\"a\":1}", .len = 7 }
	};

	return (struct backup_request){ .source = source,
		                        .bin_dir = bin_dir,
		                        .private_dir = work,
		                        .database = DATABASE,
		                        .system_identifier = "74123",
		                        .engine = "dump",
		                        .level = 3,
		                        .extras = extras,
		                        .n_extras = 1 };
}

static struct manifest *take(const struct backup_request *req)
{
	struct manifest *m;
	struct err err = ERR_INIT;

	must(backup_take(req, &stores, &m, &err));
	return m;
}

/* ------------------------------------------------------------------ the whole way */

static void rows_are_the_databases(const struct manifest *m)
{
	const char *table;
	json_t *rows;
	size_t n = 0;

	json_object_foreach((json_t *)manifest_rows(m), table, rows)
	{
		cleanup_free char *sql = mem_fmt("SELECT count(*) FROM %s", table);
		assert_int_equal(json_integer_value(rows), number(source, sql));
		n++;
	}
	assert_int_equal(n,
	                 number(source,
	                        "SELECT count(*) FROM pg_class c JOIN pg_namespace s ON s.oid = relnamespace"
	                        " WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%'"
	                        " AND nspname <> 'information_schema'"));
}

static void taken_listed_read_and_restored(void **state)
{
	struct backup_request req = request();
	struct strv heads = STRV_INIT;
	cleanup_json json_t *facts = json_pack("{s:s, s:s}", "fingerprint", "abc", "id", "not mine to say");
	cleanup_backup_list struct backup_list l = { .v = NULL };
	struct err err = ERR_INIT;

	(void)state;
	strv_add(&heads, "aaaa");
	strv_add(&heads, "bbbb");
	req.heads = &heads;
	req.facts = facts;
	req.pinned = true;
	req.pin_reason = "run 1";
	cleanup_manifest struct manifest *m = take(&req);
	strv_clear(&heads);
	assert_true(manifest_is_pinned(m));
	assert_string_equal(manifest_str(m, "fingerprint"), "abc");
	assert_non_null(strstr(manifest_folder(m), "-aaaa+bbbb-"));
	rows_are_the_databases(m);

	must(backup_list_read(&stores, &l, &err));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.warnings.n, 0);
	assert_int_equal(l.v[0].stores.n, 2);
	assert_string_equal(manifest_pin_reason(l.v[0].manifest), "run 1");
	assert_string_equal(manifest_id(l.v[0].manifest), manifest_id(m));
	must(backup_read(stores.v[0], l.v[0].manifest, bin_dir, NULL, &err));
	must(backup_read(stores.v[1], l.v[0].manifest, bin_dir, NULL, &err));

	cleanup_conninfo struct conninfo *copy = new_database("copy of 'it' a=b");
	struct restore_request restore = { .target = copy, .bin_dir = bin_dir, .private_dir = work };
	must(backup_restore(&stores, m, &restore, &err));
	assert_int_equal(number(copy, "SELECT count(*) FROM filler"), 60000);
	assert_int_equal(number(copy,
	                        "SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid"
	                        " WHERE datname = current_database()"),
	                 0);
	assert_int_equal(number(copy, "SELECT count(*) FROM pg_subscription"), 1); /* the source's */
	assert_int_equal(
		number(copy, "SELECT count(*) FROM plain WHERE t LIKE E'line\\nbreak\\\\\\\\.\\ttab %'"),
		20000);
	assert_int_equal(number(copy, "SELECT length(lo_get(4711)) + length(lo_get(4712))"), 14);

	cleanup_free char *data = NULL;
	size_t len;
	must(backup_member(&stores, m, "settings.json", &data, &len, &err));
	assert_string_equal(data, "{\"a\":1}");
	free(data);
	data = NULL;
	must(backup_member(&stores, m, "roles.sql", &data, &len, &err));
	assert_non_null(strstr(data, "CREATE ROLE postgres"));
}

static void the_schema_alone_restores(void **state)
{
	struct backup_request req = request();
	cleanup_manifest struct manifest *m = take(&req);
	cleanup_conninfo struct conninfo *copy = new_database("schema only");
	struct restore_request restore = {
		.target = copy, .bin_dir = bin_dir, .private_dir = work, .schema_only = true
	};
	struct err err = ERR_INIT, twice = ERR_INIT;

	(void)state;
	must(backup_restore(&stores, m, &restore, &err));
	assert_int_equal(number(copy, "SELECT count(*) FROM filler"), 0);
	assert_false(backup_restore(&stores, m, &restore, &twice)); /* what is there already is no success */
	assert_int_equal(twice.code, ERR_PROC);
	assert_non_null(strstr(twice.msg, "already exists"));
}

/* docs/recovery.md: not one program of ours. */
static void it_restores_by_hand(void **state)
{
	struct backup_request req = request();
	cleanup_manifest struct manifest *m = take(&req);
	cleanup_conninfo struct conninfo *copy = new_database("by_hand");
	cleanup_free char *tar = mem_fmt("%s/store one/%s/backup.tar", work, manifest_folder(m));

	(void)state;
	setenv("PGHOST", conninfo_get(admin, "host"), 1);
	setenv("PGUSER", "postgres", 1);
	shell("cd \"${2%/*}\"; test \"$(jq -r .object.sha256 manifest.json)\" = \"$(sha256sum <backup.tar | "
	      "cut -c1-64)\";"
	      "test \"$(jq -r .digest manifest.json)\" ="
	      "     \"$(jq -cjS 'del(.digest)' manifest.json | sha256sum | cut -c1-64)\"",
	      tar);
	shell("mkdir \"$1/hand\"; tar xf \"$2\" -C \"$1/hand\"; cd \"$1/hand\";"
	      "cat data/*.zst | zstd -d | \"$3/pg_restore\" --exit-on-error --no-subscriptions -d by_hand;"
	      "zstd -dc roles.sql.zst | grep -q 'CREATE ROLE'; test \"$(zstd -dc settings.json.zst)\" = "
	      "'{\"a\":1}';"
	      "rm -rf \"$1/hand\"",
	      tar);
	assert_int_equal(number(copy, "SELECT count(*) FROM filler"), 60000);
}

/* ------------------------------------------------------------------ failures: nothing listed, nothing left */

static void is_clean_failure(const struct backup_request *req, const struct stores *into, enum err_code code,
                             const char *word)
{
	struct manifest *m;
	struct err err = ERR_INIT;

	bool taken = backup_take(req, into, &m, &err);
	assert_false(taken);
	if (err.code != code || !strstr(err.msg, word))
		fail_msg("expected '%s', got code %d: %s", word, (int)err.code, err.msg);
}

static void nothing_is_left(void)
{
	cleanup_free char *one = path_join(work, "store one"), *second = path_join(work, "second");

	assert_int_equal(n_files(one), 0);
	assert_int_equal(n_files(second), 0);
}

/* Programs that behave as the script says; pg_dumpall is the real one. */
static char *fake_pg_dump(const char *script)
{
	cleanup_free char *text = mem_fmt(
		"#!/bin/sh\ncase $1 in --version) exec '%s/pg_dump' --version;; esac\n%s\n", bin_dir, script);
	char *dir = path_join(work, "fake");
	cleanup_free char *path = path_join(dir, "pg_dump");
	struct err err = ERR_INIT;

	must(file_make_dirs(dir, 0700, &err) && file_replace(path, text, strlen(text), 0700, &err));
	shell("ln -sf \"$3/pg_dumpall\" \"$3/pg_restore\" \"$2/\"", dir);
	return dir;
}

static void fails_with(const char *script, const char *word)
{
	struct backup_request req = request();
	cleanup_free char *real = mem_fmt("R='%s/pg_dump'\n%s", bin_dir, script);
	cleanup_free char *dir = fake_pg_dump(real);

	req.bin_dir = dir;
	is_clean_failure(&req, &stores, ERR_BACKUP, word);
	nothing_is_left();
}

static void a_failing_pg_dump_publishes_nothing(void **state)
{
	(void)state;
	fails_with("\"$R\" \"$@\" | head -c 5000000; echo 'server closed the connection' >&2; exit 1",
	           "server closed the connection");
	fails_with("\"$R\" \"$@\"; echo 'late words' >&2; exit 3", "late words"); /* after its last byte */
	fails_with("kill -9 $$", "signal 9");
	fails_with("exit 0", "wrote nothing");
	fails_with("echo hello", "no archive");
	fails_with("\"$R\" \"$@\" | head -c 5000000; exit 0", "ended");
	fails_with("\"$R\" \"$@\" | head -c 3000; exit 0", "ended");
}

static void a_lost_database_is_clear(void **state)
{
	struct backup_request req = request();
	cleanup_conninfo struct conninfo *nowhere = conninfo_with(admin, "dbname", "not there");

	(void)state;
	req.source = nowhere;
	is_clean_failure(&req, &stores, ERR_BACKUP, "not there");
	nothing_is_left();
}

/* A tiny file system where we may mount one, else a limit on the size of files. */
static void a_full_disk_leaves_nothing(void **state)
{
	struct backup_request req = request();
	cleanup_free char *full = path_join(work, "full"), *roomy = path_join(work, "second");
	struct rlimit before, low;
	struct stores some;
	struct strv warnings = STRV_INIT;
	struct err err = ERR_INIT;

	(void)state;
	must(file_make_dirs(full, 0700, &err));
	bool mounted = mount("tmpfs", full, "tmpfs", 0, "size=1m") == 0;
	if (!mounted) {
		getrlimit(RLIMIT_FSIZE, &before);
		low = (struct rlimit){ .rlim_cur = 1 << 20, .rlim_max = before.rlim_max };
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &low);
	}
	open_stores(full, NULL, &some);
	is_clean_failure(&req, &some, ERR_BACKUP, full);
	assert_int_equal(n_files(full), 0);
	stores_close(&some);

	/* The other store goes on where one is enough. */
	if (mounted) {
		struct manifest *m;
		open_stores(full, roomy, &some);
		is_clean_failure(&req, &some, ERR_BACKUP, full);
		nothing_is_left();
		req.stores_required = 1;
		req.warnings = &warnings;
		must(backup_take(&req, &some, &m, &err));
		assert_int_equal(warnings.n, 1);
		assert_non_null(strstr(warnings.v[0], full));
		assert_int_equal(n_files(full), 0);
		assert_int_equal(manifest_stores(m)->n, 1);
		assert_string_equal(manifest_stores(m)->v[0], "second");
		must(backup_read(some.v[1], m, bin_dir, NULL, &err));
		strv_clear(&warnings);
		manifest_free(m);
		stores_close(&some);
		umount(full);
	} else {
		setrlimit(RLIMIT_FSIZE, &before);
	}
}

static void more_stores_than_there_are_are_refused(void **state)
{
	struct backup_request req = request();

	(void)state;
	req.stores_required = 3;
	is_clean_failure(&req, &stores, ERR_USAGE, "3 stores");
	nothing_is_left();
}

/* ------------------------------------------------------------------ reading back */

static void damage(const struct manifest *m, const char *store, const char *script)
{
	cleanup_free char *tar = mem_fmt("%s/%s/%s/backup.tar", work, store, manifest_folder(m));
	shell(script, tar);
}

static void damage_is_found_and_the_other_store_used(void **state)
{
	struct backup_request req = request();
	cleanup_manifest struct manifest *m = take(&req);
	struct err err = ERR_INIT, gone = ERR_INIT;

	(void)state;
	/* Another byte than the one that is there, whatever that is. */
	damage(m, "store one",
	       "was=$(od -An -tu1 -j2000000 -N1 \"$2\"); printf \"\\\\$(printf %o $((255 - was)))\" |"
	       " dd of=\"$2\" bs=1 seek=2000000 conv=notrunc status=none");
	assert_false(backup_read(stores.v[0], m, bin_dir, NULL, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "store first"));
	assert_non_null(strstr(err.msg, "data/000001.zst"));

	cleanup_conninfo struct conninfo *copy = new_database("from the second");
	struct restore_request restore = { .target = copy, .bin_dir = bin_dir, .private_dir = work };
	struct err fine = ERR_INIT;
	assert_true(ok_or_print(backup_restore(&stores, m, &restore, &fine), &fine));
	assert_int_equal(number(copy, "SELECT count(*) FROM filler"), 60000);

	damage(m, "second", "rm \"$2\"");
	assert_false(backup_read(stores.v[1], m, bin_dir, NULL, &gone));
	assert_int_equal(gone.code, ERR_BACKUP);
}

static void tools_of_another_major_are_refused(void **state)
{
	char *dir;
	struct err err = ERR_INIT, none = ERR_INIT;

	(void)state;
	assert_false(dump_tools_find(97, bin_dir, &dir, &err));
	assert_int_equal(err.code, ERR_REFUSED);
	assert_false(dump_tools_find(97, NULL, &dir, &none));
	assert_int_equal(none.code, ERR_REFUSED);
	assert_non_null(strstr(none.hint, "postgresql-client-97"));
}

/* The fence's last place is pg_dump's: a plain owner, a limit of one, and the roles read elsewhere. */
static void one_place_is_enough(void **state)
{
	struct backup_request req = request();

	(void)state;
	run_sql(admin, "DROP DATABASE IF EXISTS fenced");
	run_sql(admin, "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN");
	run_sql(admin, "CREATE DATABASE fenced OWNER plain CONNECTION LIMIT 1");
	cleanup_conninfo struct conninfo *plain = conninfo_with(admin, "user", "plain");
	cleanup_conninfo struct conninfo *fenced = conninfo_with(plain, "dbname", "fenced");
	run_sql(fenced, "CREATE TABLE t (a int)");
	while (number(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'fenced'") > 0)
		clock_sleep_ms(10);
	req.source = fenced;
	req.maintenance = plain;
	for (int i = 0; i < 3; i++) {
		cleanup_manifest struct manifest *m = take(&req);
		assert_int_equal(json_object_size(manifest_rows(m)), 1);
		while (number(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'fenced'") > 0)
			clock_sleep_ms(10);
	}
	run_sql(admin, "DROP DATABASE fenced");
	run_sql(admin, "DROP ROLE plain");
}

static void a_snapshot_is_used(void **state)
{
	struct backup_request req = request();
	cleanup_db struct db *db = connect_to(source);
	cleanup_free char *snapshot = NULL;
	struct err err = ERR_INIT;

	(void)state;
	must(db_run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ", &err));
	must(db_value(db, "SELECT pg_export_snapshot()", DB_NO_ARGS, &snapshot, &err));
	run_sql(source, "INSERT INTO empty VALUES (1)");
	req.snapshot = snapshot;
	cleanup_manifest struct manifest *m = take(&req);
	assert_int_equal(json_integer_value(json_object_get(manifest_rows(m), "public.empty")), 0);
	must(db_run(db, "ROLLBACK", &err));
	run_sql(source, "TRUNCATE empty");
	req.snapshot = "00000003-0000001B-1";
	is_clean_failure(&req, &stores, ERR_BACKUP, "snapshot");
}

#define T(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(taken_listed_read_and_restored),
		T(the_schema_alone_restores),
		T(it_restores_by_hand),
		T(a_failing_pg_dump_publishes_nothing),
		T(a_lost_database_is_clear),
		T(a_full_disk_leaves_nothing),
		T(more_stores_than_there_are_are_refused),
		T(damage_is_found_and_the_other_store_used),
		T(tools_of_another_major_are_refused),
		T(one_place_is_enough),
		T(a_snapshot_is_used),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
