# Every way a guarded run can end: its exit code, its JSON, and what became of the database.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
# A run that a hook keeps busy while `held` is there must not outlive its test.
teardown() { rm -f held; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('one'), ('two'), ('drei')"
}

# Three revisions: two commit, the third fails its verify.  All that they touch is theirs.
three_revisions() {
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO t1 VALUES (1)" "" "DROP TABLE t1"
  make_revision r2 r1 "ALTER TABLE t1 ADD COLUMN m int" "" "ALTER TABLE t1 DROP COLUMN m"
  make_revision r3 r2 "CREATE TABLE t3 (n int)" "SELECT false" "DROP TABLE t3"
}

# The second of two destroys data, the third fails.
destructive_revisions() {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  make_revision r2 r1 "ALTER TABLE keep DROP COLUMN body" "" "ALTER TABLE keep ADD COLUMN body text"
  make_revision r3 r2 "SELECT 1" "SELECT false"
}

# A hook that does what another session would do between the backup and the failure.
foreign_write_hook() {
  configure "[hook stranger]" "phase = ${2:-after-backup}" "command = psql -XAtqc \"$1\""
  PATH=$(pg_bindir):$PATH
}

# fake_dump SCRIPT: a pg_bindir whose pg_dump is the script, $real the real one; the other programs are real.
fake_dump() {
  mkdir bin
  ln -s "$(pg_bindir)"/{pg_restore,pg_dumpall} bin/
  printf '#!/bin/sh\nreal=%s/pg_dump\ncase "$*" in *--version*) exec "$real" "$@" ;; esac\n%s\n' "$(pg_bindir)" "$1" >bin/pg_dump
  chmod +x bin/pg_dump
  configure "[backup]" "pg_bindir = bin"
}

fingerprint() { "$RIPCORD" fingerprint; }
connection_limit() { sql "SELECT datconnlimit FROM pg_database WHERE datname = '$DATABASE'" postgres; }
run_id() { jq -r .run <<<"$output"; }

# ---------------------------------------------------------------- 0

@test "0: upgraded, unchanged, downgraded" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "SELECT true" "DROP TABLE t1"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .from == [] and .to == ["r1"] and .failure == null and .quarantine == null'
  assert_json '.backup.bytes > 0 and (.revisions | map([.revision, .direction, .outcome]) == [["r1", "up", "done"]])'
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged" and .from == ["r1"] and .to == ["r1"] and .backup == null and .revisions == []'
  run_ripcord downgrade -1 --yes --json
  assert_exit 0
  assert_json '.outcome == "downgraded" and .from == ["r1"] and .to == [] and .backup.bytes > 0'
  assert_json '.revisions | map([.revision, .direction, .outcome]) == [["r1", "down", "done"]]'
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

# ---------------------------------------------------------------- 2 and 3

@test "2: without --yes and without a terminal nothing starts" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  run_ripcord upgrade head --json </dev/null
  assert_exit 2
  [ ! -d backups ] || fail "a backup was taken"
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

@test "3: a gate refuses before a backup is taken" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  new_role plain
  sql "ALTER DATABASE app OWNER TO plain" postgres
  DATABASE_URL=$(database_url app plain)
  run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused" and .failure.phase == "gates" and .backup == null and .revisions == []'
  assert_stderr_has CREATEDB
  [ -z "$(find backups -name manifest.json 2>/dev/null)" ] || fail "a backup was taken"
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

@test "3: two heads, and a head that somebody moved" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  make_revision r2 "" "CREATE TABLE t2 (n int)"
  run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused" and .from == []'
  [ ! -d backups ] || fail "a backup was taken"
}

@test "3: a schema that somebody changed while the backup was taken" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  fake_dump "\"\$real\" \"\$@\" || exit; \"$(pg_bindir)/psql\" -Xqc 'CREATE TABLE stranger (n int)' \"$DATABASE_URL\""
  run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused" and .failure.phase == "read-back"'
  assert_stderr_has stranger
  assert_same "tables" "t" "$(sql "SELECT to_regclass('t1') IS NULL AND to_regclass('stranger') IS NOT NULL")"
}

# ---------------------------------------------------------------- 4

