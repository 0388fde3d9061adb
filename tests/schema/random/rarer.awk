# A part of tests/schema/random.awk: the rarer kinds.

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
