/*
 * A run as its journal tells it, for who goes on with it.
 */
#include "runner/guard/recover.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "runner/proof/units.h"

#include <stdlib.h>
#include <string.h>

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

	if (run->request->verb == GUARD_COMMAND)
		return run_command_load(run, lines, err);
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

/* ------------------------------------------------------------------ what was there before */

/* Where the backup was waived the line has the facts themselves, but for the values of settings. */
static bool load_facts(struct run *run, const json_t *line, struct err *err)
{
	const char *backup = json_string_value(json_object_get(line, "backup"));

	if (!backup) {
		run->before.facts = json_incref(json_object_get(line, "facts"));
		return true;
	}
	run->report->backup_id = mem_strdup(backup);
	return run_find_backup(run, backup, err) && before_from_backup(run, err);
}

static bool load_before(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line = journal_find(lines, "before", "done");

	before_clear(&run->before);
	if (!load_facts(run, line, err))
		return false;
	run->before.oid = json_integer_value(json_object_get(line, "oid"));
	if (json_object_get(line, "counters"))
		return before_from_json(line, &run->before, err);
	/* A candidate's row, or one of an earlier program. */
	run->own.unknown = true;
	snprintf(run->own.why, sizeof(run->own.why),
	         "the counters from before the run are not told of any more");
	return true;
}

/* ------------------------------------------------------------------ what stands in the cluster */

/* Each line that was written before the fence was set or moved names a value that may be ours. */
static bool load_fence(struct run *run, const json_t *lines, struct err *err)
{
	const json_t *line;
	size_t i;
	struct fence fence = { .oid = 0 };
	int64_t is;

	cleanup_free char *oid = mem_fmt("%lld", (long long)run->before.oid);
	if (!db_int(run->admin,
	            "SELECT coalesce((SELECT datconnlimit::int8 FROM pg_catalog.pg_database WHERE oid = "
	            "$1::oid), "
	            "0)",
	            DB_ARGS(oid), &is, err))
		return false;
	json_array_foreach(lines, i, line)
	{
		if (strcmp(text_of(line, "step"), "fence") != 0)
			continue;
		if (strcmp(text_of(line, "event"), "open") == 0)
			fence.oid = 0;
		else if (json_integer_value(json_object_get(line, "ours")) == is)
			fence = (struct fence){ .oid = json_integer_value(json_object_get(line, "oid")),
				                .before = json_integer_value(json_object_get(line, "before")),
				                .ours = is };
	}
	run->fence = fence;
	return true;
}

/* Ready to be swapped in only if its COMMENT says so, which was the last that was done to it. */
static bool load_candidate(struct run *run, struct err *err)
{
	cleanup_free char *name = database_derived_name(run->database, "candidate", run->id);
	int64_t oid;
	bool proven;

	if (!run_made_database(run, name, &oid, &proven, err))
		return false;
	if (proven) {
		run->candidate = mem_strdup(name);
		run->candidate_oid = oid;
	}
	return true;
}

static bool load_reached(struct recovery *r, struct err *err)
{
	struct run *run = r->run;
	int64_t live;

	r->reached = journal_find(r->lines, "ladder", "begin")                 ? REACHED_WAY_BACK
	             : r->mirrored || journal_find(r->lines, "before", "done") ? REACHED_CHANGE
	                                                                       : REACHED_NOTHING;
	if (r->reached == REACHED_NOTHING || run->before.oid == 0)
		return true;
	if (!database_oid(run->admin, run->database, &live, err))
		return false;
	if (live == run->before.oid)
		return true;
	/* The restored database alone has a row of a run that was begun in another one. */
	if (r->mirrored || r->way == RECOVER_FORWARD) {
		r->reached = r->mirrored ? REACHED_SWAP : REACHED_NOTHING;
		return true;
	}
	err_set(err, ERR_REFUSED,
	        "database \"%s\" is another one than the run was begun in, and knows nothing of it",
	        run->database);
	return err_hint(err, "`ripcord recover %s --forward` closes the run and keeps what is there",
	                uuid_short(run->id));
}

bool recover_load(struct recovery *r, struct err *err)
{
	struct run *run = r->run;
	const json_t *before = journal_find(r->lines, "before", "done"),
		     *begun = journal_find(r->lines, "fence", "begin");

	if (before ? !load_before(run, r->lines, err) : !before_read(run, err))
		return false;
	/* A backup's fence is older than the line that says what was there. */
	if (!before && begun)
		run->before.oid = json_integer_value(json_object_get(begun, "oid"));
	if (!load_reached(r, err) || !load_fence(run, r->lines, err))
		return false;
	if (r->reached == REACHED_SWAP)
		return true;
	if (!load_own(run, r->lines, err) || !load_candidate(run, err))
		return false;
	if (!r->in_folder && before && !run->own.unknown) {
		run->own.unknown = true;
		snprintf(run->own.why, sizeof(run->own.why),
		         "the journal's file, which tells of transactions that were cut off, is not here");
	}
	return true;
}
