# ripcord runs, accept, fingerprint, quarantine: what people ask after a run
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  make_revision a1 "" "CREATE TABLE t (n int); INSERT INTO t VALUES (1)" "SELECT true" "DROP TABLE t"
}

@test "a run's JSON has the keys that scripts rely on" {
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .from == [] and .to == ["a1"] and .failure == null and .quarantine == null'
  assert_json '.backup.id and .backup.bytes > 0 and .backup.seconds > 0 and (.run | length) == 36'
  assert_json '.revisions == [{revision: "a1", direction: "up", outcome: "done", seconds: .revisions[0].seconds}]'
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
  run_ripcord downgrade base --yes --json
  assert_exit 0
  assert_json '.outcome == "downgraded" and .from == ["a1"] and .to == []'
}

@test "-1 and +1 are targets" {
  run_ripcord upgrade +1 --yes
  assert_exit 0
  run_ripcord --yes downgrade -1
  assert_exit 0
  assert_same table "" "$(sql "SELECT to_regclass('t')")"
}

@test "--plan changes nothing and is the result" {
  run_ripcord upgrade head --plan
  assert_exit 0
  assert_stdout_has "a1"
  [ ! -d backups ] || fail "a backup was taken"
  assert_same table "" "$(sql "SELECT to_regclass('t')")"
  run_ripcord upgrade head --plan --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
}

@test "runs are listed and shown" {
  run_ripcord runs --json
  assert_exit 0
  assert_json '. == []'
  run_ripcord upgrade head --yes --json
  assert_exit 0
  id=$(jq -r .run <<<"$output")
  run_ripcord runs --json
  assert_json "length == 1 and .[0].run == \"$id\" and .[0].outcome == \"upgraded\""
  run_ripcord runs show "$id" --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and (.steps | map(.step) | contains(["backup", "read-back"]))'
  assert_json 'all(.steps[]; has("step") and has("seconds") and has("outcome"))'
  run_ripcord runs show "${id:0:18}"
  assert_exit 0
  assert_stdout_has "read-back"
  run_ripcord runs show nothing-like-it
  [ "$status" != 0 ] || fail "an unknown run was shown"
}

@test "an upgrade's backup is pinned until the upgrade is accepted" {
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned == true'
  run_ripcord accept
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned == false'
}

@test "pin and unpin" {
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  run_ripcord backup pin "$id"
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned == true and .[0].verified == true and .[0].stores == ["local"]'
  run_ripcord backup unpin "$id" --json
  assert_json '.pinned == false'
  run_ripcord backup list --json
  assert_json '.[0].pinned == false'
  run_ripcord backup pin nothing-like-it
  assert_exit 7
}

@test "a candidate is listed and dropped, another database is refused" {
  run_ripcord backup --json
  id=$(jq -r .id <<<"$output")
  run_ripcord restore --backup "$id" --yes --json
  assert_exit 0
  name=$(jq -r .database <<<"$output")
  run_ripcord quarantine list --json
  assert_json "any(.[]; .database == \"$name\" and .bytes > 0)"
  run_ripcord quarantine drop "$DATABASE" --yes
  assert_exit 3
  run_ripcord quarantine drop "$name" --yes
  assert_exit 0
  run_ripcord quarantine list --json
  assert_json "all(.[]; .database != \"$name\")"
}

@test "the fingerprint follows the schema, not the ledger or the rows" {
  run_ripcord fingerprint
  assert_exit 0
  empty=$output
  [[ $empty =~ ^[0-9a-f]{64}$ ]] || fail "no digest"
  run_ripcord stamp a1
  run_ripcord fingerprint --json
  assert_json ".fingerprint == \"$empty\""
  sql "CREATE TABLE other (n int)"
  run_ripcord fingerprint
  [ "$output" != "$empty" ] || fail "a table changed nothing"
  run_ripcord fingerprint --text
  assert_stdout_has "other"
}

@test "recover with nothing unfinished is exit 0, unchanged" {
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
}

@test "repair accepts a changed file, with a reason that is kept" {
  run_ripcord upgrade head --yes
  sed -i 's/VALUES (1)/VALUES (2)/' "$(revision_file a1)"
  run_ripcord check --json
  assert_exit 3
  assert_json 'any(.problems[]; .kind == "changed-file")'
  run_ripcord repair a1
  assert_exit 2
  run_ripcord repair a1 --reason "a comment only"
  assert_exit 0
  assert_same reason "a comment only" "$(sql "SELECT reason FROM ripcord.history WHERE outcome = 'repaired'")"
  run_ripcord check
  assert_exit 0
}

@test "check finds a history row that was changed" {
  run_ripcord upgrade head --yes
  sql "SET session_replication_role = replica; UPDATE ripcord.history SET who = 'somebody else'"
  run_ripcord check --json
  assert_exit 3
  assert_json 'any(.problems[]; .kind == "history")'
}

@test "a downgrade says when it does not lead back to what a run had left there" {
  make_revision r1 "" "CREATE TABLE t1 (a int, b int)" "" "DROP TABLE t1"
  make_revision r2 r1 "ALTER TABLE t1 DROP COLUMN a" "" "ALTER TABLE t1 ADD COLUMN a int"
  make_revision r3 r2 "CREATE TABLE t3 (n int)" "" "DROP TABLE t3"
  run_ripcord upgrade r1 --yes
  run_ripcord upgrade r2 --yes
  run_ripcord upgrade r3 --yes
  assert_exit 0
  run_ripcord downgrade r2 --yes --json
  assert_exit 0
  assert_json '.next == []'
  run_ripcord downgrade r1 --yes --json
  assert_exit 0
  assert_stderr_has "not the one that run"
  assert_json 'any(.next[]; test("fingerprint was"))'
}
