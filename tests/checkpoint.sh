#!/bin/sh
# A save killed at any stage leaves a sound generation behind; export, inspect and verify say what is in a file, and
# what is wrong with it: one line, exit 65. PMF_BUILD names the build (default build).
build=${PMF_BUILD:-build}
pmf=${PMF:-$build/pmf} mpirun=${MPIRUN:-mpirun}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
passed=0 failed=0

# check WHAT GOT EXPECTED
check() {
  if [ "$2" = "$3" ]; then passed=$((passed + 1))
  else failed=$((failed + 1)); echo "FAIL $1: got '$2', expected '$3'"
  fi
}
ranks() { "$mpirun" --oversubscribe -np 2 "$build/tests/mpi_checkpoint" "$@" 2>"$tmp/err"; }

# says CODE TEXT WORDS...: exit code, and TEXT somewhere in what is printed
says() {
  code=$1 text=$2
  shift 2
  "$pmf" "$@" >"$tmp/out" 2>&1 </dev/null
  check "pmf $*: exit code" $? "$code"
  grep -qF -- "$text" "$tmp/out" || { failed=$((failed + 1)); echo "FAIL pmf $*: no '$text' in:"; cat "$tmp/out"; }
}

for stage in created written summed marked rotated; do
  mkdir "$tmp/run"
  check "nothing saved yet" "$(ranks find "$tmp/run")" 0
  ranks save "$tmp/run" 1
  ranks save "$tmp/run" 2
  PMF_DIE_AT=$stage ranks save "$tmp/run" 3 && check "killed at $stage" survived died
  check "after a death at $stage" "$(ranks find "$tmp/run")" 2
  check "no stray file after $stage" "$(cd "$tmp/run" && echo *.tmp)" "*.tmp"
  ranks save "$tmp/run" 4
  check "the save after a death at $stage" "$(ranks find "$tmp/run")" 4
  [ $stage = rotated ] || rm -rf "$tmp/run"
done

file=$tmp/run/checkpoint.h5 out=$tmp/x.safetensors
says 0 "every block agrees" verify "$file"
says 0 "step 4, 256 images seen" inspect "$file"
says 0 "blocks.0.mlp.w1.weight" inspect "$file"
says 0 "ema500 weights of $file at step 4" export in="$tmp/run" out="$out"
says 0 "raw weights" export in="$file" out="$out" ema=raw v_head=yes
says 65 "ema=ema7: $file holds raw, ema500" export in="$file" out="$tmp/none" ema=ema7
says 65 "v_head=maybe: expected yes or no" export in="$file" out="$tmp/none" v_head=maybe
says 65 "is an HDF5 file, which export does not replace" export in="$tmp/run" out="$file"
says 65 "is a checkpoint, which pack does not replace" pack shapes n=8 size=8 out="$file"
says 65 "expected FILE.png, or a folder" sample run="$tmp/run" out="$tmp/x.jpg"
says 65 "none?end: missing" inspect "$tmp/none
end"
says 65 "in= is missing" export out="$tmp/none"
says 65 "holds no checkpoint.h5" export in="$tmp" out="$tmp/none"
says 65 "missing" verify "$tmp/none.h5"
says 65 "expected a file" inspect
echo "no HDF5" >"$tmp/text.h5"
says 65 "not an HDF5 file" inspect "$tmp/text.h5"
chmod 644 "$file"
printf '\377\377\377\377' | dd of="$file" bs=1 seek=$((3 * 1048576 + 77)) conv=notrunc 2>"$tmp/err"
says 65 "is damaged (checksum differs)" verify "$file"
says 0 "using $file.prev" export in="$tmp/run" out="$out"
check "nothing half-written" "$(cd "$tmp" && echo *.tmp none*)" "*.tmp none*"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
