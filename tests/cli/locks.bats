# Locks: who waits for whom, for how long, and what is said of it.
load lib/cluster

setup_file() { cluster_start trust "deadlock_timeout = 200ms"; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  sql "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE TABLE u (a int)"
}

teardown() { [ -z "${background:-}" ] || wait "$background" || true; }

# upgrade_while_held OPTION...: the session `other` has a transaction with t in it; sets $seconds.
upgrade_while_held() {
  local began=$EPOCHREALTIME
  run_ripcord upgrade head --yes --json "$@"
  seconds=$(jq -n "$EPOCHREALTIME - $began")
}

columns_of() { sql "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '$1'::regclass AND attnum > 0"; }

@test "who is in the way is said, and the budget ends the attempts" {
  make_revision r1 "" "ALTER TABLE t ADD b int" "" "SELECT 1"
  session_open other
  session_sql other "SET application_name = 'the report'"
  session_sql other "BEGIN"
  session_sql other "SELECT a, 's3cr3t', \$x\$s3cr3t\$x\$ FROM t"
  upgrade_while_held -x guard.lock_timeout=300ms -x guard.lock_budget=2s
  session_close other
  assert_exit 4
  assert_json '.outcome == "rolled-back" and .failure.sqlstate == "55P03" and .failure.line == 7'
  assert_json '.failure.message | test("waits for ACCESS EXCLUSIVE on public.t behind pid [0-9]+ .user postgres, application the report, idle in transaction, transaction .* old.: SELECT a, [?]")'
  assert_json '.failure.message | test("in all of [0-9]+ attempts")'
  assert_stderr_has "revision r1 waits for ACCESS EXCLUSIVE on public.t behind pid"
  assert_stderr_has "attempt 2"
  refute_stderr_has s3cr3t
  # Once an attempt, and once in the failure.
  local said attempts
  said=$(grep -c "revision r1 waits for" <<<"$stderr")
  attempts=$(grep -c "revision r1: attempt" <<<"$stderr")
  [ "$said" -le $((attempts + 1)) ] || fail "said $said times in $attempts attempts"
  grep -h '"lock"' .ripcord/runs/*.jsonl | jq -e '.event == "waits" and (.why | test("the report"))' >/dev/null ||
    fail "the journal does not say who was in the way"
  ! grep -q s3cr3t -r .ripcord || fail "a literal of somebody's query is in the journal"
}

@test "a lock that is given up in time is waited for" {
  make_revision r1 "" "ALTER TABLE t ADD b int"
  session_open other
  session_sql other "BEGIN"
  session_sql other "LOCK TABLE t IN ACCESS SHARE MODE"
  local before
  before=$(lock_timeouts)
  { wait_until 30 timed_out_since "$before" && session_send other "COMMIT;"; } 3>&- 4>&- &
  background=$!
  upgrade_while_held -x guard.lock_timeout=300ms
  session_close other
  assert_exit 0
  assert_stderr_has "attempt 2"
  assert_same columns "a b" "$(columns_of t)"
}

lock_timeouts() { server_log | grep -c "canceling statement due to lock timeout" || true; }
timed_out_since() { [ "$(lock_timeouts)" -ge $(($1 + 2)) ]; }

@test "a deadlock is tried again" {
  make_revision r1 "" "UPDATE t SET a = 2; SELECT pg_sleep(1); UPDATE u SET a = 2"
  sql "INSERT INTO u VALUES (1)"
  session_open other
  session_sql other "SET deadlock_timeout = '1min'"
  session_sql other "BEGIN"
  session_sql other "UPDATE u SET a = 3"
  {
    wait_until 20 blocked_on t
    session_send other "UPDATE t SET a = 3; COMMIT;"
  } 3>&- 4>&- &
  background=$!
  upgrade_while_held -x guard.lock_timeout=10s -x guard.writes=accept-loss
  session_close other
  assert_exit 0
  assert_stderr_has "deadlock detected"
  assert_same rows "2|2" "$(sql "SELECT t.a, u.a FROM t, u")"
}

# An update of that table is not committed.
blocked_on() { [ "$(sql "SELECT count(*) FROM pg_locks WHERE relation = '$1'::regclass AND mode = 'RowExclusiveLock'")" != 0 ]; }

@test "what is not transactional as a whole is not tried again" {
  UPGRADE_OPTIONS="transaction=off" make_revision r1 "" \
    "CREATE PROCEDURE half() LANGUAGE plpgsql AS 'BEGIN INSERT INTO u VALUES (7); COMMIT; LOCK TABLE t; END'; CALL half()"
  session_open other
  session_sql other "BEGIN"
  session_sql other "LOCK TABLE t IN ACCESS SHARE MODE"
  upgrade_while_held -x guard.lock_timeout=300ms -x guard.lock_budget=4s
  session_close other
  [ "$status" -ge 4 ] || fail "exit $status"
  [ "$(sql "SELECT count(*) FROM u")" -le 1 ] || fail "the procedure was called again after it had committed a part"
}

@test "a table that is held too long is given back" {
  make_revision r1 "" "ALTER TABLE t ADD b int; SELECT pg_sleep(20)"
  upgrade_while_held -x guard.lock_hold=1s
  assert_exit 4
  assert_json '.outcome == "rolled-back" and (.failure.message | test("revision r1 held ACCESS EXCLUSIVE on public.t for 1[.0-9]* s, and lock_hold allows 1"))'
  assert_stderr_has hold=
  assert_same columns a "$(columns_of t)"
  [ "$(jq -n "$seconds < 12")" = true ] || fail "it took $seconds s"
}

@test "a table that the revision makes is nobody's to wait for" {
  make_revision r1 "" "CREATE TABLE fresh (a int); LOCK TABLE fresh; SELECT pg_sleep(2)"
  upgrade_while_held -x guard.lock_hold=500ms
  assert_exit 0
}

@test "a section may hold as long as it takes, or less than others" {
  UPGRADE_OPTIONS="hold=0" make_revision r1 "" "ALTER TABLE t ADD b int; SELECT pg_sleep(2)"
  upgrade_while_held -x guard.lock_hold=500ms
  assert_exit 0
  UPGRADE_OPTIONS="hold=500ms" make_revision r2 r1 "ALTER TABLE t ADD c int; SELECT pg_sleep(20)" "" "SELECT 1"
  upgrade_while_held -x guard.lock_hold=0
  assert_exit 4
  assert_same columns "a b" "$(columns_of t)"
}

@test "the locks of a section are taken first, in one order" {
  sql "CREATE SCHEMA \"o'x \"\"y\"; CREATE TABLE \"o'x \"\"y\".\"größe\" (a int)"
  UPGRADE_OPTIONS="lock='u SHARE, \"o''x \"\"y\".\"größe\" EXCLUSIVE, public.t'" \
    make_revision r1 "" "INSERT INTO t SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (relation, mode) IN
      (('t'::regclass, 'AccessExclusiveLock'), ('u'::regclass, 'ShareLock'), ('\"o''x \"\"y\".\"größe\"'::regclass, 'ExclusiveLock'))"
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same locks 3 "$(sql "SELECT max(a) FROM t")"
  assert_same order "größe t u" "$(server_log | grep -o 'LOCK TABLE .* IN ' | tail -3 | sed 's/.*"\([^"]*\)" IN/\1/' | xargs)"
  UPGRADE_OPTIONS="lock=nowhere" make_revision r2 r1 "SELECT 1" "" "SELECT 1"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  assert_json '.failure.sqlstate == "42P01" and .failure.line == 6'
  UPGRADE_OPTIONS="lock=t transaction=off" make_revision r3 r2 "SELECT 1"
  run_ripcord upgrade head --yes
  assert_exit 2
  assert_stderr_has "0003_r3.sql:6"
}

# What our sessions could make CREATE INDEX CONCURRENTLY wait for, while it waits for somebody else.
our_snapshots() {
  sql "SELECT application_name, state, backend_xmin, xact_start FROM pg_stat_activity
       WHERE application_name LIKE 'ripcord/%' AND application_name NOT LIKE '%/r1' AND (backend_xmin IS NOT NULL OR xact_start IS NOT NULL)"
}

indexing() { [ "$(sql "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'")" = 1 ]; }

@test "no session of a run holds up CREATE INDEX CONCURRENTLY" {
  UPGRADE_OPTIONS=transaction=off make_revision r1 "" "CREATE INDEX CONCURRENTLY t_a ON t (a)"
  session_open other
  session_sql other "BEGIN"
  session_sql other "INSERT INTO t VALUES (2)"
  "$RIPCORD" upgrade head --yes -x guard.lock_timeout=30s >out 2>&1 3>&- 4>&- &
  background=$!
  wait_until 30 indexing
  sleep 1 # the watch of the locks has asked by now
  assert_same "sessions with a snapshot" "" "$(our_snapshots)"
  [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%/lock %' AND state = 'idle'")" = 1 ] ||
    fail "the lock's session is not idle"
  session_sql other COMMIT
  session_close other
  wait "$background" || fail "$(cat out)"
  assert_same valid t "$(sql "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass")"
}
