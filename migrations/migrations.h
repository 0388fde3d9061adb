/*
 * migrations.h - what a revision is: files -> graph -> plan -> execution, and the ledger
 * in the database that says what was applied.
 *
 *     graph_load()      a folder of revision files, checked as a whole
 *     ledger_open()     what the database says of itself
 *     plan_make()       the steps from where it is to where it shall be
 *     exec_unit()       one transaction: timeouts, section, verify, ledger rows, COMMIT
 *
 * The model is Alembic's: several heads, merges, depends-on, branch labels, its addressing
 * grammar and its version table.  Source: alembic/script/revision.py and
 * alembic/runtime/migration.py of Alembic 1.8 (design.md section 4, field_notes A2).
 */
#ifndef MIGRATIONS_MIGRATIONS_H
#define MIGRATIONS_MIGRATIONS_H

#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strv.h"

#include <stdint.h>
#include <stdio.h>

/* ------------------------------------------------------------------ revisions */

enum direction { DIRECTION_UP, DIRECTION_DOWN };

/* A section's text as it stands in the file, LF-normalised, with the options of its marker's line. */
struct section {
	bool present;
	const char *text; /* "" when absent or empty */
	int line;         /* 1-based line of the file where text begins */
	bool transaction; /* false: transaction=off */
	int64_t lock_timeout_ms, statement_timeout_ms; /* -1: the configuration's */
	int64_t hold_ms;          /* ACCESS EXCLUSIVE at most this long; 0: as long as it takes, -1: the configuration's */
	const char *locks;        /* taken first, as they are written: "orders SHARE, items"; or NULL */
	const char *irreversible; /* the reason, or NULL */
};

/* How a batch is throttled; -1 for a limit that is not set. */
struct batch_options {
	int64_t pause_ms;                 /* between two batches */
	int64_t max_lag_ms, max_lag_bytes; /* what a streaming standby may be behind */
};

/* SHA-256 of a section's text; computed when asked, since a graph of 10,000 files has 30,000 of them. */
void section_sha256(const struct section *s, char hex[SHA256_HEX]);

struct step;
/* The same of all that a step runs: its section, and the batch of an upgrade. */
void step_sha256(const struct step *step, char hex[SHA256_HEX]);

struct revision {
	const char *id, *message, *created; /* "" where the file has none */
	const char *path; /* as it was opened; NULL when it came from the ledger */
	struct strv parents, depends_on, labels; /* as the file has them; depends_on may name labels */
	struct section upgrade, verify, downgrade;
	struct section batch; /* one statement, repeated after the upgrade until it changes no row */
	struct batch_options batch_options;
};

/* Everything below one migrations folder; owns its revisions. */
struct graph;

/* Reads <folder>/versions/[*].sql.  ERR_USAGE with file and line for a broken file, a duplicate id, a
 * missing parent, a cycle.  A folder without revisions is an empty graph; no folder is ERR_USAGE. */
MUST_CHECK bool graph_load(const char *folder, struct graph **out, struct err *err);
void graph_free(struct graph *g);
static inline void cleanup_graph_(struct graph **g) { graph_free(*g); }
#define cleanup_graph __attribute__((cleanup(cleanup_graph_)))

size_t graph_count(const struct graph *g);
/* Parents before children; among equals by the files' names. */
const struct revision *graph_at(const struct graph *g, size_t i);
/* By whole id, or NULL. */
const struct revision *graph_get(const struct graph *g, const char *id);
/* By id, unique prefix, or any word of the grammar that names one revision (head, LABEL@head ...). */
MUST_CHECK bool graph_find(const struct graph *g, const struct strv *current, const char *word,
                           const struct revision **out, struct err *err);
void graph_heads(const struct graph *g, struct strv *out);  /* that no other names as its parent */
bool graph_is_head(const struct graph *g, const char *id);
bool graph_is_branch_point(const struct graph *g, const char *id);
/* The labels of the branches a revision is on: its own and those that reach it as in Alembic (down to all
 * descendants, up until a branch point or a merge).  Borrowed. */
const struct strv *graph_branches(const struct graph *g, const char *id);
/* All ids that are ancestors (depends-on included) of the heads given, or those heads themselves: what is applied. */
void graph_applied(const struct graph *g, const struct strv *heads, struct strv *out);
/* Ids of a history range A:B (either side may be empty), newest first, as `history -r`. */
MUST_CHECK bool graph_range(const struct graph *g, const struct strv *current, const char *range,
                            struct strv *out, struct err *err);

/* ------------------------------------------------------------------ plans */

