#!/bin/bash
# Scores by FID's network (here with weights by formula, which the program says): the same on 1 and 3 ranks and from a folder of
# PNGs as from an .npz; statistics written and read again; what does not belong together is refused.
. "$(dirname "$0")/lib.sh"
"$PMF_BUILD/tests/networks" inception net.st && "$PMF" import in=net.st out=net.h5 >out 2>err || fail "import: $(cat err)"
printf '\077' | dd of=net.st bs=1 seek=$(($(wc -c <net.st) - 2)) conv=notrunc 2>dd.err
"$PMF" import in=net.st out=net2.h5 >out 2>err || fail "import of other weights: $(cat err)"
rm net.st
"$PMF_BUILD/tests/networks" convnext small.st && "$PMF" import in=small.st out=small.h5 >out 2>err || fail "import: $(cat err)"
for kind in few mixed other smaller; do "$PMF_BUILD/tests/networks" $kind $kind.npz || fail "statistics, $kind"; done
"$PMF" pack shapes n=24 size=16 holdout=9 out=set.h5 >out 2>err || fail "pack: $(cat err)"
"$PMF" pack shapes n=2 size=16 holdout=2 out=two.h5 >out 2>err || fail "pack: $(cat err)"
tiny "batch_size: 4, steps: 1, ema_val: [2], seed: 3"
does 1 train config=tiny.yml data=set.h5 run=run
does 1 sample run=run n=10 out=images.npz
does 1 sample run=run n=10 out=png
value() { sed "s/.*\"$1\":\([^,}]*\).*/\1/" out; }

does 1 score images=images.npz inception=net.h5 data=set.h5 save_reference=ref.npz --json
said "statistics of 9 images in ref.npz"
check "name" "$(value fid_name)" "\"FID[$("$PMF" inspect net.h5 | sed -n 's/^  hash  *//p')]\""
check "N below D" "$(value rank_deficient)" true
check "images" "$(value n)" 10
check "clipped mass, where no decomposition was needed" "$(value clipped)" 0
cp out of_npz; fid=$(value fid)
does 3 score images=png inception=net.h5 data=set.h5 --json
check "a folder on 3 ranks" "$(sed 's/"of":"[^"]*"//' out)" "$(sed 's/"of":"[^"]*"//' of_npz)"
does 1 score run=run n=10 steps=1 inception=net.h5 reference=ref.npz
for text in 'clipped mass ' 'these are not the weights that FID is defined by' 'N < D' \
            'N 10 against the statistics of ref.npz, which are those of the held-out images of set.h5'; do
  grep -qF "$text" out || fail "the table lacks '$text': $(cat out)"
done
awk -v a="$fid" -v b="$(sed -n 's/^1 step  *\([0-9.]*\) .*/\1/p' out)" 'BEGIN { exit !(b > 0 && (a - b)^2 <= (1e-3 * a)^2) }' ||
  fail "against statistics: $(cat out), against images $fid"

# Statistics are of the run's own images, of either split where none is asked for, and of their size where they are not at hand.
does 1 score data=set.h5 split=train inception=net.h5 save_reference=train.npz
does 1 score run=run n=4 steps=1 inception=net.h5 reference=train.npz --json
check "whose statistics" "$(value split)" '"train"'
refuses "train.npz: statistics of other images" score run=run inception=net.h5 reference=train.npz split=heldout
refuses "other.npz: statistics of other images (0123456789abcdef 16 x 16 x 3, 9)" score run=run inception=net.h5 reference=other.npz
does 1 train config=tiny.yml data=set.h5 run=cached fid.cache_ref=other.npz
refuses "other.npz: statistics of other images" score run=cached inception=net.h5
mv set.h5 away.h5
refuses "other.npz: array mu has 64 numbers" score run=run inception=net.h5 reference=other.npz   # what can be checked is right
refuses "smaller.npz: statistics of images of another size" score run=run inception=net.h5 reference=smaller.npz
mv away.h5 set.h5

does 1 score run=run n=4 steps=1 omega=1,2 inception=net.h5 data=set.h5 out=sweep.csv --json
check "rows of a sweep" "$(wc -l <sweep.csv)" 3
check "N of a sweep" "$(cut -d , -f 7,8 sweep.csv | tail -n 1)" 4,1
check "a scale for each row" "$(grep -o '"omega":[0-9.]*' out | tr '\n' ' ')" '"omega":1 "omega":2 '
does 1 score run=run n=2 steps=1 seed=1,2 inception=net.h5 data=two.h5 split=both out=sweep.csv
for text in ', a sweep: N 2 against the held-out images of two.h5' '^over 2 seeds, 1 step: [0-9.]+ \+- [0-9.]+, Inception Score ' \
            ' held out +training +difference' '^over 2 seeds, 1 step: difference -?[0-9.]+ \+- [0-9.]+$' \
            '^against 2 held-out and 2 training images; difference: '; do
  grep -qE -- "$text" out || fail "the table of a sweep lacks '$text': $(cat out)"
done

# Plain FID is the name by one source file alone: the digest in an imported network changed to it, and to one that differs in the
# last digit.
made=$("$PMF" inspect net.h5 | grep -oE '[0-9a-f]{64}') standard=6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2
for digest in $standard ${standard%2}3; do
  sed "s/$made/$digest/" net.h5 >named.h5
  does 1 score run=run n=2 steps=1 inception=named.h5 data=two.h5 split=train --json
  check "digest" "$(value network_sha256)" "\"$digest\""
  check "name by $digest" "$(value fid_name)" "$([ $digest = $standard ] && echo '"FID"' || grep -o '"FID\[[0-9a-f]*\]"' out)"
done
train=$(value fid)
does 1 score run=run n=2 steps=1 seed=3,4 inception=net.h5 data=two.h5 split=both out=sweep.csv --json
check "with both splits the one named" "$(value split)" '"held-out"'
awk -v got="$(sed 's/"images":"1 step, seed 4".*//' out | grep -o '"fid_train":[^,]*')" -v train="$train" 'BEGIN {
  sub(/.*:/, "", got); exit !(train > 0 && (got / train - 1)^2 < 1e-18) }' || fail "against training images $train, with both splits: $(cat out)"
