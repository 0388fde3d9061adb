/* The reader of the own format: what it takes, and every way a file can be wrong. */
#include "folder.h"

#include "base/hash.h"

static struct graph *load(const char *dir, struct err *err)
{
	struct graph *g = NULL;

	*err = (struct err)ERR_INIT;
	return graph_load(dir, &g, err) ? g : NULL;
}

static void a_whole_file(void **state)
{
	(void)state;
	static const char text[] = "-- revision: 8c4f1a2b9d3e\n"
				   "-- revises: 1975ea83b712\n"
				   "-- message: add: is_billing_contact, for 'ever'\n"
				   "-- created: 2026-11-22T10:15:00Z\n"
				   "-- branch-labels: billing ledger\n"
				   "-- depends-on:\n"
				   "-- A comment: like this, is one.\n"
				   "\n"
				   "-- ripcord:upgrade lock_timeout=5s transaction=off\n"
				   "ALTER TABLE contact;\n"
				   "\n"
				   "-- ripcord:verify statement_timeout=1min\n"
				   "SELECT true;\n"
				   "-- ripcord:downgrade irreversible=\"the data are gone\"\n"
				   "SELECT 1";
	char *dir = folder_new();
	struct err err = ERR_INIT;
	char hex[SHA256_HEX], expected[SHA256_HEX];

	folder_put(dir, "b.sql", text);
	folder_put(dir, "a.sql", "-- revision: 1975ea83b712\n-- ripcord:upgrade\n");
	folder_put(dir, ".hidden.sql", "nothing");
	folder_put(dir, "README.md", "nothing");
	cleanup_graph struct graph *g = load(dir, &err);
	if (!g)
		fail_msg("%s:%d: %s", err.file, err.line, err.msg);
	assert_int_equal(graph_count(g), 2);
	const struct revision *r = graph_get(g, "8c4f1a2b9d3e");
	assert_string_equal(r->message, "add: is_billing_contact, for 'ever'");
	assert_string_equal(r->created, "2026-11-22T10:15:00Z");
	assert_int_equal(r->labels.n, 2);
	assert_string_equal(r->labels.v[1], "ledger");
	assert_int_equal(r->depends_on.n, 0);
	assert_false(r->upgrade.transaction);
	assert_int_equal(r->upgrade.lock_timeout_ms, 5000);
	assert_int_equal(r->upgrade.statement_timeout_ms, -1);
	assert_string_equal(r->upgrade.text, "ALTER TABLE contact;\n\n");
	assert_int_equal(r->upgrade.line, 10);
	assert_string_equal(r->verify.text, "SELECT true;\n");
	assert_int_equal(r->verify.statement_timeout_ms, 60000);
	assert_int_equal(r->verify.line, 13);
	assert_string_equal(r->downgrade.text, "SELECT 1");
	assert_string_equal(r->downgrade.irreversible, "the data are gone");
	section_sha256(&r->verify, hex);
	sha256_of("SELECT true;\n", 13, expected);
	assert_string_equal(hex, expected);
	const struct revision *base = graph_get(g, "1975ea83b712");
	assert_string_equal(base->upgrade.text, "");
	assert_true(base->upgrade.present);
	assert_false(base->downgrade.present);
	folder_remove(dir);
}

static void line_ends_and_marks_make_no_difference(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	char lf[SHA256_HEX], crlf[SHA256_HEX];

	folder_put(dir, "a.sql", "-- revision: a\n-- ripcord:upgrade\nSELECT 1;\nSELECT 2;\n");
	folder_put(dir, "b.sql",
	           "\xef\xbb\xbf-- revision: b\r\n-- ripcord:upgrade\r\nSELECT 1;\r\nSELECT 2;\r\n");
	cleanup_graph struct graph *g = load(dir, &err);
	if (!g)
		fail_msg("%s", err.msg);
	section_sha256(&graph_get(g, "a")->upgrade, lf);
	section_sha256(&graph_get(g, "b")->upgrade, crlf);
	assert_string_equal(lf, crlf);
	assert_int_equal(graph_get(g, "b")->upgrade.line, 3);
	folder_remove(dir);
}