/* One revision in one direction, with the version table's rows before and after it. */
struct step {
	const struct revision *revision; /* borrowed from the graph */
	enum direction direction;
	struct strv heads_before, heads_after;
};

/* One transaction, or pieces that commit one by one: transaction=off, or an upgrade with a batch. */
static inline bool step_is_transactional(const struct step *step)
{
	const struct revision *r = step->revision;

	return step->direction == DIRECTION_UP ? r->upgrade.transaction && !r->batch.present
	                                       : r->downgrade.transaction;
}

struct plan {
	struct step *steps;
	size_t n;
	struct strv from, to; /* heads before the first and after the last step */
};

/*
 * From the heads in `current` towards `target` in Alembic's grammar.
 * ERR_REFUSED: several heads where one was asked for, no downgrade section on the way (the
 * message names all of them), a head that no file knows.  ERR_USAGE: a target that is none.
 * Nothing to do is a plan of no steps.
 */
MUST_CHECK bool plan_make(const struct graph *g, const struct strv *current, const char *target,
                          enum direction direction, struct plan **out, struct err *err);
/* The way back from `to` to `from` of a plan that ran up to its step `done` (exclusive); ERR_REFUSED where a
 * downgrade is missing or irreversible. */
MUST_CHECK bool plan_reverse(const struct plan *p, size_t done, struct plan **out, struct err *err);
/* After how many of the plan's steps the heads are these; false: after none. */
bool plan_position(const struct plan *p, const struct strv *heads, size_t *done);
void plan_free(struct plan *p);
static inline void cleanup_plan_(struct plan **p) { plan_free(*p); }
#define cleanup_plan __attribute__((cleanup(cleanup_plan_)))

/* The whole plan as one SQL script, the version table's statements included (--sql); needs no database. */
MUST_CHECK bool plan_print_sql(const struct plan *p, const char *version_table, FILE *out, struct err *err);

/* ------------------------------------------------------------------ the ledger */

/* Names of the version table; schema NULL: the first of search_path that exists. */
struct ledger_names {
	const char *schema, *table;
};

struct ledger; /* where the tables are and what they said when last read */

/* Never NULL: "" stands for what a row has not. */
struct history_row {
	int64_t number;                       /* 1, 2, 3 ... without gaps */
	const char *run, *revision, *outcome; /* done | stamped | repaired | restored | pinned | unpinned */
	enum direction direction;
	const char *section_sha256;           /* of the section that ran */
	const char *revision_sha256;          /* of all three sections, "" where the row holds no source */
	const char *who, *host, *tool_version, *started_at, *finished_at, *reason; /* times: ISO 8601, UTC */
	const char *chain;                    /* SHA-256 over the previous row's chain and this row */
};

/* Reads only; a database without any ledger is one with no heads.  Rows of the history come without the
 * revisions' texts: see ledger_source(). */
MUST_CHECK bool ledger_open(struct db *db, const struct ledger_names *names, struct ledger **out, struct err *err);
void ledger_free(struct ledger *l);
static inline void cleanup_ledger_(struct ledger **l) { ledger_free(*l); }
#define cleanup_ledger __attribute__((cleanup(cleanup_ledger_)))

const struct strv *ledger_heads(const struct ledger *l); /* sorted */
const char *ledger_table(const struct ledger *l);        /* quoted and qualified */
bool ledger_exists(const struct ledger *l);              /* the version table is there */
MUST_CHECK bool ledger_read(struct ledger *l, struct db *db, struct err *err); /* again, under the lock */
/* Creates the version table and the ripcord schema with history where they are missing; idempotent.  In the open
 * transaction when there is one, else in one of its own. */
MUST_CHECK bool ledger_create(struct ledger *l, struct db *db, struct err *err);

/* All rows, newest first, as ledger_open() or the last ledger_read() found them; they live until the next. */
size_t ledger_history_count(const struct ledger *l);
const struct history_row *ledger_history(const struct ledger *l, size_t i);
/* Chain value of the newest history row, which covers all before it; "" for none.  Follows exec_unit() and
 * the writers below without another ledger_read(). */
const char *ledger_chain_tip(const struct ledger *l);
/* The revision's file as it was when that row was written (LF-normalised), NULL when the row holds none. */
MUST_CHECK bool ledger_source(const struct ledger *l, struct db *db, int64_t number, char **out, struct err *err);
/* Reads every row with its text and computes the chain again: ERR_CORRUPT naming the first row that was
 * changed, removed or put in. */
MUST_CHECK bool ledger_check_chain(const struct ledger *l, struct db *db, struct err *err);

/* Adds to the graph the applied revisions that this checkout does not have, from the history.
 * Revisions that no row holds stay unknown: plan_make() refuses them. */
