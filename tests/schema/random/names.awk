# A part of tests/schema/random.awk: the same constraints, indexes and sequences by other names.

# A third of them, of all tables but those of extensions; a check goes by its name to the tables that inherit.
function other_names(    suffix) {
	seed_by("other names " SEED)
	if (!chance(35))
		return
	suffix = literal(pick(" b|_c|\"d"))
	say("DO $$\nDECLARE r record;\nBEGIN\n" \
	    "FOR r IN SELECT conrelid::regclass AS t, conname AS was, left(conname, 50) || " suffix " AS is FROM pg_constraint k\n" \
	    "WHERE contype IN ('p', 'u', 'x', 'f', 'c') AND conrelid <> 0 AND conparentid = 0 AND coninhcount = 0\n" \
	    "AND (contype <> 'c' OR NOT EXISTS (SELECT FROM pg_inherits WHERE conrelid IN (inhrelid, inhparent)))\n" \
	    "AND " ours_of("k", "conname") "\nORDER BY conrelid::regclass::text, conname\nLOOP\n" \
	    "EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', r.t, r.was, r.is);\nEND LOOP;\n" \
	    "FOR r IN SELECT c.oid::regclass AS was, left(relname, 50) || " suffix " AS is FROM pg_class c JOIN pg_index ON indexrelid = c.oid\n" \
	    "WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x'))\n" \
	    "AND relnamespace::regnamespace::text !~ '^pg_' AND " ours_of("c", "relname") "\nORDER BY c.oid::regclass::text\nLOOP\n" \
	    "EXECUTE format('ALTER INDEX %s RENAME TO %I', r.was, r.is);\nEND LOOP;\n" \
	    "FOR r IN SELECT c.oid::regclass AS was, left(relname, 50) || " suffix " AS is FROM pg_class c\n" \
	    "WHERE relkind = 'S' AND " ours_of("c", "relname") "\nORDER BY c.oid::regclass::text\nLOOP\n" \
	    "EXECUTE format('ALTER SEQUENCE %s RENAME TO %I', r.was, r.is);\nEND LOOP;\nEND $$")
}
function ours_of(alias, name) {
	return alias ".oid >= 16384 AND hashtext(" alias "." name " || " literal(SEED) ") % 3 = 0" \
	    " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = " alias ".oid AND deptype = 'e')"
}
