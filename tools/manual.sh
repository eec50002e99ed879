#!/bin/sh
# manual.sh PMF FOLDER: manual pages from what the program says of itself: FOLDER/pmf.1, a pmf-JOB.1 for each job of `pmf --help`
# and a pmf-TOPIC.5 for each `pmf help TOPIC` there. A PMF that cannot run here (cross-compiled) leaves no pages, and no error.
set -eu
pmf=$1 folder=$2 here=$(dirname "$0")
unset PMF_PRESETS
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0}"   # as tests/launch.sh
mkdir -p "$folder"
rm -f "$folder"/*.[15]
if ! version=$("$pmf" --version 2>/dev/null); then
  echo "manual.sh: $pmf does not run here: no manual pages" >&2
  exit
fi
usage=$("$pmf" --help)
jobs=$(echo "$usage" | awk '/^  [a-z]/ && $1 != "pmf" { print $1 }')
topics=$(echo "$usage" | awk '/^  pmf help [a-z]/ { print $3 }')

# page NAME SECTION SUMMARY: from the help on standard input
page() {
  awk -v name="$1" -v section="$2" -v summary="$3" -v version="$version" -v jobs="$jobs" -v topics="$topics" -f "$here/manual.awk" \
    >"$folder/$1.$2"
}
summary() { echo "$usage" | sed -n "s/^  $1  *//p"; }

echo "$usage" | sed 1,2d | page pmf 1 "$(echo "$usage" | sed -n '1s/.* - //p')"
for job in $jobs; do "$pmf" help "$job" | page "pmf-$job" 1 "$(summary "$job")"; done
for topic in $topics; do "$pmf" help "$topic" | page "pmf-$topic" 5 "$(summary "pmf help $topic")"; done
