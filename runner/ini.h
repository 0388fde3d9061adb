/*
 * ini.h - an INI file as a list of entries in the file's order; libini_config is confined to ini.c.
 *
 * Comments stand on lines of their own (# or ;, indented or not); a value goes on in lines that are
 * indented, joined by blanks; " ;" and "#" inside a value belong to it.  CRLF and a byte order mark are
 * taken.  Every error has a file and a line.
 */
#ifndef RUNNER_INI_H
#define RUNNER_INI_H

#include "base/err.h"

#include <stddef.h>

struct ini_entry {
	char *section, *key, *value; /* section: "store local", inner blanks as one */
	int line;                    /* 1-based, where the key stands */
};

struct ini {
	struct ini_entry *v; /* by line */
	size_t n;
};

/*
 * Parses text; `path` is for messages.  ERR_USAGE with file and line: no equals sign, a key before any
 * section, a key given twice, bytes that are not UTF-8.
 */
MUST_CHECK bool ini_parse(const char *text, size_t len, const char *path, struct ini *out, struct err *err);
void ini_add(struct ini *ini, const char *section, const char *key, const char *value, int line);
/* The last entry of that section and key, or NULL. */
const struct ini_entry *ini_get(const struct ini *ini, const char *section, const char *key);
void ini_clear(struct ini *ini);
#define cleanup_ini __attribute__((cleanup(ini_clear)))

#endif
