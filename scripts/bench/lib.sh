# lib.sh - what the measurements share; sourced by them, with $root set.
# shellcheck shell=sh disable=SC2154 # $root is the caller's

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The caller again, beside a throw-away cluster; returns only inside of it.
need_cluster() {
	[ -z "${RIPCORD_TEST_PG:-}" ] || return 0
	RIPCORD=${RIPCORD:-$root/build/release/ripcord}
	[ -x "$RIPCORD" ] || die "no program at $RIPCORD; build the release preset or set RIPCORD"
	export RIPCORD
	exec "$root/tests/pg/with_cluster.sh" "$0" "$@"
}

# An empty folder to work in, gone at the end.
enter_work() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cd "$work" || exit 1
	export PGHOST="$RIPCORD_TEST_PG_DIR" PGUSER=postgres
}

# url DRIVER DATABASE
url() { printf '%s://postgres@/%s?host=%s&port=%s' "$1" "$2" "$PGHOST" "${PGPORT:-5432}"; }

# seconds COMMAND...: how long it took; its output goes to ./log, its failure ends everything.
seconds() {
	began=$(date +%s.%N)
	"$@" >log 2>&1 || { cat log >&2; die "failed: $*"; }
	echo "$began $(date +%s.%N)" | awk '{ printf "%.4f\n", $2 - $1 }'
}

# Of the numbers in a file.
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2 }'; }

# line NAME FILE [REFERENCE]: the median, and its ratio to the reference's.
line() {
	if [ $# -eq 3 ]; then
		echo "$(median "$2") $(median "$3")" | awk -v name="$1" '{ printf "%-28s %8.3f s   ratio %.2f\n", name, $1, $1 / $2 }'
	else
		median "$2" | awk -v name="$1" '{ printf "%-28s %8.3f s\n", name, $1 }'
	fi
}

# alembic_project DATABASE [OPTION]: ./alembic.ini and ./python with an env.py and no revisions yet; OPTION goes to
# context.configure().
alembic_project() {
	mkdir -p python/versions
	cat >python/env.py <<END
from alembic import context
from sqlalchemy import create_engine

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection${2:+, $2})
    with context.begin_transaction():
        context.run_migrations()
END
	printf '[alembic]\nscript_location = python\nsqlalchemy.url = %s\n' "$(url postgresql+psycopg2 "$1")" >alembic.ini
}

# An empty database "bench".  The last one is kept under another name: ext4 is slow to make files for some seconds
# after many were deleted.
new_bench() {
	psql -Xqc 'ALTER DATABASE bench RENAME TO "'"$(date +%s.%N)"'"' postgres 2>log || true
	psql -Xqc 'CREATE DATABASE bench' postgres
}
