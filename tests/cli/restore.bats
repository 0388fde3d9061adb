# Restores by hand, what they leave beside the live database, and what ends it.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id int, body text); INSERT INTO keep VALUES (1, 'one'), (2, 'two')"
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO t1 VALUES (1)" "" "DROP TABLE t1"
}
teardown() {
  sql "DROP DATABASE IF EXISTS copy" postgres
}

fingerprint() { "$RIPCORD" fingerprint; }
oid_of() { sql "SELECT oid FROM pg_database WHERE datname = '${1:-app}'" postgres; }
take_backup() {
  run_ripcord backup --json
  assert_exit 0
  backup=$(jq -r .id <<<"$output")
}

@test "restore --backup leaves a candidate beside the live database, closed to others" {
  take_backup
  digest=$(table_digest keep) oid=$(oid_of)
  sql "INSERT INTO keep VALUES (3, 'later')"
  run_ripcord restore --backup "$backup" --yes --json
  assert_exit 0
  candidate=$(jq -r .database <<<"$output")
  [[ $candidate == app_candidate_* ]] || fail "named $candidate"
  assert_same rows "$digest" "$(table_digest keep "$candidate")"
  assert_same "live" "$oid 3" "$(oid_of) $(sql "SELECT count(*) FROM keep")"
  new_role somebody
  assert_same "others may connect" f "$(sql "SELECT has_database_privilege('somebody', '$candidate', 'CONNECT')" postgres)"
  # Beside it there is room for a second one.
  run_ripcord restore --backup "$backup" --yes --json
  assert_exit 0
  [ "$(jq -r .database <<<"$output")" != "$candidate" ] || fail "the same name twice"
}

@test "restore --as NAME is a database to use, dressed as the one that was backed up" {
  sql "ALTER DATABASE app SET work_mem = '5MB'; COMMENT ON DATABASE app IS 'the app'; ALTER DATABASE app CONNECTION LIMIT 9" postgres
  take_backup
  digest=$(table_digest keep)
  run_ripcord restore --backup "$backup" --as copy --yes --json
  assert_exit 0
  assert_json '.database == "copy"'
  assert_same rows "$digest" "$(table_digest keep copy)"
  assert_same facts "the app|9|{work_mem=5MB}|t" "$(sql "SELECT shobj_description(d.oid, 'pg_database'), datconnlimit, setconfig,
    datallowconn FROM pg_database d JOIN pg_db_role_setting s ON setdatabase = d.oid WHERE datname = 'copy'" postgres)"
  run_ripcord restore --backup "$backup" --as copy --yes --json
  assert_exit 3
  assert_stderr_has '"copy"'
  assert_same rows "$digest" "$(table_digest keep copy)"
}

@test "restore --as the URL's own name, when that database is gone" {
  take_backup
  before=$(fingerprint) digest=$(table_digest keep)
  run_ripcord restore --backup "$backup" --as app --yes
  assert_exit 3
  sql "DROP DATABASE app" postgres
  run_ripcord restore --backup "$backup" --as app --yes --json
  assert_exit 0
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same fingerprint "$before" "$(fingerprint)"
  # It stays where the restore has brought it until somebody says otherwise.
  run_ripcord upgrade head --yes
  assert_exit 3
  assert_stderr_has "--unpin"
  run_ripcord upgrade head --yes --unpin
  assert_exit 0
}

@test "restore --swap wants the loss to be accepted, and keeps it in quarantine" {
  take_backup
  digest=$(table_digest keep) oid=$(oid_of)
  sql "INSERT INTO keep VALUES (3, 'later')"
  all=$(databases)
  run_ripcord restore --backup "$backup" --swap --yes --json
  assert_exit 3
  assert_stderr_has "--accept-loss"
  assert_same "live" "$oid 3" "$(oid_of) $(sql "SELECT count(*) FROM keep")"
  assert_same databases "$all" "$(databases)"

  run_ripcord restore --backup "$backup" --swap --accept-loss --yes --json
  assert_exit 0
  assert_json '.database == "app" and .quarantine'
  quarantine=$(jq -r .quarantine <<<"$output")
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same quarantine "$oid" "$(oid_of "$quarantine")"
  assert_same "live may be used" "t|-1" "$(sql "SELECT datallowconn, datconnlimit FROM pg_database WHERE datname = 'app'" postgres)"
  sql "ALTER DATABASE \"$quarantine\" ALLOW_CONNECTIONS true" postgres
  assert_same "what was lost" 3 "$(sql "SELECT count(*) FROM keep" "$quarantine")"
}

@test "restore --to-revision takes the newest verified backup at it" {
  run_ripcord upgrade head --yes
  assert_exit 0
  take_backup
  older=$backup
  sql "INSERT INTO keep VALUES (3, 'later')"
  take_backup
  digest=$(table_digest keep)
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  of_upgrade=$(jq -r .backup.id <<<"$output")
  run_ripcord restore --to-revision r1 --as copy --yes --json
  assert_exit 0
  # The upgrade's own is the newest of those that stand at r1.
  assert_json ".backup == \"$of_upgrade\""
  assert_same rows "$digest" "$(table_digest keep copy)"
  assert_same head r1 "$(sql "SELECT version_num FROM alembic_version" copy)"
  [ "$older" != "$backup" ] || fail "two backups share an id"
  run_ripcord restore --to-revision r3 --as copy2 --yes
  assert_exit 7
  assert_stderr_has r3
}

