/*
 * exec.h - a unit while it runs, for exec.c and exec_off.c.
 *
 * A transactional step is three messages: BEGIN with the settings and the section as it was written; the verify,
 * the ledger's rows and the last question; COMMIT.  Between our own statements and those of the file stand
 * markers (one-column SELECTs of the transaction's id under a name nobody else uses): they tell whose results
 * the next ones are, and that the transaction is still the one that BEGIN began.
 */
#ifndef MIGRATIONS_EXEC_H
#define MIGRATIONS_EXEC_H

#include "migrations/ledger.h"
#include "migrations/script.h"

/* Whose results come in; each marker goes on to the next. */
enum stage { STAGE_SETUP, STAGE_SECTION, STAGE_VERIFY, STAGE_LEDGER };

struct unit {
	struct db *db;
	struct ledger *ledger;
	const struct step *steps;
	size_t n;
	const struct exec_settings *settings;
	struct exec_report *report;
	struct script *sections, *verifies; /* n of each */
	struct chain chain;                 /* with the rows of this unit that are not committed yet */
	int64_t step_started_us;
	bool has_savepoint;                 /* ripcord_unit: so that an aborted unit can still be asked */
};

/* A message on its way: what of it is the file's, and what has come back. */
struct message {
	struct unit *unit;
	const struct step *step;
	const struct revision *rev;
	const char *text;      /* NULL: the text below is not known to be the file's */
	size_t from, to;       /* bytes of text that are the file's */
	int line;              /* of the file, at `from` */
	enum stage stage, after_setup;
	size_t results;        /* of the file's statements so far */
	const char *marker;
};

/* Sends it; results are judged by their stage.  An error is placed in the file where it can be. */
MUST_CHECK bool message_send(struct message *m, struct err *err);
/* The column name of our markers: fixed for the process, unknown to any file. */
const char *message_marker(void);

const struct section *step_section(const struct step *step);
/* SET LOCAL (or SET) of timeouts, application_name, and the idle timeout. */
void settings_sql(struct buf *sql, const struct unit *u, const struct step *step, const struct section *s, bool local);
/* "UPDATE 5", "INSERT 0 5": 5; 0 of a tag without a number. */
int64_t rows_of_tag(const char *tag);
/* Back to the session's own state: what a section set must not reach the next one. */
extern const char reset_sql[];

/* Verify, ledger rows, last question, as one message; opens a transaction first when `begin`. */
MUST_CHECK bool finish_step(struct unit *u, size_t i, bool begin, struct err *err);
MUST_CHECK bool commit_unit(struct unit *u, struct err *err);
/* Leaves the transaction; asks about the aborted work first where that is possible. */
void roll_back(struct unit *u, const struct err *why);
/* That question alone: the transaction stays open, back at its savepoint. */
void ask_aborted(struct unit *u);

/* The one step of a transaction=off unit. */
MUST_CHECK bool run_off(struct unit *u, struct err *err);

/* 55P03 lock_not_available, 40P01 deadlock_detected (PostgreSQL, appendix A). */
bool is_lock_failure(const struct err *err);
/* Waits before the next attempt; false when the budget is used up. */
bool wait_to_retry(struct unit *u, const struct step *step, int64_t started_ms, const struct err *why);

#endif
