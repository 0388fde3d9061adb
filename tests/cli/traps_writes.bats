# What others write between the backup and a way back: counted, never lost, never overlooked (proof.md section 1).
load lib/cluster
load lib/traps

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  kept_tables
}

# guards: the whole count, the other way round: with nobody there it must not be in the way
@test "nobody wrote: the backup is swapped in" {
  destroy_then_fail
  fail_the_upgrade
  assert_restored
}

# guards: count_relation()
@test "a row inserted by others" {
  destroy_then_fail
  others after-backup "INSERT INTO theirs VALUES (6, 'new')"
  fail_the_upgrade
  assert_stuck "public.theirs: 1 inserted"
  assert_same rows 6 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: count_relation(), each of the three numbers
@test "rows updated and deleted by others, just before the revision that fails" {
  destroy_then_fail
  others_at r2 "UPDATE theirs SET body = 'new' WHERE n < 3; DELETE FROM theirs WHERE n = 5"
  fail_the_upgrade
  assert_stuck "public.theirs: 2 updated, 1 deleted"
}

# guards: accept_loss is asked for by name
@test "with --writes accept-loss the same is restored" {
  destroy_then_fail
  others after-backup "INSERT INTO theirs VALUES (6, 'new')"
  fail_the_upgrade --writes accept-loss
  assert_restored
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: the count before a downgrade, whose proof alone would not see what others put into what it takes away
@test "a row that others wrote into the new table keeps the downgrade from taking it" {
  make_revision r1 "" "CREATE TABLE fresh (n int)" "" "DROP TABLE fresh"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  others_at r2 "INSERT INTO fresh VALUES (1)"
  fail_the_upgrade
  assert_stuck "public.fresh: 1 inserted"
  assert_same rows 1 "$(sql "SELECT count(*) FROM fresh")"
}

# guards: the baseline stands before the snapshot, and rows count when their transaction ends
@test "a transaction that was open at the snapshot and commits after it" {
  destroy_then_fail
  hook wait after-backup "touch ready; while [ ! -e go ]; do sleep 0.05; done"
  session_open other
  session_sql other "BEGIN"
  session_sql other "INSERT INTO theirs VALUES (6, 'new')"
  "$RIPCORD" upgrade head --yes --json >out.json 2>err.txt 3>&- 4>&- &
  local pid=$!
  wait_until 60 test -e ready
  session_sql other "COMMIT"
  session_close other
  touch go
  wait "$pid" && status=0 || status=$?
  output=$(cat out.json)
  stderr=$(cat err.txt)
  assert_stuck "public.theirs: 1 inserted"
}

# guards: sessions_end() before the count: an open session's rows reach the counters when it ends
@test "a session that wrote, stays connected and has not told its counts" {
  destroy_then_fail
  hook wait before-revision '[ "$RIPCORD_REVISION" = r2 ] || exit 0' "touch ready; while [ ! -e go ]; do sleep 0.05; done"
  session_open other
  "$RIPCORD" upgrade head --yes --json >out.json 2>err.txt 3>&- 4>&- &
  local pid=$!
  wait_until 60 test -e ready
  # The first is flushed at once, what follows within a second stays with the session for ten.
  session_sql other "INSERT INTO theirs VALUES (6, 'new')"
  session_sql other "INSERT INTO theirs VALUES (7, 'new')"
  touch go
  wait "$pid" && status=0 || status=$?
  output=$(cat out.json)
  stderr=$(cat err.txt)
  assert_stuck "public.theirs: 2 inserted"
}

# guards: gate prepared-transactions
@test "a prepared transaction: refused before the backup" {
  destroy_then_fail
  sql "BEGIN; INSERT INTO theirs VALUES (6, 'new'); PREPARE TRANSACTION 'p1'"
  fail_the_upgrade
  sql "ROLLBACK PREPARED 'p1'"
  assert_exit 3
  assert_json '.outcome == "refused" and .backup == null'
  assert_stderr_has "prepared"
  no_backup
}

# guards: counting what COMMIT PREPARED, which takes no transaction id, brings in
@test "a transaction prepared after the gates and committed by somebody" {
  destroy_then_fail
  others after-backup "BEGIN; INSERT INTO theirs VALUES (6, 'new'); PREPARE TRANSACTION 'p2'" prepare
  others_at r2 "COMMIT PREPARED 'p2'"
  fail_the_upgrade
  assert_stuck "public.theirs: 1 inserted"
}

# guards: prepared transactions are looked at before a way back
@test "a transaction prepared after the gates and still there" {
  destroy_then_fail
  others after-backup "BEGIN; INSERT INTO theirs VALUES (6, 'new'); PREPARE TRANSACTION 'p3'"
  fail_the_upgrade
  sql "COMMIT PREPARED 'p3'"
  assert_stuck "prepared"
  assert_same rows 6 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: the same before a downgrade, where no RENAME would stumble over it
@test "a prepared transaction keeps the downgrade from being a way back" {
  make_revision r1 "" "CREATE TABLE fresh (n int)" "" "DROP TABLE fresh"
  make_revision r2 r1 "SELECT 1" "SELECT false" "SELECT 1"
  others after-backup "BEGIN; INSERT INTO theirs VALUES (6, 'new'); PREPARE TRANSACTION 'p4'"
  fail_the_upgrade
  sql "ROLLBACK PREPARED 'p4'"
  assert_stuck "prepared"
}

# guards: count_sequence()
@test "nextval by others" {
  destroy_then_fail
  others after-backup "SELECT nextval('free_seq')"
  fail_the_upgrade
  assert_stuck "sequence public.free_seq: moved from 10,true to 11,true"
}

# guards: the comparison of values, which pg_sequence_last_value() would not give for a sequence not yet called
@test "setval by others, not yet called" {
  destroy_then_fail
  others_at r2 "SELECT setval('free_seq', 500, false)"
  fail_the_upgrade
  assert_stuck "sequence public.free_seq"
}

# guards: own_share_sql(): after an abort only the sequences that the unit used are its own
@test "nextval by others, while the revision that fails used another sequence" {
  make_revision r1 "" "DELETE FROM kept"
  make_revision r2 r1 "INSERT INTO kept (body) VALUES ('d')" "SELECT false"
  others_at r2 "SELECT nextval('free_seq')"
  fail_the_upgrade
  assert_stuck "sequence public.free_seq"
}

# guards: pg_largeobject is among the tables
@test "lo_unlink by others" {
  sql "SELECT lo_from_bytea(4711, 'x')" >/dev/null
  destroy_then_fail
  others after-backup "SELECT lo_unlink(4711)"
  fail_the_upgrade
  assert_stuck "pg_catalog.pg_largeobject"
}

# guards: count_vanished(): a dropped table took its counts along
@test "a table that others wrote to is dropped by the revision" {
  destroy_then_fail "DROP TABLE theirs"
  others after-backup "INSERT INTO theirs VALUES (6, 'new'), (7, 'new')"
  fail_the_upgrade
  assert_stuck "tables that are gone (public.theirs, public.theirs (TOAST)): 2 inserted"
}

# guards: count_vanished() balances where only the run wrote
@test "a table that nobody wrote to is dropped by the revision" {
  destroy_then_fail "DROP TABLE theirs; DELETE FROM kept"
  fail_the_upgrade
  assert_restored
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: the catalogs are among the tables: TRUNCATE counts no row, its new storage does
@test "TRUNCATE by others" {
  destroy_then_fail
  others after-backup "TRUNCATE theirs"
  fail_the_upgrade
  assert_stuck "pg_catalog.pg_class: 4 updated"
}

# guards: the catalogs are among the tables
@test "DDL and GRANT by others" {
  destroy_then_fail
  others_at r2 "GRANT SELECT ON theirs TO PUBLIC"
  fail_the_upgrade
  assert_stuck "pg_catalog.pg_class"
  new_project
  new_database
  kept_tables
  destroy_then_fail
  others_at r2 "CREATE VIEW v AS SELECT 1 AS one"
  fail_the_upgrade
  assert_stuck "pg_catalog.pg_class: 1 inserted"
}

# guards: the database's own settings, which live in shared catalogs, are compared before the swap
@test "ALTER DATABASE by others" {
  destroy_then_fail
  others_at r2 "ALTER DATABASE $DATABASE SET work_mem = '5MB'"
  fail_the_upgrade
  assert_stuck "settings"
  assert_same setting "{work_mem=5MB}" "$(sql "SELECT setconfig FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'app') AND setrole = 0")"
}

# guards: stats_reset is compared
@test "counters reset by pg_stat_reset()" {
  destroy_then_fail
  others_at r2 "INSERT INTO theirs VALUES (6, 'new'); SELECT pg_stat_reset()"
  fail_the_upgrade
  assert_stuck "reset"
}

# guards: the background writer's stats_reset is compared: after a backend's crash all counters begin at zero, and
# neither the postmaster's start nor the database's own stats_reset shows it
# crash_at_r2 [SQL]: others do that and go, then a process of the server dies.
crash_at_r2() {
  hook crash before-revision '[ "$RIPCORD_REVISION" = r2 ] || exit 0' \
    "psql -XAtqc \"${1:-SELECT 1}\" >/dev/null" \
    "kill -9 \$(psql -XAtqc \"SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'\")" \
    "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; psql -XAtqc 'SELECT 1' 2>/dev/null && break; done; exit 1"
}

# What the run could not finish, because its sessions were gone, recover does.
fail_and_recover() {
  fail_the_upgrade
  [ "$status" -eq 5 ] || run_ripcord recover --yes --json
}

@test "counters lost in the crash of a backend: the rows tell that nobody wrote" {
  destroy_then_fail
  crash_at_r2
  fail_and_recover
  assert_json '.outcome == "restored" and (.quarantine | length) > 0'
  assert_same "kept" "$kept_before" "$(table_digest kept)"
}

@test "counters lost in the crash of a backend: the rows tell what others wrote" {
  destroy_then_fail
  crash_at_r2 "INSERT INTO theirs VALUES (6, 'new')"
  fail_and_recover
  assert_stuck "public.theirs: 1 rows written"
}

@test "counters lost in the crash of a backend: what others wrote before ours cannot be told" {
  destroy_then_fail
  others_at r1 "UPDATE kept SET id = id"
  crash_at_r2
  fail_and_recover
  assert_stuck "public.kept"
}

# guards: the postmaster's start is compared
@test "a server that was restarted in between: the rows tell that nobody wrote" {
  destroy_then_fail
  {
    echo '[ "$RIPCORD_REVISION" = r2 ] || exit 0'
    declare -f as_server
    echo "as_server $(pg_bindir)/pg_ctl -D $CLUSTER_DIR/data -l $CLUSTER_DIR/log -m fast -w restart >/dev/null 2>&1; exit 1"
  } >restart.sh
  configure "[hook restart]" "phase = before-revision" "command = bash restart.sh" "timeout = 60s"
  fail_and_recover
  assert_json '.outcome == "restored" and (.quarantine | length) > 0'
  assert_same "kept" "$kept_before" "$(table_digest kept)"
}
