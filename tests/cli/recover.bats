# Runs that were killed, and what `recover` makes of them: old, new, or stuck with advice; never in between unseen.
load lib/cluster
load lib/kill

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() { new_project_with_rows; }
# What a hook waits for ends with its test.
teardown() { rm -f held; }

fingerprint() { "$RIPCORD" fingerprint; }
connection_limit() { sql "SELECT datconnlimit FROM pg_database WHERE datname = '$DATABASE'" postgres; }
databases_of_run() { sql "SELECT datname FROM pg_database WHERE datname ~ '${1: -8}'" postgres; }
journal_of() { echo .ripcord/runs/*.jsonl; }

committed() { [ "$(sql "SELECT count(*) FROM alembic_version WHERE version_num = '$1'")" = 1 ]; }

@test "killed during the backup: nothing was changed, and nothing is left" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  mkdir bin
  ln -s "$(pg_bindir)"/{pg_restore,pg_dumpall} bin/
  printf '#!/bin/sh\ncase "$*" in *--version*) exec %s/pg_dump "$@" ;; esac\ntouch held; while [ -e held ]; do sleep 0.05; done\n' \
    "$(pg_bindir)" >bin/pg_dump
  chmod +x bin/pg_dump
  before=$(fingerprint)
  start upgrade head --yes --json --writes fence -x "backup.pg_bindir=$PWD/bin"
  wait_until 20 test -e held
  [ "$(connection_limit)" != -1 ] || fail "there was no fence to take back"
  kill_started
  release
  run_ripcord upgrade head --yes --json
  assert_exit 8
  assert_stderr_has "unfinished"
  assert_stderr_has "ripcord recover"
  run_ripcord runs --json
  assert_json '.[0].outcome == "unfinished" and (.[0].phase | test("^(backup|fence)"))'
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged" and .revisions == [] and .from == [] and .to == []'
  assert_same limit -1 "$(connection_limit)"
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord backup list --json
  assert_json '. == []'
  run_ripcord upgrade head --yes --json
  assert_exit 0
}

dumping() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^ripcord/.*/dump$'
  AND query ~ '^LOCK TABLE' AND wait_event_type = 'Lock'" postgres)" = 1 ]; }
sessions_of_ripcord() { sql "SELECT application_name FROM pg_stat_activity WHERE application_name ~ '^ripcord/'" postgres; }

@test "killed while pg_dump works: pg_dump ends too, no backup is listed, and the next run works" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  session_open holder
  session_sql holder "BEGIN; LOCK TABLE keep IN ACCESS EXCLUSIVE MODE"
  start upgrade head --yes --json
  wait_until 20 dumping
  dump=$(pgrep -P "$started" pg_dump)
  kill_started
  gone() { [ ! -e "/proc/$dump" ] || grep -q '^State:.Z' "/proc/$dump/status"; }
  wait_until 5 gone
  session_close holder
  wait_until 5 eval '[ -z "$(sessions_of_ripcord)" ]'
  run_ripcord backup list --json
  assert_json '. == []'
  run_ripcord upgrade head --yes --json
  assert_exit 8
  recover_to 0 unchanged
  assert_same databases "" "$(databases | grep '^app_' || true)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  run_ripcord backup list --json
  assert_json 'length == 1'
  assert_same "half of a backup" "" "$(find backups -name '*.partial')"
}