MUST_CHECK bool ledger_complete_graph(const struct ledger *l, struct db *db, struct graph *g, struct err *err);

/* Applied revisions of which a section is another now: ERR_REFUSED naming each, with a diff in *diff (may be NULL). */
MUST_CHECK bool ledger_check_files(const struct ledger *l, struct db *db, const struct graph *g, struct buf *diff,
                                   struct err *err);

/* What every row of the history says of the program that wrote it. */
struct actor {
	const char *run;          /* run id, or "" for stamp and repair outside a run */
	const char *who, *host, *tool_version;
};

/* `repair`: accepts the file of an applied revision as it is now; the reason is kept. */
MUST_CHECK bool ledger_repair(struct ledger *l, struct db *db, const struct revision *rev, const struct actor *actor,
                              const char *reason, struct err *err);
/* `stamp`: sets the heads without running anything; purge empties the version table first. */
MUST_CHECK bool ledger_stamp(struct ledger *l, struct db *db, const struct graph *g, const struct strv *heads, bool purge,
                             const struct actor *actor, struct err *err);
/* A row of that outcome that runs nothing: `restored` tells a restored database of the failed run. */
MUST_CHECK bool ledger_note(struct ledger *l, struct db *db, const struct actor *actor, const char *revision,
                            const char *outcome, const char *reason, struct err *err);

/*
 * A database that was restored by hand stays at its revision until somebody says otherwise: a row `pinned` of the
 * history, until one `unpinned` follows.  It comes and goes with the database, through dumps and restores.
 */
#define LEDGER_PINNED   "pinned"
#define LEDGER_UNPINNED "unpinned"
/* The row that pins it, NULL when none does. */
const struct history_row *ledger_pin(const struct ledger *l);

/* ------------------------------------------------------------------ execution */

/*
 * Questions that the guard asks inside a unit's transaction (proof.md section 1 and 6).
 * at_begin is sent as the transaction's first statement in the same message as the section;
 * it must fail on the server by itself when the unit must not run.  at_end is the last
 * before COMMIT, after SET CONSTRAINTS ALL IMMEDIATE, verify and ledger rows.
 */
enum probe_point { PROBE_BEGIN, PROBE_END };
struct probe {
	const char *at_begin, *at_end; /* one SELECT each, or NULL */
	/* As at_end, asked after ROLLBACK TO and before ROLLBACK when a unit failed: aborted work counts, too. */
	const char *at_abort;
	/* false: the transaction is rolled back and err returned */
	bool (*answered)(void *ctx, enum probe_point at, const struct rows *rows, struct err *err);
	/* The answer to at_abort.  Not called when the session was lost: then nobody knows. */
	bool (*aborted)(void *ctx, const struct rows *rows, struct err *err);
	void *ctx;
};

/* Where a unit stands that is not one transaction: a statement of a transaction=off section, a batch, or the whole
 * upgrade before a batch. */
struct statement_at {
	size_t index;        /* from 0 */
	const char *text;
	const json_t *about; /* kind, digest of the text, what was there before: for exec_resume; NULL in a transaction */
	bool is_batch, has_more; /* of a batch: it has just changed rows, and so is run once more */
	int64_t batches, rows;   /* rows: what its tag says; of a batch: what this execution of it has done so far */
};

/* For the journal and the account of our own writes.  Any of them may be NULL. */
struct statement_watch {
	bool (*before)(void *ctx, const struct step *step, const struct statement_at *at, struct err *err);
	/* One statement that makes the evidence, with search_path and role set back; the caller frees it.  It follows
	 * probe.at_end and commits with the statement, or right behind a bare one; its one-column rows go to told(). */
	char *(*evidence)(void *ctx, const struct step *step, const struct statement_at *at);
	bool (*told)(void *ctx, const struct rows *rows, struct err *err);
	bool (*after)(void *ctx, const struct step *step, const struct statement_at *at, struct err *err);
	/* A bare statement failed: what the session says of itself, as probe.at_abort asks.  *whole: it is all of it. */
	bool (*cut)(void *ctx, const struct rows *rows, bool *whole, struct err *err);
	void (*lost)(void *ctx, const char *why); /* nobody will know it */
	void (*progress)(void *ctx, const struct step *step, const struct statement_at *at); /* after each batch */
	/* The statements of a transactional section go one by one, too, between before() and after(), which then are called
	 * inside the transaction, with the role and search_path that the section has set. */
	bool each;
	void *ctx;
};

/* Going on with a unit that was cut off: its first `done` pieces are done. */
struct exec_resume {
	size_t done;
	const json_t *begun; /* statement_at.about of the next one, which was begun; NULL: it was not */
};

