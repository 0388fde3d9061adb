/* Reader of ripcord's own format: design.md section 4. */
#include "migrations/graph.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "migrations/locks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ID_MAX       32
#define MARKER       "ripcord:"
#define READ_AT_ONCE ((size_t)64 << 10)

/* The file while it is read; lines are cut out of text one by one. */
struct reader {
	const char *path;
	char *at; /* the next line */
	int line; /* of the line in hand */
	struct node *node;
	struct section *section; /* that is open, NULL in the header */
	unsigned seen_keys;      /* a bit a header key */
};

static bool bad(const struct reader *r, struct err *err, const char *what)
{
	err_set(err, ERR_USAGE, "%s", what);
	return err_at(err, r->path, r->line);
}

void section_sha256(const struct section *s, char hex[SHA256_HEX])
{
	sha256_of(s->text, strlen(s->text), hex);
}

void step_sha256(const struct step *step, char hex[SHA256_HEX])
{
	const struct revision *rev = step->revision;
	bool up = step->direction == DIRECTION_UP;
	const char *text = up ? rev->upgrade.text : rev->downgrade.text;
	struct sha256 *h = sha256_new();

	sha256_add(h, text, strlen(text) + 1); /* with its NUL, which stands in no file */
	if (up && rev->batch.present)
		sha256_add(h, rev->batch.text, strlen(rev->batch.text));
	sha256_hex(h, hex);
	sha256_free(h);
}

