# s3.bash - a bucket on loopback, and a proxy in front of it that misbehaves as it is told.
#
#   s3_start                      s3rver, made strict (tests/tools/s3server.js); bucket `backups`, keys S3RVER, S3RVER
#   s3_proxy FAULT:WHICH...       tests/tools/http_proxy.c in front of it; S3_PORT is then the proxy's
#   s3_heal                       its bad day is over
#   s3_direct                     S3_PORT is the server's again
#   s3_tls NAME                   TLS in front of it, with a certificate for NAME by an authority of its own, $S3_DIR/ca.pem;
#                                 S3_TLS_PORT
#   s3_stop
#
# HTTP_PROXY_TOOL is the program http_proxy, S3RVER_MODULES the folder that has s3rver (scripts/setup test).
# Not only for bats: scripts/faults-s3 stands on it too.

s3_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${S3RVER_MODULES:=$s3_lib/../../../build/npm/node_modules}"

# s3_port_of FILE: waits for "port N".
s3_port_of() {
  local tries=100
  until grep -q '^port ' "$1" 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "no server:" >&2; cat "$1" >&2; return 1; }
    sleep 0.1
  done
  sed -n 's/^port //p' "$1"
}

s3_start() {
  S3_DIR=$(mktemp -d /tmp/ripcord-s3-XXXXXX)
  [ -d "$S3RVER_MODULES/s3rver" ] || { echo "no s3rver in $S3RVER_MODULES: scripts/setup test" >&2; return 1; }
  node "$s3_lib/../../tools/s3server.js" "$S3RVER_MODULES" "$S3_DIR" backups >"$S3_DIR/server.out" 2>&1 3>&- 4>&- &
  S3_PID=$!
  S3_SERVER_PORT=$(s3_port_of "$S3_DIR/server.out")
  S3_PROXY_PID=
  export S3_DIR S3_PID S3_SERVER_PORT S3_PORT=$S3_SERVER_PORT
}

s3_direct() {
  if [ -n "${S3_PROXY_PID:-}" ]; then
    kill "$S3_PROXY_PID"
    wait "$S3_PROXY_PID" 2>/dev/null || true
  fi
  S3_PROXY_PID=
  S3_PORT=$S3_SERVER_PORT
}

# What it saw is in $S3_LOG: a line a request.
s3_proxy() {
  s3_direct
  S3_LOG=$S3_DIR/proxy.log
  : >"$S3_DIR/proxy.out"
  "${HTTP_PROXY_TOOL:?the program http_proxy, as ctest sets it}" "$S3_SERVER_PORT" "$S3_LOG" "$@" \
    >"$S3_DIR/proxy.out" 2>&1 3>&- 4>&- &
  S3_PROXY_PID=$!
  S3_PORT=$(s3_port_of "$S3_DIR/proxy.out")
}

s3_heal() { [ -z "${S3_PROXY_PID:-}" ] || kill -HUP "$S3_PROXY_PID"; }

s3_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -keyout "$S3_DIR/ca.key" -out "$S3_DIR/ca.pem"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server \
    -keyout "$S3_DIR/tls.key" -out "$S3_DIR/tls.csr"
  printf 'subjectAltName = %s\n' "$1" >"$S3_DIR/tls.ext"
  openssl x509 -req -in "$S3_DIR/tls.csr" -CA "$S3_DIR/ca.pem" -CAkey "$S3_DIR/ca.key" -CAcreateserial -days 2 \
    -extfile "$S3_DIR/tls.ext" -out "$S3_DIR/tls.pem"
}

s3_tls() {
  s3_tls_end
  s3_certificate "$1" 2>"$S3_DIR/openssl.log" || { cat "$S3_DIR/openssl.log" >&2; return 1; }
  : >"$S3_DIR/tls.out"
  node "$s3_lib/../../tools/tls_front.js" "$S3_DIR/tls.key" "$S3_DIR/tls.pem" "$S3_SERVER_PORT" \
    >"$S3_DIR/tls.out" 2>&1 3>&- 4>&- &
  S3_TLS_PID=$!
  export S3_TLS_PORT
  S3_TLS_PORT=$(s3_port_of "$S3_DIR/tls.out")
}

s3_tls_end() {
  [ -z "${S3_TLS_PID:-}" ] || kill "$S3_TLS_PID"
  S3_TLS_PID=
}

s3_stop() {
  s3_direct
  s3_tls_end
  kill "$S3_PID"
  wait "$S3_PID" 2>/dev/null || true
  rm -rf "$S3_DIR"
}

# Keys of the objects under PREFIX, as they lie in the server's folder.
s3_objects() {
  find "$S3_DIR/backups/${1:-}" -name '*._S3rver_object' 2>/dev/null | sed "s#^$S3_DIR/backups/##; s#\._S3rver_object\$##" | sort
}

# Keys of the uploads that are open.
s3_open_uploads() { cat "$S3_DIR"/backups/._S3rver_uploads/*/key 2>/dev/null || true; }

# s3_section PREFIX [LINE...]: [store bucket] for ripcord.ini, a part being 16 KiB.
s3_section() {
  # shellcheck disable=SC2016 # ripcord fills it in
  printf '%s\n' "[store bucket]" "type = s3" "endpoint = http://127.0.0.1:$S3_PORT" "bucket = backups" \
    "prefix = $1" "part_size = 16KiB" "stall_timeout = 500ms" "access_key = S3RVER" 'secret_key = ${S3_SECRET}'
  shift
  printf '%s\n' "$@"
}

# What one broken request may do, by what becomes of the backup: it is made all the same, or the store refuses.
# shellcheck disable=SC2034 # for those who source this
S3_FAULTS_PASSING="500 503 429 500-after error-200 error-200-after reset reset-body reset-after truncate stall stall-after"
# shellcheck disable=SC2034
S3_FAULTS_FINAL="403 507 413"
