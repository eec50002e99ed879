#!/bin/bash
# pmf compare on runs written by hand: the settings in which they differ and no others, errors and scores after as many images and
# after as many minutes, and a picture that is a PNG.
. "$(dirname "$0")/lib.sh"

# write RUN RATE STEPS U: a run of 10 images a step, so many a second, whose error is U divided by the step.
write() {
  mkdir "$1"
  echo '{"event":"start","step":0,"ranks":1}' >"$1/metrics.jsonl"
  for ((i = 1; i <= $3; i++)); do
    printf '{"event":"step","step":%d,"images":%d,"loss":2,"mse_u":%s,"mse_v":0.5,"seconds":%s}\n' "$i" $((i * 10)) \
      "$(awk "BEGIN { print $4 / $i }")" "$(awk "BEGIN { print $i * 10 / $2 }")" >>"$1/metrics.jsonl"
  done
}
write a 10 100 1
write 'b two' 20 120 2
for step in 40 80; do
  echo "{\"event\":\"score\",\"step\":$step,\"images\":$((step * 10)),\"fid_classifier\":$step,\"kid_classifier\":0.1,\"agreement\":1}"
done >>a/metrics.jsonl
printf 'training:\n  learning_rate: 0.002\n  batch_size: 10\n' >a/used_parameters.yml
printf 'training:\n  learning_rate: 0.004\n  batch_size: 10\n' >'b two/used_parameters.yml'

does 0 compare a 'b two'
row() { grep -F "  $1  " out | sed -n "${2:-1}p" | awk '{ print $(NF - 1), $NF }'; }
check 'settings that differ' "$(sed -n '/^settings that differ/,/^how far/p' out | sed 's/  */ /g')" 'settings that differ
 training.learning_rate 0.002 0.004
how far'
check 'steps' "$(row steps)" '100 120'
check 'images/s' "$(row images/s)" '10.0 20.0'
mean() { awk "BEGIN { for (i = $2; i <= $3; i++) s += $1 / i; printf \"%.5g\", s / ($3 - $2 + 1) }"; }   # of U / i
check 'errors after 1000 images' "$(row 'mean square error, u')" "$(mean 1 91 100) $(mean 2 91 100)"
check 'errors after a minute' "$(row 'mean square error, u' 2)" "$(mean 1 55 60) $(mean 2 109 120)"
check 'the best score' "$(row 'best FID[classifier]')" '40 -'
check 'the last score up to 1000 images' "$(row 'last FID[classifier]')" '80 -'
check 'what the runs have in common' "$(grep '^after' out)" 'after 1000 images
after 1.00 minutes'
check 'the last score up to one minute' "$(row 'last FID[classifier]' 2)" '40 -'
grep -q 'do not compare' out && fail "a warning of scores that are told nothing of: $(cat out)"

# Scores by another classifier, of another number of images, or of too few: marked. c and d differ in one of these at a time.
score() { # RUN N DEFICIENT JUDGE
  cp -r a "$1" && sed -i '/"score"/d' "$1/metrics.jsonl" && printf '%s%s\n' '{"event":"score","step":90,"images":900,"fid_classifier":7,' \
    "\"n\":$2,\"rank_deficient\":$3,\"note\":\"classifier $4\"}" >>"$1/metrics.jsonl"
}
score c 5000 0 0123456789abcdef && score same 5000 0 0123456789abcdef && score judged 5000 0 fedcba9876543210
score fewer 400 0 0123456789abcdef && score few 60 1 0123456789abcdef
does 0 compare c same
check 'images of the best score' "$(row '  of images')" '5000 5000'
check 'classifiers of the best score' "$(row '  by classifier')" '0123456789ab 0123456789ab'
check 'warnings of scores that compare' "$(grep -cE 'do not compare|N < D' out)" 0
does 0 compare c judged
check 'another classifier' "$(grep 'do not compare' out)" 'FID[classifier] by different classifiers: do not compare it'
does 0 compare c fewer
check 'fewer images' "$(grep -c 'of different numbers of images: do not compare' out)" 1
does 0 compare few few
check 'few images' "$(grep '  of images' out | sed 's/  */ /g') $(grep -c '^N < D' out)" ' of images 60 < D 60 < D 1'
does 0 compare a a
check 'the same run twice' "$(sed -n '/^settings that differ/,/^how far/p' out | sed -n 2p)" '  none'

if command -v gnuplot >/dev/null; then
  does 0 compare a 'b two' out=both.png
  check 'the picture' "$(head -c 4 both.png | tail -c 3)" PNG
  does 0 compare a 'b two' out=both.svg
  grep -q '<svg' both.svg || fail 'both.svg is none'
fi
refuses 'expected the folders of two runs or more' compare a
refuses 'expected FILE.png' compare a a out=x.csv
refuses 'missing' compare a missing
exit "$failed"
