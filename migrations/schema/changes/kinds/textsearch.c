#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/strv.h"

#include <string.h>

/* "word with a, b; email with c" */
static void read_mappings(struct strv *out, const struct fact *f)
{
	const char *text = fact_value(f, "mappings");

	for (const char *end; text && *text; text = end ? end + 2 : NULL) {
		cleanup_free char *item = NULL;

		end = words_find(text, "; ");
		item = mem_strndup(text, end ? (size_t)(end - text) : strlen(text));
		strv_add(out, item);
	}
}

static const char *same_token(const struct strv *list, const char *mapping)
{
	size_t len = (size_t)(words_find(mapping, " with ") - mapping) + strlen(" with ");

	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->v[i], mapping, len) == 0)
			return list->v[i];
	return NULL;
}

static void write_mapping(struct writer *w, const struct object *o, const char *verb, const char *mapping)
{
	const char *with = words_find(mapping, " with ");
	bool drops = strcmp(verb, "DROP") == 0;
	cleanup_free char *sql = mem_fmt("ALTER TEXT SEARCH CONFIGURATION %s %s MAPPING FOR %.*s%s%s",
	                                 object_fact(o)->name, verb, (int)(with - mapping), mapping,
	                                 drops ? "" : " WITH ", drops ? "" : with + strlen(" with "));

	ddl_add(w, o, "mapping", 0, sql);
}

static bool change_mappings(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;

	(void)err;
	if (!object_makes(o))
		read_mappings(&old, o->old);
	read_mappings(&new, o->new);
	for (size_t i = 0; i < old.n; i++)
		if (!same_token(&new, old.v[i]))
			write_mapping(w, o, "DROP", old.v[i]);
	for (size_t i = 0; i < new.n; i++) {
		const char *was = same_token(&old, new.v[i]);

		if (!was || strcmp(was, new.v[i]) != 0)
			write_mapping(w, o, was ? "ALTER" : "ADD", new.v[i]);
	}
	return true;
}

static const struct property CONFIGURATION[] = {
	OWNED_BY("TEXT SEARCH CONFIGURATION"),
	{ "parser", .how = HOW_REBUILD },
	{ "mappings", .after = true, .write = change_mappings },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CONFIGURATION = {
	.name = "text search configuration",
	.rank = 29,
	.create = "CREATE TEXT SEARCH CONFIGURATION {name} (PARSER = {parser})",
	.drop = "DROP TEXT SEARCH CONFIGURATION {name}",
	.properties = CONFIGURATION,
};

/* "stopwords = 'english', accept = 'false'": an option that is gone is named without a value. */
static bool change_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;
	const char *was = fact_value(o->old, "options"), *is = fact_value(o->new, "options");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	words_list(&old, was ? was : "");
	words_list(&new, is ? is : "");
	buf_fmt(&sql, "ALTER TEXT SEARCH DICTIONARY %s (%s", o->new->name, is ? is : "");
	for (size_t i = 0; i < old.n; i++) {
		size_t len = strcspn(old.v[i], " =");
		bool gone = true;

		for (size_t k = 0; k < new.n; k++)
			gone = gone &&
			       (strcspn(new.v[k], " =") != len || strncmp(new.v[k], old.v[i], len) != 0);
		if (gone)
			buf_fmt(&sql, "%s%.*s", sql.data[sql.len - 1] == '(' ? "" : ", ", (int)len, old.v[i]);
	}
	buf_char(&sql, ')');
	ddl_add(w, o, "options", 0, buf_text(&sql));
	return true;
}

static const struct property DICTIONARY[] = {
	OWNED_BY("TEXT SEARCH DICTIONARY"),
	{ "template", .how = HOW_REBUILD },
	{ "options", .write = change_options },
	END_OF_PROPERTIES,
};

static const struct kind KIND_DICTIONARY = {
	.name = "text search dictionary",
	.rank = 28,
	.create = "CREATE TEXT SEARCH DICTIONARY {name} (TEMPLATE = {template}[, {options}])",
	.drop = "DROP TEXT SEARCH DICTIONARY {name}",
	.properties = DICTIONARY,
};

static const struct property PARSER[] = {
	{ "start", .how = HOW_REBUILD }, { "token", .how = HOW_REBUILD },    { "end", .how = HOW_REBUILD },
	{ "types", .how = HOW_REBUILD }, { "headline", .how = HOW_REBUILD }, END_OF_PROPERTIES,
};

static const struct kind KIND_PARSER = {
	.name = "text search parser",
	.rank = 37,
	.create = "CREATE TEXT SEARCH PARSER {name} (START = {start}, GETTOKEN = {token}, END = {end},"
		  " LEXTYPES = {types}[, HEADLINE = {headline}])",
	.drop = "DROP TEXT SEARCH PARSER {name}",
	.properties = PARSER,
};

static const struct property TEMPLATE[] = {
	{ "lexize", .how = HOW_REBUILD },
	{ "init", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_TEMPLATE = {
	.name = "text search template",
	.rank = 37,
	.create = "CREATE TEXT SEARCH TEMPLATE {name} (LEXIZE = {lexize}[, INIT = {init}])",
	.drop = "DROP TEXT SEARCH TEMPLATE {name}",
	.properties = TEMPLATE,
};

const struct kind *const KIND_TEXTSEARCH[] = { &KIND_CONFIGURATION, &KIND_DICTIONARY, &KIND_PARSER,
	                                       &KIND_TEMPLATE, NULL };
