# ripcord.ini and -x: what is wrong is exit 2, with its place and a suggestion.
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
  for url in 'postgresql://app:s3cr3t@[::1/app' 'postgresql://app:s3cr3t@localhost/app?s3cr3t' 'mysql://app:s3cr3t@db/app' \
    'host=db password=s3cr3t nonsense'; do
    DATABASE_URL=$url usage_error "" current
    refute_stderr_has s3cr3t
  done
}
