#!/bin/bash
# The small training of doc/expected.md has the numbers that stand there (EXPECTATIONS F11); its first half, or so many steps:
#   STEPS=400 tests/expected.sh
. "$(dirname "$0")/lib.sh"

steps=${STEPS:-200}
doc=$PMF_SOURCE/doc
does 1 pack shapes n=5000 size=16 out=set.h5
does 2 train "config=$doc/expected.yml" data=set.h5 run=run training.steps="$steps"

# value STEP FIELD: of the last line of that step which has it.
value() { sed -n "s/^{\"event\":\"[a-z]*\",\"step\":$1,.*\"$2\":\([-0-9.e+]*\)[,}].*/\1/p" run/metrics.jsonl | tail -n 1; }
rows=0
while read -r step field from to; do
  [ "$step" -le "$steps" ] || continue
  rows=$((rows + 1)) got=$(value "$step" "$field")
  awk -v got="$got" -v from="$from" -v to="$to" 'BEGIN { exit !(got != "" && from <= got && got <= to) }' ||
    fail "step $step: $field is ${got:-missing}, expected $from to $to"
done < <(sed -nE 's/^\| ([0-9]+) \| `([a-z_]+)` \| [0-9.]+ \| [0-9.]+ \| ([0-9.]+) \| ([0-9.]+) \|$/\1 \2 \3 \4/p' "$doc/expected.md")
[ $rows -ge 6 ] || fail "only $rows rows in doc/expected.md"
exit $failed
