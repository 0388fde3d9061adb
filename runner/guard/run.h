/*
 * run.h - what the steps of one run share.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_RUN_H
#define RUNNER_GUARD_RUN_H

#include "backup/backup.h"
#include "base/uuid.h"
#include "migrations/migrations.h"
#include "migrations/schema/schema.h"
#include "policies/policies.h"
#include "runner/config.h"
#include "runner/guard/guard.h"
#include "runner/guard/journal.h"
#include "runner/proof/candidate.h"
#include "runner/proof/counters.h"
#include "runner/proof/database.h"
#include "runner/proof/identity.h"
#include "runner/report.h"

/* What was there before anything changed: kept in the journal, so that another process can compare with it. */
struct before {
	int64_t oid;               /* of the live database */
	char *system_identifier;
	json_t *facts;             /* database_facts() before any fence */
	struct schema *schema, *roles;
	struct identity identity;
	struct counters counters;  /* taken before the backup's snapshot */
};

struct run {
	const struct config *config;
	const struct guard_request *request;
	struct run_report *report;
	char id[UUID_TEXT], token[33], actor_host[65], actor_who[65];

	struct conninfo *live, *maintenance;
	const char *database;      /* the live database's name; borrowed from live */
	struct db *db;             /* in the live database: everything of the run happens here */
	struct db *admin;          /* in the maintenance database: fences, candidates */
	struct db *lock;           /* in the maintenance database: holds the lock, otherwise idle */
	char *server;              /* system identifier and timeline, for people; NULL: nobody asked yet */
	struct db *scratch;        /* in the scratch database; NULL most of the time */
	bool has_scratch;          /* it may be there, and is to be dropped */

	struct graph *graph;
	struct ledger *ledger;
	struct plan *plan;
	size_t done;               /* steps of the plan that are committed */
	bool started;              /* the first step that changes something was begun */
	bool going_back;           /* on the ladder: a line that finds no room in the file may do with the mirror */
	bool left_partial;         /* a unit that is no single transaction failed with a part of it done */
	bool evidenced;            /* the statement in hand is in ripcord.run as done */
	const struct exec_resume *resume; /* where the unit that is run goes on; NULL: from its beginning */
	int64_t mirror_oid;        /* of ripcord.run, for share_of_cut() */
	int64_t statement_ms, shown_ms; /* when a batch began, and was last shown */

	struct stores stores;
	char *bin_dir, *private_dir;
	struct facts facts;        /* for the gates */
	struct preset *preset;
	struct findings findings;

	struct before before;
	struct manifest *manifest; /* NULL: waived */
	struct own_share own;      /* everything this run wrote in the live database */
	struct own_share committed; /* the part of it that revisions committed */
	bool may_prepare;          /* no section of the plan clears the session's prepared statements */
	bool may_nest;             /* some section of the plan may begin subtransactions */
	char *token_question, *own_question; /* what each unit asks first, and is asked before COMMIT */
	char *nested_question;     /* own_question of a transaction block that may have subtransactions */
	bool answered;             /* the unit that runs has told its share */
	struct foreign_writes foreign;
	bool foreign_counted;
	bool counted_by_rows;      /* the rows told, and `committed` is ripcord.unit's account */
	struct tuples counted;     /* the database's totals at the count */

	enum writes_mode writes;
	bool accept_loss;          /* what others wrote may be lost by a way back */
	bool fences;               /* writes = fence: others are kept out from the backup on */
	struct fence fence;
	char *candidate, *quarantine; /* names; NULL until they are there */
	int64_t candidate_oid;
	struct strv recreated_roles;
	struct journal *journal;
	int signals;               /* that had come when the way back began: a further one ends it */
	bool interrupted;          /* and did: the run stays unfinished */
};

