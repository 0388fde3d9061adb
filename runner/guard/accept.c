#include "runner/guard/accept.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/guard/restore_run.h"
#include "runner/guard/run.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? text : "";
}

static const char *backup_of(const json_t *lines)
{
	return text_of(journal_find(lines, "before", "done"), "backup");
}

static bool is_accepted(const json_t *lines) { return journal_find(lines, "run", "accepted") != NULL; }

static bool has_outcome(const json_t *lines, const char *wanted)
{
	const char *outcome = journal_outcome(lines);

	return outcome && strcmp(outcome, wanted) == 0;
}

/* `by`: what accepted it besides the command itself, or NULL. */
static bool note_accepted(const struct config *config, const char *run, const char *by, struct err *err)
{
	cleanup_journal struct journal *journal = NULL;

	return journal_reopen(config->state_dir, run, &journal, err) &&
	       journal_write(journal, "run", "accepted", by ? json_pack("{s:s}", "by", by) : NULL, err);
}

/* ------------------------------------------------------------------ the runs and what stands beside them */

static bool has_unfinished(const struct config *config, const struct strv *runs, bool *found, struct err *err)
{
	for (size_t i = 0; i < runs->n; i++) {
		cleanup_json json_t *lines = NULL;
		bool ended;
		if (!journal_has_ended(config->state_dir, runs->v[i], &ended, err) ||
		    (!ended && !journal_read(config->state_dir, runs->v[i], &lines, err)))
			return false;
		/* A journal without a first line is of a run that did nothing. */
		*found |= lines && !journal_is_finished(lines) && journal_find(lines, "run", "begin");
	}
	return true;
}

static bool is_quarantine(const struct quarantine_entry *e)
{
	return text_starts(e->comment, "ripcord: quarantine ");
}

/* NULL when there is none; else why pins are held. */
static const char *quarantine_hold(const struct config *config)
{
	struct quarantine_entry *entries = NULL;
	struct err ignored = ERR_INIT;
	const char *hold = NULL;
	size_t n = 0;

	if (!quarantine_list(config, &entries, &n, &ignored))
		return "the server cannot be asked whether there is a quarantine";
	for (size_t i = 0; i < n; i++)
		if (is_quarantine(&entries[i]))
			hold = "a quarantine is there";
	quarantine_entries_free(entries, n);
	return hold;
}

bool pins_read(const struct config *config, struct pins *out, struct err *err)
{
	struct pins p = { .config = config };
	bool unfinished = false;

	if (!journal_runs(config->state_dir, &p.runs, err) ||
	    !has_unfinished(config, &p.runs, &unfinished, err)) {
		pins_clear(&p);
		return false;
	}
	if (unfinished)
		p.hold = "a run is unfinished";
	else if (p.runs.n > 0)
		p.hold = quarantine_hold(config);
	*out = p;
	return true;
}

void pins_clear(struct pins *p) { strv_clear(&p->runs); }

/* NULL for a run that this state folder does not know, or whose journal cannot be read. */
static json_t *lines_of(const struct pins *p, const char *run)
{
	struct err err = ERR_INIT;
	json_t *lines = NULL;

	if (strv_has(&p->runs, run) && !journal_read(p->config->state_dir, run, &lines, &err))
		log_warn("%s", err.msg);
	return lines;
}

/* ------------------------------------------------------------------ by time */

static bool is_older(const json_t *lines, int64_t than_ms, int64_t now_us)
{
	int64_t ended_us;

	return clock_from_iso(text_of(journal_find(lines, "run", "end"), "at"), &ended_us) &&
	       now_us - ended_us >= than_ms * 1000;
}

/* Why a pin holds that is of a run which is not accepted; NULL when it does not. */
static char *why_held(const struct pins *p, const json_t *lines, const char *run, int64_t now_us)
{
	const char *outcome = journal_outcome(lines);
	char after[TEXT_SHORT];

	if (!has_outcome(lines, "upgraded"))
		return mem_fmt("run %s is %s: until a later upgrade is accepted, or ripcord backup unpin",
		               run, outcome ? outcome : "unfinished");
	if (!is_older(lines, p->config->accept_after_ms, now_us))
		return mem_fmt("run %s is not accepted, and ended less than %s ago (accept_after)", run,
		               text_duration(p->config->accept_after_ms, after));
	return p->hold ? mem_fmt("run %s is not accepted, and %s", run, p->hold) : NULL;
}

bool pins_lapsed(const struct pins *p, const char *reason, int64_t now_us, char **why)
{
	cleanup_json json_t *lines = lines_of(p, reason);

	if (!lines) {
		*why = mem_strdup(reason);
		return false;
	}
	if (is_accepted(lines)) {
		*why = mem_fmt("run %s is accepted", reason);
		return true;
	}
	*why = why_held(p, lines, reason, now_us);
	if (*why)
		return false;
	*why = mem_fmt("run %s was upgraded, and accept_after has passed", reason);
	return true;
}

