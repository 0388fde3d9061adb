# cluster.bash - what a bats file needs to try ripcord on a real server.
#
#   load lib/cluster
#   setup_file()    { cluster_start; }       # or: cluster_start scram
#   teardown_file() { cluster_stop; }
#   setup()         { new_project; new_database; }
#
#   @test "a failed verify is exit 4" {
#     make_revision 1 "" "CREATE TABLE t (a int)" "SELECT false" "DROP TABLE t"
#     run_ripcord upgrade head --yes --json
#     assert_exit 4
#     assert_json '.outcome == "rolled-back"'
#   }
#
# A file has a cluster of its own, in a folder of its own, on a socket and a loopback port of its own, so
# that files run beside each other.  Servers run as `postgres` when the tests run as root: PostgreSQL
# refuses to be root.
bats_require_minimum_version 1.5.0

# Only what a test sets reaches ripcord: not the developer's database, and not his ~/.pgpass.
clean_environment() {
  local name
  for name in $(compgen -e); do
    case $name in PG* | DATABASE_URL | RIPCORD_* | AWS_* | http_proxy | https_proxy) unset "$name" ;; esac
  done
  export HOME=${BATS_TEST_TMPDIR:-${BATS_RUN_TMPDIR:-/nonexistent}}
  export LC_ALL=C.UTF-8 TZ=UTC
  export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1
  local here
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  [ ! -f "$here/lsan.supp" ] || export LSAN_OPTIONS=suppressions=$here/lsan.supp:print_suppressions=0
}
clean_environment

: "${RIPCORD:?set RIPCORD to the program under test, as ctest does}"

# ---------------------------------------------------------------- servers

pg_bindir() { echo "${CLUSTER_BIN:=/usr/lib/postgresql/15/bin}"; }

# Runs a server program as a user that PostgreSQL accepts.
as_server() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  else
    "$@"
  fi
}

# server_folder: a new folder that the server may write to and everybody may pass through.
# Short and outside bats' own folder, which is 0700: a socket's path must fit into 107 bytes.
server_folder() {
  local folder
  folder=$(mktemp -d /tmp/ripcord-test-XXXXXX)
  chmod 755 "$folder"
  [ "$(id -u)" != 0 ] || chown postgres "$folder"
  echo "$folder" >>"$BATS_FILE_TMPDIR/servers"
  echo "$folder"
}

# server_launch FOLDER: starts FOLDER/data on a free loopback port and prints the port.
# Ports are tried, not searched for: between a search and the start another test may take one.
server_launch() {
  local folder=$1 try port
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 12000))
    if as_server "$(pg_bindir)/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 \
      -o "-k $folder -p $port -c listen_addresses=127.0.0.1" start >"$folder/pg_ctl" 2>&1 3>&- 4>&-; then
      echo "$port"
      return 0
    fi
  done
  echo "no server after $try attempts:" >&2
  cat "$folder/pg_ctl" "$folder/log" >&2
  return 1
}

