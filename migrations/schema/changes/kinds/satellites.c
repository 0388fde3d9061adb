#include "migrations/schema/changes/kinds/satellites.h"

#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/nouns.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"

#include <string.h>

static bool set_comment(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name,
		   *text = o->action == ACTION_DROP ? NULL : fact_value(o->new, "text");
	const struct noun *noun = noun_find(name);
	cleanup_free char *target = NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!noun)
		return noun_missing(o, err);
	target = noun_target(noun, name);
	buf_sql(&sql, "COMMENT ON %s %s IS %L", noun->comment, target, text);
	ddl_add(w, o, text ? "set" : "drop", 0, buf_text(&sql));
	return true;
}

static const struct kind KIND_COMMENT = {
	.name = "comment",
	.rank = 90,
	.hangs = true,
	.write_create = set_comment,
	.write_drop = set_comment,
	.write_change = set_comment,
};

static bool set_label(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name,
		   *text = o->action == ACTION_DROP ? NULL : fact_value(o->new, "text");
	const char *by = words_find_last(name, " by ");
	const struct noun *noun = noun_find(name);
	cleanup_free char *object = mem_strndup(name, (size_t)(by - name)), *target = NULL;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!noun)
		return noun_missing(o, err);
	target = noun_target(noun, object);
	buf_sql(&sql, "SECURITY LABEL FOR %s ON %s %s IS %L", by + strlen(" by "), noun->comment, target,
	        text);
	ddl_add(w, o, text ? "set" : "drop", 0, buf_text(&sql));
	return true;
}

static const struct kind KIND_LABEL = {
	.name = "security label",
	.rank = 91,
	.hangs = true,
	.write_create = set_label,
	.write_drop = set_label,
	.write_change = set_label,
};

/* "function code.f() on hstore" */
static bool depend(struct writer *w, const struct object *o, struct err *err)
{
	const char *name = object_fact(o)->name, *on = words_find_last(name, " on ");
	const struct noun *noun = noun_find(name);
	cleanup_free char *object = mem_strndup(name, (size_t)(on - name)), *target = NULL, *sql = NULL;

	if (!noun)
		return noun_missing(o, err);
	target = noun_target(noun, object);
	sql = mem_fmt("ALTER %s %s %sDEPENDS ON EXTENSION %s", noun->comment, target,
	              o->action == ACTION_DROP ? "NO " : "", on + 4);
	ddl_add(w, o, o->action == ACTION_DROP ? "drop" : "set", 0, sql);
	return true;
}

bool dependencies_keep(struct writer *w, const struct object *o, struct err *err)
{
	for (FOR_LINKS(i, &w->all->new_users, w->all, o)) {
		const struct object *user = w->all->new_users.v[i];

		if (strcmp(user->kind->name, "extension dependency") == 0 && user->part_of == o &&
		    user->action == ACTION_NONE && !depend(w, user, err))
			return false;
	}
	return true;
}

static const struct kind KIND_DEPENDENCY = {
	.name = "extension dependency",
	.rank = 93,
	.hangs = true,
	.write_create = depend,
	.write_drop = depend,
};

const struct kind *const KIND_SATELLITES[] = { &KIND_COMMENT, &KIND_LABEL, &KIND_DEPENDENCY, NULL };
