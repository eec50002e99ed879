#!/bin/bash
# Whole runs of pmf as a user meets them: stopped, killed, damaged and started again they go on where they were; samples
# do not depend on the number of ranks; what is wrong is one line and exit 65, and leaves no folder behind.
. "$(dirname "$0")/lib.sh"

# trains CODE RANKS WORDS...: with the settings and images of this test.
trains() {
  local code=$1 ranks=$2 got
  shift 2
  on "$ranks" train config=tiny.yml data=set.h5 "$@"
  got=$?
  [ $got = "$code" ] || fail "train $* on $ranks ranks: exit code $got, expected $code: $(cat err)"
}

# launch RANKS WORDS...: trains in the background, so slowly that a signal comes in time; $launched is the launcher.
launch() {
  local ranks=$1
  shift
  PMF_FAULT=sleep:seconds=0.2 "$MPIRUN" -n "$ranks" "$PMF" train config=tiny.yml data=set.h5 "$@" >out 2>err </dev/null &
  launched=$!
}
# await FILE PATTERN: until a line of the file matches, or what was launched has ended.
await() {
  until grep -q -- "$2" "$1" 2>/dev/null; do
    kill -0 "$launched" 2>/dev/null || { fail "ended before '$2' was in $1: $(cat err)"; return; }
    sleep 0.02
  done
}
# ends CODE
ends() {
  wait "$launched"
  check 'exit code of the run that was signalled' $? "$1"
}