@test "4: the first revision fails, which is a rollback" {
  make_revision r1 "" "CREATE TABLE t1 (n int); INSERT INTO keep (body) VALUES ('vier')" "SELECT false"
  before=$(fingerprint) digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .failure.phase == "verify" and .failure.revision == "r1"'
  assert_json '.revisions | map([.revision, .direction, .outcome]) == [["r1", "up", "failed"]]'
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same rows "$digest" "$(table_digest keep)"
  run_ripcord current --json
  assert_json '.heads == []'
}

@test "4: an SQL error carries its state, its file and its line" {
  make_revision r1 "" $'CREATE TABLE t1 (n int);\nSELECT 1/0'
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.sqlstate == "22012" and .failure.line == 8 and (.failure.file | endswith("0001_r1.sql"))'
}

@test "4: two revisions are committed, the third fails, and downgrades lead back" {
  three_revisions
  before=$(fingerprint)
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .from == [] and .quarantine == null'
  assert_json '.failure.phase == "verify" and .failure.revision == "r3"'
  assert_json '.revisions | map([.revision, .direction]) ==
    [["r1", "up"], ["r2", "up"], ["r3", "up"], ["r2", "down"], ["r1", "down"]]'
  assert_json '.revisions | map(.outcome) == ["rolled-back", "rolled-back", "failed", "rolled-back", "rolled-back"]'
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord current --json
  assert_json '.heads == []'
  assert_same limit -1 "$(connection_limit)"
  run_ripcord check
  assert_exit 0
}

@test "4: a run that starts above base comes back to where it started" {
  make_revision r0 "" "CREATE TABLE t0 (n int)" "" "DROP TABLE t0"
  run_ripcord upgrade head --yes
  assert_exit 0
  before=$(fingerprint)
  make_revision r1 r0 "ALTER TABLE t0 ADD COLUMN m int" "" "ALTER TABLE t0 DROP COLUMN m"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .from == ["r0"]'
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord current
  assert_same current "r0" "${output%% *}"
}

@test "transaction = whole: all of the run is one transaction" {
  three_revisions
  configure "[ripcord]" "transaction = whole"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and all(.revisions[]; .direction == "up" and .outcome != "done")'
  assert_same tables 1 "$(sql "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'keep'")"
  assert_same none "" "$(sql "SELECT to_regclass('t1')")"
  sed -i '/ripcord:verify/,/SELECT false/d' "$(revision_file r3)" # its savepoint would show as a second id
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r3"]'
  assert_same transactions 1 "$(sql "SELECT count(DISTINCT xmin::text) FROM ripcord.history WHERE outcome = 'done'")"
}

# ---------------------------------------------------------------- 5

@test "5: dropped data comes back to the last byte, in a database that is as the old one was" {
  destructive_revisions
  new_role reader
  sql "ALTER DATABASE app SET work_mem = '5MB'; ALTER DATABASE app SET search_path = public, pg_catalog;
       ALTER ROLE reader IN DATABASE app SET statement_timeout = '7s';
       REVOKE CONNECT ON DATABASE app FROM PUBLIC; GRANT CONNECT ON DATABASE app TO reader;
       ALTER DATABASE app CONNECTION LIMIT 42; COMMENT ON DATABASE app IS 'it''s the app'" postgres
  facts() {
    sql "SELECT pg_get_userbyid(datdba), datacl, datconnlimit, shobj_description(oid, 'pg_database'), datallowconn,
           (SELECT string_agg(format('%s %s', setrole::regrole, setconfig), ';' ORDER BY setrole) FROM pg_db_role_setting
             WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = 'app'" postgres
  }
  was=$(facts) before=$(fingerprint) digest=$(table_digest keep)
  oid=$(sql "SELECT oid FROM pg_database WHERE datname = 'app'" postgres)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json '.outcome == "restored" and .from == [] and .failure.revision == "r3" and .quarantine'
  # The downgrades went well, but proved nothing: what a dropped column held does not come back.
  assert_json '.revisions | map([.revision, .direction, .outcome]) == [["r1", "up", "restored"], ["r2", "up", "restored"],
    ["r3", "up", "failed"], ["r2", "down", "restored"], ["r1", "down", "restored"]]'
  quarantine=$(jq -r .quarantine <<<"$output")
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same facts "$was" "$(facts)"
  [ "$(sql "SELECT oid FROM pg_database WHERE datname = 'app'" postgres)" != "$oid" ] || fail "nothing was swapped"
  assert_same "quarantine" "$oid f" "$(sql "SELECT oid || CASE WHEN datallowconn THEN ' t' ELSE ' f' END
    FROM pg_database WHERE datname = '$quarantine'" postgres)"
  assert_same told "restored" "$(sql "SELECT outcome FROM ripcord.history WHERE outcome = 'restored'")"
  run_ripcord current --json
  assert_json '.heads == []'
  run_ripcord quarantine list --json
  assert_json "any(.[]; .database == \"$quarantine\" and .run)"
}

