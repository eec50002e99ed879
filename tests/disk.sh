#!/bin/bash
# What the file system can do to a run: no room, a quota, a folder that can no longer be written to, locks that are refused, saves
# that take long; and two starts at once. A save that fails does so on all ranks together and is said aloud; the generation before
# it stays; training goes on, and ends with the bits of a run without faults. And what a save asks for, in which order.
. "$(dirname "$0")/lib.sh"
: "${SHIM:=$PMF_BUILD/tests/shim.so}"
if ldd "$PMF" | grep -q libasan; then
  skip 'sanitizers must be loaded before the shim'
fi

export OMPI_MCA_odls_base_sigkill_timeout=0   # mpirun waits as long after any exit code but 0
every=4

# with VARIABLE=VALUE... -- RANKS WORDS...: trains, on a file system that does as told (shim.c).
with() {
  local told=() ranks
  while [ "$1" != -- ]; do
    told+=("$1")
    shift
  done
  ranks=$2
  shift 2
  timeout -k 1 90 "$MPIRUN" -n "$ranks" env LD_PRELOAD="$SHIM" "${told[@]}" "$PMF" train config=tiny.yml data=set.h5 \
    checkpoint.every_steps=$every "$@" >out 2>err </dev/null
}
step_of() { "$PMF" inspect "$1" 2>/dev/null | sed -n 's/^ *step  *\([0-9]*\)$/\1/p' | head -n 1; }
saves_of() { sed -n 's/^{"event":"\(save[ a-z]*\)".*"saved_step":\([0-9]*\),.*/\1 \2/p' "$1/metrics.jsonl" | paste -sd , -; }
same_as_whole() {
  "$PMF" verify "$1/checkpoint.h5" >out 2>verify.err || fail "$1: $(cat verify.err)"
  check "weights of $1" "$(arrays "$1/checkpoint.h5")" "$(arrays whole/checkpoint.h5)"
}
# survives RUN STEP WHY: the save at that step alone has failed, with one warning; nothing else has come of it.
survives() {
  local run=$1 step=$2 why=$3 expected=''
  for s in 4 8 12; do expected+=",save$([ "$s" != "$step" ] || echo ' failed') $s"; done
  check "saves of $run" "$(saves_of "$run")" "${expected#,}"
  said_once 'WARNING: '
  said "WARNING: not saved at step $step: $run/checkpoint.h5.tmp: $why"
  same_as_whole "$run"
  check "the generation before the last one of $run" "$(step_of "$run/checkpoint.h5.prev")" "$([ "$step" = 8 ] && echo 4 || echo 8)"
  check "left over in $run" "$(cd "$run" && echo *.tmp)" '*.tmp'
}

tiny 'batch_size: 8, steps: 12, ema_val: [0.02, 2], log_per_step: 1, seed: 3'
"$PMF" pack shapes n=64 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"

# Without faults. All values are on the disk before the file has its name, and the name is before the save counts; an array goes
# out in one piece; the ranks that do not lead make nothing in the folder.
with SHIM_LOG=log -- 2 run=whole || fail "without faults: exit code $?: $(tail -n 5 err)"
check 'saves without faults' "$(saves_of whole)" 'save 4,save 8,save 12'
awk '$3 ~ /(^|\/)whole(\/checkpoint.*)?$/ { sub(/.*\//, "", $3); print $2 == "fsync" || $2 == "rename" ? $1 " " $2 " " $3 : "" }' log |
  grep . >order
check 'what makes the first save sure' "$(sed -n 1,2p order | sort | cat - <(sed -n 3,5p order) | paste -sd , -)" \
  '0 fsync checkpoint.h5.tmp,1 fsync checkpoint.h5.tmp,0 fsync checkpoint.h5.tmp,0 rename checkpoint.h5.tmp,0 fsync whole'
check 'of the second' "$(sed -n 6,11p order | grep rename)" $'0 rename checkpoint.h5\n0 rename checkpoint.h5.tmp'
check 'of three saves' "$(wc -l <order)" 17
check 'arrays, of 3 saves with 6 each, that go out in one piece' "$(awk '$2 == "write" && $3 ~ /\.tmp$/ && $4 > 60000 || $4 == 892' log | wc -l)" 18
check 'what the other rank makes or renames in the folder' "$(awk '$1 == 1 && $3 ~ /(^|\/)whole\// && ($2 == "rename" || $2 == "mkdir" ||
  ($2 == "open" && $3 !~ /checkpoint.h5.tmp$/))' log)" ''

