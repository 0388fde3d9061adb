#include "base/conninfo.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sql.h"

#include <libpq-fe.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of libpq's keywords.  The table is libpq's own (PQconndefaults), so a newer libpq brings its
 * newer keywords with it. */
struct param {
	char *keyword, *value; /* value NULL: libpq decides when it connects */
	char *envvar;          /* NULL: has none */
};

struct conninfo {
	struct param *params;
	size_t n;
	char *label;
};

/* ------------------------------------------------------------------ what URLs carry beside libpq's */

enum rule {
	RULE_DROP,        /* steers the pool or the driver of the application, not the connection */
	RULE_SSL,         /* a boolean, or an sslmode */
	RULE_SSLMODE,     /* libpq's own, and node-postgres's no-verify */
	RULE_SCHEMA,      /* one name: search_path */
	RULE_SEARCH_PATH, /* a search_path as it is */
	RULE_APP_NAME,    /* another spelling of application_name */
};

/*
 * Query parameters that libpq does not know, and what becomes of them.  One that is in neither
 * list is refused by name: it may be the one that keeps the connection safe.
 * Sources: the URL documentation of asyncpg, psycopg, SQLAlchemy, dj-database-url, Prisma,
 * node-postgres, pgx, sqlx, Ecto, Rails and pgjdbc.
 */
static const struct {
	const char *name;
	enum rule rule;
} url_params[] = {
	{ "ssl", RULE_SSL },                            /* asyncpg, node-postgres, pgjdbc, Ecto */
	{ "sslmode", RULE_SSLMODE },                    /* libpq; node-postgres adds no-verify */
	{ "schema", RULE_SCHEMA },                      /* Prisma */
	{ "currentSchema", RULE_SEARCH_PATH },          /* pgjdbc */
	{ "search_path", RULE_SEARCH_PATH },            /* pgx, lib/pq */
	{ "ApplicationName", RULE_APP_NAME },           /* pgjdbc */
	{ "async_fallback", RULE_DROP },                /* SQLAlchemy with asyncpg */
	{ "prepared_statement_cache_size", RULE_DROP }, /* SQLAlchemy with asyncpg */
	{ "prepared_statement_name_func", RULE_DROP },  /* SQLAlchemy with asyncpg */
	{ "statement_cache_size", RULE_DROP },          /* asyncpg, Prisma */
	{ "max_cached_statement_lifetime", RULE_DROP }, /* asyncpg */
	{ "max_cacheable_statement_size", RULE_DROP },  /* asyncpg */
	{ "command_timeout", RULE_DROP },               /* asyncpg */
	{ "conn_max_age", RULE_DROP },                  /* dj-database-url */
	{ "conn_health_checks", RULE_DROP },            /* dj-database-url */
	{ "disable_server_side_cursors", RULE_DROP },   /* dj-database-url */
	{ "connection_limit", RULE_DROP },              /* Prisma */
	{ "pool_timeout", RULE_DROP },                  /* Prisma */
	{ "socket_timeout", RULE_DROP },                /* Prisma */
	{ "pgbouncer", RULE_DROP },                     /* Prisma; db_open() sees a pooler by itself */
	{ "supa", RULE_DROP },                          /* Supabase */
	{ "uselibpqcompat", RULE_DROP },                /* node-postgres */
	{ "max", RULE_DROP },                           /* node-postgres */
	{ "idleTimeoutMillis", RULE_DROP },             /* node-postgres */
	{ "connectionTimeoutMillis", RULE_DROP },       /* node-postgres */
	{ "pool", RULE_DROP },                          /* Rails */
	{ "pool_size", RULE_DROP },                     /* Ecto, SQLAlchemy */
	{ "max_overflow", RULE_DROP },                  /* SQLAlchemy */
	{ "pool_recycle", RULE_DROP },                  /* SQLAlchemy */
	{ "pool_pre_ping", RULE_DROP },                 /* SQLAlchemy */
	{ "timeout", RULE_DROP },                       /* Rails, Ecto */
	{ "checkout_timeout", RULE_DROP },              /* Rails */
	{ "reaping_frequency", RULE_DROP },             /* Rails */
	{ "prepared_statements", RULE_DROP },           /* Rails */
	{ "advisory_locks", RULE_DROP },                /* Rails */
	{ "encoding", RULE_DROP },                      /* Rails; ours is always UTF8 */
	{ "charset", RULE_DROP },                       /* Doctrine; ours is always UTF8 */
	{ "serverVersion", RULE_DROP },                 /* Doctrine */
	{ "pool_max_conns", RULE_DROP },                /* pgx */
	{ "pool_min_conns", RULE_DROP },                /* pgx */
	{ "pool_max_conn_lifetime", RULE_DROP },        /* pgx */
	{ "pool_max_conn_idle_time", RULE_DROP },       /* pgx */
	{ "pool_health_check_period", RULE_DROP },      /* pgx */
	{ "default_query_exec_mode", RULE_DROP },       /* pgx */
	{ "statement_cache_capacity", RULE_DROP },      /* pgx */
	{ "statement-cache-capacity", RULE_DROP },      /* sqlx */
	{ "binary_parameters", RULE_DROP },             /* lib/pq */
	{ "prepareThreshold", RULE_DROP },              /* pgjdbc */
	{ "reWriteBatchedInserts", RULE_DROP },         /* pgjdbc */
	{ "stringtype", RULE_DROP },                    /* pgjdbc */
};

