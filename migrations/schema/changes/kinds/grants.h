/*
 * grants.h - privileges that come without a GRANT: by default privileges, and with an owner.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_KINDS_GRANTS_H
#define MIGRATIONS_SCHEMA_CHANGES_KINDS_GRANTS_H

#include "migrations/schema/changes/object.h"

struct writer;

/* Takes back what default privileges give to what is made while they hold, so that grants begin with what the server gives
 * by itself. */
MUST_CHECK bool presets_undo(struct writer *w, const struct object *o, struct err *err);

/* Before o gets another owner: the old one's privileges are made those that owners have, since the new one gets them, and the
 * new one's are taken back, since both are merged. */
MUST_CHECK bool owners_undo(struct writer *w, const struct object *o, struct err *err);

/* Whether it holds for what the role makes. */
bool presets_are_of(const struct object *preset, const char *role);

/* Whether owners_undo() takes it back, so that it has to be given again even where it is the same on both sides. */
bool grant_is_handed_over(const struct object *grant);

/* Of a column's grant: the one that the same role has on the table; NULL: none.  REVOKE on a table takes the role's
 * privileges on its columns along. */
const struct object *grant_of_table(const struct objects *all, const struct object *grant);
bool grant_is_taken_along(const struct objects *all, const struct object *grant);

#endif
