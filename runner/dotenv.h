/*
 * dotenv.h - variables: the environment first, then a .env file as people have them.
 *
 * The file: NAME=value a line, `export` in front, blanks around the sign, # comments (after a blank in
 * an unquoted value), CRLF, a byte order mark.  'single' quotes are literal, "double" ones know \n \r \t
 * \\ \" \$, both may span lines.  ${NAME} and ${NAME:-default} are filled in unquoted and double-quoted
 * values, when the variable is asked for.  The last of two lines of one name wins; NAME alone sets nothing.
 * Source: python-dotenv's parser and docker compose's rules, where the two agree.
 */
#ifndef RUNNER_DOTENV_H
#define RUNNER_DOTENV_H

#include "base/err.h"

#include <stddef.h>

struct dotenv; /* owns its names and values, and wipes them */

/* `path` NULL: no file, the environment alone.  ERR_USAGE with file and line for what is no .env line,
 * ERR_USAGE when the file cannot be read. */
MUST_CHECK bool dotenv_load(const char *path, struct dotenv **out, struct err *err);
void dotenv_free(struct dotenv *d);
static inline void cleanup_dotenv_(struct dotenv **d) { dotenv_free(*d); }
#define cleanup_dotenv __attribute__((cleanup(cleanup_dotenv_)))

/* *value is NULL when neither has it; else the caller's.  ERR_USAGE when its own ${NAME} is not set. */
MUST_CHECK bool dotenv_get(const struct dotenv *d, const char *name, char **value, struct err *err);

/*
 * Fills ${NAME} and ${NAME:-default}; $${ stands for a plain ${.  *out is the caller's.
 * ERR_USAGE for a name that is not set, with the name in the message and in `missing` (when not NULL).
 */
#define DOTENV_NAME_MAX 128
MUST_CHECK bool dotenv_expand(const struct dotenv *d, const char *text, char **out, char missing[DOTENV_NAME_MAX],
                              struct err *err);

#endif
