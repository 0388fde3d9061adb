/*
 * hash.h - SHA-256 (FIPS 180-4), by OpenSSL's libcrypto; the only file that includes it.
 * libcrypto failing here means a broken installation and ends the process.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>

#define SHA256_HEX 65 /* 64 digits and a NUL */

struct sha256;

struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *h, const void *data, size_t len);
void sha256_hex(struct sha256 *h, char hex[SHA256_HEX]); /* ends it: only free afterwards */
void sha256_free(struct sha256 *h);                      /* NULL is fine */

void sha256_of(const void *data, size_t len, char hex[SHA256_HEX]);

#endif