/* run.c: life of the struct, connections */
void run_init(struct run *run, const struct config *config, const struct guard_request *request, struct run_report *report);
void run_clear(struct run *run);
MUST_CHECK bool run_connect(struct run *run, struct err *err);       /* live, db, admin, names */
MUST_CHECK bool run_connect_live(struct run *run, struct err *err);  /* db, and the names */
MUST_CHECK bool run_connect_maintenance(struct run *run, struct err *err); /* admin, and the names */
MUST_CHECK bool run_open_stores(struct run *run, struct err *err);   /* stores, private folder */
MUST_CHECK bool run_find_tools(struct run *run, struct err *err);    /* bin_dir */
struct exec_settings run_exec_settings(const struct run *run);
struct actor run_actor(const struct run *run);
/* "ripcord/<run8>/<what>" for application_name; run8 is uuid_short(). */
char *run_application(const struct run *run, const char *what);
/* Our own sessions in the live database, for fences. */
struct pids run_pids(const struct run *run);
/* Journals, and mirrors while the live database is ours to write. */
MUST_CHECK bool run_journal(struct run *run, const char *step, const char *event, json_t *data, struct err *err);
/* A line of the way back that recovery can do without, since the server shows the same (COMMENTs, OIDs): a failure to
 * write it is only said. */
void run_journal_evident(struct run *run, const char *step, const char *event, json_t *data);

/* sessions.c */
/* A session named after the run and what it is for, known to the journal; a server that is starting up is waited for,
 * a minute at most. */
MUST_CHECK bool run_open(struct run *run, const struct conninfo *where, const char *what, struct db **out, struct err *err);
/* {pid, start} of one, and of the run's that are open: the caller's. */
MUST_CHECK bool run_session_json(struct db *db, json_t **out, struct err *err);
MUST_CHECK bool run_sessions_json(struct run *run, json_t **out, struct err *err);
/* Ends the run's sessions that are not this process's, by what `lines` tell and by their names, until none is left. */
MUST_CHECK bool run_end_sessions(struct run *run, const json_t *lines, struct err *err);
/* Opens what was cut off, the lock too; ERR_LOCKED or ERR_REFUSED when the run is not this process's any more. */
MUST_CHECK bool run_reconnect(struct run *run, struct err *err);
/* The same when the session in the live database was lost or is not there; a lock that alone was lost stays so. */
MUST_CHECK bool run_reopen(struct run *run, struct err *err);

/* server.c: ERR_REFUSED when this is not the server of the run's first session (a failover, a promotion) */
MUST_CHECK bool run_same_server(struct run *run, struct db *db, struct err *err);

/* lock.c */
MUST_CHECK bool run_lock(struct run *run, struct err *err);
/* After the session that held it was lost: at once, or ERR_LOCKED. */
MUST_CHECK bool run_lock_again(struct run *run, struct err *err);
MUST_CHECK bool run_refuse_unfinished(struct run *run, struct err *err);
/* The run that has not ended, by the state folder or ripcord.run; *id is NULL for none, else the caller's. */
MUST_CHECK bool run_unfinished(struct run *run, char **id, struct err *err);
MUST_CHECK bool run_unfinished_here(struct run *run, char **id, struct err *err);  /* the state folder alone */
MUST_CHECK bool run_unfinished_there(struct run *run, char **id, struct err *err); /* ripcord.run alone */

/* mirror.c: the ledger's tables and ripcord.run, where they are missing */
MUST_CHECK bool mirror_begin(struct run *run, struct err *err);
/* *mirrored: it was the time to. */
MUST_CHECK bool mirror_line(struct run *run, const json_t *line, bool *mirrored, struct err *err);
/* This run's row in the candidate: after the swap it says whose database that is. */
MUST_CHECK bool mirror_into(struct run *run, struct db *candidate, struct err *err);
/* The lines of a run and the outcome it ended with, NULL for none: the caller's. */
MUST_CHECK bool mirror_read(struct db *db, const char *run, json_t **lines, char **outcome, struct err *err);
MUST_CHECK bool mirror_end(struct run *run, struct db *db, const char *outcome, struct err *err);
/* The SELECT that fails when this run has been taken over, for each revision's transaction (proof.md section 6). */
char *mirror_token_sql(const struct run *run);
/* The same at once: ERR_REFUSED. */
MUST_CHECK bool mirror_check_token(struct run *run, struct err *err);

/* record.c: struct before */
MUST_CHECK bool before_read(struct run *run, struct err *err);  /* all but schema, identity, which belong to the snapshot */
json_t *before_to_json(const struct before *b);
MUST_CHECK bool before_from_json(const json_t *j, struct before *b, struct err *err);
void before_clear(struct before *b);
/* Fingerprints of now and of before are equal, else ERR_REFUSED with the difference. */
MUST_CHECK bool before_is_now(struct run *run, struct err *err);
/* The same without the database's own facts, on the run's session alone. */
MUST_CHECK bool before_schema_is_now(struct run *run, struct err *err);
/* The same of the database's own facts alone. */
MUST_CHECK bool before_facts_are_now(struct run *run, struct err *err);

