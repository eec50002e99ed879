#!/bin/bash
# Folders and files whose names have blanks, quotes, a newline, letters of other alphabets, a dash in front; reached through
# symbolic links; and what may not be written or belongs to another user: all jobs of a run go through, or end with one line and
# leave nothing half-written.
. "$(dirname "$0")/lib.sh"

tiny 'batch_size: 32, steps: 2, ema_val: [2], seed: 9, log_per_step: 1'
sed -i 's/image_size: 16/image_size: 8/' tiny.yml

well() { "$PMF" "$@" >out 2>err </dev/null || fail "pmf $*: exit code $?: $(cat err)"; }
# whole FOLDER NAME...: they are there, and nothing that was begun and not ended.
whole() {
  local at=$1 name
  shift
  for name in "$@"; do [ -s "$at/$name" ] || fail "in '$at': no $name"; done
  check "begun and not ended in '$at'" "$(find "$at/" -name '*.tmp*' -o -name '*.part-*')" ''
}
# begins DATA RUN: folders; packing and a training that is gone on with.
begins() {
  well pack shapes n=300 size=8 holdout=100 out="$1/set.h5"
  cp tiny.yml "$2/my.yml"
  does 2 train config="$2/my.yml" data="$1/set.h5" run="$2/run"
  does 2 train config="$2/my.yml" data="$1/set.h5" run="$2/run" training.steps=3
  whole "$1" set.h5
  whole "$2" run/checkpoint.h5 run/checkpoint.h5.prev run/metrics.jsonl run/provenance.json run/used_parameters.yml
}

# All that a shell, gnuplot, HTML, YAML, JSON or printf could stumble over, in one name; a newline too, but not in that of the
# images: the settings keep it, and they are lines.
# shellcheck disable=SC2016
data='it'\''s "a" `b` $(c) \d %s %d;&|<e>*?[f]#{}: 学习-🙂' at="new
$data"
mkdir "$data" "$at"
begins "$data" "$at"
refuses 'without control characters' train config=tiny.yml data="$at/set.h5" run=none
[ ! -e none ] || fail 'a run that was refused left a folder'
well sample run="$at/run" n=4 out="$at/grid.png"
well sample run="$at/run" n=4 out="$at/images"
well sample run="$at/run" n=4 out="$at/images.npz"
does 2 score run="$at/run" n=100
well report "$at/run"
well compare "$at/run" "$at/run"
well export in="$at/run" out="$at/net.safetensors"
well import in="$at/net.safetensors" out="$at/net.h5"
well inspect "$at/net.h5"
well verify "$at/run/checkpoint.h5"
well verify "$data/set.h5"
if command -v gnuplot >/dev/null; then
  well plot "$at/run"
  whole "$at" run/plot.png
else
  part_skipped 'no gnuplot: no plot'
fi
whole "$data" set.classifier.h5
whole "$at" run/score.json run/report.html grid.png images.npz net.safetensors net.h5
check 'images in the folder' "$(find "$at/images" -name '*.png' -printf . | wc -c)" 4
# Its batch script has the names as the shell takes them.
well sbatch config="$at/my.yml" data="$data/set.h5" run="$at/run" tasks=2 pmf="$PMF" out="$at/job.sbatch"
bash -n "$at/job.sbatch" || fail 'the batch script is no shell'
check 'the run that the batch script names' \
  "$(eval "$(sed -n '/^run=/,/^words=/p' "$at/job.sbatch" | sed '$d')" && printf %s "${run:-}")" "$at/run"

# Bytes that are no character: a folder may be called so, settings take no such text, and what is written as JSON has question marks there.
odd=$'bytes \xff\xc0\xaf é'
well pack shapes n=300 size=8 holdout=100 out=bytes.h5
does 2 train config=tiny.yml data=bytes.h5 run="$odd"
does 2 score run="$odd" n=100 steps=1
refuses 'UTF-8' train config=tiny.yml data="$odd.h5" run=none
for file in provenance.json metrics.jsonl score.json; do
  iconv -f UTF-8 -t UTF-8 <"$odd/$file" >text || fail "$file of $odd is no UTF-8"
