#!/bin/bash
# pmf check-data: bad pictures and images are named, the same on any number of ranks, and pack takes what the manifest calls good.
. "$(dirname "$0")/lib.sh"
make="$PMF_BUILD/tests/make_pictures"

# looks CODE RANKS WORDS...: the exit code, and one line on standard error unless it is 0.
looks() {
  local code=$1 ranks=$2 got
  shift 2
  if [ "$ranks" -gt 1 ]; then "$MPIRUN" --quiet -n "$ranks" "$PMF" check-data "$@" >out 2>err </dev/null; got=$?
  else "$PMF" check-data "$@" >out 2>err </dev/null; got=$?
  fi
  check "exit code of check-data $* on $ranks ranks" $got "$code"
  check "lines on standard error of $* on $ranks ranks" "$(grep -c . err)" $((code != 0))
}
# names TEXT: as a whole line on standard output
names() { grep -qxF -- "$1" out || fail "expected the line '$1': $(cat out)"; }

mkdir -p 'good/a cat' good/$'b,\n"dog"'
"$make" 'good/a cat' 0 12 40 50 && "$make" good/$'b,\n"dog"' 12 6 47 33 || fail 'make_pictures'
for ranks in 1 2; do
  looks 0 $ranks good
  grep -q '^good: 18 files, 0 bad, 0 more not looked at .*; 2 classes; 47 x 33 to 40 x 50 pixels by the shorter side; [0-9]* images/s$' out ||
    fail "good: $(cat out)"
  check 'lines about a good folder' "$(wc -l <out)" 1
done

# Every way to be bad, and what is none.
cp -r good bad
bad='bad/a cat'
head -c 300 'good/a cat/000.png' >"$bad/cut.png"
head -c 700 'good/a cat/001.jpg' >"$bad/cut.jpg"
{ head -c 60 'good/a cat/000.png'; printf 'x'; tail -c +62 'good/a cat/000.png'; } >"$bad/crc.png"
: >"$bad/zero.png"
echo text >"$bad/text.png"
# 70000 x 70000 pixels by its header, whose checksum is right
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\001\021\160\0\001\021\160\010\002\0\0\0\260\134\243\234' >"$bad/huge.png"
ln -s /nowhere/at/all "$bad/gone.png"
ln -s . "$bad/deep"
mkfifo "$bad/pipe.png"
touch "$bad/.hidden"
cp "$bad/000.png" bad/stray.png
for ranks in 1 2 3; do
  looks 65 $ranks bad manifest=m$ranks.csv
  grep -q '^pmf check-data: bad: 8 of 26 files are bad$' err || fail "check-data bad: $(cat err)"
  grep -v ' images/s$' out >lines$ranks
  cmp -s lines1 lines$ranks || fail "$ranks ranks print other lines than one: $(diff lines1 lines$ranks)"
  cmp -s m1.csv m$ranks.csv || fail "$ranks ranks write another manifest than one: $(diff m1.csv m$ranks.csv)"
done
check 'bad files named' "$(wc -l <lines1)" 8
names 'bad/a cat/zero.png: the file is empty'
names 'bad/a cat/text.png: neither PNG nor JPEG by its first bytes'
names 'bad/a cat/pipe.png: not a regular file'
names 'bad/a cat/gone.png: cannot be read: No such file or directory'
for line in 'cut.png: damaged PNG: it ends too early' 'cut.jpg: damaged JPEG: Premature end' 'crc.png: damaged PNG: ' 'huge.png: '; do
  grep -qF "bad/a cat/$line" out || fail "expected a line with '$line': $(cat out)"
done
check 'their order' "$(sort lines1 | cmp - lines1 2>&1)" ''
grep -q '^bad: 26 files, 8 bad, 3 more not looked at' out || fail "bad: $(cat out)"
[ ! -e m1.csv.tmp ] || fail 'm1.csv.tmp stays'

# The manifest: hashes are those of the files, odd names stand in quotes.
check 'head of the manifest' "$(head -1 m1.csv)" 'path,class,width,height,bytes,xxh64,state,reason'
row=$(grep '^a cat/000.png,' m1.csv)
bytes=$(stat -c %s 'good/a cat/000.png')
case $row in "a cat/000.png,a cat,40,50,$bytes,"????????????????,good,) ;; *) fail "a row: $row" ;; esac
if command -v xxhsum >/dev/null; then check 'a hash' "$(echo "$row" | cut -d , -f 6)" "$(xxhsum -H64 'good/a cat/000.png' | cut -c 1-16)"; else part_skipped 'no xxhsum'; fi
grep -q '^a cat/zero.png,a cat,,,0,,bad,the file is empty$' m1.csv || fail "m1.csv: $(cat m1.csv)"
grep -q '^a cat/.hidden,a cat,,,0,,ignored,hidden$' m1.csv || fail "m1.csv: $(cat m1.csv)"
check 'rows with a quoted name' "$(grep -c '^""dog""/0.*\.[a-z]*","b,$' m1.csv)" 6

