/* Database URLs as people have them. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/conninfo.h"
#include "base/file.h"
#include "base/mem.h"
#include "unit.h"

#include <sys/stat.h>

static struct conninfo *parse(const char *url)
{
	struct conninfo *ci = NULL;
	struct err err = ERR_INIT;

	if (!conninfo_parse(url, &ci, &err))
		fail_msg("%s: %s", url, err.msg);
	return ci;
}

/* What a password file would hold: the only way out for a password. */
static char *passfile_of(const struct conninfo *ci)
{
	char *path = NULL;
	struct err err = ERR_INIT;
	struct stat st;
	struct buf b = BUF_INIT(10000);

	assert_true(conninfo_passfile(ci, "/tmp", &path, &err));
	if (!path)
		return mem_strdup("");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(file_read(path, &b, &err));
	unlink(path);
	free(path);
	return buf_take(&b);
}

static void reads_what_people_have(void **state)
{
	(void)state;
	static const struct {
		const char *url, *label, *passfile, *sslmode, *options;
	} cases[] = {
		{ "postgresql://app:pw@db.example.com/shop", "app@db.example.com:5432/shop",
		  "db.example.com:5432:*:app:pw\n", "prefer", NULL },
		{ "postgres://app:pw@h:6432/shop?sslmode=verify-full", "app@h:6432/shop", "h:6432:*:app:pw\n",
		  "verify-full", NULL },
		{ "postgresql+psycopg2://app:p%40s%3As%2Fs@h/shop", "app@h:5432/shop",
		  "h:5432:*:app:p@s\\:s/s\n", "prefer", NULL },
		{ "postgresql+asyncpg://app:pw@h/shop?ssl=true&prepared_statement_cache_size=0",
		  "app@h:5432/shop", "h:5432:*:app:pw\n", "require", NULL },
		{ "postgresql+asyncpg://app@h/shop?ssl=verify-ca&async_fallback=true", "app@h:5432/shop", "",
		  "verify-ca", NULL },
		{ "postgres+psycopg://app@h/shop?ssl=false", "app@h:5432/shop", "", "disable", NULL },
		{ "postgres://app@h/shop?sslmode=no-verify&uselibpqcompat=true", "app@h:5432/shop", "",
		  "require", NULL },
		{ "postgres://app@h/shop?ssl=0&sslmode=require", "app@h:5432/shop", "", "require", NULL },
		{ "postgresql://app@h/shop?schema=My%20Shop&connection_limit=5&pool_timeout=2&pgbouncer=true",
		  "app@h:5432/shop", "", "prefer", "-c search_path=\"My\\ Shop\"" },
		{ "postgresql://app@h/shop?options=-c%20geqo%3Doff&schema=s", "app@h:5432/shop", "", "prefer",
		  "-c geqo=off -c search_path=\"s\"" },
		{ "jdbc:postgresql://h/shop?user=app&password=p%26w&currentSchema=a,b", "app@h:5432/shop",
		  "h:5432:*:app:p&w\n", "prefer", "-c search_path=a,b" },
		{ "postgres://app:a?b@h/shop", "app@h:5432/shop", "h:5432:*:app:a?b\n", "prefer", NULL },
		{ "postgres://app:b%5Cs@[::1]:5433/shop", "app@[::1]:5433/shop",
		  "\\:\\:1:5433:*:app:b\\\\s\n", "prefer", NULL },
		{ "postgres://app:pw@a:1,b:2/shop?target_session_attrs=read-write", "app@a:1,b:2/shop",
		  "a:1:*:app:pw\nb:2:*:app:pw\n", "prefer", NULL },
		{ "postgres://app:pw@a,b:2/shop", "app@a:5432,b:2/shop", "a:5432:*:app:pw\nb:2:*:app:pw\n",
		  "prefer", NULL },
		{ "postgresql:///shop?host=/var/run/postgresql&user=app&password=x",
		  "app@/var/run/postgresql:5432/shop",
		  "/var/run/postgresql:5432:*:app:x\nlocalhost:5432:*:app:x\n", "prefer", NULL },
		{ "host=h port=1 dbname='the shop' user=app password='it\\'s'", "app@h:1/the shop",
		  "h:1:*:app:it's\n", "prefer", NULL },
		{ "user=app password=x", "app@[local]:5432/app", "localhost:5432:*:app:x\n", "prefer", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_conninfo struct conninfo *ci = parse(cases[i].url);
		cleanup_free char *passfile = passfile_of(ci);
		const char *options = conninfo_get(ci, "options");
		assert_string_equal(conninfo_label(ci), cases[i].label);
		assert_string_equal(passfile, cases[i].passfile);
		assert_string_equal(conninfo_get(ci, "sslmode"), cases[i].sslmode);
		assert_string_equal(options ? options : "", cases[i].options ? cases[i].options : "");
	}
}

/* Every password here is "s3cret" or has it in it; no message may. */
static void refuses_without_the_password(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "mysql://app:s3cret@h/shop", "mysql" },
		{ "sqlite:///s3cret.db", "sqlite" },
		{ "postgres://app:s3cret@h/shop?foo=1", "'foo'" },
		{ "postgres://app:s3cret@h/shop?sslmode=verify_full", "verify_full" },
		{ "postgres://app:s3cret@h/shop?host=a&host=b", "'host' twice" },
		{ "postgres://app:s3cret@h/shop?schema", "name=value" },
		{ "postgres://app:s3c@s3cret@h/shop", "'@'" },
		{ "postgres://app:s3cret/x@h/shop", "'@'" },
		{ "postgres://app:12/s3cret@h/shop", "'@'" },
		{ "postgres://app:s3cret/h/shop", "port" },
		{ "postgres://app:s3cret%zz@h/shop", "percent-encoded" },
		{ "postgres://app:s3cret%00@h/shop", "%00" },
		{ "s3cret", "neither" },
		{ "host=h password=a s3cret", "neither" },
		{ "host=h password=a s3cret=x", "keyword" },
		{ "host=h password='s3cret", "no end" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conninfo *ci = NULL;
		struct err err = ERR_INIT;
		if (conninfo_parse(cases[i][0], &ci, &err))
			fail_msg("%s was accepted", cases[i][0]);
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(strstr(err.msg, "s3cret"));
		assert_null(strstr(err.hint, "s3cret"));
		if (!strstr(err.msg, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], err.msg);
	}
}

