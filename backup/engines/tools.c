/* Finds the client programs of the server's own major: an older pg_dump refuses, a newer one writes what
 * that server may not take back (SET transaction_timeout). */
#include "backup/backup.h"

#include "backup/engines/dump.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const programs[] = { "pg_dump", "pg_restore", "pg_dumpall" };

/* Where packages put them: Debian and Ubuntu, the PGDG's RPMs, Alpine, Homebrew on two kinds of Mac. */
static const struct place {
	const char *before, *after; /* the major stands between them */
} places[] = {
	{ "/usr/lib/postgresql/", "/bin" },       { "/usr/pgsql-", "/bin" },
	{ "/usr/libexec/postgresql", "" },        { "/opt/homebrew/opt/postgresql@", "/bin" },
	{ "/usr/local/opt/postgresql@", "/bin" },
};

/* "pg_dump (PostgreSQL) 15.20 (Debian ...)", "... 18beta1": the number behind the parenthesis. */
static int major_of(const char *version)
{
	const char *p = strchr(version, ')');

	return p ? (int)strtol(p + 1, NULL, 10) : 0;
}

/*
 * -1: a program is missing or does not run (then *err says which); else the major of pg_dump.  The other two came with
 * it: pg_dumpall runs the pg_dump beside it only when it has its own version, and a pg_restore that is older than the
 * archive refuses it, before anything is changed.
 */
static int major_in(const char *dir, struct err *err)
{
	cleanup_free char *version = NULL;

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		cleanup_free char *path = mem_fmt("%s/%s", dir, programs[i]);
		if (access(path, X_OK) < 0) {
			err_sys(err, "cannot execute '%s'", path);
			return -1;
		}
	}
	return dump_version(dir, "pg_dump", &version, err) ? major_of(version) : -1;
}

static bool is_fit(const char *dir, int major)
{
	struct err ignored = ERR_INIT; /* a place that has none is no failure: the next one is tried */

	return major_in(dir, &ignored) == major;
}

static bool check_configured(const char *dir, int major, char **bin_dir, struct err *err)
{
	struct err why = ERR_INIT;
	int is = major_in(dir, &why);

	if (is == major) {
		*bin_dir = mem_strdup(dir);
		return true;
	}
	if (is < 0)
		return err_set(err, ERR_REFUSED, "the configured programs of PostgreSQL: %s", why.msg);
	return err_set(err, ERR_REFUSED, "the programs in '%s' are of PostgreSQL %d, and the server is %d",
	               dir, is, major);
}

static char *find_on_path(int major)
{
	cleanup_free char *path = mem_strdup(getenv("PATH") ? getenv("PATH") : "");
	char *rest = path;

	for (char *dir; (dir = strsep(&rest, ":")) != NULL;)
		if (*dir == '/' && is_fit(dir, major))
			return mem_strdup(dir);
	return NULL;
}

static char *find_in_places(int major)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *dir = mem_fmt("%s%d%s", places[i].before, major, places[i].after);
		if (is_fit(dir, major))
			return dir;
		free(dir);
	}
	return NULL;
}

bool dump_tools_find(int major, const char *configured, char **bin_dir, struct err *err)
{
	if (configured && *configured)
		return check_configured(configured, major, bin_dir, err);
	char *found = find_in_places(major);
	if (!found)
		found = find_on_path(major);
	if (found) {
		*bin_dir = found;
		return true;
	}
	err_set(err, ERR_REFUSED, "no pg_dump, pg_restore and pg_dumpall of PostgreSQL %d were found", major);
	return err_hint(err, "install postgresql-client-%d, or set pg_bindir in [backup]", major);
}
