# A journal that cannot be written: before the first change nothing happens, after it nothing is called what it is not.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('one'), ('two')"
  trap '' XFSZ # a limit on a file's size fails as a full disk does, in the middle of a write
}
teardown() { trap - XFSZ; }

# fill_at PHASE BYTES: from this hook on the journal has room for so many bytes.
fill_at() {
  configure "[hook fill]" "phase = $1" "shell = yes" \
    "command = prlimit --pid \$PPID --fsize=\$((\$(stat -c %s .ripcord/runs/*.jsonl) + $2))"
}

@test "no room for the journal's first line: exit 1, and nothing was done" {
  make_revision r1 "" "UPDATE keep SET body = 'changed'"
  before=$(table_digest keep)
  run --separate-stderr prlimit --fsize=50 "$RIPCORD" upgrade head --yes --json
  assert_exit 1
  assert_json '.outcome == "failed"'
  assert_same rows "$before" "$(table_digest keep)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
}

@test "no room for the line after a COMMIT: what is committed is not called rolled back" {
  make_revision r1 "" "UPDATE keep SET body = 'changed'" "" "SELECT 1"
  before=$(table_digest keep)
  fill_at before-revision 200
  run_ripcord upgrade head --yes --json
  assert_stderr_has "cannot write"
  case $status in
    0) assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")" ;;
    4 | 5) assert_same rows "$before" "$(table_digest keep)" ;;
    6) assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")" ;;
    *) fail "exit $status" ;;
  esac
  rm ripcord.ini
  # What it ended as could not be written either: the next run does not pass it over.
  run_ripcord upgrade head --yes --json
  assert_exit 8
  run_ripcord recover --yes --json
  assert_exit 0
  [ "$(sql "SELECT count(*) FROM alembic_version")" = 1 ] || assert_same rows "$before" "$(table_digest keep)"
}
