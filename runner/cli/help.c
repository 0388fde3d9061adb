#include "runner/cli/cli.h"

#include "base/text.h"

#include <string.h>

void help_overview(FILE *out)
{
	fputs("ripcord never lets a database go up until it holds a proven way back.\n\n"
	      "usage: ripcord COMMAND [OPTION...] [ARGUMENT...]\n\n",
	      out);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(out, "  %-16s  %s\n", (*c)->name, (*c)->about);
	fputs("\noptions of every command, before or after its name:\n", out);
	opts_print(out, global_options);
	fputs("\nripcord COMMAND --help tells more; DATABASE_URL alone is enough to begin with.\n", out);
}

/* The text is in scdoc's markup for the manual: here *bold* and _underlined_ lose their marks, and an
 * underscore inside a word is a letter. */
static void print_plain(FILE *out, const char *text)
{
	char before = ' ';

	for (; *text; before = *text++) {
		bool opens = strchr(" (\n[\"", before) != NULL;
		bool closes = !text[1] || strchr(" ),.;:/\n]\"", text[1]) != NULL;
		if (*text == '*' || (*text == '_' && (opens || closes)))
			continue;
		if (*text == '\\' && text[1])
			text++;
		fputc(*text, out);
	}
}

void help_command(FILE *out, const struct command *c)
{
	fprintf(out, "usage: ripcord %s%s%s\n\n", c->name, *c->usage ? " " : "", c->usage);
	print_plain(out, c->text);
	fputc('\n', out);
	if (c->options) {
		fputs("\noptions:\n", out);
		opts_print(out, c->options);
	}
	fputs("\noptions of every command:\n", out);
	opts_print(out, global_options);
}

void help_group(FILE *out, const char *group)
{
	size_t len = strlen(group);

	fprintf(out, "usage: ripcord %s COMMAND\n\n", group);
	for (const struct command *const *c = commands; *c; c++) {
		if (text_starts((*c)->name, group) && ((*c)->name[len] == ' ' || !(*c)->name[len]))
			fprintf(out, "  %-16s  %s\n", (*c)->name, (*c)->about);
	}
}
