# What the scripts of studies begin with, sourced by them: a folder OUT, then name=value words. The comment at a script's head, up to
# its `set -u`, is its help.
# shellcheck shell=bash

die() { echo "$(basename "$0"): $*" >&2; exit 65; }

# read_words NAMES OUT WORD...: each word's value goes to the variable of its name, OUT to `out`.
read_words() {
  local names=" $1 " word
  shift
  [[ $# -ge 1 && $1 != *=* ]] || { sed -n '2,/^set -u/s/^# \{0,1\}//p' "$0"; exit 65; }
  out=$1
  shift
  for word; do
    [[ $word == *=* && $names == *" ${word%%=*} "* ]] ||
      die "$word: expected name=value with a name of those above: $0 without words lists them"
    declare -g "${word%%=*}=${word#*=}"
  done
}

# whole_numbers NAME...: these variables hold positive whole numbers.
whole_numbers() {
  local name
  for name; do [[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name=${!name}: expected a positive whole number"; done
}

# one_study SETTINGS: makes the folder; another study's is refused. They stay in `settings`.
one_study() {
  # shellcheck disable=SC2034   # the script may tell them
  declare -g settings=$1
  mkdir -p "$out" || exit 74
  [[ ! -e $out/settings || $(<"$out/settings") == "$1" ]] || die "$out is a study of $(<"$out/settings"): take another folder"
  echo "$1" >"$out/settings"
}
