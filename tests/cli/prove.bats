#!/usr/bin/env bats
# ripcord prove: what a downgrade is worth, on a scratch database.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
}

scratches() { sql "SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_scratch\\_%'" postgres; }

verdict() { jq -r --arg r "$1" '.[] | select(.revision == $r) | .verdict' <<<"$output"; }

# A history with one revision of each verdict.
make_history() {
  make_revision base1 "" "CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL, nick text)" "" "DROP TABLE person"
  make_revision good2 base1 "ALTER TABLE person ADD COLUMN mail text" "SELECT count(*) >= 0 FROM person" \
    "ALTER TABLE person DROP COLUMN mail"
  make_revision loss3 good2 "ALTER TABLE person DROP COLUMN mail" "" "ALTER TABLE person ADD COLUMN mail text"
  make_revision wrong4 loss3 "CREATE INDEX person_name ON person (name); ALTER TABLE person ALTER nick SET DEFAULT 'x'" "" \
    "DROP INDEX person_name"
  DOWNGRADE_OPTIONS='irreversible="names are folded"' make_revision told5 wrong4 \
    "UPDATE person SET name = lower(name)" "" "SELECT 1"
  make_revision none6 told5 "CREATE TABLE extra (a int)"
}

@test "each revision gets its verdict, and what differs is named" {
  make_history
  run_ripcord prove --json
  assert_exit 3
  assert_json 'map(.verdict) == ["reversible", "reversible", "loses-data", "irreversible", "irreversible", "irreversible"]'
  assert_json '.[2].loses == ["column public.person.mail"]'
  assert_json '.[3].differs | any(contains("public.person.nick"))'
  assert_json '.[4].declared and .[4].reason == "names are folded" and (.[5].declared | not)'
  assert_same "scratch databases" 0 "$(scratches)"
  # Nothing of it has touched the live database.
  assert_same relations 0 "$(sql "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'ripcord')")"
  run_ripcord prove good2 told5
  assert_exit 0
  assert_stdout_has "reversible   good2"
  assert_stdout_has "declared     told5"
}

@test "with rows the content is compared, and what a downgrade does not bring back is named" {
  make_revision a "" "CREATE TYPE mood AS ENUM ('ok', 'bad');
    CREATE TABLE owner (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL, m mood, u uuid, j jsonb, d date, n numeric(12,2));
    CREATE TABLE \"It\"\"em\" (id bigserial PRIMARY KEY, owner_id int NOT NULL REFERENCES owner, at timestamptz, ip inet, tags text[], i int)" "" \
    "DROP TABLE \"It\"\"em\"; DROP TABLE owner; DROP TYPE mood"
  make_revision b a "ALTER TABLE owner ALTER n TYPE int" "" "ALTER TABLE owner ALTER n TYPE numeric(12,2)"
  make_revision c b "UPDATE owner SET name = 'same'" "" "SELECT 1"
  make_revision d c "DELETE FROM \"It\"\"em\"" "" "SELECT 1"
  make_revision e d "ALTER TABLE owner ADD CONSTRAINT never CHECK (id > 1000)" "" "ALTER TABLE owner DROP CONSTRAINT never"
  make_revision f e "CREATE TABLE strict (a text NOT NULL CHECK (a ~ 'no number'), b int)" "" "DROP TABLE strict"
  make_revision g f "ALTER TABLE owner ADD COLUMN x int" "" "ALTER TABLE owner DROP COLUMN x"
  run_ripcord prove --sample 20 --json
  assert_exit 0
  assert_json 'map(.verdict) == ["reversible", "reversible", "loses-data", "loses-data", "reversible", "reversible", "reversible"]'
  # The version table, which is empty below the first one, is given none.
  assert_json '.[0].sample == 20 and .[0].notes == []'
  assert_json '.[1].sample == 20 and .[2].loses == ["column public.owner.name"]'
  assert_json '.[3].loses == ["table public.\"It\"\"em\""]'
  # An upgrade that does not take the rows is proven without them, and that is said.
  assert_json '.[4].sample == 0 and (.[4].notes[0] | contains("never"))'
  assert_json '.[6].sample == 20 and (.[6].notes | any(contains("public.strict")))'
  # Without rows the schema alone tells, and the verdict with them is kept.
  run_ripcord prove c --json
  assert_json '.[0].verdict == "reversible"'
  run_ripcord prove --sample x
  assert_exit 2
}

