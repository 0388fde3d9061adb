# Recovered on another machine: the state folder is gone, and what the database and the backups tell has to do.
load lib/cluster
load lib/kill

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() { new_project_with_rows; }
teardown() { rm -f held; }

start_and_kill() {
  kill_held "$@"
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
  recover_to 0 unchanged
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
  recover_to 6 stuck
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
  recover_to 0 unchanged
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

# The statement after CREATE DATABASE waits for this table; what waits there and has lost its client is ended.
killed_before_comment() {
  session_open comments postgres
  session_sql comments "BEGIN; LOCK TABLE pg_catalog.pg_shdescription IN EXCLUSIVE MODE"
  "$RIPCORD" upgrade head --yes >started.err 2>&1 3>&- 4>&- &
  wait_until 30 waits "COMMENT ON DATABASE"
  kill -KILL $!
  wait $! 2>/dev/null || true
  sql "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%'" postgres
  session_close comments
  rm -r .ripcord
}
waits() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ '$1' AND wait_event_type = 'Lock'" postgres)" = 1 ]; }
scratch() { databases | grep '_scratch_' || true; }

@test "between CREATE DATABASE and its COMMENT: the scratch database goes, if it is empty and nobody's" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  killed_before_comment
  left=$(scratch)
  assert_same left 1 "$(grep -c '^app_scratch_' <<<"$left")"
  assert_same comment 0 "$(sql "SELECT count(*) FROM pg_shdescription c JOIN pg_database d ON d.oid = c.objoid
    WHERE d.datname = '$left'" postgres)"

  sql "CREATE TABLE somebodys (n int)" "$left"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_stderr_has "$left"
  assert_same "with a table in it" "$left" "$(scratch)"
  sql "DROP TABLE somebodys" "$left"

  session_open visitor "$left"
  run_ripcord recover --yes --json
  assert_same "with a session in it" "$left" "$(scratch)"
  session_sql visitor "\\c postgres"
  session_sql visitor "SET application_name = 'ripcord/${left: -8}/run'"
  run_ripcord recover --yes --json
  assert_same "of a run that lives" "$left" "$(scratch)"
  session_close visitor

  run_ripcord recover --yes --json
  assert_exit 0
  assert_same "in the end" "" "$(scratch)"
}

@test "databases that are only called like a scratch database stay" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  mine="app_scratch_0123abcd app_scratch_0123abc_ app_candidate_0123abcd app_quarantine_0123abcd"
  for name in $mine app_scratch_89ab4567; do sql "CREATE DATABASE $name CONNECTION LIMIT 2000000000" postgres; done
  sql "COMMENT ON DATABASE app_candidate_0123abcd IS 'ripcord: candidate of run 01234567'" postgres
  sql "COMMENT ON DATABASE app_scratch_89ab4567 IS 'ripcord: scratch database of run 89ab4567; may be dropped'" postgres
  run_ripcord recover --yes --json
  assert_exit 0
  run_ripcord upgrade head --yes --json
  assert_exit 0
  for name in $mine; do
    databases | grep -qx "$name" || fail "$name is gone"
    sql "DROP DATABASE $name" postgres
  done
  assert_same "what a verification left" "" "$(scratch)"
}

@test "a CREATE DATABASE that goes on after its client's death is waited for" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  session_open catalog postgres
  session_sql catalog "BEGIN; LOCK TABLE pg_catalog.pg_database IN SHARE ROW EXCLUSIVE MODE"
  "$RIPCORD" upgrade head --yes >started.err 2>&1 3>&- 4>&- &
  wait_until 30 waits "^CREATE DATABASE"
  kill -KILL $!
  wait $! 2>/dev/null || true
  rm -r .ripcord
  "$RIPCORD" recover --yes --json >recovered.json 2>recovered.err 3>&- 4>&- &
  sleep 1
  kill -0 $! || fail "it did not wait: $(cat recovered.err)"
  session_close catalog
  wait $!
  assert_same "in the end" "" "$(scratch)"
}
