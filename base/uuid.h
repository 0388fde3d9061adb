/*
 * uuid.h - UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits, so
 * that ids sort by the time they were made, also those of one process in one millisecond.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stddef.h>

#define UUID_TEXT 37

void uuid7(char out[UUID_TEXT]);

/* The last eight characters, for names: they are random.  The first eight are the time, and the same for all
 * that is made within 65 seconds. */
const char *uuid_short(const char *uuid);

/* From getrandom(2); a system without randomness ends the process. */
void random_bytes(void *out, size_t len);
void random_hex(char *out, size_t digits); /* digits characters and a NUL */

#endif
