# The catalog without the database: what lists, shows, verifies, pins, fetches and prunes needs the stores alone.
load lib/cluster

setup_file() {
  cluster_start
  # One real backup, which each test has a copy of; then the server is gone.
  BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR new_project
  new_database
  sql "CREATE TABLE t AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 2000) n"
  "$RIPCORD" backup create -q
  export ORIGINAL=$PWD
  cluster_stop
}

setup() {
  new_project
  cp -a "$ORIGINAL/backups" .
  folder=$(newest_backup)
  id=$(jq -r .id "$folder/manifest.json")
  installation=$(jq -r .installation "$folder/manifest.json")
  unset DATABASE_URL
}

many() { python3 "$BATS_TEST_DIRNAME/lib/many_backups.py" "$@"; }

n_listed() { "$RIPCORD" backup list --json | jq length; }

@test "list, show, pin, unpin, verify, fetch without a database" {
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'length == 1 and .[0].id == $id and .[0].verified and .[0].database == "app"' --arg id "$id"
  run_ripcord backup show "$id" --json
  assert_exit 0
  assert_json '.verified == "restore" and .pinned == null and .installation == $i and (.timeline | test("^[0-9]+$"))' \
    --arg i "$installation"
  run_ripcord backup pin "$id"
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned'
  run_ripcord backup unpin "$id"
  assert_exit 0
  run_ripcord backup list --json
  assert_json '.[0].pinned | not'
  run_ripcord backup fetch "$id" out
  assert_exit 0
  cmp out/backup.tar "$folder/backup.tar"
  cmp out/manifest.json "$folder/manifest.json"
  assert_same mode 700 "$(stat -c %a out)"
  run_ripcord backup fetch "$id" out
  assert_exit 3
}

@test "verify reads what it can, says what it could not, and keeps the stronger mark" {
  run_ripcord backup verify "$id" --json
  assert_exit 0
  assert_json '.verified and .how == "read"'
  assert_stderr_has "not restored"
  run_ripcord backup show "$id" --json
  assert_json '.verified == "restore"'
  run_ripcord backup verify "$id" --level restore --json
  assert_exit 2
  run_ripcord backup verify "$id" --level read
  assert_exit 0
  refute_stderr_has "not restored"
}

@test "an id by its beginning, by its short end, and one that several have" {
  many "$folder" 3 60
  run_ripcord backup show "${id##*-}" --json
  assert_exit 0
  assert_json '.id == $id' --arg id "$id"
  run_ripcord backup show 20
  assert_exit 2
  run_ripcord backup show nothing-like-it
  assert_exit 7
}

# By the program, a sample of what tests/unit/backup/test_damage.c does to every byte.
@test "a byte of any object: verify names it, exit 7, and the mark is gone" {
  "$RIPCORD" backup pin "$id"
  cp -a backups sound
  for object in backup.tar manifest.json pinned.json verified-restore.json; do
    for i in 1 2 3 4 5; do
      rm -r backups
      cp -a sound backups
      size=$(stat -c %s "$folder/$object")
      at=$((size * i / 6 + RANDOM % (size / 6)))
      turn_byte "$folder/$object" $at
      run_ripcord backup verify "$id" --json
      [ "$status" = 7 ] || fail "$object, byte $at: exit $status"
      case $object in
      backup.tar)
        [[ $stderr == *.zst* || $stderr == *backup.tar* ]] || fail "byte $at: nothing is named"
        [ ! -e "$folder/verified-restore.json" ] || fail "a damaged copy is still marked verified"
        ;;
      *) assert_stderr_has "$object" ;;
      esac
    done
  done
}

@test "a mark that was damaged is written anew" {
  turn_byte "$folder/verified-restore.json" 40
  run_ripcord backup verify "$id"
  assert_exit 7
  run_ripcord backup verify "$id"
  assert_exit 0
}

@test "3,000 backups" {
  many "$folder" 3000 3600 >/dev/null
  SECONDS=0
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'length == 3001 and all(.[]; .verified)'
  echo "# list of 3,001: $SECONDS s" >&3
  SECONDS=0
  run_ripcord backup prune --dry-run --json
  assert_exit 0
  assert_json '.backups | length == 3001 and all(.[]; .reason | length > 5)'
  assert_json '[.backups[] | select(.verdict == "keep")] | length > 15 and length < 30'
  echo "# prune --dry-run: $SECONDS s" >&3
  SECONDS=0
  run_ripcord backup show "${id##*-}" --json
  assert_exit 0
  echo "# show of one: $SECONDS s" >&3
}

# ---------------------------------------------------------------- retention