@test "branches, a merge, depends-on, batches and transaction=off are proven where they can stand" {
  make_revision r "" "CREATE TABLE t (a int, b int)" "" "DROP TABLE t"
  make_revision left r "ALTER TABLE t ADD COLUMN l int" "" "ALTER TABLE t DROP COLUMN l"
  UPGRADE_OPTIONS=transaction=off DOWNGRADE_OPTIONS=transaction=off make_revision right r \
    "CREATE INDEX CONCURRENTLY t_a ON t (a); CREATE INDEX CONCURRENTLY t_b ON t (b)" "" \
    "DROP INDEX CONCURRENTLY t_b; DROP INDEX CONCURRENTLY t_a"
  make_revision both "left, right" "CREATE TEMP TABLE tmp AS SELECT 1 AS l; CREATE VIEW v AS SELECT l FROM t" "" "DROP VIEW v"
  make_revision apart "" "CREATE TABLE other (a int)" "" "DROP TABLE other"
  sed -i 's/^-- message: revision apart/&\n-- depends-on: left/' "$(revision_file apart)"
  run_ripcord prove --json
  assert_exit 0
  assert_json 'length == 5 and all(.[]; .verdict == "reversible")'
  run_ripcord prove both apart --json
  assert_exit 0
  assert_json 'map(.revision) | sort == ["apart", "both"]'
  run_ripcord prove nothing
  assert_exit 2
}

@test "a revision that does not apply, or reaches beyond its database, is an error with its reason" {
  make_revision a "" "CREATE TABLE t (a int)" "" "DROP TABLE t"
  make_revision b a "ALTER TABLE t ADD COLUMN b int" "SELECT false" "ALTER TABLE t DROP COLUMN b"
  make_revision c b "SELECT 1" "" "SELECT 1"
  make_revision d a "CREATE ROLE prove_reach" "" "DROP ROLE prove_reach"
  make_revision e a "DO \$\$ BEGIN EXECUTE 'CREATE ROLE ' || 'prove_reach'; END \$\$" "" "DO \$\$ BEGIN EXECUTE 'DROP ROLE ' || 'prove_reach'; END \$\$"
  make_revision f a "ALTER TABLE t ADD COLUMN f int" "" "ALTER TABLE t DROP COLUMN nowhere"
  run_ripcord prove --json
  assert_exit 3
  assert_same a reversible "$(verdict a)"
  assert_same b error "$(verdict b)"
  assert_json '.[] | select(.revision == "c") | .reason | contains("revision b, which comes before it")'
  assert_same d error "$(verdict d)"
  assert_same e error "$(verdict e)"
  assert_json '.[] | select(.revision == "e") | .reason | contains("pg_auth")'
  assert_json '.[] | select(.revision == "f") | .verdict == "irreversible" and (.reason | contains("nowhere"))'
  assert_same roles 0 "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = 'prove_reach'" postgres)"
  assert_same "scratch databases" 0 "$(scratches)"
}

@test "rows of a foreign table are another server's: nothing reaches it" {
  sql "CREATE TABLE live (a int); INSERT INTO live VALUES (1)"
  make_revision a "" "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$CLUSTER_DIR', port '$CLUSTER_PORT', dbname '$DATABASE');
    CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'postgres'); CREATE FOREIGN TABLE f (a int) SERVER s OPTIONS (schema_name 'public', table_name 'live')" "" \
    "DROP FOREIGN TABLE f; DROP SERVER s CASCADE; DROP EXTENSION postgres_fdw"
  make_revision b a "CREATE TABLE got AS SELECT a FROM f; ALTER FOREIGN TABLE f ADD COLUMN b int" "" \
    "ALTER FOREIGN TABLE f DROP COLUMN b; DROP TABLE got"
  make_revision c b "DELETE FROM f" "" "SELECT 1"
  make_revision d b "CREATE TABLE parts (a int) PARTITION BY RANGE (a); CREATE FOREIGN TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9) SERVER s OPTIONS (table_name 'live');
    CREATE TABLE own (a int); CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO part VALUES (NEW.a); RETURN NEW; END';
    CREATE TRIGGER copy AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION copy()" "" "DROP TABLE own, parts; DROP FUNCTION copy"
  make_revision e d "SELECT 1" "" "SELECT 1"
  run_ripcord prove --sample 5 --json
  assert_exit 3
  assert_json 'map(.verdict) == ["reversible", "reversible", "error", "reversible", "reversible"]'
  assert_json '.[4].notes | any(contains("public.own") and contains("it writes part, which belongs to another server"))'
  assert_json '.[2].reason | contains("it writes f, which belongs to another server")'
  assert_same live 1 "$(sql "SELECT string_agg(a::text, ',') FROM live")"
}

