# Behind random.awk, with -v MAJOR=18: what servers have from 17 and from 18 on; nothing for an older one.

# A column that is NOT NULL in one of the ways, so that a pair has its name, its validity or its heirs changed.
function named_not_null(t) {
	if (!has("w1 " t))
		return
	toss("w1 " t)
	say("ALTER TABLE " t " ADD w1 int DEFAULT 3" pick("|| NOT NULL| CONSTRAINT \"w there\" NOT NULL| CONSTRAINT w_" hash(t) " NOT NULL"))
	if (chance(30))
		say("COMMENT ON COLUMN " t ".w1 IS 'w'")
}
function not_null_later(t) {
	if (!has("w2 " t))
		return
	toss("w2 " t)
	say("ALTER TABLE " t " ADD w2 int DEFAULT 4")
	if (chance(60))
		say("ALTER TABLE " t " ADD" maybe(50, " CONSTRAINT \"w2 there\"") " NOT NULL w2" \
		    (PARTITIONED[t] ? "" : maybe(30, " NO INHERIT") maybe(50, " NOT VALID")))
}
# Virtual or stored is the same for all seeds: a stored one that becomes virtual is another column.
function virtual(t,    how) {
	seed_by("virtual " t)
	how = pick("VIRTUAL|VIRTUAL|STORED")
	if (!has("v1 " t))
		return
	toss("v1 " t)
	say("ALTER TABLE " t " ADD v1 bigint GENERATED ALWAYS AS (" pick("id * 2|id + 1|id * 2 + 7") ") " how \
	    maybe(30, " CONSTRAINT v_there NOT NULL"))
}
function not_enforced(t) {
	if (!has("unenforced " t))
		return
	toss("unenforced " t)
	say("ALTER TABLE " t " ADD CONSTRAINT maybe_" hash(t) " CHECK (id " pick("> 0|BETWEEN 0 AND 5000 AND id <> 77") ")" \
	    maybe(60, " NOT ENFORCED"))
}
function temporal_key() {
	if (!("extension btree_gist" in MADE) || !has("temporal"))
		return
	toss("temporal")
	say("CREATE TABLE app.stay (id int, at daterange, " pick("PRIMARY KEY|UNIQUE") " (id, at WITHOUT OVERLAPS))")
	if (has("temporal fk"))
		say("CREATE TABLE app.guest (id int, at daterange, stay int," \
		    " CONSTRAINT stays FOREIGN KEY (stay, PERIOD at) REFERENCES app.stay (id, PERIOD at))")
}
function partitioned_identity(t) {
	if (!(t in MADE) || !has("identity " t))
		return
	toss("identity " t)
	say("ALTER TABLE " t " ALTER id ADD GENERATED " pick("ALWAYS|BY DEFAULT") " AS IDENTITY" maybe(40, " (START WITH 5000)"))
}
function inherited_not_null() {
	if (!has("w parents"))
		return
	toss("w parents")
	say("CREATE TABLE app.w_parent (w1 int DEFAULT 1" pick("| NOT NULL| CONSTRAINT w_named NOT NULL") ", w2 int" \
	    maybe(50, " DEFAULT 2 NOT NULL NO INHERIT") ")")
	say("CREATE TABLE app.w_child (own int) INHERITS (app.w_parent)")
}

BEGIN {
	if (MAJOR >= 17) {
		seed_by("17")
		n = split("app.event|app.kind|public.shard", parts, "|")
		for (i = 1; i <= n; i++)
			partitioned_identity(parts[i])
	}
	if (MAJOR >= 18) {
		seed_by("18")
		n = split(substr(TABLES, 2), parts, "\n")
		for (i = 1; i <= n; i++) {
			named_not_null(parts[i])
			not_null_later(parts[i])
			virtual(parts[i])
			not_enforced(parts[i])
		}
		temporal_key()
		inherited_not_null()
	}
}
