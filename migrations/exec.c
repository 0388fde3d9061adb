#include "migrations/exec.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sql.h"
#include "base/uuid.h"
#include "migrations/lexer.h"
#include "migrations/locks.h"
#include "migrations/off.h"
#include "migrations/parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* field_notes.md, suggested defaults: 100 ms to 15 s with full jitter. */
#define BACKOFF_BASE_MS 100
#define BACKOFF_CAP_MS  15000

/* RESET ALL leaves role and session authorization alone.  The settings after it are those that every session of
 * a run has: neither a database's nor a role's defaults may stop it half way. */
const char reset_sql[] =
	"RESET SESSION AUTHORIZATION;\nRESET ROLE;\nRESET ALL;\n"
	"SET statement_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n"
	"SET default_transaction_read_only = off;\nSET default_transaction_isolation = 'read committed';\n";

const struct section *step_section(const struct step *step)
{
	return step->direction == DIRECTION_UP ? &step->revision->upgrade : &step->revision->downgrade;
}

/* ------------------------------------------------------------------ settings */

void settings_sql(struct buf *sql, const struct unit *u, const struct step *step, const struct section *s,
                  bool local)
{
	const char *set = local ? "SET LOCAL" : "SET";
	int64_t lock = s->lock_timeout_ms >= 0 ? s->lock_timeout_ms : u->settings->lock_timeout_ms;
	int64_t statement =
		s->statement_timeout_ms >= 0 ? s->statement_timeout_ms : u->settings->statement_timeout_ms;
	char *name = mem_fmt("ripcord/%s/%s", uuid_short(u->settings->actor.run), step->revision->id);

	buf_sql(sql, "%s lock_timeout = %lld;\n%s statement_timeout = %lld;\n", set, (long long)lock, set,
	        (long long)statement);
	buf_sql(sql, "%s idle_in_transaction_session_timeout = 0;\n%s application_name = %L;\n", set, set,
	        name);
	free(name);
}

static void role_sql(struct buf *sql, const struct unit *u)
{
	if (u->settings->role && *u->settings->role)
		buf_sql(sql, "SET LOCAL ROLE %I;\n", u->settings->role);
}

/* What was aborted can be asked about only from outside of what failed. */
static bool wants_savepoint(const struct unit *u)
{
	const struct probe *probe = u->settings->probe;

	return probe && probe->aborted && probe->at_abort;
}

static void marker_sql(struct buf *sql, const char *function)
{
	buf_sql(sql, "SELECT pg_catalog.%s()::pg_catalog.text AS %I;\n", function, message_marker());
}

/* ------------------------------------------------------------------ message 1: the section */

