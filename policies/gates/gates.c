#include "policies/gates/gates.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 4 /* names in a message; doctor --json has no more room either */

static const struct gate {
	const char *name, *about;
	gate_check *check;
	enum err_code refusal; /* ERR_BACKUP: it is the store's failure, exit 7 */
} gates[] = {
	{ "server-version", "PostgreSQL 15, 17 and 18 are tested", gate_server_version, ERR_REFUSED },
	{ "server-answers", "a question without an answer hides what it asks for", gate_server_answers,
	  ERR_REFUSED },
	{ "server-writable", "a standby or a read-only session can upgrade nothing", gate_server_writable,
	  ERR_REFUSED },
	{ "track-counts", "without its counters nobody can say whose rows a way back would touch",
	  gate_track_counts, ERR_REFUSED },
	{ "database-owner", "the swap renames the database", gate_database_owner, ERR_REFUSED },
	{ "create-database", "a restore, and the proof of a backup, needs a database beside the live one",
	  gate_create_database, ERR_REFUSED },
	{ "terminate-sessions", "the swap ends the sessions of others", gate_terminate_sessions,
	  ERR_REFUSED },
	{ "foreign-sessions", "a session that cannot be ended holds up the swap", gate_foreign_sessions,
	  ERR_REFUSED },
	{ "backup-rights", "pg_dump must read every table and sequence", gate_backup_rights, ERR_REFUSED },
	{ "unrestorable-objects", "a restore by this role must meet no error", gate_unrestorable,
	  ERR_REFUSED },
	{ "pg-dump", "a dump is taken by the server's own major version", gate_pg_dump, ERR_REFUSED },
	{ "backup-waiver", "no way up without a way back, unless somebody says why", gate_backup_waiver,
	  ERR_REFUSED },
	{ "backup-verification", "a backup that was only read again need not restore",
	  gate_backup_verification, ERR_REFUSED },
	{ "backup-encryption",
	  "an encrypted backup needs keys that work, and one to open it for the way back",
	  gate_backup_encryption, ERR_REFUSED },
	{ "stores", "the backup must have somewhere to go", gate_stores, ERR_BACKUP },
	{ "store-free-space", "the backup must fit into its stores", gate_store_free_space, ERR_BACKUP },
	{ "server-free-space", "a restore stands beside the live database", gate_server_free_space,
	  ERR_REFUSED },
	{ "invalid-indexes", "an invalid index is in no dump: the restored schema would differ",
	  gate_invalid_indexes, ERR_REFUSED },
	{ "extension-versions", "a restore must find each extension at its version", gate_extension_versions,
	  ERR_REFUSED },
	{ "name-bound-extensions", "an extension tied to the database's name does not survive a swap",
	  gate_name_bound_extensions, ERR_REFUSED },
	{ "logical-slots", "a swap leaves logical slots, and the WAL they hold, with the failed database",
	  gate_logical_slots, ERR_REFUSED },
	{ "subscriptions", "a restored subscription is disabled", gate_subscriptions, ERR_REFUSED },
	{ "prepared-transactions", "a prepared transaction blocks the rename and writes when it commits",
	  gate_prepared_transactions, ERR_REFUSED },
	{ "running-dumps", "a change waits for a running pg_dump, and everybody behind it",
	  gate_running_dumps, ERR_REFUSED },
	{ "unmodelled-objects", "what the fingerprint cannot describe is not proven", gate_unmodelled,
	  ERR_REFUSED },
	{ "others-writes", "a restore would lose what others write meanwhile", gate_others_writes,
	  ERR_REFUSED },
	{ "standbys", "readers on a standby stay on the failed database after a swap", gate_standbys,
	  ERR_REFUSED },
	{ "replay-lag", "a standby far behind would be lost with the primary", gate_replay_lag, ERR_REFUSED },
	{ "unfinished-run", "a run begins where the last one ended", gate_unfinished_run, ERR_REFUSED },
	{ "one-head", "a target of one head needs one head", gate_one_head, ERR_REFUSED },
	{ "downgrades", "a revision without downgrade is undone by a restore alone", gate_downgrades,
	  ERR_REFUSED },
	{ "proofs", "a downgrade that is proven not to lead back is no way back", gate_proofs, ERR_REFUSED },
	{ "rehearsal", "what failed on the last backup, or took too long there, will do so here",
	  gate_rehearsal, ERR_REFUSED },
	{ "way-back", "the ladder must lead back", gate_way_back, ERR_REFUSED },
};
#define GATES_COUNT (sizeof(gates) / sizeof(gates[0]))

size_t gates_count(void) { return GATES_COUNT; }

const char *gates_name(size_t i) { return gates[i].name; }

const char *gates_about(size_t i) { return gates[i].about; }

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = { "pass", "warn", "unknown", "refuse" };

	return names[v];
}

static bool refuses_unknown(const struct preset *p, const char *gate)
{
	if (strv_has(&p->refused, gate))
		return true;
	return p->refuse_unknown && !strv_has(&p->shown, gate);
}

void gates_evaluate(const struct facts *facts, const struct preset *preset, struct findings *out,
                    enum verdict *worst)
{
	*worst = VERDICT_PASS;
	out->v = mem_new0(GATES_COUNT * sizeof(*out->v));
	out->n = GATES_COUNT;
	for (size_t i = 0; i < GATES_COUNT; i++) {
		struct finding *found = &out->v[i];

		found->gate = gates[i].name;
		found->code = gates[i].refusal;
		gates[i].check(facts, preset, found);
		if (found->verdict == VERDICT_UNKNOWN && refuses_unknown(preset, found->gate))
			found->verdict = VERDICT_REFUSE;
		if (found->verdict > *worst)
			*worst = found->verdict;
	}
}

bool findings_allow(const struct findings *f, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	const char *hint = NULL;
	enum err_code code = ERR_BACKUP;

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *one = &f->v[i];

		if (one->verdict != VERDICT_REFUSE)
			continue;
		buf_fmt(&text, "%s%s (%s)", text.len > 0 ? "; " : "", one->message, one->gate);
		hint = hint ? hint : one->hint;
		code = one->code == ERR_REFUSED ? ERR_REFUSED : code;
	}
	if (text.len == 0)
		return true;
	err_set(err, code, "%s", buf_text(&text));
	return err_hint(err, "%s", hint);
}

void findings_clear(struct findings *f)
{
	free(f->v);
	*f = (struct findings){ .v = NULL };
}

bool may_restore(const struct facts *f) { return f->ladder_restores && !f->backup_waived; }

bool will_restore(const struct facts *f)
{
	return may_restore(f) || (!f->backup_waived && strcmp(f->backup_verify, "read") != 0);
}

void say(struct finding *out, enum verdict verdict, const char *fmt, ...)
{
	va_list args;

	out->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(out->message, sizeof(out->message), fmt, args);
	va_end(args);
}

void advise(struct finding *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(out->hint, sizeof(out->hint), fmt, args);
	va_end(args);
}

void say_list(struct finding *out, enum verdict verdict, const char *what, const struct strv *items)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < items->n && i < LISTED_MAX; i++)
		buf_fmt(&text, "%s%.80s", i > 0 ? ", " : "", items->v[i]);
	if (items->n > LISTED_MAX)
		buf_fmt(&text, " and %zu more", items->n - LISTED_MAX);
	say(out, verdict, "%s: %s", what, buf_text(&text));
}
