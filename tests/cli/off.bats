# transaction=off: what each statement did is known, after a failure and after a kill, and the section goes on behind it.
load lib/cluster
load lib/kill

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text);
       INSERT INTO keep (body) SELECT 'row ' || g FROM generate_series(1, 500) g;
       CREATE TABLE part (n int) PARTITION BY RANGE (n);
       CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);
       CREATE TYPE mood AS ENUM ('sad')"
}

fingerprint() { "$RIPCORD" fingerprint; }
invalid_indexes() { sql "SELECT count(*) FROM pg_index WHERE NOT indisvalid"; }
journal_of() { cat .ripcord/runs/*.jsonl; }

# The run's statement that matches waits for somebody.
waiting() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query ~ '$1' AND pid <> pg_backend_pid()
  AND application_name ~ '^ripcord/' AND wait_event_type IN ('Lock', 'Timeout')" postgres)" -ge 1 ]; }

off() { UPGRADE_OPTIONS=transaction=off make_revision "$@"; }

@test "every kind that wants no transaction block runs, and is in the journal before and after" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body);
    REINDEX INDEX CONCURRENTLY keep_body;
    REINDEX TABLE keep;
    ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY;
    ALTER TYPE mood ADD VALUE 'glad';
    CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('glad');
    VACUUM (ANALYZE) keep;
    DO \$\$ BEGIN UPDATE keep SET body = body || '!' WHERE id = 1; COMMIT; END \$\$;
    DROP INDEX CONCURRENTLY keep_body;
    CREATE DATABASE off_made; DROP DATABASE off_made;
    SET work_mem = '77kB'" "SELECT count(*) = 1 FROM moods"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded"'
  assert_same "lines before" 13 "$(journal_of | jq -c 'select(.step == "statement" and .event == "begin") | .index' | sort -nu | wc -l)"
  assert_same "lines after" 13 "$(journal_of | jq -c 'select(.step == "statement" and .event == "done")' | wc -l)"
  assert_same mirror 13 "$(sql "SELECT count(*) FROM ripcord.run, jsonb_array_elements(journal) l
    WHERE l->>'step' = 'statement' AND l->>'event' = 'done'")"
  assert_same "sent bare" '["create-database","create-index","detach","drop-database","drop-index","reindex","statement","vacuum"]' \
    "$(journal_of | jq -c 'select(.step == "statement" and .event == "begin" and .about.bare) | .about.kind' | jq -cs unique)"
}

@test "a failing statement: what those before it wrote is known, and the backup comes back" {
  off r1 "" "UPDATE keep SET body = 'lost' WHERE id <= 10;
    CREATE INDEX CONCURRENTLY keep_body ON keep (body);
    INSERT INTO keep VALUES (1, 'twice');
    DROP TABLE part" "" "DROP INDEX keep_body"
  before=$(fingerprint) digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json
  assert_exit 5
  assert_json '.outcome == "restored" and .failure.sqlstate == "23505"'
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same rows "$digest" "$(table_digest keep)"
}

@test "a unique index that cannot be built leaves nothing, and is rolled back" {
  sql "INSERT INTO keep (body) VALUES ('same'), ('same')"
  off r1 "" "CREATE UNIQUE INDEX CONCURRENTLY keep_body ON keep (body)"
  before=$(fingerprint)
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .failure.sqlstate == "23505"'
  assert_same invalid 0 "$(invalid_indexes)"
  assert_same fingerprint "$before" "$(fingerprint)"
}

@test "an index and its downgrade: a later failure takes the downgrade, since no row was touched" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body); VACUUM keep" "" "DROP INDEX keep_body"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "SELECT false" "DROP TABLE t2"
  before=$(fingerprint)
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .quarantine == null'
  assert_same fingerprint "$before" "$(fingerprint)"
}

@test "transaction control between the statements is refused before anything is done" {
  off r1 "" "BEGIN; UPDATE keep SET body = ''; COMMIT"
  run_ripcord upgrade head --yes --json
  assert_exit 2
  assert_stderr_has "a transaction of its own"
}

@test "the section's own role, search_path and odd names do not reach the evidence" {
  new_role "app owner" ""
  sql "GRANT CREATE ON SCHEMA public TO \"app owner\"; CREATE SCHEMA \"od'd s\"; GRANT ALL ON SCHEMA \"od'd s\" TO \"app owner\";
       CREATE TABLE \"od'd s\".\"ta\"\"ble\" (\"Größe\" int); ALTER TABLE \"od'd s\".\"ta\"\"ble\" OWNER TO \"app owner\";
       CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO public;
       CREATE FUNCTION evil.refuse(jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS \$\$ SELECT '[]'::jsonb \$\$;
       CREATE OPERATOR evil.|| (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = evil.refuse)"
  configure "[database]" "role = app owner"
  off r1 "" "SET search_path = evil, \"od'd s\", pg_catalog;
    CREATE TABLE made (n int);
    CREATE INDEX CONCURRENTLY \"in dex\" ON \"ta\"\"ble\" (\"Größe\");
    REINDEX INDEX CONCURRENTLY \"in dex\";
    DROP INDEX CONCURRENTLY \"in dex\";
    RESET ROLE;
    CREATE TABLE evil.ours (n int)" "SELECT true"
  sql "GRANT CREATE ON SCHEMA evil TO \"app owner\""
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same mirror 7 "$(sql "SELECT count(*) FROM ripcord.run, jsonb_array_elements(journal) l
    WHERE l->>'step' = 'statement' AND l->>'event' = 'done'")"
  assert_same owners "made app owner,ours postgres" "$(sql "SELECT string_agg(relname || ' ' || relowner::regrole::text, ',' ORDER BY relname)
    FROM (SELECT relname, relowner FROM pg_class WHERE relname IN ('made', 'ours')) c" | tr -d '\"')"
}

@test "an index that cannot get its lock is tried again, and leaves nothing meanwhile" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body)"
  session_open holder
  session_sql holder "BEGIN; LOCK TABLE keep IN ROW EXCLUSIVE MODE"
  start upgrade head --yes --json -x guard.lock_timeout=300ms
  wait_until 15 waiting "DROP INDEX CONCURRENTLY"
  session_close holder
  status=0
  wait "$started" || status=$?
  assert_same exit 0 "$status"
  assert_same invalid 0 "$(invalid_indexes)"
  assert_same indexes keep_body "$(sql "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'keep'::regclass AND NOT indisprimary")"
}

@test "a lost connection inside a section: the backup comes back" {
  off r1 "" "UPDATE keep SET body = 'lost' WHERE id <= 10;
    SELECT pg_terminate_backend(pg_backend_pid())" "" "SELECT 1"
  digest=$(table_digest keep)
  run_ripcord upgrade head --yes --json
  case $status in
    5) assert_same rows "$digest" "$(table_digest keep)" ;;
    6) assert_same "ours are there" 10 "$(sql "SELECT count(*) FROM keep WHERE body = 'lost'")" ;;
    *) fail "exit $status" ;;
  esac
  assert_exit 5
}

# ---------------------------------------------------------------- killed

# The client is gone, and its session with it: as after a cut connection that the server has noticed.
end_sessions() {
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^ripcord/'" postgres >/dev/null
  wait_until 10 no_sessions
}
no_sessions() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^ripcord/'" postgres)" = 0 ]; }

# killed_waiting PATTERN LOCK: an upgrade is killed while its statement that matches waits for a session that did LOCK.
killed_waiting() {
  session_open holder
  session_sql holder "$2"
  start upgrade head --yes --json
  wait_until 30 waiting "$1"
  kill_started
  end_sessions
  session_close holder
}

recovered_forward() {
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "upgraded" and .to == ["r1"]'
  assert_same invalid 0 "$(invalid_indexes)"
  assert_same "detaches that pend" 0 "$(sql "SELECT count(*) FROM pg_inherits WHERE inhdetachpending")"
  run_ripcord recover --yes --json
  assert_json '.outcome == "unchanged"'
  run_ripcord history --json
  assert_json 'map(select(.applied)) | length == 1'
}

section="UPDATE keep SET body = body || '.' WHERE id <= 10;
    CREATE INDEX CONCURRENTLY keep_body ON keep (body);
    REINDEX INDEX CONCURRENTLY keep_body;
    SET search_path = public, pg_catalog;
    ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY;
    ALTER TYPE mood ADD VALUE 'glad';
    VACUUM keep;
    DROP INDEX CONCURRENTLY IF EXISTS keep_nothing;
    DROP INDEX CONCURRENTLY keep_body;
    CREATE INDEX CONCURRENTLY keep_id ON keep (id, body)"

# What the section does is there once: its UPDATE is not repeated.
assert_section_done() {
  assert_same "rows updated" 10 "$(sql "SELECT count(*) FROM keep WHERE body ~ '^row [0-9]+\.$'")"
  assert_same index keep_id "$(sql "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'keep'::regclass AND NOT indisprimary")"
  assert_same partitions 0 "$(sql "SELECT count(*) FROM pg_inherits WHERE inhparent = 'part'::regclass")"
  assert_same enum glad "$(sql "SELECT max(e::text) FROM unnest(enum_range(NULL::mood)) e WHERE e <> 'sad'")"
}

@test "killed while CREATE INDEX CONCURRENTLY waits for a writer: built once, and no invalid one" {
  off r1 "" "$section"
  killed_waiting "CREATE INDEX CONCURRENTLY keep_body" "BEGIN; INSERT INTO keep (body) VALUES ('theirs')"
  recovered_forward
  assert_section_done
}

@test "killed while CREATE INDEX CONCURRENTLY waits, and the server goes on alone: its evidence is there" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body); VACUUM keep"
  session_open holder
  session_sql holder "BEGIN; LOCK TABLE keep IN ROW EXCLUSIVE MODE"
  start upgrade head --yes --json
  wait_until 30 waiting "CREATE INDEX CONCURRENTLY"
  kill_started
  session_close holder
  wait_until 10 evidence_of 0
  built=$(sql "SELECT 'keep_body'::regclass::oid")
  assert_same "not in the file" 0 "$(journal_of | jq -c 'select(.step == "statement" and .event == "done")' | wc -l)"
  recovered_forward
  assert_same "not built again" "$built" "$(sql "SELECT 'keep_body'::regclass::oid")"
}
evidence_of() { [ "$(sql "SELECT count(*) FROM ripcord.run, jsonb_array_elements(journal) l
  WHERE l->>'step' = 'statement' AND l->>'event' = 'done' AND (l->>'index')::int = $1")" = 1 ]; }

@test "killed while REINDEX CONCURRENTLY waits: its leftover goes" {
  sql "CREATE INDEX keep_first ON keep (body)"
  off r1 "" "REINDEX INDEX CONCURRENTLY keep_first"
  killed_waiting "REINDEX" "BEGIN; LOCK TABLE keep IN ROW EXCLUSIVE MODE"
  assert_same leftover 1 "$(invalid_indexes)"
  recovered_forward
}

@test "killed while DETACH CONCURRENTLY waits: it is finished" {
  off r1 "" "ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY"
  killed_waiting "DETACH" "BEGIN; SELECT count(*) FROM part"
  assert_same pending 1 "$(sql "SELECT count(*) FROM pg_inherits WHERE inhdetachpending")"
  recovered_forward
}

@test "killed inside a statement in its own transaction: it was taken back, and is done again" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body); UPDATE keep SET body = body || '.' WHERE id = 1; VACUUM keep"
  killed_waiting "UPDATE keep" "BEGIN; SELECT FROM keep WHERE id = 1 FOR UPDATE"
  recovered_forward
  assert_same once "row 1." "$(sql "SELECT body FROM keep WHERE id = 1")"
}

@test "killed inside, and the file is another now: not resumed, but restored" {
  off r1 "" "INSERT INTO keep (body) VALUES ('ours'); UPDATE keep SET body = body || '.' WHERE id = 1" "" "SELECT 1"
  digest=$(table_digest keep)
  killed_waiting "UPDATE keep" "BEGIN; SELECT FROM keep WHERE id = 1 FOR UPDATE"
  sed -i "s/'ours'/'others'/" "$(revision_file r1)"
  run_ripcord recover --yes --json
  assert_stderr_has "its file is another now"
  assert_same rows "$digest" "$(table_digest keep)"
  [ "$status" = 0 ] || fail "exit $status"
  assert_json '.outcome == "restored"'
}

@test "killed inside an earlier revision of the plan: finished, then taken back with the rest" {
  off r1 "" "CREATE INDEX CONCURRENTLY keep_body ON keep (body); VACUUM keep" "" "DROP INDEX keep_body"
  make_revision r2 r1 "CREATE TABLE t2 (n int)" "" "DROP TABLE t2"
  before=$(fingerprint)
  killed_waiting "CREATE INDEX CONCURRENTLY" "BEGIN; LOCK TABLE keep IN ROW EXCLUSIVE MODE"
  run_ripcord recover --yes --json
  assert_exit 0
  assert_json '.outcome == "rolled-back" or .outcome == "restored"'
  assert_same fingerprint "$before" "$(fingerprint)"
  assert_same invalid 0 "$(invalid_indexes)"
}

@test "a statement that nobody can tell about is not guessed at: restored" {
  off r1 "" "DO \$\$ BEGIN UPDATE keep SET body = 'one'; COMMIT; PERFORM pg_sleep(60); END \$\$" "" "SELECT 1"
  digest=$(table_digest keep)
  start upgrade head --yes --json
  wait_until 30 waiting "pg_sleep"
  kill_started
  run_ripcord recover --yes --json
  assert_stderr_has "nobody can tell"
  case $status in
    0) assert_json '.outcome == "restored"' && assert_same rows "$digest" "$(table_digest keep)" ;;
    6) assert_json '.outcome == "stuck"' ;;
    *) fail "exit $status" ;;
  esac
}

# calls NAME: which of the main thread's calls of that name come from the section's first line in the journal on.
calls() {
  local main
  main=$(head -1 trace | cut -d' ' -f1)
  awk -v main="$main" -v name="$1" '
    index($0, "step\\\":\\\"statement") { seen = 1 }
    $1 == main && index($2, name "(") == 1 { n++; if (seen) print n }' trace
}

# Killed there, it is resumed, and done once.
killed_at() {
  new_project
  new_database
  sql "CREATE TABLE keep (id serial PRIMARY KEY, body text); INSERT INTO keep (body) VALUES ('row')"
  off r1 "" "UPDATE keep SET body = body || '.';
    CREATE INDEX CONCURRENTLY keep_body ON keep (body);
    CREATE UNIQUE INDEX CONCURRENTLY keep_id ON keep (id, body);
    DROP INDEX CONCURRENTLY keep_body;
    VACUUM keep" "SELECT count(*) = 1 FROM keep WHERE body = 'row.'"
  run --separate-stderr env ASAN_OPTIONS=detect_leaks=0 strace -f -y -qq -s 200 -o trace -e trace=fsync,sendto,write \
    ${1:+-e inject="$1":signal=KILL:when="$2"} "$RIPCORD" upgrade head --yes --no-backup --reason "only forward"
  [ $# = 0 ] || [ "$status" = 137 ] || fail "$1 $2: not killed, exit $status"
}

@test "killed at every line of its journal and every message of the section: resumed, and done once" {
  command -v strace >/dev/null || fail "strace is not installed"
  killed_at
  assert_exit 0
  mapfile -t syncs < <(calls fsync)
  mapfile -t sends < <(calls sendto)
  [ "${#syncs[@]}" -ge 10 ] || fail "only ${#syncs[@]} lines"
  [ "${#sends[@]}" -ge 20 ] || fail "only ${#sends[@]} messages"
  for at in $(printf 'fsync:%s\n' "${syncs[@]:0:10}"; printf 'sendto:%s\n' "${sends[@]:0:30}" | awk 'NR % 6 == 1'); do
    killed_at "${at%:*}" "${at#*:}"
    run_ripcord recover --yes --json
    [ "$status" = 0 ] || fail "$at: exit $status"
    assert_json '.outcome == "upgraded"' || fail "$at"
    assert_same "$at: row" "row." "$(sql "SELECT body FROM keep")"
    assert_same "$at: indexes" keep_id "$(sql "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'keep'::regclass AND NOT indisprimary")"
    assert_same "$at: invalid" 0 "$(invalid_indexes)"
  done
}
