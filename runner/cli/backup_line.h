/*
 * backup_line.h - what the commands say of a backup: one line for people, one object for scripts.
 */
#ifndef RUNNER_CLI_BACKUP_LINE_H
#define RUNNER_CLI_BACKUP_LINE_H

#include "backup/backup.h"
#include "runner/cli/cli.h"

/* Opens the configured stores and reads the list, or the one backup that id means; warnings go to the log. */
MUST_CHECK bool backup_list_all(const struct app *app, struct stores *stores, struct backup_list *list, struct err *err);
MUST_CHECK bool backup_list_one(const struct app *app, const char *id, struct stores *stores, struct backup_list *list,
                                struct err *err);

void backup_line_print(FILE *out, const struct backup_entry *e);
/* id, database, heads[], engine, created, bytes, verified, pinned. */
json_t *backup_summary(const struct manifest *m);
/* And stores[]. */
json_t *backup_entry_json(const struct backup_entry *e);

#endif
