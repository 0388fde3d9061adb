/*
 * nouns.h - how statements about any object call it: COMMENT, GRANT, SECURITY LABEL, DEPENDS ON EXTENSION.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_NOUNS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_NOUNS_H

#include "migrations/schema/changes/object.h"

/* What pg_identify_object() calls by the first word is called in COMMENT and GRANT; NULL: there is no such statement. */
struct noun {
	const char *identity, *comment, *grant;
};

/* Of "table public.t"; NULL: none is known, which noun_missing() says. */
const struct noun *noun_find(const char *name);
MUST_CHECK bool noun_missing(const struct object *o, struct err *err);

/* What follows COMMENT ON and the noun; the caller's. */
char *noun_target(const struct noun *noun, const char *name);

#endif
