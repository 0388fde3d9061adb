# ripcord revision --autogenerate, check --autogenerate: revisions that are proven before they are written.
load lib/cluster
load lib/autogenerate

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() { autogenerate_project; }

# Nothing is left over, whatever the command has said.
teardown() { assert_same databases "$all" "$(databases)"; }

@test "a column is added to schema.sql: written, applied, clean, and back" {
  first_applied
  rows=$(table_digest contact)
  contact_sql >schema.sql
  echo 'ALTER TABLE contact ADD is_billing_contact boolean NOT NULL DEFAULT false;' >>schema.sql
  run_ripcord check
  assert_exit 0
  run_ripcord check --autogenerate --json
  assert_exit 3
  assert_json '(.ok | not) and .problems[0].kind == "schema" and (.problems[0].message | test("is_billing_contact"))'
  MESSAGE="add is_billing_contact" generate
  [[ $file == *_add_is_billing_contact.sql ]] || fail "name: $file"
  grep -q '^ALTER TABLE public.contact ADD COLUMN is_billing_contact boolean DEFAULT false NOT NULL;$' "$file"
  grep -q '^ALTER TABLE public.contact DROP COLUMN is_billing_contact;$' "$file"
  upgrade_and_check
  run_ripcord downgrade -1 --yes
  assert_exit 0
  assert_same rows "$rows" "$(table_digest contact)"
  run_ripcord diff --from live --to replay --exit-code
  assert_exit 3
}

@test "nothing to do is no file, and several heads or no source are refused" {
  first_revision
  run_ripcord revision --autogenerate -m nothing --json
  assert_exit 0
  assert_json '.equal and .revisions == []'
  assert_stderr_has "nothing to do"
  assert_same files 1 "$(files)"
  # The live database need not be there.
  run_ripcord revision --autogenerate -m nothing -x database.url="$(database_url missing)"
  assert_exit 0
  assert_same files 1 "$(files)"
  refused 2 "no desired state" -x schema.source=
  refused 2 "no hazard" --allow everything
  refused 2 "--splice does not go with --autogenerate" --head base --splice
  for flag in "--allow drop" --concurrently; do
    # shellcheck disable=SC2086
    run_ripcord revision -m plain $flag
    assert_exit 2
  done
}

@test "a folder, a program and another database are desired states" {
  first_revision
  mkdir desired
  contact_sql >desired/1.sql
  echo 'CREATE TABLE more (a int);' >desired/2.sql
  generate -x schema.source=desired
  grep -q 'CREATE TABLE public.more' "$file"
  run_ripcord revision --autogenerate -m nothing -x "schema.source=command:cat desired/1.sql desired/2.sql"
  assert_exit 0
  assert_same output "" "$output"
  cat desired/*.sql | psql_on app -f -
  sql "CREATE TABLE live (a int)"
  generate -x "schema.source=$DATABASE_URL"
  grep -q 'CREATE TABLE public.live' "$file"
}

@test "the verify has a hint, which passes" {
  first_revision
  sed -n '/^-- ripcord:verify$/,/^-- ripcord:downgrade/p' "$file" | grep -q '^-- SELECT NOT EXISTS'
  sed -i 's/^-- SELECT NOT EXISTS.*/SELECT NOT EXISTS (SELECT FROM contact WHERE id = 1);/' "$file"
  upgrade_and_check
}

@test "what loses data or rewrites a table is refused until it is allowed" {
  first_revision
  echo 'CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);' >schema.sql
  refused 3 "ALTER TABLE public.contact DROP COLUMN mail"
  assert_stderr_has "--allow drop"
  refused 3 "DROP COLUMN mail" --allow rewrite
  generate --allow rewrite,drop
  grep -q '^-- data loss$' "$file"
  echo 'CREATE TABLE contact (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);' >schema.sql
  refused 3 "rewrite tables: ALTER TABLE public.contact"
  configure "allow = rewrite"
  generate
  run_ripcord check --autogenerate
  assert_exit 0
}

