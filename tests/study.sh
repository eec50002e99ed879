#!/bin/bash
# pmf study as a user meets it: two arms with two seeds from end to end; stopped and killed it goes on and comes to the same numbers;
# what has a result is not done again; parts share the work; what is wrong is one line.
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 16, learning_rate: 0.01'
sed -i 's/image_size: 16/image_size: 8/' tiny.yml
"$PMF" pack shapes n=300 size=8 holdout=60 out=set.h5 >out 2>err || fail "pack: $(cat err)"

# study OUT WORDS...: two arms of two seeds, on this data; its exit code comes back.
study() {
  local folder=$1
  shift
  "$PMF" study times arms=triangle,equal seeds=2 ranks=1 config=tiny.yml data=set.h5 out="$folder" "$@" >out 2>err </dev/null
}
# numbers FILE: all but the seconds.
numbers() { sed 's/,[^,]*$//' "$1"; }
trainings() { grep -c '^training .*, seed' err; }

study a n=40 training.steps=30 || fail "exit code $?: $(cat err)"
check 'trainings' "$(trainings)" 4
check 'rows' "$(wc -l <a/times.csv)" 5
check 'columns' "$(head -n 1 a/times.csv)" \
  'study,arm,group,x,seed,steps,n,FID[classifier],KID[classifier],label disagreement,seconds'
check 'scores' "$(cut -d , -f 8 a/times.csv | tail -n +2 | grep -cE '^[0-9.]+$')" 4
head -n 1 out | grep -qE '^study times: (reproduced|not reproduced|undecided)$' || fail "no verdict: $(cat out)"
grep -q 'an arm was not run' out || fail "the arms that were left out are not told: $(cat out)"
grep -qE 'of triangle: [0-9.]+ \([0-9.]+ \.\. [0-9.]+\), against equal: [0-9.]+ \(' out || fail "no claim with its numbers: $(cat out)"
cmp -s a/times.txt <(head -n "$(wc -l <a/times.txt)" out) || fail 'times.txt is not what was printed'
if command -v gnuplot >/dev/null; then
  check 'the PNG' "$(head -c 8 a/times.png | od -An -tx1 | tr -d ' \n')" 89504e470d0a1a0a
  grep -q '</svg>' a/times.svg || fail 'no end of times.svg'
fi

# Once more: all there, nothing trained or scored. Other samples: scored again, not trained again.
cp a/times.csv before
study a n=40 training.steps=30 || fail "once more: exit code $?: $(cat err)"
check 'once more' "$(trainings) $(cat err)" '0 '
cmp -s a/times.csv before || fail 'once more gives other numbers'
study a training.steps=30 n=44 || fail "n=44: exit code $?: $(cat err)"
check 'trainings for another n' "$(trainings)" 0
check 'scores for another n' "$(grep -c ', seed .* after' err)" 4

# Killed in the second training, then told to stop, then left alone.
"$PMF" study times arms=triangle,equal seeds=2 n=40 ranks=1 config=tiny.yml data=set.h5 out=b training.steps=30 >out 2>err </dev/null &
driver=$!
for ((i = 0; i < 1200; i++)); do
  [ "$(grep -c '^training .*, seed' err)" -ge 2 ] && break
  sleep 0.05
done
kill -9 $driver
wait $driver 2>/dev/null
check 'trainings before the kill' "$(trainings)" 2
# running: processes of the program in this folder. outlived TENTHS: those that still run after so long.
running() {
  local p
  for p in $(pgrep -x pmf); do
    [ "$(readlink "/proc/$p/cwd")" != "$PWD" ] || echo "$p"
  done
}
outlived() {
  local i
  for ((i = 0; i < $1; i++)); do
    [ -n "$(running)" ] || break
    sleep 0.1
  done
  running
}
check 'trainings that outlive the study' "$(outlived 600)" ''
# under_way: until a study's training has begun.
under_way() {
  local i
  for ((i = 0; i < 600; i++)); do
    grep -q '^training .*, seed' err && [ "$(running | wc -l)" = 2 ] && break
    sleep 0.1
  done
  sleep 1
}
study b n=40 training.steps=3000 & driver=$!   # of its own length: its first training is long enough to be met
under_way
kill -TERM "$(pgrep -P $driver -x pmf | head -n 1)"
wait $driver
check 'exit code of what is told to stop' $? 75
said 'stopped; the same command goes on'
study b n=40 training.steps=20000 & driver=$!   # a training that would go on for minutes
under_way
kill -9 "$(pgrep -P $driver -x pmf | head -n 1)"
wait $driver
check 'a long training that outlives the study' "$(outlived 200)" ''
study b n=40 training.steps=30 || fail "after the kill: exit code $?: $(cat err)"
[ "$(trainings)" -le 3 ] || fail "the training that was done was done again: $(cat err)"
check 'numbers after a kill' "$(numbers b/times.csv)" "$(numbers before)"

