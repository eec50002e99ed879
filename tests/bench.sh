#!/bin/bash
# pmf bench and pmf plan say what they promise, as a table and as one line of JSON, on 1 and 2 ranks; the peak of memory is what
# was planned; any ranks x threads train alike. No speed is asserted.
. "$(dirname "$0")/lib.sh"
tiny 'batch_size: 12, steps: 6, learning_rate: 0.005, ema_val: [2], seed: 9, log_per_step: 1'

# value KEY: the number under that key in the line of JSON in out; nothing if there is none that is finite.
value() { sed -n "s/.*\"$1\":\(-\{0,1\}[0-9][0-9.]*\(e[-+]\{0,1\}[0-9]*\)\{0,1\}\)[],}].*/\1/p" out; }
# has KEY...: finite numbers in one line; rates, shares and seconds are above zero, but for those of waiting, and none is below.
has() {
  local key above
  [ "$(wc -l <out)" = 1 ] || fail "expected one line of JSON: $(head -c 300 out)"
  for key in "$@"; do
    case $key in
      reduce_* | wait_*) above=0 ;;
      *_per_s | *seconds | *share | *flops* | latency_s | pace_* | parameters* | total_bytes | forward | backward | optimizer) above=1 ;;
      *) above=0 ;;
    esac
    awk -v x="$(value "$key")" -v above=$above 'BEGIN { exit !(x != "" && (above ? x + 0 > 0 : x + 0 >= 0)) }' ||
      fail "$key is not there, no number or not above zero: $(cat out)"
  done
}
# says PATTERN...: lines that the table must have.
says() {
  local pattern
  for pattern in "$@"; do grep -qE -- "$pattern" out || fail "expected '$pattern' in: $(cat out)"; done
}

step_keys="images_per_s gradient_share newton_schulz_share step_share sgemm_gflops peak_bytes plan_bytes step_seconds
  gradient_seconds gradient_gflops guidance_per_image tangents_per_image parameters
  reduce_seconds reduce_exposed reduce_exposed_median reduce_exposed_most reduce_progress reduce_calls reduce_bytes"
phases="data draw guidance forward backward reduce optimizer ema other"
plan_keys="parameters parameters_sampling micro_batch weights_bytes moments_bytes emas_bytes gradients_bytes activations_bytes
  tangents_bytes buffers_bytes rounded_bytes optimizer_bytes loader_bytes total_bytes checkpoint_bytes gradient_flops_per_image
  newton_schulz_flops sgemm_gflops gradient_seconds newton_schulz_seconds step_seconds"
data_keys="ranks images image_bytes kept_in_memory alone_cold_images_per_s alone_warm_images_per_s loader_cold_images_per_s
  loader_warm_images_per_s step_seconds wait_cold_seconds wait_warm_seconds pace_cold pace_warm"

export TMPDIR=$PWD
does 1 pack shapes n=100 size=16 out=set.h5
# As JSON on both numbers of ranks where they may differ; the tables, which say the same, on one of them.
for ranks in 1 2; do
  does $ranks bench step config=tiny.yml steps=2 --json
  # shellcheck disable=SC2086   # the words are the keys
  has $step_keys $phases
  grep -q '"precision":"f32"' out || fail "bench step does not tell its precision: $(cat out)"
  grep -q '"seconds":{' out || fail "no seconds by phase: $(cat out)"
  [ "$(value ranks)" = $ranks ] || fail "bench step counts $(value ranks) ranks, not $ranks"
  does $ranks bench comm config=tiny.yml steps=2
  says '^bytes,Allreduce ms,' '^1024(,[0-9.]+){4}$' '^67108864(,[0-9.]+){4}$' '^# adding: [0-9.]+ GiB/s$' \
    "^# the net's [0-9.]+ MiB in [0-9]+ buckets.*: [0-9.]+ s$"
  does $ranks bench data config=tiny.yml size=32 n=40 steps=2 step_seconds=0.01 --json
  # shellcheck disable=SC2086
  has $data_keys
  check 'pixels a side' "$(value image_size)" 32
  check 'images in batches of' "$(value images) $(value batch_size)" '40 10'
  does $ranks plan config=tiny.yml sampling.grid_every_steps=5 --json
  tr '{},' '\n' <out | awk -F: '/total_bytes/ { total = $2 } /_bytes/ && !/total_|checkpoint_/ { parts += $2 } END { exit !total || parts != total }' ||
    fail "the parts of pmf plan are not its total: $(cat out)"
  # shellcheck disable=SC2086
  has $plan_keys
done
does 2 bench step config=tiny.yml steps=1
says 'gradients. way +[0-9.]+ s +exposed, mean of the ranks .median [0-9.]+, most [0-9.]+' 'precision f32' 'images/s +[0-9.]+' 'gradient +[0-9.]+ %' 'Newton-Schulz +[0-9.]+ %' 'whole step +[0-9.]+ %' \
  'memory a rank' 'forward +[0-9.]+'