@test "5: twice within a minute, each with a quarantine of its own" {
  destructive_revisions
  digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  first=$(jq -r .quarantine <<<"$output")
  run_ripcord upgrade head --yes --json
  assert_exit 5
  [ "$(jq -r .quarantine <<<"$output")" != "$first" ] || fail "one name for two"
  assert_same rows "$digest" "$(table_digest keep)"
}

@test "5: a database name with quotes, spaces and unicode" {
  new_database $'o\'dd "näme" 数'
  sql "CREATE TABLE keep (id int, body text); INSERT INTO keep VALUES (1, 'one')"
  destructive_revisions
  digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json '.outcome == "restored"'
  assert_same rows "$digest" "$(table_digest keep)"
  psql_on postgres -c "DROP DATABASE $(sql_quote_ident "$DATABASE")"
}

@test "5: the owner of the database needs CREATEDB and nothing more" {
  new_role keeper CREATEDB
  sql "ALTER DATABASE app OWNER TO keeper" postgres
  sql "ALTER TABLE keep OWNER TO keeper; ALTER SCHEMA public OWNER TO keeper"
  destructive_revisions
  digest=$(table_digest keep)
  DATABASE_URL=$(database_url app keeper)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same owner keeper "$(sql "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'" postgres)"
}

@test "5: on_failure = restore leaves the downgrades out" {
  three_revisions
  configure "[guard]" "on_failure = restore"
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json 'all(.revisions[]; .direction == "up")'
}

@test "5: a revision without a downgrade is undone by a restore" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  make_revision r2 r1 "SELECT 1" "SELECT false"
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json '.outcome == "restored"'
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

# ---------------------------------------------------------------- 6

@test "6: what others wrote is not lost: nothing is swapped, the table and the count are named" {
  destructive_revisions
  foreign_write_hook "INSERT INTO keep (body) VALUES ('theirs')"
  oid=$(sql "SELECT oid FROM pg_database WHERE datname = 'app'" postgres)
  run_ripcord upgrade head --yes --json
  assert_exit 6
  assert_json '.outcome == "stuck" and .quarantine == null'
  assert_json 'any(.next[]; test("public.keep: 1 inserted")) and any(.next[]; test("--swap --accept-loss"))'
  assert_stderr_has "public.keep: 1 inserted"
  candidate=$(jq -r '.next[] | capture("in database \"(?<name>[^\"]*)\"").name' <<<"$output")
  assert_same "rows beside it" 3 "$(sql "SELECT count(*) FROM keep" "$candidate")"
  assert_same "live" "$oid 4" "$(sql "SELECT oid FROM pg_database WHERE datname = 'app'" postgres) $(sql "SELECT count(*) FROM keep")"
  assert_same limit -1 "$(connection_limit)"
  assert_same head r2 "$(sql "SELECT version_num FROM alembic_version")"

  run=$(run_id)
  run_ripcord upgrade head --yes --json
  assert_exit 8
  assert_json '.outcome == "locked"'
  assert_stderr_has "$run"
  run_ripcord recover --yes --json
  assert_exit 6
  assert_json '.outcome == "stuck"'
  assert_same "live" "$oid 4" "$(sql "SELECT oid FROM pg_database WHERE datname = 'app'" postgres) $(sql "SELECT count(*) FROM keep")"

  run_ripcord recover "$run" --swap --accept-loss --yes --json
  assert_exit 0
  assert_json ".outcome == \"restored\" and .run == \"$run\" and .quarantine"
  assert_same rows 3 "$(sql "SELECT count(*) FROM keep WHERE body IS NOT NULL")"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
}