# Built anew meanwhile: the file of a study that runs is another one now, which does the rest.
cp "$PMF" own
./own study times arms=triangle,equal seeds=2 n=40 ranks=1 config=tiny.yml data=set.h5 out=anew training.steps=30 >out 2>err </dev/null &
driver=$!
for ((i = 0; i < 1200; i++)); do
  grep -q '^training .*, seed' err && break
  sleep 0.05
done
cp "$PMF" own.new && mv own.new own
wait $driver || fail "built anew meanwhile: exit code $?: $(cat err)"
check 'numbers of a study that was built anew meanwhile' "$(numbers anew/times.csv)" "$(numbers before)"

# Two parts do all, each some; the second tells the end.
study c n=40 training.steps=30 --prepare || fail "--prepare: exit code $?: $(cat err)"
check 'trainings of --prepare' "$(trainings)" 0
study c n=40 training.steps=30 part=1/2 || fail "part 1: exit code $?: $(cat err)"
check 'trainings of part 1' "$(trainings)" 2
grep -q '2 results of other parts are still missing' out || fail "part 1 said: $(cat out)"
study c n=40 training.steps=30 part=2/2 || fail "part 2: exit code $?: $(cat err)"
check 'numbers of two parts' "$(numbers c/times.csv)" "$(numbers before)"

# A part finds what another has left after it has looked for it: whichever ends last tells the end.
study both n=40 training.steps=30 --prepare || fail "--prepare: exit code $?: $(cat err)"
study both n=40 training.steps=30 part=2/2 & driver=$!
for ((i = 0; i < 1200; i++)); do   # its first training: what part 1 does comes before it
  grep -q '^training .*, seed' err && break
  sleep 0.05
