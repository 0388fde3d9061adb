# Backups in several stores at once: a folder, an SSH server, a WebDAV server.  What one of them does wrong.
load lib/cluster
load lib/net

setup_file() {
  cluster_start
  net_start
}
teardown_file() {
  net_end
  cluster_stop
}

setup() {
  new_project
  new_database
  net_empty
  sql "CREATE TABLE t AS SELECT n AS id, encode(sha256(n::text::bytea), 'hex') AS text FROM generate_series(1, 60000) n"
}

three_stores() {
  configure "[backup]" "stores = local sftp http" "$@"
  configure_net sftp http
}

# Nothing was changed and nothing is listed: what a failed store must end in.
assert_untouched() {
  assert_exit 7
  assert_json '.revisions == [] and .backup == null'
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
  assert_same objects "" "$(net_objects)"
}

@test "one pass fills three stores, and each alone restores" {
  three_stores
  run_ripcord backup create --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  before=$(table_digest t)
  local sums
  sums=$(sha256sum backups/*/*/backup.tar "$NET_FILES"/*/*/*/backup.tar | cut -d' ' -f1 | sort -u | wc -l)
  assert_same "different copies" 1 "$sums"
  assert_same hidden "" "$(find "$NET_FILES" -name '.part-*')"
  assert_same "modes of files" "600" "$(find "$NET_FILES/sftp" -type f -printf '%m\n' | sort -u)"
  assert_same "modes of folders" "700" "$(find "$NET_FILES/sftp" -mindepth 1 -type d -printf '%m\n' | sort -u)"
  for store in local sftp http; do
    run_ripcord restore --backup "$id" --as "from_$store" --yes -x "backup.stores=$store" -x backup.stores_required=0
    assert_exit 0
    assert_same "rows from $store" "$before" "$(table_digest t "from_$store")"
  done
  run_ripcord backup verify "$id" --json
  assert_exit 0
  run_ripcord backup list --json
  assert_json 'length == 1 and .[0].stores == ["local", "sftp", "http"]'
}

@test "a damaged copy on a server is found" {
  three_stores
  run_ripcord backup create --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  turn_byte "$(echo "$NET_FILES"/sftp/*/*/backup.tar)" 40000
  run_ripcord backup verify "$id"
  assert_exit 7
  assert_stderr_has "store sftp"
  # Whole copies are left: the restore takes them.
  run_ripcord restore --backup "$id" --as other --yes -x "backup.stores=sftp http"
  assert_exit 0
}

@test "a failed upgrade is restored out of servers alone" {
  make_revision r1 "" "DELETE FROM t WHERE id < 100"
  three_stores
  configure "[hook smoke]" "phase = after-upgrade" "command = false"
  before=$(table_digest t)
  run_ripcord upgrade head --yes --json -x "backup.stores=sftp http" -x guard.on_failure=restore
  assert_exit 5
  assert_json '.outcome == "restored"'
  assert_same rows "$before" "$(table_digest t)"
}

@test "7: a stranger's host key" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  three_stores
  run_ripcord upgrade head --yes --json -x "store.sftp.known_hosts_file=$NET_DIR/nobody"
  assert_untouched
  assert_stderr_has "not in known_hosts"
  printf '[127.0.0.1]:%s %s\n' "$SSHD_PORT" "$(cat "$NET_DIR/new_host_key.pub")" >known
  run_ripcord upgrade head --yes --json -x "store.sftp.known_hosts_file=known"
  assert_untouched
  assert_stderr_has "host key is not the one in known_hosts"
}

@test "7: a key or a password that is wrong" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  three_stores
  run_ripcord upgrade head --yes --json -x "store.sftp.key_file=$NET_DIR/other_key"
  assert_untouched
  assert_stderr_has "store sftp"
  run_ripcord upgrade head --yes --json -x store.sftp.key_file= -x store.sftp.password=wr0ng
  assert_untouched
  refute_stderr_has wr0ng
  NET_PASSWORD=wr0ng run_ripcord upgrade head --yes --json
  assert_untouched
  assert_stderr_has "HTTP status 401"
  refute_stderr_has wr0ng
}