static void begin_sql(struct buf *sql, struct unit *u, size_t i)
{
	const struct probe *probe = u->settings->probe;

	/* Named, since a database may have other defaults. */
	if (i == 0)
		buf_str(sql, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n");
	settings_sql(sql, u, &u->steps[i], step_section(&u->steps[i]), true);
	if (i == 0 && probe && probe->at_begin)
		buf_fmt(sql, "%s;\n", probe->at_begin);
	if (i == 0 && wants_savepoint(u)) {
		buf_str(sql, "SAVEPOINT ripcord_unit;\n");
		u->has_savepoint = true;
	}
	role_sql(sql, u);
	marker_sql(sql, i == 0 ? "pg_current_xact_id" : "pg_current_xact_id_if_assigned");
}

static bool send_copy(struct unit *u, const struct step *step, const struct part *part, struct err *err)
{
	if (db_copy_in(u->db, part->sql, part->data, part->data_len, err))
		return true;
	u->report->phase = step->direction == DIRECTION_UP ? "upgrade" : "downgrade";
	return db_is_lost(u->db) ? false : err_at_revision(err, step->revision, part->line);
}

static bool send_part(struct unit *u, const struct step *step, struct buf *before, const struct part *part,
                      struct err *err)
{
	struct message m = { .unit = u, .step = step, .rev = step->revision, .after_setup = STAGE_SECTION };
	bool copy = part && part->data;

	m.stage = before->len ? STAGE_SETUP : STAGE_SECTION;
	m.from = m.to = before->len;
	if (part && !copy) {
		m.line = part->line;
		buf_str(before, part->sql);
		m.to = before->len;
	}
	m.text = buf_text(before);
	if (before->len && !message_send(&m, err))
		return false;
	buf_clear(before);
	return !copy || send_copy(u, step, part, err);
}

int64_t rows_of_tag(const char *tag)
{
	const char *last = strrchr(tag, ' ');

	return last ? strtoll(last + 1, NULL, 10) : 0;
}

static bool send_watched(struct unit *u, const struct step *step, const struct part *part,
                         struct statement_at *at, struct err *err)
{
	const struct statement_watch *watch = u->settings->watch;
	cleanup_buf struct buf none = BUF_INIT(BUF_TEXT_MAX);

	at->text = part->sql;
	if ((watch->before && !watch->before(watch->ctx, step, at, err)) ||
	    !send_part(u, step, &none, part, err))
		return false;
	/* A statement that has ended the transaction is found behind the section. */
	at->rows = rows_of_tag(db_tag(u->db));
	if (db_tx_status(u->db) == 'T' && watch->after && !watch->after(watch->ctx, step, at, err))
		return false;
	at->index++;
	return true;
}

static bool send_statements(struct unit *u, const struct step *step, const struct part *part,
                            struct statement_at *at, struct err *err)
{
	struct lexer lexer = { .text = part->sql };
	struct lexed s;

	if (part->data)
		return send_watched(u, step, part, at, err);
	while (lex_next(&lexer, &s) == LEX_STATEMENT) {
		cleanup_free char *sql = mem_strndup(part->sql + s.start, s.end - s.start);
		const struct part one = { .sql = sql, .line = line_of(part->sql, s.start, part->line) };
		if (!s.is_empty && !send_watched(u, step, &one, at, err))
			return false;
	}
	return true;
}

/* In a message of their own: an error of theirs stands at the marker's line. */
static bool take_locks(struct unit *u, size_t i, struct err *err)
{
	const struct step *step = &u->steps[i];
	const struct section *s = step_section(step);
	cleanup_locks struct table_locks locks = { .n = 0 };
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	if (!locks_parse(s->locks, &locks, err))
		return false;
	locks_sql(&locks, &sql);
	if (db_run(u->db, buf_text(&sql), err))
		return true;
	u->report->phase = step->direction == DIRECTION_UP ? "upgrade" : "downgrade";
	return db_is_lost(u->db) ? false : err_at_revision(err, step->revision, s->line - 1);
}

static bool run_section(struct unit *u, size_t i, struct err *err)
{
	const struct script *script = &u->sections[i];
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	u->step_started_us = clock_wall_us();
	begin_sql(&sql, u, i);
	if (step_section(&u->steps[i])->locks &&
	    (!send_part(u, &u->steps[i], &sql, NULL, err) || !take_locks(u, i, err)))
		return false;
	const struct statement_watch *watch = u->settings->watch;
	bool each = watch && watch->each;
	struct statement_at at = { .index = 0 };
	if ((!script->n || each) && !send_part(u, &u->steps[i], &sql, NULL, err))
		return false;
	for (size_t k = 0; each && k < script->n; k++)
		if (!send_statements(u, &u->steps[i], &script->parts[k], &at, err))
			return false;
	for (size_t k = 0; !each && k < script->n; k++)
		if (!send_part(u, &u->steps[i], &sql, &script->parts[k], err))
			return false;
	return true;
}

/* ------------------------------------------------------------------ message 2: verify and ledger */

static void ledger_sql(struct buf *sql, struct unit *u, size_t i)
{
	const struct step *step = &u->steps[i];
	struct entry entry = { .revision = step->revision->id,
		               .outcome = "done",
		               .direction = step->direction,
		               .rev = step->revision,
		               .keep_source = step->direction == DIRECTION_UP,
		               .actor = &u->settings->actor,
		               .reason = "",
		               .started_us = u->step_started_us,
		               .finished_us = clock_wall_us() };

	buf_str(sql, "RESET ROLE;\n"); /* the ledger is the session's own, not the role's */
	ledger_move_sql(sql, ledger_table(u->ledger), &step->heads_before, &step->heads_after);
	history_insert_sql(sql, &u->chain, &entry);
}

/* Read-only inside a savepoint that is rolled back; the server restores READ WRITE with it. */
static void verify_sql(struct buf *sql, struct message *m, const struct part *part)
{
	m->after_setup = STAGE_VERIFY;
	m->from = sql->len;
	m->line = part->line;
	buf_str(sql, part->sql);
	m->to = sql->len;
	/* Released, so that what follows has the same transaction's id in its rows as the section's own. */
	buf_str(sql, "\n;\nROLLBACK TO SAVEPOINT ripcord_verify;\nRELEASE SAVEPOINT ripcord_verify;\n");
	marker_sql(sql, "pg_current_xact_id_if_assigned");
}

bool finish_step(struct unit *u, size_t i, bool begin, struct err *err)
{
	const struct step *step = &u->steps[i];
	const struct script *verify = &u->verifies[i];
	const struct probe *probe = u->settings->probe;
	bool verified = step->direction == DIRECTION_UP && verify->n;
	struct message m = { .unit = u, .step = step, .rev = step->revision, .after_setup = STAGE_LEDGER };
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&sql, begin ? "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n" : "");
	buf_str(&sql, reset_sql);
	if (begin && probe && probe->at_begin)
		buf_fmt(&sql, "%s;\n", probe->at_begin);
	settings_sql(&sql, u, step, &step->revision->verify, true);
	role_sql(&sql, u);
	buf_str(&sql, "SET CONSTRAINTS ALL IMMEDIATE;\n");
	if (verified)
		buf_str(&sql, "SAVEPOINT ripcord_verify;\nSET TRANSACTION READ ONLY;\n");
	marker_sql(&sql, begin ? "pg_current_xact_id" : "pg_current_xact_id_if_assigned");
	if (verified)
		verify_sql(&sql, &m, &verify->parts[0]);
	ledger_sql(&sql, u, i);
	if (i + 1 == u->n && probe && probe->at_end)
		buf_fmt(&sql, "%s;\n", probe->at_end);
	m.text = buf_text(&sql);
	return message_send(&m, err);
}