# pack by the manifest: what it does not call good, does not know or knows otherwise is left out, though it is a fine picture.
rm "$bad/gone.png" "$bad/002.png"
cp 'good/a cat/000.png' "$bad/zero.png"
cp 'good/a cat/004.png' "$bad/new.png"
cp 'good/a cat/006.png' "$bad/003.jpg"
for ranks in 1 2; do
  does $ranks pack folder=bad size=16 holdout=2 manifest=m1.csv out=set.h5
  said 'warning: 1 of 18 files that m1.csv calls good are not in bad'
  cp set.h5.left_out.txt left$ranks
  grep -q '^train 14 images, held out 2 ' out || fail "pack with a manifest: $(cat out)"
  for line in 'zero.png: not good by the manifest' 'new.png: not in the manifest' '003.jpg: changed since the manifest'; do
    grep -qxF "bad/a cat/$line" left$ranks || fail "left out: expected '$line': $(cat left$ranks)"
  done
done
cmp -s left1 left2 || fail 'two ranks leave others out than one'
sed 's/$/\r/' m1.csv >dos.csv   # as a spreadsheet may save it; the class whose name has a newline is not known by it any more
does 1 pack folder=bad size=16 holdout=2 manifest=dos.csv out=set.h5
grep -q '^train 8 images, held out 2 ' out || fail "a manifest with DOS line ends: $(cat out)"
head -c 400 m1.csv >short.csv
refuses 'short.csv: row ' pack folder=bad size=16 manifest=short.csv out=other.h5
refuses 'not a manifest: its first line is not' pack folder=bad size=16 manifest=lines1 out=other.h5
refuses 'nowhere.csv: cannot be read' pack folder=bad size=16 manifest=nowhere.csv out=other.h5
{ cat m1.csv; echo "$row"; } >twice.csv
refuses 'names a cat/000.png twice' pack folder=bad size=16 manifest=twice.csv out=other.h5
refuses 'manifest= goes with folder=DIR only' pack shapes manifest=m1.csv out=other.h5

# A packed file.
"$PMF" pack shapes n=2000 size=32 out=packed.h5 >out 2>err || fail "pack: $(cat err)"
looks 0 2 packed.h5
grep -q '^packed.h5: 2200 images, 0 bad; [0-9]* images/s$' out || fail "packed.h5: $(cat out)"
damage() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
cp packed.h5 probe.h5
damage probe.h5 $(($(stat -c %s probe.h5) / 3)) 'abc'
first=$("$PMF" verify probe.h5 2>&1 | sed -n 's|.*/train/images, block \([0-9]*\) .* from byte \([0-9]*\) of the file.*|\2 - \1 * 1048576|p')
first=$((first))
for i in 1000 1001 1002; do damage packed.h5 $((first + i * 3072 + 7)) 'damage'; done
damage packed.h5 $((first + 1999 * 3072 + 3000)) 'damage'
for ranks in 1 2 3; do
  looks 65 $ranks packed.h5
  grep -q '^pmf check-data: packed.h5: damaged: 4 of 2200 images are bad$' err || fail "packed.h5 on $ranks ranks: $(cat err)"
  names 'train images 1000 to 1002: differs from its checksum'
  names 'train image 1999: differs from its checksum'
  grep -q '^damaged: /train/images, block 2 of 6 (.*) differs from its checksum$' out || fail "packed.h5: $(cat out)"
  grep -q '^packed.h5: 2200 images, 4 bad; ' out || fail "packed.h5: $(cat out)"
done

refuses 'expected a folder or a packed file' check-data
refuses 'nowhere: no such file' check-data nowhere
refuses 'lines1: not an HDF5 file' check-data lines1
refuses 'manifest= goes with a folder of pictures' check-data packed.h5 manifest=m.csv
mkdir bare
looks 65 1 bare
grep -q 'bare: holds no pictures' err || fail "bare: $(cat err)"
mkdir taken.csv
looks 74 1 good manifest=taken.csv
looks 74 2 good manifest=nowhere/m.csv   # before any picture was looked at
grep -q 'nowhere/m.csv: the manifest cannot be written there' err || fail "a manifest in no folder: $(cat err)"
exit $failed
