# Ten runners at once on one database: one runs, never two.
load lib/cluster
load lib/traps

setup_file() { cluster_start trust "max_connections = 200"; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  # Two at once would leave a row too many, or none at all.
  make_revision r1 "" "CREATE TABLE t (a int); INSERT INTO t VALUES (1)" "SELECT count(*) = 1 FROM t" "DROP TABLE t"
  hook hold before-upgrade "echo \$\$ >>\"$PROJECT/started\"; while [ ! -e \"$PROJECT/go\" ]; do sleep 0.1; done"
}

teardown() { [ -z "${runners:-}" ] || kill -KILL $runners 2>/dev/null || true; }

# start_runners OPTION...: ten of them, each with its own output; RUNNER in an option is its number.
start_runners() {
  local i
  runners=
  for i in 1 2 3 4 5 6 7 8 9 10; do
    "$RIPCORD" upgrade head --yes --json "${@//RUNNER/$i}" >"out.$i" 2>"err.$i" 3>&- 4>&- &
    runners="$runners $!"
  done
}

# Sets $codes: how often each exit code came.
wait_for_runners() {
  local pid status
  codes=
  for pid in $runners; do
    status=0
    wait "$pid" || status=$?
    codes="$codes$status "
  done
  runners=
  codes=$(echo "$codes" | tr ' ' '\n' | grep . | sort | uniq -c | xargs)
}

# So many runners have ended.
ended() { [ "$(for pid in $runners; do kill -0 "$pid" 2>/dev/null || echo x; done | wc -l)" = "$1" ]; }

waiting_for_lock() { [ "$(grep -l "waiting for the lock of database \"app\", held by ripcord/" err.* | wc -l)" = "$1" ]; }

once() {
  assert_same "runs that began to change something" 1 "$(wc -l <started)"
  assert_same rows 1 "$(sql "SELECT count(*) FROM t")"
  assert_same "rows of the history" 1 "$(sql "SELECT count(*) FROM ripcord.history")"
  assert_same "backups" 1 "$(find backups backups.* -name manifest.json 2>/dev/null | wc -l)"
}

one_runs_nine_are_refused() {
  start_runners "$@"
  wait_until 120 ended 9
  touch go
  wait_for_runners
  assert_same "exit codes" "1 0 9 8" "$codes"
  once
  assert_same "told who holds it" 9 "$(grep -lE "another run holds the lock of database \"app\": ripcord/[^ ]*/lock [^ ]*:[0-9]+|is unfinished" err.* | wc -l)"
  assert_same outcomes "9 locked 1 upgraded" "$(jq -r .outcome out.* | sort | uniq -c | xargs)"
}

@test "ten at once: one runs, nine are refused" { one_runs_nine_are_refused; }

@test "ten at once without a common state folder: one runs, nine are refused" {
  one_runs_nine_are_refused -x ripcord.state_dir=state.RUNNER
}

@test "ten at once that wait: one runs, nine find it done" {
  start_runners --wait
  wait_until 120 waiting_for_lock 9
  ended 0 || fail "not all are waiting"
  touch go
  wait_for_runners
  assert_same "exit codes" "10 0" "$codes"
  once
  assert_same outcomes "9 unchanged 1 upgraded" "$(jq -r .outcome out.* | sort | uniq -c | xargs)"
}

@test "ten at once that wait without a common state folder: one runs, nine find it done" {
  start_runners --wait -x ripcord.state_dir=state.RUNNER -x store.local.path=backups.RUNNER
  wait_until 120 waiting_for_lock 9
  touch go
  wait_for_runners
  assert_same "exit codes" "10 0" "$codes"
  once
}