last_step() { sed -n 's/^{"event":"step","step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" | tail -n 1; }

# same_as_whole RUN: bit for bit the same end, and the same errors on the way.
same_as_whole() {
  "$PMF" verify "$1/checkpoint.h5" >out 2>err || fail "$1/checkpoint.h5: $(cat err)"
  check "arrays of $1" "$(arrays "$1/checkpoint.h5")" "$(arrays whole/checkpoint.h5)"
  "$PMF" export in="$1" out="$1.st" ema=raw v_head=yes >out 2>err || fail "export of $1: $(cat err)"
  cmp "$1.st" whole.st || fail "the weights of $1 are not those of the run in one go"
  check "errors of $1" "$(errors "$1")" "$(errors whole)"
}
# Every line is an object that starts with its event and its step; `step` lines count up by one.
sound_metrics() {
  awk -v run="$1" '
    !/^\{"event":"[a-z ]+","step":[0-9]+(,"[a-z_]+":(-?[0-9.]+(e[-+]?[0-9]+)?|null|"[^"]*"))*\}$/ {
      print "train.sh: metrics of " run ": not a line of metrics: " $0; bad = 1 }
    /^\{"event":"step"/ { split($0, part, /[:,}]/); if (part[4] != ++n) {
      print "train.sh: metrics of " run ": step " part[4] " where " n " was expected"; bad = 1 } }
    END { exit bad || !n }' "$1/metrics.jsonl" || failed=1
}
# damage FILE: some bytes in the middle.
damage() {
  chmod 644 "$1"
  printf '\377\377\377\377' | dd of="$1" bs=1 seek=$(($(wc -c <"$1") / 2)) conv=notrunc 2>dd.err
}

cat >tiny.yml <<END
dataset: { image_size: 16, image_channels: 3, num_classes: 8, use_flip: true }
model: { patch_size: 2, depth: 3, aux_head_depth: 1, hidden_size: 48, num_heads: 2, num_class_tokens: 2,
         num_time_tokens: 1, num_cfg_tokens: 1, num_interval_tokens: 1 }
training: { batch_size: 34, steps: 30, learning_rate: 0.005, lr_schedule: cosine, lr_min_factor: 0.1,
            ema_val: [0.02, 2], seed: 9, log_per_step: 1 }
checkpoint: { every_steps: 10 }
sampling: { omega: 3, ema: ema2 }
END
"$PMF" pack shapes n=400 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"

# In one go, and the same command once more. A line in a batch log has all that one asks of a run on its way.
trains 0 2 run=whole
check 'steps with their errors' "$(errors whole | wc -l)" 30
line='^step [0-9]+/30  loss [0-9.]+  mse u [0-9.]+ v [0-9.]+  [0-9.]+ images/s  [0-9]+\.[0-9]{3} s/step  ETA [0-9:]+'
check 'lines of steps in a log' "$(grep -cE "$line  save in [0-9:]+  wait [0-9]+\.[0-9]{3} s\$" err)" 30
awk '/^step / { for (i = 2; i <= NF; i++) { if ($i == "images/s") rate = $(i - 1); if ($i == "s/step") step = $(i - 1) }
  if (step < 34 / rate * 0.95 - 0.001 || step > 34 / rate * 1.05 + 0.001) { print "train.sh: seconds a step: " $0; bad = 1 } }
  END { exit bad }' err || failed=1
check 'status of a run that is done' "$(cat whole/status)" 'done step 30 of 30'
"$PMF" export in=whole out=whole.st ema=raw v_head=yes >out 2>err || fail "export: $(cat err)"
sound_metrics whole
trains 0 2 run=whole
said 'done already: step 30 of 30'
sound_metrics whole

# Stopped by USR1, killed in a save, killed between saves: the fourth start ends as the run in one go.
launch 2 run=parts
await parts/metrics.jsonl '"event":"step","step":4,'
grep -qE '^running step ([4-9]|[12][0-9]) of 30$' parts/status || fail "status of a run on its way: $(cat parts/status)"
kill -USR1 "$launched"
ends 75
stopped=$(last_step parts)
check 'status of a run that was stopped' "$(cat parts/status)" "saved step $stopped of 30"
said "pmf train: saved at step $stopped of 30"
[ "$stopped" -lt 20 ] || fail "stopped only at step $stopped: too late for what follows"
PMF_DIE_AT=summed "$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=set.h5 run=parts >out 2>err </dev/null &&
  fail 'a run killed in its save ends well'
said_once "going on after step $stopped of 30"
[ -e parts/checkpoint.h5.tmp ] || fail 'the kill in a save left no checkpoint.h5.tmp'
[ "$(last_step parts)" -gt "$stopped" ] || fail 'no step before the kill in a save'
launch 2 run=parts
await parts/metrics.jsonl '"event":"save","step":20,'
[ ! -e parts/checkpoint.h5.tmp ] || fail 'checkpoint.h5.tmp is still there'
await parts/metrics.jsonl '"event":"step","step":21,'
kill -KILL "$(cut -d ' ' -f 1 "/proc/$launched/task/$launched/children")" || fail 'no rank to kill'
wait "$launched" && fail 'a run of which a rank was killed ends well'
cp -r parts killed
trains 0 2 run=parts
said_once 'going on after step 20 of 30'
check 'warnings where nothing has changed' "$(grep -c '^warning: ' err)" 0
sound_metrics parts
same_as_whole parts

# Saved by threads while the steps go on, killed between two saves and in one: the third start ends as the run in one go.
launch 2 run=later checkpoint.async=on
await later/metrics.jsonl '"event":"save",.*"saved_step":10,'
kill -KILL "$(cut -d ' ' -f 1 "/proc/$launched/task/$launched/children")" || fail 'no rank to kill'
wait "$launched" && fail 'a run of which a rank was killed ends well'
PMF_DIE_AT=writing "$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=set.h5 run=later checkpoint.async=on >out 2>err </dev/null &&
  fail 'a run killed in a thread ends well'
said_once 'checkpoints are written by a thread of each rank'
trains 0 2 run=later checkpoint.async=on checkpoint.archive_every=9
sound_metrics later
same_as_whole later
check 'the archive' "$(cd later/archive && echo *)" 'step-000000020.h5 step-000000030.h5'
cmp later/archive/step-000000030.h5 later/checkpoint.h5 || fail 'the archive has not the last checkpoint'

# Another folder goes on from an archived checkpoint to the same end; then it is its own, also where that file is gone.
cp later/archive/step-000000020.h5 old.h5
trains 0 2 run=branch restart=old.h5
said_once 'begins with all that old.h5 holds'
said_once 'going on after step 20 of 30'
check 'arrays of branch' "$(arrays branch/checkpoint.h5)" "$(arrays whole/checkpoint.h5)"
check 'errors of branch' "$(errors branch)" "$(errors whole | tail -n 10)"
rm -f old.h5
trains 0 2 run=branch restart=old.h5
said 'done already: step 30 of 30'
cp later/archive/step-000000030.h5 old.h5
trains 0 2 run=ended restart=old.h5
said 'done already: step 30 of 30'
check 'arrays of a run that begins at its end' "$(arrays ended/checkpoint.h5)" "$(arrays whole/checkpoint.h5)"
damage old.h5
trains 65 2 run=new restart=old.h5
said_once 'pmf train: old.h5: block 0 of '
[ ! -e new ] || fail 'a run that cannot begin left its folder'

# A signal to one rank, which is not the one that speaks: all save the same step, once, and say why; then on to the same end.
launch 2 run=one checkpoint.every_steps=0
await one/metrics.jsonl '"event":"step","step":3,'
kill -USR1 "$(cut -d ' ' -f 2 "/proc/$launched/task/$launched/children")" || fail 'no second rank to signal'
ends 75
stopped=$(last_step one)
said_once 'stopping: signal USR1'
said_once "pmf train: saved at step $stopped of 30"
check 'saves of a run of which one rank was signalled' \
  "$(sed -n 's/^{"event":"save","step":\([0-9]*\),"saved_step":\([0-9]*\),.*/\1 \2/p' one/metrics.jsonl)" "$stopped $stopped"
check 'its stop' "$(grep '"event":"stop"' one/metrics.jsonl)" \
  "{\"event\":\"stop\",\"step\":$stopped,\"note\":\"signal USR1\"}"
trains 0 2 run=one checkpoint.every_steps=10
said_once "going on after step $stopped of 30"
sound_metrics one
same_as_whole one

# From that kill on other numbers of ranks: the same within rounding.
for ranks in 1 3; do
  cp -r killed "on$ranks"
  trains 0 $ranks run=on$ranks
  said_once 'going on after step 20 of 30'
  said_once 'warning: '
  said "the checkpoint in on$ranks was made with 2 ranks, now $ranks: from here on the same within rounding"
  sound_metrics on$ranks
  "$PMF" verify on$ranks/checkpoint.h5 >out 2>err || fail "on$ranks: $(cat err)"
  within_rounding on$ranks whole
done
cp -r killed other
trains 0 2 run=other training.seed=10
beyond_rounding other whole

# With other kernels of OpenBLAS likewise: the promise of the same bits does not hold, and that is said, once.
if [ "$(uname -m)" = x86_64 ]; then
  cp -r killed kernels
  OPENBLAS_CORETYPE=Nehalem trains 0 2 run=kernels
  said_once 'warning: '
  said "as OpenBLAS's kernels, now Nehalem: from here on the same within rounding"
  within_rounding kernels whole
fi

# The newest checkpoint is damaged: the one before it is used, and that is said; with both damaged there is no going on.
damage parts/checkpoint.h5
echo 'left over' >parts/checkpoint.h5.tmp
trains 0 2 run=parts
said_once 'warning: '
said 'parts/checkpoint.h5: block 0 of '
said_once 'going on after step 20 of 30'
[ ! -e parts/checkpoint.h5.tmp ] || fail 'a checkpoint.h5.tmp that was left over is still there'
sound_metrics parts
same_as_whole parts
damage parts/checkpoint.h5
damage parts/checkpoint.h5.prev
trains 65 2 run=parts
said_once 'pmf train: parts/checkpoint.h5: block 0 of '
said 'parts/checkpoint.h5.prev: block 0 of '

# Two starts for a folder that is not there: one comes late to it, when the other has trained, saved and gone. It is refused.
# (SIGUSR2 ends its sleep.)
PMF_FAULT=sleep:step=0:seconds=300 "$PMF" train config=tiny.yml data=set.h5 run=late fid.every_steps=10 fid.online_samples=8 >late.out 2>late.err </dev/null &
launched=$!
await late.err 'the classifier names'
trains 0 1 run=late training.steps=3
said "checkpoints are written by MPI-IO, by Open MPI's choice"
cp late/checkpoint.h5 early.h5
kill -USR2 "$launched"
ends 65
grep -q 'late: another start has saved here meanwhile' late.err || fail "a start that came late: $(cat late.err)"
cmp late/checkpoint.h5 early.h5 || fail 'a start that came late has changed what another one saved'

# What was archived by a run that is begun anew gives way, step by step.
rm -f later/checkpoint.h5*
trains 0 2 run=later checkpoint.archive_every=9 training.steps=20
check 'the archive of a run that was begun anew' "$(cd later/archive && echo *)" 'step-000000010.h5 step-000000020.h5 step-000000030.h5'
cmp later/archive/step-000000020.h5 later/checkpoint.h5 || fail 'the archive has a checkpoint of the run before'
rm -f later/checkpoint.h5*
trains 0 2 run=later checkpoint.archive_every=9 checkpoint.every_steps=11 training.steps=22
check 'the archive of one that saves at other steps' "$(cd later/archive && echo *)" \
  'step-000000010.h5 step-000000011.h5 step-000000020.h5 step-000000022.h5 step-000000030.h5'

# SCR's list (LLNL/scr, testing/TESTING.sh) in its order, in one process.
alone=(train config=tiny.yml data=set.h5 run=alone checkpoint.every_steps=3 training.lr_schedule=const)
alone() {   # CODE TEXT WORDS...: what it says
  "$PMF" "${alone[@]}" "${@:3}" >out 2>err </dev/null
  check "exit code of alone, ${*:3}" $? "$1"
  said "$2"
}
saves() { sed -n 's/^{"event":"save",.*"saved_step":\([0-9]*\),.*/\1/p' alone/metrics.jsonl | tail -n "$1" | tr '\n' ' '; }
# 1 It runs; as many checkpoints stay as are asked for.
alone 0 'done: 8 steps' training.steps=8 checkpoint.keep=3
check 'what is kept' "$(cd alone && echo check*)" 'checkpoint.h5 checkpoint.h5.prev checkpoint.h5.prev2'
for kept in :8 .prev:6 .prev2:3; do
  "$PMF" inspect "alone/checkpoint.h5${kept%:*}" 2>/dev/null | grep -qE "^ *step +${kept#*:}$|^step ${kept#*:}," || fail "checkpoint.h5${kept%:*} is not of step ${kept#*:}"
done
# 2 Run again it goes on.
alone 0 'going on after step 8 of 9' training.steps=9
arrays alone/checkpoint.h5 >nine
# 3 The newest checkpoint is deleted: the older one is used.
rm -f alone/checkpoint.h5
alone 0 'going on after step 8 of 9' training.steps=9
check 'arrays after the newest was deleted' "$(arrays alone/checkpoint.h5)" "$(cat nine)"
# 4 The newest is damaged in its place: it cannot be loaded, the older one is.
damage alone/checkpoint.h5
alone 0 'alone/checkpoint.h5: block 0 of ' training.steps=9
said_once 'going on after step 8 of 9'
check 'arrays after the newest was damaged' "$(arrays alone/checkpoint.h5)" "$(cat nine)"
# 5 All are deleted: it begins anew.
rm -f alone/checkpoint.h5*
alone 0 'done: 9 steps' training.steps=9
check 'going on from nothing' "$(grep -c 'going on' err)" 0
check 'arrays of a run that began anew' "$(arrays alone/checkpoint.h5)" "$(cat nine)"
# 6 Halted at a time, by a signal that is sent then: TERM, while CONT is none; and by the file `stop`, on two ranks.
"$PMF" "${alone[@]}" training.steps=100000 >out 2>err </dev/null &
launched=$!
await alone/metrics.jsonl '"event":"step","step":11,'
kill -CONT "$launched"
await alone/metrics.jsonl '"event":"step","step":13,'
kill -TERM "$launched"
ends 75
said 'stopping: signal TERM'
launch 2 run=halted training.steps=100000
await halted/metrics.jsonl '"event":"start"'
touch halted/stop
ends 75
said 'stopping: the file'
# 7 Halted after so many seconds.
alone 75 'stopping: the time' training.steps=100000 training.max_time=0.005
said "warning: the checkpoint was made with max_time: 0"
# 8 Halted after so many checkpoints, saved there and then or by threads: the last is that of the step at which it ends.
for async in off on; do
  before=$(last_step alone)
  alone 75 'stopping: as many checkpoints as training.max_saves asks for' training.steps=100000 training.max_saves=2 checkpoint.async=$async
  said_once "going on after step $before of 100000"
  first=$((before / 3 * 3 + 3)) last=$((before / 3 * 3 + 6))
  check "two checkpoints, async=$async" "$(saves 2)" "$first $last "
  check "the end after two checkpoints, async=$async" "$(last_step alone) $(cat alone/status)" "$last saved step $last of 100000"
done
check 'what a stop leaves' "$(cd alone && echo *)" \
  'blas_core checkpoint.h5 checkpoint.h5.prev lock metrics.jsonl provenance.json status used_parameters.yml'

refuses 'training.max_saves=2 counts saves on schedule' train config=tiny.yml data=set.h5 run=none training.max_saves=2 \
  checkpoint.every_steps=0 checkpoint.every_minutes=0

# At a terminal one line, which the next one replaces.
PMF_PROGRESS=live trains 0 1 run=live training.steps=3
check 'lines of steps' "$(tr '\r' '\n' <err |
  grep -c 'step [0-9]*/3  loss [0-9.]*  mse u [0-9.]*  [0-9.]* images/s  ETA [0-9:]*  save [0-9:]*  [0-9]*\.[0-9]* s/step')" 3

