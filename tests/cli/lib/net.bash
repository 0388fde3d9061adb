# net.bash - stores on an SSH and a WebDAV server of the file's own (tests/net/servers.sh).  After cluster.bash.
#
#   setup_file()    { cluster_start; net_start; }
#   teardown_file() { net_end; cluster_stop; }
#   configure_net sftp http      sections [store sftp] and [store http] in ./ripcord.ini; NET_FILES is what they serve
# shellcheck source=/dev/null
. "$BATS_TEST_DIRNAME/../net/servers.sh"
export LSAN_OPTIONS=suppressions=$BATS_TEST_DIRNAME/../net/lsan.supp:print_suppressions=0

net_start() {
  export NET_DIR NET_FILES SSHD_PORT NGINX_PORT NGINX_TLS_PORT
  NET_DIR=$(net_folder)
  NET_FILES=$NET_DIR/files
  sshd_start "$NET_DIR"
  nginx_start "$NET_DIR"
}

net_end() { net_stop "$NET_DIR"; }

configure_net() {
  local kind
  for kind; do
    case $kind in
    sftp)
      configure "[store sftp]" "type = sftp" "host = 127.0.0.1" "port = $SSHD_PORT" "user = $(net_user)" \
        "path = $NET_FILES/sftp" "key_file = $NET_DIR/client_key" "known_hosts_file = $NET_DIR/known_hosts"
      ;;
    http)
      configure "[store http]" "type = http" "url = http://127.0.0.1:$NGINX_PORT/http" "user = backup" \
        "password = \${NET_PASSWORD}"
      export NET_PASSWORD
      ;;
    esac
  done
}

# Everything that is in the servers' folders, without what nginx receives.
net_objects() { find "$NET_FILES" -type f ! -path "$NET_FILES/.body/*" | LC_ALL=C sort; }
net_empty() { rm -rf "$NET_FILES"/sftp "$NET_FILES"/http; }
