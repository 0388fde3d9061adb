#include "migrations/schema/changes/types.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Families whose members are assigned to each other without a word (pg_cast, castcontext 'a' and 'i'). */
static const char *const STRINGS[] = { "text", "character varying", "character", "name", "\"char\"", NULL };
static const char *const NUMBERS[] = { "smallint", "integer",          "bigint", "numeric",
	                               "real",     "double precision", NULL };
static const char *const MOMENTS[] = { "date", "timestamp without time zone", "timestamp with time zone",
	                               NULL };
static const char *const JSONS[] = { "json", "jsonb", NULL };

static bool is_in(const char *const *list, const char *type)
{
	for (; *list; list++)
		if (strcmp(*list, type) == 0)
			return true;
	return false;
}

/* Without what stands in parentheses: "timestamp(3) with time zone". */
static char *base_type(const char *type)
{
	const char *open = strchr(type, '('), *close = open ? strchr(open, ')') : NULL;

	return close ? mem_fmt("%.*s%s", (int)(open - type), type, close + 1) : mem_strdup(type);
}

static bool assigned(const char *from, const char *to)
{
	return strcmp(from, to) == 0 || is_in(STRINGS, to) || (is_in(NUMBERS, from) && is_in(NUMBERS, to)) ||
	       (is_in(MOMENTS, from) && is_in(MOMENTS, to)) || (is_in(JSONS, from) && is_in(JSONS, to));
}

/* A type of a schema has no cast but through text, unless someone made one. */
char *type_cast(const char *from, const char *to)
{
	cleanup_free char *was = base_type(from), *is = base_type(to);
	bool ours = strchr(was, '.') || strchr(is, '.');

	if (assigned(was, is))
		return NULL;
	return mem_fmt("%s%s", ours && !is_in(STRINGS, was) ? "text::" : "", is);
}

static long modifier(const char *type, int which)
{
	const char *p = strchr(type, '(');

	if (p && which == 1)
		p = strchr(p, ',');
	return p ? strtol(p + 1, NULL, 10) : -1;
}

/* -1 is no limit. */
static bool at_least(long new, long old) { return new == -1 || (old != -1 && new >= old); }

static bool keeps_form(const char *from, const char *to, const char *was, const char *is)
{
	if (strcmp(was, "character varying") == 0 && strcmp(is, "text") == 0)
		return true;
	if (strcmp(was, "text") == 0 && strcmp(to, "character varying") == 0)
		return true;
	if (strcmp(was, is) != 0)
		return false;
	if (strcmp(was, "character varying") == 0)
		return at_least(modifier(to, 0), modifier(from, 0));
	if (strcmp(was, "numeric") == 0)
		return strcmp(to, "numeric") == 0 ||
		       (at_least(modifier(to, 0), modifier(from, 0)) && modifier(to, 1) == modifier(from, 1));
	return false;
}

/* Rounded or cut without an error. */
static bool loses(const char *from, const char *to, const char *was, const char *is)
{
	bool exact = is_in(NUMBERS, is) && strcmp(is, "real") != 0 && strcmp(is, "double precision") != 0;
	bool fraction = strcmp(was, "numeric") == 0 || strcmp(was, "real") == 0 ||
	                strcmp(was, "double precision") == 0;

	if (strcmp(was, "numeric") == 0 && strcmp(is, "numeric") == 0)
		return !at_least(modifier(to, 1), modifier(from, 1));
	if (is_in(NUMBERS, was) && is_in(NUMBERS, is))
		return (exact && fraction && strcmp(to, "numeric") != 0) || strcmp(is, "real") == 0;
	if (is_in(MOMENTS, was))
		return strcmp(is, "date") == 0 ||
		       (is_in(MOMENTS, is) && !at_least(modifier(to, 0), modifier(from, 0))) ||
		       text_starts(is, "time ");
	return strcmp(was, "json") == 0 && strcmp(is, "jsonb") == 0;
}

unsigned type_hazards(const char *from, const char *to)
{
	cleanup_free char *was = base_type(from), *is = base_type(to);

	if (keeps_form(from, to, was, is))
		return 0;
	return HAZARD_REWRITE | (loses(from, to, was, is) ? HAZARD_DATA_LOSS : 0U);
}

/* pg_type.typstorage of the server's own types that are not "extended". */
const char *type_storage(const struct objects *all, const char *type)
{
	static const char *const MAIN[] = { "numeric", "inet", "cidr", NULL };
	static const char *const PLAIN[] = { "tsquery", "name", "oidvector", "int2vector", NULL };
	cleanup_free char *base = base_type(type);
	const struct object *domain = objects_find(all, "domain", base);
	const struct object *made = objects_find(all, "base type", base);
	const char *letter = made ? fact_value(object_fact(made), "storage") : NULL;

	if (domain)
		return type_storage(all, fact_value(object_fact(domain), "type"));
	if (letter)
		return letter[0] == 'p'   ? "plain"
		       : letter[0] == 'm' ? "main"
		       : letter[0] == 'e' ? "external"
		                          : "extended";
	return is_in(MAIN, base) ? "main" : is_in(PLAIN, base) ? "plain" : "extended";
}

static bool has(const struct fact *f, const char *attribute, const char *value)
{
	const char *is = fact_value(f, attribute);

	return is && strcmp(is, value) == 0;
}

const char *sequence_limit(const char *type)
{
	if (strcmp(type, "smallint") == 0)
		return "32767";
	return strcmp(type, "integer") == 0 ? "2147483647" : "9223372036854775807";
}

bool sequence_is_plain(const struct fact *s)
{
	return has(s, "start", "1") && has(s, "increment", "1") && has(s, "minimum", "1") &&
	       has(s, "cache", "1") && has(s, "maximum", sequence_limit(fact_value(s, "type"))) &&
	       !fact_value(s, "cycle") && !fact_value(s, "unlogged");
}
