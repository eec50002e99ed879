#!/bin/bash
# pmf plot on runs written by hand: what is drawn is what counts of metrics.jsonl (lines cut short and steps done twice do not),
# the picture is a PNG that decodes, a name with blanks, quotes and all else harms nothing, and what is missing is one line.
. "$(dirname "$0")/lib.sh"

step() { # step RUN STEP SECONDS LOSS
  printf '{"event":"step","step":%d,"images":%d,"loss":%s,"mse_u":0.5,"mse_v":%s,"seconds":%s}\n' \
    "$2" $(($2 * 10)) "$4" "$4" "$3" >>"$1/metrics.jsonl"
}
# One start to step 40, and a line of 50 that was cut; resumed from 20 on other ranks, so that 30 and 40 were done again,
# but for the score of 30; 50 twice; an event that plot does not know; a number that was infinite; lines that are no JSON
# or not whole.
mkdir run
{
  echo '{"event":"start","step":0,"ranks":1}'
  step . 10 30 9 && step . 20 60 8 && step . 30 90 7 && step . 40 120 6 && cat metrics.jsonl && rm metrics.jsonl
  echo '{"event":"score","step":20,"images":200,"fid_classifier":90,"kid_classifier":0.1,"agreement":0.5}'
  echo '{"event":"score","step":30,"images":300,"fid_classifier":2,"kid_classifier":0.001,"agreement":1}'
  echo '{"event":"score","step":40,"images":400,"fid_classifier":1,"kid_classifier":0.001,"agreement":1}'
  echo '{"event":"step","step":50,"images":5'
  echo '{"event":"resume","step":20,"ranks":3}'
  echo 'no JSON' && echo '[]' && echo '{"event":"save","step":20,"seconds":1}' && echo '{"event":5,"step":"x"}'
  step . 30 60 4 && step . 40 120 null && step . 50 150 3 && step . 50 180 2 && cat metrics.jsonl && rm metrics.jsonl
  echo '{"event":"score","step":40,"images":400,"fid_classifier":40,"kid_classifier":0.05,"agreement":0.75}'
  printf '{"event":"step","step":60,"images":600,"loss":1,"seconds":200}'
} >run/metrics.jsonl
cat >run/score.json <<'SCORES'
{"step":50,"images_seen":500,"scores":[
 {"images":"training images","evaluations":null,"fid_classifier":0.35,"kid_classifier":0.0001,"agreement":0.99},
 {"images":"1 step","evaluations":1,"fid_classifier":30,"kid_classifier":0.03,"agreement":0.9},
 {"images":"a \"strange\" row, it's","evaluations":4,"fid_classifier":12,"kid_classifier":null,"agreement":null},
 {"images":"class means","evaluations":null,"fid_classifier":250,"kid_classifier":0.5,"agreement":1},
 {"images":"uniform noise","evaluations":null,"fid_classifier":800,"kid_classifier":2,"agreement":0.1}]}
SCORES

shows 'numbers.csv' plot run out=numbers.csv
check 'what out=FILE.csv prints' "$(cat out)" numbers.csv
check 'losses that were drawn' "$(grep '^"loss",' numbers.csv)" '"loss",10,100,0.5,9
"loss",20,200,1,8
"loss",30,300,2,4
"loss",50,500,4,2'
check 'scores that were drawn' "$(grep '^"FID' numbers.csv)" '"FID[classifier]",20,200,1,90
"FID[classifier]",40,400,3,40
"FID[classifier]: training images",,,,0.35
"FID[classifier]: 1 step",,500,4,30
"FID[classifier]: a ""strange"" row, it'\''s",,500,4,12
"FID[classifier]: class means",,,,250'
check 'the kinds of rows, and the first line' "$(cut -d '"' -f 2 <numbers.csv | sort -u | wc -l)" 20
[ ! -e numbers.png ] || fail 'out=FILE.csv drew a picture'

