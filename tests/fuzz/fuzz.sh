#!/bin/bash
# Bytes made to break the readers (readers.h), by clang's libFuzzer with its sanitizers of addresses and undefined behaviour.
#   fuzz.sh SECONDS [READER ...]      each reader, or those, for so many seconds of a processor, which on a busy machine are more on
#                                     the clock (tenfold ends it); `make fuzz SECONDS=N READERS="png jpeg"` calls it
# In fuzz/ of the build folder: the program, corpus/READER (what reached new code; the next call goes on from it), READER.log, and
# found/READER-... what broke a reader, which ends its time. A find is mended and kept in tests/fuzz/finds/READER.
# Environment, from the makefile: PMF_SOURCE, SOURCES, FLAGS, MPI_FLAGS, LINK. Exit code 1 after a find, 69 without clang.
set -u
seconds=$1
shift
# links COMPILER: it has libFuzzer, which Debian keeps in a package of its own.
links() { echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | "$1" -fsanitize=fuzzer,address -x c -o /dev/null - 2>/dev/null; }
compiler=
for name in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
  if [ -z "$compiler" ] && command -v $name >/dev/null && links $name; then compiler=$name; fi
done
if [ -z "$compiler" ]; then
  echo "fuzz: no clang with libFuzzer is installed (Debian: apt-get install clang libclang-rt-14-dev, with the version of that clang)" >&2
  exit 69
fi
mkdir -p fuzz/found || exit 1
program=$PWD/fuzz/fuzz
# shellcheck disable=SC2086
(cd "$PMF_SOURCE" && "$compiler" -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $FLAGS $MPI_FLAGS \
  -I. -DPRESETDIR='"/nowhere"' -DSOURCE_PRESETDIR="\"$PMF_SOURCE/jobs/presets\"" -o "$program" $SOURCES $LINK -lm) || exit 1

[ $# != 0 ] || set -- hdf idx jpeg metrics npy npz pickle png torch weights words yaml
cd fuzz || exit 1
# A size that cannot be had gives NULL, as it does without the sanitizer.
export ASAN_OPTIONS=allocator_may_return_null=1 OMP_NUM_THREADS=1
printf '%-9s %12s %8s %7s %7s\n' reader executions seconds edges finds

# last NAME: the last number that libFuzzer tells by that name.
last() { awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) n = $(i + 1) } END { print n + 0 }' "$reader.log"; }
worst=0
TIMEFORMAT='%U %S'
for reader in "$@"; do
  mkdir -p "corpus/$reader"
  before=$(find found -name "$reader-*" | wc -l)
  began=$SECONDS executions=0 spent=0 code=0
  while [ $code = 0 ] && [ "$spent" -lt "$seconds" ] && [ $((SECONDS - began)) -le $((10 * seconds)) ]; do
    { time READER=$reader timeout -k 5 $((seconds + 120)) ./fuzz -max_total_time=$((seconds - spent)) -len_control=0 -timeout=60 -report_slow_units=60 \
      -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="found/$reader-" \
      "corpus/$reader" "$PMF_SOURCE/tests/fuzz/seeds/$reader" >"$reader.log" 2>&1; } 2>"$reader.time"
    code=$?
    executions=$((executions + $(last stat::number_of_executed_units:)))
    spent=$(awk -v spent="$spent" '{ used = $1 + $2 } END { print int(spent + used + 0.5) }' "$reader.time")
  done
  [ $code = 0 ] && [ "$executions" -gt 0 ] || worst=1
  printf '%-9s %12s %8s %7s %7s\n' "$reader" "$executions" "$spent" "$(last cov:)" $(($(find found -name "$reader-*" | wc -l) - before))
  [ "$executions" -gt 0 ] || echo "$reader: not one execution"
  [ $code = 0 ] || { echo "$reader ended with $code; the end of fuzz/$reader.log:" && tail -n 30 "$reader.log"; }
done
exit $worst