/* ------------------------------------------------------------------ message 3: COMMIT */

/* Message 2 has put the session's settings back already, and what it put back is committed with it. */
bool commit_unit(struct unit *u, struct err *err)
{
	bool ok = db_run(u->db, "COMMIT", err);
	const char *tag = db_tag(u->db);

	u->report->phase = "commit";
	if (!ok) {
		u->report->commit_unknown = db_is_lost(u->db);
		return false;
	}
	if (strcmp(tag, "COMMIT") == 0) {
		ledger_advance(u->ledger, &u->chain, &u->steps[u->n - 1].heads_after);
		return true;
	}
	err_set(err, ERR_DB, "COMMIT was answered with %s: the transaction was rolled back",
	        *tag ? tag : "nothing");
	return err_hint(err, "a statement before it had failed and its failure was caught");
}

/* ------------------------------------------------------------------ the way out */

static bool tell_aborted(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	const struct probe *probe = ctx;

	(void)index;
	(void)tag;
	return !rows_columns(rows) || probe->aborted(probe->ctx, rows, err);
}

/* Aborted work is in the server's counters too (proof.md, section 1), and only its own transaction can tell. */
void ask_aborted(struct unit *u)
{
	const struct probe *probe = u->settings->probe;
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	struct err ignored = ERR_INIT; /* unasked work is counted as others', which refuses: the safe side */

	buf_fmt(&sql, "ROLLBACK TO SAVEPOINT ripcord_unit;\nRESET SESSION AUTHORIZATION;\nRESET ROLE;\n%s;\n",
	        probe->at_abort);
	(void)!db_script(u->db, buf_text(&sql), tell_aborted, (void *)(uintptr_t)probe, &ignored);
}

