#include "backup/stream/custom_rows.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VERSION(major, minor) ((major)*256 + (minor))

/* One item of the contents holds a definition: a function or view of more than this is not one. */
#define PENDING_MAX ((size_t)256 << 20)

#define COPY_END          "\\.\n\n\n" /* what pg_dump writes after the last row of a table */
#define COPY_END_LEN      5
#define COPY_END_NEWLINES 3

enum { BLOCK_DATA = 1, BLOCK_BLOBS = 3 };         /* pg_backup_custom.c: BLK_DATA, BLK_BLOBS */
enum { FORMAT_CUSTOM = 1, COMPRESSION_NONE = 0 }; /* pg_backup.h: archCustom; compression.h */

enum state {
	IN_HEADER,
	IN_CONTENTS, /* the number of items, then the items */
	AT_BLOCK,    /* a block starts here, or the archive ends */
	AT_CHUNK,    /* of a table's data */
	IN_CHUNK,
	AT_BLOB, /* an OID, 0 ends the block */
	AT_BLOB_CHUNK,
	IN_BLOB_CHUNK,
	DONE_COUNTING, /* not understood: the rest passes by */
};

struct table {
	int64_t id, rows;
	char *name; /* owned */
	bool seen;
};

struct custom_rows {
	enum state state;
	struct buf pending; /* bytes of an item that is not complete yet */
	int version, int_size, off_size;
	int64_t items_left;   /* of the contents; -1: their number has not come yet */
	struct table *tables; /* sorted by id once the contents are read */
	size_t n_tables, cap_tables;
	int64_t n_other; /* items with data that is not a table's */
	int64_t chunk_left;
	struct table *current;
	char tail[COPY_END_LEN]; /* the last bytes of the current table */
	size_t tail_len;
	bool is_archive; /* the magic bytes came */
	bool is_utf8;    /* its item ENCODING, which is the first, says so */
	const char *doubt;
};

/* Reads within what has come so far; `shortage` says that an item is not complete. */
struct cursor {
	const struct custom_rows *r;
	const unsigned char *p;
	size_t left;
	bool shortage;
	const char *doubt;
};

struct custom_rows *custom_rows_new(void)
{
	struct custom_rows *r = mem_new0(sizeof(*r));

	r->pending = (struct buf)BUF_INIT(PENDING_MAX);
	r->items_left = -1;
	return r;
}

void custom_rows_free(struct custom_rows *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_tables; i++)
		free(r->tables[i].name);
	free(r->tables);
	buf_clear(&r->pending);
	free(r);
}

/* ------------------------------------------------------------------ primitives of the format */

static const unsigned char *take(struct cursor *c, size_t len)
{
	const unsigned char *at = c->p;

	if (c->shortage || len > c->left) {
		c->shortage = true;
		return NULL;
	}
	c->p += len;
	c->left -= len;
	return at;
}

static int take_byte(struct cursor *c)
{
	const unsigned char *p = take(c, 1);
	return p ? *p : 0;
}

/* A sign byte, then int_size bytes, the low one first. */
static int64_t take_int(struct cursor *c)
{
	const unsigned char *p = take(c, 1 + (size_t)c->r->int_size);
	int64_t value = 0;

	if (!p)
		return 0;
	for (int i = c->r->int_size; i > 0; i--)
		value = value << 8 | p[i];
	return p[0] ? -value : value;
}

/* A length, then the bytes; a length of -1 is NULL. */
static const char *take_text(struct cursor *c, size_t *len)
{
	int64_t n = take_int(c);

	*len = 0;
	if (c->shortage || n < 0)
		return NULL;
	const unsigned char *p = take(c, (size_t)n);
	if (p)
		*len = (size_t)n;
	return (const char *)p;
}

static void skip_text(struct cursor *c)
{
	size_t len;
	(void)take_text(c, &len);
}

static bool text_is(const char *text, size_t len, const char *word)
{
	return text && len == strlen(word) && memcmp(text, word, len) == 0;
}

/* ------------------------------------------------------------------ header and contents */

