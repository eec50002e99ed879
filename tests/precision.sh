#!/bin/bash
# training.precision: 200 steps of a small net in bf16 stay close to float32, and what was chosen is said. Compared are the
# mean squared errors of u and v (the loss is normalised, nearly 2 whatever happens), means over ten steps of the same draws:
# within 0.1 % from the third line on (bf16 keeps 0.01 %; four bits less would not pass). The setup is one where float32 keeps
# its own track: at twice the rate single samples with large du/dt decide, and float32 with its first weights changed by 2^-8
# ends up several percent away, as bf16 does.
. "$(dirname "$0")/lib.sh"

cat >small.yml <<END
dataset: { image_size: 16, image_channels: 3, num_classes: 8 }
model: { patch_size: 4, depth: 4, aux_head_depth: 2, hidden_size: 64, num_heads: 2, num_class_tokens: 2,
         num_time_tokens: 1, num_cfg_tokens: 1, num_interval_tokens: 1 }
training: { batch_size: 32, steps: 200, learning_rate: 0.002, lr_schedule: cosine, lr_min_factor: 0.05, ema_val: [1],
            seed: 9, log_per_step: 10 }
sampling: { ema: ema1 }
END
"$PMF" pack shapes n=4000 size=16 out=set.h5 >out 2>err || fail "pack: $(cat err)"
for precision in f32 bf16 auto; do
  short=() code=0
  # auto is one of the two, and soon seen to be
  if [ $precision = auto ]; then short=(checkpoint.every_steps=60 training.max_saves=1) code=75; fi
  "$PMF" train config=small.yml data=set.h5 run=$precision training.precision=$precision "${short[@]}" >out 2>$precision.err </dev/null
  check "exit code with training.precision=$precision" $? $code
  # step mse_u mse_v, of every line
  sed -n 's/^{"event":"step","step":\([0-9]*\),.*"mse_u":\([^,]*\),"mse_v":\([^,]*\),.*/\1 \2 \3/p' \
    $precision/metrics.jsonl >$precision.losses
done
[ "$(wc -l <f32.losses)" = 20 ] || fail "float32 wrote $(wc -l <f32.losses) lines of losses, expected 20"

# close NAME: its errors are those of f32 within 0.1 %.
close() {
  paste -d ' ' f32.losses "$1.losses" | awk -v name="$1" '
    NF != 6 || $1 != $4 { print "precision.sh: " name ": a line without its match: " $0; bad = 1 }
    $1 > 20 { for (i = 2; i <= 3; i++) {
      d = ($(i + 3) - $i) / $i   # what is no number fails too
      if (!(d * d <= 0.001 ^ 2)) {
        print "precision.sh: " name ": step " $1 ": mse_" (i == 2 ? "u " : "v ") $(i + 3) ", float32 " $i; bad = 1 } } }
    END { exit bad }' || failed=1
}
close bf16
# auto_is NAME: its losses as far as it went.
auto_is() { [ "$(wc -l <auto.losses)" = 6 ] && cmp -s <(head -n 6 "$1.losses") auto.losses; }
awk 'NR == 1 { first = $2 } END { exit !($2 < 0.75 * first) }' f32.losses || fail "float32 learns nothing: $(cat f32.losses)"
grep -q 'linear layers' f32.err && fail "float32 speaks of precision: $(cat f32.err)"
cmp -s f32.losses bf16.losses && fail 'bf16 has the losses of float32'
if grep -q '^linear layers: products in bf16 by oneDNN' bf16.err; then
  grep -q '^linear layers: products in bf16' auto.err || fail "auto does not take bf16: $(cat auto.err)"
  auto_is bf16 || fail 'auto took bf16 and has other losses'
else
  [ "$(grep -c '^warning: training.precision=bf16 gains nothing here' bf16.err)" = 1 ] ||
    fail "not one warning: $(cat bf16.err)"
  grep -q '^linear layers: float32 (training.precision=auto' auto.err || fail "auto does not say float32: $(cat auto.err)"
  auto_is f32 || fail 'auto took float32 and has other losses'
fi

exit $failed