bool revision_id_is_valid(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len <= ID_MAX &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

/* ------------------------------------------------------------------ header */

static bool set_id(struct reader *r, const char *value, struct err *err)
{
	if (!revision_id_is_valid(value)) {
		err_set(err, ERR_USAGE, "'%s' cannot be a revision's id", value);
		err_hint(err, "an id has 1 to %d of the characters A-Z a-z 0-9 _", ID_MAX);
		return err_at(err, r->path, r->line);
	}
	r->node->rev.id = mem_strdup(value);
	return true;
}

static bool set_ids(struct reader *r, struct strv *list, const char *value, struct err *err)
{
	strv_split(list, value);
	for (size_t i = 0; i < list->n; i++) {
		/* Labels may hold a hyphen; what the grammar of targets needs for itself they may not. */
		if (strpbrk(list->v[i], "@+:")) {
			err_set(err, ERR_USAGE, "'%s' is neither a revision's id nor a label", list->v[i]);
			return err_at(err, r->path, r->line);
		}
	}
	return true;
}

static bool set_parents(struct reader *r, const char *value, struct err *err)
{
	return set_ids(r, &r->node->rev.parents, value, err);
}

static bool set_depends_on(struct reader *r, const char *value, struct err *err)
{
	return set_ids(r, &r->node->rev.depends_on, value, err);
}

static bool set_labels(struct reader *r, const char *value, struct err *err)
{
	return set_ids(r, &r->node->rev.labels, value, err);
}

static bool set_message(struct reader *r, const char *value, struct err *err)
{
	(void)err;
	r->node->rev.message = mem_strdup(value);
	return true;
}

static bool set_created(struct reader *r, const char *value, struct err *err)
{
	(void)err;
	r->node->rev.created = mem_strdup(value);
	return true;
}

static const struct header_key {
	const char *name;
	bool (*set)(struct reader *r, const char *value, struct err *err);
} header_keys[] = {
	{ "revision", set_id },     { "revises", set_parents },      { "message", set_message },
	{ "created", set_created }, { "branch-labels", set_labels }, { "depends-on", set_depends_on },
};
#define N_HEADER_KEYS (sizeof(header_keys) / sizeof(header_keys[0]))

/* A comment "-- revises: x" is a header's line, "-- revise: x" is a slip that would make a base of the
 * revision, and any other comment is a comment. */
static bool near_miss(const struct reader *r, const char *key, struct err *err)
{
	const char *names[N_HEADER_KEYS];
	const char *near;

	for (size_t i = 0; i < N_HEADER_KEYS; i++)
		names[i] = header_keys[i].name;
	near = strchr(key, ' ') ? NULL : text_nearest(key, names, N_HEADER_KEYS);
	if (!near)
		return true;
	err_set(err, ERR_USAGE, "unknown header '%s'", key);
	err_hint(err, "did you mean '%s'?", near);
	return err_at(err, r->path, r->line);
}

static bool header_line(struct reader *r, char *comment, struct err *err)
{
	char *colon = strchr(comment, ':');

	if (!colon)
		return true;
	*colon = '\0';
	char *key = text_trim(comment);
	for (size_t i = 0; i < N_HEADER_KEYS; i++) {
		if (strcmp(header_keys[i].name, key) != 0)
			continue;
		if (r->seen_keys & (1u << i)) {
			err_set(err, ERR_USAGE, "a second '-- %s:'", key);
			return err_at(err, r->path, r->line);
		}
		r->seen_keys |= 1u << i;
		return header_keys[i].set(r, text_trim(colon + 1), err);
	}
	return near_miss(r, key, err);
}

/* ------------------------------------------------------------------ markers and their options */

enum { ON_UPGRADE = 1, ON_VERIFY = 2, ON_DOWNGRADE = 4, ON_BATCH = 8 };
#define PAUSE_DEFAULT_MS 100 /* a batch leaves room for others unless it is told otherwise */

static bool set_transaction(struct reader *r, const char *value, struct err *err)
{
	if (!text_to_bool(value, &r->section->transaction))
		return bad(r, err, "transaction is 'on' or 'off'");
	return true;
}

static bool set_lock_timeout(struct reader *r, const char *value, struct err *err)
{
	if (!text_to_duration_ms(value, &r->section->lock_timeout_ms))
		return bad(r, err, "lock_timeout is a duration such as 5s or 250ms");
	return true;
}

static bool set_statement_timeout(struct reader *r, const char *value, struct err *err)
{
	if (!text_to_duration_ms(value, &r->section->statement_timeout_ms))
		return bad(r, err, "statement_timeout is a duration such as 10min or 30s, or 0 for none");
	return true;
}

static bool set_hold(struct reader *r, const char *value, struct err *err)
{
	if (!text_to_duration_ms(value, &r->section->hold_ms))
		return bad(r, err, "hold is a duration such as 5s, or 0 for as long as it takes");
	return true;
}

static bool set_locks(struct reader *r, const char *value, struct err *err)
{
	cleanup_locks struct table_locks parsed = { .n = 0 };

	if (!locks_parse(value, &parsed, err))
		return err_at(err, r->path, r->line);
	r->section->locks = mem_strdup(value);
	return true;
}

static bool set_irreversible(struct reader *r, const char *value, struct err *err)
{
	if (!*value)
		return bad(r, err, "irreversible wants its reason");
	r->section->irreversible = mem_strdup(value);
	return true;
}

static bool set_pause(struct reader *r, const char *value, struct err *err)
{
	if (!text_to_duration_ms(value, &r->node->rev.batch_options.pause_ms))
		return bad(r, err, "pause is a duration such as 100ms, or 0 for none");
	return true;
}

static bool set_max_lag(struct reader *r, const char *value, struct err *err)
{
	struct batch_options *options = &r->node->rev.batch_options;

	/* A bare number would be seconds to the one and bytes to the other. */
	if (!isdigit((unsigned char)value[strlen(value) - (*value != '\0')]) &&
	    (text_to_duration_ms(value, &options->max_lag_ms) ||
	     text_to_size(value, &options->max_lag_bytes)))
		return true;
	return bad(r, err, "max_lag is a duration such as 10s, or a size such as 16MiB");
}

static const struct section_option {
	const char *name;
	unsigned sections;
	bool (*set)(struct reader *r, const char *value, struct err *err);
} section_options[] = {
	{ "transaction", ON_UPGRADE | ON_DOWNGRADE, set_transaction },
	{ "lock_timeout", ON_UPGRADE | ON_VERIFY | ON_DOWNGRADE | ON_BATCH, set_lock_timeout },
	{ "statement_timeout", ON_UPGRADE | ON_VERIFY | ON_DOWNGRADE | ON_BATCH, set_statement_timeout },
	{ "pause", ON_BATCH, set_pause },
	{ "max_lag", ON_BATCH, set_max_lag },
	{ "hold", ON_UPGRADE | ON_DOWNGRADE, set_hold },
	{ "lock", ON_UPGRADE | ON_DOWNGRADE, set_locks },
	{ "irreversible", ON_DOWNGRADE, set_irreversible },
};
#define N_SECTION_OPTIONS (sizeof(section_options) / sizeof(section_options[0]))

static bool unknown_option(const struct reader *r, const char *name, struct err *err)
{
	const char *names[N_SECTION_OPTIONS];
	const char *near;

	for (size_t i = 0; i < N_SECTION_OPTIONS; i++)
		names[i] = section_options[i].name;
	near = text_nearest(name, names, N_SECTION_OPTIONS);
	err_set(err, ERR_USAGE, "unknown option '%s'", name);
	if (near)
		err_hint(err, "did you mean '%s'?", near);
	return err_at(err, r->path, r->line);
}

static bool apply_option(struct reader *r, unsigned section, const char *name, const char *value,
                         struct err *err)
{
	for (size_t i = 0; i < N_SECTION_OPTIONS; i++) {
		if (strcmp(section_options[i].name, name) != 0)
			continue;
		if (!(section_options[i].sections & section)) {
			err_set(err, ERR_USAGE, "option '%s' does not belong to this section", name);
			return err_at(err, r->path, r->line);
		}
		return section_options[i].set(r, value, err);
	}
	return unknown_option(r, name, err);
}

/* A quoted value, in place; the quote doubled stands for itself.  NULL: it does not end. */
static char *cut_quoted(char **p)
{
	char quote = **p, *value = *p + 1, *to = value, *from = value;

	for (; *from && (*from != quote || from[1] == quote); from++) {
		from += *from == quote;
		*to++ = *from;
	}
	if (!*from)
		return NULL;
	*p = from + 1;
	*to = '\0';
	return value;
}

/* Cuts the value at *p, quoted or not, and moves *p behind it. */
static bool cut_value(const struct reader *r, char **p, char **value, struct err *err)
{
	char *end;

	if (**p != '"' && **p != '\'') {
		*value = *p;
		end = *p + strcspn(*p, " \t");
		if (memchr(*value, '"', (size_t)(end - *value)))
			return bad(r, err, "a quote in the middle of a value");
		*p = *end ? end + 1 : end;
		*end = '\0';
		return true;
	}
	*value = cut_quoted(p);
	if (!*value)
		return bad(r, err, "unterminated quote in a section's options");
	return !**p || isblank((unsigned char)**p) || bad(r, err, "a blank is missing behind a quoted value");
}

static bool read_options(struct reader *r, unsigned section, char *p, struct err *err)
{
	for (;;) {
		p += strspn(p, " \t");
		if (!*p)
			return true;
		char *name = p, *value;
		p += strcspn(p, "= \t");
		if (*p != '=') {
			*p = '\0';
			err_set(err, ERR_USAGE, "option '%s' has no value", name);
			err_hint(
				err,
				"options are written name=value, with quotes around a value that has blanks");
			return err_at(err, r->path, r->line);
		}
		*p++ = '\0';
		if (!cut_value(r, &p, &value, err) || !apply_option(r, section, name, value, err))
			return false;
	}
}

static const struct marker {
	const char *name;
	unsigned section;
	size_t offset;
} markers[] = {
	{ "upgrade", ON_UPGRADE, offsetof(struct revision, upgrade) },
	{ "batch", ON_BATCH, offsetof(struct revision, batch) },
	{ "verify", ON_VERIFY, offsetof(struct revision, verify) },
	{ "downgrade", ON_DOWNGRADE, offsetof(struct revision, downgrade) },
};
#define N_MARKERS (sizeof(markers) / sizeof(markers[0]))

static bool unknown_marker(const struct reader *r, const char *word, struct err *err)
{
	const char *names[N_MARKERS];
	const char *near;

	for (size_t i = 0; i < N_MARKERS; i++)
		names[i] = markers[i].name;
	near = text_nearest(word, names, N_MARKERS);
	err_set(err, ERR_USAGE, "unknown marker '-- ripcord:%s'", word);
	if (near)
		err_hint(err, "did you mean '-- ripcord:%s'?", near);
	else
		err_hint(err, "a revision has the sections upgrade, batch, verify and downgrade");
	return err_at(err, r->path, r->line);
}

static bool open_section(struct reader *r, char *word, struct err *err)
{
	char *rest = word + strcspn(word, " \t");

	if (*rest)
		*rest++ = '\0';
	for (size_t i = 0; i < N_MARKERS; i++) {
		if (strcmp(markers[i].name, word) != 0)
			continue;
		r->section = (struct section *)(void *)((char *)&r->node->rev + markers[i].offset);
		if (r->section->present) {
			err_set(err, ERR_USAGE, "a second section '%s'", word);
			return err_at(err, r->path, r->line);
		}
		r->section->present = true;
		r->section->line = r->line + 1;
		r->section->text = r->at;
		return read_options(r, markers[i].section, rest, err);
	}
	return unknown_marker(r, word, err);
}

/* ------------------------------------------------------------------ lines */

/* The text behind "--", or NULL when the line is no comment. */
static char *comment_of(char *line)
{
	line += strspn(line, " \t");
	return line[0] == '-' && line[1] == '-' ? line + 2 + strspn(line + 2, " \t") : NULL;
}

static bool looks_like_marker(const char *line)
{
	line += strspn(line, " \t");
	if (line[0] != '-' || line[1] != '-')
		return false;
	line += 2;
	line += strspn(line, " \t");
	return strncmp(line, MARKER, strlen(MARKER)) == 0;
}

static bool one_header_line(struct reader *r, char *line, struct err *err)
{
	char *comment = comment_of(line);

	if (comment)
		return header_line(r, comment, err);
	if (line[strspn(line, " \t\v\f")] == '\0')
		return true;
	bad(r, err, "SQL before the first section");
	return err_hint(err, "put '-- ripcord:upgrade' on a line above it");
}

/* Sections are cut in place: the line of the next marker becomes the NUL that ends the one before.
 * A line inside a section stays as it is. */
static bool read_lines(struct reader *r, struct err *err)
{
	while (*r->at) {
		char *line = r->at, *end = strchr(line, '\n');

		r->line++;
		r->at = end ? end + 1 : line + strlen(line);
		if (!looks_like_marker(line) && r->section)
			continue;
		if (end)
			*end = '\0';
		if (!looks_like_marker(line)) {
			if (!one_header_line(r, line, err))
				return false;
			continue;
		}
		char *word = comment_of(line) + strlen(MARKER);
		if (!open_section(r, word, err))
			return false;
		*line = '\0';
	}
	return true;
}

static bool check_whole(struct reader *r, struct err *err)
{
	const struct revision *rev = &r->node->rev;

	if (!rev->id) {
		r->line = 1;
		bad(r, err, "no line '-- revision: ID'");
		return err_hint(err, "every file in versions/ is a revision; `ripcord revision -m TEXT` "
		                     "writes the header");
	}
	if (!rev->upgrade.present && !rev->batch.present) {
		bad(r, err, "no line '-- ripcord:upgrade'");
		return err_hint(err, "the file ends before its sections begin: was it written to its end?");
	}
	return true;
}

/* ------------------------------------------------------------------ bytes */

/* CRLF and a lone CR become LF: a checkout must not change a digest. */
static size_t normalise_newlines(char *text, size_t len)
{
	char *to = memchr(text, '\r', len);

	if (!to)
		return len;
	for (const char *from = to, *end = text + len; from < end; from++) {
		if (*from != '\r')
			*to++ = *from;
		else if (from + 1 == end || from[1] != '\n')
			*to++ = '\n';
	}
	*to = '\0';
	return (size_t)(to - text);
}

static bool check_utf8(const char *text, size_t len, const char *path, struct err *err)
{
	size_t good = text_utf8_valid(text, len);
	int line = 1;

	if (good == len)
		return true;
	for (size_t i = 0; i < good; i++)
		line += text[i] == '\n';
	err_set(err, ERR_USAGE, "byte 0x%02x at offset %zu is not valid UTF-8", (unsigned char)text[good],
	        good);
	err_hint(err, "save the file as UTF-8");
	return err_at(err, path, line);
}

static void init_section(struct section *s)
{
	*s = (struct section){ .text = "",
		               .transaction = true,
		               .lock_timeout_ms = -1,
		               .statement_timeout_ms = -1,
		               .hold_ms = -1 };
}

bool ripcord_parse(char *text, size_t len, const char *path, struct node **out, struct err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct node *node = mem_new0(sizeof(*node));
	struct reader r = { .path = path, .node = node };

	node->text = text;
	node->rev.path = mem_strdup(path);
	init_section(&node->rev.upgrade);
	init_section(&node->rev.batch);
	node->rev.batch_options = (struct batch_options){ PAUSE_DEFAULT_MS, -1, -1 };
	init_section(&node->rev.verify);
	init_section(&node->rev.downgrade);
	r.at = text_starts(text, bom) ? text + strlen(bom) : text;
	if (!check_utf8(text, len, path, err)) {
		node_free(node);
		return false;
	}
	(void)normalise_newlines(text, len);
	if (!read_lines(&r, err) || !check_whole(&r, err)) {
		node_free(node);
		return false;
	}
	if (!node->rev.message)
		node->rev.message = mem_strdup("");
	if (!node->rev.created)
		node->rev.created = mem_strdup("");
	*out = node;
	return true;
}

/* ------------------------------------------------------------------ files */

static bool read_some(int fd, const char *path, char *data, size_t cap, size_t *got, struct err *err)
{
	ssize_t n;

	do
		n = read(fd, data, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "cannot read '%s'", path);
	*got = (size_t)n;
	return true;
}

/* Of a regular file read() gives all that is asked for, or what is left: a short answer is the end. */
static bool read_rest(int fd, const char *path, struct buf *b, struct err *err)
{
	for (;;) {
		char chunk[READ_AT_ONCE];
		size_t got = 0;

		if (!read_some(fd, path, chunk, sizeof(chunk), &got, err))
			return false;
		if (b->len + got > RIPCORD_FILE_MAX) {
			err_set(err, ERR_USAGE, "larger than %zu MiB", RIPCORD_FILE_MAX >> 20);
			err_hint(err, "bulk data is better loaded by a program of its own");
			return err_at(err, path, 0);
		}
		buf_add(b, chunk, got);
		if (got < sizeof(chunk))
			return true;
	}
}

bool ripcord_read(int dir_fd, const char *name, const char *path, struct node **out, struct err *err)
{
	/* O_NONBLOCK: a FIFO of that name must not hold the program. */
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup_buf struct buf b = BUF_INIT(RIPCORD_FILE_MAX + READ_AT_ONCE);
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_USAGE, "not a regular file");
		return err_at(err, path, 0);
	}
	if (!read_rest(fd, path, &b, err))
		return false;
	len = b.len;
	return ripcord_parse(buf_take(&b), len, path, out, err);
}
