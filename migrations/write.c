/* New revision files: a template is filled and written under a name that sorts by time. */
#include "migrations/graph.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_FILE "revision.sql.template"
#define TEMPLATE_MAX  ((size_t)1 << 20)
#define SLUG_MAX      40 /* Alembic's truncate_slug_length */
#define NEW_ID        12 /* hex digits, as Alembic's rev_id() */

const char *revision_template(void)
{
	return "-- revision: ${revision}\n"
	       "-- revises: ${revises}\n"
	       "-- message: ${message}\n"
	       "-- created: ${created}\n"
	       "-- branch-labels: ${branch-labels}\n"
	       "-- depends-on: ${depends-on}\n"
	       "\n"
	       "-- ripcord:upgrade\n"
	       "${upgrade}\n"
	       "-- ripcord:verify\n"
	       "${verify}\n"
	       "-- ripcord:downgrade\n"
	       "${downgrade}";
}

/* What a template's ${name} stands for. */
struct filling {
	const char *name;
	char *value;
};
enum {
	FILL_ID,
	FILL_PARENTS,
	FILL_MESSAGE,
	FILL_CREATED,
	FILL_LABELS,
	FILL_DEPENDS,
	FILL_UP,
	FILL_VERIFY,
	FILL_DOWN,
	N_FILL
};

/* A header's value is one line. */
static char *one_line(const char *text)
{
	char *line = mem_strdup(text ? text : "");

	for (char *p = line; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	return line;
}

static char *body(const char *text)
{
	if (!text)
		return mem_strdup("");
	return text_ends(text, "\n") || !*text ? mem_strdup(text) : mem_fmt("%s\n", text);
}

static void fill(struct filling f[N_FILL], const struct revision_draft *draft, const char *id, int64_t now)
{
	char iso[CLOCK_ISO];

	clock_iso(now, iso);
	f[FILL_ID] = (struct filling){ "revision", mem_strdup(id) };
	f[FILL_PARENTS] = (struct filling){ "revises", strv_join(&draft->parents, ", ") };
	f[FILL_MESSAGE] = (struct filling){ "message", one_line(draft->message) };
	f[FILL_CREATED] = (struct filling){ "created", mem_fmt("%.19sZ", iso) };
	f[FILL_LABELS] = (struct filling){ "branch-labels", strv_join(&draft->labels, ", ") };
	f[FILL_DEPENDS] = (struct filling){ "depends-on", strv_join(&draft->depends_on, ", ") };
	f[FILL_UP] = (struct filling){ "upgrade", body(draft->upgrade) };
	f[FILL_VERIFY] = (struct filling){ "verify", body(draft->verify) };
	f[FILL_DOWN] = (struct filling){ "downgrade", body(draft->downgrade) };
}

static const struct filling *find(const struct filling f[N_FILL], const char *name, size_t len)
{
	for (size_t i = 0; i < N_FILL; i++)
		if (strlen(f[i].name) == len && strncmp(f[i].name, name, len) == 0)
			return &f[i];
	return NULL;
}

static bool expand(const char *template, const struct filling f[N_FILL], struct buf *out, struct err *err)
{
	for (const char *p = template; *p;) {
		const char *end = text_starts(p, "${") ? strchr(p, '}') : NULL;
		if (!end) {
			buf_char(out, *p++);
			continue;
		}
		const struct filling *value = find(f, p + 2, (size_t)(end - p - 2));
		if (!value) {
			err_set(err, ERR_USAGE, "the template has an unknown name %.*s", (int)(end + 1 - p),
			        p);
			return err_hint(
				err,
				"names are revision, revises, message, created, branch-labels, depends-on, "
				"upgrade, verify and downgrade");
		}
		buf_str(out, value->value);
		p = end + 1;
		/* no blank behind a header that stays empty */
		if (!*value->value && *p == '\n' && out->len && out->data[out->len - 1] == ' ')
			out->data[--out->len] = '\0';
	}
	return true;
}

/* ------------------------------------------------------------------ names */

static bool is_plain(char c) { return isalnum((unsigned char)c); }
static char lower(char c) { return (char)tolower((unsigned char)c); }

static char *slug_of(const char *message)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (const char *p = message; *p && b.len < SLUG_MAX; p++) {
		if (is_plain(*p))
			buf_char(&b, lower(*p));
		else if (b.len && b.data[b.len - 1] != '_')
			buf_char(&b, '_');
	}
	while (b.len && b.data[b.len - 1] == '_')
		b.data[--b.len] = '\0';
	return buf_take(&b);
}

