#!/bin/bash
# doc/metrics.md is the schema of metrics.jsonl: what runs write is on that page and what is on the page they write, each field
# under its event, numbers as numbers; so are the events and fields that the sources name and no run here has come to.
. "$(dirname "$0")/lib.sh"
page=$PMF_SOURCE/doc/metrics.md

# schema PAGE: `event/field` a line, and `event/` for each event; those without a unit as `event/field has no unit`
schema() {
  awk '/^### `/ { split($0, part, "`"); event = part[2]; print event "/"; next }
       /^## / { event = "" }
       event && /^\| `/ { n = split($0, column, /[|]/); unit = column[3]; gsub(/ /, "", unit)
         m = split(column[2], name, "`"); for (i = 2; i <= m; i += 2) print event "/" name[i] (unit ? "" : " has no unit") }' "$1"
}
# fields FILE...: the same of lines of metrics; what is neither a number, null, nor a note in words comes as it is
fields() {
  sed -E 's/^\{"event":"([a-z ]+)","step":[0-9]+(.*)\}$/\1\2/' "$@" | awk '
    { if (!match($0, /^[a-z ]+/)) { print "no line of metrics: " $0; next }
      event = substr($0, 1, RLENGTH); rest = substr($0, RLENGTH + 1); print event "/"
      while (match(rest, /^,"[a-z_]+":(-?[0-9.]+(e[-+]?[0-9]+)?|null)/) || match(rest, /^,"note":"[^"]*"/)) {
        split(substr(rest, 1, RLENGTH), part, "\""); print event "/" part[2]; rest = substr(rest, RLENGTH + 1) }
      if (rest != "") print event "/ has a strange end: " rest }' | sort -u
}
schema "$page" | sort >written
check 'fields without a unit or twice' "$(grep 'no unit' written; uniq -d written)" ''
[ "$(wc -l <written)" -gt 70 ] || fail "few fields on the page: $(cat written)"

tiny 'batch_size: 10, steps: 14, ema_val: [0.02, 2], seed: 3, log_per_step: 1'
echo 'checkpoint: { every_steps: 6 }' >>tiny.yml
"$PMF" pack shapes n=400 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
train=(train config=tiny.yml data=set.h5 sampling.grid_every_steps=5 fid.every_steps=6 fid.time_share=1 fid.online_samples=32)
PMF_FAULT=nan:rank=1:step=8..9 does 2 "${train[@]}" run=back training.max_skips=2
on 2 "${train[@]}" run=stopped training.max_time=0.0001
check 'exit code of a run that is stopped' $? 75
does 2 "${train[@]}" run=stopped
fields back/metrics.jsonl stopped/metrics.jsonl >found
unknown=$(comm -23 found written)
[ -z "$unknown" ] || fail "doc/metrics.md lacks: $unknown"
for event in start resume step save score grid skip rollback stop end; do grep -qxF "$event/" found || fail "no event $event in these runs"; done
# Of events that have come every field has, but for those of another network.
silent=$(comm -13 found written | grep -vE '^(alarm|bad image|replicas differ|save failed|straggler)/|^step/(lpips|convnext|perceptual)')
check 'fields of the page that no line has' "$silent" ''

# What a line says of images with r = t and of the others: of all images, where all are of one kind, and 0 of the other.
for kind in equal/fm/others zero/others/fm; do
  IFS=/ read -r times all none <<<"$kind"
  does 1 train config=tiny.yml data=set.h5 run="$times" training.steps=4 training.learning_rate=0.05 model.times="$times"
  for what in loss mse_u mse_v; do
    check "steps with $what of its kind, times=$times" "$(grep '"event":"step"' "$times/metrics.jsonl" |
      grep -cE "\"$what\":([^,]*),.*\"${what}_(fm\":0,\"${what}_others\":\1,|fm\":\1,\"${what}_others\":0,)")" 4
    check "steps with ${what}_$none, times=$times" "$(grep -c "\"${what}_$none\":0," "$times/metrics.jsonl")" 4
    check "steps with ${what}_$all, times=$times" "$(grep -c "\"${what}_$all\":0," "$times/metrics.jsonl")" 0
  done
