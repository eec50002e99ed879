#!/bin/bash
# A checkpoint is read on any number of ranks. A save killed at any stage leaves a sound generation behind; export, inspect and
# verify say what is in a file, and what is wrong with it: one line, exit 65.
. "$(dirname "$0")/lib.sh"

# on_ranks N WORDS..., ranks WORDS...: tests/saver.c, which does one thing after the other; on two.
on_ranks() { "$MPIRUN" -np "$1" "$PMF_BUILD/tests/saver" "${@:2}" 2>err; }
ranks() { on_ranks 2 "$@"; }

# says CODE TEXT WORDS...: exit code, and TEXT somewhere in what is printed
says() {
  local code=$1 text=$2
  shift 2
  "$PMF" "$@" >out 2>&1 </dev/null
  check "pmf $*: exit code" $? "$code"
  grep -qF -- "$text" out || fail "pmf $*: no '$text' in: $(cat out)"
}

# dies HOW STAGE: the third save, there and then (save) or by threads (later), is killed at that stage on all ranks.
dies() {
  local how=$1 stage=$2
  rm -rf run
  mkdir run
  check "nothing saved yet" "$(ranks find run save run 1 "$how" run 2)" 0
  PMF_DIE_AT=$stage ranks "$how" run 3 && check "$how killed at $stage" survived died
  check "after a death of $how at $stage" "$(ranks find run)" 2
  check "no stray file after $how, $stage" "$(cd run && echo *.tmp)" "*.tmp"
  check "the save after a death of $how at $stage" "$(ranks "$how" run 4 find run)" 4
}

mkdir elastic
on_ranks 4 save elastic 5
for n in 1 2 3 4 8; do check "saved on 4 ranks, read on $n" "$(on_ranks $n find elastic)$(cat err)" 5; done

for stage in created copied writing written marked; do dies later $stage; done
for stage in created written summed marked rotated; do dies save $stage; done

file=run/checkpoint.h5 out=x.safetensors
says 0 "every block agrees" verify "$file"
says 0 "step 4, 256 images seen" inspect "$file"
says 0 "blocks.0.mlp.w1.weight" inspect "$file"
says 0 "ema500 weights of $file at step 4" export in=run out="$out"
says 0 "raw weights" export in="$file" out="$out" ema=raw
says 65 "ema=ema7: $file holds raw, ema500" export in="$file" out=none ema=ema7
says 65 "v_head=maybe: expected yes or no" export in="$file" out=none v_head=maybe
says 65 "is an HDF5 file, which export does not replace" export in=run out="$file"
says 65 "is a checkpoint, which pack does not replace" pack shapes n=8 size=8 out="$file"
says 65 "expected FILE.png, FILE.npz, or a folder" sample run=run out=x.jpg
says 65 "none?end: missing" inspect "none
end"
says 65 "in= is missing" export out=none
says 65 "holds no checkpoint.h5" export in=. out=none
says 65 "missing" verify none.h5
says 65 "expected a file" inspect
echo "no HDF5" >text.h5
says 65 "not an HDF5 file" inspect text.h5
chmod 644 "$file"
printf '\377\377\377\377' | dd of="$file" bs=1 seek=$((3 * 1048576 + 77)) conv=notrunc 2>dd.err
says 65 "is damaged (checksum differs)" verify "$file"
says 0 "using $file.prev" export in=run out="$out"
mkdir lone && cp "$file" lone/
says 65 "no lone/checkpoint.h5.prev is beside it: put a sound one in its place" export in=lone out=none
check "nothing half-written" "$(echo *.tmp none*)" "*.tmp none*"
exit $failed
