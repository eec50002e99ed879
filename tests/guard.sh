#!/bin/bash
# Runs in which something goes wrong: one rank's loss is no number, its memory flips a bit, it stays away, it is slow. What the
# others do about it, what the run says, what it ends with, and that it goes on from there exactly.
. "$(dirname "$0")/lib.sh"
export OMPI_MCA_odls_base_sigkill_timeout=0   # seconds that mpirun leaves the other ranks after one has failed

tiny 'batch_size: 10, steps: 20, ema_val: [0.02, 2], seed: 3, log_per_step: 1'
echo 'checkpoint: { every_steps: 5 }' >>tiny.yml
"$PMF" pack shapes n=200 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"

# run CODE FAULT WORDS...: trains on two ranks with this fault.
run() {
  local code=$1 fault=$2 got
  shift 2
  PMF_FAULT=$fault on 2 train config=tiny.yml data=set.h5 "$@"
  got=$?
  [ $got = "$code" ] || fail "train $* with $fault: exit code $got, expected $code: $(cat err)"
}
# Arrays of a run, but for what the guard remembers.
but_guard() { arrays "$1/checkpoint.h5" | awk '$1 != "guard"'; }
# events RUN EVENT: the steps at which it happened, in a row.
events() { sed -n "s/^{\"event\":\"$2\",\"step\":\([0-9]*\).*/\1/p" "$1/metrics.jsonl" | tr '\n' ' '; }
rate() { sed -n "s/^{\"event\":\"step\",\"step\":$2,.*\"learning_rate\":\([^,]*\),.*/\1/p" "$1/metrics.jsonl" | tail -n 1; }
losses() { sed -n 's/^{"event":"step",\("step":[0-9]*\),.*\("loss":[^,]*\),.*\("grad_norm":[^,]*\),.*/\1 \2 \3/p' "$1/metrics.jsonl"; }

run 65 nun run=none
said_once 'pmf train: PMF_FAULT: nun: expected nan, tangent'
[ ! -e none ] || fail 'a fault that is none left a folder'

# A rank whose products are wrong: no run begins.
run 65 product:rank=1 run=untrusted
said_once 'pmf train: products cannot be trusted here: '
said ' on rank 1 ('
[ ! -e untrusted/metrics.jsonl ] || fail 'a run that was refused has metrics'

# A bad batch on rank 1 alone: both skip it, and leave all as it was at step 6; then the run goes on, and can be stopped amid.
run 0 nan:rank=1:step=7..9 run=skips training.steps=9
said_once 'WARNING: step 9 is skipped, 3 in a row: the loss is not a finite number on rank 1'
check 'skips' "$(events skips skip)" '7 8 9 '
run 0 '' run=clean training.steps=6
check 'what three skips leave' "$(but_guard skips)" "$(but_guard clean)"
grep -qE '"event":"skip","step":8,"rank":1,"loss":null,"grad_norm":null,"in_a_row":2,"batch":8,"note":"the loss is not a finite number on rank 1: images( [0-9]+){5}"' \
  skips/metrics.jsonl || fail "the skip of step 8: $(grep skip skips/metrics.jsonl)"

# Five in a row: back to step 5, and over the bad batches, at half of the learning rate. Killed after that it goes back once more and
# ends the same; so does a run that was stopped later.
run 0 nan:rank=1:step=7..11 run=whole training.rollback_lr_factor=0.5
said_once 'rollback 1 of 3; goes on with batch 12 and 0.5 of the learning rate'
check 'skips before the rollback' "$(events whole skip)" '7 8 9 10 11 '
check 'saves' "$(events whole save)" '5 10 15 20 '
grep -q '^{"event":"rollback","step":5,"from":11,"rollbacks":1,"batch":12,"lr_factor":0.5}$' whole/metrics.jsonl || fail 'no rollback'
grep -q nan <(losses whole | tail -n 15) && fail 'bad numbers after the rollback'
check 'learning rates before the rollback and to the end' "$(rate whole 5) $(rate whole 6) $(rate whole 20)" '0.001 0.0005 0.0005'
run 0 nan:rank=1:step=7..11 run=parts training.steps=5 training.rollback_lr_factor=0.5
PMF_DIE_AT=summed run 137 nan:rank=1:step=7..11 run=parts training.rollback_lr_factor=0.5
check 'a rollback before the kill' "$(events parts rollback)" '5 '
run 0 nan:rank=1:step=7..11 run=parts training.steps=13 training.rollback_lr_factor=0.5
said_once 'going on after step 5 of 13'
said_once 'back from step 11 to step 5, rollback 1 of 3; goes on with batch 12'
run 0 nan:rank=1:step=7..11 run=parts training.rollback_lr_factor=0.5
said_once 'going on after step 13 of 20'
check 'arrays of a run in parts' "$(but_guard parts)" "$(but_guard whole)"
check 'losses of a run in parts' "$(losses parts | tail -n 7)" "$(losses whole | tail -n 7)"
run 0 '' run=healthy
at_6() { losses "$1" | grep '"step":6 ' | tail -n 1; }   # from the same weights
[ "$(at_6 healthy)" != "$(at_6 whole)" ] || fail 'the data after a rollback are those before it'