# --dry-run tells sizes and the time of products, and leaves nothing; settings that a run has written make the same run.
on 2 train config=tiny.yml data=set.h5 run=dry --dry-run || fail "--dry-run: exit code $?: $(cat err)"
for words in '^# [0-9]+ parameters, ' '^# MiB a rank: [0-9.]+ = ' '^# checkpoint [0-9.]+ MiB, 2 files are kept$' \
  '^# predicted: [0-9.e-]+ s a step of products alone, [0-9]+:[0-9][0-9]:[0-9][0-9] in all, '; do
  grep -qE -- "$words" out || fail "--dry-run: no line $words: $(cat out)"
done
[ ! -e dry ] || fail '--dry-run left a folder'
trains 0 1 run=first training.steps=4
"$PMF" train config=first/used_parameters.yml run=again >out 2>err </dev/null || fail "used_parameters.yml: exit code $?: $(cat err)"
cmp -s first/used_parameters.yml again/used_parameters.yml || fail 'used_parameters.yml of a run from used_parameters.yml'
check 'arrays of a run from used_parameters.yml' "$(arrays again/checkpoint.h5)" "$(arrays first/checkpoint.h5)"

# How much time is left: of training.max_time, or of Slurm's job where that is less.
trains 0 1 run=timed training.steps=3 training.log_per_step=1 training.max_time=60
grep -qE '  time left (1:00:00|59:[0-9]+)$' err || fail "no time left: $(cat err)"
SLURM_JOB_END_TIME=$(($(date +%s) + 1000)) trains 0 1 run=job training.steps=3 training.log_per_step=1 training.max_time=60
grep -qE '  time left 16:[0-9]+$' err || fail "no time left of the job: $(cat err)"

