# ripcord revision, merge, edit: no server is needed
load lib/cluster

setup() { new_project; }

id_of() { sed -n 's/^-- revision: //p' "$1"; }
parents_of() { sed -n 's/^-- revises: //p' "$1"; }

@test "revision follows the head and prints its path" {
  run_ripcord revision -m "add is_billing_contact, at last!"
  assert_exit 0
  first=$output
  [ -f "$first" ] || fail "no file"
  [[ $first == */versions/*_add_is_billing_contact_at_last.sql ]] || fail "name: $first"
  [[ $(id_of "$first") =~ ^[0-9a-f]{12}$ ]] || fail "id"
  run_ripcord revision -m second --json
  assert_exit 0
  assert_json ".down_revisions == [\"$(id_of "$first")\"] and (.path | endswith(\"_second.sql\"))"
  grep -q '^-- message: add is_billing_contact, at last!$' "$first"
}

@test "revision takes an id, a label and a dependency" {
  make_revision a1 "" "SELECT 1"
  run_ripcord revision -m branch --head base --branch-label billing --rev-id b1 --depends-on a1
  assert_exit 0
  grep -q '^-- revision: b1$' "$output"
  grep -q '^-- branch-labels: billing$' "$output"
  grep -q '^-- depends-on: a1$' "$output"
  run_ripcord revision -m more --head billing@head --json
  assert_exit 0
  assert_json '.down_revisions == ["b1"]'
}

@test "two heads need a choice, and a parent that is no head needs --splice" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 a1 "SELECT 1"
  make_revision b2 a1 "SELECT 1"
  run_ripcord revision -m next
  assert_exit 3
  assert_stderr_has "b1, b2"
  assert_stderr_has "--head"
  run_ripcord revision -m next --head a1
  assert_exit 2
  assert_stderr_has "--splice"
  assert_same files 3 "$(ls migrations/versions | wc -l)"
  run_ripcord revision -m next --head a1 --splice --json
  assert_exit 0
  assert_json '.down_revisions == ["a1"]'
}

@test "an id or label that is taken, or none, or no message, writes nothing" {
  make_revision a1 "" "SELECT 1"
  run_ripcord revision -m again --rev-id a1
  assert_exit 2
  run_ripcord revision -m again --branch-label a1
  assert_exit 2
  run_ripcord revision -m again --rev-id 'a@1'
  assert_exit 2
  run_ripcord revision
  assert_exit 2
  assert_stderr_has "message"
  assert_same files 1 "$(ls migrations/versions | wc -l)"
}

@test "the project's template is used" {
  run_ripcord init
  assert_exit 0
  sed -i '1a -- ticket: none' migrations/revision.sql.template
  run_ripcord revision -m templated
  if [ "$status" = 0 ]; then
    grep -q 'ticket: none' "$output"
  else
    # The header takes no other keys: then the file must be named in what is said.
    assert_exit 2
    assert_stderr_has "ticket"
  fi
}

@test "merge joins heads" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 a1 "SELECT 1"
  make_revision b2 a1 "SELECT 1"
  run_ripcord merge -m join b1
  assert_exit 2
  run_ripcord merge -m join b1 b2
  assert_exit 0
  assert_same parents "b1 b2" "$(parents_of "$output" | tr -s ', ' ' ')"
  run_ripcord heads --json
  assert_json 'length == 1 and (.[0].down_revisions | sort) == ["b1", "b2"]'
  run_ripcord revision -m other --head b1 --splice
  assert_exit 0
  run_ripcord merge -m again heads --json
  assert_exit 0
  assert_json '.down_revisions | length == 2'
}

@test "a hook is run for each file that revision and merge write, and one that fails leaves none" {
  make_revision a1 "" "SELECT 1"
  make_revision b1 "" "SELECT 1"
  configure "[hook stamp]" "phase = after-write" "command = sed -i '1i -- a file of ours' REVISION_SCRIPT_FILENAME"
  run_ripcord revision -m plain --head a1 --rev-id a2
  assert_exit 0
  assert_same "first line" "-- a file of ours" "$(head -1 "$output")"
  [[ $output == */versions/*_a2_plain.sql ]] || fail "name: $output"
  run_ripcord merge -m join heads
  assert_exit 0
  grep -q '^-- a file of ours$' "$output"
  assert_same entries 4 "$(find migrations/versions -mindepth 1 | wc -l)"
  configure "[hook none]" "phase = after-write" "command = false" "attempts = 2"
  run_ripcord revision -m plain
  assert_exit 1
  assert_stderr_has "hook none (after-write)"
  run_ripcord revision -m plain -x hook.none.command=no-such-program
  assert_exit 2
  assert_same entries 4 "$(find migrations/versions -mindepth 1 | wc -l)"
}

@test "what a kill leaves while a hook works is read by nobody, and goes with the next" {
  make_revision a1 "" "SELECT 1"
  configure "[hook slow]" "phase = after-write" "shell = yes" "command = touch begun; sleep 60"
  mkdir migrations/versions/ripcord-news migrations/versions/ripcord-new-0123456789abcdeg
  local signal pid
  for signal in TERM KILL; do
    rm -f begun
    "$RIPCORD" revision -m slow >/dev/null 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 20 test -e begun
    kill -"$signal" "$pid"
    wait "$pid" || true
    run_ripcord heads
    assert_same head "a1" "${output%% *}"
    [ "$signal" = KILL ] || assert_same entries 3 "$(find migrations/versions -mindepth 1 | wc -l)"
  done
  assert_same entries 5 "$(find migrations/versions -mindepth 1 | wc -l)"
  run_ripcord revision -m next -x hook.slow.command=true
  assert_exit 0
  assert_same entries 4 "$(find migrations/versions -mindepth 1 | wc -l)"
}

@test "edit opens the editor on the file, and checks what it left" {
  make_revision a1 "" "SELECT 1"
  EDITOR="sed -i s/SELECT/TABLE/" VISUAL='' run_ripcord edit a1
  assert_exit 0
  grep -q 'TABLE 1' "$(revision_file a1)"
  EDITOR=false VISUAL='' run_ripcord edit a1
  assert_exit 1
  EDITOR=/no/such/editor VISUAL='' run_ripcord edit a1
  assert_exit 1
  assert_stderr_has "EDITOR"
  EDITOR="sed -i s/revision:/revisoin:/" VISUAL='' run_ripcord edit a1
  assert_exit 2
  run_ripcord edit nope
  assert_exit 2
}
