# What a test of whole jobs begins with:   . "$(dirname "$0")/lib.sh"
# It leaves the test in an empty folder of its own, which is removed at the end; the test ends with `exit $failed`.
# $PMF: the program; $PMF_BUILD: the folder it was built in; $MPIRUN: the launcher. Silent but for failures.
# shellcheck shell=bash
set -u
: "${PMF_BUILD:=build}"
: "${PMF:=$PMF_BUILD/pmf}" "${MPIRUN:=mpirun}"
case $PMF in /*) ;; *) PMF=$PWD/$PMF ;; esac
case $PMF_BUILD in /*) ;; *) PMF_BUILD=$PWD/$PMF_BUILD ;; esac
export PMF PMF_BUILD MPIRUN OMP_NUM_THREADS=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_mpi_yield_when_idle=1
# What would wait: mpirun for one to two seconds wherever a rank ends with another code than 0; networks that are not here, for their
# hardware; threads that find no core, for each other.
export OMPI_MCA_odls_base_sigkill_timeout=0 OMPI_MCA_pml="${OMPI_MCA_pml:-ob1}" OMPI_MCA_btl="${OMPI_MCA_btl:-self,vader,tcp}" OMP_WAIT_POLICY=passive
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
test_name=$(basename "$0")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

fail() {
  echo "$test_name: $*"
  failed=1
}
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
