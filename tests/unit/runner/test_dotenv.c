#include "runner/dotenv.h"

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
#include <cmocka.h>

static char folder[] = "/tmp/ripcord-dotenv-XXXXXX";
static char *path;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	path = path_join(folder, ".env");
	setenv("RIPCORD_TEST_OUTSIDE", "from outside", 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	free(path);
	return 0;
}

static bool load(const char *text, size_t len, struct dotenv **out, struct err *err)
{
	struct err written = ERR_INIT;

	assert_true(file_replace(path, text, len, 0600, &written));
	return dotenv_load(path, out, err);
}

static const struct {
	const char *text, *name, *value; /* value NULL: not set */
} good[] = {
	{ "A=b", "A", "b" },
	{ "A=b\n", "A", "b" },
	{ "export A=b\n", "A", "b" },
	{ "  export\tA=b\n", "A", "b" },
	{ "A = b\n", "A", "b" },
	{ "A=b\r\nB=c\r\n", "A", "b" },
	{ "A=\"b\"\r\nB=c\r\n", "B", "c" },
	{ "\xef\xbb\xbf"
	  "A=b\n",
	  "A", "b" },
	{ "# a comment\n\n   # another\nA=b\n", "A", "b" },
	{ "A=\n", "A", "" },
	{ "A=''\n", "A", "" },
	{ "A=\"\"", "A", "" },
	{ "A= # nothing\n", "A", "" },
	{ "A=b # said\n", "A", "b" },
	{ "A=b#c\n", "A", "b#c" },
	{ "A=#c\n", "A", "#c" },
	{ "A=\"b # c\" # said\n", "A", "b # c" },
	{ "A='b # c'\n", "A", "b # c" },
	{ "A=b c  \n", "A", "b c" },
	{ "A=it's\n", "A", "it's" },
	{ "A='it\\'s'\n", "A", "it's" },
	{ "A='a\\nb'\n", "A", "a\\nb" },
	{ "A=\"a\\nb\\t\\\"c\\\" \\\\ \\$x\"\n", "A", "a\nb\t\"c\" \\ $x" },
	{ "A=\"C:\\dir\"\n", "A", "C:\\dir" },
	{ "A=a\\nb\n", "A", "a\\nb" },
	{ "A=\"one\ntwo\"\nB=c\n", "A", "one\ntwo" },
	{ "A=\"one\r\ntwo\"\r\n", "A", "one\ntwo" },
	{ "A='one\ntwo'\n", "A", "one\ntwo" },
	{ "A=one\nA=two\n", "A", "two" },
	{ "A\nexport B\nC=d\n", "C", "d" },
	{ "A\n", "A", NULL },
	{ "export=b\n", "export", "b" },
	{ "export = b\n", "export", "b" },
	{ "A=b=c==\n", "A", "b=c==" },
	{ "A=p$ss$word\n", "A", "p$ss$word" },
	{ "B=c\nA=${B}d\n", "A", "cd" },
	{ "B=c\nA=\"${B} d\"\n", "A", "c d" },
	{ "B=c\nA='${B}'\n", "A", "${B}" },
	{ "A=\"\\${B}\"\n", "A", "${B}" },
	{ "A=$${B}\n", "A", "${B}" },
	{ "A=${NOT_SET_HERE:-d}\n", "A", "d" },
	{ "B=\nA=${B:-d}\n", "A", "d" },
	{ "A=${RIPCORD_TEST_OUTSIDE}\n", "A", "from outside" },
	{ "RIPCORD_TEST_OUTSIDE=from the file\n", "RIPCORD_TEST_OUTSIDE", "from outside" },
	{ "DATABASE_URL=\"postgresql+psycopg2://app:s3cr%23t@localhost:5432/app?sslmode=disable\"\n",
	  "DATABASE_URL", "postgresql+psycopg2://app:s3cr%23t@localhost:5432/app?sslmode=disable" },
	{ "dotted.name-too=x\n", "dotted.name-too", "x" },
	{ "", "A", NULL },
};

