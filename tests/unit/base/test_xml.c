/* Small XML answers as servers give them, and what must not be done with hostile ones. */
#include "base/cleanup.h"
#include "base/xml.h"
#include "unit.h"

static struct xml *parse(const char *text)
{
	struct xml *x = NULL;
	struct err err = ERR_INIT;

	assert_true(xml_parse(text, strlen(text), "the answer", &x, &err));
	return x;
}

static void finds_elements_whatever_their_namespace(void **state)
{
	(void)state;
	cleanup_xml struct xml *x =
		parse("<?xml version=\"1.0\"?>\n<L xmlns=\"http://x/\" xmlns:d=\"DAV:\">"
	              "<d:Key>a&amp;b &#x41;&lt;</d:Key><Size>1</Size><Key>c</Key><E/></L>");
	const struct xml_node *key = xml_first(xml_root(x), "Key");
	cleanup_free char *text = xml_text(xml_root(x), "Key");
	cleanup_free char *empty = xml_text(xml_root(x), "E");

	assert_true(xml_is(xml_root(x), "L"));
	assert_string_equal(text, "a&b A<");
	assert_string_equal(empty, "");
	assert_null(xml_text(xml_root(x), "Absent"));
	key = xml_next(key, "Key");
	assert_non_null(key);
	assert_null(xml_next(key, "Key"));
}

static void refuses_what_is_not_xml(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", " ", "no", "<a>", "<a></b>", "<a/><b/>", "<a>&undefined;</a>"
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct xml *x = NULL;
		struct err err = ERR_INIT;
		assert_false(xml_parse(texts[i], strlen(texts[i]), "the answer", &x, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "the answer"));
	}
}

/* A file's bytes must not come in by an entity. */
static void reads_no_files(void **state)
{
	(void)state;
	cleanup_xml struct xml *x =
		parse("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a><b>x&e;y</b></a>");
	cleanup_free char *text = xml_text(xml_root(x), "b");

	assert_string_equal(text, "xy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_elements_whatever_their_namespace),
		cmocka_unit_test(refuses_what_is_not_xml),
		cmocka_unit_test(reads_no_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
