# live.bash - faults that the upgrade lives to see: the disk, the server, the network.
#
# It ends by itself, and its exit code has to say the truth about the database; then `recover`, and the same checks.
# shellcheck disable=SC2154,SC2034 # the worker and its libraries share variables

as_server() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
  else
    "$@"
  fi
}

server() {
  (cd "$PGHOST" && as_server "$PG_BIN/pg_ctl" -D "$PGHOST/data" -w -t 60 "$@" </dev/null >>"$PGHOST/pg_ctl.log" 2>&1)
}

server_start() {
  server -l "$PGHOST/server.log" -o "-k $PGHOST -c listen_addresses='' -c fsync=off -c unix_socket_permissions=0777" start
}

# check_upgrade_told_truth STATUS: before anything is recovered.
check_upgrade_told_truth() {
  state_of "$live" >now 2>now.err || echo "the live database cannot be read: $(tail -n 1 now.err)"
  case $1 in
    0) is_new || echo "the upgrade's exit was 0, and the database is not the new one" ;;
    1 | 2 | 3 | 4 | 5 | 7) is_old || echo "the upgrade's exit was $1, and the database is not the old one" ;;
    6) ;;
    *) echo "the upgrade's exit was $1: $(tail -n 1 upgrade.err)" ;;
  esac
}

# settle STATUS AFTER: the upgrade ended with it; whatever is unfinished is recovered.
settle() {
  [ -s calls ] || missed=missed
  moment="$(moment_of calls), exit $1"
  truth=$(check_upgrade_told_truth "$1" 2>&1)
  recover_from "$2"
}

# ---------------------------------------------------------------- the disk

io_cases() {
  awk -v scenario="$1" '
    $3 !~ /^\// { next }
    { after = ++n % 3 ? "recover" : "full:" 1 + n % 7 }
    $2 ~ /^(write|writev|pwrite|fsync|fdatasync|open|rename|mkdir|ftruncate)$/ { print "io", scenario, "EIO", $1, after }
    $2 ~ /^(write|writev|pwrite|fsync|fdatasync|open|rename|mkdir|ftruncate)$/ { print "io", scenario, "ENOSPC", $1, after }
  ' "$WORK/$1.calls"
}

run_io() {
  local ended=0
  upgrade "$1" "$2" || ended=$?
  settle "$ended" "$3"
}

# ---------------------------------------------------------------- the server

# stop: gone until recovery; restart: back at once.  Each connect, and each other message.
server_cases() {
  awk -v scenario="$1" '
    $2 ~ /^(connect|send|sendmsg|clone|fsync)$/ && ++n % 2 { print "server", scenario, "stop", $1, "recover" }
    $2 ~ /^(connect|send|sendmsg|clone|fsync)$/ && n % 2 == 0 { print "server", scenario, "restart", $1, "recover" }
  ' "$WORK/$1.calls"
}

run_server() {
  local ended=0
  FAULT_CALL="'$FAULTS/worker' $1" upgrade call "$2" || ended=$?
  server status || server_start || die "the server did not start again"
  settle "$ended" "$3"
}

# ---------------------------------------------------------------- the network

# start_proxy FAULT N: sets $proxy, its process, and the URL through it.
start_proxy() {
  : >port
  "$PG_PROXY" "$PGHOST/.s.PGSQL.5432" calls "$1" "$2" >port 2>proxy.err &
  proxy=$!
  while [ ! -s port ]; do
    kill -0 "$proxy" || die "no proxy: $(cat proxy.err)"
    sleep 0.02
  done
  proxied="postgresql://postgres@127.0.0.1:$(cat port)/$live"
}

stop_proxy() {
  kill "$proxy"
  wait "$proxy" 2>/dev/null
}

# upgrade_through FAULT N
upgrade_through() {
  local ended=0
  start_proxy "$1" "$2"
  DATABASE_URL=$proxied timeout "$patience" "$RIPCORD" -q upgrade head --yes --json >upgrade.json 2>upgrade.err || ended=$?
  stop_proxy
  return "$ended"
}

# Messages that a client sends together (Parse, Bind, Describe, Execute, Sync) are cut before the first and after the last.
cut_cases() {
  new_case "$1" && upgrade_through list 0
  awk -v scenario="$1" '
    $2 ~ /^[-QPFdX]$/ { print "cut", scenario, "before", $1, "recover" }
    $2 ~ /^[QSF]$/ { print "cut", scenario, "after", $1, "recover"; print "cut", scenario, "answered", $1, "recover" }
    $2 ~ /^[QS]$/ && ++n % 4 == 0 { print "cut", scenario, "down", $1, "recover" }
  ' calls
}

run_cut() {
  local ended=0
  upgrade_through "$1" "$2" || ended=$?
  settle "$ended" "$3"
}
