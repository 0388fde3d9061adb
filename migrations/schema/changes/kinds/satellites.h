/*
 * satellites.h - what hangs on any object: comments, security labels, dependencies on extensions.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_SATELLITES_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_SATELLITES_H

#include "migrations/schema/changes/object.h"

struct writer;

/* Behind CREATE OR REPLACE, which forgets on which extensions o depends. */
MUST_CHECK bool dependencies_keep(struct writer *w, const struct object *o, struct err *err);

#endif