@test "it needs no live database, but the right to create one" {
  make_revision a "" "CREATE TABLE t (a int)" "" "DROP TABLE t"
  new_role maker CREATEDB
  new_role plain
  DATABASE_URL=$(database_url nowhere maker) run_ripcord prove --json
  assert_exit 0
  assert_json '.[0].verdict == "reversible"'
  DATABASE_URL=$(database_url nowhere plain) run_ripcord prove --json
  assert_exit 1
  assert_stderr_has "permission denied to create database"
}

@test "cut off by a signal it leaves nothing; killed, the next one drops what was left" {
  make_revision a "" "CREATE TABLE t (a int); SELECT pg_sleep(0.4)" "" "DROP TABLE t"
  make_revision b a "SELECT pg_sleep(30)" "" "SELECT 1"
  for signal in INT KILL; do
    "$RIPCORD" prove >out 2>&1 3>&- &
    pid=$!
    wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '"'%pg_sleep(30)%'"' AND datname LIKE '"'%scratch%'"'" postgres)" = 1 ]'
    kill -$signal $pid
    wait $pid && fail "it was not cut off"
    if [ $signal = INT ]; then assert_same "scratch databases" 0 "$(scratches)"; fi
  done
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '%scratch%'" postgres
  wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '"'%scratch%'"'" postgres)" = 0 ]'
  assert_same "scratch databases" 1 "$(scratches)"
  run_ripcord prove a
  assert_exit 0
  assert_stderr_has "was left over, and is dropped"
  assert_same "scratch databases" 0 "$(scratches)"
}

# A live database at mail2 with rows that nobody could make up, and a backup of it; drop3, mail4 and bad5 are to come.
make_backup() {
  make_revision base1 "" "CREATE TYPE mood AS ENUM ('ok', 'bad');
    CREATE TABLE \"Per\"\"son\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL CHECK (name ~ '^[A-Z][a-z]+$'), m mood, born timestamptz,
      upper text GENERATED ALWAYS AS (upper(name)) STORED);
    CREATE TABLE pet (id serial PRIMARY KEY, owner int NOT NULL REFERENCES \"Per\"\"son\", parent int REFERENCES pet, name text CHECK (name ~ '^[A-Z]'));
    CREATE TABLE parts (id int, at date) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
    CREATE TABLE bare (a text NOT NULL CHECK (a ~ 'no number')); CREATE TABLE fresh (a int)" "" \
    "DROP TABLE fresh, bare, parts, pet, \"Per\"\"son\"; DROP TYPE mood"
  make_revision mail2 base1 "ALTER TABLE \"Per\"\"son\" ADD COLUMN mail text" "" "ALTER TABLE \"Per\"\"son\" DROP COLUMN mail"
  run_ripcord upgrade mail2 --yes --json
  assert_exit 0
  sql "INSERT INTO \"Per\"\"son\" (name, m, born, mail) SELECT 'Zacharias' || translate(n::text, '0123456789', 'abcdefghij'), 'bad', '2001-02-03 04:05', 'M' || n || '@x' FROM generate_series(1, 300) n;
    INSERT INTO pet (owner, parent, name) SELECT CASE WHEN n % 20 = 1 THEN 3 ELSE 300 END, NULL, 'Pet' FROM generate_series(1, 300) n;
    UPDATE pet SET parent = CASE id WHEN 81 THEN 82 ELSE id - 20 END WHERE id > 20; INSERT INTO parts SELECT n, '2001-01-01' FROM generate_series(1, 50) n"
  backup=$(run_ripcord backup --json && jq -r .id <<<"$output")
}

# No row of the backup's is told or kept.
assert_hidden() {
  [[ $output$stderr != *Zacharias* ]] || fail "a name is shown: $output$stderr"
  ! grep -rq Zacharias .ripcord || fail "a name is kept: $(grep -rl Zacharias .ripcord)"
}

