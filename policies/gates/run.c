#include "policies/gates/gates.h"

#include "base/text.h"

void gate_unfinished_run(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "no run is unfinished");
	if (f->unfinished_run) {
		say(out, VERDICT_REFUSE, "run %s is unfinished", f->unfinished_run);
		advise(out, "ripcord recover %s", f->unfinished_run);
	}
}

void gate_one_head(const struct facts *f, const struct preset *preset, struct finding *out)
{
	enum verdict verdict = f->one_head_needed ? VERDICT_REFUSE : VERDICT_WARN;

	(void)preset;
	say(out, VERDICT_PASS, "there is one line of revisions");
	if (f->heads_in_files > 1) {
		say(out, verdict, "the revision files have %zu heads", f->heads_in_files);
		advise(out, "ripcord merge -m TEXT joins them; the target heads takes all");
	} else if (f->heads_in_database > 1) {
		say(out, VERDICT_WARN, "the database is at %zu heads", f->heads_in_database);
	}
}

void gate_downgrades(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "every revision on the way has a downgrade");
	if (f->no_downgrade.n > 0) {
		say_list(out, VERDICT_WARN, "no downgrade for", &f->no_downgrade);
		advise(out, may_restore(f) ? "a failure after them is undone by a restore"
		                           : "a failure after them leaves no automatic way back");
	}
}

/* Behind the downgrade stands the restore, which takes no notice of what either found. */
void gate_proofs(const struct facts *f, const struct preset *preset, struct finding *out)
{
	bool relied_on = f->ladder_downgrades && !may_restore(f);

	(void)preset;
	say(out, VERDICT_PASS, "no downgrade on the way is proven not to lead back");
	if (f->proven_irreversible.n > 0) {
		say_list(out, relied_on ? VERDICT_REFUSE : VERDICT_WARN, "proven not to lead back",
		         &f->proven_irreversible);
		advise(out, relied_on
		                    ? "correct the downgrade, or take a backup and put restore in on_failure"
		                    : "correct the downgrade, or declare it irreversible");
	} else if (f->proven_losing.n > 0) {
		say_list(out, relied_on ? VERDICT_WARN : VERDICT_PASS, "the downgrade is proven to lose data",
		         &f->proven_losing);
		advise(out, relied_on ? "what it loses would come back by a restore alone" : "");
	}
}

static void judge_age(const struct facts *f, const struct preset *preset, struct finding *out)
{
	const enum verdict missing = preset->rehearsal_missing;
	char age[TEXT_SHORT], most[TEXT_SHORT];

	text_duration(f->rehearsal_age_ms.value, age);
	say(out, VERDICT_PASS, "this upgrade was rehearsed %s ago", age);
	if (preset->rehearsal_age_ms.known == FACT_UNKNOWN)
		return;
	if (f->rehearsal_age_ms.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "how old the last rehearsal is is not known");
	} else if (f->rehearsal_age_ms.value > preset->rehearsal_age_ms.value) {
		say(out, missing > VERDICT_WARN ? missing : VERDICT_WARN,
		    "the last rehearsal of this upgrade is %s old, the preset allows %s", age,
		    text_duration(preset->rehearsal_age_ms.value, most));
		advise(out, "ripcord rehearse TARGET");
	}
}

void gate_rehearsal(const struct facts *f, const struct preset *preset, struct finding *out)
{
	say(out, VERDICT_PASS, "no upgrade by revisions");
	if (f->rehearsal == REHEARSAL_MISSING) {
		say(out, preset->rehearsal_missing, "this upgrade was not rehearsed as it is now");
		advise(out, "ripcord rehearse TARGET");
	} else if (f->rehearsal == REHEARSAL_FAILED) {
		say(out, preset->rehearsal_failed, "the last rehearsal failed: %s", f->rehearsal_failure);
		advise(out, "correct the revision, or rehearse on a newer backup");
	} else if (f->rehearsal_limits.n > 0 && preset->rehearsal_limit != VERDICT_PASS) {
		say_list(out, preset->rehearsal_limit, "over a limit in the last rehearsal",
		         &f->rehearsal_limits);
		advise(out,
		       "split the revision, or allow more: hold=..., statement_timeout=... on its section");
	} else if (f->rehearsal == REHEARSAL_DONE) {
		judge_age(f, preset, out);
	}
}

void gate_way_back(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	if (may_restore(f)) {
		say(out, VERDICT_PASS, "a failure ends in a restore at the latest");
	} else if (f->ladder_downgrades) {
		say(out, VERDICT_WARN,
		    "a failure is undone by downgrades alone: what they destroy stays lost");
	} else {
		say(out, VERDICT_WARN, "a failure leaves the revisions that have committed");
		advise(out, "on_failure = downgrade, restore leads back");
	}
}
