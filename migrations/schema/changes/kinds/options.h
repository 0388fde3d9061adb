/*
 * options.h - OPTIONS (...) of foreign data wrappers and of what is theirs.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_OPTIONS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_OPTIONS_H

#include "migrations/schema/changes/object.h"

/* "ADD a 'x', SET b 'y', DROP c"; a secret that would have to be written is an error. */
MUST_CHECK bool options_differ(const struct object *o, const char *attribute, struct buf *out, struct err *err);
/* "a 'x', b 'y'": all of the new side. */
MUST_CHECK bool options_all(const struct object *o, const char *attribute, struct buf *out, struct err *err);

#endif
