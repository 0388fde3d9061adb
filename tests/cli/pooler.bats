# What stands between ripcord and its server: poolers, standbys, failovers.
load lib/cluster
load lib/traps

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  make_revision r1 "" "CREATE TABLE t (a int)" "SELECT true" "DROP TABLE t"
}

teardown() { [ ! -s "${pooler:-}" ] || kill "$(cat "$pooler")"; }

# pooler_start MODE: PgBouncer in front of the cluster; sets POOLER_PORT, and $pooler to the file with its pid.
pooler_start() {
  local folder
  folder=$(server_folder)
  POOLER_PORT=$((33000 + RANDOM % 5000))
  printf '%s\n' "[databases]" "* = host=127.0.0.1 port=$CLUSTER_PORT" "[pgbouncer]" "listen_addr = 127.0.0.1" \
    "listen_port = $POOLER_PORT" "auth_type = any" "pool_mode = $1" "unix_socket_dir =" "pidfile = $folder/pid" \
    "ignore_startup_parameters = extra_float_digits" "logfile = $folder/pgbouncer.log" |
    sed "s/auth_type = any/auth_type = trust/" >"$folder/pgbouncer.ini"
  echo "auth_file = $folder/users" >>"$folder/pgbouncer.ini"
  echo '"postgres" ""' >"$folder/users"
  chmod 644 "$folder/pgbouncer.ini" "$folder/users"
  as_server pgbouncer "$folder/pgbouncer.ini" >"$folder/out" 2>&1 3>&- 4>&- &
  pooler=$folder/pid
  wait_until 20 pooler_answers || fail "$(cat "$folder/out" "$folder/pgbouncer.log")"
}

pooler_answers() {
  "$(pg_bindir)/psql" -XAtq "host=127.0.0.1 port=$POOLER_PORT user=postgres dbname=$DATABASE" -c "SELECT 1" >/dev/null 2>&1
}

refuses_the_pooler() {
  pooler_start "$1"
  CLUSTER_PORT=$POOLER_PORT DATABASE_URL=$(CLUSTER_PORT=$POOLER_PORT database_url) run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused"'
  assert_stderr_has "connection pooler"
  assert_same table "" "$(sql "SELECT to_regclass('t')")"
  [ ! -d backups ] || [ -z "$(find backups -type f)" ] || fail "a backup was taken"
}

@test "a pooler in transaction mode is refused" { refuses_the_pooler transaction; }

@test "a pooler in session mode is refused, since nobody can tell" { refuses_the_pooler session; }

@test "a standby is refused before anything" {
  standby_start
  CLUSTER_PORT=$STANDBY_PORT DATABASE_URL=$(CLUSTER_PORT=$STANDBY_PORT database_url) run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused"'
  assert_stderr_has standby
  assert_stderr_has primary
}

@test "a standby is named in the plan" {
  standby_start
  wait_until 20 replicating
  run_ripcord upgrade head --plan
  assert_exit 0
  [[ $output$stderr == *standby* ]] || fail "the plan does not name it"
  [[ $output$stderr == *walreceiver* ]] || fail "the plan does not say which"
}

replicating() { [ "$(sql "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'" postgres)" -gt 0 ]; }

# The primary is gone and the standby takes its place, while revision r2 is about to run.
@test "a failover in the middle is seen: nothing is guessed" {
  standby_start
  wait_until 20 replicating
  make_revision r2 r1 "CREATE TABLE u (a int)" "" "DROP TABLE u"
  hook failover before-revision "[ \"\$RIPCORD_REVISION\" = r2 ] || exit 0; sleep 1" \
    "touch failing; while [ ! -e failed ]; do sleep 0.1; done"
  DATABASE_URL="postgresql://postgres@127.0.0.1:$CLUSTER_PORT,127.0.0.1:$STANDBY_PORT/$DATABASE?target_session_attrs=read-write"
  "$RIPCORD" upgrade head --yes --json >out 2>err 3>&- 4>&- &
  local runner=$! status=0
  wait_until 60 test -e failing
  as_server "$(pg_bindir)/pg_ctl" -D "$CLUSTER_DIR/data" -m immediate -w stop >/dev/null
  as_server "$(pg_bindir)/pg_ctl" -D "$STANDBY_DIR/data" -w promote >/dev/null
  touch failed
  wait "$runner" || status=$?
  output=$(cat out) stderr=$(cat err)
  assert_exit 6
  assert_json '.outcome == "stuck"'
  assert_stderr_has "is another server now"
  assert_stderr_has "timeline 2"
  CLUSTER_PORT=$STANDBY_PORT CLUSTER_DIR=$STANDBY_DIR
  assert_same "committed before it" t "$(sql "SELECT to_regclass('t')")"
  assert_same "not begun" "" "$(sql "SELECT to_regclass('u')")"
}
