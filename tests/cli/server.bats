# Servers and databases that cannot be upgraded, and names that are awkward.
load lib/cluster

setup_file() { cluster_start scram; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  make_revision 1 "" "CREATE TABLE t (a int)" "SELECT true" "DROP TABLE t"
}

no_backup() { [ ! -d backups ] || [ -z "$(find backups -type f)" ] || fail "a backup was taken"; }

@test "a wrong password: exit 1, and the password is not shown" {
  DATABASE_URL=$(database_url app postgres n0t-the-one) run_ripcord upgrade head --yes
  assert_exit 1
  assert_stderr_has password
  refute_stderr_has n0t-the-one
  no_backup
}

@test "a missing database: exit 1, and its name" {
  DATABASE_URL=$(database_url no_such_db) run_ripcord upgrade head --yes
  assert_exit 1
  assert_stderr_has no_such_db
  no_backup
}

@test "a role without CREATEDB is refused before anything starts" {
  new_role plain
  sql "ALTER DATABASE app OWNER TO plain" postgres
  DATABASE_URL=$(database_url app plain) run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused"'
  assert_stderr_has CREATEDB
  no_backup
  assert_same table "" "$(sql "SELECT to_regclass('t')")"
}

@test "an owner with CREATEDB is enough" {
  new_role builder CREATEDB
  sql "ALTER DATABASE app OWNER TO builder" postgres
  DATABASE_URL=$(database_url app builder) run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded"'
}

@test "a standby is refused" {
  run_ripcord upgrade head --yes
  assert_exit 0
  standby_start
  make_revision 2 1 "CREATE TABLE u (a int)"
  export CLUSTER_PORT=$STANDBY_PORT
  DATABASE_URL=$(database_url) run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused"'
  assert_stderr_has standby
  DATABASE_URL=$(database_url) run_ripcord current
  assert_exit 0
  assert_stdout_has 1
}

@test "a database that is read-only by its setting is refused" {
  sql "ALTER DATABASE app SET default_transaction_read_only = on" postgres
  run_ripcord upgrade head --yes
  assert_exit 3
  assert_stderr_has read
  no_backup
}

@test "doctor finds nothing wrong, and changes nothing" {
  run_ripcord doctor
  assert_exit 0
  assert_same table "" "$(sql "SELECT to_regclass('alembic_version')")"
  assert_same schema "" "$(sql "SELECT to_regnamespace('ripcord')")"
  no_backup
}

@test "doctor names what is missing" {
  new_role plain
  DATABASE_URL=$(database_url app plain) run_ripcord doctor
  assert_exit 3
  [[ $output$stderr == *CREATEDB* ]] || fail "CREATEDB is not named"
}

# A success, a failure that is rolled back, and one that is restored, all in a database of that name.
whole_story() {
  new_database "$1"
  sql "CREATE TABLE kept (a int); INSERT INTO kept VALUES (1), (2)"
  run_ripcord upgrade head --yes
  assert_exit 0
  make_revision 2 1 "DELETE FROM kept" "SELECT true" "SELECT 1"
  make_revision 3 2 "SELECT 1" "SELECT false" "SELECT 1"
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_same rows 2 "$(sql "SELECT count(*) FROM kept")"
  local quarantine
  quarantine=$(jq -r .quarantine <<<"$output")
  databases | grep -qxF -- "$quarantine" || fail "no database $quarantine"
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'all(.[]; .database == $name)' --arg name "$1"
  run_ripcord quarantine drop "$quarantine" --yes
  assert_exit 0
  ! databases | grep -qxF -- "$quarantine" || fail "$quarantine is still there"
}

@test "a name with quotes" { whole_story "o'brien \"x\""; }

@test "a name with blanks and an equals sign" { whole_story " my app = 1 "; }

@test "a name in unicode" { whole_story "Größe-данные-数据"; }

@test "a name like a path, with a percent sign" { whole_story "../up/%41\\b"; }

@test "a name of 63 bytes, cut at a character" { whole_story "$(printf 'ü%.0s' $(seq 31))x"; }

@test "a name that looks like a connection string" { whole_story "host=nowhere dbname=x"; }
