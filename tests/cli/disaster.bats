# The machine is gone: a store, a configuration and an empty server are left.
load lib/cluster
load lib/net
load lib/s3

# server_programs: the server's own, with an extension more.  It finds its share folder beside itself.
server_programs() {
  local there=$1/usr/lib/postgresql/15 share=$1/usr/share/postgresql
  mkdir -p "$there" "$share"
  cp -r /usr/lib/postgresql/15/bin "$there/bin"
  ln -s /usr/lib/postgresql/15/lib "$there/lib"
  cp -rs /usr/share/postgresql/15 "$share/15"
  cp "$BATS_TEST_DIRNAME"/../fixtures/disaster/ripcord_words* "$share/15/extension/"
  chmod -R a+rX "$1"
  echo "$there/bin"
}

setup_file() {
  export PROGRAMS
  PROGRAMS=$(mktemp -d /tmp/ripcord-test-programs-XXXXXX)
  chmod 755 "$PROGRAMS"
  export CLUSTER_BIN
  CLUSTER_BIN=$(server_programs "$PROGRAMS")
}
teardown_file() { rm -rf "$PROGRAMS"; }
setup() {
  new_project
  cluster_start
}
teardown() {
  [ -z "${NET_DIR:-}" ] || net_end
  [ -z "${S3_PID:-}" ] || s3_stop
  cluster_stop
}

# lose_server: what is there now dies; an empty one takes its place.
lose_server() {
  as_server "$(pg_bindir)/pg_ctl" -D "$CLUSTER_DIR/data" -m immediate -w stop >/dev/null
  cluster_start
  DATABASE_URL=$(database_url "$DATABASE")
  rm -rf .ripcord
}

# Every row of every table, every large object, where every sequence stands, and what hangs on the database.
contents() {
  sql "SELECT c.oid::regclass, query_to_xml(format('SELECT t::text COLLATE \"C\" AS r FROM ONLY %s t ORDER BY 1', c.oid::regclass), true, false, '')
       FROM pg_class c WHERE relkind IN ('r', 'm') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'ripcord', 'pg_toast') AND relname <> 'alembic_version'
       ORDER BY c.oid::regclass::text COLLATE \"C\"" "$1"
  sql "SELECT oid, lomowner::regrole, lomacl, obj_description(oid, 'pg_largeobject'), sha256(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid" "$1"
  sql "SELECT seqrelid::regclass, pg_sequence_last_value(seqrelid), seqincrement FROM pg_sequence ORDER BY seqrelid::regclass::text COLLATE \"C\"" "$1"
  sql "SELECT datname, datdba::regrole, pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, datacl,
       shobj_description(oid, 'pg_database'), (SELECT array_agg(setrole::regrole::text || setconfig::text ORDER BY 1) FROM pg_db_role_setting WHERE setdatabase = d.oid)
       FROM pg_database d WHERE datname = current_database()" "$1"
}

@test "everything: in three stores in one pass, and back on an empty server from each of the two far ones" {
  net_start
  s3_start
  new_role "O 'wner'"
  new_role reader "CONNECTION LIMIT 3"
  new_database "Buch \"x\" y's" "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' OWNER \"O 'wner'\""
  psql_on "$DATABASE" -f "$BATS_TEST_DIRNAME/../fixtures/disaster/everything.sql" >/dev/null
  local name
  name=$(sql_quote_ident "$DATABASE")
  sql "ALTER DATABASE $name SET work_mem = '5MB'; ALTER DATABASE $name SET search_path = app, public; COMMENT ON DATABASE $name IS 'ours'" postgres
  sql "ALTER ROLE reader IN DATABASE $name SET statement_timeout = '9s'; REVOKE CONNECT ON DATABASE $name FROM PUBLIC; GRANT CONNECT ON DATABASE $name TO reader" postgres
  export S3_SECRET=S3RVER
  configure "[ripcord]" "installation = books" "[backup]" "stores = local bucket sftp" "verify = read"
  s3_section "far/" >>ripcord.ini
  configure_net sftp
  fingerprint=$("$RIPCORD" fingerprint)
  contents "$DATABASE" >before
  [ "$(wc -l <before)" -gt 500 ] || fail "too little to compare"
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")

  for store in bucket sftp; do
    lose_server
    rm -rf backups
    run_ripcord restore --backup "$id" --as "$DATABASE" --yes --json -x "backup.stores=$store"
    assert_exit 0
    assert_json '.pinned and .heads == []'
    assert_same fingerprint "$fingerprint" "$("$RIPCORD" fingerprint)"
    contents "$DATABASE" >after
    diff before after || fail "not every row is back from $store"
    assert_same "role" "f 3" "$(sql "SELECT rolcanlogin, rolconnlimit FROM pg_roles WHERE rolname = 'reader'" postgres | tr '|' ' ')"
    run_ripcord current --json
    assert_json '.pinned'
  done
}

