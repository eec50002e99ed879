#!/bin/bash
# Runs on 1, 2 and 4 ranks that are killed (SIGKILL, all processes) at N random times, by saves of both kinds, and started again
# until they are done: every start finds a checkpoint that is sound, loses at most one interval, and the end has the bits of the
# run in one go. Then a disk that is full, a folder that cannot be written to, and two starts at once.
#   make check-faults       N=200 SEED=1
. "$(dirname "$0")/lib.sh"
: "${N:=200}" "${SEED:=1}"
RANDOM=$SEED
interval=5

tiny 'batch_size: 8, steps: 60, ema_val: [0.02, 2], log_per_step: 1, seed: 3'
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
words=(config=tiny.yml data=set.h5 "checkpoint.every_steps=$interval")
arrays() { "$PMF" inspect "$1" 2>/dev/null | awk '/^settings:/ { show = 0 } /^(arrays|tensors):/ { show = 1 } show'; }
last_step() { sed -n 's/^{"event":"step","step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" 2>/dev/null | tail -n 1; }
resumed() { sed -n 's/.*going on after step \([0-9]*\) of.*/\1/p' err | tail -n 1; }

# descendants PID: it and all below it.
descendants() {
  local c
  # shellcheck disable=SC2013
  for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descendants "$c"; done
  echo "$1"
}

killed=0 starts=0 most=0 tried=0
for ranks in 1 2 4; do
  began=$(date +%s%N)
  on $ranks train "${words[@]}" run=whole$ranks || fail "in one go on $ranks ranks: $(cat err)"
  length=$((($(date +%s%N) - began) / 1000000))   # milliseconds of a run
  arrays whole$ranks/checkpoint.h5 >whole$ranks.txt
  [ -s whole$ranks.txt ] || fail "no weights of the run on $ranks ranks"
  share=$((N / 3 + (ranks == 1 ? N % 3 : 0))) k=0 run=0
  while [ $k -lt $share ]; do
    run=$((run + 1)) where=run$ranks.$run async=off
    [ $((run % 2)) = 0 ] && async=on
    while :; do
      reached=$(last_step $where) starts=$((starts + 1))
      "$MPIRUN" -n $ranks "$PMF" train "${words[@]}" run=$where checkpoint.async=$async >out 2>err </dev/null &
      pid=$!
      if [ $k -lt $share ]; then
        sleep "$(awk -v r="$RANDOM" -v l="$length" 'BEGIN { print r / 32768 * l / 1000 }')"
        if kill -0 $pid 2>/dev/null; then
          # shellcheck disable=SC2046
          kill -KILL $(descendants $pid) 2>/dev/null
          k=$((k + 1)) killed=$((killed + 1))
        fi
      fi
      wait $pid 2>/dev/null
      code=$?
      from=$(resumed)
      if [ -n "${reached:-}" ] && grep -q 'pmf train\|parameters' err; then
        lost=$((reached - ${from:-0}))
        [ $lost -le $most ] || most=$lost
        # One interval; and with threads the one that is still being written.
        limit=$interval
        [ $async = off ] || limit=$((2 * interval))
        [ $lost -le $limit ] || fail "$where: killed after step $reached, went on after ${from:-0}: more than $limit lost"
      fi
      [ $code = 0 ] && break
      [ $code -gt 128 ] || { fail "$where on $ranks ranks: exit code $code: $(cat err)"; break; }
    done
    arrays $where/checkpoint.h5 >now.txt
    cmp whole$ranks.txt now.txt || fail "$where: other weights than in one go"
    "$PMF" verify $where/checkpoint.h5 >out 2>err || fail "$where: $(cat err)"
    tried=$((tried + 1))
    rm -rf $where
  done
done
echo "faults.sh: $killed kills in $tried runs of $starts starts; at most $most steps lost where a checkpoint is due every $interval"

# A disk that fills up: the run goes on, with a loud line, and the older generation stays.
mkdir full
if mount -t tmpfs -o size=48m none full 2>/dev/null; then
  on 2 train "${words[@]}" run=full training.steps=5 || fail "on a small disk: $(cat err)"
  before=$(arrays full/checkpoint.h5)
  head -c 99000000 /dev/zero >full/filler 2>/dev/null
  on 2 train "${words[@]}" run=full training.steps=10 && fail 'a run that cannot be saved at its end ends well'
  grep -q 'no room for\|cannot be written\|No space' err || fail "no word of a full disk: $(cat err)"
  check 'what a full disk leaves' "$(arrays full/checkpoint.h5)" "$before"
  rm full/filler
  on 2 train "${words[@]}" run=full training.steps=10 || fail "after room was made: $(cat err)"
  umount full
else
  echo 'faults.sh: no tmpfs may be mounted here: a full disk was not tried'
fi

# A file system that cannot be written to: nothing starts, and what is there stays.
mkdir shut
if mount -t tmpfs -o size=48m none shut 2>/dev/null; then
  on 2 train "${words[@]}" run=shut/run training.steps=5 || fail "on a disk in memory: $(cat err)"
  before=$(arrays shut/run/checkpoint.h5)
  mount -o remount,ro shut
  on 2 train "${words[@]}" run=shut/run training.steps=10
  check 'exit code where nothing can be written' $? 74
  check 'what stays there' "$(arrays shut/run/checkpoint.h5)" "$before"
  umount shut
fi

# Two starts at once: the second is refused.
"$MPIRUN" -n 2 "$PMF" train "${words[@]}" run=both training.steps=100000 >out1 2>err1 </dev/null &
pid=$!
until [ -n "$(last_step both)" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.1; done
on 2 train "${words[@]}" run=both training.steps=100000
check 'exit code of the second start' $? 65
kill -USR1 $pid
wait $pid
check 'exit code of the first' $? 75
exit "$failed"
