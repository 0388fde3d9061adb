#include "runner/report.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* What each outcome is called, exits with, and means for the database: design.md section 8. */
struct outcome_row {
	const char *name;
	int exit;
	const char *meaning;
};

#define EXIT_BY_ERROR (-1)

static const struct outcome_row outcomes[] = {
	[OUTCOME_UPGRADED] = { "upgraded", 0, "the database is as asked" },
	[OUTCOME_DOWNGRADED] = { "downgraded", 0, "the database is as asked" },
	[OUTCOME_UNCHANGED] = { "unchanged", 0, "there was nothing to do" },
	[OUTCOME_REFUSED] = { "refused", 3, "nothing was changed" },
	[OUTCOME_ROLLED_BACK] = { "rolled-back", 4,
	                          "everything was undone, and the database is as it was before" },
	[OUTCOME_RESTORED] = { "restored", 5,
	                       "the backup was restored, and the database is as it was before" },
	[OUTCOME_STUCK] = { "stuck", 6,
	                    "a person is needed: the run could neither finish nor be taken back" },
	[OUTCOME_FAILED] = { "failed", EXIT_BY_ERROR, "nothing was changed" },
	[OUTCOME_LOCKED] = { "locked", 8,
	                     "another run holds this database; nothing was changed by this one" },
};

const char *outcome_name(enum outcome o) { return outcomes[o].name; }

enum outcome outcome_of_name(const char *name)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (strcmp(outcomes[i].name, name) == 0)
			return (enum outcome)i;
	return OUTCOME_STUCK;
}

void run_report_clear(struct run_report *r)
{
	for (size_t i = 0; i < r->n_steps; i++)
		free(r->steps[i].revision);
	free(r->steps);
	strv_clear(&r->from);
	strv_clear(&r->to);
	strv_clear(&r->next);
	free(r->backup_id);
	free(r->failure_revision);
	free(r->quarantine);
	*r = (struct run_report){ .outcome = OUTCOME_UNCHANGED };
}

void run_report_step(struct run_report *r, const char *revision, enum direction direction,
                     const char *outcome, double seconds)
{
	r->steps = mem_grow(r->steps, r->n_steps + 1, sizeof(*r->steps));
	r->steps[r->n_steps++] = (struct step_report){
		.revision = mem_strdup(revision),
		.direction = direction,
		.outcome = outcome,
		.seconds = seconds,
	};
}

int run_report_exit(const struct run_report *r)
{
	int status = outcomes[r->outcome].exit;

	if (status != EXIT_BY_ERROR)
		return status;
	/* An error's own code may speak of a gate or the lock; a failed run is 1, 2 or 7 and nothing else. */
	status = err_exit_status(r->failure.code);
	return status == 2 || status == 7 ? status : 1;
}

/* ---------------------------------------------------------------- JSON */

static json_t *strings_json(const struct strv *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_push(array, json_str(s->v[i]));
	return array;
}

static json_t *backup_json(const struct run_report *r)
{
	if (!r->backup_id)
		return json_null();
	json_t *o = json_object();
	json_put(o, "id", json_str(r->backup_id));
	json_put(o, "bytes", json_integer(r->backup_bytes));
	json_put(o, "seconds", json_real(r->backup_seconds));
	return o;
}

static const char *direction_name(enum direction d) { return d == DIRECTION_UP ? "up" : "down"; }

static json_t *steps_json(const struct run_report *r)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->n_steps; i++) {
		json_t *o = json_object();
		json_put(o, "revision", json_str(r->steps[i].revision));
		json_put(o, "direction", json_str(direction_name(r->steps[i].direction)));
		json_put(o, "outcome", json_str(r->steps[i].outcome));
		json_put(o, "seconds", json_real(r->steps[i].seconds));
		json_push(array, o);
	}
	return array;
}

static const char *or_null(const char *text) { return text && *text ? text : NULL; }

static json_t *failure_json(const struct run_report *r)
{
	const struct err *e = &r->failure;

	if (e->code == ERR_NONE)
		return json_null();
	json_t *o = json_object();
	json_put(o, "phase", json_str(r->failure_phase));
	json_put(o, "revision", json_str(r->failure_revision));
	json_put(o, "sqlstate", json_str(or_null(e->sqlstate)));
	json_put(o, "message", json_str(e->msg));
	json_put(o, "hint", json_str(or_null(e->hint)));
	json_put(o, "file", json_str(or_null(e->file)));
	json_put(o, "line", e->line > 0 ? json_integer(e->line) : json_null());
	return o;
}

