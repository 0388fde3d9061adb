/*
 * Hooks: what a user wants asked or done around the phases of a run (design.md section 7).
 */
#include "runner/guard/hooks.h"

#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_BETWEEN_ATTEMPTS_MS = 1000, ANSWER_MAX = 1 << 20 };

/* What a hook is asked about. */
struct occasion {
	struct run *run;                 /* NULL: a file that was written */
	const struct revision *revision; /* of the run, or NULL */
	const struct config *config;
	const char *file, *id; /* that was written */
};

/* ------------------------------------------------------------------ commands */

static bool command_argv(const struct hook *hook, struct strv *argv, struct err *err)
{
	if (hook->shell) {
		strv_add(argv, "/bin/sh");
		strv_add(argv, "-c");
		strv_add(argv, hook->command);
		return true;
	}
	return proc_split(hook->command, argv, err);
}

void run_child_env(const struct run *run, const char *phase, const char *passfile, struct strv *env)
{
	cleanup_free char *from = strv_join(&run->report->from, ","), *to = strv_join(&run->report->to, ",");

	for (char **e = environ; *e; e++)
		strv_add(env, *e);
	conninfo_child_env(run->live, passfile, env);
	strv_setenv(env, "RIPCORD_RUN", run->id);
	strv_setenv(env, "RIPCORD_PHASE", phase);
	strv_setenv(env, "RIPCORD_FROM", from);
	strv_setenv(env, "RIPCORD_TO", to);
	strv_setenv(env, "RIPCORD_BACKUP", run->report->backup_id ? run->report->backup_id : "");
}

struct stdin_text {
	const char *text;
	size_t left;
};

static bool give_text(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct stdin_text *in = ctx;

	(void)err;
	*got = in->left < cap ? in->left : cap;
	memcpy(data, in->text, *got);
	in->text += *got;
	in->left -= *got;
	return true;
}

static bool hook_command(struct run *run, const struct hook *hook, const struct revision *revision,
                         struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	cleanup_json json_t *report = run_report_json(run->report);
	cleanup_free char *text = json_canonical(report), *passfile = NULL;
	struct stdin_text in = { .text = text, .left = strlen(text) };
	struct proc_result result;

	if (!command_argv(hook, &argv, err) ||
	    !conninfo_passfile(run->live, run->private_dir, &passfile, err))
		return false;
	run_child_env(run, hook_phase_name(hook->phase), passfile, &env);
	strv_setenv(&env, "RIPCORD_REVISION", revision ? revision->id : "");
	struct proc_spec spec = { .argv = strv_argv(&argv),
		                  .envp = strv_argv(&env),
		                  .cwd = run->config->folder,
		                  .deadline_ms = hook->timeout_ms,
		                  .show_stderr = true,
		                  .mind_group = true,
		                  .on_stdin = give_text,
		                  .ctx = &in };
	bool ok = proc_run(&spec, &result, err);
	if (passfile)
		(void)unlink(passfile);
	return ok;
}

/* ------------------------------------------------------------------ a file's commands */

/* The path as it is, wherever the word has the token. */
static char *put_file(const char *word, const char *file)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);
	const char *token;

	for (; (token = strstr(word, HOOK_FILE_TOKEN)); word = token + strlen(HOOK_FILE_TOKEN))
		buf_fmt(&out, "%.*s%s", (int)(token - word), word, file);
	buf_str(&out, word);
	return buf_take(&out);
}

static bool write_command(const struct occasion *o, const struct hook *hook, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT, argv = STRV_INIT, env = STRV_INIT;
	struct proc_result result;

	if (!command_argv(hook, &words, err))
		return false;
	for (size_t i = 0; i < words.n; i++) {
		cleanup_free char *word = put_file(words.v[i], o->file);
		strv_add(&argv, word);
	}
	for (char **e = environ; *e; e++)
		strv_add(&env, *e);
	strv_setenv(&env, "RIPCORD_PHASE", hook_phase_name(hook->phase));
	strv_setenv(&env, "RIPCORD_FILE", o->file);
	strv_setenv(&env, "RIPCORD_REVISION", o->id);
	const struct proc_spec spec = { .argv = strv_argv(&argv),
		                        .envp = strv_argv(&env),
		                        .cwd = o->config->folder,
		                        .deadline_ms = hook->timeout_ms,
		                        .show_stderr = true,
		                        .mind_group = true };
	return proc_run(&spec, &result, err);
}