/* Spellings of ssl= and sslmode= that are not libpq's.  "true" is what libpq makes of it itself. */
static const struct {
	const char *from, *to;
} ssl_words[] = {
	{ "true", "require" }, { "1", "require" },     { "yes", "require" },
	{ "on", "require" },   { "false", "disable" }, { "0", "disable" },
	{ "no", "disable" },   { "off", "disable" },   { "no-verify", "require" },
};

static const char *const sslmodes[] = { "disable", "allow", "prefer", "require", "verify-ca", "verify-full" };

static const char *const schemes[] = { "postgresql", "postgres", "pgsql", "psql", "postgis" };

#define LEN(table) (sizeof(table) / sizeof((table)[0]))

#define HINT_ENCODE                                                                                          \
	"percent-encode what stands in a password: @ is %%40, : is %%3A, / is %%2F, %% is %%25, ? is %%3F"

/* What libpq's parser says, in words that cannot hold a piece of a password. */
static const struct {
	const char *libpq, *ours;
} parse_errors[] = {
	{ "percent-encoded token", "a % in it does not begin a percent-encoded byte" },
	{ "forbidden value", "%00 cannot be in it" },
	{ "invalid connection option", "it has a keyword that libpq does not know" },
	{ "missing \"=\"", "it is neither a URL nor keyword=value pairs" },
	{ "matching \"]\"", "an IPv6 address in it has no closing bracket" },
	{ "unexpected character", "there is an unexpected character after the host" },
	{ "unterminated quoted string", "a quoted value in it has no end" },
	{ "key/value separator", "its query parameters are not of the form name=value" },
};

static bool parse_failed(const char *message, struct err *err)
{
	const char *why = "libpq cannot read it";

	for (size_t i = 0; i < LEN(parse_errors); i++)
		if (message && strstr(message, parse_errors[i].libpq))
			why = parse_errors[i].ours;
	err_set(err, ERR_USAGE, "the database URL is wrong: %s", why);
	return err_hint(err, HINT_ENCODE);
}

/* ------------------------------------------------------------------ parameters */

static struct param *param_of(const struct conninfo *ci, const char *keyword)
{
	for (size_t i = 0; i < ci->n; i++)
		if (strcmp(ci->params[i].keyword, keyword) == 0)
			return &ci->params[i];
	return NULL;
}

