#!/bin/sh
# Runs one test for `make check`: launch.sh PROGRAM|SCRIPT.sh
# mpi_* runs on each of $TEST_RANKS ranks (1 2 4; those of how messages go through many ranks 1 2 3 4 8), all else once; a run may
# take $TEST_LIMIT seconds. Each run ends with a line
#   == NAME[ on N ranks]: P passed, F failed, S s
# that totals.sh adds up: a program's own counts, one for a script, one failure for a program that crashes or counts nothing; of one
# that was skipped its last words stand there.
# Exit code: 0, 1, or 77 if the test says it was skipped.
# Tests find in the environment: PMF_SOURCE, PMF_BUILD (absolute), PMF (the program), TEST_DATA, MPIRUN; mpi_* the number of their
# ranks, TEST_WORLD, which they compare.
set -u
: "${PMF_SOURCE:=$(cd "$(dirname "$0")/.." && pwd)}" "${PMF_BUILD:=$(pwd)}" "${MPIRUN:=mpirun}"
: "${PMF:=$PMF_BUILD/pmf}" "${TEST_DATA:=$PMF_SOURCE/tests/data}" "${TEST_LIMIT:=900}"
export PMF_SOURCE PMF_BUILD MPIRUN PMF TEST_DATA LC_ALL=C
export CK_FORK="${CK_FORK:-no}"                                  # Check's forks and OpenMP's threads do not go together
export OMPI_MCA_btl_vader_single_copy_mechanism=none             # containers forbid what it wants
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
# Threads that wait by turning round take the cores from the tests beside them: double_objective 159 s, and so 10 s.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
# Libraries of networks that are not here would wait for their hardware.
export OMPI_MCA_pml="${OMPI_MCA_pml:-ob1}" OMPI_MCA_btl="${OMPI_MCA_btl:-self,vader,tcp}"
# MPI libraries leak by design; and memory that cannot be had is a status here, not an end.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:allocator_may_return_null=1}"
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

test=$1
name=$(basename "$test")
case $name in mpi_step | mpi_reduction | mpi_owners | mpi_crew) : "${TEST_RANKS:=1 2 3 4 8}" ;; *) : "${TEST_RANKS:=1 2 4}" ;; esac
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
worst=0

# once WHAT COMMAND...: runs it, shows what it printed, and counts.
once() {
  what=$1 began=$(date +%s)
  shift
  timeout -k 10 "$TEST_LIMIT" "$@" >"$output" 2>&1 </dev/null
  code=$?
  cat "$output"
  if [ $code = 77 ]; then
    echo "== $what: 0 passed, 0 failed (skipped: $(tail -n 1 "$output" | sed 's/^[^:]*: skipped: //'))"
    [ $worst != 0 ] || worst=77
    return
  fi
  case $name in
    *.sh) passed=$((code == 0)) failed=$((code != 0)) ;;
    *) counts=$(awk '
         # not from the beginning: the launcher may have put it behind a line of standard error
         match($0, /[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/) {
           split(substr($0, RSTART, RLENGTH), part, /[ ,]+/)
           found = 1; bad = part[5] + part[7]; passed += part[3] - bad; failed += bad }
         /^[0-9]+ passed, [0-9]+ failed$/ { found = 1; passed += $1; failed += $3 }
         END { if (found) print passed + 0, failed + 0; else print 0, 0 }' "$output")
       passed=${counts% *} failed=${counts#* }
       if [ "$counts" = "0 0" ] || { [ $code != 0 ] && [ "$failed" = 0 ]; }; then failed=$((failed + 1)); fi ;;
  esac
  if [ $code = 124 ] || [ $code = 137 ]; then echo "$what took longer than $TEST_LIMIT s"
  elif [ $code -gt 128 ]; then echo "$what died of signal $((code - 128))"
  fi
  echo "== $what: $passed passed, $failed failed, $(($(date +%s) - began)) s"
  [ "$failed" = 0 ] || worst=1
}

case $name in
  *.sh) once "$name" bash "$test" ;;
  mpi_*) export OMP_NUM_THREADS=1
         for ranks in $TEST_RANKS; do export TEST_WORLD="$ranks"; once "$name on $ranks ranks" "$MPIRUN" --oversubscribe -np "$ranks" "$test"; done ;;
  *) once "$name" "$test" ;;
esac
exit $worst
