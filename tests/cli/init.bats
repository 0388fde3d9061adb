# ripcord init
load lib/cluster

setup() { new_project; }

@test "init makes a project that works" {
  run_ripcord init app
  assert_exit 0
  assert_stdout_has "created app/ripcord.ini"
  [ -d app/migrations/versions ] || fail "no versions"
  grep -q '^/.ripcord/$' app/.gitignore
  grep -q '^/backups/$' app/.gitignore
  grep -q '^DATABASE_URL=' app/.env.example
  cd app || return 1
  DATABASE_URL=postgresql://x@localhost/x run_ripcord heads
  assert_exit 0
  DATABASE_URL=postgresql://x@localhost/x run_ripcord revision -m "first"
  assert_exit 0
}

@test "init never overwrites" {
  echo mine >ripcord.ini
  echo mine >.gitignore
  run_ripcord init --json
  assert_exit 0
  assert_json '(.kept | length == 2) and (.created | length == 2)'
  assert_same ripcord.ini mine "$(cat ripcord.ini)"
  assert_same .gitignore mine "$(cat .gitignore)"
  run_ripcord init --json
  assert_exit 0
  assert_json '(.kept | length == 4) and (.created | length == 0)'
}

@test "init into a place that is no folder is exit 1" {
  echo >file
  run_ripcord init file/app
  assert_exit 1
  assert_stderr_has "file"
}