@test "7: a server that is not there" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  three_stores
  run_ripcord upgrade head --yes --json -x store.sftp.port=1 -x store.sftp.attempts=2
  assert_untouched
  assert_stderr_has "store sftp"
  run_ripcord upgrade head --yes --json -x store.http.url=http://127.0.0.1:1/x -x store.http.attempts=2
  assert_untouched
  assert_stderr_has "store http"
}

@test "7: a server whose disk is full" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  full=$(NET_FSIZE=1000 net_folder)
  (NET_FSIZE=1000 sshd_start "$full" && NET_FSIZE=1000 nginx_start "$full" && echo "$SSHD_PORT $NGINX_PORT" >ports)
  read -r ssh http <ports
  configure "[backup]" "stores = local sftp http"
  configure_net sftp http
  run_ripcord upgrade head --yes --json -x "store.sftp.port=$ssh" -x "store.sftp.path=$full/files/x" \
    -x "store.sftp.key_file=$full/client_key" -x "store.sftp.known_hosts_file=$full/known_hosts"
  first=$status
  assert_untouched
  assert_stderr_has "store sftp"
  run_ripcord upgrade head --yes --json -x "store.http.url=http://127.0.0.1:$http/x" -x store.http.attempts=2
  second=$status
  left=$(find "$full/files" -type f)
  net_stop "$full"
  assert_untouched
  assert_stderr_has "store http"
  assert_same "left on the full disk" "" "$left"
  assert_same exits "7 7" "$first $second"
}

@test "stores_required: the others go on, and the failed one is named" {
  three_stores "stores_required = 2"
  run_ripcord backup create --json -x store.sftp.port=1 -x store.sftp.attempts=2
  assert_exit 0
  assert_stderr_has "store sftp"
  run_ripcord backup list --json
  assert_json 'length == 1 and .[0].verified and .[0].stores == ["local", "http"]'
}

@test "a store that hangs is given up" {
  three_stores "stores_required = 2"
  hung=$(sshd_pid)
  kill -STOP "$hung"
  run_ripcord backup create --json -x store.sftp.stall_timeout=2s -x store.sftp.attempts=1
  kill -CONT "$hung"
  assert_exit 0
  assert_stderr_has "nothing has moved for too long"
  run_ripcord backup list --json
  assert_json '.[0].stores == ["local", "http"]'
}

sshd_pid() { for pid in $(cat "$NET_DIR/pids"); do ! grep -q sshd "/proc/$pid/cmdline" || echo "$pid"; done; }

# Folders of backups, listed or not, in the three stores.
backup_folders() { find backups "$NET_FILES/sftp" "$NET_FILES/http" -mindepth 2 -maxdepth 2 -type d 2>/dev/null | wc -l; }

@test "killed in the middle of an upload: nothing is listed, and the next start sweeps" {
  three_stores
  sql "INSERT INTO t SELECT n, encode(sha256(n::text::bytea), 'hex') || encode(sha512(n::text::bytea), 'hex') FROM generate_series(1, 400000) n"
  "$RIPCORD" backup create 3>&- 4>&- &
  pid=$!
  wait_until 30 part_has_grown
  kill -KILL $pid
  wait $pid || true
  run_ripcord backup list --json
  assert_exit 0
  assert_json '. == []'
  [ -n "$(find backups -name '*.partial')" ] || fail "nothing to sweep"
  # The next one is not in its way.
  run_ripcord backup create --json
  assert_exit 0
  assert_stderr_has "left by a backup that was killed, is removed"
  run_ripcord backup list --json
  assert_json 'length == 1'
  assert_same hidden "" "$(find "$NET_FILES" backups -name '.part-*' -o -name '*.partial')"
  assert_same folders 3 "$(backup_folders)"
  assert_same notes "" "$(find .ripcord/uploads -type f)"
}

