/*
 * policies.h - what may run: facts in, findings out.
 *
 * Pure: no database, no files, no clock.  The runner gathers the facts (runner/facts.c), every gate looks
 * at them, all findings are shown at once, the worst verdict decides.  A fact that could not be had is its
 * own state, `unknown`: what that means is the preset's to say.
 *
 * A new gate is a row in gates/gates.c and a test.
 */
#ifndef POLICIES_POLICIES_H
#define POLICIES_POLICIES_H

#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>
#include <stdint.h>

/* A number or a yes/no that may not be known. */
enum known { FACT_UNKNOWN, FACT_KNOWN };
struct fact_int { enum known known; int64_t value; };
struct fact_bool { enum known known; bool value; };

/* Everything a gate may know.  Filled by the runner; strings are borrowed for the call. */
struct facts {
	/* the server */
	int server_version;           /* 150020 */
	struct fact_bool is_standby;
	struct fact_bool read_only;   /* default_transaction_read_only of our session */
	struct fact_bool track_counts; /* on, and nowhere switched off for a role or database */
	const char *role;             /* who we are */
	struct fact_bool is_superuser, can_create_db, owns_database;
	struct fact_bool can_read_all; /* every table and sequence that pg_dump must read */
	struct fact_bool can_terminate; /* pg_signal_backend or superuser: others' sessions can be ended */
	/* the database */
	const char *database;
	struct fact_int database_bytes;
	size_t heads_in_database, heads_in_files;
	struct strv invalid_indexes, logical_slots, subscriptions, prepared_xacts;
	struct strv name_bound_extensions; /* pg_cron: tied to the database's name */
	struct strv foreign_dumps;    /* other people's running pg_dump, as "pid 123 since 10:15" */
	struct strv superuser_sessions; /* sessions we may not terminate, superusers' and others', as "pid 123, role postgres" */
	struct strv unrestorable;     /* objects that this role cannot restore, and why */
	struct strv extensions_missing; /* name and version that CREATE EXTENSION cannot give */
	struct strv standbys;         /* application_name of streaming standbys */
	struct strv unmodelled;       /* objects the fingerprint cannot describe */
	struct fact_int replay_lag_bytes, foreign_writes_per_s;
	/* the backup */
	bool backup_waived;           /* --no-backup */
	const char *waiver_reason;
	const char *pg_dump_dir;      /* NULL: none of that major was found */
	struct strv stores_failing;   /* "name: why" */
	size_t stores_required;       /* how many of the stores must succeed; 0: all */
	struct { const char *name; struct fact_int free_bytes; } stores[16];
	size_t n_stores;
	struct fact_int server_free_bytes; /* of the server's data disk: statvfs where it is ours, else configured */
	const char *backup_verify;    /* read | restore | drill */
	bool backup_encrypted;        /* recipients are configured */
	bool backup_identity;         /* and a private key to open it again */
	const char *keys_failing;     /* why they, or the age program, do not work; NULL: they do */
	/* the run */
	bool ladder_restores;         /* on_failure contains restore */
	bool ladder_downgrades;
	const char *unfinished_run;   /* its id, NULL for none */
	struct strv no_downgrade;     /* revisions on the way without a downgrade */
	/* Revisions on the way whose downgrade was tried: it does not lead back; it does, but loses data. */
	struct strv proven_irreversible, proven_losing;
	/* The last rehearsal of exactly the plan's steps. */
	enum { REHEARSAL_NOT_ASKED, REHEARSAL_MISSING, REHEARSAL_FAILED, REHEARSAL_DONE } rehearsal;
	const char *rehearsal_failure;
	struct strv rehearsal_limits; /* limits of the run that it, or its estimate, is over */
	struct fact_int rehearsal_age_ms;
	bool one_head_needed;         /* the target names one head: `head`, `+1` */
	size_t steps;
	struct strv unasked;          /* questions that the server did not answer: lists that may be longer than they look */
	/* whoever gathers keeps here what the strings above point at */
	struct strv owned;
};

enum verdict { VERDICT_PASS, VERDICT_WARN, VERDICT_UNKNOWN, VERDICT_REFUSE };

struct finding {
	const char *gate;    /* "server-writable": stable, for scripts */
	enum verdict verdict; /* UNKNOWN only where the preset shows it; else it has become a refusal */
	enum err_code code;  /* what a refusal is: ERR_BACKUP when the store is at fault (exit 7), else ERR_REFUSED */
	char message[512];   /* what is so */
	char hint[256];      /* what to do, "" for none */
};

struct findings {
	struct finding *v;
	size_t n;
};

/*
 * How strict: from the presets compiled in (presets/), or a file with the same keys.
 * ERR_USAGE with file and line for an unknown name, key or value.
 */
struct preset;
MUST_CHECK bool preset_load(const char *name_or_path, struct preset **out, struct err *err);
void preset_free(struct preset *p);
static inline void cleanup_preset_(struct preset **p) { preset_free(*p); }
#define cleanup_preset __attribute__((cleanup(cleanup_preset_)))
/* The names that are compiled in, NULL-terminated. */
const char *const *preset_names(void);

/* Asks every gate: one finding each, in the table's order.  *worst is the worst verdict after the preset's
 * reading of `unknown`; only VERDICT_REFUSE refuses. */
void gates_evaluate(const struct facts *facts, const struct preset *preset, struct findings *out, enum verdict *worst);
/* false when a gate refuses, with all refusals in the message and the first one's advice; the error's code is
 * ERR_BACKUP when nothing but stores is at fault. */
MUST_CHECK bool findings_allow(const struct findings *f, struct err *err);
void findings_clear(struct findings *f);
void facts_clear(struct facts *f); /* the vectors */
#define cleanup_findings __attribute__((cleanup(findings_clear)))
#define cleanup_facts    __attribute__((cleanup(facts_clear)))
const char *verdict_name(enum verdict v); /* "pass", "warn", "unknown", "refuse" */

/* The table, for documentation and `doctor`: name and one line of each gate. */
size_t gates_count(void);
const char *gates_name(size_t i);
const char *gates_about(size_t i);

#endif
