#!/usr/bin/env bats
# ripcord rehearse: the upgrade on the last backup, measured a statement at a time.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE \"It\"\"em\" (id int PRIMARY KEY, v text); INSERT INTO \"It\"\"em\" SELECT n, repeat('x', 100) FROM generate_series(1, 5000) n"
  make_revision base1 "" "CREATE TABLE person (id int PRIMARY KEY, name text); INSERT INTO person SELECT n, 'p' || n FROM generate_series(1, 20000) n" "" "DROP TABLE person"
  run_ripcord stamp base >/dev/null
  run_ripcord upgrade base1 --yes --json
  assert_exit 0
  backup=$(run_ripcord backup --json && jq -r .id <<<"$output")
}

scratches() { sql "SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_scratch\\_%'" postgres; }
statement() { jq -c --arg t "$1" '[.revisions[].statements[] | select(.text | startswith($t))][0]' <<<"$output"; }

@test "each statement's time, rows, locks, rewrites, WAL and growth, and the live database is as it was" {
  make_revision up2 base1 "UPDATE \"It\"\"em\" SET v = v || 'y' WHERE id <= 1000;
ALTER TABLE person ALTER id TYPE bigint;
SELECT pg_sleep(0.3);
CREATE INDEX person_name ON person (name);" "SELECT count(*) = 20000 FROM person" "SELECT 1"
  UPGRADE_OPTIONS=transaction=off make_revision off3 up2 "CREATE INDEX CONCURRENTLY item_v ON \"It\"\"em\" (v);
ALTER TABLE \"It\"\"em\" ADD COLUMN w int;"
  before=$(sql "SELECT pg_relation_filenode('person'), count(*) FROM person")
  run_ripcord rehearse head --json
  assert_exit 0
  assert_json '.failure == null and .from == ["base1"] and .to == ["off3"] and .backup == $b' --arg b "$backup"
  assert_json '[.revisions[].statements | length] == [4, 2]'
  assert_same rows 1000 "$(statement UPDATE | jq .rows)"
  statement UPDATE | jq -e '.wal_bytes > 100000 and (.locks | any(.relation == "public.\"It\"\"em\"" and .mode == "ROW EXCLUSIVE") and all(.mode != "ACCESS EXCLUSIVE"))'
  statement "ALTER TABLE person" | jq -e '.rewrites | any(.relation == "public.person" and .kind == "r" and .bytes > 500000)'
  statement "ALTER TABLE person" | jq -e '.locks | any(.relation == "public.person" and .mode == "ACCESS EXCLUSIVE")'
  statement "SELECT pg_sleep" | jq -e '.seconds >= 0.3 and .seconds < 3 and .locks == []'
  statement "CREATE INDEX person_name" | jq -e '(.grew | any(.relation == "public.person_name" and .bytes > 100000)) and (.rewrites == [])'
  statement "CREATE INDEX CONC" | jq -e '.locks == null'
  statement "ALTER TABLE \"It" | jq -e '.locks == [{relation: "public.\"It\"\"em\"", mode: "ACCESS EXCLUSIVE"}] and .rewrites == []'
  # The lock on person is held from its statement to the COMMIT.
  assert_json '.revisions[0].locks | any(.relation == "public.person" and .mode == "ACCESS EXCLUSIVE" and .seconds >= 0.3)'
  assert_json '.seconds >= 0.3 and .wal_bytes > 500000'
  assert_same "scratch databases" 0 "$(scratches)"
  assert_same person "$before" "$(sql "SELECT pg_relation_filenode('person'), count(*) FROM person")"
  assert_same heads base1 "$(sql "SELECT version_num FROM alembic_version")"

  run_ripcord upgrade head --plan
  assert_stdout_has "ago on backup $backup"
  assert_stdout_has "ACCESS EXCLUSIVE on public.person for"
  assert_stdout_has "rewrites public.person ("
  assert_stdout_has "  estimate     "
  [[ $output != *"warn         rehearsal"* ]] || fail "nothing is wrong with it"
  run_ripcord rehearse head -x guard.lock_hold=100ms
  assert_exit 3
  assert_stdout_has "rewrites public.person"
  assert_stdout_has "too long     up2: lock_hold 100 ms, measured "
  # Another text is another rehearsal.
  sed -i 's/<= 1000/<= 1001/' "$(revision_file up2)"
  run_ripcord upgrade head --plan
  assert_stdout_has "not as it is now, or without up2"
}

