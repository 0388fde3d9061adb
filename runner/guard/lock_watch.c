#include "runner/guard/lock_watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A limit of some seconds is kept to a twentieth of it; one that is shorter, to what a wait of base/db.c allows. */
enum { LOOKS_PER_HOLD = 20, LOOK_LEAST_MS = 100, LOOK_MOST_MS = 500 };

/* ------------------------------------------------------------------ names */

/* "AccessExclusiveLock" as SQL says it: "ACCESS EXCLUSIVE". */
static char *mode_words(const char *mode)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);
	size_t len = strlen(mode);

	if (len > 4 && strcmp(mode + len - 4, "Lock") == 0)
		len -= 4;
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && isupper((unsigned char)mode[i]))
			buf_char(&b, ' ');
		buf_char(&b, (char)toupper((unsigned char)mode[i]));
	}
	return mem_strdup(buf_text(&b));
}

static const char *name_before(const struct run *run, int64_t oid)
{
	for (size_t i = 0; i < run->before.counters.n_relations; i++)
		if (run->before.counters.relations[i].oid == oid)
			return run->before.counters.relations[i].name;
	return NULL;
}

/* Of a list of OIDs those that a session of somebody else can see, tables first. */
static bool visible_relations(const struct run *run, const char *oids, struct rows **out, struct err *err)
{
	cleanup_free char *application = run_application(run, "watch");
	cleanup_db struct db *db = NULL;

	return db_open(run->live, application, &db, err) &&
	       db_query(db,
	                "SELECT c.oid::int8, pg_catalog.format('%I.%I', n.nspname, c.relname) FROM "
	                "pg_catalog.pg_class c"
	                " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY "
	                "($1::oid[])"
	                " ORDER BY c.relkind NOT IN ('r', 'p', 'm', 'f', 'v'), c.oid",
	                DB_ARGS(oids), out, err);
}

/* ------------------------------------------------------------------ who blocks us */

/* The first line of what a blocker runs, or ran last in its transaction.  Its literals may be secrets, and stay out. */
#define QUERY_SHOWN                                                                                          \
	"pg_catalog.left(pg_catalog.split_part(pg_catalog.ltrim(pg_catalog.regexp_replace("                  \
	"pg_catalog.regexp_replace(a.query, '\\$\\w*\\$.*', '?'), '''[^'']*(''|$)', '?', 'g')), E'\\n', "    \
	"1), 80)"

static const char blockers_sql[] =
	"SELECT b.pid::text, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.state, "
	"''),"
	" coalesce((extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::int8, 0),"
	" coalesce(" QUERY_SHOWN ", '')"
	" FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) b (pid)"
	" LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY a.xact_start, b.pid";

static const char waiting_sql[] =
	"SELECT mode, coalesce(relation::int8, 0), locktype FROM pg_catalog.pg_locks"
	" WHERE pid = $1::int4 AND NOT granted LIMIT 1";

static void add_blocker(struct buf *out, const struct rows *r, size_t i)
{
	char age[TEXT_SHORT];

	if (strcmp(rows_get(r, i, 0), "0") == 0) {
		buf_str(out, "a prepared transaction");
		return;
	}
	buf_fmt(out, "pid %s (user %s, application %s, %s, transaction %s old): %s", rows_get(r, i, 0),
	        rows_get(r, i, 1), rows_get(r, i, 2), rows_get(r, i, 3),
	        text_duration(rows_int(r, i, 4), age), rows_get(r, i, 5));
}

static char *lock_name(const struct run *run, const struct rows *lock)
{
	cleanup_free char *mode = mode_words(rows_get(lock, 0, 0));
	const char *name = name_before(run, rows_int(lock, 0, 1));
	cleanup_rows struct rows *seen = NULL;
	struct err ignored = ERR_INIT;

	if (rows_int(lock, 0, 1) == 0)
		return mem_fmt("a lock on a %s", rows_get(lock, 0, 2));
	cleanup_free char *oid = mem_fmt("{%s}", rows_get(lock, 0, 1));
	if (!name && visible_relations(run, oid, &seen, &ignored) && rows_count(seen) == 1)
		name = rows_get(seen, 0, 1);
	return name ? mem_fmt("%s on %s", mode, name)
	            : mem_fmt("%s on the relation with OID %s", mode, rows_get(lock, 0, 1));
}

static void say_blockers(struct lock_watch *w, const struct rows *lock, const struct rows *blockers)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *name = lock_name(w->run, lock);
	struct err err = ERR_INIT;

	buf_fmt(&text, "waits for %s behind ", name);
	for (size_t i = 0; i < rows_count(blockers); i++) {
		buf_str(&text, i ? "; " : "");
		add_blocker(&text, blockers, i);
	}
	free(w->blocked);
	w->blocked = mem_strdup(buf_text(&text));
	w->shown = true;
	log_info("%s %s", w->what, w->blocked);
	if (w->run->journal && !journal_note(w->run->journal, "lock", "waits",
	                                     json_pack("{s:o}", "why", json_str(w->blocked)), &err))
		log_warn("%s", err.msg);
}

static bool look_for_blockers(struct lock_watch *w, struct err *err)
{
	cleanup_rows struct rows *lock = NULL, *blockers = NULL;
	cleanup_free char *waits = NULL;

	if (!db_value(w->run->admin,
	              "SELECT (SELECT wait_event_type FROM pg_catalog.pg_stat_get_activity($1::int4))",
	              DB_ARGS(w->pid), &waits, err))
		return false;
	if (!waits || strcmp(waits, "Lock") != 0)
		return true;
	if (!db_query(w->run->admin, waiting_sql, DB_ARGS(w->pid), &lock, err) ||
	    !db_query(w->run->admin, blockers_sql, DB_ARGS(w->pid), &blockers, err))
		return false;
	/* Either may have ended between the questions. */
	if (rows_count(lock) > 0 && rows_count(blockers) > 0)
		say_blockers(w, lock, blockers);
	return true;
}

