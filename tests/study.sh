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
perceptual || fail "scored again: exit code $?: $(cat err)"
check 'trainings for new scores' "$(grep -c '^training ' err)" 0

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
if [ -d /usr/share/datasets/fashion-mnist ]; then
  sed 's/image_size: 8/image_size: 28/; s/image_channels: 3/image_channels: 1/; s/num_classes: 8/num_classes: 10/' tiny.yml >grey.yml
  few_images 2000 train few
  few_images 100 t10k few
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
