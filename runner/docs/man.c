#include "runner/docs/docs.h"

#include "base/buf.h"
#include "base/file.h"
#include "runner/cli/cli.h"
#include "runner/config.h"

#include <string.h>

#define PAGE_MAX ((size_t)1 << 20) /* a page is some 20 kB */

/* Underscores mean underlining in scdoc, asterisks bold. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\<", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_options(FILE *out, const struct opt *table)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->letter)
			fprintf(out, "*-%c*, ", o->letter);
		fprintf(out, "*--%s*", o->name);
		if (o->value)
			fprintf(out, " _%s_", o->value);
		fputs("\n\t", out);
		print_escaped(out, o->help);
		fputs("\n\n", out);
	}
}

static void print_commands(FILE *out)
{
	for (const struct command *const *c = commands; *c; c++) {
		fprintf(out, "## %s\n\n*ripcord %s* ", (*c)->name, (*c)->name);
		print_escaped(out, (*c)->usage);
		fprintf(out, "\n\n%s\n\n", (*c)->text);
		print_options(out, (*c)->options);
	}
}

static void print_global_options(FILE *out) { print_options(out, global_options); }

static void print_key(FILE *out, const struct config_key *key)
{
	fprintf(out, "*%s* (", key->key);
	print_escaped(out, key->values);
	if (*key->fallback) {
		fputs("; default ", out);
		print_escaped(out, key->fallback);
	}
	fputs(")\n\t", out);
	print_escaped(out, key->about);
	fputs("\n\n", out);
}

static void print_keys(FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < config_keys_count(); i++) {
		const struct config_key *key = config_key_at(i);
		if (strcmp(section, key->section) != 0)
			fprintf(out, "## [%s]\n\n", key->section);
		section = key->section;
		print_key(out, key);
	}
}

static const struct {
	const char *word;
	void (*print)(FILE *out);
} parts[] = {
	{ "@COMMANDS@", print_commands },
	{ "@OPTIONS@", print_global_options },
	{ "@KEYS@", print_keys },
};

static bool print_part(const char *word, FILE *out, struct err *err)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(word, parts[i].word) == 0) {
			parts[i].print(out);
			return true;
		}
	}
	return err_set(err, ERR_USAGE, "no table is called %s", word);
}

bool docs_man(const char *source, FILE *out, struct err *err)
{
	cleanup_buf struct buf page = BUF_INIT(PAGE_MAX);
	char *rest, *line;

	if (!file_read(source, &page, err))
		return false;
	for (rest = page.data; (line = strsep(&rest, "\n")) != NULL && rest;) {
		if (*line != '@')
			fprintf(out, "%s\n", line);
		else if (!print_part(line, out, err))
			return err_at(err, source, 0);
	}
	return true;
}
