#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"

#include <string.h>

static bool is(const struct object *o, const char *kind) { return strcmp(o->kind->name, kind) == 0; }

/* Its canonical function; NULL: it has none. */
static const struct object *canonical_of(const struct objects *all, const struct object *range, bool dropped)
{
	const struct links *links = dropped ? &all->old_users : &all->new_users;

	for (FOR_LINKS(i, links, all, range)) {
		const struct object *o = links->v[i];

		if (is(o, "function") && (dropped ? o->dropped_by : o->made_by) == range &&
		    !fact_value(object_fact(o), "part of its type"))
			return o;
	}
	return NULL;
}

static bool create_range(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *class = fact_value(o->new, "operator class"), *using = words_find(class, " USING ");
	const struct object *canonical = canonical_of(w->all, o, false);

	/* The function is one of the shell, and the type has the function. */
	if (canonical)
		ddl_write(w, o, o->new, "create shell", 0, "CREATE TYPE {name}");
	if (canonical && !canonical->kind->write_create(w, canonical, err))
		return false;
	ddl_expand(w->all, &sql, o, o->new, "CREATE TYPE {name} AS RANGE (SUBTYPE = {subtype}");
	buf_fmt(&sql, ", SUBTYPE_OPCLASS = %.*s", (int)(using - class), class);
	ddl_expand(w->all, &sql, o, o->new,
	           "[, COLLATION = {collation}][, CANONICAL = {canonical}][, SUBTYPE_DIFF = {difference}]"
	           "[, MULTIRANGE_TYPE_NAME = {multirange}])");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

/* CASCADE is for the canonical function: nothing else is left that needs the type. */
static bool drop_range(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->old, "drop", 0,
	          canonical_of(w->all, o, true) ? "DROP TYPE {name} CASCADE" : o->kind->drop);
	return true;
}

static const struct property RANGE[] = {
	OWNED_BY("TYPE"),
	{ "subtype", .how = HOW_REBUILD },
	{ "multirange", .how = HOW_REBUILD },
	{ "operator class", .how = HOW_REBUILD },
	{ "collation", .how = HOW_REBUILD },
	{ "canonical", .how = HOW_REBUILD },
	{ "difference", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_RANGE = {
	.name = "range",
	.noun = "TYPE",
	.rank = 27,
	.drop = "DROP TYPE {name}",
	.properties = RANGE,
	.write_create = create_range,
	.write_drop = drop_range,
};

const struct kind *const KIND_RANGES[] = { &KIND_RANGE, NULL };
