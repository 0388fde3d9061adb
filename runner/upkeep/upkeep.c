#include "runner/upkeep/upkeep.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { STATE_MAX = 1 << 20, ANSWER_MAX = 1 << 20, PAUSE_MS = 1000 };

static const char *const work_names[] = { "backup", "verify", "drill", "prune" };

/* ------------------------------------------------------------------ what is kept */

static char *database_of(const struct config *config)
{
	cleanup_conninfo struct conninfo *ci = NULL;
	struct err ignored = ERR_INIT;

	if (!config_database(config, &ci, &ignored) || !conninfo_dbname(ci))
		return mem_strdup("");
	return mem_strdup(conninfo_dbname(ci));
}

static char *state_path(const struct config *config, const char *database)
{
	cleanup_free char *safe = text_percent(database);

	return mem_fmt("%s/upkeep/%s.json", config->state_dir, *safe ? safe : "_");
}

/* What cannot be read is begun anew: it only feeds metrics. */
static json_t *read_state(const char *path)
{
	cleanup_buf struct buf text = BUF_INIT(STATE_MAX);
	struct err err = ERR_INIT;
	json_t *state = NULL;

	if (!file_exists(path))
		return json_object();
	if (!file_read(path, &text, &err) || !json_parse(buf_text(&text), text.len, path, &state, &err))
		log_warn("%s", err.msg);
	if (json_is_object(state))
		return state;
	json_decref(state);
	return json_object();
}

static json_t *success_json(const struct upkeep_event *event, int64_t now_us)
{
	json_t *o = json_object();

	json_put(o, "at_us", json_integer(now_us));
	if (event->manifest) {
		json_put(o, "id", json_str(manifest_id(event->manifest)));
		json_put(o, "created_us", json_integer(manifest_created_us(event->manifest)));
		json_put(o, "bytes", json_integer(manifest_bytes(event->manifest)));
	}
	if (event->seconds >= 0)
		json_put(o, "seconds", json_real(event->seconds));
	return o;
}

/* That there was nothing to do is an attempt that went well, and leaves what the last backup was. */
static void update(json_t *state, const struct upkeep_event *event)
{
	json_t *work = json_object_get(state, work_names[event->work]);
	int64_t now_us = clock_wall_us();

	if (!work) {
		work = json_object();
		json_put(state, work_names[event->work], work);
	}
	json_put(work, "attempt_us", json_integer(now_us));
	json_put(work, "exit", json_integer(event->failure ? err_exit_status(event->failure->code) : 0));
	if (!event->failure && !event->unchanged)
		json_put(work, "success", success_json(event, now_us));
}

/* ------------------------------------------------------------------ metrics */

/* Where a number is in the state: WORK, then in it, or in its last success. */
static const struct metric {
	const char *name, *help;
	enum upkeep_work work;
	const char *key;
	bool of_success, is_time;
} metrics[] = {
	{ "ripcord_backup_newest_timestamp_seconds", "When the newest verified backup was begun.",
	  UPKEEP_BACKUP, "created_us", true, true },
	{ "ripcord_backup_newest_bytes", "Its size in one store.", UPKEEP_BACKUP, "bytes", true, false },
	{ "ripcord_backup_newest_duration_seconds", "How long it took, without reading it back.",
	  UPKEEP_BACKUP, "seconds", true, false },
	{ "ripcord_backup_attempt_timestamp_seconds", "When a backup was last tried.", UPKEEP_BACKUP,
	  "attempt_us", false, true },
	{ "ripcord_backup_attempt_exit_status", "How that ended; 0 is well.", UPKEEP_BACKUP, "exit", false,
	  false },
	{ "ripcord_backup_verify_success_timestamp_seconds",
	  "When a backup was last verified by hand or by timer.", UPKEEP_VERIFY, "at_us", true, true },
	{ "ripcord_backup_verify_attempt_timestamp_seconds", "When that was last tried.", UPKEEP_VERIFY,
	  "attempt_us", false, true },
	{ "ripcord_backup_verify_attempt_exit_status", "How that ended; 7 is a damaged backup.",
	  UPKEEP_VERIFY, "exit", false, false },
	{ "ripcord_backup_drill_success_timestamp_seconds", "When a backup was last restored for practice.",
	  UPKEEP_DRILL, "at_us", true, true },
	{ "ripcord_backup_drill_duration_seconds", "How long that took: the time to recovery.", UPKEEP_DRILL,
	  "seconds", true, false },
	{ "ripcord_backup_drill_attempt_exit_status", "How the last drill ended; 0 is well.", UPKEEP_DRILL,
	  "exit", false, false },
	{ "ripcord_backup_prune_success_timestamp_seconds", "When retention last went through.", UPKEEP_PRUNE,
	  "at_us", true, true },
	{ "ripcord_backup_prune_attempt_exit_status", "How retention last ended; 0 is well.", UPKEEP_PRUNE,
	  "exit", false, false },
};