@test "6: a person goes on from what is there" {
  destructive_revisions
  foreign_write_hook "INSERT INTO keep (body) VALUES ('theirs')"
  run_ripcord upgrade head --yes --json
  assert_exit 6
  run=$(run_id)
  run_ripcord recover "$run" --forward --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r2"]'
  assert_same rows 4 "$(sql "SELECT count(*) FROM keep")"
  : >ripcord.ini
  sed -i 's/SELECT false/SELECT true/' "$(revision_file r3)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.to == ["r3"]'
}

@test "6: a person goes down, and what the downgrade would lose is not lost unasked" {
  three_revisions
  foreign_write_hook "INSERT INTO keep (body) VALUES ('theirs')"
  run_ripcord upgrade head --yes --json
  assert_exit 6
  run=$(run_id)
  assert_same head r2 "$(sql "SELECT version_num FROM alembic_version")"
  run_ripcord recover "$run" --down --yes --json
  assert_exit 6
  assert_stderr_has "public.keep: 1 inserted"
  assert_same rows 4 "$(sql "SELECT count(*) FROM keep")"
}

@test "6: a command of guard that failed, when others wrote meanwhile, is not called undone" {
  foreign_write_hook "INSERT INTO keep (body) VALUES ('theirs')"
  run_ripcord guard --json -- false
  assert_exit 6
  assert_json '.outcome == "stuck" and any(.next[]; test("public.keep: 1 inserted"))'
  assert_same rows 4 "$(sql "SELECT count(*) FROM keep")"
}

@test "writes = accept-loss goes back all the same" {
  destructive_revisions
  foreign_write_hook "INSERT INTO keep (body) VALUES ('theirs')"
  digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json --writes accept-loss
  assert_exit 5
  assert_json '.outcome == "restored" and .quarantine'
  assert_same rows "$digest" "$(table_digest keep)"
  quarantine=$(jq -r .quarantine <<<"$output")
  sql "ALTER DATABASE \"$quarantine\" ALLOW_CONNECTIONS true" postgres
  assert_same "their row is kept" 4 "$(sql "SELECT count(*) FROM keep" "$quarantine")"
}

@test "writes = fence keeps others out until the run ends" {
  destructive_revisions
  new_role writer
  sql "GRANT ALL ON ALL TABLES IN SCHEMA public TO writer; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer"
  # The hook's psql comes as the application does, and may fail: it is not what is tried.
  configure "[hook stranger]" "phase = after-backup" "shell = yes" \
    "command = PGUSER=writer psql -XAtqc \"INSERT INTO keep (body) VALUES ('theirs')\" 2>refused; echo \$? >status"
  PATH=$(pg_bindir):$PATH
  digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json --writes fence
  assert_exit 5
  assert_same "psql's status" 2 "$(cat status)"
  grep -q "too many connections" refused || fail "refused for another reason: $(cat refused)"
  assert_same rows "$digest" "$(table_digest keep)"
  assert_same limit -1 "$(connection_limit)"
}

@test "writes = fence is taken away after a success" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  sql "ALTER DATABASE app CONNECTION LIMIT 17" postgres
  run_ripcord upgrade head --yes --json --writes fence
  assert_exit 0
  assert_same limit 17 "$(connection_limit)"
}

@test "6: with the ladder limited to rollback the last good revision stays" {
  three_revisions
  configure "[guard]" "on_failure ="
  run_ripcord upgrade head --yes --json
  assert_exit 6
  assert_json '.outcome == "stuck" and .quarantine == null and .failure.revision == "r3"'
  assert_json '.revisions | map([.revision, .outcome]) == [["r1", "done"], ["r2", "done"], ["r3", "failed"]]'
  assert_same head r2 "$(sql "SELECT version_num FROM alembic_version")"
  assert_stderr_has "on_failure"
  assert_same candidates 0 "$(sql "SELECT count(*) FROM pg_database WHERE datname ~ '$(run_id | tail -c 9)'" postgres)"
  run_ripcord recover --forward --yes --json
  assert_exit 0
  assert_json '.to == ["r2"]'
}