static void read_version(struct custom_rows *r, struct cursor *c)
{
	const unsigned char *magic = take(c, 5);

	if (magic && memcmp(magic, "PGDMP", 5) != 0) {
		c->doubt = "it is no archive of pg_dump";
		return;
	}
	r->is_archive = r->is_archive || magic;
	int major = take_byte(c), minor = take_byte(c);
	(void)take_byte(c); /* revision */
	r->version = VERSION(major, minor);
	r->int_size = take_byte(c);
	r->off_size = take_byte(c);
	if (c->shortage)
		return;
	if (r->version < VERSION(1, 14) || r->version > VERSION(1, 16))
		c->doubt = "the archive format is of a version that is not known here";
	else if (r->int_size != 4 || r->off_size < 4 || r->off_size > 8)
		c->doubt = "the archive has integers of another size";
}

static void read_header(struct custom_rows *r, struct cursor *c)
{
	read_version(r, c);
	if (c->shortage || c->doubt)
		return;
	int format = take_byte(c);
	int64_t compression = r->version >= VERSION(1, 15) ? take_byte(c) : take_int(c);
	for (int i = 0; i < 7; i++)
		(void)take_int(c); /* the time it was made */
	for (int i = 0; i < 3; i++)
		skip_text(c); /* database, version of the server, of pg_dump */
	if (c->shortage)
		return;
	if (format != FORMAT_CUSTOM)
		c->doubt = "the archive is not in the custom format";
	else if (compression != COMPRESSION_NONE)
		c->doubt = "the archive is compressed";
	r->state = IN_CONTENTS;
}

static size_t ident_len(const char *p, size_t len)
{
	size_t i = 1;

	if (len == 0)
		return 0;
	if (*p != '"') {
		while (i < len && !strchr(". (", p[i]))
			i++;
		return i;
	}
	for (; i < len; i++) {
		if (p[i] != '"')
			continue;
		if (i + 1 < len && p[i + 1] == '"')
			i++;
		else
			return i + 1;
	}
	return 0;
}

/* Another encoding's bytes may look like UTF-8 and mean other letters: then only ASCII means the same in both. */
static bool is_readable(const char *name, size_t len, bool is_utf8)
{
	for (size_t i = 0; i < len && !is_utf8; i++)
		if ((unsigned char)name[i] >= 0x80)
			return false;
	return text_utf8_valid(name, len) == len;
}

/* The name as pg_dump of the server's own major quotes it: COPY schema.table (columns) FROM stdin; */
static char *copy_target(const char *copy, size_t len, bool is_utf8)
{
	if (!copy || len < 5 || memcmp(copy, "COPY ", 5) != 0)
		return NULL;
	copy += 5;
	len -= 5;
	size_t schema = ident_len(copy, len);
	if (schema == 0 || schema >= len || copy[schema] != '.')
		return NULL;
	size_t table = ident_len(copy + schema + 1, len - schema - 1);
	size_t all = schema + 1 + table;
	if (table == 0 || !is_readable(copy, all, is_utf8))
		return NULL;
	return mem_strndup(copy, all);
}

static void add_table(struct custom_rows *r, int64_t id, char *name)
{
	if (r->n_tables == r->cap_tables) {
		r->cap_tables = r->cap_tables ? r->cap_tables * 2 : 64;
		r->tables = mem_grow(r->tables, r->cap_tables, sizeof(*r->tables));
	}
	r->tables[r->n_tables++] = (struct table){ .id = id, .name = name };
}

static void skip_dependencies(struct cursor *c)
{
	size_t len;

	while (take_text(c, &len))
		;
}