json_t *run_report_json(const struct run_report *r)
{
	json_t *o = json_object();

	json_put(o, "run", json_str(or_null(r->run)));
	json_put(o, "outcome", json_str(outcome_name(r->outcome)));
	json_put(o, "from", strings_json(&r->from));
	json_put(o, "to", strings_json(&r->to));
	json_put(o, "backup", backup_json(r));
	json_put(o, "revisions", steps_json(r));
	json_put(o, "failure", failure_json(r));
	json_put(o, "quarantine", json_str(r->quarantine));
	json_put(o, "next", strings_json(&r->next));
	return o;
}

/* ---------------------------------------------------------------- text */

static void print_heads(const struct strv *heads, FILE *out)
{
	if (heads->n == 0)
		fputs("base", out);
	for (size_t i = 0; i < heads->n; i++)
		fprintf(out, "%s%s", i ? ", " : "", heads->v[i]);
}

/* Text from servers and files must not steer the terminal. */
static void print_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F)
			fprintf(out, "\\x%02X", c);
		else
			fputc(c, out);
	}
}

/* Where, what happened to what, and below it what to do: the form of every error of the program. */
static void print_failure(const struct run_report *r, FILE *out)
{
	const struct err *e = &r->failure;

	if (e->code == ERR_NONE)
		return;
	fputs("ripcord: ", out);
	if (*e->file)
		fprintf(out, "%s:", e->file);
	if (*e->file && e->line > 0)
		fprintf(out, "%d:", e->line);
	if (*e->file)
		fputc(' ', out);
	if (r->failure_phase)
		fprintf(out, "%s%s%s: ", r->failure_phase, r->failure_revision ? " of " : "",
		        r->failure_revision ? r->failure_revision : "");
	print_text(e->msg, out);
	if (*e->sqlstate)
		fprintf(out, " (SQLSTATE %s)", e->sqlstate);
	fputc('\n', out);
	if (*e->hint) {
		fputs("  ", out);
		print_text(e->hint, out);
		fputc('\n', out);
	}
}

static bool is_success(enum outcome o) { return outcomes[o].exit == 0; }

/* Another tool's upgrade (guard) need not touch our version table. */
static bool heads_moved(const struct run_report *r)
{
	if (r->from.n != r->to.n)
		return true;
	for (size_t i = 0; i < r->from.n; i++) {
		if (strcmp(r->from.v[i], r->to.v[i]) != 0)
			return true;
	}
	return false;
}

static void print_outcome(const struct run_report *r, FILE *out)
{
	fputs(outcome_name(r->outcome), out);
	if ((r->outcome == OUTCOME_UPGRADED || r->outcome == OUTCOME_DOWNGRADED) && heads_moved(r)) {
		fputs(" from ", out);
		print_heads(&r->from, out);
		fputs(" to ", out);
		print_heads(&r->to, out);
	} else {
		fprintf(out, ": %s", outcomes[r->outcome].meaning);
	}
	/* Only what was proven to be as before may name where that is. */
	if (r->outcome == OUTCOME_ROLLED_BACK || r->outcome == OUTCOME_RESTORED) {
		fputs(", at ", out);
		print_heads(&r->from, out);
	}
	fputc('\n', out);
}

static void print_steps(const struct run_report *r, FILE *out)
{
	char took[TEXT_SHORT];

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct step_report *s = &r->steps[i];
		fprintf(out, "  %-4s %s  %s, %s\n", direction_name(s->direction), s->revision, s->outcome,
		        text_duration((int64_t)(s->seconds * 1000), took));
	}
}

static void print_facts(const struct run_report *r, FILE *out)
{
	char size[TEXT_SHORT], took[TEXT_SHORT];

	if (r->backup_id)
		fprintf(out, "backup %s: %s in %s\n", r->backup_id, text_size(r->backup_bytes, size),
		        text_duration((int64_t)(r->backup_seconds * 1000), took));
	if (r->quarantine)
		fprintf(out, "the failed database is kept as \"%s\": ripcord quarantine drop ends it\n",
		        r->quarantine);
	if (*r->run)
		fprintf(out, "run %s\n", r->run);
}

void run_report_print(const struct run_report *r, FILE *out)
{
	print_failure(r, out);
	print_outcome(r, out);
	print_steps(r, out);
	print_facts(r, out);
	if (r->next.n > 0)
		fputs(is_success(r->outcome) ? "then:\n" : "what to do next:\n", out);
	for (size_t i = 0; i < r->next.n; i++)
		fprintf(out, "  %s\n", r->next.v[i]);
}
