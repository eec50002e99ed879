#!/bin/bash
# Steps on simulated ranks: what bench step measures for them layer for layer, and pmf-simulate where SimGrid is there. Nothing that travels,
# nothing is lost but what averages take; a network of half the bandwidth takes twice as long; efficiency stands in the study's table.
. "$(dirname "$0")/lib.sh"
tiny 'batch_size: 4, steps: 6, learning_rate: 0.005, ema_val: [2], seed: 9, log_per_step: 1'

does 1 bench step config=tiny.yml steps=2 layers=tiny.layers
elements=$(grep -o '"elements":[0-9]*' tiny.layers)
[ "${elements#*:}" -gt 0 ] || fail "no elements: $(head -c 200 tiny.layers)"
grep -q '"final":\[\[' tiny.layers || fail 'nothing becomes final'
grep -qE '"final":.*\[0,[0-9.e-]+,[0-9.e-]+\]\],"tensors"' tiny.layers || fail 'the last of the gradient does not become final'
on 1 bench step config=tiny.yml steps=50 layers=no/such.layers
check 'exit code where layers cannot be written' $? 74
said_once 'no/such.layers: it cannot be written there: No such file or directory'
refuses 'layers= is for bench step alone' bench gemm config=tiny.yml layers=x
on 2 bench step config=tiny.yml steps=1 layers=two.layers && fail 'two ranks measured for one'
said 'one rank measures what each of many will do'
[ ! -e two.layers ] || fail 'two.layers was written'

simulate=$PMF_BUILD/pmf-simulate
[ -x "$simulate" ] || { part_skipped 'no SimGrid: no ranks are simulated'; exit "$failed"; }
# What a quiet machine measured of the preset fashion, so that nothing below depends on this one's speed.
layers=$PMF_SOURCE/tests/data/fashion.layers
study() { bash "$PMF_SOURCE/slurm/scaling/simulate.sh" "$1" nets=fashion "${@:2}" pmf="$PMF" simulate="$simulate" >out 2>err; }
# of FILE KEY: a number of what was simulated.
of() { sed -n "s/.*\"$2\":\([0-9][0-9.e+-]*\).*/\1/p" "$1"; }
holds() { awk "BEGIN { exit !($1) }" || fail "$1 does not hold: $2"; }

for name in none alone cluster wait later; do mkdir $name && cp "$layers" $name; done
mkdir own && cp tiny.layers own && study own nets=tiny ranks=2 networks=100 || fail "what was measured here: $(cat err)"
study none ranks='1 2 8' networks=100 reduce=none || fail "simulate.sh: $(cat err)"
for R in 1 2 8; do holds "$(of none/fashion.100.$R.json efficiency) > 0.97" "$R ranks with nothing that travels"; done
study cluster ranks='1 2 4 8' networks='100 25' || fail "simulate.sh: $(cat err)"
for R in 2 4 8; do
  holds "$(of cluster/fashion.100.$R.json step_seconds) < $(of cluster/fashion.25.$R.json step_seconds)" "$R ranks"
  holds "$(of cluster/fashion.100.$R.json efficiency) < 0.999 && $(of cluster/fashion.100.$R.json messages) > 0" "$R ranks"
done
check 'rows' "$(tail -n +2 cluster/scaling.csv | cut -d , -f 1-3,8 | tr '\n' ' ')" \
  '100Gbit/s,fashion,1, 100Gbit/s,fashion,2, 100Gbit/s,fashion,4, 100Gbit/s,fashion,8, 25Gbit/s,fashion,1, 25Gbit/s,fashion,2, 25Gbit/s,fashion,4, 25Gbit/s,fashion,8, '
holds "$(of cluster/fashion.100.8.json efficiency) < $(of none/fashion.100.8.json efficiency)" 'what travels'
check 'efficiency' "$(sed -n 4p cluster/scaling.csv | cut -d , -f 19)" "$(printf %.6g "$(of cluster/fashion.100.4.json efficiency)")"
cp -r cluster again && rm cluster/fashion.25.8.json && study cluster ranks='1 2 4 8' networks='100 25' || fail "simulate.sh again: $(cat err)"
cmp cluster/fashion.25.8.json again/fashion.25.8.json || fail 'the same simulation gave other numbers'

# With enough to compute, weights that may come later cost less than those that are waited for; ranks that are no power of two make steps too.
study wait ranks='8 6' networks=100 threads=1 later=0 || fail "simulate.sh: $(cat err)"
study later ranks='8 6' networks=100 threads=1 || fail "simulate.sh: $(cat err)"
for R in 8 6; do
  holds "$(of wait/fashion.100.$R.json step_seconds) > 1.005 * $(of later/fashion.100.$R.json step_seconds)" "weights that $R ranks wait for"
done

# With nothing to compute, no latency and adding for nothing, time is bytes over bandwidth.
for gbit in 1 2; do study alone ranks=4 networks=$gbit latency=0.001 add_gib=1000000 alone=yes || fail "simulate.sh: $(cat err)"; done
ratio=$(awk "BEGIN { print $(of alone/fashion.1.4.json step_seconds) / $(of alone/fashion.2.4.json step_seconds) }")
holds "$ratio > 1.9 && $ratio < 2.1" "half the bandwidth"
# Links shared evenly and as SimGrid solves for it make steps of the same length, nearly.
for fair in 0 1; do
  mkdir fair$fair && cp "$layers" fair$fair
  study fair$fair ranks='5 8' networks=25 fair=$fair || fail "simulate.sh: $(cat err)"
done
for R in 5 8; do
  ratio=$(awk "BEGIN { print $(of fair0/fashion.25.$R.json step_seconds) / $(of fair1/fashion.25.$R.json step_seconds) }")
  holds "$ratio > 0.95 && $ratio < 1.05" "even and fair shares on $R ranks"
done

# And where both ends' processors copy, and nothing else takes time, it is bytes over what they copy.
for gib in 1 2; do
  mkdir copy$gib && cp "$layers" copy$gib
  study copy$gib ranks=4 networks=1000000 latency=0.001 add_gib=1000000 copy_gib=$gib alone=yes || fail "simulate.sh: $(cat err)"
done
ratio=$(awk "BEGIN { print $(of copy1/fashion.1000000.4.json step_seconds) / $(of copy2/fashion.1000000.4.json step_seconds) }")
holds "$ratio > 1.9 && $ratio < 2.1" "processors that copy half as fast"

study cluster ranks=0 && fail '0 ranks were taken'
said 'ranks: 0: expected a number of ranks'
study cluster ranks=2 threads=4 && fail 'another study in one folder was taken'
said 'take another folder'
mkdir bad && echo '{"net":"x"}' >bad/fashion.layers
study bad ranks=2 networks=100 && fail 'bad layers were taken'
said 'expected what `pmf bench step layers=FILE` writes'
exit "$failed"
