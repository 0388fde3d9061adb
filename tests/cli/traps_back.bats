# What a way back has to prove, and what only looks like one (proof.md section 2).
load lib/cluster
load lib/traps

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  kept_tables
}

# One revision, which fails after all that it did.
roll_back_of() { make_revision r1 "" "$1" "SELECT false" "SELECT 1"; }

last_value() { sql "SELECT last_value || ',' || is_called FROM $1"; }

# ---------------------------------------------------------------- rollback

# guards: put_sequences_back(): setval() survives a rollback
@test "setval that a rolled-back revision lowered is put back" {
  roll_back_of "SELECT setval('free_seq', 1)"
  fail_the_upgrade
  assert_rolled_back
  assert_same sequence "10,true" "$(last_value free_seq)"
}

# guards: number_in_use(): the numbers that others took meanwhile are not handed out again
@test "setval that a rolled-back revision lowered goes behind what others took" {
  others before-revision "INSERT INTO kept (body) VALUES ('theirs')"
  roll_back_of "SELECT setval('kept_id_seq', 1)"
  fail_the_upgrade
  assert_exit 4
  assert_same "next number" 5 "$(sql "SELECT nextval('kept_id_seq')")"
}

# guards: advance(): a sequence that was set, and not yet called, hands out that number next
@test "a sequence that the run set further on stays there in the restored database" {
  destroy_then_fail "DELETE FROM kept; SELECT setval('free_seq', 50, false)"
  fail_the_upgrade
  assert_restored
  assert_same sequence "50,false" "$(last_value free_seq)"
}

# guards: sequence_is_behind(): the same number, not yet called, is handed out once more
@test "setval to the same number, not called, is put back" {
  roll_back_of "SELECT setval('free_seq', 10, false)"
  fail_the_upgrade
  assert_rolled_back
  assert_same next 11 "$(sql "SELECT nextval('free_seq')")"
}

# guards: sequence_is_behind(): a descending sequence that went on must not be set back
@test "a descending sequence that a rolled-back revision used goes on" {
  sql "CREATE SEQUENCE down_seq INCREMENT -1; SELECT nextval('down_seq')" >/dev/null
  roll_back_of "SELECT nextval('down_seq'), nextval('down_seq')"
  fail_the_upgrade
  assert_rolled_back
  assert_same sequence "-3,true" "$(last_value down_seq)"
}

# guards: own_share_has_sequence() in put_sequences_back(): what others set is theirs
@test "setval by others stays when a revision is rolled back" {
  roll_back_of "DELETE FROM kept"
  others after-backup "SELECT setval('free_seq', 3)"
  fail_the_upgrade
  assert_rolled_back
  assert_same sequence "3,true" "$(last_value free_seq)"
}

# guards: before_is_now() after a rollback
@test "a rollback beside DDL of others is not as before" {
  roll_back_of "DELETE FROM kept"
  others after-backup "CREATE TABLE strange (n int)"
  fail_the_upgrade
  assert_exit 6
  [[ $output$stderr == *strange* ]] || fail "the table is not named"
}

