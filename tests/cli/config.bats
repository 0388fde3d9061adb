# The command line and the configuration: what is wrong is exit 2, with its place and a suggestion.
load lib/cluster

setup() {
  new_project
  # Nobody listens on port 1: what gets as far as connecting ends with 1, not 2.
  export DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing
}

# usage_error TEXT ARG...: exit 2, TEXT on stderr, nothing on stdout.
usage_error() {
  local text=$1
  shift
  run_ripcord "$@"
  assert_exit 2
  assert_stderr_has "$text"
  [ -z "$output" ] || fail "something on stdout"
}

@test "an unknown command, option, verb: exit 2 and a suggestion" {
  usage_error upgrade upgarde head
  usage_error "did you mean" upgarde head
  usage_error "--yess" upgrade head --yess
  usage_error "verify" backup verfy
}

@test "too few and too many words" {
  usage_error "upgrade" upgrade
  usage_error "current" current a b
}

@test "--help and --version need nothing" {
  unset DATABASE_URL
  echo "nonsense" >ripcord.ini
  run_ripcord --version
  assert_exit 0
  [[ $output =~ ripcord\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "no version"
  run_ripcord --help
  assert_exit 0
  assert_stdout_has "upgrade"
  run_ripcord upgrade --help
  assert_exit 0
  assert_stdout_has "--no-backup"
}

@test "an unknown key: its file, its line, the one that was meant" {
  configure "[guard]" "# a comment" "lock_timeot = 3s"
  usage_error "lock_timeout" current
  assert_stderr_has "ripcord.ini:3"
}

@test "an unknown section" {
  configure "[guards]" "writes = fence"
  usage_error "guards" current
  assert_stderr_has "ripcord.ini"
}

@test "a missing variable is named" {
  configure "[database]" "url = postgresql://app@localhost/\${NO_SUCH_NAME}"
  usage_error NO_SUCH_NAME current
}

@test "no database at all" {
  unset DATABASE_URL
  usage_error DATABASE_URL current
}

@test "a value that is none" {
  for line in "lock_timeout = soon" "writes = maybe"; do
    printf '[guard]\n%s\n' "$line" >ripcord.ini
    usage_error "${line#* = }" current
  done
}

@test "-c with a file that is not there" {
  usage_error nowhere.ini -c nowhere.ini current
}

@test "-x overrides the file, and is checked like it" {
  configure "[guard]" "writes = fence"
  usage_error "writez" -x guard.writez=detect current
  usage_error "guard" -x guard current
  run_ripcord current -x guard.writes=detect
  assert_exit 1
}

@test "a store that has no section" {
  configure "[backup]" "stores = local offsite"
  usage_error offsite current
}

@test "a URL that is none does not show its password" {
  DATABASE_URL='postgresql://app:s3cr3t@local host/app' usage_error "" current
  refute_stderr_has s3cr3t
}

@test "without --yes and without a terminal nothing is changed: exit 2" {
  make_revision 1 "" "CREATE TABLE t (a int)"
  usage_error "--yes" upgrade head </dev/null
}

@test "an unreachable server is exit 1, and says where" {
  make_revision 1 "" "CREATE TABLE t (a int)"
  run_ripcord upgrade head --yes
  assert_exit 1
  assert_stderr_has 127.0.0.1
  run_ripcord current --json
  assert_exit 1
}

@test "stdout that cannot be written is not a success" {
  make_revision 1 "" "CREATE TABLE t (a int)"
  run -1 bash -c '"$RIPCORD" heads >/dev/full'
}
