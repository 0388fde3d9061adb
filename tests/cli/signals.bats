# Signals, and clients that die.
load lib/cluster
load lib/traps

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  kept_tables
}

teardown() { [ -z "${runner:-}" ] || kill -KILL "$runner" 2>/dev/null || true; }

# start_upgrade OPTION...: in the background; sets $runner.  finish_upgrade: waits, sets $status, $output and $stderr.
start_upgrade() {
  "$RIPCORD" upgrade head --yes --json "$@" >out 2>err 3>&- 4>&- &
  runner=$!
}

finish_upgrade() {
  status=0
  wait "$runner" || status=$?
  runner=
  output=$(cat out) stderr=$(cat err)
}

# running TEXT: a session of the run is in the middle of a statement that has it.
running() {
  [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%' AND state = 'active'
            AND query LIKE '%$1%'" postgres)" -gt 0 ]
}

sessions_of_runs() { sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%'" postgres; }
no_sessions() { [ "$(sessions_of_runs)" = 0 ]; }
derived_databases() { databases | grep -E '_(candidate|scratch|quarantine)_' || true; }

# at_rest: nothing of the run is left on the server, whoever asks.
at_rest() {
  wait_until 20 no_sessions
  assert_same "connection limit" -1 "$(connection_limit)"
}

@test "SIGTERM: the statement ends on the server, and the run rolls back" {
  make_revision r1 "" "UPDATE kept SET body = 'x'; SELECT pg_sleep(60)" "" "SELECT 1"
  start_upgrade
  wait_until 30 running "pg_sleep(60)"
  kill -TERM "$runner"
  finish_upgrade
  assert_rolled_back
  assert_json '.failure.message | test("cancelled")'
  at_rest
}

@test "SIGINT and SIGHUP do the same; an echo of a signal is the same signal" {
  make_revision r1 "" "DELETE FROM kept; SELECT pg_sleep(60)" "" "SELECT 1"
  start_upgrade
  wait_until 30 running "pg_sleep(60)"
  kill -INT "$runner"
  kill -INT "$runner"
  kill -HUP "$runner"
  finish_upgrade
  assert_rolled_back
  at_rest
}

@test "a signal while the backup is read back leaves nothing behind" {
  make_revision r1 "" "DELETE FROM kept" "" "SELECT 1"
  # Index expressions are computed where there are rows, and when they are planned.
  sql "CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
       CREATE TABLE checked (a int); INSERT INTO checked VALUES (1); CREATE INDEX ON checked ((slow()));
       CREATE OR REPLACE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS \$\$ BEGIN PERFORM pg_sleep(30); RETURN true; END \$\$"
  start_upgrade -x backup.verify=drill -x guard.writes=fence
  wait_until 60 restoring
  kill -TERM "$runner"
  finish_upgrade
  assert_exit 1
  assert_json '.outcome == "failed"'
  assert_same "databases left" "" "$(derived_databases)"
  assert_same kept "$kept_before" "$(table_digest kept)"
  at_rest
  no_children
}

restoring() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%/restore' AND query LIKE '%CREATE INDEX%'" postgres)" -gt 0 ]; }

# Whoever their parent is now.
children() {
  local pid
  for pid in $(pgrep -x 'pg_dump|pg_restore'); do
    grep -qzx "PGPORT=$CLUSTER_PORT" "/proc/$pid/environ" 2>/dev/null && echo "$pid"
  done
  true
}

no_children() { [ -z "$(children)" ]; }

@test "a second signal on the way back says what is left, and recover goes on" {
  destroy_then_fail
  hook pause on-failure "touch paused; sleep 30"
  start_upgrade
  wait_until 60 test -e paused
  kill -TERM "$runner"
  sleep 1.2
  kill -TERM "$runner"
  finish_upgrade
  assert_exit 6
  assert_json '.outcome == "stuck"'
  assert_stderr_has "stopped by signal 15"
  assert_stderr_has "ripcord recover"
  at_rest
  local run
  run=$(jq -r .run <<<"$output")
  rm paused
  sed -i 's/sleep 30/true/' pause.sh
  run_ripcord upgrade head --yes
  assert_exit 8
  run_ripcord recover "$run" --yes --json
  assert_exit 0
  assert_same kept "$kept_before" "$(table_digest kept)"
}

no_dump_sessions() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('pg_dump', 'pg_restore')" postgres)" = 0 ]; }

@test "a first signal on a way back that a failure began changes nothing" {
  destroy_then_fail
  hook pause on-failure "touch paused; sleep 3"
  start_upgrade
  wait_until 60 test -e paused
  kill -INT "$runner"
  finish_upgrade
  assert_restored
  at_rest
}

@test "the runner is killed while it restores: no pg_restore is left" {
  destroy_then_fail
  sql "CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
       CREATE TABLE checked (a int); INSERT INTO checked VALUES (1); CREATE INDEX ON checked ((slow()));
       CREATE OR REPLACE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS \$\$ BEGIN PERFORM pg_sleep(8); RETURN true; END \$\$"
  start_upgrade
  wait_until 60 restoring
  [ -n "$(children)" ] || fail "there is no pg_restore to look for"
  kill -KILL "$runner"
  finish_upgrade
  wait_until 3 no_children
  wait_until 3 no_dump_sessions
  run_ripcord recover --yes --json
  assert_exit 0
  assert_same kept "$kept_before" "$(table_digest kept)"
}

@test "the runner is killed while a hook runs: nothing that it started goes on" {
  make_revision r1 "" "DELETE FROM kept" "" "SELECT 1"
  hook long before-revision "sleep 4321 & echo \$! >child; echo \$\$ >shell; wait"
  start_upgrade
  wait_until 60 test -s shell
  kill -KILL "$runner"
  finish_upgrade
  wait_until 10 gone "$(cat shell)"
  wait_until 10 gone "$(cat child)"
}

# One that has ended and that nobody has buried yet is gone.
gone() { ! kill -0 "$1" 2>/dev/null || ps -o stat= -p "$1" | grep -q '^Z'; }

@test "the runner is killed while a guarded command runs: nothing that it started goes on" {
  printf '%s\n' "sleep 4321 & echo \$! >child" 'echo $$ >shell; wait' >command.sh
  "$RIPCORD" guard --yes -- sh command.sh >out 2>err </dev/null 3>&- 4>&- &
  runner=$!
  wait_until 60 test -s shell
  kill -KILL "$runner"
  finish_upgrade
  wait_until 10 gone "$(cat shell)"
  wait_until 10 gone "$(cat child)"
}
