#include "migrations/schema/changes/kinds/nouns.h"

#include "migrations/schema/changes/words.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

/* The longest that fits counts. */
static const struct noun NOUNS[] = {
	{ "table column ", "COLUMN", "COLUMN" },
	{ "view column ", "COLUMN", "COLUMN" },
	{ "materialized view column ", "COLUMN", "COLUMN" },
	{ "foreign table column ", "COLUMN", "COLUMN" },
	{ "composite type column ", "COLUMN", NULL },
	{ "table constraint ", "CONSTRAINT", NULL },
	{ "domain constraint ", "CONSTRAINT", NULL },
	{ "table ", "TABLE", "TABLE" },
	{ "view ", "VIEW", "TABLE" },
	{ "materialized view ", "MATERIALIZED VIEW", "TABLE" },
	{ "foreign table ", "FOREIGN TABLE", "TABLE" },
	{ "sequence ", "SEQUENCE", "SEQUENCE" },
	{ "index ", "INDEX", NULL },
	{ "schema ", "SCHEMA", "SCHEMA" },
	{ "type ", "TYPE", "TYPE" },
	{ "composite type ", "TYPE", "TYPE" },
	{ "function ", "FUNCTION", "FUNCTION" },
	{ "procedure ", "PROCEDURE", "PROCEDURE" },
	{ "aggregate ", "ROUTINE", "ROUTINE" },
	{ "trigger ", "TRIGGER", NULL },
	{ "rule ", "RULE", NULL },
	{ "policy ", "POLICY", NULL },
	{ "statistics object ", "STATISTICS", NULL },
	{ "event trigger ", "EVENT TRIGGER", NULL },
	{ "extension ", "EXTENSION", NULL },
	{ "language ", "LANGUAGE", "LANGUAGE" },
	{ "foreign-data wrapper ", "FOREIGN DATA WRAPPER", "FOREIGN DATA WRAPPER" },
	{ "server ", "SERVER", "FOREIGN SERVER" },
	{ "collation ", "COLLATION", NULL },
	{ "conversion ", "CONVERSION", NULL },
	{ "cast ", "CAST", NULL },
	{ "operator ", "OPERATOR", NULL },
	{ "operator class ", "OPERATOR CLASS", NULL },
	{ "operator family ", "OPERATOR FAMILY", NULL },
	{ "access method ", "ACCESS METHOD", NULL },
	{ "text search configuration ", "TEXT SEARCH CONFIGURATION", NULL },
	{ "text search dictionary ", "TEXT SEARCH DICTIONARY", NULL },
	{ "text search parser ", "TEXT SEARCH PARSER", NULL },
	{ "text search template ", "TEXT SEARCH TEMPLATE", NULL },
	{ "transform ", "TRANSFORM", NULL },
	{ "publication ", "PUBLICATION", NULL },
	{ "subscription ", "SUBSCRIPTION", NULL },
};

const struct noun *noun_find(const char *name)
{
	const struct noun *found = NULL;

	for (size_t i = 0; i < sizeof(NOUNS) / sizeof(*NOUNS); i++)
		if (text_starts(name, NOUNS[i].identity) &&
		    (!found || strlen(NOUNS[i].identity) > strlen(found->identity)))
			found = &NOUNS[i];
	return found;
}

bool noun_missing(const struct object *o, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s %s: no statement for such an object is known",
	               object_fact(o)->kind, object_fact(o)->name);
}

/* "table constraint c on public.t", "domain constraint c on ty.d", "(a AS b)", "for ty.t on language sql". */
char *noun_target(const struct noun *noun, const char *name)
{
	const char *identity = name + strlen(noun->identity);
	const char *on = words_find_last(identity, " on ");

	if (text_starts(name, "domain constraint "))
		return mem_fmt("%.*s ON DOMAIN %s", (int)(on - identity), identity, on + 4);
	if (text_starts(name, "transform ")) {
		const char *language = words_find(identity, " language ");

		on = words_find(identity, " on language ");
		language = on ? on + strlen(" on language ") : language + strlen(" language ");
		return mem_fmt("%.*s LANGUAGE %s",
		               (int)(words_find(identity, on ? " on " : " language ") - identity), identity,
		               language);
	}
	if (on && (strcmp(noun->comment, "CONSTRAINT") == 0 || strcmp(noun->comment, "TRIGGER") == 0 ||
	           strcmp(noun->comment, "RULE") == 0 || strcmp(noun->comment, "POLICY") == 0))
		return mem_fmt("%.*s ON %s", (int)(on - identity), identity, on + 4);
	return mem_strdup(identity);
}
