#!/bin/bash
# pmf score and scores during training as a user meets them: the same on any number of ranks, training images nearer than
# what a hasty net makes, and what a longer training makes nearer than that and than noise; a score on the way changes nothing, is the one that pmf score gives of
# the checkpoint it kept, and gives way to a stop, as does the classifier that learns first; what is wrong is one line and exit 65.
. "$(dirname "$0")/lib.sh"

# value KEY [IMAGES]: a number of the JSON line `out`, of the row of these images.
value() { tr '{' '\n' <out | grep -F "${2:+\"images\":\"$2\"}" | sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p" | head -n 1; }
# less WHAT A B: numbers, A < B.
less() { awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && a < b) }' || fail "$1: expected $2 < $3"; }
# near WHAT A B: to 1e-8.
near() {
  awk -v a="$2" -v b="$3" 'BEGIN { d = a - b; exit !(a != "" && b != "" && d * d <= 1e-16 * b * b) }' ||
    fail "$1: $2, expected $3"
}
scores() { grep '"event":"score"' "$1/metrics.jsonl"; }
# of_score RUN KEY [STEP]
of_score() { scores "$1" | grep "\"step\":${3:-}" | sed -n "s/.*\"$2\":\([^,}]*\).*/\1/p" | head -n 1; }
# as_plain WHAT FILE STEP: a checkpoint has the arrays, raw weights and averages, of the run without scores at that step.
as_plain() { check "arrays of $1" "$(arrays "$2")" "$(arrays "plain/archive/step-$(printf %09d "$3").h5")"; }

tiny 'batch_size: 32, steps: 30, learning_rate: 0.005, ema_val: [0.02, 2], seed: 9, log_per_step: 1'
sed -i 's/image_size: 16/image_size: 8/' tiny.yml
"$PMF" pack shapes n=700 size=8 holdout=300 out=set.h5 >out 2>err || fail "pack: $(cat err)"
does 2 train config=tiny.yml data=set.h5 run=plain checkpoint.every_steps=1 checkpoint.archive_every=1

# The table and the line of JSON, on 1, 2 and 3 ranks; 150 are no whole number of chunks.
for ranks in 1 2 3; do
  [ $ranks = 1 ] && split=heldout || split=both   # what is against held-out images is the same with training images beside it
  does $ranks score run=plain n=150 steps=1,3 split=$split --json
  check "lines on $ranks ranks" "$(wc -l <out)" 1
  mv out score$ranks
done
said 'uniform noise: 150 images'
[ -s set.classifier.h5 ] || fail 'the classifier was not kept beside the data'
for ranks in 2 3; do
  for key in fid_classifier kid_classifier agreement; do
    for row in 'training images' '1 step' '3 steps' 'class means' 'uniform noise'; do
      cp score1 out && expected=$(value $key "$row")
      cp score$ranks out && got=$(value $key "$row")
      if [ "$expected" = null ]; then check "$key of $row" "$got" null
      else near "$key of $row on $ranks ranks" "$got" "$expected"
      fi
    done
  done
done
# Both splits: the images made once, training images at home among training images; the run's record has both.
check 'images made' "$(grep -c '^. steps*: 150 images' err)" 2
check 'the line kept' "$(cat plain/score.json)" "$(cat score3)"
check 'training images beside 300 held-out ones' "$(cp score3 out; value train_n)" 300
for row in 'training images' '1 step' '3 steps' 'class means' 'uniform noise'; do
  for score in fid_classifier kid_classifier; do
    cp score2 out && two=$(value ${score}_train "$row") && cp score3 out
    near "$score of $row against training images on 3 ranks" "$(value ${score}_train "$row")" "$two"
    near "difference of $score of $row" "$(awk -v a="$(value $score "$row")" -v b="$two" 'BEGIN { printf "%.17g", a - b }')" \
      "$(value ${score}_difference "$row")"
  done
done
less 'training images against each other' "$(value fid_classifier_train 'training images')" \
  "$(value fid_classifier 'training images' | awk '{ print $1 / 2 }')"
