#!/bin/bash
# Memory and open files of a training that goes on and on: a tiny net over many epochs with saves, scores, grids and event files,
# stopped and continued three times. `make soak SECONDS=7200` runs it; it is not part of `make check`.
#   soak.sh [SECONDS]      in all, a quarter each on 1 and 2 ranks, and on 1 and 2 with checkpoints written by threads
# Every few seconds a look at each rank's resident memory and handles; the first fifth of a part is its warming up. Then a rank's
# mean memory in the last fifth may be 1 MiB and a hundredth above that of the second, its handles not above; nothing
# may lie in the run that was not there after the first part but its pictures, events and best score. SOAK_CSV=FILE keeps what was seen.
. "$(dirname "$0")/lib.sh"
total=${1:-60}

tiny 'batch_size: 16, steps: 1000000000, learning_rate: 0.001, lr_schedule: const, ema_val: [0.02, 2], log_per_step: 50, tensorboard: on'
cat >>tiny.yml <<END
checkpoint: { every_steps: 400, keep: 2 }
fid: { every_steps: 800, online_samples: 200, time_share: 0.2 }
END
sed -i 's/^sampling: .*/sampling: { ema: ema2, grid_every_steps: 4000 }/' tiny.yml
"$PMF" pack shapes n=600 size=16 holdout=300 out=set.h5 >out 2>err || fail "pack: $(cat err)"
: >seen.csv

# look PART RANKS: a line for each rank, PART SECOND RANK KIB HANDLES.
look() {
  local rank=0 one ranks
  read -ra ranks <"/proc/$launched/task/$launched/children"
  for one in "${ranks[@]}"; do
    echo "$1 $SECONDS $rank $(awk '/^VmRSS/ { print $2 }' "/proc/$one/status" 2>/dev/null) $(find "/proc/$one/fd" -mindepth 1 2>/dev/null | wc -l)" >>seen.csv
    rank=$((rank + 1))
  done
}
# part NAME RANKS WORDS...
part() {
  local name=$1 ranks=$2 end=$((SECONDS + total / 4)) got
  shift 2
  "$MPIRUN" -n "$ranks" "$PMF" train config=tiny.yml data=set.h5 run=run "$@" >out 2>err </dev/null &
  launched=$!
  while [ "$SECONDS" -lt "$end" ]; do
    kill -0 "$launched" 2>/dev/null || break
    look "$name"
    sleep $((total > 600 ? 5 : 1))
  done
  kill -USR1 "$launched"
  wait "$launched"
  got=$?
  check "exit code of part $name" $got 75
  [ $got = 75 ] || cat err
  "$PMF" verify run/checkpoint.h5 >out 2>err || fail "part $name: $(cat err)"
  find run -type f ! -path 'run/samples/*' ! -path 'run/tensorboard/*' ! -path 'run/best*' | sed 's/[0-9]\{5,\}/N/g' | sort | uniq -c >"files.$name"
  diff files.1 "files.$name" || fail "part $name leaves other files in the run"
}
part 1 1
part 2 2
part 3 1 checkpoint.async=on
part 4 2 checkpoint.async=on

awk -v total="$total" '
  NF == 5 { part = $1; if (!(part in from)) from[part] = $2; to[part] = $2; n++; p[n] = part; at[n] = $2; rank[n] = $3; kib[n] = $4; fd[n] = $5 }
  END {
    for (i = 1; i <= n; i++) {
      share = (at[i] - from[p[i]]) / (to[p[i]] - from[p[i]] + 1)
      k = p[i] " " rank[i]
      if (share >= 0.2 && share < 0.4) { early[k] += kib[i]; earlies[k]++; if (fd[i] > handles[k]) handles[k] = fd[i] }
      if (share >= 0.8) { late[k] += kib[i]; lates[k]++; if (fd[i] > ends[k]) ends[k] = fd[i] }
    }
    print "part rank: KiB early, late; handles early, late"
    for (k in early) {
      if (!lates[k]) { print k ": was not seen to its end"; bad = 1; continue }
      a = early[k] / earlies[k]; b = late[k] / lates[k]
      printf "%s: %.0f %.0f; %d %d\n", k, a, b, handles[k], ends[k] | "sort"
      if (b > a * 1.01 + 1024) { print "memory of " k " grows"; bad = 1 }
      if (ends[k] > handles[k]) { print "handles of " k " grow"; bad = 1 }
      parts++
    }
    close("sort")
    if (parts != 6) { print parts + 0 " ranks were seen, not 6"; bad = 1 }
    exit bad
  }' seen.csv || fail 'not flat'
[ -z "${SOAK_CSV:-}" ] || cp seen.csv "$SOAK_CSV"
events() { grep -c "\"event\":\"$1\"" run/metrics.jsonl; }
echo "$(sed -n 's/.*"step":\([0-9]*\).*/\1/p' run/metrics.jsonl | tail -n 1) steps, $(events save) saves, $(events score) scores, $(events grid) grids"
exit $failed
