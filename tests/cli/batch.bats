# ripcord:batch: one statement, a transaction each, until it changes no row.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE item (id int PRIMARY KEY, price int);
       INSERT INTO item SELECT g, g FROM generate_series(1, 1000) g"
}

start() {
  "$RIPCORD" "$@" >started.json 2>started.err 3>&- 4>&- &
  started=$!
}
in_batches() { sql "SELECT count(*) BETWEEN ${1:-1} AND 999 FROM item WHERE cents IS NOT NULL" 2>/dev/null | grep -qx t; }

# make_batch ID PARENT OPTIONS [STATEMENT]: adds the column cents, and fills it a hundred rows at a time.
make_batch() {
  make_revision "$1" "$2" "ALTER TABLE item ADD COLUMN cents int"
  {
    printf -- '\n-- ripcord:batch %s\n' "$3"
    terminated "${4:-UPDATE item SET cents = price * 100 WHERE id IN (SELECT id FROM item WHERE cents IS NULL ORDER BY id LIMIT 100)}"
    printf -- '\n-- ripcord:verify\nSELECT count(*) = 0 FROM item WHERE cents IS NULL;\n'
    printf -- '\n-- ripcord:downgrade\nALTER TABLE item DROP COLUMN cents;\n'
  } >>"$(revision_file "$1")"
}

@test "rows are filled in batches, each committed with its evidence, and verified" {
  make_batch r1 "" "pause=0"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded"'
  assert_same rows 1000 "$(sql "SELECT count(*) FROM item WHERE cents = price * 100")"
  assert_stderr_has "1000 rows in 10 batches"
  assert_same transactions 10 "$(sql "SELECT count(DISTINCT xmin::text) FROM item")"
  assert_same "progress lines" 0 "$(sql "SELECT count(*) FROM ripcord.run, jsonb_array_elements(journal) l WHERE l->>'event' = 'progress'")"
  run_ripcord show r1
  assert_stdout_has "repeated until it changes no row"
  run_ripcord show r1 --json
  assert_json '.batch.text | test("UPDATE item")'
  run_ripcord check
  assert_exit 0
  sed -i 's/LIMIT 100/LIMIT 200/' "$(revision_file r1)"
  run_ripcord check
  assert_exit 3
}

@test "killed between batches: goes on where it was, and is whole" {
  make_batch r1 "" "pause=300ms"
  start upgrade head --yes --json
  wait_until 30 in_batches 200
  kill -KILL "$started"
  wait "$started" || true
  sql "SELECT count(*) < 1000 FROM item WHERE cents IS NOT NULL" | grep -qx t
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r1"]'
  assert_same rows 1000 "$(sql "SELECT count(*) FROM item WHERE cents = price * 100")"
  run_ripcord current --json
  assert_json '.heads == ["r1"]'
}

@test "a failing batch: what the others wrote is known, and the backup comes back" {
  make_batch r1 "" "pause=0" "UPDATE item SET cents = 100 / (555 - id) WHERE id IN (SELECT id FROM item WHERE cents IS NULL ORDER BY id LIMIT 100)"
  before=$("$RIPCORD" fingerprint)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json '.outcome == "restored" and .failure.sqlstate == "22012" and .failure.line != null'
  assert_same fingerprint "$before" "$("$RIPCORD" fingerprint)"
}

@test "a batch that comes to no end is stopped" {
  make_batch r1 "" "pause=0" "UPDATE item SET cents = 1 WHERE id <= 500"
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_stderr_has "comes to no end"
}

@test "a signal ends it between two batches" {
  make_batch r1 "" "pause=20s"
  start upgrade head --yes --json
  wait_until 30 in_batches
  kill -TERM "$started"
  status=0
  wait "$started" || status=$?
  assert_same exit 5 "$status"
  assert_same column "" "$(sql "SELECT attname FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'cents'")"
}

@test "what is no batch is refused before anything is done" {
  for statement in "SELECT 1" "CREATE INDEX i ON item (price)" "UPDATE item SET cents = 1; UPDATE item SET cents = 2" "BEGIN"; do
    new_project
    make_batch r1 "" "" "$statement"
    run_ripcord upgrade head --yes --json
    assert_exit 2
    assert_stderr_has "0001_r1.sql"
  done
  new_project
  make_batch r1 "" "max_lag=10"
  run_ripcord check
  assert_exit 3
  assert_stdout_has "max_lag is a duration such as 10s, or a size"
}

@test "--sql is what psql can run" {
  make_batch r1 "" "pause=1ms max_lag=1MiB"
  run_ripcord upgrade head --sql
  assert_exit 0
  psql_on "$DATABASE" <<<"$output"
  assert_same rows 1000 "$(sql "SELECT count(*) FROM item WHERE cents = price * 100")"
  assert_same head r1 "$(sql "SELECT version_num FROM alembic_version")"
}

@test "a standby that is behind holds it up" {
  standby_start
  make_batch r1 "" "pause=0 max_lag=1B"
  standby_sql() { "$(pg_bindir)/psql" -XAtq -h "$STANDBY_DIR" -p "$STANDBY_PORT" -U postgres -d postgres -c "$1"; }
  wait_until 20 test 1 = "$(sql "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")"
  standby_sql "SELECT pg_wal_replay_pause()"
  start upgrade head --yes --json
  wait_until 60 in_batches
  sleep 2
  assert_same "held after the first batch" 100 "$(sql "SELECT count(*) FROM item WHERE cents IS NOT NULL")"
  standby_sql "SELECT pg_wal_replay_resume()"
  status=0
  wait "$started" || status=$?
  assert_same exit 0 "$status"
  assert_same rows 1000 "$(sql "SELECT count(*) FROM item WHERE cents = price * 100")"
}
