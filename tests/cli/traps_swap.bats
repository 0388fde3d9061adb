# The fence, the lock and the swap (proof.md sections 3, 5 and 6).
load lib/cluster
load lib/traps

setup_file() {
  cluster_start
  psql_on postgres -c "CREATE ROLE reader LOGIN" -c "CREATE ROLE writer LOGIN"
}
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  kept_tables
  sql "ALTER DATABASE app CONNECTION LIMIT 77; REVOKE CONNECT ON DATABASE app FROM PUBLIC;
    GRANT CONNECT ON DATABASE app TO reader WITH GRANT OPTION; COMMENT ON DATABASE app IS 'it''s ours';
    ALTER DATABASE app SET work_mem = '5MB'; ALTER ROLE reader IN DATABASE app SET search_path = public, \"\$user\""
  facts_before=$(database_facts)
}

# All of a database that a rename does not carry.
database_facts() {
  sql "SELECT datconnlimit, datallowconn, datistemplate, pg_get_userbyid(datdba), datacl, shobj_description(d.oid, 'pg_database'),
      (SELECT array_agg(setrole::regrole || ' ' || setconfig::text ORDER BY setrole) FROM pg_db_role_setting s WHERE setdatabase = d.oid)
    FROM pg_database d WHERE datname = 'app'" postgres
}

assert_facts_kept() { assert_same facts "$facts_before" "$(database_facts)"; }

# ---------------------------------------------------------------- the fence

# guards: fence_open() in step_check()
@test "no fence is left after a success" {
  make_revision r1 "" "DELETE FROM kept"
  fail_the_upgrade --writes fence
  assert_exit 0
  assert_facts_kept
}

# guards: the same with fence_hooks = inside, where the fence opens last
@test "no fence is left after a success whose hooks ran inside" {
  configure "[guard]" "fence_hooks = inside"
  make_revision r1 "" "DELETE FROM kept"
  hook inside after-upgrade "! PGUSER=reader psql -XAtqc 'SELECT 1' 2>refused.txt"
  fail_the_upgrade --writes fence
  assert_exit 0
  grep -q "too many connections" refused.txt
  assert_facts_kept
}

# guards: fence_open() before the after-upgrade hooks
@test "a health check gets through the fence" {
  make_revision r1 "" "DELETE FROM kept"
  hook health after-upgrade "PGUSER=reader psql -XAtqc 'SELECT 1'"
  fail_the_upgrade --writes fence
  assert_exit 0
  assert_facts_kept
}

# guards: fence_open() in fail()
@test "no fence is left after a failure before the first change" {
  make_revision r1 "" "DELETE FROM kept"
  hook no after-backup "exit 1"
  fail_the_upgrade --writes fence
  [ "$status" != 0 ] || fail "the run succeeded"
  assert_facts_kept
}

# guards: fence_open() in arrive(), after a rollback
@test "no fence is left after a rollback" {
  make_revision r1 "" "DELETE FROM kept" "SELECT false"
  fail_the_upgrade --writes fence
  assert_rolled_back
  assert_facts_kept
}

# guards: fence_open() in arrive(), after the count before a downgrade
@test "no fence is left after a proven downgrade" {
  destroy_then_fail "CREATE TABLE fresh (n int)" "DROP TABLE fresh"
  fail_the_upgrade
  assert_rolled_back
  assert_facts_kept
}

# guards: facts read before the fence, and database_facts_sql() in the swap
@test "the database's facts are there after a restore, and no fence" {
  destroy_then_fail
  fail_the_upgrade --writes fence
  assert_restored
  assert_facts_kept
  local quarantine
  quarantine=$(jq -r .quarantine <<<"$output")
  assert_same quarantine "f 77" "$(sql "SELECT datallowconn::text::char || ' ' || datconnlimit FROM pg_database WHERE datname = '$quarantine'" postgres)"
}

# guards: fence_open() in run_stuck()
@test "stuck: the fence is open, as fence_on_stuck says" {
  destroy_then_fail
  others_at r2 "INSERT INTO theirs VALUES (6, 'new')"
  fail_the_upgrade
  assert_stuck "theirs"
  assert_facts_kept
}