# Every batch from the third on is poisoned: three rollbacks, to the beginning, then 70 and one line.
run 70 nan:rank=1:step=3..1000 run=poisoned training.max_skips=2 checkpoint.every_steps=10
check 'rollbacks' "$(events poisoned rollback)" '0 0 0 '
said_once 'pmf train: given up at step 2, after 3 rollbacks: 2 bad steps in a row; the first bad one was step 3: the loss is not a finite number on rank 1, images '
said 'there is no checkpoint yet'
check 'status of a run that was given up' "$(cat poisoned/status)" 'failed step 2 of 20'
[ ! -e poisoned/checkpoint.h5 ] || fail 'a poisoned run has saved'

# A bit on rank 1. AdamW, each rank for itself, hands out no weights that would heal it.
run 70 flip:rank=1:step=7 run=flipped training.optimizer=adamw training.shard=off training.check_every=3
said_once 'pmf train: step 9: the ranks'\'' weights differ in tensor x_embedder.proj1.weight: rank 1 differs from rank 0'
said 'the last good checkpoint is flipped/checkpoint.h5 of step 5'
check 'saves of a run with a flipped bit' "$(events flipped save)" '5 '
run 70 flip:rank=1:step=10 run=unseen training.check_every=0 training.reduce=plain   # the save looks too
said_once 'pmf train: unseen: not saved: the ranks'\'' weights differ in tensor x_embedder.proj1.weight: rank 1'
check 'saves of a run with a bit flipped before one' "$(events unseen save)" '5 '

# A rank that never comes, to the gradients or to the save: both say where they are, and the next start goes on.
run 76 away:rank=1:step=8 run=away training.watchdog=3
said_once 'watchdog: rank 0 of 2 on '
said_once 'watchdog: rank 1 of 2 on '
number=$(sed -n 's/.*rank 1 of 2.*step 8, phase backward, in no collective, after number \([0-9]*\) (.*/\1/p' err)
said "step 8, phase reduce, in collective $((number + 1)) (sum of gradients, "
parameters=$(sed -n 's/^away: \([0-9]*\) parameters, .*/\1/p' err)
elements=$(sed -n 's/^watchdog: rank 0 .* (sum of gradients, \([0-9]*\) elements), for .*/\1/p' err)
[ "${elements:-0}" -ge "$parameters" ] && [ "$elements" -lt $((parameters + parameters / 100)) ] ||   # some lie between tensors
  fail "elements of the sum that rank 0 is in: '$elements', of $parameters parameters: $(cat err)"
run 0 '' run=away training.steps=9
said_once 'going on after step 5 of 9'
run 76 away_save:rank=0:step=10 run=away training.watchdog=2
said_once 'step 10, phase save, in no collective, after number '
said_once 'step 10, phase save, in collective '
check 'word that rank 1 left' "$(grep -c '^watchdog: rank 1 of 2 .* step 10, phase save, in collective ' away/hung)" 1
run 0 '' run=away training.steps=10
said_once 'checkpoints are written by rank0'
said_once 'WARNING: a save by MPI-IO has hung in this run, away/hung says where'
check 'saves of a run that hung in one' "$(events away save)" '5 9 10 '
run 76 away_save:rank=0:step=12 run=away training.watchdog=2 checkpoint.every_steps=6   # rank 0 alone leaves no word
check 'words that were left' "$(wc -l <away/hung)" 1
rm away/hung
run 0 '' run=away training.steps=12
said_once 'checkpoints are written by MPI-IO'

# USR2 asks where they are, and ends nothing; a rank that is slow is named, however often the run saves and draws.
PMF_FAULT=sleep:rank=1:seconds=0.2,slow:rank=1 "$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=set.h5 run=slow \
  training.steps=35 training.log_per_step=20 checkpoint.every_steps=6 sampling.grid_every_steps=7 >out 2>err </dev/null &
launched=$!
until grep -q '^step 20/' err || ! kill -0 $launched 2>kill.err; do sleep 0.02; done
kill -USR2 $launched
wait $launched
check 'exit code of a run that got USR2' $? 0
said_once 'watchdog: rank 0 of 2 on '
said_once 'watchdog: rank 1 of 2 on '
said_once 'rank 1 on '"$(uname -n)"' is slow: '
grep -q '"event":"start",.*"slowest":1}' slow/metrics.jsonl || fail "the slow rank: $(grep start slow/metrics.jsonl)"
grep -q ' of 2 ranks share ' err ||   # a machine of one core
  said_once "WARNING: 1 of 2 ranks, rank 1 on $(uname -n | cut -d . -f 1) slowest, multiply at less than 0.7 of the median: "
check 'stragglers' "$(events slow straggler)" '20 '
grep -q '"event":"straggler","step":20,"rank":1,' slow/metrics.jsonl || fail "straggler: $(grep straggler slow/metrics.jsonl)"

# A du/dt that has grown is told, once.
run 0 tangent:rank=1:step=66..85 run=tangents training.steps=90 checkpoint.every_steps=0
check 'alarms' "$(events tangents alarm)" '72 '
said_once 'WARNING: step 72: the rms of du/dt has grown to '

exit $failed
