# checks.bash - what must hold after a fault and after recovery.
#
# Each check prints what is wrong, a line a finding, and nothing otherwise.  They read, in the case's folder:
#   $status            the exit code of what ran last: the upgrade, or recover
#   result.json        what it printed
#   hit                what the fault left, as rows_of prints it
#   written            numbers that another session was told are committed; may be missing
# shellcheck disable=SC2154 # the worker and its libraries share variables

# check_NAME for all of them, in this order.
checks="outcome difference sequences indexes written databases fence sessions processes finished again"

all_checks() {
  local name
  state_of "$live" >now 2>now.err || echo "the live database cannot be read: $(tail -n 1 now.err)"
  for name in $checks; do "check_$name"; done
}

result() { jq -r "$1 // empty" result.json 2>/dev/null; }

is_old() { cmp -s now "$WORK/$scenario.old"; }
is_new() { [ "$(scenario_exit "$scenario")" = 0 ] && cmp -s now "$WORK/$scenario.new"; }

# What was half done is finished before the way back is looked for: every row is there, and the head is one further.
finished_one() {
  [ "$(grep -c '^head' now)" = 1 ] &&
    grep -q "$(grep '^head' hit | cut -d'|' -f2) *$(grep '^head' now | cut -d'|' -f2)" <<<"$(scenario_revisions "$scenario" | sed 's/^ */shop /')" &&
    cmp -s <(grep -v '^fingerprint\|^head' now) <(grep -v '^head' hit)
}

# What recover says of being stuck.
stuck_why() { echo "$(result '.next[0]')" "$(result .failure.message)" | tr '\n\t' '  '; }

# stuck: allowed where another session wrote, and then it must say so, and nothing may have been taken from the live
# database.
check_outcome() {
  local outcome
  outcome=$(result .outcome)
  case $status:$outcome in
    0:upgraded) is_new || echo "exit 0 'upgraded', and the database is not the new one" ;;
    0:unchanged) is_old || is_new || echo "exit 0 'unchanged', and the database is neither old nor new" ;;
    0:rolled-back | 0:restored | 4:rolled-back | 5:restored | [1237]:*)
      is_old || echo "exit $status '$outcome', and the database is not the old one"
      ;;
    6:stuck)
      [[ -n $may_be_stuck && $(stuck_why) = *visits* ]] || echo "stuck: $(stuck_why)"
      grep -v '^fingerprint' now | cmp -s - hit || finished_one ||
        echo "stuck, and the live database is not as it was found"
      ;;
    *) echo "exit $status '$outcome' $(tail -n 1 result.err)" ;;
  esac
}

# Says what is wrong where the outcome is not true of the database.
check_difference() {
  [ "$status" != 6 ] || return 0
  is_old || is_new ||
    echo "it differs from the old one: $(diff "$WORK/$scenario.old" now | grep '^[<>]' | head -n 4 | tr '\n' ' ')"
}

check_sequences() {
  sequences_of "$live" | awk -F '|' '
    NR == FNR { at[$1 "." $2] = $3; next }
    { seen[$1 "." $2] = 1 }
    ($1 "." $2) in at && $3 + 0 < at[$1 "." $2] + 0 { print "sequence " $2 " is at " $3 ", was at " at[$1 "." $2] }
    END { for (s in at) if (!(s in seen)) print "sequence " s " is gone" }
  ' "$WORK/$scenario.sequences" -
}

check_indexes() {
  [ "$status" != 6 ] || return 0
  psql_on "$live" -c "SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR NOT indisready"
}

# Rows that another session was told are committed: in the live database, or kept beside it.
check_written() {
  local database
  databases_of_live | while read -r database; do
    [ "$database" = "$live" ] || psql_on postgres -c "ALTER DATABASE \"$database\" ALLOW_CONNECTIONS true"
    psql_on "$database" -c "SELECT n FROM visits" 2>/dev/null
  done | sort -u >found
  { seq 3; cat written; } 2>/dev/null | sort | comm -23 - found |
    sed 's/^/a committed row of another session is gone: /' | head -n 3
}

# A quarantine is there when a result or a journal names it; a candidate only while stuck.
check_databases() {
  local database
  databases_of_live | while read -r database; do
    case $database in
      "$live") ;;
      *_quarantine_*)
        grep -qrF --include='*.json*' "\"$database\"" . || echo "database $database is left, and nothing names it"
        ;;
      *_candidate_*) [ "$status" = 6 ] || echo "database $database is left over" ;;
      *) echo "database $database is left over" ;;
    esac
  done
}

# The rights may be written out after a swap, and are the same.
check_fence() {
  psql_on postgres -c "SELECT format('the live database has limit %s, connections allowed %s, rights %s, settings %s',
      datconnlimit, datallowconn, datacl, (SELECT array_agg(setconfig) FROM pg_db_role_setting WHERE setdatabase = d.oid))
    FROM pg_database d WHERE datname = '$live'
      AND (datconnlimit <> -1 OR NOT datallowconn
           OR NOT (datacl @> acldefault('d', datdba) AND datacl <@ acldefault('d', datdba))
           OR EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid))"
}

# Sessions that were ended may need a moment.
check_sessions() {
  local left try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    left=$(psql_on postgres -c "SELECT application_name FROM pg_stat_activity
      WHERE application_name ~ '^(ripcord|pg_dump|pg_restore)' AND pid <> pg_backend_pid()" | tr '\n' ' ')
    [ -n "$left" ] || return 0
    sleep 0.2
  done
  echo "sessions are left after $((try / 5)) s: $left"
}

# A process may be gone before it is looked at.
command_of() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null; }

# Whatever the runner started works in the project's folder.
processes_left() {
  local process command
  find /proc -maxdepth 2 -name cwd -lname "$PWD" 2>/dev/null | cut -d / -f 3 | while read -r process; do
    command=$(command_of "$process")
    case $command in
      *pg_dump* | *pg_restore* | "$RIPCORD"*) echo "$process $command" ;;
    esac
  done
}

# What ends a killed runner's hooks gives them five seconds (base/child.h), and looks at zombies for as long; more on a
# busy machine.
check_processes() {
  local left deadline=$((SECONDS + 15))
  while left=$(processes_left) && [ -n "$left" ]; do
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.1
  done
  [ -z "$left" ] || echo "processes are left: $left"
}

check_finished() {
  [ "$status" != 6 ] || return 0
  "$RIPCORD" -q runs list --json >runs.json 2>runs.err || echo "runs: $(tail -n 1 runs.err)"
  jq -r '.[] | select(.outcome == null or .outcome == "stuck" or .outcome == "unfinished")
    | "run \(.run) is \(.outcome)"' runs.json
}

check_again() {
  local again=0
  [ "$status" != 6 ] || return 0
  recover 2>again.err >again || again=$?
  [ "$again $(jq -r .outcome again)" = "0 unchanged" ] ||
    echo "a second recover: exit $again, '$(jq -r .outcome again)': $(tail -n 1 again.err)"
}

# upgrade_after: a new upgrade ends as the first one should have.
upgrade_after() {
  local again=0 expected
  [ "$status" != 6 ] || return 0
  expected=$(scenario_exit "$scenario")
  timeout "$patience" "$RIPCORD" -q upgrade head --yes --json >fresh 2>fresh.err || again=$?
  [ "$again" = "$expected" ] || echo "a new upgrade: exit $again, not $expected: $(head -n 1 fresh.err)"
}
