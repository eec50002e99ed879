#!/bin/bash
# Which lines of src, mpi, io and jobs run in the tests; `make coverage` runs it, in coverage/ of the build folder. It takes lcov.
#   coverage.sh [TEST ...]      all tests, or those: check_png pack.sh ...
# The last lines: each folder's share, the files whose share is least, and functions that never ran (coverage/never.txt has all;
# genhtml coverage/lines makes pages of it). Environment: PMF_SOURCE, MPIRUN; JOBS for the compiler; KEEP=1 adds to what ran before,
# so that a long run may be done in parts. Exit code 1 if a test fails.
set -u
: "${PMF_SOURCE:=$(cd "$(dirname "$0")/.." && pwd)}" "${JOBS:=$(nproc)}"
PMF_SOURCE=$(cd "$PMF_SOURCE" && pwd) || exit 1   # as lcov writes it: without the .. that a build folder's makefile has
export PMF_SOURCE
if ! command -v lcov >/dev/null; then
  echo "coverage: lcov is not installed" >&2
  exit 69
fi
mkdir -p coverage && cd coverage || exit 1
export PMF_BUILD=$PWD
if [ ! -f Makefile ]; then "$PMF_SOURCE/configure" --quiet --enable-coverage >configure.log 2>&1 || { cat configure.log; exit 1; }; fi
{ make -s -j "$JOBS" && make -s -j "$JOBS" test-programs; } >build.log 2>&1 || { tail -n 20 build.log; exit 1; }
[ $# != 0 ] || read -ra words <<<"$(make -s -f - list <<<$'include Makefile\nlist:\n\t@echo $(notdir $(TESTS))')"
[ $# = 0 ] || words=("$@")
if [ "${KEEP:-0}" = 1 ]; then   # but for files that were compiled anew: lcov takes no counts of another build
  find . -name '*.gcda' | while read -r counts; do [ "$counts" -nt "${counts%.gcda}.gcno" ] || rm "$counts"; done
else
  lcov --quiet --directory . --zerocounters 2>/dev/null
fi
failed=0
for test in "${words[@]}"; do
  case $test in *.sh) path=$PMF_SOURCE/tests/$test ;; *) path=tests/$test ;; esac
  sh "$PMF_SOURCE/tests/launch.sh" "$path" >"$test.said" 2>&1
  case $? in 0 | 77) ;; *) failed=1 && cat "$test.said" ;; esac
  grep '^== ' "$test.said"
done
lcov --quiet --capture --directory . --output-file all >lcov.log 2>&1 &&
  lcov --quiet --extract all "$PMF_SOURCE/src/*" "$PMF_SOURCE/mpi/*" "$PMF_SOURCE/io/*" "$PMF_SOURCE/jobs/*" --output-file lines >>lcov.log 2>&1 ||
  { cat lcov.log; exit 1; }

# The model is compiled twice, in float and in double: a line has run if it has in either; lcov adds them up by file.
awk -v root="$PMF_SOURCE/" '
  /^SF:/ { file = substr($0, 4); sub(root, "", file); folder = file; sub("/.*", "", folder) }
  /^FNDA:/ { split(substr($0, 6), part, ","); if (!(part[1] > 0)) print file ": " part[2] >"never.txt" }
  /^DA:/ { split(substr($0, 4), part, ","); all[file]++; whole[folder]++; if (part[2] > 0) { ran[file]++; done[folder]++ } }
  END { for (f in whole) printf "%-5s %6d of %6d lines  %5.1f %%\n", f, done[f], whole[f], 100 * done[f] / whole[f]
        for (f in all) if (ran[f] < all[f]) printf "%5.1f %% %5d lines that never ran  %s\n", 100 * ran[f] / all[f], all[f] - ran[f], f >"files.txt" }' lines
sort -k3,3nr files.txt | head -n 20
echo "functions that never ran: $(wc -l <never.txt)"
exit $failed