@test "restore: what to restore must be said, and be there" {
  run_ripcord restore --yes
  assert_exit 2
  run_ripcord restore --backup x --to-revision r1 --yes
  assert_exit 2
  run_ripcord restore --backup x --as copy --swap --yes
  assert_exit 2
  run_ripcord restore --backup 20200101 --yes
  assert_exit 7
  take_backup
  run_ripcord restore --backup "$backup" </dev/null
  assert_exit 2
  sql "DROP DATABASE app" postgres
  run_ripcord restore --backup "$backup" --swap --accept-loss --yes
  assert_exit 3
  assert_stderr_has "--as"
}

@test "a damaged backup is not restored, and leaves nothing" {
  take_backup
  tar=$(newest_backup)/backup.tar
  size=$(stat -c %s "$tar")
  turn_byte "$tar" $((size / 3))
  run_ripcord restore --backup "$backup" --as copy --yes
  assert_exit 7
  assert_same database "" "$(oid_of copy)"
}

@test "a role that is gone is made again, without login" {
  new_role reader
  sql "GRANT SELECT ON keep TO reader"
  take_backup
  sql "DROP OWNED BY reader; DROP ROLE reader"
  run_ripcord restore --backup "$backup" --as copy --yes
  assert_exit 0
  assert_stderr_has reader
  assert_same role f "$(sql "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'" postgres)"
  assert_same grant t "$(sql "SELECT has_table_privilege('reader', 'keep', 'SELECT')" copy)"
  sql "DROP OWNED BY reader" copy
}

@test "quarantine drop ends what ripcord made, and nothing else" {
  take_backup
  run_ripcord restore --backup "$backup" --swap --accept-loss --yes --json
  assert_exit 0
  quarantine=$(jq -r .quarantine <<<"$output")
  sql "CREATE DATABASE app_quarantine_12345678" postgres # a name is not enough
  run_ripcord quarantine list --json
  assert_json "any(.[]; .database == \"$quarantine\" and .bytes > 0) and all(.[]; .database != \"app_quarantine_12345678\")"
  for name in app postgres app_quarantine_12345678 no-such-database; do
    run_ripcord quarantine drop "$name" --yes
    assert_exit 3
  done
  sql "DROP DATABASE app_quarantine_12345678" postgres
  run_ripcord quarantine drop "$quarantine" </dev/null
  assert_exit 2
  [ -n "$(oid_of "$quarantine")" ] || fail "it is gone unasked"
  run_ripcord quarantine drop "$quarantine" --yes --json
  assert_exit 0
  assert_same quarantine "" "$(oid_of "$quarantine")"
}

@test "the backup of an upgrade is pinned until the upgrade is accepted" {
  run_ripcord upgrade head --yes --json
  assert_exit 0
  run=$(jq -r .run <<<"$output") backup=$(jq -r .backup.id <<<"$output")
  run_ripcord backup list --json
  assert_json ".[] | select(.id == \"$backup\") | .pinned"
  run_ripcord runs --json
  assert_json ".[0].run == \"$run\" and .[0].accepted == false"
  run_ripcord accept "${run: -8}" --json
  assert_exit 0
  run_ripcord backup list --json
  assert_json ".[] | select(.id == \"$backup\") | .pinned | not"
  run_ripcord runs show "${run: -8}" --json
  assert_exit 0
  assert_json ".run == \"$run\" and .accepted and .outcome == \"upgraded\""
  assert_json '.steps | map(.step) | contains(["backup", "read-back", "upgrade", "check"])'
  run_ripcord accept
  assert_exit 3
}

@test "runs show tells how a failed run found its way back" {
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  run=$(jq -r .run <<<"$output")
  run_ripcord runs show "$run" --json
  assert_json '.outcome == "rolled-back" and any(.steps[]; .step == "downgrade" and .outcome == "back")'
  assert_json '.steps | any(.[]; .step == "upgrade" and .outcome == "failed")'
  run_ripcord accept "$run"
  assert_exit 3
  run_ripcord runs show "$run"
  assert_exit 0
  assert_stdout_has "downgrade"
}

# kill_restore K: SIGKILL at its K-th fsync; each is a line of its journal.
kill_restore() {
  ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=fsync -e "inject=fsync:signal=KILL:when=$1" \
    "$RIPCORD" restore --backup "$backup" --swap --accept-loss --yes --json >killed 2>&1 || true
}

@test "a restore --swap that was killed leaves nobody locked out" {
  sql "CREATE TABLE t (n int); INSERT INTO t VALUES (1)"
  sql "ALTER DATABASE app CONNECTION LIMIT 17" postgres
  run_ripcord backup create --json
  assert_exit 0
  backup=$(jq -r .id <<<"$output")
  sql "INSERT INTO t VALUES (2)"
  others=$(databases | grep '^app_candidate' || true)
  for k in 2 3 4 5; do
    kill_restore "$k"
    [ ! -s killed ] || ! jq -e . killed >/dev/null 2>&1 || fail "it was not killed"
    run_ripcord upgrade head --yes --json
    [ "$status" = 8 ] || [ "$k" = 2 ] || fail "exit $status, and nothing said of the killed restore"
    run_ripcord recover --yes --json
    assert_exit 0
    assert_json '.outcome == "unchanged" or .outcome == "restored"'
    assert_same limit 17 "$(sql "SELECT datconnlimit FROM pg_database WHERE datname = 'app'" postgres)"
    assert_same databases "$others" "$(databases | grep '^app_candidate' || true)"
  done
}
