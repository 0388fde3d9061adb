#include "runner/facts.h"

#include "base/cleanup.h"
#include "base/file.h"
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

/* Needs a server: ctest runs it by tests/pg/with_cluster.sh, which sets RIPCORD_TEST_PG. */
static char folder[] = "/tmp/ripcord-facts-XXXXXX";
static char *ini_path;
static struct config *config;
static struct stores stores;

#define DATABASE "shop \"x\""

static void sure(bool ok, const struct err *err)
{
	if (!ok)
		fail_msg("%s", err->msg);
}

static struct db *open_as(const char *role, const char *database)
{
	cleanup_conninfo struct conninfo *ci = NULL;
	cleanup_conninfo struct conninfo *as = NULL;
	cleanup_conninfo struct conninfo *there = NULL;
	struct db *db = NULL;
	struct err err = ERR_INIT;

	sure(conninfo_parse(getenv("RIPCORD_TEST_PG"), &ci, &err), &err);
	as = conninfo_with(ci, "user", role);
	there = conninfo_with(as, "dbname", database);
	sure(db_open(there, "test_facts", &db, &err), &err);
	return db;
}

static void run(const char *role, const char *database, const char *sql)
{
	cleanup_db struct db *db = open_as(role, database);
	struct err err = ERR_INIT;

	sure(db_run(db, sql, &err), &err);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	struct config_source source;

	(void)state;
	if (!getenv("RIPCORD_TEST_PG") || !mkdtemp(folder))
		return -1;
	ini_path = path_join(folder, "ripcord.ini");
	source = (struct config_source){ .path = ini_path };
	sure(file_replace(ini_path, "", 0, 0600, &err) && config_load(&source, &config, &err), &err);
	sure(stores_open(config->store_configs, config->n_store_configs, &stores, &err), &err);
	run("postgres", "postgres",
	    "CREATE ROLE owner LOGIN CREATEDB; CREATE ROLE \"other's\" LOGIN; CREATE ROLE reader LOGIN;");
	run("postgres", "postgres", "CREATE DATABASE \"shop \"\"x\"\"\" OWNER owner");
	run("owner", DATABASE, "CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE s;");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stores_close(&stores);
	config_free(config);
	unlink(ini_path);
	rmdir(folder);
	free(ini_path);
	return 0;
}

static void gather(const char *role, struct facts *out)
{
	cleanup_db struct db *db = open_as(role, DATABASE);
	struct err err = ERR_INIT;

	*out = (struct facts){ .role = NULL };
	sure(facts_gather(config, db, &stores, out, &err), &err);
	assert_int_equal(db_tx_status(db), 'I');
	if (out->unasked.n > 0)
		fail_msg("not answered: %s", out->unasked.v[0]);
}

static void assert_listed(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strstr(list->v[i], text))
			return;
	}
	fail_msg("\"%s\" is not among %zu", text, list->n);
}

static void assert_known(struct fact_bool fact, bool value)
{
	assert_int_equal(fact.known, FACT_KNOWN);
	assert_int_equal(fact.value, value);
}

static void an_owner_can_do_all_of_it(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	gather("owner", &f);
	assert_string_equal(f.role, "owner");
	assert_string_equal(f.database, DATABASE);
	assert_true(f.server_version >= 140000);
	assert_known(f.is_standby, false);
	assert_known(f.read_only, false);
	assert_known(f.track_counts, true);
	assert_known(f.is_superuser, false);
	assert_known(f.can_create_db, true);
	assert_known(f.owns_database, true);
	assert_known(f.can_read_all, true);
	assert_known(f.can_terminate, false);
	assert_int_equal(f.database_bytes.known, FACT_KNOWN);
	assert_true(f.database_bytes.value > 1000000);
	assert_int_equal(f.heads_in_database, 0);
	assert_int_equal(f.n_stores, 1);
	assert_string_equal(f.stores[0].name, "local");
	assert_true(f.stores[0].free_bytes.known == FACT_KNOWN && f.stores[0].free_bytes.value > 0);
	assert_string_equal(f.backup_verify, "restore");
	assert_true(f.ladder_restores && f.ladder_downgrades);
	assert_int_equal(f.unrestorable.n, 0);
	assert_int_equal(f.invalid_indexes.n + f.logical_slots.n + f.subscriptions.n + f.prepared_xacts.n, 0);
	assert_int_equal(f.extensions_missing.n + f.name_bound_extensions.n + f.standbys.n, 0);
	assert_non_null(f.pg_dump_dir);
}

