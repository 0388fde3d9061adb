# A part of tests/schema/random.awk: functions, procedures and aggregates.

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
