# Hooks: when they run, what they are told, and what their failure does.
load lib/cluster
load lib/http

setup_file() { cluster_start scram; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id int, body text); INSERT INTO keep VALUES (1, 'one')"
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  PATH=$(pg_bindir):$PATH
}
teardown() { [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true; }

table_is_gone() { assert_same table "" "$(sql "SELECT to_regclass('t1')")"; }

# hook NAME PHASE LINES...
hook() {
  local name=$1 phase=$2
  shift 2
  configure "[hook $name]" "phase = $phase" "$@"
}

@test "phases run in their order, each with its name, its run and its revision" {
  make_revision r2 r1 "SELECT 1" "" "SELECT 1"
  for phase in before-backup after-backup before-upgrade before-revision after-revision after-upgrade \
    on-failure after-rollback after-restore always; do
    hook "$phase" "$phase" "shell = yes" "command = echo \$RIPCORD_PHASE \$RIPCORD_REVISION >>phases; echo \$RIPCORD_RUN >>ids"
  done
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same phases "before-backup after-backup before-upgrade before-revision r1 after-revision r1 before-revision r2 after-revision r2 after-upgrade always" \
    "$(tr '\n' ' ' <phases | sed 's/  */ /g; s/ $//')"
  assert_same ids "$(jq -r .run <<<"$output")" "$(sort -u ids)"
}

@test "a run that fails has its on-failure, after-rollback or after-restore, and always" {
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  for phase in on-failure after-rollback after-restore always; do
    hook "$phase" "$phase" "shell = yes" "command = echo \$RIPCORD_PHASE >>phases; cat >\$RIPCORD_PHASE.json"
  done
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_same phases "on-failure after-rollback always" "$(paste -sd " " phases)"
  assert_same "what always was told" "rolled-back" "$(jq -r .outcome always.json)"
  assert_same "what on-failure was told" "r2" "$(jq -r .failure.revision on-failure.json)"
  rm phases
  run_ripcord upgrade head --yes --json -x guard.on_failure=restore
  assert_exit 5
  assert_same phases "on-failure after-restore always" "$(paste -sd " " phases)"
  # They look at the restored database, not at the one in quarantine.
  assert_same "what always was told" "restored" "$(jq -r .outcome always.json)"
}

@test "a command's environment: psql with no arguments works, with a password too, and it is in no argument" {
  hook look before-upgrade "shell = yes" \
    "command = psql -XAtc 'SELECT current_database(), count(*) FROM keep GROUP BY 1' >seen && env >environment && cat >run.json"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same seen "app|1" "$(cat seen)"
  for name in RIPCORD_RUN RIPCORD_PHASE=before-upgrade RIPCORD_FROM= RIPCORD_TO=r1 RIPCORD_BACKUP=2; do
    grep -q "^$name" environment || fail "not in the environment: $name"
  done
  assert_same backup "$(jq -r .backup.id <<<"$output")" "$(sed -n 's/^RIPCORD_BACKUP=//p' environment)"
  jq -e --arg run "$(jq -r .run <<<"$output")" '.run == $run and .to == ["r1"] and .backup.bytes > 0' run.json
  # The password is in a file that goes with the hook, as the URL that the user gave is in his own environment.
  grep -v '^DATABASE_URL=\|^CLUSTER_PASSWORD=' environment | grep -q "$CLUSTER_PASSWORD" && fail "the password is in the environment"
  passfile=$(sed -n 's/^PGPASSFILE=//p' environment)
  [ -n "$passfile" ] || fail "no password file"
  [ ! -e "$passfile" ] || fail "the password file is left"
}

@test "words are split as a shell would, and no shell runs them" {
  printf '#!/bin/sh\nprintf "<%%s>" "$@" >words\n' >show && chmod +x show
  hook words before-backup "command = ./show 'one two' \"a;b\" \$HOME *"
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same words '<one two><a;b><$HOME><*>' "$(cat words)"
}

@test "a failing after-upgrade command takes the ladder" {
  hook smoke after-upgrade "shell = yes" "command = echo the shop is closed >&2; exit 3"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .failure.phase == "hook" and (.failure.message | test("smoke"))'
  assert_stderr_has "the shop is closed"
  table_is_gone
}

@test "an after-upgrade command that takes too long, with all that it started" {
  hook smoke after-upgrade "shell = yes" "command = sleep 51 & sleep 52" "timeout = 1s"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.phase == "hook" and (.failure.message | test("smoke"))'
  table_is_gone
  ! pgrep -f '^sleep 5[12]$' || fail "its processes go on"
}

@test "a program that is not there" {
  hook smoke after-upgrade "command = no-such-program-here"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.message | test("no-such-program-here")'
  table_is_gone
}

@test "SQL: a boolean, an expected value, an error, and one that takes too long" {
  hook smoke after-upgrade "sql = SELECT count(*) = 0 FROM t1"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  : >ripcord.ini
  run_ripcord downgrade base --yes
  assert_exit 0

  for line in "sql = SELECT count(*) = 7 FROM t1" "sql = SELECT 1/0" "sql = SELECT NULL::boolean" "sql = SELECT true WHERE false"; do
    : >ripcord.ini
    hook smoke after-upgrade "$line"
    run_ripcord upgrade head --yes --json
    assert_exit 4
    assert_json '.failure.phase == "hook" and (.failure.message | test("smoke"))'
  done

  : >ripcord.ini
  hook smoke after-upgrade "sql = SELECT count(*) FROM keep" "expect = 1"
  hook wrong after-upgrade "sql = SELECT body FROM keep" "expect = two"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.message | test("wrong") and test("one instead of two")'

  : >ripcord.ini
  hook slow after-upgrade "sql = SELECT true FROM pg_sleep(30)" "timeout = 1s"
  SECONDS=0
  run_ripcord upgrade head --yes --json
  [ "$SECONDS" -lt 15 ] || fail "it waited $SECONDS s"
  assert_exit 4
  assert_json '.failure.phase == "hook"'
  table_is_gone
}

@test "SQL cannot change what is proven" {
  hook smoke after-upgrade "sql = INSERT INTO keep VALUES (2, 'two')"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.sqlstate == "25006"'
  assert_same rows 1 "$(sql "SELECT count(*) FROM keep")"
}

@test "HTTP: the expected status, another one, silence, and nobody there" {
  serve 204
  hook smoke after-upgrade "url = http://127.0.0.1:$port/health" "status = 204"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same requests "/health" "$(cat requests)"
  : >ripcord.ini
  run_ripcord downgrade base --yes
  assert_exit 0

  hook smoke after-upgrade "url = http://127.0.0.1:$port/health"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.message | test("smoke") and test("204 instead of 200")'
  kill "$server"

  : >port
  : >ripcord.ini
  hook smoke after-upgrade "url = http://127.0.0.1:$port/health" "timeout = 2s"
  run_ripcord upgrade head --yes --json
  assert_exit 4

  serve hang
  : >ripcord.ini
  hook smoke after-upgrade "url = http://127.0.0.1:$port/health" "timeout = 1s"
  SECONDS=0
  run_ripcord upgrade head --yes --json
  [ "$SECONDS" -lt 15 ] || fail "it waited $SECONDS s"
  assert_exit 4
  assert_json '.failure.phase == "hook"'
  table_is_gone
}

@test "attempts: the third is the one" {
  hook smoke after-upgrade "shell = yes" "command = echo x >>tries; test \$(wc -l <tries) -ge 3" "attempts = 3"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same tries 3 "$(wc -l <tries)"
  rm tries
  : >ripcord.ini
  make_revision r2 r1 "SELECT 1" "" "SELECT 1"
  hook smoke after-upgrade "shell = yes" "command = echo x >>tries; test \$(wc -l <tries) -ge 3" "attempts = 2"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_same tries 2 "$(wc -l <tries)"
}

@test "a failing hook before the change: nothing changed" {
  for phase in before-backup after-backup before-upgrade; do
    : >ripcord.ini
    hook stop "$phase" "command = false"
    run_ripcord upgrade head --yes --json
    [ "$status" = 1 ] || [ "$status" = 3 ] || fail "$phase: exit $status"
    assert_json '(.outcome == "failed" or .outcome == "refused") and .revisions == [] and (.failure.message | test("stop"))'
    table_is_gone
    assert_same ledger "" "$(sql "SELECT to_regclass('alembic_version')")"
    assert_same pins false "$("$RIPCORD" backup list --json | jq 'any(.[]; .pinned)')"
  done
  : >ripcord.ini
  run_ripcord upgrade head --yes
  assert_exit 0
}

@test "a failing before-revision or after-revision hook takes the ladder" {
  make_revision r2 r1 "SELECT 1" "" "SELECT 1"
  for phase in before-revision after-revision; do
    : >ripcord.ini
    hook stop "$phase" "shell = yes" \
      "command = echo \$RIPCORD_REVISION >>asked; test \$RIPCORD_REVISION != r2"
    run_ripcord upgrade head --yes --json
    assert_exit 4
    assert_json '.outcome == "rolled-back" and .failure.phase == "hook" and .failure.revision == "r2"'
    table_is_gone
    assert_same "asked on the way up only" "r1 r2" "$(paste -sd " " asked)"
    rm asked
  done
}

@test "a hook of the end that fails is a warning, not another outcome" {
  hook tell always "command = false"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded"'
  assert_stderr_has "hook tell"
}

@test "fence_hooks = inside keeps others out while the health check runs" {
  new_role writer
  sql "GRANT ALL ON ALL TABLES IN SCHEMA public TO writer"
  hook smoke after-upgrade "shell = yes" "command = PGUSER=writer PGPASSWORD=$CLUSTER_PASSWORD psql -XAtqc 'SELECT 1' >answer 2>&1; true"
  run_ripcord upgrade head --yes --writes fence -x guard.fence_hooks=inside
  assert_exit 0
  grep -q "too many connections" answer || fail "it got in: $(cat answer)"
  run_ripcord downgrade base --yes
  run_ripcord upgrade head --yes --writes fence
  assert_exit 0
  assert_same answer 1 "$(cat answer)"
}
