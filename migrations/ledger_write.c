/* stamp, repair and notes: changes of the ledger that run no section. */
#include "migrations/ledger.h"

#include "base/clock.h"

#include <string.h>

/* Waiting for a lock on the version table for longer than this helps nobody: no revision holds it. */
#define LEDGER_LOCK_TIMEOUT "5s"

static bool check_tag(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	(void)ctx;
	(void)index;
	(void)rows;
	bool touches = strncmp(tag, "UPDATE", 6) == 0 || strncmp(tag, "DELETE", 6) == 0 ||
	               strncmp(tag, "INSERT", 6) == 0;
	if (!touches || tag_is_one_row(tag))
		return true;
	err_set(err, ERR_REFUSED, "a row of the version table is not what it was when it was read (%s)", tag);
	return err_hint(err,
	                "another program changed it meanwhile; look with `ripcord current` and try again");
}

/* Runs the statements in one transaction that ends with COMMIT only when each touched its one row. */
static bool commit(struct db *db, const char *statements, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	struct err ignored = ERR_INIT;

	buf_fmt(&sql, "BEGIN;\nSET LOCAL lock_timeout = '%s';\n%s", LEDGER_LOCK_TIMEOUT, statements);
	if (!db_script(db, buf_text(&sql), check_tag, NULL, err)) {
		(void)(!db_is_lost(db) &&
		       db_run(db, "ROLLBACK", &ignored)); /* the first error is the one to tell */
		return false;
	}
	if (!db_run(db, "COMMIT", err))
		return false;
	if (strcmp(db_tag(db), "COMMIT") != 0)
		return err_set(err, ERR_DB, "COMMIT was answered with %s", db_tag(db));
	return true;
}

static void stamp_rows(struct buf *sql, struct chain *chain, const struct ledger *l, const struct graph *g,
                       const struct strv *heads, const struct actor *actor)
{
	int64_t now = clock_wall_us();
	struct entry entry = {
		.outcome = "stamped", .actor = actor, .reason = "", .started_us = now, .finished_us = now
	};

	for (size_t i = 0; i < heads->n; i++) {
		if (strv_has(&l->heads, heads->v[i]))
			continue;
		entry.direction = DIRECTION_UP;
		entry.revision = heads->v[i];
		entry.rev = graph_get(g, heads->v[i]);
		entry.keep_source = true;
		history_insert_sql(sql, chain, &entry);
	}
	if (heads->n || !l->heads.n)
		return;
	entry.direction = DIRECTION_DOWN;
	entry.revision = "base";
	entry.rev = NULL;
	history_insert_sql(sql, chain, &entry);
}

/* NOLINTNEXTLINE(readability-function-size): the public signature has seven parameters */
bool ledger_stamp(struct ledger *l, struct db *db, const struct graph *g, const struct strv *heads,
                  bool purge, const struct actor *actor, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	static const struct strv none = STRV_INIT;
	struct chain chain;

	if (!ledger_create(l, db, err) || !ledger_read(l, db, err))
		return false;
	chain = l->chain;
	if (purge) /* whatever stands in it; wrapped, since its count is nobody's business */
		buf_fmt(&sql, "WITH gone AS (DELETE FROM %s RETURNING 1) SELECT count(*) FROM gone;\n",
		        l->table);
	ledger_move_sql(&sql, l->table, purge ? &none : &l->heads, heads);
	stamp_rows(&sql, &chain, l, g, heads, actor);
	if (!sql.len)
		return true;
	if (!commit(db, buf_text(&sql), err))
		return err_wrap(err, "cannot stamp %s", l->table);
	return ledger_read(l, db, err);
}

/* A row of the history that no revision was run for. */
static bool append(struct ledger *l, struct db *db, struct entry *entry, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!ledger_create(l, db, err) || !ledger_read(l, db, err))
		return false;
	struct chain chain = l->chain;
	entry->started_us = entry->finished_us = clock_wall_us();
	history_insert_sql(&sql, &chain, entry);
	return commit(db, buf_text(&sql), err) && ledger_read(l, db, err);
}

bool ledger_repair(struct ledger *l, struct db *db, const struct revision *rev, const struct actor *actor,
                   const char *reason, struct err *err)
{
	struct entry entry = { .revision = rev->id,
		               .outcome = "repaired",
		               .direction = DIRECTION_UP,
		               .rev = rev,
		               .keep_source = true,
		               .actor = actor,
		               .reason = reason };

	return append(l, db, &entry, err) || err_wrap(err, "cannot repair revision %s", rev->id);
}

/* NOLINTNEXTLINE(readability-function-size): the public signature has seven parameters */
bool ledger_note(struct ledger *l, struct db *db, const struct actor *actor, const char *revision,
                 const char *outcome, const char *reason, struct err *err)
{
	struct entry entry = { .revision = revision,
		               .outcome = outcome,
		               .direction = DIRECTION_DOWN,
		               .actor = actor,
		               .reason = reason };

	return append(l, db, &entry, err) || err_wrap(err, "cannot write to ripcord.history");
}

const struct history_row *ledger_pin(const struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->history[i].outcome, LEDGER_UNPINNED) == 0)
			return NULL;
		if (strcmp(l->history[i].outcome, LEDGER_PINNED) == 0)
			return &l->history[i];
	}
	return NULL;
}
