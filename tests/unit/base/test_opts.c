/* A command line, in every way that people write one. */
#include "base/cleanup.h"
#include "base/opts.h"
#include "unit.h"

struct program {
	bool json;
	const char *config;
	struct strv set;
	int verbose;
};

struct command {
	bool yes;
	const char *reason;
};

static const struct opt program_opts[] = {
	{ "json", 0, OPT_FLAG, NULL, "print one JSON object", offsetof(struct program, json) },
	{ "config", 'c', OPT_TEXT, "FILE", "read FILE", offsetof(struct program, config) },
	{ "set", 'x', OPT_LIST, "KEY=VALUE", "set a key", offsetof(struct program, set) },
	{ "verbose", 'v', OPT_COUNT, NULL, "say more", offsetof(struct program, verbose) },
	{ .name = NULL },
};

static const struct opt command_opts[] = {
	{ "yes", 'y', OPT_FLAG, NULL, "ask nothing", offsetof(struct command, yes) },
	{ "reason", 0, OPT_TEXT, "TEXT", "why", offsetof(struct command, reason) },
	{ .name = NULL },
};

struct parsed {
	struct program program;
	struct command command;
	struct strv words, rest;
	bool ok, saw_rest;
	struct err err;
};

static void clear(struct parsed *p)
{
	strv_clear(&p->program.set);
	strv_clear(&p->words);
	strv_clear(&p->rest);
}
#define cleanup_parsed __attribute__((cleanup(clear)))

/* `line` is a command line whose words are separated by single blanks; it is cut up, and must stay. */
static struct parsed parse(char *line)
{
	struct parsed p = { .err = ERR_INIT };
	const struct opt_set sets[] = { { program_opts, &p.program }, { command_opts, &p.command } };
	char *argv[16];
	int argc = 0;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	p.ok = opts_parse(argc, argv, sets, 2, &p.words, &p.rest, &p.saw_rest, &p.err);
	return p;
}

static void assert_joined(const struct strv *s, const char *expected)
{
	cleanup_free char *text = strv_join(s, " ");

	assert_string_equal(text, expected);
}

static void options_before_and_after_the_verb(void **state)
{
	(void)state;
	char line[] = "-c a.ini --json upgrade head --yes -x a.b=c --set d=e --reason=two=2";
	cleanup_parsed struct parsed p = parse(line);

	assert_true(p.ok);
	assert_true(p.program.json && p.command.yes);
	assert_string_equal(p.program.config, "a.ini");
	assert_joined(&p.program.set, "a.b=c d=e");
	assert_string_equal(p.command.reason, "two=2");
	assert_joined(&p.words, "upgrade head");
	assert_false(p.saw_rest);
}

static void letters_in_clusters(void **state)
{
	(void)state;
	char line[] = "-vyvcx.ini -v -cy.ini";
	cleanup_parsed struct parsed p = parse(line);

	assert_true(p.ok);
	assert_int_equal(p.program.verbose, 3);
	assert_true(p.command.yes);
	assert_string_equal(p.program.config, "y.ini"); /* the last one wins */
}

static void relative_targets_are_words(void **state)
{
	(void)state;
	char line[] = "downgrade -1 upgrade +2 - --reason -3";
	cleanup_parsed struct parsed p = parse(line);

	assert_true(p.ok);
	assert_joined(&p.words, "downgrade -1 upgrade +2 -");
	assert_string_equal(p.command.reason, "-3");
}

static void everything_behind_two_dashes(void **state)
{
	(void)state;
	char line[] = "guard --yes -- make -v --json -- x";
	cleanup_parsed struct parsed p = parse(line);

	assert_true(p.ok && p.saw_rest);
	assert_joined(&p.words, "guard");
	assert_joined(&p.rest, "make -v --json -- x");
	assert_int_equal(p.program.verbose, 0);
	assert_false(p.program.json);
}

static void nothing_at_all(void **state)
{
	(void)state;
	char line[] = "";
	cleanup_parsed struct parsed p = parse(line);

	assert_true(p.ok);
	assert_int_equal(p.words.n, 0);
}

static void mistakes(void **state)
{
	(void)state;
	static const struct {
		const char *line, *msg, *hint;
	} cases[] = {
		{ "--jsn", "unknown option --jsn", "did you mean --json?" },
		{ "--verbos=3", "unknown option --verbos", "did you mean --verbose?" },
		{ "--quux", "unknown option --quux", "" },
		{ "--=1", "unknown option --", "" },
		{ "-vq", "unknown option -q", "" },
		{ "--reason", "option --reason needs a value: TEXT", "" },
		{ "up -c", "option --config needs a value: FILE", "" },
		{ "--reason --yes", "option --reason needs a value: TEXT",
		  "a value that looks like an option is written --reason=--yes" },
		{ "--reason -- x", "option --reason needs a value: TEXT",
		  "a value that looks like an option is written --reason=--" },
		{ "--yes=no", "option --yes takes no value", "" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char line[64];
		snprintf(line, sizeof(line), "%s", cases[i].line);
		cleanup_parsed struct parsed p = parse(line);
		assert_false(p.ok);
		assert_int_equal(p.err.code, ERR_USAGE);
		assert_string_equal(p.err.msg, cases[i].msg);
		assert_string_equal(p.err.hint, cases[i].hint);
	}
}

static void help_is_aligned(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	opts_print(out, program_opts);
	fclose(out);
	assert_string_equal(text, "      --json           print one JSON object\n"
	                          "  -c, --config FILE    read FILE\n"
	                          "  -x, --set KEY=VALUE  set a key\n"
	                          "  -v, --verbose        say more\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_before_and_after_the_verb),
		cmocka_unit_test(letters_in_clusters),
		cmocka_unit_test(relative_targets_are_words),
		cmocka_unit_test(everything_behind_two_dashes),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(help_is_aligned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
