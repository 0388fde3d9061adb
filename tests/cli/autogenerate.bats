# ripcord revision --autogenerate, check --autogenerate: revisions that are proven before they are written.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  all=$(databases)
  # Backups are not what is tried here.
  configure "[backup]" "verify = read" "[schema]" "source = schema.sql"
}

# Nothing is left over, whatever the command has said.
teardown() { assert_same databases "$all" "$(databases)"; }

contact_sql() {
  echo 'CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text NOT NULL);'
  echo 'CREATE INDEX contact_mail ON contact (lower(mail));'
}

files() { find migrations/versions -name '*.sql' | wc -l; }

# refused EXIT TEXT ARG...: the revision is not written.
refused() {
  local wanted=$1 text=$2 before
  shift 2
  before=$(files)
  run_ripcord revision --autogenerate -m refused "$@"
  assert_exit "$wanted"
  assert_stderr_has "$text"
  assert_same files "$before" "$(files)"
}

# generate ARG...: writes one revision, $file.
generate() {
  run_ripcord revision --autogenerate -m "${MESSAGE:-generated}" "$@"
  assert_exit 0
  file=$output
  [ -f "$file" ] || fail "no one file: $file"
}

# Applied with the guard, nothing is left to do.
upgrade_and_diff() {
  run_ripcord upgrade heads --yes
  assert_exit 0
  run_ripcord diff --exit-code
  assert_exit 0
}

upgrade_and_check() {
  upgrade_and_diff
  run_ripcord check --autogenerate
  assert_exit 0
}

first_revision() {
  contact_sql >schema.sql
  MESSAGE=first generate
}

first_applied() {
  first_revision
  run_ripcord upgrade head --yes
  assert_exit 0
  sql "INSERT INTO contact (mail) VALUES ('a@b'), ('c@d')"
}

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

