/* One message to the server: results go to whoever they belong to, errors to their line of the file. */
#include "migrations/exec.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "migrations/lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_SHOWN 60

const char *message_marker(void)
{
	static char name[sizeof("ripcord_") + 16];

	if (!*name) {
		memcpy(name, "ripcord_", sizeof("ripcord_"));
		random_hex(name + strlen(name), 16);
	}
	return name;
}

/* ------------------------------------------------------------------ places */

/* Start of the n-th statement (from 0) of the file's text, found as psql finds it. */
static size_t start_of(const char *sql, size_t n)
{
	struct lexer lexer = { .text = sql };
	struct lexed s;

	while (lex_next(&lexer, &s) == LEX_STATEMENT)
		if (n-- == 0)
			return s.start;
	return 0;
}

static bool place_error(const struct message *m, struct err *err)
{
	int position = db_error_position(m->unit->db);
	size_t at;

	if (!m->rev || !m->text || db_is_lost(m->unit->db) ||
	    (m->stage != STAGE_SECTION && m->stage != STAGE_VERIFY))
		return false;
	cleanup_free char *sql = mem_strndup(m->text + m->from, m->to - m->from);
	if (position) {
		at = byte_of(m->text, position);
		if (at < m->from || at > m->to)
			return false;
		at -= m->from;
	} else {
		at = start_of(sql, m->results);
	}
	return err_at_revision(err, m->rev, line_of(sql, at, m->line));
}

/* A syntax error stops the whole message before its first result, so only the position tells whose it is. */
static void find_stage(struct message *m)
{
	int position = db_error_position(m->unit->db);

	if (m->stage != STAGE_SETUP || !position || !m->text)
		return;
	size_t at = byte_of(m->text, position);
	if (at >= m->from && at <= m->to && m->to > m->from)
		m->stage = m->after_setup;
}

/* ------------------------------------------------------------------ results */

static bool probe_answer(const struct message *m, enum probe_point at, const struct rows *rows,
                         struct err *err)
{
	const struct probe *probe = m->unit->settings->probe;

	if (!probe || !probe->answered || !rows_columns(rows))
		return true;
	return probe->answered(probe->ctx, at, rows, err);
}

static bool fail_verify(const struct message *m, const char *what, struct err *err)
{
	cleanup_free char *sql = mem_strndup(m->text + m->from, m->to - m->from);
	size_t at = start_of(sql, m->results);
	int len = (int)strcspn(sql + at, "\n");

	err_set(err, ERR_REFUSED, "the verify of revision %s failed: %s: %.*s%s", m->rev->id, what,
	        len > STATEMENT_SHOWN ? STATEMENT_SHOWN : len, sql + at, len > STATEMENT_SHOWN ? " ..." : "");
	err_hint(err, "every SELECT of a verify returns rows of one boolean column, all of them true");
	return err_at_revision(err, m->rev, line_of(sql, at, m->line));
}

static bool judge_verify(const struct message *m, const char *tag, const struct rows *rows, struct err *err)
{
	size_t n = rows_count(rows);

	if (!rows_columns(rows) && strncmp(tag, "SELECT", 6) != 0)
		return true;
	if (rows_columns(rows) != 1)
		return fail_verify(m, "it returned no single column", err);
	if (!rows_is_bool(rows, 0))
		return fail_verify(m, "its column is not boolean", err);
	if (!n)
		return fail_verify(m, "it returned no row", err);
	for (size_t i = 0; i < n; i++) {
		const char *value = rows_get(rows, i, 0);
		if (!value)
			return fail_verify(m, "it returned NULL", err);
		if (*value != 't')
			return fail_verify(m, "it returned false", err);
	}
	return true;
}

static bool judge_ledger(const struct message *m, const char *tag, const struct rows *rows, struct err *err)
{
	if (rows_columns(rows))
		return probe_answer(m, PROBE_END, rows, err);
	bool touches = strncmp(tag, "UPDATE", 6) == 0 || strncmp(tag, "DELETE", 6) == 0 ||
	               strncmp(tag, "INSERT", 6) == 0;
	if (!touches || tag_is_one_row(tag))
		return true;
	err_set(err, ERR_REFUSED, "a row of %s is not what it was when the run began (%s)",
	        ledger_table(m->unit->ledger), tag);
	return err_hint(err, "another program changed the version table meanwhile");
}

/* The id that BEGIN's transaction took, and afterwards proof that it is still the same. */
static bool take_marker(struct message *m, const struct rows *rows, struct err *err)
{
	struct exec_report *report = m->unit->report;
	const char *xid = rows_get(rows, 0, 0);

	m->stage = m->stage == STAGE_SETUP ? m->after_setup : STAGE_LEDGER;
	if (xid && !*report->xid) {
		snprintf(report->xid, sizeof(report->xid), "%s", xid);
		return true;
	}
	if (xid && strcmp(xid, report->xid) == 0)
		return true;
	report->left_partial = true;
	err_set(err, ERR_DB, "revision %s ended the transaction that it ran in", m->rev->id);
	return err_hint(err, "take its COMMIT or ROLLBACK out, or mark the section transaction=off");
}

static bool take_result(void *ctx, size_t index, const char *tag, const struct rows *rows, struct err *err)
{
	struct message *m = ctx;
	bool ok = true;

	(void)index;
	if (rows_columns(rows) == 1 && rows_count(rows) == 1 && strcmp(rows_name(rows, 0), m->marker) == 0)
		return take_marker(m, rows, err);
	switch (m->stage) {
	case STAGE_SETUP: return probe_answer(m, PROBE_BEGIN, rows, err);
	case STAGE_SECTION: break;
	case STAGE_VERIFY: ok = judge_verify(m, tag, rows, err); break;
	case STAGE_LEDGER: return judge_ledger(m, tag, rows, err);
	}
	m->results++;
	return ok;
}

static const char *phase_of(const struct message *m)
{
	const char *section = m->step->direction == DIRECTION_UP ? "upgrade" : "downgrade";

	switch (m->stage) {
	case STAGE_SETUP: /* behind the section it is a deferred constraint that fails */
		return m->after_setup == STAGE_SECTION ? "ledger" : section;
	case STAGE_SECTION: return section;
	case STAGE_VERIFY: return "verify";
	case STAGE_LEDGER: return "ledger";
	}
	return "ledger";
}

bool message_send(struct message *m, struct err *err)
{
	m->marker = message_marker();
	if (db_script(m->unit->db, m->text, take_result, m, err))
		return true;
	find_stage(m);
	m->unit->report->phase = phase_of(m);
	return place_error(m, err);
}
