# Recovered on another machine: the state folder is gone, and what the database and the backups tell has to do.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('one'), ('two'), ('drei')"
}
teardown() { rm -f held; }

hold_at() {
  configure "[hook hold]" "phase = $1" "shell = yes" "command = touch held; while [ -e held ]; do sleep 0.05; done"
}
start_and_kill() {
  "$RIPCORD" "$@" >started.json 2>started.err 3>&- 4>&- &
  wait_until 30 test -e held
  kill -KILL $!
  wait $! 2>/dev/null || true
  rm -f held
  : >ripcord.ini
  rm -r .ripcord
}

@test "after a commit: the way back is proven as it would be at home" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  before=$("$RIPCORD" fingerprint)
  hold_at after-revision
  start_and_kill upgrade head --yes --json
  run_ripcord upgrade head --yes --json
  assert_exit 8
  assert_stderr_has "ripcord recover"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "rolled-back" and .from == []'
  assert_same fingerprint "$before" "$("$RIPCORD" fingerprint)"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
  run_ripcord runs --json
  assert_json 'length == 1 and .[0].outcome == "rolled-back"'
}

@test "after a commit that destroyed data: restored from the pinned backup" {
  make_revision r1 "" "ALTER TABLE keep DROP COLUMN body" "" "ALTER TABLE keep ADD COLUMN body text"
  digest=$(table_digest keep)
  make_revision r2 r1 "SELECT 1"
  hold_at after-revision
  start_and_kill upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
}

@test "others wrote meanwhile: not a row of theirs is lost" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  make_revision r2 r1 "SELECT 1"
  hold_at after-revision
  start_and_kill upgrade head --yes --json
  sql "INSERT INTO keep (body) VALUES ('theirs')"
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json '.outcome == "stuck"'
  assert_same rows 4 "$(sql "SELECT count(*) FROM keep")"
}

@test "after the swap: the restored database knows whose it is" {
  make_revision r1 "" "ALTER TABLE keep DROP COLUMN body"
  make_revision r2 r1 "SELECT 1" "SELECT false"
  digest=$(table_digest keep)
  hold_at after-restore
  start_and_kill upgrade head --yes --json
  run_ripcord upgrade head --yes --json
  assert_exit 8
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
}

@test "while the backup was verified: the scratch database goes" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  mkdir bin
  ln -s "$(pg_bindir)"/{pg_dump,pg_dumpall} bin/
  printf '#!/bin/sh\ncase "$*" in *dbname*|*" -d"*) touch held; while [ -e held ]; do sleep 0.05; done ;; esac\nexec %s/pg_restore "$@"\n' \
    "$(pg_bindir)" >bin/pg_restore
  chmod +x bin/pg_restore
  start_and_kill upgrade head --yes --json -x "backup.pg_bindir=$PWD/bin"
  assert_same scratch 1 "$(databases | grep -c '^app_scratch_')"
  gone() { run_ripcord recover --yes --json && [ "$status" = 0 ] && ! databases | grep -q '^app_scratch_'; }
  wait_until 10 gone
  run_ripcord upgrade head --yes --json
  assert_exit 0
}
