# Prints the SQL of a random schema, the same for the same seed:
#
#     awk -f tests/schema/random.awk SEED
#
# Names come from small pools, so two seeds share many objects; whether a shared object is the same in both is a
# toss of a coin for each (toss()), so that a pair has objects that are there once, altered, and untouched.
# The SQL loads into an empty database of PostgreSQL 15 as a superuser; roles are made where they are missing.
# Every table gets rows that satisfy any other seed's constraints: values are not NULL, differ from row to row, and
# convert to every type that the same column may have; what is NOT NULL has a default; what is unique has the id in it.

# ---------------------------------------------------------------- chance

function hash(text,    h, i) {
	h = 5381
	for (i = 1; i <= length(text); i++)
		h = (h * 33 + CODE[substr(text, i, 1)]) % 2147483647
	return h
}
# The minimal standard generator of Park and Miller; a product stays below 2^46, exact in a double.
function below(n) {
	STATE = (STATE * 16807) % 2147483647
	return int(STATE / 2147483647 * n)
}
function seed_by(text,    i) {
	STATE = hash(text) % 2147483646 + 1
	for (i = 0; i < 5; i++)
		below(2)
}
# From here on, chance is about this object: its own for this seed, or the same for every seed.
function toss(name) {
	seed_by("toss " name " " SEED)
	seed_by(below(2) ? name : name " " SEED)
}
function has(name) {
	seed_by("has " name " " SEED)
	return below(100) < 70
}
function chance(percent) { return below(100) < percent }
function pick(list,    n, parts) {
	n = split(list, parts, "|")
	return parts[1 + below(n)]
}
function maybe(percent, text, otherwise) { return chance(percent) ? text : otherwise }

# ---------------------------------------------------------------- output

