/* What is refused where a revision is only tried, by its text alone. */
#include "migrations/migrations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *sql;
	bool refused;
} cases[] = {
	{ "CREATE ROLE r", true },
	{ "CREATE USER u PASSWORD 'x'", true },
	{ "ALTER ROLE r SET search_path = a", true },
	{ "ALTER ROLE r IN DATABASE d SET work_mem = '1MB'", true },
	{ "DROP USER u", true },
	{ "GRANT a TO b", true },
	{ "REVOKE a FROM b", true },
	{ "ALTER ROLE a RENAME TO b", true },
	{ "DROP OWNED BY r", true },
	{ "REASSIGN OWNED BY a TO b", true },
	{ "COMMENT ON ROLE r IS 'x'", true },
	{ "CREATE DATABASE d", true },
	{ "ALTER DATABASE d SET work_mem = '1MB'", true },
	{ "ALTER DATABASE d RENAME TO e", true },
	{ "ALTER DATABASE d OWNER TO r", true },
	{ "ALTER DATABASE d CONNECTION LIMIT 0", true },
	{ "COMMENT ON DATABASE d IS 'x'", true },
	{ "GRANT CONNECT ON DATABASE d TO r", true },
	{ "DROP DATABASE d", true },
	{ "CREATE TABLESPACE t LOCATION '/x'", true },
	{ "DROP TABLESPACE t", true },
	{ "GRANT CREATE ON TABLESPACE t TO r", true },
	{ "ALTER SYSTEM SET work_mem = '1MB'", true },
	{ "GRANT SET ON PARAMETER work_mem TO r", true },
	{ "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", true },
	{ "ALTER SUBSCRIPTION s DISABLE", true },
	{ "DROP SUBSCRIPTION s", true },
	{ "ALTER SUBSCRIPTION s OWNER TO r", true },
	{ "COPY t TO PROGRAM 'x'", true },
	{ "COPY t FROM PROGRAM 'x'", true },
	{ "COPY t TO '/x'", true },
	{ "SELECT 1; CREATE TABLE t (a int);\n-- a comment; with a semicolon\nDROP ROLE r", true },
	{ "COPY t FROM '/x'", false },
	{ "CREATE TABLE database (role text)", false },
	{ "GRANT SELECT ON t TO r", false },
	{ "GRANT USAGE ON SCHEMA s TO r", false },
	{ "ALTER TABLE t OWNER TO r", false },
	{ "ALTER TABLE a RENAME TO b", false },
	{ "COMMENT ON TABLE t IS 'DROP ROLE r'", false },
	{ "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r", false },
	{ "CREATE PUBLICATION p FOR ALL TABLES", false },
	{ "SET ROLE r", false },
	{ "SELECT 'CREATE ROLE r; DROP ROLE r'", false },
};

static void the_text_tells(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int down = 0; down < 2; down++) {
			struct revision r = { .id = "a1", .path = "a1.sql" };
			struct section *s = down ? &r.downgrade : &r.upgrade;
			struct err err = ERR_INIT;

			*s = (struct section){
				.present = true, .text = cases[i].sql, .line = 5, .transaction = true
			};
			bool refused = !exec_check_reach(&r, &err);
			if (refused != cases[i].refused)
				fail_msg("%s: %s", cases[i].sql, refused ? err.msg : "allowed");
			if (!refused)
				continue;
			assert_int_equal(err.code, ERR_REFUSED);
			assert_string_equal(err.file, "a1.sql");
			assert_true(err.line >= 5);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_text_tells) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
