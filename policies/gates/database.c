#include "policies/gates/gates.h"

#include <inttypes.h>

/* Things that a swap does not carry: none may be there when the ladder can restore. */
static void none_for_swap(const struct facts *f, const struct strv *items, const char *none, const char *what,
                          const char *hint, struct finding *out)
{
	say(out, VERDICT_PASS, "%s", none);
	if (items->n > 0) {
		say_list(out, may_restore(f) ? VERDICT_REFUSE : VERDICT_WARN, what, items);
		advise(out, "%s", hint);
	}
}

void gate_invalid_indexes(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "every index is valid");
	if (f->invalid_indexes.n > 0) {
		say_list(out, will_restore(f) ? VERDICT_REFUSE : VERDICT_WARN, "invalid indexes",
		         &f->invalid_indexes);
		advise(out, "REINDEX INDEX CONCURRENTLY, or DROP INDEX");
	}
}

void gate_extension_versions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "every extension's version can be installed");
	if (f->extensions_missing.n > 0) {
		say_list(out, will_restore(f) ? VERDICT_REFUSE : VERDICT_WARN,
		         "the server cannot install these extensions at their version",
		         &f->extensions_missing);
		advise(out, "ALTER EXTENSION ... UPDATE, or install that version's files");
	}
}

void gate_name_bound_extensions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	none_for_swap(f, &f->name_bound_extensions, "no extension is bound to the database's name",
	              "extensions bound to the database's name",
	              "take restore out of on_failure, or drop them first", out);
}

void gate_logical_slots(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	none_for_swap(f, &f->logical_slots, "no logical slot is bound to the database",
	              "logical slots stay with the failed database when a restore is swapped in",
	              "drop them, or take restore out of on_failure", out);
}

void gate_subscriptions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	none_for_swap(f, &f->subscriptions, "the database subscribes to nothing",
	              "subscriptions do not survive a restore",
	              "drop them, or take restore out of on_failure", out);
}

void gate_prepared_transactions(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	none_for_swap(f, &f->prepared_xacts, "no prepared transaction is open",
	              "prepared transactions are open", "COMMIT PREPARED or ROLLBACK PREPARED them first",
	              out);
}

void gate_running_dumps(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "nobody else is dumping the database");
	if (f->foreign_dumps.n > 0) {
		say_list(out, VERDICT_REFUSE, "a dump is running", &f->foreign_dumps);
		advise(out, "wait for its end: changes would queue behind it, and readers behind them");
	}
}

void gate_unmodelled(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "the fingerprint describes every object");
	if (f->unmodelled.n > 0) {
		say_list(out, VERDICT_WARN, "the fingerprint cannot describe", &f->unmodelled);
		advise(out, "a way back is not proven for them");
	}
}

void gate_others_writes(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "nobody else is writing just now");
	if (!may_restore(f) && !f->ladder_downgrades) {
		say(out, VERDICT_PASS, "no rung of the ladder would lose others' writes");
	} else if (f->foreign_writes_per_s.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "whether others are writing was not measured");
	} else if (f->foreign_writes_per_s.value > 0) {
		say(out, VERDICT_WARN,
		    "others write %" PRId64 " rows a second: with writes = detect a failure will be stuck",
		    f->foreign_writes_per_s.value);
		advise(out, "--writes fence keeps them out from the backup to the end");
	}
}
