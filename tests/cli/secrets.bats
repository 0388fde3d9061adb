# A password is nowhere but in the .env it came from: not in argv, environments, output, journal, manifest, log.
load lib/cluster

setup_file() { cluster_start scram; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  printf '%s' "$CLUSTER_PASSWORD" >"$BATS_TEST_TMPDIR/pattern"
  echo "DATABASE_URL=$DATABASE_URL" >.env
  unset DATABASE_URL
  sql "CREATE TABLE t AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 100000) n"
  make_revision 1 "" "DELETE FROM t WHERE id % 2 = 0" "SELECT true" "SELECT 1"
  make_revision 2 1 "SELECT pg_sleep(0.5)" "SELECT false" "SELECT 1"
}

# While the file `running` is there: every argv, and the environment of everything that ripcord started.
watch_processes() {
  local file
  set +e # processes end while they are looked at
  while [ -f "$BATS_TEST_TMPDIR/running" ]; do
    for file in $(grep -slaF -f "$BATS_TEST_TMPDIR/pattern" /proc/[0-9]*/cmdline); do
      { echo -n "argv: " && tr '\0' ' ' <"$file" && echo; } >>"$BATS_TEST_TMPDIR/leaks"
    done
    for file in $(grep -slaF "RIPCORD_TEST_MARK=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ); do
      cat "${file%environ}comm" >>"$BATS_TEST_TMPDIR/seen"
      if grep -qaF -f "$BATS_TEST_TMPDIR/pattern" "$file"; then
        echo "environment of $(cat "${file%environ}comm")" >>"$BATS_TEST_TMPDIR/leaks"
      fi
    done
  done 2>/dev/null
  return 0
}

# pg_dump and pg_restore that take their time, so that the watcher sees each.
slow_tools() {
  local tool
  mkdir bin
  ln -s "$CLUSTER_BIN"/* bin/
  for tool in pg_dump pg_restore; do
    rm "bin/$tool"
    printf '#!/bin/sh\nsleep 0.5\nexec %s "$@"\n' "$CLUSTER_BIN/$tool" >"bin/$tool"
    chmod +x "bin/$tool"
  done
  configure "[backup]" "pg_bindir = bin"
}

run_watched() {
  local watcher
  touch "$BATS_TEST_TMPDIR/running" "$BATS_TEST_TMPDIR/leaks" "$BATS_TEST_TMPDIR/seen"
  watch_processes 3>&- 4>&- &
  watcher=$!
  run --separate-stderr env -u CLUSTER_PASSWORD RIPCORD_TEST_MARK="$BATS_TEST_TMPDIR" "$RIPCORD" "$@"
  rm "$BATS_TEST_TMPDIR/running"
  wait "$watcher"
}

@test "the watcher sees what it is there for" {
  touch "$BATS_TEST_TMPDIR/running" "$BATS_TEST_TMPDIR/leaks" "$BATS_TEST_TMPDIR/seen"
  watch_processes 3>&- 4>&- &
  RIPCORD_TEST_MARK=$BATS_TEST_TMPDIR sh -c 'sleep 2; : "$1"' sh "$CLUSTER_PASSWORD"
  rm "$BATS_TEST_TMPDIR/running"
  wait $!
  cat "$BATS_TEST_TMPDIR/seen" "$BATS_TEST_TMPDIR/leaks"
  grep -q "argv: sh .*$CLUSTER_PASSWORD" "$BATS_TEST_TMPDIR/leaks"
  grep -qx sh "$BATS_TEST_TMPDIR/seen"
  grep -qx "environment of sh" "$BATS_TEST_TMPDIR/leaks"
}

@test "a run with backup, failure, restore and hooks shows the password nowhere" {
  slow_tools
  configure "[hook look]" "phase = always" "command = sleep 0.5"
  sql "ALTER DATABASE app SET app.token = 't0ken-of-the-app'" postgres
  local log_before
  log_before=$(stat -c %s "$CLUSTER_DIR/log")
  run_watched upgrade head --yes -v -v
  assert_exit 5

  sort -u "$BATS_TEST_TMPDIR/seen" >"$BATS_TEST_TMPDIR/names"
  for name in ripcord pg_dump pg_restore sleep; do
    grep -qx "$name" "$BATS_TEST_TMPDIR/names" || fail "never saw $name, only: $(cat "$BATS_TEST_TMPDIR/names")"
  done
  assert_same leaks "" "$(sort -u "$BATS_TEST_TMPDIR/leaks")"
  [[ $output$stderr != *"$CLUSTER_PASSWORD"* ]] || fail "in the output"
  ! tail -c +"$log_before" "$CLUSTER_DIR/log" | grep -F "$CLUSTER_PASSWORD" || fail "in the server's log"
  assert_same "files with it" ./.env "$(grep -rlaF -f "$BATS_TEST_TMPDIR/pattern" .)"
  assert_same "files with a setting's value" "" "$(grep -rlaF t0ken-of-the-app .ripcord backups)"
}

@test "password files are gone after a run, and after a failed one" {
  touch "$BATS_TEST_TMPDIR/before"
  run_ripcord backup create
  assert_exit 0
  run_ripcord upgrade head --yes
  assert_exit 5
  found=$(find /tmp /dev/shm "${XDG_RUNTIME_DIR:-/dev/null}" -xdev -newer "$BATS_TEST_TMPDIR/before" -type f \
    -user "$(id -un)" -not -path "$PROJECT/.env" -exec grep -laF -f "$BATS_TEST_TMPDIR/pattern" {} + 2>/dev/null || true)
  assert_same "files with the password" "" "$found"
}

@test "an error of the server does not carry the URL's password" {
  sed -i 's|/app$|/no_such_database|' .env
  run_ripcord upgrade head --yes -v -v
  assert_exit 1
  [[ $output$stderr != *"$CLUSTER_PASSWORD"* ]] || fail "in the output"
}
