# Backups in S3: a strict server, and what a bad network does to it.  All faults at all requests: scripts/faults-s3.
load lib/cluster
load lib/s3

setup_file() {
  cluster_start
  s3_start
}

teardown_file() {
  s3_stop
  cluster_stop
}

setup() {
  new_project
  new_database
  sql "CREATE TABLE t AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 40000) n"
  export S3_SECRET=S3RVER
  prefix=p$BATS_TEST_NUMBER
  S3_PROXY_PID=
  S3_PORT=$S3_SERVER_PORT
}

teardown() {
  s3_direct
  s3_tls_end
}

# to_bucket [LINE...]: the store as it stands now, through a proxy if there is one.
to_bucket() {
  printf '%s\n' "[backup]" "stores = bucket" "verify = read" >ripcord.ini
  s3_section "$prefix" "$@" >>ripcord.ini
}

# On a good day: what is really there.
listed() {
  s3_heal
  run_ripcord backup list --json
  assert_exit 0
  jq length <<<"$output"
}

nothing_open() {
  assert_same "open uploads" "" "$(s3_open_uploads)"
  assert_same "notes" "" "$(ls .ripcord/uploads 2>/dev/null)"
}

nothing_left() {
  assert_same "listed" 0 "$(listed)"
  assert_same "objects" "" "$(s3_objects "$prefix")"
  nothing_open
}

@test "create, list, show, verify, pin, restore" {
  to_bucket
  run_ripcord backup create --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'length == 1 and .[0].id == $id and .[0].stores == ["bucket"] and .[0].verified' --arg id "$id"
  run_ripcord backup show "$id"
  assert_exit 0
  run_ripcord backup verify "$id"
  assert_exit 0
  run_ripcord backup pin "$id"
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned'
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 0
  assert_same digest "$(table_digest t)" "$(table_digest t copy)"
  sql "DROP DATABASE copy" postgres
  s3_objects "$prefix" | grep -qE "^$prefix/app-[0-9]+/[0-9TZ]+-base-[0-9a-f]{8}/backup\.tar$" || fail "another place"
  nothing_open
}

@test "an upgrade keeps its backup in the bucket, and doctor writes a probe there" {
  to_bucket
  make_revision 1 "" "CREATE TABLE u (a int)"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.backup.id != null'
  assert_same listed 1 "$(listed)"
  run_ripcord doctor
  assert_exit 0
  [ -z "$(s3_objects "$prefix" | grep probe)" ] || fail "the probe stays"
}

@test "the bucket in the host's name, keys from the environment with a session token" {
  printf '%s\n' "[backup]" "stores = bucket" "verify = read" "[store bucket]" "type = s3" "bucket = backups" \
    "prefix = $prefix" "endpoint = http://s3.localhost:$S3_PORT" "addressing = virtual" "allow_http = yes" >ripcord.ini
  AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AWS_SESSION_TOKEN=token run_ripcord backup create
  assert_exit 0
  AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AWS_SESSION_TOKEN=stale run_ripcord backup list
  assert_exit 7
  assert_stderr_has InvalidToken
}

@test "a wrong secret is refused by name, and not shown" {
  to_bucket
  S3_SECRET=wr0ng-s3cret run_ripcord -v backup create
  assert_exit 7
  assert_stderr_has SignatureDoesNotMatch
  refute_stderr_has wr0ng
  [[ $output != *wr0ng* ]] || fail "shown"
  nothing_left
}

@test "TLS: a server is believed by its certificate alone" {
  s3_tls "IP:127.0.0.1"
  to_bucket "attempts = 1"
  sed -i "s#^endpoint = .*#endpoint = https://127.0.0.1:$S3_TLS_PORT#" ripcord.ini
  run_ripcord backup create
  assert_exit 7
  assert_stderr_has "certificate"
  assert_same "objects" "" "$(s3_objects "$prefix")"
  run_ripcord backup create --json -x "store.bucket.ca_file=$S3_DIR/ca.pem"
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  export AWS_CA_BUNDLE=$S3_DIR/ca.pem
  run_ripcord backup verify "$id"
  assert_exit 0
  run_ripcord restore --backup "$id" --as over_tls --yes
  assert_exit 0
  assert_same rows "$(table_digest t)" "$(table_digest t over_tls)"
  sql "DROP DATABASE over_tls" postgres
  # By the same authority, for another name.
  s3_tls "DNS:s3.example.com"
  sed -i "s#^endpoint = .*#endpoint = https://127.0.0.1:$S3_TLS_PORT#" ripcord.ini
  run_ripcord backup list
  assert_exit 7
  assert_stderr_has "127.0.0.1"
  unset AWS_CA_BUNDLE
}

