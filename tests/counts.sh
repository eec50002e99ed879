#!/bin/bash
# How tests are counted (launch.sh, totals.sh): what passes, fails, dies, takes too long, is skipped or in part; ranks that are not
# those that were asked for; and logs that end before their verdict, which are failures.
. "$(dirname "$0")/lib.sh"

# launches CODE VERDICT SCRIPT: of a test that is this script
launches() {
  printf '#!/bin/bash\n%s\n' "$3" >planted.sh
  TEST_LIMIT=2 sh "$PMF_SOURCE/tests/launch.sh" planted.sh >log 2>&1
  check "exit code of: $3" $? "$1"
  check "verdict of: $3" "$(tail -n 1 log | sed 's/, [0-9]* s$//')" "== planted.sh: $2"
}
lib=". '$PMF_SOURCE/tests/lib.sh'"
launches 0 '1 passed, 0 failed' 'exit 0'
launches 1 '0 passed, 1 failed' 'exit 3'
launches 1 '0 passed, 1 failed' 'kill -KILL $$'
launches 1 '0 passed, 1 failed' 'sleep 30'
launches 77 '0 passed, 0 failed (skipped: no such machine)' "$lib; skip 'no such machine'"
launches 0 '1 passed, 0 failed' "$lib; part_skipped 'no such tool'; exit \$failed"
launches 1 '0 passed, 1 failed' "$lib; a=\$(fail lost); exit \$failed"
grep -qx 'planted.sh: lost' log || fail "a failure in a subshell: $(cat log)"
launches 1 '0 passed, 1 failed' "$lib; a=\$(fail lost); skip 'no such machine'"

# Ranks that each are alone, as under another MPI's launcher.
printf '#!/bin/sh\nshift 3\nTEST_WORLD=2 exec "$@"\n' >alone
chmod +x alone
MPIRUN=$PWD/alone TEST_RANKS=2 sh "$PMF_SOURCE/tests/launch.sh" "$PMF_BUILD/tests/mpi_selftest" >log 2>&1
check 'exit code of ranks that are alone' $? 1
grep -q '^selftest: 1 ranks, expected 2$' log || fail "ranks that are alone: $(cat log)"

# totals: of planted logs, from standard input, each behind a line `-- NAME`
totals() {
  rm -rf logs
  mkdir logs
  awk '/^-- / { name = $2; printf "" >"logs/" name; next } { print >"logs/" name }'
  sh "$PMF_SOURCE/tests/totals.sh" logs/* logs.none >out 2>err
  check 'exit code of totals' $? 1
  check 'words on standard error' "$(cat err)" ''
}
totals <<'END'
-- a-right
== check_a: 3 passed, 0 failed, 1 s
PASS tests/check_a (exit status: 0)
-- b-ranks
== mpi_b on 1 ranks: 2 passed, 0 failed, 1 s
== mpi_b on 2 ranks: 2 passed, 0 failed, 1 s
-- c-killed-between
== mpi_c on 1 ranks: 5 passed, 0 failed, 1 s
FAIL tests/mpi_c (exit status: 137)
-- d-cut
== mpi_d on 1 ranks: 7 passed, 0 failed, 1 s
Running suite(s): d
-- e-cut-in-its-verdict
== mpi_e on 1 ranks: 11 passed, 0 failed, 1 s
== mpi_e on 2 ranks: 11 pas
-- f-failed
f.sh: this is wrong
== f.sh: 0 passed, 1 failed, 1 s
FAIL tests/f.sh (exit status: 1)
-- g-skipped
== g.sh: 0 passed, 0 failed (skipped: no such machine)
SKIP tests/g.sh (exit status: 77)
-- h-in-part
h.sh: part skipped: no such tool
== h.sh: 1 passed, 0 failed, 1 s
PASS tests/h.sh (exit status: 0)
-- i-empty
END
check 'the last lines of totals' "$(tail -n 9 out)" "skipped: g.sh (no such machine)
h.sh: part skipped: no such tool
== logs/c-killed-between: ended early
== logs/d-cut: ended early
== logs/e-cut-in-its-verdict: ended early
== f.sh: 0 passed, 1 failed, 1 s
== logs/i-empty: ended early
== logs.none: did not run
31 passed, 6 failed"
printf '== a: 1 passed, 0 failed, 0 s\n' >one
sh "$PMF_SOURCE/tests/totals.sh" one >out || fail "one that passed: $(cat out)"
check 'what is told of one that passed' "$(cat out)" $'\n1 passed, 0 failed'
exit $failed
