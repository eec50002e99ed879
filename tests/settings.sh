#!/bin/sh
# The front door: what a user gets wrong is one line on standard error, exit 65, nothing on standard output.
# PMF names the program (default build/pmf). Prints only failures, then one line of totals.
pmf=${PMF:-build/pmf}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

fail() {
  failed=$((failed + 1))
  echo "FAIL pmf $1: $2"
}

# says CODE TEXT WORDS...: exit code, and TEXT in the only line on standard error
says() {
  code=$1 text=$2
  shift 2
  "$pmf" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
  got=$?
  if [ $got -ne "$code" ]; then fail "$*" "exit $got, expected $code: $(cat "$tmp/err")"
  elif [ "$(wc -l <"$tmp/err")" -ne 1 ]; then fail "$*" "expected one line on standard error, got: $(cat "$tmp/err")"
  elif [ -s "$tmp/out" ]; then fail "$*" "something on standard output"
  elif ! grep -qF -- "$text" "$tmp/err"; then fail "$*" "expected \"$text\", got: $(cat "$tmp/err")"
  else passed=$((passed + 1)); fi
}

# shows TEXT WORDS...: exit 0, TEXT on standard output, nothing on standard error
shows() {
  text=$1
  shift
  if ! "$pmf" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; then fail "$*" "exit not 0"
  elif [ -s "$tmp/err" ]; then fail "$*" "on standard error: $(cat "$tmp/err")"
  elif ! grep -qF -- "$text" "$tmp/out"; then fail "$*" "\"$text\" not on standard output"
  else passed=$((passed + 1)); fi
}

shows "usage: pmf JOB" --help
shows "usage: pmf JOB" help
shows "training.batch_size" help settings
shows "pmf " --version
for job in pack train sample export inspect verify; do
  shows "pmf $job" $job --help
  shows "pmf $job" help $job
done

says 65 "expected a job"
says 65 "unknown job trian; did you mean train?" trian
says 65 "unknown job trian; did you mean train?" help trian
says 65 "unknown job --verion" --verion
for job in score iotest import plot report compare check-data study sbatch; do
  says 65 "the job $job comes in a later version" $job
done

train() { text=$1; shift; says 65 "$text" train run="$tmp/run" data="$tmp/none.h5" "$@"; }
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
train "model.lpips=true comes in a later version" preset=fashion model.lpips=true
train "unknown flag; did you mean --dry-run?" preset=fashion --dryrun
train "expected one of them" preset=fashion config="$tmp/x.yml"
train "x.yml: cannot be opened" config="$tmp/x.yml"
printf 'training:\n  batch_size: 64\n  learning_rat: 0.1\n' >"$tmp/x.yml"
train "x.yml:3: unknown key training.learning_rat; did you mean training.learning_rate?" config="$tmp/x.yml"
printf 'training:\n\tbatch_size: 64\n' >"$tmp/x.yml"
train "x.yml:2: a tab in the indentation" config="$tmp/x.yml"
[ -e "$tmp/run" ] && fail "train" "a run that was refused left its folder"

echo "settings.sh: $passed passed, $failed failed"
[ $failed -eq 0 ]