static void read_item(struct custom_rows *r, struct cursor *c)
{
	size_t desc_len, definition_len, copy_len;

	int64_t id = take_int(c);
	bool has_data = take_int(c) != 0;
	for (int i = 0; i < 3; i++)
		skip_text(c); /* table OID, OID, tag */
	const char *desc = take_text(c, &desc_len);
	(void)take_int(c); /* section */
	const char *definition = take_text(c, &definition_len);
	skip_text(c); /* drop statement */
	const char *copy = take_text(c, &copy_len);
	for (int i = 0; i < 3; i++)
		skip_text(c); /* namespace, tablespace, access method */
	if (r->version >= VERSION(1, 16))
		(void)take_int(c); /* relkind */
	skip_text(c);              /* owner */
	skip_text(c);              /* with OIDs */
	skip_dependencies(c);
	(void)take(c, 1 + (size_t)r->off_size); /* where the data stands: not known in a pipe */
	if (c->shortage)
		return;

	/* SET client_encoding = 'UTF8'; (pg_dump's dumpEncoding()) */
	if (definition && text_is(desc, desc_len, "ENCODING"))
		r->is_utf8 = memmem(definition, definition_len, "'UTF8'", 6) != NULL;
	if (has_data && text_is(desc, desc_len, "TABLE DATA")) {
		char *name = copy_target(copy, copy_len, r->is_utf8);
		if (!name)
			c->doubt = "a table's data is not COPY text with a name in UTF-8";
		else
			add_table(r, id, name);
	} else if (has_data) {
		r->n_other++;
	}
	r->items_left--;
}

