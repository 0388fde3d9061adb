#include "runner/config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char folder[] = "/tmp/ripcord-config-XXXXXX";
static char *ini_path, *env_path;

static void write_file(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	assert_true(file_replace(path, text, strlen(text), 0600, &err));
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	ini_path = path_join(folder, "ripcord.ini");
	env_path = path_join(folder, ".env");
	unsetenv("DATABASE_URL");
	setenv("RIPCORD_TEST_SET", "set value", 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(ini_path);
	unlink(env_path);
	rmdir(folder);
	free(ini_path);
	free(env_path);
	return 0;
}

static int no_env(void **state)
{
	(void)state;
	unlink(env_path);
	return 0;
}

static bool load(const char *text, const char *override, struct config **out, struct err *err)
{
	cleanup_strv struct strv overrides = STRV_INIT;
	struct config_source source = { .path = ini_path, .overrides = &overrides };

	write_file(ini_path, text);
	if (override)
		strv_add(&overrides, override);
	return config_load(&source, out, err);
}

static struct config *good(const char *text, const char *override)
{
	struct config *c = NULL;
	struct err err = ERR_INIT;

	if (!load(text, override, &c, &err))
		fail_msg("%s: line %d: %s (%s)", text, err.line, err.msg, err.hint);
	return c;
}

static void assert_below(const char *path, const char *name)
{
	cleanup_free char *whole = path_join(folder, name);

	assert_string_equal(path, whole);
}

static void defaults_are_the_contracts(void **state)
{
	struct config *c = good("", NULL);

	(void)state;
	assert_below(c->migrations, "migrations");
	assert_below(c->state_dir, ".ripcord");
	assert_string_equal(c->version_table, "alembic_version");
	assert_null(c->version_schema);
	assert_false(c->whole);
	assert_null(c->url);
	assert_string_equal(c->maintenance_db, "postgres");
	assert_null(c->role);
	assert_string_equal(c->engine, "dump");
	assert_int_equal(c->stores.n, 1);
	assert_int_equal(c->stores_required, 0);
	assert_int_equal(c->level, 3);
	assert_int_equal(c->threads, 0);
	assert_int_equal(c->recipients.n, 0);
	assert_int_equal(c->verify, BACKUP_VERIFY_RESTORE);
	assert_string_equal(c->keep, "last:7 daily:14 weekly:8");
	assert_int_equal(c->max_bytes, 0);
	assert_int_equal(c->server_free_bytes, -1);
	assert_int_equal(c->n_store_configs, 1);
	assert_string_equal(c->store_configs[0].name, "local");
	assert_string_equal(c->store_configs[0].type, "file");
	assert_int_equal(c->store_configs[0].n, 1);
	assert_string_equal(c->store_configs[0].keys[0], "path");
	assert_below(c->store_configs[0].values[0], "backups");
	assert_true(c->on_failure_downgrade && c->on_failure_restore);
	assert_int_equal(c->writes, WRITES_DETECT);
	assert_false(c->fence_hooks_inside || c->fence_on_stuck_closed);
	assert_int_equal(c->lock_timeout_ms, 2000);
	assert_int_equal(c->lock_budget_ms, 300000);
	assert_int_equal(c->lock_hold_ms, 10000);
	assert_int_equal(c->statement_timeout_ms, 0);
	assert_int_equal(c->accept_after_ms, INT64_C(7) * 86400000);
	assert_string_equal(c->preset, "production");
	assert_int_equal(c->n_hooks, 0);
	config_free(c);
}

/* What init writes is a configuration, and says nothing but the defaults. */
static void the_template_is_the_defaults(void **state)
{
	cleanup_free char *text = config_template();
	struct config *c;

	(void)state;
	write_file(env_path, "DATABASE_URL=postgres://here/app\n");
	c = good(text, NULL);
	assert_string_equal(c->url, "postgres://here/app");
	assert_int_equal(c->writes, WRITES_DETECT);
	assert_int_equal(c->n_store_configs, 1);
	assert_non_null(strstr(text, "\nlock_timeout = 2s\n"));
	assert_non_null(strstr(text, "\nrole =\n"));
	config_free(c);
}

static const char everything[] = "# comment\n"
				 "[ripcord]\n"
				 "migrations = /srv/m\n"
				 "version_table_schema = app\n"
				 "transaction = whole\n"
				 "[database]\n"
				 "url = postgresql://${RIPCORD_TEST_SET}@h/d ; with # signs\n"
				 "server_free = 20GiB\n"
				 "[backup]\n"
				 "stores = local,\n"
				 "  # a comment in between\n"
				 "\n"
				 "    second\n"
				 "\tthird\n"
				 "verify = drill\n"
				 "[store second]\n"
				 "type = file\n"
				 "path = more/backups\n"
				 "[store third]\n"
				 "type = s3\n"
				 "bucket = b\n"
				 "secret_key = ${RIPCORD_TEST_SET}\n"
				 "[guard]\n"
				 "on_failure =\n"
				 "writes = accept-loss\n"
				 "fence_on_stuck = closed\n"
				 "[schema]\n"
				 "from = replay\n"
				 "[hook b]\n"
				 "phase = after-upgrade\n"
				 "sql = SELECT count(*)\n"
				 "  FROM t\n"
				 "expect = 3\n"
				 "[hook a]\n"
				 "phase = always\n"
				 "command = ./x 'a b' # c\n"
				 "shell = yes\n"
				 "timeout = 5s\n"
				 "attempts = 4\n"
				 "[hook c]\n"
				 "phase = on-failure\n"
				 "url = https://example.com/health?a=1;b=2\n"
				 "status = 204\n";

static void every_kind_of_value_is_read(void **state)
{
	struct config *c = good(everything, NULL);

	(void)state;
	assert_string_equal(c->migrations, "/srv/m");
	assert_string_equal(c->version_schema, "app");
	assert_true(c->whole);
	assert_string_equal(c->url, "postgresql://set value@h/d ; with # signs");
	assert_int_equal(c->server_free_bytes, INT64_C(20) << 30);
	assert_int_equal(c->verify, BACKUP_VERIFY_DRILL);
	assert_int_equal(c->n_store_configs, 3);
	assert_string_equal(c->store_configs[1].name, "second");
	assert_below(c->store_configs[1].values[0], "more/backups");
	assert_string_equal(c->store_configs[2].type, "s3");
	assert_int_equal(c->store_configs[2].n, 2);
	assert_string_equal(c->store_configs[2].values[1], "set value");
	assert_false(c->on_failure_downgrade || c->on_failure_restore);
	assert_int_equal(c->writes, WRITES_ACCEPT_LOSS);
	assert_true(c->fence_on_stuck_closed);
	config_free(c);
}

static void hooks_keep_the_files_order(void **state)
{
	struct config *c = good(everything, NULL);

	(void)state;
	assert_int_equal(c->n_hooks, 3);
	assert_string_equal(c->hooks[0].name, "b");
	assert_int_equal(c->hooks[0].phase, HOOK_AFTER_UPGRADE);
	assert_non_null(strstr(c->hooks[0].sql, "FROM t"));
	assert_string_equal(c->hooks[0].expect, "3");
	assert_int_equal(c->hooks[0].timeout_ms, 60000);
	assert_int_equal(c->hooks[0].attempts, 1);
	assert_int_equal(c->hooks[1].phase, HOOK_ALWAYS);
	assert_string_equal(c->hooks[1].command, "./x 'a b' # c");
	assert_true(c->hooks[1].shell);
	assert_int_equal(c->hooks[1].timeout_ms, 5000);
	assert_int_equal(c->hooks[1].attempts, 4);
	assert_int_equal(c->hooks[2].phase, HOOK_ON_FAILURE);
	assert_string_equal(c->hooks[2].url, "https://example.com/health?a=1;b=2");
	assert_int_equal(c->hooks[2].status, 204);
	config_free(c);
}

static const struct {
	const char *text;
	int line;
	const char *message, *hint;
} bad[] = {
	{ "[guard]\nlock_timout = 2s\n", 2, "unknown key \"lock_timout\" in [guard]", "\"lock_timeout\"" },
	{ "\n# x\n[ripcord]\nlock_timeout = 2s\n", 4, "unknown key", "belongs in [guard]" },
	{ "[ripcord]\nxyzzy = 1\n", 2, "unknown key \"xyzzy\"", "man 5" },
	{ "[gaurd]\nwrites = detect\n", 2, "unknown section [gaurd]", "[guard]" },
	{ "[wholly other]\na = 1\n", 2, "unknown section", "[store NAME]" },
	{ "[hook]\nphase = always\n", 2, "unknown section [hook]", "[hook NAME]" },
	{ "[store]\ntype = file\n", 2, "unknown section [store]", "[store NAME]" },
	{ "[guard]\nwrites = detekt\n", 2, "writes cannot be \"detekt\"", "accept-loss" },
	{ "[guard]\non_failure = rollback\n", 2, "on_failure must be", "" },
	{ "[guard]\non_failure = restore, downgrade\n", 2, "order", "" },
	{ "[guard]\nlock_timeout = 0\n", 2, "lock_timeout must be a duration above 0", "" },
	{ "[guard]\nlock_timeout = soon\n", 2, "lock_timeout must be a duration", "" },
	{ "[backup]\nlevel = 30\n", 2, "level must be", "" },
	{ "[backup]\nmax_bytes = many\n", 2, "max_bytes must be a size", "" },
	{ "[backup]\nengine = physical\n", 2, "engine \"physical\"", "dump" },
	{ "[backup]\nrecipients = me@example.com\n", 2, "neither an age public key nor a file", "age1" },
	{ "[backup]\nrecipients = AGE-SECRET-KEY-1X\n", 2, "recipients holds an age private key", "public" },
	{ "[backup]\nidentity = AGE-SECRET-KEY-1X\n", 2, "identity holds an age private key",
	  "name the file" },
	{ "[backup]\nkeep = last:x\n", 2, "keep must be", "" },
	{ "[backup]\nkeep = fortnightly:2\n", 2, "keep must be", "" },
	{ "[backup]\nstores =\n", 2, "no store", "" },
	{ "[backup]\nstores_required = 2\n", 2, "stores_required is 2", "" },
	{ "[backup]\nstores = locl\n[store local]\npath = x\n", 2, "no section [store locl]", "\"local\"" },
	{ "[backup]\nstores = b\n[store b]\npath = x\n", 0, "[store b] has no type", "file" },
	{ "[backup]\nstores = b\n[store b]\ntype = file\n", 0, "[store b] has no path", "" },
	{ "[store local]\npath =\n", 2, "path is empty", "" },
	{ "[store local]\npth = x\n", 2, "unknown key \"pth\"", "\"path\"" },
	{ "[ripcord]\nstate_dir = ${NOT_SET_HERE}/x\n", 2, "${NOT_SET_HERE} is not set", "NOT_SET_HERE" },
	{ "[hook x]\ncommand = a\n", 2, "[hook x] has no phase", "after-upgrade" },
	{ "[hook x]\nphase = later\ncommand = a\n", 2, "phase cannot be \"later\"", "after-upgrade" },
	{ "[hook x]\nphase = always\n", 2, "none of command, sql and url", "" },
	{ "[hook x]\nphase = always\nsql = SELECT 1\ncommand = a\n", 2, "more than one", "" },
	{ "[hook x]\nphase = always\ncommand = a\nexpect = 1\n", 2, "expect goes with sql", "" },
	{ "[hook x]\nphase = always\ncommand = a\nstatus = 200\n", 4, "status goes with url", "" },
	{ "[hook x]\nphase = always\nsql = SELECT 1\nshell = yes\n", 2, "shell goes with command", "" },
	{ "[hook x]\nphase = always\nurl = ftp://x\n", 3, "http://", "" },
	{ "[hook x]\nphase = after-write\nsql = SELECT 1\n", 2, "after-write goes with command", "" },
	{ "[hook x]\nphase = after-write\nurl = http://x\n", 2, "after-write goes with command", "" },
	{ "[hook x]\nphase = after-write\nshell = yes\ncommand = x REVISION_SCRIPT_FILENAME\n", 2,
	  "does not go with shell", "RIPCORD_FILE" },
	{ "[guard]\nwrites = detect\nwrites = fence\n", 3, "\"writes\" is given twice", "remove" },
	{ "[guard]\nwrites = detect\n[policy]\npreset=x\n[guard]\nwrites = fence\n", 6, "given twice", "" },
	{ "[guard]\nnonsense\n", 2, "neither [section] nor key = value", "#" },
	{ "[guard\nwrites = fence\n", 1, "does not end with ]", "" },
	{ "[guard]\n= fence\n", 2, "no key before", "" },
	{ "  [guard]\nwrites = fence\n", 1, "indented", "" },
	{ "[guard]\n# \xff\nwrites = fence\n", 2, "not UTF-8", "UTF-8" },
};

static void mistakes_have_a_line_and_a_way_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *c = NULL;
		struct err err = ERR_INIT;

		if (load(bad[i].text, NULL, &c, &err))
			fail_msg("taken: %s", bad[i].text);
		assert_int_equal(err.code, ERR_USAGE);
		if (err.line != bad[i].line || !strstr(err.msg, bad[i].message) ||
		    !strstr(err.hint, bad[i].hint))
			fail_msg("%s: line %d: %s (%s)", bad[i].text, err.line, err.msg, err.hint);
		assert_true(err.line == 0 || strcmp(err.file, ini_path) == 0);
	}
}

