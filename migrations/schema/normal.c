#include "migrations/schema/normal.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/mem.h"
#include "migrations/parser.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A statement that the text makes whole; `always`: it is parsed, whatever its words. */
static const struct context {
	const char *name, *before, *after;
	bool always;
} CONTEXTS[] = {
	{ "expression", "SELECT ", "", false },
	{ "statement", "", "", false },
	{ "statistics", "", "", true },
	{ "constraint", "ALTER TABLE t ADD ", "", false },
	{ "arguments", "CREATE FUNCTION f(", ") RETURNS void LANGUAGE sql AS ''", false },
	{ "body", "CREATE FUNCTION f() RETURNS void LANGUAGE sql ", "", false },
	{ "partition key", "CREATE TABLE t () PARTITION BY ", "", false },
};

static const struct context *find_context(const char *name)
{
	for (size_t i = 0; i < sizeof(CONTEXTS) / sizeof(*CONTEXTS); i++)
		if (strcmp(CONTEXTS[i].name, name) == 0)
			return &CONTEXTS[i];
	(void)fprintf(stderr, "ripcord: bug: a schema query has the form \"%s\"\n", name);
	abort();
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)) != NULL; p += len)
		if ((p == text || !is_word(p[-1])) && !is_word(p[len]))
			return true;
	return false;
}

/* Deparsed keywords are in capitals.  A word inside quotes only makes one parse more. */
static bool can_vary(const char *text)
{
	return has_word(text, "ARRAY") || has_word(text, "AND") || has_word(text, "OR");
}

/* {"A": {...}} is a node of type A. */
static json_t *node(const json_t *j, const char *type)
{
	return json_object_size(j) == 1 ? json_object_get(j, type) : NULL;
}

/* Children are flat already: the walk comes from below. */
static void flatten(json_t *expr)
{
	const json_t *args = json_object_get(expr, "args"), *op = json_object_get(expr, "boolop");
	json_t *flat = json_array();

	for (size_t i = 0; i < json_array_size(args); i++) {
		json_t *arg = json_array_get(args, i), *inner = node(arg, "BoolExpr");

		if (inner && json_equal(json_object_get(inner, "boolop"), op))
			(void)json_array_extend(flat, json_object_get(inner, "args"));
		else
			json_push(flat, json_incref(arg));
	}
	json_put(expr, "args", flat);
}

/* Elements that are arrays themselves have the array's own type (text[] has any number of dimensions). */
static json_t *distribute(const json_t *array, json_t *array_type, json_t *element_type)
{
	const json_t *elements = json_object_get(array, "elements");
	json_t *list = json_array(), *copy = json_copy((json_t *)array), *wrap = json_object();

	for (size_t i = 0; i < json_array_size(elements); i++) {
		json_t *element = json_array_get(elements, i);
		const json_t *inner = node(element, "A_ArrayExpr");
		json_t *cast, *outer;

		if (inner) {
			json_push(list, distribute(inner, array_type, element_type));
			continue;
		}
		cast = json_object();
		outer = json_object();
		json_put(cast, "arg", json_incref(element));
		json_put(cast, "typeName", json_incref(element_type));
		json_put(outer, "TypeCast", cast);
		json_push(list, outer);
	}
	json_put(copy, "elements", list);
	json_put(wrap, "A_ArrayExpr", copy);
	return wrap;
}

/* The cast's distributed form, or NULL where the cast says something (no elements, no array type). */
static json_t *distributed(const json_t *cast)
{
	json_t *type = json_object_get(cast, "typeName");
	const json_t *array = node(json_object_get(cast, "arg"), "A_ArrayExpr");
	cleanup_json json_t *element_type = NULL;

	if (!array || json_array_size(json_object_get(array, "elements")) == 0 ||
	    json_array_size(json_object_get(type, "arrayBounds")) == 0)
		return NULL;
	element_type = json_copy(type);
	(void)json_object_del(element_type, "arrayBounds");
	return distribute(array, type, element_type);
}

static int compare_trees(const void *a, const void *b)
{
	cleanup_free char *x = json_canonical(*(json_t *const *)a), *y = json_canonical(*(json_t *const *)b);

	return strcmp(x, y);
}

/* Columns come in the order that they have in the table. */
static void sort_columns(json_t *statistics)
{
	const json_t *list = json_object_get(statistics, "exprs");
	size_t n = json_array_size(list);
	cleanup_free json_t **v = mem_new0((n + 1) * sizeof(json_t *));
	json_t *sorted = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(list, i);
	qsort((void *)v, n, sizeof(json_t *), compare_trees);
	for (size_t i = 0; i < n; i++)
		json_push(sorted, json_incref(v[i]));
	json_put(statistics, "exprs", sorted);
}

static void drop_places(json_t *object)
{
	static const char *const PLACES[] = { "location", "stmt_location",    "stmt_len",      "list_start",
		                              "list_end", "rexpr_list_start", "rexpr_list_end" };

	for (size_t i = 0; i < sizeof(PLACES) / sizeof(*PLACES); i++)
		(void)json_object_del(object, PLACES[i]);
}

/* Depth is the parser's: jansson reads no more than 2048 levels. */
void normal_tree(json_t *tree)
{
	json_t *child, *expr, *statistics, *cast, *other;
	const char *key;
	size_t i;

	json_array_foreach(tree, i, child) normal_tree(child);
	json_object_foreach(tree, key, child) normal_tree(child);
	if (!json_is_object(tree))
		return;
	drop_places(tree);
	expr = node(tree, "BoolExpr");
	if (expr)
		flatten(expr);
	statistics = node(tree, "CreateStatsStmt");
	if (statistics)
		sort_columns(statistics);
	cast = node(tree, "TypeCast");
	other = cast ? distributed(cast) : NULL;
	if (other) {
		(void)json_object_clear(tree);
		(void)json_object_update(tree, other);
		json_decref(other);
	}
}

enum normal_result normal_form(const char *context, const char *text, char **form)
{
	const struct context *c = find_context(context);
	cleanup_free char *sql = NULL;
	cleanup_json json_t *tree = NULL;
	struct err unknown = ERR_INIT;
	char hex[SHA256_HEX];

	if (!c->always && !can_vary(text))
		return NORMAL_AS_IS;
	sql = mem_fmt("%s%s%s", c->before, text, c->after);
	if (!parser_parse(sql, &tree, &unknown))
		return NORMAL_UNPARSED;
	normal_tree(tree);
	json_digest(json_object_get(tree, "stmts"), hex); /* without the version of the parser */
	*form = mem_fmt("sql:%s", hex);
	return NORMAL_FORM;
}