# Running means: over more than 40 lines of a straight line they are the line.
mkdir few
{ step . 1 1 1 && cat metrics.jsonl && rm metrics.jsonl; } >few/metrics.jsonl
echo '{"event":"score","step":1,"images":10,"fid_classifier":9,"n":60,"rank_deficient":1}' >>few/metrics.jsonl
echo '{"step":1,"images_seen":10,"scores":[{"images":"1 step","evaluations":1,"fid_classifier":8,"rank_deficient":true}]}' >few/score.json
shows 'few.csv' plot few out=few.csv
check 'scores of few images' "$(grep -o '^"FID[^"]*"' few.csv | tr '\n' ' ')" '"FID[classifier], N < D" "FID[classifier], N < D: 1 step" '
mkdir line
for i in $(seq 1 100); do step line "$i" "$i" "$((1000 - i))"; done
shows 'line.csv' plot line out=line.csv
check 'running means of a straight line' "$(grep -c '^"loss, running mean",' line.csv)" 100
awk -F, '/^"loss",/ { loss[$2] = $5 } /^"loss, running/ { if ($6 != loss[$3]) bad = 1 } END { exit bad }' line.csv ||
  fail "running means of a straight line are another: $(grep running line.csv | head -n 3)"

# The one line where gnuplot is not to be found; the numbers are written all the same, and no picture is begun.
mkdir empty
"$MPIRUN" --quiet -n 1 env PATH="$folder/empty" "$PMF" plot run >out 2>err </dev/null   # mpirun itself needs its PATH
check 'exit code without gnuplot' $? 69
check 'lines without gnuplot' "$(wc -l <err)" 1
grep -q 'gnuplot-nox.*run/plot.csv' err || fail "without gnuplot: $(cat err)"
check 'files without gnuplot' "$(cd run && echo *)" 'metrics.jsonl plot.csv score.json'

# One that fails, and one that draws nothing, by their own words; the picture of before stays.
for words in 'echo; echo "line 7: no such colour" >&2; exit 1' 'echo "line 7: no such colour" >&2'; do
  mkdir -p fake && printf '#!/bin/sh\n%s\n' "$words" >fake/gnuplot && chmod +x fake/gnuplot
  echo before >run/plot.png
  PATH=$folder/fake:$PATH ends_with_a_line 74 'line 7: no such colour' plot run
  check 'the picture of before' "$(cat run/plot.png)" before
  check 'what a picture that failed left' "$(find run -name '*.tmp')" ''
done
rm run/plot.png

refuses 'expected the folder of a run' plot
refuses 'expected one folder' plot run run
refuses 'expected the folder of a study' plot scaling
refuses 'none/metrics.jsonl' plot none
refuses 'numbers.csv/metrics.jsonl' plot numbers.csv
refuses 'out=x.pdf: expected FILE.png or FILE.csv' plot run out=x.pdf
refuses 'did you mean out=' plot run outt=x.png
mkdir new && echo '{"event":"start","step":0,"ranks":2}' >new/metrics.jsonl
refuses 'new/metrics.jsonl: no line of a step yet' plot new
check 'files where nothing could be drawn' "$(cd new && echo *)" metrics.jsonl
ends_with_a_line 74 'nowhere/x.csv' plot run out=nowhere/x.png

command -v gnuplot >/dev/null || { part_skipped 'no gnuplot: no pictures'; exit $failed; }

# png FILE: a PNG from its first to its last bytes.
png() {
  [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "$1 is no PNG: $(head -c 300 "$1")"
  [ "$(tail -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 49454e44ae426082 ] || fail "$1 has no end"
  [ "$(wc -c <"$1")" -gt 10000 ] || fail "$1 is of $(wc -c <"$1") bytes"
}
shows 'run/plot.png' plot run
png run/plot.png
check 'files of a plot' "$(cd run && echo *)" 'metrics.jsonl plot.csv plot.png score.json'
shows 'one.png' plot line out=one.png
png one.png
strange="it's a \"run\" \\n \`x\` \$(y) {a_b^c} [0] ; reset # %d
  ünd"
cp -r run "$strange"
shows '' plot "$strange"
png "$strange/plot.png"
does 2 plot run out=two.png
png two.png
check 'what two ranks print' "$(cat out)" 'two.png
two.csv'

exit $failed
