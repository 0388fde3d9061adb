#include "runner/guard/rehearsals.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { REHEARSAL_MAX_BYTES = 64 << 20 };

/* ------------------------------------------------------------------ sums */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static void keep_longest(json_t *sums, const char *relation, double value)
{
	const json_t *known = json_object_get(sums, relation);

	if (!known || json_number_value(known) < value)
		json_put(sums, relation, json_real(value));
}

static void add_rewrites(struct rehearsal_sums *s, const json_t *statement)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(statement, "rewrites"), i, one)
	{
		const char *kind = text_of(one, "kind");
		if (*kind == 'r' || *kind == 'm')
			keep_longest(s->rewrites, text_of(one, "relation"),
			             json_number_value(json_object_get(one, "bytes")));
	}
}

static void add_estimate(struct rehearsal_sums *s, const json_t *revision)
{
	const json_t *estimate = json_object_get(revision, "estimate"), *seconds;
	const char *relation;

	if (!json_is_object(estimate) || s->estimated < 0) {
		s->estimated = -1;
		return;
	}
	s->estimated += json_number_value(json_object_get(estimate, "seconds"));
	json_object_foreach(json_object_get(estimate, "exclusive"), relation, seconds)
		keep_longest(s->held, relation, json_number_value(seconds));
}

static void add_revision(struct rehearsal_sums *s, const json_t *revision)
{
	const json_t *one;
	size_t i;

	add_estimate(s, revision);

	s->seconds += json_number_value(json_object_get(revision, "seconds"));
	s->wal_bytes += json_integer_value(json_object_get(revision, "wal_bytes"));
	s->temp_bytes += json_integer_value(json_object_get(revision, "temp_bytes"));
	json_array_foreach(json_object_get(revision, "statements"), i, one) add_rewrites(s, one);
	json_array_foreach(json_object_get(revision, "locks"), i, one)
	{
		if (strcmp(text_of(one, "mode"), "ACCESS EXCLUSIVE") == 0)
			keep_longest(s->exclusive, text_of(one, "relation"),
			             json_number_value(json_object_get(one, "seconds")));
	}
}

static bool is_of_step(const json_t *revision, const struct step *step)
{
	char digest[SHA256_HEX];

	if (strcmp(text_of(revision, "revision"), step->revision->id) != 0)
		return false;
	step_sha256(step, digest);
	return strcmp(text_of(revision, "sha256"), digest) == 0;
}

const json_t *rehearsal_step(const json_t *rehearsal, const struct step *step)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rehearsal, "revisions"), i, one)
	{
		if (is_of_step(one, step))
			return one;
	}
	return NULL;
}

bool rehearsal_has(const json_t *rehearsal, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (!rehearsal_step(rehearsal, &plan->steps[i]))
			return false;
	return true;
}

bool rehearsal_fails(const json_t *rehearsal, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (is_of_step(json_object_get(rehearsal, "failed"), &plan->steps[i]))
			return true;
	return false;
}

bool rehearsal_sum(const json_t *rehearsal, const struct plan *plan, struct rehearsal_sums *out,
                   const char **missing)
{
	const json_t *one;
	size_t i;

	*out = (struct rehearsal_sums){ .exclusive = json_object(),
		                        .rewrites = json_object(),
		                        .held = json_object() };
	if (!plan)
		json_array_foreach(json_object_get(rehearsal, "revisions"), i, one) add_revision(out, one);
	for (i = 0; plan && i < plan->n; i++) {
		one = rehearsal_step(rehearsal, &plan->steps[i]);
		if (one) {
			add_revision(out, one);
			continue;
		}
		*missing = plan->steps[i].revision->id;
		rehearsal_sums_clear(out);
		return false;
	}
	return true;
}

void rehearsal_sums_clear(struct rehearsal_sums *s)
{
	json_decref(s->exclusive);
	json_decref(s->rewrites);
	json_decref(s->held);
	*s = (struct rehearsal_sums){ .seconds = 0 };
}

void rehearsal_print(const struct rehearsal_sums *s, FILE *out)
{
	char took[TEXT_SHORT], size[TEXT_SHORT];
	const json_t *value;
	const char *relation;

	fprintf(out, "%s, %s of WAL", text_duration((int64_t)(s->seconds * 1000), took),
	        text_size(s->wal_bytes, size));
	if (s->temp_bytes > 0)
		fprintf(out, ", %s of temporary files", text_size(s->temp_bytes, size));
	json_object_foreach(s->exclusive, relation, value)
		fprintf(out, "; ACCESS EXCLUSIVE on %s for %s", relation,
	                text_duration((int64_t)(json_number_value(value) * 1000), took));
	json_object_foreach(s->rewrites, relation, value) fprintf(
		out, "; rewrites %s (%s)", relation, text_size((int64_t)json_number_value(value), size));
}

void rehearsal_print_estimate(const json_t *rehearsal, const struct rehearsal_sums *s, FILE *out)
{
	const char *missing = text_of(rehearsal, "estimate_missing"), *relation;
	char took[TEXT_SHORT];
	const json_t *value;

	if (s->estimated < 0) {
		fprintf(out, "none%s%s", *missing ? ": " : "", missing);
		return;
	}
	fputs(text_duration((int64_t)(s->estimated * 1000), took), out);
	json_object_foreach(s->held, relation, value)
		fprintf(out, "; ACCESS EXCLUSIVE on %s for %s", relation,
	                text_duration((int64_t)(json_number_value(value) * 1000), took));
}

/* ------------------------------------------------------------------ files */

static char *place_of(const char *state_dir, const char *database)
{
	cleanup_free char *name = text_percent(database);

	return mem_fmt("%s/rehearsals/%s.json", state_dir, name);
}

bool rehearsals_keep(const char *state_dir, const char *database, const json_t *rehearsal, struct err *err)
{
	cleanup_free char *path = place_of(state_dir, database), *dir = mem_fmt("%s/rehearsals", state_dir),
			  *text = json_canonical(rehearsal);

	return file_make_dirs(dir, 0700, err) && file_replace(path, text, strlen(text), 0600, err);
}

json_t *rehearsals_find(const char *state_dir, const char *database)
{
	cleanup_free char *path = place_of(state_dir, database);
	cleanup_buf struct buf text = BUF_INIT(REHEARSAL_MAX_BYTES);
	struct err none = ERR_INIT; /* one that cannot be read is as good as none */
	json_t *out = NULL;

	if (!file_exists(path) || !file_read(path, &text, &none) ||
	    !json_parse(buf_text(&text), text.len, path, &out, &none))
		return NULL;
	return out;
}
