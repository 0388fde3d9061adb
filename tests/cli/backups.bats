# Backups: how they lie in the store, what damage is found, and how one comes back without ripcord.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  sql "CREATE TABLE t AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 20000) n"
  run_ripcord backup create --json
  assert_exit 0
  folder=$(newest_backup)
  id=$(cd "$folder" && jq -r .id manifest.json)
  [ -f "$folder/backup.tar" ]
}

# Verify and restore both see it, and the databases stay as they are.
damaged() {
  run_ripcord backup verify "$id"
  assert_exit 7
  local before
  before=$(databases)
  run_ripcord restore --backup "$id" --as other --yes
  assert_exit 7
  assert_same databases "$before" "$(databases)"
}

# The members as files, and their names in the tar's order.
unpack() {
  mkdir "$BATS_TEST_TMPDIR/members"
  tar xf "$folder/backup.tar" -C "$BATS_TEST_TMPDIR/members"
  tar tf "$folder/backup.tar" >"$BATS_TEST_TMPDIR/names"
}

@test "a backup is listed, shown, verified" {
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'length == 1 and .[0].id == $id and .[0].database == "app" and .[0].stores == ["local"]' --arg id "$id"
  run_ripcord backup show "$id"
  assert_exit 0
  run_ripcord backup verify "$id"
  assert_exit 0
}

@test "files are for their owner alone" {
  assert_same "modes of files" "600" "$(find backups -type f -printf '%m\n' | sort -u)"
  assert_same "modes of folders" "700" "$(find backups -mindepth 1 -type d -printf '%m\n' | sort -u)"
}

@test "it restores with tar, zstd and pg_restore alone" {
  unpack
  sql 'CREATE DATABASE "by hand" TEMPLATE template0' postgres
  (cd "$BATS_TEST_TMPDIR/members" && cat data/*.zst | zstd -dq) |
    "$CLUSTER_BIN/pg_restore" --exit-on-error -h "$CLUSTER_DIR" -p "$CLUSTER_PORT" -U postgres -d "by hand"
  assert_same digest "$(table_digest t)" "$(table_digest t "by hand")"
  sql 'DROP DATABASE "by hand"' postgres
}

@test "restore --as brings it back beside the live one" {
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 0
  assert_same digest "$(table_digest t)" "$(table_digest t copy)"
  run_ripcord restore --backup "$id" --as copy --yes
  assert_exit 3
  sql "DROP DATABASE copy" postgres
}

@test "restore --swap puts the live one into quarantine" {
  local before
  before=$(table_digest t)
  sql "DELETE FROM t"
  run_ripcord restore --backup "$id" --swap --yes
  assert_exit 3
  assert_stderr_has --accept-loss
  run_ripcord restore --backup "$id" --swap --accept-loss --yes
  assert_exit 0
  assert_same digest "$before" "$(table_digest t)"
  run_ripcord quarantine list --json
  assert_exit 0
  assert_json 'length == 1'
  run_ripcord quarantine drop "$(databases | grep quarantine)" --yes
  assert_exit 0
}

@test "one byte turned" {
  local size
  size=$(stat -c %s "$folder/backup.tar")
  turn_byte "$folder/backup.tar" $((size / 2))
  damaged
}

@test "cut short" {
  truncate -s -100000 "$folder/backup.tar"
  damaged
}

@test "empty" {
  : >"$folder/backup.tar"
  damaged
}

@test "the tar is gone" {
  rm "$folder/backup.tar"
  damaged
}

@test "a member is missing" {
  unpack
  sed -i '0,/^data/{/^data/d}' "$BATS_TEST_TMPDIR/names"
  tar cf "$folder/backup.tar" -C "$BATS_TEST_TMPDIR/members" --no-recursion -T "$BATS_TEST_TMPDIR/names"
  damaged
}

@test "a member with ../ in its name is never written" {
  unpack
  tar cf "$folder/backup.tar" -C "$BATS_TEST_TMPDIR/members" --no-recursion -T "$BATS_TEST_TMPDIR/names" \
    --absolute-names --transform 's|^data/000001.zst$|../../../../evil.zst|'
  tar tf "$folder/backup.tar" -P | grep -qF '../evil.zst'
  damaged
  [ -z "$(find /tmp "$PROJECT" -xdev -name evil.zst 2>/dev/null)" ] || fail "it was written"
}

@test "a member more than the manifest knows" {
  unpack
  echo more >"$BATS_TEST_TMPDIR/members/extra"
  tar rf "$folder/backup.tar" -C "$BATS_TEST_TMPDIR/members" extra
  damaged
}

@test "a manifest that was edited is not believed" {
  jq -c '.members[0].sha256 = ("0" * 64)' "$folder/manifest.json" >new.json
  mv new.json "$folder/manifest.json"
  run_ripcord backup verify "$id"
  assert_exit 7
}

@test "without a manifest it is not a backup" {
  rm "$folder/manifest.json"
  run_ripcord backup list --json
  assert_exit 0
  assert_json 'length == 0'
  run_ripcord backup verify "$id"
  [ "$status" != 0 ] || fail "verified"
}

# untouched: an upgrade ended with exit 7, and neither the database nor the store has anything of it.
untouched() {
  assert_exit 7
  assert_json '.outcome == "failed" and .quarantine == null'
  assert_same table "" "$(sql "SELECT to_regclass('u')")"
  run_ripcord backup list --json
  assert_json 'length == 1 and .[0].id == $id' --arg id "$id"
  assert_same "left in the store" 3 "$(find backups -type f | wc -l)"
}

@test "a full disk: exit 7, nothing changed, nothing left" {
  make_revision 1 "" "CREATE TABLE u (a int)"
  # A limit on a file's size fails as a full disk does, in the middle of a write.
  run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 300; exec "$RIPCORD" upgrade head --yes --json'
  untouched
}

# A pg_dump that does something else; everything else is the real thing.
fake_pg_dump() {
  mkdir bin
  ln -s "$CLUSTER_BIN"/* bin/
  rm bin/pg_dump
  printf '#!/bin/sh\ncase $1 in --version) exec %s/pg_dump --version ;; esac\n%s\n' "$CLUSTER_BIN" "$1" >bin/pg_dump
  chmod +x bin/pg_dump
  configure "[backup]" "pg_bindir = bin"
  make_revision 1 "" "CREATE TABLE u (a int)"
}

@test "a pg_dump that fails at its end: exit 7" {
  fake_pg_dump "$CLUSTER_BIN/pg_dump \"\$@\"; echo 'the disk is on fire' >&2; exit 1"
  run_ripcord upgrade head --yes --json
  [[ $stderr == *'the disk is on fire'* ]] || fail "pg_dump's words are lost"
  untouched
}

@test "a pg_dump that a signal ends in the middle: exit 7" {
  fake_pg_dump "$CLUSTER_BIN/pg_dump \"\$@\" | head -c 100000; kill -9 \$\$"
  run_ripcord upgrade head --yes --json
  untouched
}

@test "a pg_dump that writes half and says it is well: exit 7" {
  fake_pg_dump "$CLUSTER_BIN/pg_dump \"\$@\" | head -c 100000; exit 0"
  run_ripcord upgrade head --yes --json
  untouched
}
