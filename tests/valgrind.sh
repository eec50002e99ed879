#!/bin/bash
# Tests of one rank under valgrind: reads of memory that was never written, which the sanitizers do not see, bad accesses, and blocks
# lost for good. `make check-valgrind` runs it, in valgrind/ of the build folder, built for x86-64-v3: valgrind has no AVX-512.
#   valgrind.sh [TEST ...]      those that read files and count, but for check_readers, which takes long; or those named
# Nothing had to be suppressed. Environment: PMF_SOURCE; JOBS for the compiler. Exit code 1 after an error.
set -u
: "${PMF_SOURCE:=$(cd "$(dirname "$0")/.." && pwd)}" "${JOBS:=$(nproc)}"
if ! command -v valgrind >/dev/null; then
  echo "valgrind is not installed" >&2
  exit 69
fi
[ $# != 0 ] || set -- check_authors check_binding check_crop check_dataset check_fixed check_guard check_npz check_pickle check_picture \
  check_png check_presets check_safetensors check_sources check_table check_verdict check_weights
mkdir -p valgrind && cd valgrind || exit 1
if [ ! -f Makefile ]; then
  "$PMF_SOURCE/configure" --quiet --with-arch=x86-64-v3 CFLAGS='-g -O1' >configure.log 2>&1 || { cat configure.log; exit 1; }
fi
export TEST_DATA=$PMF_SOURCE/tests/data CK_FORK=no OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell PMF_PRESETS=$PMF_SOURCE/jobs/presets
failed=0
for test in "$@"; do
  make -s -j "$JOBS" "tests/$test" >"$test.log" 2>&1 || { cat "$test.log"; failed=1; continue; }
  if valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --num-callers=20 \
    "tests/$test" >"$test.log" 2>&1; then
    echo "$test: $(grep -E '^[0-9]+%: Checks' "$test.log")"
  else
    failed=1 && echo "$test fails under valgrind:" && tail -n 60 "$test.log"
  fi
done
exit $failed