static void wipe(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

static void param_set(struct param *p, const char *value)
{
	char *copy = value && *value ? mem_strdup(value) : NULL;

	wipe(p->value);
	p->value = copy;
}

/* Keywords that people ask for are in every libpq; asking for another is a bug. */
static const char *value_of(const struct conninfo *ci, const char *keyword)
{
	const struct param *p = param_of(ci, keyword);

	if (!p)
		abort();
	return p->value;
}

const char *conninfo_get(const struct conninfo *ci, const char *keyword)
{
	if (strcmp(keyword, "password") == 0 || strcmp(keyword, "sslpassword") == 0)
		abort();
	return value_of(ci, keyword);
}

const char *conninfo_dbname(const struct conninfo *ci)
{
	const char *name = value_of(ci, "dbname"), *user = value_of(ci, "user");

	return name ? name : user ? user : "";
}

const char *conninfo_label(const struct conninfo *ci) { return ci->label; }

/* ------------------------------------------------------------------ hosts */

/* One place to connect to: libpq takes lists, whose ports are one for each host or one for all. */
struct place {
	const char *host, *port;
	size_t host_len, port_len;
};

/* The next item of a comma-separated list; empty ones count. */
static const char *list_next(const char **at, size_t *len)
{
	const char *item = *at;

	*len = strcspn(item, ",");
	*at = item[*len] ? item + *len + 1 : NULL;
	return item;
}

/* Moves to the next place; start with *hosts and *ports at the lists' beginnings. */
static bool place_next(const char **hosts, const char **ports, struct place *out)
{
	if (!*hosts)
		return false;
	const char *same = *ports;
	out->host = list_next(hosts, &out->host_len);
	out->port = list_next(ports, &out->port_len);
	if (out->port_len == 0) {
		out->port = "5432"; /* DEF_PGPORT_STR: an empty item of libpq's list */
		out->port_len = strlen(out->port);
	}
	if (!*ports)
		*ports = same;
	return true;
}

static const char *hosts_of(const struct conninfo *ci)
{
	const char *host = value_of(ci, "host"), *addr = value_of(ci, "hostaddr");

	return host ? host : addr ? addr : "";
}

static const char *ports_of(const struct conninfo *ci)
{
	const char *port = value_of(ci, "port");

	return port ? port : "5432";
}

static void make_label(struct conninfo *ci)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);
	const char *hosts = hosts_of(ci), *ports = ports_of(ci), *user = value_of(ci, "user");
	struct place p;

	buf_fmt(&b, "%s@", user ? user : "");
	for (bool first = true; place_next(&hosts, &ports, &p); first = false) {
		buf_str(&b, first ? "" : ",");
		const char *wrap = memchr(p.host, ':', p.host_len) ? "[]" : NULL; /* IPv6, as in URLs */
		if (wrap)
			buf_char(&b, wrap[0]);
		buf_add(&b, p.host, p.host_len);
		if (wrap)
			buf_char(&b, wrap[1]);
		if (!p.host_len)
			buf_str(&b, "[local]");
		buf_char(&b, ':');
		buf_add(&b, p.port, p.port_len);
	}
	buf_fmt(&b, "/%s", conninfo_dbname(ci));
	free(ci->label);
	ci->label = buf_take(&b);
}

/* ------------------------------------------------------------------ URLs */

/* Where the parts of a URL lie. */
struct url {
	const char *authority; /* after "://" */
	const char *query;     /* after '?', or NULL */
	size_t authority_len;  /* with the path */
};

/* Drops jdbc: and the +driver; ERR_USAGE for another database's URL.  *found is false for "host=... dbname=...". */
static bool url_split(const char *text, struct url *u, bool *found, struct err *err)
{
	if (strncmp(text, "jdbc:", 5) == 0)
		text += 5;
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	size_t whole = word + strspn(text + word,
	                             "+._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	bool known = false;

	*found = strncmp(text + whole, "://", 3) == 0;
	if (!*found)
		return true;
	for (size_t i = 0; i < LEN(schemes); i++)
		known |= strlen(schemes[i]) == word && strncmp(text, schemes[i], word) == 0 &&
		         (whole == word || text[word] == '+');
	if (!known)
		return err_set(err, ERR_USAGE,
		               "the database URL is not one of PostgreSQL: its scheme is '%.*s'",
		               (int)(whole < 40 ? whole : 40), text);

	/* As libpq looks at it: user and password end at the first '@' that comes before a '/'. */
	u->authority = text + whole + 3;
	const char *rest = u->authority + strcspn(u->authority, "@/");
	if (*rest == '@')
		rest++;
	size_t len = strcspn(rest, "?");
	u->query = rest[len] ? rest + len + 1 : NULL;
	u->authority_len = (size_t)(rest - u->authority) + len;
	if (memchr(rest, '@', len)) {
		err_set(err, ERR_USAGE,
		        "the database URL is wrong: there is an '@' after the host's beginning");
		return err_hint(err, HINT_ENCODE);
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL when a % is followed by anything but two hexadecimal digits, or by 00. */
static char *url_decode(const char *s, size_t len)
{
	char *out = mem_new0(len + 1), *to = out;

	for (size_t i = 0; i < len; i++) {
		if (s[i] != '%') {
			*to++ = s[i];
			continue;
		}
		int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
		int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0)) {
			wipe(out);
			return NULL;
		}
		*to++ = (char)(high * 16 + low);
		i += 2;
	}
	return out;
}

/* ------------------------------------------------------------------ query parameters */

/* What becomes of a URL: text for libpq, and keywords set afterwards (keyword, value, ...). */
struct reading {
	struct buf text;
	struct strv extra;
};

static bool is_libpq_keyword(const char *name)
{
	PQconninfoOption *all = PQconndefaults();
	bool found = false;

	for (const PQconninfoOption *o = all; o && o->keyword; o++)
		found |= strcmp(o->keyword, name) == 0;
	PQconninfoFree(all);
	return found;
}

static bool add_sslmode(struct reading *r, const char *value, struct err *err)
{
	for (size_t i = 0; i < LEN(ssl_words); i++)
		if (strcasecmp(ssl_words[i].from, value) == 0)
			value = ssl_words[i].to;
	for (size_t i = 0; i < LEN(sslmodes); i++) {
		if (strcmp(sslmodes[i], value) != 0)
			continue;
		strv_add(&r->extra, "sslmode");
		strv_add(&r->extra, value);
		return true;
	}
	err_set(err, ERR_USAGE, "the database URL is wrong: '%s' is no sslmode", value);
	return err_hint(err, "disable, allow, prefer, require, verify-ca or verify-full");
}

/* As `-c search_path=...` in options, where white space and backslashes are escaped (libpq's "options"). */
static void add_search_path(struct reading *r, const char *path)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&b, "-c search_path=");
	for (; *path; path++) {
		if (*path == '\\' || isspace((unsigned char)*path))
			buf_char(&b, '\\');
		buf_char(&b, *path);
	}
	strv_add(&r->extra, "options");
	strv_add(&r->extra, buf_text(&b));
}