# Of person 3's pets 1, 21, 41 ... the one with number 81 comes from another's, and with it go those behind it.
@test "rows of a backup show what made ones cannot, and go nowhere" {
  make_backup
  make_revision loss3 mail2 "ALTER TABLE \"Per\"\"son\" ALTER born TYPE date; UPDATE \"Per\"\"son\" SET mail = lower(mail)
    WHERE (SELECT count(*) FROM pet) > 1" "" "ALTER TABLE \"Per\"\"son\" ALTER born TYPE timestamptz"
  make_revision count4 loss3 "INSERT INTO pet (owner, name) SELECT min(id), 'New' FROM \"Per\"\"son\" HAVING count(*) > 0" \
    "SELECT count(*) IN (0, 10) FROM \"Per\"\"son\"; SELECT count(*) IN (0, 5) FROM pet; SELECT count(*) IN (0, 3) FROM pet WHERE parent IS NOT NULL;
    SELECT count(*) IN (0, 10) FROM parts; SELECT count(*) IN (0, 10) FROM fresh" "DELETE FROM pet WHERE name = 'New'"
  make_revision cast5 count4 "ALTER TABLE \"Per\"\"son\" ADD COLUMN n int; DO \$\$ BEGIN UPDATE \"Per\"\"son\" SET n = name::int; END \$\$" "" \
    "ALTER TABLE \"Per\"\"son\" DROP COLUMN n"
  make_revision back6 count4 "SELECT 1" "" "DO \$\$ BEGIN RAISE EXCEPTION 'no way back for %', (SELECT min(name) FROM \"Per\"\"son\"); END \$\$"
  run_ripcord prove loss3 --sample 10 --json
  assert_json '.[0].verdict == "reversible" and .[0].backup == null and (.[0].notes | any(contains("Per")))'

  run_ripcord prove --sample 10 --backup newest --json
  assert_exit 3
  assert_json 'map(.verdict) == ["reversible", "reversible", "loses-data", "reversible", "reversible", "irreversible"]'
  assert_json '.[2].loses == ["column public.\"Per\"\"son\".born", "column public.\"Per\"\"son\".mail"]'
  assert_json '.[2:4] | all(.[]; .sample == 10 and .backup == $b and .copied == ["public.\"Per\"\"son\"", "public.parts", "public.pet"])' --arg b "$backup"
  assert_json '.[3].notes | any(contains("copied for public.fresh: the backup has none")) and any(contains("made for public.bare"))'
  # Where the rows do not fit it is tried without them, and the server's words are not told.
  assert_json '.[4].sample == 0 and .[4].backup == null and .[4].copied == [] and (.[4].notes[0] | contains("of the backup") and contains("22P02"))'
  assert_json '.[5].reason | contains("its downgrade fails") and contains("P0001")'
  assert_hidden
  assert_same "scratch databases" 0 "$(scratches)"
  # A later proof with made rows does not take that back.
  run_ripcord prove loss3 --sample 20
  run_ripcord upgrade loss3 --plan
  assert_stdout_has "lose data: column"
  # What a revision keeps of the rows is hidden as they are.
  make_revision keep7 count4 "CREATE TABLE kept AS SELECT name FROM \"Per\"\"son\"" "" "DROP TABLE kept"
  make_revision tell8 keep7 "DO \$\$ BEGIN IF EXISTS (SELECT FROM kept) THEN RAISE EXCEPTION '%', (SELECT min(name) FROM kept); END IF; END \$\$"
  make_revision last9 tell8 "SELECT 1" "" "SELECT 1"
  run_ripcord prove keep7 last9 --sample 10 --backup "${backup:0:20}"
  assert_exit 0
  assert_stdout_has "rows of backup $backup"
  assert_stdout_has "revision tell8, which comes before it, does not apply: the server refused it with SQLSTATE P0001"
  assert_hidden
}

