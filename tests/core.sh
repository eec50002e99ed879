#!/bin/bash
# OpenBLAS's kernels: old ones that the user asks for are taken and warned of, naming the faster ones; the run keeps its kernels
# when it goes on without the variable, which takes a second start of the program; those that are right here are no reason for a
# line.
. "$(dirname "$0")/lib.sh"
unset OPENBLAS_CORETYPE PMF_BLAS_CORE_WAS
[ "$(uname -m)" = x86_64 ] || skip 'OpenBLAS has other kernels on this processor'

# can NEED...: the processor has them all.
can() {
  local need
  for need in "$@"; do grep -qw "$need" /proc/cpuinfo || return 1; done
}
if can avx512f avx512bw avx512dq avx512vl; then faster=SkylakeX; elif can avx2 fma; then faster=Haswell; else skip 'the oldest kernels are the fastest here'; fi
# steps N RUN: goes on until there, on two ranks.
steps() { does 2 train config=tiny.yml data=set.h5 training.steps="$1" run="$2"; }
lines() { grep -c 'OpenBLAS kernels:' err; }

# Another OpenBLAS beside, or one of POSIX threads, would run against OpenMP's threads.
if command -v ldd >out; then
  check 'libraries of OpenBLAS' "$(ldd "$PMF" | grep -c libopenblas)" 1
  check 'libraries of OpenMP' "$(ldd "$PMF" | grep -cE 'lib(gomp|omp|iomp5)\.')" 1
fi

tiny 'batch_size: 4, ema_val: [2], seed: 3, log_per_step: 1'
does 1 pack shapes n=60 size=16 out=set.h5
steps 1 own
own=$(cat own/blas_core)
said "OpenBLAS kernels $own"
taken=$(sed -n "s/^OpenBLAS kernels: $own (it had taken this processor for \(.*\))$/\1/p" err)   # where the library is mistaken
[ -n "$taken" ] || check 'lines on the right kernels' "$(lines)" 0

OPENBLAS_CORETYPE=Prescott steps 1 old
said_once "OpenBLAS kernels: Prescott; $faster would be faster here, but OPENBLAS_CORETYPE is set"
check 'kernels that the run remembers' "$(cat old/blas_core)" Prescott
steps 2 old
said_once "OpenBLAS kernels: Prescott (it had taken this processor for ${taken:-$own})"
said_once 'going on after step 1 of 2'
grep -qF "as OpenBLAS's kernels" err && fail "a warning of kernels that have not changed: $(cat err)"
check 'kernels after the second start' "$(cat old/blas_core)" Prescott

rm old/blas_core   # nothing to remember: the right ones, and that they are others
steps 3 old
check 'kernels without a memory' "$(cat old/blas_core)" "$own"
said "as OpenBLAS's kernels, now $own: from here on the same within rounding"
exit $failed