# A checkpoint with other settings than asked for.
train() {
  local text=$1
  shift
  refuses "$text" train config=tiny.yml data=set.h5 "$@"
}
train 'whole/checkpoint.h5: from another net: tensor ' run=whole model.hidden_size=32
train 'whole/checkpoint.h5 has no array ema3' run=whole training.ema_val=3,2
train 'whole/checkpoint.h5 has an array ema0.02' run=whole training.ema_val=2
train 'optimizer' run=whole training.optimizer=adamw
train 'whole has a checkpoint of step 30 and restart=never' run=whole restart=never

data_is() { refuses "$1" train config=tiny.yml run=new data="$2"; }
# What cannot start leaves no folder.
head -c 100000 set.h5 >cut.h5
"$PMF" pack shapes n=40 size=8 out=small.h5 >out 2>err || fail "pack: $(cat err)"
train 'training.batch_sise=3: unknown word; did you mean training.batch_size=?' run=new training.batch_sise=3
train 'training.steps=many: expected an integer' run=new training.steps=many
train 'training.learning_rate=-1: expected a number' run=new training.learning_rate=-1
train 'model.patch_size=5 does not divide dataset.image_size=16' run=new model.patch_size=5
data_is 'none.h5: no such file' none.h5
data_is 'cut.h5: cut short' cut.h5
data_is 'tiny.yml: not an HDF5 file' tiny.yml
data_is 'whole/checkpoint.h5: not an image set' whole/checkpoint.h5
data_is 'small.h5 has images of 8 x 8, dataset.image_size is 16' small.h5
train 'training.warmup_epochs=2 are 22 steps: the cosine needs less than half of all 30' run=new training.warmup_epochs=2
train 'set.h5 has 8 classes, dataset.num_classes is 9' run=new dataset.num_classes=9
train 'set.h5 has 400 training images, fewer than training.batch_size = 401' run=new training.batch_size=401
train 'checkpoint.keep=17: expected an integer, 2 to 16' run=new checkpoint.keep=17
train 'restart=maybe: expected auto, never, require, or a checkpoint FILE.h5' run=new restart=maybe
train 'none.h5: missing' run=new restart=none.h5
train 'expected one of them' run=new restart=none.h5 load_from=none.h5
train 'new has no checkpoint and restart=require' run=new restart=require
train 'set.h5 is there and is not a folder' run=set.h5
train 'run=DIR is missing'
refuses 'data=FILE.h5 is missing' train config=tiny.yml run=new
refuses 'none.yml' train config=none.yml data=set.h5 run=new
refuses 'unknown job trian; did you mean train?' trian config=tiny.yml data=set.h5 run=new
refuses 'not an HDF5 file' sample checkpoint=tiny.yml out=no.png
refuses 'set.h5: its format is pmf-dataset' sample checkpoint=set.h5 out=no.png
refuses 'small has no checkpoint.h5' sample run=small out=no.png
refuses 'ema=ema7: whole/checkpoint.h5 has raw, ema0.02, ema2' sample run=whole out=no.png ema=ema7
refuses 'ema=m: ' sample run=whole out=no.png ema=m
refuses 'classes=8: expected numbers from 0 to 7' sample run=whole out=no.png classes=8
refuses 'classes=cat: expected all, a number' sample run=whole out=no.png classes=cat
refuses 'expected one of run=DIR and checkpoint=FILE.h5' sample out=no.png
refuses 'out= is missing' sample run=whole
on 2 train config=tiny.yml data=none.h5 run=new
check 'exit code on two ranks' $? 65
said_once 'pmf train: none.h5: '
[ ! -e new ] || fail 'a run that was refused left its folder'
[ ! -e no.png ] || fail 'sampling that was refused left a picture'