static void a_wrong_file_is_named_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
		int line;
	} cases[] = {
		{ "", "no line '-- revision: ID'", 1 },
		{ "-- revision: a\n", "no line '-- ripcord:upgrade'", 1 },
		{ "-- revision: a b\n-- ripcord:upgrade\n", "cannot be a revision's id", 1 },
		{ "-- revision: \n-- ripcord:upgrade\n", "cannot be a revision's id", 1 },
		{ "-- revision: abcdefghijklmnopqrstuvwxyz1234567\n-- ripcord:upgrade\n",
		  "cannot be a revision's id", 1 },
		{ "-- revision: a\n-- revision: b\n-- ripcord:upgrade\n", "a second '-- revision:'", 2 },
		{ "-- revision: a\n-- revise: b\n-- ripcord:upgrade\n", "unknown header 'revise'", 2 },
		{ "-- revision: a\n-- revises: b@c\n-- ripcord:upgrade\n", "neither a revision's id", 2 },
		{ "-- revision: a\n\nSELECT 1;\n-- ripcord:upgrade\n", "SQL before the first section", 3 },
		{ "-- revision: a\n-- ripcord:upgrad\n", "unknown marker", 2 },
		{ "-- revision: a\n-- ripcord:upgrade\n-- ripcord:upgrade\n", "a second section", 3 },
		{ "-- revision: a\n-- ripcord:upgrade lock_timeout\n", "has no value", 2 },
		{ "-- revision: a\n-- ripcord:upgrade lock_timeout=soon\n", "is a duration", 2 },
		{ "-- revision: a\n-- ripcord:upgrade transaction=maybe\n", "'on' or 'off'", 2 },
		{ "-- revision: a\n-- ripcord:upgrade lock_timeuot=5s\n", "unknown option", 2 },
		{ "-- revision: a\n-- ripcord:upgrade irreversible=x\n", "does not belong", 2 },
		{ "-- revision: a\n-- ripcord:upgrade\n-- ripcord:verify transaction=off\n",
		  "does not belong", 3 },
		{ "-- revision: a\n-- ripcord:upgrade\n-- ripcord:downgrade irreversible=\"half",
		  "unterminated quote", 3 },
		{ "-- revision: a\n-- ripcord:upgrade\n-- ripcord:downgrade irreversible=\"\"\n",
		  "wants its reason", 3 },
		{ "-- revision: a\n-- ripcord:upgrade\nSELECT '\xff';\n", "not valid UTF-8", 3 },
		{ "-- revision: a\n-- ripcord:upgrade hold=long\n", "hold is a duration", 2 },
		{ "-- revision: a\n-- ripcord:upgrade lock=\"t EXCLUSIV\"\n", "no lock mode", 2 },
		{ "-- revision: a\n-- ripcord:upgrade lock=\"t\"SHARE\n", "a blank is missing", 2 },
		{ "-- revision: a\n-- ripcord:upgrade lock='t, \"T\", T'\n", "twice", 2 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *dir = folder_new();
		struct err err = ERR_INIT;
		folder_put(dir, "x.sql", cases[i].text);
		assert_null(load(dir, &err));
		assert_int_equal(err.code, ERR_USAGE);
		if (!strstr(err.msg, cases[i].why) || err.line != cases[i].line || !strstr(err.file, "x.sql"))
			fail_msg("case %zu: %s:%d: %s", i, err.file, err.line, err.msg);
		folder_remove(dir);
	}
}

static void a_nul_is_no_end_of_file(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	static const char text[] = "-- revision: a\n-- ripcord:upgrade\nSELECT 1;\0DROP TABLE t;\n";

	folder_write(dir, "x.sql", text, sizeof(text) - 1);
	assert_null(load(dir, &err));
	assert_int_equal(err.line, 3);
	folder_remove(dir);
}