@test "killed while the backup is verified: the scratch database goes" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  mkdir bin
  ln -s "$(pg_bindir)"/{pg_dump,pg_dumpall} bin/
  printf '#!/bin/sh\ncase "$*" in *dbname*|*" -d"*) touch held; while [ -e held ]; do sleep 0.05; done ;; esac\nexec %s/pg_restore "$@"\n' \
    "$(pg_bindir)" >bin/pg_restore
  chmod +x bin/pg_restore
  start upgrade head --yes --json -x "backup.pg_bindir=$PWD/bin"
  wait_until 20 test -e held
  run=$(basename .ripcord/runs/*.jsonl .jsonl)
  assert_same scratch "app_scratch_${run: -8}" "$(databases_of_run "$run")"
  kill_started
  release
  recover_to 0 unchanged
  assert_same databases "" "$(databases_of_run "$run")"
}

@test "killed inside the first revision: rolled back" {
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO keep (body) VALUES ('vier'); SELECT pg_sleep(60)"
  before=$(fingerprint) digest=$(table_digest keep)
  kill_asleep upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "rolled-back" and .from == []'
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same "its sessions" 0 "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()" postgres)"
  recover_to 0 unchanged
}

# r1 writes where an exception is caught; r2 is killed.  What a killed transaction wrote nobody knows, so the rows have to tell.
nested_revisions() {
  make_revision r1 "" "DO \$\$ BEGIN
    BEGIN $1; EXCEPTION WHEN OTHERS THEN RAISE; END;
    BEGIN INSERT INTO keep (body) VALUES ('vier'); EXCEPTION WHEN OTHERS THEN NULL; END;
  END \$\$; ${2:-SELECT 1}"
  make_revision r2 r1 "INSERT INTO keep (body) VALUES ('nie'); SELECT pg_sleep(60)"
}

@test "rows that a caught exception was around are known as the run's own" {
  digest=$(table_digest keep)
  nested_revisions "UPDATE keep SET body = body || '!'"
  kill_asleep upgrade head --yes --json
  recover_to 0 restored
  assert_same rows "$digest" "$(table_digest keep)"
}

@test "so they are where a function of the database catches it" {
  digest=$(table_digest keep)
  sql "CREATE FUNCTION careful() RETURNS void LANGUAGE plpgsql AS \$f\$ BEGIN INSERT INTO keep (body) VALUES ('vier');
    EXCEPTION WHEN division_by_zero THEN NULL; END \$f\$"
  make_revision r1 "" "SELECT careful()"
  make_revision r2 r1 "INSERT INTO keep (body) VALUES ('nie'); SELECT pg_sleep(60)"
  kill_asleep upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_same rows "$digest" "$(table_digest keep)"
}

# others_write BEFORE AFTER: what another session runs while r1 goes on, and when r1 is committed.  A changed row, since a new
# one would be one too many.
others_write() {
  nested_revisions "INSERT INTO keep (body) VALUES ('x')" "SELECT pg_sleep(3)"
  session_open other
  start upgrade head --yes --json
  wait_until 20 sleeping
  session_sql other "$1"
  wait_until 20 committed r1
  wait_until 20 sleeping
  kill_started
  session_sql other "$2"
  session_close other
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json 'any(.next[]; test("public.keep: [1-9][0-9]* rows written"))'
  assert_same theirs 1 "$(sql "SELECT count(*) FROM keep WHERE body = 'theirs'")"
}
theirs="UPDATE keep SET body = 'theirs' WHERE id = 1"

@test "rows of others that were committed beside a caught exception are not taken for the run's own" {
  others_write "$theirs" "SELECT 1"
}

@test "nor rows of others whose transaction is open then" { others_write "BEGIN; $theirs" "COMMIT"; }

@test "nor those of its subtransactions" { others_write "BEGIN; SAVEPOINT s; $theirs; RELEASE s" "COMMIT"; }

@test "nor those that are prepared then" { others_write "BEGIN; $theirs; PREPARE TRANSACTION 'p'" "COMMIT PREPARED 'p'"; }

@test "the session of a killed run is ended whatever it calls itself" {
  make_revision r1 "" "SET application_name = 'somebody'; UPDATE keep SET body = 'changed'; SELECT pg_sleep(60)"
  digest=$(table_digest keep)
  start upgrade head --yes --json
  wait_until 20 asleep
  kill_started
  recover_to 0 rolled-back
  assert_same rows "$digest" "$(table_digest keep)"
  ! asleep || fail "its session is still there"
}

@test "killed in a hook after the first commit: downgraded and proven" {
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO t1 VALUES (1)" "" "DROP TABLE t1"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  hold_at after-revision
  before=$(fingerprint)
  kill_held upgrade head --yes --json
  assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "rolled-back" and .from == [] and .quarantine == null'
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord current --json
  assert_json '.heads == []'
  assert_same limit -1 "$(connection_limit)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
}

@test "killed after a commit that destroyed data: restored" {
  make_revision r1 "" "ALTER TABLE keep DROP COLUMN body" "" "ALTER TABLE keep ADD COLUMN body text"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  hold_at after-revision
  before=$(fingerprint) digest=$(table_digest keep)
  kill_held upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same "database of the live name" t "$(sql "SELECT datallowconn AND datconnlimit = -1 FROM pg_database WHERE datname = 'app'" postgres)"
}

@test "killed inside a later revision, when others wrote meanwhile: stuck, with every row kept" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  make_revision r2 r1 "CREATE TABLE t2 (n int); SELECT pg_sleep(60)" "" "DROP TABLE t2"
  start upgrade head --yes --json
  wait_until 20 sleeping
  sql "INSERT INTO keep (body) VALUES ('theirs')"
  kill_started
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json '.outcome == "stuck" and any(.next[]; test("--forward")) and any(.next[]; test("--swap --accept-loss"))'
  assert_stderr_has "public.keep: 1 rows written"
  assert_same rows 4 "$(sql "SELECT count(*) FROM keep")"
  assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")"
  run=$(jq -r .run <<<"$output")
  databases_of_run "$run" | grep -q candidate || fail "no candidate stands ready"
  run_ripcord recover --forward --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r1"]'
  assert_same "what is left" "" "$(databases_of_run "$run")"
}

@test "killed between the statements of transaction=off: the rest is done, and what was done stays" {
  UPGRADE_OPTIONS=transaction=off make_revision r1 "" "UPDATE keep SET body = body || '.'; SELECT pg_sleep(4)" "" "SELECT 1"
  kill_asleep upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r1"]'
  assert_same rows 3 "$(sql "SELECT count(*) FROM keep WHERE body ~ '[^.][.]$'")"
}

@test "killed inside a revision that had written to what an earlier one had: every row told apart" {
  make_revision r1 "" "UPDATE keep SET body = body || '!'; CREATE TABLE t1 (n int)" \
    "SELECT count(*) = 3 FROM keep WHERE body LIKE '%!'" "DROP TABLE t1"
  make_revision r2 r1 "UPDATE keep SET body = 'gone'; INSERT INTO t1 SELECT id FROM keep; SELECT pg_sleep(60)" "" "SELECT 1"
  before=$(fingerprint) digest=$(table_digest keep)
  kill_asleep upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same fingerprint "$before" "$(fingerprint)"
}

@test "killed inside a transaction of transaction=off, with revisions to come: taken back, not resumed" {
  UPGRADE_OPTIONS=transaction=off make_revision r1 "" \
    "UPDATE keep SET body = body || '.'; UPDATE keep SET body = 'gone' || pg_sleep(20)" "" "SELECT 1"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  before=$(fingerprint) digest=$(table_digest keep)
  kill_asleep upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same fingerprint "$before" "$(fingerprint)"
}

@test "killed when only the after-upgrade hook remained: forward if it passes, back if not" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  hold_at after-upgrade
  kill_held upgrade head --yes --json
  configure "[hook smoke]" "phase = after-upgrade" "command = true"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r1"]'

  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  hold_at after-upgrade
  kill_held upgrade head --yes --json
  configure "[hook smoke]" "phase = after-upgrade" "command = false"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "rolled-back" and .from == ["r1"] and (.failure.message | test("smoke"))'
  assert_same table "" "$(sql "SELECT to_regclass('t2')")"
}

@test "killed during a restore: the half restored candidate goes, and the next one is whole" {
  make_revision r1 "" "ALTER TABLE keep DROP COLUMN body" "" "ALTER TABLE keep ADD COLUMN body text"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  mkdir bin
  ln -s "$(pg_bindir)"/{pg_dump,pg_dumpall} bin/
  printf '#!/bin/sh\ncase "$*" in *candidate*) touch held; while [ -e held ]; do sleep 0.05; done ;; esac\nexec %s/pg_restore "$@"\n' \
    "$(pg_bindir)" >bin/pg_restore
  chmod +x bin/pg_restore
  digest=$(table_digest keep)
  start upgrade head --yes --json -x "backup.pg_bindir=$PWD/bin" -x guard.on_failure=restore
  wait_until 20 test -e held
  run=$(basename .ripcord/runs/*.jsonl .jsonl)
  assert_same candidate "app_candidate_${run: -8}" "$(databases_of_run "$run")"
  kill_started
  release
  recover_to 0 restored
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same limit -1 "$(connection_limit)"
}

@test "killed after the swap: restored it is" {
  make_revision r1 "" "ALTER TABLE keep DROP COLUMN body"
  make_revision r2 r1 "SELECT 1" "SELECT false"
  digest=$(table_digest keep)
  hold_at after-restore
  kill_held upgrade head --yes --json
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  quarantine=$(jq -r .quarantine <<<"$output")
  assert_same quarantine "$quarantine" "$(sql "SELECT datname FROM pg_database WHERE datname = '$quarantine'" postgres)"
  run_ripcord recover --yes --json
  assert_exit 0
}

@test "a killed downgrade is taken back as one" {
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO t1 VALUES (7)" "" "DROP TABLE t1"
  make_revision r2 r1 "CREATE TABLE t2 (n int); INSERT INTO t2 VALUES (7)" "" "DROP TABLE t2"
  run_ripcord upgrade head --yes
  assert_exit 0
  before=$(fingerprint) digest=$(table_digest t2)
  hold_at after-revision
  kill_held downgrade base --yes --json
  assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "restored" and .from == ["r2"]'
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same rows "$digest" "$(table_digest t2)"
}

# kill_command SCRIPT [ARG...]: guard with that shell script, killed when the script has touched `held`.
kill_command() {
  local script=$1
  shift
  rm -rf migrations
  PATH=$(pg_bindir):$PATH
  start guard --json "$@" -- sh -c "$script"
  wait_until 20 test -e held
  kill_started
  rm -f held
}
# Its session stays long enough to be seen.
writes='psql -Xqc "CREATE TABLE made (n int); INSERT INTO keep (body) VALUES (4)" -c "SELECT pg_sleep(0.5)" && touch held && sleep 30'

@test "guard killed while its command runs: restored, if the server has counted nobody else" {
  digest=$(table_digest keep)
  for mode in detect fence; do
    kill_command "$writes" --writes $mode
    run_ripcord recover --yes --json
    assert_exit 0
    assert_json '.outcome == "restored"'
    assert_same table "" "$(sql "SELECT to_regclass('made')")"
    assert_same rows "$digest" "$(table_digest keep)"
    assert_same limit -1 "$(connection_limit)"
    run_ripcord recover --yes --json
    assert_json '.outcome == "unchanged"'
  done
}

@test "guard killed before its command has written: proven to be as it was" {
  kill_command 'touch held && sleep 30'
  recover_to 0 rolled-back
}

@test "guard killed in a hook after its command: what the command wrote is known" {
  digest=$(table_digest keep)
  configure "[hook hold]" "phase = after-upgrade" "shell = yes" "command = touch held; sleep 30"
  kill_command "${writes% && touch*}"
  : >ripcord.ini
  recover_to 0 restored
  assert_same rows "$digest" "$(table_digest keep)"
}

@test "guard killed, and others were there before, meanwhile or afterwards: stuck, with every row" {
  session_open neighbour
  kill_command "$writes"
  session_sql neighbour "INSERT INTO keep (body) VALUES ('theirs')"
  session_close neighbour
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json 'any(.next[]; test("not the command")) and any(.next[]; test("--swap"))'
  assert_same rows 5 "$(sql "SELECT count(*) FROM keep")"
  run_ripcord recover --yes --json --forward
  assert_exit 0
  sql "DROP TABLE made"

  kill_command "$writes"
  sql "INSERT INTO keep (body) VALUES ('theirs')"
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json 'any(.next[]; test("the server counted 2 new sessions"))'
  assert_same rows 7 "$(sql "SELECT count(*) FROM keep")"
}

@test "a fence that the killed run set is taken back" {
  make_revision r1 "" "CREATE TABLE t1 (n int); SELECT pg_sleep(60)"
  sql "ALTER DATABASE app CONNECTION LIMIT 17" postgres
  start upgrade head --yes --json --writes fence
  wait_until 20 sleeping
  [ "$(connection_limit)" -lt 17 ] || fail "there was no fence"
  kill_started
  run_ripcord recover --yes --json
  assert_exit 0
  assert_same limit 17 "$(connection_limit)"
}

@test "a run that goes on is not recovered from under it" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  hold_at before-upgrade
  start upgrade head --yes --json
  wait_until 20 test -e held
  recover_to 8 locked
  rm held
  wait "$started" || fail "the run was disturbed: $(cat started.err)"
  assert_same outcome upgraded "$(jq -r .outcome started.json)"
}

@test "recover without --yes and without a terminal does nothing" {
  run_ripcord recover </dev/null
  assert_exit 2
}