struct exec_settings {
	const char *role;             /* SET ROLE for each revision; NULL or "" for none */
	int64_t lock_timeout_ms;      /* per attempt */
	int64_t lock_budget_ms;       /* for all attempts of a unit */
	int64_t statement_timeout_ms; /* 0: none */
	struct actor actor;
	const struct probe *probe;           /* may be NULL */
	const struct statement_watch *watch; /* may be NULL */
	const struct exec_resume *resume;    /* NULL: from the beginning */
	void (*waiting)(void *ctx, const struct step *step, int attempt, const struct err *why); /* a retry; may be NULL */
	void *ctx;
};

struct exec_report {
	const char *phase; /* "upgrade" | "verify" | "downgrade" | "ledger" | "commit": where it failed */
	size_t failed_step;       /* index into the unit's steps */
	int attempts;
	int64_t elapsed_ms;
	bool commit_unknown;      /* the connection was lost between COMMIT and its answer */
	bool left_partial;        /* something is committed though the unit failed: statements of a transaction=off
	                           * section, or a section that ended its own transaction */
	char xid[24];             /* pg_current_xact_id() of the unit, "" when it took none */
};

/*
 * Runs n steps as one unit: in one transaction when all of them are transactional (n is 1
 * except with transaction = whole), else the one transaction=off step.  Afterwards the version
 * table has heads_after of the last step, or, on false, heads_before of the first, unless the
 * report says otherwise.  55P03 and 40P01 are retried within the budget when transactional.
 * ERR_USAGE, before anything is sent, for transaction control inside a transactional section and
 * unknown psql meta-commands; ERR_DB with file, line and SQLSTATE for what the server refused;
 * ERR_REFUSED for a verify that failed.
 */
MUST_CHECK bool exec_unit(struct db *db, struct ledger *l, const struct step *steps, size_t n,
                          const struct exec_settings *settings, struct exec_report *report, struct err *err);

/* Checks without a server what exec_unit() would refuse before sending: for plans and `check`. */
MUST_CHECK bool exec_check(const struct revision *rev, struct err *err);

/*
 * A revision that is only tried, on a copy beside the live database, must not act beyond that copy: on roles, databases,
 * tablespaces, subscriptions, or by programs and files of the server.  ERR_REFUSED with file and line.  What dynamic SQL
 * does, and what goes to foreign tables, is seen by the question alone, which is for probe.at_end: each row names what the
 * transaction has written, and whose that is.
 */
MUST_CHECK bool exec_check_reach(const struct revision *rev, struct err *err);
extern const char exec_reach_question[];

/* ------------------------------------------------------------------ plain SQL */

/*
 * Runs a text of SQL statement by statement, as psql -f does, COPY ... FROM stdin with its data and pg_dump's \restrict
 * lines included.  Stops at the first error, which names `path` and the line; ERR_USAGE for psql's other commands, and
 * for a transaction that is left open.  What it has set in the session stays set.
 */
MUST_CHECK bool load_sql(struct db *db, const char *path, const char *text, struct err *err);

/* ------------------------------------------------------------------ writing revisions */

struct revision_draft {
	const char *id;      /* NULL: 12 random hex digits */
	const char *message;
	struct strv parents, depends_on, labels;
	const char *upgrade, *downgrade, *verify; /* bodies, NULL for the template's */
	bool upgrade_off, downgrade_off;          /* transaction=off goes to the marker's line */
};

/* Fills <folder>/revision.sql.template (or the built-in one) and writes <into>/<time>_<id>_<slug>.sql (into NULL:
 * <folder>/versions); a file that is there is kept.  *path is the caller's. */
MUST_CHECK bool revision_write(const char *folder, const char *into, const struct revision_draft *draft, char **path,
                               struct err *err);
/* What revision_write() would write, as it is read again: to be tried before.  The draft has an id; *out is the caller's,
 * revision_free(). */
MUST_CHECK bool revision_of_draft(const char *folder, const struct revision_draft *draft, struct revision **out,
                                  struct err *err);
/* What a file has, called `path` in errors; *out is the caller's, revision_free(). */
MUST_CHECK bool revision_parse(const char *text, const char *path, struct revision **out, struct err *err);
void revision_free(struct revision *rev);
/* Adds a revision that is in no folder yet, and takes it; ERR_USAGE as graph_load(): then the graph is of no more use. */
MUST_CHECK bool graph_add(struct graph *g, struct revision *rev, struct err *err);
/* A new id: 12 random hex digits, as Alembic's. */
char *revision_new_id(void);
/* The built-in template, as `init` writes it. */
const char *revision_template(void);

#endif