# Whose the newest backup is.
installation() { jq -r .installation "$(newest_backup)/manifest.json"; }

# A history of four revisions, backed up at the second.
billing() {
  new_database
  sql "ALTER DATABASE app SET search_path = shop, public" postgres
  make_revision r1 "" "CREATE SCHEMA shop; CREATE TABLE shop.t (n int); INSERT INTO shop.t VALUES (1)" "" "DROP SCHEMA shop CASCADE"
  make_revision r2 r1 "ALTER TABLE t ADD COLUMN body text" "" "ALTER TABLE t DROP COLUMN body"
  make_revision r3 r2 "INSERT INTO t VALUES (3, 'of r3')" "SELECT count(*) = 2 FROM t" "DELETE FROM t WHERE n = 3"
  make_revision r4 r3 "CREATE TABLE u (n int)" "" "DROP TABLE u"
  run_ripcord upgrade r2 --yes
  assert_exit 0
  run_ripcord backup --json
  assert_exit 0
  at_r2=$(jq -r .id <<<"$output")
}

@test "restore --to-revision upgrades what was backed up below it, with the database's own settings" {
  billing
  lose_server
  run_ripcord restore --to-revision r3 --as app --yes
  assert_exit 3
  assert_stderr_has "this one is $(hostname):$CLUSTER_PORT"
  run_ripcord restore --to-revision r3 --from "$(installation)" --as app --yes --json
  assert_exit 0
  assert_json '.backup == $id and .applied == ["r3"] and .heads == ["r3"] and .pinned' --arg id "$at_r2"
  assert_same rows "1|
3|of r3" "$(sql "SELECT * FROM t ORDER BY n")"
  assert_same setting "{\"search_path=shop, public\"}" "$(sql "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'app'" postgres)"
  run_ripcord current
  assert_stdout_has "r3 (pinned)"

  # An application that migrates at its start is stopped; so is another tool under the guard.
  run_ripcord upgrade head --yes --json
  assert_exit 3
  assert_json '.outcome == "refused" and (.failure.hint | contains("--unpin"))'
  run_ripcord guard --yes -- true
  assert_exit 3
  assert_same "heads" r3 "$(sql "SELECT version_num FROM public.alembic_version")"
  # A run that is taken back leaves the pin; one that works lifts it.
  make_revision r5 r4 "SELECT 1" "SELECT false" "SELECT 1"
  run_ripcord upgrade head --unpin --yes
  assert_exit 4
  run_ripcord current --json
  assert_json '.pinned and .heads == ["r3"]'
  run_ripcord upgrade r4 --unpin --yes
  assert_exit 0
  run_ripcord current --json
  assert_json '(.pinned | not) and .heads == ["r4"]'
}