bool pins_let_go(const struct pins *p, const struct stores *stores, const struct manifest *m, struct err *err)
{
	cleanup_json json_t *lines = lines_of(p, manifest_pin_reason(m));

	return backup_set_pin(stores, m, false, NULL, err) &&
	       (!lines || is_accepted(lines) ||
	        note_accepted(p->config, manifest_pin_reason(m), "accept_after", err));
}

/* ------------------------------------------------------------------ by the command */

static char *newest_upgraded(const struct config *config, struct err *err)
{
	cleanup_strv struct strv runs = STRV_INIT;

	if (!journal_runs(config->state_dir, &runs, err))
		return NULL;
	for (size_t i = 0; i < runs.n; i++) {
		cleanup_json json_t *lines = NULL;
		if (!journal_read(config->state_dir, runs.v[i], &lines, err))
			return NULL;
		if (has_outcome(lines, "upgraded") && !is_accepted(lines))
			return mem_strdup(runs.v[i]);
	}
	err_set(err, ERR_REFUSED, "there is no upgraded run to accept");
	return NULL;
}

/* The run that is meant; NULL and *err when there is none. */
static char *choose_run(const struct config *config, const char *run, struct err *err)
{
	char *id = NULL;

	if (!run)
		return newest_upgraded(config, err);
	return runs_find(config->state_dir, run, &id, err) ? id : NULL;
}

/* The run's own pin, nobody else's. */
static bool is_pinned_by(const struct manifest *m, const char *run)
{
	const char *reason = manifest_pin_reason(m);

	return reason && strcmp(reason, run) == 0;
}

static bool unpin(const struct stores *stores, const struct backup_list *list, const char *backup,
                  const char *run, struct err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct manifest *m = list->v[i].manifest;
		if (strcmp(manifest_id(m), backup) != 0)
			continue;
		if (manifest_is_pinned(m) && !is_pinned_by(m, run))
			log_warn("backup %s stays pinned: %s", backup, manifest_pin_reason(m));
		return !is_pinned_by(m, run) || backup_set_pin(stores, m, false, NULL, err);
	}
	/* Deleted by hand is as good as unpinned; a store that does not answer may still have it. */
	return list->warnings.n == 0 ||
	       err_set(err, ERR_BACKUP, "cannot unpin backup %s: %s", backup, list->warnings.v[0]);
}

static bool same_database(const json_t *a, const json_t *b)
{
	const json_t *x = journal_find(a, "run", "begin"), *y = journal_find(b, "run", "begin");

	return strcmp(text_of(x, "database"), text_of(y, "database")) == 0 &&
	       strcmp(text_of(x, "system_identifier"), text_of(y, "system_identifier")) == 0;
}

/* What an accepted upgrade stands on need not be kept for the runs before it either. */
static bool lets_go(const struct pins *p, const json_t *accepted, const json_t *earlier)
{
	if (!journal_is_finished(earlier) || !same_database(accepted, earlier))
		return false;
	return !has_outcome(earlier, "restored") ||
	       !p->hold; /* its quarantine may be all there is of its data */
}

static bool accept_earlier(const struct pins *p, const struct stores *stores, const struct backup_list *list,
                           const char *id, const json_t *accepted, struct err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *run = manifest_pin_reason(list->v[i].manifest);
		/* UUIDs of version 7 sort by time. */
		if (!run || strcmp(run, id) >= 0 || !strv_has(&p->runs, run))
			continue;
		cleanup_json json_t *lines = lines_of(p, run);
		if (!lines || !lets_go(p, accepted, lines))
			continue;
		if (!backup_set_pin(stores, list->v[i].manifest, false, NULL, err) ||
		    (!is_accepted(lines) && !note_accepted(p->config, run, id, err)))
			return false;
	}
	return true;
}

static bool accept(const struct pins *p, const char *id, const json_t *lines, struct err *err)
{
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_backup_list struct backup_list list = { .n = 0 };

	return stores_open(p->config->store_configs, p->config->n_store_configs, &stores, err) &&
	       backup_list_read(&stores, &list, err) &&
	       (!*backup_of(lines) || unpin(&stores, &list, backup_of(lines), id, err)) &&
	       accept_earlier(p, &stores, &list, id, lines, err) &&
	       (is_accepted(lines) || note_accepted(p->config, id, NULL, err));
}

bool runs_accept(const struct config *config, const char *run, json_t **out, struct err *err)
{
	cleanup_free char *id = choose_run(config, run, err);
	cleanup_json json_t *lines = NULL;
	cleanup_pins struct pins p = { .hold = NULL };

	if (!id || !journal_read(config->state_dir, id, &lines, err) || !pins_read(config, &p, err))
		return false;
	const char *outcome = journal_outcome(lines);
	if (!has_outcome(lines, "upgraded"))
		return err_set(err, ERR_REFUSED, "run %s is %s: only an upgraded run can be accepted", id,
		               outcome ? outcome : "unfinished");
	if (!accept(&p, id, lines, err))
		return false;
	*out = run_summary(id, lines);
	json_put(*out, "accepted", json_true());
	return true;
}
