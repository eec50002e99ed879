#!/bin/bash
# Grids of samples during training (EXPECTATIONS U11): the same bytes on any number of ranks where reproducible, and however
# often the run was stopped or killed; the pictures that `pmf sample` makes; one noise for life; shown by `pmf report`, and in the
# event file for TensorBoard (whose own reader is in tensorboard.sh).
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 10, steps: 11, learning_rate: 0.01, ema_val: [0.05, 2], seed: 3, log_per_step: 1'
echo 'checkpoint: { every_steps: 4 }' >>tiny.yml
"$PMF" pack shapes n=200 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
sed 's/ema: ema2/ema: raw/' tiny.yml >raw.yml
sed -i 's/ema: ema2/ema: ema0.05/' tiny.yml
train=(train config=tiny.yml data=set.h5 training.reproducible=on)
names='step-00000003.png step-00000003.raw.png step-00000006.png step-00000006.raw.png step-00000009.png step-00000009.raw.png step-00000011.png step-00000011.raw.png'

for ranks in 1 2 3; do does $ranks "${train[@]}" run=on$ranks sampling.grid_every_steps=3 training.tensorboard=on; done
check 'grids' "$(cd on1/samples && echo *)" "$names"
for ranks in 2 3; do diff -r on1/samples on$ranks/samples || fail "the grids on $ranks ranks are others"; done
check 'grids in metrics.jsonl' "$(grep -oE '^\{"event":"grid","step":[0-9]+,"seconds":' on2/metrics.jsonl | grep -oE '[0-9]+' | xargs)" '3 6 9 11'
[ "$(cd on1/samples && cksum -- *.png | cut -d ' ' -f 1 | sort -u | wc -l)" = 8 ] || fail 'two grids of eight are the same picture'
# 11 kB of noise at 64 x 64 a picture, where training has learned nothing yet
big=$(find on1/samples -size +64k)
[ -z "$big" ] || fail "grids larger than 64 kB: $big"

# Those of `pmf sample`.
does 1 sample run=on1 n=32 out=ema.png
cmp ema.png on1/samples/step-00000011.png || fail 'the last grid is not what pmf sample makes'
does 1 sample run=on1 n=32 ema=raw out=raw.png
cmp raw.png on1/samples/step-00000011.raw.png || fail 'the last grid of the raw weights is not what pmf sample makes'

# Stopped after 6 steps, killed in the save of step 8, where grids of a future that did not come lie there, one of a step that now
# has none: the same in the end. What has another form of name is someone else's.
does 2 "${train[@]}" run=parts sampling.grid_every_steps=3 training.steps=6
PMF_DIE_AT=summed on 2 "${train[@]}" run=parts sampling.grid_every_steps=3 && fail 'a run killed in its save ends well'
for name in 00000009 00000010 00000010.raw 123456789; do echo 'another picture' >parts/samples/step-$name.png; done
for name in step-10.png step-00000010.jpg step-00000010.raw.png~ mine-00000010.png; do echo mine >parts/samples/$name; done
does 2 "${train[@]}" run=parts sampling.grid_every_steps=3
said_once 'going on after step 6 of 11'
check "someone else's pictures" "$(cd parts/samples && grep -lx mine -- * | xargs)" \
  'mine-00000010.png step-00000010.jpg step-00000010.raw.png~ step-10.png'
(cd parts/samples && grep -lx mine -- * | xargs rm)
diff -r on1/samples parts/samples || fail 'the grids of a run in parts are others'

# Weights that do not move: every grid is the same picture, as its noise is, and that of the run they come from. (A decay of a half
# rounds nothing.)
does 2 "${train[@]}" run=still load_from=on1/checkpoint.h5 sampling.grid_every_steps=4 training.learning_rate=1e-30 \
  training.ema_type=const training.ema_val=0.5 sampling.ema=ema0.5
check 'grids of weights that stand still' "$(cd still/samples && cksum -- *.png | cut -d ' ' -f 1 | sort -u | wc -l)" 1
cmp still/samples/step-00000004.png on1/samples/step-00000011.raw.png || fail 'the grid of weights that stand still is another'

# They change nothing of the training, and come once where the raw weights are those that are sampled; without the word none.
does 2 "${train[@]}" run=none
check 'arrays of a run without grids' "$(arrays none/checkpoint.h5)" "$(arrays on2/checkpoint.h5)"
[ ! -e none/samples ] && [ ! -e none/tensorboard ] || fail "unasked for: $(ls none)"
does 1 train config=raw.yml data=set.h5 training.reproducible=on run=raw sampling.grid_every_steps=6
check 'word of patches where they have joined' "$(grep -c 'show the grid' err)" 0
check 'grids of raw weights' "$(cd raw/samples && echo *)" 'step-00000006.png step-00000011.png'
cmp raw/samples/step-00000011.png on1/samples/step-00000011.raw.png || fail 'the grid of raw weights is another'

# Large patches that have not learned to join: that is seen, and said once.
does 2 train config=raw.yml data=set.h5 run=patches model.patch_size=4 training.steps=4 sampling.grid_every_steps=1
said_once "WARNING: the samples of step 1 show the grid of the net's patches: "
check 'energies that are told' "$(grep -cE '"patch_energy":0.[0-9e-]+,"raw_patch_energy":0.[0-9e-]+,"data_patch_energy":0.[0-9e-]+' patches/metrics.jsonl)" 4

# One that cannot be written is said, and stops nothing.
mkdir blocked && touch blocked/samples
does 2 "${train[@]}" run=blocked sampling.grid_every_steps=6
check 'grids that could not be written' "$(grep -c '^WARNING: grid of step' err)" 2

# The report has them in the order of steps, the EMA's first.
shows report.html report on1
check 'grids in the report' "$(grep -oE '<figcaption>step [0-9a-z, ]*' on1/report.html | cut -d '>' -f 2 | head -n 4 | paste -sd ';')" \
  'step 3;step 3, raw weights;step 6;step 6, raw weights'
grep -o 'base64,[^"]*' on1/report.html | head -n 3 | tail -n 1 | cut -d , -f 2 | base64 -d | cmp - on1/samples/step-00000006.png ||
  fail 'the third picture of the report is another'
mkdir many many/samples && cp on1/metrics.jsonl many
for i in $(seq 100 137); do cp on1/samples/step-00000003.png "many/samples/step-00000$i.png"; done
shows report.html report many
check 'grids of many' "$(grep -oE '<figcaption>step [0-9]+' many/report.html | cut -d ' ' -f 2 | xargs)" \
  '100 103 106 110 113 116 120 123 126 130 133 137'

# The file for TensorBoard: the pictures whole, names and numbers.
file=$(echo on2/tensorboard/events.out.tfevents.*)
[ -s "$file" ] || fail "no event file: $(ls on2/tensorboard)"
check 'pictures in the event file' "$(grep -ao IHDR "$file" | wc -l)" 8
for tag in samples/ema0.05 samples/raw step/loss step/reduce_exposed save/seconds grid/seconds start/ranks settings brain.Event:2; do
  grep -aqF "$tag" "$file" || fail "the event file lacks $tag"
done
check 'step lines in the event file' "$(grep -aoE "step/loss[^_]" "$file" | wc -l)" 11
check 'event files of one start' "$(find on1/tensorboard -type f | wc -l)" 1
exit $failed
