#include "migrations/schema/changes/side.h"

#include "migrations/schema/changes/rename.h"
#include "migrations/schema/kinds/kinds.h"
#include "migrations/schema/store.h"

#include "base/cleanup.h"

#include <stdlib.h>

#define AT(catalog, oid) "'" catalog "'::regclass::oid || ' ' || " oid " || ' 0'"
#define RELATION(oid)    AT("pg_class", oid)
#define PART(catalog, whole, where)                                                                          \
	" UNION ALL SELECT " AT(catalog, "x.oid") ", " whole ", 'p' FROM " catalog                           \
						  " x WHERE x.oid >= " FIRST_OID where

/* A sequence's owner is left out: it needs the column, whose default needs the sequence.  It is a part of its own
 * (kinds/parts.c), as are the other words.  A partition is attached when it has what its parent has. */
static const char NEEDS[] =
	"SELECT concat_ws(' ', d.classid, d.objid, d.objsubid), concat_ws(' ', d.refclassid, "
	"d.refobjid, d.refobjsubid),"
	" d.deptype::text FROM pg_depend d WHERE d.objid >= " FIRST_OID " AND d.refobjid >= " FIRST_OID
	" AND d.deptype IN ('n', 'a', 'i', 'P', 'S')"
	" AND NOT (d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND d.classid = "
	"'pg_class'::regclass"
	" AND EXISTS (SELECT FROM pg_sequence s WHERE s.seqrelid = d.objid))" PART(
		"pg_attrdef", "'pg_class'::regclass::oid || ' ' || x.adrelid || ' ' || x.adnum",
		"") PART("pg_constraint",
                         "CASE WHEN x.conrelid <> 0 THEN " RELATION("x.conrelid") " ELSE " AT(
				 "pg_type", "x.contypid") " END",
                         "") PART("pg_trigger", RELATION("x.tgrelid"),
                                  "") PART("pg_rewrite", RELATION("x.ev_class"),
                                           " AND x.rulename <> '_RETURN'") PART("pg_policy",
                                                                                RELATION("x.polrelid"),
                                                                                "") PART("pg_amop",
                                                                                         AT("pg_opfamily",
                                                                                            "x.amopfamily"),
                                                                                         "")
		PART("pg_amproc", AT("pg_opfamily", "x.amprocfamily"), "") PART("pg_publication_rel", AT("pg_publication", "x.prpubid"), "") " UNION ALL SELECT " RELATION(
			"x.indexrelid") ", coalesce((SELECT " AT("pg_constraint",
                                                                 "min(k.oid::text)") " FROM pg_constraint k "
                                                                                     "WHERE "
										     "k.conindid = "
                                                                                     "x.indexrelid AND "
										     "k.contype IN ('p', "
                                                                                     "'u', "
										     "'x')), " RELATION(
											     "x.indrelid") ")"
                                                                                                           ","
                                                                                                           " "
													   "'"
                                                                                                           "p"
                                                                                                           "'"
                                                                                                           " "
													   "F"
                                                                                                           "R"
                                                                                                           "O"
                                                                                                           "M"
                                                                                                           " "
													   "p"
                                                                                                           "g"
                                                                                                           "_"
													   "i"
                                                                                                           "n"
                                                                                                           "d"
                                                                                                           "e"
                                                                                                           "x"
													   " "
                                                                                                           "x"
                                                                                                           " "
													   "W"
                                                                                                           "H"
                                                                                                           "E"
                                                                                                           "R"
                                                                                                           "E"
													   " "
                                                                                                           "x"
                                                                                                           "."
													   "i"
                                                                                                           "n"
                                                                                                           "d"
                                                                                                           "e"
                                                                                                           "x"
													   "r"
                                                                                                           "e"
                                                                                                           "l"
                                                                                                           "i"
                                                                                                           "d"
													   " "
                                                                                                           ">"
                                                                                                           "="
													   " " FIRST_OID;

