#!/bin/sh
# revisions.sh - many small revisions, beside one psql session that runs the same SQL.
#
#     scripts/bench/revisions.sh [REVISIONS [RUNS]]      default: 1000; 5
#
# Each revision makes a table and an index and is a transaction of its own, for everybody; ripcord takes no
# backup.  psql gets the sections and the UPDATE of the version table in one script.  Peers that are installed are
# measured too: alembic, and dbmate (its path may be set as DBMATE).  All take turns, so that a busy machine is
# unfair to none.  RIPCORD is the program, built with optimisation: default build/release/ripcord.
#
# FSYNC=on has the server sync its WAL, as every server does whose data counts.  LINK_MS=1 puts a network between: each
# way takes a millisecond (needs node).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
n=${1:-1000}
runs=${2:-5}
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
need_cluster "$n" "$runs"
enter_work
psql -XqAtc "ALTER SYSTEM SET fsync = '${FSYNC:-off}'" -c "SELECT pg_reload_conf()" postgres >log
if [ -n "${LINK_MS:-}" ]; then
	node "$root/tests/tools/slow_link.js" "$PGHOST/.s.PGSQL.5432" "$LINK_MS" >port &
	link=$!
	trap 'kill "$link"; rm -rf "$work"' EXIT
	while [ ! -s port ]; do sleep 0.1; done
	PGHOST=127.0.0.1 PGPORT=$(cat port)
	export PGPORT
fi

dbmate=${DBMATE:-$(command -v dbmate || true)}
alembic=$(command -v alembic || true)

mkdir -p migrations/versions mate
alembic_project bench transaction_per_migration=True
seq 1 "$n" | awk '
	function section(i) {
		return "CREATE TABLE t" i " (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now());\n" \
			"CREATE INDEX t" i "_name ON t" i " (name);\n"
	}
	{
		id = sprintf("r%05d", $1); before = $1 == 1 ? "" : sprintf("r%05d", $1 - 1)
		file = "migrations/versions/" id ".sql"
		printf "-- revision: %s\n-- revises: %s\n-- message: table %d\n\n-- ripcord:upgrade\n%s\n-- ripcord:downgrade\nDROP TABLE t%d;\n", \
			id, before, $1, section($1), $1 >file
		close(file)
		file = "python/versions/" id ".py"
		printf "from alembic import op\n\nrevision = \"%s\"\ndown_revision = %s\n\n\ndef upgrade():\n    op.execute(\"\"\"%s\"\"\")\n", \
			id, before == "" ? "None" : "\"" before "\"", section($1) >file
		close(file)
		file = sprintf("mate/%014d_t.sql", $1)
		printf "-- migrate:up\n%s\n-- migrate:down\nDROP TABLE t%d;\n", section($1), $1 >file
		close(file)
		printf "BEGIN;\n%s", section($1) >"psql.sql"
		if (before == "")
			printf "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);\nINSERT INTO alembic_version VALUES (\x27%s\x27);\n", id >"psql.sql"
		else
			printf "UPDATE alembic_version SET version_num = \x27%s\x27 WHERE version_num = \x27%s\x27;\n", id, before >"psql.sql"
		print "COMMIT;" >"psql.sql"
	}'
# Everyone starts on an empty database and has to end with all the tables.
turn() {
	name=$1
	shift
	new_bench
	psql -Xqc CHECKPOINT postgres
	seconds "$@" >>"$name.seconds"
	made=$(psql -XAtc "SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+_name$'" bench)
	[ "$made" -eq "$n" ] || die "$name left $made tables of $n"
}

DATABASE_URL=$(url postgresql bench)
export DATABASE_URL
i=0
while [ "$i" -lt "$runs" ]; do
	turn psql psql -Xq -v ON_ERROR_STOP=1 -f psql.sql bench
	rm -rf .ripcord
	turn ripcord "$RIPCORD" -q upgrade head --yes --no-backup --reason bench
	[ -z "$dbmate" ] || turn dbmate "$dbmate" --url "$(url postgres bench)" -d mate --no-dump-schema up
	[ -z "$alembic" ] || turn alembic "$alembic" upgrade head
	i=$((i + 1))
done

echo "$n revisions, $runs runs, $(nproc) processors"
line "psql" psql.seconds
for name in ripcord dbmate alembic; do
	[ ! -f "$name.seconds" ] || line "$name" "$name.seconds" psql.seconds
done
