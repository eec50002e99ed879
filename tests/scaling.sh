#!/bin/bash
# pmf plot scaling on a study written by hand: medians and their spread over the repeats, speed-up and efficiency against the fewest
# ranks of the same net and study, whatever the order of the files; one line for what is no run of a study.
. "$(dirname "$0")/lib.sh"

point() { # point STUDY NET RANKS REPEAT BATCH IMAGES_PER_S SECONDS EXPOSED
  printf '{"study":"%s","net":"%s","repeat":%d,"bench":{"ranks":%d,"threads":8,"batch_size":%d,"images_per_s":%s,"step_seconds":%s,' \
    "$1" "$2" "$4" "$3" "$5" "$6" "$7" >"s/$1.$2.$3.$4.json"
  printf '"reduce_exposed":%s,"step_share":0.8,"peak_bytes":%d}}\n' "$8" $((100 + $4)) >>"s/$1.$2.$3.$4.json"
}
mkdir s
point strong B 2 1 64 10 6.4 0
point strong B 2 2 64 12 5.3 0
point strong B 2 3 64 11 5.8 0
point strong B 8 1 64 33 2 0.5
point strong B 8 2 64 22 2 0.2
point strong B 8 3 64 44 4 0.4
point weak B 1 1 1 5 0.2 0
point weak B 4 1 4 16 0.25 0.05
point strong L 16 1 64 3 9 0

shows 'scaling.csv' plot scaling s
check 'the names' "$(head -n 1 s/scaling.csv | cut -d , -f 1-11,15-20)" \
  'study,net,ranks,threads,batch,repeats,baseline_ranks,peak_bytes,images_per_s_least,images_per_s,images_per_s_most,speed_up_least,speed_up,speed_up_most,efficiency_least,efficiency,efficiency_most'
# At 2 ranks 11 images/s, the median: 2 ranks are 2; at 8 ranks 22, 33, 44 images/s are 4, 6 and 8 times one rank.
check 'the rows' "$(tail -n +2 s/scaling.csv | cut -d , -f 1-11,15-20)" \
'strong,B,2,8,64,3,2,103,10,11,12,1.81818,2,2.18182,0.909091,1,1.09091
strong,B,8,8,64,3,2,103,22,33,44,4,6,8,0.5,0.75,1
strong,L,16,8,64,1,16,101,3,3,3,16,16,16,1,1,1
weak,B,1,8,1,1,1,101,5,5,5,1,1,1,1,1,1
weak,B,4,8,4,1,1,101,16,16,16,3.2,3.2,3.2,0.8,0.8,0.8'
check 'waiting, as a share of the step' "$(sed -n 3p s/scaling.csv | cut -d , -f 21-23)" 0.1,0.1,0.25
if command -v gnuplot >/dev/null; then
  [ "$(head -c 4 s/scaling.png | tail -c 3)" = PNG ] || fail 's/scaling.png is no PNG'
fi
shows 'n.csv' plot scaling s out=n.csv
cmp n.csv s/scaling.csv || fail 'out=n.csv holds other numbers'

ends_with_a_line 74 'No such file' plot scaling nothing
mkdir none bad
refuses 'no NAME.json there' plot scaling none
cp s/weak.B.1.1.json bad
echo '{"study":"weak","net":"B","bench":{"ranks":2}}' >>bad/weak.B.1.1.json
refuses 'bad/weak.B.1.1.json:2: expected a run of the study' plot scaling bad
rm -r bad/* && cp s/strong.B.2.1.json s/strong.B.2.2.json bad && sed -i 's/"batch_size":64/"batch_size":32/' bad/strong.B.2.2.json
refuses 'repeats with batches of' plot scaling bad
sed -i 's/"batch_size":32/"batch_size":64/; s/"threads":8/"threads":4/' bad/strong.B.2.2.json
refuses 'threads a rank; expected one number' plot scaling bad
exit "$failed"