@test "plain http off this machine is refused" {
  to_bucket
  run_ripcord backup list -x "store.bucket.endpoint=http://s3.example.org"
  assert_exit 2
  assert_stderr_has "plain text"
}

@test "one byte turned in the bucket is found" {
  to_bucket
  run_ripcord backup create --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  file=$(find "$S3_DIR/backups/$prefix" -name 'backup.tar._S3rver_object')
  turn_byte "$file" $(($(stat -c %s "$file") / 2))
  run_ripcord backup verify "$id"
  assert_exit 7
}

@test "a sample of faults: the backup is made all the same" {
  s3_proxy
  to_bucket
  run_ripcord backup create
  assert_exit 0
  local parts n=0 fault
  parts=$(grep -c partNumber= "$S3_LOG")
  [ "$parts" -ge 40 ] || fail "$parts parts"
  # Two of them each time, at changing places, and one at the answer where most can go wrong.
  # shellcheck disable=SC2086 # a list
  set -- $S3_FAULTS_PASSING
  for fault in 500-after error-200 error-200-after reset-after truncate stall-after; do
    n=$((n + 1))
    prefix=p$BATS_TEST_NUMBER-$n
    s3_proxy "$1:$n" "$2:$((n * 6 + 4))" "$fault:complete"
    to_bucket
    run_ripcord backup create
    [ "$status" = 0 ] || fail "$1 at $n, $2 at $((n * 6 + 4)), $fault at the end: exit $status"
    assert_same "faults that befell" 3 "$(grep -cE " ($1|$2|$fault)\$" "$S3_LOG")"
    nothing_open
    shift 2
  done
}

@test "a bucket that refuses in the middle: exit 7, the upgrade does not start" {
  make_revision 1 "" "CREATE TABLE u (a int)"
  local fault
  for fault in 403 507 413; do
    prefix=p$BATS_TEST_NUMBER-$fault
    s3_proxy "$fault:20"
    to_bucket
    run_ripcord upgrade head --yes --json
    assert_exit 7
    assert_json '.outcome == "failed" and .quarantine == null'
    assert_same table "" "$(sql "SELECT to_regclass('u')")"
    nothing_left
  done
}

@test "a server that is gone for good: exit 7 in bounded time, swept when it is back" {
  s3_proxy reset:20-
  to_bucket "attempts = 4"
  SECONDS=0
  run_ripcord backup create
  assert_exit 7
  [ "$SECONDS" -lt 60 ] || fail "it took $SECONDS s"
  assert_same "listed" 0 "$(listed)"
  [ -n "$(s3_open_uploads)" ] || fail "nothing was left: the test shows nothing"
  run_ripcord backup create
  assert_exit 0
  assert_same "listed" 1 "$(listed)"
  nothing_open
}

# start_stalled: a backup whose 20th request hangs; sets $run.
start_stalled() {
  s3_proxy stall:20
  to_bucket
  sed -i 's/^stall_timeout = .*/stall_timeout = 5min/' ripcord.ini
  "$RIPCORD" -q backup create >out 2>&1 3>&- 4>&- &
  run=$!
  wait_until 60 grep -q '^20 ' "$S3_LOG"
}

@test "killed in the middle: nothing is listed, and the next run sweeps" {
  start_stalled
  kill -KILL $run
  wait $run || true
  assert_same "listed" 0 "$(listed)"
  assert_same "open uploads" 1 "$(s3_open_uploads | wc -w)"
  run_ripcord backup create
  assert_exit 0
  assert_same "listed" 1 "$(listed)"
  nothing_open
}

@test "another run's upload is not swept while it lives" {
  start_stalled
  s3_heal
  new_database other
  run_ripcord backup create
  assert_exit 0
  assert_same "open uploads" 1 "$(s3_open_uploads | wc -w)"
  kill -TERM $run
  wait $run || true
  nothing_open
  new_database
}

@test "asked to end in the middle: the upload is aborted" {
  start_stalled
  kill -TERM $run
  local code=0
  wait $run || code=$?
  [ "$code" != 0 ] || fail "it ended well"
  nothing_left
}
