# DATABASE_URL as people have it: .env files, the URLs of ORMs, libpq's own.
load lib/cluster

setup_file() { cluster_start scram; }
teardown_file() { cluster_stop; }

setup() {
  new_project
  new_database
  url=$DATABASE_URL
  rest=${url#postgresql://}
  unset DATABASE_URL
  make_revision 1 "" "CREATE TABLE t (a int)"
}

connects() {
  run_ripcord current --json
  assert_exit 0
  assert_json '.heads == []'
}

@test "the lines of .env files" {
  for line in "DATABASE_URL=$url" "export DATABASE_URL=$url" "DATABASE_URL=\"$url\"" "DATABASE_URL='$url'" \
    "  DATABASE_URL = $url  " "DATABASE_URL=$url # the local one"; do
    printf '# settings\n\nOTHER=1\n%s\nLAST="two words"\n' "$line" >.env
    connects
  done
}

@test ".env with CRLF and a byte order mark" {
  printf '\xef\xbb\xbfDATABASE_URL=%s\r\nOTHER=1\r\n' "$url" >.env
  connects
}

@test "a variable in a variable" {
  printf 'PASSWORD=%s\nDATABASE_URL=postgresql://postgres:${PASSWORD}@127.0.0.1:%s/app\n' "$CLUSTER_PASSWORD" "$CLUSTER_PORT" >.env
  connects
}

@test "the environment wins over .env" {
  echo "DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing" >.env
  DATABASE_URL=$url connects
}

@test "--env-file, and .env beside the configuration" {
  echo "DATABASE_URL=$url" >other.env
  run_ripcord --env-file other.env current
  assert_exit 0
  run_ripcord --env-file nowhere.env current
  assert_exit 2
  assert_stderr_has nowhere.env
  mkdir elsewhere
  echo "DATABASE_URL=$url" >.env
  echo "[database]" >ripcord.ini
  cd elsewhere
  run_ripcord -c ../ripcord.ini current
  assert_exit 0
}

@test "a line that is none: file and line, and not its text" {
  printf 'A=1\nDATABASE_URL="%s\n' "$url" >.env
  run_ripcord current
  assert_exit 2
  assert_stderr_has ".env:2"
  refute_stderr_has "$CLUSTER_PASSWORD"
}

@test "the URLs of ORMs" {
  for scheme in postgresql postgres postgresql+psycopg2 postgresql+psycopg postgresql+asyncpg; do
    DATABASE_URL=$scheme://$rest connects
  done
}

@test "libpq's own form" {
  DATABASE_URL="host=127.0.0.1 port=$CLUSTER_PORT user=postgres dbname=app password=$CLUSTER_PASSWORD" connects
}

@test "another database's URL is named as wrong" {
  DATABASE_URL=mysql://root@localhost/app run_ripcord current
  assert_exit 2
  assert_stderr_has mysql
}

@test "the whole way with a .env alone" {
  echo "DATABASE_URL=postgresql+psycopg2://$rest" >.env
  run_ripcord upgrade head --yes
  assert_exit 0
  assert_same tables 1 "$(sql "SELECT count(*) FROM pg_class WHERE relname = 't'")"
}
