#!/bin/sh
# schema.sh - how long the catalog takes to read and to compare, and in how many questions.
#
#     scripts/bench/schema.sh [TABLES [RUNS]]      default: 1000; 5
#
# Each table has 10 columns, 3 indexes besides its key's and a foreign key.  Prints the medians of `ripcord fingerprint`
# and of `ripcord diff` against a database with 50 changes, the programs' start included, and how many statements
# the server got for each, with 10 tables and with TABLES: these must be the same.  RIPCORD is the program, built with
# optimisation: default build/release/ripcord.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
n=${1:-1000}
runs=${2:-5}
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
need_cluster "$n" "$runs"
enter_work
few=10

# tables DATABASE N
tables() {
	psql -Xqc "CREATE DATABASE $1" postgres
	seq 1 "$2" | awk '{
		printf "CREATE TABLE t%d (id bigint PRIMARY KEY, parent bigint, name text NOT NULL, mail varchar(80),", $1
		printf " made timestamptz DEFAULT now(), n int DEFAULT 0, price numeric(10,2), doc jsonb, active boolean, note text);\n"
		printf "CREATE INDEX t%d_a ON t%d (parent); CREATE INDEX t%d_b ON t%d (lower(name)) WHERE active;\n", $1, $1, $1, $1
		printf "CREATE INDEX t%d_c ON t%d (made DESC, n);\n", $1, $1
		printf "ALTER TABLE t%d ADD FOREIGN KEY (parent) REFERENCES t%d ON DELETE CASCADE;\n", $1, $1 > 1 ? $1 - 1 : 1
	}' | psql -Xq -v ON_ERROR_STOP=1 -1 "$1"
	psql -Xqc ANALYZE "$1"
}
# change DATABASE: 50 changes of five kinds, to its first ten tables.
change() {
	seq 1 10 | awk '{
		printf "ALTER TABLE t%d ADD extra int; ALTER TABLE t%d ALTER n SET DEFAULT 1;\n", $1, $1
		printf "DROP INDEX t%d_c; CREATE INDEX t%d_d ON t%d (mail); COMMENT ON TABLE t%d IS '\''changed'\'';\n", $1, $1, $1, $1
	}' | psql -Xq -v ON_ERROR_STOP=1 -1 "$1"
}
# statements DATABASE COMMAND...: how many the server logs for it.
statements() {
	database=$1
	shift
	psql -Xqc "ALTER DATABASE $database SET log_statement = 'all'" postgres
	before=$(grep -cE 'LOG:  (statement|execute)' "$server_log" || true)
	"$@" >log 2>&1 || { cat log >&2; die "failed: $*"; }
	after=$(grep -cE 'LOG:  (statement|execute)' "$server_log")
	psql -Xqc "ALTER DATABASE $database RESET log_statement" postgres
	echo $((after - before))
}
server_log=$RIPCORD_TEST_PG_DIR/server.log

for size in "$few" "$n"; do
	tables "old_$size" "$size"
	psql -Xqc "CREATE DATABASE new_$size TEMPLATE old_$size" postgres
	change "new_$size"
	psql -Xqc ANALYZE "new_$size"
done
DATABASE_URL=$(url postgresql "old_$n")
export DATABASE_URL

i=0
while [ "$i" -lt "$runs" ]; do
	seconds "$RIPCORD" fingerprint >>fingerprint.seconds
	seconds "$RIPCORD" diff --to "$(url postgresql "new_$n")" --json >>diff.seconds
	changes=$(jq '.changes | length' log)
	[ "$changes" -eq 50 ] || die "$changes changes instead of 50"
	i=$((i + 1))
done

echo "$n tables, $runs runs, $(nproc) processors"
line "ripcord fingerprint" fingerprint.seconds
line "ripcord diff, 50 changes" diff.seconds
for size in "$few" "$n"; do
	DATABASE_URL=$(url postgresql "old_$size")
	echo "$size tables: $(statements "old_$size" "$RIPCORD" fingerprint) statements for fingerprint," \
		"$(statements "old_$size" "$RIPCORD" diff --to "$(url postgresql "new_$size")") for diff's one side"
done
