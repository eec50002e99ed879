#!/bin/bash
# The same seed, machine, ranks and threads give the same bits: weights and pictures of two runs. Another seed gives
# others.
. "$(dirname "$0")/lib.sh"
tiny 'batch_size: 33, steps: 10, learning_rate: 0.005, ema_val: [2], seed: 9'

# makes NAME RANKS THREADS WORDS...: a run, its weights and a picture
makes() {
  local name=$1 ranks=$2 threads=$3
  shift 3
  OMP_NUM_THREADS=$threads does "$ranks" train config=tiny.yml data=set.h5 run="$name" "$@"
  OMP_NUM_THREADS=$threads does "$ranks" sample run="$name" n=24 seed=1 out="$name.png"
  does 1 export in="$name" out="$name.st" v_head=yes
}

does 1 pack shapes n=100 size=16 out=set.h5
makes a 2 1
makes b 2 1
cmp a.st b.st || fail 'two runs end with other weights'
cmp a.png b.png || fail 'two runs end with other pictures'
makes c 1 2
makes d 1 2
cmp c.st d.st || fail 'two runs on two threads end with other weights'
cmp c.png d.png || fail 'two runs on two threads end with other pictures'
makes other 2 1 training.seed=10
cmp -s a.st other.st && fail 'another seed ends with the same weights'
cmp -s a.png other.png && fail 'another seed ends with the same picture'
exit $failed