done

# Planted: another field, another event, text for a number.
{ echo '{"event":"grid","step":1,"second":3}'; echo '{"event":"grit","step":1}'; echo '{"event":"grid","step":1,"seconds":"3"}'; } >planted
check 'planted lines' "$(fields planted | comm -23 - written | paste -sd ';')" \
  'grid/ has a strange end: ,"seconds":"3";grid/second;grit/'

# A start takes lines away that are none or too late, and leaves a file alone that has none. What cannot be read, or not be written
# anew, ends the start and stays as it was.
resume=(train config=tiny.yml data=set.h5 run=cut checkpoint.every_steps=0)
"$PMF" "${resume[@]}" training.steps=2 >out 2>err || fail "a short run: $(cat err)"
inode() { stat -c %i cut/metrics.jsonl; }
whole=$(inode)
cp cut/metrics.jsonl before
"$PMF" "${resume[@]}" training.steps=3 >out 2>err || fail "one step more: $(cat err)"
check 'a file without such lines is the same file' "$(inode)" "$whole"
cmp -s before <(head -n "$(wc -l <before)" cut/metrics.jsonl) || fail 'what was there has changed'
mv cut/metrics.jsonl before
ln -s /proc/self/mem cut/metrics.jsonl   # its first byte is an I/O error
"$PMF" "${resume[@]}" training.steps=4 >out 2>err
check 'exit code where it cannot be read' $? 74
[ -h cut/metrics.jsonl ] || fail 'a file that cannot be read was written anew'
rm cut/metrics.jsonl
{ cat before; echo '{"event":"step","step":99}'; printf '{"event":"st'; } >cut/metrics.jsonl
cp cut/metrics.jsonl longer
if [ -e "$PMF_BUILD/tests/shim.so" ] && ! ldd "$PMF" | grep -q libasan; then   # sanitizers must be loaded before the shim
  LD_PRELOAD=$PMF_BUILD/tests/shim.so SHIM_FAIL='fsync 5 1 9 metrics.jsonl.tmp' "$PMF" "${resume[@]}" training.steps=4 >out 2>err
  check 'exit code where it cannot be written anew' $? 74
  cmp -s longer cut/metrics.jsonl || fail 'it was written anew, though that failed'
else
  part_skipped 'no shim, or sanitizers that must be loaded before it'
fi
"$PMF" "${resume[@]}" training.steps=4 >out 2>err || fail "a step more: $(cat err)"
cmp -s before <(head -n "$(wc -l <before)" cut/metrics.jsonl) || fail 'what was there has changed, beside what had to go'
check 'lines that had to go' "$(grep -c '"step":99\|"st{' cut/metrics.jsonl)" 0

# The sources: the events that they name, and the fields in the same files.
sources=$(grep -l 'metrics_write(' "$PMF_SOURCE"/jobs/*.c)
# shellcheck disable=SC2086
grep -ohE '(metrics_write\(|\? |: )[^;]*' $sources | grep metrics_write | cut -d '{' -f 1 | grep -oE '"[a-z ]+"' | tr -d '"' | sort -u >events
lost=$(while read -r event; do grep -qxF "$event/" written || echo "$event"; done <events)
[ -z "$lost" ] || fail "events of the sources that the page lacks: $lost"
[ "$(wc -l <events)" -ge 12 ] || fail "few events in the sources: $(cat events)"
# shellcheck disable=SC2086
grep -hv provenance $sources | grep -oE '\{ "[a-z_]+", ' | cut -d '"' -f 2 | sort -u >named
[ "$(wc -l <named)" -ge 40 ] || fail "few fields in the sources: $(cat named)"
lost=$(while read -r field; do grep -q "/$field$" written || echo "$field"; done <named)
[ -z "$lost" ] || fail "fields of the sources that the page lacks: $lost"
exit $failed
