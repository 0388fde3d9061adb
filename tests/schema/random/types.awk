# A part of tests/schema/random.awk: schemas, extensions and types.

function roles() {
	ROLES = "schema_reader|schema_owner|\"Schema Role\""
	say("DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY ARRAY['schema_reader', 'schema_owner', 'Schema Role'] LOOP\n" \
	    "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;\n" \
	    "END LOOP; END $$")
}
function schemas(    i, n, name) {
	n = pool("schema", "app|\"my schema\"|other")
	for (i = 1; i <= n; i++) {
		name = POOL["schema", i]
		if (name != "app" && !has("schema " name))
			continue
		say("CREATE SCHEMA " name)
		MADE[name] = 1
		dress("SCHEMA", name, "USAGE|CREATE|USAGE, CREATE")
	}
	toss("public")
	if (chance(20))
		say("GRANT CREATE ON SCHEMA public TO schema_reader")
	if (chance(10))
		say("COMMENT ON SCHEMA public IS 'another comment'")
}
function extensions(    i, n, name, where) {
	n = pool("extension", "citext|hstore|pg_trgm|btree_gist|tablefunc")
	for (i = 1; i <= n; i++) {
		name = POOL["extension", i]
		if (!has("extension " name) || !has("extension again " name))
			continue
		toss("extension " name)
		where = pick("public|public|app")
		say("CREATE EXTENSION " name " SCHEMA " where)
		MADE["extension " name] = where
		dress("EXTENSION", name, "", 1)
	}
}
function collations() {
	if (has("collation")) {
		toss("collation")
		say("CREATE COLLATION app.plain (LOCALE = 'C')")
		MADE["collation"] = 1
		dress("COLLATION", "app.plain")
	}
	if (has("icu collation")) {
		toss("icu collation")
		say("CREATE COLLATION public.\"Numbers\" (PROVIDER = icu, LOCALE = '" pick("en-u-kn-true|de") "'" \
		    maybe(50, ", DETERMINISTIC = false") ")")
		MADE["icu collation"] = 1
	}
}
function enums(    i, n, name) {
	n = pool("enum", "app.state|public.\"Mood\"")
	for (i = 1; i <= n; i++) {
		name = POOL["enum", i]
		if (!has("enum " name))
			continue
		toss("enum " name)
		LABELS[name] = maybe(20, "'zero'|") "'new'" maybe(50, "|'half''way'") maybe(70, "|'done'") maybe(40, "|'lost'") \
		               maybe(15, "|'more'|'most'")
		say("CREATE TYPE " name " AS ENUM (" listed(LABELS[name]) ")")
		LABELS[name] = LABELS[name] "|" LABELS[name]
		sub(/'new'[|]?/, "", LABELS[name]) # less often than the others, which may come by these changes
		MADE[name] = "new"
		dress("TYPE", name, "USAGE")
	}
}
function listed(list) { gsub(/[|]/, ", ", list); return list }
# One that came to the type only now, as likely as not.
function label_of(t, c,    type) {
	type = TYPE[t, c]
	return type in LABELS ? pick(LABELS[type]) : "'new'"
}
function domains(    base) {
	if (has("domain")) {
		toss("domain")
		base = pick("int|int|bigint")
		say("CREATE DOMAIN app.amount AS " base maybe(60, " DEFAULT 1" maybe(50, " NOT NULL")) \
		    maybe(70, " CONSTRAINT small CHECK (VALUE < " pick("100000|1000000") " AND VALUE > -5)") \
		    maybe(30, " CONSTRAINT \"not two\" CHECK (VALUE NOT IN (-2, -3))"))
		say_maybe(40, "ALTER DOMAIN app.amount ADD CONSTRAINT late CHECK (VALUE <> " pick("-9|-8") ")" maybe(60, " NOT VALID") ";\n" \
		    "COMMENT ON CONSTRAINT late ON DOMAIN app.amount IS " pick("'came late'|'later'"))
		MADE["app.amount"] = base
		dress("DOMAIN", "app.amount", "USAGE")
	}
	if (has("text domain")) {
		toss("text domain")
		say("CREATE DOMAIN public.\"Code\" AS " pick("text|varchar(60)") \
		    (MADE["collation"] ? maybe(40, " COLLATE app.plain") : "") maybe(40, " DEFAULT 'x'") \
		    maybe(60, " CHECK (VALUE <> ALL (ARRAY['a', 'b']))"))
		MADE["public.\"Code\""] = "text"
		dress("DOMAIN", "public.\"Code\"", "USAGE")
	}
}
# The attributes of a type that columns have keep their own types and their order: no statement changes those.
function composites() {
	if (has("composite")) {
		toss("composite")
		say("CREATE TYPE app.pair AS (a int, b text" maybe(60, ", \"c c\" date" maybe(50, ", d numeric(9,3)")) ")")
		MADE["app.pair"] = 1
		dress("TYPE", "app.pair", "USAGE")
	}
	if (has("free composite")) {
		toss("free composite")
		say("CREATE TYPE app.free AS (a " pick("int|bigint") ", b " pick("text|varchar(9)|text COLLATE \"C\"") \
		    maybe(40, ", \"c c\" date") maybe(30, ", d numeric(9,3)") ")")
	}
	if (has("row type")) {
		say("CREATE TYPE app.line AS (id bigint, n1 int, t1 text)")
		MADE["app.line"] = 1
	}
}
# A base type is the same for all seeds: it is refused where it differs.
function base_type() {
	say("CREATE TYPE app.tick")
	say("CREATE FUNCTION app.tick_in(cstring) RETURNS app.tick LANGUAGE internal IMMUTABLE STRICT AS 'int4in'")
	say("CREATE FUNCTION app.tick_out(app.tick) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out'")
	say("CREATE FUNCTION app.tick_order(app.tick, app.tick) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp'")
	say("CREATE FUNCTION app.tick_less(app.tick, app.tick) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt'")
	say("CREATE FUNCTION app.tick_same(app.tick, app.tick) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq'")
	say("CREATE TYPE app.tick (INPUT = app.tick_in, OUTPUT = app.tick_out, LIKE = int4)")
	dress("TYPE", "app.tick", "USAGE", 1)
}
# The canonical function is one of the type's shell.
function canonical_range() {
	if (!has("canonical"))
		return
	toss("canonical")
	say("CREATE TYPE app.steps")
	say("CREATE FUNCTION app.in_steps(app.steps) RETURNS app.steps LANGUAGE internal IMMUTABLE STRICT" maybe(40, " PARALLEL SAFE") \
	    " AS 'int4range_canonical'")
	say("CREATE TYPE app.steps AS RANGE (SUBTYPE = int4, CANONICAL = app.in_steps" maybe(50, ", SUBTYPE_DIFF = int4range_subdiff") ")")
	dress("TYPE", "app.steps", "USAGE")
	dress("FUNCTION", "app.in_steps(app.steps)", "EXECUTE")
}
function ranges() {
	base_type()
	canonical_range()
	if (has("range")) {
		say("CREATE TYPE app.span AS RANGE (SUBTYPE = int8)")
		MADE["app.span"] = 1
		dress("TYPE", "app.span", "USAGE")
	}
	if (has("free range")) {
		toss("free range")
		say("CREATE TYPE public.\"Span\" AS RANGE (SUBTYPE = " pick("int4|numeric|text|float8|float8, SUBTYPE_DIFF = float8mi|text, COLLATION = \"C\"|" \
		    "text, SUBTYPE_OPCLASS = text_pattern_ops" (MADE["collation"] ? "|text, COLLATION = app.plain" : "")) \
		    maybe(30, ", MULTIRANGE_TYPE_NAME = app.spans") ")")
		dress("TYPE", "public.\"Span\"", "USAGE")
	}
}
