/*
 * presets.h - what default privileges give to what is made while they hold.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_PRESETS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_PRESETS_H

#include "migrations/schema/changes/object.h"

struct writer;

/* Takes it back, so that grants begin with what the server gives by itself. */
MUST_CHECK bool presets_undo(struct writer *w, const struct object *o, struct err *err);

/* Whether it holds for what the role makes. */
bool presets_are_of(const struct object *preset, const char *role);

#endif
