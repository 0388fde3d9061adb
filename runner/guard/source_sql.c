#include "runner/guard/source_sql.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/text.h"
#include "migrations/migrations.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SQL_MAX = 256 << 20,
	DEPTH_MAX = 32, /* of folders in folders: a link that leads back ends here */
};

/* A file has the session as a new one is.  Nothing in a scratch database is worth waiting for a disk. */
static bool load_text(struct db *db, const char *name, const char *text, struct renames *comments,
                      struct err *err)
{
	return renames_add_comments(comments, name, text, err) &&
	       db_run(db, "RESET ALL; SET statement_timeout = 0; SET synchronous_commit = off", err) &&
	       load_sql(db, name, text, err);
}

static bool load_file(struct db *db, const char *path, struct renames *comments, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(SQL_MAX);

	if (!file_read(path, &text, err))
		return false;
	if (text_utf8_valid(buf_text(&text), text.len) != text.len) {
		err_set(err, ERR_USAGE, "a file of SQL that is not UTF-8, or has a NUL in it");
		return err_at(err, path, 0);
	}
	return load_text(db, path, buf_text(&text), comments, err);
}

/* ------------------------------------------------------------------ folders */

static bool collect(const char *folder, int depth, struct strv *out, struct err *err);

static bool collect_entry(const char *path, int depth, struct strv *out, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(err, "cannot look at %s", path);
	if (S_ISDIR(st.st_mode))
		return collect(path, depth + 1, out, err);
	if (S_ISREG(st.st_mode) && text_ends(path, ".sql"))
		strv_add(out, path);
	return true;
}

static bool collect(const char *folder, int depth, struct strv *out, struct err *err)
{
	const struct dirent *entry;
	bool ok = true;

	if (depth > DEPTH_MAX)
		return err_set(err, ERR_USAGE, "%s: folders in folders, more than %d deep", folder,
		               DEPTH_MAX);
	DIR *dir = opendir(folder);
	if (!dir)
		return err_sys(err, "cannot open the folder %s", folder);
	while (ok && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		cleanup_free char *path = path_join(folder, entry->d_name);
		ok = collect_entry(path, depth, out, err);
	}
	if (ok && errno)
		ok = err_sys(err, "cannot read the folder %s", folder);
	closedir(dir);
	return ok;
}

static bool load_folder(struct db *db, const char *path, struct renames *comments, struct err *err)
{
	cleanup_strv struct strv files = STRV_INIT;

	if (!collect(path, 0, &files, err))
		return false;
	if (files.n == 0)
		return err_set(err, ERR_USAGE, "the folder %s has no file that ends in .sql", path);
	strv_sort(&files);
	for (size_t i = 0; i < files.n; i++)
		if (!load_file(db, files.v[i], comments, err))
			return false;
	return true;
}

bool source_load_path(struct db *db, const char *path, struct renames *comments, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_sys(err, "cannot look at %s", path);
	return S_ISDIR(st.st_mode) ? load_folder(db, path, comments, err)
	                           : load_file(db, path, comments, err);
}

/* ------------------------------------------------------------------ programs */

static bool take_output(void *ctx, const void *data, size_t len, struct err *err)
{
	struct buf *text = ctx;

	if (len > text->max - text->len)
		return err_set(err, ERR_USAGE, "it prints more than %d MiB", SQL_MAX >> 20);
	buf_add(text, data, len);
	return true;
}

bool source_load_command(struct db *db, const char *command, const char *folder, struct renames *comments,
                         struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_buf struct buf text = BUF_INIT(SQL_MAX);
	struct proc_result result;

	if (!proc_split(command, &argv, err))
		return false;
	struct proc_spec spec = { .argv = strv_argv(&argv),
		                  .envp = (const char *const *)environ,
		                  .cwd = folder,
		                  .on_stdout = take_output,
		                  .show_stderr = true,
		                  .mind_group = true,
		                  .ctx = &text };
	if (!proc_run(&spec, &result, err))
		return err_wrap(err, "the command of the schema's source");
	if (text_utf8_valid(buf_text(&text), text.len) != text.len)
		return err_set(err, ERR_USAGE, "what %s prints is not UTF-8, or has a NUL in it", argv.v[0]);
	if (buf_text(&text)[strspn(buf_text(&text), " \t\r\n")] == '\0')
		return err_set(err, ERR_USAGE, "%s printed nothing", argv.v[0]);
	return load_text(db, argv.v[0], buf_text(&text), comments, err);
}
