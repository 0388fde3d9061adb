#include "migrations/schema/store.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 << 10)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(void *) char data[];
};

static void *arena_take(struct schema *s, size_t len)
{
	const size_t align = _Alignof(void *);
	struct arena_block *b = s->blocks;
	void *p;

	len = (len + align - 1) / align * align;
	if (!b || b->size - b->used < len) {
		size_t size = len > BLOCK_SIZE ? len : BLOCK_SIZE;

		b = mem_new0(sizeof(*b) + size);
		b->size = size;
		b->next = s->blocks;
		s->blocks = b;
	}
	p = b->data + b->used;
	b->used += len;
	return p;
}

struct schema *schema_new(void) { return mem_new0(sizeof(struct schema)); }

void schema_free(struct schema *s)
{
	if (!s)
		return;
	while (s->blocks) {
		struct arena_block *next = s->blocks->next;

		free(s->blocks);
		s->blocks = next;
	}
	free(s->facts);
	free(s);
}

static const char *keep_bytes(struct schema *s, const char *text, size_t len)
{
	char *copy = arena_take(s, len + 1);

	memcpy(copy, text, len + 1);
	return copy;
}

const char *schema_keep(struct schema *s, const char *text)
{
	size_t len = strlen(text);
	cleanup_json json_t *escaped = NULL;

	if (text_utf8_valid(text, len) == len)
		return keep_bytes(s, text, len);
	escaped = json_str(text);
	return keep_bytes(s, json_string_value(escaped), json_string_length(escaped));
}

static int compare_attributes(const void *a, const void *b)
{
	return strcmp(((const struct attribute *)a)->name, ((const struct attribute *)b)->name);
}

void schema_add(struct schema *s, const char *kind, const char *name, const struct attribute *attributes,
                size_t n)
{
	struct attribute *copy = arena_take(s, (n + 1) * sizeof(*copy));

	if (n > 0)
		memcpy(copy, attributes, n * sizeof(*copy));
	qsort(copy, n, sizeof(*copy), compare_attributes);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 256;
		s->facts = mem_grow(s->facts, s->cap, sizeof(*s->facts));
	}
	s->facts[s->n++] = (struct fact){ .kind = kind, .name = name, .attributes = copy, .n = n };
}

int fact_compare(const struct fact *a, const struct fact *b)
{
	int kinds = strcmp(a->kind, b->kind);

	return kinds ? kinds : strcmp(a->name, b->name);
}

/* Two facts of one kind and name cannot come from a catalog, but may stand in a file: still one order. */
static int compare_facts(const void *a, const void *b)
{
	const struct fact *f = a, *g = b;
	int names = fact_compare(f, g);

	return names ? names : strcmp(f->digest, g->digest);
}

/* Every text ends with a NUL and an attribute begins with a letter of its own, so no two facts share bytes. */
static void fact_digest(const struct fact *f, enum schema_level level, struct buf *bytes,
                        char hex[SHA256_HEX])
{
	bytes->len = 0;
	buf_add(bytes, f->kind, strlen(f->kind) + 1);
	buf_add(bytes, f->name, strlen(f->name) + 1);
	for (size_t i = 0; i < f->n; i++) {
		const struct attribute *a = &f->attributes[i];
		const char *form = attribute_form(a);

		if (!level_has_attribute(level, a))
			continue;
		buf_char(bytes, a->form ? '~' : '=');
		buf_add(bytes, a->name, strlen(a->name) + 1);
		buf_add(bytes, form, strlen(form) + 1);
	}
	sha256_of(bytes->data, bytes->len, hex);
}

void schema_seal(struct schema *s)
{
	cleanup_buf struct buf bytes = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < s->n; i++) {
		char *digest = arena_take(s, SHA256_HEX);

		fact_digest(&s->facts[i], SCHEMA_STRICT, &bytes, digest);
		s->facts[i].digest = digest;
	}
	if (s->n > 0)
		qsort(s->facts, s->n, sizeof(*s->facts), compare_facts);
}

size_t schema_count(const struct schema *s) { return s->n; }

const struct fact *schema_fact(const struct schema *s, size_t i) { return &s->facts[i]; }

const struct fact *schema_find(const struct schema *s, const char *kind, const char *name)
{
	const struct fact key = { .kind = kind, .name = name };
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = fact_compare(&s->facts[middle], &key);

		if (order == 0)
			return &s->facts[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool level_has_fact(enum schema_level level, const struct fact *f)
{
	return level != SCHEMA_INSIDE || !text_starts(f->kind, "database");
}

bool level_has_attribute(enum schema_level level, const struct attribute *a)
{
	static const char *const PHYSICAL[] = { "owner", "position", "tablespace" };

	if (level != SCHEMA_LOGICAL)
		return true;
	for (size_t i = 0; i < sizeof(PHYSICAL) / sizeof(*PHYSICAL); i++)
		if (strcmp(a->name, PHYSICAL[i]) == 0)
			return false;
	return true;
}

void schema_digest(const struct schema *s, enum schema_level level, char hex[SHA256_HEX])
{
	cleanup_buf struct buf bytes = BUF_INIT(BUF_TEXT_MAX);
	struct sha256 *all = sha256_new();

	for (size_t i = 0; i < s->n; i++) {
		char digest[SHA256_HEX];

		if (!level_has_fact(level, &s->facts[i]))
			continue;
		if (level == SCHEMA_LOGICAL)
			fact_digest(&s->facts[i], level, &bytes, digest);
		else
			memcpy(digest, s->facts[i].digest, SHA256_HEX);
		sha256_add(all, digest, SHA256_HEX);
	}
	sha256_hex(all, hex);
	sha256_free(all);
}
