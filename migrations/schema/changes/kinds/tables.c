#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/heirs.h"
#include "migrations/schema/changes/kinds/columns.h"
#include "migrations/schema/changes/kinds/constraints.h"
#include "migrations/schema/changes/kinds/not_null.h"
#include "migrations/schema/changes/kinds/options.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int by_position(const void *a, const void *b)
{
	const char *p = fact_value((*(struct object *const *)a)->new, "position");
	const char *q = fact_value((*(struct object *const *)b)->new, "position");

	return (int)(strtol(p, NULL, 10) - strtol(q, NULL, 10));
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct object *const *)a)->new->name, (*(struct object *const *)b)->new->name);
}

/* The columns, or the constraints, that are made with their table: *n of them, the caller's. */
static struct object **parts_within(const struct objects *all, const struct object *table, const char *kind,
                                    size_t *n)
{
	size_t first = all->new_users.first[object_number(all, table)];
	size_t end = all->new_users.first[object_number(all, table) + 1];
	struct object **list = mem_new0((end - first + 1) * sizeof(struct object *));
	const struct object *last = NULL;

	*n = 0;
	for (size_t i = first; i < end; i++) {
		struct object *o = all->new_users.v[i];

		if (o != last && o->part_of == table && o->made_by == table &&
		    strcmp(o->kind->name, kind) == 0)
			list[(*n)++] = o;
	}
	qsort(list, *n, sizeof(struct object *), strcmp(kind, "column") == 0 ? by_position : by_name);
	/* A part may need its table for more than one reason. */
	for (size_t i = 1; i < *n; i++)
		if (list[i] == list[i - 1]) {
			memmove(&list[i], &list[i + 1], (*n - i - 1) * sizeof(struct object *));
			(*n)--;
			i--;
		}
	return list;
}

/* A parent's column that is NOT NULL here by itself. */
static void add_not_null(struct writer *w, struct buf *out, const struct object *column, size_t *written)
{
	cleanup_buf struct buf item = BUF_INIT(BUF_TEXT_MAX);

	if (not_null_item(w->all, &item, column))
		buf_fmt(out, "%s%s", (*written)++ ? ",\n\t" : "\n\t", buf_text(&item));
}

static bool add_columns(struct writer *w, struct buf *out, const struct object *table, size_t *written,
                        struct err *err)
{
	size_t n;
	cleanup_free struct object **columns = parts_within(w->all, table, "column", &n);
	const struct object *like = heir_like(w->all, table);

	if (like) {
		buf_fmt(out, "\n\tLIKE %s INCLUDING CONSTRAINTS INCLUDING GENERATED", like->new->name);
		*written = 1;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (heir_comes_along(columns[i])) {
			add_not_null(w, out, columns[i], written);
			continue;
		}
		buf_str(out, (*written)++ ? ",\n\t" : "\n\t");
		if (!column_define(w->all, out, columns[i], err))
			return false;
	}
	return true;
}

static void add_constraints(struct writer *w, struct buf *out, const struct object *table, size_t *written)
{
	size_t n;
	cleanup_free struct object **constraints = parts_within(w->all, table, "constraint", &n);
	bool like = heir_like(w->all, table);

	for (size_t i = 0; i < n; i++) {
		const struct fact *f = constraints[i]->new;

		if ((like ? fact_value(f, "inherited") != NULL : heir_comes_along(constraints[i])) &&
		    strcmp(fact_value(f, "type"), "check") == 0)
			continue;
		buf_str(out, (*written)++ ? ",\n\t" : "\n\t");
		ddl_expand(w->all, out, constraints[i], constraints[i]->new, "CONSTRAINT {1} ");
		constraint_define(w->all, out, constraints[i]);
	}
}

/* "a=1" and "toast.b=2" in one list. */
static void add_storage(struct buf *out, const struct fact *f)
{
	const char *own = fact_value(f, "options"), *toast = fact_value(f, "toast options");
	cleanup_strv struct strv items = STRV_INIT;

	words_list(&items, toast ? toast : "");
	if (!own && !toast)
		return;
	buf_fmt(out, "\nWITH (%s", own ? own : "");
	for (size_t i = 0; i < items.n; i++)
		buf_fmt(out, "%stoast.%s", own || i > 0 ? ", " : "", items.v[i]);
	buf_char(out, ')');
}

/* Its columns are the type's: only what they have on top of it is said. */
static void add_type(struct writer *w, struct buf *sql, const struct object *o)
{
	size_t n, written = 0;
	cleanup_free struct object **columns = parts_within(w->all, o, "column", &n);

	ddl_expand(w->all, sql, o, o->new, "OF {of type}");
	for (size_t i = 0; i < n; i++) {
		const struct object *c = columns[i];

		if (!fact_value(c->new, "default") && !fact_value(c->new, "not null"))
			continue;
		buf_str(sql, written++ ? ", " : " (");
		ddl_expand(w->all, sql, c, c->new, "{2} WITH OPTIONS[ DEFAULT {default}]");
		not_null_define(w->all, sql, c, false);
	}
	buf_str(sql, written ? ")" : "");
}

