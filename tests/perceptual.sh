#!/bin/bash
# Training with the perceptual terms: through a classifier of half of the images, trained once and named; through an imported
# network; the same training on 1 and 2 ranks; what is logged; files that are missing or of another kind. No run is scored by what it
# was trained on: its judge is of the other half, can be asked for by a run without, and says so. The study of both.
source=$(cd "$(dirname "$0")/.." && pwd)
. "$(dirname "$0")/lib.sh"
tiny "batch_size: 6, steps: 6, ema_val: [2], seed: 3, log_per_step: 3"
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
value() { sed -n "s/.*\"event\":\"step\",\"step\":$2,.*\"$3\":\([^,}]*\).*/\1/p" "$1/metrics.jsonl"; }
near() { awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && (a - b)^2 <= 1e-6 * b^2) }' || fail "$1: '$2' and '$3'"; }

does 1 train config=tiny.yml data=set.h5 run=one model.lpips=true model.convnext=true
said "training a classifier on 32 images of set.h5"
said "to look through in the loss"
said "perceptual terms where t is below 0.8; 0.4 x LPIPS' distance on the feature maps, unit weights, of a classifier of the first half of the training images, hash "
[ -e set.loss.h5 ] || fail "the classifier was not kept"
[ ! -e set.classifier.h5 ] || fail "the loss took the place of the judge"
does 2 train config=tiny.yml data=set.h5 run=two model.lpips=true model.convnext=true
grep -q "training a classifier" err && fail "the classifier was trained again"
within_rounding two one
check 'steps on 2 ranks' "$(errors two | wc -l)" 2
for step in 3 6; do
  for key in lpips convnext perceptual_per_image; do near "$key at step $step on 1 and 2 ranks" "$(value one $step $key)" "$(value two $step $key)"; done
done
does 1 train config=tiny.yml data=set.h5 run=none model.lpips=true model.perceptual_max_t=0
check "distance beyond the threshold" "$(value none 6 lpips)" 0
does 1 train config=tiny.yml data=set.h5 run=plain
grep -q lpips plain/metrics.jsonl && fail "a run without perceptual terms logs them"
check "errors with nothing below the threshold" "$(errors none)" "$(errors plain)"
does 1 train config=tiny.yml data=set.h5 run=other model.lpips=true model.convnext=true training.seed=4
beyond_rounding other one
beyond_rounding plain one

# Who judges. The law that both halves have nothing in common is mpi_evaluator's.
of_judge() { sed -n "s/.*\"classifier\":{[^}]*\"$1\":\([^,}]*\).*/\1/p" "${2:-out}"; }
does 2 score run=one n=40 steps=1 context=no --json
said "training a classifier on 32 images of set.h5"
said "to judge with, where a loss looks through that of the other half"
cp out of_one
for pair in 'file "set.judge.h5"' 'kernel 3' 'seed 1' 'trained_on "the second half of the training images"' 'another_in_loss true'; do
  check "the judge's ${pair%% *}" "$(of_judge "${pair%% *}")" "${pair#* }"
done
does 1 score run=plain n=40 steps=1 context=no judge=half
for text in "classifier $(of_judge hash of_one | tr -d '"'):" 'it was trained on the second half of the training images'; do
  grep -qF "$text" out || fail "the table lacks '$text': $(cat out)"
done
does 1 score run=plain n=40 steps=1 context=no --json
check "the judge of a run without terms" "$(of_judge trained_on)" '"all training images"'
[ "$(of_judge hash)" != "$(of_judge hash of_one)" ] || fail "both judges are one"
does 1 train config=tiny.yml data=set.h5 run=scored model.convnext=true fid.every_steps=3 fid.online_samples=40 fid.time_share=1
check "the judge of scores on the way" "\"$(sed -n '1s/.* by classifier //p' scored/best)\"" "$(of_judge hash of_one)"
refuses "judge=all: the loss looks through a classifier of half of the training images" score run=one judge=all
refuses "fid.judge=all: the loss looks through a classifier" train config=tiny.yml data=set.h5 run=r model.lpips=true fid.judge=all
refuses "judge=mine: expected auto, all or half" score run=one judge=mine
refuses "set.loss.h5: a classifier of another kind: kernels of 5 pixels, trained on first half of the images; expected 3 and second half" \
  score run=one classifier=set.loss.h5
