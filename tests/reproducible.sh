#!/bin/bash
# With training.reproducible=on the weights after ten steps have the same bits on 1, 2, 3, 4 and 8 ranks and on 1, 2 and 3
# threads, however gradients travel and whoever holds the optimizer's state, as do the averages and the losses in metrics.jsonl; a
# run that stops on 2 ranks and goes on on 3 ends with them too. Without it, 1 and 3 ranks differ, and 1 and 3 threads, or this
# would say little.
. "$(dirname "$0")/lib.sh"
tiny 'batch_size: 13, micro_batch: 2, steps: 10, learning_rate: 0.005, ema_val: [2], seed: 9, log_per_step: 1'

# makes NAME RANKS WORDS...: a run and its weights, raw and averaged
makes() {
  local name=$1 ranks=$2
  shift 2
  does "$ranks" train config=tiny.yml data=set.h5 run="$name" "$@"
  weights "$name"
}
weights() {
  does 1 export in="$1" out="$1.st" ema=raw v_head=yes
  does 1 export in="$1" out="$1-ema.st" v_head=yes
}
same() {
  cmp "one$2.st" "$1$2.st" || fail "$1 ends with other weights than one rank ($2)"
}

does 1 pack shapes n=100 size=16 out=set.h5
exact=training.reproducible=on
makes one 1 $exact
makes two 2 $exact
makes three 3 $exact training.reduce=plain
makes four 4 $exact training.reduce=twolevel training.bucket_mib=0.001
makes eight 8 $exact
makes whole 4 $exact training.shard=off training.bucket_mib=0.01
for run in two three four eight whole; do
  same $run ''
  same $run -ema
  check "errors of $run" "$(errors $run | cut -d " " -f 1-3)" "$(errors one | cut -d " " -f 1-3)"   # the norm is added up by ranks
done
[ "$(errors one | wc -l)" = 10 ] || fail "no errors: $(cat one/metrics.jsonl)"

on 2 train config=tiny.yml data=set.h5 run=parts $exact training.steps=4
on 3 train config=tiny.yml data=set.h5 run=parts $exact training.steps=10
weights parts
same parts ''
same parts -ema

# Threads, with kernels of OpenBLAS whose bits depend on their number even in products as small as these.
if grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo; then export OPENBLAS_CORETYPE=Haswell; fi
# on_threads THREADS NAME RANKS WORDS...
on_threads() { OMP_NUM_THREADS=$1 makes "${@:2}"; }
wide='model.hidden_size=288 training.steps=3'   # longer sides than a piece of a product
# shellcheck disable=SC2086
for n in 1 2 3; do
  on_threads $n threads$n 1 $exact
  on_threads $n wide$n 1 $exact $wide
  on_threads $n loose$n 1 $wide
  cmp threads1.st threads$n.st || fail "other weights on $n threads"
  cmp wide1.st wide$n.st || fail "other weights on $n threads, in a wide net"
done
on_threads 2 threads-ranks 3 $exact
cmp threads1.st threads-ranks.st || fail 'other weights on 3 ranks with 2 threads each'
[ -z "${OPENBLAS_CORETYPE:-}" ] || ! cmp -s loose1.st loose3.st ||
  echo 'reproducible.sh: note: OpenBLAS gives the same bits on 1 and 3 threads by itself here, so that this test sees less'
unset OPENBLAS_CORETYPE

makes default1 1
makes default3 3
cmp -s default1.st default3.st && fail 'on 1 and 3 ranks the same bits without training.reproducible'

# A gradient that fixed point cannot hold is a bad step like others, and a run of nothing else is given up.
on 1 train config=tiny.yml data=set.h5 run=large $exact model.norm_p=0 model.noise_scale=100 training.learning_rate=100
check 'exit code of what cannot be added up' $? 70
said_once 'pmf train: given up at step '
exit $failed
