#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct sha256 {
	EVP_MD_CTX *ctx;
};

static void need(int ok)
{
	if (ok != 1) {
		fputs("ripcord: libcrypto cannot compute SHA-256\n", stderr);
		abort();
	}
}

struct sha256 *sha256_new(void)
{
	struct sha256 *h = mem_new0(sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	need(h->ctx != NULL);
	need(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
	return h;
}

void sha256_add(struct sha256 *h, const void *data, size_t len) { need(EVP_DigestUpdate(h->ctx, data, len)); }

void sha256_hex(struct sha256 *h, char hex[SHA256_HEX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;

	need(EVP_DigestFinal_ex(h->ctx, digest, &len));
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
}

void sha256_free(struct sha256 *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void sha256_of(const void *data, size_t len, char hex[SHA256_HEX])
{
	struct sha256 *h = sha256_new();

	sha256_add(h, data, len);
	sha256_hex(h, hex);
	sha256_free(h);
}