does 2 bench sample config=tiny.yml steps=2 --json
has latency_s latency_share images_per_s chunk_share peak_bytes plan_bytes
does 1 bench sample config=tiny.yml steps=1
says '^one image: +[0-9.]+ s' '^chunks of 16: +[0-9.]+ images/s' '^memory a rank: [0-9.]+ GiB'
does 2 bench gemm config=tiny.yml --json
has gflops
[ "$(grep -o '"gflops"' out | wc -l)" = 12 ] || fail "not twelve products: $(cat out)"
does 1 bench gemm config=tiny.yml
[ "$(grep -cE ' x +[0-9]+ x +[0-9]+ +[0-9.]+ GF/s$' out)" = 12 ] || fail "not twelve products: $(cat out)"
does 2 bench data config=tiny.yml data=set.h5 steps=1 step_seconds=0.01
says '^100 images of 16 x 16 x 3 .* batches of 12' '^  cold +[0-9]+ ' '^  warm +[0-9]+ ' '[0-9]+ % of it stayed in memory'
does 1 plan config=tiny.yml training.recompute=block
says 'parameters [0-9.]+ M' '^  total +[0-9.]+' '^checkpoint [0-9.]+ MiB' 'GF an image: forward' 'GF of Newton-Schulz a step'

does 1 bench vision steps=1 --json
has images_per_s share gradients_per_s gradient_share sgemm_gflops
[ "$(grep -o '"network"' out | wc -l)" = 3 ] || fail "not three networks: $(cat out)"
does 1 bench vision steps=1
says 'a share is of the sgemm rate' '^Inception-v3, 299 +forward +[0-9.]+ +[0-9.]+ +[0-9.]+ %' '^ +with gradient +[0-9.]+'

"$PMF" bench node config=tiny.yml steps=1 --json >out 2>err </dev/null || fail "bench node: $(cat err)"
has cores best_ranks best_threads
[ "$(grep -o '"images_per_s":[0-9]*[1-9]' out | wc -l)" -ge 1 ] || fail "bench node trained nothing: $(cat out)"
"$PMF" bench node config=tiny.yml steps=1 >out 2>err </dev/null || fail "bench node: $(cat err)"
says 'ranks +threads +images/s' '^The fastest here: +OMP_NUM_THREADS=[0-9]+ mpirun -np [0-9]+'

# The plan, which begins after what the libraries take for themselves, holds within 5 %; of a net of almost nothing within
# 4 MiB.
for ranks in 1 2; do
  does $ranks bench step config=tiny.yml steps=1 --json
  own=$(($(value peak_bytes) - $(value plan_bytes)))
  [ $own -lt $((4 << 20)) ] || fail "a tiny net on $ranks ranks takes $own bytes more than planned"
  does $ranks bench step preset=fashion steps=1 --json
  awk -v peak="$(value peak_bytes)" -v plan="$(value plan_bytes)" '
    BEGIN { exit !(plan > 0 && peak >= 0.9 * plan && peak <= 1.05 * plan) }' ||
    fail "fashion on $ranks ranks took $(value peak_bytes) bytes, planned were $(value plan_bytes)"
done

[ -z "$(ls pmf-bench* 2>/dev/null)" ] || fail "generated data stay behind: $(ls pmf-bench*)"

# Any ranks and threads: one training, but for rounding.
for combo in '1 1' '2 1' '1 2' '2 2' '3 1'; do
  # shellcheck disable=SC2086
  set -- $combo
  OMP_NUM_THREADS=$2 does "$1" train config=tiny.yml data=set.h5 run="r$1x$2"
  check "steps on $1 ranks x $2 threads" "$(errors "r$1x$2" | wc -l)" 6
  within_rounding "r$1x$2" r1x1
done
does 1 train config=tiny.yml data=set.h5 run=other training.seed=10
beyond_rounding other r1x1

refuses 'expected one of step, sample, gemm, comm, data, vision, node' bench config=tiny.yml
refuses 'bench stop: expected one of' bench stop config=tiny.yml
refuses 'training.batchsize' bench step config=tiny.yml training.batchsize=3
refuses 'n= is for bench data alone' bench step config=tiny.yml n=40
refuses 'size=: the images of data= have their own' bench data config=tiny.yml data=set.h5 size=32
refuses 'nothing.h5: no such file' bench data config=tiny.yml data=nothing.h5
refuses 'n=3' bench data config=tiny.yml n=3
refuses 'steps=0' bench step config=tiny.yml steps=0
refuses 'ranks=none' plan config=tiny.yml ranks=none
refuses 'patch' plan config=tiny.yml model.patch_size=5
refuses 'stray' plan config=tiny.yml stray
exit $failed