# No room where room is taken (the third time is the second save's), a quota in a thread of rank 1 (its seventh write is the second
# save's), an error in the midst of what HDF5 writes, on either rank.
with SHIM_FAIL='fallocate 28 3 3 checkpoint.h5.tmp' -- 2 run=full || fail "full disk: exit code $?: $(tail -n 5 err)"
survives full 8 'no room for '
with SHIM_FAIL='fallocate 28 4 4 checkpoint.h5.tmp' -- 2 run=later checkpoint.async=on || fail "full disk, later: exit code $?: $(tail -n 5 err)"
survives later 8 'no room for it'
with SHIM_FAIL='write 122 7 7 checkpoint.h5.tmp 1' -- 2 run=quota checkpoint.async=on || fail "quota: exit code $?: $(tail -n 5 err)"
survives quota 8 'cannot be written: Disk quota exceeded'
with SHIM_FAIL='write 5 16 16 checkpoint.h5.tmp 0' -- 2 run=error checkpoint.io=rank0 || fail "error: exit code $?: $(tail -n 5 err)"
survives error 4 'cannot be written: file write failed: Input/output error'
with SHIM_FAIL='write 28 1 1 checkpoint.h5.tmp 1' -- 2 run=other || fail "no room for rank 1: exit code $?: $(tail -n 5 err)"
survives other 4 'cannot be written in parallel: '
# The last save, without which the run would be lost, is tried once more.
with SHIM_FAIL='fallocate 28 5 5 checkpoint.h5.tmp' -- 2 run=end || fail "no room at the end, once: exit code $?: $(tail -n 5 err)"
check 'saves of a run without room at its end, once' "$(saves_of end)" 'save 4,save 8,save failed 12,save 12'
same_as_whole end

# A write that fails on one rank, in the midst of what all ranks write and at its end, by either of MPI's ways. And where a rank of
# four writes for others too, as OMPIO would have it here: its arrays are of several MiB.
for io in ompio romio; do
  for place in '2 2 checkpoint.h5.tmp 1' '20 20 checkpoint.h5.tmp 0'; do
    rm -rf one
    with SHIM_FAIL="write 5 $place" -- 2 run=one checkpoint.io=$io || fail "$io, write 5 $place: exit code $?: $(tail -n 5 err)"
    survives one 4 'cannot be written in parallel: MPI_ERR_IO'
  done
done
mkdir four
timeout -k 1 60 "$MPIRUN" -n 4 env LD_PRELOAD="$SHIM" SHIM_FAIL='write 5 2 2 checkpoint.h5.tmp 2' \
  OMPI_MCA_fbtl_posix_write_datasieving=0 "$PMF_BUILD/tests/saver" save four 1 >out 2>err
check 'exit code of four ranks of which one cannot write' $? 74
said_once 'four/checkpoint.h5.tmp: cannot be written in parallel: MPI_ERR_IO'
check 'left over by four ranks' "$(echo four/*)" 'four/*'

# Four ranks that come to each opening, write or flush of a save at other times, the first rank before the others or after them: the
# same file (EXPECTATIONS H6).
for late in 'open OMPI_COMM_WORLD_RANK' 'open 3-OMPI_COMM_WORLD_RANK' 'write OMPI_COMM_WORLD_RANK' 'fsync 3-OMPI_COMM_WORLD_RANK'; do
  rm -rf four
  mkdir four
  # shellcheck disable=SC2016,SC2086
  timeout -k 1 60 "$MPIRUN" -n 4 bash -c 'SHIM_SLOW="$1 0.0$(($2))5 checkpoint.h5.tmp" LD_PRELOAD=$3 exec "$4" save four 1' \
    late $late "$SHIM" "$PMF_BUILD/tests/saver" >out 2>err || fail "four ranks, late by $late: exit code $?: $(cat err)"
  check "what four ranks saved, late by $late" "$("$PMF_BUILD/tests/saver" find four 2>&1)" 1
done

# A disk that takes nothing more: from the midst of the head on, from the end of the arrays on, from the checksums on. Training
# goes on to its end, which cannot be saved; started again it goes on from what was saved before.
for place in 10 20 28; do
  with -- 2 run=dead$place training.steps=4 || fail "before the disk is dead: exit code $?: $(tail -n 5 err)"
  with SHIM_FAIL="write 5 $place 99999 checkpoint.h5.tmp" -- 2 run=dead$place
  check "exit code where the disk takes nothing from write $place on" $? 74
  said_once "pmf train: dead$place/checkpoint.h5.tmp: cannot be written"
  check "saves on a disk that takes nothing from write $place on" "$(saves_of dead$place)" \
    'save 4,save failed 8,save failed 12,save failed 12'
  check "what stays on such a disk" "$(step_of dead$place/checkpoint.h5)" 4
  on 2 train config=tiny.yml data=set.h5 run=dead$place || fail "a disk that is well again: exit code $?: $(tail -n 5 err)"
  said_once 'going on after step 4 of 12'
  same_as_whole dead$place
done

