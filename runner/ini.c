#include "runner/ini.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <ini_configobj.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The text as the library gets it, and which line of the file each of its lines was. */
struct source {
	const char *path;
	struct buf text;
	int *lines;
	size_t n;
};

static void source_clear(struct source *s)
{
	buf_clear(&s->text);
	free(s->lines);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Comments and empty lines are taken out here: the library reads an indented comment below a value as
 * the value's next line. */
static void source_fill(struct source *s, const char *text, size_t len)
{
	int line = 0;

	for (size_t at = 0, next; at < len; at = next) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t stop = end ? (size_t)(end - text) : len;
		size_t word = at;

		next = stop + 1;
		line++;
		while (stop > at && is_blank(text[stop - 1]))
			stop--;
		while (word < stop && is_blank(text[word]))
			word++;
		if (word == stop || text[word] == '#' || text[word] == ';')
			continue;
		buf_add(&s->text, text + at, stop - at);
		buf_char(&s->text, '\n');
		s->lines = mem_grow(s->lines, s->n + 1, sizeof(*s->lines));
		s->lines[s->n++] = line;
	}
}

static int source_line(const struct source *s, size_t line)
{
	return line > 0 && line <= s->n ? s->lines[line - 1] : 0;
}

/* Of the library's errors (ini_configobj.h, enum ERR_PARSE) in our words. */
static const struct complaint {
	int number;
	const char *text, *hint;
} complaints[] = {
	{ ERR_NOCLOSESEC, "a section's line does not end with ]", "write [name] on a line of its own" },
	{ ERR_NOSECTION, "a section has no name", "write [name] on a line of its own" },
	{ ERR_NOEQUAL, "a line is neither [section] nor key = value",
	  "start comments with # on a line of their own, and indent lines that continue a value" },
	{ ERR_NOKEY, "there is no key before the equals sign", "" },
	{ ERR_SPACE, "an indented line continues no value",
	  "start keys and sections at the line's first character" },
};

/* "Error (9) on line 3: ..." */
static bool read_complaint(const char *text, long *number, size_t *line)
{
	static const char before[] = "Error (", between[] = ") on line ";
	char *end;

	if (!text_starts(text, before))
		return false;
	*number = strtol(text + strlen(before), &end, 10);
	if (!text_starts(end, between))
		return false;
	*line = strtoul(end + strlen(between), &end, 10);
	return true;
}

static bool complain(const struct source *s, const char *text, struct err *err)
{
	long number = 0;
	size_t line = 0;

	if (read_complaint(text, &number, &line)) {
		for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
			if (complaints[i].number != number)
				continue;
			err_set(err, ERR_USAGE, "%s", complaints[i].text);
			err_hint(err, "%s", complaints[i].hint);
			return err_at(err, s->path, source_line(s, line));
		}
	}
	err_set(err, ERR_USAGE, "not a configuration file: %s", text);
	return err_at(err, s->path, source_line(s, line));
}

/* The library sorts by kind, not by line: people fix the first one first. */
static bool report_first(const struct source *s, struct ini_cfgobj *parsed, struct err *err)
{
	char **errors = NULL;
	const char *first = NULL;
	size_t first_line = SIZE_MAX;

	if (ini_config_get_errors(parsed, &errors) != 0 || !errors || !errors[0]) {
		err_set(err, ERR_USAGE, "not a configuration file");
		ini_config_free_errors(errors);
		return err_at(err, s->path, 0);
	}
	for (size_t i = 0; errors[i]; i++) {
		size_t line = 0;
		long number = 0;

		if (read_complaint(errors[i], &number, &line) && line < first_line) {
			first = errors[i];
			first_line = line;
		}
	}
	complain(s, first ? first : errors[0], err);
	ini_config_free_errors(errors);
	return false;
}

/* One blank between words; used for section names alone. */
static char *squeeze(const char *text)
{
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);

	for (const char *c = text; *c; c++) {
		if (!is_blank(*c))
			buf_char(&out, *c);
		else if (out.len > 0 && out.data[out.len - 1] != ' ')
			buf_char(&out, ' ');
	}
	return buf_take(&out);
}

static bool take_entry(const struct source *s, struct value_obj *value, const char *section, const char *key,
                       struct ini *out, struct err *err)
{
	cleanup_free char *text = NULL;
	const char *whole = NULL;
	uint32_t line = 0;

	if (!value || value_get_line(value, &line) != 0 || value_get_concatenated(value, &whole) != 0)
		return err_set(err, ERR_USAGE, "%s: [%s] %s cannot be read", s->path, section, key);
	if (ini_get(out, section, key)) {
		err_set(err, ERR_USAGE, "\"%s\" is given twice in [%s]", key, section);
		err_hint(err, "remove one of the two");
		return err_at(err, s->path, source_line(s, line));
	}
	text = mem_strdup(whole);
	ini_add(out, section, key, text_trim(text), source_line(s, line));
	return true;
}

