/*
 * hash.h - SHA-256 (FIPS 180-4), HMAC (RFC 2104) and MD5 (RFC 1321), by OpenSSL's libcrypto; hash.c is the only
 * file that includes it.  MD5 is here because S3 checks Content-MD5: it guards nothing against an attacker.
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

#define HMAC_BYTES 32
#define MD5_BYTES  16

/* Keys of up to INT_MAX bytes.  out may be the key: HMACs are chained. */
void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[HMAC_BYTES]);
void md5_of(const void *data, size_t len, unsigned char out[MD5_BYTES]);
void hash_hex(const unsigned char *bytes, size_t n, char *hex); /* 2 n digits and a NUL */
char *hash_base64(const unsigned char *bytes, size_t n);        /* RFC 4648, one line, padded; the caller's */

#endif
