#include "migrations/schema/changes/links.h"

#include "migrations/schema/kinds/kinds.h"

#include "base/buf.h"

#define AT(catalog, oid) "'" catalog "'::regclass::oid || ' ' || " oid " || ' 0'"
#define RELATION(oid)    AT("pg_class", oid)
#define WORD(word, oid)  "'" word " ' || " oid " || ' 0'"
#define NEW(catalog)     catalog " x WHERE x.oid >= " FIRST_OID
#define USER             "concat_ws(' ', d.classid, d.objid, d.objsubid)"
#define NEEDED           "concat_ws(' ', d.refclassid, d.refobjid, d.refobjsubid)"
#define SEQUENCES                                                                                            \
	"pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid WHERE d.classid = 'pg_class'::regclass"
#define OWNED      SEQUENCES " AND d.refobjsubid > 0 AND d.deptype = 'a'"
#define PARTITIONS "pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid AND c.relispartition"
#define HEIRS                                                                                                \
	"pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid AND NOT c.relispartition AND c.relkind IN "     \
	"('r', 'f')"
#define INHERITANCE "concat_ws(' ', 'inheritance', h.inhrelid, h.inhparent)"
#define TABLES      " AND c.relkind IN ('r', 'p', 'f')"
#define INDEXES     " AND c.relkind IN ('i', 'I')"
#define TOASTED     "pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL"
#define COLUMN      "'pg_class'::regclass::oid || ' ' || a.attrelid || ' ' || a.attnum"

/* One SELECT: each row says that `user` needs `needed`. */
struct link {
	int since; /* major version; 0: all */
	const char *user, *needed, *how, *from;
};

