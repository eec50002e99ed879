#!/bin/bash
# What bash offers behind pmf.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tools/completions/pmf
. "$PMF_SOURCE/tools/completions/pmf"

# offers LINE: what is offered at the end of `pmf LINE`, one a line
offers() {
  COMP_LINE="$PMF $1" COMP_POINT=$((${#PMF} + 1 + ${#1}))
  read -ra COMP_WORDS <<<"$COMP_LINE"
  case $COMP_LINE in *' ') COMP_WORDS+=('') ;; esac
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _pmf 2>complained
  [ ! -s complained ] || fail "completion of '$1': $(cat complained)"
  printf '%s\n' "${COMPREPLY[@]}"
}
# is LINE WORDS: all that is offered
is() { check "behind 'pmf $1'" "$(offers "$1" | sort | xargs)" "$2"; }
# has LINE WORD...: these among others; lacks LINE WORD
has() {
  local missing
  missing=$(comm -13 <(offers "$1" | sort) <(printf '%s\n' "${@:2}" | sort))
  [ -z "$missing" ] || fail "behind 'pmf $1' lack: $(xargs <<<"$missing")"
}
lacks() { ! offers "$1" | grep -qxF -- "$2" || fail "behind 'pmf $1': $2"; }

mkdir folder
touch set.h5 'two words.h5'
helps --help
jobs=$(awk '/^  [a-z]/ && $1 != "pmf" { print $1 }' help)
[ "$(wc -w <<<"$jobs")" -ge 14 ] || fail "few jobs in pmf --help: $jobs"
# shellcheck disable=SC2086
has '' $jobs help --help --version
is 'tr' train
is 'help se' settings
# Every word of every job's help.
for job in $jobs; do
  helps help "$job"
  grep -q '^usage: ' help || fail "no usage in the help of $job"
  sed '/^examples*:$/,$d' help | sed -n 's/^  \([a-z_.]*=\|--[a-z-]*\).*/\1/p' | tee -a told >words
  # shellcheck disable=SC2046
  has "$job " --help $(cat words)
done
[ "$(wc -l <told)" -ge 80 ] || fail "few words in the helps of all jobs: $(cat told)"
# Every key of the settings, where settings are taken, and there alone.
helps help settings
awk '/^  [a-z]+[.]/ { print $1 "=" }' help >keys
[ "$(wc -l <keys)" -ge 60 ] || fail "few keys in the help of settings: $(cat keys)"
# shellcheck disable=SC2046
for job in train plan bench import sbatch; do has "$job " preset= config= $(cat keys); done
lacks 'sample ' training.steps=
is 'train training.opt' training.optimizer=
is 'train model.times=' 'both equal triangle zero'
is 'plan preset=pMF_B' 'pMF_B_16 pMF_B_32'
PMF_PRESETS=$PWD; touch mine.yml; export PMF_PRESETS
is 'plan preset=mi' mine
is 'bench g' gemm
has 'study ' toy steps
has 'pack ' shapes idx= folder=
is 'train data=s' set.h5
is 'plan data=s' set.h5
is 'train dataset.root=f' folder
is 'pack idx=f' folder
is 'inspect s' set.h5
is 'pack n=' ''
check "behind 'pmf verify tw'" "$(offers 'verify tw')" 'two words.h5'
# Where '=' is no break between words, the name is offered again.
COMP_WORDBREAKS=$' \t\n'
is 'train model.times=t' model.times=triangle
exit $failed
