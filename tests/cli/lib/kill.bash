# kill.bash - the runner ended by SIGKILL at a known moment: nothing is told, nothing is tidied up.
#
#   load lib/cluster
#   load lib/kill
#   setup()    { new_project_with_rows; }
#   teardown() { rm -f held; }              # what a hook waits for ends with its test

new_project_with_rows() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('one'), ('two'), ('drei')"
}

# A hook that marks the moment and stays there.
hold_at() {
  configure "[hook hold]" "phase = $1" "shell = yes" "command = touch held; while [ -e held ]; do sleep 0.05; done"
}
release() {
  rm -f held
  : >ripcord.ini
}

# start ARG...: ripcord in the background, with a process id to kill.
start() {
  "$RIPCORD" "$@" >started.json 2>started.err 3>&- 4>&- &
  started=$!
}
kill_started() {
  kill -KILL "$started"
  wait "$started" 2>/dev/null || true
}

# A session of ripcord's, or any, in pg_sleep().
sleeping() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()
  AND application_name ~ '^ripcord/'" postgres)" = 1 ]; }
asleep() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()" postgres)" = 1 ]; }

# kill_asleep ARG...: killed when its revision sleeps.
kill_asleep() {
  start "$@"
  wait_until 20 sleeping
  kill_started
}

# kill_held ARG...: killed where something has touched `held`, which is then let go.
kill_held() {
  start "$@"
  wait_until 30 test -e held
  kill_started
  release
}

# recover_to EXIT OUTCOME
recover_to() {
  run_ripcord recover --yes --json
  assert_exit "$1"
  assert_json ".outcome == \"$2\""
}