static bool create_table(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX), options = BUF_INIT(BUF_TEXT_MAX);
	size_t written = 0;

	if (!options_all(o, "foreign options", &options, err))
		return false;
	ddl_expand(w->all, &sql, o, o->new, "CREATE [UNLOGGED{?unlogged} ][FOREIGN{?server} ]TABLE {name} ");
	if (fact_value(o->new, "of type")) {
		add_type(w, &sql, o);
	} else {
		buf_char(&sql, '(');
		if (!add_columns(w, &sql, o, &written, err))
			return false;
		add_constraints(w, &sql, o, &written);
		buf_str(&sql, written ? "\n)" : ")");
		if (!fact_value(o->new, "partition bound"))
			ddl_expand(w->all, &sql, o, o->new, "[ INHERITS ({parents})]");
	}
	ddl_expand(w->all, &sql, o, o->new, "[ PARTITION BY {partition key}][ USING {access method\"}]");
	add_storage(&sql, o->new);
	ddl_expand(w->all, &sql, o, o->new, "[ TABLESPACE {tablespace\"}][ SERVER {server}]");
	if (options.len > 0)
		buf_fmt(&sql, " OPTIONS (%s)", buf_text(&options));
	ddl_add(w, o, "create", 0, buf_text(&sql));
	return true;
}

/* "public.t.c" of "public.t" */
static bool is_column_of(const char *table, const char *column)
{
	size_t len = strlen(table);

	return strncmp(column, table, len) == 0 && words_find_last(column, ".") == column + len;
}

/* Since 15 its sequences go along: those that are otherwise are put right. */
static void keep_sequences(struct writer *w, const struct object *table)
{
	bool unlogged = fact_value(table->new, "unlogged");

	for (size_t i = 0; w->all->major >= 15 && i < w->all->n; i++) {
		const struct object *s = &w->all->v[i];
		const char *column = s->old && s->new ? fact_value(s->old, "owned by") : NULL;

		if (!column || strcmp(s->kind->name, "sequence") != 0 ||
		    !is_column_of(table->new->name, column) ||
		    unlogged == (fact_value(s->new, "unlogged") != NULL))
			continue;
		ddl_write(w, s, s->new, unlogged ? "logged" : "unlogged", 0,
		          unlogged ? "ALTER SEQUENCE {name} SET LOGGED"
		                   : "ALTER SEQUENCE {name} SET UNLOGGED");
	}
}

static bool change_persistence(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->new, "unlogged", HAZARD_REWRITE,
	          fact_value(o->new, "unlogged") ? "ALTER TABLE {name} SET UNLOGGED"
	                                         : "ALTER TABLE {name} SET LOGGED");
	keep_sequences(w, o);
	return true;
}

static bool change_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_free char *what = mem_fmt("ALTER %s %s", o->kind->noun, o->new->name);

	(void)err;
	ddl_options(w, o, "options", what, "");
	return true;
}

/* An index is named by a fact of its own, since it must be there before. */
static enum how decide_identity(const struct objects *all, struct object *o)
{
	const char *is = fact_value(o->new, "replica identity");

	(void)all;
	return is && strncmp(is, "index ", 6) == 0 ? HOW_FOLLOWS : HOW_IN_PLACE;
}

static bool change_identity(struct writer *w, const struct object *o, struct err *err)
{
	const char *is = fact_value(o->new, "replica identity");

	(void)err;
	if (is && strncmp(is, "index ", 6) == 0)
		return true;
	ddl_write(w, o, o->new, "replica identity", 0,
	          !is                          ? "ALTER TABLE {name} REPLICA IDENTITY DEFAULT"
	          : strcmp(is, "nothing") == 0 ? "ALTER TABLE {name} REPLICA IDENTITY NOTHING"
	                                       : "ALTER TABLE {name} REPLICA IDENTITY FULL");
	return true;
}

static bool change_foreign(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf options = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *sql = NULL;

	if (!options_differ(o, "foreign options", &options, err))
		return false;
	sql = mem_fmt("ALTER FOREIGN TABLE %s OPTIONS (%s)", o->new->name, buf_text(&options));
	ddl_add(w, o, "options", 0, sql);
	return true;
}

