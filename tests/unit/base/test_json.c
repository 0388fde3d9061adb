/* One value has one canonical text and so one digest; nothing that is not UTF-8 gets lost. */
#include "base/cleanup.h"
#include "base/json.h"
#include "unit.h"

static json_t *parsed(const char *text)
{
	struct err err = ERR_INIT;
	json_t *j = NULL;

	assert_true(json_parse(text, strlen(text), "test", &j, &err));
	return j;
}

static void canonical_text_and_digest(void **state)
{
	(void)state;
	cleanup_json json_t *a = parsed("{\"b\": [1, true, null], \"a\": {\"y\": \"\\u00e4\", \"x\": -2}}");
	cleanup_json json_t *b = parsed("{\"a\":{\"x\":-2,\"y\":\"\xC3\xA4\"},\n\"b\":[1,true,null]}");
	cleanup_json json_t *c = parsed("{\"a\":{\"x\":-2,\"y\":\"\xC3\xA4\"},\"b\":[1,true,0]}");
	cleanup_free char *text = json_canonical(a);
	char hex_a[65], hex_b[65], hex_c[65];

	assert_string_equal(text, "{\"a\":{\"x\":-2,\"y\":\"\xC3\xA4\"},\"b\":[1,true,null]}");
	json_digest(a, hex_a);
	json_digest(b, hex_b);
	json_digest(c, hex_c);
	/* printf '%s' '{"a":{"x":-2,"y":"ä"},"b":[1,true,null]}' | sha256sum */
	assert_string_equal(hex_a, "0ada5734be874e2e4e4de877323a47cf083872bb77fad0ba472450d7446069af");
	assert_string_equal(hex_a, hex_b);
	assert_string_not_equal(hex_a, hex_c);
}

static void parse_errors_name_the_place(void **state)
{
	(void)state;
	static const char *const broken[] = {
		"", "{", "{\"a\":1,\"a\":2}", "[1,]", "\"\xFF\"", "{} {}", "nul",
	};

	for (size_t i = 0; i < COUNT(broken); i++) {
		struct err err = ERR_INIT;
		json_t *j = NULL;
		assert_false(json_parse(broken[i], strlen(broken[i]), "the manifest", &j, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_memory_equal(err.msg, "the manifest is not JSON: line ", 31);
		assert_null(j);
	}
}

static void members_must_be_there_and_fit(void **state)
{
	(void)state;
	cleanup_json json_t *j =
		parsed("{\"s\":\"x\",\"i\":9007199254740993,\"t\":true,\"f\":false,\"r\":1.5}");
	struct err err = ERR_INIT;
	const char *s = NULL;
	int64_t i = 0;
	bool b = false;

	assert_true(json_need_str(j, "s", &s, &err));
	assert_string_equal(s, "x");
	assert_true(json_need_int(j, "i", &i, &err));
	assert_true(i == 9007199254740993); /* not by way of a double */
	assert_true(json_need_bool(j, "t", &b, &err) && b);
	assert_true(json_need_bool(j, "f", &b, &err) && !b);

	assert_false(json_need_str(j, "i", &s, &err));
	assert_string_equal(err.msg, "\"i\" is not a string");
	assert_int_equal(err.code, ERR_CORRUPT);
	err = (struct err)ERR_INIT;
	assert_false(json_need_int(j, "r", &i, &err));
	err = (struct err)ERR_INIT;
	assert_false(json_need_bool(j, "s", &b, &err));
	err = (struct err)ERR_INIT;
	assert_false(json_need_str(j, "none", &s, &err));
	assert_string_equal(err.msg, "\"none\" is missing");
	err = (struct err)ERR_INIT;
	assert_false(json_need_str(json_null(), "s", &s, &err)); /* no object at all */
	assert_string_equal(s, "x");
}

static void text_that_is_not_utf8(void **state)
{
	(void)state;
	cleanup_json json_t *obj = json_object();
	json_put(obj, "k\xFF", json_str("a\xFF\xC3\xA4\xC3"));
	json_put(obj, "n", json_str(NULL));
	json_t *arr = json_array();
	json_push(arr, json_str(""));
	json_put(obj, "p", arr);
	cleanup_free char *text = json_canonical(obj);

	assert_string_equal(text, "{\"k\\\\xFF\":\"a\\\\xFF\xC3\xA4\\\\xC3\",\"n\":null,\"p\":[\"\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_text_and_digest),
		cmocka_unit_test(parse_errors_name_the_place),
		cmocka_unit_test(members_must_be_there_and_fit),
		cmocka_unit_test(text_that_is_not_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
