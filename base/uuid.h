/*
 * uuid.h - UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits, so
 * that ids sort by the time they were made.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stddef.h>

#define UUID_TEXT 37

void uuid7(char out[UUID_TEXT]);
void random_hex(char *out, size_t digits); /* digits characters and a NUL, from getrandom(2) */

#endif
