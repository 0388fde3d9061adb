# Revision files that are wrong, odd or huge: everything stops before a backup is taken, or works.
load lib/cluster

setup_file() { cluster_start; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  make_revision 1 "" "CREATE TABLE t (a int)" "SELECT true" "DROP TABLE t"
}

# refused EXIT TEXT...: upgrade ends so, says so, and has touched nothing.
refused() {
  run_ripcord upgrade head --yes
  assert_exit "$1"
  shift
  for text; do
    assert_stderr_has "$text"
  done
  [ ! -d backups ] || [ -z "$(find backups -type f)" ] || fail "a backup was taken"
  assert_same "tables" 0 "$(sql "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")"
}

@test "a cycle names its members" {
  make_revision 2 3 "SELECT 1"
  make_revision 3 2 "SELECT 1"
  refused 2 cycle 2 3
}

@test "a revision that revises itself" {
  make_revision 2 2 "SELECT 1"
  refused 2 2
}

@test "a missing parent is named, with the file that wants it" {
  make_revision 2 nowhere "SELECT 1"
  refused 2 nowhere 0002_2.sql
}

@test "a duplicate id names both files" {
  make_revision 1 "" "SELECT 1"
  refused 2 0001_1.sql 0002_1.sql
}

@test "two heads where one was asked for: exit 3, both named" {
  make_revision left 1 "SELECT 1"
  make_revision right 1 "SELECT 1"
  refused 3 left right
  run_ripcord upgrade heads --yes --json
  assert_exit 0
  assert_json '.to | sort == ["left", "right"]'
}

@test "a revision without downgrade goes up, and not down" {
  make_revision 2 1 "CREATE TABLE u (a int)"
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord downgrade -1 --yes
  assert_exit 3
  assert_stderr_has 2
  run_ripcord current
  assert_stdout_has "2 (head)"
}

@test "an irreversible one says why" {
  DOWNGRADE_OPTIONS='irreversible="rows were merged"' make_revision 2 1 "CREATE TABLE u (a int)" "" "SELECT 1"
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord downgrade -1 --yes
  assert_exit 3
  assert_stderr_has "rows were merged"
}

@test "half-written: an empty file, a header alone, a header without an end" {
  : >migrations/versions/0002_2.sql
  refused 2 0002_2.sql
  printf -- '-- revision: 2\n-- revises: 1\n' >migrations/versions/0002_2.sql
  refused 2 0002_2.sql
  printf -- '-- revision: 2\n-- rev' >migrations/versions/0002_2.sql
  refused 2 0002_2.sql
}

@test "half-written: a string without an end" {
  make_revision 2 1 "INSERT INTO t VALUES (length('abc"
  run_ripcord upgrade head --yes
  [ "$status" = 2 ] || [ "$status" = 3 ] || [ "$status" = 4 ] || fail "exit $status"
  assert_stderr_has 0002_2.sql
}

@test "not UTF-8: the file and the line" {
  make_revision 2 1 $'INSERT INTO t\nVALUES (length(\'\xfc\'))'
  refused 2 0002_2.sql:8
}

@test "a NUL byte" {
  make_revision 2 1 "SELECT 1"
  printf 'SELECT 1;\0SELECT 2;\n' >>"$(revision_file 2)"
  refused 2 0002_2.sql
}

@test "an unknown marker, option, header: what was meant" {
  printf -- '-- revision: 2\n-- revises: 1\n\n-- ripcord:upgade\nSELECT 1;\n' >migrations/versions/0002_2.sql
  refused 2 0002_2.sql:4 upgrade
  printf -- '-- revision: 2\n-- revises: 1\n\n-- ripcord:upgrade lock_timeot=1s\nSELECT 1;\n' >migrations/versions/0002_2.sql
  refused 2 0002_2.sql:4 lock_timeout
}

@test "a psql command: file and line" {
  make_revision 2 1 $'SELECT 1;\n\\d t\nSELECT 2'
  run_ripcord upgrade head --yes
  [ "$status" = 2 ] || [ "$status" = 3 ] || fail "exit $status"
  assert_stderr_has 0002_2.sql:8
}

@test "CRLF is no change: what was applied so is the same file with LF" {
  make_revision 2 1 $'CREATE TABLE u (\n  a int\n)' "SELECT true" "DROP TABLE u"
  sed -i 's/$/\r/' "$(revision_file 2)"
  run_ripcord upgrade head --yes
  assert_exit 0
  sed -i 's/\r$//' "$(revision_file 2)"
  make_revision 3 2 "CREATE TABLE v (a int)"
  run_ripcord upgrade head --yes
  assert_exit 0
  run_ripcord downgrade 1 --yes
  assert_exit 3 # revision 3 has no downgrade
}

@test "a byte order mark and no newline at the end" {
  printf '\xef\xbb\xbf-- revision: 2\n-- revises: 1\n-- ripcord:upgrade\nCREATE TABLE u (a int)' >migrations/versions/0002_2.sql
  run_ripcord upgrade head --yes
  assert_exit 0
}

@test "a changed file that was applied is refused with a diff, and repaired with a reason" {
  run_ripcord upgrade head --yes
  assert_exit 0
  sed -i 's/CREATE TABLE t (a int)/CREATE TABLE t (a bigint)/' "$(revision_file 1)"
  make_revision 2 1 "CREATE TABLE u (a int)"
  run_ripcord upgrade head --yes
  assert_exit 3
  assert_stderr_has "-CREATE TABLE t (a int);"
  assert_stderr_has "+CREATE TABLE t (a bigint);"
  run_ripcord repair 1
  assert_exit 2
  run_ripcord repair 1 --reason "typed wrong"
  assert_exit 0
  run_ripcord upgrade head --yes
  assert_exit 0
}

@test "50 MB of SQL in one revision" {
  {
    printf -- '-- revision: 2\n-- revises: 1\n\n-- ripcord:upgrade\nCREATE TABLE big (a text);\n'
    megabyte=$(head -c 786432 /dev/zero | base64 -w 0)
    for _ in $(seq 50); do
      printf "INSERT INTO big VALUES ('%s');\n" "$megabyte"
    done
    printf -- '\n-- ripcord:verify\nSELECT count(*) = 50 FROM big;\n'
  } >migrations/versions/0002_2.sql
  [ "$(stat -c %s migrations/versions/0002_2.sql)" -gt 50000000 ]
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same rows 50 "$(sql 'SELECT count(*) FROM big')"
}

@test "many statements of every kind in one section" {
  make_revision 2 1 "
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT n * 2; END;
CREATE FUNCTION thrice(n int) RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN RETURN n * 3; /* ; */ END \$\$;
INSERT INTO t VALUES (twice(2)), (thrice(3)); -- ;
INSERT INTO t SELECT length(E'it\\'s; not the end');" "SELECT count(*) = 3 FROM t" "DELETE FROM t; DROP FUNCTION twice; DROP FUNCTION thrice"
  run_ripcord upgrade head --yes
  assert_exit 0
}

@test "COPY with rows in the file" {
  make_revision 2 1 $'COPY t FROM stdin;\n1\n2\n\\N\n\\.\nSELECT 1' "SELECT count(*) = 3 FROM t" "TRUNCATE t"
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same rows 3 "$(sql 'SELECT count(*) FROM t')"
}

@test "a folder without revisions, and none at all" {
  rm migrations/versions/*
  run_ripcord upgrade head --yes --json
  assert_exit 0
  assert_json '.outcome == "unchanged"'
  rmdir migrations/versions migrations
  run_ripcord upgrade head --yes
  assert_exit 2
  assert_stderr_has migrations
}
