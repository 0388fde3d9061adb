/* A real SSH server and a real WebDAV server as stores: tests/net/with_servers.sh starts both. */
#include "backup/stores/store.h"

#include "base/cancel.h"
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG ((size_t)5 * 1024 * 1024 + 13) /* more than every buffer on the way */

static char *files; /* what both servers serve */
static char *place; /* the store's folder in it */

struct setting {
	const char *key, *value;
};

static struct stores stores;

static bool open_store(const char *type, const struct setting *settings, struct err *err)
{
	const char *keys[16], *values[16];
	struct store_config config = { .name = "remote", .type = type, .keys = keys, .values = values };

	for (; settings[config.n].key; config.n++) {
		keys[config.n] = settings[config.n].key;
		values[config.n] = settings[config.n].value;
	}
	return stores_open(&config, 1, &stores, err);
}

static char *net_path(const char *name) { return path_join(getenv("RIPCORD_TEST_NET"), name); }

static void open_sftp(const char *key_name, const char *passphrase, const char *known)
{
	cleanup_free char *key = net_path(key_name), *known_hosts = net_path(known);
	const struct setting settings[] = {
		{ "host", "127.0.0.1" },
		{ "port", getenv("RIPCORD_TEST_SSH_PORT") },
		{ "user", getenv("RIPCORD_TEST_USER") },
		{ "path", place },
		{ "key_file", key },
		{ "key_passphrase", passphrase },
		{ "known_hosts_file", known_hosts },
		{ "attempts", "2" },
		{ "stall_timeout", "20s" },
		{ NULL, NULL },
	};
	struct err err = ERR_INIT;

	assert_true(open_store("sftp", settings, &err));
}

static void open_http(const char *base, const char *user, const char *password, const char *token)
{
	cleanup_free char *url =
		mem_fmt("http://127.0.0.1:%s%s/place", getenv("RIPCORD_TEST_HTTP_PORT"), base);
	const struct setting settings[] = {
		{ "url", url },     { "user", user },    { "password", password },
		{ "token", token }, { "attempts", "2" }, { NULL, NULL },
	};
	struct err err = ERR_INIT;

	assert_true(open_store("http", settings, &err));
}

/* Each test runs on both kinds; the folder has what has to be quoted in it. */
static void each(void (*test)(struct store *s))
{
	free(place);
	place = path_join(files, "bearer/it's \"a\" pl\xc3\xa4 ce%");
	open_sftp("client_key", "", "known_hosts");
	test(stores.v[0]);
	stores_close(&stores);
	free(place);
	place = path_join(files, "place");
	open_http("", "backup", "s3cr3t \xc3\xbc", "");
	test(stores.v[0]);
	stores_close(&stores);
}

static char *pattern(size_t len)
{
	char *data = mem_new0(len);

	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	return data;
}

static void put(struct store *s, const char *key, const char *text)
{
	struct err err = ERR_INIT;

	if (!store_put(s, key, text, strlen(text), &err))
		fail_msg("%s", err.msg);
}

