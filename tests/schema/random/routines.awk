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
		say("CREATE FUNCTION app.first_state(s app.state" maybe(50, " DEFAULT " pick(LABELS["app.state"])) ") RETURNS app.state LANGUAGE sql" \
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
		dress("AGGREGATE", "app.sum_of(int)", "EXECUTE")
	}
	more_aggregates()
	more_functions()
}
function more_aggregates() {
	if (has("moving aggregate")) {
		toss("moving aggregate")
		say("CREATE AGGREGATE app.moving_sum(int) (SFUNC = int4pl, STYPE = int4, INITCOND = '0'" \
		    maybe(60, ", MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int4, MINITCOND = '" pick("0|1") "'" \
		              maybe(50, ", MFINALFUNC = int4abs" maybe(50, ", MFINALFUNC_MODIFY = SHAREABLE"))) \
		    maybe(50, ", FINALFUNC = int4abs" maybe(50, ", FINALFUNC_MODIFY = " pick("SHAREABLE|READ_WRITE"))) ")")
		remark("AGGREGATE", "app.moving_sum(int)")
	}
	if (has("least")) {
		toss("least")
		say("CREATE AGGREGATE app.\"Least\"(int) (SFUNC = int4smaller, STYPE = int4" maybe(60, ", SORTOP = " pick("<|OPERATOR(pg_catalog.<)|>")) ")")
	}
	if (has("mean")) {
		toss("mean")
		say("CREATE AGGREGATE app.mean(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg" \
		    maybe(50, ", SSPACE = " pick("64|128")) maybe(50, ", COMBINEFUNC = numeric_avg_combine, SERIALFUNC = numeric_avg_serialize" \
		    ", DESERIALFUNC = numeric_avg_deserialize") ")")
	}
	if (has("ordered set")) {
		toss("ordered set")
		say("CREATE AGGREGATE app.middle(float8 ORDER BY " pick("anyelement|anyelement|float8") ") (SFUNC = ordered_set_transition, STYPE = internal," \
		    " FINALFUNC = " "percentile_disc_final, FINALFUNC_EXTRA" maybe(40, ", FINALFUNC_MODIFY = SHAREABLE") ")")
	}
	if (has("hypothetical")) {
		toss("hypothetical")
		say("CREATE AGGREGATE app.place(VARIADIC \"any\" ORDER BY VARIADIC \"any\") (SFUNC = ordered_set_transition_multi," \
		    " STYPE = internal, FINALFUNC = " pick("rank|dense_rank") "_final, FINALFUNC_EXTRA" maybe(70, ", HYPOTHETICAL") ")")
	}
}
function more_functions() {
	if (has("window")) {
		toss("window")
		say("CREATE FUNCTION app.nth() RETURNS bigint LANGUAGE internal" maybe(70, " WINDOW") maybe(40, " IMMUTABLE") " AS 'window_" pick("row_number|rank") "'")
	}
	if (has("leakproof")) {
		toss("leakproof")
		say("CREATE FUNCTION app.tight(a int, b int) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT" maybe(60, " LEAKPROOF") \
		    maybe(40, " COST 2") " AS 'int4" pick("eq|ne") "'")
		dress("FUNCTION", "app.tight(int, int)", "EXECUTE")
	}
	if (has("supported")) {
		toss("supported")
		say("CREATE FUNCTION app.series(int, int) RETURNS SETOF int LANGUAGE internal IMMUTABLE STRICT" maybe(60, " ROWS 50") \
		    maybe(60, " SUPPORT generate_series_int4_support") " AS 'generate_series_int4'")
	}
	if (has("returns table")) {
		toss("returns table")
		say("CREATE FUNCTION app.listed(n int" maybe(40, " DEFAULT 2", ", other int") ") RETURNS " \
		    "TABLE (a int, b " pick("text|varchar") maybe(30, ", \"c c\" date") ") LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$")
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