static const struct link NEEDS[] = {
	/* A sequence's owner is left out: it needs the column, whose default needs the sequence.  It is a part of its
	 * own below, as are the other words. */
	{ .user = USER,
	  .needed = NEEDED,
	  .how = "d.deptype::text",
	  .from = "pg_depend d WHERE d.objid >= " FIRST_OID " AND d.refobjid >= " FIRST_OID
	          " AND d.deptype IN ('n', 'a', 'i', 'P', 'S')"
	          " AND NOT (d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND d.classid = "
	          "'pg_class'::regclass"
	          " AND EXISTS (SELECT FROM pg_sequence s WHERE s.seqrelid = d.objid))" },

	{ 0, AT("pg_attrdef", "x.oid"), "'pg_class'::regclass::oid || ' ' || x.adrelid || ' ' || x.adnum",
	  "'p'", NEW("pg_attrdef") },
	{ 0, AT("pg_constraint", "x.oid"), RELATION("x.conrelid"), "'p'",
	  NEW("pg_constraint") " AND x.conrelid <> 0 AND x.contype <> 'n'" },
	{ 0, AT("pg_constraint", "x.oid"), AT("pg_type", "x.contypid"), "'p'",
	  NEW("pg_constraint") " AND x.conrelid = 0" },
	/* NOT NULL is the column's; a primary key wants it there. */
	{ 18, AT("pg_constraint", "x.oid"),
	  "'pg_class'::regclass::oid || ' ' || x.conrelid || ' ' || x.conkey[1]", "'p'",
	  NEW("pg_constraint") " AND x.conrelid <> 0 AND x.contype = 'n'" },
	{ 18, AT("pg_constraint", "x.oid"), AT("pg_constraint", "k.oid"), "'n'",
	  "pg_constraint x JOIN pg_constraint k ON k.conrelid = x.conrelid AND k.contype = 'n'"
	  " AND k.conkey[1] = ANY (x.conkey) WHERE x.contype = 'p'" },
	{ 0, AT("pg_trigger", "x.oid"), RELATION("x.tgrelid"), "'p'", NEW("pg_trigger") },
	{ 0, AT("pg_rewrite", "x.oid"), RELATION("x.ev_class"), "'p'",
	  NEW("pg_rewrite") " AND x.rulename <> '_RETURN'" },
	{ 0, AT("pg_policy", "x.oid"), RELATION("x.polrelid"), "'p'", NEW("pg_policy") },
	{ 0, AT("pg_amop", "x.oid"), AT("pg_opfamily", "x.amopfamily"), "'p'", NEW("pg_amop") },
	{ 0, AT("pg_amproc", "x.oid"), AT("pg_opfamily", "x.amprocfamily"), "'p'", NEW("pg_amproc") },
	{ 0, AT("pg_publication_rel", "x.oid"), AT("pg_publication", "x.prpubid"), "'p'",
	  NEW("pg_publication_rel") },
	{ 15, AT("pg_publication_namespace", "x.oid"), AT("pg_publication", "x.pnpubid"), "'p'",
	  NEW("pg_publication_namespace") },

	/* A key of a partitioned table can be referred to when all partitions have theirs. */
	{ 0, AT("pg_constraint", "k.oid"), WORD("index partition", "t.relid::oid"), "'n'",
	  "pg_constraint k JOIN pg_class i ON i.oid = k.conindid AND i.relkind = 'I',"
	  " pg_partition_tree(k.conindid) t WHERE k.contype = 'f' AND t.parentrelid IS NOT NULL" },

	/* A foreign key has the index of the key that it refers to in conindid, too. */
	{ .user = RELATION("x.indexrelid"),
	  .needed = "CASE WHEN k.oid IS NOT NULL THEN " AT("pg_constraint",
	                                                   "k.oid") " ELSE " RELATION("x.indrelid") " END",
	  .how = "'p'",
	  .from = "pg_index x LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid"
	          " AND k.contype IN ('p', 'u', 'x') WHERE x.indexrelid >= " FIRST_OID },

	{ 0, RELATION("d.objid"), NEEDED, "'p'", SEQUENCES " AND d.refobjsubid > 0 AND d.deptype = 'i'" },
	{ 0, WORD("sequence owner", "d.objid"), RELATION("d.objid"), "'p'", OWNED },
	{ 0, WORD("sequence owner", "d.objid"), NEEDED, "'n'", OWNED },
	{ 0, WORD("replica identity", "x.indexrelid"), RELATION("x.indexrelid"), "'n'",
	  "pg_index x WHERE x.indisreplident" },
	{ 0, WORD("replica identity", "x.indexrelid"), RELATION("x.indrelid"), "'p'",
	  "pg_index x WHERE x.indisreplident" },
	{ 0, WORD("clustered index", "x.indexrelid"), RELATION("x.indexrelid"), "'n'",
	  "pg_index x WHERE x.indisclustered" },
	{ 0, WORD("clustered index", "x.indexrelid"), RELATION("x.indrelid"), "'p'",
	  "pg_index x WHERE x.indisclustered" },

	/* A table has a TOAST table once a column wants one; before, its options go nowhere. */
	{ 0, WORD("toast options", "c.oid"), RELATION("c.oid"), "'p'", TOASTED },
	{ 0, WORD("toast options", "c.oid"), COLUMN, "'n'",
	  TOASTED " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0" },

	/* A partition is attached when it has what its parent has. */
	{ 0, WORD("partition", "c.oid"), RELATION("c.oid"), "'p'", PARTITIONS TABLES },
	{ 0, WORD("partition", "c.oid"), RELATION("h.inhparent"), "'n'", PARTITIONS TABLES },
	{ 0, WORD("partition", "c.oid"), RELATION("x.indexrelid"), "'n'",
	  PARTITIONS
	  " JOIN pg_index x ON x.indrelid = c.oid OR (x.indrelid = h.inhparent AND x.indisvalid)" },
	/* An index that not all partitions have yet: attaching one would make it.  'c': when it is made. */
	{ 0, RELATION("x.indexrelid"), WORD("partition", "c.oid"), "'c'",
	  PARTITIONS " JOIN pg_index x ON x.indrelid = h.inhparent AND NOT x.indisvalid" },
	/* A table is made when its parents are what they will be: it has their columns, or is made like them. */
	{ 0, RELATION("h.inhrelid"), COLUMN, "'c'",
	  "pg_inherits h JOIN pg_attribute a ON a.attrelid = h.inhparent AND a.attnum > 0" },
	{ 0, RELATION("h.inhrelid"), AT("pg_constraint", "k.oid"), "'c'",
	  "pg_inherits h JOIN pg_constraint k ON k.conrelid = h.inhparent AND k.contype IN ('c', 'n')" },
	{ 0, WORD("partition", "c.oid"), COLUMN, "'n'",
	  PARTITIONS TABLES
	  " JOIN pg_attribute a ON a.attrelid IN (h.inhrelid, h.inhparent) AND a.attnum > 0" },
	{ 0, WORD("partition", "c.oid"), AT("pg_constraint", "k.oid"), "'n'",
	  PARTITIONS " JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('c', 'n')" },
	/* A table inherits when it and its parent have their columns and checks. */
	{ 0, INHERITANCE, RELATION("h.inhrelid"), "'p'", HEIRS },
	{ 0, INHERITANCE, RELATION("h.inhparent"), "'n'", HEIRS },
	{ 0, INHERITANCE, COLUMN, "'n'",
	  HEIRS " JOIN pg_attribute a ON a.attrelid IN (h.inhrelid, h.inhparent) AND a.attnum > 0" },
	{ 0, INHERITANCE, AT("pg_constraint", "k.oid"), "'n'",
	  HEIRS
	  " JOIN pg_constraint k ON k.conrelid IN (h.inhrelid, h.inhparent) AND k.contype IN ('c', 'n')" },
	{ 0, WORD("index partition", "c.oid"), RELATION("c.oid"), "'p'", PARTITIONS INDEXES },
	{ 0, WORD("index partition", "c.oid"), RELATION("h.inhparent"), "'n'", PARTITIONS INDEXES },
	{ 0, WORD("index partition", "c.oid"), WORD("partition", "x.indrelid"), "'n'",
	  PARTITIONS " JOIN pg_index x ON x.indexrelid = c.oid" },
};