void roll_back(struct unit *u, const struct err *why)
{
	char status = db_tx_status(u->db);
	struct err ignored = ERR_INIT; /* a connection that fails here is lost, and its transaction with it */
	char *sql;

	if (why->code == ERR_CANCELLED)
		cancel_hold(); /* the signal has done its work; what follows is the way back */
	if (db_is_lost(u->db))
		return;
	if (u->has_savepoint && (status == 'T' || status == 'E') && !u->report->left_partial)
		ask_aborted(u);
	u->has_savepoint = false;
	sql = mem_fmt("ROLLBACK;\n%s", reset_sql);
	(void)!db_run(u->db, sql, &ignored);
	free(sql);
}

bool is_lock_failure(const struct err *err)
{
	return err->code == ERR_DB &&
	       (strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0);
}

bool wait_to_retry(struct unit *u, const struct step *step, int64_t started_ms, const struct err *why)
{
	int64_t left = started_ms + u->settings->lock_budget_ms - clock_ms();
	int64_t wait = clock_backoff_ms(u->report->attempts - 1, BACKOFF_BASE_MS, BACKOFF_CAP_MS);

	if (left <= 0)
		return false;
	if (u->settings->waiting)
		u->settings->waiting(u->settings->ctx, step, u->report->attempts, why);
	clock_sleep_ms(wait < left ? wait : left);
	return !cancel_requested();
}

/* ------------------------------------------------------------------ units */

static bool fail_left(struct unit *u, size_t i, struct err *err)
{
	u->report->left_partial = true;
	u->report->phase = u->steps[i].direction == DIRECTION_UP ? "upgrade" : "downgrade";
	err_set(err, ERR_DB, "revision %s ended the transaction that it ran in", u->steps[i].revision->id);
	err_hint(err, "take its COMMIT or ROLLBACK out, or mark the section transaction=off");
	return err_at_revision(err, u->steps[i].revision, step_section(&u->steps[i])->line);
}

static bool run_transaction(struct unit *u, struct err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		u->report->failed_step = i;
		if (!run_section(u, i, err))
			return false;
		if (db_tx_status(u->db) != 'T')
			return fail_left(u, i, err);
		if (!finish_step(u, i, false, err))
			return false;
	}
	return commit_unit(u, err);
}

static bool run_with_retries(struct unit *u, struct err *err)
{
	int64_t started = clock_ms();

	for (;;) {
		struct err why = ERR_INIT;
		u->chain = u->ledger->chain;
		u->report->attempts++;
		*u->report->xid = '\0';
		if (run_transaction(u, &why))
			return true;
		roll_back(u, &why);
		bool again = is_lock_failure(&why) && !u->report->left_partial &&
		             !u->report->commit_unknown && !db_is_lost(u->db);
		if (!again || !wait_to_retry(u, &u->steps[u->report->failed_step], started, &why)) {
			*err = why;
			if (again && cancel_requested()) {
				err_wrap(err, "cancelled before the next attempt");
				err_recode(err, ERR_CANCELLED);
			}
			return false;
		}
	}
}

static bool check_locks(const struct revision *rev, const struct section *s, struct err *err)
{
	bool pieces = !s->transaction || (s == &rev->upgrade && rev->batch.present);

	if (!s->locks || !pieces)
		return true;
	err_set(err, ERR_USAGE, "lock needs a transaction that holds it, and the revision is %s",
	        s->transaction ? "committed part by part" : "transaction=off");
	return err_at_revision(err, rev, s->line - 1);
}

static bool prepare_step(struct unit *u, size_t i, struct err *err)
{
	const struct step *step = &u->steps[i];
	const struct section *s = step_section(step);

	if (!script_make(step->revision, s, &u->sections[i], err) || !check_locks(step->revision, s, err))
		return false;
	if (!script_check_control(step->revision, &u->sections[i], s->transaction, err))
		return false;
	if (step->direction == DIRECTION_DOWN)
		return true;
	if (!script_make(step->revision, &step->revision->verify, &u->verifies[i], err) ||
	    !script_check_control(step->revision, &u->verifies[i], true, err))
		return false;
	if (u->verifies[i].n > 1 || (u->verifies[i].n && u->verifies[i].parts[0].data)) {
		err_set(err, ERR_USAGE, "a verify only reads: it has no COPY data and no psql commands");
		return err_at_revision(err, step->revision, step->revision->verify.line);
	}
	return true;
}

