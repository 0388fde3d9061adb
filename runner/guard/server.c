/*
 * Which server it is that the run's sessions are on.  An address may lead to another one after a failover, with the
 * same databases and names in it, and what was committed a moment ago may not be among them.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

/* The timeline of what is written now: that of the control file is the last checkpoint's. */
static const char identity_sql[] =
	"SELECT system_identifier::text || CASE WHEN pg_catalog.pg_is_in_recovery() THEN ', a standby'"
	" ELSE ', timeline ' || pg_catalog.ltrim(pg_catalog.left(pg_catalog.pg_walfile_name("
	"pg_catalog.pg_current_wal_lsn()), 8), '0') END FROM pg_catalog.pg_control_system()";

bool run_same_server(struct run *run, struct db *db, struct err *err)
{
	cleanup_free char *is = NULL;

	if (!db_value(db, identity_sql, DB_NO_ARGS, &is, err))
		return err_wrap(err, "cannot ask which server this is");
	if (!run->server)
		run->server = mem_strdup(is);
	if (strcmp(is, run->server) == 0)
		return true;
	err_set(err, ERR_REFUSED, "behind %s is another server now: it was %s, and it is %s",
	        conninfo_label(run->live), run->server, is);
	return err_hint(err, "after a failover what was committed may be lost: look at both servers first");
}