refuses "set.classifier.h5: a classifier of another kind" score run=one classifier=set.classifier.h5

# With and without the term, by one judge; once more with another seed, and what is there stays.
study() {
  "$source/slurm/perceptual/study.sh" study net=config=tiny.yml data=set.h5 ranks=1 steps=6 n=40 trials=1 trial=6 log=3 words=sampling.omega_several=2 \
    launch="$MPIRUN -n RANKS" pmf="$PMF" "$@" >out 2>err </dev/null || fail "study: exit code $?: $(cat out err)"
}
study seeds=1
cp study/without.1.json study/with.1.json .
study seeds='1 2'
for arm in without with; do cmp -s $arm.1.json study/$arm.1.json || fail "the study scored $arm.1 anew"; done
check 'rows of the study' "$(awk -F ' *[|] *' '/^[|] with/ { print $2, $3 }' study/table.md | tr '\n' ' ')" \
  'without 1 without 2 with 1 with 2 without mean without deviation with mean with deviation '
check 'judge of the study' "$(sed -n 's/.*; judge \([0-9a-f]*\), .*/\1/p' study/table.md)" "$(of_judge hash of_one | tr -d '"')"
awk -F ' *[|] *' '/[|] with(out)? [|] [12] / && !($7 + 0 > 0 && $10 + 0 > 0) { exit 1 }' study/table.md || fail "no distances: $(cat study/table.md)"

# An imported network, at 224 x 224.
"$PMF_BUILD/tests/networks" convnext small.st && "$PMF" import in=small.st out=small.h5 >out 2>err || fail "import: $(cat err)"
does 1 train config=tiny.yml data=set.h5 run=imported model.convnext=true model.convnext_weights=small.h5 training.batch_size=2 training.steps=2 training.log_per_step=1
said "0.1 x ConvNeXt-V2 features of small.h5 (hash "
does 1 train config=tiny.yml data=set.h5 run=imported model.convnext=true model.convnext_weights=small.h5 training.batch_size=2 training.steps=3
grep -q 'the checkpoint was trained with' err && fail "the same network is told as another: $(cat err)"
"$PMF_BUILD/tests/networks" changed again.st && "$PMF" import in=again.st out=again.h5 >out 2>err || fail "import: $(cat err)"
mv again.h5 small.h5
does 1 train config=tiny.yml data=set.h5 run=imported model.convnext=true model.convnext_weights=small.h5 training.batch_size=2 training.steps=4
said 'warning: the checkpoint was trained with perceptual terms where t is below 0.8; 0.1 x ConvNeXt-V2 features of small.h5 (hash '
does 1 score run=imported n=40 steps=1 context=no --json
check "the judge of a run through an imported network" "$(of_judge trained_on)" '"all training images"'
shows '"perceptual_flops_per_sample":' plan config=tiny.yml data=set.h5 model.convnext=true model.convnext_weights=small.h5 --json
shows 'samples an image through perceptual terms' bench step config=tiny.yml steps=1 model.lpips=true

refuses "no.h5: missing" train config=tiny.yml data=set.h5 run=r model.lpips=true model.lpips_weights=no.h5
refuses "small.h5: a network of kind convnext, expected lpips" train config=tiny.yml data=set.h5 run=r model.lpips=true model.lpips_weights=small.h5
refuses "set.h5: not a network that pmf import wrote" train config=tiny.yml data=set.h5 run=r model.lpips=true model.lpips_weights=set.h5
refuses "looks through a classifier, which needs two classes" train config=tiny.yml data=set.h5 run=r model.lpips=true dataset.num_classes=0
[ ! -e r ] || fail 'a run that was refused left its folder'
exit $failed