/* Backslash, quote and newline, as the text format says. */
static void add_label(struct buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			buf_str(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_char(out, '\\');
		buf_char(out, *value);
	}
}

static void add_metric(struct buf *out, const struct metric *m, const char *database, const json_t *state)
{
	const json_t *work = json_object_get(state, work_names[m->work]);
	const json_t *number =
		json_object_get(m->of_success ? json_object_get(work, "success") : work, m->key);

	if (!json_is_number(number))
		return; /* never happened: the metric is absent, which an alert can ask for */
	buf_fmt(out, "# HELP %s %s\n# TYPE %s gauge\n%s{database=\"", m->name, m->help, m->name, m->name);
	add_label(out, database);
	buf_fmt(out, "\"} %.3f\n", json_number_value(number) / (m->is_time ? 1e6 : 1));
}

char *upkeep_metrics(const char *database, const json_t *state)
{
	struct buf out = BUF_INIT(STATE_MAX);

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		add_metric(&out, &metrics[i], database, state);
	return buf_take(&out);
}

/* 0644: the collector runs as somebody else, and there is nothing secret in it. */
static bool write_metrics(const struct config *config, const char *database, const struct upkeep_event *event,
                          struct err *err)
{
	cleanup_free char *path = state_path(config, database), *dir = path_dir(path);
	cleanup_json json_t *state = read_state(path);

	update(state, event);
	cleanup_free char *kept = json_canonical(state), *text = upkeep_metrics(database, state);
	return file_make_dirs(dir, 0700, err) && file_replace(path, kept, strlen(kept), 0600, err) &&
	       file_replace(config->textfile, text, strlen(text), 0644, err);
}

/* ------------------------------------------------------------------ notifications */

static char *event_json(const char *database, const struct upkeep_event *event)
{
	const char *outcome = event->failure ? "failed" : event->unchanged ? "unchanged" : "done";
	cleanup_json json_t *o = json_object();
	char iso[CLOCK_ISO];

	json_put(o, "work", json_str(work_names[event->work]));
	json_put(o, "outcome", json_str(outcome));
	json_put(o, "exit", json_integer(event->failure ? err_exit_status(event->failure->code) : 0));
	json_put(o, "database", json_str(database));
	json_put(o, "at", json_str(clock_iso(clock_wall_us(), iso)));
	json_put(o, "backup", json_str(event->manifest ? manifest_id(event->manifest) : NULL));
	json_put(o, "bytes", event->manifest ? json_integer(manifest_bytes(event->manifest)) : json_null());
	json_put(o, "seconds", event->seconds >= 0 ? json_real(event->seconds) : json_null());
	json_put(o, "message", json_str(event->failure ? event->failure->msg : NULL));
	return json_canonical(o);
}

/* The path of such a URL is its secret (hooks of chat services, health checks), so no message has more than the host. */
static char *host_of(const char *url)
{
	const char *start = strstr(url, "://");
	const char *host = start ? start + 3 : url;
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);

	return at ? mem_strndup(at + 1, len - (size_t)(at + 1 - host)) : mem_strndup(host, len);
}

static bool post(const struct config *config, const char *url, const char *body, char **why)
{
	cleanup_strv struct strv headers = STRV_INIT;
	cleanup_buf struct buf answer = BUF_INIT(ANSWER_MAX);
	struct err err = ERR_INIT;
	int status = 0;

	strv_add(&headers, "Content-Type: application/json");
	const struct http_request request = { .method = "POST",
		                              .url = url,
		                              .headers = &headers,
		                              .body = body,
		                              .body_len = strlen(body),
		                              .timeout_ms = config->notify_timeout_ms };
	if (!http_send(&request, &status, &answer, &err)) {
		const char *reason =
			strrchr(err.msg, ' '); /* never the URL, which stands before the last colon */
		while (reason && reason > err.msg && reason[-1] != ':')
			reason--;
		*why = mem_fmt("%s", reason ? reason + (*reason == ' ') : "no answer");
		return false;
	}
	if (status >= 200 && status < 300)
		return true;
	*why = mem_fmt("status %d", status);
	return false;
}

static void notify(const struct config *config, const char *database, const struct upkeep_event *event)
{
	const char *url = event->failure ? config->notify_failure : config->notify_success;
	cleanup_free char *body = event_json(database, event);

	for (int attempt = 1; url; attempt++) {
		cleanup_free char *why = NULL;
		if (post(config, url, body, &why))
			return;
		if (attempt >= config->notify_attempts) {
			cleanup_free char *host = host_of(url);
			log_warn("nobody was told of the %s: %s: %s", event->failure ? "failure" : "success",
			         host, why);
			return;
		}
		clock_sleep_ms(PAUSE_MS);
	}
}

void upkeep_tell(const struct config *config, const struct upkeep_event *event)
{
	cleanup_free char *database = database_of(config);
	struct err err = ERR_INIT;

	if (config->textfile && !write_metrics(config, database, event, &err))
		log_warn("the metrics were not written: %s", err.msg);
	notify(config, database, event);
}
