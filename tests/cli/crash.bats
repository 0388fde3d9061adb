# The server crashes in the middle of a run, and comes back.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('one'), ('two'), ('drei')"
}
teardown() { rm -f held; }

crash_and_restart() {
  as_server "$(pg_bindir)/pg_ctl" -D "$CLUSTER_DIR/data" -m immediate -w stop >/dev/null
  as_server "$(pg_bindir)/pg_ctl" -D "$CLUSTER_DIR/data" -l "$CLUSTER_DIR/log" -w -t 60 \
    -o "-k $CLUSTER_DIR -p $CLUSTER_PORT -c listen_addresses=127.0.0.1" start >/dev/null 3>&- 4>&-
}
sleeping() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()
  AND application_name ~ '^ripcord/'" postgres)" = 1 ]; }

@test "inside the second revision: the run itself leads back, proven by the rows" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  make_revision r2 r1 "CREATE TABLE t2 (n int); SELECT pg_sleep(60)" "" "DROP TABLE t2"
  before=$("$RIPCORD" fingerprint) digest=$(table_digest keep)
  "$RIPCORD" upgrade head --yes --json >started.json 2>started.err 3>&- 4>&- &
  wait_until 30 sleeping
  crash_and_restart
  status=0
  wait $! || status=$?
  case $status in
    4 | 5) ;;
    6)
      run_ripcord recover --yes --json
      assert_exit 0
      ;;
    *) fail "exit $status: $(cat started.err)" ;;
  esac
  assert_same fingerprint "$before" "$("$RIPCORD" fingerprint)"
  assert_same rows "$digest" "$(table_digest keep)"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
}

@test "during the backup: nothing was changed, and the next run goes" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  configure "[hook hold]" "phase = before-backup" "shell = yes" \
    "command = touch held; while [ -e held ]; do sleep 0.05; done"
  before=$("$RIPCORD" fingerprint)
  "$RIPCORD" upgrade head --yes --json >started.json 2>started.err 3>&- 4>&- &
  wait_until 30 test -e held
  crash_and_restart
  rm held
  status=0
  wait $! || status=$?
  [ "$status" = 7 ] || [ "$status" = 1 ] || fail "exit $status: $(cat started.err)"
  assert_same fingerprint "$before" "$("$RIPCORD" fingerprint)"
  rm ripcord.ini
  run_ripcord recover --yes --json
  assert_exit 0
  run_ripcord upgrade head --yes --json
  assert_exit 0
}
