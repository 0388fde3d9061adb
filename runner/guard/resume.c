/*
 * Going on with a revision that was cut off between the pieces that it commits one by one: at the one that was not done.
 *
 * Until that is whole the ledger does not tell the truth about the schema, and no downgrade fits it.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

static bool is_line(const json_t *line, const char *step, const char *event)
{
	return strcmp(text_of(line, "step"), step) == 0 && strcmp(text_of(line, "event"), event) == 0;
}

/* The unit that was begun and did not end, however often: of its lines the first. */
static const json_t *open_unit(const json_t *lines, size_t *at)
{
	const json_t *line, *open = NULL;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		if (!json_object_get(line, "revisions"))
			continue;
		bool begins = strcmp(text_of(line, "event"), "begin") == 0;
		if (begins && !open) {
			open = line;
			*at = i;
		} else if (!begins)
			open = NULL;
	}
	return open;
}

/* What the lines from `from` on say of the revision's statements; called for the file's lines and the mirror's. */
static void read_statements(const json_t *lines, size_t from, const char *revision,
                            struct exec_resume *resume)
{
	for (size_t i = from; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);
		size_t index = (size_t)json_integer_value(json_object_get(line, "index"));

		if (strcmp(text_of(line, "step"), "statement") != 0 ||
		    strcmp(text_of(line, "revision"), revision) != 0)
			continue;
		if (is_line(line, "statement", "done") && index >= resume->done)
			resume->done = index + 1;
	}
}

static void read_begun(const json_t *lines, size_t from, const char *revision, struct exec_resume *resume)
{
	for (size_t i = from; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);

		if (is_line(line, "statement", "begin") && strcmp(text_of(line, "revision"), revision) == 0 &&
		    (size_t)json_integer_value(json_object_get(line, "index")) == resume->done)
			resume->begun = json_object_get(line, "about");
	}
}

/* The evidence is in the database; the file may lack its last line. */
static bool read_mirror(struct run *run, json_t **lines, struct err *err)
{
	cleanup_free char *text = NULL;

	return db_value(run->db,
	                "SELECT coalesce((SELECT journal FROM ripcord.run WHERE run = $1::uuid), '[]')::text",
	                DB_ARGS(run->id), &text, err) &&
	       json_parse(text, strlen(text), "ripcord.run", lines, err);
}

/* The plan that the unit belongs to: the run's own, or the way back that it had begun to go. */
static bool plan_of(struct run *run, const json_t *unit, struct plan **back, const struct plan **plan,
                    size_t *at, struct err *err)
{
	bool down = strcmp(text_of(unit, "direction"), "downgrade") == 0;

	*plan = run->plan;
	*at = run->done;
	if (down == (run->request->verb == GUARD_DOWNGRADE))
		return true;
	*at = 0;
	if (!plan_reverse(run->plan, run->done, back, err))
		return false;
	*plan = *back;
	return true;
}

static bool same_text(const struct step *step, const json_t *unit, struct err *err)
{
	char digest[SHA256_HEX];

	step_sha256(step, digest);
	return strcmp(text_of(unit, "section"), digest) == 0 ||
	       err_set(err, ERR_REFUSED, "revision %s was half done, and its file is another now",
	               step->revision->id);
}

/*
 * What a transaction wrote before it was cut off is in the server's counters and nobody can tell how much, so what its
 * second attempt writes over cannot be told from others' any more (units.h).  That matters if the way leads back
 * afterwards: then the restore is proven only without it.
 */
static bool spoils_proof(const struct exec_resume *resume, bool is_last)
{
	return !is_last && resume->begun && !json_is_true(json_object_get(resume->begun, "bare"));
}

bool run_resume(struct run *run, const json_t *lines, struct err *err)
{
	cleanup_plan struct plan *back = NULL;
	cleanup_json json_t *mirror = NULL;
	const struct plan *plan = NULL;
	struct exec_resume resume = { .done = 0 };
	size_t from = 0, mirrored = 0, at = 0;
	const json_t *unit = open_unit(lines, &from);

	if (!unit || !run->plan)
		return true;
	const char *id = json_string_value(json_array_get(json_object_get(unit, "revisions"), 0));
	if (!id || !plan_of(run, unit, &back, &plan, &at, err))
		return false;
	/* What the ledger has as committed needs nothing; a transaction was taken back by the server. */
	if (at >= plan->n || strcmp(plan->steps[at].revision->id, id) != 0 ||
	    step_is_transactional(&plan->steps[at]))
		return true;
	if (!same_text(&plan->steps[at], unit, err) || !read_mirror(run, &mirror, err))
		return false;
	if (!open_unit(mirror, &mirrored))
		mirrored = 0;
	read_statements(lines, from, id, &resume);
	read_statements(mirror, mirrored, id, &resume);
	read_begun(mirror, mirrored, id, &resume);
	read_begun(lines, from, id, &resume);
	if (resume.done == 0 && !resume.begun)
		return true; /* nothing of it was begun: it is taken back with the rest */
	if (spoils_proof(&resume, plan == run->plan && at + 1 == plan->n))
		return true;
	log_info("revision %s: goes on behind its statement %zu", id, resume.done);
	return run_steps_resume(run, plan, at, &resume, err);
}
