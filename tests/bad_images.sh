#!/bin/bash
# Images that go bad under a run: others take their place, the same on any number of ranks, named and counted; too many end the run.
. "$(dirname "$0")/lib.sh"

SIZE=16 BYTES=768 IMAGES=160
tiny 'batch_size: 8, steps: 30, ema_val: [2], micro_batch: 4, log_per_step: 10, seed: 3, reproducible: on'
"$PMF" pack shapes n=$IMAGES size=$SIZE holdout=20 out=good.h5 >out 2>err || fail "pack: $(cat err)"

# damage FILE AT [BYTES]: other bytes than there were.
damage() {
  local n=${3:-1}
  dd if="$1" bs=1 skip="$2" count="$n" 2>/dev/null | tr '\000-\377' '\001-\377\000' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
# Where the training images begin: verify says it of a block that differs.
cp good.h5 probe.h5
damage probe.h5 $(($(stat -c %s probe.h5) / 2))
first=$("$PMF" verify probe.h5 2>&1 | sed -n 's|.*/train/images, block 0 .* from byte \([0-9]*\) of the file.*|\1|p')
[ -n "$first" ] || { fail 'no training images in the middle of the file'; exit $failed; }
# image FILE NUMBER
image() { damage "$1" $((first + $2 * BYTES + 5 * $2 % BYTES)); }

# Another byte of an image: the next good one stands in, over the end of the set too.
cp good.h5 bad.h5
for i in 17 40 41 42 159; do image bad.h5 $i; done
for ranks in 1 2 3; do
  does $ranks train config=tiny.yml data=bad.h5 run=bad$ranks dataset.bad_fraction=0.03
  check "lines of warning on $ranks ranks" "$(grep -c 'WARNING: step .* cannot be used' err)" 5
  said 'training image 17 cannot be used, image 18 takes its place'
  grep '"event":"bad image"' bad$ranks/metrics.jsonl >events$ranks
  check "events on $ranks ranks" "$(sed 's/.*"image":\([0-9]*\),"replaced_by":\([0-9]*\),.*/\1 \2/' events$ranks | sort -n | tr '\n' ' ')" \
        '17 18 40 43 41 43 42 43 159 0 '
  check "notes on $ranks ranks" "$(grep -c 'differs from its checksum' events$ranks)" 5
  grep -o '"step","step":[0-9]*\|"loss":[^,]*\|"mse_u":[^,]*' bad$ranks/metrics.jsonl >loss$ranks
done
[ -s loss1 ] || fail 'no losses in metrics.jsonl'
for ranks in 2 3; do
  cmp -s events1 events$ranks || fail "1 and $ranks ranks tell of other images: $(diff events1 events$ranks)"
  cmp -s loss1 loss$ranks || fail "1 and $ranks ranks train on other images: $(diff loss1 loss$ranks)"
done
does 1 train config=tiny.yml data=good.h5 run=good
! grep -q 'bad image' good/metrics.jsonl || fail 'a bad image in a good file'

# By default a thousandth, rounded up, which is one here: the second ends the run, with its state saved and its data blamed.
on 2 train config=tiny.yml data=bad.h5 run=stopped
check 'exit code of too many' $? 65
said 'bad.h5: 2 of 160 training images could not be used until step'
said 'dataset.bad_fraction = 0.001 allows 1; pmf check-data names all; saved at step'
check 'its status' "$(cut -d ' ' -f 1 stopped/status)" failed
[ -e stopped/checkpoint.h5 ] || fail 'nothing saved of the run that was stopped'
does 2 train config=tiny.yml data=good.h5 run=stopped
said 'going on after step'
on 1 train config=tiny.yml data=bad.h5 run=none dataset.bad_fraction=0
check 'exit code where none is allowed' $? 65
said 'bad.h5: 1 of 160'

# under_way RUN WORDS...: starts it on two ranks, slowly, and returns once it trains.
under_way() {
  local run=$1
  shift
  PMF_FAULT=sleep:seconds=0.05 "$MPIRUN" -n 2 "$PMF" train config=tiny.yml run="$run" "$@" >out 2>err </dev/null &
  for _ in $(seq 600); do
    ! grep -qs '"event":"step"' "$run/metrics.jsonl" || return
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  fail "$run does not start: $(cat err)"
}
# While it runs.
cp good.h5 live.h5
under_way live data=live.h5 training.steps=80
image live.h5 77
wait $! || fail "the image damaged under way: exit code $?: $(cat err)"
check 'events of it' "$(grep -c '"event":"bad image".*"image":77,"replaced_by":78,"bad_images":1' live/metrics.jsonl)" 1
said_once 'training image 77 cannot be used'

# A file that is cut: the file system's fault, and no images to go on with.
cp good.h5 cut.h5
under_way cut data=cut.h5 training.steps=100000
truncate -s $((first + 20 * BYTES)) cut.h5
wait $!
check 'exit code of a file cut' $? 74
said 'the file ends too early'
# Not one image of a batch: what has been learnt is saved, and goes on where the file is whole again.
cp good.h5 cut.h5
under_way none_left data=cut.h5 training.steps=100000 checkpoint.every_minutes=0
truncate -s "$first" cut.h5
wait $!
check 'exit code of a file without images' $? 74
said '; saved at step '
saved=$(sed -n 's/.*; saved at step \([0-9]*\).*/\1/p' err | tail -n 1)
does 2 train config=tiny.yml data=good.h5 run=none_left training.steps=$((saved + 5))
said "going on after step $saved of"
does 2 train config=tiny.yml data=good.h5 run=one_go training.steps=$((saved + 5))
check 'weights after a batch that could not be had' "$(arrays none_left/checkpoint.h5)" "$(arrays one_go/checkpoint.h5)"
exit $failed