static void a_reader_can_do_little(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	gather("reader", &f);
	assert_known(f.can_create_db, false);
	assert_known(f.owns_database, false);
	assert_known(f.can_read_all, false);
	assert_listed(&f.unrestorable, "objects of role owner");
}

static void a_superuser_meets_no_limits(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	gather("postgres", &f);
	assert_known(f.is_superuser, true);
	assert_known(f.can_create_db, true);
	assert_known(f.owns_database, true);
	assert_known(f.can_terminate, true);
	assert_known(f.can_read_all, true);
	assert_int_equal(f.superuser_sessions.n, 0);
}

static void what_the_owner_cannot_restore_is_named(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	run("postgres", DATABASE,
	    "CREATE FUNCTION noop() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
	    "ALTER FUNCTION noop() OWNER TO owner;"
	    "CREATE EVENT TRIGGER \"Watch\" ON ddl_command_end EXECUTE FUNCTION noop();"
	    "CREATE PUBLICATION everything FOR ALL TABLES; ALTER PUBLICATION everything OWNER TO postgres;"
	    "CREATE TABLE \"of postgres\" (id int); GRANT SELECT ON \"of postgres\" TO owner;"
	    "CREATE FUNCTION in_c() RETURNS int LANGUAGE internal AS 'pg_backend_pid';"
	    "ALTER DATABASE \"shop \"\"x\"\"\" SET log_min_messages = 'error';");
	gather("owner", &f);
	assert_listed(&f.unrestorable, "event trigger \"Watch\"");
	assert_listed(&f.unrestorable, "publication everything for all tables");
	assert_listed(&f.unrestorable, "objects of role postgres");
	assert_listed(&f.unrestorable, "in_c() in language internal");
	assert_listed(&f.unrestorable, "setting log_min_messages");
	facts_clear(&f);
	gather("postgres", &f);
	assert_int_equal(f.unrestorable.n, 0);
	run("postgres", DATABASE,
	    "DROP EVENT TRIGGER \"Watch\"; DROP FUNCTION noop(); DROP PUBLICATION everything;"
	    "DROP TABLE \"of postgres\"; DROP FUNCTION in_c();"
	    "ALTER DATABASE \"shop \"\"x\"\"\" RESET ALL;");
}

static void objects_in_the_way_are_named(void **state)
{
	cleanup_db struct db *inserter = open_as("owner", DATABASE);
	cleanup_facts struct facts f;
	struct err failed = ERR_INIT;

	(void)state;
	run("owner", DATABASE, "CREATE TABLE twice (id int); INSERT INTO twice VALUES (1), (1);");
	assert_false(db_run(inserter, "CREATE UNIQUE INDEX CONCURRENTLY broken ON twice (id)", &failed));
	run("postgres", DATABASE,
	    "CREATE SUBSCRIPTION sub CONNECTION 'dbname=nowhere' PUBLICATION p"
	    " WITH (connect = false, slot_name = NONE)");
	gather("owner", &f);
	assert_listed(&f.invalid_indexes, "broken");
	assert_listed(&f.subscriptions, "sub");
	run("postgres", DATABASE, "DROP SUBSCRIPTION sub");
	run("owner", DATABASE, "DROP TABLE twice");
}

static void row_security_and_large_objects_count_as_rights(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	run("owner", DATABASE, "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY");
	gather("owner", &f);
	assert_known(f.can_read_all, false);
	facts_clear(&f);
	run("owner", DATABASE, "ALTER TABLE t DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY");
	run("postgres", DATABASE, "SELECT lo_create(4711)");
	gather("owner", &f);
	assert_known(f.can_read_all, false);
	facts_clear(&f);
	run("postgres", DATABASE, "GRANT SELECT ON LARGE OBJECT 4711 TO owner");
	gather("owner", &f);
	assert_known(f.can_read_all, true);
	run("postgres", DATABASE, "SELECT lo_unlink(4711)");
}

static void counters_that_are_off_for_a_role_are_seen(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	run("postgres", "postgres", "ALTER ROLE reader SET track_counts = off");
	gather("owner", &f);
	assert_known(f.track_counts, false);
	run("postgres", "postgres", "ALTER ROLE reader RESET track_counts");
}