/* ------------------------------------------------------------------ what we hold */

/* The list as it is now; what was there in the last look keeps its time. */
static bool read_held(struct lock_watch *w, int64_t now, struct err *err)
{
	cleanup_rows struct rows *r = NULL;
	struct held_lock *held;
	size_t was = 0;

	if (!db_query(
		    w->run->admin,
		    "SELECT DISTINCT relation::int8 FROM pg_catalog.pg_locks WHERE pid = $1::int4 AND granted"
		    " AND locktype = 'relation' AND mode = 'AccessExclusiveLock' ORDER BY 1",
		    DB_ARGS(w->pid), &r, err))
		return false;
	held = mem_new0((rows_count(r) + 1) * sizeof(*held));
	for (size_t i = 0; i < rows_count(r); i++) {
		held[i] = (struct held_lock){ .relation = rows_int(r, i, 0), .since_ms = now };
		while (was < w->n_held && w->held[was].relation < held[i].relation)
			was++;
		if (was < w->n_held && w->held[was].relation == held[i].relation)
			held[i] = w->held[was];
	}
	free(w->held);
	w->held = held;
	w->n_held = rows_count(r);
	return true;
}

static bool is_too_long(const struct lock_watch *w, const struct held_lock *h, int64_t now)
{
	return !h->is_ours && now - h->since_ms >= w->hold_ms;
}

static bool fail_hold(const struct lock_watch *w, const char *name, int64_t held_ms, struct err *err)
{
	char held[TEXT_SHORT], limit[TEXT_SHORT];

	err_set(err, ERR_REFUSED, "%s held ACCESS EXCLUSIVE on %s for %s, and lock_hold allows %s", w->what,
	        name, text_duration(held_ms, held), text_duration(w->hold_ms, limit));
	return err_hint(err,
	                "split the revision, so that what takes long does not hold the lock; or allow more "
	                "with hold=... on its section (hold=0: as long as it takes)");
}

/* A relation that this transaction made is nobody else's to wait for; only a session of somebody else can tell. */
static bool judge_held(struct lock_watch *w, const char *oids, int64_t now, struct err *err)
{
	cleanup_rows struct rows *seen = NULL;
	struct err why = ERR_INIT;
	bool known = visible_relations(w->run, oids, &seen, &why);

	for (size_t k = 0; known && k < rows_count(seen); k++)
		for (size_t i = 0; i < w->n_held; i++)
			if (w->held[i].relation == rows_int(seen, k, 0))
				return fail_hold(w, rows_get(seen, k, 1), now - w->held[i].since_ms, err);
	for (size_t i = 0; i < w->n_held; i++) {
		const char *name = name_before(w->run, w->held[i].relation);
		if (!known && name && is_too_long(w, &w->held[i], now))
			return fail_hold(w, name, now - w->held[i].since_ms, err);
		w->held[i].is_ours = w->held[i].is_ours || is_too_long(w, &w->held[i], now);
	}
	return true;
}

static bool look_at_held(struct lock_watch *w, int64_t now, struct err *err)
{
	cleanup_buf struct buf oids = BUF_INIT(BUF_TEXT_MAX);

	if (!read_held(w, now, err))
		return false;
	for (size_t i = 0; i < w->n_held; i++)
		if (is_too_long(w, &w->held[i], now))
			buf_fmt(&oids, "%s%" PRId64, oids.len ? "," : "{", w->held[i].relation);
	if (oids.len == 0)
		return true;
	buf_char(&oids, '}');
	return judge_held(w, buf_text(&oids), now, err);
}

/* ------------------------------------------------------------------ the watch */

static int64_t look_every(const struct lock_watch *w)
{
	int64_t every = w->hold_ms / LOOKS_PER_HOLD;

	return every < LOOK_LEAST_MS ? LOOK_LEAST_MS : every > LOOK_MOST_MS ? LOOK_MOST_MS : every;
}

/* A second session that is lost says nothing of the first one, which goes on unwatched. */
static bool go_blind(struct lock_watch *w, const struct err *why)
{
	if (why->code == ERR_CANCELLED)
		return true; /* the call that waits sees the signal itself */
	w->blind = true;
	log_warn("the locks of %s are not watched any more: %s", w->what, why->msg);
	return true;
}

static bool watch(void *ctx, struct err *err)
{
	struct lock_watch *w = ctx;
	struct err why = ERR_INIT;
	int64_t now = clock_ms();

	if (w->blind)
		return true;
	if (!w->shown && !look_for_blockers(w, &why))
		return go_blind(w, &why);
	if (w->hold_ms == 0 || now - w->looked_ms < look_every(w))
		return true;
	w->looked_ms = now;
	if (look_at_held(w, now, &why))
		return true;
	if (why.code != ERR_REFUSED)
		return go_blind(w, &why);
	*err = why;
	return false;
}

void lock_watch_start(struct lock_watch *w, struct run *run, const char *what, int64_t hold_ms)
{
	*w = (struct lock_watch){ .run = run, .what = what, .hold_ms = hold_ms };
	snprintf(w->pid, sizeof(w->pid), "%d", db_pid(run->db));
	db_on_wait(run->db, watch, w);
}

void lock_watch_again(struct lock_watch *w)
{
	w->shown = false;
	w->n_held = 0;
}

void lock_watch_stop(struct lock_watch *w)
{
	db_on_wait(w->run->db, NULL, NULL);
	free(w->blocked);
	free(w->held);
	*w = (struct lock_watch){ .run = NULL };
}
