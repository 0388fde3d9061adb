#include "runner/config.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "runner/config_keys.h"
#include "runner/dotenv.h"
#include "runner/ini.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_NAME "ripcord.ini"
#define FILE_MAX     ((size_t)4 << 20)

/* What a configuration is made from. */
struct loading {
	struct config_box *box;
	struct ini ini; /* the file's entries, then those of -x with line 0 */
	struct dotenv *vars;
};

static void loading_clear(struct loading *l)
{
	ini_clear(&l->ini);
	dotenv_free(l->vars);
}

/* ------------------------------------------------------------------ where things are */

static bool find_folder(struct config_box *box, const char *path, struct err *err)
{
	cleanup_free char *dir = path_dir(path);
	cleanup_free char *absolute = realpath(dir, NULL);

	if (!absolute) {
		err_sys(err, "the configuration's folder %s", dir);
		return err_recode(err, ERR_USAGE);
	}
	box->config.folder = config_keep(box, absolute);
	return true;
}

static bool read_file(struct loading *l, const struct config_source *source, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
	const char *path = source->path ? source->path : DEFAULT_NAME;

	if (!find_folder(l->box, path, err))
		return false;
	if (!source->path && !file_exists(path)) {
		l->box->config.path = "";
		return true;
	}
	l->box->config.path = config_keep(l->box, path);
	if (!file_read(path, &text, err))
		return err_recode(err, ERR_USAGE);
	return ini_parse(buf_text(&text), text.len, l->box->config.path, &l->ini, err);
}

static bool read_env_file(struct loading *l, const struct config_source *source, struct err *err)
{
	cleanup_free char *beside = path_join(l->box->config.folder, ".env");

	if (source->env_file)
		return dotenv_load(source->env_file, &l->vars, err);
	return dotenv_load(file_exists(beside) ? beside : NULL, &l->vars, err);
}

/* section.key=value; in -x the blank of [store local] is a dot. */
static bool add_override(struct loading *l, const char *text, struct err *err)
{
	cleanup_free char *copy = mem_strdup(text);
	char *sign = strchr(copy, '=');
	char *dot, *blank;

	if (sign)
		*sign = '\0';
	dot = strrchr(copy, '.');
	if (!sign || !dot || dot == copy || dot + 1 == sign) {
		err_set(err, ERR_USAGE, "-x %s is not section.key=value", copy);
		return err_hint(err, "for example -x guard.lock_timeout=5s or -x store.local.path=DIR");
	}
	*dot = '\0';
	blank = strchr(copy, '.');
	if (blank)
		*blank = ' ';
	ini_add(&l->ini, copy, text_trim(dot + 1), text_trim(sign + 1), 0);
	return true;
}

/* ------------------------------------------------------------------ unknown names */

/* Names the line, or the -x that it was; e is NULL for a default. */
static bool at(const struct loading *l, const struct ini_entry *e, struct err *err)
{
	if (e && e->line > 0)
		return err_at(err, l->box->config.path, e->line);
	return e ? err_wrap(err, "-x, [%s] %s", e->section, e->key) : false;
}

static bool is_known_section(const char *section)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		if (strcmp(config_rows[i].key.section, section) == 0)
			return strcmp(section, "hook") != 0;
	}
	return false;
}

static bool unknown_section(const struct loading *l, const struct ini_entry *e, struct err *err)
{
	static const char *const sections[] = { "ripcord", "database", "backup", "store local",
		                                "guard",   "metrics",  "notify", "policy",
		                                "schema",  "store",    "hook" };
	const char *near = text_nearest(e->section, sections, sizeof(sections) / sizeof(sections[0]));

	err_set(err, ERR_USAGE, "unknown section [%s]", e->section);
	if (near && (strcmp(near, "store") == 0 || strcmp(near, "hook") == 0))
		err_hint(err, "sections of that kind have a name: [%s NAME]", near);
	else if (near)
		err_hint(err, "did you mean [%s]?", near);
	else
		err_hint(err, "sections are [ripcord], [database], [backup], [store NAME], [guard], "
		              "[metrics], [notify], [policy], [hook NAME]");
	return at(l, e, err);
}

static bool unknown_key(const struct loading *l, const struct ini_entry *e, const char *class,
                        struct err *err)
{
	cleanup_strv struct strv keys = STRV_INIT;
	const char *near, *elsewhere = NULL;

	for (size_t i = 0; i < config_rows_count; i++) {
		if (strcmp(config_rows[i].key.section, class) == 0)
			strv_add(&keys, config_rows[i].key.key);
		else if (strcmp(config_rows[i].key.key, e->key) == 0)
			elsewhere = config_rows[i].key.section;
	}
	near = text_nearest(e->key, strv_argv(&keys), keys.n);
	err_set(err, ERR_USAGE, "unknown key \"%s\" in [%s]", e->key, e->section);
	if (elsewhere)
		err_hint(err, "%s belongs in [%s]", e->key, elsewhere);
	else if (near)
		err_hint(err, "did you mean \"%s\"?", near);
	else
		err_hint(err, "man 5 ripcord.ini lists the keys");
	return at(l, e, err);
}

