# lib.sh - what the checks share.  Each check: check_NAME [ROOT]; prints file:line: message, exit 1 for a finding.
# shellcheck shell=sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}"
rooms="base migrations backup policies runner"

# sources PATTERN [FOLDER...]: files below the rooms, sorted.  A folder that is not there has none.
sources() {
  pattern=$1
  shift
  # shellcheck disable=SC2086 # a list of folders
  [ $# -gt 0 ] || set -- $rooms
  for folder; do
    [ ! -d "$folder" ] || find "$folder" -type f -name "$pattern"
  done | LC_ALL=C sort
}

# Runs of the check over nothing would pass for ever.
need() { [ -n "$1" ] || { echo "${0##*/}: nothing to check in $PWD" >&2; exit 2; }; }

# report LINES: the findings, and the verdict.
report() {
  [ -n "$1" ] || exit 0
  printf '%s\n' "$1"
  exit 1
}
