#!/bin/sh
# graph.sh - how long the questions take that a shell prompt or a CI job asks, with many revisions.
#
#     scripts/bench/graph.sh [REVISIONS [RUNS]]      default: 10000; 5
#
# Prints the medians of `ripcord current` and `ripcord history` in a project whose database is stamped at the
# head; every run reads all the files.  RIPCORD is the program, built with optimisation: default
# build/release/ripcord.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
n=${1:-10000}
runs=${2:-5}
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
need_cluster "$n" "$runs"
enter_work

mkdir -p migrations/versions
seq 1 "$n" | awk '{
	id = sprintf("r%05d", $1)
	file = "migrations/versions/" id ".sql"
	printf "-- revision: %s\n-- revises: %s\n-- message: table %d\n\n-- ripcord:upgrade\nCREATE TABLE t%d (id bigint PRIMARY KEY);\n\n-- ripcord:downgrade\nDROP TABLE t%d;\n", \
		id, $1 == 1 ? "" : sprintf("r%05d", $1 - 1), $1, $1, $1 >file
	close(file)
}'
psql -Xqc 'CREATE DATABASE bench' postgres
DATABASE_URL=$(url postgresql bench)
export DATABASE_URL
"$RIPCORD" -q stamp head

i=0
while [ "$i" -lt "$runs" ]; do
	seconds "$RIPCORD" current >>current.seconds
	grep -q '(head)' log || die "current does not name the head"
	seconds "$RIPCORD" history >>history.seconds
	[ "$(wc -l <log)" -eq "$n" ] || die "history printed $(wc -l <log) lines of $n"
	i=$((i + 1))
done

echo "$n revisions, $runs runs, $(nproc) processors"
line "ripcord current" current.seconds
line "ripcord history" history.seconds
