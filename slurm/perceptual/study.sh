#!/bin/bash
# What a perceptual term is worth: one net with and without it, at equal wall time, some seeds, scored by one judge.
#   slurm/perceptual/study.sh OUT data=FILE.h5 [name=value ...]
#     net="preset=fashion"     seeds="42 43 44"     ranks=2
#     steps=9400   of the arm without; the other gets as many as take as long
#     term="model.convnext=true model.convnext_lambda=0.4 model.perceptual_max_t=0.8"   what the arm with has more; a classifier of half
#                of the training images serves where it names no file; its own training, once, is not counted
#     words="training.batch_size=64"   more words for all trainings     n=10000   images a score
#     trials=3   short trainings of each arm, by turns, that measure what a step takes: the best interval of each counts. On a
#                machine with other work that misleads; with_steps=8600 says instead how many steps the arm with gets
#     launch="mpirun -n RANKS"   how ranks are started, RANKS being their number     pmf=pmf   the program
# Each training and score that is there already is not made again, and a training that was cut short goes on: run it once more
# after a failure, or with more seeds. The table goes to OUT/table.md and to standard output. Other words are another study and
# want another OUT.
set -uo pipefail
out='' settings='' net=preset=fashion data='' seeds='42 43 44' ranks=2 steps=9400 words='' n=10000 trials=3 with_steps='' launch='mpirun -n RANKS' pmf=pmf
term='model.convnext=true model.convnext_lambda=0.4 model.perceptual_max_t=0.8'
trial=300 log=50   # steps of a trial and of its intervals

# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../words.sh"
read_words 'net data seeds ranks steps term words n trials with_steps launch pmf trial log' "$@"
whole_numbers ranks steps n trials trial log
[[ ! $with_steps || $with_steps =~ ^[1-9][0-9]*$ ]] || die "with_steps=$with_steps: expected a positive whole number"
for seed in $seeds; do [[ $seed =~ ^[0-9]+$ ]] || die "seeds: $seed is no whole number"; done
[[ -s $data ]] || die "data=$data: expected a packed image set (pmf pack)"

