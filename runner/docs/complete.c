#include "runner/docs/docs.h"

#include "base/opts.h"
#include "runner/cli/cli.h"

#include <string.h>

static bool takes_value(const struct opt *o) { return o->kind == OPT_TEXT || o->kind == OPT_LIST; }

static bool is_file(const struct opt *o) { return o->value && strcmp(o->value, "FILE") == 0; }

/* "backup" of "backup list" */
static int first_word(const char *name) { return (int)strcspn(name, " "); }

/* Whether the command begins another group than the one before it. */
static bool begins_group(const struct command *const *c)
{
	if (c == commands)
		return true;
	int n = first_word((*c)->name);
	return first_word(c[-1]->name) != n || memcmp(c[-1]->name, (*c)->name, (size_t)n) != 0;
}

static void print_flags(FILE *out, const struct opt *table)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->letter)
			fprintf(out, " -%c", o->letter);
		fprintf(out, " --%s", o->name);
	}
}

/* ---------------------------------------------------------------- bash */

static void bash_words(FILE *out)
{
	fputs("  local commands='", out);
	for (const struct command *const *c = commands; *c; c++) {
		if (begins_group(c))
			fprintf(out, "%s%.*s", c == commands ? "" : " ", first_word((*c)->name), (*c)->name);
	}
	fputs("' globals='", out);
	print_flags(out, global_options);
	fputs("'\n", out);
}

static void bash_cases(FILE *out)
{
	for (const struct command *const *c = commands; *c; c++) {
		fprintf(out, "    '%s') options='", (*c)->name);
		print_flags(out, (*c)->options);
		fputs("' ;;\n", out);
	}
	for (const struct command *const *c = commands; *c; c++) {
		const char *verb = strchr((*c)->name, ' ');
		if (!verb)
			continue;
		if (begins_group(c))
			fprintf(out, "    '%.*s') options='", first_word((*c)->name), (*c)->name);
		fprintf(out, "%s", verb);
		if (!c[1] || begins_group(c + 1))
			fputs("' ;;\n", out);
	}
}

void docs_bash(FILE *out)
{
	fputs("# bash completion for ripcord, made from its tables\n"
	      "_ripcord() {\n"
	      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} word first='' "
	      "second='' options=''\n",
	      out);
	bash_words(out);
	fputs("  case $previous in -c | --config | --env-file) COMPREPLY=($(compgen -f -- \"$current\")); "
	      "return ;; esac\n"
	      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "    case $word in -*) ;; *) if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then "
	      "second=$word; fi ;; esac\n"
	      "  done\n"
	      "  case \"$first${second:+ $second}\" in\n"
	      "    '') options=$commands ;;\n",
	      out);
	bash_cases(out);
	fputs("    *) COMPREPLY=(); return ;;\n"
	      "  esac\n"
	      "  COMPREPLY=($(compgen -W \"$options $globals\" -- \"$current\"))\n"
	      "}\n"
	      "complete -F _ripcord ripcord\n",
	      out);
}

/* ---------------------------------------------------------------- zsh */

/* Inside '...[help]': brackets and quotes would end it. */
static void zsh_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else if (strchr("[]:\\", *text))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void zsh_option(FILE *out, const struct opt *o, const char *name)
{
	fprintf(out, " \\\n      '%s%s[", o->kind == OPT_FLAG || o->kind == OPT_TEXT ? "" : "*", name);
	zsh_text(out, o->help);
	fputc(']', out);
	if (takes_value(o))
		fprintf(out, ":%s:%s", o->value, is_file(o) ? "_files" : "");
	fputc('\'', out);
}

static void zsh_options(FILE *out, const struct opt *table)
{
	char name[64];

	for (const struct opt *o = table; o && o->name; o++) {
		if (o->letter) {
			(void)snprintf(name, sizeof(name), "-%c", o->letter);
			zsh_option(out, o, name);
		}
		(void)snprintf(name, sizeof(name), "--%s", o->name);
		zsh_option(out, o, name);
	}
}