# cluster_start [trust|scram] [SETTING...]: one server for the file; its superuser is `postgres`, and
# with scram the password is $CLUSTER_PASSWORD for TCP, while the tests' own psql uses the socket with trust.
cluster_start() {
  local auth=${1:-trust}
  [ $# = 0 ] || shift
  export CLUSTER_BIN=${CLUSTER_BIN:-/usr/lib/postgresql/15/bin}
  export CLUSTER_AUTH=$auth CLUSTER_PASSWORD='' CLUSTER_DIR CLUSTER_PORT
  CLUSTER_DIR=$(server_folder)
  as_server "$CLUSTER_BIN/initdb" -D "$CLUSTER_DIR/data" -A trust -U postgres --no-sync -E UTF8 \
    --locale=C.UTF-8 >"$CLUSTER_DIR/initdb" 2>&1
  {
    echo "fsync = off"
    echo "shared_buffers = 32MB"
    echo "max_prepared_transactions = 8"
    echo "wal_level = logical"
    echo "log_line_prefix = '%m [%p] %a '"
    echo "log_statement = 'all'"
    printf '%s\n' "$@"
  } | as_server tee -a "$CLUSTER_DIR/data/postgresql.conf" >/dev/null
  if [ "$auth" = scram ]; then
    printf '%s\n' 'local all all trust' 'local replication all trust' \
      'host all all 127.0.0.1/32 scram-sha-256' 'host replication all 127.0.0.1/32 scram-sha-256' |
      as_server tee "$CLUSTER_DIR/data/pg_hba.conf" >/dev/null
  fi
  CLUSTER_PORT=$(server_launch "$CLUSTER_DIR")
  if [ "$auth" = scram ]; then
    CLUSTER_PASSWORD="s3cr3t-$RANDOM$RANDOM$RANDOM"
    sql "ALTER ROLE postgres PASSWORD '$CLUSTER_PASSWORD'" postgres
  fi
}

# Every server of the file, those that a test started included.
cluster_stop() {
  local folder
  while read -r folder; do
    [ ! -f "$folder/data/postmaster.pid" ] ||
      as_server "$(pg_bindir)/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1
    rm -rf "$folder"
  done <"$BATS_FILE_TMPDIR/servers"
}

# standby_start: a hot standby of the cluster, by pg_basebackup; sets STANDBY_DIR and STANDBY_PORT.
standby_start() {
  export STANDBY_DIR STANDBY_PORT
  STANDBY_DIR=$(server_folder)
  as_server "$(pg_bindir)/pg_basebackup" -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U postgres \
    -D "$STANDBY_DIR/data" -R -c fast --no-sync
  STANDBY_PORT=$(server_launch "$STANDBY_DIR")
}

server_log() { cat "$CLUSTER_DIR/log"; }

# ---------------------------------------------------------------- databases

# psql_on DATABASE ARG...: psql as the superuser over the socket; fails at the first error.
psql_on() {
  local database=$1
  shift
  database=${database//\\/\\\\}
  "$(pg_bindir)/psql" -XAtq -v ON_ERROR_STOP=1 -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U "${SQL_ROLE:-postgres}" \
    -d "dbname='${database//\'/\\\'}'" "$@"
}

# sql STATEMENTS [DATABASE]: unaligned tuples on stdout.
sql() { psql_on "${2:-$DATABASE}" -c "$1"; }

sql_quote_ident() { printf '"%s"' "${1//\"/\"\"}"; }

uri_encode() { jq -rn --arg v "$1" '$v | @uri'; }

# database_url [NAME] [ROLE] [PASSWORD]: over TCP, as people write it.
database_url() {
  local role=${2:-postgres} password=${3:-$CLUSTER_PASSWORD}
  printf 'postgresql://%s%s@127.0.0.1:%s/%s\n' "$(uri_encode "$role")" \
    "${password:+:$(uri_encode "$password")}" "$CLUSTER_PORT" "$(uri_encode "${1:-$DATABASE}")"
}

# new_database [NAME] [OPTIONS]: an empty one, dropped first if it is there; sets DATABASE and DATABASE_URL.
# Databases that an earlier test left in candidate or quarantine stay: names hold the run's id.
new_database() {
  export DATABASE=${1:-app} DATABASE_URL
  psql_on postgres -c "DROP DATABASE IF EXISTS $(sql_quote_ident "$DATABASE") WITH (FORCE)" 2>/dev/null
  psql_on postgres -c "CREATE DATABASE $(sql_quote_ident "$DATABASE") TEMPLATE template0 ${2:-}"
  DATABASE_URL=$(database_url "$DATABASE")
}

# new_role NAME ATTRIBUTES: a login role, made anew; with scram its password is $CLUSTER_PASSWORD.
new_role() {
  psql_on postgres -c "SET client_min_messages = error" -c "DROP ROLE IF EXISTS $(sql_quote_ident "$1")"
  psql_on postgres -c "CREATE ROLE $(sql_quote_ident "$1") LOGIN ${2:-} PASSWORD '$CLUSTER_PASSWORD'" 2>/dev/null
}

databases() { sql "SELECT datname FROM pg_database ORDER BY datname COLLATE \"C\"" postgres; }

# table_digest TABLE [DATABASE]: SHA-256 over all rows, in whatever order they lie.
table_digest() {
  sql "SELECT encode(sha256(convert_to(coalesce(string_agg(r, E'\n' ORDER BY r COLLATE \"C\"), ''), 'UTF8')), 'hex')
       FROM (SELECT t::text AS r FROM $1 t) rows" "${2:-$DATABASE}"
}

# ---------------------------------------------------------------- other people's sessions

# session_open NAME [DATABASE]: a psql that stays; session_sql NAME SQL runs in it and waits for the end;
# session_close NAME.  Output is in $BATS_TEST_TMPDIR/session.NAME.out.
session_open() {
  local pipe=$BATS_TEST_TMPDIR/session.$1 fd
  mkfifo "$pipe"
  "$(pg_bindir)/psql" -XAtq -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U "${SQL_ROLE:-postgres}" \
    -d "${2:-$DATABASE}" <"$pipe" >"$pipe.out" 2>&1 3>&- 4>&- &
  eval "session_pid_$1=$!"
  exec {fd}>"$pipe"
  eval "session_fd_$1=$fd"
  session_sql "$1" "SELECT 1"
}

session_send() {
  local fd=session_fd_$1
  printf '%s\n' "$2" >&"${!fd}"
}

session_sql() {
  local mark="mark-$RANDOM$RANDOM"
  session_send "$1" "$2;"
  session_send "$1" "\\echo $mark"
  wait_until 30 grep -q "$mark" "$BATS_TEST_TMPDIR/session.$1.out"
}

session_close() {
  local fd=session_fd_$1 pid=session_pid_$1
  session_send "$1" '\q'
  eval "exec ${!fd}>&-"
  wait "${!pid}" || true
}

# wait_until SECONDS COMMAND...: polls ten times a second.
wait_until() {
  local tries=$(($1 * 10))
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "waited in vain for: $*" >&2; return 1; }
    sleep 0.1
  done
}

# ---------------------------------------------------------------- projects and revisions

# new_project: an empty project in a new folder, which becomes the current one.
new_project() {
  PROJECT=$(mktemp -d "$BATS_TEST_TMPDIR/project.XXXXXX")
  cd "$PROJECT" || return 1
  mkdir -p migrations/versions
  revision_number=0
}

# make_revision ID PARENT UPGRADE [VERIFY] [DOWNGRADE]: PARENT "" is a base, several make a merge.
# An empty or absent VERIFY or DOWNGRADE leaves the section out.
# UPGRADE_OPTIONS and DOWNGRADE_OPTIONS stand on the markers: UPGRADE_OPTIONS=transaction=off make_revision ...
make_revision() {
  revision_number=$((${revision_number:-0} + 1))
  {
    printf -- '-- revision: %s\n-- revises: %s\n-- message: revision %s\n' "$1" "$2" "$1"
    printf -- '-- created: 2026-11-22T10:15:00Z\n\n-- ripcord:upgrade %s\n%s\n' "${UPGRADE_OPTIONS:-}" "$(terminated "$3")"
    [ -z "${4:-}" ] || printf -- '\n-- ripcord:verify\n%s\n' "$(terminated "$4")"
    [ -z "${5:-}" ] || printf -- '\n-- ripcord:downgrade %s\n%s\n' "${DOWNGRADE_OPTIONS:-}" "$(terminated "$5")"
  } >"migrations/versions/$(printf %04d "$revision_number")_$1.sql"
}

terminated() { case $1 in *\; | '') echo "$1" ;; *) echo "$1;" ;; esac; }

