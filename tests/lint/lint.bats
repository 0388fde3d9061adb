# Each check passes over a small sound tree, and fails when one thing in it is wrong.
bats_require_minimum_version 1.5.0

setup() {
  checks=$BATS_TEST_DIRNAME
  cd "$BATS_TEST_TMPDIR"
  cp "$checks/../../.clang-format" .
  mkdir -p base migrations/schema backup policies runner scripts .ci tests
  plant base/err.h '#ifndef BASE_ERR_H' '#define BASE_ERR_H' '' '#include <stdbool.h>' '' 'bool ok(void);' '' '#endif'
  plant base/err.c '#include "base/err.h"' '' 'bool ok(void)' '{' \
    $'\tbool yes = true; /* strcpy( in a comment, "goto" too */' '' $'\treturn yes;' '}'
  plant backup/backup.h '#ifndef BACKUP_BACKUP_H' '#define BACKUP_BACKUP_H' '' '#include "base/err.h"' '' '#endif'
  plant runner/main.c '#include "backup/backup.h"' '#include "base/err.h"' '' '#include <stdlib.h>' '' \
    'int main(void)' '{' $'\tif (!ok())' $'\t\texit(1);' $'\treturn 0;' '}'
  plant scripts/go.sh '#!/bin/sh' 'echo "$1"'
}

plant() {
  local file=$1
  shift
  mkdir -p "$(dirname "$file")"
  printf '%s\n' "$@" >"$file"
}

passes() { run -0 "$checks/check_$1" .; }

# finds CHECK TEXT: exit 1, and TEXT among the findings.
finds() {
  run -1 "$checks/check_$1" .
  [[ $output == *"$2"* ]] || { echo "$output"; return 1; }
}

@test "the sound tree passes every check" {
  for check in "$checks"/check_*; do
    passes "${check##*/check_}"
  done
}

@test "a check over nothing is no success" {
  rm -r base backup runner scripts
  for check in banned confined format functions headers includes layers scripts; do
    run -2 "$checks/check_$check" .
  done
}

@test "layers: a lower room includes an upper one" {
  plant base/up.c '#include "backup/backup.h"'
  finds layers base/up.c
}

@test "layers: the rooms in the middle know each other" {
  plant policies/x.c '#include "backup/backup.h"'
  finds layers policies/x.c
}

@test "layers: a private header of another room" {
  plant backup/stream/frame.h '#ifndef BACKUP_STREAM_FRAME_H' '#define BACKUP_STREAM_FRAME_H' '#endif'
  plant runner/x.c '#include "backup/stream/frame.h"'
  finds layers "private to backup"
}

@test "layers: a folder that is no room" {
  plant backup/x.c '#include "tests/helper.h"'
  finds layers tests
}

@test "confined: a library's header outside its file" {
  plant runner/x.c '#include <libpq-fe.h>'
  finds confined runner/x.c:1
  plant runner/x.c '#  include <openssl/evp.h>'
  finds confined runner/x.c:1
}

@test "headers: one that does not include what it uses" {
  plant base/x.h '#ifndef BASE_X_H' '#define BASE_X_H' 'bool f(void);' '#endif'
  finds headers base/x.h
}

@test "headers: one without a guard" {
  plant base/x.h 'struct x { int a; };'
  finds headers "redefinition"
  plant base/x.h '#pragma once'
  finds headers "no guard BASE_X_H"
}

@test "includes: the own header is not the first" {
  plant base/err.c '#include <stdio.h>' '#include "base/err.h"'
  finds includes "not its own"
}

@test "includes: a project header after a system one" {
  plant runner/x.c '#include <stdio.h>' '#include "base/err.h"'
  finds includes runner/x.c:2
}

@test "functions: 71 lines are one too many, 70 are not" {
  long() { echo 'int f(void)'; echo '{'; for _ in $(seq "$1"); do echo $'\t;'; done; echo '}'; }
  long 70 >base/x.c
  passes functions
  long 71 >base/x.c
  finds functions "base/x.c:2: 71 lines"
}

@test "functions: a file of 801 lines" {
  for _ in $(seq 801); do echo; done >base/x.c
  finds functions base/x.c:801
}

@test "banned: functions, goto, exit, setenv" {
  for line in 'strcpy(a, b);' 'x = atoi (s);' 'system("ls");' 'goto out;' 'exit(1);' 'setenv("A", "b", 1);' 'if (fork() == 0)'; do
    plant base/x.c 'void f(void)' '{' $'\t'"$line" '}'
    finds banned base/x.c:3
  done
}

@test "banned: not in a comment, a string, or as a part of another name" {
  plant base/x.c '/* strcpy(a) and' 'goto heaven */' 'void my_system(void);' 'int n = p->fork(1);' \
    'const char *s = "a\" strcpy(b)"; // atoi(x)'
  passes banned
}

@test "format: a line that the formatter would write otherwise" {
  plant base/x.c 'int  f( void ){return 1;}'
  finds format base/x.c:1
}

@test "scripts: what shellcheck finds in scripts and in bats files" {
  plant scripts/x.sh '#!/bin/sh' 'cd $1'
  finds scripts scripts/x.sh:2
  rm scripts/x.sh
  plant tests/x.bats '@test "x" {' '  [ -n $(ls) ] || [ $status == ]' '}'
  finds scripts tests/x.bats
}

@test "text: blanks at the end, carriage returns, no newline, a reminder, a local path" {
  printf 'a \n' >x.md
  finds text x.md:1
  printf 'a\r\n' >x.md
  finds text x.md:1
  printf 'a' >x.md
  finds text "x.md: no newline"
  printf 'TO%s later\n' DO >x.md
  finds text x.md:1
  printf 'see /wo%s/main\n' rk >x.md
  finds text x.md:1
}