static bool apply_rule(struct reading *r, enum rule rule, const char *value, bool has_sslmode,
                       struct err *err)
{
	cleanup_buf struct buf name = BUF_INIT(BUF_TEXT_MAX);

	switch (rule) {
	case RULE_DROP: return true;
	case RULE_SSL: return has_sslmode || add_sslmode(r, value, err);
	case RULE_SSLMODE: return add_sslmode(r, value, err);
	case RULE_SEARCH_PATH: add_search_path(r, value); return true;
	case RULE_SCHEMA:
		sql_ident(&name, value);
		add_search_path(r, buf_text(&name));
		return true;
	case RULE_APP_NAME:
		strv_add(&r->extra, "application_name");
		strv_add(&r->extra, value);
		return true;
	}
	abort();
}

/* One name=value as it stands in the URL. */
static bool read_param(struct reading *r, const char *item, size_t len, bool has_sslmode, struct err *err)
{
	const char *equals = memchr(item, '=', len);

	if (!equals)
		return parse_failed("key/value separator", err);
	size_t name_len = (size_t)(equals - item);
	cleanup_free char *name = url_decode(item, name_len);
	cleanup_free char *value = url_decode(equals + 1, len - name_len - 1);
	if (!name || !value)
		return parse_failed("percent-encoded token", err);

	for (size_t i = 0; i < LEN(url_params); i++)
		if (strcmp(url_params[i].name, name) == 0)
			return apply_rule(r, url_params[i].rule, value, has_sslmode, err);
	if (!is_libpq_keyword(name)) {
		err_set(err, ERR_USAGE, "the database URL has an unknown parameter '%s'", name);
		return err_hint(
			err,
			"take it out of the URL that ripcord is given; libpq's parameters are known, and "
			"those of drivers that do not concern the connection");
	}
	buf_char(&r->text, strchr(buf_text(&r->text), '?') ? '&' : '?');
	buf_add(&r->text, item, len);
	return true;
}

/* libpq takes the last of two; nobody would guess which one is meant. */
static bool named_before(const char *query, const char *item, size_t len)
{
	size_t name_len = strcspn(item, "=&");

	for (const char *at = query; at < item; at += strcspn(at, "&") + 1)
		if (name_len < len && strncmp(at, item, name_len + 1) == 0)
			return true;
	return false;
}

static bool read_query(struct reading *r, const char *query, struct err *err)
{
	bool has_sslmode = strncmp(query, "sslmode=", 8) == 0 || strstr(query, "&sslmode=");

	for (const char *at = query; *at;) {
		size_t len = strcspn(at, "&");
		if (named_before(query, at, len))
			return err_set(err, ERR_USAGE, "the database URL has the parameter '%.*s' twice",
			               (int)strcspn(at, "="), at);
		if (len > 0 && !read_param(r, at, len, has_sslmode, err))
			return false;
		at += len + (at[len] == '&');
	}
	return true;
}