/* Of what kinds/parts.c reads. */
static const char NEEDS_OF_PARTS[] = " UNION ALL SELECT " RELATION(
	"d.objid") ", concat_ws(' ', d.refclassid, d.refobjid, d.refobjsubid), 'p'"
		   " FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid WHERE d.classid = "
		   "'pg_class'::regclass"
		   " AND d.refobjsubid > 0 AND d.deptype = 'i'"
		   " UNION ALL SELECT u.a, u.b, u.c FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = "
		   "d.objid,"
		   " LATERAL (VALUES ('sequence owner ' || d.objid || ' 0', " RELATION(
			   "d.objid") ", 'p'),"
				      " ('sequence owner ' || d.objid || ' 0', concat_ws(' ', d.refclassid, "
				      "d.refobjid, d.refobjsubid), 'n')) u(a, b, c)"
				      " WHERE d.classid = 'pg_class'::regclass AND d.refobjsubid > 0 AND "
				      "d.deptype = 'a'"
				      " UNION ALL SELECT w.word || ' ' || x.indexrelid || ' 0', u.b, u.c "
				      "FROM pg_index x,"
				      " (VALUES ('replica identity'), ('clustered index')) w(word),"
				      " LATERAL (VALUES (" RELATION("x.indexrelid") ", 'n'), (" RELATION(
					      "x.indrelid") ", 'p')) u(b, c)"
							    " WHERE x.indisreplident OR x.indisclustered"
							    " UNION ALL SELECT u.a, u.b, u.c FROM "
							    "pg_inherits h JOIN pg_class c ON c.oid = "
							    "h.inhrelid AND c.relispartition,"
							    " LATERAL (SELECT 'partition ' || c.oid || ' "
							    "0', " RELATION(
								    "c.oid") ", 'p' WHERE c.relkind IN ('r', "
									     "'p', 'f')"
									     " UNION ALL SELECT 'partition ' "
									     "|| c.oid || ' 0', " RELATION(
										     "h.inhparent") ", 'n'"
												    " WHERE "
												    "c."
												    "relkind "
												    "IN "
												    "('r', "
												    "'p', "
												    "'f')"
												    " UNION "
												    "ALL "
												    "SELECT "
												    "'partiti"
												    "on ' || "
												    "c.oid "
												    "|| ' "
												    "0',"
												    " " RELATION(
													    "x.indexrelid") ", 'n' FROM pg_index x"
															    " WHERE x.indrelid IN (c.oid, h.inhparent)"
															    " UNION ALL SELECT 'partition ' || c.oid || ' 0', " AT(
																    "pg_constraint",
																    "k.oid") ", 'n' FROM pg_constraint k"
																	     " WHERE k.conrelid = c.oid AND k.contype = 'c'"
																	     " UNION ALL SELECT 'index partition ' || c.oid || ' 0', " RELATION(
																		     "c.oid") ", 'p' WHERE c.relkind IN ('i', 'I')"
																			      " UNION ALL SELECT 'index partition ' || c.oid || ' 0', " RELATION(
																				      "h.inhparent") ", 'n'"
																						     " WHERE c.relkind IN ('i', 'I')"
																						     " UNION ALL SELECT 'index partition ' || c.oid || ' 0', 'partition ' || x.indrelid || ' 0', 'n'"
																						     " FROM pg_index x WHERE x.indexrelid = c.oid) u(a, b, c)";

/* pg_publication_namespace came with 15. */
static const char NEEDS_SINCE_15[] = PART("pg_publication_namespace", AT("pg_publication", "x.pnpubid"), "");

/* A view's rule is the view, a table's row type the table, an array its element, a multirange its range, a member of
 * an extension the extension, the index of a constraint the constraint. */
