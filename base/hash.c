#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

struct sha256 {
	EVP_MD_CTX *ctx;
};

static void need(int ok)
{
	if (ok != 1) {
		fputs("ripcord: libcrypto cannot compute a digest\n", stderr);
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
	hash_hex(digest, len, hex);
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

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[HMAC_BYTES])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;

	need(HMAC(EVP_sha256(), key, (int)key_len, data, len, mac, &mac_len) != NULL);
	memcpy(out, mac, HMAC_BYTES);
}

void md5_of(const void *data, size_t len, unsigned char out[MD5_BYTES])
{
	need(EVP_Digest(data, len, out, NULL, EVP_md5(), NULL));
}

void hash_hex(const unsigned char *bytes, size_t n, char *hex)
{
	hex[0] = '\0';
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

char *hash_base64(const unsigned char *bytes, size_t n)
{
	char *text = mem_new0((n + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
	return text;
}
