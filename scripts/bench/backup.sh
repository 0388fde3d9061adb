#!/bin/sh
# backup.sh - how fast a backup is, beside the pipe that it replaces.
#
#     scripts/bench/backup.sh [SCALE [RUNS]]      default: 70, about 1 GB of pgbench; 5
#
# Prints the medians of `ripcord backup create` (its dump, without the reading back) and of
# `pg_dump -Fc -Z0 | zstd -T0 -3`, synced, and their ratio.  The two take turns, so that a busy machine
# is unfair to neither.  RIPCORD is the program, built with optimisation: default build/release/ripcord.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
scale=${1:-70}
runs=${2:-5}

if [ -z "${RIPCORD_TEST_PG:-}" ]; then
	RIPCORD=${RIPCORD:-$root/build/release/ripcord}
	[ -x "$RIPCORD" ] || { echo "backup.sh: no program at $RIPCORD; set RIPCORD" >&2; exit 1; }
	export RIPCORD
	exec "$root/tests/pg/with_cluster.sh" "$0" "$scale" "$runs"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p migrations/versions

bin=${PG_BIN:-$(dirname "$(find /usr/lib/postgresql/*/bin -name pg_dump | sort -V | tail -1)")}
export PGHOST="$RIPCORD_TEST_PG_DIR" PGUSER=postgres PGDATABASE=bench
"$bin/createdb" bench
"$bin/pgbench" -q -i -s "$scale" 2>/dev/null
DATABASE_URL="postgresql://postgres@/bench?host=$(printf %s "$PGHOST" | jq -Rr @uri)"
export DATABASE_URL

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'; }

i=0
while [ "$i" -lt "$runs" ]; do
	"$RIPCORD" -q backup create --json -x backup.verify=read >taken.json
	jq .seconds taken.json >>ripcord
	began=$(date +%s.%N)
	"$bin/pg_dump" -Fc -Z0 | zstd -q -f -T0 -3 -o reference.zst
	sync reference.zst
	echo "$began $(date +%s.%N)" | awk '{ print $2 - $1 }' >>pipe
	rm -rf backups reference.zst
	i=$((i + 1))
done

size=$("$bin/psql" -XAtc "SELECT pg_size_pretty(pg_database_size('bench'))")
echo "$size, $runs runs, $(nproc) processors"
echo "ripcord backup create      $(median ripcord) s"
echo "pg_dump -Fc -Z0 | zstd -3  $(median pipe) s"
echo "$(median ripcord) $(median pipe)" | awk '{ printf "ratio                      %.2f\n", $1 / $2 }'
