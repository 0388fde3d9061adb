# Backups by a timer: when one is due, what retention does after it, who is told, and what lets pins go.
load lib/cluster
load lib/http

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  sql "CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n"
}

teardown() { [ -z "${server:-}" ] || kill "$server"; }

n_listed() { "$RIPCORD" backup list --json | jq length; }

many() { python3 "$BATS_TEST_DIRNAME/lib/many_backups.py" "$@"; }

# ---------------------------------------------------------------- when a backup is due

@test "--if-older: nothing while a young one is there, a backup when it is old" {
  run_ripcord backup --if-older 6h --json
  assert_exit 0
  assert_json '.taken and .verified'
  id=$(jq -r .id <<<"$output")
  run_ripcord backup --if-older 6h --json
  assert_exit 0
  assert_json '.taken == false and .id == $id' --arg id "$id"
  run_ripcord backup --if-older 6h
  assert_stdout_has "nothing to do"
  assert_same listed 1 "$(n_listed)"
  sleep 1.1
  run_ripcord backup --if-older 1s --json
  assert_exit 0
  assert_json '.taken'
  assert_same listed 2 "$(n_listed)"
  run_ripcord backup --if-older soon
  assert_exit 2
}

@test "--if-older: not verified, in too few stores, of another installation, or of the future do not count" {
  run_ripcord backup
  folder=$(newest_backup)
  mv "$folder/verified-restore.json" aside
  run_ripcord backup --if-older 6h --json
  assert_json '.taken'
  rm -r backups
  run_ripcord backup
  run_ripcord backup --if-older 6h --json -x ripcord.installation=another
  assert_json '.taken'
  rm -r backups
  run_ripcord backup
  configure "[backup]" "stores = local, second" "[store second]" "type = file" "path = second"
  run_ripcord backup --if-older 6h --json
  assert_json '.taken'
  run_ripcord backup --if-older 6h --json
  assert_json '.taken == false'
  run_ripcord backup --if-older 6h --json -x backup.stores=local
  assert_json '.taken == false'
  rm -r ripcord.ini backups second
  run_ripcord backup
  folder=$(newest_backup)
  many "$folder" 1 60 later=yes age=86400 >/dev/null
  rm -r "$folder"
  run_ripcord backup --if-older 6h --json
  assert_json '.taken'
}

@test "prune = after-backup: old ones go after a newer one is verified" {
  configure "[backup]" "keep = last:2"
  run_ripcord backup
  many "$(newest_backup)" 3 3600 >/dev/null
  run_ripcord backup --json
  assert_json '.pruned == []'
  assert_same listed 5 "$(n_listed)"
  run_ripcord backup --json -x backup.prune=after-backup
  assert_exit 0
  assert_json '.taken and (.pruned | length == 4)'
  assert_same listed 2 "$(n_listed)"
}

# ---------------------------------------------------------------- who is told

metric() { sed -n "s/^$1{database=\"app\"} //p" metrics.prom; }

@test "metrics: written after a success and after a failure, with the last success kept" {
  configure "[metrics]" "textfile = metrics.prom"
  before=$(date +%s)
  run_ripcord backup --json
  assert_exit 0
  bytes=$(jq .bytes <<<"$output")
  newest=$(metric ripcord_backup_newest_timestamp_seconds)
  [ "${newest%.*}" -ge "$before" ] || fail "the time is not now"
  assert_same bytes "$bytes.000" "$(metric ripcord_backup_newest_bytes)"
  assert_same exit 0.000 "$(metric ripcord_backup_attempt_exit_status)"
  assert_same mode 644 "$(stat -c %a metrics.prom)"
  assert_same verify "" "$(metric ripcord_backup_verify_attempt_exit_status)"
  # Every line is a comment or a sample of the text format.
  [ "$(grep -cvE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+\{database="app"\} [0-9.]+)$' metrics.prom)" = 0 ] || fail "format"
  run_ripcord backup -x database.maintenance_db=nothing_like_it
  [ "$status" != 0 ] || fail "it worked"
  assert_same exit "$status.000" "$(metric ripcord_backup_attempt_exit_status)"
  assert_same newest "$newest" "$(metric ripcord_backup_newest_timestamp_seconds)"
  truncate -s 0 "$(newest_backup)/backup.tar"
  run_ripcord backup verify 2
  assert_exit 7
  assert_same verify 7.000 "$(metric ripcord_backup_verify_attempt_exit_status)"
  assert_same "a success of a verification" "" "$(metric ripcord_backup_verify_success_timestamp_seconds)"
  [ -z "$(find . -name 'metrics.prom*' ! -name metrics.prom)" ] || fail "something is left beside the file"
}

@test "metrics that cannot be written are a warning" {
  configure "[metrics]" "textfile = ripcord.ini/metrics.prom"
  run_ripcord backup
  assert_exit 0
  assert_stderr_has "metrics were not written"
}

