/*
 * schema.h - the catalog as data: facts, their digests, and the difference of two readings.
 *
 * A fact is one object (kind, qualified name) with its attributes, sorted; what goes in and what stays
 * out is schema_notes.md B9.  Expressions are normalised through PostgreSQL's own parser, so that a
 * reading is equal before and after dump and restore.  Objects of a kind that is not modelled become
 * facts of kind "unmodelled" by their pg_identify_object name: never skipped in silence.
 * Left out: the version table with all that hangs on it, schema `ripcord`, members of extensions (but what
 * is granted on them is in), pg_toast and pg_temp, large objects (they are data), a subscription's
 * connection string (only a superuser may read it).  Secrets (settings, user mappings, options named
 * like one) are shown as a short digest.
 *
 * A reading is a number of catalog queries that does not depend on the number of objects.
 */
#ifndef MIGRATIONS_SCHEMA_SCHEMA_H
#define MIGRATIONS_SCHEMA_SCHEMA_H

#include "base/buf.h"
#include "base/db.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdio.h>

/*
 * strict: everything.  logical: no column order, tablespace or owner.  (The data level is rows' business.)
 * inside: strict, without the facts of the database itself (kinds that begin with "database": encoding,
 * owner, limit, settings, grants, comment), for a candidate that receives those only at the swap.
 */
enum schema_level { SCHEMA_STRICT, SCHEMA_LOGICAL, SCHEMA_INSIDE };

struct attribute {
	const char *name, *value; /* value is the catalog's text, for people and for DDL */
	/* What is compared and hashed in its stead, since the same thing can be deparsed in two ways: "sql:" and
	 * the SHA-256 of the normalised parse tree; NULL when it is the value itself. */
	const char *form;
};

struct fact {
	const char *kind;     /* "table", "column", "index", "grant" ... */
	const char *name;     /* qualified, quoted where SQL needs it */
	const struct attribute *attributes; /* sorted by name */
	size_t n;
	const char *digest;   /* SHA-256 of kind, name and attributes' forms, 64 hex digits */
	const char *address;  /* of this reading: "classid objid objsubid" as in pg_depend; NULL for none, or from JSON */
};

struct schema;

/* What is not of the database's own making and is left out. */
struct schema_options {
	const char *version_table; /* quoted and qualified, as ledger_table() names it; NULL for none */
};

/* Reads the connected database.  Uses the open transaction when there is one (so that it sees a
 * snapshot that was set), else one REPEATABLE READ READ ONLY transaction of its own; settings that
 * change deparsed text are set locally and put back. */
MUST_CHECK bool schema_read(struct db *db, const struct schema_options *options, struct schema **out, struct err *err);
/* Of the same reading only the facts of kind "unmodelled". */
MUST_CHECK bool schema_read_unmodelled(struct db *db, const struct schema_options *options, struct schema **out,
                                       struct err *err);
/* Roles, attributes, memberships, role settings, parameter grants: the cluster's, apart (proof.md section 2).
 * Settings that belong to a database stay out of it (they are facts of the database). */
MUST_CHECK bool schema_read_roles(struct db *db, struct schema **out, struct err *err);
void schema_free(struct schema *s);
static inline void cleanup_schema_(struct schema **s) { schema_free(*s); }
#define cleanup_schema __attribute__((cleanup(cleanup_schema_)))

size_t schema_count(const struct schema *s);
const struct fact *schema_fact(const struct schema *s, size_t i); /* sorted by kind, then name */
const struct fact *schema_find(const struct schema *s, const char *kind, const char *name); /* NULL: none */
void schema_digest(const struct schema *s, enum schema_level level, char hex[SHA256_HEX]);
void schema_print(const struct schema *s, FILE *out);

/* Facts as JSON and back, for journals, manifests and comparisons on another day. */
json_t *schema_to_json(const struct schema *s);
MUST_CHECK bool schema_from_json(const json_t *j, struct schema **out, struct err *err);

/* Difference as text, a line an attribute ("- index public.t_a_idx: definition ..."), empty when equal at
 * that level; returns the number of facts that differ. */
size_t schema_diff(const struct schema *before, const struct schema *after, enum schema_level level, struct buf *out);

#endif
