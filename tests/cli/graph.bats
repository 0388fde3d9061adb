# ripcord current, history, heads, branches, show, check
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
}

# a1 - b1 - c1 (merge of b1, b2); a1 - b2
diamond() {
  make_revision a1 "" "CREATE TABLE t (a int)" "" "DROP TABLE t"
  make_revision b1 a1 "SELECT 1" "" "SELECT 1"
  make_revision b2 a1 "SELECT 1" "" "SELECT 1"
  make_revision c1 "b1 b2" "SELECT 1" "" "SELECT 1"
}

@test "current prints as Alembic does" {
  diamond
  run_ripcord current
  assert_exit 0
  assert_same stdout "" "$output"
  run_ripcord stamp b1
  assert_exit 0
  run_ripcord current
  assert_same stdout "b1" "$output"
  run_ripcord current --json
  assert_json '.heads == ["b1"] and .at_head == false'
  run_ripcord stamp c1
  run_ripcord current
  assert_same stdout "c1 (head) (mergepoint)" "$output"
  run_ripcord current --json
  assert_json '.heads == ["c1"] and .at_head == true'
}

@test "current --check-heads is exit 3 below the head, and prints all the same" {
  diamond
  run_ripcord stamp a1
  run_ripcord current --check-heads
  assert_exit 3
  assert_stdout_has "a1"
  run_ripcord current --check-heads --json
  assert_exit 3
  assert_json '.at_head == false'
  run_ripcord stamp heads
  run_ripcord current --check-heads
  assert_exit 0
}

@test "current names a head that no file has" {
  diamond
  run_ripcord stamp c1
  rm "$(revision_file c1)"
  run_ripcord current
  assert_exit 0
  assert_stdout_has "c1"
  run_ripcord current --check-heads
  assert_exit 3
}

@test "history lists newest first, with ranges and the current revision" {
  diamond
  run_ripcord stamp b1
  run_ripcord history
  assert_exit 0
  assert_same lines 4 "${#lines[@]}"
  assert_same newest "b1, b2 -> c1 (head) (mergepoint), revision c1" "${lines[0]}"
  assert_same oldest "<base> -> a1 (branchpoint), revision a1" "${lines[3]}"
  run_ripcord history -i
  assert_stdout_has "a1 -> b1 (current), revision b1"
  run_ripcord history -r b1:c1 --json
  assert_json 'map(.revision) | index("c1") == 0 and index("b1") != null and index("a1") == null'
  run_ripcord history --json
  assert_json 'map({(.revision): .applied}) | add == {"a1": true, "b1": true, "b2": false, "c1": false}'
  assert_json 'map(select(.head)) | length == 1 and .[0].revision == "c1" and .[0].down_revisions == ["b1", "b2"]'
  run_ripcord history -r current: --json
  assert_exit 0
  assert_json 'map(.revision) | index("c1") == 0 and index("a1") == null'
}

@test "history needs no database" {
  diamond
  unset DATABASE_URL
  run_ripcord history
  assert_exit 0
  assert_same lines 4 "${#lines[@]}"
  run_ripcord history --json
  assert_exit 0
  assert_json 'all(.[]; .applied == null)'
  run_ripcord history -i
  assert_exit 2
}

@test "heads and branches" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 a1 "SELECT 1"
  make_revision b2 a1 "SELECT 1"
  run_ripcord heads
  assert_exit 0
  assert_same heads "b1 (head) b2 (head)" "${lines[*]}"
  run_ripcord branches
  assert_exit 0
  assert_same branches "a1 (branchpoint)   -> b1 (head)   -> b2 (head)" "$(printf %s "${lines[@]}")"
  run_ripcord branches --json
  assert_json '.[0].revision == "a1" and .[0].children == ["b1", "b2"]'
}

@test "show prints the file's sections" {
  make_revision a1 "" "CREATE TABLE t (a int)" "SELECT true" "DROP TABLE t"
  run_ripcord show a1
  assert_exit 0
  assert_stdout_has "Rev: a1 (head)"
  assert_stdout_has "CREATE TABLE t (a int);"
  assert_stdout_has "DROP TABLE t;"
  run_ripcord show head --json
  assert_json '.revision == "a1" and (.downgrade.text | contains("DROP TABLE")) and .upgrade.transaction'
  run_ripcord show nope
  assert_exit 2
  assert_stderr_has "nope"
}

@test "check finds nothing in what is sound" {
  diamond
  run_ripcord stamp heads
  run_ripcord check
  assert_exit 0
  run_ripcord check --json
  assert_exit 0
  assert_json '.ok == true and .problems == []'
}

@test "check finds several heads, transaction control, a broken graph" {
  make_revision a1 "" "SELECT 1; COMMIT; SELECT 2"
  make_revision b1 a1 "SELECT 1"
  make_revision b2 a1 "SELECT 1"
  run_ripcord check --json
  assert_exit 3
  assert_json '.ok == false and (.problems | map(.kind) | sort) == ["heads", "revision"]'
  assert_json '.problems[] | select(.kind == "revision") | .revision == "a1" and .line > 0'
  make_revision c1 nowhere "SELECT 1"
  run_ripcord check --json
  assert_exit 3
  assert_json '.problems[0].kind == "graph" and (.problems[0].message | contains("nowhere"))'
}

@test "check finds a head that no file has" {
  diamond
  run_ripcord stamp c1
  rm "$(revision_file c1)"
  run_ripcord check --json
  assert_exit 3
  assert_json 'any(.problems[]; .kind == "unknown-head" and .revision == "c1")'
}
