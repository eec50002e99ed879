#!/bin/bash
# What the sources may not say, and that the words this test looks for are found where they are planted.
#   chunks and filters   parallel HDF5 on Open MPI's ROMIO crashes on chunks; compressed weights gain little (EXPECTATIONS H3, H14)
#   Cartesian            HDF5 over a communicator with a topology writes wrong values (H2)
#   layers               src/ knows neither MPI nor HDF5 nor the terminal; nobody includes a layer above his own
. "$(dirname "$0")/lib.sh"

# finds TREE LAW: the lines of the tree's sources that break this law.
finds() {
  local what above
  case $2 in
    chunks) what='H5D_CHUNKED|H5Pset_(chunk|deflate|shuffle|fletcher32|szip|nbit|scaleoffset|filter)' above='src mpi io jobs tests' ;;
    cartesian) what='MPI_(Cart|Graph|Dist_graph)_create' above='src mpi io jobs tests' ;;
    quiet) what='\<(v?printf|puts|putchar|v?fprintf|perror) *\(|\<(stdout|stderr)\>|<(mpi|hdf5)\.h>|\<(MPI_[A-Z]|H5[A-Z])' above=src ;;
    src) what='^# *include "(mpi|io|jobs|tests)/' above=src ;;
    mpi) what='^# *include "(io|jobs|tests)/' above=mpi ;;
    io) what='^# *include "(jobs|tests)/' above=io ;;
    jobs) what='^# *include "tests/' above=jobs ;;
  esac
  # shellcheck disable=SC2086
  (cd "$1" && grep -rnE --include='*.[ch]' "$what" $above 2>/dev/null)
}
laws='chunks cartesian quiet src mpi io jobs'

for law in $laws; do
  found=$(finds "$PMF_SOURCE" $law)
  [ -z "$found" ] || fail "against the law of $law: $found"
done
[ "$(find "$PMF_SOURCE"/src "$PMF_SOURCE"/mpi "$PMF_SOURCE"/io "$PMF_SOURCE"/jobs -name '*.c' | wc -l)" -gt 100 ] ||
  fail "few sources in $PMF_SOURCE: has the lint looked at them?"

# planted LAW FILE LINE
planted() {
  mkdir -p "tree/$(dirname "$2")"
  printf 'static int a;\n%s\n' "$3" >"tree/$2"
  check "planted against the law of $1" "$(finds tree "$1")" "$2:2:$3"
  rm -r tree
}
planted chunks io/x.c '  H5Pset_chunk(how, 1, &size);'
planted chunks jobs/x.c '  H5Pset_deflate(how, 6);'
planted chunks tests/x.c '  H5Pset_layout(how, H5D_CHUNKED);'
planted cartesian mpi/x.c '  MPI_Cart_create(comm, 2, dims, periods, 0, &grid);'
planted quiet src/a/x.c '  printf("loss %f\n", loss);'
planted quiet src/a/x.c '  fprintf(log, "loss");'
planted quiet src/a/x.c '#include <mpi.h>'
planted quiet src/a/x.h '  MPI_Comm comm;'
planted src src/a/x.c '#include "io/hdf.h"'
planted mpi mpi/x.h '#include "io/hdf.h"'
planted io io/x.c '#include "jobs/setup.h"'
planted jobs jobs/x.c '#include "tests/tiny.h"'
exit $failed
