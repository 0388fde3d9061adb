/* `runs`: what the journals tell. */
#include "runner/guard/restore_run.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/run.h"

#include <stdlib.h>
#include <string.h>

static json_t *copy_of(const json_t *obj, const char *key)
{
	json_t *value = json_object_get(obj, key);

	return value ? json_incref(value) : json_null();
}

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

/* Sessions are for recovery alone. */
static bool is_told(const json_t *line) { return strcmp(text_of(line, "step"), "session") != 0; }

/* How far a run came that has not ended: "upgrade r2: begin". */
static json_t *phase_of(const json_t *lines)
{
	size_t i = json_array_size(lines);

	while (i > 0 && !is_told(json_array_get(lines, i - 1)))
		i--;
	if (i == 0 || journal_is_finished(lines))
		return json_null();
	const json_t *line = json_array_get(lines, i - 1);
	const char *revision = json_string_value(json_array_get(json_object_get(line, "revisions"), 0));
	cleanup_free char *phase = mem_fmt("%s%s%s: %s", text_of(line, "step"), revision ? " " : "",
	                                   revision ? revision : "", text_of(line, "event"));
	return json_str(phase);
}

/* Without one whole line nothing was begun. */
static const char *outcome_of(const json_t *lines)
{
	const char *outcome = journal_outcome(lines);

	if (json_array_size(lines) == 0)
		return "unchanged";
	return outcome ? outcome : "unfinished";
}

/* What is known of a run that ended, or of one that did not. */
json_t *run_summary(const char *run, const json_t *lines)
{
	const json_t *begin = journal_find(lines, "run", "begin"), *end = journal_find(lines, "run", "end");
	const json_t *before = journal_find(lines, "before", "done");
	json_t *out = json_object();

	json_put(out, "run", json_str(run));
	json_put(out, "outcome", json_str(outcome_of(lines)));
	json_put(out, "phase", phase_of(lines));
	json_put(out, "verb", copy_of(begin, "verb"));
	json_put(out, "database", copy_of(begin, "database"));
	json_put(out, "started", copy_of(begin, "at"));
	json_put(out, "finished", copy_of(end, "at"));
	json_put(out, "from", copy_of(begin, "from"));
	json_put(out, "to", copy_of(begin, "to"));
	json_put(out, "backup", copy_of(before, "backup"));
	json_put(out, "accepted", json_boolean(journal_find(lines, "run", "accepted") != NULL));
	return out;
}

/* Each line that ends a step becomes one entry: how long since its begin, and how it ended. */
static json_t *steps_of(const json_t *lines)
{
	json_t *steps = json_array(), *line;
	size_t i;

	json_array_foreach((json_t *)lines, i, line)
	{
		const char *step = text_of(line, "step"), *event = text_of(line, "event");
		json_t *entry;

		if (strcmp(event, "begin") == 0 || strcmp(step, "run") == 0 || !is_told(line))
			continue;
		entry = json_object();
		json_put(entry, "step", json_str(step));
		json_put(entry, "outcome", json_str(event));
		json_put(entry, "at", copy_of(line, "at"));
		json_put(entry, "seconds",
		         json_object_get(line, "ms")
		                 ? json_real((double)json_integer_value(json_object_get(line, "ms")) / 1000)
		                 : json_null());
		if (json_object_get(line, "revisions"))
			json_put(entry, "revisions", copy_of(line, "revisions"));
		if (*text_of(line, "why"))
			json_put(entry, "why", copy_of(line, "why"));
		json_push(steps, entry);
	}
	return steps;
}

bool runs_list(const struct config *config, json_t **out, struct err *err)
{
	cleanup_strv struct strv runs = STRV_INIT;
	cleanup_json json_t *list = json_array();

	if (!journal_runs(config->state_dir, &runs, err))
		return false;
	for (size_t i = 0; i < runs.n; i++) {
		cleanup_json json_t *lines = NULL;
		if (!journal_read(config->state_dir, runs.v[i], &lines, err))
			return false;
		json_push(list, run_summary(runs.v[i], lines));
	}
	*out = json_incref(list);
	return true;
}

bool runs_find(const char *state_dir, const char *prefix, char **out, struct err *err)
{
	cleanup_strv struct strv runs = STRV_INIT;
	const char *found = NULL;

	if (!journal_runs(state_dir, &runs, err))
		return false;
	for (size_t i = 0; i < runs.n; i++) {
		if (!text_starts(runs.v[i], prefix) && strcmp(uuid_short(runs.v[i]), prefix) != 0)
			continue;
		if (found)
			return err_set(err, ERR_USAGE, "several runs begin with %s", prefix);
		found = runs.v[i];
	}
	if (!found) {
		err_set(err, ERR_USAGE, "no run begins with %s", prefix);
		return err_hint(err, "see `ripcord runs`");
	}
	*out = mem_strdup(found);
	return true;
}

bool runs_show(const struct config *config, const char *run, json_t **out, struct err *err)
{
	cleanup_free char *id = NULL;
	cleanup_json json_t *lines = NULL;

	if (!runs_find(config->state_dir, run, &id, err) || !journal_read(config->state_dir, id, &lines, err))
		return false;
	*out = run_summary(id, lines);
	json_put(*out, "steps", steps_of(lines));
	json_put(*out, "report", copy_of(journal_find(lines, "run", "end"), "report"));
	return true;
}