@test "without a backup that can be had it is exit 7; two scratch databases go with a signal, or with the next proof" {
  make_revision a "" "CREATE TABLE t (a int)" "" "DROP TABLE t"
  run_ripcord prove --sample 1 --backup newest
  assert_exit 7
  assert_stderr_has "no verified backup"
  run_ripcord prove --backup newest
  assert_exit 2
  assert_stderr_has "--sample"
  run_ripcord upgrade a --yes --json
  assert_exit 0
  run_ripcord backup --json
  make_revision b a "SELECT pg_sleep(30)" "" "SELECT 1"
  for signal in INT KILL; do
    "$RIPCORD" prove --sample 1 --backup newest >out 2>&1 3>&- &
    pid=$!
    wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '"'%pg_sleep(30)%'"' AND datname LIKE '"'%scratch%'"'" postgres)" = 1 ]'
    assert_same "scratch databases" 2 "$(scratches)"
    kill -$signal $pid
    wait $pid && fail "it was not cut off"
    if [ $signal = INT ]; then assert_same "scratch databases" 0 "$(scratches)"; fi
  done
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE '%scratch%'" postgres
  wait_until 30 eval '[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '"'%scratch%'"'" postgres)" = 0 ]'
  assert_same "scratch databases" 2 "$(scratches)"
  run_ripcord prove a
  assert_exit 0
  assert_same "scratch databases" 0 "$(scratches)"
  tar=$(newest_backup)/backup.tar
  turn_byte "$tar" $(($(stat -c %s "$tar") / 3))
  run_ripcord prove a --sample 1 --backup newest --json
  assert_exit 7
  assert_same "scratch databases" 0 "$(scratches)"
  age-keygen -o key 2>/dev/null
  run_ripcord backup --json -x backup.verify=read -x backup.recipients="$(age-keygen -y key)"
  run_ripcord prove a --sample 1 --backup newest
  assert_exit 7
  assert_stderr_has "is encrypted, and there is no key"
}

@test "the plan shows what was proven, and a downgrade that does not lead back is refused where nothing else does" {
  make_history
  run_ripcord upgrade good2 --plan
  assert_stdout_has "[not proven]"
  run_ripcord prove good2 --sample 5
  run_ripcord prove loss3 wrong4 told5
  assert_exit 3
  run_ripcord upgrade head --plan
  assert_exit 0
  [[ $output =~ base1[^$'\n']*"[not proven]" ]] || fail "base1 was never proven"
  [[ $output =~ good2[^$'\n']*"[proven reversible with 5 rows a table]" ]] || fail "good2 was proven"
  [[ $output =~ loss3[^$'\n']*"lose data: column public.person.mail]" ]] || fail "loss3 loses mail"
  [[ $output =~ wrong4[^$'\n']*"[proven irreversible]" ]] || fail "wrong4 does not lead back"
  assert_stdout_has "warn         proofs: proven not to lead back: wrong4"
  run_ripcord upgrade head --yes --json -x guard.on_failure=downgrade
  assert_exit 3
  assert_json '.failure.message | contains("wrong4 (proofs)")'
  # A file that was edited is another one.
  sed -i 's/DROP INDEX person_name;/& ALTER TABLE person ALTER nick DROP DEFAULT;/' "$(revision_file wrong4)"
  run_ripcord upgrade head --plan -x guard.on_failure=downgrade
  assert_exit 0
  run_ripcord prove wrong4
  assert_exit 0
  # Nor does a folder that cannot be read stop a run.
  printf 'x' >"$(find .ripcord/proofs -type f | head -1)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
}

@test "the ladder tries no downgrade that is proven not to lead back" {
  make_revision a "" "CREATE TABLE t (a int)" "" "DROP TABLE t"
  make_revision b a "ALTER TABLE t ADD COLUMN b int; CREATE INDEX t_a ON t (a)" "" "DROP INDEX t_a"
  make_revision c b "SELECT 1" "SELECT false" "SELECT 1"
  run_ripcord upgrade a --yes --json
  assert_exit 0
  run_ripcord prove b
  assert_exit 3
  run_ripcord upgrade c --yes --json
  assert_exit 5
  assert_json '.outcome == "restored"'
  assert_stderr_has "the downgrade of revision b is proven not to lead back"
  journal=$(find .ripcord/runs -name '*.jsonl' -newer "$(find .ripcord/proofs -type f)")
  jq -se 'any(.[]; .step == "downgrade" and .event == "next") and all(.[]; .step != "downgrade" or .event != "begin")' "$journal"
  # What lives on is the database of before.
  assert_same heads a "$(sql "SELECT version_num FROM alembic_version")"
}
