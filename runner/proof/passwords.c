#include "runner/proof/passwords.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ALTER    "ALTER ROLE "
#define WITH     " WITH "
#define LOGIN    " LOGIN "
#define PASSWORD " PASSWORD '"

/* "SCRAM-SHA-256$4096:salt$key:key" and "md5...": base64 and what stands between.  Neither a quote nor a backslash. */
#define HASH_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=$:-"

/* The end of the statement at `text`, on its semicolon.  Quotes within quotes are doubled, so each one toggles. */
static const char *statement_end(const char *text)
{
	char quote = '\0';

	for (; *text && (quote || *text != ';'); text++) {
		if (quote ? *text == quote : (*text == '\'' || *text == '"'))
			quote = quote ? '\0' : *text;
	}
	return text;
}

/* Over blanks, comments and commands of psql's, which each have a line for themselves. */
static const char *statement_start(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n;");
		if (!text_starts(text, "--") && *text != '\\')
			return text;
		text += strcspn(text, "\n");
	}
}

/* The name at `text` without its quotes, and where it ends; the caller's. */
static char *read_name(const char *text, const char **end)
{
	size_t len = 0;

	if (*text != '"') {
		*end = text + strcspn(text, " ;");
		return mem_strndup(text, (size_t)(*end - text));
	}
	char *name = mem_grow(NULL, strlen(text) + 1, 1);
	for (text++; *text && (*text != '"' || text[1] == '"'); text++) {
		text += *text == '"';
		name[len++] = *text;
	}
	name[len] = '\0';
	*end = *text ? text + 1 : text;
	return name;
}

/* What the script's own ALTER ROLE says behind WITH, up to its semicolon; the caller's, NULL for none. */
static char *options_of(const char *script, const char *role)
{
	const char *ignored;
	cleanup_free char *wanted = read_name(role, &ignored);

	for (const char *at = statement_start(script), *end; *at; at = statement_start(end)) {
		end = statement_end(at);
		if (!text_starts(at, ALTER))
			continue;
		const char *rest;
		cleanup_free char *name = read_name(at + strlen(ALTER), &rest);
		if (strcmp(name, wanted) == 0 && text_starts(rest, WITH))
			return mem_strndup(rest, (size_t)(end - rest));
	}
	return NULL;
}

static void wipe(char **text)
{
	if (*text)
		mem_wipe(*text, strlen(*text));
	free(*text);
}
#define cleanup_secret __attribute__((cleanup(wipe)))

static bool put(struct db *db, const char *role, const char *options, struct err *err)
{
	const char *password = strstr(options, PASSWORD);
	const char *hash = password ? password + strlen(PASSWORD) : "";
	size_t len = strspn(hash, HASH_CHARACTERS);
	const char *login = strstr(options, LOGIN);

	if (password && (len == 0 || hash[len] != '\''))
		return err_set(err, ERR_CORRUPT, "the password of role %s has an unknown form", role);
	if (!password && !login)
		return true;
	cleanup_secret char *sql = mem_fmt("ALTER ROLE %s WITH%s%s%.*s%s", role, login ? " LOGIN" : "",
	                                   password ? PASSWORD : "", (int)len, hash, password ? "'" : "");
	return db_run(db, sql, err) || err_wrap(err, "cannot give role %s its password", role);
}

bool passwords_put(struct db *db, const char *script, const struct strv *roles, struct strv *done,
                   struct err *err)
{
	for (size_t i = 0; i < roles->n; i++) {
		cleanup_secret char *options = options_of(script, roles->v[i]);
		if (!options)
			continue;
		if (!put(db, roles->v[i], options, err))
			return false;
		strv_add(done, roles->v[i]);
	}
	return true;
}
