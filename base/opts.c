#include "base/opts.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct found {
	const struct opt *opt;
	void *into; /* the struct that the table fills */
};

struct parser {
	const struct opt_set *sets;
	size_t n_sets;
	int argc;
	char *const *argv;
	int at; /* the word that is looked at */
};

static bool takes_value(const struct opt *o) { return o->kind == OPT_TEXT || o->kind == OPT_LIST; }

/* "-" is a file's name, "-1" a target. */
static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

static bool is_named(const struct opt *o, const char *name, size_t len, char letter)
{
	if (letter)
		return o->letter == letter;
	return strlen(o->name) == len && memcmp(o->name, name, len) == 0;
}

/* By letter when it is not 0, else by name.  The last table wins: the command's before the program's. */
static bool find(const struct parser *p, const char *name, size_t len, char letter, struct found *out)
{
	for (size_t i = p->n_sets; i-- > 0;) {
		for (const struct opt *o = p->sets[i].table; o->name; o++) {
			if (is_named(o, name, len, letter)) {
				*out = (struct found){ .opt = o, .into = p->sets[i].into };
				return true;
			}
		}
	}
	return false;
}

static void store(const struct found *f, const char *value)
{
	void *field = (char *)f->into + f->opt->offset;

	switch (f->opt->kind) {
	case OPT_FLAG: *(bool *)field = true; return;
	case OPT_TEXT: *(const char **)field = value; return;
	case OPT_LIST: strv_add(field, value); return;
	case OPT_COUNT: ++*(int *)field; return;
	}
}

/* Stores what stands behind the name, or else the next word; but never another option:
 * `--reason --yes` would be a reason that nobody gave. */
static bool store_value(struct parser *p, const struct found *f, const char *attached, struct err *err)
{
	const char *name = f->opt->name, *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;

	if (attached) {
		store(f, attached);
		return true;
	}
	if (next && !is_option(next)) {
		p->at++;
		store(f, next);
		return true;
	}
	err_set(err, ERR_USAGE, "option --%s needs a value: %s", name, f->opt->value);
	return next ? err_hint(err, "a value that looks like an option is written --%s=%s", name, next)
	            : false;
}

static bool unknown(const struct parser *p, const char *name, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < p->n_sets; i++) {
		for (const struct opt *o = p->sets[i].table; o->name; o++)
			strv_add(&names, o->name);
	}
	err_set(err, ERR_USAGE, "unknown option --%s", name);
	const char *nearest = text_nearest(name, strv_argv(&names), names.n);
	return nearest ? err_hint(err, "did you mean --%s?", nearest) : false;
}

/* --name, --name VALUE, --name=VALUE */
static bool parse_long(struct parser *p, const char *word, struct err *err)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	struct found f;

	if (!find(p, word, len, 0, &f)) {
		char *name = mem_strndup(word, len);
		unknown(p, name, err);
		free(name);
		return false;
	}
	if (takes_value(f.opt))
		return store_value(p, &f, equals ? equals + 1 : NULL, err);
	if (equals)
		return err_set(err, ERR_USAGE, "option --%s takes no value", f.opt->name);
	store(&f, NULL);
	return true;
}

/* -v, -vq, -cFILE, -c FILE */
static bool parse_letters(struct parser *p, const char *letters, struct err *err)
{
	struct found f;

	for (; *letters; letters++) {
		if (!find(p, NULL, 0, *letters, &f))
			return err_set(err, ERR_USAGE, "unknown option -%c", *letters);
		if (takes_value(f.opt))
			return store_value(p, &f, letters[1] ? letters + 1 : NULL, err);
		store(&f, NULL);
	}
	return true;
}

/* NOLINTNEXTLINE(readability-function-size): three of the eight are outputs that callers keep apart */
bool opts_parse(int argc, char *const *argv, const struct opt_set *sets, size_t n_sets, struct strv *words,
                struct strv *rest, bool *saw_rest, struct err *err)
{
	struct parser p = { .sets = sets, .n_sets = n_sets, .argc = argc, .argv = argv };

	*saw_rest = false;
	for (; p.at < argc; p.at++) {
		const char *word = argv[p.at];
		bool ok = true;

		if (*saw_rest)
			strv_add(rest, word);
		else if (strcmp(word, "--") == 0)
			*saw_rest = true;
		else if (text_starts(word, "--"))
			ok = parse_long(&p, word + 2, err);
		else if (is_option(word))
			ok = parse_letters(&p, word + 1, err);
		else
			strv_add(words, word);
		if (!ok)
			return false;
	}
	return true;
}

/* "-c, --config FILE"; owned by the caller. */
static char *left_side(const struct opt *o)
{
	char letter[] = "    ";

	if (o->letter)
		memcpy(letter, (char[]){ '-', o->letter, ',', ' ' }, 4);
	return mem_fmt("%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

void opts_print(FILE *out, const struct opt *table)
{
	size_t width = 0;

	for (const struct opt *o = table; o->name; o++) {
		char *left = left_side(o);
		if (strlen(left) > width)
			width = strlen(left);
		free(left);
	}
	for (const struct opt *o = table; o->name; o++) {
		char *left = left_side(o);
		fprintf(out, "  %-*s  %s\n", (int)width, left, o->help);
		free(left);
	}
}