# A folder that can be read only, from the second save on (its first file is the ninth): training goes on to its end, which cannot
# be saved; started again it goes on from the first. And one that has always been so: one line, no step.
with SHIM_FAIL='open 30 9 999 checkpoint.h5.tmp 0' -- 2 run=shut
check 'exit code where the end cannot be saved' $? 74
check 'saves in a folder that is shut' "$(saves_of shut)" 'save 4,save failed 8,save failed 12,save failed 12'
said_once 'WARNING: not saved at step 8: shut/checkpoint.h5.tmp: cannot be created: Read-only file system'
said 'pmf train: shut/checkpoint.h5.tmp: cannot be created: Read-only file system'
check 'what stays in a folder that is shut' "$(step_of shut/checkpoint.h5)" 4
with SHIM_FAIL='open 30 1 999 metrics.jsonl.tmp' -- 2 run=shut
check 'exit code in a folder that is shut' $? 74
said_once 'pmf train: shut/metrics.jsonl.tmp: Read-only file system'
check 'what stays after such a start' "$(step_of shut/checkpoint.h5)" 4
with SHIM_FAIL='mkdir 30 1 999 none' -- 2 run=none
check 'exit code where no folder can be made' $? 74
said_once 'pmf train: none: Read-only file system'
on 2 train config=tiny.yml data=set.h5 run=shut || fail "shut, and open again: exit code $?: $(tail -n 5 err)"
said_once 'going on after step 4 of 12'
same_as_whole shut

# Locks that the file system refuses: what to do is said, and helps.
for why in 11 38; do   # none of both is passed over
  with HDF5_USE_FILE_LOCKING=TRUE SHIM_FAIL="flock $why 1 1 set.h5 0" -- 2 run=locked
  check "exit code where images cannot be locked: $why" $? 65
  said 'pmf train: set.h5: cannot be locked; HDF5_USE_FILE_LOCKING=FALSE in the environment may help'
done
with SHIM_FAIL='flock 524 1 999 checkpoint.h5.tmp' -- 2 run=locked
check 'exit code where checkpoints cannot be locked' $? 74
said 'WARNING: not saved at step 4: locked/checkpoint.h5.tmp: '
check 'lines that say how to go without locks' "$(grep -c 'HDF5_USE_FILE_LOCKING=FALSE in the environment may help' err)" 5
with HDF5_USE_FILE_LOCKING=FALSE SHIM_FAIL='flock 524 1 999 checkpoint.h5.tmp' -- 2 run=unlocked ||
  fail "without locks: exit code $?: $(tail -n 5 err)"
same_as_whole unlocked

# A newest checkpoint that cannot be read now, as one rank may find it after a fault that passes: it keeps its name and the start
# ends with the reason; the next goes on from it.
# Before it, files that know no locks at all (ENOSYS, 38): HDF5 passes over that where asked to, or built so, and all goes well.
with HDF5_USE_FILE_LOCKING=BEST_EFFORT SHIM_FAIL='flock 38 1 999 set.h5,flock 38 1 999 checkpoint.h5.tmp,flock 38 1 999 checkpoint.h5' \
  -- 2 run=passing training.steps=8 || fail "before a fault that passes: exit code $?: $(tail -n 5 err)"
for fault in 'flock 11 1 1 checkpoint.h5 1:locked' 'flock 37 1 1 checkpoint.h5 0:locked' 'look 5 1 1 checkpoint.h5 1:read: Input/output error' \
  'look 116 2 2 checkpoint.h5 0:opened: Stale file handle'; do
  with SHIM_FAIL="${fault%%:*}" -- 2 run=passing
  check "exit code where a checkpoint cannot be ${fault#*:}" $? 74
  check "lines where a checkpoint cannot be ${fault#*:}" "$(grep -c '^pmf train: ' err)" 1
  said "pmf train: passing/checkpoint.h5: cannot be ${fault#*:}"
  check "checkpoints after one could not be ${fault#*:}" "$(cd passing && echo checkpoint*)" 'checkpoint.h5 checkpoint.h5.prev'
done
with -- 2 run=passing || fail "after a fault that passes: exit code $?: $(tail -n 5 err)"
said_once 'going on after step 8 of 12'
same_as_whole passing

# What deaths leave at full size goes with the next start: a best of the scores half made, one that had just given its name away,
# or one whose new form has its name already; and trials of pmf iotest.
for left in 'best.h5 best.h5.tmp best.h5.prev' 'best.h5.prev best.h5.tmp pmf-iotest.h5 pmf-iotest.h5.prev' 'best.h5 pmf-iotest.h5.tmp'; do
  for name in $left; do echo "${name%.prev}" >"passing/$name"; done
  with -- 2 run=passing || fail "after deaths: exit code $?: $(tail -n 5 err)"
  check "what stays of $left" "$(cd passing && echo *best* *iotest*)" 'best.h5 *iotest*'
  check "the best after $left" "$(cat passing/best.h5)" best.h5
  rm passing/best.h5
