# upgrade --sql and downgrade --sql
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  make_revision a1 "" "CREATE TABLE a (n int)" "" "DROP TABLE a"
  make_revision b1 a1 "CREATE TABLE b (n int)" "" "DROP TABLE b"
}

@test "a range needs no database" {
  unset DATABASE_URL
  run_ripcord upgrade a1:b1 --sql
  assert_exit 0
  assert_stdout_has "CREATE TABLE b"
  [[ $output != *"CREATE TABLE a"* ]] || fail "a1 is below the range"
  run_ripcord upgrade head --sql
  assert_exit 2
  assert_stderr_has "FROM:TO"
}

@test "the script does what an upgrade does, the version table included" {
  new_database
  run_ripcord upgrade base:head --sql
  assert_exit 0
  psql_on "$DATABASE" -f - <<<"$output"
  assert_same version b1 "$(sql "SELECT version_num FROM alembic_version")"
  run_ripcord current
  assert_same current "b1 (head)" "$output"
  run_ripcord downgrade b1:a1 --sql
  assert_exit 0
  psql_on "$DATABASE" -f - <<<"$output"
  assert_same version a1 "$(sql "SELECT version_num FROM alembic_version")"
  assert_same table "" "$(sql "SELECT to_regclass('b')")"
}

@test "without a range the database says where it is" {
  new_database
  run_ripcord stamp a1
  run_ripcord upgrade head --sql
  assert_exit 0
  [[ $output == *"CREATE TABLE b"* && $output != *"CREATE TABLE a"* ]] || fail "wrong steps"
}
