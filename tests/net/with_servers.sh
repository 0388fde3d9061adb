#!/bin/sh
# Runs a command beside an SSH server and a WebDAV server of its own, which end with it.
#
#     tests/net/with_servers.sh COMMAND ARG...
#
# RIPCORD_TEST_NET is the servers' folder (servers.sh), RIPCORD_TEST_SSH_PORT and RIPCORD_TEST_HTTP_PORT their ports.
set -eu
# shellcheck source=tests/net/servers.sh
. "$(dirname "$0")/servers.sh"

[ $# -gt 0 ] || {
	echo "usage: with_servers.sh COMMAND ARG..." >&2
	exit 2
}
RIPCORD_TEST_NET=$(net_folder)
trap 'net_stop "$RIPCORD_TEST_NET"' EXIT
trap 'exit 130' HUP INT TERM
sshd_start "$RIPCORD_TEST_NET"
nginx_start "$RIPCORD_TEST_NET"
export RIPCORD_TEST_NET RIPCORD_TEST_SSH_PORT="$SSHD_PORT" RIPCORD_TEST_HTTP_PORT="$NGINX_PORT"
RIPCORD_TEST_USER=$(net_user)
here=$(cd "$(dirname "$0")" && pwd)
LSAN_OPTIONS=suppressions=$here/lsan.supp:print_suppressions=0
export RIPCORD_TEST_USER LSAN_OPTIONS
"$@"