@test "notify: success and failure, each to its URL, as JSON" {
  serve 200
  configure "[notify]" "success = http://127.0.0.1:$port/done" "failure = http://127.0.0.1:$port/failed"
  run_ripcord backup --json
  assert_exit 0
  id=$(jq -r .id <<<"$output")
  run_ripcord backup --if-older 1h
  assert_exit 0
  run_ripcord backup -x database.maintenance_db=nothing_like_it
  failed=$status
  assert_same paths "/done /done /failed" "$(cut -d' ' -f1 posted | paste -sd' ')"
  cut -d' ' -f2- posted >bodies
  output=$(jq -s . bodies)
  assert_json '.[0].outcome == "done" and .[0].work == "backup" and .[0].backup == $id and .[0].bytes > 0' --arg id "$id"
  assert_json '.[1].outcome == "unchanged" and .[1].backup == $id' --arg id "$id"
  assert_json '.[2].outcome == "failed" and .[2].exit == $e and (.[2].message | length > 5)' --argjson e "$failed"
}

@test "nobody to notify is a warning that keeps the URL's secret" {
  serve 500
  configure "[notify]" "success = http://user:pass-w0rd@127.0.0.1:$port/hook/t0ken?key=s3cret" "attempts = 2"
  run_ripcord backup
  assert_exit 0
  assert_stderr_has "127.0.0.1:$port"
  assert_stderr_has "status 500"
  assert_same attempts 2 "$(wc -l <posted)"
  kill "$server"
  unset server
  run_ripcord backup -v -x notify.attempts=1
  assert_exit 0
  assert_stderr_has "nobody was told"
  for secret in t0ken s3cret pass-w0rd; do refute_stderr_has "$secret"; done
}

# ---------------------------------------------------------------- pins of runs

is_pinned() { "$RIPCORD" backup list --json | jq --arg id "$1" '.[] | select(.id == $id) | .pinned'; }

backup_of_run() { jq -r .backup.id <<<"$output"; }

@test "accept lets go the pins of the runs before it, and not a person's" {
  make_revision r1 "" "CREATE TABLE u (a int)" "" "DROP TABLE u"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  first=$(backup_of_run)
  make_revision r2 r1 "CREATE TABLE v (a int)" "SELECT false" "DROP TABLE v"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  second=$(backup_of_run)
  rm "$(revision_file r2)"
  make_revision r3 r1 "CREATE TABLE w (a int)" "" "DROP TABLE w"
  run_ripcord upgrade head --yes --json
  assert_exit 0
  third=$(backup_of_run)
  run_ripcord backup
  byhand=$(jq -r .id "$(newest_backup)/manifest.json")
  run_ripcord backup pin "$byhand"
  for id in "$first" "$second" "$third" "$byhand"; do assert_same "pinned before" true "$(is_pinned "$id")"; done
  run_ripcord accept --json
  assert_exit 0
  assert_json '.accepted and .backup == $id' --arg id "$third"
  for id in "$first" "$second" "$third"; do assert_same "pinned after" false "$(is_pinned "$id")"; done
  assert_same "by hand" true "$(is_pinned "$byhand")"
}

@test "accept_after: an upgraded run's pin goes by time, a rolled back one's does not" {
  configure "[backup]" "keep = last:1"
  make_revision r1 "" "CREATE TABLE u (a int)" "" "DROP TABLE u"
  run_ripcord upgrade head --yes --json
  upgraded=$(backup_of_run)
  make_revision r2 r1 "CREATE TABLE v (a int)" "SELECT false" "DROP TABLE v"
  run_ripcord upgrade head --yes --json
  assert_exit 4
  rolled_back=$(backup_of_run)
  run_ripcord backup
  run_ripcord backup prune --dry-run --json
  assert_json '[.backups[] | select(.verdict == "delete")] == []'
  assert_json '.backups[] | select(.id == $id) | .reason | test("accept_after")' --arg id "$upgraded"
  run_ripcord backup prune --yes --json -x guard.accept_after=0
  assert_exit 0
  assert_json '.deleted == [$id]' --arg id "$upgraded"
  assert_json '.backups[] | select(.id == $id) | .reason | test("rolled-back")' --arg id "$rolled_back"
  run_ripcord runs list --json
  assert_json '[.[] | select(.backup == $id)][0].accepted' --arg id "$upgraded"
}

@test "accept_after: no pin goes by time while a quarantine is there, or the server cannot be asked" {
  configure "[backup]" "keep = last:1" "[guard]" "accept_after = 0"
  make_revision r1 "" "CREATE TABLE u (a int)" "" "DROP TABLE u"
  run_ripcord upgrade head --yes --json
  id=$(backup_of_run)
  run_ripcord backup
  sql "CREATE DATABASE kept" postgres
  sql "COMMENT ON DATABASE kept IS 'ripcord: quarantine of run x; \`ripcord quarantine drop\` ends it'" postgres
  run_ripcord backup prune --dry-run --json
  assert_json '.backups[] | select(.id == $id) | .verdict == "keep" and (.reason | test("quarantine is there"))' --arg id "$id"
  sql "DROP DATABASE kept" postgres
  DATABASE_URL=postgresql://x@127.0.0.1:1/app run_ripcord backup prune --dry-run --json \
    -x ripcord.installation="$(jq -r .installation "$(newest_backup)/manifest.json")"
  assert_json '.backups[] | select(.id == $id) | .verdict == "keep" and (.reason | test("cannot be asked"))' --arg id "$id"
  run_ripcord backup prune --dry-run --json
  assert_json '.backups[] | select(.id == $id) | .verdict == "delete"' --arg id "$id"
}