static void files_as_people_have_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cleanup_dotenv struct dotenv *d = NULL;
		cleanup_free char *value = NULL;
		struct err err = ERR_INIT;

		if (!load(good[i].text, strlen(good[i].text), &d, &err) ||
		    !dotenv_get(d, good[i].name, &value, &err))
			fail_msg("%s: %s", good[i].text, err.msg);
		if (!good[i].value && value)
			fail_msg("%s: %s is set", good[i].text, good[i].name);
		if (good[i].value && (!value || strcmp(value, good[i].value) != 0))
			fail_msg("%s: %s is \"%s\"", good[i].text, good[i].name, value ? value : "not set");
	}
}

static const struct {
	const char *text;
	int line;
	const char *message;
} bad[] = {
	{ "A=b\nnot a variable\n", 2, "not NAME=value" },
	{ "A: b\n", 1, "not NAME=value" },
	{ "=b\n", 1, "not NAME=value" },
	{ "A=b\n\nB=\"open\nC=d\n", 3, "does not end" },
	{ "A='open", 1, "does not end" },
	{ "A=\"b\"c\n", 1, "more text" },
	{ "B=\"x\ny\"\nA=\"b\" c\n", 3, "more text" },
};

static void broken_lines_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cleanup_dotenv struct dotenv *d = NULL;
		struct err err = ERR_INIT;

		if (load(bad[i].text, strlen(bad[i].text), &d, &err))
			fail_msg("taken: %s", bad[i].text);
		assert_int_equal(err.code, ERR_USAGE);
		assert_string_equal(err.file, path);
		if (err.line != bad[i].line || !strstr(err.msg, bad[i].message))
			fail_msg("%s: line %d: %s", bad[i].text, err.line, err.msg);
	}
}

static void nul_bytes_are_refused(void **state)
{
	cleanup_dotenv struct dotenv *d = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_false(load("A=b\0c\nB=d\n", 10, &d, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

static void a_missing_name_is_an_error_when_asked_for(void **state)
{
	static const char text[] = "FINE=1\n\nA=\"x${NOT_SET_HERE}\"\nSELF=${SELF}\n";
	cleanup_dotenv struct dotenv *d = NULL;
	cleanup_free char *value = NULL;
	char missing[DOTENV_NAME_MAX] = "";
	struct err err = ERR_INIT, circle = ERR_INIT;

	(void)state;
	assert_true(load(text, strlen(text), &d, &err));
	assert_true(dotenv_get(d, "FINE", &value, &err));
	assert_false(dotenv_expand(d, "<${A}>", &value, missing, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_string_equal(missing, "NOT_SET_HERE");
	assert_non_null(strstr(err.msg, "${NOT_SET_HERE} is not set"));
	assert_int_equal(err.line, 3);
	assert_false(dotenv_get(d, "SELF", &value, &circle));
	assert_non_null(strstr(circle.msg, "made of itself"));
}

static void references_are_filled(void **state)
{
	static const struct {
		const char *text, *value; /* value NULL: an error */
	} cases[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "a$b $$ ${A}", "a$b $$ v" },
		{ "$${A}", "${A}" },
		{ "${A}${A}", "vv" },
		{ "${Z:-}", "" },
		{ "${Z:-a:b/c}", "a:b/c" },
		{ "${A:-d}", "v" },
		{ "${Z}", NULL },
		{ "${A", NULL },
		{ "${}", NULL },
		{ "${A B}", NULL },
		{ "${Z:-open", NULL },
	};
	cleanup_dotenv struct dotenv *d = NULL;
	struct err none = ERR_INIT;

	(void)state;
	assert_true(load("A=v\n", 4, &d, &none));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *value = NULL;
		struct err err = ERR_INIT;
		bool ok = dotenv_expand(d, cases[i].text, &value, NULL, &err);

		if (ok != (cases[i].value != NULL) || (ok && strcmp(value, cases[i].value) != 0))
			fail_msg("%s: %s", cases[i].text, ok ? value : err.msg);
		assert_true(ok || err.code == ERR_USAGE);
	}
}

static void a_named_file_must_be_there(void **state)
{
	cleanup_dotenv struct dotenv *d = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_false(dotenv_load("/nonexistent/.env", &d, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.msg, "/nonexistent/.env"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_as_people_have_them),
		cmocka_unit_test(broken_lines_are_named),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(a_missing_name_is_an_error_when_asked_for),
		cmocka_unit_test(references_are_filled),
		cmocka_unit_test(a_named_file_must_be_there),
	};

	unsetenv("DATABASE_URL"); /* the environment wins over the files that are tried here */
	return cmocka_run_group_tests(tests, setup, teardown);
}