static void takes_the_environment_and_the_service(void **state)
{
	(void)state;
	char path[] = "/tmp/test_conninfo-XXXXXX";
	static const char service[] = "[shop]\nhost=from-service\nport=7777\ndbname=served\n";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, service, sizeof(service) - 1), sizeof(service) - 1);
	close(fd);
	setenv("PGSERVICEFILE", path, 1);
	setenv("PGHOST", "from-environment", 1);
	setenv("PGUSER", "envuser", 1);

	cleanup_conninfo struct conninfo *plain = parse("postgresql:///shop");
	cleanup_conninfo struct conninfo *served = parse("postgresql://app@/?service=shop");
	unlink(path);
	unsetenv("PGSERVICEFILE");
	unsetenv("PGHOST");
	unsetenv("PGUSER");
	assert_string_equal(conninfo_label(plain), "envuser@from-environment:5432/shop");
	assert_string_equal(conninfo_label(served), "app@from-service:7777/served");
	assert_null(getenv("PGSERVICE"));
}

static void copies_with_another_value(void **state)
{
	(void)state;
	cleanup_conninfo struct conninfo *ci = parse("postgres://app:pw@h/shop");
	cleanup_conninfo struct conninfo *other = conninfo_with(ci, "dbname", "a=b");

	assert_string_equal(conninfo_label(other), "app@h:5432/a=b");
	assert_string_equal(conninfo_dbname(other), "a=b");
	assert_string_equal(conninfo_label(ci), "app@h:5432/shop");
}

static void tells_children(void **state)
{
	(void)state;
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_conninfo struct conninfo *ci =
		parse("postgres://app:s3cret@a,b:2/"
	              "shop?sslmode=require&target_session_attrs=primary&options=-cgeqo%3Doff");
	static const char *const former[] = { "PATH=/bin",      "PGPASSWORD=s3cret",   "PGSERVICE=other",
		                              "PGHOST=other",   "PGHOSTADDR=10.0.0.1", "PGDATABASE=other",
		                              "PGPASSFILE=old", "PGSSLROOTCERT=other" };
	static const char *const wanted[] = {
		"PATH=/bin",       "PGHOST=a,b",           "PGPORT=,2",
		"PGUSER=app",      "PGDATABASE=shop",      "PGSSLMODE=require",
		"PGPASSFILE=/x/y", "PGOPTIONS=-cgeqo=off", "PGTARGETSESSIONATTRS=primary"
	};

	for (size_t i = 0; i < COUNT(former); i++)
		strv_add(&env, former[i]);
	conninfo_child_env(ci, "/x/y", &env);
	for (size_t i = 0; i < COUNT(wanted); i++)
		if (!strv_has(&env, wanted[i]))
			fail_msg("%s is missing", wanted[i]);
	cleanup_free char *all = strv_join(&env, "\n");
	assert_null(strstr(all, "other"));
	assert_null(strstr(all, "s3cret"));
	assert_null(strstr(all, "PGHOSTADDR"));
	assert_null(strstr(all, "PGSERVICE"));
}

static void refuses_what_no_passfile_holds(void **state)
{
	(void)state;
	cleanup_conninfo struct conninfo *ci = parse("postgres://app:s3%0Acret@h/shop");
	char *path = NULL;
	struct err err = ERR_INIT;

	assert_false(conninfo_passfile(ci, "/tmp", &path, &err));
	assert_null(path);
	assert_int_equal(err.code, ERR_USAGE);
}

static void ask_for_password(void)
{
	struct conninfo *ci = parse("postgres://app:pw@h/shop");
	const char *password = conninfo_get(ci, "password");

	puts(password);
}

static void never_gives_the_password(void **state)
{
	(void)state;
	assert_true(aborts(ask_for_password));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_people_have),
		cmocka_unit_test(refuses_without_the_password),
		cmocka_unit_test(takes_the_environment_and_the_service),
		cmocka_unit_test(copies_with_another_value),
		cmocka_unit_test(tells_children),
		cmocka_unit_test(refuses_what_no_passfile_holds),
		cmocka_unit_test(never_gives_the_password),
	};
	/* Whoever runs the tests has a database of his own. */
	static const char *const theirs[] = { "PGHOST",     "PGHOSTADDR", "PGPORT",
		                              "PGUSER",     "PGDATABASE", "PGSERVICE",
		                              "PGPASSWORD", "PGSSLMODE",  "PGOPTIONS" };

	for (size_t i = 0; i < COUNT(theirs); i++)
		unsetenv(theirs[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