@test "the estimate is larger as the live tables are, and limits that it is over are named and refused" {
  make_revision two2 base1 "UPDATE \"It\"\"em\" SET v = v || 'z';
ALTER TABLE person ALTER id TYPE bigint;
SELECT pg_sleep(0.2);"
  UPGRADE_OPTIONS=transaction=off make_revision off3 two2 "CREATE INDEX CONCURRENTLY item_v ON \"It\"\"em\" (v)"
  sql "INSERT INTO person SELECT n, 'p' || n FROM generate_series(20001, 200000) n"
  run_ripcord rehearse head --json
  assert_exit 0
  assert_json '.limits == [] and .estimate_missing == null and .estimate.seconds > .seconds'
  assert_json '.estimate.relations | any(.relation == "public.person" and .ratio > 8 and .ratio < 12 and .live_bytes > .copy_bytes)'
  # What works on no table that has grown takes as long as here; what a lock covers is held longer there.
  statement "ALTER TABLE person" | jq -e '(.touches | index("public.person")) and .ratio > 8 and (.estimated_seconds / .seconds | . > 8 and . < 12)'
  statement UPDATE | jq -e '.touches == ["public.\"It\"\"em\""] and .ratio < 1.5'
  statement "SELECT pg_sleep" | jq -e '.touches == [] and .ratio == 1 and .estimated_seconds < 0.5'
  statement "CREATE INDEX CONC" | jq -e '.touches == ["public.\"It\"\"em\""]'
  assert_json '.revisions[0] | .locks[] | select(.mode == "ACCESS EXCLUSIVE" and .relation == "public.person") | .estimated_seconds > .seconds and .from == 1 and .to == 2'
  # Between what was measured and what is estimated lies the limit.
  alter=$(statement "ALTER TABLE person" | jq '(.seconds * 1000 * 4) | floor')
  run_ripcord upgrade head --plan --json -x guard.statement_timeout="${alter}ms"
  assert_exit 3
  assert_json '.failure.message | contains("two2: statement_timeout ") and contains(", estimated ") and contains(": ALTER TABLE person ALTER")'
  run_ripcord upgrade head --plan --json -x guard.lock_hold=100ms
  assert_exit 3
  assert_json '.failure.message | contains("(rehearsal)") and test("two2: lock_hold 100 ms, [a-z]+ [0-9.]+ m?s: ACCESS EXCLUSIVE on public.person")'
  run_ripcord upgrade head --plan -x guard.lock_hold=100ms -x policy.preset=staging
  assert_exit 0
  assert_stdout_has "warn         rehearsal: over a limit in the last rehearsal: two2:"
  run_ripcord upgrade head --plan -x guard.lock_hold=100ms -x guard.writes=fence
  assert_exit 0
  # A section may allow itself more.
  sed -i 's/ripcord:upgrade $/ripcord:upgrade hold=0/' "$(revision_file two2)"
  run_ripcord upgrade head --plan -x guard.lock_hold=100ms
  assert_exit 0
  # Rehearsed elsewhere while the live database is away: nothing to compare with, which is said.
  configure "[drill]" "url = $(database_url postgres)"
  DATABASE_URL=$DATABASE_URL'?port=1' run_ripcord rehearse two2 --backup "$backup" --json
  assert_exit 0
  assert_json '.estimate == null and (.estimate_missing | length > 0) and .limits == []'
  DATABASE_URL=$DATABASE_URL'?port=1' run_ripcord rehearse two2 --backup "$backup"
  assert_stdout_has "estimate     none: "
}

