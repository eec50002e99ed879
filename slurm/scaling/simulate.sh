#!/bin/bash
# A step on ranks that are not there: measures a net on this machine, layer for layer, and simulates its step on 1 to 1024 ranks of described
# clusters (pmf-simulate, over SimGrid); `pmf plot scaling OUT` draws efficiency and waiting.
#   slurm/scaling/simulate.sh OUT [name=value ...]
#     nets="pMF_B_32 pMF_H_32"   presets   ranks="1 2 4 8 16 32 64 128 256 512 1024"
#     networks="100 25"   Gbit/s of a node each way; nodes are all joined by a switch that never blocks     latency=1   microseconds of a link
#     threads=8 of a rank (measured with as many as there are, OMP_NUM_THREADS, and scaled)     images=1 of a rank in a step
#     node_ranks=1        ranks that share a node's link     reduce=overlap  or twolevel     bucket_mib=25
#     add_gib=10          GiB/s that a rank adds, as `pmf bench comm` says     copy_gib=0  GiB/s at which processors copy messages; 0: network cards do
#     fair=0              1: messages share links as SimGrid's max-min fairness has it, slowly; 0: evenly
#     later=1             0: a step waits for all new weights
#     alone=no            yes: nothing is computed; what `pmf bench comm` measures for the net
#     words="..."         more for `pmf bench step`, which measures two images     pmf=pmf simulate=pmf-simulate   the programs
# Points and measurements that are there already are kept: started again it goes on. Seconds for 128 ranks and pMF_B_32, minutes for 1024;
# five times as long for pMF_H_32, and 25 MiB of address space a rank.
set -u
out='' nets='pMF_B_32 pMF_H_32' ranks='1 2 4 8 16 32 64 128 256 512 1024' networks='100 25' latency=1
threads=8 images=1 node_ranks=1 reduce=overlap bucket_mib=25 add_gib=10 copy_gib=0 fair=0 later=1 words='' alone=no pmf=pmf simulate=pmf-simulate

# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../words.sh"
read_words 'nets ranks networks latency threads images node_ranks reduce bucket_mib add_gib copy_gib fair later words alone pmf simulate' "$@"
whole_numbers threads node_ranks
for R in $ranks; do
  [[ $R =~ ^[1-9][0-9]{0,5}$ ]] || die "ranks: $R: expected a number of ranks, up to 999999"
done
for program in smpirun "$simulate" "$pmf"; do
  command -v "$program" >/dev/null || { echo "simulate.sh: $program is not here (SimGrid: Debian's libsimgrid-dev)" >&2; exit 69; }
done
simulate=$(command -v "$simulate")

one_study "latency=$latency threads=$threads images=$images node_ranks=$node_ranks reduce=$reduce bucket_mib=$bucket_mib add_gib=$add_gib copy_gib=$copy_gib fair=$fair later=$later alone=$alone words=$words"

# platform GBIT RANKS: nodes on a switch. CM02 takes bandwidth and latency as they stand; without cross traffic a message does not load
# the way back (a twentieth, TCP's answers), which also ties all messages of all ranks into one system of equations: twice the time at 128 ranks.
platform() {
  local nodes=$((($2 + node_ranks - 1) / node_ranks))
  cat <<END
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="node-" suffix="" radical="0-$((nodes - 1))" speed="1Gf" core="$node_ranks" bw="$(
    awk "BEGIN { print $1 / 8 }")GBps" lat="${latency}us" loopback_bw="10GBps" loopback_lat="0.5us"/>
</platform>
END
}

# point NET GBIT RANKS
point() {
  local to=$out/$1.$2.$3.json only=(later="$later")
  [[ $alone == no ]] || only=(--alone later=0)
  [[ -s $to ]] && return
  platform "$2" "$3" >"$out/platform.xml"
  for ((k = 0; k < $3; k++)); do echo "node-$((k / node_ranks))"; done >"$out/hosts"
  smpirun -np "$3" -platform "$out/platform.xml" -hostfile "$out/hosts" --cfg=smpi/coll-selector:ompi --cfg=smpi/simulate-computation:no \
    --cfg=smpi/privatization:no --cfg=smpi/shared-malloc-blocksize:16777216 --cfg=smpi/display-timing:no --cfg=network/model:CM02 \
    --cfg=network/TCP-gamma:0 --cfg=network/crosstraffic:0 --cfg=smpi/bw-factor:0:1 --cfg=smpi/lat-factor:0:1 --cfg=smpi/test:0 --cfg=smpi/iprobe:0 --cfg=smpi/send-is-detached-thresh:0 \
    --log=root.thres:error "$simulate" layers="$out/$1.layers" net="$1" study="${2}Gbit/s" threads="$threads" images="$images" \
    node_ranks="$node_ranks" reduce="$reduce" bucket_mib="$bucket_mib" add_gib="$add_gib" copy_gib="$copy_gib" fair="$fair" "${only[@]}" >"$to.new" 2>"$out/said" </dev/null
  if [[ $(<"$to.new") != '{"study":'* ]]; then
    echo "simulate.sh: $1 on $3 ranks at $2 Gbit/s: $(tail -n 1 "$out/said")" >&2
    rm -f "$to.new"
    return 1
  fi
  mv "$to.new" "$to"
  echo "$1, $2 Gbit/s, $3 ranks: $(sed 's/.*"step_seconds":\([0-9.e-]*\).*"efficiency":\([0-9.e-]*\).*/\1 s a step, efficiency \2/' "$to")"
}

failed=0
for net in $nets; do
  if [[ ! -s $out/$net.layers ]]; then
    read -ra more <<<"$words"
    "$pmf" bench step preset="$net" training.batch_size=2 training.ema_val=2000 sampling.ema=raw steps=2 "${more[@]}" layers="$out/$net.layers" >"$out/$net.bench" || exit
  fi
  for network in $networks; do
    for R in $ranks; do point "$net" "$network" "$R" || failed=1; done
  done
done
rm -f "$out/platform.xml" "$out/hosts" "$out/said"
[[ $alone != no ]] || "$pmf" plot scaling "$out" || exit
exit $failed