static const struct property TABLE[] = {
	OWNED_BY("TABLE"),
	{ "unlogged", .write = change_persistence },
	{ "access method", .set = "ALTER TABLE {name} SET ACCESS METHOD {access method\"}",
	  .unset = "ALTER TABLE {name} SET ACCESS METHOD heap", .hazards = HAZARD_REWRITE },
	{ "tablespace", .set = "ALTER TABLE {name} SET TABLESPACE {tablespace\"}",
	  .unset = "ALTER TABLE {name} SET TABLESPACE pg_default", .hazards = HAZARD_REWRITE },
	{ "options", .write = change_options },
	{ "toast options", .how = HOW_FOLLOWS },
	{ "replica identity", .after = true, .decide = decide_identity, .write = change_identity },
	{ "clustered on", .how = HOW_FOLLOWS },
	{ "row security", .after = true, .set = "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
	  .unset = "ALTER TABLE {name} DISABLE ROW LEVEL SECURITY" },
	{ "row security forced", .after = true, .set = "ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
	  .unset = "ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY" },
	{ "of type", .set = "ALTER TABLE {name} OF {of type}", .unset = "ALTER TABLE {name} NOT OF" },
	{ "parents", .how = HOW_FOLLOWS },
	{ "partition bound", .how = HOW_FOLLOWS },
	{ "partition key", .how = HOW_REFUSED },
	{ "detach pending", .how = HOW_REFUSED },
	END_OF_PROPERTIES,
};

static const struct kind KIND_TABLE = {
	.name = "table",
	.noun = "TABLE",
	.rank = 40,
	.drop = "DROP TABLE {name}",
	.drop_hazards = HAZARD_DATA_LOSS,
	.holds_data = true,
	.properties = TABLE,
	.write_create = create_table,
};

static bool change_toast_options(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_free char *what = mem_fmt("ALTER TABLE %s", object_fact(o)->name);

	(void)err;
	ddl_options(w, o, "options", what, "toast.");
	return true;
}

/* CREATE TABLE says them, too. */
static const struct kind KIND_TOAST = {
	.name = "toast options",
	.rank = 44,
	.write_create = change_toast_options,
	.write_drop = change_toast_options,
	.write_change = change_toast_options,
};

static const struct property FOREIGN_TABLE[] = {
	OWNED_BY("FOREIGN TABLE"),
	{ "parents", .how = HOW_FOLLOWS },
	{ "partition bound", .how = HOW_FOLLOWS },
	{ "server", .how = HOW_REBUILD },
	{ "foreign options", .write = change_foreign },
	END_OF_PROPERTIES,
};

static const struct kind KIND_FOREIGN_TABLE = {
	.name = "foreign table",
	.noun = "FOREIGN TABLE",
	.rank = 40,
	.drop = "DROP FOREIGN TABLE {name}",
	.properties = FOREIGN_TABLE,
	.write_create = create_table,
};

static const struct property SCHEMA[] = { OWNED_BY("SCHEMA"), END_OF_PROPERTIES };

static const struct kind KIND_SCHEMA = {
	.name = "schema",
	.noun = "SCHEMA",
	.rank = 10,
	.create = "CREATE SCHEMA {name}",
	.drop = "DROP SCHEMA {name}",
	.properties = SCHEMA,
};

static const struct property PARTITION[] = {
	{ "parent", .how = HOW_REBUILD },
	{ "bound", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_PARTITION = {
	.name = "partition",
	.rank = 60,
	.create = "ALTER TABLE {parent} ATTACH PARTITION {name} {bound}",
	.drop = "ALTER TABLE {parent} DETACH PARTITION {name}",
	.properties = PARTITION,
};

static const struct kind KIND_INHERITANCE = {
	.name = "inheritance",
	.rank = 60,
	.word = " from ",
	.create = "ALTER TABLE {1} INHERIT {2}",
	.drop = "ALTER TABLE {1} NO INHERIT {2}",
};

static const struct property IDENTITY_INDEX[] = {
	{ "index", .set = "ALTER TABLE {name} REPLICA IDENTITY USING INDEX {index}" },
	END_OF_PROPERTIES,
};

/* What takes its place says so itself. */
static const struct kind KIND_REPLICA_IDENTITY = {
	.name = "replica identity",
	.rank = 65,
	.create = "ALTER TABLE {name} REPLICA IDENTITY USING INDEX {index}",
	.properties = IDENTITY_INDEX,
};

static const struct property CLUSTERED_INDEX[] = {
	{ "index", .set = "ALTER TABLE {name} CLUSTER ON {index}" },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CLUSTERED = {
	.name = "clustered index",
	.rank = 65,
	.create = "ALTER TABLE {name} CLUSTER ON {index}",
	.drop = "ALTER TABLE {name} SET WITHOUT CLUSTER",
	.properties = CLUSTERED_INDEX,
};

const struct kind *const KIND_TABLES[] = { &KIND_SCHEMA,           &KIND_TABLE,     &KIND_TOAST,
	                                   &KIND_FOREIGN_TABLE,    &KIND_PARTITION, &KIND_INHERITANCE,
	                                   &KIND_REPLICA_IDENTITY, &KIND_CLUSTERED, NULL };
