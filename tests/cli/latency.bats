# What an upgrade costs those who use the database: measured by pgbench, whose log has the latency of every query.
load lib/cluster

setup_file() { cluster_start trust "max_connections = 120"; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  sql "CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t SELECT n, n FROM generate_series(1, 1000) n; ANALYZE t"
  make_revision r1 "" "ALTER TABLE t ADD c int" "" "ALTER TABLE t DROP c"
}

teardown() { [ -z "${clients:-}" ] || kill "$clients" 2>/dev/null || true; }

# Fifty that query t, twenty times a second in all, until stop_clients.  So few that none is late for its next query
# because it still waits for its last one: latencies are counted from the moment a query was due.
start_clients() {
  printf '%s\n' '\set a random(1, 1000)' 'SELECT b FROM t WHERE a = :a;' >clients.sql
  "$(pg_bindir)/pgbench" -n -c 50 -j 2 -R 20 -T 600 -f clients.sql -l --log-prefix=clients \
    -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U postgres "$DATABASE" >clients.out 2>&1 3>&- 4>&- &
  clients=$!
}

# pgbench writes the end of its log when its connections end, not when it is killed.
stop_clients() {
  local ended
  ended=$(sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pgbench'")
  wait "$clients" || true
  clients=
  [ "$ended" = 50 ] || fail "$ended of 50 clients were there to the end: $(cat clients.out)"
}

# worst FROM TO: the longest latency in milliseconds of what ended between the two moments.
worst() {
  awk -v from="$1" -v to="$2" '{ at = $5 + $6 / 1e6 } at >= from && at < to && $3 > most { most = $3 } END { print int(most / 1000) }' clients.*[0-9]
}

tried_twice() { grep -q "revision r1: attempt 2:" err; }
waits() { grep -q "revision r1 waits for ACCESS EXCLUSIVE on public.t" err; }

# alter_under_load LOCK_TIMEOUT UNTIL...: while a long SELECT is in the way until UNTIL is true.
# Sets $baseline and $kept_waiting, in milliseconds.
alter_under_load() {
  local began status=0
  session_open report
  session_sql report "BEGIN"
  session_sql report "SELECT count(*) FROM t"
  start_clients
  wait_until 20 sh -c 'ls clients.*[0-9] >/dev/null 2>&1'
  sleep 3
  began=$EPOCHREALTIME
  "$RIPCORD" upgrade head --yes -x guard.lock_timeout="$1" >out 2>err 3>&- 4>&- &
  local runner=$!
  wait_until 30 "${@:2}"
  session_sql report COMMIT
  session_close report
  wait "$runner" || status=$?
  [ "$status" = 0 ] || fail "$(cat err)"
  sleep 1
  stop_clients
  baseline=$(worst 0 "$began")
  kept_waiting=$(worst "$began" 9e9)
  echo "# worst latency $baseline ms before, $kept_waiting ms during an upgrade with lock_timeout = $1" >&3
}

@test "clients wait no longer than lock_timeout and a tenth for an upgrade that waits for a lock" {
  alter_under_load 2s tried_twice
  # They did wait, so that the number means something.
  [ "$kept_waiting" -gt 1000 ] || fail "nobody was kept waiting"
  [ "$kept_waiting" -le $((2200 + baseline)) ] || fail "kept waiting for $kept_waiting ms"
}

four_seconds_of_waiting() { waits && sleep 4; }

@test "without a lock_timeout they would wait as long as the other session takes, and this is seen" {
  alter_under_load 60s four_seconds_of_waiting
  [ "$kept_waiting" -gt $((2200 + baseline)) ] || fail "kept waiting for $kept_waiting ms"
}
