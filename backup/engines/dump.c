#include "backup/engines/dump.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* pg_dump waits for its locks no longer: whoever holds them blocks a migration as well. */
#define LOCK_WAIT "--lock-wait-timeout=5min"

#define VERSION_DEADLINE_MS 10000

/* A child's environment: ours, with what points at the database put in its place. */
static void child_env(const struct conninfo *ci, const char *passfile, struct strv *env)
{
	for (char **e = environ; *e; e++)
		strv_add(env, *e);
	if (ci)
		conninfo_child_env(ci, passfile, env);
}

/* "dbname='...'": pg_restore and pg_dumpall take a bare name with "=" in it for a connection string. */
static char *quoted_dbname(const struct conninfo *ci)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&b, "dbname='");
	for (const char *p = conninfo_dbname(ci); *p; p++) {
		if (*p == '\'' || *p == '\\')
			buf_char(&b, '\\');
		buf_char(&b, *p);
	}
	buf_char(&b, '\'');
	return buf_take(&b);
}

/* One run of a program that connects to a database; argv is complete. */
static bool run_connected(const struct conninfo *ci, const char *private_dir, struct proc_spec *spec,
                          struct err *err)
{
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_free char *passfile = NULL;
	struct proc_result result;

	if (!conninfo_passfile(ci, private_dir, &passfile, err))
		return false;
	child_env(ci, passfile, &env);
	spec->envp = strv_argv(&env);
	bool ok = proc_run(spec, &result, err);
	if (passfile && unlink(passfile) < 0)
		return err_sys(err, "cannot remove the password file '%s'", passfile);
	return ok;
}

/* Whatever stopped a dump, short of the operator, is a backup's failure: exit 7. */
static bool backup_failed(struct err *err)
{
	return err->code == ERR_CANCELLED || err->code == ERR_CORRUPT ? false : err_recode(err, ERR_BACKUP);
}

struct output {
	dump_on_bytes *on_bytes;
	void *ctx;
	int64_t bytes;
};

static bool pass_on(void *ctx, const void *data, size_t len, struct err *err)
{
	struct output *o = ctx;

	o->bytes += (int64_t)len;
	return o->on_bytes(o->ctx, data, len, err);
}

bool dump_run(const struct backup_request *req, dump_on_bytes *on_bytes, void *ctx, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	struct output output = { .on_bytes = on_bytes, .ctx = ctx };
	struct proc_spec spec = { .on_stdout = pass_on, .ctx = &output };

	strv_fmt(&argv, "%s/pg_dump", req->bin_dir);
	strv_add(&argv, "--format=custom");
	strv_add(&argv, "--compress=0");
	strv_add(&argv, "--no-password");
	strv_add(&argv, LOCK_WAIT);
	if (req->snapshot)
		strv_fmt(&argv, "--snapshot=%s", req->snapshot);
	for (size_t i = 0; req->exclude_table_data && i < req->exclude_table_data->n; i++)
		strv_fmt(&argv, "--exclude-table-data=%s", req->exclude_table_data->v[i]);
	spec.argv = strv_argv(&argv);
	if (!run_connected(req->source, req->private_dir, &spec, err))
		return backup_failed(err);
	return output.bytes > 0 || err_set(err, ERR_BACKUP, "pg_dump wrote nothing");
}

static bool keep(void *ctx, const void *data, size_t len, struct err *err)
{
	struct buf *b = ctx;

	if (b->len + len > b->max)
		return err_set(err, ERR_BACKUP, "the output is larger than %zu bytes", b->max);
	buf_add(b, data, len);
	return true;
}

bool dump_roles(const struct backup_request *req, struct buf *out, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	const struct conninfo *from = req->maintenance ? req->maintenance : req->source;
	cleanup_free char *dbname = quoted_dbname(from);
	struct proc_spec spec = { .on_stdout = keep, .ctx = out };

	strv_fmt(&argv, "%s/pg_dumpall", req->bin_dir);
	strv_add(&argv, "--roles-only");
	if (!req->role_passwords)
		strv_add(&argv, "--no-role-passwords");
	strv_add(&argv, "--no-password");
	strv_fmt(&argv, "--database=%s", dbname); /* it ignores the name in its --dbname */
	spec.argv = strv_argv(&argv);
	return run_connected(from, req->private_dir, &spec, err) || backup_failed(err);
}

bool dump_version(const char *bin_dir, const char *program, char **out, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	cleanup_buf struct buf text = BUF_INIT(4096);
	struct proc_spec spec = { .on_stdout = keep, .ctx = &text, .deadline_ms = VERSION_DEADLINE_MS };
	struct proc_result result;

	strv_fmt(&argv, "%s/%s", bin_dir, program);
	strv_add(&argv, "--version");
	child_env(NULL, NULL, &env);
	spec.argv = strv_argv(&argv);
	spec.envp = strv_argv(&env);
	if (!proc_run(&spec, &result, err))
		return false;
	char *line = buf_take(&text);
	line[strcspn(line, "\n")] = '\0';
	*out = line;
	return true;
}

bool dump_parse(const char *bin_dir, dump_pull *pull, void *ctx, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	struct proc_spec spec = { .on_stdin = pull, .ctx = ctx };
	struct proc_result result;

	strv_fmt(&argv, "%s/pg_restore", bin_dir);
	strv_add(&argv, "--format=custom");
	strv_add(&argv, "--file=/dev/null"); /* with --list it would stop behind the contents */
	child_env(NULL, NULL, &env);
	spec.argv = strv_argv(&argv);
	spec.envp = strv_argv(&env);
	if (proc_run(&spec, &result, err))
		return true;
	return err->code == ERR_PROC && result.exit_status > 0 ? err_recode(err, ERR_CORRUPT) : false;
}

bool dump_restore(const struct restore_request *req, dump_pull *pull, void *ctx, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_free char *dbname = quoted_dbname(req->target);
	struct proc_spec spec = { .on_stdin = pull, .ctx = ctx };

	strv_fmt(&argv, "%s/pg_restore", req->bin_dir);
	strv_add(&argv, "--format=custom");
	strv_add(&argv, "--exit-on-error");
	strv_add(&argv, "--no-password");
	strv_add(&argv, "--no-subscriptions"); /* DROP SUBSCRIPTION in a copy drops the original's slot */
	if (req->schema_only)
		strv_add(&argv, "--schema-only");
	if (req->role)
		strv_fmt(&argv, "--role=%s", req->role);
	strv_fmt(&argv, "--dbname=%s", dbname);
	spec.argv = strv_argv(&argv);
	return run_connected(req->target, req->private_dir, &spec, err);
}
