#!/bin/bash
# pmf pack folder=DIR: the same file on any number of ranks, what cannot be used named, nothing left behind.
. "$(dirname "$0")/lib.sh"
make="$PMF_BUILD/tests/make_pictures"

# pictures FOLDER FIRST COUNT WIDTH HEIGHT
pictures() { mkdir -p "$1" && "$make" "$@" || fail "make_pictures $*"; }

# packs RANKS WORDS...: good, whole, silent on standard error, and no .tmp or part stays.
packs() {
  local ranks=$1
  shift
  if [ "$ranks" -gt 1 ]; then does "$ranks" pack "$@" out=set.h5   # one needs no launcher
  else "$PMF" pack "$@" out=set.h5 >out 2>err </dev/null || fail "pmf pack $*: exit code $?: $(cat err)"
  fi
  [ ! -s err ] || fail "pack $* on $ranks ranks: standard error: $(cat err)"
  cp out report
  "$PMF" verify set.h5 >out 2>err || fail "pack $* on $ranks ranks: $(cat err)"
  nothing_left
}
nothing_left() { check 'files left behind' "$(ls -d ./*.tmp ./*.part-* 2>/dev/null)" ''; }
# reports TEXT: on standard output; lists TEXT: in set.h5.left_out.txt.
reports() { grep -qF -- "$1" report || fail "the report lacks '$1': $(cat report)"; }
lists() { grep -qF -- "$1" set.h5.left_out.txt || fail "set.h5.left_out.txt lacks '$1': $(cat set.h5.left_out.txt)"; }

pictures 'good/a cat' 0 20 40 50
pictures $'good/b\ndog' 20 15 47 33
pictures good/c 35 2 200 31

packs 1 folder=good size=16
reports 'set.h5: 37 images of 16 x 16 pixels, 3 channels, 3 classes'
reports 'classes: a cat, b\ndog, c'
reports 'train 34 images, held out 3 (0 dropped'
reports 'EXIF: 4 pictures are marked as turned or mirrored; the mark is ignored'
reports '16-bit grey: 4 pictures'
! grep -q 'left out [1-9]' report || fail "left out of a good folder: $(cat report)"
[ ! -e set.h5.left_out.txt ] || fail 'a list of files left out, though none is'

# The same bytes on any number of ranks, but for the time of day in the provenance. Four blocks of checksums, shared.
packs 1 folder=good size=200 upscale=yes seed=1
cp set.h5 one.h5
for ranks in 2 3; do
  packs $ranks folder=good size=200 upscale=yes seed=1
  differ=$(cmp -l one.h5 set.h5 | wc -l)
  [ "$differ" -le 20 ] || fail "$ranks ranks: $differ bytes differ from those of one"
  check 'lines about the file' "$(grep -c '^set.h5: ' report)" 1
done
packs 1 folder=good size=200 upscale=yes seed=2
[ "$(cmp -l one.h5 set.h5 | wc -l)" -gt 1000 ] || fail 'another seed holds the same images out'

packs 2 folder=good size=16 channels=1 holdout=0
reports '37 images of 16 x 16 pixels, 1 channel, 3 classes'
reports 'train 37 images, held out 0'
packs 1 folder=good size=32 holdout=5
reports 'train 30 images, held out 5'
reports 'left out 2 of 37 files: 2 smaller than size='
lists 'good/c/035.png: smaller than size=: 200 x 31 pixels'
reports 'classes left out, without a usable training picture: c'
packs 1 folder=good size=32 holdout=5 upscale=yes
reports 'train 32 images, held out 5'
[ ! -e set.h5.left_out.txt ] || fail 'the list of an earlier pack stays'

