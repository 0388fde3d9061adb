# A part of tests/schema/random.awk: the rarer kinds.

function text_search() {
	if (has("dictionary")) {
		toss("dictionary")
		say("CREATE TEXT SEARCH DICTIONARY app.words (TEMPLATE = " pick("simple|pg_catalog.simple") maybe(50, ", ACCEPT = false") ")")
		MADE["words"] = 1
		dress("TEXT SEARCH DICTIONARY", "app.words")
	}
	if (has("template")) {
		toss("template")
		say("CREATE TEXT SEARCH TEMPLATE app.plainly (" maybe(60, "INIT = dsimple_init, ") "LEXIZE = dsimple_lexize)")
		remark("TEXT SEARCH TEMPLATE", "app.plainly")
		say_maybe(50, "CREATE TEXT SEARCH DICTIONARY app.plain_words (TEMPLATE = app.plainly)")
	}
	if (has("parser")) {
		toss("parser")
		say("CREATE TEXT SEARCH PARSER app.cut (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype" \
		    maybe(50, ", HEADLINE = prsd_headline") ")")
		MADE["cut"] = 1
		remark("TEXT SEARCH PARSER", "app.cut")
	}
	if (has("configuration")) {
		toss("configuration")
		say("CREATE TEXT SEARCH CONFIGURATION app.search (" pick("COPY = english|COPY = simple|PARSER = " (MADE["cut"] ? "app.cut" : "\"default\"")) ")")
		if (MADE["words"])
			say("ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR " pick("word|word, asciiword") " WITH app.words" \
			    maybe(40, ", simple"))
		dress("TEXT SEARCH CONFIGURATION", "app.search")
	}
}
function wrappers() {
	if (!has("other wrapper"))
		return
	toss("other wrapper")
	say("CREATE FUNCTION app.read_file() RETURNS fdw_handler LANGUAGE c STRICT AS '$libdir/file_fdw', 'file_fdw_handler'")
	say("CREATE FOREIGN DATA WRAPPER checked" maybe(50, " HANDLER app.read_file") maybe(50, " VALIDATOR postgresql_fdw_validator"))
	dress("FOREIGN DATA WRAPPER", "checked", "USAGE", 1) # a superuser's
}
function foreign_data() {
	wrappers()
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
	say("CREATE FOREIGN TABLE app.far (id int" maybe(50, " OPTIONS (name 'x')") maybe(30, " DEFAULT " pick("1|2")) maybe(30, " NOT NULL") \
	    maybe(50, ", t1 text" maybe(40, " NOT NULL")) maybe(30, ", CONSTRAINT far_small CHECK (id < " pick("5|6") ")") ") SERVER there" \
	    maybe(50, " OPTIONS (\"table\" '" pick("a|b") "')"))
	dress("FOREIGN TABLE", "app.far", "SELECT")
}
# What goes when an extension goes.
function extension_dependencies(    i, n) {
	n = pool("extension", "citext|hstore|pg_trgm|btree_gist|tablefunc")
	for (i = 1; i <= n; i++)
		if (MADE["extension " POOL["extension", i]]) {
			if (MADE["twice"] && has("twice depends"))
				say("ALTER FUNCTION app.twice(bigint) DEPENDS ON EXTENSION " POOL["extension", i])
			if (MADE["stored"] && has("stored depends"))
				say("ALTER MATERIALIZED VIEW app.stored DEPENDS ON EXTENSION " POOL["extension", i])
			return
		}
}
function event_triggers() {
	if (!has("event trigger"))
		return
	toss("event trigger")
	say("CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN " pick("NULL|PERFORM 1") "; END $$")
	say("CREATE EVENT TRIGGER watch ON " pick("ddl_command_end|ddl_command_start|sql_drop") \
	    maybe(50, " WHEN TAG IN ('" pick("DROP VIEW|DROP TABLE") "')") " EXECUTE FUNCTION public.on_ddl()")
	remark("EVENT TRIGGER", "watch")
	say_maybe(30, "ALTER EVENT TRIGGER watch " pick("DISABLE|ENABLE ALWAYS"))
}
function operators(    trusted) {
	if (has("operator")) {
		toss("operator")
		say("CREATE OPERATOR app.=== (FUNCTION = " pick("int4eq|pg_catalog.int4eq") ", LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR(app.===)" \
		    maybe(50, ", RESTRICT = eqsel") maybe(50, ", JOIN = eqjoinsel") maybe(40, ", HASHES, MERGES") ")")
		dress("OPERATOR", "app.=== (int, int)")
		if (has("negator")) {
			toss("negator")
			say("CREATE OPERATOR app.!== (FUNCTION = int4ne, LEFTARG = int, RIGHTARG = int" \
			    maybe(60, ", NEGATOR = OPERATOR(app.===)") maybe(50, ", COMMUTATOR = OPERATOR(app.!==)") maybe(50, ", JOIN = neqjoinsel") ")")
		}
	}
	if (has("prefix operator")) {
		toss("prefix operator")
		say("CREATE OPERATOR app.@# (FUNCTION = " pick("int4um|int4abs") ", RIGHTARG = int)")
		remark("OPERATOR", "app.@# (NONE, int)")
	}
	operator_classes()
	tick_class()
	if (has("access method") && !has("no access method")) {
		say("CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler")
		remark("ACCESS METHOD", "pile")
	}
	if (has("conversion") && !has("no conversion")) {
		toss("conversion")
		say("CREATE" maybe(40, " DEFAULT") " CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8")
		dress("CONVERSION", "app.latin")
	}
	if (has("language") && !has("no language")) {
		toss("language")
		# pg_dump writes the handlers of such as have functions of their own only.
		say("CREATE FUNCTION app.again() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'")
		say("CREATE FUNCTION app.again_now(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler'")
		say("CREATE FUNCTION app.again_checks(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator'")
		trusted = chance(50)
		say("CREATE" (trusted ? " TRUSTED" : "") " LANGUAGE again HANDLER app.again" maybe(40, " INLINE app.again_now") \
		    maybe(40, " VALIDATOR app.again_checks"))
		if (trusted) # an untrusted one takes no grants
			say_maybe(40, "GRANT USAGE ON LANGUAGE again TO " pick(ROLES))
		if (chance(40))
			say("COMMENT ON LANGUAGE again IS 'once more'")
		say_maybe(30, "ALTER LANGUAGE again OWNER TO " pick(ROLES))
	}
	if (has("transform") && !has("no transform")) {
		say("CREATE TRANSFORM FOR int LANGUAGE SQL (FROM SQL WITH FUNCTION prsd_lextype(internal)" \
		    maybe(50, ", TO SQL WITH FUNCTION int4recv(internal)") ")")
		remark("TRANSFORM", "FOR int LANGUAGE SQL")
		if (has("transforming")) {
			toss("transforming")
			say("CREATE FUNCTION app.transforming(n int) RETURNS int LANGUAGE sql" maybe(60, " TRANSFORM FOR TYPE int") " AS 'SELECT n'")
		}
	}
}
function operator_classes() {
	if (has("operator class")) {
		toss("operator class")
		say("CREATE OPERATOR CLASS app.plain_ints FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=," \
		    " OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4)" maybe(40, ", FUNCTION 2 btint4sortsupport(internal)"))
		dress("OPERATOR CLASS", "app.plain_ints USING btree")
		remark("OPERATOR FAMILY", "app.plain_ints USING btree")
	}
	if (has("hash class")) {
		toss("hash class")
		say("CREATE OPERATOR CLASS app.hashed_ints FOR TYPE int4 USING hash AS OPERATOR 1 =, FUNCTION 1 hashint4(int4)" \
		    maybe(50, ", FUNCTION 2 hashint4extended(int4, int8)"))
	}
	if (has("gist class")) {
		toss("gist class")
		say("CREATE OPERATOR CLASS app.near FOR TYPE point USING gist AS OPERATOR 15 <-> (point, point) FOR ORDER BY float_ops," \
		    maybe(50, " OPERATOR 11 >^ (point, point),") " FUNCTION 1 gist_point_consistent(internal, point, smallint, oid, internal)," \
		    " FUNCTION 2 gist_box_union(internal, internal), FUNCTION 3 gist_point_compress(internal)," \
		    " FUNCTION 5 gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal)," \
		    " FUNCTION 7 gist_box_same(box, box, internal), FUNCTION 8 gist_point_distance(internal, point, smallint, oid, internal)," \
		    " STORAGE box")
	}
	if (has("family")) {
		toss("family")
		say("CREATE OPERATOR FAMILY app.mixed USING btree")
		say_maybe(60, "ALTER OPERATOR FAMILY app.mixed USING btree ADD OPERATOR 1 < (int4, int8), OPERATOR 3 = (int4, int8)," \
		    " FUNCTION 1 (int4, int8) btint48cmp(int4, int8)")
		dress("OPERATOR FAMILY", "app.mixed USING btree")
		if (has("class in family")) {
			toss("class in family")
			say("CREATE OPERATOR CLASS app.in_mixed FOR TYPE int4 USING btree FAMILY app.mixed AS OPERATOR 1 <," \
			    " OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4)" maybe(40, ", OPERATOR 5 >"))
		}
	}
}
# What a type of ours is ordered by: columns of the type have indexes where there is one.
function tick_class() {
	if (!has("tick class"))
		return
	toss("tick class")
	say("CREATE OPERATOR app.<< (FUNCTION = app.tick_less, LEFTARG = app.tick, RIGHTARG = app.tick" \
	    maybe(40, ", RESTRICT = scalarltsel, JOIN = scalarltjoinsel") ")")
	say("CREATE OPERATOR app.~= (FUNCTION = app.tick_same, LEFTARG = app.tick, RIGHTARG = app.tick, COMMUTATOR = OPERATOR(app.~=))")
	say("CREATE OPERATOR CLASS app.ticks" maybe(60, " DEFAULT") " FOR TYPE app.tick USING btree AS OPERATOR 1 app.<<, OPERATOR 3 app.~=," \
	    " FUNCTION 1 app.tick_order(app.tick, app.tick)")
	say_maybe(30, "ALTER OPERATOR CLASS app.ticks USING btree OWNER TO " pick(ROLES))
	say_maybe(30, "COMMENT ON OPERATOR CLASS app.ticks USING btree IS 'by the clock'")
	if (has("ticking"))
		say("CREATE TABLE app.ticking (at app.tick NOT NULL);\nCREATE INDEX ticking_at ON app.ticking (at app.ticks);\n" \
		    "INSERT INTO app.ticking VALUES ('1'), ('2')")
}
function casts() {
	if (has("tick cast")) {
		toss("tick cast")
		say("CREATE CAST (app.tick AS int) WITHOUT FUNCTION" pick("| AS ASSIGNMENT| AS IMPLICIT"))
		remark("CAST", "(app.tick AS int)")
	}
	if (MADE["app.pair"] && has("cast")) {
		toss("cast")
		say("CREATE FUNCTION app.as_text(app.pair) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT ($1).b::text $$")
		say("CREATE CAST (app.pair AS text) WITH FUNCTION app.as_text(app.pair)" pick("| AS ASSIGNMENT"))
		remark("CAST", "(app.pair AS text)")
	}
	if (MADE["app.span"] && has("span cast")) {
		toss("span cast")
		say("CREATE CAST (app.span AS text) WITH INOUT" pick("| AS ASSIGNMENT| AS IMPLICIT"))
	}
	if (MADE["app.span"] && has("binary cast")) {
		toss("binary cast")
		say("CREATE CAST (app.span AS int8range) WITHOUT FUNCTION" pick("| AS ASSIGNMENT| AS IMPLICIT"))
		remark("CAST", "(app.span AS int8range)")
	}
}
