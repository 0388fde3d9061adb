#include "migrations/schema/changes/ddl.h"

#include "base/cleanup.h"

static bool create_collation(struct writer *w, const struct object *o, struct err *err)
{
	const char *provider = fact_value(o->new, "provider");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	(void)err;
	ddl_expand(w->all, &sql, o, o->new, "CREATE COLLATION {name} (PROVIDER = ");
	buf_str(&sql, provider[0] == 'i' ? "icu" : provider[0] == 'b' ? "builtin" : "libc");
	ddl_expand(
		w->all, &sql, o, o->new,
		"[, LOCALE = {locale'}][, LC_COLLATE = {collate'}][, LC_CTYPE = {ctype'}][, RULES = {rules'}]"
		"[, DETERMINISTIC = false{?not deterministic}])");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const struct property COLLATION[] = {
	OWNED_BY("COLLATION"),
	{ "provider", .how = HOW_REBUILD },
	{ "collate", .how = HOW_REBUILD },
	{ "ctype", .how = HOW_REBUILD },
	{ "locale", .how = HOW_REBUILD },
	{ "rules", .how = HOW_REBUILD },
	{ "not deterministic", .how = HOW_REBUILD },
	{ "encoding", .how = HOW_FOLLOWS },
	END_OF_PROPERTIES,
};

static const struct kind KIND_COLLATION = {
	.name = "collation",
	.noun = "COLLATION",
	.rank = 24,
	.drop = "DROP COLLATION {name}",
	.properties = COLLATION,
	.write_create = create_collation,
};

static const struct property CONVERSION[] = {
	OWNED_BY("CONVERSION"),
	{ "from", .how = HOW_REBUILD },
	{ "to", .how = HOW_REBUILD },
	{ "function", .how = HOW_REBUILD },
	{ "default", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CONVERSION = {
	.name = "conversion",
	.noun = "CONVERSION",
	.rank = 37,
	.create = "CREATE[ DEFAULT{?default}] CONVERSION {name} FOR {from'} TO {to'} FROM {function}",
	.drop = "DROP CONVERSION {name}",
	.properties = CONVERSION,
};

const struct kind *const KIND_COLLATIONS[] = { &KIND_COLLATION, &KIND_CONVERSION, NULL };
