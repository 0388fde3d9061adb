#include "migrations/schema/changes/kinds/constraints.h"

#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/heirs.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static const char NOT_VALID[] = " NOT VALID";

static const struct object *index_of(const struct objects *all, const struct object *constraint)
{
	for (FOR_LINKS(i, &all->new_users, all, constraint))
		if (strcmp(all->new_users.v[i]->kind->name, "index") == 0)
			return all->new_users.v[i];
	return NULL;
}

/* pg_get_constraintdef() leaves the index's storage parameters and tablespace out; DEFERRABLE stands behind them. */
void constraint_define(const struct objects *all, struct buf *out, const struct object *o)
{
	const char *definition = fact_value(o->new, "definition");
	const struct object *index = index_of(all, o);
	const char *index_is = index ? fact_value(index->new, "definition") : "";
	const char *with = words_find(index_is, " WITH ("), *late = words_find(definition, " DEFERRABLE");
	const char *where = with ? strchr(with, ')') : NULL;

	if (!late)
		late = definition + strlen(definition);
	if (strcmp(fact_value(o->new, "type"), "exclusion") == 0 && words_find(definition, " WHERE "))
		late = words_find(definition, " WHERE ");
	buf_fmt(out, "%.*s", (int)(late - definition), definition);
	if (where)
		buf_fmt(out, "%.*s", (int)(where - with + 1), with);
	if (index)
		ddl_expand(all, out, index, index->new, "[ USING INDEX TABLESPACE {tablespace\"}]");
	buf_str(out, late);
	ddl_expand(all, out, o, o->new, "[ NOT ENFORCED{?not enforced}]");
}

static bool is_type(const struct object *o, const char *type)
{
	return strcmp(fact_value(o->new, "type"), type) == 0;
}

/* Rows that are there are checked by a statement of its own, which does not lock the table against writers. */
static bool validated_later(const struct objects *all, const struct object *o)
{
	const struct object *table = o->part_of;

	return (is_type(o, "check") || is_type(o, "foreign key")) && table && table->old && table->new &&
	       !fact_value(o->new, "not valid") && !fact_value(o->new, "not enforced") &&
	       !has_children(all, table) && !fact_value(table->new, "partition key") &&
	       strcmp(table->kind->name, "table") == 0;
}

/* A partitioned table's index is made alone; its partitions' are attached. */
static bool stands_on_old_table(const struct objects *all, const struct fact *f)
{
	const struct object *table = objects_relation(all, fact_value(f, "table"));

	return table && table->old && table->new && !object_makes(table) &&
	       !fact_value(table->new, "partition key");
}

static bool create_index(struct writer *w, const struct object *o, struct err *err)
{
	static const char CREATE[] = "CREATE INDEX ", UNIQUE[] = "CREATE UNIQUE INDEX ";
	const char *definition = fact_value(o->new, "definition"),
		   *plain = words_find(definition, " USING btree (");
	size_t front = strlen(text_starts(definition, UNIQUE) ? UNIQUE : CREATE);
	bool concurrent = w->all->concurrently && stands_on_old_table(w->all, o->new);
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (fact_value(o->new, "invalid") && !text_starts(words_find(definition, " ON "), " ON ONLY"))
		return err_set(err, ERR_REFUSED, "index %s: it is invalid, and no statement makes one",
		               o->new->name);
	buf_fmt(&sql, "%.*s%s", (int)front, definition, concurrent ? "CONCURRENTLY " : "");
	definition += front;
	/* btree is what everyone means. */
	if (plain) {
		buf_fmt(&sql, "%.*s", (int)(plain - definition), definition);
		definition = plain + strlen(" USING btree");
	}
	buf_str(&sql, definition);
	ddl_expand(w->all, &sql, o, o->new, "[ TABLESPACE {tablespace\"}]");
	ddl_add(w, o, "create", HAZARD_INDEX_BUILD | (concurrent ? HAZARD_NOT_TRANSACTIONAL : 0U),
	        buf_text(&sql));
	return true;
}

