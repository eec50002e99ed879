#!/bin/bash
# Manual pages: one for each job and each topic of `pmf --help`, rendered without a warning, and no word of a help is lost on the way.
. "$(dirname "$0")/lib.sh"
pages=$PMF_BUILD/man

# words: the words of a text, each once, without the marks around them
words() { tr -s '[:space:]' '\n' | sed 's/^[[(]*//; s/[]):;,.]*$//' | sort -u; }
# rendered PAGE
rendered() {
  if command -v man >/dev/null; then MANWIDTH=1000 man -l --warnings "$1" 2>err
  else sed '/^\.TH/s/"//g; s/^\.[A-Z]* //; s/\\-/-/g; s/\\&//; s/\\(aq/'"'"'/g; s/\\(ga/`/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\e/\\/g' "$1"; fi
}
# holds PAGE HELP...: the words of pmf HELP in the page
holds() {
  local page=$pages/$1 lost
  shift
  [ -f "$page" ] || { fail "no page $page"; return; }
  rendered "$page" | words >page.words
  [ ! -s err ] || fail "man says of $page: $(cat err)"
  helps "$@"
  case $* in *settings | *presets) ;; *) grep -q '^usage: ' help || fail "no usage in the help of pmf $*" ;; esac
  sed 's/^usage: //' help | words >help.words
  # A section's name stands in capitals.
  lost=$(comm -23 help.words page.words | while read -r word; do grep -qx "$(echo "$word" | tr '[:lower:]' '[:upper:]')" page.words || echo "$word"; done)
  [ -z "$lost" ] || fail "$page lacks of pmf $*: $(echo "$lost" | head -20 | tr '\n' ' ')"
}

: >err
helps --help
jobs=$(awk '/^  [a-z]/ && $1 != "pmf" { print $1 }' help)
[ "$(echo "$jobs" | wc -w)" -ge 14 ] || fail "few jobs in pmf --help: $jobs"
for job in $jobs; do
  holds "pmf-$job.1" help "$job"
  grep -qF "pmf\\-${job//-/\\-}" "$pages/pmf.1" || fail "pmf.1 does not refer to pmf-$job"
done
for topic in settings presets; do holds "pmf-$topic.5" help "$topic"; done
holds pmf.1 --help
helps help presets
grep -q '^  fashion .*Fashion-MNIST' help || fail "presets: $(cat help)"
check 'pages' "$(ls "$pages"/*.[15] | wc -l)" $(($(echo "$jobs" | wc -w) + 3))

# A program that cannot run here leaves no pages, and the build goes on.
printf '#!/bin/sh\nexit 1\n' >foreign
chmod +x foreign
sh "$PMF_SOURCE/tools/manual.sh" ./foreign none 2>err || fail "manual.sh of a program that does not run: exit code $?"
said 'no manual pages'
check 'pages of it' "$(ls none)" ''
exit $failed
