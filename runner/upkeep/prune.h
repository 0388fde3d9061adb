/*
 * prune.h - `ripcord backup prune`: retention, from the stores alone.
 *
 *     prune_plan()   what would stay and what would go, each with its reason; nothing is changed
 *     prune_apply()  does it
 *
 * Only backups of the own database and installation are judged; the rest is kept, and the reason says so.  Where
 * neither the configuration nor the URL names them, and all backups agree, what they say is meant.
 */
#ifndef RUNNER_UPKEEP_PRUNE_H
#define RUNNER_UPKEEP_PRUNE_H

#include "backup/retention.h"
#include "runner/config.h"
#include "runner/guard/accept.h"

struct prune_choice {
	const char *database, *installation; /* instead of the configured ones; NULL */
	bool leftovers; /* also what no deletion began but a run has left, when it is a day old and certainly ours */
};

struct prune_item {
	const struct backup_entry *entry;
	bool keep, lets_go; /* lets_go: its pin has had its time, and is taken off */
	bool deleted;
	char *reason;
};

struct prune_leftover {
	const struct backup_leftover *left;
	bool keep, deleted;
	const char *reason;
};

struct prune {
	struct stores stores;
	struct backup_list list;
	struct pins pins;
	struct prune_item *items;         /* list.n of them, newest first */
	struct prune_leftover *leftovers; /* list.n_leftovers */
	size_t n_delete, n_leftovers;     /* that would go, or went */
	int64_t bytes, freed_bytes;       /* of all backups before, of those that go; a copy in each store counts */
};

MUST_CHECK bool prune_plan(const struct config *config, const struct prune_choice *choice, struct prune *out,
                           struct err *err);
/* Goes on after a failure, which is told at the end: what could go is gone.  A backup that was pinned since the plan
 * was made stays.  ERR_BACKUP. */
MUST_CHECK bool prune_apply(struct prune *p, struct err *err);
void prune_clear(struct prune *p);
#define cleanup_prune __attribute__((cleanup(prune_clear)))

/* {"deleted": [ids], "freed_bytes", "bytes", "backups": [...], "leftovers": [...]}; with dry_run nothing is deleted. */
json_t *prune_json(const struct prune *p, bool dry_run);

/* Warns when what is in a store is more than max_bytes. */
void prune_warn_size(const struct config *config, const struct prune *p);

#endif