@test "the pin is in the backup, and --unpin alone lifts it" {
  billing
  run_ripcord restore --to-revision r2 --swap --accept-loss --yes
  assert_exit 0
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  sql "DROP DATABASE app" postgres
  run_ripcord restore --backup "$id" --as app --yes
  assert_exit 0
  run_ripcord upgrade r2 --yes
  assert_exit 0
  run_ripcord current --json
  assert_json .pinned
  run_ripcord upgrade r2 --yes --unpin
  assert_exit 0
  run_ripcord current --json
  assert_json '.pinned | not'
}

@test "a revision that does not apply leaves nothing of the restored database" {
  billing
  make_revision bad r4 "SELECT 1/0"
  all=$(databases)
  run_ripcord restore --to-revision bad --as copy --yes
  [ "$status" != 0 ] || fail "it was restored"
  assert_stderr_has "revision bad"
  assert_same databases "$all" "$(databases)"
}

@test "another installation's backup is not restored without a flag or a key that names it" {
  configure "[ripcord]" "installation = production"
  billing
  all=$(databases)
  staging=(-x ripcord.installation=staging)
  for which in --backup="$at_r2" --to-revision=r3; do
    run_ripcord restore "$which" --as copy --yes "${staging[@]}"
    assert_exit 3
    assert_stderr_has "(production)"
    assert_stderr_has "this one is staging"
    assert_stderr_has "--from"
    assert_stderr_has "installation"
    run_ripcord restore "$which" --swap --accept-loss --yes "${staging[@]}"
    assert_exit 3
    run_ripcord restore "$which" --from elsewhere --as copy --yes "${staging[@]}"
    [ "$status" = 3 ] || [ "$status" = 7 ] || fail "exit $status"
    assert_stderr_has "elsewhere"
    assert_same databases "$all" "$(databases)"
  done
  # Staging's own are the only ones it looks at.
  run_ripcord backup --json "${staging[@]}"
  assert_exit 0
  own=$(jq -r .id <<<"$output")
  run_ripcord restore --to-revision r2 --as copy --yes --json "${staging[@]}"
  assert_exit 0
  assert_json '.backup == $id' --arg id "$own"
  sql "DROP DATABASE copy" postgres
  # The name, the system identifier with what it says, and the key are three ways on.
  run_ripcord restore --backup "$at_r2" --from production --as copy --yes "${staging[@]}"
  assert_exit 0
  sql "DROP DATABASE copy" postgres
  run_ripcord restore --backup "$at_r2" --from "$(sql "SELECT system_identifier FROM pg_control_system()" postgres)" --as copy --yes "${staging[@]}"
  assert_exit 0
  sql "DROP DATABASE copy" postgres
  run_ripcord restore --backup "$at_r2" --as copy --yes
  assert_exit 0
  sql "DROP DATABASE copy" postgres
}

@test "several clusters' backups of one name are told apart with --from" {
  configure "[ripcord]" "installation = billing"
  billing
  system=$(sql "SELECT system_identifier FROM pg_control_system()" postgres)
  rm -rf backups.kept && cp -r backups backups.kept
  lose_server
  new_database
  run_ripcord stamp r2
  assert_exit 0
  run_ripcord backup
  assert_exit 0
  run_ripcord restore --to-revision r2 --as copy --yes
  assert_exit 3
  assert_stderr_has "$system"
  assert_stderr_has "--from"
  run_ripcord restore --to-revision r2 --from "$system" --as copy --yes --json
  assert_exit 0
  assert_json '.backup == $id' --arg id "$at_r2"
  assert_same rows "1|" "$(sql "SELECT * FROM shop.t" copy)"
  run_ripcord restore --to-revision r2 --from 4711 --as copy2 --yes
  assert_exit 7
  # Without files only backups at the revision itself are known.
  run_ripcord restore --to-revision r2 --from "$system" --as copy3 --yes -x ripcord.migrations=nowhere
  assert_exit 0
  sql "DROP DATABASE copy" postgres
  sql "DROP DATABASE copy3" postgres
}