# What cannot be used is named, and the rest is packed.
cp -r good bad
mkdir bad/empty bad/c/deep bad/.hidden
head -c 300 'good/a cat/000.png' >'bad/a cat/cut one.png'
head -c 700 'good/a cat/001.jpg' >$'bad/a cat/cut\nline.jpg'
echo 'a text' >bad/c/text.png
: >bad/c/zero.png
cp good/c/035.png bad/stray.png
touch bad/c/.DS_Store
ln -s loop bad/c/loop
ln -s .. bad/c/up
ln -s /nowhere/at/all bad/c/gone.png
mkfifo bad/c/pipe.png
ln -s "$PWD/good/c/036.png" bad/c/linked.png
pictures bad/d 60 1 15 90
for ranks in 1 3; do
  packs $ranks folder=bad size=16 holdout=3
  reports '38 images of 16 x 16 pixels, 3 channels, 3 classes'
  reports 'repeated: 1 training images have the pixels of an earlier one'
  reports "left out 13 of 51 files: 2 hidden, 1 outside of the class folders, 2 folders inside a class folder, \
1 not regular files, 2 unreadable, 1 empty, 1 neither PNG nor JPEG, 2 damaged, 1 smaller than size="
  reports 'classes left out, without a usable training picture: d, empty'
  lists 'bad/a cat/cut one.png: damaged PNG: '
  lists 'bad/a cat/cut\nline.jpg: damaged JPEG: Premature end of JPEG file'
  lists 'bad/c/text.png: neither PNG nor JPEG'
  lists 'bad/c/zero.png: the file is empty'
  lists 'bad/stray.png: outside of the class folders'
  lists 'bad/c/loop: cannot be read: Too many levels'
  lists 'bad/c/gone.png: cannot be read: No such file'
  lists 'bad/c/pipe.png: not a regular file'
  lists 'bad/c/up: a folder inside a class folder'
  lists 'bad/c/.DS_Store: hidden'
  check 'lines of the list' "$(wc -l <set.h5.left_out.txt)" 13
done

# Held-out pictures of their own: same classes by name, copies of training pictures dropped and named.
pictures 'apart/a cat' 100 4 40 40
pictures apart/unknown 104 2 40 40
cp 'good/a cat/000.png' 'apart/a cat/copy.png'
cp 'apart/a cat/100.jpg' 'apart/a cat/twice.jpg'
packs 3 folder=good heldout=apart size=16
reports 'train 37 images, held out 4 (2 dropped'
reports 'left out 4 of 45 files: 2 of a class without training pictures, 2 held-out copies'
lists 'apart/a cat/copy.png: the same pixels as good/a cat/000.png'
lists 'apart/unknown/104'

# More than twenty are counted on standard output and named in the list.
mkdir many && cp -r good/c many/c
for i in $(seq 30); do : >"many/c/zero$i"; done
packs 2 folder=many size=16
reports 'and 10 more: all are named in set.h5.left_out.txt'
check 'lines of the list' "$(wc -l <set.h5.left_out.txt)" 30

mkdir -p one/c none/c && cp good/c/035.png one/c && echo text >none/c/a.png
packs 1 folder=one size=16
reports 'train 1 images, held out 0'

# leaves TEXT WORDS...: refused, and what was there before stays.
leaves() {
  local text=$1
  shift
  echo before >set.h5
  refuses "$text" pack "$@" out=set.h5
  check 'set.h5' "$(cat set.h5)" before
  nothing_left
}
mkdir bare
leaves 'no picture can be used: 1 neither PNG nor JPEG; the first file is none/c/a.png' folder=none size=16
leaves 'bare: holds no files' folder=bare size=16
leaves 'nowhere: No such file or directory' folder=nowhere size=16
leaves 'size= is missing' folder=good
leaves 'holdout=37: leaves nothing to train on' folder=good size=16 holdout=37
leaves 'holdout= and heldout=' folder=good size=16 holdout=3 heldout=apart
leaves 'channels=2' folder=good size=16 channels=2
leaves 'upscale=maybe' folder=good size=16 upscale=maybe
leaves 'n= goes with shapes only' folder=good size=16 n=3
leaves 'channels= goes with folder=DIR only' shapes channels=1

# A file system that refuses, at the beginning and at the end: only the old file stays.
for obstacle in set.h5.part-0 set.h5.tmp; do
  mkdir $obstacle
  echo before >set.h5
  ends_with_a_line 74 'cannot be' pack folder=good size=16 out=set.h5
  check 'set.h5' "$(cat set.h5)" before
  rmdir $obstacle
  nothing_left
done

exit $failed