static const char ALIASES[] = "SELECT classid || ' ' || objid || ' 0', " AT(
	"pg_extension",
	"refobjid") " FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass"
		    " UNION ALL SELECT " AT("pg_rewrite", "oid") ", " RELATION(
			    "ev_class") " FROM pg_rewrite WHERE rulename = '_RETURN' AND oid >= " FIRST_OID
					" UNION ALL SELECT " AT("pg_type", "t.oid") ", " RELATION(
						"c.oid") " FROM pg_type t JOIN pg_class c ON c.oid = "
							 "t.typrelid WHERE c.relkind <> 'c' AND t.oid "
							 ">= " FIRST_OID
							 " UNION ALL SELECT " RELATION("c.oid") ", " AT(
								 "pg_type",
								 "c.reltype") " FROM "
									      "pg_class c "
									      "WHERE "
									      "c.relkind = "
									      "'c' AND "
									      "c.oid "
									      ">= " FIRST_OID " UNION ALL "
									      "SELECT " AT("pg_type", "t."
                                                                                                      "typarr"
                                                                                                      "ay") ", " AT(
										      "pg_"
										      "type",
										      "t."
										      "oid") " FROM pg_type "
                                                                                             "t WHERE "
                                                                                             "t.typarray "
                                                                                             ">= " FIRST_OID
											     " UNION ALL "
                                                                                             "SELECT " AT(
												     "pg_"
                                                                                                     "type",
												     "g."
                                                                                                     "rngmult"
                                                                                                     "itypid") ", " AT("pg_type",
                                                                                                                       "g.rngtypid") " FROM pg_range g WHERE g.rngmultitypid >= " FIRST_OID
																     " UNION ALL SELECT " AT(
																	     "pg_attrdef",
																	     "d.oid") ", 'pg_class'::regclass::oid || ' ' || d.adrelid || ' ' || d.adnum"
																		      " FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
																		      " WHERE a.attgenerated <> ''";

static bool read_links(struct db *db, struct side *out, struct err *err)
{
	cleanup_buf struct buf needs = BUF_INIT(BUF_TEXT_MAX);

	buf_str(&needs, NEEDS);
	buf_str(&needs, NEEDS_OF_PARTS);
	if (db_server_version(db) >= 150000)
		buf_str(&needs, NEEDS_SINCE_15);
	return db_query(db, buf_text(&needs), DB_NO_ARGS, &out->needs, err) &&
	       db_query(db, ALIASES, DB_NO_ARGS, &out->aliases, err) &&
	       db_value(db, "SELECT current_user", DB_NO_ARGS, &out->role, err);
}

static bool rename_one(struct db *db, const struct rename *r, struct strv *done, struct err *err)
{
	cleanup_free char *sql = NULL;

	if (!rename_sql(db, r, &sql, err))
		return false;
	strv_add(done, sql);
	return db_run(db, sql, err);
}

static bool read_inside(struct db *db, const struct schema_options *schema,
                        const struct changes_options *renamed, struct side *out, struct err *err)
{
	for (size_t i = 0; renamed && i < renamed->n_renames; i++)
		if (!rename_one(db, &renamed->renames[i], &out->renames, err))
			return false;
	return schema_read_parts(db, schema, &out->facts, err) &&
	       db_run(db, "SET LOCAL search_path = pg_catalog, pg_temp", err) && read_links(db, out, err);
}

/* In a transaction of the caller's a savepoint undoes the renames. */
bool side_read(struct db *db, const struct schema_options *schema, const struct changes_options *renamed,
               struct side *out, struct err *err)
{
	bool own = db_tx_status(db) == 'I', ok, ended;

	if (!db_run(db, own ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "SAVEPOINT ripcord_side", err))
		return err_wrap(err, "cannot read the schema");
	ok = read_inside(db, schema, renamed, out, err);
	ended = db_run(
		db, own ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT ripcord_side; RELEASE SAVEPOINT ripcord_side",
		err);
	return ok && ended;
}

void side_clear(struct side *s)
{
	schema_free(s->facts);
	rows_free(s->needs);
	rows_free(s->aliases);
	strv_clear(&s->renames);
	free(s->role);
}
