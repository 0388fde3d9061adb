/* What others are told of backups, and by which name an installation goes. */
#include "runner/upkeep/installation.h"
#include "runner/upkeep/upkeep.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void only_what_happened_has_a_metric(void **state)
{
	cleanup_json json_t *nothing = json_object();
	cleanup_json json_t *failed =
		json_pack("{s:{s:I, s:i}}", "backup", "attempt_us", (json_int_t)1795342500123456, "exit", 7);
	cleanup_free char *none = upkeep_metrics("app", nothing), *some = upkeep_metrics("app", failed);

	(void)state;
	assert_string_equal(none, "");
	assert_non_null(strstr(
		some, "\nripcord_backup_attempt_timestamp_seconds{database=\"app\"} 1795342500.123\n"));
	assert_non_null(strstr(some, "\nripcord_backup_attempt_exit_status{database=\"app\"} 7.000\n"));
	assert_null(strstr(some, "newest"));
}

/* The text format escapes backslash, quote and newline in a label's value. */
static void a_label_holds_any_name(void **state)
{
	cleanup_json json_t *kept = json_pack("{s:{s:i}}", "prune", "exit", 0);
	cleanup_free char *text = upkeep_metrics("a\"b\\c\nd \303\244", kept);

	(void)state;
	assert_non_null(strstr(text, "{database=\"a\\\"b\\\\c\\nd \303\244\"} 0.000\n"));
}

static char *name_of(const char *url, const char *configured)
{
	const struct config config = { .url = url, .installation = configured };

	return installation_name(&config);
}

static void an_installation_is_where_the_url_leads(void **state)
{
	char machine[256] = "";
	cleanup_free char *configured = name_of("postgresql://u@db.example/app", "production");
	cleanup_free char *plain = name_of("postgresql://u@db.example/app", NULL);
	cleanup_free char *port = name_of("postgresql://u@db.example:6432/app", NULL);
	cleanup_free char *several = name_of("postgresql://u@a.example:1,b.example:2/app", NULL);
	cleanup_free char *loopback = name_of("postgresql://u@127.0.0.1:5433/app", NULL);
	cleanup_free char *named = name_of("postgresql://u@localhost:5433/app", NULL);
	cleanup_free char *socket = name_of("host=/run/postgresql port=5433 dbname=app", NULL);

	(void)state;
	unsetenv("PGPORT");
	assert_int_equal(gethostname(machine, sizeof(machine) - 1), 0);
	cleanup_free char *here = mem_fmt("%s:5433", machine);
	assert_string_equal(configured, "production");
	assert_string_equal(plain, "db.example:5432");
	assert_string_equal(port, "db.example:6432");
	assert_string_equal(several, "a.example:1");
	assert_string_equal(loopback, here); /* which machine's loopback it is makes the difference */
	assert_string_equal(named, here);
	assert_string_equal(socket, here);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_happened_has_a_metric),
		cmocka_unit_test(a_label_holds_any_name),
		cmocka_unit_test(an_installation_is_where_the_url_leads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
