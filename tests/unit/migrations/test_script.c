/* Splitting, transaction control and the difference of texts; none of it needs a server. */
#include "folder.h"

#include "migrations/ledger.h"
#include "migrations/lexer.h"
#include "migrations/parser.h"
#include "migrations/script.h"

static struct section section_of(const char *text)
{
	return (struct section){ .present = true, .text = text, .line = 1, .transaction = true };
}

static const struct revision rev = { .id = "r", .path = "r.sql" };

static size_t lexed_count(const char *text)
{
	struct lexer lexer = { .text = text };
	struct lexed s;
	size_t n = 0;

	while (lex_next(&lexer, &s) == LEX_STATEMENT)
		n++;
	return n;
}

/* The lexer and the grammar agree wherever the grammar knows the text. */
static void statements_end_where_the_grammar_says(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "", 0 },
		{ " ;; -- x\n /* y; */ ;", 0 },
		{ "SELECT 1", 1 },
		{ "SELECT 1; SELECT 2;", 2 },
		{ "SELECT ';'; SELECT \";\" FROM t; SELECT 'it''s;'", 3 },
		{ "SELECT $$;$$; SELECT $a$ $$;$b$; $a$", 2 },
		{ "SELECT E'\\';'; SELECT e'\\\\'; SELECT '\\'", 3 },
		{ "SELECT a$b FROM t; SELECT 1", 2 },
		{ "/* a /* b; */ ; */ SELECT 1; -- ; end", 1 },
		{ "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true "
		  "THEN 1 END; END; SELECT 2",
		  2 },
		{ "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 2;", 2 },
		{ "CREATE FUNCTION my_atomic_begin() RETURNS int LANGUAGE sql AS 'SELECT 1;'; SELECT 2", 2 },
		{ "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); INSERT INTO v VALUES "
		  "(2)); SELECT 1",
		  2 },
		{ "DO $x$BEGIN PERFORM 1; END$x$; SELECT 1", 2 },
		{ "SELECT 'ü;' AS \"ö;\"; SELECT U&'\\0041;'", 2 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct statement *list = NULL;
		size_t n = 0;
		struct err err = ERR_INIT;
		if (!parser_split(cases[i].text, &list, &n, &err))
			fail_msg("case %zu: %s", i, err.msg);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(lexed_count(cases[i].text), cases[i].n);
		free(list);
	}
}

static void what_is_never_closed_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *text, *what;
		int line;
	} cases[] = {
		{ "SELECT 1;\nSELECT 'abc;\n", "a quote that is never closed", 2 },
		{ "SELECT \"abc;\n", "a double quote", 1 },
		{ "\n\nDO $x$ BEGIN $y$;", "a dollar quote", 3 },
		{ "/* /* */ SELECT 1", "a comment", 1 },
		{ "COPY t FROM stdin;\n1\n2\n", "without the end of its data", 1 },
		{ "SELECT 1;\n\\i other.sql\n", "psql's command \\i is not SQL", 2 },
		{ "SELECT 1 \\gset\n", "psql's command \\gset", 1 },
		{ "\\copy t from 'x'\n", "psql's command \\copy", 1 },
		{ "\\restricted x\n", "psql's command \\restricted", 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct section s = section_of(cases[i].text);
		struct script script = { .parts = NULL };
		struct err err = ERR_INIT;
		assert_false(script_make(&rev, &s, &script, &err));
		assert_int_equal(err.code, ERR_USAGE);
		if (!strstr(err.msg, cases[i].what) || err.line != cases[i].line ||
		    strcmp(err.file, "r.sql") != 0)
			fail_msg("case %zu: %s:%d: %s", i, err.file, err.line, err.msg);
	}
}

static void text_without_commands_goes_unsplit(void **state)
{
	(void)state;
	struct section s = section_of("SELECT '\\x';\nSELECT E'\\n'; -- \\d\n");
	struct err err = ERR_INIT;
	cleanup_script struct script script = { .parts = NULL };

	assert_true(script_make(&rev, &s, &script, &err));
	assert_int_equal(script.n, 1);
	assert_string_equal(script.parts[0].sql, s.text);
}