@test "what another run uploads is not swept while it lives" {
  # No database comes or goes meanwhile: a backend that cannot send to a stopped client holds up everybody's DROP DATABASE.
  three_stores "verify = read"
  sql "CREATE DATABASE beside" postgres
  sql "INSERT INTO t SELECT n, encode(sha256(n::text::bytea), 'hex') || encode(sha512(n::text::bytea), 'hex') FROM generate_series(1, 400000) n"
  "$RIPCORD" -q backup create >out 2>&1 3>&- 4>&- &
  pid=$!
  wait_until 30 part_has_grown
  kill -STOP $pid
  DATABASE_URL=$(database_url beside) timeout 60 "$RIPCORD" -q backup create >beside 2>&1 || waited="exit $?: $(cat beside)"
  kept=$(backup_folders)
  part_has_grown || kept="no part"
  kill -CONT $pid
  [ -z "${waited:-}" ] || fail "the other run: $waited"
  timeout 60 tail --pid=$pid -f /dev/null || fail "the first run does not go on"
  wait $pid
  sql "DROP DATABASE beside" postgres
  assert_same "folders" 6 "$kept"
  run_ripcord backup list --json
  assert_json 'length == 2 and all(.[]; .stores == ["local", "sftp", "http"])'
  assert_same notes "" "$(find .ripcord/uploads -type f)"
}

@test "a take that died between the data and the manifest is swept; a whole one, and another machine's, are not" {
  configure "[backup]" "verify = read"
  run_ripcord backup create
  assert_exit 0
  folder=$(newest_backup)
  mkdir -p .ripcord/uploads
  note() { printf '{"key":"%s","place":"%s"}\n{"id":"local"}\n' "${1#backups/}" "$2" >".ripcord/uploads/$3.backup"; }
  cp -r "$folder" "$folder.half" && rm "$folder.half/manifest.json" "$folder.half"/verified-*
  cp -r "$folder.half" "$folder.away"
  note "$folder" "$(hostname)" 1
  note "$folder.half" "$(hostname)" 2
  note "$folder.away" elsewhere 3
  run_ripcord doctor --json
  assert_json 'any(.checks[]; .check == "leftovers" and .verdict == "warn" and (.message | contains($f)) and (.hint | contains("--leftovers")))' \
    --arg f "$(basename "$folder").away"
  run_ripcord backup create
  assert_exit 0
  [ -e "$folder/manifest.json" ] && [ -e "$folder/backup.tar" ] || fail "a whole backup was touched"
  [ ! -e "$folder.half" ] || fail "half a backup is still there"
  [ -e "$folder.away/backup.tar" ] || fail "another machine's was touched"
  assert_same notes ".ripcord/uploads/3.backup" "$(find .ripcord/uploads -type f)"
  rm -r "$folder.away"
  run_ripcord doctor --json
  assert_json 'any(.checks[]; .check == "leftovers" and .verdict == "pass")'
}
part_has_grown() { find "$NET_FILES/sftp" -name '.part-*' -size +100k 2>/dev/null | grep -q .; }

@test "interrupted: nothing is left on the servers" {
  three_stores
  sql "INSERT INTO t SELECT n, encode(sha256(n::text::bytea), 'hex') || encode(sha512(n::text::bytea), 'hex') FROM generate_series(1, 400000) n"
  "$RIPCORD" backup create 3>&- 4>&- &
  pid=$!
  wait_until 30 part_has_grown
  kill -INT $pid
  code=0
  wait $pid || code=$?
  [ "$code" != 0 ]
  assert_same objects "" "$(net_objects)"
}

@test "a WebDAV server is verified by its certificate" {
  configure "[backup]" "stores = http"
  configure_net http
  run_ripcord backup create --json -x "store.http.url=https://127.0.0.1:$NGINX_TLS_PORT/http" -x store.http.attempts=1
  assert_exit 7
  assert_stderr_has "certificate"
  run_ripcord backup create --json -x "store.http.url=https://127.0.0.1:$NGINX_TLS_PORT/http" -x "store.http.ca_file=$NET_DIR/ca.pem"
  assert_exit 0
}

@test "a server without a listing is refused by doctor" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  plain=$(net_folder)
  (nginx_start "$plain" plain && echo "$NGINX_PORT" >port)
  configure "[backup]" "stores = http"
  configure_net http
  run_ripcord doctor -x "store.http.url=http://127.0.0.1:$(cat port)/x"
  net_stop "$plain"
  assert_exit 3
  assert_stdout_has "PROPFIND"
  run_ripcord doctor
  assert_exit 0
  assert_stdout_has "store http"
}

@test "2: http in the clear" {
  configure "[backup]" "stores = http" "[store http]" "type = http" "url = http://backups.example.com/x"
  run_ripcord backup list
  assert_exit 2
  assert_stderr_has "in the clear"
}
