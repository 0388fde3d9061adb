#include "migrations/schema/changes/kinds/options.h"

#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/text.h"

#include <string.h>

/* A value that is shown as its digest (OPTIONS in schema/kinds/kinds.h) cannot be written. */
static bool is_secret(const char *option) { return strstr(option, "=sha256:") != NULL; }

static bool refuse(const struct object *o, const char *option, struct err *err)
{
	return err_set(err, ERR_REFUSED, "%s %s: option %.*s is a secret and is not read",
	               object_fact(o)->kind, object_fact(o)->name, (int)strcspn(option, "="), option);
}

static void add_option(struct buf *out, const char *verb, const char *option, bool with_value)
{
	size_t len = strcspn(option, "=");
	cleanup_free char *name = mem_strndup(option, len);

	buf_fmt(out, "%s%s", out->len ? ", " : "", verb);
	ddl_ident(out, name);
	if (with_value)
		buf_sql(out, " %L", option + len + 1);
}

static const char *same_name(const struct strv *list, const char *option)
{
	size_t len = strcspn(option, "=") + 1;

	for (size_t i = 0; i < list->n; i++)
		if (strncmp(list->v[i], option, len) == 0)
			return list->v[i];
	return NULL;
}

static void read_options(struct strv *out, const struct fact *f, const char *attribute)
{
	const char *text = fact_value(f, attribute);

	if (text)
		words_literals(out, text);
}

bool options_differ(const struct object *o, const char *attribute, struct buf *out, struct err *err)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;

	read_options(&old, o->old, attribute);
	read_options(&new, o->new, attribute);
	for (size_t i = 0; i < new.n; i++) {
		const char *was = same_name(&old, new.v[i]);

		if (was && strcmp(was, new.v[i]) == 0)
			continue;
		if (is_secret(new.v[i]))
			return refuse(o, new.v[i], err);
		add_option(out, was ? "SET " : "ADD ", new.v[i], true);
	}
	for (size_t i = 0; i < old.n; i++)
		if (!same_name(&new, old.v[i]))
			add_option(out, "DROP ", old.v[i], false);
	return true;
}

bool options_all(const struct object *o, const char *attribute, struct buf *out, struct err *err)
{
	cleanup_strv struct strv new = STRV_INIT;

	read_options(&new, o->new, attribute);
	for (size_t i = 0; i < new.n; i++) {
		if (is_secret(new.v[i]))
			return refuse(o, new.v[i], err);
		add_option(out, "", new.v[i], true);
	}
	return true;
}
