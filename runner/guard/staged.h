/*
 * staged.h - new revision files, until the after-write hooks are done with them.
 *
 * They are written into a folder of their own in versions/, which no command reads, and go through the hooks there.
 * What the hooks have left is read once: that is what may be proven again, and what is published.  So whatever fails, and
 * whenever a kill comes, versions/ has no file that is less than that; the folder that a kill leaves goes with the next.
 */
#ifndef RUNNER_GUARD_STAGED_H
#define RUNNER_GUARD_STAGED_H

#include "migrations/migrations.h"
#include "runner/config.h"

struct staged {
	char *versions, *folder;
	int lock;                /* on the folder: somebody is at work in it */
	struct strv names, ids;  /* of the files, in their order */
	struct strv texts;       /* what is in them */
	bool edited;             /* by a hook: the texts are not what was drafted */
};
#define STAGED_INIT { .lock = -1 }
void staged_clear(struct staged *s); /* the folder, too */
#define cleanup_staged __attribute__((cleanup(staged_clear)))

MUST_CHECK bool staged_begin(struct staged *s, const struct config *config, struct err *err);
/* The draft has an id. */
MUST_CHECK bool staged_add(struct staged *s, const struct config *config, const struct revision_draft *draft,
                           struct err *err);
/* All of them for each file. */
MUST_CHECK bool staged_hooks(struct staged *s, const struct config *config, struct err *err);
/* All files, or none; their paths are added to `paths`. */
MUST_CHECK bool staged_publish(const struct staged *s, struct strv *paths, struct err *err);

#endif
