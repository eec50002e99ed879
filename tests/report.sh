#!/bin/bash
# pmf report on a run written by hand: one page that names nothing outside itself, shows what is in the folder, pictures among
# it, and takes no text for markup.
. "$(dirname "$0")/lib.sh"

mkdir 'a <b> run'
{
  echo '{"event":"start","step":0,"ranks":1}'
  for i in 1 2 3; do
    echo "{\"event\":\"step\",\"step\":$i,\"images\":$((i * 10)),\"loss\":2,\"mse_u\":0.5,\"mse_v\":0.25,\"seconds\":$i}"
  done
} >'a <b> run/metrics.jsonl'
echo 'done step 3 of 3' >'a <b> run/status'
echo '{"step":3,"images_seen":30,"classifier":{"hash":"0123456789abcdef"},"scores":[{"images":"1 <step>","evaluations":1,"n":60,"rank_deficient":true,"fid_classifier":12.5,"kid_classifier":null,"agreement":0.75}]}' \
  >'a <b> run/score.json'
printf 'training:\n  batch_size: 10   # <script>\n' >'a <b> run/used_parameters.yml'
"$PMF_BUILD/tests/make_pictures" . 0 1 32 24
cp 000.png 'a <b> run/grid.png'

shows 'a <b> run/report.html' report 'a <b> run'
page='a <b> run/report.html'
has() { grep -qF -- "$1" "$page" || fail "the page lacks '$1'"; }
has '<title>a &lt;b&gt; run</title>'
has 'done step 3 of 3'
has '<td>3</td><td>30</td>'
has '<td>1 &lt;step&gt;</td><td>60 &lt; D</td><td>12.5</td><td>&ndash;</td><td>75.0 %</td>'
has 'by classifier 0123456789abcdef; N &lt; D: '
has '# &lt;script&gt;'
check 'columns against training images, which were not asked for' "$(grep -c 'against training images' "$page")" 0
sed -i 's/"scores"/"train_n":40,&/; s/"kid_classifier":null/"fid_classifier_train":9.5,"fid_classifier_difference":3,&/' 'a <b> run/score.json'
shows 'a <b> run/report.html' report 'a <b> run'
has '<th>against training images</th><th>difference</th><th>KID'
has '<td>12.5</td><td>9.5</td><td>3</td><td>&ndash;</td>'
others=$(grep -oE "(src|href)=[\"'][^\"']*|url\\([^)]*" "$page" | cut -c 1-60 | grep -vE "=[\"'](data:|#)|url\\([\"']?#")
check 'what a page would fetch' "$others" ''
check 'markup out of text' "$(grep -cF '<script' "$page")" 0
check 'pages' "$(grep -c '^</body></html>$' "$page")" 1
sed -n 's/.*src="data:image.png;base64,\([^"]*\)".*/\1/p' "$page" | base64 -d >back.png
cmp back.png 000.png || fail 'the picture in the page is another'
if command -v gnuplot >/dev/null; then has '<svg'; fi
[ "$(find 'a <b> run' -name '*.tmp' -o -name '*.svg' | wc -l)" = 0 ] || fail 'something is left beside the page'

# A run that began with another's checkpoint: images a second are of its own.
mkdir of
{
  echo '{"event":"resume","step":1000,"images":10000,"ranks":1}'
  echo '{"event":"step","step":1003,"images":10030,"loss":2,"mse_u":0.5,"mse_v":0.25,"seconds":3}'
} >of/metrics.jsonl
shows 'of/report.html' report of
page=of/report.html
has '<td>1003</td><td>10030</td><td>0.1</td><td>10.0</td>'

refuses 'expected the folder of a run' report
refuses 'missing' report missing
exit "$failed"
