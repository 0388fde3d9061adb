# A part of tests/schema/random.awk: what hangs on tables.

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
		say_maybe(30, "ALTER VIEW app.first ALTER COLUMN id SET DEFAULT " pick("5|6"))
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
	if (MADE["first"] && has("view rule")) {
		toss("view rule")
		say("CREATE RULE \"into view\" AS ON " pick("INSERT|UPDATE|DELETE") " TO app.first DO " pick("INSTEAD NOTHING|ALSO NOTIFY heard"))
		remark("RULE", "\"into view\" ON app.first")
	}
	if (has("matview")) {
		toss("matview")
		say("CREATE MATERIALIZED VIEW app.stored" maybe(30, " WITH (fillfactor = " pick("50|90") maybe(50, ", toast.autovacuum_enabled = false") ")") \
		    " AS SELECT id, " pick("1|2") " AS one, 'x'::text AS label FROM " (MADE["first"] && chance(50) ? "app.first" : t) \
		    maybe(30, " WITH NO DATA"))
		MADE["stored"] = 1
		toss("matview index")
		if (chance(60)) {
			say("CREATE UNIQUE INDEX stored_id ON app.stored (id)")
			say_maybe(40, "COMMENT ON INDEX app.stored_id IS 'of what is stored'")
			say_maybe(40, "ALTER MATERIALIZED VIEW app.stored CLUSTER ON stored_id")
		}
		toss("matview columns")
		say_maybe(30, "ALTER MATERIALIZED VIEW app.stored ALTER label SET STORAGE " pick("EXTERNAL|MAIN"))
		say_maybe(30, "ALTER MATERIALIZED VIEW app.stored ALTER label SET COMPRESSION " pick("pglz|lz4"))
		say_maybe(30, "ALTER MATERIALIZED VIEW app.stored ALTER one SET STATISTICS " pick("10|20"))
		say_maybe(30, "ALTER MATERIALIZED VIEW app.stored ALTER one SET (n_distinct = " pick("1|2") ")")
		say_maybe(30, "COMMENT ON COLUMN app.stored.label IS 'said of it'")
		dress("MATERIALIZED VIEW", "app.stored", "SELECT", 1) # its owner reads when it is filled
	}
	if (MADE["second"] && has("view function")) {
		toss("view function")
		say("CREATE FUNCTION app.seconds() RETURNS SETOF public.\"Second view\" LANGUAGE sql AS 'SELECT * FROM public.\"Second view\"'")
	}
}
function triggers(    i, n, parts, t, what) {
	n = split(substr(TABLES, 2), parts, "\n")
	for (i = 1; i <= n; i++) {
		t = parts[i]
		if (MADE["touch"] && has("trigger " t)) {
			toss("trigger " t)
			say("CREATE TRIGGER \"touch it\" " pick("BEFORE INSERT|BEFORE UPDATE|AFTER DELETE|BEFORE INSERT OR UPDATE OF id") " ON " t \
			    " FOR EACH ROW EXECUTE FUNCTION app.touch(" maybe(30, "'arg'") ")")
			if (chance(25))
				say("ALTER TABLE " t " " pick("DISABLE|ENABLE REPLICA|ENABLE ALWAYS") " TRIGGER \"touch it\"")
			if (PARTITIONED[t] && chance(40))
				say("ALTER TABLE " t "_1 " pick("DISABLE|ENABLE|ENABLE REPLICA|ENABLE ALWAYS") " TRIGGER \"touch it\"")
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
		if (MADE["touch"] && has("each " t)) {
			toss("each " t)
			what = pick("INSERT|UPDATE|DELETE|TRUNCATE|INSERT OR TRUNCATE")
			say("CREATE TRIGGER \"each time\" " (what ~ /^(INSERT|DELETE)$/ && chance(60) ? \
			    "AFTER " what " ON " t " REFERENCING " (what == "INSERT" ? "NEW" : "OLD") " TABLE AS " pick("fresh|\"the rows\"") : \
			    pick("BEFORE|AFTER") " " what " ON " t) " FOR EACH STATEMENT EXECUTE FUNCTION app.touch()")
		}
		if (has("rule " t) && !has("no rule " t)) {
			toss("rule " t)
			what = pick("DELETE|DELETE|INSERT|UPDATE")
			say("CREATE RULE \"a rule\" AS ON " what " TO " t " WHERE " (what == "INSERT" ? "NEW" : "OLD") ".id " \
			    pick("> 100|IN (7, 8)") " DO " pick("INSTEAD NOTHING|ALSO SELECT 1"))
			say_maybe(25, "ALTER TABLE " t " " pick("DISABLE|ENABLE REPLICA|ENABLE ALWAYS") " RULE \"a rule\"")
			remark("RULE", "\"a rule\" ON " t)
		}
		if (there(t, "t1") && there(t, "n1") && has("statistics " t)) {
			toss("statistics " t)
			say("CREATE STATISTICS " schema_of(t) ".st_" hash(t) pick("| (ndistinct)| (dependencies, mcv)") " ON id, " \
			    pick("n1|(n1 + 1)") " FROM " t)
			remark("STATISTICS", schema_of(t) ".st_" hash(t))
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
	toss("default privileges of types")
	if (chance(25))
		say("ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO schema_reader")
	if (chance(20))
		say("ALTER DEFAULT PRIVILEGES" maybe(50, " FOR ROLE schema_owner") " REVOKE USAGE ON TYPES FROM PUBLIC")
	if (chance(25))
		say("ALTER DEFAULT PRIVILEGES GRANT " pick("USAGE|CREATE") " ON SCHEMAS TO \"Schema Role\"")
	toss("default privileges")
	if (chance(40))
		say("ALTER DEFAULT PRIVILEGES" maybe(50, " IN SCHEMA app") " GRANT " pick("SELECT|INSERT, UPDATE") " ON TABLES TO schema_reader")
	if (chance(30))
		say("ALTER DEFAULT PRIVILEGES FOR ROLE schema_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
	if (chance(20))
		say("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO \"Schema Role\"")
}
