/* The graph and its addresses.  What is expected was compared with Alembic 1.8 on random graphs. */
#include "folder.h"

static void assert_list(const struct strv *list, const char *expected)
{
	cleanup_free char *is = joined(list);

	assert_string_equal(is, expected);
}

/* ------------------------------------------------------------------ loading */

static void broken_graphs_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct spec specs[4];
		size_t n;
		const char *why;
	} cases[] = {
		{ { { "a", "b", NULL, NULL } }, 1, "revision a revises b, which no file has" },
		{ { { "a", NULL, "b", NULL } }, 1, "revision a depends on b, which no file has" },
		{ { { "a", "a", NULL, NULL } }, 1, "revision a revises itself" },
		{ { { "a", NULL, "a", NULL } }, 1, "revision a depends on itself" },
		{ { { "a", NULL, NULL, NULL }, { "a", NULL, NULL, NULL } }, 2, "stands in two files" },
		{ { { "a", "b", NULL, NULL }, { "b", "a", NULL, NULL } }, 2, "form a cycle: " },
		{ { { "a", NULL, NULL, NULL },
		    { "b", "a, d", NULL, NULL },
		    { "c", "b", NULL, NULL },
		    { "d", "c", NULL, NULL } },
		  4,
		  "form a cycle: " },
		{ { { "a", NULL, "c", NULL }, { "b", "a", NULL, NULL }, { "c", "b", NULL, NULL } },
		  3,
		  "form a cycle: " },
		{ { { "a", NULL, NULL, "x" }, { "b", NULL, NULL, "x" } },
		  2,
		  "branch label 'x' of revision b is already used" },
		{ { { "a", NULL, NULL, "b" }, { "b", NULL, NULL, NULL } }, 2, "is another revision's id" },
		{ { { "a", NULL, NULL, "x" }, { "b", "x", NULL, NULL } }, 2, "revises x, which no file has" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = ERR_INIT;
		assert_null(graph_of(cases[i].specs, cases[i].n, &err));
		assert_int_equal(err.code, ERR_USAGE);
		if (!strstr(err.msg, cases[i].why) || !strstr(err.file, ".sql"))
			fail_msg("case %zu: %s: %s", i, err.file, err.msg);
	}
}

static void parents_come_first(void **state)
{
	(void)state;
	static const struct spec specs[] = {
		{ "d", "b c", NULL, NULL }, { "c", "a", NULL, NULL },  { "b", "a", NULL, NULL },
		{ "z", NULL, "d", NULL },   { "a", NULL, NULL, NULL },
	};
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(specs, COUNT(specs), &err);
	cleanup_strv struct strv order = STRV_INIT, heads = STRV_INIT;

	assert_non_null(g);
	for (size_t i = 0; i < graph_count(g); i++)
		strv_add(&order, graph_at(g, i)->id);
	assert_list(&order, "a c b d z");
	graph_heads(g, &heads);
	assert_list(&heads, "d z");
	assert_true(graph_is_head(g, "d")); /* though z depends on it */
	assert_true(graph_is_branch_point(g, "a"));
	assert_false(graph_is_branch_point(g, "b"));
}

/* base - c1 - c2 (x) - c3    and  c1 - d1 - d2, m merges c3 and d2 */
static const struct spec branched[] = {
	{ "base1", NULL, NULL, "root" },      { "comm1", "base1", NULL, NULL },
	{ "left1", "comm1", NULL, "left" },   { "left2", "left1", NULL, NULL },
	{ "right1", "comm1", NULL, NULL },    { "right2", "right1", NULL, "right" },
	{ "other1", NULL, "left1", "other" }, { "other2", "other1", NULL, NULL },
};

static void labels_spread_as_in_alembic(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(branched, COUNT(branched), &err);
	static const struct {
		const char *id, *labels;
	} cases[] = {
		{ "base1", "root" },      { "comm1", "root" },        { "left1", "root left" },
		{ "left2", "root left" }, { "right1", "root right" }, { "right2", "root right" },
		{ "other2", "other" },
	};

	assert_non_null(g);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_list(graph_branches(g, cases[i].id), cases[i].labels);
}

static void what_is_applied(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(branched, COUNT(branched), &err);
	cleanup_strv struct strv heads = STRV_INIT, applied = STRV_INIT;

	strv_add(&heads, "other1");
	strv_add(&heads, "right1");
	graph_applied(g, &heads, &applied);
	assert_list(&applied, "base1 comm1 left1 right1 other1");
}

/* ------------------------------------------------------------------ addresses */