static void is_object(struct store *s, const char *key, const char *text)
{
	cleanup_buf struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;

	if (!store_get(s, key, &b, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(buf_text(&b), text);
}

static void is_listed(struct store *s, const char *expected)
{
	cleanup_strv struct strv keys = STRV_INIT;
	struct err err = ERR_INIT;

	if (!store_list(s, &keys, &err))
		fail_msg("%s", err.msg);
	strv_sort(&keys);
	cleanup_free char *is = strv_join(&keys, " ");
	assert_string_equal(is, expected);
}

static void drop(struct store *s, const char *key)
{
	struct err err = ERR_INIT;

	if (!store_remove(s, key, &err))
		fail_msg("%s", err.msg);
}

static int mode_of(const char *name)
{
	cleanup_free char *path = path_join(place, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return (int)(st.st_mode & 0777);
}

static bool is_there(const char *name)
{
	cleanup_free char *path = path_join(place, name);
	return file_exists(path);
}

static void come_and_go(struct store *s)
{
	is_listed(s, "");
	put(s, "db%20x-1/T-a+b-1/manifest.json", "one");
	put(s, "db%20x-1/T-a+b-1/pinned.json", "two");
	put(s, "db%20x-1/T-base-2/manifest.json", "three");
	is_listed(s, "db%20x-1/T-a+b-1/manifest.json db%20x-1/T-a+b-1/pinned.json "
	             "db%20x-1/T-base-2/manifest.json");
	is_object(s, "db%20x-1/T-a+b-1/pinned.json", "two");
	put(s, "db%20x-1/T-a+b-1/pinned.json", "another, longer");
	put(s, "db%20x-1/T-a+b-1/pinned.json", "short");
	is_object(s, "db%20x-1/T-a+b-1/pinned.json", "short");
	assert_int_equal(mode_of("db%20x-1/T-a+b-1/pinned.json") & 077, 0);
	assert_int_equal(mode_of("db%20x-1/T-a+b-1") & 077, 0);
	drop(s, "db%20x-1/T-a+b-1/manifest.json");
	is_listed(s, "db%20x-1/T-a+b-1/pinned.json db%20x-1/T-base-2/manifest.json");
	drop(s, "db%20x-1/T-a+b-1/pinned.json");
	drop(s, "db%20x-1/T-a+b-1/pinned.json"); /* a missing one is fine */
	is_listed(s, "db%20x-1/T-base-2/manifest.json");
	assert_false(is_there("db%20x-1/T-a+b-1"));
	drop(s, "db%20x-1/T-base-2/manifest.json");
	is_listed(s, "");
}

static void objects_come_and_go(void **state)
{
	(void)state;
	each(come_and_go);
}

static void upload(struct store *s, const char *key, const char *data, size_t len)
{
	struct upload *u = NULL;
	struct err err = ERR_INIT;

	if (!upload_begin(s, key, &u, &err))
		fail_msg("%s", err.msg);
	for (size_t at = 0, piece = 1000003; at < len; at += piece)
		if (!upload_write(u, data + at, len - at < piece ? len - at : piece, &err))
			fail_msg("%s", err.msg);
	is_listed(s, "");
	if (!upload_finish(&u, &err))
		fail_msg("%s", err.msg);
}

static void read_from(struct store *s, const char *key, size_t offset, const char *data, size_t len)
{
	cleanup_download struct download *d = NULL;
	cleanup_free char *back = mem_new0(len + 1);
	struct err err = ERR_INIT;
	size_t have = 0, got;

	if (!download_begin(s, key, (int64_t)offset, &d, &err))
		fail_msg("%s", err.msg);
	do {
		if (!download_read(d, back + have, len + 1 - have, &got, &err))
			fail_msg("%s", err.msg);
		have += got;
	} while (got > 0 && have <= len);
	assert_int_equal(have, len - offset);
	assert_memory_equal(back, data + offset, have);
}

static void stream(struct store *s)
{
	cleanup_free char *data = pattern(BIG);

	upload(s, "db-1/b/backup.tar", data, BIG);
	is_listed(s, "db-1/b/backup.tar");
	read_from(s, "db-1/b/backup.tar", 0, data, BIG);
	read_from(s, "db-1/b/backup.tar", BIG - 100, data, BIG);
	read_from(s, "db-1/b/backup.tar", 1, data, BIG);
	assert_int_equal(mode_of("db-1/b/backup.tar") & 077, 0);
	drop(s, "db-1/b/backup.tar");
}

static void a_stream_comes_back(void **state)
{
	(void)state;
	each(stream);
}

static void give_up(struct store *s)
{
	cleanup_free char *data = pattern(BIG);
	struct upload *u = NULL;
	struct err err = ERR_INIT;

	assert_true(upload_begin(s, "db-1/b/backup.tar", &u, &err));
	assert_true(upload_write(u, data, BIG, &err));
	upload_abort(&u);
	is_listed(s, "");
	assert_false(is_there("db-1/b"));
}

static void an_aborted_upload_leaves_nothing(void **state)
{
	(void)state;
	each(give_up);
}

static void cut_behind(struct store *s)
{
	cleanup_free char *data = pattern(BIG);
	struct upload *u = NULL;
	struct err err = ERR_INIT;

	assert_true(upload_begin(s, "db-1/b/backup.tar", &u, &err));
	assert_true(upload_write(u, data, BIG, &err));
	/* Somebody truncates what the server has: only a look afterwards can tell. */
	cleanup_free char *command =
		mem_fmt("for f in '%s'/bearer/*/db-1/b/.part-*; do truncate -s 1000 \"$f\"; done", files);
	if (strcmp(s->ops->type, "sftp") != 0) {
		upload_abort(&u); /* nginx keeps the body elsewhere until its end */
		return;
	}
	assert_int_equal(system(command), 0);
	assert_false(upload_finish(&u, &err));
	assert_int_equal(err.code, ERR_BACKUP);
	is_listed(s, "");
	assert_false(is_there("db-1/b"));
}

static void a_cut_upload_is_seen(void **state)
{
	(void)state;
	each(cut_behind);
}

/* A crash between two renames of SFTP: NAME.old is all there is. */
static void old_stands_for_new(void **state)
{
	cleanup_free char *from = NULL, *to = NULL;

	(void)state;
	free(place);
	place = path_join(files, "bearer/x");
	open_sftp("client_key", "", "known_hosts");
	struct store *s = stores.v[0];
	put(s, "db-1/b/pinned.json", "pinned");
	from = path_join(place, "db-1/b/pinned.json");
	to = mem_fmt("%s.old", from);
	assert_int_equal(rename(from, to), 0);
	is_listed(s, "db-1/b/pinned.json");
	is_object(s, "db-1/b/pinned.json", "pinned");
	put(s, "db-1/b/pinned.json", "again");
	assert_false(is_there("db-1/b/pinned.json.old"));
	is_object(s, "db-1/b/pinned.json", "again");
	assert_int_equal(rename(from, to), 0);
	drop(s, "db-1/b/pinned.json");
	is_listed(s, "");
	stores_close(&stores);
}

static void fails_with(const char *words)
{
	struct strv keys = STRV_INIT;
	struct err put_err = ERR_INIT, list_err = ERR_INIT;

	assert_false(store_put(stores.v[0], "db-1/b/x", "x", 1, &put_err));
	assert_int_equal(put_err.code, ERR_BACKUP);
	if (!strstr(put_err.msg, words))
		fail_msg("'%s' lacks '%s'", put_err.msg, words);
	assert_false(store_list(stores.v[0], &keys, &list_err));
	assert_int_equal(list_err.code, ERR_BACKUP);
	strv_clear(&keys);
	stores_close(&stores);
}

static void strangers_are_refused(void **state)
{
	(void)state;
	free(place);
	place = path_join(files, "bearer/x");
	open_sftp("other_key", "", "known_hosts");
	fails_with("store remote");
	open_sftp("locked_key", "wrong", "known_hosts");
	fails_with("store remote");
	open_sftp("locked_key", "open sesame", "known_hosts");
	put(stores.v[0], "db-1/b/x", "x");
	drop(stores.v[0], "db-1/b/x");
	stores_close(&stores);
	open_sftp("client_key", "", "no_such_file");
	fails_with("not in known_hosts");
	open_http("", "backup", "wrong", "");
	fails_with("HTTP status 401");
	open_http("/bearer", "", "", "wrong");
	fails_with("HTTP status 401");
	open_http("/bearer", "", "", "t0ken");
	put(stores.v[0], "db-1/b/x", "x");
	drop(stores.v[0], "db-1/b/x");
	stores_close(&stores);
}

static void a_changed_host_key_is_refused(void **state)
{
	cleanup_free char *known = net_path("known_changed"), *new_key = net_path("new_host_key.pub");
	cleanup_buf struct buf key = BUF_INIT(1000), line = BUF_INIT(2000);
	struct err err = ERR_INIT;

	(void)state;
	assert_true(file_read(new_key, &key, &err));
	buf_fmt(&line, "[127.0.0.1]:%s %s", getenv("RIPCORD_TEST_SSH_PORT"), buf_text(&key));
	assert_true(file_replace(known, line.data, line.len, 0644, &err));
	open_sftp("client_key", "", "known_changed");
	fails_with("not the one in known_hosts");
}

static void an_unreachable_server_is_clear(void **state)
{
	const struct setting sftp[] = { { "host", "127.0.0.1" }, { "port", "1" },     { "user", "u" },
		                        { "path", "x" },         { "attempts", "2" }, { NULL, NULL } };
	const struct setting http[] = { { "url", "http://127.0.0.1:1/x" },
		                        { "attempts", "2" },
		                        { NULL, NULL } };
	struct err err = ERR_INIT;

	(void)state;
	assert_true(open_store("sftp", sftp, &err));
	fails_with("127.0.0.1");
	assert_true(open_store("http", http, &err));
	fails_with("127.0.0.1");
}

static void refused(const char *type, const struct setting *settings, const char *words)
{
	struct err err = ERR_INIT;

	assert_false(open_store(type, settings, &err));
	assert_int_equal(err.code, ERR_USAGE);
	if (!strstr(err.msg, words))
		fail_msg("'%s' lacks '%s'", err.msg, words);
}

static void bad_settings_are_refused(void **state)
{
	static const struct setting bad[][4] = {
		{ { "url", "http://backup.example.com/x" } },
		{ { "url", "https://u:p@h/x" } },
		{ { "url", "https://h/x?sig=1" } },
		{ { "url", "ftp://h/x" } },
		{ { "url", "http://127.0.0.1.example.com/" } },
		{ { "url", "https://h" }, { "attempts", "0" } },
		{ { "url", "https://h" }, { "stall_timeout", "0" } },
		{ { "user", "u" } },
		{ { "url", "https://h" }, { "user", "u" }, { "token", "t" } },
	};
	static const struct setting ok[][4] = {
		{ { "url", "http://backup.example.com/x" }, { "allow_http", "yes" } },
		{ { "url", "http://[::1]:80/x" } },
		{ { "url", "http://localhost/x" } },
		{ { "url", "https://h/" } },
	};
	static const struct setting no_user[] = { { "host", "h" }, { "path", "p" }, { NULL, NULL } };
	static const struct setting bad_host[] = {
		{ "host", "u@h" }, { "path", "p" }, { "user", "u" }, { NULL, NULL }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused("http", bad[i], "[store remote]");
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		struct err err = ERR_INIT;
		assert_true(open_store("http", ok[i], &err));
		stores_close(&stores);
	}
	refused("sftp", no_user, "needs user");
	refused("sftp", bad_host, "host");
}

static void check(struct store *s)
{
	struct err err = ERR_INIT;

	if (!store_check(s, &err))
		fail_msg("%s", err.msg);
	is_listed(s, "");
}

static void a_check_leaves_nothing(void **state)
{
	(void)state;
	each(check);
}

static int begin(void **state)
{
	(void)state;
	files = net_path("files");
	return 0;
}

static int end(void **state)
{
	(void)state;
	free(files);
	free(place);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_and_go),
		cmocka_unit_test(a_stream_comes_back),
		cmocka_unit_test(an_aborted_upload_leaves_nothing),
		cmocka_unit_test(a_cut_upload_is_seen),
		cmocka_unit_test(old_stands_for_new),
		cmocka_unit_test(strangers_are_refused),
		cmocka_unit_test(a_changed_host_key_is_refused),
		cmocka_unit_test(an_unreachable_server_is_clear),
		cmocka_unit_test(bad_settings_are_refused),
		cmocka_unit_test(a_check_leaves_nothing),
	};
	/* A proxy would answer in our servers' place. */
	static const char *const proxies[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		unsetenv(proxies[i]);
	cancel_install();
	return cmocka_run_group_tests(tests, begin, end);
}
