#!/bin/bash
# The reference values on other code paths than this machine's best: built for each instruction set, run with each of OpenBLAS's
# kernels, as far as the processor has them. `make check-paths` runs it; each build takes about a minute.
# paths.sh [CONFIGURE WORDS...]. $PMF_SOURCE: the sources, configured nowhere within. Exit code 1 if a path fails.
set -u
: "${PMF_SOURCE:=$(cd "$(dirname "$0")/.." && pwd)}" "${JOBS:=$(nproc)}"
export TEST_DATA=$PMF_SOURCE/tests/data CK_FORK=no OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0

# can NEED...: the processor has them all.
can() {
  local need
  for need in "$@"; do grep -qw "$need" /proc/cpuinfo || return 1; done
}
runs_build() {
  case $1 in
    x86-64-v3) can avx2 fma bmi2 ;;
    *) ;;
  esac
}
runs_kernels() {
  case $1 in
    Nehalem) can sse4_2 ;;
    Haswell) can avx2 fma ;;
    SkylakeX) can avx512f avx512bw avx512dq avx512vl ;;
  esac
}
# nearest: the comparison in out that uses most of its limit.
nearest() {
  awk '/\(limit [^)]*\)$/ { limit = $NF; sub(/\)/, "", limit); share = $(NF - 2) / limit
                            if (share >= worst) { worst = share; line = $3 " " $(NF - 2) " of " limit } }
       END { print line }' out
}
skip() { echo "$* is skipped: this processor does not have it"; }

for arch in x86-64 x86-64-v3 native; do
  runs_build $arch || { skip "--with-arch=$arch"; continue; }
  mkdir "$folder/$arch" && cd "$folder/$arch" || exit 1
  if ! "$PMF_SOURCE/configure" --quiet --with-arch=$arch "$@" >log 2>&1 ||
     ! make -s -j "$JOBS" tests/check_reference >>log 2>&1; then
    echo "--with-arch=$arch does not build:" && tail -n 20 log
    failed=$((failed + 1))
    continue
  fi
  for kernels in Nehalem Haswell SkylakeX; do
    runs_kernels $kernels || { skip "$kernels of OpenBLAS"; continue; }
    OPENBLAS_CORETYPE=$kernels OPENBLAS_VERBOSE=2 ./tests/check_reference >out 2>&1
    code=$?
    if ! grep -qi "core: *$kernels" out; then
      echo "--with-arch=$arch: OpenBLAS has no $kernels kernels, but $(grep -i 'core:' out)"
    elif [ $code = 0 ]; then
      printf '%-10s with kernels %-9s %s\n' "$arch" "$kernels" "$(tail -n 1 out); nearest its limit: $(nearest)"
      passed=$((passed + 1))
    else
      echo "--with-arch=$arch with kernels $kernels fails:" && cat out
      failed=$((failed + 1))
    fi
  done
  cd / && rm -rf "${folder:?}/$arch"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