# guards: nothing, if it were not rolled back
@test "TRUNCATE in a revision that is rolled back" {
  roll_back_of "INSERT INTO kept (body) VALUES ('d'); TRUNCATE kept, theirs; DROP TABLE theirs"
  fail_the_upgrade
  assert_rolled_back
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: script_check_control(), before the backup
@test "COMMIT inside a section: exit 2 with file and line, and no backup" {
  local end
  for end in COMMIT "ROLLBACK" "END" "ABORT" "COMMIT AND CHAIN" "PREPARE TRANSACTION 'x'"; do
    new_project
    make_revision r1 "" "DELETE FROM kept;
$end;
SELECT 1"
    fail_the_upgrade
    assert_exit 2
    assert_stderr_has "0001_r1.sql:8"
    no_backup
  done
  assert_same kept "$kept_before" "$(table_digest kept)"
}

# guards: the server refuses it inside our BEGIN, and what it refused is rolled back
@test "COMMIT hidden in a DO block and in a procedure" {
  sql "CREATE PROCEDURE sneaky() LANGUAGE plpgsql AS 'BEGIN DELETE FROM kept; COMMIT; END'"
  make_revision r1 "" "DELETE FROM kept; DO 'BEGIN COMMIT; END'"
  fail_the_upgrade
  assert_rolled_back
  assert_json '.failure.sqlstate == "2D000" and .failure.line == 7'
  new_project
  make_revision r1 "" "CALL sneaky()"
  fail_the_upgrade
  assert_rolled_back
  assert_json '.failure.sqlstate == "2D000"'
}

# guards: commit_unit() wants the tag COMMIT, and the ledger to agree
@test "a revision that catches an error commits what it says, and no more" {
  make_revision r1 "" "CREATE TABLE fresh (n int);
DO 'BEGIN INSERT INTO theirs VALUES (1); EXCEPTION WHEN unique_violation THEN INSERT INTO fresh VALUES (1); END'" \
    "SELECT count(*) = 1 FROM fresh" "DROP TABLE fresh"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_same rows "1 5" "$(sql "SELECT (SELECT count(*) FROM fresh) || ' ' || (SELECT count(*) FROM theirs)")"
}

# ---------------------------------------------------------------- downgrade

# guards: the case that they all are told from: a downgrade that is a way back
@test "a downgrade of what was only added is proven" {
  destroy_then_fail "CREATE TABLE fresh (n serial); INSERT INTO fresh DEFAULT VALUES; ALTER TABLE theirs ADD COLUMN more int" \
    "ALTER TABLE theirs DROP COLUMN more; DROP TABLE fresh"
  fail_the_upgrade
  assert_rolled_back
}

# guards: storage_is_back(): no counter moves and no fact changes when tables of one shape are renamed crosswise
@test "two like tables renamed crosswise are no way back" {
  sql "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)"
  destroy_then_fail "ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b"
  fail_the_upgrade
  assert_restored
  assert_same rows "1 2" "$(sql "SELECT (SELECT n FROM a) || ' ' || (SELECT n FROM b)")"
}

# guards: storage_is_back(), by the numbers of columns
@test "two like columns renamed crosswise are no way back" {
  sql "CREATE TABLE pair (a int, b int); INSERT INTO pair VALUES (1, 2)"
  destroy_then_fail "ALTER TABLE pair RENAME a TO c; ALTER TABLE pair RENAME b TO a; ALTER TABLE pair RENAME c TO b"
  fail_the_upgrade
  assert_restored
  assert_same rows "1 2" "$(sql "SELECT a || ' ' || b FROM pair")"
}

# guards: SET CONSTRAINTS ALL IMMEDIATE before the share is asked for
@test "a deferred trigger that touches old rows at COMMIT" {
  sql "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN UPDATE kept SET body = 'x'; RETURN NULL; END\$\$"
  destroy_then_fail "CREATE TABLE fresh (n int);
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON fresh DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bump();
INSERT INTO fresh VALUES (1)" "DROP TABLE fresh"
  fail_the_upgrade
  assert_restored
}

# guards: rows_untouched(): the schema is as before, the rows are not
@test "rows changed by a revision whose downgrade says nothing of it" {
  destroy_then_fail "UPDATE kept SET body = upper(body)"
  fail_the_upgrade
  assert_restored
}

# guards: pg_largeobject in touched()
@test "lo_unlink by a revision" {
  sql "SELECT lo_from_bytea(4711, 'x')" >/dev/null
  destroy_then_fail "SELECT lo_unlink(4711)"
  fail_the_upgrade
  assert_restored
  assert_same object 1 "$(sql "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 4711")"
}

# guards: sequences_are_back()
@test "setval by a revision whose downgrade leaves it" {
  destroy_then_fail "SELECT setval('free_seq', 1)"
  fail_the_upgrade
  assert_exit 5
  assert_same sequence "10,true" "$(last_value free_seq)"
}

# guards: storage_is_back(): TRUNCATE counts no row
@test "TRUNCATE by a revision that is committed" {
  destroy_then_fail "TRUNCATE theirs"
  fail_the_upgrade
  assert_restored
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: own_share_sql() after an abort: rows that a failed revision wrote and truncated are its own
@test "a failed revision that wrote and truncated, after one that destroyed" {
  make_revision r1 "" "DELETE FROM kept"
  make_revision r2 r1 "INSERT INTO theirs VALUES (6, 'x'); TRUNCATE theirs; INSERT INTO theirs VALUES (7, 'x')" "SELECT false"
  fail_the_upgrade
  assert_restored
  assert_same rows 5 "$(sql "SELECT count(*) FROM theirs")"
}

# guards: own_share_add() once a transaction: a share counted twice would hide as many rows of others
@test "as many rows by others as the revisions wrote" {
  make_revision r1 "" "INSERT INTO theirs VALUES (6, 'ours')"
  make_revision r2 r1 "INSERT INTO theirs VALUES (7, 'ours')"
  make_revision r3 r2 "INSERT INTO theirs VALUES (8, 'ours')" "SELECT false"
  others_at r3 "INSERT INTO theirs VALUES (9, 'new')"
  fail_the_upgrade
  assert_stuck "public.theirs: 1 inserted"
}

# guards: the token that each revision's transaction reads
@test "a run that was taken over commits nothing more" {
  make_revision r1 "" "CREATE TABLE one (n int)"
  make_revision r2 r1 "CREATE TABLE two (n int)"
  others_at r2 "UPDATE ripcord.run SET token = 'another'"
  fail_the_upgrade
  [ "$status" != 0 ] || fail "the run succeeded"
  assert_stderr_has "taken over"
  assert_json '.failure.revision == "r2"'
  assert_same two "" "$(sql "SELECT to_regclass('two')")"
}

# ---------------------------------------------------------------- restore

# guards: own_share_add(), kind 'D': what the run itself did to the database's settings is not others'
@test "ALTER DATABASE by a revision is taken back by the restore" {
  destroy_then_fail "DELETE FROM kept; ALTER DATABASE app SET work_mem = '5MB'; COMMENT ON DATABASE app IS 'x'"
  fail_the_upgrade
  assert_restored
  assert_same settings "" "$(sql "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase =
    (SELECT oid FROM pg_database WHERE datname = 'app')")"
}

# guards: recreate_roles()
@test "a role that a revision dropped is there again, without login" {
  new_role gone
  new_role group_of_gone
  sql "GRANT SELECT ON theirs TO gone; GRANT group_of_gone TO gone"
  destroy_then_fail "DELETE FROM kept; DROP OWNED BY gone; DROP ROLE gone"
  fail_the_upgrade
  assert_restored
  assert_stderr_has "role gone"
  assert_stderr_has "without login"
  assert_same login f "$(sql "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'gone'")"
  assert_same grant t "$(sql "SELECT has_table_privilege('gone', 'theirs', 'SELECT')")"
  assert_same member t "$(sql "SELECT pg_has_role('gone', 'group_of_gone', 'MEMBER')")"
}

# guards: roles_compare(): what is another difference of the roles is no success
@test "a role that a revision changed is not as before" {
  new_role changed
  destroy_then_fail "DELETE FROM kept; ALTER ROLE changed CONNECTION LIMIT 3"
  fail_the_upgrade
  assert_exit 6
  assert_stderr_has "changed"
}

# pg_restore sets an empty search_path, so the function finds no table.
check_that_reads() {
  sql "CREATE TABLE limits (most int); INSERT INTO limits VALUES (10);
    CREATE FUNCTION allowed(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN \$1 <= (SELECT most FROM limits); END';
    CREATE TABLE checked (n int CHECK (allowed(n))); INSERT INTO checked VALUES (5)"
}

# guards: verify = drill
@test "a sound dump that does not restore: exit 7 before anything changed, with verify = drill" {
  check_that_reads
  configure "[backup]" "verify = drill"
  destroy_then_fail
  fail_the_upgrade
  assert_exit 7
  assert_stderr_has "does not restore"
  assert_same kept "$kept_before" "$(table_digest kept)"
  assert_same ledger "" "$(sql "SELECT to_regclass('ripcord.run')")"
  ! databases | grep -q scratch || fail "the scratch database is left over"
}

# guards: pg_restore's exit status and rows_compare(): the schema alone restores, so the ladder finds it out
@test "the same with verify = restore never ends as a success" {
  check_that_reads
  destroy_then_fail
  local before
  before=$(databases)
  fail_the_upgrade
  assert_stuck "limits"
  assert_same databases "$before" "$(databases)"
}

# guards: take_out(): pg_dump does not say that public was dropped
@test "a dropped schema public comes back dropped" {
  sql "CREATE SCHEMA app; ALTER TABLE kept SET SCHEMA app; DROP SCHEMA public CASCADE; ALTER DATABASE app SET search_path = app"
  configure "[ripcord]" "version_table_schema = app"
  kept_before=$(table_digest app.kept)
  destroy_then_fail "DELETE FROM app.kept"
  fail_the_upgrade
  assert_exit 5
  assert_same kept "$kept_before" "$(table_digest app.kept)"
  assert_same public "" "$(sql "SELECT to_regnamespace('public')")"
  assert_same path "app" "$(sql "SHOW search_path")"
}

# guards: put_in_extensions(): CREATE EXTENSION of a dump takes the newest version
@test "an extension comes back at its version" {
  sql "CREATE EXTENSION hstore VERSION '1.7'; CREATE TABLE bags (bag hstore); INSERT INTO bags VALUES ('a=>1')"
  destroy_then_fail
  fail_the_upgrade
  assert_restored
  assert_same version 1.7 "$(sql "SELECT extversion FROM pg_extension WHERE extname = 'hstore'")"
}

# guards: prove_schema() at verification: what the dump would bring back is not what is there
@test "an older extension in a schema of its own is refused before anything changed" {
  sql "CREATE SCHEMA ext; CREATE EXTENSION citext VERSION '1.5' SCHEMA ext"
  destroy_then_fail
  fail_the_upgrade
  assert_exit 7
  assert_stderr_has "extension citext"
  assert_same kept "$kept_before" "$(table_digest kept)"
}

# guards: that no step of the ladder needs more than the owner's rights
@test "a non-superuser owner with CREATEDB goes the whole ladder" {
  new_role builder CREATEDB
  sql "REASSIGN OWNED BY postgres TO builder" 2>/dev/null || true
  sql "ALTER DATABASE app OWNER TO builder; ALTER TABLE kept OWNER TO builder; ALTER TABLE theirs OWNER TO builder;
    ALTER SEQUENCE free_seq OWNER TO builder; ALTER SCHEMA public OWNER TO builder"
  destroy_then_fail
  DATABASE_URL=$(database_url app builder) fail_the_upgrade
  assert_restored
  assert_same owner builder "$(sql "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'")"
}

# guards: gate create-database
@test "an owner without CREATEDB is refused before the backup" {
  new_role plain
  sql "ALTER DATABASE app OWNER TO plain; ALTER TABLE kept OWNER TO plain; ALTER TABLE theirs OWNER TO plain;
    ALTER SEQUENCE free_seq OWNER TO plain"
  destroy_then_fail
  DATABASE_URL=$(database_url app plain) fail_the_upgrade
  assert_exit 3
  assert_stderr_has CREATEDB
  no_backup
}

# guards: quoting, from the count to the swap
@test "names with quotes, blanks and unicode through the whole ladder" {
  new_database "o'brien \"x\" Größe 数据"
  kept_tables
  sql "CREATE SCHEMA \"a \"\"b\"; CREATE TABLE \"a \"\"b\".\"t'able ü %I %s\" (\"col \"\"umn\" serial, \"数\" text);
    INSERT INTO \"a \"\"b\".\"t'able ü %I %s\" (\"数\") VALUES ('x'), (repeat('y', 10000))"
  destroy_then_fail "DELETE FROM kept; INSERT INTO \"a \"\"b\".\"t'able ü %I %s\" (\"数\") VALUES ('z');
    DROP TABLE theirs; CREATE TABLE \"ne w\" (n int)"
  fail_the_upgrade
  assert_restored
  assert_same rows 2 "$(sql "SELECT count(*) FROM \"a \"\"b\".\"t'able ü %I %s\"")"
  run_ripcord quarantine drop "$(jq -r .quarantine <<<"$output")" --yes
  assert_exit 0

  new_project
  new_database "o'brien \"x\" Größe 数据"
  kept_tables
  sql "CREATE SCHEMA \"a \"\"b\"; CREATE TABLE \"a \"\"b\".\"t'able ü %I %s\" (n int)"
  destroy_then_fail
  others after-backup "INSERT INTO \"a \"\"b\".\"t'able ü %I %s\" VALUES (1)"
  fail_the_upgrade
  assert_stuck "\"a \"\"b\".\"t'able ü %I %s\": 1 inserted"
}
