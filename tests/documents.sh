#!/bin/bash
# What the documents name is there: functions and tests of doc/method.md, files behind links, one version; and the
# makefile names every source, so that `make dist` carries it.
. "$(dirname "$0")/lib.sh"

# names DOCUMENT: `FILE: name, name` as lines FILE name
names() { grep -oE '`[a-z_/0-9]+\.[ch]: [a-z_A-Z0-9, ]+`' "$1" | tr -d '`' | awk -F': ' '{ n = split($2, name, /, */); for (i = 1; i <= n; i++) print $1, name[i] }'; }
# missing DOCUMENT: those that are not defined where it says
missing() {
  names "$1" | while read -r file name; do
    grep -qE "^(START_TEST\\($name\\)|([a-z_0-9]+ )+\\**$name\\()" "$PMF_SOURCE/$file" 2>/dev/null || echo "$file: $name"
  done
}
doc=$PMF_SOURCE/doc/method.md
[ "$(names "$doc" | wc -l)" -gt 100 ] || fail "few names in doc/method.md: has the test read it?"
lost=$(missing "$doc")
[ -z "$lost" ] || fail "doc/method.md names what is not there: $lost"
# shellcheck disable=SC2016
echo 'a `src/flow/times.c: times_draw, times_drawn` b' >planted.md
check 'a planted name' "$(missing planted.md)" 'src/flow/times.c: times_drawn'

for page in "$PMF_SOURCE"/README.md "$PMF_SOURCE"/CHANGELOG.md "$PMF_SOURCE"/doc/*.md; do
  grep -oE '\]\([^)#:]+\)' "$page" | sed 's/^](//; s/)$//' | while read -r link; do
    [ -e "$(dirname "$page")/$link" ] || echo "${page#"$PMF_SOURCE"/}: $link"
  done
done >broken
[ ! -s broken ] || fail "links to nowhere: $(cat broken)"

version=$("$PMF" --version | cut -d ' ' -f 2)
grep -qx "version: $version" "$PMF_SOURCE/CITATION.cff" || fail "CITATION.cff is not of version $version"
grep -q "^## $version" "$PMF_SOURCE/CHANGELOG.md" || fail "CHANGELOG.md says nothing of version $version"
grep -q "version(\"$version\")" "$PMF_SOURCE/packaging/spack/package.py" || fail "packaging/spack/package.py is not of version $version"
grep -q "pmf-$version.tar.gz" "$PMF_SOURCE/packaging/pmf.def" || fail "packaging/pmf.def is not of version $version"

unnamed=$(cd "$PMF_SOURCE" && find src mpi io jobs -name '*.[ch]' | while read -r file; do grep -qF "$file" Makefile.am || echo "$file"; done)
[ -z "$unnamed" ] || fail "Makefile.am does not name $unnamed"
exit $failed
