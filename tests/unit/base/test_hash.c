/* SHA-256 against the vectors of FIPS 180-4 (NIST's "SHA256.pdf" examples and SHAVS). */
#include "base/hash.h"
#include "unit.h"

static void published_vectors(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[SHA256_HEX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		sha256_of(cases[i][0], strlen(cases[i][0]), hex);
		assert_string_equal(hex, cases[i][1]);
	}
}

static void a_million_letters_in_uneven_pieces(void **state)
{
	(void)state;
	char letters[997], hex[SHA256_HEX];
	struct sha256 *h = sha256_new();

	memset(letters, 'a', sizeof(letters));
	for (size_t left = 1000000; left > 0;) {
		size_t n = left < sizeof(letters) ? left : sizeof(letters);
		sha256_add(h, letters, n);
		left -= n;
	}
	sha256_hex(h, hex);
	sha256_free(h);
	sha256_free(NULL);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231, test cases 1 and 2; RFC 1321, appendix A.5; RFC 4648, section 10. */
static void other_published_vectors(void **state)
{
	(void)state;
	unsigned char key[20], mac[HMAC_BYTES], md5[MD5_BYTES];
	char hex[SHA256_HEX];

	memset(key, 0x0b, sizeof(key));
	hmac_sha256(key, sizeof(key), "Hi There", 8, mac);
	hash_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	hash_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	md5_of("message digest", 14, md5);
	hash_hex(md5, sizeof(md5), hex);
	assert_string_equal(hex, "f96b697d7cb7938d525a2f31aaf161d0");

	static const char *const base64[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }
	};
	for (size_t i = 0; i < COUNT(base64); i++) {
		char *text = hash_base64((const unsigned char *)base64[i][0], strlen(base64[i][0]));
		assert_string_equal(text, base64[i][1]);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(a_million_letters_in_uneven_pieces),
		cmocka_unit_test(other_published_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
