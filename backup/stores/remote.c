#include "backup/stores/remote.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_RANDOM 12

/* ------------------------------------------------------------------ configuration */

const char *remote_value(const struct store_config *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i], key) == 0)
			return *c->values[i] ? c->values[i] : NULL;
	return NULL;
}

bool remote_need(const struct store_config *c, const char *key, const char **out, struct err *err)
{
	*out = remote_value(c, key);
	return *out ||
	       err_set(err, ERR_USAGE, "[store %s]: a store of type %s needs %s", c->name, c->type, key);
}

static bool must_be(const struct store_config *c, const char *key, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, "[store %s]: %s must be %s", c->name, key, what);
}

bool remote_bool(const struct store_config *c, const char *key, bool fallback, bool *out, struct err *err)
{
	const char *value = remote_value(c, key);

	*out = fallback;
	return !value || text_to_bool(value, out) || must_be(c, key, "yes or no", err);
}

bool remote_int(const struct store_config *c, const char *key, int64_t fallback, int64_t most, int64_t *out,
                struct err *err)
{
	const char *value = remote_value(c, key);

	*out = fallback;
	return !value || (text_to_int64(value, out) && *out >= 1 && *out <= most) ||
	       err_set(err, ERR_USAGE, "[store %s]: %s must be a number from 1 to %lld", c->name, key,
	               (long long)most);
}

bool remote_stall(const struct store_config *c, int64_t *out_ms, struct err *err)
{
	const char *value = remote_value(c, "stall_timeout");

	*out_ms = REMOTE_STALL_DEFAULT_MS;
	return !value || (text_to_duration_ms(value, out_ms) && *out_ms > 0) ||
	       must_be(c, "stall_timeout", "a duration above 0, such as 60s", err);
}

/* ------------------------------------------------------------------ names */

char *remote_part(const char *key)
{
	char random[PART_RANDOM + 1];
	const char *slash = strrchr(key, '/');
	int dir = slash ? (int)(slash + 1 - key) : 0;

	random_hex(random, PART_RANDOM);
	return mem_fmt("%.*s" REMOTE_PART "%s-%s", dir, key, random, key + dir);
}

bool remote_is_hidden(const char *name) { return name[0] == '.' || name[0] == '\0'; }

/* ------------------------------------------------------------------ attempts */

bool remote_again(int64_t n, int64_t attempts, struct err *err)
{
	if (err->code != ERR_IO || err->sys_errno == ETIMEDOUT || n + 1 >= attempts)
		return false;
	clock_sleep_ms(clock_backoff_ms((int)n, REMOTE_BACKOFF_MS, REMOTE_BACKOFF_CAP_MS));
	*err = (struct err)ERR_INIT;
	return true;
}

static bool is_passing(int status)
{
	static const int statuses[] = { 408, 429, 500, 502, 503, 504 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i] == status)
			return true;
	return false;
}

bool remote_run(struct transfer_client *client, const struct transfer_request *req, int64_t attempts,
                struct transfer_result *out, struct err *err)
{
	for (int64_t n = 0;; n++) {
		struct err why = ERR_INIT;
		transfer_result_clear(out);
		bool ok = transfer_run(client, req, out, &why);
		if (ok && !is_passing(out->status))
			return true;
		if (ok)
			err_set(&why, ERR_IO, "%s: HTTP status %d", req->method, out->status);
		/* A missing file is an answer; so is a status, once all attempts had the like. */
		if (out->how == TRANSFER_MISSING || !remote_again(n, attempts, &why)) {
			if (!ok)
				*err = why;
			return ok;
		}
	}
}

/* ------------------------------------------------------------------ streams */

struct remote_upload *remote_upload_new(const char *key)
{
	struct remote_upload *u = mem_new0(sizeof(*u));

	u->key = mem_strdup(key);
	u->part = remote_part(key);
	return u;
}

bool remote_write(struct upload *u, const void *data, size_t len, struct err *err)
{
	struct remote_upload *self = (struct remote_upload *)u;

	if (len == 0)
		return true;
	if (!transfer_write(self->transfer, data, len, err)) {
		int status = transfer_status(self->transfer);
		return status ? err_wrap(err, "HTTP status %d", status) : false;
	}
	self->bytes += (int64_t)len;
	self->last = ((const char *)data)[len - 1];
	return true;
}

void remote_upload_end(struct remote_upload *u)
{
	transfer_free(u->transfer);
	u->transfer = NULL;
}

void remote_upload_free(struct remote_upload *u)
{
	remote_upload_end(u);
	free(u->url);
	free(u->part);
	free(u->key);
	strv_clear(&u->headers);
	free(u);
}

bool remote_read(struct download *d, void *data, size_t cap, size_t *got, struct err *err)
{
	return transfer_read(((struct remote_download *)d)->transfer, data, cap, got, err);
}

void remote_end_read(struct download *d)
{
	struct remote_download *self = (struct remote_download *)d;

	transfer_free(self->transfer);
	free(self->url);
	free(self->range);
	strv_clear(&self->headers);
	free(self);
}

bool remote_free_bytes(const struct store *s, bool *known, int64_t *bytes, struct err *err)
{
	(void)s, (void)err;
	*known = false;
	*bytes = 0;
	return true;
}

struct sweep {
	bool (*remove)(const void *store, const char *part);
	const void *store;
	bool gave_up; /* the server does not answer: not asked for every note */
};

static bool settle(void *ctx, const char *part, const struct strv *ids)
{
	struct sweep *sweep = ctx;

	(void)ids;
	sweep->gave_up = sweep->gave_up || !sweep->remove(sweep->store, part);
	return !sweep->gave_up;
}

void remote_sweep(const struct note_place *notes, bool (*remove)(const void *store, const char *part),
                  const void *store)
{
	struct sweep ctx = { .remove = remove, .store = store };

	notes_visit(notes, settle, &ctx);
}
