# Encrypted backups: taken without the private key, opened by age alone, proven as far as the key at hand allows.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  sql "CREATE TABLE t AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 20000) n"
  age-keygen -o key 2>/dev/null
  age-keygen -o other_key 2>/dev/null
  PUBLIC=$(age-keygen -y key)
  configure "[backup]" "recipients = $PUBLIC"
}

object() { echo backups/*/*/backup.tar.age; }

take_unread() {
  run_ripcord backup create --json -x backup.verify=read
  assert_exit 0
  id=$(jq -r .id <<<"$output")
}

@test "the private key is not needed to take one, and age alone opens it" {
  take_unread
  [ -f "$(object)" ]
  assert_same "plain tars" "" "$(find backups -name backup.tar)"
  run_ripcord backup show "$id" --json
  assert_exit 0
  jq -e --arg key "$PUBLIC" '.encryption == {tool: "age", recipients: [$key]} and .object.name == "backup.tar.age"' \
    backups/*/*/manifest.json
  assert_same digest "$(sha256sum <"$(object)" | cut -d' ' -f1)" "$(jq -r .object.sha256 backups/*/*/manifest.json)"
  # Without ripcord: docs/recovery.md.
  mkdir out
  age -d -i key "$(object)" | tar x -C out
  cat out/data/*.zst | zstd -dq >dump
  new_database by_hand
  "$(pg_bindir)/pg_restore" --exit-on-error -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U postgres -d by_hand dump
  assert_same rows "$(table_digest t app)" "$(table_digest t by_hand)"
}

@test "without the key verify proves the bytes, and says that the inside was not read" {
  take_unread
  run_ripcord backup verify "$id" --json
  assert_exit 0
  assert_json '.how == "stored"'
  assert_stderr_has "the inside was not read"
  run_ripcord backup verify "$id" --level restore
  assert_exit 7
  turn_byte "$(object)" 5000
  run_ripcord backup verify "$id"
  assert_exit 7
  assert_stderr_has "SHA-256"
  truncate -s -1 "$(object)"
  run_ripcord backup verify "$id"
  assert_exit 7
}

@test "with the key everything is read, and restored" {
  take_unread
  run_ripcord backup verify "$id" --json -x backup.identity=key
  assert_exit 0
  assert_json '.how == "restore"'
  RIPCORD_AGE_IDENTITY=key run_ripcord restore --backup "$id" --as other --yes
  assert_exit 0
  assert_same rows "$(table_digest t)" "$(table_digest t other)"
}

@test "damage is found with the key, too" {
  take_unread
  turn_byte "$(object)" 5000
  run_ripcord backup verify "$id" -x backup.identity=key
  assert_exit 7
  run_ripcord restore --backup "$id" --as other --yes -x backup.identity=key
  assert_exit 7
  truncate -s 3000 "$(object)"
  run_ripcord backup verify "$id" -x backup.identity=key
  assert_exit 7
}

@test "a key that does not fit is clear, and no damage" {
  take_unread
  run_ripcord restore --backup "$id" --as nokey --yes
  assert_exit 7
  assert_stderr_has "there is no key to open it"
  run_ripcord restore --backup "$id" --as nokey --yes -x backup.identity=other_key
  assert_exit 7
  assert_stderr_has "no identity matched"
  assert_same databases "" "$(sql "SELECT datname FROM pg_database WHERE datname LIKE '%nokey%'")"
}

@test "3: what cannot be encrypted, proven or restored as configured is refused before anything starts" {
  make_revision r1 "" "CREATE TABLE t1 (n int)"
  # The ladder restores, and nobody could.
  run_ripcord upgrade head --yes
  assert_exit 3
  assert_stderr_has "backup-encryption"
  run_ripcord backup create
  assert_exit 3
  assert_stderr_has "there is no key to prove one"
  # A key that does not belong to the recipients.
  run_ripcord upgrade head --yes -x backup.identity=other_key
  assert_exit 3
  assert_stderr_has "no identity matched"
  run_ripcord upgrade head --yes -x backup.identity=no_such_file
  assert_exit 3
  # No recipient at all.
  run_ripcord upgrade head --yes -x backup.identity=key -x backup.recipients=age1abc
  assert_exit 3
  assert_stderr_has "backup-encryption"
  # No age program.
  mkdir bin
  for program in sh pg_dump; do ln -s "$(command -v $program)" bin/; done
  run --separate-stderr env PATH="$PWD/bin" "$RIPCORD" upgrade head --yes -x backup.identity=key
  assert_exit 3
  assert_stderr_has "age is not on PATH"
  [ ! -e backups ]
  run_ripcord doctor
  assert_exit 3
  assert_stdout_has "backup-encryption"
  assert_same table "" "$(sql "SELECT to_regclass('t1')")"
}

@test "a failed upgrade is restored from an encrypted backup" {
  make_revision r1 "" "DELETE FROM t WHERE id < 100"
  configure "[hook smoke]" "phase = after-upgrade" "command = false"
  before=$(table_digest t)
  run_ripcord upgrade head --yes --json -x backup.identity=key -x guard.on_failure=restore
  assert_exit 5
  assert_json '.outcome == "restored"'
  assert_same rows "$before" "$(table_digest t)"
  [ -f "$(object)" ]
}

@test "an encrypted upgrade without the key, where nothing would be restored" {
  make_revision r1 "" "CREATE TABLE t1 (n int)" "" "DROP TABLE t1"
  run_ripcord upgrade head --yes --json -x guard.on_failure=downgrade -x backup.verify=read
  assert_exit 0
  assert_json '.outcome == "upgraded"'
}

@test "age that dies half way publishes nothing" {
  mkdir bin
  # The real one for what is tried first, one that ends early for the backup itself.
  cat >bin/age <<END
#!/bin/sh
case \$1 in --version | -d) exec $(command -v age) "\$@" ;; esac
count=\$(cat $PWD/count 2>/dev/null || echo 0)
echo \$((count + 1)) >$PWD/count
[ "\$count" -gt 0 ] || exec $(command -v age) "\$@"
head -c 100000
ending
END
  chmod +x bin/age
  for ending in "exit 3" "exit 0" "kill -9 \$\$"; do
    rm -f count
    sed -i "\$d" bin/age
    echo "$ending" >>bin/age
    PATH=$PWD/bin:$PATH run_ripcord backup create -x backup.verify=read
    assert_exit 7
    assert_stderr_has "age"
    assert_same files "" "$(find backups -type f)"
  done
}

@test "recipients may be a file; a private key is refused unseen" {
  { echo "# operations"; echo "$PUBLIC"; age-keygen -y other_key; } >keys
  run_ripcord backup create --json -x backup.verify=read -x backup.recipients=keys
  assert_exit 0
  age -d -i other_key "$(object)" | tar t >/dev/null
  run_ripcord backup list -x "backup.recipients=$(grep -v '^#' key)"
  assert_exit 2
  refute_stderr_has "$(grep -v '^#' key | tail -c 30)"
  run_ripcord backup list -x "backup.identity=$(grep -v '^#' key)"
  assert_exit 2
  refute_stderr_has "$(grep -v '^#' key | tail -c 30)"
  run_ripcord backup list -x backup.recipients=nonsense
  assert_exit 2
}