check 'training images where none were asked for' "$(grep -c _train score1)" 0
cp score1 out
check 'n' "$(value n '1 step')" 150
check 'evaluations' "$(value evaluations '3 steps')" 3
check 'reference' "$(value reference)" '"held-out"'
check 'few samples' "$(value few_samples)" true
check 'a plain FID' "$(grep -ciE '"fid"|"kid"' out)" 0
check 'few images for the features' "$(value rank_deficient 'class means')" false
value clipped '1 step' | awk '{ exit !($1 != "" && $1 >= 0 && $1 < 1e-10) }' || fail "clipped mass: $(value clipped '1 step')"
check 'agreement of noise' "$(value agreement 'uniform noise')" null
less 'floor and 1 step' "$(value fid_classifier 'training images')" "$(value fid_classifier '1 step')"
less 'floor and class means' "$(value fid_classifier 'training images')" "$(value fid_classifier 'class means')"
less 'floor and 1 step by kernel' "$(value kid_classifier 'training images')" "$(value kid_classifier '1 step')"
less 'floor and class means by kernel' "$(value kid_classifier 'training images')" "$(value kid_classifier 'class means')"
hasty=$(value fid_classifier '1 step')
less 'part of class means' "$(value of_class_means 'training images')" 1
does 1 train config=tiny.yml data=set.h5 run=longer training.steps=300
does 1 score run=longer n=150 steps=1 --json
less 'the longer training and noise' "$(value fid_classifier '1 step')" "$(value fid_classifier 'uniform noise')"
less 'the longer training and the hasty one' "$(value fid_classifier '1 step')" "$hasty"
near 'class means as a part of themselves' "$(value of_class_means 'class means')" 1

does 1 score checkpoint=plain/checkpoint.h5 n=60 steps=2 context=no
check 'rows without context' "$(grep -c ' steps  *[0-9]' out)" 1
check 'rows marked N < D' "$(grep -c '^[12] steps* .*  N < D$' out)" 1
for text in 'FID[classifier]' 'KID[classifier]' 'few samples' 'N < D: no more images than features' 'clipped mass ' 'N 60 against' 'held-out images of set.h5' \
            'seed 9' 'ema2' 'omega 8.5 in [0.1, 0.7]'; do
  grep -qF "$text" out || fail "the table lacks '$text': $(cat out)"
done
cp out seed9
does 1 score checkpoint=plain/checkpoint.h5 n=60 steps=3 context=no head=v solver=heun --json
check 'evaluations along v' "$(value evaluations '3 steps of v, heun')" 5
does 1 score checkpoint=plain/checkpoint.h5 n=60 steps=2 context=no seed=10
cmp -s out seed9 && fail 'another seed gives the same table'
cp set.classifier.h5 other.h5
does 1 score run=plain n=60 context=no classifier=other.h5 --json
[ "$(cat out)" = "$(cat plain/score.json)" ] || fail "RUN/score.json is not the line printed: $(cat plain/score.json)"
check 'the classifier of its own' "$(value file)" '"other.h5"'

# A sweep: all with all, each point what it is alone; the run's score.json stays that of one setting.
cp plain/score.json kept.json
does 2 score run=plain n=60 steps=1,2 omega=1,3 interval=0:1,0.2:0.6 ema=ema2,raw context=no --json
check 'points of a sweep' "$(grep -o '"evaluations"' out | wc -l)" 16
cp out sweep.json
near 'a point and the same alone' "$(value fid_classifier '2 steps, raw, omega 3 in [0.2, 0.6]')" \
  "$(does 1 score run=plain n=60 steps=2 omega=3 t_min=0.2 t_max=0.6 ema=raw context=no --json; value fid_classifier '2 steps')"
does 1 score run=plain n=60 context=no interval=0:1
grep -qF 'omega 8.5 in [0, 1]' out || fail "one interval is not told: $(cat out)"
cp kept.json plain/score.json
does 1 score run=plain n=60 omega=2,3 context=no out=s.csv
cmp -s kept.json plain/score.json || fail 'a sweep took the place of score.json'
check 'numbers of a sweep' "$(cut -d , -f 1-5 s.csv | tr '\n' ' ')" \
  'ema,steps,t_min,t_max,omega ema2,1,0.1,0.7,2 ema2,1,0.1,0.7,3 ema2,4,0.1,0.7,2 ema2,4,0.1,0.7,3 '
check 'N of a sweep' "$(cut -d , -f 7,8 s.csv | sort -u | tr '\n' ' ')" '60,1 n,rank_deficient '
check 'rows of plain/sweep.csv' "$(wc -l <plain/sweep.csv)" 17
if command -v gnuplot >/dev/null; then
  [ "$(head -c 4 plain/sweep.png | tail -c 3)" = PNG ] || fail 'plain/sweep.png is no PNG'
fi

