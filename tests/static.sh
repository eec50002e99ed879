#!/bin/bash
# What analysers say of all sources without running them; `make check-static` runs it:
#   cppcheck     of each file
#   clang-tidy   the checks of .clang-tidy, the paths of clang's analyser among them (needs clang's omp.h: libomp-dev)
#   gcc          -fanalyzer: paths through a file on which memory, files or numbers go wrong
# tests/static.txt has the findings that were looked at and are none, each with its reason; one that its tool makes no more is named,
# too. A tool that is not installed is skipped with a line. Words choose tools: static.sh cppcheck gcc.
# What was said of a file stays in static/ of the folder it is run in, so that a run that was stopped goes on, and the next is short.
# Environment, from the makefile: PMF_SOURCE, FLAGS; JOBS files at once. Exit code 1 where something is found.
set -u
: "${PMF_SOURCE:=$(cd "$(dirname "$0")/.." && pwd)}" "${JOBS:=$(nproc)}" "${FLAGS:=}"
[ $# != 0 ] || set -- cppcheck clang-tidy gcc
read -ra flags <<<"-std=c11 -fopenmp -I. -I$PWD $FLAGS -D_GNU_SOURCE -DSTATIC_% -include tests/static.h"
for name in PRESETDIR SOURCE_PRESETDIR SLURMDIR SOURCE_SLURMDIR TEST_DATA; do flags+=("-D$name=\"\""); done
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
static=$PWD/static
mkdir -p "$static" || exit 1
cd "$PMF_SOURCE" || exit 1
PMF_SOURCE=$PWD   # as clang-tidy writes it: without the .. that a build folder's makefile has
# jobs/simulate*.c have SimGrid's mpi.h; tests/shim.c stands in for functions of libc.
mapfile -t sources < <(find src mpi io jobs tests -name '*.c' ! -name 'simulate*.c' ! -path tests/shim.c | sort)

# tool NAME: the program, also one with a version behind its name; fails where there is none.
tool() {
  local name
  for name in "$1" "$1-19" "$1-18" "$1-17" "$1-16" "$1-15" "$1-14"; do command -v "$name" && return; done
  return 1
}
# look FILE COMMAND...: the command with the file as @ and its name alone as %; what it says is kept until the source changes, a header
# or the command. A tool that dies has found something, too.
# shellcheck disable=SC2317
look() {
  local file=$1 name sum code
  local said=$kept.${file//\//_}
  name=$(basename "$file" .c)
  shift
  set -- "${@//@/$file}"
  set -- "${@//%/$name}"
  sum=$({ echo "$headers" "$@" && cat "$file"; } | sha256sum)
  [ "$(cat "$said.sum" 2>&1)" != "$sum" ] || return 0
  rm -f "$said.sum"
  "$@" >"$said" 2>&1
  code=$?
  if [ "$code" -le 2 ]; then echo "$sum" >"$said.sum"; else echo "$file:0:0: error: $1 ends with exit code $code [-Wdied]" >>"$said"; fi
}
export -f look
# each COMMAND...: looks at every source, at several at a time; what was said, one after the other.
# shellcheck disable=SC2317
each() {
  local file
  export headers kept
  kept=$static/$(basename "$1")
  headers=$({ "$1" --version && find src mpi io jobs tests -name '*.h' | LC_ALL=C sort | xargs cat .clang-tidy; } | sha256sum)
  # shellcheck disable=SC2016
  printf '%s\n' "${sources[@]}" | xargs -P "$JOBS" -I '{}' bash -c 'look "$@"' - '{}' "$@"
  for file in "${sources[@]}"; do cat "$kept.${file//\//_}"; done
}
# Each tool's findings as lines FILE WHAT LINE WORDS.
# shellcheck disable=SC2317
said_by_cppcheck() {
  each "$1" --enable=warning,performance,portability --std=c11 --language=c -I. --quiet --template='{file} {id} {line} {message}' \
    -D_XOPEN_SOURCE=700 @ | grep -v ' missingInclude'
}
# shellcheck disable=SC2317
said_by_clang-tidy() {
  each "$1" --quiet @ -- "${flags[@]}" |
    sed -nE "s#^($PMF_SOURCE/)?([^/ :][^ :]*):([0-9]+):[0-9]+: (warning|error): (.*) \[([^]]+)\]\$#\2 \6 \3 \5#p" |
    grep -vE '^tests/[^ ]* bugprone-suspicious-memory-comparison'   # tests compare bits
}
# shellcheck disable=SC2317
said_by_gcc() {
  each "$1" -fanalyzer -O1 "${flags[@]}" -c -o /dev/null @ |
    sed -nE 's/^([^/ :][^ :]*):([0-9]+):[0-9]+: (warning|error): (.*) \[-W([^]]+)\]$/\1 \5 \2 \4/p' |
    grep -vE '^tests/[^ ]* analyzer-(possible-null|malloc-leak)'   # a test without memory may die, and does not tidy up
}

failed=0
for name in "$@"; do
  program=$(tool "$name") || { echo "$name is not installed: skipped"; continue; }
  said_by_"$name" "$program" | sort -u >"$out/$name"
  awk -v tool="$name" '!/^#/ && $1 == tool { print $2, $3 }' tests/static.txt | sort -u >"$out/known"
  new=$(awk 'FILENAME == ARGV[1] { known[$1, $2]; next } !(($1, $2) in known)' "$out/known" "$out/$name")
  gone=$(awk 'FILENAME == ARGV[1] { made[$1, $2]; next } !(($1, $2) in made)' "$out/$name" "$out/known")
  echo "$name: ${#sources[@]} files, $(wc -l <"$out/$name") findings, $(printf '%s' "$new" | grep -c .) of them new"
  [ -z "$new" ] || { printf '%s\n' "$new" && failed=1; }
  [ -z "$gone" ] || { printf 'tests/static.txt names what %s does not find: %s\n' "$name" "$gone" && failed=1; }
done
exit $failed