static void crlf_and_a_byte_order_mark_are_taken(void **state)
{
	struct config *c =
		good("\xef\xbb\xbf[guard]\r\nwrites = fence\r\n\r\n[ripcord]\r\nstate_dir = x\r\n", NULL);

	(void)state;
	assert_int_equal(c->writes, WRITES_FENCE);
	assert_below(c->state_dir, "x");
	config_free(c);
}

static void long_values_are_whole(void **state)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	struct config *c;

	(void)state;
	buf_str(&text, "[hook x]\nphase = always\nsql = SELECT '");
	for (int i = 0; i < 100000; i++)
		buf_char(&text, 'x');
	buf_str(&text, "'\n");
	c = good(buf_text(&text), NULL);
	assert_int_equal(strlen(c->hooks[0].sql), 100000 + strlen("SELECT ''"));
	config_free(c);
}

static void overrides_win(void **state)
{
	static const char text[] =
		"[guard]\nwrites = fence\n[store local]\npath = a\n[store my.site]\ntype = file\n"
		"path = b\n[backup]\nstores = local my.site\n[hook h]\nphase = always\nsql = x\n";
	struct config *c;

	(void)state;
	c = good(text, "guard.writes=accept-loss");
	assert_int_equal(c->writes, WRITES_ACCEPT_LOSS);
	config_free(c);
	c = good(text, "store.local.path=/else where");
	assert_int_equal(c->store_configs[0].n, 1);
	assert_string_equal(c->store_configs[0].values[0], "/else where");
	config_free(c);
	c = good(text, "store.my.site.path=/c=d");
	assert_string_equal(c->store_configs[1].values[0], "/c=d");
	config_free(c);
	c = good(text, "hook.h.timeout=5s");
	assert_int_equal(c->n_hooks, 1);
	assert_int_equal(c->hooks[0].timeout_ms, 5000);
	config_free(c);
	c = good("", "store.local.path=/new");
	assert_string_equal(c->store_configs[0].values[0], "/new");
	config_free(c);
}