/* A view's rule is the view, a table's row type the table, an array its element, a multirange its range, a member of
 * an extension the extension, a generated column's expression the column. */
static const struct link ALIASES[] = {
	{ .user = "d.classid || ' ' || d.objid || ' 0'",
	  .needed = AT("pg_extension", "d.refobjid"),
	  .from = "pg_depend d WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass" },
	{ .user = AT("pg_rewrite", "x.oid"),
	  .needed = RELATION("x.ev_class"),
	  .from = NEW("pg_rewrite") " AND x.rulename = '_RETURN'" },
	{ .user = AT("pg_type", "x.oid"),
	  .needed = RELATION("x.typrelid"),
	  .from = NEW("pg_type") " AND x.typrelid IN (SELECT oid FROM pg_class WHERE relkind <> 'c')" },
	{ .user = RELATION("x.oid"),
	  .needed = AT("pg_type", "x.reltype"),
	  .from = NEW("pg_class") " AND x.relkind = 'c'" },
	{ .user = AT("pg_type", "x.typarray"),
	  .needed = AT("pg_type", "x.oid"),
	  .from = "pg_type x WHERE x.typarray >= " FIRST_OID },
	{ .user = AT("pg_type", "x.rngmultitypid"),
	  .needed = AT("pg_type", "x.rngtypid"),
	  .from = "pg_range x WHERE x.rngmultitypid >= " FIRST_OID },
	{ .user = AT("pg_attrdef", "d.oid"),
	  .needed = "'pg_class'::regclass::oid || ' ' || d.adrelid || ' ' || d.adnum",
	  .from = "pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
	          " WHERE a.attgenerated <> ''" },
};

static bool read_all(struct db *db, const struct link *links, size_t n, struct rows **out, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct link *l = &links[i];

		if (l->since > db_server_version(db) / 10000)
			continue;
		buf_fmt(&sql, "%sSELECT %s, %s", i > 0 ? " UNION ALL " : "", l->user, l->needed);
		if (l->how)
			buf_fmt(&sql, ", %s", l->how);
		buf_fmt(&sql, " FROM %s", l->from);
	}
	return db_query(db, buf_text(&sql), DB_NO_ARGS, out, err);
}

bool links_read(struct db *db, struct rows **needs, struct rows **aliases, struct err *err)
{
	struct rows *n;

	if (!read_all(db, NEEDS, sizeof(NEEDS) / sizeof(NEEDS[0]), &n, err))
		return false;
	if (!read_all(db, ALIASES, sizeof(ALIASES) / sizeof(ALIASES[0]), aliases, err)) {
		rows_free(n);
		return false;
	}
	*needs = n;
	return true;
}