@test "temporary files are counted, and a batch's rows" {
  make_revision big2 base1 "SET LOCAL work_mem = '64kB'; CREATE TABLE sorted AS SELECT name, id FROM person ORDER BY md5(name)"
  run_ripcord rehearse head --json
  assert_exit 0
  assert_json '.revisions[0].temp_bytes > 100000 and .temp_bytes == .revisions[0].temp_bytes'
  assert_same rows 20000 "$(statement "CREATE TABLE sorted" | jq .rows)"
  rm "$(revision_file big2)"
  make_revision batch2 base1 "ALTER TABLE person ADD COLUMN done bool"
  printf -- '\n-- ripcord:batch\nUPDATE person SET done = true WHERE id IN (SELECT id FROM person WHERE done IS NULL LIMIT 5000);\n' >>"$(revision_file batch2)"
  run_ripcord rehearse head --json
  assert_exit 0
  assert_same rows 20000 "$(statement "UPDATE person SET done" | jq .rows)"
}

@test "a revision that fails on the data is exit 3, is told, and the plan quotes it" {
  make_revision bad2 base1 "ALTER TABLE person ADD CHECK (id > 0);
ALTER TABLE person ADD CHECK (name <> 'p77')"
  run_ripcord rehearse head --json
  assert_exit 3
  assert_json '.failure.revision == "bad2" and (.failure.line > 0) and (.failed.statements | length == 1)'
  run_ripcord upgrade head --plan
  assert_exit 3
  assert_stdout_has "revision bad2 failed"
  assert_stdout_has "refuse       rehearsal: the last rehearsal failed"
  sed -i "s/p77'/none'/" "$(revision_file bad2)"
  run_ripcord upgrade head --plan
  assert_stdout_has "not as it is now, or without bad2"
  rm "$(revision_file bad2)"
  make_revision verify2 base1 "SELECT 1" "SELECT false"
  run_ripcord rehearse head
  assert_exit 3
  assert_stdout_has "failed in the verify of verify2"
  rm "$(revision_file verify2)"
  make_revision role2 base1 "CREATE ROLE rehearse_reach"
  run_ripcord rehearse head
  assert_exit 3
  assert_stderr_has "changes what does not belong to its database alone"
  assert_same roles 0 "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = 'rehearse_reach'" postgres)"
  assert_same "scratch databases" 0 "$(scratches)"
}

@test "no backup, and one that does not come back, are exit 7" {
  make_revision up2 base1 "SELECT 1"
  tar=$(newest_backup)/backup.tar
  turn_byte "$tar" $(($(stat -c %s "$tar") / 3))
  run_ripcord rehearse head
  assert_exit 7
  assert_same "scratch databases" 0 "$(scratches)"
  rm -rf backups
  run_ripcord rehearse head --json
  assert_exit 7
  assert_stderr_has "no verified backup"
}

@test "a signal leaves nothing; what a kill has left goes with the next one, or with recover" {
  make_revision slow2 base1 "SELECT pg_sleep(30)"
  for next in INT rehearse recover; do
    "$RIPCORD" rehearse head >out 2>&1 3>&- &
    pid=$!
    wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '"'%pg_sleep(30)%'"' AND datname LIKE '"'%scratch%'"'" postgres)" = 1 ]'
    if [ $next = INT ]; then kill -INT $pid; else kill -KILL $pid; fi
    wait $pid && fail "it was not cut off"
    if [ $next != INT ]; then
      assert_same "scratch databases" 1 "$(scratches)"
      sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '%scratch%'" postgres
      wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '"'%scratch%'"'" postgres)" = 0 ]'
    fi
    if [ $next = rehearse ]; then run_ripcord rehearse base1; fi
    if [ $next = recover ]; then run_ripcord recover --yes; fi
    [ $next = INT ] || assert_exit 0
    assert_same "scratch databases after $next" 0 "$(scratches)"
  done
}