done
cp c/times/*.1.json both/times/
wait $driver || fail "part 2 beside part 1: exit code $?: $(cat err)"
check 'trainings of part 2' "$(trainings)" 2
check 'numbers of two parts at once' "$(numbers both/times.csv)" "$(numbers before)"

# A training that diverges is a result: a seed that diverged.
sed 's/learning_rate: 0.01/learning_rate: 99, spike: 0, max_rollbacks: 0/' tiny.yml >wild.yml
"$PMF" study times arms=triangle,equal seeds=2 n=40 ranks=1 config=wild.yml data=set.h5 out=d training.steps=60 >out 2>err </dev/null
code=$?
check 'exit code of a study that diverged' $code 0
grep -q diverged out || fail "nothing diverged: $(cat out)"
check 'rows of a study that diverged' "$(wc -l <d/times.csv)" 5

# Arms with a term that looks through a classifier are compared with arms without one: one judge for all of them, and for floor and
# ceiling, which no such term has looked through. Where there are two none of the scores is told.
judges() { sed -n 's/.*"judge":"\([0-9a-f]*\)".*/\1/p' "$@" | sort -u; }
perceptual() { "$PMF" study perceptual arms=none,lpips seeds=1 ranks=1 config=tiny.yml data=set.h5 out=k n=40 training.steps=2 >out 2>err </dev/null; }
perceptual || fail "perceptual: exit code $?: $(cat err)"
half=$(judges k/perceptual/*.json)
check 'judges of arms with a term and without' "$(wc -w <<<"$half")" 1
check 'the judge of floor and ceiling' "$(grep -l "$half" k/runs/*/context*.json | wc -l)" "$(ls k/runs/*/context*.json | wc -l)"
check 'results that say how they were scored' "$(grep -l 'judge=half' k/perceptual/*.json | wc -l)" 2
[ "$half" != "$(judges a/times/*.json)" ] || fail 'half of the images judge no otherwise than all'
perceptual || fail "perceptual once more: exit code $?: $(cat err)"
check 'perceptual once more' "$(cat err)" ''
sed -i "s/$half/0123456789abcdef/" k/perceptual/lpips.1.json
perceptual
check 'exit code where judges differ' $? 65
said_once "no verdict: lpips, seed 1, was scored by the judge 0123456789abcdef, what it is compared with by $half: remove k/perceptual/"
sed -i "s/$half/0123456789abcdef/" k/perceptual/none.1.json
perceptual
check 'exit code where floor and ceiling have another judge' $? 65
rm k/perceptual/*.json k/runs/*/context*.json
for run in k/runs/*; do mkdir "$run/score.json.tmp"; done   # of another score of that run, which is at work
perceptual || fail "scored again: exit code $?: $(cat err)"
check 'trainings for new scores' "$(grep -c '^training ' err)" 0

# --prepare makes the classifiers, too: that of the loss and the one that judges, which parts would each train.
cp set.h5 fresh.h5
"$PMF" study perceptual arms=none,lpips,both seeds=1 ranks=1 config=tiny.yml data=fresh.h5 out=l n=40 training.steps=2 --prepare >out 2>err </dev/null ||
  fail "--prepare of perceptual: exit code $?: $(cat err)"
check 'classifiers that --prepare made' "$(echo fresh.*.h5)" 'fresh.judge.h5 fresh.loss.h5'
check 'arms that --prepare trained' "$(ls l/perceptual)" log.txt

# Other images under the same name are other results.
few() { "$PMF" study times arms=triangle seeds=1 ranks=1 config=tiny.yml data=same.h5 out=m n=40 training.steps=2 >out 2>err </dev/null; }
cp set.h5 same.h5
few || fail "same.h5: exit code $?: $(cat err)"
cp m/times.csv before_images
"$PMF" pack shapes n=300 size=8 holdout=60 seed=2 out=same.h5 >out 2>err || fail "pack: $(cat err)"
rm same.classifier.h5
few || fail "other images: exit code $?: $(cat err)"
check 'trainings on other images' "$(trainings)" 1
! cmp -s <(numbers m/times.csv) <(numbers before_images) || fail 'other images give the same numbers'

# Two studies that share a training: the second waits for the first, may be told to stop, and takes what the first has made. The
# optimizer's preset rate is the triangle of the times.
own() {
  local name=$1
  shift
  "$PMF" study "$name" seeds=1 ranks=1 config=tiny.yml data=set.h5 out=n n=40 training.steps=4000 "$@" >"$name.out" 2>"$name.err" </dev/null
}
own times arms=triangle --prepare || fail "--prepare: exit code $?: $(cat times.err)"
own times arms=triangle & driver=$!
until grep -q '^training .*, seed' times.err || ! kill -0 $driver 2>/dev/null; do sleep 0.05; done
until ls n/runs/*/status >ls.out 2>&1 && grep -l '^running' n/runs/*/status >ls.out || ! kill -0 $driver 2>/dev/null; do sleep 0.05; done
touch optimizer.err
own optimizer 'arms=muon 0.006' & second=$!
until grep -q '^waiting for' optimizer.err || ! kill -0 $second 2>/dev/null; do sleep 0.05; done
kill -TERM "$(pgrep -P $second -x pmf | head -n 1)"
wait $second
check 'exit code of a study that is told to stop while it waits' $? 75
grep -q 'stopped while it waited for n/runs/' optimizer.err || fail "told to stop while it waits: $(cat optimizer.err)"
kill -0 $driver 2>/dev/null || fail 'the first of two studies was over too soon'
own optimizer 'arms=muon 0.006' || fail "a study that waits: exit code $?: $(cat optimizer.err)"
check 'lines of waiting' "$(grep -c '^waiting for the training in n/runs/.*, at which another is at work: process' optimizer.err)" 1
check 'trainings of a study that waited' "$(grep -c '^training .*, seed' optimizer.err)" 0
wait $driver || fail "the first of two studies: exit code $?: $(cat times.err)"
check 'numbers of both' "$(cut -d , -f 8 n/optimizer.csv | tail -n 1)" "$(cut -d , -f 8 n/times.csv | tail -n 1)"

# How a training ends is how the study ends: by a launcher that only says so. Exit code 0 is no end where the status is none.
cat >launcher <<'END'
#!/bin/bash
echo "${PMF_EXIT_SAVED-unset}" >>environment
[[ $* != *training.seed* ]] || { [ "$ends" != 65 ] || echo 'pmf train: no' >&2; exit "$ends"; }
shift 2
exec "$@"
END
chmod +x launcher
ends() {
  MPIRUN=$PWD/launcher PMF_EXIT_SAVED=0 ends=$1 "$PMF" study times arms=triangle seeds=1 ranks=2 config=tiny.yml data=set.h5 out=o n=40 \
    training.steps=2 >out 2>err </dev/null
}
for how in '65 65' '1 65' '69 69' '71 71' '74 74' '76 75' '137 75' '0 75' '75 75'; do
  ends "${how% *}"
  check "exit code of a study whose training ends with ${how% *}" $? "${how#* }"
  case $how in
    65*) said 'train ended with exit code 65; its last words in o/times/log.txt: pmf train: no' ;;
    137*) said_once 'train ended with exit code 137 (hung or killed: the same command goes on); its last words in o/times/log.txt: ' ;;
    '0 '*) said 'has not come to its end; the same command goes on' ;;
  esac
  [ "${how% *}" = 65 ] || ! grep -q 'pmf train: no' err || fail "the words of another training are quoted: $(cat err)"
done
check 'what a training is told of codes' "$(sort -u environment)" unset

# A net whose last checkpoint is damaged would be scored at an earlier step.
sed 's/^sampling/checkpoint: { every_steps: 10 }\nsampling/' tiny.yml >often.yml
damaged() { "$PMF" study times arms=triangle seeds=1 ranks=1 config=often.yml data=set.h5 out=p n=40 training.steps=30 >out 2>err </dev/null; }
damaged || fail "often.yml: exit code $?: $(cat err)"
cp p/times.csv before_damage
rm p/times/*.json
run=$(dirname "$(grep -l '^done.*30' p/runs/*/status)")
chmod u+w "$run/checkpoint.h5"
printf 'damage' | dd of="$run/checkpoint.h5" bs=1 seek=$(($(stat -c %s "$run/checkpoint.h5") / 2)) conv=notrunc 2>dd.err
damaged
check 'exit code of a training whose end is damaged' $? 65
said "was scored at step 20, not 30: is its last checkpoint damaged? Remove $run/status, and the same command trains on"
rm "$run/status"
damaged || fail "after the damage: exit code $?: $(cat err)"
check 'numbers after the damage' "$(numbers p/times.csv)" "$(numbers before_damage)"