/* The index of a key that is asked for CONCURRENTLY; NULL: the key makes its own, as one of a period must. */
static const struct object *index_before(const struct objects *all, const struct object *key)
{
	const struct object *index = index_of(all, key);
	bool by_index = (is_type(key, "primary key") || is_type(key, "unique")) &&
	                !strstr(fact_value(key->new, "definition"), "WITHOUT OVERLAPS");

	return all->concurrently && by_index && index && stands_on_old_table(all, index->new) ? index : NULL;
}

static bool add_key(struct writer *w, const struct object *o, const struct object *index, struct err *err)
{
	const char *late = words_find(fact_value(o->new, "definition"), " DEFERRABLE");
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!create_index(w, index, err))
		return false;
	ddl_expand(w->all, &sql, o, o->new, "ALTER TABLE {table} ADD CONSTRAINT {1} ");
	buf_fmt(&sql, "%s USING INDEX ", is_type(o, "unique") ? "UNIQUE" : "PRIMARY KEY");
	ddl_expand(w->all, &sql, o, o->new, "{1}");
	buf_str(&sql, late ? late : "");
	ddl_add(w, o, "add", 0, buf_text(&sql));
	return true;
}

static bool add_constraint(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	bool later = validated_later(w->all, o), builds = !is_type(o, "check") && !is_type(o, "foreign key");
	const char *definition = fact_value(o->new, "definition");

	if (index_before(w->all, o))
		return add_key(w, o, index_before(w->all, o), err);
	/* LIKE has copied it, and a copy is valid. */
	if (is_type(o, "check") && fact_value(o->new, "inherited") && heir_like(w->all, o->part_of))
		ddl_write(w, o, o->new, "drop", 0, "ALTER TABLE {2} DROP CONSTRAINT {1}");
	/* Of indexes each partition has its own; checks and foreign keys go to all. */
	ddl_expand(w->all, &sql, o, o->new,
	           builds || words_find(definition, " NO INHERIT") ? "ALTER TABLE {table} ADD CONSTRAINT {1} "
	                                                           : "ALTER TABLE {2} ADD CONSTRAINT {1} ");
	constraint_define(w->all, &sql, o);
	buf_str(&sql, later ? NOT_VALID : "");
	ddl_add(w, o, "add", builds ? HAZARD_INDEX_BUILD : 0, buf_text(&sql));
	if (later)
		ddl_write(w, o, o->new, "validate", 0, "ALTER TABLE {2} VALIDATE CONSTRAINT {1}");
	/* What ADD has locked is free again then. */
	if (later && w->all->concurrently)
		ddl_commit_before(w);
	return true;
}

/* NOT VALID is the only difference that a statement takes away. */
static enum how decide_definition(const struct objects *all, struct object *o)
{
	const char *was = fact_value(o->old, "definition"), *is = fact_value(o->new, "definition");
	size_t len = strlen(is);

	(void)all;
	return strncmp(was, is, len) == 0 && strcmp(was + len, NOT_VALID) == 0 ? HOW_FOLLOWS : HOW_REBUILD;
}

static enum how decide_validity(const struct objects *all, struct object *o)
{
	(void)all;
	return fact_value(o->new, "not valid") ? HOW_REBUILD : HOW_IN_PLACE;
}

/* A check is enforced from the beginning or not at all. */
static enum how decide_enforced(const struct objects *all, struct object *o)
{
	(void)all;
	return is_type(o, "foreign key") ? HOW_IN_PLACE : HOW_REBUILD;
}

static const struct property CONSTRAINT[] = {
	{ "type", .how = HOW_REBUILD },
	{ "definition", .decide = decide_definition },
	{ "not valid", .decide = decide_validity, .unset = "ALTER TABLE {2} VALIDATE CONSTRAINT {1}" },
	{ "not enforced", .decide = decide_enforced,
	  .set = "ALTER TABLE {2} ALTER CONSTRAINT {1} NOT ENFORCED",
	  .unset = "ALTER TABLE {2} ALTER CONSTRAINT {1} ENFORCED" },
	{ "inherited", .how = HOW_FOLLOWS },
	{ "triggers enabled", .how = HOW_REFUSED, .after = true },
	END_OF_PROPERTIES,
};

