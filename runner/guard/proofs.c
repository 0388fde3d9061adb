#include "runner/guard/proofs.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROOF_MAX_BYTES = 4 << 20, FILE_MAX_BYTES = 1 << 28 };

static const char *const verdict_names[] = { [PROOF_REVERSIBLE] = "reversible",
	                                     [PROOF_LOSES_DATA] = "loses-data",
	                                     [PROOF_IRREVERSIBLE] = "irreversible",
	                                     [PROOF_ERROR] = "error" };

const char *proof_verdict_name(enum proof_verdict v) { return verdict_names[v]; }

bool proof_is_fine(const struct proof *p)
{
	return p->verdict < PROOF_IRREVERSIBLE || (p->verdict == PROOF_IRREVERSIBLE && p->declared);
}

void proof_clear(struct proof *p)
{
	free(p->revision);
	free(p->message);
	free(p->reason);
	free(p->backup);
	strv_clear(&p->copied);
	strv_clear(&p->loses);
	strv_clear(&p->differs);
	strv_clear(&p->notes);
	*p = (struct proof){ .verdict = PROOF_ERROR };
}

/* ------------------------------------------------------------------ JSON */

static json_t *strings(const struct strv *v)
{
	json_t *out = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_push(out, json_str(v->v[i]));
	return out;
}

static void read_strings(const json_t *array, struct strv *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(array, i, one) strv_add(out, json_string_value(one) ? json_string_value(one) : "");
}

json_t *proof_to_json(const struct proof *p)
{
	json_t *o = json_object();

	json_put(o, "revision", json_str(p->revision));
	json_put(o, "message", json_str(p->message));
	json_put(o, "verdict", json_str(proof_verdict_name(p->verdict)));
	json_put(o, "declared", json_boolean(p->declared));
	json_put(o, "reason", json_str(p->reason));
	json_put(o, "loses", strings(&p->loses));
	json_put(o, "differs", strings(&p->differs));
	json_put(o, "notes", strings(&p->notes));
	json_put(o, "backup", json_str(p->backup));
	json_put(o, "copied", strings(&p->copied));
	json_put(o, "sample", json_integer(p->sample));
	json_put(o, "server_version", json_integer(p->server_version));
	json_put(o, "seconds", json_real(p->seconds));
	json_put(o, "at", json_str(p->at));
	return o;
}

static char *copy_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? mem_strdup(text) : NULL;
}

static bool proof_from_json(const json_t *o, struct proof *out, struct err *err)
{
	const char *verdict, *at;
	int64_t sample;

	if (!json_need_str(o, "verdict", &verdict, err) || !json_need_str(o, "at", &at, err) ||
	    !json_need_int(o, "sample", &sample, err))
		return false;
	*out = (struct proof){ .verdict = PROOF_ERROR, .sample = sample };
	for (size_t i = 0; i < sizeof(verdict_names) / sizeof(verdict_names[0]); i++)
		if (strcmp(verdict, verdict_names[i]) == 0)
			out->verdict = (enum proof_verdict)i;
	out->declared = json_is_true(json_object_get(o, "declared"));
	out->revision = copy_of(o, "revision");
	out->message = copy_of(o, "message");
	out->reason = copy_of(o, "reason");
	out->server_version = (int)json_integer_value(json_object_get(o, "server_version"));
	out->seconds = json_number_value(json_object_get(o, "seconds"));
	out->backup = copy_of(o, "backup");
	read_strings(json_object_get(o, "copied"), &out->copied);
	read_strings(json_object_get(o, "loses"), &out->loses);
	read_strings(json_object_get(o, "differs"), &out->differs);
	read_strings(json_object_get(o, "notes"), &out->notes);
	snprintf(out->at, sizeof(out->at), "%s", at);
	return true;
}

/* ------------------------------------------------------------------ files */

/* Where the proof of the file as it is now is kept. */
static bool place_of(const char *state_dir, const struct revision *r, char **path, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MAX_BYTES);
	char hex[SHA256_HEX];

	if (!r->path) {
		err_set(err, ERR_USAGE, "revision %s has no file", r->id);
		return false;
	}
	if (!file_read(r->path, &text, err))
		return false;
	sha256_of(text.data, text.len, hex);
	*path = mem_fmt("%s/proofs/%s.json", state_dir, hex);
	return true;
}

static bool read_proof(const char *path, struct proof *out, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(PROOF_MAX_BYTES);
	cleanup_json json_t *o = NULL;

	return file_read(path, &text, err) && json_parse(buf_text(&text), text.len, path, &o, err) &&
	       proof_from_json(o, out, err);
}

static bool knows_worse(const char *path, const struct proof *p)
{
	struct proof kept = { .verdict = PROOF_ERROR };
	struct err none = ERR_INIT;

	if (!file_exists(path) || !read_proof(path, &kept, &none))
		return false;
	bool with_more = kept.sample > p->sample || (kept.backup && !p->backup);
	bool worse = with_more && kept.verdict > p->verdict && kept.verdict < PROOF_ERROR;
	proof_clear(&kept);
	return worse;
}

bool proofs_keep(const char *state_dir, const struct revision *r, const struct proof *p, struct err *err)
{
	cleanup_free char *path = NULL, *dir = mem_fmt("%s/proofs", state_dir), *text = NULL;
	cleanup_json json_t *o = proof_to_json(p);

	if (!place_of(state_dir, r, &path, err))
		return false;
	if (p->verdict == PROOF_ERROR)
		return unlink(path) == 0 || errno == ENOENT || err_sys(err, "cannot remove %s", path);
	if (knows_worse(path, p))
		return true;
	text = json_canonical(o);
	return file_make_dirs(dir, 0700, err) && file_replace(path, text, strlen(text), 0600, err);
}

bool proofs_find(const char *state_dir, const struct revision *r, struct proof *out)
{
	cleanup_free char *path = NULL;
	struct err none = ERR_INIT; /* without a proof that can be read there is none */

	return place_of(state_dir, r, &path, &none) && file_exists(path) && read_proof(path, out, &none);
}
