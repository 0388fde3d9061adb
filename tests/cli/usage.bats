# The command line itself: words, options, what goes where.
load lib/cluster

setup() { new_project; }

@test "no command at all is exit 2 with the overview on standard error" {
  run_ripcord
  assert_exit 2
  assert_same stdout "" "$output"
  assert_stderr_has "usage: ripcord COMMAND"
}

@test "help and version are results" {
  run_ripcord --help
  assert_exit 0
  assert_stdout_has "upgrade "
  run_ripcord --version
  assert_exit 0
  [[ $output =~ ^ripcord\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "no version"
  run_ripcord upgrade --help
  assert_exit 0
  assert_stdout_has "--no-backup"
  run_ripcord backup --help
  assert_exit 0
  assert_stdout_has "backup verify"
  # The manual's marks are not shown, at a path either.
  run_ripcord revision --help
  assert_stdout_has "below migrations/versions "
}

@test "an unknown command gets a suggestion, an unknown verb what there is" {
  run_ripcord upgrad head
  assert_exit 2
  assert_stderr_has "did you mean upgrade?"
  run_ripcord backup dril x
  assert_exit 2
  assert_stderr_has "create, list, show, verify, drill, pin, unpin"
}

@test "an unknown option gets a suggestion, wrong arguments the usage" {
  run_ripcord history --indicate-curent
  assert_exit 2
  assert_stderr_has "--indicate-current"
  run_ripcord show
  assert_exit 2
  assert_stderr_has "usage: ripcord show REV"
  run_ripcord heads one two
  assert_exit 2
  run_ripcord heads -- ls
  assert_exit 2
  run_ripcord guard
  assert_exit 2
  assert_stderr_has "COMMAND"
}

@test "options stand before or after the command" {
  make_revision a1 "" "SELECT 1"
  run_ripcord --json heads
  assert_exit 0
  assert_json '.[0].revision == "a1"'
  run_ripcord -x ripcord.migrations=migrations --json heads
  assert_exit 0
  assert_json '.[0].revision == "a1"'
  run_ripcord heads --json -x ripcord.migrations=migrations
  assert_exit 0
  assert_json '.[0].revision == "a1"'
  run_ripcord -r a1: history
  assert_exit 0
  assert_stdout_has "a1"
}

@test "exit 2 prints nothing on standard output, with --json too" {
  run_ripcord heads --json -x no.such=key
  assert_exit 2
  assert_same stdout "" "$output"
  run_ripcord upgrade head --no-backup --json
  assert_exit 2
  assert_same stdout "" "$output"
  assert_stderr_has "--reason"
}

@test "a command that needs a database says so" {
  run_ripcord current
  assert_exit 2
  assert_stderr_has "DATABASE_URL"
}

@test "an unreachable server is exit 1, and an object with --json" {
  export DATABASE_URL=postgresql://nobody@127.0.0.1:1/app
  run_ripcord current
  assert_exit 1
  assert_same stdout "" "$output"
  run_ripcord current --json
  assert_exit 1
  assert_json '.error.message | length > 0'
}

@test "standard output that cannot be written is a failure" {
  make_revision a1 "" "SELECT 1"
  run --separate-stderr bash -c "'$RIPCORD' heads >/dev/full"
  assert_exit 1
  assert_stderr_has "standard output"
}

@test "a range without --sql, a mode that is none, a reason without --no-backup" {
  export DATABASE_URL=postgresql://nobody@127.0.0.1:1/app
  run_ripcord upgrade a:b
  assert_exit 2
  assert_stderr_has "--sql"
  run_ripcord upgrade head --writes never
  assert_exit 2
  assert_stderr_has "detect, fence, accept-loss"
  run_ripcord upgrade head --reason because
  assert_exit 2
  run_ripcord recover --forward --down --yes
  assert_exit 2
  run_ripcord recover --accept-loss --yes
  assert_exit 2
}

@test "what changes a database asks, and without a terminal wants --yes" {
  export DATABASE_URL=postgresql://nobody@127.0.0.1:1/app
  run_ripcord recover
  assert_exit 2
  assert_stderr_has "--yes"
  run_ripcord restore --backup x
  assert_exit 2
  assert_stderr_has "--yes"
  run_ripcord quarantine drop x
  assert_exit 2
  assert_stderr_has "--yes"
}

@test "restore wants one backup and one place" {
  export DATABASE_URL=postgresql://nobody@127.0.0.1:1/app
  run_ripcord restore --yes
  assert_exit 2
  run_ripcord restore --backup a --to-revision b --yes
  assert_exit 2
  run_ripcord restore --backup a --as x --swap --yes
  assert_exit 2
}