# Several seeds: each as alone, and mean and deviation of all.
does 2 score run=plain n=60 steps=1,2 seed=9,10,12 context=no out=seeds.csv --json
check 'rows of three seeds' "$(grep -o '"images":"[12] steps*, seed [0-9]*"' out | wc -l)" 6
cp out seeds.json
fids=$(for seed in 9 10 12; do value fid_classifier "2 steps, seed $seed"; done)
near 'the mean over seeds' "$(value fid_classifier '2 steps')" "$(echo "$fids" | awk '{ s += $1 } END { printf "%.15g", s / 3 }')"
near 'the deviation over seeds' "$(value fid_classifier_deviation '2 steps')" \
  "$(echo "$fids" | awk '{ x[NR] = $1; s += $1 / 3 } END { for (i = 1; i <= 3; i++) q += (x[i] - s) ^ 2; printf "%.15g", sqrt(q / 2) }')"
check 'seeds of seeds.csv' "$(cut -d , -f 9 seeds.csv | tr '\n' ' ')" 'seed 9 10 12 9 10 12 '
does 1 score run=plain n=60 steps=2 seed=12 context=no --json
near 'a seed alone' "$(value fid_classifier '2 steps')" "$(cp seeds.json out; value fid_classifier '2 steps, seed 12')"
does 1 score run=plain n=60 steps=1 seed=1,2,3 context=no split=both out=seeds.csv
grep -qE '^over 3 seeds, 1 step: difference -?[0-9.]+ \+- [0-9.]+$' out || fail "the table lacks the mean difference: $(cat out)"
grep -qF 'against 300 held-out and 300 training images; difference:' out || fail "the table lacks both numbers: $(cat out)"
grep -qE '^over 3 seeds, 1 step: FID\[classifier\] [0-9.]+ \+- [0-9.]+, KID' out || fail "the table lacks the mean over seeds: $(cat out)"

# Scores on the way: the same end, a curve, and the best kept. No save finds the averages in the weights' place: not that of the best, amid
# its score, nor one that threads were given a step before, nor that of a stop amid a score (below).
does 2 train config=tiny.yml data=set.h5 run=scored fid.every_steps=10 fid.online_samples=150 fid.time_share=1 \
  checkpoint.async=on checkpoint.every_steps=19
as_plain 'a run with scores' scored/checkpoint.h5 30
as_plain 'a save by threads' scored/checkpoint.h5.prev 19
check 'steps of scores' "$(scored=$(scores scored | sed 's/.*"step":\([0-9]*\).*/\1/'); echo $scored)" '10 20 30'
check 'leftovers' "$(cd scored && echo best*)" 'best best.h5'
"$PMF" verify scored/best.h5 >out 2>err || fail "best.h5: $(cat err)"
best=$(sed -n '1s/.* at step \([0-9]*\) .*/\1/p' scored/best)
check 'best of the scores' "$best" "$(scores scored | sed 's/.*"step":\([0-9]*\).*"fid_classifier":\([^,]*\).*/\2 \1/' |
                                      sort -g | sed -n '1s/.* //p')"
as_plain 'the best' scored/best.h5 "$best"
near 'the best on file' "$(sed -n '1s/FID\[classifier\] \([^ ]*\) .*/\1/p' scored/best)" "$(of_score scored fid_classifier "$best")"
does 1 score checkpoint=scored/best.h5 n=150 steps=1 context=no --json
check 'step of best.h5' "$(value step)" "$best"
near 'FID[classifier] on the way' "$(of_score scored fid_classifier "$best")" "$(value fid_classifier '1 step')"
near 'KID[classifier] on the way' "$(of_score scored kid_classifier "$best")" "$(value kid_classifier '1 step')"
near 'agreement on the way' "$(of_score scored agreement "$best")" "$(value agreement '1 step')"

# A start that ends with a save has the score of that step, which no later one would take.
on 2 train config=tiny.yml data=set.h5 run=counted fid.every_steps=10 fid.online_samples=60 fid.time_share=1 checkpoint.every_steps=10 \
  training.max_saves=1
check 'exit code after as many saves as asked for' $? 75
check 'score of the step at which it ends' "$(scores counted | sed 's/.*"step":\([0-9]*\).*/\1/')" 10

# The best outlives a stop; that of another classifier or of another measurement does not, and a line says so. A note of an
# earlier program does not say what it is of: its checkpoint does.
sed -n 2p scored/best | grep -qE '^of 150 images against 300 held-out ones \([0-9a-f]{16}\): ema2, 1 step, omega 8.5 in \[0.1, 0.7\], .* seed 9$' ||
  fail "what the best is of: $(cat scored/best)"
