/*
 * text.h - numbers, durations, sizes and small questions about text.
 *
 * Parsers take the whole input or nothing: no leading blanks, no trailing words.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

MUST_CHECK bool text_to_int64(const char *s, int64_t *out);
/* "250ms", "5s", "10min", "6h", "7d", or a bare number of seconds; "0" is 0.  Result in milliseconds. */
MUST_CHECK bool text_to_duration_ms(const char *s, int64_t *out);
/* "16MiB", "200MB", "1GiB", "512k", or bytes: powers of 1024 with an i or a single letter, of 1000 with MB and the like. */
MUST_CHECK bool text_to_size(const char *s, int64_t *out);
/* yes/no, true/false, on/off, 1/0. */
MUST_CHECK bool text_to_bool(const char *s, bool *out);

#define TEXT_SHORT 32
/* For people: "412.3 MiB", "1 h 02 min", "3.4 s".  Both return out. */
const char *text_size(int64_t bytes, char out[TEXT_SHORT]);
const char *text_duration(int64_t ms, char out[TEXT_SHORT]);

bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
char *text_trim(char *s); /* in place; returns the first character that is not blank */
/* Offset of the first byte that is not valid UTF-8 (or is a NUL), len when all is well. */
size_t text_utf8_valid(const char *s, size_t len);
/* Cuts at a character so that at most max bytes are left; returns the length. */
size_t text_utf8_cut(const char *s, size_t max);
/* %XX for all bytes outside [A-Za-z0-9_-]: folder names of the stores.  Owned by the caller. */
char *text_percent(const char *s);
/* The entry nearest to `word` (edit distance at most 3 and under half its length), or NULL: "did you mean". */
const char *text_nearest(const char *word, const char *const *entries, size_t n);

#endif
