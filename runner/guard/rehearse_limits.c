#include "runner/guard/rehearse_limits.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/rehearsals.h"

#include <string.h>

enum { STATEMENT_SHOWN = 40 }; /* bytes of its first line */

struct limits {
	const json_t *rehearsal;
	const struct plan *plan;
	const struct config *config;
	json_t *out;
};

/* Of the copy, and of the live database: -1 where there is no estimate. */
struct times {
	double measured, estimated;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static struct times times_of(const json_t *o, const json_t *estimate, const char *key)
{
	const json_t *estimated = json_object_get(estimate, key);

	return (struct times){ .measured = json_number_value(json_object_get(o, "seconds")),
		               .estimated = estimated ? json_number_value(estimated) : -1 };
}

static void check(struct limits *l, const struct step *step, const char *limit, int64_t allowed_ms,
                  struct times is, const char *relation, const char *statement)
{
	double allowed = (double)allowed_ms / 1000;

	if (allowed_ms <= 0 || (is.measured <= allowed && is.estimated <= allowed))
		return;
	json_push(l->out,
	          json_pack("{s:s, s:s, s:o, s:o, s:f, s:f, s:o}", "revision", step->revision->id, "limit",
	                    limit, "relation", json_str(relation), "statement", json_str(statement),
	                    "allowed_seconds", allowed, "measured_seconds", is.measured, "estimated_seconds",
	                    is.estimated < 0 ? json_null() : json_real(is.estimated)));
}

/* ------------------------------------------------------------------ statement_timeout */

static int64_t timeout_of(const struct limits *l, const struct section *s)
{
	return s->statement_timeout_ms >= 0 ? s->statement_timeout_ms : l->config->statement_timeout_ms;
}

/* A batch is a statement of its own each time, about as long wherever there are more of them. */
static void check_statement(struct limits *l, const struct step *step, const json_t *statement)
{
	const struct revision *r = step->revision;
	const json_int_t batches = json_integer_value(json_object_get(statement, "batches"));
	struct times is = times_of(statement, statement, "estimated_seconds");

	if (batches > 0)
		is.measured = is.estimated = is.measured / (double)batches;
	check(l, step, "statement_timeout", timeout_of(l, batches > 0 ? &r->batch : &r->upgrade), is, NULL,
	      text_of(statement, "text"));
}

/* ------------------------------------------------------------------ lock_hold */

/* How many steps from `from` on are one transaction. */
static size_t unit_length(const struct limits *l, size_t from)
{
	size_t n = 1;

	if (!l->config->whole || !step_is_transactional(&l->plan->steps[from]))
		return 1;
	while (from + n < l->plan->n && step_is_transactional(&l->plan->steps[from + n]))
		n++;
	return n;
}

/* The strictest of the unit's. */
static int64_t hold_of(const struct limits *l, size_t from, size_t n)
{
	int64_t least = 0;

	for (size_t i = from; i < from + n; i++) {
		const struct section *s = &l->plan->steps[i].revision->upgrade;
		int64_t hold = s->hold_ms >= 0 ? s->hold_ms : l->config->lock_hold_ms;
		if (hold > 0 && (least == 0 || hold < least))
			least = hold;
	}
	return least;
}

/* A lock is held to the end of its transaction: over the steps up to `end`, too. */
static void check_locks(struct limits *l, size_t at, size_t end, int64_t hold_ms)
{
	const struct step *step = &l->plan->steps[at];
	const json_t *lock;
	struct times more = { .measured = 0 };
	size_t i;

	for (size_t k = at + 1; k < end; k++) {
		const json_t *later = rehearsal_step(l->rehearsal, &l->plan->steps[k]);
		struct times is = times_of(later, json_object_get(later, "estimate"), "seconds");
		more.measured += is.measured;
		more.estimated += is.estimated > 0 ? is.estimated : 0;
	}
	json_array_foreach(json_object_get(rehearsal_step(l->rehearsal, step), "locks"), i, lock)
	{
		struct times is = times_of(lock, lock, "estimated_seconds");
		is.measured += more.measured;
		is.estimated = is.estimated < 0 ? -1 : is.estimated + more.estimated;
		if (strcmp(text_of(lock, "mode"), "ACCESS EXCLUSIVE") == 0)
			check(l, step, "lock_hold", hold_ms, is, text_of(lock, "relation"), NULL);
	}
}

/* ------------------------------------------------------------------ both */

json_t *rehearse_limits(const json_t *rehearsal, const struct plan *plan, const struct config *config,
                        bool fenced)
{
	struct limits l = { .rehearsal = rehearsal, .plan = plan, .config = config, .out = json_array() };
	const json_t *statement;
	size_t k;

	for (size_t i = 0, n; i < plan->n; i += n) {
		n = unit_length(&l, i);
		for (size_t at = i; at < i + n; at++) {
			const json_t *revision = rehearsal_step(rehearsal, &plan->steps[at]);
			json_array_foreach(json_object_get(revision, "statements"), k, statement)
				check_statement(&l, &plan->steps[at], statement);
			if (!fenced)
				check_locks(&l, at, i + n, hold_of(&l, i, n));
		}
	}
	return l.out;
}

char *rehearse_limit_text(const json_t *limit)
{
	double allowed = json_number_value(json_object_get(limit, "allowed_seconds")),
	       measured = json_number_value(json_object_get(limit, "measured_seconds")),
	       estimated = json_number_value(json_object_get(limit, "estimated_seconds"));
	bool is_measured = measured > allowed;
	const char *relation = json_string_value(json_object_get(limit, "relation")),
		   *statement = text_of(limit, "statement");
	char took[TEXT_SHORT], most[TEXT_SHORT];
	size_t shown = strcspn(statement, "\n");

	cleanup_free char *what =
		relation ? mem_fmt("ACCESS EXCLUSIVE on %s", relation)
			 : mem_strndup(statement,
	                               text_utf8_cut(statement,
	                                             shown < STATEMENT_SHOWN ? shown : STATEMENT_SHOWN));
	text_duration((int64_t)((is_measured ? measured : estimated) * 1000), took);
	return mem_fmt("%s: %s %s, %s %s: %s", text_of(limit, "revision"), text_of(limit, "limit"),
	               text_duration((int64_t)(allowed * 1000), most), is_measured ? "measured" : "estimated",
	               took, what);
}
