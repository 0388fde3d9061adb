# Drills: a backup brought back for practice, beside the live database, without it, and on another server.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  sql "CREATE TABLE keep (id int, body text); INSERT INTO keep SELECT n, 'x' FROM generate_series(1, 500) n"
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  run_ripcord backup --json
  assert_exit 0
  backup=$(jq -r .id <<<"$output")
}

mark() { jq . "$(newest_backup)/verified-drill.json"; }

@test "a drill restores everything, measures, marks, and leaves nothing" {
  all=$(databases)
  run_ripcord backup drill "$backup" --json
  assert_exit 0
  assert_json '.id == $id and .how == "drill" and .store == "local" and .rows == 500 and .tables == 1 and .seconds > 0' --arg id "$backup"
  assert_same databases "$all" "$(databases)"
  assert_same mark "drill true" "$(mark | jq -r '"\(.how) \(.ms > 0)"')"
  run_ripcord backup list --json
  assert_json '.[0].verified'
  run_ripcord backup verify "$backup"
  assert_exit 0
  refute_stderr_has "warning"
  took=$(mark | jq .ms)
  [ "$took" -gt 50 ] || fail "$took ms for a restore"
}

@test "doctor and upgrade --plan quote the time that was measured last" {
  run_ripcord doctor --json
  assert_json 'any(.checks[]; .check == "drill" and .verdict == "warn")'
  run_ripcord upgrade head --plan
  assert_stdout_has "never measured"
  run_ripcord backup drill "$backup"
  assert_exit 0
  assert_stdout_has "500 rows"
  run_ripcord doctor --json
  assert_json 'any(.checks[]; .check == "drill" and .verdict == "pass" and (.message | contains($id)))' --arg id "$backup"
  run_ripcord upgrade head --plan
  assert_exit 0
  assert_stdout_has "when it was last measured"
  assert_stdout_has "$backup"
}

@test "a drill needs neither the live database nor the state folder" {
  sql "DROP DATABASE app" postgres
  rm -rf .ripcord
  run_ripcord backup drill "$backup"
  assert_exit 0
  # Nor the server it came from: its password stands in the environment.
  new_role driller CREATEDB\ SUPERUSER
  export DRILL_URL
  DRILL_URL=$(database_url postgres driller)
  configure "[drill]" "url = \${DRILL_URL}"
  DATABASE_URL=postgresql://nobody@127.0.0.1:1/app run_ripcord backup drill "$backup" --json
  assert_exit 0
  assert_json '.server | startswith("driller@127.0.0.1")'
}

@test "a backup that does not come back is exit 7, and its scratch database is dropped" {
  all=$(databases)
  tar=$(newest_backup)/backup.tar
  turn_byte "$tar" $(($(stat -c %s "$tar") / 3))
  run_ripcord backup drill "$backup" --json
  assert_exit 7
  assert_same databases "$all" "$(databases)"
  [ ! -e "$(newest_backup)/verified-drill.json" ] || fail "it is marked as drilled"
  run_ripcord backup drill 20200101
  assert_exit 7
}

@test "a drill that is interrupted leaves nothing, and what one that was killed left goes with the next" {
  all=$(databases)
  new_role "O 'wner'"
  new_role theirs
  sql "CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 60000) n; ALTER TABLE big OWNER TO \"O 'wner'\"; GRANT SELECT ON big TO theirs"
  run_ripcord backup --json -x backup.verify=read
  big=$(jq -r .id <<<"$output")
  sql "DROP TABLE big; DROP ROLE \"O 'wner'\", theirs"
  made() { sql "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('O ' || chr(39) || 'wner' || chr(39), 'theirs')" postgres; }
  for signal in INT KILL; do
    "$RIPCORD" backup drill "$big" >out 2>&1 3>&- &
    pid=$!
    wait_until 30 eval '[ -n "$(sql "SELECT datname FROM pg_database WHERE datname LIKE '"'app_scratch_%'"'" postgres)" ]'
    kill -$signal $pid
    wait $pid && fail "it was not cut off"
    if [ $signal = INT ]; then assert_same databases "$all" "$(databases)" && assert_same roles "" "$(made)"; fi
  done
  left=$(sql "SELECT datname FROM pg_database WHERE datname LIKE 'app_scratch_%'" postgres)
  wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname = '"'$left'"'" postgres)" = 0 ]'
  run_ripcord quarantine list --json
  assert_json 'any(.[]; .database == $d)' --arg d "$left"
  run_ripcord doctor --json
  assert_json 'any(.checks[]; .check == "quarantine" and .verdict == "warn")'
  assert_same roles "O 'wner',theirs" "$(made)"
  # Only what carries the mark, cannot log in, and is of no living drill.
  sql "COMMENT ON ROLE theirs IS 'ripcord: role of mine'" postgres
  run_ripcord backup drill "$backup"
  assert_exit 0
  assert_same databases "$all" "$(databases)"
  assert_same roles theirs "$(made)"
  sql "DROP ROLE theirs" postgres
}

@test "quarantine drop and recover end what a killed drill left, and not a living one's roles" {
  mark() { sql "CREATE ROLE $1; COMMENT ON ROLE $1 IS 'ripcord: role of drill 01234567-89ab-7cde-8f01-23456789$2; may be dropped'" postgres; }
  roles() { sql "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'drilled%'" postgres; }
  mark drilled_one abcd && mark drilled_login abcd && mark drilled_alive beef
  sql "ALTER ROLE drilled_login LOGIN" postgres
  sql "CREATE DATABASE app_scratch_6789abcd OWNER drilled_one" postgres
  sql "COMMENT ON DATABASE app_scratch_6789abcd IS 'ripcord: scratch database of run 01234567-89ab-7cde-8f01-23456789abcd; may be dropped'" postgres
  PGAPPNAME=ripcord/6789beef/restore session_open alive postgres
  run_ripcord quarantine drop app_scratch_6789abcd --yes
  assert_exit 0
  assert_same roles "drilled_alive,drilled_login" "$(roles)"
  run_ripcord recover --yes
  assert_same roles "drilled_alive,drilled_login" "$(roles)"
  session_close alive
  run_ripcord recover --yes
  assert_same roles drilled_login "$(roles)"
  sql "DROP ROLE drilled_login" postgres
}

@test "roles that the server lacks are there for the drill alone; a role that may not restore is refused" {
  new_role reader
  sql "GRANT SELECT ON keep TO reader"
  run_ripcord backup --json -x backup.verify=read
  id=$(jq -r .id <<<"$output")
  sql "DROP OWNED BY reader; DROP ROLE reader"
  run_ripcord backup drill "$id"
  assert_exit 0
  assert_same role 0 "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'")"
  new_role plain
  DATABASE_URL=$(database_url app plain) run_ripcord backup drill "$id"
  assert_exit 3
  assert_stderr_has "may not create databases"
  new_role maker CREATEDB
  DATABASE_URL=$(database_url app maker) run_ripcord backup drill "$backup"
  assert_exit 3
  assert_stderr_has "a role that is no superuser cannot give objects to postgres"
}
