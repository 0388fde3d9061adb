/* `quarantine`: databases that a swap put aside, and candidates that were left. */
#include "runner/guard/restore_run.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/run.h"
#include "runner/proof/database.h"

#include <stdlib.h>
#include <string.h>

/* Nothing but the comment makes a database ours: a name can be anybody's. */
#define COMMENT_START "ripcord: "

static bool open_maintenance(const struct config *config, struct db **out, struct err *err)
{
	cleanup_conninfo struct conninfo *live = NULL, *maintenance = NULL;

	if (!config_database(config, &live, err))
		return false;
	maintenance = conninfo_with(live, "dbname", config->maintenance_db);
	return db_open(maintenance, "ripcord/quarantine", out, err);
}

/* "ripcord: quarantine of run <uuid>; ..." */
static char *run_of(const char *comment)
{
	static const char before_id[] = "of run ";
	const char *at = strstr(comment, before_id);

	return at && strlen(at) >= sizeof(before_id) - 1 + 36 ? mem_strndup(at + sizeof(before_id) - 1, 36)
	                                                      : mem_strdup("");
}

bool quarantine_list(const struct config *config, struct quarantine_entry **out, size_t *n, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_rows struct rows *r = NULL;

	if (!open_maintenance(config, &db, err) ||
	    !db_query(db,
	              "SELECT d.datname, s.description, CASE WHEN pg_catalog.pg_has_role(d.datdba, 'USAGE')"
	              " THEN pg_catalog.pg_database_size(d.oid) END FROM pg_catalog.pg_database d"
	              " JOIN pg_catalog.pg_shdescription s ON s.objoid = d.oid"
	              "  AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass"
	              " WHERE s.description LIKE '" COMMENT_START "%' ORDER BY d.oid",
	              DB_NO_ARGS, &r, err))
		return false;
	*n = rows_count(r);
	*out = mem_new0((*n + 1) * sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = (struct quarantine_entry){ .database = mem_strdup(rows_get(r, i, 0)),
			                               .comment = mem_strdup(rows_get(r, i, 1)),
			                               .run = run_of(rows_get(r, i, 1)),
			                               .bytes = rows_int(r, i, 2) };
	return true;
}

void quarantine_entries_free(struct quarantine_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].database);
		free(v[i].comment);
		free(v[i].run);
	}
	free(v);
}

bool quarantine_drop(const struct config *config, const char *database, struct err *err)
{
	struct quarantine_entry *entries;
	size_t n;
	bool known = false;
	cleanup_db struct db *db = NULL;

	if (!quarantine_list(config, &entries, &n, err))
		return false;
	for (size_t i = 0; i < n; i++)
		known |= strcmp(entries[i].database, database) == 0;
	quarantine_entries_free(entries, n);
	if (!known) {
		err_set(err, ERR_REFUSED, "\"%s\" is no quarantine or candidate of ripcord's", database);
		return err_hint(err, "see `ripcord quarantine list`");
	}
	return open_maintenance(config, &db, err) && database_drop(db, database, err) &&
	       run_sweep_roles(db, err);
}