/* Stores of other types have keys of their own, which the store itself knows. */
static bool has_foreign_keys(const struct loading *l, const char *section)
{
	const struct ini_entry *type = ini_get(&l->ini, section, "type");

	return text_starts(section, "store ") && type && strcmp(type->value, "file") != 0;
}

static bool check_names(const struct loading *l, struct err *err)
{
	for (size_t i = 0; i < l->ini.n; i++) {
		const struct ini_entry *e = &l->ini.v[i];
		const char *class = config_section_class(e->section);

		if (!is_known_section(class) && strcmp(class, e->section) == 0)
			return unknown_section(l, e, err);
		if (!config_row_find(class, e->key) && !has_foreign_keys(l, e->section))
			return unknown_key(l, e, class, err);
	}
	return true;
}

/* ------------------------------------------------------------------ values */

static bool take(struct loading *l, const struct key_row *row, const struct ini_entry *e, const char *raw,
                 void *into, struct err *err)
{
	cleanup_free char *value = NULL;
	struct slot slot = { .box = l->box, .into = into, .row = row };

	if (!dotenv_expand(l->vars, raw, &value, NULL, err))
		return at(l, e, err);
	slot.value = value;
	return row->take(&slot, err) || at(l, e, err);
}

/* The URL may be missing until a command needs a database (history and heads need none). */
static bool take_database_url(struct loading *l, const struct key_row *row, const struct ini_entry *e,
                              struct err *err)
{
	const char *raw = e ? e->value : row->key.fallback;
	char missing[DOTENV_NAME_MAX] = "";
	cleanup_free char *value = NULL;
	struct err why = ERR_INIT;

	if (dotenv_expand(l->vars, raw, &value, missing, &why)) {
		l->box->config.url = *value ? config_keep(l->box, value) : NULL;
		return true;
	}
	if (!*missing) {
		*err = why;
		return at(l, e, err);
	}
	at(l, e, &why);
	l->box->url_error = why;
	return true;
}

static bool take_fixed(struct loading *l, struct err *err)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct key_row *row = &config_rows[i];
		const struct ini_entry *e = ini_get(&l->ini, row->key.section, row->key.key);
		bool ok;

		if (strcmp(row->key.section, "hook") == 0 || text_starts(row->key.section, "store "))
			continue;
		if (strcmp(row->key.section, "database") == 0 && strcmp(row->key.key, "url") == 0)
			ok = take_database_url(l, row, e, err);
		else
			ok = take(l, row, e, e ? e->value : row->key.fallback, &l->box->config, err);
		if (!ok)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ stores */

/* As a shell would: ~/ is the user's home.  The caller's. */
static char *full_path(const char *folder, const char *value)
{
	const char *home = getenv("HOME");

	return text_starts(value, "~/") && home ? path_join(home, value + 2) : path_join(folder, value);
}

/* e NULL: the key `path` with its default. */
static bool add_store_key(struct loading *l, struct strv *into, const struct ini_entry *e,
                          const char *fallback, bool is_path, struct err *err)
{
	cleanup_free char *value = NULL;
	cleanup_free char *path = NULL;

	if (!dotenv_expand(l->vars, e ? e->value : fallback, &value, NULL, err))
		return at(l, e, err);
	if (is_path && !*value) {
		err_set(err, ERR_USAGE, "path is empty");
		return at(l, e, err);
	}
	path = is_path ? full_path(l->box->config.folder, value) : NULL;
	strv_add(&into[0], e ? e->key : "path");
	strv_add(&into[1], path ? path : value);
	return true;
}

static bool fill_store(struct loading *l, const char *section, struct strv *into, bool is_file,
                       struct err *err)
{
	bool has_path = false;

	for (size_t i = 0; i < l->ini.n; i++) {
		const struct ini_entry *e = &l->ini.v[i];
		bool is_path = is_file && strcmp(e->key, "path") == 0;
		bool is_other_file = !is_file && text_ends(e->key, "_file") && *e->value; /* ca_file ... */

		if (strcmp(e->section, section) != 0 || strcmp(e->key, "type") == 0 ||
		    ini_get(&l->ini, section, e->key) != e)
			continue; /* of two, the later one counts: -x */
		has_path |= is_path;
		if (!add_store_key(l, into, e, NULL, is_path || is_other_file, err))
			return false;
	}
	if (is_file && !has_path && strcmp(section, "store local") == 0)
		return add_store_key(l, into, NULL, config_row_find(section, "path")->key.fallback, true,
		                     err);
	return !is_file || has_path || err_set(err, ERR_USAGE, "[%s] has no path", section);
}

