#!/bin/bash
# pmf iotest passes with what this program sets by default, on every way to the file, and reports FAIL where Open MPI is told to
# write as it is known to write wrong (EXPECTATIONS H1, H19).
. "$(dirname "$0")/lib.sh"

two='--mca io_ompio_num_aggregators 2'

# tries CODE WORDS...: on four ranks; $mca: options of mpirun.
tries() {
  local code=$1 got
  shift
  # shellcheck disable=SC2086
  "$MPIRUN" $mca -n 4 "$PMF" iotest . mib=2 "$@" >out 2>err </dev/null
  got=$?
  [ $got = "$code" ] || fail "iotest $* with '$mca': exit code $got, expected $code: $(cat out err)"
}
lines() { check "lines with '$1'" "$(grep -c -- "$1" out)" "$2"; }

mca="--mca io ompio $two"
tries 0 times=3
lines '^split arrays ok .*3 of 3 files right: ompio (MPI-IO) without data sieving' 1
lines '^checkpoint   ok ' 3
lines 'rank0' 1
lines 'by threads, training waits' 1
mca=
tries 0 io=romio times=2
lines '^checkpoint   ok .*romio' 1

# The same with data sieving: it must be able to see the fault, which is a race and does not show in every ten files.
mca="--mca io ompio $two --mca fbtl_posix_write_datasieving 1"
for ((round = 0; round < 8; round++)); do
  # shellcheck disable=SC2086
  "$MPIRUN" $mca -n 4 "$PMF" iotest . mib=2 io=ompio times=10 >out 2>err </dev/null
  got=$?
  [ $got = 0 ] || break
done
check "exit code of iotest with '$mca', after $((round + 1)) rounds" $got 74
lines '^split arrays FAIL .*WITH data sieving' 1
said 'wrong numbers into'

# A rank that never comes to a save.
mca=
export OMPI_MCA_odls_base_sigkill_timeout=0
PMF_FAULT=away_save:rank=1 tries 76 watchdog=2 io=rank0
said 'phase checkpoint'
said 'nothing moves, so this run ends'
rm -f pmf-iotest.h5*

refuses 'expected a folder' iotest
refuses 'none: expected a folder' iotest none
refuses 'io=posix: expected all' iotest . io=posix
check 'files left' "$(echo *)" 'err out'
exit $failed
