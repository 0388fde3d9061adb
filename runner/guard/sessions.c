/*
 * The run's own sessions on the server: opened, told to the journal by process id and start, and ended when the
 * process that had them is gone.  A backend goes on after its client's death until it has something to tell it, and
 * an application_name can be changed by any SQL, so it only helps.
 */
#include "runner/guard/run.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { GONE_WITHIN_MS = 10000, LOOK_EVERY_MS = 50, STARTS_WITHIN_MS = 60000, TRY_EVERY_MS = 500 };

/* ------------------------------------------------------------------ opening */

/* After a crash the server is there again before it lets anybody in. */
static bool open_when_started(const struct conninfo *where, const char *application, struct db **out,
                              struct err *err)
{
	const int64_t deadline = clock_ms() + STARTS_WITHIN_MS;
	bool said = false;

	for (;;) {
		struct err why = ERR_INIT;

		if (db_open(where, application, out, &why))
			return true;
		if (clock_ms() >= deadline || cancel_requested() || !conninfo_is_starting(where)) {
			*err = why;
			return false;
		}
		if (!said)
			log_info("%s: waiting up to %d s", why.msg, STARTS_WITHIN_MS / 1000);
		said = true;
		clock_sleep_ms(TRY_EVERY_MS);
	}
}

/* Not synced: a kill loses nothing, and after a power cut the name has to do. */
static bool note_session(struct run *run, struct db *db, const char *what, struct err *err)
{
	struct err unwritten = ERR_INIT;
	json_t *session;

	if (!run_session_json(db, &session, err))
		return false;
	json_put(session, "what", json_str(what));
	if (journal_note(run->journal, "session", "open", session, &unwritten) || run->going_back)
		return true;
	*err = unwritten;
	return false;
}

bool run_open(struct run *run, const struct conninfo *where, const char *what, struct db **out,
              struct err *err)
{
	cleanup_free char *application = run_application(run, what);
	cleanup_db struct db *db = NULL;

	if (!open_when_started(where, application, &db, err) || !run_same_server(run, db, err) ||
	    (run->journal && !note_session(run, db, what, err)))
		return false;
	*out = db;
	db = NULL;
	return true;
}

bool run_session_json(struct db *db, json_t **out, struct err *err)
{
	cleanup_free char *start = NULL;

	if (!db_value(db,
	              "SELECT extract(epoch FROM backend_start)::text FROM pg_catalog.pg_stat_activity"
	              " WHERE pid = pg_catalog.pg_backend_pid()",
	              DB_NO_ARGS, &start, err))
		return false;
	*out = json_pack("{s:i, s:s?}", "pid", db_pid(db), "start", start);
	return true;
}

bool run_sessions_json(struct run *run, json_t **out, struct err *err)
{
	struct db *const open[] = { run->db, run->admin, run->lock };
	cleanup_json json_t *list = json_array();

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		json_t *session;
		if (!open[i])
			continue;
		if (!run_session_json(open[i], &session, err))
			return false;
		json_push(list, session);
	}
	*out = json_incref(list);
	return true;
}

/* ------------------------------------------------------------------ ending those of a dead process */

static void add_session(struct buf *array, const json_t *session)
{
	const char *start = json_string_value(json_object_get(session, "start"));

	if (start)
		buf_fmt(array, "%s\"%" JSON_INTEGER_FORMAT "@%s\"", array->len > 1 ? "," : "",
		        json_integer_value(json_object_get(session, "pid")), start);
}

/* "{"123@1790000000.123456",...}": a text[] of all that the journal tells. */
static char *known_sessions(const json_t *lines)
{
	struct buf array = BUF_INIT(BUF_TEXT_MAX);
	const json_t *line, *session;
	size_t i, k;

	buf_char(&array, '{');
	json_array_foreach(lines, i, line)
	{
		const char *step = json_string_value(json_object_get(line, "step"));
		if (step && strcmp(step, "session") == 0)
			add_session(&array, line);
		json_array_foreach(json_object_get(line, "sessions"), k, session)
			add_session(&array, session);
	}
	buf_char(&array, '}');
	return buf_take(&array);
}

/* Those that are this process's and alive. */
static char *own_pids(const struct run *run)
{
	const struct db *const open[] = { run->db, run->admin, run->lock };
	struct buf array = BUF_INIT(BUF_TEXT_MAX);

	buf_char(&array, '{');
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (open[i] && !db_is_lost(open[i]))
			buf_fmt(&array, "%s%d", array.len > 1 ? "," : "", db_pid(open[i]));
	buf_char(&array, '}');
	return buf_take(&array);
}

bool run_end_sessions(struct run *run, const json_t *lines, struct err *err)
{
	cleanup_free char *pattern = mem_fmt("ripcord/%s/%%", uuid_short(run->id));
	cleanup_free char *known = known_sessions(lines), *own = own_pids(run);
	int64_t deadline = clock_ms() + GONE_WITHIN_MS, left;

	do {
		if (!db_int(run->admin,
		            "SELECT count(pg_catalog.pg_terminate_backend(a.pid)) FROM "
		            "pg_catalog.pg_stat_activity a"
		            " WHERE (a.application_name LIKE $1 OR a.pid || '@' || extract(epoch FROM "
		            "a.backend_start) = ANY ($2::text[])) AND a.pid <> ALL ($3::int[])",
		            DB_ARGS(pattern, known, own), &left, err))
			return err_wrap(err, "cannot end the sessions of run %s", run->id);
		if (left == 0)
			return true;
		clock_sleep_ms(LOOK_EVERY_MS);
	} while (clock_ms() < deadline);
	return err_set(err, ERR_DB, "%" PRId64 " sessions of run %s would not end", left, run->id);
}

/* ------------------------------------------------------------------ after a cut */

static bool is_alive(struct db *db)
{
	struct err ignored = ERR_INIT;
	int64_t one;

	/* A question that a signal kept from being asked says nothing. */
	return db && !db_is_lost(db) &&
	       (db_int(db, "SELECT 1", DB_NO_ARGS, &one, &ignored) || !db_is_lost(db));
}

/* The backends of connections that were cut may still work, or hold the lock. */
static bool end_cut_sessions(struct run *run, struct err *err)
{
	cleanup_json json_t *lines = NULL;
	struct err unread = ERR_INIT;

	if (run->journal && !journal_read(run->config->state_dir, run->id, &lines, &unread))
		log_warn("%s", unread.msg);
	return run_end_sessions(run, lines, err);
}

bool run_reconnect(struct run *run, struct err *err)
{
	bool admin = is_alive(run->admin), lock = !run->lock || is_alive(run->lock),
	     live = !run->db || is_alive(run->db);

	if (admin && lock && live)
		return true;
	log_info("connections were lost: connecting again");
	if (!admin) {
		db_close(run->admin);
		run->admin = NULL;
		if (!run_connect_maintenance(run, err))
			return false;
	}
	if (!end_cut_sessions(run, err))
		return false;
	if (!live) {
		db_close(run->db);
		run->db = NULL;
	}
	/* Whoever had taken the run over in between has changed its token. */
	return (lock || run_lock_again(run, err)) && (live || run_connect_live(run, err)) &&
	       (!run->db || !run->started || mirror_check_token(run, err));
}

bool run_reopen(struct run *run, struct err *err)
{
	if (run->db && !db_is_lost(run->db))
		return true;
	return (run_reconnect(run, err) && (run->db || run_connect_live(run, err))) ||
	       err_wrap(err, "cannot connect again");
}