static void copy_data_become_parts(void **state)
{
	(void)state;
	struct section s = section_of("\\restrict k\nSELECT 1;\n\nCOPY a.t (x) FROM stdin WITH (FORMAT "
	                              "text);\n1\t';\n\\\\.\n\\.\nSELECT 2;\n");
	struct err err = ERR_INIT;
	cleanup_script struct script script = { .parts = NULL };

	if (!script_make(&rev, &s, &script, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(script.n, 3);
	assert_null(script.parts[0].data);
	assert_string_equal(script.parts[1].sql, "COPY a.t (x) FROM stdin WITH (FORMAT text);");
	assert_int_equal(script.parts[1].line, 4);
	assert_int_equal(script.parts[1].data_len, strlen("1\t';\n\\\\.\n"));
	assert_memory_equal(script.parts[1].data, "1\t';\n\\\\.\n", script.parts[1].data_len);
	assert_non_null(strstr(script.parts[2].sql, "SELECT 2;"));
}

static void checks_need_no_server(void **state)
{
	(void)state;
	struct revision r = { .id = "r", .path = "r.sql" };
	struct err err = ERR_INIT;

	r.upgrade = section_of("CREATE TABLE t (a int);\nALTER TABLE t ADD");
	r.verify = r.downgrade = section_of("");
	assert_false(exec_check(&r, &err));
	assert_non_null(strstr(err.msg, "in the middle of a statement"));
	assert_int_equal(err.line, 2);
	r.upgrade = section_of("SELECT 1;\nCOMMIT");
	err = (struct err)ERR_INIT;
	assert_false(exec_check(&r, &err));
	assert_int_equal(err.line, 2);
	/* nor where its statements commit one by one: that is ours to do */
	r.upgrade.transaction = false;
	err = (struct err)ERR_INIT;
	assert_false(exec_check(&r, &err));
	err = (struct err)ERR_INIT;
	/* what only a newer server knows is not ours to refuse, but a COMMIT beside it is seen */
	r.upgrade = section_of("FROB THE TABLE t; SELECT 1;\n");
	assert_true(exec_check(&r, &err));
	r.upgrade = section_of("FROB THE TABLE t;\n\nCOMMIT;\n");
	assert_false(exec_check(&r, &err));
	assert_int_equal(err.line, 3);
}

static void deep_trees_do_not_end_the_process(void **state)
{
	(void)state;
	size_t n = 300000;
	cleanup_free char *text = mem_new0(2 * n + 16);
	json_t *tree = NULL;
	struct err err = ERR_INIT;

	memcpy(text, "SELECT 1", 8);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 8 + 2 * i, "+1", 2);
	assert_false(parser_parse(text, &tree, &err)); /* jansson reads no tree that deep */
	assert_int_equal(err.code, ERR_USAGE);
	assert_true(parser_parse("SELECT a FROM t", &tree, &err));
	assert_non_null(json_object_get(tree, "stmts"));
	json_decref(tree);
}

static void a_diff_shows_what_changed(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after, *diff;
	} cases[] = {
		{ "a\nb\n", "a\nb\n", "" },
		{ "a\nb\nc\n", "a\nB\nc\n", "@@ -1 +1 @@\n a\n-b\n+B\n c\n" },
		{ "", "x\n", "@@ -1 +1 @@\n+x\n" },
		{ "x\n", "", "@@ -1 +1 @@\n-x\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
		  "@@ -2 +2 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n" },
		{ "a\nx\nb\ny\n", "a\nb\nz\n", "@@ -1 +1 @@\n a\n-x\n b\n-y\n+z\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_buf struct buf out = BUF_INIT(1 << 20);
		diff_lines(cases[i].before, cases[i].after, &out);
		assert_string_equal(buf_text(&out), cases[i].diff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_end_where_the_grammar_says),
		cmocka_unit_test(what_is_never_closed_is_found),
		cmocka_unit_test(text_without_commands_goes_unsplit),
		cmocka_unit_test(copy_data_become_parts),
		cmocka_unit_test(checks_need_no_server),
		cmocka_unit_test(deep_trees_do_not_end_the_process),
		cmocka_unit_test(a_diff_shows_what_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
