#include "policies/preset.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "policies/presets/presets.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX  ((size_t)1 << 16)
#define NAMES_MAX 16
#define ONE_GATE  "unknown."

static bool is_refuse(const char *key, const char *value, bool *refuse, struct err *err)
{
	if (strcmp(value, "refuse") != 0 && strcmp(value, "show") != 0)
		return err_set(err, ERR_USAGE, "%s is show or refuse, not \"%s\"", key, value);
	*refuse = *value == 'r';
	return true;
}

static bool take_unknown(struct preset *p, const char *key, const char *value, struct err *err)
{
	return is_refuse(key, value, &p->refuse_unknown, err);
}

static bool check_gate(const char *gate, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	for (size_t i = 0; i < gates_count(); i++)
		strv_add(&names, gates_name(i));
	if (strv_has(&names, gate))
		return true;
	near = text_nearest(gate, strv_argv(&names), names.n);
	err_set(err, ERR_USAGE, "there is no gate \"%s\"", gate);
	return near ? err_hint(err, "did you mean \"%s\"?", near)
	            : err_hint(err, "ripcord doctor lists the gates");
}

static bool take_unknown_of_gate(struct preset *p, const char *key, const char *value, struct err *err)
{
	const char *gate = key + strlen(ONE_GATE);
	bool refuse = false;

	if (!check_gate(gate, err) || !is_refuse(key, value, &refuse, err))
		return false;
	strv_add(refuse ? &p->refused : &p->shown, gate);
	return true;
}

static bool take_replay_lag(struct preset *p, const char *key, const char *value, struct err *err)
{
	if (strcmp(value, "none") == 0) {
		p->replay_lag_bytes.known = FACT_UNKNOWN;
		return true;
	}
	p->replay_lag_bytes.known = FACT_KNOWN;
	return text_to_size(value, &p->replay_lag_bytes.value) ||
	       err_set(err, ERR_USAGE, "%s is a size such as 256MiB, or none, not \"%s\"", key, value);
}

static bool take_rehearsal_age(struct preset *p, const char *key, const char *value, struct err *err)
{
	if (strcmp(value, "none") == 0) {
		p->rehearsal_age_ms.known = FACT_UNKNOWN;
		return true;
	}
	p->rehearsal_age_ms.known = FACT_KNOWN;
	return text_to_duration_ms(value, &p->rehearsal_age_ms.value) ||
	       err_set(err, ERR_USAGE, "%s is a duration such as 7d, or none, not \"%s\"", key, value);
}

static bool is_verdict(const char *key, const char *value, enum verdict *out, struct err *err)
{
	static const enum verdict may[] = { VERDICT_PASS, VERDICT_WARN, VERDICT_REFUSE };

	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		if (strcmp(value, verdict_name(may[i])) == 0) {
			*out = may[i];
			return true;
		}
	}
	return err_set(err, ERR_USAGE, "%s is pass, warn or refuse, not \"%s\"", key, value);
}

static bool take_rehearsal_failed(struct preset *p, const char *key, const char *value, struct err *err)
{
	return is_verdict(key, value, &p->rehearsal_failed, err);
}

static bool take_rehearsal_limit(struct preset *p, const char *key, const char *value, struct err *err)
{
	return is_verdict(key, value, &p->rehearsal_limit, err);
}

static bool take_rehearsal_missing(struct preset *p, const char *key, const char *value, struct err *err)
{
	return is_verdict(key, value, &p->rehearsal_missing, err);
}

static const struct {
	const char *key;
	bool (*take)(struct preset *p, const char *key, const char *value, struct err *err);
} keys[] = {
	{ "unknown", take_unknown },
	{ "replay_lag", take_replay_lag },
	{ "rehearsal.failed", take_rehearsal_failed },
	{ "rehearsal.limit", take_rehearsal_limit },
	{ "rehearsal.missing", take_rehearsal_missing },
	{ "rehearsal.age", take_rehearsal_age },
};

static bool take_key(struct preset *p, const char *key, const char *value, struct err *err)
{
	if (text_starts(key, ONE_GATE))
		return take_unknown_of_gate(p, key, value, err);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].key, key) == 0)
			return keys[i].take(p, key, value, err);
	}
	err_set(err, ERR_USAGE, "unknown key \"%s\" in a preset", key);
	return err_hint(
		err, "a preset has unknown, unknown.GATE, replay_lag, and rehearsal.failed, .limit, .missing "
		     "and .age");
}

static bool take_line(struct preset *p, char *line, struct err *err)
{
	char *word = text_trim(line);
	char *sign = strchr(word, '=');

	if (*word == '\0' || *word == '#' || *word == ';')
		return true;
	if (!sign)
		return err_set(err, ERR_USAGE, "a preset's line is not key = value");
	*sign = '\0';
	return take_key(p, text_trim(word), text_trim(sign + 1), err);
}

static bool parse(const char *text, const char *path, struct preset *p, struct err *err)
{
	cleanup_free char *copy = mem_strdup(text);
	int number = 0;

	for (char *line = copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (!take_line(p, line, err))
			return err_at(err, path, number);
	}
	return true;
}

const char *const *preset_names(void)
{
	static const char *names[NAMES_MAX + 1];

	for (size_t i = 0; i < NAMES_MAX && preset_texts[i].name; i++)
		names[i] = preset_texts[i].name;
	return names;
}

static bool no_such_preset(const char *name, struct err *err)
{
	const char *const *names = preset_names();
	const char *near;
	size_t n = 0;

	while (names[n])
		n++;
	near = text_nearest(name, names, n);
	err_set(err, ERR_USAGE, "there is no preset \"%s\"", name);
	if (near)
		return err_hint(err, "did you mean \"%s\"?", near);
	return err_hint(err, "presets are development, staging, production, or the path of a file");
}

static bool load(const char *name_or_path, struct preset *p, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MAX);

	for (const struct preset_text *t = preset_texts; t->name; t++) {
		if (strcmp(t->name, name_or_path) == 0)
			return parse(t->text, name_or_path, p, err);
	}
	if (!strchr(name_or_path, '/') && !text_ends(name_or_path, ".ini"))
		return no_such_preset(name_or_path, err);
	if (!file_read(name_or_path, &text, err))
		return err_recode(err, ERR_USAGE);
	return parse(buf_text(&text), name_or_path, p, err);
}

bool preset_load(const char *name_or_path, struct preset **out, struct err *err)
{
	cleanup_preset struct preset *p = mem_new0(sizeof(*p));

	p->refuse_unknown = true; /* a file that says nothing is strict */
	p->rehearsal_failed = p->rehearsal_limit = VERDICT_REFUSE;
	if (!load(name_or_path, p, err))
		return false;
	*out = p;
	p = NULL;
	return true;
}

void preset_free(struct preset *p)
{
	if (!p)
		return;
	strv_clear(&p->shown);
	strv_clear(&p->refused);
	free(p);
}
