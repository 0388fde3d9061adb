# A part of tests/schema/random.awk: chance, and what is printed.

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
		if (kind ~ /FUNCTION|PROCEDURE|AGGREGATE|DOMAIN|TYPE/ && chance(40))
			say("REVOKE ALL ON " grant_kind(kind) " " name " FROM PUBLIC")
	}
}
# The comment alone, of what has neither an owner nor grants.
function remark(kind, name) {
	toss("remark " kind " " name)
	if (chance(30))
		say("COMMENT ON " kind " " name " IS " literal(pick("for short|it's so|größer")))
}
function grant_kind(kind) {
	if (kind ~ /VIEW|TABLE/)
		return "TABLE"
	if (kind == "AGGREGATE")
		return "ROUTINE"
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