done

# Saves that take long: a run stops early enough to be saved before its time is over; a second start, which has not saved yet,
# knows from the first how long that takes.
limit=6
for start in first second; do
  with SHIM_SLOW='fsync 0.6 checkpoint.h5.tmp' PMF_FAULT=sleep:seconds=0.1 -- 2 run=slow training.steps=100000 \
    training.max_time=0.1
  check "exit code of the $start start with little time" $? 75
  # From the lock, the first thing that a start writes, to the status, which is written once the save is sure.
  took=$((($(date -r slow/status +%s%N) - $(date -r slow/lock +%s%N)) / 1000000))
  [ $took -lt $((limit * 1000)) ] || fail "the $start start had $limit s and took $took ms"
  check "status of the $start start with little time" "$(cat slow/status)" "saved step $(step_of slow/checkpoint.h5) of 100000"
  "$PMF" verify slow/checkpoint.h5 >out 2>err || fail "the $start start with little time: $(cat err)"
  every=100000
done

# A file system without locks for a folder: said once, in a folder that is there and in one that is not.
rm -rf alone
for steps in 1 2; do
  with SHIM_FAIL='lock 37 1 99 alone/lock' -- 2 run=alone training.steps=$steps || fail "without a lock: exit code $?: $(tail -n 5 err)"
  said_once 'warning: alone: no lock is to be had here (No locks available): a second training in this folder would not be kept out'
done

# Two starts at once in one folder, which is not there yet: one trains, the other is told by whom.
for i in 1 2; do
  "$MPIRUN" -n 2 env SLURM_JOB_ID=77 "$PMF" train config=tiny.yml data=set.h5 run=both training.steps=1000000 >out 2>err$i </dev/null &
  pids[i]=$!
done
wait -n -p first "${pids[@]}"
check 'exit code of the start that was second' $? 65
# One that Slurm has started again waits for the lock: of a lost node it may be held for a while.
SLURM_RESTART_COUNT=1 PMF_LOCK_PATIENCE=1 on 1 train config=tiny.yml data=set.h5 run=both
check 'exit code of a start again that waits in vain' $? 65
said_once 'this start waits for up to 1 s'
SLURM_RESTART_COUNT=1 "$MPIRUN" -n 2 "$PMF" train config=tiny.yml data=set.h5 run=both training.steps=1000000 >out 2>err.again </dev/null &
again=$!
until grep -q 'this start waits for up to 300 s' err.again || ! kill -0 $again 2>/dev/null; do sleep 0.05; done
if [ "$first" = "${pids[1]}" ]; then loser=1 winner=2; else loser=2 winner=1; fi
grep -q '^pmf train: both: another training is at work in this folder: process [0-9]* on .*, Slurm job 77$' err$loser ||
  fail "no word of the other training: $(tail -n 3 err$loser)"
until grep -q '"event":"step","step":9,' both/metrics.jsonl 2>/dev/null || ! kill -0 "${pids[winner]}" 2>/dev/null; do sleep 0.05; done
kill -USR1 "${pids[winner]}"
wait "${pids[winner]}"
check 'exit code of the start that was first' $? 75
until grep -q '"event":"resume"' both/metrics.jsonl || ! kill -0 $again 2>/dev/null; do sleep 0.05; done
kill -USR1 $again
wait $again
check 'exit code of the start that has waited' $? 75

# A start that hangs is ended too.
with -- 2 run=still training.steps=4 || fail "before a start that hangs: exit code $?: $(tail -n 5 err)"
with SHIM_SLOW='open 1000 still/lock' -- 2 run=still training.watchdog=1
check 'exit code of a start that hangs' $? 76
said 'watchdog: rank 1 of 2 on '
said ', phase start, in collective '
check 'starts in the metrics' "$(grep -c '"event":"start"' both/metrics.jsonl)" 1
awk -F '[:,}]' '/^\{"event":"step"/ { if ($4 != ++n) bad = 1 } END { exit bad }' both/metrics.jsonl || fail 'two have written the metrics'

# An end in which MPI crashes is the end that it was to be.
LD_PRELOAD=$SHIM SHIM_CRASH=1 "$PMF" inspect whole/checkpoint.h5 >out 2>err
check 'exit code of a job in whose end MPI crashes' $? 0
"$PMF" inspect whole/checkpoint.h5 | cmp - out || fail 'MPI crashed as it ended, and words are lost'
LD_PRELOAD=$SHIM SHIM_CRASH=1 "$PMF" train config=tiny.yml data=none.h5 run=none >out 2>err
check 'exit code of a refusal in whose end MPI crashes' $? 65
exit $failed