@test "prune explains, asks, deletes, and keeps what the rules keep" {
  configure "[backup]" "keep = last:3"
  many "$folder" 9 3600 >ids
  run_ripcord backup prune --dry-run
  assert_exit 0
  [ "$(grep -c '^keep' <<<"$output")" = 3 ] || fail "not three are kept"
  [ "$(grep -c '^delete' <<<"$output")" = 7 ] || fail "not seven go"
  assert_stdout_has "last 3 of 3"
  assert_stdout_has "no rule keeps it (last:3)"
  assert_same listed 10 "$(n_listed)"
  run_ripcord backup prune </dev/null
  assert_exit 2
  assert_same listed 10 "$(n_listed)"
  run_ripcord backup prune --yes --json
  assert_exit 0
  assert_json '(.deleted | length == 7) and .dry_run == false and .freed_bytes > 0'
  assert_same listed 3 "$(n_listed)"
  assert_same "files that are left" 9 "$(find backups -type f | wc -l)"
  run_ripcord backup prune --json
  assert_exit 0
  assert_json '.deleted == []'
}

@test "nothing goes while the newest is not verified, or its manifest is damaged" {
  configure "[backup]" "keep = last:1"
  many "$folder" 3 3600
  mv "$folder/verified-restore.json" aside
  run_ripcord backup prune --yes --json
  assert_exit 0
  assert_json '.deleted == [] and (.backups[1].reason | test("newest"))'
  mv aside "$folder/verified-restore.json"
  turn_byte "$folder/manifest.json" 100
  run_ripcord backup prune --yes --json
  assert_exit 0
  assert_json '.deleted == []'
  assert_stderr_has manifest.json
}

@test "pinned ones stay, and the newest of each revision in keep_revisions" {
  configure "[backup]" "keep = last:1" "keep_revisions = 1975"
  many "$folder" 2 60 pinned="by hand"
  many "$folder" 3 3600 heads=1975ea83b712 >protected
  many "$folder" 2 7200 heads=8c4f1a2b9d3e age=90000
  run_ripcord backup prune --yes --json
  assert_exit 0
  assert_json '(.deleted | length == 4) and ([.backups[] | select(.verdict == "keep")] | length == 4)'
  assert_json '.backups[] | select(.id == $id) | .reason | test("1975ea83b712")' --arg id "$(head -1 protected)"
}

@test "another installation's and another database's are never touched without a word" {
  configure "[ripcord]" "installation = production" "[backup]" "keep = last:1"
  many "$folder" 3 60 installation=production
  many "$folder" 4 60 installation=staging
  export DATABASE_URL=postgresql://x@gone.invalid/app
  run_ripcord backup prune --yes --json
  assert_exit 0
  assert_json '(.deleted | length == 2) and ([.backups[] | select(.reason | test("staging"))] | length == 4)'
  run_ripcord backup prune --installation staging --dry-run --json
  assert_json '[.backups[] | select(.verdict == "delete")] | length == 3'
  DATABASE_URL=postgresql://x@gone.invalid/other run_ripcord backup prune --dry-run --json
  assert_json 'all(.backups[]; .verdict == "keep" and (.reason | test("another database, app")))'
  unset DATABASE_URL
  printf '[backup]\nkeep = last:1\n' >ripcord.ini
  run_ripcord backup prune --dry-run --json
  assert_json 'all(.backups[]; .verdict == "keep" and (.reason | test("--installation")))'
}

@test "a deletion that broke off is finished; other leftovers are only reported" {
  many "$folder" 3 86400 >ids
  configure "[backup]" "keep = last:9"
  cp -a backups whole
  # As a prune that was killed leaves it: its mark is there, the manifest gone.
  half=$(find backups -name "*-$(sed -n 1p ids | cut -d- -f2)")
  python3 - "$half" "$(sed -n 1p ids)" "$BATS_TEST_DIRNAME/lib" <<'PY'
import hashlib, json, sys
mark = {"format": 1, "backup": sys.argv[2], "at": "2026-11-22T10:15:00.000000Z", "reason": "no rule keeps it"}
text = lambda v: json.dumps(v, sort_keys=True, separators=(",", ":"))
mark["digest"] = hashlib.sha256(text(mark).encode()).hexdigest()
open(sys.argv[1] + "/deleting.json", "w").write(text(mark))
PY
  rm "$half/manifest.json"
  lost=$(find backups -name "*-$(sed -n 2p ids | cut -d- -f2)")
  rm "$lost/manifest.json"
  mixed=$(find backups -name "*-$(sed -n 3p ids | cut -d- -f2)")
  rm "$mixed/manifest.json"
  echo mine >"$mixed/notes.txt"
  run_ripcord backup prune --dry-run --json
  assert_json '[.leftovers[] | select(.verdict == "delete")] | length == 1'
  run_ripcord backup prune --yes
  assert_exit 0
  [ ! -e "$half" ] || fail "the deletion is not finished"
  [ -e "$lost/backup.tar" ] && [ -e "$mixed/backup.tar" ] || fail "something else went"
  mkdir -p .ripcord/runs
  run_ripcord backup prune --leftovers --yes
  assert_exit 0
  [ ! -e "$lost" ] || fail "the leftover is still there"
  [ -e "$mixed/backup.tar" ] && [ -e "$mixed/notes.txt" ] || fail "what is not ours went"
}

@test "max_bytes warns" {
  configure "[backup]" "max_bytes = 1kB"
  run_ripcord backup prune --dry-run
  assert_exit 0
  assert_stderr_has max_bytes
}