static void words_name_revisions(void **state)
{
	(void)state;
	static const struct {
		const char *current, *word, *found; /* found NULL: an error with that code and words */
		enum err_code code;
		const char *why;
	} cases[] = {
		{ "", "left1", "left1", 0, NULL },
		{ "", "righ", NULL, ERR_USAGE, "3 revisions start with 'righ': right, right1, right2" },
		{ "", "comm", "comm1", 0, NULL },
		{ "", "zzz", NULL, ERR_USAGE, "no such revision or branch 'zzz'" },
		{ "", "left@head", "left2", 0, NULL },
		{ "", "right@head", "right2", 0, NULL },
		{ "", "head", NULL, ERR_REFUSED, "'head' names 3 heads" },
		{ "", "root@head", NULL, ERR_REFUSED, "heads" },
		{ "", "base", NULL, ERR_USAGE, "names no revision" },
		{ "", "left2-2", "comm1", 0, NULL },
		{ "", "left2-9", NULL, ERR_USAGE, "walks too far" },
		{ "", "base1+1", "comm1", 0, NULL },
		{ "", "comm1+1", NULL, ERR_USAGE, "ambiguous walk" },
		{ "", "right@comm1+1", "right1", 0, NULL },
		{ "", "left@right1", NULL, ERR_USAGE, "is not a member of branch 'left'" },
		{ "", "nowhere@head", NULL, ERR_USAGE, "branch 'nowhere'" },
		{ "comm1", "+1", NULL, ERR_USAGE, "ambiguous walk" },
		{ "comm1", "left@+1", "left1", 0, NULL },
		{ "left2 right1", "right@+1", "right2", 0, NULL },
		{ "left2 right1", "+1", NULL, ERR_REFUSED, "ambiguous: the database is at 2" },
		{ "left2 right1", "-1", NULL, ERR_REFUSED, "ambiguous: the database is at 2" },
		{ "left2", "-1", "left1", 0, NULL },
		{ "left2", "+1", NULL, ERR_USAGE, "did not produce 1 migrations" },
		{ "right2", "current", "right2", 0, NULL },
		{ "gone1", "+1", NULL, ERR_REFUSED, "gone1, which no file" },
		{ "", "", NULL, ERR_USAGE, "empty target" },
		{ "", "@", NULL, ERR_USAGE, "no such revision" },
	};
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(branched, COUNT(branched), &err);

	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_strv struct strv current = STRV_INIT;
		const struct revision *rev = NULL;
		err = (struct err)ERR_INIT;
		strv_split(&current, cases[i].current);
		bool ok = graph_find(g, &current, cases[i].word, &rev, &err);
		if (ok != (cases[i].found != NULL))
			fail_msg("case %zu '%s': %s", i, cases[i].word, ok ? rev->id : err.msg);
		if (ok)
			assert_string_equal(rev->id, cases[i].found);
		else if (err.code != cases[i].code || !strstr(err.msg, cases[i].why))
			fail_msg("case %zu '%s': %d %s", i, cases[i].word, (int)err.code, err.msg);
	}
}

static void ranges_are_newest_first(void **state)
{
	(void)state;
	static const struct {
		const char *range, *ids; /* NULL: an error */
	} cases[] = {
		{ ":", "other2 other1 right2 right1 left2 left1 comm1 base1" },
		{ "base1:left1", "left1 comm1 base1" },
		{ ":comm1", "comm1 base1" },
		{ "right1:", "right2 right1" },
		{ "-1:left2", "left2 left1" },
		{ "comm1:right@+2", "right2 right1 comm1" },
		{ "current:left2", "left2 left1" },
		{ "base:current", "left1 comm1 base1" },
		{ "left1:right1", NULL },
		{ "left1", NULL },
		{ "a:b:c", NULL },
	};
	struct err err = ERR_INIT;
	cleanup_graph struct graph *g = graph_of(branched, COUNT(branched), &err);
	cleanup_strv struct strv current = STRV_INIT;

	strv_add(&current, "left1");
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_strv struct strv ids = STRV_INIT;
		err = (struct err)ERR_INIT;
		bool ok = graph_range(g, &current, cases[i].range, &ids, &err);
		cleanup_free char *is = joined(&ids);
		if (ok != (cases[i].ids != NULL) || (ok && strcmp(is, cases[i].ids) != 0))
			fail_msg("case %zu '%s': %s", i, cases[i].range, ok ? is : err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_graphs_are_refused),   cmocka_unit_test(parents_come_first),
		cmocka_unit_test(labels_spread_as_in_alembic), cmocka_unit_test(what_is_applied),
		cmocka_unit_test(words_name_revisions),        cmocka_unit_test(ranges_are_newest_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
