# ripcord stamp
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
}

versions() { sql "SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version"; }

@test "stamp makes the ledger and asks nothing" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 a1 "SELECT 1"
  run_ripcord stamp head --json
  assert_exit 0
  assert_json '.from == [] and .to == ["b1"]'
  assert_same versions b1 "$(versions)"
  assert_same history stamped "$(sql "SELECT DISTINCT outcome FROM ripcord.history")"
  [ ! -d backups ] || fail "a backup was taken"
  run_ripcord stamp a1
  assert_exit 0
  assert_same versions a1 "$(versions)"
}

@test "stamp base works with no revisions" {
  run_ripcord stamp base
  assert_exit 0
  assert_same versions "" "$(versions)"
}

@test "stamp keeps other branches' rows" {
  make_revision a1 "" "SELECT 1"
  make_revision a2 a1 "SELECT 1"
  make_revision b1 "" "SELECT 1"
  make_revision b2 b1 "SELECT 1"
  run_ripcord stamp heads
  assert_exit 0
  assert_same versions "a2 b2" "$(versions)"
  run_ripcord stamp a1
  assert_exit 0
  assert_same versions "a1 b2" "$(versions)"
}

@test "a head that no file has needs --purge" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 a1 "SELECT 1"
  run_ripcord stamp b1
  rm "$(revision_file b1)"
  run_ripcord stamp a1
  assert_exit 3
  assert_stderr_has "--purge"
  assert_same versions b1 "$(versions)"
  run_ripcord stamp a1 --purge
  assert_exit 0
  assert_same versions a1 "$(versions)"
}

@test "a target that is none, or two heads, stamps nothing" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 "" "SELECT 1"
  run_ripcord stamp nope
  assert_exit 2
  run_ripcord stamp head
  assert_exit 3
  assert_same table "" "$(sql "SELECT to_regclass('alembic_version')")"
}

@test "the version table's name and schema can be set" {
  make_revision a1 "" "SELECT 1"
  sql 'CREATE SCHEMA "my app"'
  run_ripcord stamp a1 -x 'ripcord.version_table=my "versions"' -x 'ripcord.version_table_schema=my app'
  assert_exit 0
  assert_same versions a1 "$(sql 'SELECT version_num FROM "my app"."my ""versions"""')"
}

@test "stamp waits for nobody: while a run holds the lock it is exit 8" {
  make_revision a1 "" "SELECT pg_sleep(20)"
  "$RIPCORD" upgrade head --yes >upgrade.out 2>&1 3>&- &
  run_pid=$!
  sleeping() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()")" != 0 ]; }
  wait_until 20 sleeping
  run_ripcord stamp base
  kill -TERM "$run_pid"
  wait "$run_pid" || true
  assert_exit 8
  assert_same stamps 0 "$(sql "SELECT count(*) FROM ripcord.history WHERE outcome = 'stamped'")"
}