@test "a role that is no superuser restores what PostgreSQL allows it, and is told what not" {
  new_role maker CREATEDB
  new_database plain "OWNER maker"
  DATABASE_URL=$(database_url plain maker)
  SQL_ROLE=maker psql_on plain -c "CREATE TABLE t AS SELECT generate_series(1, 9) n" -c "CREATE EXTENSION citext"
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  sql "DROP DATABASE plain" postgres
  run_ripcord restore --backup "$id" --as plain --yes
  assert_exit 0
  assert_same owner maker "$(sql "SELECT tableowner FROM pg_tables WHERE tablename = 't'" plain)"
  psql_on plain -c "CREATE FUNCTION w() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'" -c "ALTER FUNCTION w() OWNER TO maker"
  psql_on plain -c "CREATE EVENT TRIGGER w ON sql_drop EXECUTE FUNCTION w()"
  DATABASE_URL=$(database_url plain)
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  DATABASE_URL=$(database_url plain maker)
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 3
  assert_stderr_has "only a superuser can restore"
  assert_same copy "" "$(sql "SELECT datname FROM pg_database WHERE datname = 'copy'" postgres)"
}

# What the server knows of a login, for whoever may read it.
login_of() { sql "SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '$1'" postgres; }

@test "a role that the server lacks is made with all that it was, but for its login" {
  new_database
  sql "CREATE ROLE boss SUPERUSER CREATEDB LOGIN CONNECTION LIMIT 2; CREATE ROLE clerk NOINHERIT CREATEROLE REPLICATION BYPASSRLS; GRANT boss TO clerk WITH ADMIN OPTION; COMMENT ON ROLE clerk IS 'quiet'" postgres
  facts() { sql "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit, shobj_description(r.oid, 'pg_authid'), (SELECT string_agg(roleid::regrole || ' ' || admin_option, ',') FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r WHERE rolname IN ('boss', 'clerk') ORDER BY 1" postgres; }
  was=$(facts)
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  sql "DROP ROLE clerk, boss" postgres
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 0
  assert_same roles "$was" "$(facts)"
  assert_same login f "$(sql "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'boss'" postgres)"
  sql "DROP DATABASE copy" postgres
  sql "DROP ROLE clerk, boss" postgres
}

@test "passwords of roles are in a backup, and come back, only when both are asked for" {
  new_database
  new_role writer
  new_role "a \"b\"; ALTER ROLE writer WITH SUPERUSER"
  sql "ALTER ROLE writer PASSWORD 'of writer' VALID UNTIL '2999-01-01'; ALTER ROLE \"a \"\"b\"\"; ALTER ROLE writer WITH SUPERUSER\" PASSWORD 'of the other'; CREATE ROLE grouped; COMMENT ON ROLE grouped IS 'a; \"b'' \\ c'" postgres
  sql "CREATE TABLE t (n int); ALTER TABLE t OWNER TO writer"
  hash=$(sql "SELECT rolpassword FROM pg_authid WHERE rolname = 'writer'" postgres)
  other=$(sql "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'a %'" postgres)
  was=$(login_of writer)
  [[ $hash == SCRAM-SHA-256* ]] || fail "no password to look for"
  run_ripcord backup --json
  assert_exit 0
  without=$(jq -r .id <<<"$output")
  run_ripcord backup create --json -vv -x backup.role_passwords=yes
  assert_exit 0
  with=$(jq -r .id <<<"$output")
  refute_stderr_has "SCRAM-SHA"
  ! grep -rq "SCRAM-SHA" .ripcord "$(newest_backup)/manifest.json" || fail "the hash is where people read"
  tar xOf "$(newest_backup)/backup.tar" roles.sql.zst | zstd -dc | grep -qF "$hash" || fail "the backup lacks the hash"
  forget() { sql "DROP DATABASE IF EXISTS app" postgres && sql "DROP ROLE writer, grouped, \"a \"\"b\"\"; ALTER ROLE writer WITH SUPERUSER\"" postgres; }

  forget
  run_ripcord restore --backup "$without" --role-passwords --as app --yes
  assert_exit 3
  assert_stderr_has "role_passwords = yes"
  run_ripcord restore --backup "$with" --as app --yes
  assert_exit 0
  assert_same login "f|" "$(login_of writer)"
  forget
  sql "CREATE ROLE grouped LOGIN PASSWORD 'its own'" postgres
  kept=$(login_of grouped)
  run_ripcord restore --backup "$with" --role-passwords --as app --yes -vv
  assert_exit 0
  refute_stderr_has "SCRAM-SHA"
  assert_same login "$was" "$(login_of writer)"
  assert_same login "t|$other" "$(sql "SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname LIKE 'a %'" postgres)"
  assert_same "one that was there" "$kept" "$(login_of grouped)"
  assert_same superuser f "$(sql "SELECT rolsuper FROM pg_roles WHERE rolname = 'writer'" postgres)"
  ! grep -rq "SCRAM-SHA" .ripcord || fail "the hash is in a journal"
  forget
}

