#!/bin/bash
# pmf sbatch refuses what does not fit together; what it writes starts, stops and goes on as it should, with a Slurm that is only
# three commands: mpirun; srun that notes its words; scontrol that notes what it is asked to do, and says of the job what is in `about`.
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 8, steps: 12, ema_val: [0.02, 2], log_per_step: 1'
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
made=(config=tiny.yml data=set.h5 run=r "pmf=$PMF" cores=4)
wants() { local text=$1; shift; refuses "$text" sbatch "${made[@]}" "$@"; }

wants 'tasks=4 x threads=2 are more than the 4 cores' tasks=4 threads=2
wants 'lead=20: a step of 30 s' lead=20
wants 'expected at least that' lead=299 step_seconds=300
wants 'expected at least that' mb_per_s=0.001
wants 'lead=65536' lead=65536 time=2-00:00:00   # the most that Slurm takes is 65535
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
for line in --ntasks-per-node=2 --hint=nomultithread --signal=B:USR1@300 --requeue --open-mode=append --time=1-00:00:00; do
  grep -qx -- "#SBATCH $line" job.sbatch || fail "no line #SBATCH $line"
done
"$PMF" sbatch "${made[@]}" checkpoint.io=romio checkpoint.async=on 2>err | grep -qx "iotest='romio threads'" || fail 'iotest has not the ways of the run'
"$PMF" sbatch "${made[@]}" nodes=4 2>err | grep -q '^# Lustre: .*: lfs setstripe -c 4 DIR$' || fail 'no stripes are suggested'
grep -qF -- '--map-by "slot:PE=$OMP_NUM_THREADS" --bind-to core' job.sbatch || fail 'mpirun would bind a rank of several threads to one core'
for script in train sample score study scaling/point; do
  grep -qx '#SBATCH --hint=nomultithread' "$PMF_SOURCE/slurm/$script.sbatch" || fail "$script.sbatch counts hardware threads as cores"
  [ $script = scaling/point ] || grep -q '^export HDF5_USE_FILE_LOCKING' "$PMF_SOURCE/slurm/$script.sbatch" || fail "$script.sbatch leaves locks to HDF5"
