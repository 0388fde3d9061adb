# kill.bash - SIGKILL at each system call that matters, and recovery killed in its turn.
#
# A case is "KIND SCENARIO FAULT N AFTER": the fault befalls the N-th call of the upgrade; AFTER says what comes then:
#   recover        ripcord recover
#   again:K[,K]    recover, killed before its K-th call, and once more
#   full:K         recover on a disk that is full from its K-th call on, and once more
#   elsewhere      recover without the state folder: another machine
#   writer         another session has been inserting rows all the time
# shellcheck disable=SC2154,SC2034 # the worker and its libraries share variables

# Seconds after which a program hangs: exit 124.
patience=120

# upgrade FAULT N: the scenario's upgrade under that fault; sets no variable, leaves upgrade.json and calls.
upgrade() {
  timeout "$patience" "$FAULT_AT" calls "$1" "$2" "$RIPCORD" -q upgrade head --yes --json >upgrade.json 2>upgrade.err
}

recover() { timeout "$patience" "$RIPCORD" -q recover --yes --json; }

# Where the journal was when the fault came: the last whole line's step and event.
phase() {
  cat .ripcord/runs/*.jsonl 2>/dev/null | jq -rR 'fromjson? | "\(.step)-\(.event)"' | tail -n 1
}

# moment_of LOG: where the fault came.
moment_of() { echo "$(phase) $(cut -d' ' -f2- "$1" | sed "s|$PWD/||")"; }

# An upgrade that came to its end has nothing to recover from; what it says of itself must be true.
ended_by_itself() {
  [ -s calls ] || missed=missed
  status=$1
  cp upgrade.json result.json
  cp upgrade.err result.err
  rows_of "$live" >hit
}

# recover_from AFTER: sets $status; the last result is in result.json.
recover_from() {
  local at
  case $1 in
    again:*) for at in $(tr ',' ' ' <<<"${1#again:}"); do recover_under before "$at"; done ;;
    full:*) recover_under ENOSPC "${1#full:}" ;;
    elsewhere) [ ! -e .ripcord ] || mv .ripcord elsewhere ;;
  esac
  rows_of "$live" >hit 2>/dev/null || true
  status=0
  recover >result.json 2>result.err || status=$?
}

# recover_under FAULT K: how it ends is not looked at; the next one has to cope.
recover_under() {
  timeout "$patience" "$FAULT_AT" recover_calls "$1" "$2" \
    "$RIPCORD" -q recover --yes --json >"recover.$2.json" 2>recover.err || true
}

start_writer() {
  : >writing
  (
    number=3
    while [ -e writing ]; do
      number=$((number + 1))
      ! "$PG_BIN/psql" -XAtq -d "dbname=$live" -c "INSERT INTO visits VALUES ($number)" 2>/dev/null ||
        echo $number >>written
    done
  ) &
  writer=$!
}

stop_writer() {
  rm -f writing
  wait "$writer"
}

# kill_cases SCENARIO: a case a line.  Between two calls that matter nothing happens to files, so that "before" is enough
# for those; what was sent to a server goes on there when we are dead.
kill_cases() {
  awk -v scenario="$1" '
    function after(n) {
      if (n % 11 == 5) return "elsewhere"
      if (n % 11 == 8) return "writer"
      if (n % 3 == 1) return "again:" 1 + (n * 7) % 61 (n % 2 ? "," 1 + (n * 13) % 97 : "")
      return "recover"
    }
    { print "kill", scenario, "before", $1, after(++n) }
    $2 ~ /^(send|sendmsg|connect|clone)$/ { print "kill", scenario, "after", $1, after(++n) }
    $2 == "write" && $3 ~ /^\// { print "kill", scenario, "torn", $1, after(++n) }
  ' "$WORK/$1.calls"
}

# A killed run has no result of its own: recover's counts.
run_kill() {
  local fault=$1 at=$2 after=$3 ended=0
  [ "$after" != writer ] || may_be_stuck=yes
  [ "$after" != writer ] || start_writer
  upgrade "$fault" "$at" || ended=$?
  moment=$(moment_of calls)
  if [ "$ended" = 137 ]; then
    recover_from "$after"
  else
    ended_by_itself "$ended"
  fi
  [ "$after" != writer ] || stop_writer
}

# recover_cases SCENARIO: killed at $FAULT_MOMENTS moments of the second half, where there is something to recover; then
# recover is killed at each of its calls.
recover_cases() {
  local total moment at
  total=$(wc -l <"$WORK/$1.calls")
  for ((moment = 1; moment <= ${FAULT_MOMENTS:-3}; moment++)); do
    at=$((total / 2 + moment * total / 2 / (${FAULT_MOMENTS:-3} + 1)))
    new_case "$1" && upgrade before "$at"
    recover_under list 0
    awk -v prefix="recover $1 before $at" '{ print prefix, "again:" $1 }' recover_calls
  done
}

run_recover() { run_kill "$@"; }