static void sessions_are_told_apart(void **state)
{
	cleanup_db struct db *super = open_as("postgres", DATABASE);
	cleanup_db struct db *other = open_as("other's", DATABASE);
	cleanup_db struct db *same = open_as("owner", DATABASE);
	cleanup_facts struct facts f;
	struct err err = ERR_INIT;

	(void)state;
	sure(db_run(same, "SET application_name = 'pg_dump'", &err), &err);
	gather("owner", &f);
	assert_int_equal(f.superuser_sessions.n, 2);
	assert_listed(&f.superuser_sessions, "role postgres");
	assert_listed(&f.superuser_sessions, "role other's");
	assert_int_equal(f.foreign_dumps.n, 1);
	assert_int_equal(db_pid(super) == db_pid(other), 0);
	facts_clear(&f);
	run("postgres", "postgres", "GRANT pg_signal_backend TO owner");
	gather("owner", &f);
	assert_known(f.can_terminate, true);
	assert_int_equal(f.superuser_sessions.n, 1);
	run("postgres", "postgres", "REVOKE pg_signal_backend FROM owner");
}

static void a_hostile_search_path_changes_nothing(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	run("owner", DATABASE,
	    "CREATE SCHEMA evil; CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS "
	    "'SELECT ''off''';"
	    "ALTER ROLE owner IN DATABASE \"shop \"\"x\"\"\" SET search_path = evil, pg_catalog;");
	gather("owner", &f);
	assert_known(f.track_counts, true);
	run("owner", DATABASE,
	    "ALTER ROLE owner IN DATABASE \"shop \"\"x\"\"\" RESET search_path; DROP SCHEMA evil CASCADE");
}

static void the_servers_disk_is_known_by_its_pid_file(void **state)
{
	char *data = path_join(folder, "data");
	char *pid_file = path_join(data, "postmaster.pid");
	static const char text[] = "123\n/x\n1700000000\n5432\n/tmp\n*\n";
	struct server_place place = { NULL, data, "", "5432", 1700000003 };
	struct server_place elsewhere = place, another_port = place, another_start = place, unseen = place;
	struct err err = ERR_INIT;

	(void)state;
	elsewhere.address = "10.1.2.3";
	another_port.port = "5433";
	another_start.started_s += 1000;
	unseen.data_directory = NULL;
	assert_int_equal(facts_server_free(&place).known, FACT_UNKNOWN);
	sure(file_make_dirs(data, 0700, &err) && file_replace(pid_file, text, strlen(text), 0600, &err),
	     &err);
	assert_int_equal(facts_server_free(&place).known, FACT_KNOWN);
	assert_true(facts_server_free(&place).value > 0);
	assert_int_equal(facts_server_free(&elsewhere).known, FACT_UNKNOWN);
	assert_int_equal(facts_server_free(&another_port).known, FACT_UNKNOWN);
	assert_int_equal(facts_server_free(&another_start).known, FACT_UNKNOWN);
	assert_int_equal(facts_server_free(&unseen).known, FACT_UNKNOWN);
	unlink(pid_file);
	rmdir(data);
	free(pid_file);
	free(data);
}

/* The cluster of this test runs on this machine: a superuser who may read its folder sees the disk. */
static void the_disk_of_this_cluster_is_seen(void **state)
{
	cleanup_facts struct facts f;

	(void)state;
	gather("postgres", &f);
	assert_int_equal(f.server_free_bytes.known, geteuid() == 0 ? FACT_KNOWN : f.server_free_bytes.known);
	facts_clear(&f);
	gather("owner", &f);
	assert_int_equal(f.server_free_bytes.known, FACT_UNKNOWN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_owner_can_do_all_of_it),
		cmocka_unit_test(a_reader_can_do_little),
		cmocka_unit_test(a_superuser_meets_no_limits),
		cmocka_unit_test(what_the_owner_cannot_restore_is_named),
		cmocka_unit_test(objects_in_the_way_are_named),
		cmocka_unit_test(row_security_and_large_objects_count_as_rights),
		cmocka_unit_test(counters_that_are_off_for_a_role_are_seen),
		cmocka_unit_test(sessions_are_told_apart),
		cmocka_unit_test(a_hostile_search_path_changes_nothing),
		cmocka_unit_test(the_servers_disk_is_known_by_its_pid_file),
		cmocka_unit_test(the_disk_of_this_cluster_is_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