function say(sql) { print sql ";" }
function literal(text) { gsub(/'/, "''", text); return "'" text "'" }

# Comment, owner and grants, whatever the object is.
function dress(kind, name, privileges, no_owner,    role) {
	toss("dress " kind " " name)
	if (chance(25))
		say("COMMENT ON " kind " " name " IS " literal(pick("about it|it's \"quoted\"|größer\nand longer")))
	if (!no_owner && chance(15))
		say("ALTER " kind " " name " OWNER TO " pick(ROLES))
	if (privileges && chance(30)) {
		say("GRANT " pick(privileges) " ON " grant_kind(kind) " " name " TO " pick(ROLES "|PUBLIC"))
		if (chance(30))
			say("GRANT " pick(privileges) " ON " grant_kind(kind) " " name " TO " pick(ROLES) " WITH GRANT OPTION")
		if (kind ~ /FUNCTION|PROCEDURE|DOMAIN|TYPE/ && chance(40))
			say("REVOKE ALL ON " grant_kind(kind) " " name " FROM PUBLIC")
	}
}
function grant_kind(kind) {
	if (kind ~ /VIEW|TABLE/)
		return "TABLE"
	return kind == "SERVER" ? "FOREIGN SERVER" : kind
}
function pool(name, list,    i, n, parts) {
	n = split(list, parts, "|")
	for (i = 1; i <= n; i++)
		POOL[name, i] = parts[i]
	return n
}
# The schema of a name as written here: app.x, "my schema".x
function has_schema_of(name,    s) {
	s = name
	sub(/\.("[^.]*"|[^."]*)$/, "", s)
	return s == "public" || (s in MADE)
}

# ---------------------------------------------------------------- what tables are made of

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
		say("CREATE TYPE " name " AS ENUM (" maybe(20, "'zero', ") "'new'" maybe(50, ", 'half''way'") \
		    maybe(70, ", 'done'") maybe(40, ", 'lost'") maybe(15, ", 'more', 'most'") ")")
		MADE[name] = "new"
		dress("TYPE", name, "USAGE")
	}
}
function domains(    base) {
	if (has("domain")) {
		toss("domain")
		base = pick("int|int|bigint")
		say("CREATE DOMAIN app.amount AS " base maybe(60, " DEFAULT 1" maybe(50, " NOT NULL")) \
		    maybe(70, " CONSTRAINT small CHECK (VALUE < " pick("100000|1000000") " AND VALUE > -5)") \
		    maybe(30, " CONSTRAINT \"not two\" CHECK (VALUE NOT IN (-2, -3))"))
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
function ranges() {
	if (has("range")) {
		say("CREATE TYPE app.span AS RANGE (SUBTYPE = int8)")
		MADE["app.span"] = 1
		dress("TYPE", "app.span", "USAGE")
	}
	if (has("free range")) {
		toss("free range")
		say("CREATE TYPE public.\"Span\" AS RANGE (SUBTYPE = " pick("int4|numeric") maybe(30, ", MULTIRANGE_TYPE_NAME = app.spans") ")")
	}
}

# ---------------------------------------------------------------- routines

function flags(    s) {
	s = pick("| STABLE| IMMUTABLE") maybe(30, " STRICT") maybe(20, " SECURITY DEFINER") maybe(30, " PARALLEL SAFE")
	return s maybe(20, " COST 7") maybe(20, " SET search_path TO 'app', 'pg_temp'") maybe(10, " SET work_mem TO '8MB'")
}
function routines_before_tables(    argument) {
	# Constraints, defaults and indexes use this one: always immutable, and true to its sign.
	if (has("twice")) {
		toss("twice")
		say("CREATE FUNCTION app.twice(" pick("x|y") " bigint) RETURNS bigint LANGUAGE sql IMMUTABLE" maybe(40, " STRICT") \
		    " AS $$ SELECT " pick("$1 * 2|$1 + $1|2 * $1") " $$")
		MADE["twice"] = 1
		dress("FUNCTION", "app.twice(bigint)", "EXECUTE")
	}
	if (has("greet")) {
		toss("greet")
		say("CREATE FUNCTION app.greet(who text" maybe(50, " DEFAULT 'you', n int DEFAULT 1", ", n int") ") RETURNS " \
		    pick("text|text|varchar") " LANGUAGE plpgsql" flags() " AS $$ BEGIN RETURN 'hi ' || who; END $$")
		dress("FUNCTION", "app.greet(text, int)", "EXECUTE")
	}
	if (has("overload")) {
		toss("overload")
		say("CREATE FUNCTION app.greet(n int" maybe(40, " DEFAULT 1") ") RETURNS int LANGUAGE sql" flags() \
		    maybe(50, " BEGIN ATOMIC SELECT n + 1; END", " AS 'SELECT n + 1'"))
	}
	if (has("setof")) {
		toss("setof")
		say("CREATE FUNCTION public.\"Many\"(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql ROWS " pick("10|20") \
		    " AS $$ SELECT 1, 'x'::text" maybe(50, " UNION ALL SELECT 2, 'y'") " $$")
	}
	if (has("variadic")) {
		toss("variadic")
		say("CREATE FUNCTION app.total(VARIADIC v int[]) RETURNS " pick("bigint|numeric") \
		    " LANGUAGE sql AS $$ SELECT sum(x) FROM unnest(v) x $$")
	}
	if (has("enum function") && MADE["app.state"]) {
		toss("enum function")
		say("CREATE FUNCTION app.first_state(s app.state" maybe(50, " DEFAULT 'new'") ") RETURNS app.state LANGUAGE sql" \
		    " AS $$ SELECT s $$")
	}
	if (has("trigger function")) {
		toss("trigger function")
		say("CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql" maybe(30, " SECURITY DEFINER") \
		    " AS $$ BEGIN RETURN " pick("NEW|coalesce(NEW, OLD)") "; END $$")
		MADE["touch"] = 1
	}
	if (has("aggregate")) {
		toss("aggregate")
		say("CREATE AGGREGATE app.sum_of(int) (SFUNC = int4pl, STYPE = int4" maybe(60, ", INITCOND = '" pick("0|1") "'") \
		    maybe(40, ", COMBINEFUNC = int4pl") maybe(40, ", PARALLEL = safe") ")")
		dress("AGGREGATE", "app.sum_of(int)")
	}
}
function routines_after_tables(    t) {
	if (has("procedure")) {
		toss("procedure")
		say("CREATE PROCEDURE app.work(" pick("n int|n int DEFAULT 3|m int") ") LANGUAGE plpgsql" maybe(30, " SECURITY DEFINER") \
		    " AS $$ BEGIN " pick("NULL|PERFORM 1") "; END $$")
		dress("PROCEDURE", "app.work(int)", "EXECUTE")
	}
	t = any_table()
	if (t && has("atomic")) {
		toss("atomic")
		say("CREATE FUNCTION app.ids() RETURNS SETOF bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT id::bigint FROM " t \
		    " WHERE id " pick("> 0|BETWEEN 1 AND 10") maybe(30, " ORDER BY 1") "; END")
	}
	if (t && has("row function")) {
		toss("row function")
		say("CREATE FUNCTION app.rows_of() RETURNS SETOF " t " LANGUAGE sql STABLE AS 'SELECT * FROM " t "'")
	}
	if (t && has("row argument")) {
		toss("row argument")
		say("CREATE FUNCTION app.id_of(r " t ") RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT " pick("r.id|(r).id + 0") "'")
	}
}

# ---------------------------------------------------------------- tables

# Each column by its name: its type, what follows the type, and a value for row k.  TYPE[t, c] is left for the rest.
function column_type(c) {
	if (c == "id") return pick("bigint|bigint|int")
	if (c == "n1") return pick("smallint|int|bigint|numeric(12,2)|numeric")
	if (c == "t1") return pick("text|varchar(40)|varchar(80)|text COLLATE \"C\"")
	if (c == "d1") return pick("date|timestamp|timestamptz|timestamp(3)")
	if (c == "j1") return pick("json|jsonb|jsonb")
	if (c == "a1") return pick("int[]|bigint[]")
	if (c == "b1") return pick("boolean|boolean|text")
	if (c == "u1") return "uuid"
	if (c == "ref") return pick("bigint|int")
	if (c == "e1") return MADE["app.state"] ? pick("app.state|app.state|text") : "text"
	if (c == "e2") return MADE["public.\"Mood\""] ? "public.\"Mood\"" : "text"
	if (c == "ea") return MADE["app.state"] ? "app.state[]" : "text[]"
	if (c == "m1") return MADE["app.amount"] ? pick("app.amount|app.amount|int") : "int"
	if (c == "k1") return MADE["public.\"Code\""] ? "public.\"Code\"" : "text"
	if (c == "p1") return MADE["app.pair"] ? "app.pair" : "text"
	if (c == "s1") return MADE["app.span"] ? "app.span" : "int8range"
	if (c == "x1") return MADE["extension citext"] ? MADE["extension citext"] ".citext" : "text"
	return "text" (MADE["collation"] ? maybe(40, " COLLATE app.plain") : "")
}
function column_value(c, k) {
	if (c ~ /^(id|n1|m1)$/) return "'" k "'"
	if (c == "d1") return "'2024-01-0" k "'"
	if (c == "j1") return "'{\"k\": " k "}'"
	if (c == "a1") return "'{" k ",2}'"
	if (c == "b1") return "'true'"
	if (c == "u1") return "'00000000-0000-0000-0000-00000000000" k "'"
	if (c == "e1" || c == "e2") return "'new'"
	if (c == "ea") return "'{new}'"
	if (c == "s1") return "'[" k "0," k "5)'"
	if (c ~ /^(ref|p1)$/) return "NULL"
	return "'value " k "'"
}
function column_default(c, type) {
	if (c == "n1") return pick("0|1 + 1|" (MADE["twice"] ? "app.twice(4)" : "4") "|'-1'::integer")
	if (c == "t1") return pick("'x'|upper('y')|'it''s'|CURRENT_USER")
	if (c == "d1") return pick("now()|'2020-01-01'|CURRENT_DATE")
	if (c == "j1") return pick("'{}'|'[1, 2]'")
	if (c == "a1") return pick("'{}'|ARRAY[1, 2]")
	if (c == "b1") return pick("true|'false'")
	if (c == "u1") return "gen_random_uuid()"
	if (c == "e1" || c == "e2") return "'new'"
	if (c == "ea") return "'{new}'"
	if (c == "m1") return pick("'3'|'4'")
	if (c == "k1" || c == "x1") return "'z'"
	return ""
}
function id_column(t, type,    kind) {
	kind = pick("plain|always|default|default|serial")
	if (kind == "serial") {
		say("CREATE SEQUENCE " t_sequence(t) maybe(30, " AS int") maybe(30, " INCREMENT BY " pick("2|5")))
		SERIAL[t] = 1
		return " NOT NULL DEFAULT nextval(" literal(t_sequence(t)) ")"
	}
	if (kind == "plain")
		return " NOT NULL"
	return " GENERATED " (kind == "always" ? "ALWAYS" : "BY DEFAULT") " AS IDENTITY" \
	       maybe(30, " (START WITH " pick("10|100") maybe(50, " INCREMENT BY 3") maybe(30, " CACHE 5") maybe(20, " CYCLE") ")")
}
function t_sequence(t) {
	return t ~ /"$/ ? substr(t, 1, length(t) - 1) "_seq\"" : t "_seq"
}
function column(t, c,    type, d) {
	toss("column " t "." c)
	type = column_type(c)
	TYPE[t, c] = type
	if (c == "id")
		return "id " type id_column(t, type)
	d = chance(45) ? column_default(c, type) : ""
	if (c == "b1" && d != "")
		d = "'true'"
	return quoted(c) " " type (d == "" ? "" : " DEFAULT " d maybe(50, " NOT NULL"))
}
function quoted(c) { return c ~ /^[a-z0-9_]+$/ ? c : "\"" c "\"" }

function generated(t,    s) {
	toss("generated " t)
	if (t SUBSEP "n1" in TYPE && chance(60))
		return "g1 " pick("numeric|bigint") " GENERATED ALWAYS AS (n1 " pick("* 2|+ 1") ") STORED"
	if (t SUBSEP "t1" in TYPE)
		return "g1 text GENERATED ALWAYS AS (" pick("upper(t1)|lower(t1)") ") STORED"
	return ""
}
function columns_of(t,    i, n, s, g) {
	n = pool("column", "n1|t1|d1|j1|a1|b1|u1|e1|e2|ea|m1|k1|p1|s1|x1|ref|Odd \"\"one")
	s = column(t, "id")
	COLUMNS[t] = "id"
	for (i = 1; i <= n; i++) {
		if (!has("column " t "." POOL["column", i]) || !has("column again " t "." POOL["column", i]))
			continue
		s = s ",\n\t" column(t, POOL["column", i])
		COLUMNS[t] = COLUMNS[t] "|" POOL["column", i]
	}
	g = has("generated " t) ? generated(t) : ""
	if (g != "")
		TYPE[t, "g1"] = "text"
	return s (g == "" ? "" : ",\n\t" g)
}
function there(t, c) { return (t SUBSEP c) in TYPE }

function plain_table(t,    s) {
	s = columns_of(t)
	toss("table " t)
	UNLOGGED[t] = chance(10)
	say("CREATE " (UNLOGGED[t] ? "UNLOGGED " : "") "TABLE " t " (\n\t" s "\n)" maybe(25, " WITH (fillfactor = " pick("70|80") \
	    maybe(40, ", autovacuum_enabled = false") maybe(30, ", toast.autovacuum_enabled = false") ")"))
	finish_table(t, "TABLE")
	rows(t)
}
function finish_table(t, kind) {
	if (SERIAL[t] && chance(80))
		say("ALTER SEQUENCE " t_sequence(t) " OWNED BY " t ".id")
	keys(t)
	checks(t)
	column_features(t)
	if (PARTITIONED[t])
		partition_indexes(t)
	else
		indexes(t)
	table_features(t)
	dress("TABLE", t, "SELECT|INSERT, UPDATE|SELECT, DELETE|ALL")
	column_dress(t)
	TABLES = TABLES "\n" t
	MADE[t] = kind
}
function keys(t,    late) {
	toss("key " t)
	if (chance(75)) {
		late = maybe(10, " DEFERRABLE INITIALLY DEFERRED")
		say("ALTER TABLE " t " ADD" maybe(40, " CONSTRAINT the_key_" hash(t)) " PRIMARY KEY (id)" late)
		PRIMARY[t] = late == ""
		KEYED[t] = 1
		KEY[t] = late ? "" : "id"
	} else if (chance(50)) {
		say("ALTER TABLE " t " ADD CONSTRAINT one_id_" hash(t) " UNIQUE " maybe(30, "NULLS NOT DISTINCT ") "(id)")
		KEY[t] = "id"
		KEYED[t] = 1
	}
	if (there(t, "n1") && has("unique " t)) {
		toss("unique " t)
		say("ALTER TABLE " t " ADD CONSTRAINT \"id and n " hash(t) "\" UNIQUE (" pick("id, n1|n1, id") ")" maybe(30, " DEFERRABLE"))
	}
	if (there(t, "s1") && TYPE[t, "s1"] != "int8range" && !PARTITIONED[t] && has("exclude " t)) {
		toss("exclude " t)
		say("ALTER TABLE " t " ADD CONSTRAINT apart_" hash(t) " EXCLUDE USING gist (s1 WITH &&)" maybe(40, " WHERE (id > " pick("1|2") ")"))
	}
}
function checks(t) {
	if (there(t, "n1") && has("check n " t)) {
		toss("check n " t)
		say("ALTER TABLE " t " ADD CONSTRAINT n_small CHECK (" \
		    pick("n1 > -100|n1 BETWEEN -100 AND 1000 AND id > 0|n1 IN (-1, 0, 1, 2, 3, 4, 8, 9)|NOT (n1 < -50 AND id < 0)") \
		    ")" maybe(25, " NOT VALID"))
	}
	if (there(t, "t1") && TYPE[t, "t1"] ~ /varchar|text/ && has("check t " t)) {
		toss("check t " t)
		say("ALTER TABLE " t " ADD CONSTRAINT \"t, checked\" CHECK (" \
		    pick("length(t1) < 1000|t1 NOT IN ('a', 'b')|t1 <> ALL (ARRAY['q', 'w'])|t1 NOT LIKE '%%bad%%'") ")" \
		    (PARTITIONED[t] ? "" : maybe(20, " NO INHERIT")))
	}
	if (MADE["twice"] && has("check f " t)) {
		toss("check f " t)
		say("ALTER TABLE " t " ADD CHECK (app.twice(id) " pick("> 0|>= 0") ")")
	}
}
function column_features(t) {
	toss("features " t)
	if (there(t, "t1")) {
		say_maybe(25, "ALTER TABLE " t " ALTER t1 SET STORAGE " pick("EXTERNAL|MAIN"))
		say_maybe(20, "ALTER TABLE " t " ALTER t1 SET COMPRESSION " pick("pglz|lz4"))
		say_maybe(20, "ALTER TABLE " t " ALTER t1 SET STATISTICS " pick("0|50|500"))
	}
	if (there(t, "n1"))
		say_maybe(20, "ALTER TABLE " t " ALTER n1 SET (n_distinct = " pick("-0.5|5") ")")
}
function say_maybe(percent, sql) { if (chance(percent)) say(sql) }

function index_columns(t,    s) {
	s = pick("id|id DESC|id, (id + 1)|(id % 7), id")
	if (there(t, "t1") && chance(50))
		s = pick("t1|lower(t1)|t1 COLLATE \"C\"|t1 text_pattern_ops|t1 DESC NULLS LAST, id")
	if (there(t, "n1") && chance(30))
		s = pick("n1|n1 DESC|n1, id|(n1 + 1)")
	return s
}
# The server names the indexes of partitions after their columns, numbers those of the same columns as they come, and
# takes any of them for any of the parent's: no two are on the same columns.
function partition_indexes(t) {
	if (there(t, "n1") && has("index n " t)) {
		toss("index n " t)
		say("CREATE INDEX n_" hash(t) " ON " t " (n1" maybe(50, " DESC") ")" maybe(40, " WHERE id > " pick("1|2")))
	}
	if (there(t, "t1") && has("index t " t)) {
		toss("index t " t)
		say("CREATE INDEX \"t " hash(t) "\" ON " t " (" pick("lower(t1)|upper(t1)") ")" maybe(30, " WITH (fillfactor = 75)"))
	}
	if (!KEYED[t] && has("unique index " t))
		say("CREATE UNIQUE INDEX u_" hash(t) " ON " t " (id)")
}
function indexes(t,    i, name) {
	for (i = 1; i <= 3; i++) {
		if (!has("index " t i))
			continue
		toss("index " t i)
		name = pick("by|\"By\"") == "by" ? "ix_" hash(t) "_" i : "\"ix " hash(t) " " i "\""
		say("CREATE INDEX " name " ON " t " (" index_columns(t) ")" maybe(20, " INCLUDE (id)") \
		    maybe(20, " WITH (fillfactor = " pick("60|75") ")") \
		    maybe(30, " WHERE id " pick("> 0|BETWEEN 1 AND 5 AND id <> 3|IN (1, 2)")))
		dress("INDEX", schema_of(t) "." name, "", 1)
	}
	if (there(t, "j1") && TYPE[t, "j1"] == "jsonb" && has("gin " t))
		say("CREATE INDEX gin_" hash(t) " ON " t " USING gin (j1" maybe(40, " jsonb_path_ops") ")")
	if (has("hash " t) && !has("hash less " t))
		say("CREATE INDEX hash_" hash(t) " ON " t " USING " pick("hash (id)|brin (id)|brin (id) WITH (pages_per_range = 8)"))
	if (has("unique index " t)) {
		toss("unique index " t)
		say("CREATE UNIQUE INDEX u_" hash(t) " ON " t " (id)" (there(t, "t1") ? maybe(30, " INCLUDE (t1)") : ""))
		UNIQUE[t] = 1
	}
}
function schema_of(t) {
	sub(/\.("[^.]*"|[^."]*)$/, "", t)
	return t
}
function table_features(t) {
	toss("table features " t)
	if (!PARTITIONED[t])
		say_maybe(15, "ALTER TABLE " t " REPLICA IDENTITY " pick("FULL|NOTHING"))
	if (UNIQUE[t] && !PARTITIONED[t])
		say_maybe(25, "ALTER TABLE " t " " pick("CLUSTER ON|REPLICA IDENTITY USING INDEX") " u_" hash(t))
	if (chance(25)) {
		say("ALTER TABLE " t " ENABLE ROW LEVEL SECURITY")
		say_maybe(40, "ALTER TABLE " t " FORCE ROW LEVEL SECURITY")
	}
	if (chance(40))
		say("CREATE POLICY \"the policy\" ON " t pick("| AS RESTRICTIVE") pick("| FOR SELECT| FOR UPDATE| FOR ALL") \
		    maybe(60, " TO schema_reader" maybe(40, ", \"Schema Role\"")) " USING (id " pick("> 0|IN (1, 2, 3)") ")")
	if (chance(30))
		say("CREATE POLICY writing ON " t " FOR INSERT WITH CHECK (" pick("id > 0|current_user = 'x'") ")")
}
function column_dress(t) {
	toss("column dress " t)
	say_maybe(25, "COMMENT ON COLUMN " t ".id IS " literal(pick("the id|it's")))
	say_maybe(20, "GRANT " pick("SELECT|UPDATE|REFERENCES") " (id) ON " t " TO " pick(ROLES))
}
function rows(t,    i, k, n, parts, names, values) {
	if (!has("rows " t))
		return
	n = split(COLUMNS[t], parts, "|")
	for (k = 1; k <= 3; k++) {
		names = values = ""
		for (i = 1; i <= n; i++) {
			names = names (i > 1 ? ", " : "") quoted(parts[i])
			values = values (i > 1 ? ", " : "") column_value(parts[i], k)
		}
		say("INSERT INTO " t " (" names ") OVERRIDING SYSTEM VALUE VALUES (" values ")")
	}
}

function plain_tables(    i, n, t) {
	n = pool("table", "app.account|app.\"Order Item\"|public.t1|public.\"größe\"|\"my schema\".log|\"my schema\".\"a \"\"b\"\"\"|other.ledger")
	for (i = 1; i <= n; i++) {
		t = POOL["table", i]
		if (has_schema_of(t) && has("table " t))
			plain_table(t)
	}
}
function any_table(    n, parts) {
	n = split(substr(TABLES, 2), parts, "\n")
	return n ? parts[1 + below(n)] : ""
}
function typed_table() {
	if (!MADE["app.line"] || !has("typed table"))
		return
	toss("typed table")
	say("CREATE TABLE app.typed OF app.line (id WITH OPTIONS NOT NULL" maybe(50, ", n1 WITH OPTIONS DEFAULT 5") ")")
	dress("TABLE", "app.typed", "SELECT")
}
function inheritance(    parents, s) {
	if (!has("parents"))
		return
	toss("parents")
	say("CREATE TABLE app.parent (id bigint" maybe(50, " NOT NULL") ", n1 int DEFAULT " pick("1|2") maybe(50, ", t1 text") \
	    maybe(50, ", CONSTRAINT n_pos CHECK (n1 > -5)") ")")
	say("CREATE TABLE app.other_parent (id bigint, z int)")
	if (!has("child"))
		return
	# A column that is inherited alone can be made so by its parent, and no other way: those of a parent that comes
	# and goes are the child's own.
	toss("child")
	parents = pick("app.parent|app.parent, app.other_parent")
	say("CREATE TABLE app.child (own " pick("int|bigint") ", z int, n1 int" maybe(40, " DEFAULT 9") ") INHERITS (" parents ")")
	say_maybe(50, "CREATE INDEX child_own ON app.child (own)")
	say_maybe(40, "ALTER TABLE app.child ALTER n1 " pick("SET DEFAULT 7|SET DEFAULT 8|DROP DEFAULT|SET NOT NULL"))
	toss("own child")
	parents = pick("app.parent|app.parent, app.other_parent|app.other_parent, app.parent|app.other_parent|")
	say("CREATE TABLE app.own_child (id bigint NOT NULL, n1 int DEFAULT 1, t1 text, z int," \
	    " CONSTRAINT n_pos CHECK (n1 > -5))" (parents == "" ? "" : " INHERITS (" parents ")"))
	if (has("grandchild"))
		say("CREATE TABLE app.grandchild (more text) INHERITS (app.child)")
}

# ---------------------------------------------------------------- partitions

# What a table is partitioned by is the same for all seeds: no statement changes it.
function partitioned(t, by,    s) {
	if (!has("partitioned " t))
		return
	PARTITIONED[t] = 1
	toss("partitioned columns " t)
	s = "id bigint NOT NULL"
	TYPE[t, "id"] = "bigint"
	COLUMNS[t] = "id"
	if (chance(70)) {
		s = s ", n1 int" maybe(50, " DEFAULT " pick("1|2"))
		TYPE[t, "n1"] = "int"
		COLUMNS[t] = COLUMNS[t] "|n1"
	}
	if (chance(60)) {
		s = s ", t1 " pick("text|varchar(50)")
		TYPE[t, "t1"] = "text"
		COLUMNS[t] = COLUMNS[t] "|t1"
	}
	say("CREATE TABLE " t " (" s ") PARTITION BY " by " (id)")
	if (by == "RANGE") {
		partition(t, 1, "FROM (MINVALUE) TO (100)")
		partition(t, 2, "FROM (100) TO (" pick("200|300") ")")
		if (has("sub"))
			sub_partition(t)
	} else if (by == "LIST") {
		partition(t, 1, "IN (1, 2)")
		partition(t, 2, "IN (" pick("3|3, 4") ")")
	} else {
		partition(t, 1, "WITH (modulus 2, remainder 0)")
		partition(t, 2, "WITH (modulus 2, remainder 1)")
	}
	if (by != "HASH" && has("default partition " t))
		say("CREATE TABLE " t "_rest PARTITION OF " t " DEFAULT")
	finish_table(t, "PARTITIONED")
	if (by == "RANGE") # the others may lack a partition for a row
		rows(t)
	if (has("partition index " t))
		say("CREATE INDEX own_" hash(t) " ON " t "_1 (id, (id + 2), id)")
}
function partition(t, n, bound) {
	if (n == 1 || has("partition " t n))
		say("CREATE TABLE " t "_" n " PARTITION OF " t " FOR VALUES " bound)
}
function sub_partition(t) {
	say("CREATE TABLE " t "_3 PARTITION OF " t " FOR VALUES FROM (1000) TO (2000) PARTITION BY LIST (id)")
	say("CREATE TABLE " t "_3_a PARTITION OF " t "_3 FOR VALUES IN (1000, 1001)")
}
function partitions() {
	partitioned("app.event", "RANGE")
	if (has("more partitions"))
		partitioned("app.kind", "LIST")
	else
		partitioned("public.shard", "HASH")
}

# ---------------------------------------------------------------- what hangs on tables

function foreign_keys(    i, n, parts, t, to) {
	n = split(substr(TABLES, 2), parts, "\n")
	for (i = 1; i <= n; i++) {
		t = parts[i]
		to = parts[1 + (i + (has("fk turn " t) ? 0 : 1)) % n]
		if (!there(t, "ref") || !KEY[to] || UNLOGGED[to] > UNLOGGED[t] || !has("fk " t))
			continue
		toss("fk " t)
		say("ALTER TABLE " t " ADD CONSTRAINT ref_fk FOREIGN KEY (ref) REFERENCES " to " (id)" maybe(15, " MATCH FULL") \
		    maybe(40, " ON DELETE " pick("CASCADE|SET NULL|SET NULL (ref)|RESTRICT")) maybe(20, " ON UPDATE CASCADE") \
		    maybe(25, " DEFERRABLE" maybe(50, " INITIALLY DEFERRED")) \
		    (PARTITIONED[to] || PARTITIONED[t] ? "" : maybe(15, " NOT VALID")))
	}
}
function sequences(    i, name) {
	for (i = 1; i <= 2; i++) {
		name = i == 1 ? "app.counter" : "public.\"Count er\""
		if (!has("sequence " name))
			continue
		toss("sequence " name)
		say("CREATE SEQUENCE " name maybe(30, " AS int") maybe(30, " INCREMENT BY " pick("2|-1")) maybe(30, " CACHE 10") maybe(30, " CYCLE"))
		dress("SEQUENCE", name, "USAGE|SELECT")
	}
}
function views(    t, first) {
	t = any_table()
	if (t == "")
		return
	if (has("view 1")) {
		toss("view 1")
		say("CREATE VIEW app.first" maybe(25, " WITH (security_barrier = true)") " AS SELECT " \
		    pick("id|id, id + 1 AS next|id, 'x'::text AS label") " FROM " t \
		    pick("| WHERE id BETWEEN 1 AND 5 AND id <> 4| WHERE id IN (1, 2)") )
		MADE["first"] = 1
		dress("VIEW", "app.first", "SELECT|SELECT, UPDATE", 1) # its owner reads for the materialized view
	}
	if (MADE["first"] && has("view 2")) {
		toss("view 2")
		say("CREATE VIEW public.\"Second view\" AS SELECT id, count(*) AS n FROM app.first GROUP BY id" maybe(50, " HAVING count(*) > 1"))
		dress("VIEW", "public.\"Second view\"", "SELECT")
		if (chance(50))
			say("COMMENT ON COLUMN public.\"Second view\".n IS 'how many'")
		MADE["second"] = 1
	}
	if (there(t, "t1") && PRIMARY[t] && has("key view")) {
		toss("key view")
		say("CREATE VIEW app.text_of AS SELECT id, upper(t1::text) AS t, count(*) AS n FROM " t maybe(50, " WHERE t1::text IN ('a', 'b')") \
		    " GROUP BY id")
	}
	if (has("updatable")) {
		toss("updatable")
		say("CREATE VIEW app.checked" maybe(30, " WITH (security_invoker = true)") " AS SELECT id FROM " t " WHERE id > 0" \
		    maybe(50, pick(" WITH LOCAL CHECK OPTION| WITH CASCADED CHECK OPTION")))
		if (MADE["touch"] && chance(40))
			say("CREATE TRIGGER instead INSTEAD OF UPDATE ON app.checked FOR EACH ROW EXECUTE FUNCTION app.touch()")
	}
	if (has("matview")) {
		toss("matview")
		say("CREATE MATERIALIZED VIEW app.stored AS SELECT id, " pick("1|2") " AS one FROM " (MADE["first"] && chance(50) ? "app.first" : t) \
		    maybe(30, " WITH NO DATA"))
		say_maybe(60, "CREATE UNIQUE INDEX stored_id ON app.stored (id)")
		dress("MATERIALIZED VIEW", "app.stored", "SELECT")
	}
	if (MADE["second"] && has("view function")) {
		toss("view function")
		say("CREATE FUNCTION app.seconds() RETURNS SETOF public.\"Second view\" LANGUAGE sql AS 'SELECT * FROM public.\"Second view\"'")
	}
}
function triggers(    i, n, parts, t) {
	n = split(substr(TABLES, 2), parts, "\n")
	for (i = 1; i <= n; i++) {
		t = parts[i]
		if (MADE["touch"] && has("trigger " t)) {
			toss("trigger " t)
			say("CREATE TRIGGER \"touch it\" " pick("BEFORE INSERT|BEFORE UPDATE|AFTER DELETE|BEFORE INSERT OR UPDATE OF id") " ON " t \
			    " FOR EACH ROW EXECUTE FUNCTION app.touch(" maybe(30, "'arg'") ")")
			if (chance(25))
				say("ALTER TABLE " t " " pick("DISABLE|ENABLE REPLICA|ENABLE ALWAYS") " TRIGGER \"touch it\"")
			say_maybe(30, "COMMENT ON TRIGGER \"touch it\" ON " t " IS 'touches'")
		}
		if (MADE["touch"] && has("when " t)) {
			toss("when " t)
			say("CREATE TRIGGER seen AFTER UPDATE ON " t " FOR EACH ROW WHEN (OLD.id " pick("<> NEW.id|IN (1, 2) AND NEW.id > 3") ")" \
			    " EXECUTE FUNCTION app.touch()")
		}
		if (MADE["touch"] && !PARTITIONED[t] && has("late " t)) {
			toss("late " t)
			say("CREATE CONSTRAINT TRIGGER late AFTER INSERT ON " t " DEFERRABLE" maybe(50, " INITIALLY DEFERRED") \
			    " FOR EACH ROW EXECUTE FUNCTION app.touch()")
		}
		if (has("rule " t) && !has("no rule " t)) {
			toss("rule " t)
			say("CREATE RULE \"a rule\" AS ON DELETE TO " t " WHERE OLD.id " pick("> 100|IN (7, 8)") " DO " pick("INSTEAD NOTHING|ALSO SELECT 1"))
		}
		if (there(t, "t1") && there(t, "n1") && has("statistics " t)) {
			toss("statistics " t)
			say("CREATE STATISTICS " schema_of(t) ".st_" hash(t) pick("| (ndistinct)| (dependencies, mcv)") " ON id, " \
			    pick("n1|(n1 + 1)") " FROM " t)
			say_maybe(30, "ALTER STATISTICS " schema_of(t) ".st_" hash(t) " SET STATISTICS " pick("10|200"))
		}
	}
}
function publications(    t, all) {
	t = any_table()
	if (t == "" || UNLOGGED[t] || !has("publication"))
		return
	toss("publication")
	all = pick("table|table|schema|all")
	say("CREATE PUBLICATION \"the news\" FOR " (all == "all" ? "ALL TABLES" : all == "schema" ? "TABLES IN SCHEMA app" : \
	    "TABLE " t (PARTITIONED[t] ? "" : maybe(30, " (id)") maybe(30, " WHERE (id > 5)"))) \
	    maybe(40, " WITH (publish = '" pick("insert|insert, delete") "'" maybe(50, ", publish_via_partition_root = true") ")"))
	dress("PUBLICATION", "\"the news\"", "", 1)
}
function default_privileges() {
	toss("default privileges")
	if (chance(40))
		say("ALTER DEFAULT PRIVILEGES" maybe(50, " IN SCHEMA app") " GRANT " pick("SELECT|INSERT, UPDATE") " ON TABLES TO schema_reader")
	if (chance(30))
		say("ALTER DEFAULT PRIVILEGES FOR ROLE schema_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
	if (chance(20))
		say("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO \"Schema Role\"")
}

# ---------------------------------------------------------------- the rarer kinds

function text_search() {
	if (has("dictionary")) {
		toss("dictionary")
		say("CREATE TEXT SEARCH DICTIONARY app.words (TEMPLATE = " pick("simple|pg_catalog.simple") maybe(50, ", ACCEPT = false") ")")
		MADE["words"] = 1
		dress("TEXT SEARCH DICTIONARY", "app.words")
	}
	if (has("configuration")) {
		toss("configuration")
		say("CREATE TEXT SEARCH CONFIGURATION app.search (" pick("COPY = english|COPY = simple|PARSER = \"default\"") ")")
		if (MADE["words"])
			say("ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR " pick("word|word, asciiword") " WITH app.words" \
			    maybe(40, ", simple"))
		dress("TEXT SEARCH CONFIGURATION", "app.search")
	}
}
function foreign_data() {
	if (!has("wrapper"))
		return
	toss("wrapper")
	say("CREATE FOREIGN DATA WRAPPER \"a wrapper\"" maybe(40, " OPTIONS (debug '" pick("1|0") "')"))
	say("CREATE SERVER there TYPE 'x'" maybe(30, " VERSION '" pick("1|2") "'") " FOREIGN DATA WRAPPER \"a wrapper\"" \
	    maybe(50, " OPTIONS (host '" pick("a|b") "'" maybe(40, ", port '1'") ")"))
	dress("SERVER", "there", "USAGE")
	if (has("mapping"))
		say("CREATE USER MAPPING FOR schema_reader SERVER there")
	if (!has("foreign table"))
		return
	toss("foreign table")
	say("CREATE FOREIGN TABLE app.far (id int" maybe(50, " OPTIONS (name 'x')") maybe(50, ", t1 text") ") SERVER there" \
	    maybe(50, " OPTIONS (\"table\" '" pick("a|b") "')"))
	dress("FOREIGN TABLE", "app.far", "SELECT")
}
function event_triggers() {
	if (!has("event trigger"))
		return
	toss("event trigger")
	say("CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN " pick("NULL|PERFORM 1") "; END $$")
	say("CREATE EVENT TRIGGER watch ON " pick("ddl_command_end|ddl_command_start|sql_drop") \
	    maybe(50, " WHEN TAG IN ('" pick("DROP VIEW|DROP TABLE") "')") " EXECUTE FUNCTION public.on_ddl()")
	say_maybe(30, "ALTER EVENT TRIGGER watch " pick("DISABLE|ENABLE ALWAYS"))
}
function operators() {
	if (has("operator")) {
		toss("operator")
		say("CREATE OPERATOR app.=== (FUNCTION = " pick("int4eq|pg_catalog.int4eq") ", LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(app.===)" \
		    maybe(50, ", RESTRICT = eqsel") maybe(40, ", HASHES, MERGES") ")")
		say_maybe(30, "COMMENT ON OPERATOR app.=== (int, int) IS 'equals'")
	}
	if (has("operator class") && !has("no operator class")) {
		toss("operator class")
		say("CREATE OPERATOR CLASS app.plain_ints FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=," \
		    " OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4)" maybe(40, ", FUNCTION 2 btint4sortsupport(internal)"))
	}
	if (MADE["app.pair"] && has("cast")) {
		toss("cast")
		say("CREATE FUNCTION app.as_text(app.pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT ($1).b::text $$")
		say("CREATE CAST (app.pair AS text) WITH FUNCTION app.as_text(app.pair)" pick("| AS ASSIGNMENT"))
	}
	if (has("access method") && !has("no access method"))
		say("CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler")
	if (has("conversion") && !has("no conversion"))
		say("CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8")
	if (has("language") && !has("no language"))
		say("CREATE FUNCTION app.again() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';\n" \
		    "CREATE LANGUAGE again HANDLER app.again")
	if (has("transform") && !has("no transform"))
		say("CREATE TRANSFORM FOR int LANGUAGE SQL (FROM SQL WITH FUNCTION prsd_lextype(internal)" \
		    maybe(50, ", TO SQL WITH FUNCTION int4recv(internal)") ")")
}

BEGIN {
	if (ARGC != 2 || ARGV[1] !~ /^[0-9]+$/) {
		print "usage: awk -f random.awk SEED" > "/dev/stderr"
		exit 2
	}
	SEED = ARGV[1]
	for (i = 1; i < 256; i++)
		CODE[sprintf("%c", i)] = i
	print "-- tests/schema/random.awk " SEED
	roles(); schemas(); extensions(); collations(); enums(); domains(); composites(); ranges()
	routines_before_tables(); sequences(); default_privileges()
	plain_tables(); typed_table(); inheritance(); partitions()
	seed_by("rest")
	foreign_keys(); views(); routines_after_tables(); triggers(); publications()
	text_search(); foreign_data(); operators(); event_triggers()
}