/* Says it when the fingerprint is another than the last run that ended at these heads left. */
void run_compare_with_left(struct run *run, const char *fingerprint);

/* What a backup says of the database and the schema it was taken from, for comparing a restore with. */
MUST_CHECK bool before_from_backup(struct run *run, struct err *err);

/* backup_step.c */
/* By id or unique prefix: run->manifest. */
MUST_CHECK bool run_find_backup(struct run *run, const char *id, struct err *err);
MUST_CHECK bool run_take_backup(struct run *run, struct err *err);
MUST_CHECK bool run_read_back(struct run *run, struct err *err);
/* As [backup] verify says: bytes, the schema restored, everything restored. */
/* That recipients and identity of the configuration work and suffice for its verify; for a backup by hand, which asks
 * no gates.  ERR_REFUSED. */
MUST_CHECK bool run_check_keys(struct run *run, struct err *err);
MUST_CHECK bool run_verify_backup(struct run *run, struct err *err);

/* upgrade_step.c */
MUST_CHECK bool run_steps(struct run *run, const struct plan *plan, size_t *done, struct err *err);
/* The step `at` alone, from where it was cut off. */
MUST_CHECK bool run_steps_resume(struct run *run, const struct plan *plan, size_t at, const struct exec_resume *resume,
                                 struct err *err);
/* How many of the plan's steps are committed, as the ledger says it. */
MUST_CHECK bool run_ask_position(struct run *run, struct err *err);

/* statement.c: units that are no single transaction */
struct statement_watch run_statement_watch(struct run *run);

/* resume.c: finishes the unit that `lines` tell was cut off between its pieces, if there is one.  run->plan and run->done
 * are set; the ledger follows. */
MUST_CHECK bool run_resume(struct run *run, const json_t *lines, struct err *err);

/* command_step.c: `guard -- COMMAND` and its --down */
MUST_CHECK bool run_command(struct run *run, struct err *err);
MUST_CHECK bool run_down_command(struct run *run, struct err *err);
/* For a recovery: run->own and run->committed by the journal, and of a command that was cut off by the server's counters. */
MUST_CHECK bool run_command_load(struct run *run, const json_t *lines, struct err *err);

/* hooks.c */
MUST_CHECK bool run_hooks(struct run *run, enum hook_phase phase, const struct revision *revision, struct err *err);

/* The environment of a child that works for this run: ours, PG* of the live database, RIPCORD_*. */
void run_child_env(const struct run *run, const char *phase, const char *passfile, struct strv *env);

/* count.c: the fence and the count before a way back */
/* fence_set() for our own sessions, `more` (may be NULL) among them, and `places` further ones; in the journal first. */
MUST_CHECK bool run_fence(struct run *run, const struct db *more, int places, struct err *err);
/* Puts back what the fence changed, and says so in the journal. */
MUST_CHECK bool run_fence_open(struct run *run, struct err *err);
MUST_CHECK bool run_fence_and_count(struct run *run, struct err *err);

/* ladder.c: after a failure in a run that has changed something; fills the report's outcome */
void run_ladder(struct run *run, const struct err *failure);
enum { RUNG_ROLLBACK, RUNG_DOWNGRADE, RUNG_RESTORE };
/* Only the rungs from `first` to `last`. */
void run_rungs(struct run *run, const struct err *failure, size_t first, size_t last);
void run_stuck(struct run *run, const char *why);

/* scratch.c: the database of a verification, a drill, a proof or a rehearsal */
MUST_CHECK bool run_scratch_make(struct run *run, struct err *err); /* empty, with run->scratch in it; once */
/* Made where it is not there yet, filled from the backup and compared; left for who calls, also on false. */
MUST_CHECK bool run_scratch_prove(struct run *run, bool schema_only, struct err *err);
MUST_CHECK bool run_scratch_drop(struct run *run, struct err *err); /* none: nothing to do */
/* After a failure, which stays the error: drops it, or says that it is left.  Returns false. */
bool run_scratch_give_up(struct run *run, struct err *err);
/* Restores the schema, or all of it, into a scratch database that is dropped again, and proves what is there. */
MUST_CHECK bool run_restore_scratch(struct run *run, bool schema_only, struct err *err);
/* The live one's settings (run->before.facts) for it, and run->scratch anew, under them: for revisions to be run there. */
MUST_CHECK bool run_scratch_dress(struct run *run, struct err *err);
/* Drops what kills have left: no session is in it.  The caller has the lock of run->database. */
MUST_CHECK bool run_scratch_sweep(struct run *run, struct err *err);
/* The same without the lock: not while somebody has it, or a run is unfinished. */
MUST_CHECK bool run_scratch_tidy(struct run *run, struct err *err);