revision_file() { echo migrations/versions/*_"$1".sql; }

# configure LINES...: appends to ./ripcord.ini.
configure() { printf '%s\n' "$@" >>ripcord.ini; }

# ---------------------------------------------------------------- running and judging

# run_ripcord ARG...: sets $status, $output (stdout) and $stderr.
run_ripcord() { run --separate-stderr "$RIPCORD" "$@"; }

# bats --print-output-on-failure adds the last $output and $stderr.
fail() {
  printf '%s\n' "$*" >&2
  return 1
}

assert_exit() { [ "$status" = "$1" ] || fail "exit $status, expected $1"; }

# assert_json EXPRESSION [ARG...]: jq over stdout, which must be one JSON value; true is wanted.
assert_json() {
  local expression=$1
  shift
  jq -e "$@" -s "length == 1 and (.[0] | $expression)" <<<"$output" >/dev/null || fail "not so: $expression"
}

assert_stdout_has() { [[ $output == *"$1"* ]] || fail "stdout lacks: $1"; }
assert_stderr_has() { [[ $stderr == *"$1"* ]] || fail "stderr lacks: $1"; }
refute_stdout_has() { [[ $output != *"$1"* ]] || fail "stdout has: $1"; }
refute_stderr_has() { [[ $stderr != *"$1"* ]] || fail "stderr has: $1"; }

# assert_same WHAT EXPECTED ACTUAL
assert_same() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }

# The newest backup's folder, its tar inside; with the file store at its default place.
newest_backup() { find backups -name manifest.json -printf '%T@ %h\n' | sort -n | tail -1 | cut -d' ' -f2-; }

# turn_byte FILE AT: another byte there than the one that was.
turn_byte() {
  local was
  was=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf '%b' "\\x$(printf %02x $((was ^ 1 << RANDOM % 8)))" |
    dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