static bool read_text(const char *text, struct reading *r, struct err *err)
{
	struct url u = { .query = NULL };
	bool is_url;

	if (!url_split(text, &u, &is_url, err))
		return false;
	if (!is_url) {
		buf_str(&r->text, text);
		return true;
	}
	/* A '?' in a password would be taken for the query's beginning below, where it is not looked for. */
	buf_str(&r->text, "postgresql://");
	for (size_t i = 0; i < u.authority_len; i++) {
		if (u.authority[i] == '?')
			buf_str(&r->text, "%3F");
		else
			buf_char(&r->text, u.authority[i]);
	}
	return !u.query || read_query(r, u.query, err);
}

/* ------------------------------------------------------------------ the whole */

/*
 * What libpq would take when the URL is silent: the service file, PG* variables, what is compiled in.
 * libpq offers no way to name the service but its variable.
 */
static PQconninfoOption *defaults_of(const PQconninfoOption *given)
{
	const char *service = NULL, *former = getenv("PGSERVICE");

	for (const PQconninfoOption *o = given; o->keyword; o++)
		if (strcmp(o->keyword, "service") == 0)
			service = o->val;
	if (!service)
		return PQconndefaults();

	cleanup_free char *saved = mem_strdup(former);
	setenv("PGSERVICE", service, 1);
	PQconninfoOption *defaults = PQconndefaults();
	if (saved)
		setenv("PGSERVICE", saved, 1);
	else
		unsetenv("PGSERVICE");
	return defaults;
}

static struct conninfo *merge(const PQconninfoOption *given, const PQconninfoOption *defaults)
{
	struct conninfo *ci = mem_new0(sizeof(*ci));

	for (const PQconninfoOption *o = defaults; o->keyword; o++) {
		ci->params = mem_grow(ci->params, ci->n + 1, sizeof(*ci->params));
		struct param *p = &ci->params[ci->n++];
		*p = (struct param){ .keyword = mem_strdup(o->keyword), .envvar = mem_strdup(o->envvar) };
		param_set(p, o->val);
	}
	for (const PQconninfoOption *o = given; o->keyword; o++)
		if (o->val && *o->val)
			param_set(param_of(ci, o->keyword), o->val);
	return ci;
}

static void apply_extra(struct conninfo *ci, const struct strv *extra)
{
	for (size_t i = 0; i + 1 < extra->n; i += 2) {
		struct param *p = param_of(ci, extra->v[i]);
		cleanup_free char *both = NULL;
		if (strcmp(p->keyword, "options") == 0 && p->value)
			both = mem_fmt("%s %s", p->value, extra->v[i + 1]);
		param_set(p, both ? both : extra->v[i + 1]);
	}
}

/* A '/' in a password makes what stands before it the port, and libpq would print it. */
static bool check_ports(const struct conninfo *ci, struct err *err)
{
	const char *ports = ports_of(ci);

	if (strspn(ports, "0123456789,") == strlen(ports))
		return true;
	err_set(err, ERR_USAGE, "the database URL is wrong: its port is not a number");
	return err_hint(err, HINT_ENCODE);
}

static bool build(const struct reading *r, struct conninfo **out, struct err *err)
{
	char *message = NULL;
	PQconninfoOption *given = PQconninfoParse(buf_text(&r->text), &message);
	if (!given) {
		parse_failed(message, err);
		PQfreemem(message);
		return false;
	}
	PQconninfoOption *defaults = defaults_of(given);
	if (!defaults) {
		PQconninfoFree(given);
		return err_set(err, ERR_USAGE, "libpq cannot read its defaults");
	}

	cleanup_conninfo struct conninfo *ci = merge(given, defaults);
	PQconninfoFree(given);
	PQconninfoFree(defaults);
	apply_extra(ci, &r->extra);
	if (!check_ports(ci, err))
		return false;
	make_label(ci);
	*out = ci;
	ci = NULL;
	return true;
}

bool conninfo_parse(const char *url, struct conninfo **out, struct err *err)
{
	struct reading r = { .text = BUF_INIT(BUF_TEXT_MAX), .extra = STRV_INIT };
	bool ok = read_text(url, &r, err) && build(&r, out, err);

	if (r.text.data)
		mem_wipe(r.text.data, r.text.len);
	buf_clear(&r.text);
	strv_clear(&r.extra);
	return ok;
}

void conninfo_free(struct conninfo *ci)
{
	if (!ci)
		return;
	for (size_t i = 0; i < ci->n; i++) {
		free(ci->params[i].keyword);
		free(ci->params[i].envvar);
		wipe(ci->params[i].value);
	}
	free(ci->params);
	free(ci->label);
	free(ci);
}

