#!/bin/bash
# s3.sh - how fast a file comes into S3 and back, beside aws s3 cp and rclone, and what memory each needs.
#
#     scripts/bench/s3.sh [MEGABYTES [RUNS]]      default: 256; 3
#
# The same random bytes, to the same server of this machine (s3rver, which checks signatures and digests:
# tests/tools/s3server.js), all taking turns; medians.  STORE_CP is tests/tools/store_cp, built with optimisation:
# default build/release/tests/tools/store_cp.  Needs scripts/setup test, and what is installed of awscli and rclone.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
megabytes=${1:-256}
runs=${2:-3}
store_cp=${STORE_CP:-$root/build/release/tests/tools/store_cp}
# shellcheck source=scripts/bench/lib.sh
. "$root/scripts/bench/lib.sh"
# shellcheck source=tests/cli/lib/s3.bash
. "$root/tests/cli/lib/s3.bash"
[ -x "$store_cp" ] || die "no program at $store_cp; build the release preset or set STORE_CP"
[ -x /usr/bin/time ] || die "needs the package time"

work=$(mktemp -d)
s3_start
trap 's3_stop; rm -rf "$work"' EXIT
cd "$work"
endpoint=http://127.0.0.1:$S3_PORT
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN http_proxy HTTP_PROXY all_proxy ALL_PROXY
export AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AWS_DEFAULT_REGION=us-east-1 HOME=$work
printf '[default]\ns3 =\n  multipart_chunksize = 16MB\n  addressing_style = path\n' >config
export AWS_CONFIG_FILE=$work/config
rclone_to=":s3,provider=Other,env_auth=true,endpoint='$endpoint',chunk_size=16M,upload_cutoff=16M,force_path_style=true:backups"
dd if=/dev/urandom of=bytes bs=1M count="$megabytes" status=none

# turn NAME COMMAND...: its time, and the most memory it had.
turn() {
  name=$1
  shift
  /usr/bin/time -f '%e %M' -o "$name.time" "$@" >log 2>&1 || { cat log >&2; die "failed: $*"; }
  cut -d ' ' -f 1 "$name.time" >>"$name.seconds"
  cut -d ' ' -f 2 "$name.time" >>"$name.kb"
}

same() { cmp -s bytes back || die "$1 brought other bytes back"; rm -f back; }

for ((i = 0; i < runs; i++)); do
  ripcord=(type=s3 bucket=backups "endpoint=$endpoint")
  turn ripcord-put "$store_cp" put bytes ripcord "${ripcord[@]}"
  turn ripcord-get "$store_cp" get ripcord back "${ripcord[@]}"
  same ripcord
  if command -v aws >/dev/null; then
    turn aws-put aws --endpoint-url "$endpoint" s3 cp --quiet bytes s3://backups/aws
    turn aws-get aws --endpoint-url "$endpoint" s3 cp --quiet s3://backups/aws back
    same aws
  fi
  if command -v rclone >/dev/null; then
    turn rclone-put rclone -q --ignore-times copyto bytes "$rclone_to/rclone"
    turn rclone-get rclone -q --ignore-times copyto "$rclone_to/rclone" back
    same rclone
  fi
done

echo "$megabytes MiB, $runs runs, $(nproc) processors"
for way in put get; do
  for name in ripcord aws rclone; do
    [ -f "$name-$way.seconds" ] || continue
    awk -v n="$name $way" -v s="$(median "$name-$way.seconds")" -v r="$(median "ripcord-$way.seconds")" \
      -v k="$(median "$name-$way.kb")" -v m="$megabytes" 'BEGIN {
        printf "%-14s %7.2f s %8.1f MiB/s   %6.1f MiB of memory   ripcord/this %.2f\n", n, s, m / s, k / 1024, r / s }'
  done
done
