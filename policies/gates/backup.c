#include "policies/gates/gates.h"

#include "base/buf.h"
#include "base/text.h"

#include <string.h>

/*
 * A dump is without indexes and compressed: seldom below a tenth of the database (then it is refused),
 * seldom above half of it.  A disk that fills up all the same ends the run before anything is changed.
 */
#define SURE_PART 10
#define SAFE_PART 2

void gate_backup_waiver(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "a backup is taken first");
	if (!f->backup_waived)
		return;
	if (!f->waiver_reason || !*f->waiver_reason) {
		say(out, VERDICT_REFUSE, "no backup was asked for, without a reason");
		advise(out, "--no-backup --reason TEXT");
		return;
	}
	say(out, VERDICT_WARN, "no backup is taken, and nothing can be restored: %.300s", f->waiver_reason);
}

void gate_backup_verification(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "the backup is proven by verify = %s", f->backup_verify);
	if (f->backup_waived) {
		say(out, VERDICT_PASS, "no backup is taken");
	} else if (strcmp(f->backup_verify, "read") == 0) {
		say(out, VERDICT_WARN, "the backup is only read again: sound bytes need not restore");
		advise(out, "verify = restore tries the schema, verify = drill everything");
	}
}

/* Without a key nobody can restore, and nobody can prove more than that the bytes are still there. */
void gate_backup_encryption(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "backups are %s", f->backup_encrypted ? "encrypted" : "not encrypted");
	if (f->backup_waived || !f->backup_encrypted)
		return;
	if (f->keys_failing) {
		say(out, VERDICT_REFUSE, "backups cannot be encrypted as configured: %.400s",
		    f->keys_failing);
		advise(out, "look at recipients and identity in [backup], and at the program age");
	} else if (!f->backup_identity && will_restore(f)) {
		say(out, VERDICT_REFUSE, "backups are encrypted, and there is no key to %s one",
		    may_restore(f) ? "restore" : "prove");
		advise(out,
		       "set identity in [backup] or RIPCORD_AGE_IDENTITY; without a key: verify = read and "
		       "on_failure = downgrade");
	}
}

void gate_pg_dump(const struct facts *f, const struct preset *preset, struct finding *out)
{
	int major = f->server_version / 10000;

	(void)preset;
	if (f->pg_dump_dir) {
		say(out, VERDICT_PASS, "pg_dump and pg_restore of PostgreSQL %d are in %s", major,
		    f->pg_dump_dir);
	} else if (f->backup_waived) {
		say(out, VERDICT_PASS, "no backup is taken");
	} else {
		say(out, VERDICT_REFUSE, "no pg_dump and pg_restore of PostgreSQL %d were found", major);
		advise(out, "install postgresql-client-%d, or set pg_bindir in [backup]", major);
	}
}

void gate_stores(const struct facts *f, const struct preset *preset, struct finding *out)
{
	size_t required = f->stores_required > 0 ? f->stores_required : f->n_stores;
	size_t failing = f->stores_failing.n < f->n_stores ? f->stores_failing.n : f->n_stores;

	(void)preset;
	say(out, VERDICT_PASS, "%zu %s can be reached", f->n_stores, f->n_stores == 1 ? "store" : "stores");
	if (f->backup_waived) {
		say(out, VERDICT_PASS, "no backup is taken");
	} else if (f->n_stores == 0) {
		say(out, VERDICT_REFUSE, "there is no store for a backup");
		advise(out, "stores = local in [backup]");
	} else if (f->stores_failing.n > 0) {
		say_list(out, f->n_stores - failing < required ? VERDICT_REFUSE : VERDICT_WARN, "stores fail",
		         &f->stores_failing);
	}
}

static enum verdict judge_store(int64_t free_bytes, int64_t database_bytes)
{
	if (free_bytes < database_bytes / SURE_PART)
		return VERDICT_REFUSE;
	return free_bytes < database_bytes / SAFE_PART ? VERDICT_WARN : VERDICT_PASS;
}

void gate_store_free_space(const struct facts *f, const struct preset *preset, struct finding *out)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	enum verdict worst = VERDICT_PASS;
	char size[TEXT_SHORT];

	(void)preset;
	for (size_t i = 0; i < f->n_stores; i++) {
		enum verdict one = VERDICT_UNKNOWN;

		buf_fmt(&text, "%s%s: ", i > 0 ? ", " : "", f->stores[i].name);
		if (f->stores[i].free_bytes.known == FACT_UNKNOWN) {
			buf_str(&text, "not known");
		} else {
			buf_fmt(&text, "%s free", text_size(f->stores[i].free_bytes.value, size));
			if (f->database_bytes.known == FACT_KNOWN)
				one = judge_store(f->stores[i].free_bytes.value, f->database_bytes.value);
		}
		worst = one > worst ? one : worst;
	}
	if (f->backup_waived || f->n_stores == 0) {
		say(out, VERDICT_PASS, "no backup is taken");
		return;
	}
	say(out, worst, "%s; the database has %s", buf_text(&text),
	    f->database_bytes.known == FACT_KNOWN ? text_size(f->database_bytes.value, size)
	                                          : "an unknown size");
	if (worst == VERDICT_REFUSE || worst == VERDICT_WARN)
		advise(out, "make room, or set another path in [store NAME]");
}

void gate_server_free_space(const struct facts *f, const struct preset *preset, struct finding *out)
{
	bool drills = !f->backup_waived && strcmp(f->backup_verify, "drill") == 0;
	char have[TEXT_SHORT], need[TEXT_SHORT];

	(void)preset;
	if (!may_restore(f) && !drills) {
		say(out, VERDICT_PASS, "no data is restored on the server");
	} else if (f->server_free_bytes.known == FACT_UNKNOWN || f->database_bytes.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "the free space of the server's disk is not known");
		advise(out, "set server_free in [database] to what a second copy may take");
	} else {
		bool enough = f->server_free_bytes.value > f->database_bytes.value;

		say(out, enough ? VERDICT_PASS : VERDICT_REFUSE,
		    "the server's disk has %s free, a second copy needs %s",
		    text_size(f->server_free_bytes.value, have), text_size(f->database_bytes.value, need));
		if (!enough)
			advise(out, "make room on the server, or take restore out of on_failure");
	}
}