more() {   # IMAGES STEPS WORDS...
  does 1 train config=tiny.yml data=set.h5 run=scored fid.every_steps=10 fid.time_share=1 fid.online_samples="$1" training.steps="$2" "${@:3}"
}
planted() { sed -i '1s/FID\[classifier\] [^ ]*/FID[classifier] 0.001/' scored/best && cp scored/best.h5 before.h5; }
stays() { said 'not the best'; cmp -s scored/best.h5 before.h5 || fail "a worse score took the place of the best: $1"; }
goes() {
  said_once 'the best of scored is forgotten: FID[classifier] 0.001 '
  said 'the best so far, kept as best.h5'
  cmp -s scored/best.h5 before.h5 && fail "the best stayed: $1"
}
planted
more 150 40
said 'score at step 40: '
stays 'the same measurement'
sed -i '1s/classifier [0-9a-f]*$/classifier 0123456789abcdef/' scored/best
more 150 50
goes 'of another classifier'
planted
more 40 60
said 'of 40 images (N < D) in 1 evaluation'
check 'N < D in the event' "$(of_score scored rank_deficient 60) $(of_score scored rank_deficient 50)" '1 0'
check 'the classifier in the event' "$(scores scored | tail -n 1 | sed 's/.*"note":"classifier \([0-9a-f]*\)".*/\1/')" \
  "$(sed -n '1s/.* by classifier //p' scored/best)"
goes 'of more images'
grep -qF 'of 40 images against 300 held-out ones' scored/best && grep -qF ', N < D: ' scored/best || fail "few images: $(cat scored/best)"
planted
sed -i 2d scored/best
more 40 70
stays 'an old note of the same measurement'
more 40 80 sampling.omega=3
goes 'an old note of another scale'

# Little of the time for scores: none. An end that is near: none. A stop while one is under way: it gives way.
does 1 train config=tiny.yml data=set.h5 run=thrifty fid.every_steps=1 fid.online_samples=150 fid.time_share=0.000001
check 'scores within a millionth of the time' "$(scores thrifty | wc -l)" 0
on 1 train config=tiny.yml data=set.h5 run=short fid.every_steps=1 fid.online_samples=400000 fid.time_share=1 \
  training.steps=100000 training.max_time=0.02
check 'exit code at the time limit' $? 75
check 'scores before a near end' "$(scores short | wc -l)" 0
"$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=set.h5 run=stopped fid.every_steps=2 fid.online_samples=400000 \
  fid.time_share=1 training.steps=100000 >out 2>err </dev/null &
launched=$!
until grep -q '"step":2,' stopped/metrics.jsonl 2>/dev/null; do
  kill -0 $launched 2>/dev/null || { fail "ended before its second step: $(cat err)"; break; }
  sleep 0.05
done
until grep -q ', phase score, ' err; do   # it says where it is
  kill -USR2 $launched 2>/dev/null || { fail "ended before its score: $(cat err)"; break; }
  sleep 0.2
done
kill -USR1 $launched
wait $launched
check 'exit code of a stop in a score' $? 75
check 'scores of a run that was stopped in one' "$(scores stopped | wc -l)" 0
check 'status after it' "$(cat stopped/status)" 'saved step 3 of 100000'
as_plain 'a stop in a score' stopped/checkpoint.h5 3
# A stop while the classifier learns (for seconds, of so many images): at once, and nothing is left.
"$PMF" pack shapes n=20000 size=8 holdout=300 out=many.h5 >out 2>err || fail "pack: $(cat err)"
"$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=many.h5 run=unborn fid.every_steps=2 >out 2>err </dev/null &
launched=$!
until grep -q 'training a classifier' err; do
  kill -0 $launched 2>/dev/null || { fail "ended before its classifier: $(cat err)"; break; }
  sleep 0.05
done
kill -USR1 $launched
wait $launched
check 'exit code of a stop while the classifier learns' $? 75
said 'stopped while the classifier was learning'
[ ! -e unborn ] && [ ! -e many.classifier.h5 ] || fail 'a stop while the classifier learned left something'