struct conninfo *conninfo_with(const struct conninfo *ci, const char *keyword, const char *value)
{
	struct conninfo *copy = mem_new0(sizeof(*copy));

	copy->n = ci->n;
	copy->params = mem_grow(NULL, ci->n, sizeof(*copy->params));
	for (size_t i = 0; i < ci->n; i++)
		copy->params[i] = (struct param){ .keyword = mem_strdup(ci->params[i].keyword),
			                          .value = mem_strdup(ci->params[i].value),
			                          .envvar = mem_strdup(ci->params[i].envvar) };
	struct param *p = param_of(copy, keyword);
	if (!p)
		abort();
	param_set(p, value);
	make_label(copy);
	return copy;
}

void conninfo_params(const struct conninfo *ci, const char ***keywords, const char ***values)
{
	size_t n = 0;
	const char **k = mem_grow(NULL, ci->n + 1, sizeof(*k)), **v = mem_grow(NULL, ci->n + 1, sizeof(*v));

	for (size_t i = 0; i < ci->n; i++) {
		if (!ci->params[i].value)
			continue;
		k[n] = ci->params[i].keyword;
		v[n++] = ci->params[i].value;
	}
	k[n] = v[n] = NULL;
	*keywords = k;
	*values = v;
}

bool conninfo_is_starting(const struct conninfo *ci)
{
	const char **keywords, **values;

	conninfo_params(ci, &keywords, &values);
	PGPing answer = PQpingParams(keywords, values, 0);
	free(keywords);
	free(values);
	return answer == PQPING_REJECT;
}

/* ------------------------------------------------------------------ children */

void conninfo_child_env(const struct conninfo *ci, const char *passfile, struct strv *envp)
{
	for (size_t i = 0; i < ci->n; i++)
		if (ci->params[i].envvar)
			strv_setenv(envp, ci->params[i].envvar, ci->params[i].value);
	/* What the service says is in the values above; the database is in the URL even where only its user is. */
	strv_setenv(envp, "PGSERVICE", NULL);
	strv_setenv(envp, "PGSERVICEFILE", NULL);
	strv_setenv(envp, "PGPASSWORD", NULL);
	strv_setenv(envp, "PGDATABASE", conninfo_dbname(ci));
	if (passfile)
		strv_setenv(envp, "PGPASSFILE", passfile);
}

/* Source: PostgreSQL's documentation, "The Password File": a backslash before ':' and '\'. */
static void passfile_field(struct buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ':' || text[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, text[i]);
	}
}

static void passfile_line(struct buf *b, const struct place *p, const char *user, const char *password)
{
	passfile_field(b, p->host, p->host_len);
	buf_char(b, ':');
	buf_add(b, p->port, p->port_len);
	buf_str(b, ":*:");
	passfile_field(b, user, strlen(user));
	buf_char(b, ':');
	passfile_field(b, password, strlen(password));
	buf_char(b, '\n');
}

/* libpq looks the default socket folder up as "localhost" and any other by its path; which folder
 * is the default of the child's libpq is not ours to know, so sockets get both lines. */
static void passfile_text(const struct conninfo *ci, const char *password, struct buf *b)
{
	const char *hosts = hosts_of(ci), *ports = ports_of(ci), *user = value_of(ci, "user");
	struct place p;

	while (place_next(&hosts, &ports, &p)) {
		struct place local = p;
		local.host = "localhost";
		local.host_len = strlen(local.host);
		if (p.host_len)
			passfile_line(b, &p, user ? user : "", password);
		if (!p.host_len || p.host[0] == '/' || p.host[0] == '@')
			passfile_line(b, &local, user ? user : "", password);
	}
}

bool conninfo_passfile(const struct conninfo *ci, const char *dir, char **path, struct err *err)
{
	const char *password = value_of(ci, "password");
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);
	cleanup_fd int fd = -1;
	char *name;

	if (!password) {
		*path = NULL;
		return true;
	}
	if (strpbrk(password, "\r\n"))
		return err_set(err, ERR_USAGE,
		               "the database's password has a line break, which no password file can hold");
	if (!file_temp(dir, "pgpass", &name, &fd, err))
		return false;
	passfile_text(ci, password, &b);
	bool ok = file_write_all(fd, b.data, b.len, name, err);
	mem_wipe(b.data, b.len);
	if (ok && close(take_fd(&fd)) < 0)
		ok = err_sys(err, "cannot write '%s'", name);
	if (!ok) {
		unlink(name);
		free(name);
		return false;
	}
	*path = name;
	return true;
}