@test "on_failure empty: a first revision that fails is still rolled back" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "SELECT false"
  configure "[guard]" "on_failure ="
  run_ripcord upgrade head --yes --json
  assert_exit 4
}

# ---------------------------------------------------------------- 7

# Nothing of the run is left in the database, and no backup is listed.
assert_untouched() {
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
  assert_same ledger "" "$(sql "SELECT to_regclass('alembic_version')")"
  assert_same backups "" "$(find backups -name manifest.json 2>/dev/null)"
  assert_same databases "" "$(sql "SELECT datname FROM pg_database WHERE datname ~ '$(run_id | tail -c 9)'" postgres)"
  run_ripcord recover --yes --json
  assert_json '.outcome == "unchanged"'
}

@test "7: pg_dump ends with 1 half way" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  fake_dump '"$real" "$@" | head -c 700; echo "pg_dump: error: half way" >&2; exit 1'
  run_ripcord upgrade head --yes --json
  assert_exit 7
  assert_json '.outcome == "failed" and .failure.phase == "backup" and .backup == null and .revisions == []'
  assert_stderr_has "half way"
  assert_untouched
}

@test "7: pg_dump ends well, but what it wrote is cut off" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  fake_dump '"$real" "$@" | head -c 1500; exit 0'
  run_ripcord upgrade head --yes --json
  assert_exit 7
  assert_json '.outcome == "failed" and .revisions == []'
  assert_untouched
}

@test "7: a signal while pg_dump works: the scratch database, made meanwhile, goes too" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  fake_dump 'touch held; while [ -e held ]; do sleep 0.05; done; exec "$real" "$@"'
  "$RIPCORD" upgrade head --yes --json >out 2>err 3>&- &
  pid=$!
  scratch_is_there() { databases | grep -q _scratch_; }
  wait_until 20 test -e held
  wait_until 20 scratch_is_there
  kill -TERM "$pid"
  status=0 && wait "$pid" || status=$?
  assert_exit 1
  output=$(<out)
  assert_json '.outcome == "failed" and .backup == null and .revisions == []'
  assert_untouched
}

@test "7: a backup that parses and does not restore" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  sql "CREATE TABLE missing_later (n int);
       CREATE FUNCTION enough(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) >= 0 FROM missing_later); END';
       CREATE TABLE checked (n int CHECK (enough(n)));
       INSERT INTO checked VALUES (1)"
  run_ripcord upgrade head --yes --json -x backup.verify=drill
  assert_exit 7
  assert_json '.outcome == "failed" and .failure.phase == "read-back"'
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
  assert_same databases "" "$(sql "SELECT datname FROM pg_database WHERE datname ~ '$(run_id | tail -c 9)'" postgres)"
}

# 20,000 rows that do not compress: some two megabytes of backup.
make_big() { sql "CREATE TABLE big AS SELECT encode(sha256(g::text::bytea), 'hex') AS h FROM generate_series(1, 100000) g"; }
assert_no_backup() {
  assert_json '.revisions == [] and .backup == null'
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
  assert_same files "" "$(find "$1" -type f ! -name fill)"
  run_ripcord backup list --json -x "store.local.path=$1"
  assert_json '. == []'
}

@test "7: the backup's disk fills while it is written" {
  [ "$(id -u)" = 0 ] || skip "mounting a small disk needs root; the next test does without"
  mkdir disk
  mount -t tmpfs -o size=60M none disk 2>/dev/null || skip "no mount in here; the next test does without"
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  make_big
  configure "[hook fill]" "phase = before-backup" "shell = yes" "command = dd if=/dev/zero of=disk/fill bs=1M count=58 2>/dev/null"
  run_ripcord upgrade head --yes --json -x store.local.path=disk/store
  full=$status
  rm disk/fill
  [ "$full" = 7 ] || { umount disk; fail "exit $full"; }
  assert_stderr_has "No space left on device"
  assert_no_backup disk/store
  umount disk
}

@test "7: a file of the backup grows past its limit" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  make_big
  run --separate-stderr sh -c 'ulimit -f 1024; exec "$@"' - "$RIPCORD" upgrade head --yes --json
  assert_exit 7
  assert_stderr_has "File too large"
  assert_no_backup backups
}

