#!/bin/bash
# pmf pack as a user meets it: good sources give a file and a report, bad ones exit 65 with one line and leave nothing.
. "$(dirname "$0")/lib.sh"

# packs TEXT WORDS...: exit 0, a report with TEXT on standard output, nothing on standard error, set.h5 and no .tmp.
packs() {
  local text=$1
  shift
  rm -f set.h5
  "$PMF" pack "$@" out=set.h5 >out 2>err </dev/null || fail "pack $*: exit code $?, expected 0: $(cat err)"
  grep -qF -- "$text" out || fail "pack $*: the report lacks '$text': $(cat out)"
  [ ! -s err ] || fail "pack $*: standard error: $(cat err)"
  [ -s set.h5 ] || fail "pack $*: wrote no set.h5"
  [ ! -e set.h5.tmp ] || fail "pack $*: left set.h5.tmp"
}

# leaves TEXT WORDS...: refused, and set.h5 is as it was before.
leaves() {
  local text=$1
  shift
  echo before >set.h5
  refuses "$text" pack "$@"
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
shows '40 training and 4 held-out images of 16 x 16 pixels, 3 channels' inspect set.h5
check 'a line a class' "$(grep -cE '^ +[0-7]  [a-z]+ +[0-9]+ +[0-9]+$' out)" 8
check 'images of all classes' "$(awk '/^ +[0-7]  / { t += $3; h += $4 } END { print t, h }' out)" '40 4'
packs 'train 24 images, held out 0' shapes n=24 size=8 holdout=0 seed=7
packs 'circle, square, triangle' shapes n=8 size=8

"$PMF" pack shapes n=8 size=8 out=new/set.h5 >out 2>err || fail "a folder that is missing alone is not made: $(cat err)"
[ -s new/set.h5 ] || fail 'no new/set.h5'
does 2 pack shapes n=8 size=8 out=two.h5
check 'lines of two ranks about the file' "$(grep -c '^two.h5: ' out)" 1

leaves 'expected idx=DIR, folder=DIR or shapes' out=set.h5
leaves 'more than one source' shapes idx=plain out=set.h5
leaves 'out= is missing' shapes
leaves 'not a source' circles out=set.h5
leaves 'sizee' shapes sizee=8 out=set.h5
leaves 'size=7: shapes need at least 8 pixels a side' shapes size=7 out=set.h5
leaves 'size' shapes size=big out=set.h5
leaves 'n= goes with shapes only' idx=plain n=3 out=set.h5
leaves 'seed= goes with shapes and folder=DIR only' idx=plain seed=3 out=set.h5
leaves 'classes= goes with idx=DIR only' shapes classes=3 out=set.h5
leaves 'size=28: the images of plain have 2 pixels a side' idx=plain size=28 out=set.h5
leaves 'nowhere: no such folder' idx=nowhere out=set.h5
leaves 'no/where cannot be made' shapes n=8 out=no/where/set.h5
leaves 'is not a file' shapes n=8 out=plain
leaves 'set.h5 is not a folder' shapes n=8 out=set.h5/a.h5

make_idx bad && rm bad/t10k-labels-idx1-ubyte
leaves 'bad/t10k-labels-idx1-ubyte: missing' idx=bad out=set.h5
make_idx bad && printf 'x' >>bad/train-images-idx3-ubyte
leaves 'bad/train-images-idx3-ubyte: too long' idx=bad out=set.h5
make_idx bad && printf '\0\0\10\1\0\0\0\2\0\7' >bad/t10k-labels-idx1-ubyte
leaves 'bad/t10k-labels-idx1-ubyte: label 7 of image 1 is out of range, expected 0 to 1' idx=bad out=set.h5
make_idx bad && printf '\0\0\10\3\377\377\377\377\0\0\4\0\0\0\4\0abc' >bad/train-images-idx3-ubyte
leaves 'bad/train-images-idx3-ubyte: cut short' idx=bad out=set.h5

exit $failed
