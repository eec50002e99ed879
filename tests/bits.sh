#!/bin/bash
# The same seed, machine, ranks and threads give the same bits: weights and pictures of two runs. Another seed gives
# others. Silent but for failures. $PMF: the program; $MPIRUN: the launcher.
set -u
: "${PMF:=build/pmf}" "${MPIRUN:=mpirun}"
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_mpi_yield_when_idle=1
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
case $PMF in /*) ;; *) PMF=$PWD/$PMF ;; esac
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

fail() {
  echo "bits.sh: $*"
  failed=1
}
cat >tiny.yml <<END
dataset: { image_size: 16, image_channels: 3, num_classes: 8 }
model: { patch_size: 4, depth: 3, aux_head_depth: 1, hidden_size: 48, num_heads: 2, num_class_tokens: 2,
         num_time_tokens: 1, num_cfg_tokens: 1, num_interval_tokens: 1 }
training: { batch_size: 33, steps: 10, learning_rate: 0.005, ema_val: [2], seed: 9 }
sampling: { ema: ema2 }
END
# pmf_on RANKS THREADS WORDS...
pmf_on() {
  local ranks=$1 threads=$2
  shift 2
  OMP_NUM_THREADS=$threads "$MPIRUN" -n "$ranks" "$PMF" "$@" >out 2>err </dev/null ||
    fail "pmf $* on $ranks ranks: $(cat err)"
}
# makes NAME RANKS THREADS WORDS...: a run, its weights and a picture
makes() {
  local name=$1 ranks=$2 threads=$3
  shift 3
  pmf_on "$ranks" "$threads" train config=tiny.yml data=set.h5 run="$name" "$@"
  pmf_on "$ranks" "$threads" sample run="$name" n=24 seed=1 out="$name.png"
  pmf_on 1 1 export in="$name" out="$name.st" v_head=yes
}
pmf_on 1 1 pack shapes n=100 size=16 out=set.h5
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
