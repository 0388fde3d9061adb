#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/options.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

static const struct property EXTENSION[] = {
	{ "schema", .set = "ALTER EXTENSION {name} SET SCHEMA {schema}" },
	{ "version", .set = "ALTER EXTENSION {name} UPDATE TO {version'}" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_EXTENSION = {
	.name = "extension",
	.noun = "EXTENSION",
	.rank = 15,
	.create = "CREATE EXTENSION {name}[ SCHEMA {schema}] VERSION {version'}",
	.drop = "DROP EXTENSION {name}",
	.drop_hazards = HAZARD_DATA_LOSS,
	.properties = EXTENSION,
};

/* CREATE ... OPTIONS (...), for what has them. */
static bool create_with_options(struct writer *w, const struct object *o, const char *pattern,
                                struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX), options = BUF_INIT(BUF_TEXT_MAX);

	if (!options_all(o, "options", &options, err))
		return false;
	ddl_expand(w->all, &sql, o, o->new, pattern);
	if (options.len > 0)
		buf_fmt(&sql, " OPTIONS (%s)", buf_text(&options));
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static bool change_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf options = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *sql = NULL;

	if (!options_differ(o, "options", &options, err))
		return false;
	sql = mem_fmt("ALTER %s %s OPTIONS (%s)", o->kind->noun, o->new->name, buf_text(&options));
	ddl_add(w, o, "options", 0, sql);
	return true;
}

static bool create_wrapper(struct writer *w, const struct object *o, struct err *err)
{
	return create_with_options(
		w, o, "CREATE FOREIGN DATA WRAPPER {name}[ HANDLER {handler}][ VALIDATOR {validator}]", err);
}

#define WRAPPER_IS "ALTER FOREIGN DATA WRAPPER {name} "

static const struct property WRAPPER[] = {
	OWNED_BY("FOREIGN DATA WRAPPER"),
	{ "handler", .set = WRAPPER_IS "HANDLER {handler}", .unset = WRAPPER_IS "NO HANDLER" },
	{ "validator", .set = WRAPPER_IS "VALIDATOR {validator}", .unset = WRAPPER_IS "NO VALIDATOR" },
	{ "options", .write = change_options },
	END_OF_PROPERTIES,
};

static const struct kind KIND_WRAPPER = {
	.name = "foreign data wrapper",
	.noun = "FOREIGN DATA WRAPPER",
	.rank = 37,
	.drop = "DROP FOREIGN DATA WRAPPER {name}",
	.properties = WRAPPER,
	.write_create = create_wrapper,
};

static bool create_server(struct writer *w, const struct object *o, struct err *err)
{
	return create_with_options(
		w, o,
		"CREATE SERVER {name}[ TYPE {type'}][ VERSION {version'}] FOREIGN DATA WRAPPER {wrapper}",
		err);
}

static const struct property SERVER[] = {
	OWNED_BY("SERVER"),
	{ "wrapper", .how = HOW_REBUILD },
	{ "type", .how = HOW_REBUILD },
	{ "version", .set = "ALTER SERVER {name} VERSION {version'}",
	  .unset = "ALTER SERVER {name} VERSION NULL" },
	{ "options", .write = change_options },
	END_OF_PROPERTIES,
};

static const struct kind KIND_SERVER = {
	.name = "foreign server",
	.noun = "SERVER",
	.rank = 38,
	.drop = "DROP SERVER {name}",
	.properties = SERVER,
	.write_create = create_server,
};

/* Every value of a mapping is a secret. */
static const struct property MAPPING[] = {
	{ "options", .how = HOW_REFUSED, .after = true },
	END_OF_PROPERTIES,
};

static const struct kind KIND_MAPPING = {
	.name = "user mapping",
	.noun = "USER MAPPING",
	.rank = 39,
	.word = " on ",
	.create = "CREATE USER MAPPING FOR {1} SERVER {2}",
	.drop = "DROP USER MAPPING FOR {1} SERVER {2}",
	.drop_hazards = HAZARD_DATA_LOSS,
	.holds_data = true,
	.properties = MAPPING,
};

static bool create_publication(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	bool plain = strcmp(fact_value(o->new, "publishes"), "insert, update, delete, truncate") == 0;

	(void)err;
	ddl_expand(w->all, &sql, o, o->new, "CREATE PUBLICATION {name}[ FOR ALL TABLES{?all tables}]");
	if (!plain || fact_value(o->new, "via root"))
		ddl_expand(w->all, &sql, o, o->new,
		           " WITH (publish = {publishes'}[, publish_via_partition_root = true{?via root}])");
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

static const struct property PUBLICATION[] = {
	OWNED_BY("PUBLICATION"),
	{ "all tables", .how = HOW_REBUILD },
	{ "publishes", .set = "ALTER PUBLICATION {name} SET (publish = {publishes'})" },
	{ "via root", .set = "ALTER PUBLICATION {name} SET (publish_via_partition_root = true)",
	  .unset = "ALTER PUBLICATION {name} SET (publish_via_partition_root = false)" },
	/* Since 18: the letter is one of stored and none. */
	{ "generated columns", .after = true,
	  .set = "ALTER PUBLICATION {name} SET (publish_generated_columns = stored)",
	  .unset = "ALTER PUBLICATION {name} SET (publish_generated_columns = none)" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_PUBLICATION = {
	.name = "publication",
	.noun = "PUBLICATION",
	.rank = 80,
	.drop = "DROP PUBLICATION {name}",
	.properties = PUBLICATION,
	.write_create = create_publication,
};

/* Without ONLY the tables that inherit would come along. */
static bool needs_only(const struct writer *w, const struct fact *f)
{
	const char *in = words_find_last(f->name, " in ");
	cleanup_free char *name = mem_strndup(f->name, (size_t)(in - f->name));
	const struct object *table = objects_relation(w->all, name);

	return table && has_children(w->all, table);
}

static bool publish_table(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->new, "add", 0,
	          needs_only(w, o->new)
	                  ? "ALTER PUBLICATION {2} ADD TABLE ONLY {1}[ ({columns})][ WHERE ({where})]"
	                  : "ALTER PUBLICATION {2} ADD TABLE {1}[ ({columns})][ WHERE ({where})]");
	return true;
}

static bool hide_table(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->old, "drop", 0,
	          needs_only(w, o->old) ? "ALTER PUBLICATION {2} DROP TABLE ONLY {1}"
	                                : "ALTER PUBLICATION {2} DROP TABLE {1}");
	return true;
}

static const struct property PUBLISHED_TABLE[] = {
	{ "columns", .how = HOW_REBUILD },
	{ "where", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_PUBLISHED_TABLE = {
	.name = "publication table",
	.rank = 81,
	.word = " in ",
	.properties = PUBLISHED_TABLE,
	.write_create = publish_table,
	.write_drop = hide_table,
};

static const struct kind KIND_PUBLISHED_SCHEMA = {
	.name = "publication schema",
	.rank = 82,
	.word = " in ",
	.create = "ALTER PUBLICATION {2} ADD TABLES IN SCHEMA {1}",
	.drop = "ALTER PUBLICATION {2} DROP TABLES IN SCHEMA {1}",
};

const struct kind *const KIND_OUTSIDE[] = { &KIND_EXTENSION,        &KIND_WRAPPER,
	                                    &KIND_SERVER,           &KIND_MAPPING,
	                                    &KIND_PUBLICATION,      &KIND_PUBLISHED_TABLE,
	                                    &KIND_PUBLISHED_SCHEMA, NULL };
