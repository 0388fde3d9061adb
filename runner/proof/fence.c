#include "runner/proof/database.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { END_WITHIN_MS = 10000, LOOK_EVERY_MS = 20 };

/* "{1,2,3}": the text of an int8[]. */
static char *pid_array(const struct pids *pids)
{
	struct buf b = BUF_INIT(1 << 16);

	buf_char(&b, '{');
	for (size_t i = 0; i < pids->n; i++)
		buf_fmt(&b, "%s%" PRId64, i ? "," : "", pids->v[i]);
	buf_char(&b, '}');
	return buf_take(&b);
}

/* Walsenders of logical replication and background workers that are bound to the database are sessions, too;
 * parallel workers and autovacuum end by themselves. */
#define OTHERS                                                                                               \
	" FROM pg_catalog.pg_stat_activity a WHERE a.datid = $1::oid AND a.pid <> ALL ($2::int8[])"          \
	" AND a.backend_type NOT IN ('parallel worker', 'autovacuum worker')"

bool sessions_list(struct db *db, int64_t oid, const struct pids *ours, struct session **out, size_t *n,
                   struct err *err)
{
	cleanup_free char *database = mem_fmt("%" PRId64, oid), *pids = pid_array(ours);
	cleanup_rows struct rows *r = NULL;

	if (!db_query(db,
	              "SELECT a.pid, a.usename, a.application_name, a.backend_start::text" OTHERS
	              " ORDER BY a.pid",
	              DB_ARGS(database, pids), &r, err))
		return false;
	*n = rows_count(r);
	*out = mem_new0((*n + 1) * sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = (struct session){ .pid = rows_int(r, i, 0),
			                      .role = mem_strdup(rows_get(r, i, 1)),
			                      .application = mem_strdup(rows_get(r, i, 2)),
			                      .since = mem_strdup(rows_get(r, i, 3)) };
	return true;
}

void sessions_free(struct session *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].role);
		free(v[i].application);
		free(v[i].since);
	}
	free(v);
}

/* Ends what is there now; *left tells how many there were. */
static bool end_once(struct db *db, const char *database, const char *pids, int64_t *left, struct err *err)
{
	return db_int(
		db,
		"SELECT count(*) FROM (SELECT a.pid, pg_catalog.pg_terminate_backend(a.pid) AS ended" OTHERS
		") others",
		DB_ARGS(database, pids), left, err);
}

bool sessions_end(struct db *db, int64_t oid, const struct pids *ours, struct err *err)
{
	cleanup_free char *database = mem_fmt("%" PRId64, oid), *pids = pid_array(ours);
	int64_t deadline = clock_ms() + END_WITHIN_MS, left;

	do {
		if (!end_once(db, database, pids, &left, err))
			return err_wrap(err, "cannot end the sessions of others");
		if (left == 0)
			return true;
		clock_sleep_ms(LOOK_EVERY_MS);
	} while (clock_ms() < deadline);
	return err_set(err, ERR_REFUSED, "%" PRId64 " sessions of others would not end within %d s", left,
	               END_WITHIN_MS / 1000);
}

bool fence_set(struct fence *fence, struct db *db, int64_t oid, int slots, const struct pids *ours,
               struct err *err)
{
	cleanup_free char *text = mem_fmt("%" PRId64, oid);
	cleanup_free char *name = NULL;

	if (!database_name(db, oid, &name, err))
		return false;
	if (!name)
		return err_set(err, ERR_DB, "the database with OID %" PRId64 " is gone", oid);
	if (fence->oid == 0 &&
	    !db_int(db, "SELECT datconnlimit FROM pg_catalog.pg_database WHERE oid = $1::oid", DB_ARGS(text),
	            &fence->before, err))
		return false;
	if (!db_runf(db, err, "ALTER DATABASE %I CONNECTION LIMIT %d", name, slots))
		return err_wrap(err, "cannot fence database \"%s\"", name);
	fence->oid = oid;
	fence->ours = slots;
	if (!sessions_end(db, oid, ours, err)) {
		struct err second = ERR_INIT;
		if (!fence_open(fence, db, &second))
			err_wrap(err, "%s", second.msg);
		return false;
	}
	return true;
}

bool fence_open(struct fence *fence, struct db *db, struct err *err)
{
	cleanup_free char *text = mem_fmt("%" PRId64, fence->oid);
	cleanup_free char *name = NULL;
	int64_t is;

	if (fence->oid == 0)
		return true;
	if (!database_name(db, fence->oid, &name, err))
		return err_wrap(err, "cannot take the fence away");
	if (name) {
		if (!db_int(db, "SELECT datconnlimit FROM pg_catalog.pg_database WHERE oid = $1::oid",
		            DB_ARGS(text), &is, err))
			return err_wrap(err, "cannot take the fence away");
		if (is == fence->ours && !db_runf(db, err, "ALTER DATABASE %I CONNECTION LIMIT %lld", name,
		                                  (long long)fence->before))
			return err_wrap(err, "cannot take the fence away");
	}
	*fence = (struct fence){ .oid = 0 };
	return true;
}
