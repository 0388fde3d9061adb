#include "policies/gates/gates.h"

static bool is_true(struct fact_bool fact) { return fact.known == FACT_KNOWN && fact.value; }

void gate_database_owner(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "role %s owns the database", f->role);
	if (is_true(f->is_superuser)) {
		say(out, VERDICT_PASS, "role %s is a superuser", f->role);
	} else if (!may_restore(f)) {
		say(out, VERDICT_PASS, "no rung of the ladder renames the database");
	} else if (f->owns_database.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "whether role %s owns the database is not known", f->role);
	} else if (!f->owns_database.value) {
		say(out, VERDICT_REFUSE,
		    "role %s does not own database %s: a restore could not be swapped in", f->role,
		    f->database);
		advise(out, "connect as its owner, or take restore out of on_failure");
	}
}

void gate_create_database(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "role %s may create databases", f->role);
	if (is_true(f->is_superuser))
		return;
	if (!will_restore(f)) {
		say(out, VERDICT_PASS, "nothing will be restored: CREATEDB is not needed");
	} else if (f->can_create_db.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "whether role %s may create databases is not known", f->role);
	} else if (!f->can_create_db.value) {
		say(out, VERDICT_REFUSE,
		    "role %s may not create databases: neither a restore nor its proof would work", f->role);
		advise(out, "ALTER ROLE ... CREATEDB, or verify = read and on_failure = downgrade");
	}
}

void gate_terminate_sessions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "sessions of others can be ended");
	if (!may_restore(f)) {
		say(out, VERDICT_PASS, "no rung of the ladder ends sessions of others");
	} else if (f->can_terminate.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "whether sessions of others can be ended is not known");
	} else if (!f->can_terminate.value) {
		say(out, VERDICT_WARN, "role %s can end sessions of its own roles alone", f->role);
		advise(out, "GRANT pg_signal_backend if other roles use this database");
	}
}

void gate_foreign_sessions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "no session is there that could not be ended");
	if (f->superuser_sessions.n > 0) {
		say_list(out, may_restore(f) ? VERDICT_REFUSE : VERDICT_WARN, "sessions that we may not end",
		         &f->superuser_sessions);
		advise(out, "end them first: the swap of a restore would wait for them in vain");
	}
}

void gate_backup_rights(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "every table and sequence can be read");
	if (f->backup_waived) {
		say(out, VERDICT_PASS, "no backup is taken");
	} else if (f->can_read_all.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "whether every table can be read is not known");
	} else if (!f->can_read_all.value) {
		say(out, VERDICT_REFUSE, "role %s cannot read every table and sequence: pg_dump would fail",
		    f->role);
		advise(out, "GRANT pg_read_all_data (and BYPASSRLS where row security is on)");
	}
}

void gate_unrestorable(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "role %s can restore every object", f->role);
	if (f->unrestorable.n > 0) {
		say_list(out, will_restore(f) ? VERDICT_REFUSE : VERDICT_WARN, "this role could not restore",
		         &f->unrestorable);
		advise(out, "run as a superuser, or with verify = read and on_failure = downgrade");
	}
}
