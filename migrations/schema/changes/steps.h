/*
 * steps.h - from objects to an order: what happens to each, what that takes along, who does it, and when.
 */
#ifndef MIGRATIONS_SCHEMA_CHANGES_STEPS_H
#define MIGRATIONS_SCHEMA_CHANGES_STEPS_H

#include "migrations/schema/changes/kinds.h"

/* What each object's own difference asks for.  An attribute that has no row in its kind's table, or that no
 * statement changes, is an error that names it. */
MUST_CHECK bool steps_decide(struct objects *all, struct err *err);

enum step_kind { STEP_DROP, STEP_ALTER, STEP_CREATE };

struct step {
	struct object *object;
	enum step_kind kind;
};

/*
 * The caller's, *n of them.  Steps that wait for each other are loosened: a part of a table is made or dropped by itself,
 * what was altered is made again.  Those that wait all the same are an error that names them.
 */
MUST_CHECK bool steps_order(struct objects *all, struct step **out, size_t *n, struct err *err);

/* What goes with what is dropped, and comes again. */
MUST_CHECK bool steps_spread(struct objects *all, struct err *err);

/* Whose statement makes and drops what. */
void steps_fold(struct objects *all);

#endif