# guards: fence_on_stuck_closed in run_stuck(), and that the fence travels in the journal
@test "stuck: the fence stays closed where it is asked for, and recover opens it" {
  configure "[guard]" "fence_on_stuck = closed"
  destroy_then_fail
  others_at r2 "INSERT INTO theirs VALUES (6, 'new')"
  fail_the_upgrade
  assert_stuck "kept out"
  local id
  id=$(jq -r .run <<<"$output")
  [ "$(connection_limit)" -lt 77 ] || fail "the fence is open"
  run_ripcord recover "$id" --forward --yes --json
  assert_exit 0
  assert_facts_kept
}

# guards: the comparison with our own value in fence_open()
@test "a limit that somebody else set meanwhile is not put back" {
  make_revision r1 "" "DELETE FROM kept"
  others_at r1 "ALTER DATABASE app CONNECTION LIMIT 33"
  fail_the_upgrade --writes fence
  assert_same limit 33 "$(connection_limit)"
}

# guards: CONNECTION LIMIT itself
@test "with writes = fence a plain role is kept out while revisions run" {
  sql "GRANT ALL ON theirs TO reader"
  make_revision r1 "" "SELECT 1" "SELECT true"
  hook try before-revision "! PGUSER=reader psql -XAtqc \"INSERT INTO theirs VALUES (6, 'new')\" 2>refused.txt"
  fail_the_upgrade --writes fence
  assert_exit 0
  grep -q "too many connections" refused.txt
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# ---------------------------------------------------------------- the lock

# end_lock_and THEN...: the lock's session is ended just before r2.
end_lock_and() {
  hook lose before-revision "[ \"\$RIPCORD_REVISION\" = r2 ] || exit 0" \
    "psql -XAtqc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%/lock%'\" >/dev/null" "$@"
}

# guards: run_lock_again() before each rung
@test "nothing is taken back when another process has taken the lock" {
  destroy_then_fail
  end_lock_and "psql -XAtq -d postgres -c \"SELECT pg_advisory_lock(hashtextextended('ripcord:app', 0)); SELECT pg_sleep(20)\" >/dev/null 2>&1 &" "sleep 1"
  fail_the_upgrade
  assert_stuck "lock"
  assert_same kept 0 "$(sql "SELECT count(*) FROM kept")"
  assert_facts_kept
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()" postgres
}

# guards: run_reconnect()
@test "a lock that was lost and that nobody took is taken again" {
  destroy_then_fail
  end_lock_and
  fail_the_upgrade
  assert_restored
}

# guards: run_refuse_unfinished() after `stuck`
@test "after stuck nothing new begins, and recover --swap --accept-loss ends it" {
  destroy_then_fail
  others_at r2 "INSERT INTO theirs VALUES (6, 'new')"
  fail_the_upgrade
  assert_stuck "theirs"
  local id
  id=$(jq -r .run <<<"$output")
  fail_the_upgrade
  assert_exit 8
  run_ripcord recover "$id" --swap --yes --json
  assert_exit 6
  run_ripcord recover "$id" --swap --accept-loss --yes --json
  [ "$status" = 0 ] || [ "$status" = 5 ] || fail "exit $status"
  assert_same kept "$kept_before" "$(table_digest kept)"
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
  assert_facts_kept
}

# ---------------------------------------------------------------- the swap

# guards: candidate_build() drops nothing but what it has created
@test "a database that has the candidate's name already is left alone" {
  destroy_then_fail
  hook squat before-revision '[ "$RIPCORD_REVISION" = r2 ] || exit 0' \
    'psql -XAtq -d postgres -c "CREATE DATABASE app_candidate_$(printf %s "$RIPCORD_RUN" | tail -c 8)"'
  fail_the_upgrade
  assert_stuck "already"
  databases | grep -q "^app_candidate_"
}

# while_restoring COMMAND: in the background, once the candidate is there, so after the first count.
while_restoring() {
  hook late on-failure 'candidate=app_candidate_$(printf %s "$RIPCORD_RUN" | tail -c 8)' \
    '(' 'for i in $(seq 400); do' \
    '[ -z "$(psql -XAtq -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '"'\$candidate'"'")" ] || break' \
    'sleep 0.02; done' "$1" ') >late.txt 2>&1 </dev/null &'
}

# guards: the count just before the swap
@test "what a superuser, whom no fence keeps out, wrote while the backup was restored" {
  destroy_then_fail
  while_restoring "psql -XAtqc \"INSERT INTO theirs VALUES (6, 'new')\""
  fail_the_upgrade
  assert_stuck "public.theirs: 1 inserted"
  assert_facts_kept
}

# guards: that the swap compares with that count, not with the first: autovacuum is nobody
@test "ANALYZE while the backup was restored is not in the way" {
  destroy_then_fail
  while_restoring "psql -XAtqc 'ANALYZE theirs'"
  fail_the_upgrade
  assert_restored
}

# guards: the count after the downgrade
@test "what a superuser wrote while the downgrade ran" {
  make_revision r1 "" "CREATE TABLE fresh (n int)" "" "SELECT pg_sleep(2); DROP TABLE fresh"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  hook late on-failure "(for i in \$(seq 400); do [ -z \"\$(psql -XAtq -d postgres -c \"SELECT 1 FROM pg_stat_activity
    WHERE state = 'active' AND query LIKE '%pg_sleep(2)%' AND application_name LIKE 'ripcord/%'\")\" ] || break; sleep 0.05; done
    psql -XAtqc \"INSERT INTO theirs VALUES (6, 'new')\") >late.txt 2>&1 </dev/null &"
  fail_the_upgrade
  assert_stuck "public.theirs: 1 inserted"
}

# guards: that the swap is one transaction: half of it would leave no database of that name
@test "a swap that cannot rename the candidate renames nothing" {
  destroy_then_fail
  while_restoring 'psql -XAtq -d "$candidate" -c "SELECT pg_sleep(12)"'
  fail_the_upgrade
  assert_stuck "cannot swap the databases"
  databases | grep -qx app || fail "there is no database app"
  assert_facts_kept
  ! databases | grep -q "^app_quarantine_$(jq -r '.run[-8:]' <<<"$output")" || fail "there is a quarantine"
}

# guards: the order of the swap, and that nobody gets into the quarantine once the new database answers
@test "writers that reconnect all the time: no acknowledged row is lost between the two databases" {
  sql "CREATE TABLE numbered (writer int, n int, PRIMARY KEY (writer, n)); GRANT INSERT ON numbered TO writer; GRANT CONNECT ON DATABASE app TO writer"
  destroy_then_fail
  local w pids=()
  for w in 1 2 3 4; do
    (
      n=0
      while [ ! -e stop ]; do
        n=$((n + 1))
        began=$EPOCHREALTIME
        if SQL_ROLE=writer psql_on app -c "INSERT INTO numbered VALUES ($w, $n)" >/dev/null 2>&1; then
          echo "$w,$n,$began,$EPOCHREALTIME"
        fi
      done
    ) >"acknowledged.$w" 3>&- 4>&- &
    pids+=($!)
  done
  fail_the_upgrade --writes accept-loss
  sleep 0.5
  touch stop
  wait "${pids[@]}" || true
  assert_restored
  local quarantine
  quarantine=$(jq -r .quarantine <<<"$output")
  sql "ALTER DATABASE $(sql_quote_ident "$quarantine") ALLOW_CONNECTIONS true" postgres
  cat acknowledged.* >acknowledged
  sql "COPY numbered TO STDOUT (FORMAT csv)" "$quarantine" >old
  sql "COPY numbered TO STDOUT (FORMAT csv)" >new
  sql "CREATE TABLE heard (writer int, n int, began float8, ended float8); CREATE TABLE old (writer int, n int);
    CREATE TABLE new (writer int, n int)"
  sql "COPY heard FROM STDIN (FORMAT csv)" <acknowledged
  sql "COPY old FROM STDIN (FORMAT csv)" <old
  sql "COPY new FROM STDIN (FORMAT csv)" <new
  # Rows of the backup's snapshot are in both.
  sql "DELETE FROM new USING old WHERE (new.writer, new.n) = (old.writer, old.n)"
  [ "$(sql "SELECT count(*) FROM heard JOIN old USING (writer, n)")" -gt 10 ] || fail "hardly anything was written before"
  [ "$(sql "SELECT count(*) FROM heard JOIN new USING (writer, n)")" -gt 10 ] || fail "hardly anything was written after"
  assert_same lost 0 "$(sql "SELECT count(*) FROM heard LEFT JOIN old o USING (writer, n) LEFT JOIN new w USING (writer, n)
    WHERE o.n IS NULL AND w.n IS NULL")"
  # An insert that began after another had been answered by the new database must not be in the old one.
  assert_same late 0 "$(sql "SELECT count(*) FROM heard h JOIN old USING (writer, n)
    WHERE h.began > (SELECT min(ended) FROM heard JOIN new USING (writer, n))")"
}