static const struct kind KIND_CONSTRAINT = {
	.name = "constraint",
	.noun = "CONSTRAINT",
	.rank = 56,
	.word = " on ",
	.drop = "ALTER TABLE {2} DROP CONSTRAINT {1}",
	.properties = CONSTRAINT,
	.write_create = add_constraint,
};

static bool drop_index(struct writer *w, const struct object *o, struct err *err)
{
	bool concurrent = w->all->concurrently && stands_on_old_table(w->all, o->old);

	(void)err;
	ddl_write(w, o, o->old, "drop", concurrent ? HAZARD_NOT_TRANSACTIONAL : 0,
	          concurrent ? "DROP INDEX CONCURRENTLY {name}" : "DROP INDEX {name}");
	return true;
}

/* "2 = 300, 3 = 100": the columns that have a target. */
static void set_targets(struct writer *w, const struct object *o, const struct strv *list,
                        const struct strv *but, const char *value)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t column = strcspn(list->v[i], " ");
		cleanup_free char *sql = NULL;

		if (strv_has(but, list->v[i]))
			continue;
		sql = mem_fmt("ALTER INDEX %s ALTER COLUMN %.*s SET STATISTICS %s", o->new->name, (int)column,
		              list->v[i], value ? value : list->v[i] + column + 3);
		ddl_add(w, o, "statistics of", 0, sql);
	}
}

static bool change_targets(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;
	const char *was = object_makes(o) || o->remade ? NULL : fact_value(o->old, "statistics targets");
	const char *is = fact_value(o->new, "statistics targets");

	(void)err;
	words_list(&old, was ? was : "");
	words_list(&new, is ? is : "");
	set_targets(w, o, &old, &new, "-1");
	set_targets(w, o, &new, &old, NULL);
	return true;
}

/* The index of a constraint is made anew with it. */
static enum how decide_index(const struct objects *all, struct object *o)
{
	struct object *whole = o->part_of;

	(void)all;
	if (!whole || strcmp(whole->kind->name, "constraint") != 0)
		return HOW_REBUILD;
	if (whole->old && whole->new) {
		whole->action = ACTION_REBUILD;
		whole->because = "its index";
	}
	return HOW_REBUILD;
}

/* A partitioned table's index is invalid until each partition has its own. */
static enum how decide_invalid(const struct objects *all, struct object *o)
{
	const struct object *table = objects_relation(all, fact_value(o->new, "table"));

	if (table && table->new &&fact_value(table->new, "partition key"))
		return HOW_FOLLOWS;
	return fact_value(o->new, "invalid") ? HOW_REFUSED : HOW_REBUILD;
}

static const struct property INDEX[] = {
	{ "table", .how = HOW_REBUILD },
	{ "definition", .decide = decide_index },
	{ "constraint", .how = HOW_REBUILD },
	{ "partition of", .how = HOW_FOLLOWS },
	{ "invalid", .decide = decide_invalid },
	{ "not ready", .decide = decide_invalid },
	{ "not live", .decide = decide_invalid },
	{ "tablespace", .set = "ALTER INDEX {name} SET TABLESPACE {tablespace\"}",
	  .unset = "ALTER INDEX {name} SET TABLESPACE pg_default", .hazards = HAZARD_REWRITE },
	{ "statistics targets", .after = true, .forgotten = true, .write = change_targets },
	END_OF_PROPERTIES,
};

static const struct kind KIND_INDEX = {
	.name = "index",
	.noun = "INDEX",
	.rank = 55,
	.properties = INDEX,
	.write_create = create_index,
	.write_drop = drop_index,
};

static const struct property INDEX_PARTITION[] = { { "parent", .how = HOW_REBUILD }, END_OF_PROPERTIES };

/* Nothing detaches an index but that its table is detached, or that it goes. */
static const struct kind KIND_INDEX_PARTITION = {
	.name = "index partition",
	.rank = 61,
	.create = "ALTER INDEX {parent} ATTACH PARTITION {name}",
	.properties = INDEX_PARTITION,
};

const struct kind *const KIND_CONSTRAINTS[] = { &KIND_CONSTRAINT, &KIND_INDEX, &KIND_INDEX_PARTITION, NULL };