done
grep -q 'bytes ??? é' "$odd/provenance.json" && grep -q 'bytes ??? é' "$odd/score.json" || fail "the name of $odd: $(cat "$odd/score.json")"

# A dash in front: values of key=value words; a bare word begins with a dash only for flags.
mkdir ./-dash
begins ./-dash ./-dash
well sample run=-dash/run n=2 out=-grid.png
[ -s ./-grid.png ] || fail 'out=-grid.png drew nothing'
refuses '-dash/run' report -dash/run
well report ./-dash/run

# Through links: to the file of images, to the run's folder, and from a folder that is itself one. What is written through a link
# lies where it points.
mkdir real
ln -s real link
begins link link
mkdir elsewhere
ln -s "$PWD/elsewhere" real/run2
ln -s "$PWD/real/set.h5" images.h5
does 2 train config=tiny.yml data=images.h5 run=link/run2
whole elsewhere checkpoint.h5 metrics.jsonl
[ -L real/run2 ] || fail 'the link to the run is one no more'
ln -s nowhere dangling
refuses 'dangling' inspect dangling
ln -s loop loop
refuses 'loop' verify loop

# Not writable, by a user who is not root. Jobs end with one line; what is there stays as it is.
chmod 755 . real
as() { "$@"; }
mkdir home
export HOME=$PWD/home
if [ "$(id -u)" = 0 ]; then
  command -v setpriv >/dev/null || { part_skipped 'no setpriv: nobody who may not write'; exit "$failed"; }
  chown 65534:65534 home
  chmod 777 home
  export GCOV_PREFIX=$HOME   # where make coverage counts what the other user runs
  as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
  as "$PMF" --version >/dev/null 2>&1 || { part_skipped 'the program lies where others do not reach it'; exit "$failed"; }
fi
# denied CODE TEXT WORDS...: it ends so, with one line that says why, whatever was said before.
denied() {
  local code=$1 text=$2 got
  shift 2
  as "$PMF" "$@" >"$HOME/out" 2>"$HOME/err" </dev/null
  got=$?
  [ $got = "$code" ] || fail "pmf $* as another user: exit code $got, expected $code: $(cat "$HOME/err")"
  check "lines of the reason of pmf $*" "$(grep -c "^pmf $1: " "$HOME/err")" 1
  tail -n 1 "$HOME/err" | grep -F -- "$text" | grep -q "^pmf $1: .*: Permission denied" ||
    fail "pmf $* as another user: expected '$text': $(cat "$HOME/err")"
}
chmod -R go-w real elsewhere
[ "$(id -u)" = 0 ] || chmod -R a-w real elsewhere
find real elsewhere -printf '%p %s %T@\n' | sort >before
denied 65 'real cannot be written to' pack shapes n=100 size=8 out=real/new.h5
denied 74 real/run train config=tiny.yml data=real/set.h5 run=real/run training.steps=4
denied 74 real/new train config=tiny.yml data=real/set.h5 run=real/new
denied 74 real/new.png sample run=real/run n=4 out=real/new.png
denied 74 real/new.npz sample run=real/run n=4 out=real/new.npz
denied 74 real/images sample run=real/run n=4 out=real/images
denied 74 real/new.safetensors export in=real/run out=real/new.safetensors
denied 74 real/run report real/run
if command -v gnuplot >/dev/null; then denied 74 real/run plot real/run; fi
chmod a= real/run/checkpoint.h5 real/set.h5
denied 65 'real/set.h5: cannot be opened' train config=tiny.yml data=real/set.h5 run="$HOME/run"
denied 74 'real/run/checkpoint.h5' inspect real/run/checkpoint.h5
find real elsewhere -printf '%p %s %T@\n' | sort >after
cmp -s before after || fail "a job that was denied changed something: $(diff before after)"
chmod -R u+w real elsewhere
exit $failed
