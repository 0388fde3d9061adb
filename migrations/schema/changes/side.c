#include "migrations/schema/changes/side.h"

#include "migrations/schema/changes/links.h"
#include "migrations/schema/changes/rename.h"
#include "migrations/schema/store.h"

#include "base/cleanup.h"

#include <stdlib.h>

static bool rename_one(struct db *db, const struct rename *r, struct strv *done, struct err *err)
{
	cleanup_free char *sql = NULL;

	if (!rename_sql(db, r, &sql, err))
		return false;
	strv_add(done, sql);
	return db_run(db, sql, err);
}

static bool read_inside(struct db *db, const struct schema_options *schema,
                        const struct changes_options *renamed, struct side *out, struct err *err)
{
	/* Others wait behind whoever waits for a lock: not for long. */
	if (renamed && renamed->n_renames > 0 && !db_run(db, "SET LOCAL lock_timeout = '2s'", err))
		return false;
	for (size_t i = 0; renamed && i < renamed->n_renames; i++)
		if (!rename_one(db, &renamed->renames[i], &out->renames, err))
			return false;
	return schema_read_parts(db, schema, &out->facts, err) &&
	       db_run(db, "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL jit = off", err) &&
	       links_read(db, &out->needs, &out->aliases, err) &&
	       db_value(db, "SELECT current_user", DB_NO_ARGS, &out->role, err);
}

/* In a transaction of the caller's a savepoint undoes the renames. */
bool side_read(struct db *db, const struct schema_options *schema, const struct changes_options *renamed,
               struct side *out, struct err *err)
{
	bool own = db_tx_status(db) == 'I', ok, ended;

	if (!db_run(db, own ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "SAVEPOINT ripcord_side", err))
		return err_wrap(err, "cannot read the schema");
	out->major = db_server_version(db) / 10000;
	ok = read_inside(db, schema, renamed, out, err);
	ended = db_run(
		db, own ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT ripcord_side; RELEASE SAVEPOINT ripcord_side",
		err);
	return ok && ended;
}

void side_clear(struct side *s)
{
	schema_free(s->facts);
	rows_free(s->needs);
	rows_free(s->aliases);
	strv_clear(&s->renames);
	free(s->role);
}