mean=$(grep -o '"images":"1 step, seed [34]".*' out | grep -o '"fid":[0-9.]*' | head -n 2 | awk -F : '{ s += $2 / 2 } END { printf "%.9g", s }')
check "the mean over seeds" "$(sed 's/.*"over_seeds":.*"fid":\([0-9.]*\).*/\1/' out | awk '{ printf "%.9g", $1 }')" "$mean"

refuses "expected one of run=DIR, checkpoint=FILE.h5 and images=DIR or FILE.npz" score run=run images=png inception=net.h5
refuses "images= goes with inception=FILE" score images=png
refuses "expected data=FILE.h5 or reference=FILE.npz" score images=png inception=net.h5
refuses "set.h5: not a network that pmf import wrote" score images=png inception=set.h5 data=set.h5
refuses "no .png files in this folder" score images=run inception=net.h5 data=set.h5
refuses "images.npz: no array mu in it" score images=images.npz inception=net.h5 reference=images.npz
refuses "statistics of other images" score images=png inception=net.h5 reference=ref.npz data=set.h5 split=train
refuses "small.h5: a network of kind convnext, expected inception" score images=png inception=small.h5 data=set.h5
refuses "few.npz: array mu has 64 numbers, expected 2048" score images=png inception=net.h5 reference=few.npz
refuses "mixed.npz: array sigma has 4096 numbers, expected 4194304" score images=png inception=net.h5 reference=mixed.npz
refuses "ref.npz: statistics by a network with hash" score images=png inception=net2.h5 reference=ref.npz
refuses "split=test: expected heldout, train or both" score images=png inception=net.h5 data=set.h5 split=test
mkdir one && cp png/000000_class0.png one/a.png
refuses "one has 1 image: a score needs 2 or more" score images=one inception=net.h5 data=set.h5
does 1 sample run=run n=1 out=one.npz
refuses "one.npz has 1 image: a score needs 2 or more" score images=one.npz inception=net.h5 data=set.h5
refuses "n=11: png has 10 images" score images=png inception=net.h5 data=set.h5 n=11
refuses "save_reference=x.npz: the reference is a file of statistics already" score images=png inception=net.h5 reference=ref.npz save_reference=x.npz
refuses "diversity= goes without inception=" score run=run inception=net.h5 data=set.h5 diversity=yes
mkdir odd && cp png/000000_class0.png odd/a.png && "$PMF" sample run=run n=2 out=odd/b.png >out 2>err || fail "sample: $(cat err)"
"$PMF" score images=odd inception=net.h5 data=set.h5 >out 2>err </dev/null
check "exit code of images of two sizes" $? 65
said "expected images of one size"
refuses "n=1: expected an integer" score images=png inception=net.h5 data=set.h5 n=1
"$PMF" pack shapes n=8 size=16 holdout=1 out=lonely.h5 >out 2>err || fail "pack: $(cat err)"
refuses "lonely.h5 has 1 held-out images: expected at least 2" score images=png inception=net.h5 data=lonely.h5
refuses "lonely.h5 has 1 held-out images: expected at least 2" score run=run data=lonely.h5
head -c 90 png/000000_class0.png >one/b.png
"$PMF" score images=one inception=net.h5 data=set.h5 >out 2>err </dev/null
check "exit code of a damaged picture" $? 65
said "b.png"
"$PMF" score images=png inception=net.h5 data=set.h5 save_reference=nowhere/x.npz >out 2>err </dev/null
check "exit code of statistics in no folder" $? 74
said "nowhere/x.npz: the statistics cannot be written there"   # before any image was looked at
exit $failed