static void bad_overrides_are_named(void **state)
{
	static const struct {
		const char *override, *message, *hint;
	} cases[] = {
		{ "guard.writes", "-x guard.writes is not section.key=value", "" },
		{ "writes=fence", "-x writes is not section.key=value", "" },
		{ ".writes=fence", "not section.key=value", "" },
		{ "guard.=fence", "not section.key=value", "" },
		{ "guard.writez=fence", "unknown key \"writez\"", "writes" },
		{ "guard.writes=nope", "-x, [guard] writes: writes cannot be", "accept-loss" },
		{ "gaurd.writes=fence", "unknown section [gaurd]", "guard" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = NULL;
		struct err err = ERR_INIT;

		if (load("", cases[i].override, &c, &err))
			fail_msg("taken: %s", cases[i].override);
		assert_int_equal(err.code, ERR_USAGE);
		if (!strstr(err.msg, cases[i].message) || !strstr(err.hint, cases[i].hint))
			fail_msg("%s: %s (%s)", cases[i].override, err.msg, err.hint);
	}
}

static void a_url_is_needed_only_by_who_asks(void **state)
{
	struct config *c = good("[database]\nurl = ${RIPCORD_NO_SUCH_URL}\n", NULL);
	struct conninfo *ci = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_null(c->url);
	assert_false(config_database(c, &ci, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.msg, "${RIPCORD_NO_SUCH_URL} is not set"));
	assert_int_equal(err.line, 2);
	config_free(c);
}

static void a_password_in_the_file_is_seen(void **state)
{
	static const struct {
		const char *text;
		bool secret;
	} cases[] = {
		{ "[database]\nurl = postgres://u:pw@h/d\n", true },
		{ "[database]\nurl = host=h password=pw\n", true },
		{ "[database]\nurl = postgres://u:${RIPCORD_TEST_SET}@h/d\n", false },
		{ "[database]\nurl = postgres://u@h:5432/d\n", false },
		{ "[store s]\ntype = s3\nsecret_key = abc\n", true },
		{ "[store s]\ntype = s3\nsecret_key = ${RIPCORD_TEST_SET}\n", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = good(cases[i].text, NULL);

		if (c->has_secrets_in_file != cases[i].secret)
			fail_msg("%s", cases[i].text);
		config_free(c);
	}
}

static void files_that_are_named_must_be_there(void **state)
{
	struct config_source no_config = { .path = "/tmp/nonexistent-ripcord.ini" };
	struct config_source no_env_file = { .path = ini_path, .env_file = "/tmp/nonexistent-ripcord.env" };
	struct config *c = NULL;
	struct err first = ERR_INIT, second = ERR_INIT;

	(void)state;
	assert_false(config_load(&no_config, &c, &first));
	assert_int_equal(first.code, ERR_USAGE);
	assert_non_null(strstr(first.msg, "nonexistent-ripcord.ini"));
	write_file(ini_path, "");
	assert_false(config_load(&no_env_file, &c, &second));
	assert_int_equal(second.code, ERR_USAGE);
	assert_non_null(strstr(second.msg, "nonexistent-ripcord.env"));
}

static void words_and_rows_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_keys_count(); i++) {
		const struct config_key *key = config_key_at(i);

		assert_true(*key->about && *key->values);
		assert_false(text_ends(key->about, "."));
		if (strcmp(key->key, "writes") == 0)
			assert_non_null(strstr(key->values, writes_name(WRITES_ACCEPT_LOSS)));
		if (strcmp(key->key, "verify") == 0)
			assert_string_equal(key->fallback, verify_name(BACKUP_VERIFY_RESTORE));
	}
	assert_string_equal(hook_phase_name(HOOK_BEFORE_BACKUP), "before-backup");
	assert_string_equal(hook_phase_name(HOOK_ALWAYS), "always");
}