/* 20261122T1015_8c4f1a2b9d3e_add_is_billing_contact.sql */
static char *path_for(const char *versions, const char *id, const char *message, int64_t now)
{
	char compact[CLOCK_ISO];
	cleanup_free char *slug = slug_of(message ? message : "");

	clock_compact(now, compact);
	cleanup_free char *name = mem_fmt("%.13s_%s%s%s.sql", compact, id, *slug ? "_" : "", slug);
	return path_join(versions, name);
}

static bool read_template(const char *folder, struct buf *out, struct err *err)
{
	cleanup_free char *path = path_join(folder, TEMPLATE_FILE);

	if (file_exists(path))
		return file_read(path, out, err);
	buf_str(out, revision_template());
	return true;
}

/* The marker's line gets one more option. */
static bool set_off(const char *marker, struct buf *text, struct err *err)
{
	cleanup_free char *before = mem_strdup(buf_text(text));
	const char *line = before;

	while (!text_starts(line, marker)) {
		line = strchr(line, '\n');
		if (!line)
			return err_set(err, ERR_USAGE, "the template has no line %s", marker);
		line++;
	}
	size_t end = (size_t)(line - before) + strcspn(line, "\r\n");
	buf_clear(text);
	buf_fmt(text, "%.*s transaction=off%s", (int)end, before, before + end);
	return true;
}

static bool fill_template(const char *folder, const struct revision_draft *draft, const char *id, int64_t now,
                          struct buf *out, struct err *err)
{
	cleanup_buf struct buf template = BUF_INIT(TEMPLATE_MAX);
	struct filling f[N_FILL];

	if (!read_template(folder, &template, err))
		return false;
	fill(f, draft, id, now);
	bool ok = expand(buf_text(&template), f, out, err);
	for (size_t i = 0; i < N_FILL; i++)
		free(f[i].value);
	return ok && (!draft->upgrade_off || set_off("-- ripcord:upgrade", out, err)) &&
	       (!draft->downgrade_off || set_off("-- ripcord:downgrade", out, err));
}

static bool write_filled(const char *folder, const char *into, const struct revision_draft *draft,
                         const char *id, char **path, struct err *err)
{
	cleanup_free char *versions = path_join(folder, into ? into : "versions");
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);
	int64_t now = clock_wall_us();

	if (!fill_template(folder, draft, id, now, &text, err))
		return false;
	cleanup_free char *name = path_for(versions, id, draft->message, now);
	if (!file_make_dirs(versions, 0755, err) || !file_create(name, text.data, text.len, 0644, err))
		return false;
	*path = name;
	name = NULL;
	return true;
}

bool revision_parse(const char *text, const char *path, struct revision **out, struct err *err)
{
	struct node *node;

	if (!ripcord_parse(mem_strdup(text), strlen(text), path, &node, err))
		return false;
	*out = &node->rev;
	return true;
}

bool revision_of_draft(const char *folder, const struct revision_draft *draft, struct revision **out,
                       struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	return fill_template(folder, draft, draft->id, clock_wall_us(), &text, err) &&
	       revision_parse(buf_text(&text), "the new revision", out, err);
}

bool graph_add(struct graph *g, struct revision *rev, struct err *err)
{
	graph_take(g, (struct node *)(void *)rev);
	return graph_link(g, err);
}

void revision_free(struct revision *rev) { node_free((struct node *)(void *)rev); }

char *revision_new_id(void)
{
	char fresh[NEW_ID + 1];

	random_hex(fresh, NEW_ID);
	return mem_strdup(fresh);
}

bool revision_write(const char *folder, const char *into, const struct revision_draft *draft, char **path,
                    struct err *err)
{
	cleanup_free char *fresh = draft->id ? NULL : revision_new_id();
	const char *id = draft->id ? draft->id : fresh;

	if (!revision_id_is_valid(id)) {
		err_set(err, ERR_USAGE, "'%s' cannot be a revision's id", id);
		return err_hint(err, "an id has 1 to 32 of the characters A-Z a-z 0-9 _");
	}
	return write_filled(folder, into, draft, id, path, err);
}
