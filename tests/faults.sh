#!/bin/bash
# Runs on 1, 2 and 4 ranks that are killed (SIGKILL, all processes) at N random times, by saves of both kinds, and started again
# until they are done: every start finds a checkpoint that is sound, loses at most one interval (two where threads save), and the
# end has the bits of the run in one go. Before that, with the rights to mount one: a disk that fills up, and one that turns
# read-only. (tests/disk.sh does that by a shim, and needs no rights.)
#   make check-faults       N=200 SEED=1
# Each run that is done is a line of $JOURNAL: stopped at any time and started again, with the same program, it goes on behind
# the last line. All is done when the last line that is printed says so; that line has the sums of all.
. "$(dirname "$0")/lib.sh"
: "${N:=200}" "${SEED:=1}" "${JOURNAL:=$PMF_BUILD/faults.journal}"
interval=5
# What killed launchers leave behind lies in the test's folder, and goes with it.
mkdir t
export TMPDIR=$folder/t OMPI_MCA_orte_tmpdir_base=$folder/t OMPI_MCA_btl_vader_backing_directory=$folder/t
export OMPI_MCA_odls_base_sigkill_timeout=0

tiny 'batch_size: 8, steps: 60, ema_val: [0.02, 2], log_per_step: 1, seed: 3'
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
words=(config=tiny.yml data=set.h5 "checkpoint.every_steps=$interval")
step_of() { "$PMF" inspect "$1" 2>/dev/null | sed -n 's/^ *step  *\([0-9]*\)$/\1/p' | head -n 1; }
last_step() { sed -n 's/^{"event":"step","step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" 2>/dev/null | tail -n 1; }
resumed() { sed -n 's/.*going on after step \([0-9]*\) of.*/\1/p' err | tail -n 1; }
now() { echo $(($(date +%s%N) / 1000000)); }   # milliseconds
launch() {
  local ranks=$1
  shift
  if [ "$ranks" = 1 ]; then exec "$PMF" train "${words[@]}" "$@" >out 2>err </dev/null; fi
  exec "$MPIRUN" -n "$ranks" "$PMF" train "${words[@]}" "$@" >out 2>err </dev/null
}
# until_event RUN EVENT PID: a line of that event is in the metrics, or the process has ended.
until_event() { until grep -q "\"event\":\"$2\"" "$1/metrics.jsonl" 2>/dev/null || ! kill -0 "$3" 2>/dev/null; do sleep 0.05; done; }

# whole RANKS: the run in one go, its weights in whole$RANKS.txt; $first and $length: milliseconds until its first step, and in all.
whole() {
  local began
  began=$(now)
  rm -rf "whole$1"
  (launch "$1" run="whole$1") &
  until_event "whole$1" step $!
  first=$(($(now) - began))
  wait $! || fail "in one go on $1 ranks: $(tail -n 3 err)"
  length=$(($(now) - began))
  arrays "whole$1/checkpoint.h5" >"whole$1.txt"
  [ -s "whole$1.txt" ] || fail "no weights of the run on $1 ranks"
}

# A disk that fills up while a run is on its way, and has room again later: saves fail, the generation from before stays, training
# goes on; the end has the bits of the run in one go.
whole 2
mkdir full shut
if mount -t tmpfs -o size=48m none full 2>/dev/null; then
  (PMF_FAULT=sleep:seconds=0.1 launch 2 run=full/run) &
  pid=$!
  until_event full/run save $pid
  head -c 99000000 /dev/zero >full/filler 2>/dev/null
  until grep -q 'WARNING: not saved' err || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
  kept=$(step_of full/run/checkpoint.h5)
  rm full/filler
  wait $pid || fail "on a disk that was full for a while: exit code $?: $(tail -n 3 err)"
  said 'No space left on device'
  [ -n "$kept" ] || fail 'no sound checkpoint on a full disk'
  arrays full/run/checkpoint.h5 | cmp whole2.txt - || fail 'a disk that was full for a while: other weights than in one go'
  umount full
  echo "faults.sh: a disk that fills up: $(grep -c 'WARNING: not saved' err) saves failed, step ${kept:-none} stayed"
else
  echo 'faults.sh: no file system may be mounted here: a full disk and a read-only one were not tried'
fi
# One that turns read-only between two starts: nothing starts, and what is there stays.
if mount -t tmpfs -o size=48m none shut 2>/dev/null; then
  on 2 train "${words[@]}" run=shut/run training.steps=5 || fail "on a disk in memory: $(tail -n 3 err)"
  mount -o remount,ro shut
  on 2 train "${words[@]}" run=shut/run
  check 'exit code where nothing can be written' $? 74
  said_once 'pmf train: shut/run/'
  said 'Read-only file system'
  check 'what stays there' "$(step_of shut/run/checkpoint.h5)" 5
  mount -o remount,rw shut
  on 2 train "${words[@]}" run=shut/run || fail "on a disk that can be written again: $(tail -n 3 err)"
  arrays shut/run/checkpoint.h5 | cmp whole2.txt - || fail 'a disk that was read-only for a while: other weights than in one go'
  umount shut
fi

# descendants PID: it and all below it.
descendants() {
  local c
  # shellcheck disable=SC2013
  for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descendants "$c"; done
  echo "$1"
}

# one_run RANKS NUMBER MOST: killed at most so many times, at times that depend on the seed and these two alone. Sets $kills,
# $starts and $lost, the most steps that a start had to do again.
one_run() {
  local ranks=$1 async=off limit=$interval where pid code reached from
  where=run$1.$2
  [ $(($2 % 2)) = 1 ] || async=on limit=$((2 * interval))   # one interval; and with threads the one that is still being written
  RANDOM=$((SEED * 7919 + ranks * 1009 + $2))
  kills=0 starts=0 lost=0
  while :; do
    reached=$(last_step "$where") starts=$((starts + 1))
    (launch "$ranks" run="$where" checkpoint.async=$async) &
    pid=$!
    if [ $kills -lt "$3" ]; then   # also in what a start does before its first step, but not mostly
      sleep "$(awk -v r=$RANDOM -v f="$first" -v l="$length" 'BEGIN { print (0.7 * f + r / 32768 * (l - 0.7 * f)) / 1000 }')"
      if kill -0 $pid 2>/dev/null; then
        # shellcheck disable=SC2046
        kill -KILL $(descendants $pid) 2>/dev/null && kills=$((kills + 1))
      fi
    fi
    wait $pid 2>/dev/null
    code=$?
    from=$(resumed)
    if [ -n "$reached" ] && grep -q 'pmf train\|parameters' err; then
      [ $((reached - ${from:-0})) -le $lost ] || lost=$((reached - ${from:-0}))
      [ $lost -le $limit ] || fail "$where: killed after step $reached, went on after ${from:-0}: more than $limit lost"
    fi
    [ $code != 0 ] || break
    [ $code -gt 128 ] || { fail "$where on $ranks ranks: exit code $code: $(tail -n 3 err)"; break; }
  done
  arrays "$where/checkpoint.h5" | cmp "whole$ranks.txt" - || fail "$where: other weights than in one go"
  "$PMF" verify "$where/checkpoint.h5" >out 2>err || fail "$where: $(cat err)"
  rm -rf "$where" t/*
}

# The journal: its head says which program and which seed; a line a run: RANKS NUMBER KILLS STARTS LOST ok|failed.
head="faults of $(cksum <"$PMF") seed $SEED"
[ "$(head -n 1 "$JOURNAL" 2>/dev/null)" = "$head" ] || echo "$head" >"$JOURNAL"
[ "$(wc -l <"$JOURNAL")" = 1 ] || echo "faults.sh: goes on behind $(($(wc -l <"$JOURNAL") - 1)) runs of an earlier start"
for ranks in 1 2 4; do
  share=$((N / 3 + (ranks == 1 ? N % 3 : 0)))
  done_kills=$(awk -v r=$ranks 'NR > 1 && $1 == r { k += $3 } END { print k + 0 }' "$JOURNAL")
  number=$(awk -v r=$ranks 'NR > 1 && $1 == r { n++ } END { print n + 0 }' "$JOURNAL")
  [ "$done_kills" -ge $share ] || whole $ranks
  while [ "$done_kills" -lt $share ]; do
    number=$((number + 1)) before=$failed failed=0
    one_run $ranks $number $((share - done_kills))
    echo "$ranks $number $kills $starts $lost $([ $failed = 0 ] && echo ok || echo failed)" >>"$JOURNAL"
    [ "$before" = 0 ] || failed=1
    done_kills=$((done_kills + kills))
  done
done
awk 'NR > 1 { k[$1] += $3; kills += $3; starts += $4; runs++; bad += $6 != "ok"
  odd = $2 % 2; if ($5 > lost[odd]) lost[odd] = $5 } END {
  printf "faults.sh: %d kills (%d, %d, %d on 1, 2, 4 ranks) in %d runs of %d starts: %d runs failed; at most %d steps lost, %d where",
         kills, k[1], k[2], k[4], runs, starts, bad, lost[1], lost[0]
  print " threads save; a checkpoint is due every '$interval'" }' "$JOURNAL"
awk 'NR > 1 && $6 != "ok" { exit 1 }' "$JOURNAL" || fail "runs that failed: $(grep -c 'failed$' "$JOURNAL"), in $JOURNAL"
exit "$failed"