/* The row of docs/configuration.md that says what the table says. */
static char *documented_row(const struct config_key *key)
{
	cleanup_buf struct buf row = BUF_INIT(BUF_TEXT_MAX);

	buf_fmt(&row, "| `%s` | ", key->key);
	buf_fmt(&row, *key->fallback ? "`%s` | " : "%s| ", key->fallback);
	for (const char *c = key->values; *c; c++) {
		if (*c == '|')
			buf_char(&row, '\\');
		buf_char(&row, *c);
	}
	buf_fmt(&row, " | %s |\n", key->about);
	return buf_take(&row);
}

static void the_page_is_the_table(void **state)
{
	cleanup_buf struct buf page = BUF_INIT(BUF_TEXT_MAX);
	const char *from;
	size_t rows = 0;
	struct err err = ERR_INIT;

	(void)state;
	if (!file_read(RIPCORD_SOURCE "/docs/configuration.md", &page, &err))
		fail_msg("%s", err.msg);
	from = buf_text(&page);
	for (size_t i = 0; i < config_keys_count(); i++) {
		cleanup_free char *row = documented_row(config_key_at(i));

		from = strstr(from, row); /* in the table's order */
		if (!from)
			fail_msg("docs/configuration.md has not, or not here: %s", row);
	}
	for (const char *c = buf_text(&page); (c = strstr(c, "\n| `")); c++)
		rows++;
	assert_int_equal(rows, config_keys_count());
}