static bool has_section(const struct loading *l, const char *section)
{
	for (size_t i = 0; i < l->ini.n; i++) {
		if (strcmp(l->ini.v[i].section, section) == 0)
			return true;
	}
	return false;
}

static bool no_such_store(const struct loading *l, const char *name, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	for (size_t i = 0; i < l->ini.n; i++) {
		if (text_starts(l->ini.v[i].section, "store "))
			strv_add(&names, l->ini.v[i].section + strlen("store "));
	}
	near = text_nearest(name, strv_argv(&names), names.n);
	err_set(err, ERR_USAGE, "stores names \"%s\", but there is no section [store %s]", name, name);
	if (near)
		err_hint(err, "did you mean \"%s\"?", near);
	else
		err_hint(err, "add [store %s] with type = file and path = DIR", name);
	return at(l, ini_get(&l->ini, "backup", "stores"), err);
}

static bool take_store(struct loading *l, const char *name, struct store_config *out, struct strv *into,
                       struct err *err)
{
	cleanup_free char *section = mem_fmt("store %s", name);
	const struct ini_entry *type = ini_get(&l->ini, section, "type");

	if (!has_section(l, section) && strcmp(name, "local") != 0)
		return no_such_store(l, name, err);
	if (!type && strcmp(name, "local") != 0) {
		err_set(err, ERR_USAGE, "[%s] has no type", section);
		return err_hint(err, "type = file");
	}
	out->name = name;
	out->type = type ? config_keep(l->box, type->value) : "file";
	if (!fill_store(l, section, into, strcmp(out->type, "file") == 0, err))
		return false;
	out->keys = strv_argv(&into[0]);
	out->values = strv_argv(&into[1]);
	out->n = into[0].n;
	out->identity = l->box->config.identity;
	out->state_dir = l->box->config.state_dir;
	return true;
}

static bool take_stores(struct loading *l, struct err *err)
{
	struct config *c = &l->box->config;
	size_t n = c->stores.n;

	if (n == 0) {
		err_set(err, ERR_USAGE, "stores names no store");
		err_hint(err, "stores = local");
		return at(l, ini_get(&l->ini, "backup", "stores"), err);
	}
	if ((size_t)c->stores_required > n) {
		err_set(err, ERR_USAGE, "stores_required is %d, but there are %zu stores", c->stores_required,
		        n);
		return at(l, ini_get(&l->ini, "backup", "stores_required"), err);
	}
	c->store_configs = mem_new0(n * sizeof(*c->store_configs));
	l->box->lists = mem_new0(2 * n * sizeof(*l->box->lists));
	l->box->n_lists = 2 * n;
	for (size_t i = 0; i < n; i++) {
		if (!take_store(l, c->stores.v[i], &c->store_configs[i], &l->box->lists[2 * i], err))
			return false;
		c->n_store_configs++;
	}
	return true;
}

/* ------------------------------------------------------------------ hooks */

static bool check_hook(const struct hook *h, struct err *err)
{
	int kinds = (h->command != NULL) + (h->sql != NULL) + (h->url != NULL);

	if (kinds != 1) {
		err_set(err, ERR_USAGE, "[hook %s] has %s of command, sql and url", h->name,
		        kinds ? "more than one" : "none");
		return err_hint(err, "a hook is one command, one query or one request");
	}
	if (h->shell && !h->command)
		return err_set(err, ERR_USAGE, "[hook %s]: shell goes with command", h->name);
	if (h->expect && !h->sql)
		return err_set(err, ERR_USAGE, "[hook %s]: expect goes with sql", h->name);
	return true;
}

/* There is no run and no database then, only a file. */
static bool check_write_hook(const struct hook *h, struct err *err)
{
	if (h->phase != HOOK_AFTER_WRITE)
		return true;
	if (!h->command)
		return err_set(err, ERR_USAGE, "[hook %s]: phase after-write goes with command", h->name);
	if (!h->shell || !strstr(h->command, HOOK_FILE_TOKEN))
		return true;
	err_set(err, ERR_USAGE, "[hook %s]: " HOOK_FILE_TOKEN " does not go with shell = yes", h->name);
	return err_hint(err, "a shell has the path in \"$RIPCORD_FILE\"");
}

