# Prints the SQL of a random schema, the same for the same seed; the rest of the program is in random/:
#
#     awk -f tests/schema/random.awk -f tests/schema/random/PART.awk ... SEED
#
# Names come from small pools, so two seeds share many objects; whether a shared object is the same in both is a
# toss of a coin for each (toss()), so that a pair has objects that are there once, altered, and untouched.
# The SQL loads into an empty database of PostgreSQL 15 as a superuser; roles are made where they are missing.
# Every table gets rows that satisfy any other seed's constraints: values are not NULL, differ from row to row, and
# convert to every type that the same column may have; what is NOT NULL has a default; what is unique has the id in it.

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
	if (c == "e1" || c == "e2") return type in LABELS ? pick(LABELS[type]) : "'new'"
	if (c == "ea") return type == "app.state[]" ? "ARRAY[" pick(LABELS["app.state"]) "]::app.state[]" : "'{new}'"
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
	if (chance(25)) # what may have been computed from anything
		return "g1 text"
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
		remark("CONSTRAINT", "one_id_" hash(t) " ON " t)
		remark("INDEX", schema_of(t) ".one_id_" hash(t))
		KEY[t] = "id"
		KEYED[t] = 1
		if (!PARTITIONED[t]) # the id is NOT NULL
			say_maybe(30, "ALTER TABLE " t " " pick("CLUSTER ON|REPLICA IDENTITY USING INDEX") " one_id_" hash(t))
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
		remark("CONSTRAINT", "n_small ON " t)
	}
	if (there(t, "t1") && TYPE[t, "t1"] ~ /varchar|text/ && has("check t " t)) {
		toss("check t " t)
		say("ALTER TABLE " t " ADD CONSTRAINT \"t, checked\" CHECK (" \
		    pick("length(t1) < 1000|t1 NOT IN ('a', 'b')|t1 <> ALL (ARRAY['q', 'w'])|t1 NOT LIKE '%%bad%%'") ")" \
		    (PARTITIONED[t] ? "" : maybe(20, " NO INHERIT")))
	}
	if (there(t, "e1") && has("check e " t)) {
		toss("check e " t)
		say("ALTER TABLE " t " ADD CONSTRAINT e_known CHECK (" pick("NOT (e1 = " label_of(t, "e1") " AND id < 0)|e1 IS NULL OR id > 0 OR e1 IN ('new', " label_of(t, "e1") ")") ")")
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
		ON = index_columns(t)
		say("CREATE INDEX " name " ON " t " (" ON ")" maybe(20, " INCLUDE (id)") \
		    maybe(20, " WITH (fillfactor = " pick("60|75") ")") \
		    maybe(30, " WHERE id " pick("> 0|BETWEEN 1 AND 5 AND id <> 3|IN (1, 2)")))
		dress("INDEX", schema_of(t) "." name, "", 1)
		if (ON ~ /^\(/ || ON ~ /^lower/)
			say_maybe(40, "ALTER INDEX " schema_of(t) "." name " ALTER COLUMN 1 SET STATISTICS " pick("10|300"))
		if (ON == "id, (id + 1)")
			say_maybe(60, "ALTER INDEX " schema_of(t) "." name " ALTER COLUMN 2 SET STATISTICS " pick("20|400"))
	}
	if (there(t, "e1") && has("index e " t)) {
		toss("index e " t)
		say("CREATE INDEX e_" hash(t) " ON " t " (e1, id) WHERE e1 " pick("= |<> ") label_of(t, "e1"))
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
	if (chance(40)) {
		say("CREATE POLICY \"the policy\" ON " t pick("| AS RESTRICTIVE") pick("| FOR SELECT| FOR UPDATE| FOR ALL") \
		    maybe(60, " TO schema_reader" maybe(40, ", \"Schema Role\"")) " USING (id " pick("> 0|IN (1, 2, 3)") ")")
		say_maybe(30, "COMMENT ON POLICY \"the policy\" ON " t " IS 'who sees'")
	}
	if (chance(30))
		say("CREATE POLICY writing ON " t " FOR INSERT WITH CHECK (" pick("id > 0|current_user = 'x'") ")")
}
function column_dress(t) {
	toss("column dress " t)
	say_maybe(25, "COMMENT ON COLUMN " t ".id IS " literal(pick("the id|it's")))
	say_maybe(20, "GRANT " pick("SELECT|UPDATE|REFERENCES") " (id) ON " t " TO " pick(ROLES))
}
function rows(t) {
	if (!has("rows " t))
		return
	insert(t, COLUMNS[t], 0)
}
# Rows whose ids follow on `first`.
function insert(t, columns, first,    i, k, n, parts, names, values) {
	n = split(columns, parts, "|")
	for (k = 1; k <= 3; k++) {
		names = values = ""
		for (i = 1; i <= n; i++) {
			names = names (i > 1 ? ", " : "") quoted(parts[i])
			values = values (i > 1 ? ", " : "") (parts[i] == "id" ? first + k : column_value(parts[i], k))
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
	if (!has("typed table"))
		return
	toss("typed table")
	if (MADE["app.line"] && has("of a type"))
		say("CREATE TABLE app.typed OF app.line (id WITH OPTIONS NOT NULL" maybe(50, ", n1 WITH OPTIONS DEFAULT 5") ")")
	else
		say("CREATE TABLE app.typed (id bigint NOT NULL, n1 int" maybe(50, " DEFAULT 5") ", t1 text)")
	dress("TABLE", "app.typed", "SELECT")
	if (has("typed rows"))
		insert("app.typed", "id|n1|t1", 0)
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
	heir_features("app.parent", "id", "n1")
	heir_features("app.child", "own", "n1")
	heir_features("app.own_child", "id", "n1")
	if (has("grandchild"))
		heir_features("app.grandchild", "more", "n1")
}
# What a table of a family has for itself, on a column of its own and on one that may be its parent's.
function heir_features(t, own, common) {
	dress("TABLE", t, "SELECT|INSERT|UPDATE (" own ")")
	toss("heir " t)
	say_maybe(25, "ALTER TABLE " t " SET (fillfactor = " pick("60|65") ")")
	say_maybe(15, "ALTER TABLE " t " SET UNLOGGED")
	say_maybe(20, "ALTER TABLE " t " ENABLE ROW LEVEL SECURITY")
	say_maybe(20, "CREATE POLICY \"own rows\" ON " t " USING (" own " IS NOT NULL OR " common " " pick("> 0|IS NULL") ")")
	say_maybe(20, "CREATE TRIGGER same BEFORE UPDATE ON " t " FOR EACH ROW WHEN (new." common " > " pick("1|2") ")" \
	    " EXECUTE FUNCTION suppress_redundant_updates_trigger()")
	say_maybe(20, "ALTER TABLE " t " ALTER " own " SET STATISTICS " pick("50|70"))
	say_maybe(20, "ALTER TABLE " t " ALTER " common " SET (n_distinct = " pick("5|-0.5") ")")
	say_maybe(20, "COMMENT ON COLUMN " t "." common " IS " literal(pick("common|it's all's")))
	say_maybe(20, "GRANT SELECT (" own ", " common ") ON " t " TO " pick(ROLES "|PUBLIC"))
	if (own != common)
		say_maybe(15, "CREATE STATISTICS " schema_of(t) ".st_" hash(t) " ON " own ", " common " FROM " t)
	say_maybe(15, "CREATE RULE \"no row\" AS ON DELETE TO " t " WHERE old." common " = " pick("77|78") " DO INSTEAD NOTHING")
}
# Two tables that are there with all their columns, whether the one inherits from the other or not.
function heirs() {
	if (!has("base"))
		return
	say("CREATE TABLE app.base (id bigint NOT NULL, n1 int, t1 text)")
	if (has("base rows"))
		insert("app.base", "id|n1|t1", 0)
	if (!has("heir"))
		return
	toss("heir")
	say("CREATE TABLE app.heir (own text" maybe(50, " DEFAULT 'mine'") ", id bigint NOT NULL, n1 int, t1 text)")
	if (has("heir rows"))
		insert("app.heir", "own|id|n1|t1", 10)
	toss("inherits")
	say_maybe(50, "ALTER TABLE app.heir INHERIT app.base")
	heir_features("app.base", "id", "n1")
	heir_features("app.heir", "own", "n1")
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
# One that is there in both may be attached in one alone.
function partition(t, n, bound) {
	if (n == 1 || has("partition " t n))
		say("CREATE TABLE " t "_" n " PARTITION OF " t " FOR VALUES " bound)
	else if (has("detached " t n)) {
		toss("detached " t n)
		say("CREATE TABLE " t "_" n " (LIKE " t maybe(50, " INCLUDING DEFAULTS") maybe(25, ", extra int") ")")
		say_maybe(30, "CREATE INDEX alone_" hash(t n) " ON " t "_" n " (id DESC)")
		say_maybe(30, "ALTER TABLE " t "_" n " ADD CONSTRAINT \"own check\" CHECK (id " pick("> 0|<> 0") ")")
	} else
		return
	if (n == 2 && bound ~ /^FROM/ && has("rows " t n))
		insert(t "_" n, COLUMNS[t], 100)
	heir_features(t "_" n, "id", COLUMNS[t] ~ /n1/ ? "n1" : "id")
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
	plain_tables(); typed_table(); inheritance(); heirs(); partitions()
	seed_by("rest")
	foreign_keys(); views(); routines_after_tables(); triggers(); publications()
	text_search(); foreign_data(); operators(); casts(); extension_dependencies(); other_names(); event_triggers()
}