# few_images N SPLIT FOLDER: the first N of Fashion-MNIST's, for a classifier that is soon trained.
few_images() {
  local of=/usr/share/datasets/fashion-mnist/$2
  mkdir -p "$3"
  big_endian() { printf "$(printf '\\%03o' 0 0 $(($1 / 256)) $(($1 % 256)))"; }
  { gunzip -cf "$of-images-idx3-ubyte"* | head -c 4; big_endian "$1"; gunzip -cf "$of-images-idx3-ubyte"* | head -c $((16 + 784 * $1)) | tail -c +9; } >"$3/$2-images-idx3-ubyte"
  { gunzip -cf "$of-labels-idx1-ubyte"* | head -c 4; big_endian "$1"; gunzip -cf "$of-labels-idx1-ubyte"* | head -c $((8 + $1)) | tail -c +9; } >"$3/$2-labels-idx1-ubyte"
}

refuses 'expected the name of a study' study
refuses 'did you mean toy?' study toyy
# The cost of a step, and its exponent; parts of Fashion-MNIST, where it is there, judged by the classifier of all.
"$PMF" study cost seeds=1 ranks=1 config=tiny.yml out=f "arms=patch 64,patch 128,patch 256" >out 2>err </dev/null || fail "cost: exit code $?: $(cat err)"
check 'exponents' "$(grep -cE '^  fitted     (seconds|Gflop) an image of patch goes with pixels a side to the power [-0-9.]+ \(' out)" 2
# Time is measured by one part for all arms of a seed, on one machine.
"$PMF" study cost seeds=2 ranks=1 config=tiny.yml out=q "arms=patch 64,patch 128" part=1/3 >out 2>err </dev/null || fail "part of cost: exit code $?: $(cat err)"
check 'results of a part of cost' "$(cd q/cost && echo *.json)" 'patch_128.1.json patch_64.1.json'
[ -s q/cost/log.1.txt ] || fail "the log of a part: $(ls q/cost)"
if [ -d /usr/share/datasets/fashion-mnist ]; then
  sed 's/image_size: 8/image_size: 28/; s/image_channels: 3/image_channels: 1/; s/num_classes: 8/num_classes: 10/' tiny.yml >grey.yml
  few_images 2000 train few
  few_images 100 t10k few
  "$PMF" study diversity seeds=1 ranks=1 config=grey.yml idx=few out=g n=60 training.steps=2 arms='images 60000,images 40' --prepare >out 2>err </dev/null ||
    fail "--prepare of diversity: exit code $?: $(cat err)"
  check 'files that --prepare packed' "$(cd g && echo data.*[0-9a-f].h5* | wc -w)" 2
  "$PMF" study diversity seeds=1 ranks=1 config=grey.yml idx=few out=g n=60 training.steps=2 arms='images 60000,images 40' >out 2>err </dev/null ||
    fail "diversity: exit code $?: $(cat err)"
  check 'columns of diversity' "$(head -n 1 g/diversity.csv)" \
    'study,arm,group,x,seed,steps,n,1 - recall,memorised,FID[classifier],1 - precision,seconds'
  check 'packed files' "$(ls g/data.*.h5 | grep -vc classifier)" 2
  check 'classifiers' "$(ls g/data.*.classifier.h5 | wc -l)" 1
