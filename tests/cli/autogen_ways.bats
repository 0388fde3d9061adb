# ripcord revision --autogenerate: several heads, indexes apart, questions on a terminal, hooks that edit the file.
load lib/cluster
load lib/autogenerate

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() { autogenerate_project; }

# Nothing is left over, whatever the command has said.
teardown() { assert_same databases "$all" "$(databases)"; }

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
  echo "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (a int, m mood); CREATE SEQUENCE bill;" >schema.sql
  MESSAGE=first generate
  echo "CREATE TYPE feeling AS ENUM ('ok'); CREATE TABLE t (b int, c int, d int, m feeling); CREATE SEQUENCE bill;" >schema.sql
  refused 3 "--rename public.t.a=b if"
  assert_stderr_has "--rename public.t.a=c if"
  assert_stderr_has "enum public.mood goes and public.feeling comes"
  on_terminal 'n\ny\nyes\n' revision --autogenerate -m several
  assert_exit 0
  assert_stdout_has "public.t.a renamed to b?"
  refute_stdout_has "renamed to d?"
  grep -q 'RENAME COLUMN a TO c' migrations/versions/*_several.sql
  grep -q 'RENAME TO feeling' migrations/versions/*_several.sql
  echo "CREATE TYPE feeling AS ENUM ('ok'); CREATE TABLE u (b int, c int, d int, m feeling); CREATE SEQUENCE receipt;" >schema.sql
  on_terminal 'y\ny\n' revision --autogenerate -m table
  assert_exit 0
  assert_stdout_has "is sequence public.bill renamed to receipt?"
  grep -q 'ALTER TABLE public.t RENAME TO u' migrations/versions/*_table.sql
  grep -q 'ALTER SEQUENCE public.bill RENAME TO receipt' migrations/versions/*_table.sql
  run_ripcord check --autogenerate
  assert_exit 0
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
  # Another upgrade, another downgrade, options, another place in the history, no file.
  local edit
  while IFS='|' read -r wanted edit; do
    after_write "command = $edit"
    refused 3 "$wanted"
    assert_same versions 1 "$(find migrations/versions -mindepth 1 | wc -l)"
  done <<'EDITS'
does not lead to the desired state|sed -i s/more/less/ REVISION_SCRIPT_FILENAME
as the hooks have left it: the downgrade does not lead back|sed -i '/^DROP TABLE/d' REVISION_SCRIPT_FILENAME
as the hooks have left it|sed -i 's/^-- ripcord:downgrade$/& irreversible="no"/' REVISION_SCRIPT_FILENAME
the header of the new revision|sed -i 's/^-- revises: .*/-- revises:/' REVISION_SCRIPT_FILENAME
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
