#!/bin/sh
# Adds up what launch.sh counted: totals.sh LOG...; a log that is not there, has no count, or ends before its verdict is a failure.
# Prints the end of each log with a failure, what was skipped and why, what failed, then `N passed, N failed` as its last line.
# Exit code 1 if anything failed or nothing ran.
look=$(mktemp) && said=$(mktemp) || exit 1
trap 'rm -f "$look" "$said"' EXIT

# What is to be told, then a line of counts, passed and failed. The last line of a log is a verdict, or what automake adds: FAIL
# behind verdicts without a failure is a test that was killed between them.
read_log='
  { last = $0 }
  /^[^ :]*: part skipped: / { print }
  /^== .*: [0-9]+ passed, [0-9]+ failed(, [0-9]+ s| \(skipped.*\))$/ {
    verdict = NR
    name = substr($0, 4)
    sub(/: [0-9]+ passed, .*/, "", name)
    match($0, /: [0-9]+ passed, [0-9]+ failed/)
    split(substr($0, RSTART + 2), count, " ")
    passed += count[1]; failed += count[3]
    if (count[3] > 0) print
    if (match($0, /\(skipped(: .*)?\)$/)) print "skipped: " name " (" substr($0, RSTART + 10, RLENGTH - 11) ")" }
  END {
    if (!verdict || (verdict != NR && last !~ /^(PASS|SKIP) / && !(failed && last ~ /^FAIL /))) {
      failed++
      print "== " log_name ": ended early" }
    print passed + 0, failed + 0 }'

passed=0 failed=0
for log in "$@"; do
  if [ -f "$log" ]; then awk -v log_name="$log" "$read_log" "$log"; else printf '== %s: did not run\n0 1\n' "$log"; fi >"$look"
  counts=$(tail -n 1 "$look")
  sed '$d' "$look" >>"$said"
  if [ -f "$log" ] && [ "${counts#* }" != 0 ]; then
    printf '\n%s, its last lines:\n' "$log"
    tail -n 60 "$log"
  fi
  passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
done
echo
grep -v '^== ' "$said"
grep '^== ' "$said"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
