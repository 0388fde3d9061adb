#include "policies/gates/gates.h"

#include "base/text.h"

#define OLDEST_MAJOR 14
#define NEWEST_MAJOR 19

static bool is_tested(int major) { return major == 15 || major == 17 || major == 18; }

void gate_server_version(const struct facts *f, const struct preset *preset, struct finding *out)
{
	int major = f->server_version / 10000;

	(void)preset;
	say(out, VERDICT_PASS, "PostgreSQL %d.%d", major, f->server_version % 10000);
	if (is_tested(major))
		return;
	if (major < OLDEST_MAJOR) {
		say(out, VERDICT_REFUSE, "PostgreSQL %d is too old", major);
		advise(out, "PostgreSQL 15 and later are supported");
		return;
	}
	say(out, VERDICT_WARN, "PostgreSQL %d is %s", major,
	    major > NEWEST_MAJOR ? "newer than this version of ripcord" : "not among the tested versions");
	advise(out, "try it on a copy first");
}

void gate_server_answers(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "the server answered every question");
	if (f->unasked.n > 0)
		say_list(out, VERDICT_UNKNOWN, "the server did not answer", &f->unasked);
}

void gate_server_writable(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "the server takes writes");
	if (f->is_standby.known == FACT_KNOWN && f->is_standby.value) {
		say(out, VERDICT_REFUSE, "the server is a standby: it cannot be written to");
		advise(out, "use the primary's URL");
	} else if (f->read_only.known == FACT_KNOWN && f->read_only.value) {
		say(out, VERDICT_REFUSE, "the session is read-only (default_transaction_read_only)");
		advise(out, "switch it off for this role and database");
	} else if (f->is_standby.known == FACT_UNKNOWN || f->read_only.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "nobody could say whether the server takes writes");
	}
}

void gate_track_counts(const struct facts *f, const struct preset *preset, struct finding *out)
{
	bool needed = f->ladder_downgrades || may_restore(f);

	(void)preset;
	say(out, VERDICT_PASS, "track_counts is on");
	if (f->track_counts.known == FACT_UNKNOWN) {
		say(out, needed ? VERDICT_UNKNOWN : VERDICT_WARN,
		    "whether track_counts is on everywhere is not known");
	} else if (!f->track_counts.value) {
		say(out, needed ? VERDICT_REFUSE : VERDICT_WARN,
		    "track_counts is off here or for a role: rows written cannot be counted");
		advise(out, "set track_counts = on, and ALTER ROLE or DATABASE ... RESET track_counts");
	}
}

void gate_standbys(const struct facts *f, const struct preset *preset, struct finding *out)
{
	(void)preset;
	say(out, VERDICT_PASS, "no standby is connected");
	if (f->standbys.n > 0 && !may_restore(f)) {
		say_list(out, VERDICT_PASS, "standbys", &f->standbys);
	} else if (f->standbys.n > 0) {
		say_list(out, VERDICT_WARN,
		         "after a restore, sessions on these standbys go on reading the failed database",
		         &f->standbys);
		advise(out, "end their sessions then: a hook of phase after-restore can do it");
	}
}

void gate_replay_lag(const struct facts *f, const struct preset *preset, struct finding *out)
{
	char lag[TEXT_SHORT], limit[TEXT_SHORT];

	say(out, VERDICT_PASS, "no standby is connected");
	if (f->standbys.n == 0)
		return;
	if (f->replay_lag_bytes.known == FACT_UNKNOWN) {
		say(out, VERDICT_UNKNOWN, "how far the standbys are behind is not known");
		advise(out, "GRANT pg_monitor lets this role see it");
		return;
	}
	text_size(f->replay_lag_bytes.value, lag);
	say(out, VERDICT_PASS, "the standbys are at most %s behind", lag);
	if (preset->replay_lag_bytes.known == FACT_KNOWN &&
	    f->replay_lag_bytes.value > preset->replay_lag_bytes.value) {
		say(out, VERDICT_REFUSE, "a standby is %s behind, the preset allows %s", lag,
		    text_size(preset->replay_lag_bytes.value, limit));
		advise(out, "wait until it has caught up");
	}
}
