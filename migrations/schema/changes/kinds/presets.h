/*
 * presets.h - what comes or goes without a word: privileges by default and with an owner, dependencies with REPLACE.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_PRESETS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_PRESETS_H

#include "migrations/schema/changes/object.h"

struct writer;

/* Takes back what default privileges give to what is made while they hold, so that grants begin with what the server gives
 * by itself. */
MUST_CHECK bool presets_undo(struct writer *w, const struct object *o, struct err *err);

/* Before o gets another owner: the old one's privileges are made those that owners have, since the new one gets them, and the
 * new one's are taken back, since both are merged. */
MUST_CHECK bool owners_undo(struct writer *w, const struct object *o, struct err *err);

/* Behind CREATE OR REPLACE, which forgets on which extensions o depends. */
MUST_CHECK bool dependencies_keep(struct writer *w, const struct object *o, struct err *err);

/* Whether it holds for what the role makes. */
bool presets_are_of(const struct object *preset, const char *role);

#endif