@test "a backup with passwords by a role that may not read them says what it lacks" {
  new_role maker CREATEDB
  new_database plain "OWNER maker"
  DATABASE_URL=$(database_url plain maker)
  run_ripcord backup -x backup.role_passwords=yes
  assert_exit 7
  assert_stderr_has "role maker may not read the roles' passwords"
  assert_stderr_has "pg_authid"
  [ ! -d backups ] || [ -z "$(find backups -type f)" ] || fail "something was written"
  sql "GRANT SELECT ON pg_catalog.pg_authid TO maker" postgres
  run_ripcord backup -x backup.role_passwords=yes
  assert_exit 0
  sql "REVOKE SELECT ON pg_catalog.pg_authid FROM maker" postgres
}

@test "foreign tables and tablespaces come back, and a server that lacks a tablespace is refused before anything is made" {
  mkdir "$CLUSTER_DIR/fast" "$CLUSTER_DIR/slow"
  [ "$(id -u)" != 0 ] || chown postgres "$CLUSTER_DIR/fast" "$CLUSTER_DIR/slow"
  sql "CREATE TABLESPACE \"fa st\" LOCATION '$CLUSTER_DIR/fast'" postgres
  sql "CREATE TABLESPACE slow LOCATION '$CLUSTER_DIR/slow'" postgres
  new_database far "TABLESPACE \"fa st\""
  sql "CREATE TABLE there AS SELECT generate_series(1, 7) n; CREATE TABLE cold TABLESPACE slow AS SELECT generate_series(1, 5) n; CREATE INDEX cold_n ON cold (n)
       TABLESPACE pg_default; CREATE EXTENSION postgres_fdw; CREATE SERVER \"other's\" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$CLUSTER_PORT', dbname 'far');
       CREATE USER MAPPING FOR postgres SERVER \"other's\" OPTIONS (user 'postgres', password 'top s3cret'); CREATE FOREIGN TABLE \"Here\" (n int) SERVER \"other's\" OPTIONS (table_name 'there')"
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  ! grep -rq "top s3cret" .ripcord "$(newest_backup)/manifest.json" || fail "the mapping's password is where people read"
  jq -e '.rows | has("public.cold") and (has("public.\"Here\"") | not)' "$(newest_backup)/manifest.json" || fail "other rows"
  run_ripcord restore --backup "$id" --as back --yes
  assert_exit 0
  assert_same "through the wrapper" 28 "$(sql 'SELECT sum(n) FROM "Here"' back)"
  assert_same "tablespaces" "fa st|slow|pg_default" "$(sql "SELECT (SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = 'back'), (SELECT tablespace FROM pg_tables WHERE tablename = 'cold'), (SELECT tablespace FROM pg_indexes WHERE indexname = 'cold_n')" back)"
  sql "DROP DATABASE back" postgres
  # A table's own tablespace alone is missing, then the database's.
  run_ripcord backup drill "$id"
  assert_exit 0
  lose_server
  installation=$(jq -r .installation "$(newest_backup)/manifest.json")
  mkdir "$CLUSTER_DIR/fast"
  [ "$(id -u)" != 0 ] || chown postgres "$CLUSTER_DIR/fast"
  run_ripcord restore --backup "$id" --from "$installation" --as far --yes
  assert_exit 3
  assert_stderr_has "tablespace"
  sql "CREATE TABLESPACE \"fa st\" LOCATION '$CLUSTER_DIR/fast'" postgres
  run_ripcord restore --backup "$id" --from "$installation" --as far --yes
  assert_exit 3
  assert_stderr_has "tablespace slow"
  assert_same database "" "$(sql "SELECT datname FROM pg_database WHERE datname = 'far'" postgres)"
}