one_study "$net data=$data ranks=$ranks steps=$steps term=$term words=$words n=$n"
launch=${launch//RANKS/$ranks}
more() { [[ $1 == without ]] || echo "$term"; }

# shellcheck disable=SC2046,SC2086  # words, of which there may be several
train() {   # ARM RUN WORDS...
  local arm=$1 run=$2
  shift 2
  $launch "$pmf" train $net data="$data" run="$run" fid.every_steps=0 $words $(more "$arm") "$@" </dev/null >>"$run.log" 2>&1 ||
    { echo "study.sh: $run ended with exit code $?: $run.log; run the study again to go on" >&2; exit 1; }
}

# A step's time, in quiet moments: the quickest interval of some short trainings, the arms taking turns.
[[ ! $with_steps || -s $out/steps ]] || echo "$with_steps ? ?" >"$out/steps"
for ((k = 1; k <= trials; k++)); do
  [[ ! -s $out/steps ]] || break
  for arm in without with; do
    [[ -e $out/trial.$arm.$k/done ]] || { train "$arm" "$out/trial.$arm.$k" training.steps=$trial training.log_per_step=$log &&
      touch "$out/trial.$arm.$k/done"; }
  done
done
rate() {
  cat "$out/trial.$1".*/metrics.jsonl | sed -n 's/.*"event":"step".*"images_per_s":\([0-9.]*\).*/\1/p' | sort -g | tail -n 1
}
[[ -s $out/steps ]] || awk -v a="$(rate without)" -v b="$(rate with)" -v steps="$steps" \
  'BEGIN { if (!(a > 0 && b > 0)) exit 1; printf "%d %.1f %.1f\n", steps * b / a + 0.5, a, b }' >"$out/steps" ||
  { rm -f "$out/steps"; die "no rates in $out/trial.*/metrics.jsonl"; }
asked=$with_steps
read -r with_steps without_rate with_rate <"$out/steps"
[[ ! $asked || $asked == "$with_steps" ]] || die "$out has $with_steps steps with the term: take another folder"
echo "images/s: $without_rate without, $with_rate with; steps: $steps and $with_steps"

for seed in $seeds; do
  for arm in without with; do
    run=$out/$arm.$seed
    [[ -s $run.json ]] && continue
    train "$arm" "$run" training.seed="$seed" training.steps="$([[ $arm == with ]] && echo "$with_steps" || echo "$steps")"
    # shellcheck disable=SC2086
    $launch "$pmf" score run="$run" judge=half steps=1,4 n="$n" context=no --json </dev/null >"$run.json.tmp" 2>>"$run.log" ||
      { echo "study.sh: the score of $run ended with exit code $?: $run.log" >&2; exit 1; }
    mv "$run.json.tmp" "$run.json"
    echo "$run: done"
  done
done

# The seconds of all starts of a training, up to its end.
seconds() { sed -n 's/.*"event":"step".*[^_]"seconds":\([0-9.e+-]*\).*/\1/p' "$1/metrics.jsonl" |
              awk '$1 < last { all += last } { last = $1 } END { print all + last }'; }
value() { [[ $1 =~ \"$2\":([^,}]*) ]] && echo "${BASH_REMATCH[1]}"; }
row() {   # ARM SEED: numbers of a run, a line
  local json one four run=$out/$1.$2
  json=$(<"$run.json")
  one=$(tr '{' '\n' <<<"$json" | grep -F '"images":"1 step') four=$(tr '{' '\n' <<<"$json" | grep -F '"images":"4 step')
  [[ $one && $four ]] || { echo "study.sh: $run.json lacks a row of one or four steps" >&2; return 1; }
  echo "$1 $2 $(value "$json" step) $(value "$json" images_seen) $(seconds "$run")" \
    "$(for key in fid_classifier kid_classifier agreement; do value "$one" $key; done | tr '\n' ' ')" \
    "$(for key in fid_classifier kid_classifier agreement; do value "$four" $key; done | tr '\n' ' ')"
}
judges=$(for arm in without with; do for seed in $seeds; do value "$(<"$out/$arm.$seed.json")" hash; done; done | sort -u | tr -d '"')
[[ $(wc -l <<<"$judges") == 1 ]] || die "scores by several judges ($(tr '\n' ' ' <<<"$judges")): remove $out/*.json and run it again"
{
  echo "$settings; judge $judges, trained on the second half of the training images"
  echo
  echo '| arm | seed | steps | images | minutes | FID[classifier], one step | KID | agreement | FID, four steps | KID | agreement |'
  echo '|---|---|---|---|---|---|---|---|---|---|---|'
  for arm in without with; do for seed in $seeds; do row $arm "$seed" || exit 1; done; done | awk '
    function line(arm, seed, x) {
      printf "| %s | %s | %d | %d | %.1f | %.2f | %.2f | %.4f | %.2f | %.2f | %.4f |\n", arm, seed, x[3], x[4], x[5] / 60, x[6], x[7],
        x[8], x[9], x[10], x[11] }
    { for (i = 3; i <= 11; i++) { x[i] = $i; sum[$1, i] += $i; square[$1, i] += $i * $i }
      count[$1]++; line($1, $2, x) }
    END {
      for (k = 1; k <= 2; k++) {
        arm = k == 1 ? "without" : "with"; n = count[arm]
        for (i = 3; i <= 11; i++) {
          x[i] = sum[arm, i] / n; d = square[arm, i] - n * x[i] * x[i]
          y[i] = n > 1 && d > 0 ? sqrt(d / (n - 1)) : 0 }
        line(arm, "mean", x); line(arm, "deviation", y) } }'
} >"$out/table.md.tmp" && mv "$out/table.md.tmp" "$out/table.md" && cat "$out/table.md"