fi

# The toy trains in this process; the same seeds give the same numbers, and its points a picture of their own.
for out in h i; do
  "$PMF" study toy "arms=x 2,u 2,x 8,u 8" seeds=2 n=40 training.steps=5 out=$out >out 2>err </dev/null || fail "toy: exit code $?: $(cat err)"
done
check 'rows of the toy' "$(cut -d , -f 2,5 h/toy.csv | tail -n +2 | sort | tr '\n' ' ')" 'u 2,1 u 2,2 u 8,1 u 8,2 x 2,1 x 2,2 x 8,1 x 8,2 '
cmp -s <(numbers h/toy.csv) <(numbers i/toy.csv) || fail 'the toy once more gives other numbers'
awk -F , '$2 == "x 2" && $5 == 1 { x = $8 } $2 == "u 2" && $5 == 1 { u = $8 } END { exit !(x > 0 && u > 0 && x != u) }' h/toy.csv ||
  fail "distances of the toy: $(cat h/toy.csv)"
if command -v gnuplot >/dev/null; then
  check 'points' "$(wc -l <h/toy/points.x8.csv)" 41
  grep -q '</svg>' h/toy-samples.svg || fail 'no end of toy-samples.svg'
fi

# What an arm's image costs is a measure where nets differ in size.
# Started as a user does: what a process alone prefers of MPI must not reach the ranks that it starts.
unset OMPI_MCA_pml OMPI_MCA_btl
"$PMF" study size "arms=width 32,width 64" seeds=1 ranks=2 n=20 training.steps=2 config=tiny.yml data=set.h5 out=j >out 2>err </dev/null ||
  fail "size: exit code $?: $(cat err)"
awk -F , 'NR > 1 { G[NR] = $11 } END { exit !(NR == 3 && G[2] > 0 && G[3] > 0 && G[2] != G[3]) }' j/size.csv || fail "Gflop an image: $(cat j/size.csv)"

refuses 'budget=huge: expected small or large' study toy budget=huge
refuses 'part=3/2: expected K/N' study toy part=3/2
refuses 'arms=z: the study toy has none of them' study toy arms=z
refuses 'did you mean seeds=' study toy seed=3
refuses 'none.yml: No such file' study times config=none.yml data=set.h5 out=e
refuses 'none.h5: No such file' study times config=tiny.yml data=none.h5 out=e
[ ! -e e ] || fail 'what was refused left a folder'
echo 'training: { batch_size: none }' >wrong.yml
"$PMF" study times ranks=1 config=wrong.yml data=set.h5 out=e >out 2>err </dev/null
check 'exit code of a child that refuses' $? 65
said 'train ended with exit code 65; its last words in e/times/log.txt: pmf train: '
OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 refuses 'run it without mpirun' study toy

exit $failed
