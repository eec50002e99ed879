#!/bin/bash
# A scaling study under Slurm: for each number of ranks an array of batch jobs, each a `pmf bench step` of one net; when all are done,
# `pmf plot scaling OUT` draws speed-up, efficiency and the time spent in waiting for gradients.
#   slurm/scaling/study.sh OUT [name=value ...]
#     nets="pMF_B_16 pMF_B_32 pMF_L_32 pMF_H_32"   presets: 256 pixels, and 512 the others
#     ranks="1 2 4 8 16 32 64"    studies="strong weak"
#     batch=64   images a step of the strong study, whatever the ranks     share=1   images a rank of the weak one
#     threads=8  of a rank     repeats=3     steps=5 (after one that warms up)     time=02:00:00 of a point
#     words="training.reduce=twolevel"   more words for bench step     sbatch="--partition=long --ntasks-per-node=8"   more for sbatch
#     pmf=pmf    the program     wait=no    yes: ends when the study has ended, with 1 if a point is missing
#     launch="mpirun -n RANKS --map-by slot:PE=8 --bind-to core"   how ranks are started, RANKS being their number; this one with
#                PE=threads if none is given
# Points that are there already are not run again: submit once more after a failure. Another batch, share, threads, steps or words is
# another study and wants another OUT.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out='' nets='pMF_B_16 pMF_B_32 pMF_L_32 pMF_H_32' ranks='1 2 4 8 16 32 64' studies='strong weak'
batch=64 share=1 threads=8 repeats=3 steps=5 time=02:00:00 words='' sbatch='' pmf=pmf wait=no launch=''

# shellcheck source=/dev/null
. "$here/../words.sh"
read_words 'nets ranks studies batch share threads repeats steps time words sbatch pmf wait launch' "$@"
whole_numbers batch share threads repeats steps
for R in $ranks; do [[ $R =~ ^[1-9][0-9]*$ ]] || die "ranks: $R is no positive whole number"; done
for study in $studies; do [[ $study == strong || $study == weak ]] || die "studies: $study is neither strong nor weak"; done
command -v sbatch >/dev/null || { echo 'study.sh: sbatch is not here: this is for a Slurm cluster' >&2; exit 69; }

one_study "batch=$batch share=$share threads=$threads steps=$steps words=$words"
out=$(cd "$out" && pwd)
[[ $launch ]] || launch="mpirun -n RANKS --map-by slot:PE=$threads --bind-to core"
export PMF_STUDY_LAUNCH=$launch PMF_STUDY_PMF=$pmf PMF_STUDY_OUT=$out PMF_STUDY_WORDS=$words PMF_STUDY_STEPS=$steps
last='' failed=0 wanted=0
for R in $ranks; do
  points=$(mktemp "$out/points.$R.XXXXXX")   # jobs that still wait keep theirs
  for study in $studies; do
    B=$batch
    [[ $study == strong ]] || B=$((share * R))
    ((B >= R)) || { echo "study.sh: $study: a batch of $B leaves some of $R ranks without an image: left out"; continue; }
    for net in $nets; do
      for ((repeat = 1; repeat <= repeats; repeat++)); do
        wanted=$((wanted + 1))
        [[ -s $out/$study.$net.$R.$repeat.json ]] || echo "$study $net $R $repeat $B" >>"$points"
      done
    done
  done
  n=$(wc -l <"$points")
  ((n)) || { rm "$points"; continue; }
  export PMF_STUDY_POINTS=$points
  # One point after the other, so that they do not disturb each other on shared nodes and switches.
  # shellcheck disable=SC2086  # more words for sbatch
  if id=$(sbatch --parsable --array="1-$n%1" --ntasks="$R" --cpus-per-task="$threads" --time="$time" --job-name="pmf-scaling-$R" \
    --output="$out/log.%x.%a" --export=ALL ${last:+--dependency=afterany:$last} $sbatch "$here/point.sbatch"); then
    last=${id%%;*}
    echo "$R ranks: job $last, $n points"
  else
    echo "study.sh: sbatch refused the $n points of $R ranks: left out" >&2
    failed=1
  fi
done
if [[ ! $last ]]; then
  ((failed)) && exit 1
  echo 'All points are there.'
  exec "$pmf" plot scaling "$out"
fi
# shellcheck disable=SC2086
id=$(sbatch --parsable --dependency="afterany:$last" --ntasks=1 --time=10 --job-name=pmf-scaling-plot --output="$out/plot.log" \
  --export=ALL $sbatch --wrap "$(printf '%q plot scaling %q' "$pmf" "$out")") || { echo 'study.sh: sbatch refused the plot' >&2; exit 1; }
echo "then job $id draws $out/scaling.png and writes scaling.csv"
if [[ $wait == yes ]]; then
  while squeue -h -j "${id%%;*}" 2>/dev/null | grep -q .; do sleep 2; done
  cat "$out/plot.log"
  there=$(find "$out" -maxdepth 1 -name '*.json' | wc -l)
  ((there >= wanted)) || { echo "study.sh: $((wanted - there)) points are missing: $out/log.*"; failed=1; }
fi
exit $failed
