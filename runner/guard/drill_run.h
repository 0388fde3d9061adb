/*
 * drill_run.h - `ripcord backup drill`: a backup brought back for practice, and how long that took.
 */
#ifndef RUNNER_GUARD_DRILL_RUN_H
#define RUNNER_GUARD_DRILL_RUN_H

#include "backup/backup.h"
#include "runner/config.h"

struct drill_result {
	struct manifest *manifest; /* NULL when there is no such backup */
	char *store, *server;      /* what it was read from; where it was restored, as conninfo_label() says */
	double seconds;            /* from the empty server to a database that is proven: the time to recovery */
	int64_t n_tables, n_rows;  /* counted and compared */
};
void drill_result_clear(struct drill_result *r);

/*
 * Restores everything into a scratch database where [drill] url leads, else beside the live one, which need not be there;
 * compares fingerprint and row counts; drops the scratch database and the roles that were made for it, also after a
 * failure; and marks the copy that was read, with the time.  It is read from the first of the configured stores that has
 * it.  ERR_REFUSED for what this server or role cannot restore, ERR_BACKUP for a backup that does not give back what was
 * there.
 */
MUST_CHECK bool backup_run_drill(const struct config *config, const char *id, struct drill_result *out, struct err *err);

struct last_drill {
	char backup[64], at[32];
	int64_t ms, bytes; /* bytes: of the backup, as stored */
};
/* Of this database, the newest backup whose drill was measured; false when there is none. */
bool drill_last(const struct stores *stores, const struct backup_list *list, const char *database,
                struct last_drill *out);

#endif