static int by_id(const void *a, const void *b)
{
	const struct table *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static void read_contents(struct custom_rows *r, struct cursor *c)
{
	if (r->items_left < 0) {
		int64_t n = take_int(c);
		if (!c->shortage)
			r->items_left = n < 0 ? 0 : n;
	} else if (r->items_left > 0) {
		read_item(r, c);
	}
	if (r->items_left == 0) {
		if (r->n_tables)
			qsort(r->tables, r->n_tables, sizeof(*r->tables), by_id);
		r->state = AT_BLOCK;
	}
}

/* ------------------------------------------------------------------ data */

static void read_block(struct custom_rows *r, struct cursor *c)
{
	int kind = take_byte(c);
	struct table key = { .id = take_int(c) };

	if (c->shortage)
		return;
	if (kind == BLOCK_BLOBS) {
		r->n_other--;
		r->state = AT_BLOB;
		return;
	}
	r->current = r->n_tables ? bsearch(&key, r->tables, r->n_tables, sizeof(*r->tables), by_id) : NULL;
	if (kind != BLOCK_DATA || !r->current || r->current->seen) {
		c->doubt = "a data block belongs to no table of the contents";
		return;
	}
	r->current->seen = true;
	r->tail_len = 0;
	r->state = AT_CHUNK;
}

static void end_table(struct custom_rows *r, struct cursor *c)
{
	if (r->tail_len != COPY_END_LEN || memcmp(r->tail, COPY_END, COPY_END_LEN) != 0) {
		c->doubt = "a table's data does not end as COPY text does";
		return;
	}
	r->current->rows -= COPY_END_NEWLINES;
	r->current = NULL;
	r->state = AT_BLOCK;
}

static void read_chunk_length(struct custom_rows *r, struct cursor *c)
{
	int64_t len = take_int(c);
	bool blob = r->state == AT_BLOB_CHUNK;

	if (c->shortage)
		return;
	r->chunk_left = len;
	if (len < 0)
		c->doubt = "a chunk has a negative length";
	else if (len > 0)
		r->state = blob ? IN_BLOB_CHUNK : IN_CHUNK;
	else if (blob)
		r->state = AT_BLOB;
	else
		end_table(r, c);
}

static void read_blob(struct custom_rows *r, struct cursor *c)
{
	int64_t oid = take_int(c);

	if (!c->shortage)
		r->state = oid == 0 ? AT_BLOCK : AT_BLOB_CHUNK;
}

static int64_t count_newlines(const char *p, size_t len)
{
	int64_t n = 0;
	const char *end = p + len;

	for (; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		n++;
	return n;
}

static void keep_tail(struct custom_rows *r, const char *p, size_t len)
{
	size_t keep;

	if (len >= COPY_END_LEN) {
		memcpy(r->tail, p + len - COPY_END_LEN, COPY_END_LEN);
		r->tail_len = COPY_END_LEN;
		return;
	}
	keep = r->tail_len + len > COPY_END_LEN ? COPY_END_LEN - len : r->tail_len;
	memmove(r->tail, r->tail + r->tail_len - keep, keep);
	memcpy(r->tail + keep, p, len);
	r->tail_len = keep + len;
}

/* The bulk of every dump: looked at where it lies, never copied. */
static size_t pass_chunk(struct custom_rows *r, const char *p, size_t len)
{
	size_t n = (int64_t)len < r->chunk_left ? len : (size_t)r->chunk_left;

	if (r->state == IN_CHUNK) {
		r->current->rows += count_newlines(p, n);
		keep_tail(r, p, n);
	}
	r->chunk_left -= (int64_t)n;
	if (r->chunk_left == 0)
		r->state = r->state == IN_CHUNK ? AT_CHUNK : AT_BLOB_CHUNK;
	return n;
}

/* ------------------------------------------------------------------ driving */

static void read_one(struct custom_rows *r, struct cursor *c)
{
	switch (r->state) {
	case IN_HEADER: read_header(r, c); break;
	case IN_CONTENTS: read_contents(r, c); break;
	case AT_BLOCK: read_block(r, c); break;
	case AT_CHUNK:
	case AT_BLOB_CHUNK: read_chunk_length(r, c); break;
	case AT_BLOB: read_blob(r, c); break;
	case IN_CHUNK:
	case IN_BLOB_CHUNK:
	case DONE_COUNTING: break;
	}
}

/* One step over p[0..len): the bytes used, 0 when an item is not complete. */
static size_t step(struct custom_rows *r, const char *p, size_t len)
{
	if (r->state == DONE_COUNTING)
		return len;
	if (r->state == IN_CHUNK || r->state == IN_BLOB_CHUNK)
		return pass_chunk(r, p, len);

	struct cursor c = { .r = r, .p = (const unsigned char *)p, .left = len };
	read_one(r, &c);
	if (c.doubt) {
		r->doubt = c.doubt;
		r->state = DONE_COUNTING;
		return len;
	}
	return c.shortage ? 0 : len - c.left;
}

static size_t steps(struct custom_rows *r, const char *p, size_t len)
{
	size_t used = 0, n;

	while (used < len && (n = step(r, p + used, len - used)) > 0)
		used += n;
	return used;
}

void custom_rows_add(struct custom_rows *r, const void *data, size_t len)
{
	const char *p = data;

	/* An incomplete item is completed a little at a time, so that the bulk behind it is not copied. */
	while (r->pending.len > 0 && len > 0) {
		size_t piece = r->pending.len < 512 ? 512 : r->pending.len;
		if (piece > len)
			piece = len;
		if (r->pending.len + piece > PENDING_MAX) {
			r->doubt = "an item of the archive is too large";
			r->state = DONE_COUNTING;
			buf_clear(&r->pending);
			return;
		}
		buf_add(&r->pending, p, piece);
		p += piece;
		len -= piece;
		size_t used = steps(r, r->pending.data, r->pending.len);
		memmove(r->pending.data, r->pending.data + used, r->pending.len - used);
		r->pending.len -= used;
	}
	size_t used = len ? steps(r, p, len) : 0;
	if (used < len)
		buf_add(&r->pending, p + used, len - used);
}

bool custom_rows_finish(struct custom_rows *r, struct err *err)
{
	if (!r->is_archive)
		return err_set(err, ERR_BACKUP, "pg_dump wrote no archive");
	if (r->doubt)
		return true;
	if (r->state != AT_BLOCK || r->pending.len > 0)
		return err_set(err, ERR_BACKUP, "the dump ended in the middle of %s",
		               r->current ? r->current->name : "the archive");
	for (size_t i = 0; i < r->n_tables; i++)
		if (!r->tables[i].seen)
			return err_set(err, ERR_BACKUP, "the dump ended before the data of %s",
			               r->tables[i].name);
	if (r->n_other > 0)
		return err_set(err, ERR_BACKUP, "the dump ended before its large objects");
	return true;
}

json_t *custom_rows_counts(const struct custom_rows *r)
{
	if (r->doubt)
		return NULL;
	json_t *counts = json_object();
	for (size_t i = 0; i < r->n_tables; i++)
		json_put(counts, r->tables[i].name, json_integer(r->tables[i].rows));
	return counts;
}

const char *custom_rows_doubt(const struct custom_rows *r) { return r->doubt; }
