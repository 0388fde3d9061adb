# scenarios.bash - the databases and the projects that cases run on.
#
# A scenario is a chain of revisions over the database of scenarios/shop.sql, and the exit code in which its upgrade
# ends when nothing is done to it.

#          name           exit  revisions
scenarios="upgraded       0     region totals indexes drop report
           restored       5     region totals indexes drop report_fails
           downgraded     4     notes notes_filled notes_indexes weight note_count_fails
           transactional  5     region totals drop report_fails"

scenario_names() { awk '{ print $1 }' <<<"$scenarios" | grep -wE "${FAULT_SCENARIOS:-.*}"; }
scenario_exit() { awk -v name="$1" '$1 == name { print $2 }' <<<"$scenarios"; }
scenario_revisions() { awk -v name="$1" '$1 == name { $1 = $2 = ""; print }' <<<"$scenarios"; }

live=Shop
template=shop_template

psql_on() {
  local database=$1
  shift
  "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d "dbname='$database'" "$@"
}

# A name may be cut to 63 bytes; ours are short.
databases_of_live() { psql_on postgres -c "SELECT datname FROM pg_database WHERE datname LIKE '$live%' ORDER BY 1"; }

# make_project FOLDER REVISION...: a chain in that order; the files of scenarios/ have everything but the header.
make_project() {
  local folder=$1 parent='' revision
  shift
  mkdir -p "$folder/migrations/versions"
  for revision; do
    {
      printf -- '-- revision: %s\n-- revises: %s\n-- created: 2026-11-22T10:15:00Z\n' "$revision" "$parent"
      cat "$FAULTS/scenarios/$revision.sql"
    } >"$folder/migrations/versions/$revision.sql"
    parent=$revision
  done
  cp "$FAULTS/scenarios/ripcord.ini" "$folder/"
}

# make_template: the database at revision shop, with a ledger, and nobody connected to it.
make_template() {
  psql_on postgres -c "CREATE DATABASE $template"
  make_project "$WORK/template" shop
  (cd "$WORK/template" && DATABASE_URL=$(url_of $template) "$RIPCORD" -q upgrade head --yes --json >/dev/null 2>&1) ||
    die "the database to start from could not be made"
}

url_of() { printf 'postgresql://postgres@/%s?host=%s' "$1" "$PGHOST"; }

reset_databases() {
  psql_on postgres <<SQL
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname LIKE '$live%' \\gexec
CREATE DATABASE "$live" TEMPLATE $template;
SQL
}

# new_case SCENARIO: the database as new, and a folder with the scenario's project, which becomes the current one.
new_case() {
  reset_databases || return 1
  cd "$WORK" || return 1
  rm -rf case
  cp -r "projects/$1" case
  cd case || return 1
}

# ---------------------------------------------------------------- what a database is like

# state_of DATABASE: heads, a digest of the rows of each table and of each large object, and the fingerprint.
state_of() {
  rows_of "$1" || return 1
  printf 'fingerprint|'
  DATABASE_URL=$(url_of "$1") "$RIPCORD" -q fingerprint
}

rows_of() { psql_on "$1" -f "$FAULTS/lib/rows.sql"; }

sequences_of() { psql_on "$1" -c "SELECT schemaname, sequencename, coalesce(last_value, 0) FROM pg_sequences ORDER BY 1, 2"; }

# record_scenario SCENARIO: its project, the state it starts from and the one it ends in, and the calls on the way.
record_scenario() {
  local status=0
  # shellcheck disable=SC2046 # a list of names
  make_project "$WORK/projects/$1" shop $(scenario_revisions "$1")
  new_case "$1" || return 1
  state_of "$live" >"$WORK/$1.old" || return 1
  sequences_of "$live" >"$WORK/$1.sequences"
  upgrade list 0 || status=$?
  cp calls "$WORK/$1.calls"
  state_of "$live" >"$WORK/$1.new"
  [ "$status" = "$(scenario_exit "$1")" ] ||
    say "scenario $1 ends with exit $status, not $(scenario_exit "$1"): $(tr '\n' ' ' <upgrade.err)"
}
