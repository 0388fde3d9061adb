#include "migrations/schema/changes/ddl.h"

#include <stddef.h>
#include <string.h>

static const struct kind *const *const LISTS[] = {
	KIND_TABLES,    KIND_COLUMNS,  KIND_CONSTRAINTS, KIND_SEQUENCES,  KIND_VIEWS,  KIND_SATELLITES,
	KIND_GRANTS,    KIND_ROUTINES, KIND_TYPES,       KIND_COMPOSITES, KIND_RANGES, KIND_COLLATIONS,
	KIND_OPERATORS, KIND_OUTSIDE,  KIND_TEXTSEARCH,  KIND_NOT_NULLS,
};

static bool refuse(struct writer *w, const struct object *o, struct err *err)
{
	const struct fact *f = object_fact(o);

	(void)w;
	return err_set(err, ERR_REFUSED, "%s %s: changes of this kind are not known", f->kind, f->name);
}

/* A kind of a newer server, say: well as long as it does not change. */
static const struct kind UNKNOWN = {
	.name = "", .write_create = refuse, .write_drop = refuse, .write_change = refuse
};

const struct kind *kind_of(const char *fact)
{
	for (size_t i = 0; i < sizeof(LISTS) / sizeof(*LISTS); i++)
		for (const struct kind *const *k = LISTS[i]; *k; k++)
			if (strcmp((*k)->name, fact) == 0)
				return *k;
	return &UNKNOWN;
}

const struct kind *kind_within(const struct kind *kind, const struct object *whole)
{
	bool column = strcmp(kind->name, "column") == 0;

	if (column && whole && strstr(whole->kind->name, "view"))
		return &KIND_VIEW_COLUMN;
	return kind;
}