/* ------------------------------------------------------------------ SQL */

/* Without `expect` a hook passes as a verify does: every SELECT has a row, one boolean column, all true. */
static bool judge_sql(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	const struct hook *hook = ctx;

	(void)index, (void)tag;
	if (rows_columns(rows) == 0)
		return true;
	if (hook->expect) {
		const char *is =
			rows_count(rows) == 1 && rows_columns(rows) == 1 ? rows_get(rows, 0, 0) : NULL;
		if (is && strcmp(is, hook->expect) == 0)
			return true;
		return err_set(err, ERR_REFUSED, "it answered %s instead of %s",
		               is ? is : "something that is not one value", hook->expect);
	}
	if (rows_columns(rows) != 1 || !rows_is_bool(rows, 0) || rows_count(rows) == 0)
		return err_set(err, ERR_REFUSED,
		               "it answered something that is no boolean column with a row");
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *is = rows_get(rows, i, 0);
		if (!is || is[0] != 't')
			return err_set(err, ERR_REFUSED, "it answered %s", is ? "false" : "NULL");
	}
	return true;
}

/* In a transaction of its own that is rolled back: a hook looks, it does not change what is proven. */
static bool hook_sql(struct run *run, const struct hook *hook, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (!db_run(run->db, "BEGIN READ ONLY", err))
		return false;
	db_set_deadline(run->db, hook->timeout_ms);
	bool ok = db_script(run->db, hook->sql, judge_sql, (void *)hook, err);
	db_set_deadline(run->db, 0);
	return db_run(run->db, "ROLLBACK", ok ? err : &ignored) && ok;
}

static bool hook_url(const struct hook *hook, struct err *err)
{
	struct http_request request = { .method = "GET", .url = hook->url, .timeout_ms = hook->timeout_ms };
	cleanup_buf struct buf body = BUF_INIT(ANSWER_MAX);
	int status;

	if (!http_send(&request, &status, &body, err))
		return false;
	return status == hook->status ||
	       err_set(err, ERR_REFUSED, "it answered status %d instead of %d", status, hook->status);
}

/* ------------------------------------------------------------------ running */

static bool run_one(const struct occasion *o, const struct hook *hook, struct err *err)
{
	if (!o->run)
		return write_command(o, hook, err);
	if (hook->command)
		return hook_command(o->run, hook, o->revision, err);
	if (hook->sql)
		return hook_sql(o->run, hook, err);
	return hook_url(hook, err);
}

static bool run_hook(const struct occasion *o, const struct hook *hook, struct err *err)
{
	for (int attempt = 1;; attempt++) {
		struct err why = ERR_INIT;

		if (run_one(o, hook, &why))
			return true;
		if (attempt >= hook->attempts) {
			*err = why;
			return err_wrap(err, "hook %s (%s)", hook->name, hook_phase_name(hook->phase));
		}
		log_info("hook %s failed, attempt %d of %d: %s", hook->name, attempt, hook->attempts,
		         why.msg);
		clock_sleep_ms(PAUSE_BETWEEN_ATTEMPTS_MS);
	}
}

static bool run_phase(const struct occasion *o, enum hook_phase phase, struct err *err)
{
	for (size_t i = 0; i < o->config->n_hooks; i++)
		if (o->config->hooks[i].phase == phase && !run_hook(o, &o->config->hooks[i], err))
			return false;
	return true;
}

bool run_hooks(struct run *run, enum hook_phase phase, const struct revision *revision, struct err *err)
{
	const struct occasion o = { .run = run, .revision = revision, .config = run->config };

	return run_phase(&o, phase, err);
}

bool hooks_after_write(const struct config *config, const char *path, const char *revision, struct err *err)
{
	const struct occasion o = { .config = config, .file = path, .id = revision };

	return run_phase(&o, HOOK_AFTER_WRITE, err);
}
