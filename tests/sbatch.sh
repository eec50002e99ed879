#!/bin/bash
# pmf sbatch refuses what does not fit together; what it writes starts, stops and goes on as it should, with a Slurm that is only
# two commands: mpirun that stands for both launchers, scontrol that notes what it is asked.
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 8, steps: 12, ema_val: [0.02, 2], log_per_step: 1'
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
made=(config=tiny.yml data=set.h5 run=r "pmf=$PMF" cores=4)
wants() { local text=$1; shift; refuses "$text" sbatch "${made[@]}" "$@"; }

wants 'tasks=4 x threads=2 are more than the 4 cores' tasks=4 threads=2
wants 'lead=20: a step of 30 s' lead=20
wants 'expected at least that' lead=299 step_seconds=300
wants 'expected at least that' mb_per_s=0.001
wants 'time=soon: expected' time=soon
wants 'time=5 leaves no time' time=5
wants 'launcher=orun: expected mpirun or srun' launcher=orun
wants 'are more ranks than a batch has images' nodes=8 tasks=2
wants 'unknown word' nods=2
wants 'has images of 16 x 16, dataset.image_size is 32' dataset.image_size=32
refuses 'run=DIR is missing' sbatch config=tiny.yml data=set.h5
"$PMF" sbatch config=tiny.yml data=elsewhere.h5 run=r cores=4 2>err >out || fail "images that are not here: $(cat err)"
grep -q '^note: elsewhere.h5 is not here' err || fail "no note of images that are not here: $(cat err)"

"$PMF" sbatch "${made[@]}" tasks=2 time=1-00:00:00 "dataset.root=set.h5" out=job.sbatch 2>err || fail "sbatch: $(cat err)"
for line in --ntasks-per-node=2 --signal=B:USR1@300 --requeue --open-mode=append --time=1-00:00:00; do
  grep -qx -- "#SBATCH $line" job.sbatch || fail "no line #SBATCH $line"
done
"$PMF" sbatch "${made[@]}" checkpoint.io=romio checkpoint.async=on 2>err | grep -qx "iotest='romio threads'" || fail 'iotest has not the ways of the run'
"$PMF" sbatch "${made[@]}" nodes=4 2>err | grep -q '^# Lustre: .*: lfs setstripe -c 4 DIR$' || fail 'no stripes are suggested'
grep -qF -- '--map-by "slot:PE=$OMP_NUM_THREADS" --bind-to core' job.sbatch || fail 'mpirun would bind a rank of several threads to one core'
grep -q odls_base_sigkill_timeout job.sbatch || fail 'mpirun would kill the ranks at once'
if command -v shellcheck >out; then
  shellcheck job.sbatch "$PMF_SOURCE"/slurm/*.sbatch "$PMF_SOURCE"/slurm/words.sh "$PMF_SOURCE"/slurm/scaling/* "$PMF_SOURCE"/slurm/perceptual/* || fail 'shellcheck finds fault'
fi

# Commands of a cluster.
mkdir bin
real=$(command -v "$MPIRUN")
cat >bin/mpirun <<END
#!/bin/bash
while [[ \$1 == --* ]]; do if [[ \$1 == --map-by || \$1 == --bind-to ]]; then shift; fi; shift; done
exec $real -n 2 "\$@"
END
cat >bin/scontrol <<END
#!/bin/bash
echo "\$*" >>"$PWD/asked"
[ ! -e "$PWD/refuse" ]
END
chmod +x bin/*
PATH=$PWD/bin:$PATH
export OMPI_MCA_odls_base_sigkill_timeout=1   # seconds that mpirun takes over a rank that was killed
export SLURM_JOB_ID=7 SLURM_NTASKS=2

# job CODE REQUEUES: runs the script, tells it what $tell says once a step is done; asked: what was asked of scontrol so far.
job() {
  bash job.sbatch >log 2>&1 </dev/null &
  local pid=$! got
  if [ -n "$tell" ]; then
    until grep -q '"event":"step"' r/metrics.jsonl 2>/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill "-$tell" $pid
  fi
  wait $pid
  got=$?
  [ $got = "$1" ] || fail "job: exit code $got, expected $1: $(cat log)"
  check "requeues so far" "$({ cat asked; } 2>/dev/null | wc -l)" "$2"
}
sed -i 's/^patience=3/patience=2/; s/^iotest=.*/iotest=no/; s/^words=(/words=(training.steps=100000 /' job.sbatch
tell=USR1
touch refuse
job 75 1
grep -q 'not requeued by this script' log || fail "no word of a requeue that was refused: $(cat log)"
rm -rf refuse asked r
job 0 1
check 'status' "$(cut -d ' ' -f 1 r/status)" saved
check 'what was asked' "$(cat asked)" 'requeue 7'
tell=
# The way that the run writes is tried before it, and that alone; where it hangs the run does not begin.
sed "s/^iotest=.*/iotest=rank0/; s/^run=.*/run=r3/; s/training.steps=100000 /training.steps=2 /" job.sbatch >tried.sbatch
PMF_FAULT=away_save:rank=1:step=7 bash tried.sbatch >log 2>&1 </dev/null || fail "tried.sbatch: exit code $?: $(cat log)"
check 'ways that were tried' "$(grep -c '^checkpoint   ok ' log)" 1
grep -q '^checkpoint   ok .*: rank0' log || fail "rank0 was not tried: $(cat log)"
# The same words to the end.
sed -i 's/training.steps=100000 //' job.sbatch
before=$(sed 's/saved step \([0-9]*\).*/\1/' r/status)
if [ "$before" -lt 12 ]; then job 0 1; check 'status' "$(cut -d ' ' -f 1 r/status)" 'done'; fi
# A run that dies without a new checkpoint is given up after as many starts as patience says; one that is refused at once.
sed -i 's/run=.r.$/run=r2/' job.sbatch
mkdir -p r2
export PMF_DIE_AT=created
job 0 2
job 0 3
job 137 3
unset PMF_DIE_AT
grep -q 'given up' log || fail "no word of giving up: $(cat log)"
rm -rf r2 asked
sed -i 's/set.h5/none.h5/g' job.sbatch
job 65 0
exit $failed