static void zsh_word(FILE *out, const char *name, int len, const char *about)
{
	fprintf(out, "      '%.*s:", len, name);
	zsh_text(out, about);
	fputs("'\n", out);
}

/* First words: commands, and the groups by the name alone. */
static void zsh_commands(FILE *out)
{
	fputs("    words_of=(\n", out);
	for (const struct command *const *c = commands; *c; c++) {
		if (begins_group(c))
			zsh_word(out, (*c)->name, first_word((*c)->name), (*c)->about);
	}
	fputs("    )\n    ;;\n", out);
}

static void zsh_verbs(FILE *out)
{
	for (const struct command *const *c = commands; *c; c++) {
		const char *verb = strchr((*c)->name, ' ');
		if (!verb)
			continue;
		if (begins_group(c))
			fprintf(out, "  '%.*s ')\n    words_of=(\n", first_word((*c)->name), (*c)->name);
		zsh_word(out, verb + 1, (int)strlen(verb + 1), (*c)->about);
		if (!c[1] || begins_group(c + 1))
			fputs("    )\n    ;;\n", out);
	}
}

void docs_zsh(FILE *out)
{
	fputs("#compdef ripcord\n"
	      "# zsh completion for ripcord, made from its tables\n"
	      "local -a plain words_of\n"
	      "plain=(${${words[2,CURRENT-1]}:#-*})\n"
	      "case \"${plain[1]} ${plain[2]}\" in\n",
	      out);
	for (const struct command *const *c = commands; *c; c++) {
		bool group = strchr((*c)->name, ' ') != NULL;
		fprintf(out, "  '%s'%s)\n    _arguments -s", (*c)->name, group ? "" : "\\ *");
		zsh_options(out, (*c)->options);
		zsh_options(out, global_options);
		fputs(" \\\n      '*: :_files'\n    ;;\n", out);
	}
	zsh_verbs(out);
	fputs("  ' ')\n", out);
	zsh_commands(out);
	fputs("esac\n(( ${#words_of} )) && _describe command words_of\n", out);
}

/* ---------------------------------------------------------------- fish */

static void fish_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("'\\", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void fish_options(FILE *out, const struct opt *table, const char *command)
{
	for (const struct opt *o = table; o && o->name; o++) {
		fputs("complete -c ripcord", out);
		if (command)
			fprintf(out, " -n '__fish_seen_subcommand_from %.*s'", first_word(command), command);
		if (o->letter)
			fprintf(out, " -s %c", o->letter);
		fprintf(out, " -l %s%s -d '", o->name, !takes_value(o) ? "" : is_file(o) ? " -rF" : " -x");
		fish_text(out, o->help);
		fputs("'\n", out);
	}
}

/* A verb of a group stands behind the group's name, a command behind none. */
static void fish_word(FILE *out, const struct command *c)
{
	const char *verb = strchr(c->name, ' ');

	if (verb)
		fprintf(out, "complete -c ripcord -n '__fish_seen_subcommand_from %.*s' -a %s -d '",
		        first_word(c->name), c->name, verb + 1);
	else
		fprintf(out, "complete -c ripcord -n __fish_use_subcommand -a %s -d '", c->name);
	fish_text(out, c->about);
	fputs("'\n", out);
}

void docs_fish(FILE *out)
{
	fputs("# fish completion for ripcord, made from its tables\ncomplete -c ripcord -f\n", out);
	fish_options(out, global_options, NULL);
	for (const struct command *const *c = commands; *c; c++) {
		if (strchr((*c)->name, ' ') && begins_group(c))
			fprintf(out, "complete -c ripcord -n __fish_use_subcommand -a %.*s\n",
			        first_word((*c)->name), (*c)->name);
		fish_word(out, *c);
		fish_options(out, (*c)->options, (*c)->name);
	}
}
