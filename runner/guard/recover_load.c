/*
 * A run as its journal tells it, for who goes on with it.
 */
#include "runner/guard/recover.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "runner/proof/units.h"

#include <stdlib.h>
#include <string.h>

/* What was there before, from the journal, else from the backup. */
static bool load_before(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line = journal_find(lines, "before", "done");
	const char *backup = json_string_value(json_object_get(line, "backup"));

	before_clear(&run->before);
	if (backup && (!run_find_backup(run, backup, err) || !before_from_backup(run, err)))
		return false;
	if (backup)
		run->report->backup_id = mem_strdup(backup);
	run->before.oid = json_integer_value(json_object_get(line, "oid"));
	if (!json_object_get(line, "counters")) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the journal's file, which has the counters, is not here");
		return true;
	}
	schema_free(run->before.schema);
	schema_free(run->before.roles);
	run->before.schema = run->before.roles = NULL;
	free(run->before.system_identifier);
	return before_from_json(line, &run->before, err);
}

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

/* What was committed the database knows best: its account commits with each unit. */
static bool load_committed(struct run *run, bool instead, struct err *err)
{
	cleanup_units struct units units = { .n = 0 };
	struct own_share known = { .unknown = run->own.unknown };

	if (run->request->verb == GUARD_COMMAND)
		return true;
	if (!units_read(run->db, run->id, &units, err))
		return false;
	own_share_clear(&run->committed);
	run->committed = units.share;
	units.share = (struct own_share){ .n_relations = 0 };
	if (!instead)
		return true;
	memcpy(known.why, run->own.why, sizeof(known.why));
	own_share_clear(&run->own);
	run->own = known;
	cleanup_json json_t *copy = own_share_to_json(&run->committed);
	return own_share_from_json(copy, &run->own, err);
}

/* Our own share up to the last unit that ended; one that was begun and did not end has taken its share with it. */
static bool load_own(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line;
	size_t i;
	bool open = false, statements = false, partial = false;
	const json_t *last = NULL, *last_done = NULL;

	json_array_foreach((json_t *)lines, i, line)
	{
		const char *step = text_of(line, "step"), *event = text_of(line, "event");
		bool unit = strcmp(step, "upgrade") == 0 ||
		            (strcmp(step, "downgrade") == 0 && json_object_get(line, "revisions"));
		statements = !unit && (statements || strcmp(step, "statement") == 0);
		if (!unit && strcmp(step, "change") != 0)
			continue;
		if (unit)
			open = strcmp(event, "begin") == 0;
		partial = json_is_true(json_object_get(line, "partial"));
		if (json_object_get(line, "own"))
			last = json_object_get(line, "own");
		if (json_object_get(line, "own") && strcmp(event, "done") == 0)
			last_done = last;
	}
	/* Those statements were committed one by one: there is nothing that PostgreSQL took back. */
	run->left_partial = partial || (open && statements);
	if (open) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the run was ended inside a transaction, which nobody can ask any more");
	}
	return (!last || own_share_from_json(last, &run->own, err)) &&
	       (!last_done || own_share_from_json(last_done, &run->committed, err)) &&
	       load_committed(run, open || !last, err);
}

static void load_fence_and_candidate(struct run *run, const json_t *lines)
{
	const json_t *fence = journal_find(lines, "fence", "begin"),
		     *candidate = journal_find(lines, "candidate", "done");

	if (fence)
		run->fence = (struct fence){ .oid = json_integer_value(json_object_get(fence, "oid")),
			                     .before = json_integer_value(json_object_get(fence, "before")),
			                     .ours = json_integer_value(json_object_get(fence, "ours")) };
	if (candidate) {
		run->candidate = mem_strdup(text_of(candidate, "database"));
		run->candidate_oid = json_integer_value(json_object_get(candidate, "oid"));
	}
}

bool recover_load(struct run *run, const json_t *lines, bool changed, struct err *err)
{
	if ((changed && !load_before(run, lines, err)) || !load_own(run, lines, err))
		return false;
	load_fence_and_candidate(run, lines);
	return true;
}