static void large_files_are_read_and_larger_ones_refused(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	size_t max = (size_t)65 << 20, fifty = (size_t)50 << 20;
	cleanup_free char *text = mem_new0(max + 1);
	static const char head[] = "-- revision: a\n-- ripcord:upgrade\nSELECT '";

	memset(text, 'x', max);
	memcpy(text, head, strlen(head));
	memcpy(text + fifty - 3, "';\n", 3);
	folder_write(dir, "x.sql", text, fifty);
	cleanup_graph struct graph *g = load(dir, &err);
	if (!g)
		fail_msg("%s", err.msg);
	assert_int_equal(strlen(graph_at(g, 0)->upgrade.text),
	                 fifty - strlen("-- revision: a\n-- ripcord:upgrade\n"));
	folder_write(dir, "x.sql", text, max);
	assert_null(load(dir, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.msg, "larger than 64 MiB"));
	folder_remove(dir);
}

static void only_files_are_read(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	cleanup_free char *fifo = mem_fmt("%s/versions/x.sql", dir), *none = mem_fmt("%s/none", dir);

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(load(dir, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_null(load(none, &err));
	assert_int_equal(err.code, ERR_USAGE);
	folder_remove(dir);
}

static void an_empty_folder_is_an_empty_graph(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	cleanup_free char *versions = mem_fmt("%s/versions", dir);
	cleanup_graph struct graph *g = load(dir, &err);

	assert_non_null(g);
	assert_int_equal(graph_count(g), 0);
	assert_int_equal(rmdir(versions), 0);
	cleanup_graph struct graph *bare = load(dir, &err);
	assert_non_null(bare);
	folder_remove(dir);
}

/* ------------------------------------------------------------------ what is written can be read */

static void a_written_revision_is_read_back(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	cleanup_free char *path = NULL, *second = NULL;
	struct revision_draft draft = {
		.id = "abc", .message = "Add: Ümläut & more\nlines, then some very long words indeed"
	};

	if (!revision_write(dir, NULL, &draft, &path, &err))
		fail_msg("%s", err.msg);
	assert_non_null(strstr(path, "_abc_add_ml_ut_more_lines"));
	cleanup_graph struct graph *g = load(dir, &err);
	if (!g)
		fail_msg("%s", err.msg);
	const struct revision *r = graph_get(g, "abc");
	assert_string_equal(r->message, "Add: Ümläut & more lines, then some very long words indeed");
	assert_true(r->downgrade.present);
	assert_int_equal(strlen(r->created), strlen("2026-11-22T10:15:00Z"));
	assert_false(revision_write(dir, NULL, &draft, &second, &err)); /* a file that is there is kept */
	assert_int_equal(err.code, ERR_IO);
	folder_remove(dir);
}

static void a_template_of_the_project_is_filled(void **state)
{
	(void)state;
	char *dir = folder_new();
	struct err err = ERR_INIT;
	cleanup_free char *template = mem_fmt("%s/revision.sql.template", dir), *path = NULL, *none = NULL;
	struct revision_draft draft = { .message = "x", .upgrade = "SELECT 1;" };
	static const char text[] =
		"-- revision: ${revision}\n-- Ours: $1 ${message}\n-- ripcord:upgrade\n${upgrade}";

	assert_true(file_replace(template, text, strlen(text), 0644, &err));
	strv_add(&draft.parents, "p1");
	if (!revision_write(dir, NULL, &draft, &path, &err))
		fail_msg("%s", err.msg);
	cleanup_buf struct buf written = BUF_INIT(1 << 20);
	assert_true(file_read(path, &written, &err));
	assert_non_null(strstr(buf_text(&written), "\n-- Ours: $1 x\n-- ripcord:upgrade\nSELECT 1;\n"));
	assert_true(file_replace(template, "${nothing}", 10, 0644, &err));
	draft.message = "y";
	assert_false(revision_write(dir, NULL, &draft, &none, &err));
	assert_int_equal(err.code, ERR_USAGE);
	strv_clear(&draft.parents);
	folder_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file),
		cmocka_unit_test(line_ends_and_marks_make_no_difference),
		cmocka_unit_test(a_wrong_file_is_named_with_its_line),
		cmocka_unit_test(a_nul_is_no_end_of_file),
		cmocka_unit_test(large_files_are_read_and_larger_ones_refused),
		cmocka_unit_test(only_files_are_read),
		cmocka_unit_test(an_empty_folder_is_an_empty_graph),
		cmocka_unit_test(a_written_revision_is_read_back),
		cmocka_unit_test(a_template_of_the_project_is_filled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