# Pictures: the same bytes on any number of ranks; 37 are no whole number of chunks.
for ranks in 1 2 3; do
  on $ranks sample run=whole n=37 out=grid$ranks.png || fail "sample on $ranks ranks: $(cat err)"
  on $ranks sample run=whole n=37 classes=2-3 steps=4 ema=raw omega=2 seed=4 out=new/four$ranks.png ||
    fail "four steps on $ranks ranks: $(cat err)"
  on $ranks sample checkpoint=whole/checkpoint.h5 n=21 classes=5,0 out=files$ranks || fail "files: $(cat err)"
  [ $ranks = 1 ] || cmp grid1.png grid$ranks.png || fail "the grid on $ranks ranks differs"
  [ $ranks = 1 ] || cmp new/four1.png new/four$ranks.png || fail "the grid of four steps on $ranks ranks differs"
  [ $ranks = 1 ] || diff -r files1 files$ranks || fail "the files on $ranks ranks differ"
done
cmp -s grid1.png new/four1.png && fail 'one step and four give one picture'
check 'files of a sample' "$(ls files2 | wc -l)" 21
[ -s files2/000000_class5.png ] && [ -s files2/000001_class0.png ] || fail "names of files: $(ls files2)"
on 1 sample run=whole n=37 seed=10 out=other.png || fail "sample: $(cat err)"
cmp -s grid1.png other.png && fail 'another seed gives the same picture'

exit $failed