/* sequences.c */
MUST_CHECK bool run_put_sequences_back(struct run *run, struct err *err);
MUST_CHECK bool run_sequences_are_back(struct run *run, struct err *why);
/* The candidate's hand out no number that the live ones have handed out. */
MUST_CHECK bool run_advance_sequences(struct run *run, struct db *candidate, struct err *err);

/* restore_step.c */
/* For candidate.h: everything restored; borrows the names and what the run has. */
struct candidate_request run_candidate_request(const struct run *run, const char *name, const char *comment,
                                               const char *application);
/* Makes the database and proves that it is what the run's manifest says; dropped again on false. */
MUST_CHECK bool run_restore_into(struct run *run, const char *name, const char *comment, bool schema_only,
                                 struct err *err);
char *run_candidate_comment(const struct run *run); /* the caller's */
/* A database that ripcord made for this run, by its COMMENT: proven if it is a candidate that may be swapped in. */
MUST_CHECK bool run_made_database(struct run *run, const char *name, int64_t *oid, bool *proven, struct err *err);
MUST_CHECK bool run_build_candidate(struct run *run, struct err *err);
/* *moved: the counters moved after the count, so nothing was renamed, and one may count again. */
MUST_CHECK bool run_swap(struct run *run, bool *moved, struct err *err);
/* The database of the live name is as before the run, the cluster's roles included. */
MUST_CHECK bool run_prove_swapped(struct run *run, struct err *err);

/* restore_gate.c: before_from_backup() and run->admin are there */
/* What this server and this role cannot restore: ERR_REFUSED. */
MUST_CHECK bool run_restore_gates(struct run *run, struct err *err);
/* The same for what a database has that is to be used: its settings. */
MUST_CHECK bool run_restore_dress_gates(struct run *run, struct err *err);
/* Creates the roles that are missing, and says so; a drill's are marked as such. */
MUST_CHECK bool run_restore_roles(struct run *run, bool is_drill, struct err *err);
MUST_CHECK bool run_drop_roles(struct run *run, struct err *err); /* drill_run.c: those that were made for a drill */
/* Drops what drills that were killed have left of theirs, and says so. */
MUST_CHECK bool run_sweep_roles(struct db *admin, struct err *err);
/* ERR_REFUSED for a backup without the roles' passwords. */
MUST_CHECK bool run_restore_has_passwords(const struct run *run, struct err *err);
/* Gives those that run_restore_roles() created the login and the password that the backup has for them. */
MUST_CHECK bool run_restore_passwords(struct run *run, struct err *err);

/* restore_find.c */
/* The newest verified backup of this database and installation: run->manifest.  ERR_BACKUP when there is none. */
MUST_CHECK bool run_find_newest(struct run *run, struct err *err);
/* The newest verified backup at the revision, or below it on the path in the checked-out files: run->manifest, and with
 * files run->graph.  *target: for one below, the revision's whole id, the caller's; NULL for one at it.  `from`: a system
 * identifier or an installation, NULL for this one. */
MUST_CHECK bool run_find_revision(struct run *run, const char *revision, const char *from, char **target, struct err *err);
/* run->manifest is a backup of this installation, or of the one that `from` names: else ERR_REFUSED. */
MUST_CHECK bool run_refuse_foreign(struct run *run, const char *from, struct err *err);

/* restore_up.c */
/* Brings a restored database that is not in use up to `target`; *applied gets the revisions. */
MUST_CHECK bool run_restored_upgrade(struct run *run, const char *name, const char *target, struct strv *applied,
                                     struct err *err);
/* Says in its history that it was restored, and pins it to its revision; *heads gets where that is. */
MUST_CHECK bool run_restored_pin(struct run *run, const char *name, struct strv *heads, struct err *err);

/* plan_show.c */
void run_show_plan(const struct run *run, FILE *out);
void run_show_findings(const struct run *run, FILE *out);

#endif
