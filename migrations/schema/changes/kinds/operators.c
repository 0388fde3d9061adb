#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/strv.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* "ty.<(ty.tick,integer)": an operator's name, and its arguments. */
static char *operator_name(const char *text)
{
	return mem_strndup(text, (size_t)(words_find(text, "(") - text));
}

static void add_operator(struct buf *out, const char *word, const char *text)
{
	cleanup_free char *name = text ? operator_name(text) : NULL;

	if (name)
		buf_fmt(out, ", %s = OPERATOR(%s)", word, name);
}

/* The two types of "(a,b)"; a type may have a comma in parentheses or quotes. */
static void read_arguments(struct strv *out, const char *text)
{
	const char *open = words_find(text, "(");
	cleanup_free char *inside = mem_strndup(open + 1, strlen(open) - 2);
	const char *comma = words_find(inside, ",");
	cleanup_free char *left = mem_strndup(inside, (size_t)(comma - inside));

	strv_add(out, left);
	strv_add(out, comma + 1);
}

static bool create_operator(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_strv struct strv arguments = STRV_INIT;

	(void)err;
	read_arguments(&arguments, o->new->name);
	ddl_expand(w->all, &sql, o, o->new, "CREATE OPERATOR {bare} (FUNCTION = {function}");
	if (strcmp(arguments.v[0], "NONE") != 0)
		buf_fmt(&sql, ", LEFTARG = %s", arguments.v[0]);
	buf_fmt(&sql, ", RIGHTARG = %s", arguments.v[1]);
	add_operator(&sql, "COMMUTATOR", fact_value(o->new, "commutator"));
	add_operator(&sql, "NEGATOR", fact_value(o->new, "negator"));
	ddl_expand(w->all, &sql, o, o->new,
	           "[, RESTRICT = {restrict}][, JOIN = {join}][, HASHES{?hashes}][, MERGES{?merges}])");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const struct property OPERATOR[] = {
	OWNED_BY("OPERATOR"),
	{ "restrict", .set = "ALTER OPERATOR {name} SET (RESTRICT = {restrict})",
	  .unset = "ALTER OPERATOR {name} SET (RESTRICT = NONE)" },
	{ "join", .set = "ALTER OPERATOR {name} SET (JOIN = {join})",
	  .unset = "ALTER OPERATOR {name} SET (JOIN = NONE)" },
	{ "function", .how = HOW_REBUILD },
	{ "result", .how = HOW_REBUILD },
	{ "commutator", .how = HOW_REBUILD },
	{ "negator", .how = HOW_REBUILD },
	{ "hashes", .how = HOW_REBUILD },
	{ "merges", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_OPERATOR = {
	.name = "operator",
	.noun = "OPERATOR",
	.rank = 37,
	.drop = "DROP OPERATOR {name}",
	.properties = OPERATOR,
	.write_create = create_operator,
};

/* "operator 1 (ty.tick, integer) of ty.family USING btree", and function likewise. */
struct entry {
	char *number, *types, *family;
};

static void entry_clear(struct entry *e)
{
	free(e->number);
	free(e->types);
	free(e->family);
}

#define cleanup_entry __attribute__((cleanup(entry_clear)))

static void read_entry(struct entry *out, const char *name)
{
	const char *number = words_find(name, " ") + 1, *types = words_find(name, " (") + 1;
	const char *family = words_find_last(name, " of ");

	out->number = mem_strndup(number, (size_t)(types - number) - 1);
	out->types = mem_strndup(types, (size_t)(family - types));
	out->family = mem_strdup(family + strlen(" of "));
}

/* "OPERATOR 1 ty.< (ty.tick, integer)" */
static void add_entry(struct buf *out, const struct object *o)
{
	cleanup_entry struct entry e = { .number = NULL };
	const char *of = fact_value(o->new, "operator"), *sort = fact_value(o->new, "sort family");

	read_entry(&e, o->new->name);
	if (of) {
		cleanup_free char *name = operator_name(of);

		buf_fmt(out, "OPERATOR %s %s %s", e.number, name, e.types);
		if (sort)
			buf_fmt(out, " FOR ORDER BY %.*s", (int)(words_find(sort, " USING ") - sort), sort);
	} else {
		buf_fmt(out, "FUNCTION %s %s %s", e.number, e.types, fact_value(o->new, "function"));
	}
}

static bool create_class(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *using = words_find(o->new->name, " USING "), *family = fact_value(o->new, "family");
	const char *key = fact_value(o->new, "key type");
	const struct object *last = NULL;
	size_t n = 0;

	(void)err;
	buf_fmt(&sql, "CREATE OPERATOR CLASS %.*s%s", (int)(using - o->new->name), o->new->name,
	        fact_value(o->new, "default") ? " DEFAULT" : "");
	ddl_expand(w->all, &sql, o, o->new, " FOR TYPE {type}");
	buf_fmt(&sql, "%s FAMILY %.*s AS", using, (int)(words_find(family, " USING ") - family), family);
	for (FOR_LINKS(i, &w->all->new_users, w->all, o)) {
		const struct object *entry = w->all->new_users.v[i];

		if (entry == last || !text_starts(entry->kind->name, "family "))
			continue;
		last = entry;
		buf_str(&sql, n++ ? ",\n\t" : "\n\t");
		add_entry(&sql, entry);
	}
	/* A class without an entry needs something to say. */
	if (key || n == 0)
		buf_fmt(&sql, "%s STORAGE %s", n > 0 ? "," : "", key ? key : fact_value(o->new, "type"));
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const struct property CLASS[] = {
	{ "owner", .set = "ALTER OPERATOR CLASS {name} OWNER TO {owner\"}", .after = true },
	{ "family", .how = HOW_REBUILD },
	{ "type", .how = HOW_REBUILD },
	{ "key type", .how = HOW_REBUILD },
	{ "default", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CLASS = {
	.name = "operator class",
	.noun = "OPERATOR CLASS",
	.rank = 38,
	.drop = "DROP OPERATOR CLASS {name}",
	.properties = CLASS,
	.write_create = create_class,
};

static const struct property FAMILY[] = { OWNED_BY("OPERATOR FAMILY"), END_OF_PROPERTIES };

static const struct kind KIND_FAMILY = {
	.name = "operator family",
	.noun = "OPERATOR FAMILY",
	.rank = 37,
	.create = "CREATE OPERATOR FAMILY {name}",
	.drop = "DROP OPERATOR FAMILY {name}",
	.properties = FAMILY,
};

static bool create_entry(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_entry struct entry e = { .number = NULL };

	(void)err;
	read_entry(&e, o->new->name);
	buf_fmt(&sql, "ALTER OPERATOR FAMILY %s ADD ", e.family);
	add_entry(&sql, o);
	ddl_add(w, o, "add", 0, buf_text(&sql));
	return true;
}

static bool drop_entry(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_entry struct entry e = { .number = NULL };
	cleanup_free char *sql = NULL;

	(void)err;
	read_entry(&e, o->old->name);
	sql = mem_fmt("ALTER OPERATOR FAMILY %s DROP %s %s %s", e.family,
	              text_starts(o->old->name, "operator") ? "OPERATOR" : "FUNCTION", e.number, e.types);
	ddl_add(w, o, "drop", 0, sql);
	return true;
}

static const struct property ENTRY[] = {
	{ "operator", .how = HOW_REBUILD },
	{ "purpose", .how = HOW_REBUILD },
	{ "sort family", .how = HOW_REBUILD },
	{ "function", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_FAMILY_OPERATOR = {
	.name = "family operator",
	.rank = 39,
	.properties = ENTRY,
	.write_create = create_entry,
	.write_drop = drop_entry,
};

static const struct kind KIND_FAMILY_FUNCTION = {
	.name = "family function",
	.rank = 39,
	.properties = ENTRY,
	.write_create = create_entry,
	.write_drop = drop_entry,
};

static const struct property METHOD[] = {
	{ "handler", .how = HOW_REBUILD },
	{ "type", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static bool create_method(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->new, "create", 0,
	          strcmp(fact_value(o->new, "type"), "t") == 0
	                  ? "CREATE ACCESS METHOD {name} TYPE TABLE HANDLER {handler}"
	                  : "CREATE ACCESS METHOD {name} TYPE INDEX HANDLER {handler}");
	return true;
}

static const struct kind KIND_METHOD = {
	.name = "access method",
	.rank = 21,
	.drop = "DROP ACCESS METHOD {name}",
	.properties = METHOD,
	.write_create = create_method,
};

/* "for ty.tick on language sql" */
static void transform_name(struct buf *out, const char *name)
{
	const char *language = words_find_last(name, " language "),
		   *on = words_find_last(name, " on language ");
	const char *end = on ? on : language;

	buf_fmt(out, "FOR %.*s LANGUAGE %s", (int)(end - name) - (int)strlen("for "), name + strlen("for "),
	        language + strlen(" language "));
}

static bool create_transform(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *from = fact_value(o->new, "from SQL"), *to = fact_value(o->new, "to SQL");

	(void)err;
	buf_str(&sql, "CREATE TRANSFORM ");
	transform_name(&sql, o->new->name);
	buf_str(&sql, " (");
	if (from)
		buf_fmt(&sql, "FROM SQL WITH FUNCTION %s(internal)", from);
	if (to)
		buf_fmt(&sql, "%sTO SQL WITH FUNCTION %s(internal)", from ? ", " : "", to);
	buf_char(&sql, ')');
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static bool drop_transform(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	buf_str(&sql, "DROP TRANSFORM ");
	transform_name(&sql, o->old->name);
	ddl_add(w, o, "drop", 0, buf_text(&sql));
	return true;
}

static const struct property TRANSFORM[] = {
	{ "from SQL", .how = HOW_REBUILD },
	{ "to SQL", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_TRANSFORM = {
	.name = "transform",
	.rank = 39,
	.properties = TRANSFORM,
	.write_create = create_transform,
	.write_drop = drop_transform,
};

static bool create_cast(struct writer *w, const struct object *o, struct err *err)
{
	const char *method = fact_value(o->new, "method"), *context = fact_value(o->new, "context");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	ddl_expand(w->all, &sql, o, o->new, "CREATE CAST {name}[ WITH FUNCTION {function}]");
	if (strcmp(method, "function") != 0)
		buf_str(&sql, strcmp(method, "inout") == 0 ? " WITH INOUT" : " WITHOUT FUNCTION");
	if (strcmp(context, "explicit") != 0)
		buf_str(&sql, strcmp(context, "implicit") == 0 ? " AS IMPLICIT" : " AS ASSIGNMENT");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const struct property CAST[] = {
	{ "function", .how = HOW_REBUILD },
	{ "method", .how = HOW_REBUILD },
	{ "context", .how = HOW_REBUILD },
	{ "part of its type", .how = HOW_REFUSED },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CAST = {
	.name = "cast",
	.noun = "CAST",
	.rank = 38,
	.drop = "DROP CAST {name}",
	.properties = CAST,
	.write_create = create_cast,
};

const struct kind *const KIND_OPERATORS[] = { &KIND_OPERATOR,
	                                      &KIND_CLASS,
	                                      &KIND_FAMILY,
	                                      &KIND_FAMILY_OPERATOR,
	                                      &KIND_FAMILY_FUNCTION,
	                                      &KIND_METHOD,
	                                      &KIND_CAST,
	                                      &KIND_TRANSFORM,
	                                      NULL };