/* The keys that are documented for a type of store are keys that it takes. */
static void stores_know_their_keys(void **state)
{
	static const char prefix[] = "store NAME, type = ";
	size_t n_asked = 0;

	(void)state;
	for (size_t i = 0; i < config_keys_count(); i++) {
		const struct config_key *key = config_key_at(i);
		const char *value = "1";
		struct store_config store = { .name = "s", .keys = &key->key, .values = &value, .n = 1 };
		cleanup_stores struct stores stores = { .v = NULL };
		struct err err = ERR_INIT;

		if (strncmp(key->section, prefix, strlen(prefix)) != 0 || strcmp(key->key, "type") == 0)
			continue;
		store.type = key->section + strlen(prefix);
		n_asked++;
		if (!stores_open(&store, 1, &stores, &err) && strstr(err.msg, "unknown key"))
			fail_msg("%s", err.msg);
	}
	assert_true(n_asked > 30);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores_know_their_keys),
		cmocka_unit_test_setup(defaults_are_the_contracts, no_env),
		cmocka_unit_test(the_template_is_the_defaults),
		cmocka_unit_test_setup(every_kind_of_value_is_read, no_env),
		cmocka_unit_test(hooks_keep_the_files_order),
		cmocka_unit_test(mistakes_have_a_line_and_a_way_out),
		cmocka_unit_test(crlf_and_a_byte_order_mark_are_taken),
		cmocka_unit_test(long_values_are_whole),
		cmocka_unit_test(overrides_win),
		cmocka_unit_test(bad_overrides_are_named),
		cmocka_unit_test(a_url_is_needed_only_by_who_asks),
		cmocka_unit_test(a_password_in_the_file_is_seen),
		cmocka_unit_test(files_that_are_named_must_be_there),
		cmocka_unit_test(words_and_rows_agree),
		cmocka_unit_test(the_page_is_the_table),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