static bool prepare(struct unit *u, struct err *err)
{
	u->sections = mem_new0((u->n + 1) * sizeof(struct script));
	u->verifies = mem_new0((u->n + 1) * sizeof(struct script));
	for (size_t i = 0; i < u->n; i++) {
		u->report->failed_step = i;
		if (!prepare_step(u, i, err))
			return false;
		if (u->n > 1 && !step_is_transactional(&u->steps[i])) {
			err_set(err, ERR_USAGE,
			        "revision %s is no single transaction and cannot run in one with others",
			        u->steps[i].revision->id);
			return err_at_revision(err, u->steps[i].revision,
			                       step_section(&u->steps[i])->line - 1);
		}
	}
	return true;
}

static void release(struct unit *u)
{
	for (size_t i = 0; u->sections && i < u->n; i++) {
		script_clear(&u->sections[i]);
		script_clear(&u->verifies[i]);
	}
	free(u->sections);
	free(u->verifies);
}

/* NOLINTNEXTLINE(readability-function-size): the public signature has seven parameters */
bool exec_unit(struct db *db, struct ledger *l, const struct step *steps, size_t n,
               const struct exec_settings *settings, struct exec_report *report, struct err *err)
{
	struct unit u = {
		.db = db, .ledger = l, .steps = steps, .n = n, .settings = settings, .report = report
	};
	int64_t started = clock_ms();
	bool ok;

	*report = (struct exec_report){ .phase = n && steps[0].direction == DIRECTION_DOWN ? "downgrade"
		                                                                           : "upgrade" };
	ok = n == 0 || prepare(&u, err);
	if (ok && n)
		ok = step_is_transactional(&steps[0]) ? run_with_retries(&u, err) : run_off(&u, err);
	release(&u);
	report->elapsed_ms = clock_ms() - started;
	return ok;
}

/* ------------------------------------------------------------------ without a server */

static bool check_finished(const struct revision *rev, const struct section *s, const struct script *script,
                           struct err *err)
{
	for (size_t i = 0; i < script->n; i++) {
		const struct part *part = &script->parts[i];
		if (part->data || !parser_is_unfinished(part->sql))
			continue;
		err_set(err, ERR_USAGE, "the section ends in the middle of a statement");
		err_hint(err, "was the file written to its end?");
		return err_at_revision(err, rev, line_of(s->text, strlen(s->text), s->line));
	}
	return true;
}

static bool check_section(const struct revision *rev, const struct section *s, struct err *err)
{
	cleanup_script struct script script = { .parts = NULL };

	if (!script_make(rev, s, &script, err) || !check_locks(rev, s, err))
		return false;
	if (!script_check_control(rev, &script, s->transaction, err))
		return false;
	return check_finished(rev, s, &script, err);
}

/* One statement that says how many rows it changed: its end is that it changes none. */
static bool check_batch(const struct revision *rev, struct err *err)
{
	const struct step step = { .revision = rev, .direction = DIRECTION_UP };
	cleanup_script struct script none = { .parts = NULL };
	const struct unit unit = { .steps = &step, .n = 1, .sections = &none };
	cleanup_pieces struct pieces pieces = { .n = 0 };
	cleanup_classified struct classified c = { .tree = NULL };

	if (!rev->batch.present)
		return true;
	if (!check_section(rev, &rev->batch, err) || !pieces_make(&unit, &pieces, err))
		return false;
	if (pieces.n == 1)
		classify(pieces.v[0].text, &c);
	if (pieces.n == 1 && !pieces.v[0].part && changes_rows(&c))
		return true;
	err_set(err, ERR_USAGE, "a batch is one INSERT, UPDATE, DELETE or MERGE");
	err_hint(err, "it is repeated until it changes no row; more of them go into revisions of their own");
	return err_at_revision(err, rev, rev->batch.line);
}

bool exec_check(const struct revision *rev, struct err *err)
{
	return check_section(rev, &rev->upgrade, err) && check_batch(rev, err) &&
	       check_section(rev, &rev->verify, err) && check_section(rev, &rev->downgrade, err);
}
