#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/types.h"

#include "base/cleanup.h"

#include <string.h>

static void add_unless(struct buf *out, const struct fact *f, const char *attribute, const char *plain,
                       const char *words)
{
	const char *value = fact_value(f, attribute);

	if (strcmp(value, plain) != 0)
		buf_fmt(out, " %s %s", words, value);
}

static bool counts_down(const struct fact *f) { return fact_value(f, "increment")[0] == '-'; }

/* What CREATE SEQUENCE would take by itself is not written; a sequence that counts down has other limits. */
static bool create_sequence(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const struct fact *f = o->new;
	bool down = counts_down(f);

	(void)err;
	ddl_expand(w->all, &sql, o, f, "CREATE [UNLOGGED{?unlogged} ]SEQUENCE {name}");
	add_unless(&sql, f, "type", "bigint", "AS");
	add_unless(&sql, f, "increment", "1", "INCREMENT BY");
	add_unless(&sql, f, "minimum", down ? "" : "1", "MINVALUE");
	add_unless(&sql, f, "maximum", down ? "" : sequence_limit(fact_value(f, "type")), "MAXVALUE");
	add_unless(&sql, f, "start", down ? "" : fact_value(f, "minimum"), "START WITH");
	add_unless(&sql, f, "cache", "1", "CACHE");
	ddl_expand(w->all, &sql, o, f, "[ CYCLE{?cycle}]");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const char *set(const struct object *o, const char *attribute, const char *pattern)
{
	return value_differs(o, attribute) ? pattern : "";
}

static bool drop_sequence(struct writer *w, const struct object *o, struct err *err)
{
	const char *identity = fact_value(o->old, "identity of");

	if (identity)
		return err_set(
			err, ERR_REFUSED,
			"sequence %s: the identity of %s cannot have the name of something that is there",
			o->old->name, identity);
	ddl_write(w, o, o->old, "drop", HAZARD_DATA_LOSS, "DROP SEQUENCE {name}");
	return true;
}

/* One statement for all: the limits of a type must fit together.  Limits and start are written out together, since
 * a new type moves those that are its own.  One that turns round stands outside of its new limits. */
static bool change_numbers(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf pattern = BUF_INIT(BUF_TEXT_MAX);
	bool turns = counts_down(o->old) != counts_down(o->new);
	bool limits = value_differs(o, "type") || value_differs(o, "minimum") ||
	              value_differs(o, "maximum") || value_differs(o, "start");

	(void)err;
	buf_fmt(&pattern, "ALTER SEQUENCE {name}%s%s%s%s%s%s", set(o, "type", " AS {type}"),
	        set(o, "increment", " INCREMENT BY {increment}"),
	        limits ? " MINVALUE {minimum} MAXVALUE {maximum} START WITH {start}" : "",
	        turns ? " RESTART" : "", set(o, "cache", " CACHE {cache}"),
	        set(o, "cycle", fact_value(o->new, "cycle") ? " CYCLE" : " NO CYCLE"));
	ddl_write(w, o, o->new, "options", turns ? HAZARD_DATA_LOSS : 0, buf_text(&pattern));
	return true;
}

/* Made with a column, or owned by one before and after, it has its table's owner. */
static bool change_owner(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	if (fact_value(o->new, "identity of"))
		return true;
	if (object_makes(o) || !fact_value(o->old, "owned by") || !fact_value(o->new, "owned by"))
		ddl_write(w, o, o->new, "owner", 0, "ALTER SEQUENCE {name} OWNER TO {owner\"}");
	return true;
}

static const struct property SEQUENCE[] = {
	{ "type", .together = true },
	{ "increment", .together = true },
	{ "minimum", .together = true },
	{ "maximum", .together = true },
	{ "start", .together = true },
	{ "cache", .together = true },
	{ "cycle", .together = true },
	{ "unlogged", .set = "ALTER SEQUENCE {name} SET UNLOGGED",
	  .unset = "ALTER SEQUENCE {name} SET LOGGED" },
	{ "owner", .after = true, .write = change_owner },
	{ "owned by", .how = HOW_FOLLOWS },
	{ "identity of", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_SEQUENCE = {
	.name = "sequence",
	.noun = "SEQUENCE",
	.rank = 30,
	.properties = SEQUENCE,
	.write_together = change_numbers,
	.write_create = create_sequence,
	.write_drop = drop_sequence,
};

static const struct property SEQUENCE_OWNER[] = {
	{ "column", .set = "ALTER SEQUENCE {name} OWNED BY {column}" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_SEQUENCE_OWNER = {
	.name = "sequence owner",
	.rank = 45,
	.create = "ALTER SEQUENCE {name} OWNED BY {column}",
	.drop = "ALTER SEQUENCE {name} OWNED BY NONE",
	.properties = SEQUENCE_OWNER,
};

const struct kind *const KIND_SEQUENCES[] = { &KIND_SEQUENCE, &KIND_SEQUENCE_OWNER, NULL };
