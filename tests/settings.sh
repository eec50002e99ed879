#!/bin/bash
# The front door: what a user gets wrong is one line on standard error, exit 65, nothing on standard output.
. "$(dirname "$0")/lib.sh"

shows "usage: pmf JOB" --help
shows "usage: pmf JOB" help
shows "training.batch_size" help settings
shows "pmf " --version
for job in pack train sample plot import export inspect verify; do
  shows "pmf $job" $job --help
  shows "pmf $job" help $job
done

refuses "expected a job"
refuses "unknown job trian; did you mean train?" trian
refuses "unknown job trian; did you mean train?" help trian
refuses "unknown job --verion" --verion

train() { local text=$1; shift; refuses "$text" train run=run data=none.h5 "$@"; }
train "did you mean fashion?" preset=fashoin
train "pMF_B_16" preset=nothing_like_it
train "config=FILE" preset=./fashion.yml
train "did you mean training.batch_size=?" preset=fashion batch_size=64
train "did you mean training.batch_size=?" preset=fashion model.batch_size=64
train "training.batch_size=1.5: expected an integer" preset=fashion training.batch_size=1.5
train "training.learning_rate=inf: expected a number" preset=fashion training.learning_rate=inf
train "model.times=thrice: expected one of triangle, equal, zero, both" preset=fashion model.times=thrice
train "the nearest that do are 4 and 7" preset=fashion model.patch_size=5
train "given twice" preset=fashion training.seed=1 training.seed=2
printf 'model:\ntraining: { seed: 3 }\n' >no_net.yml
for words in '' config=no_net.yml training.seed=3 model.P_mean=0; do
  refuses 'no net is named' train run=run data=none.h5 $words
done
refuses 'checkpoint.keep=1: expected an integer, 2 to 16' train run=run data=none.h5 preset=fashion checkpoint.keep=1
refuses 'training.weight_decay=0.1: Muon takes none; expected 0, or training.optimizer=adamw' train run=run data=none.h5 preset=fashion \
  training.weight_decay=0.1
train "unknown flag; did you mean --dry-run?" preset=fashion --dryrun
train "expected one of them" preset=fashion config=x.yml
train "x.yml: cannot be opened" config=x.yml
printf 'training:\n  batch_size: 64\n  learning_rat: 0.1\n' >x.yml
train "x.yml:3: unknown key training.learning_rat; did you mean training.learning_rate?" config=x.yml
printf 'training:\n\tbatch_size: 64\n' >x.yml
train "x.yml:2: a tab in the indentation" config=x.yml
for nothing in '' '\n' '# only words\n' '---\n'; do
  printf '%b' "$nothing" >x.yml
  train "config=x.yml: empty" config=x.yml
done

# Help keeps within 100 columns.
for topic in "" settings presets pack train sample score plot report compare plan bench import export inspect verify; do
  "$PMF" help ${topic:+"$topic"} >out 2>err || fail "help $topic: $(cat err)"
  wide=$(awk 'length > 100' out)
  [ -z "$wide" ] || fail "help $topic: wider than 100 columns: $wide"
done
[ ! -e run ] || fail 'a run that was refused left its folder'

# What was to be printed and could not be is a failure.
for json in '' --json; do
  "$PMF" plan preset=fashion $json >/dev/full 2>err
  check "exit code of pmf plan $json on a full device" $? 74
  said 'standard output could not be written whole'
done
exit $failed