@test "with several heads one is followed, and the others are depended on" {
  echo 'CREATE TABLE a (n int PRIMARY KEY);' >schema.sql
  MESSAGE=first generate --rev-id a1
  make_revision b1 "" "CREATE TABLE b (n int PRIMARY KEY)" "" "DROP TABLE b"
  echo 'CREATE TABLE b (n int PRIMARY KEY); ALTER TABLE a ADD b int REFERENCES b;' >>schema.sql
  refused 3 "several heads"
  assert_stderr_has "--head"
  run_ripcord upgrade heads --yes
  assert_exit 0
  generate --head a1 --rev-id a2
  grep -q '^-- revises: a1$' "$file"
  grep -q '^-- depends-on: b1$' "$file"
  refused 2 "a1 is not a head" --head a1
  upgrade_and_diff
  # As a database gets it that has nothing, and back: what depends goes first.
  run_ripcord downgrade b1@base --yes
  assert_exit 0
  assert_same heads a1 "$(sql "SELECT version_num FROM alembic_version")"
  # Another branch still, from the bottom, with a dependency that was asked for; both are below already.
  echo 'CREATE TABLE c (n int REFERENCES b);' >>schema.sql
  generate --head base --depends-on b1 --branch-label third --rev-id c1
  grep -q '^-- depends-on: b1, a2$' "$file"
  upgrade_and_diff
  run_ripcord prove c1 --json
  assert_json '.[0].verdict == "reversible"'
  # b1 is below c1, although it is a head.
  echo 'CREATE TABLE d ();' >>schema.sql
  generate --head third@head
  grep -q '^-- depends-on:$' "$file"
  # A template without the line would let it come too early.
  echo 'CREATE TABLE e ();' >>schema.sql
  # shellcheck disable=SC2016
  printf -- '-- revision: ${revision}\n-- revises: ${revises}\n-- ripcord:upgrade\n${upgrade}\n-- ripcord:downgrade\n${downgrade}' >migrations/revision.sql.template
  refused 3 "header" --head a2
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

@test "--concurrently makes indexes apart, and takes them back so" {
  first_applied
  echo 'CREATE INDEX id_mail ON contact (mail, id); ALTER TABLE contact ADD a int;' >>schema.sql
  run_ripcord revision --autogenerate -m apart --concurrently
  assert_exit 0
  assert_same files 2 "$(wc -l <<<"$output")"
  file=$(grep -l 'CREATE INDEX CONCURRENTLY id_mail' migrations/versions/*.sql)
  grep -q '^-- ripcord:upgrade transaction=off$' "$file"
  grep -q '^-- ripcord:downgrade transaction=off$' "$file"
  grep -q '^DROP INDEX CONCURRENTLY public.id_mail;$' "$file"
  upgrade_and_check
  run_ripcord downgrade -2 --yes
  assert_exit 0
  configure "[schema]" "concurrently = yes"
  echo 'CREATE INDEX more ON contact (id, mail);' >>schema.sql
  run_ripcord revision --autogenerate -m key
  assert_exit 0
  grep -q 'CREATE INDEX CONCURRENTLY more' migrations/versions/*_key*.sql
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
    echo 'CREATE TABLE "Kontakt ü" (id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME contact_id_seq) PRIMARY KEY, mail text NOT NULL);'
    echo 'ALTER INDEX "Kontakt ü_pkey" RENAME TO contact_pkey; CREATE INDEX contact_mail ON "Kontakt ü" (lower(mail));'
  } >schema.sql
  generate
  upgrade_and_check
  assert_same rows "1|a@b 2|c@d" "$(sql 'SELECT id, mail FROM "Kontakt ü" ORDER BY id' | paste -sd' ')"
  # Done already: the comment may stay.
  run_ripcord revision --autogenerate -m nothing
  assert_exit 0
  assert_same output "" "$output"
  run_ripcord downgrade base --yes
  assert_exit 0
  echo '-- ripcord:rename one' >schema.sql
  refused 2 "schema.sql:1:"
}

# on_terminal ANSWERS ARG...: ripcord where standard input and standard error are a terminal; $output has both outputs.
on_terminal() {
  local answers=$1 words
  shift
  words=$(printf '%q ' "$RIPCORD" "$@")
  # shellcheck disable=SC2016
  run script -qec "$words" /dev/null < <(printf "$answers")
}

@test "on a terminal a likely rename is a question, and elsewhere a warning" {
  first_applied
  contact_sql | sed 's/mail text/email text/; s/(mail)/(email)/' >schema.sql
  on_terminal 'n\n' revision --autogenerate -m refused
  assert_exit 3
  assert_stdout_has "is column public.contact.mail renamed to email? [y/N]"
  assert_stdout_has "--allow drop"
  assert_same files 1 "$(files)"
  # The end of the input is no answer.
  on_terminal '' revision --autogenerate -m refused
  assert_exit 3
  for command in "check --autogenerate" "diff --exit-code"; do
    # shellcheck disable=SC2086
    on_terminal 'y\n' $command
    assert_exit 3
    assert_stdout_has "--rename public.contact.mail=email if that is a rename"
    refute_stdout_has "[y/N]"
  done
  on_terminal 'y\n' revision --autogenerate -m renamed
  assert_exit 0
  assert_same files 2 "$(files)"
  grep -q 'RENAME COLUMN mail TO email' migrations/versions/*_renamed.sql
  upgrade_and_check
  assert_same rows "1|a@b 2|c@d" "$(sql "SELECT id, email FROM contact ORDER BY id" | paste -sd' ')"
}

@test "of several that may be one each is asked about, and a yes ends it; tables and types are, too" {
  echo "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (a int, m mood);" >schema.sql
  MESSAGE=first generate
  echo "CREATE TYPE feeling AS ENUM ('ok'); CREATE TABLE t (b int, c int, d int, m feeling);" >schema.sql
  refused 3 "--rename public.t.a=b if"
  assert_stderr_has "--rename public.t.a=c if"
  assert_stderr_has "enum public.mood goes and public.feeling comes"
  on_terminal 'n\ny\nyes\n' revision --autogenerate -m several
  assert_exit 0
  assert_stdout_has "public.t.a renamed to b?"
  refute_stdout_has "renamed to d?"
  grep -q 'RENAME COLUMN a TO c' migrations/versions/*_several.sql
  grep -q 'RENAME TO feeling' migrations/versions/*_several.sql
  echo "CREATE TYPE feeling AS ENUM ('ok'); CREATE TABLE u (b int, c int, d int, m feeling);" >schema.sql
  on_terminal 'y\n' revision --autogenerate -m table
  assert_exit 0
  grep -q 'ALTER TABLE public.t RENAME TO u' migrations/versions/*_table.sql
  run_ripcord check --autogenerate
  assert_exit 0
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

# after_write COMMAND...: it alone is the hook of new files.
after_write() {
  sed -i '/^\[hook/,$d' ripcord.ini
  configure "[hook format]" "phase = after-write" "$@"
}

@test "what a hook makes of a file is proven again, and only that is written" {
  contact_sql >schema.sql
  after_write "command = sed -i '/^-- ripcord:upgrade/a -- formatted' REVISION_SCRIPT_FILENAME"
  MESSAGE=first generate
  grep -q '^-- formatted$' "$file"
  echo 'CREATE TABLE more (a int);' >>schema.sql
  # Another upgrade, another downgrade, options, another place in the history, no revision, no file.
  local edit
  while IFS='|' read -r wanted edit; do
    after_write "command = $edit"
    refused 3 "$wanted"
    assert_same versions 1 "$(find migrations/versions -mindepth 1 | wc -l)"
  done <<'EDITS'
does not lead to the desired state|sed -i s/more/less/ REVISION_SCRIPT_FILENAME
as the hooks have left it: the downgrade does not lead back|sed -i '/^DROP TABLE/d' REVISION_SCRIPT_FILENAME
as the hooks have left it: the upgrade does not run|sed -i 's/^CREATE/REATE/' REVISION_SCRIPT_FILENAME
as the hooks have left it|sed -i 's/^-- ripcord:downgrade$/& irreversible="no"/' REVISION_SCRIPT_FILENAME
the header of the new revision|sed -i 's/^-- revises: .*/-- revises:/' REVISION_SCRIPT_FILENAME
as the hooks have left it|truncate -s 0 REVISION_SCRIPT_FILENAME
no regular file any more|ln -sf /dev/null REVISION_SCRIPT_FILENAME
EDITS
  after_write "command = rm REVISION_SCRIPT_FILENAME"
  refused 1 "cannot find"
  # More in the upgrade that leads to the same is another text, and fine.
  after_write "command = sed -i 's/^CREATE TABLE/CREATE TABLE public.passing (); DROP TABLE public.passing; &/' REVISION_SCRIPT_FILENAME"
  generate
  grep -q 'passing' "$file"
  upgrade_and_check
}

@test "a hook has each file of several, and one that fails leaves none" {
  echo "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (m mood DEFAULT 'ok');" >schema.sql
  generate
  echo "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE t (m mood DEFAULT 'bad');" >schema.sql
  after_write "shell = yes" 'command = grep -q "part 2" "$RIPCORD_FILE" && exit 7; touch "$RIPCORD_FILE.bak"; echo $RIPCORD_PHASE $RIPCORD_REVISION'
  refused 1 "hook format (after-write)"
  assert_same versions 1 "$(find migrations/versions -mindepth 1 | wc -l)"
  after_write "shell = yes" "command = sleep 60" "timeout = 1s"
  refused 1 "hook format (after-write)"
  after_write "shell = yes" 'command = touch "$RIPCORD_FILE.bak"; echo $RIPCORD_PHASE $RIPCORD_REVISION >>seen; sed -i "s/^-- ripcord:verify/-- $(basename "$RIPCORD_FILE")\n&/" "$RIPCORD_FILE"'
  run_ripcord revision --autogenerate -m bad
  assert_exit 0
  assert_same files 2 "$(wc -l <<<"$output")"
  assert_same versions 3 "$(find migrations/versions -mindepth 1 | wc -l)"
  while read -r file; do
    grep -q "^-- $(basename "$file")$" "$file"
    grep -q "^after-write $(sed -n 's/^-- revision: //p' "$file")$" seen
  done <<<"$output"
  upgrade_and_check
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