done
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
cat >bin/srun <<END
#!/bin/bash
echo "\$*" >"$PWD/srun.words"
exit 65
END
cat >bin/scontrol <<END
#!/bin/bash
case "\$*" in '-o show job '*) exec cat "$PWD/about" ;; esac
echo "\$*" >>"$PWD/asked"
[ ! -e "$PWD/refuse" ]
END
chmod +x bin/*
PATH=$PWD/bin:$PATH
export OMPI_MCA_odls_base_sigkill_timeout=1   # seconds that mpirun takes over a rank that was killed
export SLURM_JOB_ID=7 SLURM_NTASKS=2

# job CODE REQUEUES: runs the script, tells it what $tell says once it trains; asked: what was asked of scontrol so far.
job() {
  rm -f r/status
  bash job.sbatch >log 2>&1 </dev/null &
  local pid=$! got
  if [ -n "$tell" ]; then
    until grep -q '^running' r/status 2>/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    if [ "$tell" = stop ]; then touch r/stop; else kill "-$tell" $pid; fi
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
# scancel is final, though Slurm would requeue; not so where Slurm itself puts the job back, its time is up, or another job comes first.
about() { echo "JobId=7 JobState=COMPLETING Reason=$1 Requeue=1 Restarts=$2 PreemptEligibleTime=2026-01-01T00:00:00 PreemptTime=$3 x=y" >about; }
tell=TERM
about None 0 None
job 75 1
grep -q 'cancelled: not put back' log || fail "no word of a job that was cancelled: $(cat log)"
check 'status' "$(cut -d ' ' -f 1 r/status)" saved
asked=1
for how in 'None 1 None' 'TimeLimit 0 None' 'None 0 2026-01-01T00:00:00'; do
  # shellcheck disable=SC2086
  about $how
  job 0 $((asked += 1))
done
rm about
# So is the file stop, in a run and between two starts; that of an earlier job is none.
tell=stop
job 75 4
grep -q "there is the file r/stop: not put back" log || fail "no word of the file stop: $(cat log)"
check 'status' "$(cut -d ' ' -f 1 r/status)" saved
tell=
SLURM_RESTART_COUNT=1 job 75 4
! grep -q 'training in' log || fail "it trains though there is the file stop: $(cat log)"
tell=USR1
job 0 5
# A job that comes to a folder where another start runs is refused, and that is the end of it.
"$real" -n 1 "$PMF" train config=tiny.yml data=set.h5 run=r training.steps=100000 >held.out 2>held.err </dev/null & pid=$!
until grep -q '^running' r/status || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -0 $pid || fail "the run that holds the folder has ended: $(cat held.err)"
timeout 120 bash job.sbatch >log 2>&1 </dev/null
check 'exit code where another job has the folder' $? 65
check 'requeues of it' "$(wc -l <asked)" 5
# Not so where Slurm has started the job anew: it may be what is left of it on a lost node.
SLURM_RESTART_COUNT=1 PMF_LOCK_PATIENCE=0 timeout 120 bash job.sbatch >log 2>&1 </dev/null
check 'exit code where what is left of the job has the folder' $? 0
check 'requeues of it' "$(wc -l <asked)" 6
sed -i '$d' asked
# A file `stop` that the other has not seen yet is not taken away from it.
pkill -STOP -P $pid
touch r/stop
timeout 120 bash job.sbatch >log 2>&1 </dev/null
check 'exit code where another job has the folder and is to stop' $? 65
[ -e r/stop ] || fail "a job that was refused took the file stop away: $(cat log)"
touch r/stop   # or the other would never end
pkill -CONT -P $pid
wait $pid
# A job's word for one task of an array is not its number.
SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 job 0 6
check 'the task of an array' "$(tail -n 1 asked)" 'requeue 7_3'
# Where the starts cannot be counted there are no more.
mkdir r/requeues.tmp
job 74 6
grep -q 'r/requeues, which counts the starts, cannot be written: given up' log || fail "starts that are not counted: $(cat log)"
rm -r r/requeues.tmp
rm -f asked
tell=
# The way that the run writes is tried before it, and that alone.
sed "s/^iotest=.*/iotest=rank0/; s/^run=.*/run=r3/; s/training.steps=100000 /training.steps=2 /" job.sbatch >tried.sbatch
bash tried.sbatch >log 2>&1 </dev/null || fail "tried.sbatch: exit code $?: $(cat log)"
check 'ways that were tried' "$(grep -c '^checkpoint   ok ' log)" 1
grep -q '^checkpoint   ok .*: rank0' log || fail "rank0 was not tried: $(cat log)"
check 'status' "$(cut -d ' ' -f 1 r3/status)" 'done'
check 'what was asked' "$(cat asked 2>/dev/null)" ''
sed -i 's/training.steps=100000 //' job.sbatch
# A run that dies without a new checkpoint is given up after as many starts as patience says; one that is refused at once.
sed -i 's/run=.r.$/run=r2/' job.sbatch
mkdir -p r2
export PMF_DIE_AT=created SLURM_RESTART_COUNT=1
job 0 1
job 0 2
job 137 2
grep -q 'given up' log || fail "no word of giving up: $(cat log)"
SLURM_RESTART_COUNT=0 job 0 3   # submitted again, it has all its starts
unset PMF_DIE_AT
rm -rf r2 asked
# A file system that fails may do so for a moment: as often as patience says, also before there is a folder.
printf '#!/bin/bash\nexit 74\n' >bin/fails
chmod +x bin/fails
sed "s/^pmf=.*/pmf=fails/" job.sbatch >job.good && cp job.sbatch job.kept && mv job.good job.sbatch
job 0 1
job 0 2
job 74 2
SLURM_RESTART_COUNT=0
# iotest says that it cannot be trusted, or cannot say anything.
rm -rf r2
sed 's/^iotest=.*/iotest=all/' job.sbatch >tried.sbatch
bash tried.sbatch >log 2>&1; check 'exit code of iotest' $? 74
grep -q 'by io=all cannot be trusted' log || fail "iotest that fails: $(cat log)"
sed -i 's/74/76/' bin/fails
bash tried.sbatch >log 2>&1; check 'exit code of iotest that hangs' $? 76
grep -q 'by io=all cannot be trusted' log || fail "iotest that hangs: $(cat log)"
sed -i 's/76/1/' bin/fails
bash tried.sbatch >log 2>&1; check 'exit code of iotest' $? 1
grep -q 'did not come to a verdict on io=all: exit code 1' log || fail "iotest that does not start: $(cat log)"
# The launcher may not hear a signal the first time.
cat >bin/fails <<'END'
#!/bin/bash
n=0
trap '[ $((n += 1)) -lt 3 ] || exit 0' USR1
touch ready
for ((i = 0; i < 300; i++)); do sleep 0.1; done
exit 1
END
cat >bin/mpirun <<'END'
#!/bin/bash
while [[ $1 == --* ]]; do if [[ $1 == --map-by || $1 == --bind-to ]]; then shift; fi; shift; done
exec "$@"
END
rm -rf r2 asked
bash job.sbatch >log 2>&1 & pid=$!
until [ -e ready ] || ! kill -0 $pid 2>kill.err; do sleep 0.05; done
kill -USR1 $pid
wait $pid
check 'exit code of a signal that was not heard' $? 0
grep -q 'exit code 0, status: none' log || fail "the signal was not given again: $(cat log)"
# srun has to be told of the cores again.
sed 's/^launcher=.*/launcher=srun/' job.sbatch >srun.sbatch
SLURM_CPUS_PER_TASK=5 bash srun.sbatch >log 2>&1
check "exit code of srun" $? 65
grep -q -- '--cpus-per-task=5 .* fails train ' srun.words || fail "srun's words: $(cat srun.words log)"
mv job.kept job.sbatch

