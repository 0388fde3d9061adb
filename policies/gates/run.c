#include "policies/gates/gates.h"

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
