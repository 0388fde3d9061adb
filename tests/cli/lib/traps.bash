# traps.bash - runs whose upgrade fails, and what others do meanwhile: for the traps_*.bats.
#
# `kept` is what was there before.  destroy_then_fail makes a revision that destroys rows and commits, and one that
# fails, so that only a restore leads back (exit 5), unless others wrote (exit 6).

# kept_tables: a table with three rows, an empty one for others, and what to compare them with afterwards.
kept_tables() {
  sql "CREATE TABLE kept (id serial PRIMARY KEY, body text); INSERT INTO kept (body) VALUES ('a'), ('b'), ('c');
       CREATE TABLE theirs (n int PRIMARY KEY, body text); INSERT INTO theirs SELECT n, 'old' FROM generate_series(1, 5) n;
       CREATE SEQUENCE free_seq; SELECT setval('free_seq', 10)" >/dev/null
  kept_before=$(table_digest kept)
}

# destroy_then_fail [UPGRADE [DOWNGRADE]]: a downgrade that is no way back is the default.
destroy_then_fail() {
  make_revision r1 "" "${1:-DELETE FROM kept}" "" "${2:-SELECT 1}"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
}

# hook NAME PHASE LINE...: a shell script in the project, run at that phase.
hook() {
  printf '%s\n' "set -eu" "PATH=$(pg_bindir):\$PATH" "${@:3}" >"$1.sh"
  configure "[hook $1]" "phase = $2" "command = sh $1.sh" "timeout = 60s"
}

# others PHASE SQL [NAME]: another session does this at that phase.
others() {
  printf '%s\n' "$2" >"${3:-others}.sql"
  hook "${3:-others}" "$1" "psql -XAtq -v ON_ERROR_STOP=1 -f ${3:-others}.sql >/dev/null"
}

# others_at REVISION SQL: just before that revision.
others_at() {
  printf '%s\n' "$2" >others.sql
  hook others before-revision "[ \"\$RIPCORD_REVISION\" = $1 ] || exit 0" \
    "psql -XAtq -v ON_ERROR_STOP=1 -f others.sql >/dev/null"
}

fail_the_upgrade() { run_ripcord upgrade head --yes --json "$@"; }

assert_restored() {
  assert_exit 5
  assert_json '.outcome == "restored" and (.quarantine | length) > 0'
  assert_same "kept" "$kept_before" "$(table_digest kept)"
}

# assert_stuck TEXT: and stderr says why.
assert_stuck() {
  assert_exit 6
  assert_json '.outcome == "stuck" and .quarantine == null'
  assert_stderr_has "$1"
}

assert_rolled_back() {
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .quarantine == null'
  assert_same "kept" "$kept_before" "$(table_digest kept)"
}

no_backup() { [ ! -d backups ] || [ -z "$(find backups -name manifest.json)" ] || fail "a backup was taken"; }

connection_limit() { sql "SELECT datconnlimit FROM pg_database WHERE datname = '${1:-$DATABASE}'" postgres; }