# The script of studies: as often as patience says, unless something new was saved; not after scancel.
printf '#!/bin/bash\nexit 75\n' >bin/fails
rm -f asked
# part CODE REQUEUES
part() {
  PMF=fails OUT=studies SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=3 PATIENCE=2 bash "$PMF_SOURCE/slurm/study.sbatch" toy >log 2>&1
  check "exit code of a study's part" $? "$1"
  check 'requeues of it so far' "$({ cat asked; } 2>/dev/null | wc -l)" "$2"
}
touch studies   # no folder
part 75 0
grep -q 'cannot be written: given up' log || fail "a study whose starts cannot be counted: $(cat log)"
rm studies
export SLURM_RESTART_COUNT=1
part 0 1
part 0 2
part 75 2
grep -q 'given up' log || fail "a study without end: $(cat log)"
touch studies/provenance.json   # of each start
part 75 2
sleep 0.01
touch studies/toy.json
part 0 3
part 0 4
SLURM_RESTART_COUNT=0 part 0 5   # submitted again, it has all its starts
part 0 6
# A study that is told before it listens dies of it; it has only to begin again.
printf '#!/bin/bash\nkill -USR1 $PPID $$\n' >bin/fails
touch studies/other.json
part 0 7
printf '#!/bin/bash\nexit 75\n' >bin/fails
# A file system that fails, and a study that is killed, may do better next time, as often as patience says; one that is refused not.
for code in 74 137; do
  printf '#!/bin/bash\nexit %s\n' $code >bin/fails
  touch "studies/$code.json"
  sleep 0.01
  part 0 $((asked = $(wc -l <asked) + 1))
  part 0 $((asked + 1))
  part $code $((asked + 1))
done
printf '#!/bin/bash\nexit 65\n' >bin/fails
part 65 $((asked + 1))
printf '#!/bin/bash\nexit 75\n' >bin/fails
about None 1 None
part 75 $((asked + 1))
grep -q 'cancelled' log || fail "a study that was cancelled: $(cat log)"
rm about asked
SLURM_RESTART_COUNT=0
# Which part a task is, whatever was submitted with it: one of PARTS, or without an array the whole.
printf '#!/bin/bash\necho "$*" >"%s/given"\n' "$PWD" >bin/notes
chmod +x bin/notes
# is_part WHAT TASK WORDS...: what the program is told of it; "": no array.
is_part() {
  local what=$1 task=$2
  shift 2
  rm -f given
  (unset SLURM_ARRAY_TASK_ID
   [ -z "$task" ] || export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID="$task" SLURM_ARRAY_TASK_COUNT=1
   PMF=notes OUT=studies bash "$PMF_SOURCE/slurm/study.sbatch" toy "$@" >log 2>&1)
  check "the part of task $task, $*" "$(grep -oE ' part=[0-9/]+' given)" "${what:+ part=$what}"
}
is_part 3/6 3 seeds=2   # submitted again, alone
is_part 1/6 1
is_part 1/1 ''
is_part '' 1 --prepare
PARTS=12 is_part 12/12 12
for task in 0 7; do
  PMF=notes OUT=studies SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task bash "$PMF_SOURCE/slurm/study.sbatch" toy >log 2>&1
  check 'exit code of a task that is no part' $? 65
  grep -q "task $task of the array is none of the parts 1 to 6" log || fail "a task that is no part: $(cat log)"
done
PARTS=six PMF=notes bash "$PMF_SOURCE/slurm/study.sbatch" toy >log 2>&1
check 'exit code of PARTS=six' $? 65
check 'the array of study.sbatch' "$(grep -oE '^#SBATCH --array=1-[0-9]+' "$PMF_SOURCE/slurm/study.sbatch")" \
  "#SBATCH --array=1-$(sed -n 's/^parts=\${PARTS:-\([0-9]*\)}.*/\1/p' "$PMF_SOURCE/slurm/study.sbatch")"
sed -i 's/set.h5/none.h5/g' job.sbatch
job 65 0
exit $failed
