#!/bin/sh
# Adds up what launch.sh counted: totals.sh LOG...; a log that is not there, or without a count, is one failure.
# Prints the end of each log with a failure, then what failed, then `N passed, N failed` as its last line.
# Exit code 1 if anything failed or nothing ran.
passed=0 failed=0 what=
for log in "$@"; do
  counts=$(sed -n 's/^== \(.*\): \([0-9]*\) passed, \([0-9]*\) failed.*/\2 \3/p' "$log" 2>/dev/null |
           awk '{ p += $1; f += $2 } END { if (NR) print p, f; else print 0, 1 }')
  if [ ! -f "$log" ]; then
    what="$what== $log: did not run
"
  elif [ "${counts#* }" != 0 ]; then
    printf '\n%s, its last lines:\n' "$log"
    tail -n 60 "$log"
    what="$what$(grep '^== .* [1-9][0-9]* failed' "$log" || echo "== $log: ended early")
"
  fi
  passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
done
printf '\n%s%s\n' "$what" "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