@test "a rename is said by flag or by comment, and keeps the rows" {
  first_applied
  contact_sql | sed 's/mail text/email text/; s/(mail)/(email)/' >schema.sql
  refused 3 "--rename public.contact.mail=email if that is a rename"
  refused 2 "two names" --rename public.contact.mail
  generate --rename public.contact.mail=email
  refute_stderr_has "if that is a rename"
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same rows "1|a@b 2|c@d" "$(sql "SELECT id, email FROM contact ORDER BY id" | paste -sd' ')"
  {
    echo '-- ripcord:rename public.contact "Kontakt ü"'
    echo '-- ripcord:rename public."Kontakt ü".email mail'
    echo 'CREATE TABLE "Kontakt ü" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text NOT NULL);'
    echo 'CREATE INDEX contact_mail ON "Kontakt ü" (lower(mail));'
  } >schema.sql
  generate
  # What has its table's name in its own goes along, the key unbuilt and the identity at its count.
  grep -q 'ALTER TABLE public."Kontakt ü" RENAME CONSTRAINT contact_pkey TO "Kontakt ü_pkey";' "$file"
  grep -q 'ALTER SEQUENCE public.contact_id_seq RENAME TO "Kontakt ü_id_seq";' "$file"
  upgrade_and_check
  sql "INSERT INTO \"Kontakt ü\" (mail) VALUES ('e@f')"
  assert_same rows "1|a@b 2|c@d 3|e@f" "$(sql 'SELECT id, mail FROM "Kontakt ü" ORDER BY id' | paste -sd' ')"
  # Done already: the comment may stay.
  run_ripcord revision --autogenerate -m nothing
  assert_exit 0
  assert_same output "" "$output"
  run_ripcord downgrade base --yes
  assert_exit 0
  echo '-- ripcord:rename one' >schema.sql
  refused 2 "schema.sql:1:"
}

@test "a source that does not load names file and line, and a history that does not is none" {
  first_revision
  printf 'CREATE TABLE t (a int);\nCREATE VIEW v AS SELECT b FROM t;\n' >schema.sql
  refused 1 "schema.sql:2:"
  echo '\dt' >schema.sql
  refused 2 "schema.sql:1:"
  refused 2 "no file or folder" -x schema.source=nowhere.sql
  run_ripcord check --autogenerate -x schema.source=nowhere.sql
  assert_exit 2
  contact_sql >schema.sql
  make_revision broken "$(sed -n 's/^-- revision: //p' "$file")" "CREATE TABLE contact (a int)"
  refused 1 "revision broken"
}

@test "a value is committed before it is used: two revisions" {
  echo "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (m mood DEFAULT 'ok', n int);" >schema.sql
  generate
  {
    echo "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE t (m mood DEFAULT 'bad', n int, o int);"
    echo "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT count(*)::int FROM t';"
  } >schema.sql
  run_ripcord revision --autogenerate -m bad --json
  assert_exit 0
  assert_json '(.revisions | length) == 2 and .revisions[1].down_revisions == [.revisions[0].revision]'
  assert_json '.revisions[1].message == "bad, part 2"'
  run_ripcord prove --json
  assert_json 'length == 3 and all(.[]; .verdict == "reversible")'
}

@test "what cannot be expressed, or does not lead there, is not written" {
  first_revision
  {
    contact_sql
    echo "CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION nowhere();"
  } >schema.sql
  refused 1 "schema.sql:3:"
  contact_sql >schema.sql
  # A template that leaves the downgrade out.
  # shellcheck disable=SC2016
  printf -- '-- revision: ${revision}\n-- revises: ${revises}\n-- message: ${message}\n-- ripcord:upgrade\n${upgrade}\n-- ripcord:downgrade\n' >migrations/revision.sql.template
  echo 'CREATE TABLE more (a int);' >>schema.sql
  refused 3 "+ table public.more"
  assert_stderr_has "the downgrade does not lead back"
}

@test "what was changed by hand becomes a revision, and from = live asks for none" {
  first_applied
  sql "ALTER TABLE contact ADD by_hand int"
  refused 3 "by_hand" -x schema.from=live
  assert_stderr_has "--live"
  generate --live
  assert_stderr_has "ripcord stamp"
  grep -q 'ADD COLUMN by_hand integer' "$file"
  refused 3 "not at the history's head" --live
  run_ripcord stamp head
  assert_exit 0
  echo 'ALTER TABLE contact ADD by_hand int;' >>schema.sql
  run_ripcord check --autogenerate
  assert_exit 0
  run_ripcord revision --autogenerate -m nothing -x schema.from=live
  assert_exit 0
  assert_same output "" "$output"
}

is_asleep() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'" postgres)" = 1 ]; }
is_quiet() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%'" postgres)" = 0 ]; }

@test "scratch databases go: after a signal at once, after a kill with the next command" {
  local signal pid
  for signal in TERM KILL; do
    echo 'SELECT pg_sleep(600);' >schema.sql
    "$RIPCORD" revision --autogenerate -m slow >/dev/null 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 20 is_asleep
    kill -"$signal" "$pid"
    wait "$pid" || true
    [ "$signal" = KILL ] || assert_same databases "$all" "$(databases)"
  done
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'" postgres >/dev/null
  wait_until 20 is_quiet
  [ "$(databases)" != "$all" ] || fail "no scratch database was left"
  contact_sql >schema.sql
  generate
}