/* The list names a key as often as it stands in the file; NEXT goes on from the value asked for last. */
static bool take_key(const struct source *s, struct ini_cfgobj *parsed, const char *section, const char *key,
                     struct ini *out, struct err *err)
{
	struct value_obj *value = NULL;
	bool again = ini_get(out, section, key) != NULL;

	if (ini_get_config_valueobj(section, key, parsed, INI_GET_FIRST_VALUE, &value) != 0 ||
	    (again && ini_get_config_valueobj(section, key, parsed, INI_GET_NEXT_VALUE, &value) != 0))
		value = NULL;
	return take_entry(s, value, section, key, out, err);
}

static bool take_section(const struct source *s, struct ini_cfgobj *parsed, const char *section,
                         struct ini *out, struct err *err)
{
	int n = 0, error = 0;
	char **keys = ini_get_attribute_list(parsed, section, &n, &error);
	bool ok = true;

	if (!keys)
		return err_set(err, ERR_USAGE, "%s: [%s] cannot be read", s->path, section);
	for (int i = 0; ok && i < n; i++)
		ok = take_key(s, parsed, section, keys[i], out, err);
	ini_free_attribute_list(keys);
	return ok;
}

static int by_line(const void *a, const void *b)
{
	return ((const struct ini_entry *)a)->line - ((const struct ini_entry *)b)->line;
}

static bool take_all(const struct source *s, struct ini_cfgobj *parsed, struct ini *out, struct err *err)
{
	int n = 0, error = 0;
	char **sections = ini_get_section_list(parsed, &n, &error);
	bool ok = true;

	if (!sections)
		return err_set(err, ERR_USAGE, "%s: the sections cannot be read", s->path);
	for (int i = 0; ok && i < n; i++)
		ok = take_section(s, parsed, sections[i], out, err);
	ini_free_section_list(sections);
	if (ok && out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), by_line);
	return ok;
}

static bool parse(const struct source *s, struct ini_cfgobj *parsed, struct ini *out, struct err *err)
{
	struct ini_cfgfile *file = NULL;
	int status = ini_config_file_from_mem(s->text.data, (uint32_t)s->text.len, &file);

	/* Not INI_MV1S_DETECT: its complaints are not counted, and ini_config_get_errors() of libini_config 1.3.1
	 * then writes behind the list it made. */
	if (status == 0)
		status = ini_config_parse(file, INI_STOP_ON_NONE,
		                          INI_MV1S_ALLOW | INI_MV2S_ALLOW | INI_MS_MERGE,
		                          INI_PARSE_NO_C_COMMENTS, parsed);
	ini_config_file_destroy(file);
	if (status != 0 || ini_config_error_count(parsed) > 0)
		return report_first(s, parsed, err);
	return take_all(s, parsed, out, err);
}

static int line_of(const char *text, size_t offset)
{
	int line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

bool ini_parse(const char *text, size_t len, const char *path, struct ini *out, struct err *err)
{
	__attribute__((cleanup(source_clear))) struct source source = { .path = path,
		                                                        .text = BUF_INIT(BUF_TEXT_MAX) };
	cleanup_ini struct ini found = { .v = NULL };
	struct ini_cfgobj *parsed = NULL;
	size_t valid = text_utf8_valid(text, len);
	bool ok;

	if (valid < len) {
		err_set(err, ERR_USAGE, "a byte is not UTF-8 text");
		err_hint(err, "save the file as UTF-8");
		return err_at(err, path, line_of(text, valid));
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	source_fill(&source, text, len);
	if (source.n > 0) {
		if (ini_config_create(&parsed) != 0)
			return err_set(err, ERR_USAGE, "%s: out of memory", path);
		ok = parse(&source, parsed, &found, err);
		ini_config_destroy(parsed);
		if (!ok)
			return false;
	}
	*out = found;
	found = (struct ini){ .v = NULL };
	return true;
}

void ini_add(struct ini *ini, const char *section, const char *key, const char *value, int line)
{
	ini->v = mem_grow(ini->v, ini->n + 1, sizeof(*ini->v));
	ini->v[ini->n++] = (struct ini_entry){
		.section = squeeze(section), .key = mem_strdup(key), .value = mem_strdup(value), .line = line
	};
}

const struct ini_entry *ini_get(const struct ini *ini, const char *section, const char *key)
{
	for (size_t i = ini->n; i > 0; i--) {
		const struct ini_entry *e = &ini->v[i - 1];

		if (strcmp(e->section, section) == 0 && strcmp(e->key, key) == 0)
			return e;
	}
	return NULL;
}

void ini_clear(struct ini *ini)
{
	for (size_t i = 0; i < ini->n; i++) {
		free(ini->v[i].section);
		free(ini->v[i].key);
		free(ini->v[i].value);
	}
	free(ini->v);
	*ini = (struct ini){ .v = NULL };
}
