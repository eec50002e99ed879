# What a test of whole jobs begins with:   . "$(dirname "$0")/lib.sh"
# It leaves the test in an empty folder of its own, which is removed at the end; the test ends with `exit $failed`.
# $PMF: the program; $PMF_BUILD: the folder it was built in; $MPIRUN: the launcher. Silent but for failures.
# shellcheck shell=bash
set -u
: "${PMF_BUILD:=build}"
: "${PMF:=$PMF_BUILD/pmf}" "${MPIRUN:=mpirun}"
case $PMF in /*) ;; *) PMF=$PWD/$PMF ;; esac
case $PMF_BUILD in /*) ;; *) PMF_BUILD=$PWD/$PMF_BUILD ;; esac
export PMF PMF_BUILD MPIRUN OMP_NUM_THREADS=1 LC_ALL=C   # one order of sort, one point in numbers
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_mpi_yield_when_idle=1
# What would wait: mpirun for one to two seconds wherever a rank ends with another code than 0; networks that are not here, for their
# hardware; threads that find no core, for each other.
export OMPI_MCA_odls_base_sigkill_timeout=0 OMPI_MCA_pml="${OMPI_MCA_pml:-ob1}" OMPI_MCA_btl="${OMPI_MCA_btl:-self,vader,tcp}" OMP_WAIT_POLICY=passive
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
test_name=$(basename "$0")
folder=$(mktemp -d) || exit 1
failures=$folder/.failures   # so that none is lost in $(...), which has a `failed` of its own
trap 'ends_as $?' EXIT
cd "$folder" || exit 1
failed=0

fail() {
  echo "$test_name: $*" | tee -a "$failures"
  failed=1
}
ends_as() {
  local code=$1
  if { [ "$code" = 0 ] || [ "$code" = 77 ]; } && [ -s "$failures" ]; then code=1; fi
  [ $failed = 1 ] || cat "$failures" 2>/dev/null
  rm -rf "$folder"
  exit "$code"
}
# skip WHY ends the test, part_skipped WHY goes on without a part; totals.sh repeats both.
skip() {
  echo "$test_name: skipped: $*"
  exit 77
}
part_skipped() { echo "$test_name: part skipped: $*"; }
# check WHAT GOT EXPECTED
check() { [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"; }

# on RANKS WORDS...: pmf on so many ranks; what it prints goes to out and err, its exit code comes back.
on() {
  local ranks=$1
  shift
  "$MPIRUN" -n "$ranks" "$PMF" "$@" >out 2>err </dev/null
}
# does RANKS WORDS...: and it must end well.
does() { on "$@" || fail "pmf ${*:2} on $1 ranks: exit code $?: $(cat err)"; }
# said TEXT, said_once TEXT: on standard error of what ran last.
said() { grep -qF -- "$1" err || fail "expected '$1' on standard error: $(cat err)"; }
said_once() { check "lines with '$1'" "$(grep -cF -- "$1" err)" 1; }

# refuses TEXT WORDS...: pmf ends with 65, one line with TEXT on standard error and nothing on standard output.
refuses() { ends_with_a_line 65 "$@"; }
# ends_with_a_line CODE TEXT WORDS...
ends_with_a_line() {
  local code=$1 text=$2 got
  shift 2
  "$PMF" "$@" >out 2>err </dev/null
  got=$?
  [ $got = "$code" ] || fail "pmf $*: exit code $got, expected $code: $(cat err)"
  [ "$(wc -l <err)" = 1 ] || fail "pmf $*: expected one line on standard error: $(cat err)"
  [ ! -s out ] || fail "pmf $*: on standard output: $(cat out)"
  grep -qF -- "$text" err || fail "pmf $*: expected '$text': $(cat err)"
}
# shows TEXT WORDS...: pmf ends with 0, TEXT on standard output and nothing on standard error.
shows() {
  local text=$1
  shift
  "$PMF" "$@" >out 2>err </dev/null || fail "pmf $*: exit code $?: $(cat err)"
  [ ! -s err ] || fail "pmf $*: on standard error: $(cat err)"
  grep -qF -- "$text" out || fail "pmf $*: expected '$text': $(cat out)"
}
# helps WORDS...: the help of pmf WORDS in the file help; none would lie in every page.
helps() {
  "$PMF" "$@" >help 2>err </dev/null || fail "pmf $*: exit code $?: $(cat err)"
  [ "$(wc -w <help)" -ge 10 ] || fail "pmf $*: few words: $(cat help)"
}

# arrays CHECKPOINT: its arrays and tensors with their checksums; the rest of what inspect tells names times and hosts.
arrays() {
  local all
  all=$("$PMF" inspect "$1" 2>&1) || fail "$1 cannot be inspected: $all"
  all=$(awk '/^settings:/ { show = 0 } /^(arrays|tensors):/ { show = 1 } show' <<<"$all")
  grep -qE '  [0-9a-f]{16}$' <<<"$all" || fail "$1 shows no checksums: $all"   # without, any two would be the same
  echo "$all"
}

# errors RUN: step, mse_u, mse_v and norm of the gradient, of every line. (The loss is normalised: nearly 2 whatever happens.)
errors() {
  sed -nE 's/^\{"event":"step","step":([0-9]+),.*"mse_u":([^,]*),"mse_v":([^,]*),.*"grad_norm":([^,]*),.*/\1 \2 \3 \4/p' \
    "$1/metrics.jsonl"
}
# alike RUN OTHER: step for step the same errors within 1e-5; other ranks, threads and kernels come to 1e-7 in some ten steps. What
# differs first is in `apart`.
alike() {
  paste -d ' ' <(errors "$1") <(errors "$2") | awk '
    NF != 8 || $1 != $5 { print "a line without its match: " $0; bad = 1; exit }
    { for (i = 2; i <= 4; i++) { d = ($(i + 4) - $i) / $i
        if (!(d * d <= 1e-10)) { print "step " $1 ": " $i " and " $(i + 4); bad = 1; exit } } }   # what is no number, too
    END { if (!NR) print "no steps"; exit bad || !NR }' >apart
}
# within_rounding RUN OTHER, and beyond_rounding, lest every two runs would pass.
within_rounding() { alike "$1" "$2" || fail "$1 differs from $2 by more than rounding: $(cat apart)"; }
beyond_rounding() { ! alike "$1" "$2" || fail "$1 passes for $2"; }

# tiny TRAINING: tiny.yml, a net of a few thousand weights for 8 classes of 16 x 16 in colour, with these keys of training.
tiny() {
  cat >tiny.yml <<TINY
dataset: { image_size: 16, image_channels: 3, num_classes: 8 }
model: { patch_size: 4, depth: 3, aux_head_depth: 1, hidden_size: 48, num_heads: 2, num_class_tokens: 2,
         num_time_tokens: 1, num_cfg_tokens: 1, num_interval_tokens: 1 }
training: { $1 }
sampling: { ema: ema2 }
TINY
}