@test "a role with CREATEDB alone: its own database comes back; what it may not do is said first" {
  new_role maker CREATEDB
  new_role helper
  new_database plain "OWNER maker"
  SQL_ROLE=maker psql_on plain -c "CREATE TABLE t AS SELECT generate_series(1, 9) n" -c "GRANT SELECT ON t TO helper"
  SQL_ROLE=maker psql_on postgres -c "ALTER DATABASE plain SET work_mem = '5MB'" -c "COMMENT ON DATABASE plain IS 'ours'"
  DATABASE_URL=$(database_url plain maker)
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  sql "DROP DATABASE plain" postgres
  run_ripcord restore --backup "$id" --as plain --yes
  assert_exit 0
  assert_same rows 9 "$(sql "SELECT count(*) FROM t" plain)"
  assert_same acl "{maker=arwdDxt/maker,helper=r/maker}" "$(sql "SELECT relacl FROM pg_class WHERE relname = 't'" plain)"
  assert_same database "maker|ours|{work_mem=5MB}" "$(sql "SELECT datdba::regrole, shobj_description(d.oid, 'pg_database'), setconfig FROM pg_database d JOIN pg_db_role_setting ON setdatabase = d.oid WHERE datname = 'plain'" postgres)"
  # A role that is not there: only who may create roles makes it, without login.
  sql "REVOKE ALL ON t FROM helper; DROP ROLE helper" plain
  all=$(databases)
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 3
  assert_stderr_has "helper"
  assert_stderr_has "roles.sql"
  assert_same databases "$all" "$(databases)"
  sql "ALTER ROLE maker CREATEROLE" postgres
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 0
  assert_same helper f "$(sql "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'helper'" postgres)"
  assert_same acl "{maker=arwdDxt/maker,helper=r/maker}" "$(sql "SELECT relacl FROM pg_class WHERE relname = 't'" copy)"
  sql "DROP DATABASE copy" postgres

  # What belongs to others, settings that are a superuser's, and roles above: refused before anything is made.
  sql "ALTER TABLE t OWNER TO helper" plain
  DATABASE_URL=$(database_url plain)
  run_ripcord backup --json
  owned=$(jq -r .id <<<"$output")
  sql "ALTER TABLE t OWNER TO maker" plain
  sql "ALTER DATABASE plain SET log_min_duration_statement = '1s'" postgres
  run_ripcord backup --json
  set=$(jq -r .id <<<"$output")
  sql "ALTER DATABASE plain RESET log_min_duration_statement; CREATE ROLE above SUPERUSER" postgres
  run_ripcord backup --json
  above=$(jq -r .id <<<"$output")
  sql "DROP ROLE above" postgres
  DATABASE_URL=$(database_url plain maker)
  all=$(databases)
  run_ripcord restore --backup "$owned" --as copy --yes
  assert_exit 3
  assert_stderr_has "cannot give objects to helper"
  run_ripcord restore --backup "$above" --as copy --yes
  assert_exit 3
  assert_stderr_has "above"
  run_ripcord restore --backup "$set" --as copy --yes
  assert_exit 3
  assert_stderr_has "log_min_duration_statement"
  assert_same databases "$all" "$(databases)"
}