refuses 'expected one of run=DIR and checkpoint=FILE.h5' score
refuses 'expected one of run=DIR and checkpoint=FILE.h5' score run=plain checkpoint=plain/checkpoint.h5
refuses 'none has no checkpoint.h5' score run=none
refuses 'steps=0: expected up to 16 numbers' score run=plain steps=0
refuses 'steps=1,: expected' score run=plain steps=1,
refuses 'steps=many: expected' score run=plain steps=many
refuses 'omega=3,0.5: expected up to 16 numbers from 1' score run=plain omega=3,0.5
refuses 'interval=0.7:0.1: expected up to 16 of FROM:TO' score run=plain interval=0.7:0.1
refuses 'interval=0.1: expected up to 16 of FROM:TO' score run=plain interval=0.1
refuses 'interval= goes without t_min=' score run=plain interval=0:1 t_min=0.1
refuses 'ema=ema7: plain/checkpoint.h5 has raw' score run=plain ema=raw,ema7
refuses 'omega= goes with run= or checkpoint=' score inception=none.h5 images=none omega=1,2
refuses 'seed=1,x: expected up to 16 numbers' score run=plain seed=1,x
refuses 'seed=1,2,1: one of them comes twice' score run=plain seed=1,2,1
refuses 'seed= goes with run= or checkpoint=' score inception=none.h5 images=none seed=1,2
refuses 'split=train goes with inception=FILE' score run=plain split=train
refuses 'split=test: expected heldout, train or both' score run=plain split=test
refuses 'save_reference= goes with one split' score run=plain inception=none.h5 save_reference=x.npz split=both
refuses 'out=x.png: expected a list' score run=plain out=x.png
refuses '512 scores asked for' score run=plain steps=1,2 omega=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 \
  interval=0:1,0:.1,0:.2,0:.3,0:.4,0:.5,0:.6,0:.7,0:.8,0:.9,.1:1,.1:.2,.1:.3,.1:.4,.1:.5,.1:.6
# New or seen: the training images are all memorised, the run's own where data= names others.
does 2 score run=plain n=60 steps=1 diversity=yes --json
check 'training images seen again' "$(value memorised 'training images')" 1
check 'their distance' "$(value nearest 'training images')" 0
value recall '1 step' | grep -qE '^(0|0\.[0-9]+|1)$' || fail "recall: $(value recall '1 step')"
does 1 score run=plain n=60 steps=1 diversity=yes context=no
grep -qE '^memorised: of [0-9]+ images those whose nearest of [0-9]+ training images' out || fail "diversity in words: $(cat out)"
does 1 sample run=plain n=40 out=drawn
mkdir -p pair/a pair/b && mv drawn/*_class[0-3].png pair/a && mv drawn/*.png pair/b
"$PMF" pack folder=pair size=8 holdout=4 out=fewer.h5 >out 2>err || fail "pack: $(cat err)"
refuses 'fewer.h5 has 2 classes, plain/checkpoint.h5 makes ' score run=plain data=fewer.h5
refuses 'diversity=maybe: expected yes or no' score run=plain diversity=maybe
refuses 'context=maybe: expected yes or no' score run=plain context=maybe
refuses 'solver=heun: head u jumps' score run=plain solver=heun
refuses 'n=1: expected an integer' score run=plain n=1
refuses 'ema=ema7: plain/checkpoint.h5 has raw, ema0.02, ema2' score run=plain ema=ema7
refuses 't_min=0.7 is not below t_max=0.7' score run=plain t_min=0.7
refuses 'none.h5: no such file' score run=plain data=none.h5
refuses 'unknown word; did you mean omega=?' score run=plain omga=3
refuses 'not' score run=plain classifier=plain/checkpoint.h5
refuses 'fid.time_share=0: expected a number, above 0' train config=tiny.yml data=set.h5 run=new fid.time_share=0
"$PMF" pack shapes n=20 size=8 holdout=40 out=odd.h5 >out 2>err || fail "pack: $(cat err)"
refuses 'odd.h5 has 20 training images, fewer than its 40 held-out ones' score run=plain data=odd.h5 split=both
"$PMF" pack shapes n=60 size=8 holdout=0 out=all.h5 >out 2>err || fail "pack: $(cat err)"
"$PMF" pack shapes n=60 size=16 out=large.h5 >out 2>err || fail "pack: $(cat err)"
refuses 'all.h5 has 0 held-out images' score run=plain data=all.h5
refuses 'large.h5 has images of 16 x 16' score run=plain data=large.h5
refuses 'all.h5 has 0 held-out images: fid.every_steps=5 needs some' train config=tiny.yml data=all.h5 run=new fid.every_steps=5
[ ! -e new ] || fail 'a run that was refused left its folder'
[ ! -e all.classifier.h5 ] || fail 'a classifier was trained for what was refused'

exit $failed
