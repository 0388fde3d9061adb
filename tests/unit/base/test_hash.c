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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(a_million_letters_in_uneven_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
