#!/bin/sh
# Runs a command beside a throw-away PostgreSQL cluster of its own, which ends with it.
#
#     tests/pg/with_cluster.sh COMMAND ARG...
#
# RIPCORD_TEST_PG is set to the cluster's conninfo (superuser "postgres", database "postgres", Unix
# socket), RIPCORD_TEST_PG_DIR to its folder.  PG_BIN chooses the server's programs; without it the
# newest below /usr/lib/postgresql is taken.  As root the server runs as the system user postgres.
# RIPCORD_TEST_TMP chooses where its folder is made; default /tmp.  RIPCORD_TEST_PG_SET has more settings: "-c NAME=VALUE ...".
# shellcheck disable=SC2317 # functions that only traps call
set -eu

if [ $# -eq 0 ]; then
	echo "usage: with_cluster.sh COMMAND ARG..." >&2
	exit 2
fi

if [ -z "${PG_BIN:-}" ]; then
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		PG_BIN=${initdb%/initdb}
	done
fi
if [ ! -x "${PG_BIN:-}/initdb" ]; then
	echo "with_cluster.sh: no PostgreSQL server found; install postgresql, or set PG_BIN" >&2
	exit 1
fi

dir=$(mktemp -d "${RIPCORD_TEST_TMP:-/tmp}/ripcord-pg-XXXXXX")

# In a folder that the server's user may enter; the command keeps ours.
as_server() (
	cd "$dir"
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
	else
		"$@"
	fi
)

# Also after a signal: a server left behind would hold its folder and its memory.
stop_cluster() {
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server "$PG_BIN/pg_ctl" -D "$dir/data" -m immediate -w stop >"$dir/stop.log" 2>&1 || cat "$dir/stop.log" >&2
	fi
	rm -rf "$dir"
}
trap 'stop_cluster' EXIT
# The command runs in the background and is waited for: a trap would otherwise wait for its end.
command=
end_by() {
	[ -z "$command" ] || kill "$command" 2>/dev/null || true
	exit "$1"
}
trap 'end_by 129' HUP
trap 'end_by 130' INT
trap 'end_by 143' TERM

if [ "$(id -u)" -eq 0 ]; then
	chown postgres "$dir"
fi
chmod 0755 "$dir"

# Without the caller's PG* variables the cluster is the same everywhere.
for name in $(env | sed -n 's/^\(PG[A-Z0-9]*\)=.*/\1/p'); do
	unset "$name"
done

if ! as_server "$PG_BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-locale -N >"$dir/initdb.log" 2>&1; then
	cat "$dir/initdb.log" >&2
	exit 1
fi
if ! as_server "$PG_BIN/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 \
	-o "-k $dir -c listen_addresses='' -c fsync=off -c max_prepared_transactions=4 -c unix_socket_permissions=0777 ${RIPCORD_TEST_PG_SET:-}" start >"$dir/start.log" 2>&1; then
	cat "$dir/start.log" "$dir/server.log" >&2
	exit 1
fi

RIPCORD_TEST_PG="host=$dir port=5432 user=postgres dbname=postgres"
RIPCORD_TEST_PG_DIR=$dir
export RIPCORD_TEST_PG RIPCORD_TEST_PG_DIR

"$@" &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
