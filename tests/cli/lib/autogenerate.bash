# autogenerate.bash - what the files about `revision --autogenerate` share.
# shellcheck disable=SC2034,SC2119,SC2120 # $all and $file are the tests'; arguments come from them
#
#   load lib/cluster
#   load lib/autogenerate
#   setup()    { autogenerate_project; }
#   teardown() { assert_same databases "$all" "$(databases)"; }

autogenerate_project() {
  new_project
  new_database
  all=$(databases)
  # Backups are not what is tried here.
  configure "[backup]" "verify = read" "[schema]" "source = schema.sql"
}

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
