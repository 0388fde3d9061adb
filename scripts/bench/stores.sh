#!/bin/sh
# stores.sh - how fast stores on servers are, beside the tools that people copy files with, and how much memory it takes.
#
#     scripts/bench/stores.sh [MEGABYTES [RUNS]]      default: 300; 3
#
# An SSH server and a WebDAV server (tests/net/servers.sh) on this machine; rows that do not compress, so that about as many
# megabytes are uploaded as there are in the table.  Prints medians of `ripcord backup create` (dump and upload,
# without the reading back) into a folder, into each server, into all three, and encrypted, each with the largest
# resident size of ripcord itself; and of sftp, rclone and curl carrying the finished backup.tar to the same servers.
# All take turns.  Needs rclone.  RIPCORD is the program, built with optimisation.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
# shellcheck source=tests/net/servers.sh
. "$root/tests/net/servers.sh"
megabytes=${1:-300}
runs=${2:-3}
need_cluster "$megabytes" "$runs"
command -v rclone >/dev/null || die "needs rclone"
enter_work
net=$(net_folder)
trap 'net_stop "$net"; rm -rf "$work"' EXIT
sshd_start "$net"
nginx_start "$net"

psql=$(find /usr/lib/postgresql/*/bin -name psql | sort -V | tail -1)
"$psql" -Xq -d postgres -c 'CREATE DATABASE bench'
# md5 of a counter: 16 bytes that nothing compresses, 64 of them a row.
"$psql" -Xq -d bench -c "CREATE TABLE t AS SELECT n, decode(string_agg(md5(n::text || '/' || k), ''), 'hex') AS b
  FROM generate_series(1, $megabytes * 1000) n, generate_series(1, 64) k GROUP BY n"
DATABASE_URL=$(url postgresql bench)
mkdir -p migrations/versions
NET_PASSWORD_VALUE=$NET_PASSWORD
age-keygen -o key 2>/dev/null
export DATABASE_URL NET_PASSWORD_VALUE
cat >ripcord.ini <<END
[backup]
level = 1
verify = read
[store sftp]
type = sftp
host = 127.0.0.1
port = $SSHD_PORT
user = $(net_user)
path = $net/files/sftp
key_file = $net/client_key
known_hosts_file = $net/known_hosts
[store http]
type = http
url = http://127.0.0.1:$NGINX_PORT/http
user = backup
password = \${NET_PASSWORD_VALUE}
END

# backup NAME OPTION...: the seconds that ripcord itself reports, and its largest resident size in MB.
backup() {
	name=$1
	shift
	"$RIPCORD" -q backup create --json "$@" >taken.json 2>log &
	pid=$!
	peak=0
	while kill -0 $pid 2>/dev/null; do
		now=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status" 2>/dev/null || true)
		[ "${now:-0}" -le "$peak" ] || peak=$now
		sleep 0.2
	done
	wait $pid || { cat log >&2; die "failed: $name"; }
	jq .seconds taken.json >>"$name"
	echo "$peak" >>"$name.peak"
	bytes=$(jq .bytes taken.json)
	[ "$name" != folder ] || cp backups/*/*/backup.tar the.tar
	rm -rf backups "$net"/files/sftp "$net"/files/http
}

ssh_options="-P $SSHD_PORT -i $net/client_key -o UserKnownHostsFile=$net/known_hosts -o StrictHostKeyChecking=yes -q"
copy_sftp() { # shellcheck disable=SC2086 # a list of options
	echo "put the.tar $net/files/copy" | sftp $ssh_options -b - "$(net_user)@127.0.0.1"; }
copy_rclone() { rclone copyto the.tar ":sftp:$net/files/copy" --sftp-host 127.0.0.1 --sftp-port "$SSHD_PORT" \
	--sftp-user "$(net_user)" --sftp-key-file "$net/client_key" --sftp-known-hosts-file "$net/known_hosts" --config /dev/null; }
copy_curl() { curl -sf --noproxy '*' -u "backup:$NET_PASSWORD" -H Transfer-Encoding:chunked -H Expect: -T the.tar \
	"http://127.0.0.1:$NGINX_PORT/copy"; }

i=0
while [ "$i" -lt "$runs" ]; do
	backup folder
	backup sftp -x backup.stores=sftp
	backup http -x backup.stores=http
	backup all -x "backup.stores=local sftp http"
	backup age -x "backup.recipients=$(age-keygen -y key)"
	for tool in sftp rclone curl; do
		seconds "copy_$tool" >>"copy.$tool"
		rm -f "$net/files/copy"
	done
	i=$((i + 1))
done

echo "$((bytes / 1000000)) MB stored, $runs runs, $(nproc) processors"
for name in folder sftp http all age; do
	line "backup create: $name" "$name"
	echo "  largest resident size      $(median "$name.peak") MB"
done
for tool in sftp rclone curl; do line "$tool, the finished tar" "copy.$tool"; done
