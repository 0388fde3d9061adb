# ripcord diff: from one schema to another, from all kinds of sources, and what was changed by hand.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }
setup() {
  new_project
  new_database
  all=$(databases)
}

schema_sql() {
  echo 'CREATE TABLE account (id bigint PRIMARY KEY, mail text NOT NULL);'
  echo 'CREATE INDEX account_mail ON account (lower(mail));'
}

# What diff prints leads there: psql runs it, and then there is nothing left to print.
apply_diff() {
  run_ripcord diff "$@"
  assert_exit 0
  [ -n "$output" ] || fail "no difference"
  psql_on "$DATABASE" -f - <<<"$output"
  run_ripcord diff "$@" --exit-code
  assert_exit 0
  assert_same difference "" "$output"
}

@test "a file of SQL is the desired state: its diff leads there" {
  schema_sql >schema.sql
  configure "[schema]" "source = schema.sql"
  run_ripcord diff --exit-code
  assert_exit 3
  assert_stdout_has "CREATE TABLE"
  apply_diff
  assert_same databases "$all" "$(databases)"
  echo 'ALTER TABLE account ADD is_billing_contact boolean NOT NULL DEFAULT false;' >>schema.sql
  run_ripcord diff --json
  assert_exit 0
  assert_json '.equal == false and (.changes | length) == 1 and (.changes[0].sql | test("is_billing_contact"))'
  apply_diff
}

@test "a folder, a program, another database and a backup are the same state" {
  mkdir -p desired/more
  schema_sql | head -1 >desired/1.sql
  schema_sql | tail -1 >desired/more/2.sql
  echo 'this is no SQL' >desired/notes.txt
  schema_sql >whole.sql
  apply_diff --to desired
  run_ripcord backup --json
  assert_exit 0
  backup=$(jq -r .id <<<"$output")
  new_database other
  other=$DATABASE_URL
  psql_on other -f whole.sql
  export DATABASE_URL
  DATABASE_URL=$(database_url app)
  for source in desired whole.sql "command:cat 'whole.sql'" "$other" "backup:$backup"; do
    run_ripcord diff --to "$source" --exit-code
    assert_exit 0
    run_ripcord diff --from "$source" --to whole.sql --exit-code
    assert_exit 0
  done
  sql "DROP DATABASE other" postgres
  assert_same databases "$all" "$(databases)"
}

@test "an error in the SQL names the file and the line, and leaves no database" {
  mkdir desired
  schema_sql >desired/1.sql
  printf 'CREATE VIEW "größe" AS\n  SELECT id,\n    nope FROM account;\n' >desired/2.sql
  run_ripcord diff --to desired
  assert_exit 1
  assert_stderr_has "desired/2.sql:3:"
  assert_stderr_has "nope"
  printf 'SELECT 1;\n\\dt\n' >bad.sql
  run_ripcord diff --to bad.sql
  assert_exit 2
  assert_stderr_has "bad.sql:2:"
  printf 'BEGIN;\nCREATE TABLE t (a int);\n' >bad.sql
  run_ripcord diff --to bad.sql
  assert_exit 2
  assert_stderr_has "left open"
  assert_same databases "$all" "$(databases)"
}

@test "what pg_dump prints is a source, data and restrictions included" {
  schema_sql >whole.sql
  psql_on "$DATABASE" -f whole.sql
  sql "INSERT INTO account VALUES (1, E'a\\\\b\\nc;')"
  "$(pg_bindir)/pg_dump" -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U postgres "$DATABASE" >dump.sql
  run_ripcord diff --to dump.sql --exit-code
  assert_exit 0
}

@test "a source that is none is refused before anything is made" {
  run_ripcord diff
  assert_exit 2
  assert_stderr_has "--to SOURCE"
  run_ripcord diff --to no-such-file.sql
  assert_exit 2
  assert_stderr_has "no-such-file.sql"
  run_ripcord diff --to "command:no-such-program"
  assert_exit 2
  run_ripcord diff --to "command:false"
  assert_exit 1
  run_ripcord diff --to "command:true"
  assert_exit 2
  assert_stderr_has "printed nothing"
  mkdir empty
  run_ripcord diff --to empty
  assert_exit 2
  run_ripcord diff --to backup:none
  assert_exit 7
  run_ripcord diff --live --to live
  assert_exit 2
  assert_same databases "$all" "$(databases)"
}

is_awake() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ripcord/%'" postgres)" = 0 ]; }
is_sleeping() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'" postgres)" = 1 ]; }

@test "a database that a kill has left is dropped by the next" {
  echo 'SELECT pg_sleep(600);' >slow.sql
  "$RIPCORD" diff --to slow.sql >/dev/null 2>&1 3>&- 4>&- &
  pid=$!
  wait_until 20 is_sleeping
  [ "$(databases)" != "$all" ] || fail "no scratch database"
  kill -9 "$pid"
  wait "$pid" || true
  sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'" postgres >/dev/null
  wait_until 20 is_awake
  schema_sql >schema.sql
  run_ripcord diff --to schema.sql
  assert_exit 0
  assert_same databases "$all" "$(databases)"
}

@test "a rename is one when it is said, and keeps the rows" {
  schema_sql >schema.sql
  psql_on "$DATABASE" -f schema.sql
  sql "INSERT INTO account VALUES (1, 'a@b')"
  sed -i 's/mail/email/g; s/account_email/account_mail/' schema.sql
  run_ripcord diff --to schema.sql --json
  assert_json 'any(.changes[]; .hazards | index("data loss"))'
  run_ripcord diff --to schema.sql --rename public.account.mail=email
  assert_exit 0
  psql_on "$DATABASE" -f - <<<"$output"
  run_ripcord diff --to schema.sql --exit-code
  assert_exit 0
  assert_same rows "1|a@b" "$(sql "SELECT id, email FROM account")"
  for bad in a =b a= a=b=c; do
    run_ripcord diff --to schema.sql --rename "$bad"
    assert_exit 2
  done
}

@test "--live shows what was changed by hand since the last run" {
  schema_sql >schema.sql
  run_ripcord diff --live
  assert_exit 3
  assert_stderr_has "no run"
  make_revision r1 "" "$(schema_sql)" "" "DROP TABLE account"
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord diff --live --exit-code
  assert_exit 0
  assert_same difference "" "$output"
  sql "ALTER TABLE account ADD by_hand int; DROP INDEX account_mail"
  run_ripcord diff --live
  assert_exit 0
  assert_stdout_has "+ column public.account.by_hand: type integer"
  assert_stdout_has "- index public.account_mail"
  run_ripcord diff --live --exit-code --json
  assert_exit 3
  assert_json '.equal == false and (.run | length) == 36 and any(.differences[]; startswith("+ column public.account.by_hand"))'
  # A failed run leaves what it found: the hand's change is one still.
  make_revision r2 r1 "CREATE TABLE more (a int)" "SELECT false" "DROP TABLE more"
  run_ripcord upgrade head --yes
  assert_exit 4
  run_ripcord diff --live
  assert_stdout_has "by_hand"
  # Another database's state is none of this one's.
  new_database other
  run_ripcord diff --live
  assert_exit 3
  sql "DROP DATABASE other" postgres
}