static bool take_hook(struct loading *l, const struct ini_entry *first, struct hook *out, struct err *err)
{
	const char *section = first->section;

	out->name = config_keep(l->box, section + strlen("hook "));
	if (!ini_get(&l->ini, section, "phase")) {
		err_set(err, ERR_USAGE, "[%s] has no phase", section);
		err_hint(err, "phase is one of: %s", config_row_find("hook", "phase")->key.values);
		return at(l, first, err);
	}
	if (ini_get(&l->ini, section, "status") && !ini_get(&l->ini, section, "url")) {
		err_set(err, ERR_USAGE, "[%s]: status goes with url", section);
		return at(l, ini_get(&l->ini, section, "status"), err);
	}
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct key_row *row = &config_rows[i];
		const struct ini_entry *e = ini_get(&l->ini, section, row->key.key);

		if (strcmp(row->key.section, "hook") == 0 &&
		    !take(l, row, e, e ? e->value : row->key.fallback, out, err))
			return false;
	}
	return (check_hook(out, err) && check_write_hook(out, err)) || at(l, first, err);
}

static bool is_first_of_section(const struct loading *l, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(l->ini.v[i].section, l->ini.v[index].section) == 0)
			return false;
	}
	return true;
}

static bool take_hooks(struct loading *l, struct err *err)
{
	struct config *c = &l->box->config;

	for (size_t i = 0; i < l->ini.n; i++) {
		struct hook *hook;

		if (!text_starts(l->ini.v[i].section, "hook ") || !is_first_of_section(l, i))
			continue;
		c->hooks = mem_grow(c->hooks, c->n_hooks + 1, sizeof(*c->hooks));
		hook = &c->hooks[c->n_hooks++];
		*hook = (struct hook){ .name = NULL };
		if (!take_hook(l, &l->ini.v[i], hook, err))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ secrets in the file */

/* user:password@ between the scheme and the host, with a password that is no ${NAME}. */
static bool has_password(const char *url)
{
	const char *start = strstr(url, "://");
	const char *host = start ? strchr(start + 3, '@') : NULL;
	const char *colon = start ? strchr(start + 3, ':') : NULL;
	const char *keyword = strstr(url, "password=");

	if (host && colon && colon < host && colon[1] != '@' && !text_starts(colon + 1, "${"))
		return true;
	return keyword && !text_starts(keyword + strlen("password="), "${");
}

static bool is_literal_secret(const struct ini_entry *e)
{
	static const char *const names[] = { "secret_key", "password",      "token",
		                             "secret",     "session_token", "key_passphrase" };

	if (e->line == 0)
		return false;
	if (has_password(e->value))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(e->key, names[i]) == 0 && *e->value && !strstr(e->value, "${"))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ all of it */

static bool load(struct loading *l, const struct config_source *source, struct err *err)
{
	if (!read_file(l, source, err) || !read_env_file(l, source, err))
		return false;
	for (size_t i = 0; source->overrides && i < source->overrides->n; i++) {
		if (!add_override(l, source->overrides->v[i], err))
			return false;
	}
	if (!check_names(l, err) || !take_fixed(l, err) || !take_stores(l, err) || !take_hooks(l, err))
		return false;
	for (size_t i = 0; i < l->ini.n; i++)
		l->box->config.has_secrets_in_file |= is_literal_secret(&l->ini.v[i]);
	return true;
}

bool config_load(const struct config_source *source, struct config **out, struct err *err)
{
	__attribute__((cleanup(loading_clear))) struct loading l = { .box = mem_new0(sizeof(*l.box)) };

	if (!load(&l, source, err)) {
		config_free(&l.box->config);
		return false;
	}
	*out = &l.box->config;
	return true;
}

void config_free(struct config *c)
{
	struct config_box *box = (struct config_box *)c;

	if (!c)
		return;
	for (size_t i = 0; i < box->pool.n; i++)
		mem_wipe(box->pool.v[i],
		         strlen(box->pool.v[i])); /* the URL and stores' keys are among them */
	strv_clear(&c->stores);
	strv_clear(&c->recipients);
	strv_clear(&c->keep_revisions);
	strv_clear(&c->schema_allow);
	for (size_t i = 0; i < box->n_lists; i++)
		strv_clear(&box->lists[i]);
	free(box->lists);
	free(c->store_configs);
	free(c->hooks);
	strv_clear(&box->pool);
	free(box);
}

bool config_database(const struct config *c, struct conninfo **out, struct err *err)
{
	const struct config_box *box = (const struct config_box *)c;

	if (c->url)
		return conninfo_parse(c->url, out, err) || err_wrap(err, "the database's URL");
	err_set(err, ERR_USAGE, "no database is set%s%s", box->url_error.code ? ": " : "",
	        box->url_error.msg);
	err_hint(err,
	         "set DATABASE_URL in the environment or in .env, for example postgresql://user@host/app");
	return err_at(err, box->url_error.file, box->url_error.line);
}

bool config_drill(const struct config *c, struct conninfo **out, struct err *err)
{
	cleanup_conninfo struct conninfo *live = NULL;

	if (c->drill_url)
		return conninfo_parse(c->drill_url, out, err) || err_wrap(err, "the drill's URL");
	if (!config_database(c, &live, err))
		return false;
	*out = conninfo_with(live, "dbname", c->maintenance_db);
	return true;
}