@test "7: the store's folder cannot be written to" {
  [ "$(id -u)" = 0 ] || skip "another user than the tests' is needed"
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  program=$CLUSTER_DIR/ripcord
  cp "$RIPCORD" "$program" && chmod 755 "$program"
  project=$(server_folder)
  cp -r migrations "$project" && chmod -R a+rX "$project"
  mkdir "$project/state" "$project/backups"
  chmod 777 "$project/state" && chmod 555 "$project/backups"
  cd "$project"
  run --separate-stderr as_server env HOME="$project/state" "$program" -x ripcord.state_dir=state upgrade head --yes --json
  assert_json '.revisions == [] and .backup == null'
  assert_exit 7
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

# ---------------------------------------------------------------- 8

@test "8: another run holds the lock; --wait waits" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  configure "[hook slow]" "phase = before-upgrade" "shell = yes" "command = touch held; while [ -e held ]; do sleep 0.1; done"
  "$RIPCORD" upgrade head --yes --json >first.json 2>first.err 3>&- &
  first=$!
  wait_until 20 test -e held
  run_ripcord upgrade head --yes --json
  assert_exit 8
  assert_json '.outcome == "locked" and .backup == null'
  assert_stderr_has "ripcord/"
  assert_stderr_has ":$first"
  "$RIPCORD" upgrade head --yes --json --wait >second.json 2>second.err 3>&- &
  second=$!
  wait_until 20 grep -q "waiting for the lock" second.err
  rm held
  wait $first || fail "the first failed: $(cat first.err)"
  status=0
  wait $second || status=$?
  assert_same first upgraded "$(jq -r .outcome first.json)"
  assert_same second "0 unchanged" "$status $(jq -r .outcome second.json)"
}

@test "8: databases do not hold each other up" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  configure "[hook slow]" "phase = before-upgrade" "shell = yes" \
    "command = [ \$PGDATABASE != app ] || { touch held; while [ -e held ]; do sleep 0.1; done; }"
  "$RIPCORD" upgrade head --yes --json >first.json 2>first.err 3>&- &
  first=$!
  wait_until 20 test -e held
  new_database other
  run_ripcord upgrade head --yes --json
  rm held
  wait $first
  assert_exit 0
}

# ---------------------------------------------------------------- downgrade by hand

@test "a downgrade by hand takes a backup of its own, and its failing section is rolled back" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1; SELECT 1/0"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  first=$(jq -r .backup.id <<<"$output")
  before=$(fingerprint)
  run_ripcord downgrade -1 --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .from == ["r1"] and .failure.sqlstate == "22012"'
  [ "$(jq -r .backup.id <<<"$output")" != "$first" ] || fail "no backup of its own"
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord current --json
  assert_json '.heads == ["r1"]'
}

@test "a downgrade of two that fails half way is restored" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "SELECT 1/0"
  make_revision r2 r1 "CREATE TABLE t2 (n int); INSERT INTO t2 VALUES (7)" "" "DROP TABLE t2"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  digest=$(table_digest t2) before=$(fingerprint)
  run_ripcord downgrade base --yes --json
  assert_exit 5
  assert_json '.outcome == "restored" and .from == ["r2"] and .quarantine'
  assert_same rows "$digest" "$(table_digest t2)"
  assert_same fingerprint "$before" "$(fingerprint)"
  run_ripcord current --json
  assert_json '.heads == ["r2"]'
}

@test "3: going down through a revision that cannot" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord downgrade base --yes --json
  assert_exit 3
  assert_json '.outcome == "refused" and .backup == null'
}

# ---------------------------------------------------------------- without a backup

@test "--no-backup needs a reason, which is kept; what it cannot take back is exit 6" {
  three_revisions
  run_ripcord upgrade head --yes --no-backup
  assert_exit 2
  run_ripcord upgrade r2 --yes --json --no-backup --reason "a toy"
  assert_exit 0
  assert_json '.outcome == "upgraded" and .backup == null'
  grep -q "a toy" .ripcord/runs/*.jsonl || fail "the reason is not kept"
}
