#!/bin/sh
# pmf pack as a user meets it: good sources give a file and a report, bad ones exit 65 with one line and leave nothing.
# Silent but for failures. $PMF: the program; $MPIRUN: the launcher.
set -u
: "${PMF:=build/pmf}" "${MPIRUN:=mpirun}"
export OMPI_MCA_rmaps_base_oversubscribe=1
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
case $PMF in /*) ;; *) PMF=$PWD/$PMF ;; esac
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0

fail() {
  echo "pack.sh: $*"
  failed=1
}

# packs TEXT WORDS...: exit 0, a report with TEXT on standard output, nothing on standard error, set.h5 and no .tmp.
packs() {
  text=$1
  shift
  rm -f set.h5
  "$PMF" pack "$@" out=set.h5 >out 2>err </dev/null || fail "pack $*: exit code $?, expected 0: $(cat err)"
  grep -qF -- "$text" out || fail "pack $*: the report lacks '$text': $(cat out)"
  [ ! -s err ] || fail "pack $*: standard error: $(cat err)"
  [ -s set.h5 ] || fail "pack $*: wrote no set.h5"
  [ ! -e set.h5.tmp ] || fail "pack $*: left set.h5.tmp"
}

# refuses TEXT WORDS...: exit 65, one line with TEXT on standard error, no report, and set.h5 as it was before.
refuses() {
  text=$1
  shift
  echo before >set.h5
  "$PMF" pack "$@" >out 2>err </dev/null
  code=$?
  [ $code = 65 ] || fail "pack $*: exit code $code, expected 65"
  [ "$(wc -l <err)" -eq 1 ] || fail "pack $*: expected one line, got: $(cat err)"
  grep -qF -- "$text" err || fail "pack $*: the reason lacks '$text': $(cat err)"
  [ ! -s out ] || fail "pack $*: standard output: $(cat out)"
  [ "$(cat set.h5)" = before ] || fail "pack $*: touched set.h5"
  [ ! -e set.h5.tmp ] || fail "pack $*: left set.h5.tmp"
}

# Four IDX files in the folder $1: 4 training images of 2 x 2, 2 held out, of which the second occurs in train; 2 classes.
make_idx() {
  mkdir -p "$1"
  printf '\0\0\10\3\0\0\0\4\0\0\0\2\0\0\0\2aaaabbbbccccdddd' >"$1/train-images-idx3-ubyte"
  printf '\0\0\10\1\0\0\0\4\0\1\0\1' >"$1/train-labels-idx1-ubyte"
  printf '\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\2eeeecccc' >"$1/t10k-images-idx3-ubyte"
  printf '\0\0\10\1\0\0\0\2\0\1' >"$1/t10k-labels-idx1-ubyte"
}

make_idx plain
make_idx packed && gzip packed/*
packs 'set.h5: 5 images of 2 x 2 pixels, 1 channel, 2 classes' idx=plain
packs 'train 4 images, held out 1 (1 dropped' idx=plain
packs 'train 4 images, held out 1 (1 dropped' idx=packed size=2
packs 'classes: 0, 1, 2' idx=plain classes=3
packs 'set.h5: 44 images of 16 x 16 pixels, 3 channels, 8 classes' shapes n=40 size=16
packs 'train 24 images, held out 0' shapes n=24 size=8 holdout=0 seed=7
packs 'circle, square, triangle' shapes n=8 size=8

"$PMF" pack shapes n=8 size=8 out=new/set.h5 >/dev/null 2>err || fail "a folder that is missing alone is not made: $(cat err)"
[ -s new/set.h5 ] || fail 'no new/set.h5'
"$MPIRUN" -n 2 "$PMF" pack shapes n=8 size=8 out=two.h5 >out 2>err </dev/null || fail "on two ranks: exit code $?: $(cat err)"
[ "$(grep -c '^two.h5: ' out)" = 1 ] || fail "two ranks print: $(cat out)"

refuses 'expected idx=DIR or shapes' out=set.h5
refuses 'two sources' shapes idx=plain out=set.h5
refuses 'out= is missing' shapes
refuses 'not a source' circles out=set.h5
refuses 'later version' folder=plain out=set.h5
refuses 'sizee' shapes sizee=8 out=set.h5
refuses 'size=7: shapes need at least 8 pixels a side' shapes size=7 out=set.h5
refuses 'size' shapes size=big out=set.h5
refuses 'n= goes with shapes only' idx=plain n=3 out=set.h5
refuses 'seed= goes with shapes only' idx=plain seed=3 out=set.h5
refuses 'classes= goes with idx=DIR only' shapes classes=3 out=set.h5
refuses 'size=28: the images of plain have 2 pixels a side' idx=plain size=28 out=set.h5
refuses 'nowhere: no such folder' idx=nowhere out=set.h5
refuses 'no/where cannot be made' shapes n=8 out=no/where/set.h5
refuses 'is not a file' shapes n=8 out=plain
refuses 'set.h5 is not a folder' shapes n=8 out=set.h5/a.h5

make_idx bad && rm bad/t10k-labels-idx1-ubyte
refuses 'bad/t10k-labels-idx1-ubyte: missing' idx=bad out=set.h5
make_idx bad && printf 'x' >>bad/train-images-idx3-ubyte
refuses 'bad/train-images-idx3-ubyte: too long' idx=bad out=set.h5
make_idx bad && printf '\0\0\10\1\0\0\0\2\0\7' >bad/t10k-labels-idx1-ubyte
refuses 'bad/t10k-labels-idx1-ubyte: label 7 of image 1 is out of range, expected 0 to 1' idx=bad out=set.h5
make_idx bad && printf '\0\0\10\3\377\377\377\377\0\0\4\0\0\0\4\0abc' >bad/train-images-idx3-ubyte
refuses 'bad/train-images-idx3-ubyte: cut short' idx=bad out=set.h5

exit $failed
